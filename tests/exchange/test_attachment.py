"""What names a file, and what a file is: the same however it comes, and nothing but our errors whatever comes."""

from __future__ import annotations

import contextlib
import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.access import attached, covers, opened
from exchange.attachment import MAX_FILE_BYTES, Reading, check_attachment, evidence_named
from exchange.attestation import draft
from exchange.errors import AttachmentError, FormError
from exchange.form import read_form
from exchange.settings import Settings
from tests.flow.attachments import PDF, File, workbook

BEGINNINGS = (
    b"",
    b"%PDF-",
    b"PK\x03\x04",
    b"\xff\xd8\xff",
    "月份,用电量".encode("gb18030"),
    "用电".encode(),
    workbook(),
)
FORM = """kind: activity-data
sub: https://x.example/p
process_class: material_production
period: {{start: 2026-01-01, end: 2026-01-31}}
outputs:
  - product: https://x.example/p
    amount: 1
    unit: kg
    obtained: measured
electricity:
  - amount: 5
    unit: kWh
    obtained: measured
    supply: grid
    geography: CN
    evidence: {evidence}
"""


def read(*pieces: bytes) -> tuple[str, str]:
    """The digest, and what the file is, or that it is refused."""
    reading = Reading()
    for piece in pieces:
        reading.read(piece)
    try:
        return reading.digest, reading.media_type()
    except AttachmentError as error:
        return reading.digest, error.what


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=5))
def test_it_is_the_same_however_it_is_cut(beginning: bytes, rest: bytes, cuts: list[int]) -> None:
    sent = b"s" * 32 + beginning + rest
    places = [0, *sorted(cuts), len(sent) + 400]
    assert read(*(sent[start:end] for start, end in pairwise(places))) == read(sent)
    assert read(sent)[0] == hashlib.sha256(sent).hexdigest()


@given(st.binary(max_size=200))
def test_whatever_follows_a_zip_s_first_bytes_raises_our_error_alone(rest: bytes) -> None:
    reading = Reading()
    reading.read(b"s" * 32 + b"PK\x03\x04" + rest + b"PK\x05\x06" + rest)
    with contextlib.suppress(AttachmentError):
        reading.media_type()


UNSEEN = {
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "word joiner": "\u2060",
    "byte order mark, after another": "\ufeff\ufeff",
    "soft hyphen": "\u00ad",
    "right-to-left override": "\u202e",
    "combining grapheme joiner": "\u034f",
    "variation selector": "\ufe0f",
    "tag": "\U000e0020",
    "no-break space": "\u00a0",
    "ideographic space": "\u3000",
    "line separator": "\u2028",
    "next line": "\u0085",
    "hangul fillers": "\u3164\uffa0\u115f\u1160",
    "many": "\u200b \u2060\n" * 5000,
}


@pytest.mark.parametrize("active", ["<html>", "<!DOCTYPE", "<?xml", "#!/bin/sh", "%!PS", "{\\rtf1"])
@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_nothing_unseen_hides_how_a_text_begins(unseen: str, active: str, encoding: str) -> None:
    content = (UNSEEN[unseen] + active).encode(encoding)
    for pieces in ((b"s" * 32 + content,), (b"s" * 32, *(content[n : n + 3] for n in range(0, len(content), 3)))):
        assert "none of PDF" in read(*pieces)[1]
    assert read(b"s" * 32 + (UNSEEN[unseen] + "month,kWh").encode(encoding))[1] == "text/plain"


@pytest.mark.parametrize("control", ["\x80", "\x84", "\x86", "\x9b", "\x9f", "\x7f", "\x1b"])
def test_control_characters_are_no_text(control: str) -> None:
    for text in (f"{control}<html>", f"month,kWh\n{control}2J"):
        assert "none of PDF" in read(b"s" * 32 + text.encode())[1]


def test_salt_and_file_are_what_the_digest_names() -> None:
    file = File()
    check_attachment(file.digest, file.sent)
    for other in (PDF, file.sent[:-1], b"", b"t" * 32 + PDF):
        with pytest.raises(AttachmentError):
            check_attachment(file.digest, other)


def test_digests_are_found_where_lines_and_claims_name_them() -> None:
    one, two = "1" * 64, "2" * 64
    claims = {
        "inputs": [{"id": "a", "evidence": [one, two]}, {"id": "b"}, "no line", {"evidence": [one]}],
        "cycle_life": {"evidence": (two,)},
        "note": "text",
        "evidence": [{"id": "e", "evidence": one}],
        "fuels": [{"id": "f", "evidence": [one.upper() + "G", 7, "x"]}],
    }
    assert evidence_named(claims) == {"inputs/a": (one, two), "cycle_life": (two,)}


def test_a_path_opens_files_by_its_suffix_alone() -> None:
    paths = ["inputs/a", "inputs/b+evidence", "note"]
    assert opened(paths, "customer") == {"inputs/a", "inputs/b", "note"}
    assert attached(paths) == {"inputs/b"}
    assert attached(["full", "inputs", "contents"]) == frozenset()
    assert covers(attached(["full+evidence"]), "inputs/a")
    assert covers(attached(["inputs+evidence"]), "inputs/a")
    assert not covers(attached(["inputs/b+evidence"]), "inputs/a")


def test_a_form_takes_digests_and_nothing_else() -> None:
    digests = ["ab" * 32, "cd" * 32]
    good = read_form(FORM.format(evidence=f"[{', '.join(digests)}]").encode(), "x.yaml")
    checked = draft(good, kind=None, random=bytes)
    assert checked.unknown == []
    (found,) = evidence_named(checked.claims).values()
    assert found == tuple(digests)
    for bad in ("bill.pdf", "[bill.pdf]", f"[{'AB' * 32}]", f"[{', '.join(digests[:1] * 33)}]"):
        with pytest.raises(FormError, match=r"electricity\[1\]/evidence"):
            draft(read_form(FORM.format(evidence=bad).encode(), "x.yaml"), kind=None, random=bytes)


def test_the_setting_and_the_pure_limit_agree() -> None:
    assert Settings.model_fields["max_attachment_mib"].default * 1024 * 1024 == MAX_FILE_BYTES

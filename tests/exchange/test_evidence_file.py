"""The evidence file as an archive: one written form, and whatever else comes in is refused by name and place."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange import evidence_file
from exchange.errors import EvidenceError, ExchangeError, RejectedError, UndecidableError
from exchange.evidence_file import MANIFEST
from tests.evidence import read_evidence, write_evidence

FORMATS = Path(__file__).parents[2] / "docs" / "formats"
ABOUT = {"origin": "log.example", "reader": "https://reader.example", "size": 7}
MEMBERS = {"a.json": b"{}", "entries/000000000001/token": b"e30", "report.txt": "kilogram 千克\n".encode()}
GOOD = write_evidence(MEMBERS, ABOUT)

names = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,12}(/[a-z0-9][a-z0-9._-]{0,12}){0,3}", fullmatch=True).filter(
    lambda name: name != MANIFEST and ".." not in name
)
contents = st.dictionaries(names, st.binary(max_size=200), max_size=8)

# -- the one written form --------------------------------------------------------------------------------------------


@given(contents)
def test_what_is_written_is_read(members: dict[str, bytes]) -> None:
    manifest, found = read_evidence(write_evidence(members, ABOUT))
    assert found == members
    assert {name: manifest[name] for name in ABOUT} == ABOUT


@given(contents)
def test_the_same_content_in_any_order_gives_the_same_bytes(members: dict[str, bytes]) -> None:
    assert write_evidence(dict(reversed(members.items())), ABOUT) == write_evidence(members, ABOUT)


def test_a_standard_tool_opens_it() -> None:
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted([*MEMBERS, MANIFEST])
        assert {(info.compress_type, info.date_time, info.external_attr >> 16) for info in archive.infolist()} == {
            (zipfile.ZIP_STORED, (1980, 1, 1, 0, 0, 0), 0o644)
        }


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_no_byte_is_free(mask: int) -> None:
    """Every byte of the archive, changed: refused, and never by another exception."""
    for place in range(len(GOOD)):
        changed = bytearray(GOOD)
        changed[place] ^= mask
        with pytest.raises(EvidenceError) as caught:
            read_evidence(bytes(changed))
        assert caught.value.where, place


def test_no_length_but_its_own_is_taken() -> None:
    for length in range(len(GOOD)):
        with pytest.raises(EvidenceError):
            read_evidence(GOOD[:length])


@given(st.binary(max_size=400))
def test_any_bytes_end_in_an_evidence_error(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        read_evidence(data)


@given(st.data())
def test_spliced_archives_end_in_an_evidence_error(data: st.DataObject) -> None:
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(GOOD))] * 2)))
    spliced = GOOD[:start] + data.draw(st.binary(max_size=40)) + GOOD[stop:]
    if spliced != GOOD:
        with pytest.raises(EvidenceError):
            read_evidence(spliced)


def zipped(members: dict[str, bytes]) -> bytes:
    """The archive alone, whatever its manifest."""
    buffer = io.BytesIO()
    made = evidence_file._Archive(buffer)
    for name in sorted(members):
        made.add(name, members[name])
    made.close()
    return buffer.getvalue()


# -- archives that another writer made -------------------------------------------------------------------------------


def archive(*more: tuple[str, bytes], **attributes: Any) -> bytes:
    """A zip as `write_evidence` makes it, but with `attributes` of its first member and members `more` besides."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(GOOD), "r") as good,
        zipfile.ZipFile(buffer, "w") as made,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)
        pairs = [(info.filename, good.read(info)) for info in good.infolist()]
        for number, (name, data) in enumerate([*pairs, *more]):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.external_attr, info.create_system = 0o644 << 16, 3
            for attribute, value in attributes.items() if number == 0 else ():
                setattr(info, attribute, value)
            made.writestr(info, data)
    return buffer.getvalue()


def patched(offset: int, form: str, *values: int, start: bytes = b"PK\x01\x02") -> bytes:
    """`GOOD` with fields of its first central directory record (or end record) overwritten."""
    data = bytearray(GOOD)
    struct.pack_into(form, data, data.index(start) + offset, *values)
    return bytes(data)


def far_away() -> bytes:
    """A directory whose one member begins 2^63 bytes on, by a zip64 field."""
    extra = struct.pack("<HHQ", 1, 8, 1 << 63)
    record = b"PK\1\2" + struct.pack("<4B4HL2L5H2L", 45, 3, 45, 0, 0, 0, 0, 33, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0xFFFFFFFF)
    record += b"a" + extra
    return record + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, len(record), 0, 0)


def with_comment() -> bytes:
    buffer = io.BytesIO(GOOD)
    with zipfile.ZipFile(buffer, "a") as made:
        made.comment = b"verified"
    return buffer.getvalue()


BAD_ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "archive"),
    "no zip": (lambda: b"kg CO2e " * 50, "archive"),
    "a zip of nothing": (lambda: b"PK\5\6" + bytes(18), MANIFEST),
    "cut short": (lambda: GOOD[:-1], "archive"),
    "trailing byte": (lambda: GOOD + b"\0", "archive"),
    "trailing archive": (lambda: GOOD + GOOD, "archive, byte"),
    "prepended bytes": (lambda: b"#!/bin/sh\n" + GOOD, "archive, byte"),
    "archive comment": (with_comment, "archive"),
    "name climbs out": (lambda: archive(("../evil", b"")), "../evil"),
    "name climbs out inside": (lambda: archive(("entries/../../evil", b"")), "entries/../../evil"),
    "absolute name": (lambda: archive(("/etc/passwd", b"")), "/etc/passwd"),
    "backslash in a name": (lambda: archive(("..\\evil", b"")), "evil"),
    "drive in a name": (lambda: archive(("c:evil", b"")), "c:evil"),
    "control character in a name": (lambda: archive(("a\nb", b"")), r"a\nb"),
    "capital in a name": (lambda: archive(("A.json", b"")), "A.json"),
    "name too deep": (lambda: archive(("a/b/c/d/e", b"")), "a/b/c/d/e"),
    "directory": (lambda: archive(("entries/", b"")), "entries/"),
    "name twice": (lambda: archive(("report.txt", b"other")), "report.txt"),
    "symbolic link": (lambda: archive(external_attr=0o120777 << 16), "archive, byte"),
    "executable": (lambda: archive(external_attr=0o755 << 16), "archive, byte"),
    "another time": (lambda: archive(date_time=(2026, 1, 1, 0, 0, 0)), "archive, byte"),
    "extra field": (lambda: archive(extra=b"\x99\x99\x01\x00x"), "archive, byte"),
    "comment of a file": (lambda: archive(comment=b"trust me"), "archive, byte"),
    "compressed": (lambda: archive(("z", bytes(1 << 20)), compress_type=zipfile.ZIP_DEFLATED), "a.json"),
    "unsorted": (lambda: archive(("0", b"")), "0"),
    "encrypted": (lambda: patched(8, "<H", 1), "a.json"),
    "strongly encrypted": (lambda: patched(8, "<H", 0x41), "a.json"),
    "unknown compression": (lambda: patched(10, "<H", 99), "a.json"),
    "huge size": (lambda: patched(20, "<LL", 0xFFFFFFF0, 0xFFFFFFF0), "a.json"),
    "sizes that differ": (lambda: patched(24, "<L", 3), "a.json"),
    "size beyond the content": (lambda: patched(20, "<LL", 90, 90), "entries/"),
    "crc of something else": (lambda: patched(16, "<L", 0), "archive, byte"),
    "member begins elsewhere": (lambda: patched(42, "<L", 3), "a.json"),
    "member on another disk": (lambda: patched(34, "<H", 3), "archive"),
    "more members than there are": (lambda: patched(8, "<HH", 9, 9, start=b"PK\x05\x06"), "archive"),
    "zip64 without need": (lambda: patched(12, "<LL", 0xFFFFFFFF, 0xFFFFFFFF, start=b"PK\x05\x06"), "archive"),
    "zip64 offset beyond what can be addressed": (far_away, "a"),
    "no manifest": (lambda: zipped(MEMBERS), MANIFEST),
}


@pytest.mark.parametrize("case", BAD_ARCHIVES)
def test_an_archive_that_we_would_not_have_written_is_refused(case: str) -> None:
    make, where = BAD_ARCHIVES[case]
    with pytest.raises(EvidenceError) as caught:
        read_evidence(make())
    assert where in caught.value.where.replace("\\\\", "\\")


def test_too_large_and_too_many_are_refused_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence_file, "MAX_MEMBERS", len(MEMBERS))
    with pytest.raises(EvidenceError, match=f"more than {len(MEMBERS)} files"):
        read_evidence(GOOD)
    monkeypatch.setattr(evidence_file, "MAX_FILE_BYTES", len(GOOD) - 1)
    with pytest.raises(EvidenceError, match="larger than"):
        read_evidence(GOOD)


# -- manifests -------------------------------------------------------------------------------------------------------


def with_manifest(manifest: bytes) -> bytes:
    """`GOOD` with this manifest in place of its own."""
    return zipped({**MEMBERS, MANIFEST: manifest})


def changed_manifest(change: Callable[[dict[str, Any]], object]) -> bytes:
    manifest, _ = read_evidence(GOOD)
    change(manifest)
    return evidence_file._manifest_bytes(manifest)


def written() -> bytes:
    return changed_manifest(lambda _: None)


BAD_MANIFESTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", MANIFEST),
    "no JSON": (lambda: b"verified", MANIFEST),
    "not UTF-8": (lambda: written().replace(b"log.example", b"log.\xff"), MANIFEST),
    "UTF-16": (lambda: written().decode().encode("utf-16"), MANIFEST),
    "byte order mark": (lambda: b"\xef\xbb\xbf" + written(), MANIFEST),
    "deep": (lambda: b"[" * 100_000, MANIFEST),
    "deep and closed": (lambda: b"[" * 900 + b"]" * 900, MANIFEST),
    "a list": (lambda: b"[]\n", MANIFEST),
    "a number of many digits": (lambda: b"1" * 9000, MANIFEST),
    "other white space": (lambda: written().replace(b"\n", b"\r\n"), MANIFEST),
    "member twice": (lambda: written().replace(b'"reader"', b'"reader": "x",\n "reader"'), MANIFEST),
    "another version": (lambda: changed_manifest(lambda m: m.update(format="urn:packtrace:evidence-file:1")), MANIFEST),
    "no reader": (lambda: changed_manifest(lambda m: m.pop("reader")), MANIFEST),
    "reader is a list": (lambda: changed_manifest(lambda m: m.update(reader=[])), MANIFEST),
    "size is a truth value": (lambda: changed_manifest(lambda m: m.update(size=True)), MANIFEST),
    "size is infinite": (lambda: changed_manifest(lambda m: m.update(size=float("inf"))), MANIFEST),
    "lone surrogate": (lambda: written().replace(b"log.example", b"\\ud800"), MANIFEST),
    "unknown member": (lambda: changed_manifest(lambda m: m.update(verified=True)), MANIFEST),
    "files is a list": (lambda: changed_manifest(lambda m: m.update(files=[])), MANIFEST),
    "a file too many": (lambda: changed_manifest(lambda m: m["files"].update(b="0" * 64)), "b"),
    "a file too few": (lambda: changed_manifest(lambda m: m["files"].pop("report.txt")), "report.txt"),
    "itself": (lambda: changed_manifest(lambda m: m["files"].update({MANIFEST: "0" * 64})), MANIFEST),
    "digest of another file": (lambda: changed_manifest(lambda m: m["files"].update({"a.json": "0" * 64})), "a.json"),
    "digest is no text": (lambda: changed_manifest(lambda m: m["files"].update({"a.json": None})), "a.json"),
    "digest in capitals": (
        lambda: changed_manifest(lambda m: m["files"].update({"a.json": m["files"]["a.json"].upper()})),
        "a.json",
    ),
}


@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_a_manifest_that_we_would_not_have_written_is_refused(case: str) -> None:
    make, where = BAD_MANIFESTS[case]
    with pytest.raises(EvidenceError) as caught:
        read_evidence(with_manifest(make()))
    assert caught.value.where == where


def test_the_manifest_may_speak_any_language() -> None:
    about = {**ABOUT, "reader": "https://例え.example"}
    assert read_evidence(write_evidence(MEMBERS, about))[0]["reader"] == about["reader"]
    assert "例え".encode() in write_evidence(MEMBERS, about)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ABOUT, "format", "files"]), inner)
        ),
        max_leaves=10,
    )
)
def test_any_json_as_manifest_ends_in_an_evidence_error(manifest: Any) -> None:
    with pytest.raises(EvidenceError):
        read_evidence(with_manifest(json.dumps(manifest).encode()))


# -- the page --------------------------------------------------------------------------------------------------------


def test_the_page_lists_what_a_small_file_holds(small_file: bytes) -> None:
    page = (FORMATS / "evidence-file.md").read_text(encoding="utf-8")
    manifest, members = read_evidence(small_file)
    listed = {line.split()[0] for line in page.split("```")[1].splitlines() if line}
    assert {name for name in members if not name.startswith("results/")} | {MANIFEST} == {
        name for name in listed if not name.startswith("results/")
    }
    assert all(f"| `{name}` |" in page for name in manifest)


@pytest.mark.parametrize("error", [EvidenceError, RejectedError, UndecidableError])
def test_the_page_names_the_codes(error: type[ExchangeError]) -> None:
    assert f"| `{error.code}` |" in (FORMATS / "evidence-file.md").read_text(encoding="utf-8")

"""The trust file: strict reading, a fingerprint that stands for the anchors, and nothing but EvidenceError for bad files."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import EvidenceError
from exchange.trust import MAX_TRUST_BYTES, TrustFile
from ledger import NoteSigner
from tests.exchange.dossier import Dossier
from tests.simulator import ORIGIN

Members = dict[str, Any]


@pytest.fixture(scope="module")
def members(small_trust: TrustFile) -> Members:
    """The members of a good trust file."""
    found: Members = json.loads(small_trust.document())
    return found


def written(members: Members, **changes: Any) -> bytes:
    """A trust file with `changes`; a change to None leaves the member out."""
    return json.dumps({name: value for name, value in {**members, **changes}.items() if value is not None}).encode()


def test_a_written_file_reads_back_the_same(small_trust: TrustFile) -> None:
    assert TrustFile.read(small_trust.document()) == small_trust
    assert small_trust.key.name == ORIGIN
    assert small_trust.signers.origin == ORIGIN


def test_order_and_white_space_do_not_change_the_fingerprint(small_trust: TrustFile, members: Members) -> None:
    turned = {name: members[name] for name in reversed(members)}
    turned["rule_sets"] = [*reversed(members["rule_sets"]), members["rule_sets"][0]]
    read = TrustFile.read(json.dumps(turned, indent=7).encode())
    assert read.fingerprint == small_trust.fingerprint
    assert read.document() == small_trust.document()


def test_the_fingerprint_can_be_read_out(small_trust: TrustFile) -> None:
    groups = small_trust.fingerprint.split(" ")
    assert [len(group) for group in groups] == [8] * 8
    assert int("".join(groups), 16) > 0


CHANGED: dict[str, Callable[[Members], Members]] = {
    "log key": lambda m: {"log_key": str(NoteSigner(ORIGIN, bytes(32)).log_key), "origin": m["origin"]},
    "rule set": lambda _: {"rule_sets": ["0" * 64]},
    "rule set fewer": lambda m: {"rule_sets": m["rule_sets"][1:]},
    "factor release": lambda _: {"factor_releases": ["0" * 64]},
    "policy": lambda _: {"policies": []},
    "another key beside": lambda m: {"other_log_keys": [str(NoteSigner(m["origin"], bytes(32)).log_key)]},
    "a predecessor": lambda _: {"predecessor": "log.example/before\n1\nAA==\n\n\u2014 log.example/before AA==\n"},
    "an age of snapshots": lambda _: {"max_snapshot_days": 7},
    "authority twice": lambda m: {"authorities": m["authorities"] * 2},
}


@pytest.mark.parametrize("case", CHANGED)
def test_other_anchors_have_another_fingerprint(small_trust: TrustFile, members: Members, case: str) -> None:
    read = TrustFile.read(written(members, **CHANGED[case](members)))
    assert read.fingerprint != small_trust.fingerprint


# -- bad files -------------------------------------------------------------------------------------------------------


def broken(pem: str) -> str:
    """The certificate with another version number, or any other byte that no certificate has."""
    lines = pem.split("\n")
    lines[1] = lines[1].replace("AgI", "Ag8", 1) if "AgI" in lines[1] else lines[1][::-1]
    return "\n".join(lines)


BAD: dict[str, tuple[Callable[[Members], Members], str]] = {
    "unknown member": (lambda _: {"operator": "https://o.example"}, "operator: an unknown name"),
    "no format": (lambda _: {"format": None}, "no format"),
    "another format": (lambda _: {"format": "urn:packtrace:trust-file:2"}, "format: "),
    "no origin": (lambda _: {"origin": None}, "origin: "),
    "empty origin": (lambda _: {"origin": ""}, "origin: "),
    "origin is a number": (lambda _: {"origin": 5}, "origin: "),
    "origin of another log": (lambda _: {"origin": "other.example"}, "not the origin"),
    "key of another log": (lambda _: {"log_key": str(NoteSigner("x", bytes(32)).log_key)}, "not the origin"),
    "log key is no key": (lambda _: {"log_key": "x"}, "verifier key"),
    "log key with another id": (lambda m: {"log_key": m["log_key"].replace("+", "+0", 1)}, "key id"),
    "another log's key beside": (
        lambda _: {"other_log_keys": [str(NoteSigner("x", bytes(32)).log_key)]},
        "not the origin",
    ),
    "a key beside is no key": (lambda _: {"other_log_keys": ["x"]}, "verifier key"),
    "a key twice": (lambda m: {"other_log_keys": [m["log_key"]]}, "named twice"),
    "the log before itself": (lambda m: {"predecessor": f"{m['origin']}\n1\nAA==\n\n\u2014 x AA==\n"}, "predecessor"),
    "a predecessor that is no note": (lambda _: {"predecessor": "log.example/before"}, "predecessor"),
    "no authority": (lambda _: {"authorities": []}, "authorities: "),
    "authorities are one text": (lambda m: {"authorities": m["authorities"][0]}, "authorities: "),
    "authority is no certificate": (lambda _: {"authorities": ["PEM"]}, "PEM"),
    "authority is a broken certificate": (lambda m: {"authorities": [broken(m["authorities"][0])]}, "."),
    "authority is cut short": (lambda m: {"authorities": [m["authorities"][0][:200]]}, "."),
    "authority has a lone surrogate": (lambda _: {"authorities": ["\ud800"]}, "authorities/0: |surrogates"),
    "too many authorities": (lambda m: {"authorities": m["authorities"] * 65}, "authorities: "),
    "digest in capitals": (lambda _: {"rule_sets": ["AB" * 32]}, "rule_sets/0: "),
    "digest too short": (lambda _: {"factor_releases": ["ab"]}, "factor_releases/0: "),
    "digest with a line feed": (lambda _: {"policies": ["ab" * 32 + "\n"]}, "policies/0: "),
    "digests are one text": (lambda _: {"policies": "ab" * 32}, "policies: "),
    "a publisher with a line feed": (lambda _: {"publishers": {"policies": ["https://x.example\n"]}}, "publishers/"),
    "a publisher with a control character": (
        lambda _: {"publishers": {"policies": ["https://x.example/\x9b2J"]}},
        "publ",
    ),
    "a publisher that is no URI": (lambda _: {"publishers": {"policies": ["x.example"]}}, "publishers/"),
    "pinned with a line feed inside": (lambda m: {"pinned": {"https://x\n.example": m["authorities"]}}, "pinned/"),
    "an age of snapshots below none": (lambda _: {"max_snapshot_days": -1}, "max_snapshot_days: "),
    "an age of snapshots in a text": (lambda _: {"max_snapshot_days": "7"}, "max_snapshot_days: "),
    "an age of snapshots beyond a century": (lambda _: {"max_snapshot_days": 36_501}, "max_snapshot_days: "),
    "no rule sets": (lambda _: {"rule_sets": None}, "rule_sets: "),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(members: Members, case: str) -> None:
    change, what = BAD[case]
    with pytest.raises(EvidenceError, match=what) as caught:
        TrustFile.read(written(members, **change(members)), where="my trust file")
    assert caught.value.where == "my trust file"
    assert "\n" not in caught.value.what


BAD_BYTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "not JSON": lambda _: b"-----BEGIN CERTIFICATE-----",
    "a list": lambda data: b"[" + data + b"]",
    "member twice": lambda data: data.replace(b'"origin"', b'"origin": "x", "origin"', 1),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "not UTF-8": lambda data: data.replace(b"log.", b"log\xff", 1),
    "two documents": lambda data: data + data,
    "deep": lambda _: b'{"format":' * 200_000,
    "too large": lambda data: data + b" " * MAX_TRUST_BYTES,
    "number of many digits": lambda _: b'{"format":' + b"9" * 9000 + b"}",
}


@pytest.mark.parametrize("case", BAD_BYTES)
def test_bad_bytes_are_refused(small_trust: TrustFile, case: str) -> None:
    with pytest.raises(EvidenceError):
        TrustFile.read(BAD_BYTES[case](small_trust.document()))


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_evidence_error(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        TrustFile.read(data)


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    "format",
    "origin",
    "log_key",
    "other_log_keys",
    "predecessor",
    "authorities",
    "intermediates",
    "pinned",
    "rule_sets",
    "factor_releases",
    "policies",
    "witness_policy",
    "expires",
    "time_authorities",
    "publishers",
    "max_snapshot_days",
    "next_keys",
    "next_threshold",
    "version",
]


@given(st.sampled_from(NAMES), any_json)
def test_any_json_in_a_member_ends_in_an_evidence_error(small: Dossier, name: str, value: Any) -> None:
    members = json.loads(small.trust().document())
    text = json.dumps({**members, name: value}).encode()
    try:
        found = TrustFile.read(text)
    except EvidenceError:
        return
    if name in ("version", "max_snapshot_days"):
        assert getattr(found, name) == value
        return
    assert value in ([], {}, "", 0)
    assert not getattr(found, name)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_of_an_authority_never_gives_the_same_trust(small: Dossier, place: int, mask: int) -> None:
    der = bytearray(small.simulator.authority.certificate)
    der[place % len(der)] ^= mask
    pem = "-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(bytes(der)).decode() + "-----END CERTIFICATE-----\n"
    members = json.loads(small.trust().document())
    try:
        found = TrustFile.read(json.dumps({**members, "authorities": [pem]}).encode())
    except EvidenceError:
        return
    assert found.fingerprint != small.trust().fingerprint


def test_authorities_are_read_as_certificates(small: Dossier, small_trust: TrustFile) -> None:
    assert small_trust.signers.authorities == (small.simulator.authority.certificate,)
    pem = load_der_x509_certificate(small.simulator.authority.certificate).public_bytes(Encoding.PEM).decode()
    assert small_trust.authorities == (pem,)


def test_every_member_is_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "trust-file.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"`{name}`" in page
        assert f'"{name}": ' in page
    assert sorted(NAMES) == sorted(TrustFile.model_fields)

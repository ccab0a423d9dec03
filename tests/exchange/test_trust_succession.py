"""One trust file after another: signed by enough keys of the one before and of its own, versions in turn, never back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import EvidenceError, RejectedError, UndecidableError
from exchange.kinds import FACTOR_RELEASE, POLICY_RELEASE, RULE_SET_RELEASE, WITHDRAWALS, Kind
from exchange.trust import Published, TrustFile
from exchange.trust_succession import check_successor, sign, signed_text
from ledger import Checkpoint, LedgerError, NoteSigner, sign_checkpoint, sign_note
from tests.simulator import OPERATOR, ORIGIN, Simulator

A, B, C, D = (NoteSigner(f"trust.example/{name}", bytes([number]) * 32) for number, name in enumerate("abcd", 1))
LOG = NoteSigner(ORIGIN, bytes(32))
MAINTAINER = "https://maintainer.example"


@dataclass
class Line:
    """Trust files of one log, each made from the anchors of a small one."""

    anchors: TrustFile

    def file(self, version: int, keys: Sequence[NoteSigner] = (A,), threshold: int = 1, **more: Any) -> TrustFile:
        named = tuple(str(key.log_key) for key in keys)
        members = {**self.anchors.model_dump(mode="json"), "version": version, "next_keys": named}
        made = TrustFile.model_validate({**members, "next_threshold": threshold if keys else 0, **more})
        return TrustFile.read(made.document())


@pytest.fixture(scope="module")
def line(small_trust: TrustFile) -> Line:
    return Line(small_trust)


def signed(trust: TrustFile, *signers: NoteSigner) -> str:
    note = ""
    for signer in signers:
        note = sign(trust, signer, note)
    return note


def test_what_is_signed_names_format_log_version_and_bytes(line: Line) -> None:
    trust = line.file(3)
    assert signed_text(trust) == f"urn:packtrace:trust-file:1\n{ORIGIN}\n3\n{trust.digest}\n"


def test_the_key_of_the_version_before_signs_the_next(line: Line) -> None:
    old, new = line.file(1), line.file(2)
    assert check_successor(old, new, signed(new, A)) == (A.log_key,)


def test_a_key_follows_another_by_the_signatures_of_both(line: Line) -> None:
    old, new = line.file(1, [A]), line.file(2, [B])
    assert check_successor(old, new, signed(new, A, B)) == (A.log_key, B.log_key)
    # Another order of the lines, and lines of others, change nothing.
    assert set(check_successor(old, new, signed(new, B, C, A))) == {A.log_key, B.log_key}
    for signers, what in (([B], "0 of the 1 keys .* the version before"), ([A], "0 of the 1 keys .* the file itself")):
        with pytest.raises(RejectedError, match=what):
            check_successor(old, new, signed(new, *signers))
    # Then the old key signs nothing more.
    with pytest.raises(RejectedError, match="0 of the 1"):
        check_successor(new, line.file(3, [A]), signed(line.file(3, [A]), A))


@given(st.sets(st.sampled_from([A, B, C, D])))
def test_as_many_keys_as_the_threshold_and_no_fewer(small_trust: TrustFile, signers: set[NoteSigner]) -> None:
    """Two of A, B, C before; two of B, C, D after."""
    line = Line(small_trust)
    old, new = line.file(1, [A, B, C], 2), line.file(2, [B, C, D], 2)
    good = len(signers & {A, B, C}) >= 2 and len(signers & {B, C, D}) >= 2
    note = signed(new, *signers) or signed(new, LOG)
    if good:
        assert set(check_successor(old, new, note)) == {one.log_key for one in signers}
    else:
        with pytest.raises(RejectedError, match="of the 2 keys"):
            check_successor(old, new, note)


def test_a_key_counts_once_whatever_its_names(line: Line) -> None:
    again = NoteSigner("trust.example/again", bytes([1]) * 32)
    old, new = line.file(1, [A, B], 2), line.file(2, [again, B], 2)
    with pytest.raises(RejectedError, match="1 of the 2 keys"):
        check_successor(old, new, signed(new, A, again))
    with pytest.raises(EvidenceError, match="twice among the next_keys"):
        line.file(1, [A, again], 2)


def test_trust_goes_neither_back_nor_in_leaps(line: Line) -> None:
    old = line.file(4)
    for version in (4, 3, 1):
        with pytest.raises(RejectedError, match=r"version [0-4] was offered and version 4 is held: trust"):
            check_successor(old, line.file(version), signed(line.file(version), A))
    for version, which in ((6, "version 5 is missing"), (8, "versions 5 to 7 is missing")):
        with pytest.raises(UndecidableError, match=which):
            check_successor(old, line.file(version), signed(line.file(version), A))


def test_a_line_may_end(line: Line) -> None:
    """A version that names no keys is followed by none; nor is a file of no version."""
    last = line.file(2, [])
    assert check_successor(line.file(1), last, signed(last, A)) == (A.log_key,)
    for ended in (last, line.anchors):
        new = line.file(ended.version + 1)
        with pytest.raises(RejectedError, match="names nobody who may sign the next"):
            check_successor(ended, new, signed(new, A))


def test_the_signature_is_of_this_very_file(line: Line) -> None:
    old, new = line.file(1), line.file(2)
    other = line.file(2, policies=["0" * 64])
    notes: dict[str, str] = {
        "of another file": signed(other, A),
        "text changed": signed(other, A).replace(other.digest, new.digest),
        "a checkpoint": sign_checkpoint(Checkpoint(ORIGIN, 2, bytes(32)), LOG),
        "no note": "-----BEGIN SIGNATURE-----",
        "empty": "",
        "version changed": signed(line.file(3), A).replace("\n3\n", "\n2\n"),
        "two notes": signed(new, A) * 2,
    }
    for case, note in notes.items():
        with pytest.raises(RejectedError) as caught:
            check_successor(old, new, note)
        assert caught.value.where == "signature", case


@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_changed_byte_of_a_signature_passes(small_trust: TrustFile, place: int, mask: int) -> None:
    line = Line(small_trust)
    new = line.file(2)
    note = bytearray(signed(new, A).encode())
    note[place % len(note)] ^= mask
    with pytest.raises(RejectedError):
        check_successor(line.file(1), new, note.decode("utf-8", "replace"))


def test_the_log_that_follows_a_lost_one_is_taken_by_the_lost_one_s_own_checkpoint(line: Line) -> None:
    follower = NoteSigner("log.example/second", bytes([9]) * 32)
    # The small log's key is needed, since its checkpoint has to open.
    old = line.file(1, log_key=str(LOG.log_key))
    last = sign_checkpoint(Checkpoint(ORIGIN, 7, bytes([1]) * 32), LOG)
    about: dict[str, Any] = {"origin": follower.name, "log_key": str(follower.log_key)}
    new = line.file(2, **about, predecessor=last)
    assert check_successor(old, new, signed(new, A))
    forged = sign_checkpoint(Checkpoint(ORIGIN, 7, bytes([1]) * 32), NoteSigner(ORIGIN, bytes([8]) * 32))
    for predecessor in ("", forged):
        new = line.file(2, **about, predecessor=predecessor)
        with pytest.raises(RejectedError, match="about another log") as caught:
            check_successor(old, new, signed(new, A))
        assert caught.value.where == "origin"


def test_signing_takes_no_note_of_another_file(line: Line) -> None:
    with pytest.raises(RejectedError, match="over another trust file"):
        sign(line.file(2), A, signed(line.file(3), A))
    note = signed(line.file(2), A)
    assert sign(line.file(2), A, note) == note
    with pytest.raises(LedgerError):
        sign_note("no line feed", [A])


# -- what the file itself says of versions ---------------------------------------------------------------------------

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "version is a text": ({"version": "3"}, "version: "),
    "version is true": ({"version": True}, "version: "),
    "version below zero": ({"version": -1}, "version: "),
    "version beyond JSON": ({"version": 2**53}, "version: "),
    "expires by a date": ({"expires": "2027-12-31"}, "does not match|not a time"),
    "expires elsewhere": ({"expires": "2027-12-31T00:00:00+08:00"}, "expires"),
    "expires on no day": ({"expires": "2027-02-30T00:00:00Z"}, "day|month|time"),
    "expires in short": ({"expires": "2027-2-3T00:00:00Z"}, "not a time in UTC"),
    "keys without a version": ({"version": 0, "next_keys": [str(A.log_key)], "next_threshold": 1}, "has a version"),
    "keys without a threshold": ({"next_keys": [str(A.log_key)]}, "next_threshold"),
    "threshold above the keys": ({"next_keys": [str(A.log_key)], "next_threshold": 2}, "next_threshold"),
    "threshold without keys": ({"next_threshold": 1}, "next_threshold"),
    "a next key is none": ({"next_keys": ["x"], "next_threshold": 1}, "verifier key"),
    "publisher of something else": ({"publishers": {"operators": [MAINTAINER]}}, "publishers"),
    "publisher of nothing": ({"publishers": {"policies": []}}, "publishers"),
    "timestamps by no certificate": ({"time_authorities": ["x"]}, "PEM"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused(line: Line, case: str) -> None:
    change, what = BAD[case]
    members = {**line.anchors.model_dump(mode="json"), "version": 1, **change}
    with pytest.raises(EvidenceError, match=what):
        TrustFile.read(_json(members))


def test_the_log_s_own_key_signs_no_trust_file(line: Line) -> None:
    with pytest.raises(EvidenceError, match="a key of the log is among"):
        line.file(1, [NoteSigner("trust.example/log", bytes(32))], log_key=str(LOG.log_key))


def test_what_a_file_from_before_lacks_changes_no_byte(small_trust: TrustFile) -> None:
    """Its fingerprint was read out over the telephone: it stays."""
    assert not {"version", "expires", "publishers", "next_keys"} & _members(small_trust).keys()
    empty = {
        "version": 0,
        "expires": "",
        "time_authorities": [],
        "publishers": {},
        "next_keys": [],
        "next_threshold": 0,
    }
    assert TrustFile.read(_json({**_members(small_trust), **empty})).document() == small_trust.document()


def test_each_new_member_has_its_part_in_the_fingerprint(line: Line) -> None:
    keys = [str(A.log_key), str(B.log_key)]
    changes: tuple[dict[str, Any], ...] = (
        {},
        {"version": 2},
        {"expires": "2027-12-31T00:00:00Z"},
        {"time_authorities": line.anchors.authorities},
        {"publishers": {"policies": [MAINTAINER]}},
        {"publishers": {"rule_sets": [MAINTAINER]}},
        {"next_keys": keys[:1], "next_threshold": 1},
        {"next_keys": keys, "next_threshold": 1},
        {"next_keys": keys, "next_threshold": 2},
    )
    found = {line.file(**{"version": 1, "keys": [], **change}).fingerprint for change in changes}
    assert len(found) == 9


def test_from_the_end_on_nothing_is_decided(line: Line) -> None:
    trust, end = line.file(1, expires="2027-12-31T00:00:00Z"), datetime(2027, 12, 31, tzinfo=UTC)
    trust.check_current(end - timedelta(seconds=1))
    for at in (end, end + timedelta(days=400)):
        with pytest.raises(UndecidableError, match=r"expired at 2027-12-31T00:00:00Z.*packtrace trust accept"):
            trust.check_current(at)
    line.file(1).check_current(datetime(9999, 1, 1, tzinfo=UTC))


# -- publishers ------------------------------------------------------------------------------------------------------

DIGEST = "5" * 64


@pytest.fixture(scope="module")
def released() -> Simulator:
    """A log in which two organisations release the same files, and one withdraws one of them."""
    simulator = Simulator()
    simulator.join(MAINTAINER, "factor_maintainer")
    for issuer, kind in ((OPERATOR, RULE_SET_RELEASE), (OPERATOR, POLICY_RELEASE), (OPERATOR, FACTOR_RELEASE)):
        simulator.state(issuer, kind, {"id": "x", "version": "1", "digest": DIGEST})
    release = {"id": "x", "version": "1", "digest": "6" * 64, "reviews": []}
    first = simulator.state(MAINTAINER, FACTOR_RELEASE, release)
    simulator.state(MAINTAINER, FACTOR_RELEASE, {**release, "digest": "7" * 64})
    simulator.state(MAINTAINER, WITHDRAWALS, {"target": simulator.cite(first), "reason": "a row was wrong"})
    return simulator


@pytest.mark.parametrize(
    ("kind", "statement"),
    [("rule_sets", RULE_SET_RELEASE), ("policies", POLICY_RELEASE), ("factor_releases", FACTOR_RELEASE)],
)
def test_a_publisher_s_signed_release_stands_for_the_digest(
    line: Line, released: Simulator, kind: Published, statement: Kind
) -> None:
    evidence = released.evidence()
    trust = line.file(1, publishers={kind: [OPERATOR]})
    found = trust.release_for(kind, DIGEST, evidence)
    assert found is not None
    assert (found.statement.vct, found.statement.issuer) == (statement.vct, OPERATOR)
    # Not for another digest, nor by somebody else, nor for another kind of file, nor without publishers.
    others: list[Callable[[], object]] = [
        lambda: trust.release_for(kind, "8" * 64, evidence),
        lambda: line.file(1, publishers={kind: [MAINTAINER]}).release_for(kind, DIGEST, evidence),
        lambda: line.file(1).release_for(kind, DIGEST, evidence),
        *(
            lambda other=other: line.file(1, publishers={other: [OPERATOR]}).release_for(kind, DIGEST, evidence)
            for other in ("rule_sets", "policies", "factor_releases")
            if other != kind
        ),
    ]
    assert [one() for one in others] == [None] * 5


def test_a_release_that_was_withdrawn_stands_for_nothing(line: Line, released: Simulator) -> None:
    trust, evidence = line.file(1, publishers={"factor_releases": [OPERATOR, MAINTAINER]}), released.evidence()
    assert trust.release_for("factor_releases", "6" * 64, evidence) is None
    assert trust.release_for("factor_releases", "7" * 64, evidence) is not None


def _members(trust: TrustFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(trust.document())
    return found


def _json(members: dict[str, Any]) -> bytes:
    return json.dumps(members).encode()

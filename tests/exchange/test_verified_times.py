"""Timestamps in an evidence file: which entries they bound, whose count, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from exchange.assembly import Demand
from exchange.kinds import ACTIVITY_DATA, ROLE_GRANT
from exchange.timing import Stamp
from exchange.trust import TrustFile
from exchange.verification import Verdict, stamp_files, timestamp_folder, verify_evidence
from ledger import consistency_proof, nodes_of, note_text
from tests.exchange.dossier import (
    EVERBATT,
    LITHIUM,
    SALT,
    Dossier,
    Members,
    one_row_release,
    refuse,
    salt_claims,
    small_dossier,
)
from tests.simulator import OPERATOR, START
from tests.tsa import TimestampAuthority


def stamp(made: Dossier, size: int, authority: TimestampAuthority) -> Stamp:
    """A timestamp of the log at `size`, with the proof that the whole log extends it."""
    hashes = made._hashes(None)
    text = note_text(made.checkpoint(size))
    return Stamp(
        text, consistency_proof(nodes_of(hashes), size, len(hashes)), authority.stamp(sha256(text.encode()).digest())
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority.create(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def made() -> Dossier:
    return small_dossier()


@pytest.fixture(scope="module")
def stamps(made: Dossier, authority: TimestampAuthority) -> list[Stamp]:
    return [stamp(made, size, authority) for size in (2, 4)]


def members(made: Dossier, stamps: list[Stamp]) -> Members:
    found = made.members([made.compute(Demand(SALT), EVERBATT)])
    for number, one in enumerate(stamps):
        found |= {f"{timestamp_folder(number)}/{name}": data for name, data in stamp_files(one).items()}
    return found


def trust(made: Dossier, *roots: bytes) -> TrustFile:
    pems = tuple(load_der_x509_certificate(root).public_bytes(Encoding.PEM).decode() for root in roots)
    return made.trust(time_authorities=pems)


def step(verdict: Verdict, name: str) -> str:
    return next(one.evidence for one in verdict.steps if one.name == name)


def test_entries_are_bounded_on_the_authority_s_word(
    made: Dossier, stamps: list[Stamp], authority: TimestampAuthority
) -> None:
    verdict = verify_evidence(made.written(members(made, stamps)), trust(made, authority.root))
    assert verdict.code == "verified", (verdict.text, verdict.where)
    said = (
        "by 2 timestamps (RFC 3161): 4 of 4 entries were logged by a time that is attested, 2 of them after another one"
    )
    assert step(verdict, "time") == said
    assert any("when entries were logged rests on 2 timestamps" in limit for limit in verdict.limits)
    assert not any("no independent timestamp" in limit for limit in verdict.limits)


def test_without_its_root_a_timestamp_counts_for_nothing(made: Dossier, stamps: list[Stamp], tmp_path: Any) -> None:
    data = made.written(members(made, stamps))
    other = TimestampAuthority.create(tmp_path)
    for anchors in (trust(made), trust(made, other.root)):
        verdict = verify_evidence(data, anchors)
        assert verdict.code == "verified"
        assert step(verdict, "time").startswith("no independent time")
        assert "the timestamp of size 2 counts for nothing" in step(verdict, "time")


def test_a_response_whose_signature_is_wrong_counts_for_nothing(
    made: Dossier, stamps: list[Stamp], authority: TimestampAuthority
) -> None:
    """Harmless: nothing rests on it any more. Whether its bytes were changed, or an authority is another, nobody can tell."""
    found = members(made, stamps)
    found["timestamps/000000/timestamp"] = stamps[0].response[:-1] + bytes([stamps[0].response[-1] ^ 1])
    verdict = verify_evidence(made.written(found), trust(made, authority.root))
    assert verdict.code == "verified"
    assert "the timestamp of size 2 counts for nothing" in step(verdict, "time")
    assert "by 1 timestamps (RFC 3161)" in step(verdict, "time")


TAMPERED: dict[str, tuple[Callable[[Members], object], str]] = {
    "a response for another text": (
        lambda m: m.update({"timestamps/000000/timestamp": m["timestamps/000001/timestamp"]}),
        "timestamps/000000",
    ),
    "another root in the text": (
        lambda m: m.update({"timestamps/000000/text": m["timestamps/000001/text"].replace(b"\n4\n", b"\n2\n")}),
        "timestamps/000000",
    ),
    "a larger size in the text": (
        lambda m: m.update({"timestamps/000000/text": m["timestamps/000000/text"].replace(b"\n2\n", b"\n9\n")}),
        "timestamps/000000",
    ),
    "another log in the text": (
        lambda m: m.update({"timestamps/000000/text": b"x" + m["timestamps/000000/text"]}),
        "timestamps/000000",
    ),
    "a hash of the consistency proof": (
        lambda m: m.update({"timestamps/000000/consistency": b"A" * 43 + b"=\n"}),
        "timestamps/000000",
    ),
    "no base64 in the consistency proof": (
        lambda m: m.update({"timestamps/000000/consistency": b"kg CO2e\n"}),
        "timestamps/000000",
    ),
    "a consistency proof without its last line feed": (
        lambda m: m.update({"timestamps/000000/consistency": m["timestamps/000000/consistency"][:-1]}),
        "timestamps/000000",
    ),
    "a timestamp without its text": (lambda m: m.pop("timestamps/000000/text"), "timestamps/000000/text"),
    "a file beside a timestamp": (lambda m: m.update({"timestamps/000000/note": b""}), "timestamps/000000/note"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_changed_timestamp_is_refused_at_its_place(
    case: str, made: Dossier, stamps: list[Stamp], authority: TimestampAuthority
) -> None:
    change, where = TAMPERED[case]
    found = members(made, stamps)
    change(found)
    refuse(made.written(found), trust(made, authority.root), where)


def with_role(**days: str) -> Dossier:
    """A supplier's role on some days alone, and its statement, as it says, of the day on which the log begins."""
    made = Dossier(release=one_row_release())
    made.simulator._enrol(LITHIUM)
    made.simulator.state(OPERATOR, ROLE_GRANT, {"organisation": LITHIUM, "roles": ["supplier"], **days})
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims())
    return made


def test_a_role_counts_when_the_entry_was_logged_and_not_when_it_says_so(authority: TimestampAuthority) -> None:
    until = f"{START:%Y-%m-%d}"
    made = with_role(until=until)
    late = made.written(members(made, [stamp(made, size, authority) for size in (3, 4)]))
    what = f"logged after the role of {LITHIUM} had ended on {until}"
    refuse(late, trust(made, authority.root), "entries/000000000003: token", what)
    # Where nobody attests that it was logged later, the role may have counted; that it did is the signer's claim.
    verdict = verify_evidence(made.written(members(made, [])), made.trust())
    assert verdict.code == "verified"
    claim = f"the role of {LITHIUM} ended on {until}: that entries 3 were logged by then is its own claim"
    assert claim in verdict.limits
    assert claim not in verify_evidence(made.written(members(made, [])), made.trust(), at=START).limits
    # A role of longer, and one that begins with the statement, count.
    for days in ({"until": "2200-01-01"}, {"since": until}):
        good = with_role(**days)
        data = good.written(members(good, [stamp(good, size, authority) for size in (3, 4)]))
        verdict = verify_evidence(data, trust(good, authority.root))
        assert verdict.code == "verified", (verdict.text, verdict.where)
        assert not any("the role of" in limit for limit in verdict.limits)


def test_a_statement_that_claims_to_be_much_older_than_its_entry_is_remarked_on(
    made: Dossier, authority: TimestampAuthority
) -> None:
    data = made.written(members(made, [stamp(made, size, authority) for size in (3, 4)]))
    limits = verify_evidence(data, trust(made, authority.root)).limits
    (said,) = [limit for limit in limits if "issued, as it says" in limit]
    assert said.startswith(f"entry 3: issued, as it says, on {START:%Y-%m-%d}, and logged on 20")

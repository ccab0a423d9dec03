"""A trust file that asks for a recent status snapshot: what is older, or lacks one, is not decidable, and says what is missing."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

import pytest

from exchange.assembly import Demand
from exchange.kinds import STATUS_SNAPSHOT
from exchange.verification import Verdict, verify_evidence
from ledger import WitnessPolicy, WitnessSigner
from tests.exchange.dossier import EVERBATT, SALT, Dossier, small_dossier
from tests.simulator import OPERATOR

DAYS = 7
WITNESS = WitnessSigner("north.example/w", b"n" * 32)
POLICY = f"witness north {WITNESS.witness_key}\nquorum north\n"


@pytest.fixture(scope="module")
def made() -> Dossier:
    """A log whose last entry is a status snapshot."""
    found = small_dossier()
    nothing: dict[str, object] = {name: [] for name in ("revoked", "retracted", "erased")}
    said = {"size": 4, "chain": "00" * 32, "retirements": sha256(b"").hexdigest(), **nothing}
    found.simulator.state(OPERATOR, STATUS_SNAPSHOT, said)
    return found


@pytest.fixture(scope="module")
def signed(made: Dossier) -> datetime:
    return made.simulator.now


def written(made: Dossier, *, seen: datetime | None = None, with_snapshot: bool = True) -> bytes:
    """The evidence file, its checkpoint cosigned by a witness that saw it then."""
    members = made.members([made.compute(Demand(SALT), EVERBATT)], range(5 if with_snapshot else 4))
    if seen is not None:
        line = WITNESS.sign(made.checkpoint().partition("\n\n")[0] + "\n", int(seen.timestamp()))
        members = {name: data + line.encode() if name.endswith("/proof") else data for name, data in members.items()}
    return made.written(members)


def verified(made: Dossier, at: datetime | None, *, days: int = DAYS, seen: datetime | None = None) -> Verdict:
    policy = None if seen is None else WitnessPolicy.parse(POLICY.encode())
    return verify_evidence(written(made, seen=seen), made.trust(max_snapshot_days=days), policy=policy, at=at)


def check_missing(verdict: Verdict, *said: str) -> None:
    assert (verdict.code, verdict.exit_code, verdict.where) == ("not_decidable", 3, "status snapshot"), verdict.text
    assert verdict.failed == "6. rights"
    assert "ask for the file again" in str(verdict.remedy)
    for text in (*said, f"the trust file asks for one that is at most {DAYS} days older than the checkpoint"):
        assert text in verdict.text


def test_without_a_greatest_age_any_will_do_and_the_limits_say_so(made: Dossier, signed: datetime) -> None:
    for data in (written(made), written(made, with_snapshot=False)):
        verdict = verify_evidence(data, made.trust(), at=signed + timedelta(days=3000))
        assert verdict.code == "verified"
        assert verdict.limits[0].endswith("; the trust file sets no greatest age of a status snapshot")


def test_up_to_its_greatest_age_a_snapshot_counts(made: Dossier, signed: datetime) -> None:
    verdict = verified(made, signed + timedelta(days=DAYS))
    assert verdict.code == "verified"
    assert verdict.limits[0].endswith(f"at most {DAYS} days older than the checkpoint, and it is")
    late = verified(made, signed + timedelta(days=DAYS, seconds=1))
    check_missing(
        late,
        f"not decidable: a newer status snapshot is missing: the newest is of {signed:%Y-%m-%dT%H:%M:%SZ}, 7 days before now",
        "no timestamp or witness says that the checkpoint is from before",
    )


def test_without_a_snapshot_nothing_is_decided(made: Dossier, signed: datetime) -> None:
    data = written(made, with_snapshot=False)
    check_missing(verify_evidence(data, made.trust(max_snapshot_days=DAYS), at=signed), "a status snapshot is missing")


def test_where_a_witness_saw_the_checkpoint_its_time_counts(made: Dossier, signed: datetime) -> None:
    """So a file that was good then is good for who checks it years later."""
    years = signed + timedelta(days=3000)
    assert verified(made, years, seen=signed + timedelta(days=DAYS)).code == "verified"
    seen = signed + timedelta(days=DAYS + 1)
    check_missing(
        verified(made, years, seen=seen), f"8 days before the checkpoint was seen at {seen:%Y-%m-%dT%H:%M:%SZ}"
    )


def test_a_witness_that_no_policy_names_bounds_nothing(made: Dossier, signed: datetime) -> None:
    data = written(made, seen=signed)
    verdict = verify_evidence(data, made.trust(max_snapshot_days=DAYS), at=signed + timedelta(days=30))
    check_missing(verdict, "30 days before now")


def test_a_snapshot_from_the_future_is_not_taken_for_a_new_one(made: Dossier, signed: datetime) -> None:
    assert verified(made, signed - timedelta(minutes=5)).code == "verified"
    check_missing(verified(made, signed - timedelta(minutes=6)), "a status snapshot whose time can be is missing")


def test_without_any_time_nothing_is_decided(made: Dossier) -> None:
    check_missing(verified(made, None), "the time is missing")

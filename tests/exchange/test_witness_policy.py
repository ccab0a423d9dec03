"""Evidence under a witness policy: its checkpoint has the cosignatures that the verifier requires, or nothing is verified."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from exchange.assembly import Demand
from exchange.cli.verify import Check, run
from exchange.errors import EvidenceError
from exchange.trust import TrustFile
from exchange.verification import verify_evidence
from ledger import LogKey, WitnessPolicy, WitnessSigner
from tests.exchange.dossier import EVERBATT, LITHIUM, Dossier

NAMES = ("north", "south", "east")
WITNESSES = {name: WitnessSigner(f"{name}.example/w", name.encode().ljust(32)) for name in NAMES}
LINES = "".join(f"witness {name} {witness.witness_key}\n" for name, witness in WITNESSES.items())
TWO = WitnessPolicy.parse(f"{LINES}group two 2 north south east\nquorum two\n".encode())
ALL = WitnessPolicy.parse(f"{LINES}group everybody all north south east\nquorum everybody\n".encode())
OTHER_LOG = LogKey("other.example", bytes(32))
AT = 1_800_000_000


def cosigned(small: Dossier, lines: Iterable[str], *, but: str = "") -> bytes:
    """The small evidence file with further lines under every checkpoint, but for that of one entry."""
    members = dict(small.members([small.compute(Demand(f"{LITHIUM}/salt"), EVERBATT)]))
    for name in members:
        if name.endswith("/proof") and name != but:
            members[name] += "".join(lines).encode()
    return small.written(members)


def lines_by(small: Dossier, *names: str, text: str | None = None) -> list[str]:
    text = text or small.checkpoint().partition("\n\n")[0] + "\n"
    return [WITNESSES[name].sign(text, AT) for name in names]


def with_log(small: Dossier, policy: WitnessPolicy) -> str:
    return policy.for_log(small.log_signer.log_key).document().decode()


def test_a_cosigned_checkpoint_satisfies_the_policy_and_the_verdict_says_who_and_when(small: Dossier) -> None:
    verdict = verify_evidence(cosigned(small, lines_by(small, "north", "east")), small.trust(), policy=TWO)
    assert verdict.code == "verified"
    assert verdict.witnesses == (
        "witnessed by north (north.example/w) at 2027-01-15T08:00:00Z",
        "witnessed by east (east.example/w) at 2027-01-15T08:00:00Z",
    )
    assert "quorum two: witnessed by north" in verdict.steps[2].evidence
    assert any("rests on the word of the witnesses: east, north" in limit for limit in verdict.limits)


def test_without_a_policy_cosignatures_change_nothing(small: Dossier, small_file: bytes) -> None:
    verdict = verify_evidence(cosigned(small, lines_by(small, *NAMES)), small.trust())
    plain = verify_evidence(small_file, small.trust())
    assert (verdict.code, verdict.limits, verdict.witnesses) == (plain.code, plain.limits, ())
    assert any("no witness was required" in limit for limit in verdict.limits)


@pytest.mark.parametrize("names", [(), ("south",)], ids=["by_nobody", "by_one_of_two"])
def test_too_few_cosignatures_are_not_decidable(small: Dossier, names: tuple[str, ...]) -> None:
    verdict = verify_evidence(cosigned(small, lines_by(small, *names)), small.trust(), policy=TWO)
    assert (verdict.code, verdict.exit_code, verdict.where) == ("not_decidable", 3, "witness policy")
    assert "lacks the quorum two" in verdict.text
    assert ("by south" if names else "by nobody") in verdict.text


def test_each_copy_of_the_checkpoint_has_to_be_cosigned(small: Dossier) -> None:
    data = cosigned(small, lines_by(small, *NAMES), but="entries/000000000002/proof")
    assert verify_evidence(data, small.trust(), policy=TWO).code == "not_decidable"


def test_a_forged_cosignature_is_rejected_by_whoever_knows_its_key(small: Dossier) -> None:
    good = lines_by(small, "north", "south")
    forged = lines_by(small, "east", text=small.checkpoint(3).partition("\n\n")[0] + "\n")
    data = cosigned(small, good + forged)
    assert verify_evidence(data, small.trust()).code == "verified"
    verdict = verify_evidence(data, small.trust(), policy=TWO)
    assert (verdict.code, verdict.where) == ("rejected", "signed note")


def test_the_operator_s_own_witness_does_not_make_the_quorum(small: Dossier) -> None:
    own = WitnessSigner(f"{small.log_signer.name}/witness", b"o" * 32)
    policy = WitnessPolicy.parse(f"{LINES}witness own {own.witness_key}\ngroup g 2 north own\nquorum g\n".encode())
    text = small.checkpoint().partition("\n\n")[0] + "\n"
    data = cosigned(small, [*lines_by(small, "north"), own.sign(text, AT)])
    verdict = verify_evidence(data, small.trust(), policy=policy)
    assert verdict.code == "not_decidable"
    assert "self-witnessed by own" in verdict.text


def test_the_trust_file_s_policy_and_the_given_one_are_both_required(small: Dossier) -> None:
    trust = small.trust(witness_policy=with_log(small, ALL))
    two, three = cosigned(small, lines_by(small, "north", "east")), cosigned(small, lines_by(small, *NAMES))
    assert verify_evidence(two, small.trust(), policy=TWO).code == "verified"
    assert verify_evidence(two, trust, policy=TWO).code == "not_decidable"
    assert verify_evidence(two, trust).code == "not_decidable"
    assert verify_evidence(three, trust, policy=TWO).code == "verified"


def test_a_policy_in_the_trust_file_is_part_of_its_fingerprint(small: Dossier) -> None:
    plain, strict = small.trust(), small.trust(witness_policy=with_log(small, TWO))
    assert b"witness_policy" not in plain.document()
    assert plain.fingerprint != strict.fingerprint
    assert TrustFile.read(strict.document()) == strict
    assert TrustFile.read(strict.document()).policy == TWO.for_log(small.log_signer.log_key)


def test_a_policy_that_no_checkpoint_can_satisfy_spoils_the_trust_file(small: Dossier) -> None:
    own = WitnessSigner(f"{small.log_signer.name}/witness", b"o" * 32)
    for text in (
        "quorum nobody\n",
        f"log {small.log_signer.log_key}\nwitness w {own.witness_key}\nquorum w\n",
        f"log {OTHER_LOG}\nquorum none\n",
    ):
        with pytest.raises(EvidenceError):
            TrustFile.read(small.trust(witness_policy=text).document())


def test_a_policy_of_another_log_rejects_evidence_on_first_use(small: Dossier) -> None:
    own, foreign = (f"log {key}\n{LINES}quorum north\n".encode() for key in (small.log_signer.log_key, OTHER_LOG))
    data = cosigned(small, lines_by(small, "north"))
    assert verify_evidence(data, None, policy=WitnessPolicy.parse(own)).code == "trust_on_first_use"
    assert verify_evidence(data, None, policy=WitnessPolicy.parse(foreign)).code == "rejected"


def test_the_command_takes_a_policy(small: Dossier, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evidence, trust, policy = tmp_path / "evidence", tmp_path / "trust", tmp_path / "policy"
    evidence.write_bytes(cosigned(small, lines_by(small, "north", "south")))
    trust.write_bytes(small.trust().document())
    policy.write_text(with_log(small, TWO))
    assert run(Check(evidence, trust, policy), as_json=False) == 0
    assert "witnessed by south (south.example/w)" in capsys.readouterr().out
    policy.write_text(with_log(small, ALL))
    assert run(Check(evidence, trust, policy), as_json=True) == 3
    assert '"witnesses": []' in capsys.readouterr().out
    for text in (
        "quorum nobody\n",
        with_log(small, TWO).replace("log ", "# ").replace("# ", f"log {OTHER_LOG}\n# ", 1),
    ):
        policy.write_text(text)
        assert run(Check(evidence, trust, policy), as_json=False) == 2
        assert str(policy) in capsys.readouterr().err
    assert run(Check(evidence, trust, tmp_path / "nothing"), as_json=False) == 2

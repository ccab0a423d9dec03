"""Offline verification: a good file passes each step, no byte is free, and the trust file alone is the anchor."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given, settings
from hypothesis import strategies as st

from bom_graph import load_rule_set
from exchange.assembly import ENGINE, Demand
from exchange.cli.verify import Check, run
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT, load_policy
from exchange.report import document_bytes
from exchange.trust import TrustFile
from exchange.verification import verify_evidence
from ledger import NoteSigner
from tests.evidence import read_evidence
from tests.exchange.dossier import (
    EVERBATT,
    LFP,
    LITHIUM,
    METALS,
    READER,
    SALT,
    Dossier,
    EverBatt,
    other_authority,
    refuse,
    salt_claims,
    small_dossier,
    with_results,
)
from tests.simulator import OPERATOR, ORIGIN

STEPS = ["file", "anchors", "ledger", "time", "statements", "rights", "rules", "results", "graph", "gates", "report"]

# -- good files ------------------------------------------------------------------------------------------------------


def test_a_good_file_passes_every_step(everbatt: EverBatt, good_file: bytes, trust: TrustFile) -> None:
    told: list[tuple[int, str]] = []
    verdict = verify_evidence(good_file, trust, lambda number, name: told.append((number, name)))
    assert verdict.code == "verified_except_sealed"
    assert verdict.exit_code == 0
    assert [step.number for step in verdict.steps] == list(range(1, 12))
    assert [step.name for step in verdict.steps] == STEPS
    assert [name for _, name in told] == STEPS
    assert (verdict.where, verdict.remedy) == (None, None)
    found = sorted(verdict.results.values(), key=document_bytes)
    assert found == sorted(everbatt.results.values(), key=document_bytes)


def test_the_steps_name_their_evidence(everbatt: EverBatt, good_file: bytes, trust: TrustFile) -> None:
    steps = {step.name: step.evidence for step in verify_evidence(good_file, trust).steps}
    size = len(everbatt.dossier.simulator.issued)
    assert READER in steps["file"]
    assert trust.fingerprint.startswith(steps["anchors"].partition("trust file ")[2].partition(",")[0])
    assert f"checkpoint of size {size}" in steps["ledger"]
    assert steps["time"].startswith("no independent time")
    assert steps["statements"].endswith(f"by policy {load_policy().digest}")
    assert f"the operator by entry 0 is {OPERATOR}" in steps["rights"]
    assert f"{LFP} (supplier; entry " in steps["rights"]
    assert steps["rules"].startswith("3 rule sets, 2 factor releases")
    assert steps["results"].startswith("9 results computed again")
    assert steps["results"].endswith("; 9 to the last byte")
    gaps = sum(len(found["gaps"]) for found in everbatt.results.values())
    assert f"{gaps} gaps, named, and 3 sealed branches" in steps["graph"]
    hard = sum(finding["level"] == "hard" for found in everbatt.results.values() for finding in found["findings"])
    assert hard
    assert f": {hard} hard" in steps["gates"]
    assert steps["report"].startswith("9 results")


def test_what_is_sealed_is_said_in_per_cent(everbatt: EverBatt, good_file: bytes, trust: TrustFile) -> None:
    """LFP's cathode over the pack's total, as the engine has it before anything was signed."""
    verdict = verify_evidence(good_file, trust)
    pack = everbatt.results["LFP recipe", EVERBATT]
    kg = sum(float(part["kg_co2e"]) for part in pack["contributions"] if part["signer"] == LFP)
    percent = 100 * kg / float(pack["total"]["value"])
    assert 30 < percent < 40
    assert f"up to {percent:.1f} % of a total" in verdict.text
    assert {branch["signer"] for found in verdict.results.values() for branch in found["sealed"]} == {LFP}


def test_nothing_sealed_is_verified(small_file: bytes, small_trust: TrustFile) -> None:
    verdict = verify_evidence(small_file, small_trust)
    assert (verdict.code, verdict.text, verdict.exit_code) == ("verified", "verified", 0)
    assert next(iter(verdict.results.values()))["complete"] is True


#: Stages by which a supplier may hope to pass unseen -> which share of absolute emissions they are, beside 8.98 kg of copper.
ODD_STAGES = {
    "zero": (("0",), "0.0"),
    "none": ((), "0.0"),
    "a credit": (("-8.98020148324984",), "50.0"),
    "a credit that cancels": (("100", "-100"), "95.7"),
    "almost all": (("1E+60",), "100.0"),
}


def odd_dossier(stages: Sequence[str]) -> Dossier:
    """A log in which METALS signs a footprint of these stages, and LITHIUM makes a kilogram of something of it and copper."""
    made = small_dossier()
    rules = load_rule_set(EVERBATT)
    claims = {
        "sub": f"{METALS}/tin",
        "rule_set": {"id": rules.id, "version": rules.version, "digest": rules.digest},
        "declared_unit": {"amount": "1", "unit": "kg", "obtained": "modelled"},
        "total": str(sum(map(Decimal, stages), Decimal(0))),
        "stages": [
            {"stage": stage, "kg_co2e": kg}
            for stage, kg in zip(("material_acquisition", "manufacturing"), stages, strict=False)
        ],
        "complete": True,
        "obtained": "measured",
        "primary_data_share": "100",
    }
    made.simulator.join(METALS, "supplier")
    made.simulator.state(METALS, PRODUCT_FOOTPRINT, claims)
    used = {"amount": "1", "unit": "kg", "obtained": "measured", "name": "tin", "product": f"{METALS}/tin"}
    copper = salt_claims()["inputs"][0]
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(f"{LITHIUM}/mix", inputs=[used, copper]))
    return made


@pytest.mark.parametrize("case", ODD_STAGES)
def test_a_sealed_branch_is_said_whatever_it_weighs(case: str) -> None:
    """A supplier that signs nothing, a credit or anything else isn't verified by that, and nothing cancels its share."""
    stages, percent = ODD_STAGES[case]
    made = odd_dossier(stages)
    data = made.file([made.compute(Demand(f"{LITHIUM}/mix"), EVERBATT)])
    verdict = verify_evidence(data, made.trust())
    assert verdict.code == "verified_except_sealed"
    assert f"up to {percent} % of a total" in verdict.text
    report = read_evidence(data)[1]["report.txt"].decode()
    (line,) = [line for line in report.splitlines() if line.startswith(f"  sealed: {METALS}/tin by {METALS}")]
    assert f"{percent} % of absolute emissions, unverified; declares 100 % primary data, which isn't counted" in line


@pytest.mark.parametrize("case", ["zero", "a credit that cancels"])
def test_the_command_lists_sealed_branches_whatever_they_weigh(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages, percent = ODD_STAGES[case]
    made = odd_dossier(stages)
    evidence, trust = tmp_path / "evidence", tmp_path / "trust"
    evidence.write_bytes(made.file([made.compute(Demand(f"{LITHIUM}/mix"), EVERBATT)]))
    trust.write_bytes(made.trust().document())
    assert run(Check(evidence, trust), as_json=False) == 0
    out = capsys.readouterr().out
    assert f"sealed {percent} %)" in out
    assert f"\n      sealed: {METALS}/tin by {METALS}, " in out


def test_results_stand_in_the_order_of_models_and_rule_sets(
    everbatt: EverBatt, good_file: bytes, trust: TrustFile
) -> None:
    order = [(found["model"], found["rule_set"]["id"]) for found in verify_evidence(good_file, trust).results.values()]
    assert order == sorted((model, rule_set) for model, rule_set in everbatt.results)
    report = read_evidence(good_file)[1]["report.txt"].decode()
    heads = [block.split(" under ", 1) for block in report.split("\n\n")]
    assert [(model, rest.split()[0]) for model, rest in heads] == order


def test_without_a_trust_file_nothing_is_verified(good_file: bytes, trust: TrustFile) -> None:
    verdict = verify_evidence(good_file, None)
    assert (verdict.code, verdict.exit_code) == ("trust_on_first_use", 3)
    assert trust.fingerprint in verdict.text
    assert "UNCHECKED" in verdict.steps[1].evidence
    assert len(verdict.results) == 9


def test_the_limits_say_what_no_file_can_show(everbatt: EverBatt, good_file: bytes, trust: TrustFile) -> None:
    limits = verify_evidence(good_file, trust).limits
    size = len(everbatt.dossier.simulator.issued)
    assert any(f"none known at size {size}, on the operator's word, recomputed by nobody" in text for text in limits)
    for left_out in ("revocations", "changes of roles", "corrections", "withdrawals", "newer statements"):
        assert left_out in limits[0]
    for text in (
        "nobody signed this file as a whole",
        "no witness",
        "no independent timestamp",
        "not the same as measured",
    ):
        assert any(text in limit for limit in limits), text
    assert any("9 of 9 results are partial" in limit for limit in limits)
    assert limits[-1] == "3 of 3 sealed branches have no opinion that counts"


def test_a_growing_log_leaves_old_results_verifiable(small: Dossier) -> None:
    made = small_dossier()
    old = made.compute(Demand(SALT), EVERBATT)
    made.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(copper="3"))
    new = made.compute(Demand(SALT), EVERBATT)
    verdict = verify_evidence(made.file([old, new]), made.trust())
    assert verdict.code == "verified"
    assert {found["snapshot"]["size"] for found in verdict.results.values()} == {4, 5}


def test_a_reader_who_holds_more_replays_with_what_the_result_names(everbatt: EverBatt, trust: TrustFile) -> None:
    """The sealed recipe was granted later: the old result stands as it was, a new one may stand beside it."""
    dossier, product = everbatt.dossier, everbatt.packs["LFP recipe"]
    granted = replace(dossier, sealed={})
    sealed = everbatt.results["LFP recipe", EVERBATT]
    opened = granted.compute(Demand(product), EVERBATT)
    assert opened["sealed"] == []
    verdict = verify_evidence(granted.file([sealed, opened]), trust)
    assert verdict.code == "verified_except_sealed"
    refuse(dossier.file([sealed, opened]), trust, "results/", "not in the file")


def test_another_engine_is_not_decidable(small: Dossier, small_trust: TrustFile) -> None:
    found = small.compute(Demand(SALT), EVERBATT)
    data = small.written(with_results(small.members([found]), [{**found, "engine": f"{ENGINE}-other"}]))
    verdict = verify_evidence(data, small_trust)
    assert (verdict.code, verdict.exit_code) == ("not_decidable", 3)
    assert f"{ENGINE}-other" in verdict.text
    assert "results/" in str(verdict.where)


def test_figures_agree_within_the_tolerance_and_are_printed_as_stated(small: Dossier, small_trust: TrustFile) -> None:
    """Another machine's last digit is no lie; the report is the text of the figures as stated."""
    found = small.compute(Demand(SALT), EVERBATT)
    for factor, code in ((1 + 5e-10, "verified"), (1 + 5e-9, "rejected")):
        other = copy.deepcopy(found)
        other["total"]["value"] = f"{float(found['total']['value']) * factor:.11f}"
        data = small.written(with_results(small.members([found]), [other]))
        assert verify_evidence(data, small_trust).code == code


# -- one byte --------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_every_byte_of_a_small_file_counts(small_file: bytes, small_trust: TrustFile) -> None:
    changed = bytearray(small_file)
    for place in range(len(small_file)):
        changed[place] ^= 1 << place % 8
        verdict = verify_evidence(bytes(changed), small_trust)
        assert (verdict.code, bool(verdict.where)) == ("rejected", True), place
        changed[place] = small_file[place]


@settings(deadline=None)
@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_is_rejected(good_file: bytes, trust: TrustFile, place: int, mask: int) -> None:
    changed = bytearray(good_file)
    changed[place % len(changed)] ^= mask
    verdict = verify_evidence(bytes(changed), trust)
    assert verdict.code == "rejected"
    assert verdict.where


# -- anchors ---------------------------------------------------------------------------------------------------------


def pem(der: bytes) -> str:
    return load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()


OTHER_ANCHORS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "log key": (lambda: {"log_key": str(NoteSigner(ORIGIN, bytes(32)).log_key)}, "entries/000000000000: signed note"),
    "another log": (
        lambda: {"origin": "other.example", "log_key": str(NoteSigner("other.example", bytes(range(32))).log_key)},
        "entries/000000000000: signed note",
    ),
    "authority": (lambda: {"authorities": (pem(other_authority().certificate),)}, "entries/000000000000: certificate"),
    "rule sets": (lambda: {"rule_sets": frozenset({"0" * 64})}, "rules/"),
    "factor releases": (lambda: {"factor_releases": frozenset()}, "factors/authorities-2026.json"),
    "policies": (lambda: {"policies": frozenset()}, "policy.json"),
}


@pytest.mark.parametrize("case", OTHER_ANCHORS)
def test_the_trust_file_decides(everbatt: EverBatt, good_file: bytes, case: str) -> None:
    changes, where = OTHER_ANCHORS[case]
    refuse(good_file, everbatt.dossier.trust(**changes()), where)


def test_a_forger_s_own_world_is_never_verified(small: Dossier, small_trust: TrustFile) -> None:
    """Own log, own CA, own statements under the real names, and a trust suggestion that vouches for them."""
    forged = small_dossier(copper="0.001")
    forged.log_signer = NoteSigner(ORIGIN, bytes(32))
    data = forged.file([forged.compute(Demand(SALT), EVERBATT)])
    refuse(data, small_trust, "entries/000000000000: signed note", "no trusted key")
    first_use = verify_evidence(data, None)
    assert first_use.code == "trust_on_first_use"
    assert forged.trust().fingerprint in first_use.text
    assert small_trust.fingerprint not in first_use.text

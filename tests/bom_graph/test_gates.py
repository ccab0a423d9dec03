"""Element balance: what a product holds has to come in."""

from typing import Any

import pytest

from bom_graph import (
    ActivityData,
    BatteryModel,
    element_balance,
    load_release,
    load_rule_set,
    out_of_scope,
    sealed_total,
)
from bom_graph.rules import Limits

REFUSING = Limits(soft=0.02, hard=0.1, hard_effect="refuse")
RANGE = Limits(soft=3, hard=10, hard_effect="refuse")
REPORTING = Limits(soft=0.02, hard=0.1, hard_effect="report")


def cathode(formula: str, salts: dict[str, str], *, unit: str = "kg", made: str = "1") -> dict[str, Any]:
    """A cathode plant's claims: `salts` maps formulas to kilograms."""
    product = "https://maker.example/cathode"
    line = {"unit": "kg", "obtained": "modelled"}
    return {
        "sub": product,
        "process_class": "material_production",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [{**line, "unit": unit, "product": product, "amount": made, "composition": {"formula": formula}}],
        "inputs": [
            {**line, "name": salt, "flow": "x", "amount": amount, "composition": {"formula": salt}}
            for salt, amount in salts.items()
        ],
    }


# The EverBatt recipes, kg per kg of cathode.
NMC622 = cathode(
    "LiNi0.6Mn0.2Co0.2O2",
    {"Li2CO3": "0.381159", "NiSO4": "0.957928", "CoSO4": "0.319804", "MnSO4": "0.311571", "NaOH": "0.844384"},
)
LFP = cathode("LiFePO4", {"LiOH": "0.268376", "H3PO4": "0.366059"})


def test_the_nmc622_recipe_closes_within_a_hundredth_of_a_per_cent() -> None:
    tight = Limits(soft=1e-4, hard=0.1, hard_effect="refuse")
    assert element_balance(ActivityData.draft(NMC622), tight, where="here") == []


@pytest.mark.parametrize(("gate", "refuses"), [(REFUSING, True), (REPORTING, False)])
def test_the_lfp_recipe_does_not_balance(gate: Limits, refuses: bool) -> None:
    (finding,) = element_balance(ActivityData.draft(LFP), gate, where="entry 7")
    assert "Li 176.8%, P 58.9%, Fe 0.0%" in finding.what
    assert (finding.level, finding.refuses, finding.where) == ("hard", refuses, "entry 7")


@pytest.mark.parametrize(
    ("nickel", "level"), [("0.950", None), ("0.935", "soft"), ("0.985", "soft"), ("0.85", "hard"), ("1.06", "hard")]
)
def test_the_limits_are_two_and_ten_per_cent(nickel: str, level: str | None) -> None:
    inputs = [{**line, "amount": nickel} if line["name"] == "NiSO4" else line for line in NMC622["inputs"]]
    found = element_balance(ActivityData.draft({**NMC622, "inputs": inputs}), REFUSING, where="here")
    assert [finding.level for finding in found] == ([level] if level else [])
    assert all("Ni" in finding.what and "Co" not in finding.what for finding in found)
    assert all(finding.refuses is (level == "hard") for finding in found)


def test_other_units_of_mass_count_in_kilograms() -> None:
    in_tonnes = {**NMC622, "outputs": [{**NMC622["outputs"][0], "amount": "0.001", "unit": "t"}]}
    assert element_balance(ActivityData.draft(in_tonnes), REFUSING, where="here") == []


def test_a_hydrate_stated_as_anhydrous_mass_is_found() -> None:
    hydrate = [
        {**line, "composition": {"formula": "NiSO4.6H2O"}} if line["name"] == "NiSO4" else line
        for line in NMC622["inputs"]
    ]
    (finding,) = element_balance(ActivityData.draft({**NMC622, "inputs": hydrate}), REFUSING, where="here")
    assert "Ni 58.9%" in finding.what


def test_nothing_is_found_where_nothing_can_be_said() -> None:
    unstated = {**LFP, "outputs": [{k: v for k, v in LFP["outputs"][0].items() if k != "composition"}]}
    by_piece = cathode("LiFePO4", {"LiOH": "0.268376"}, unit="piece")
    for claims in (unstated, by_piece):
        assert element_balance(ActivityData.draft(claims), REFUSING, where="here") == []
    sealed = ActivityData.read({"sub": LFP["sub"]}, None)
    assert element_balance(sealed, REFUSING, where="here") == []


# -- sealed totals ---------------------------------------------------------------------------------------------------

COPPER = [row for row in load_release("everbatt-2023").rows if row.flow == "copper"]
GAS = [row for row in load_release("everbatt-2023").rows if row.flow == "natural-gas-boiler"]


@pytest.mark.parametrize(
    ("kg", "found"),
    [
        *[("0", "hard"), ("-1E-9", "hard"), ("0.44", "hard"), ("0.45", "soft"), ("1.49", "soft"), ("1.5", None)],
        *[("4.49", None), ("13.4", None), ("13.5", "soft"), ("44.8", "soft"), ("45", "hard")],
    ],
)
def test_a_sealed_total_is_odd_beyond_the_gate_s_multiples_of_its_background(kg: str, found: str | None) -> None:
    """Copper has 4.49 kg CO2e/kg."""
    findings = sealed_total(float(kg), "kg", COPPER, RANGE, where="here")
    assert [(one.gate, one.level, one.where, one.refuses) for one in findings] == (
        [("sealed_total", found, "here", False)] if found else []
    )


def test_a_sealed_total_is_compared_in_its_own_unit() -> None:
    """0.0696 kg CO2e/MJ of boiler gas are 0.25 kg CO2e/kWh."""
    assert sealed_total(0.25, "kWh", GAS, RANGE, where="here") == []
    assert "has 0.2504" in sealed_total(0.04, "kWh", GAS, RANGE, where="here")[0].what


def test_a_sealed_total_that_nothing_compares_with_is_only_odd_at_or_below_zero() -> None:
    for background in ([], COPPER):
        assert sealed_total(1e12, "piece", background, RANGE, where="here") == []
        assert [one.level for one in sealed_total(0.0, "piece", background, RANGE, where="here")] == ["soft"]


@pytest.mark.parametrize(
    ("rule_set", "energy", "unit", "noted"),
    [
        ("cn-miit-551-trial", "2.0", "kWh", True),
        ("cn-miit-551-trial", "2.001", "kWh", False),
        ("cn-miit-551-trial", "2000", "Wh", True),
        ("eu-cfb-draft-2024-partial", "2.0", "kWh", False),
    ],
)
def test_a_small_pack_is_out_of_scope_and_said_so(rule_set: str, energy: str, unit: str, *, noted: bool) -> None:
    """reference/worked-examples N: above 2 kWh."""
    claims = {
        "sub": "https://packs.example/scooter",
        "model": "scooter",
        "plant": {"name": "plant", "country": "CN"},
        "chemistry": "LFP",
        "rated_energy": {"amount": energy, "unit": unit, "obtained": "measured"},
    }
    found = out_of_scope(BatteryModel.draft(claims), load_rule_set(rule_set), where="here")
    assert [(one.gate, one.level, one.refuses) for one in found] == [("scope", "note", False)] * noted

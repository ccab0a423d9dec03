"""Gates of a pack: energy that contradicts itself, and figures that nobody has seen."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bom_graph import BatteryModel, RuleSet, content_finding, energy_findings, load_rule_set

CHINA = load_rule_set("cn-miit-551-trial")
EUROPE = load_rule_set("eu-cfb-draft-2024-partial")
EVERBATT = load_rule_set("everbatt-2023-cradle-to-gate")
Claims = dict[str, Any]


def discharged(mwh: str, obtained: str = "measured") -> Claims:
    return {"cumulative_discharge_energy": {"amount": mwh, "unit": "MWh", "obtained": obtained}}


def points(*pairs: tuple[str, str]) -> Claims:
    return {"cycle_points": [{"cycles": cycles, "retention": retention} for cycles, retention in pairs]}


def kilograms(amount: str) -> Claims:
    return {"amount": amount, "unit": "kg", "obtained": "measured"}


def kwh(amount: str) -> Claims:
    return {"amount": amount, "unit": "kWh", "obtained": "measured"}


#: What is stated -> level, place and words of the finding under China's rules.
TESTED: dict[str, tuple[Claims, str, str, str]] = {
    "more discharged than cycled": (discharged("1000000"), "hard", "cumulative_discharge_energy", "at most 105000"),
    "assumed": (discharged("90", "assumed"), "soft", "cumulative_discharge_energy", "is assumed, not measured"),
    "a retention above 1": (points(("0", "1.2"), ("1000", "0.8")), "soft", "cycle_points", "above 1.05"),
    "rising": (points(("0", "0.9"), ("1000", "0.95")), "soft", "cycle_points", "rises from 0.9 to 0.95"),
    "thirty thousand cycles": (points(("0", "1"), ("30000", "0.8")), "soft", "cycle_points", "above 20000"),
    "a million cycles": (points(("0", "1"), ("1000000", "0.8")), "hard", "cycle_points", "above 100000"),
    "a ship": ({"rated_energy": kwh("20000")}, "soft", "rated_energy", "above 10000 kWh is unusual"),
    "a power plant": ({"rated_energy": kwh("100000000")}, "hard", "rated_energy", "no pack has above 100000 kWh"),
    "a dense pack": ({"mass": kilograms("150")}, "soft", "rated_energy", "above 0.5 kWh per kg is unusual"),
    "a pack of one kilogram": ({"mass": kilograms("1")}, "hard", "rated_energy", "no battery has above 1 kWh per kg"),
}  # fmt: skip


@pytest.mark.parametrize("case", TESTED.values(), ids=TESTED.keys())
def test_a_tested_energy_that_cannot_be_or_is_unusual(model: Claims, case: tuple[Claims, str, str, str]) -> None:
    stated, level, place, said = case
    (finding,) = energy_findings(BatteryModel.draft({**model, **stated}), CHINA, where="pack")
    assert (finding.gate, finding.level, finding.refuses) == ("delivered_energy", level, level == "hard")
    assert finding.where == f"pack {place}"
    assert said in finding.what
    assert finding.remedy


def test_a_discharge_energy_without_test_or_points_is_said_to_be_unchecked(model: Claims) -> None:
    stated = {name: value for name, value in model.items() if name not in ("cycle_life", "cycle_points")}
    found = energy_findings(BatteryModel.draft({**stated, **discharged("90", "assumed")}), CHINA, where="pack")
    assert [one.level for one in found] == ["soft", "soft", "soft"]
    assert [words in one.what for one, words in zip(found, ("not measured", "no cycle-life", "can't be"), strict=True)]


@pytest.mark.parametrize(("mwh", "levels"), [("1999", []), ("3000", [("soft", False)]), ("90000", [("hard", True)])])
def test_a_discharge_energy_without_points_is_held_against_the_rated_energy(
    model: Claims, mwh: str, levels: list[tuple[str, bool]]
) -> None:
    """90 GWh of 100 kWh are 900,000 full cycles."""
    stated = {name: value for name, value in model.items() if name != "cycle_points"}
    found = energy_findings(BatteryModel.draft({**stated, **discharged(mwh)}), CHINA, where="pack")
    assert [(one.level, one.refuses) for one in found if "full cycles" in one.what] == levels


@pytest.mark.parametrize("rule_set", [CHINA, EUROPE, EVERBATT])
def test_energy_per_mass_is_asked_of_whoever_divides_by_energy(model: Claims, rule_set: RuleSet) -> None:
    found = energy_findings(BatteryModel.draft({**model, "mass": kilograms("10")}), rule_set, where="pack")
    assert [(one.gate, one.level) for one in found] == [("delivered_energy", "hard")]


@pytest.mark.parametrize(
    ("kg", "by_bill", "level", "refuses"),
    [
        (101, True, None, False),
        (105, True, "soft", False),
        (120, True, "hard", True),
        (149, False, None, False),
        (1000, False, "soft", False),
    ],
)
def test_what_a_pack_is_made_of_against_its_mass(kg: float, by_bill: bool, level: str | None, refuses: bool) -> None:
    found = content_finding(kg, Decimal(100), CHINA, by_bill=by_bill, where="pack mass")
    assert [(one.gate, one.level, one.refuses) for one in found] == ([("pack_mass", level, refuses)] if level else [])
    assert all(f"{kg:.6g} kg" in one.what and one.remedy for one in found)


SERVED: dict[str, tuple[Callable[[Claims], Any], str, str, str]] = {
    "usable above rated": (
        lambda claims: claims["usable_energy"].update(amount="9200"), "hard", "usable_energy", "above the rated energy of 100"
    ),
    "a warranty of centuries": (
        lambda claims: claims["warranty"].update(years="800"), "soft", "warranty/years", "800 years is unusual"
    ),
    "other kilometres a year": (
        lambda claims: claims["warranty"].update(km="120000", km_per_year="1000"), "soft", "warranty/km_per_year", "20000"
    ),
    "kilometres a year of the maker's own": (
        lambda claims: (
            claims["warranty"].update(km="120000", km_per_year="1000"), claims["vehicle"].update({"class": "N1"})
        ),
        "soft", "warranty/km_per_year", "the pack maker's own figure",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SERVED.values(), ids=SERVED.keys())
def test_a_service_life_that_cannot_be_or_is_unusual(
    model: Claims, case: tuple[Callable[[Claims], Any], str, str, str]
) -> None:
    change, level, place, said = case
    change(model)
    (finding,) = energy_findings(BatteryModel.draft(model), EUROPE, where="pack")
    assert (finding.level, finding.where, finding.refuses) == (level, f"pack {place}", level == "hard")
    assert said in finding.what


def test_a_plain_model_has_no_finding_under_any_rule_set(model: Claims) -> None:
    for rule_set in (CHINA, EUROPE, EVERBATT):
        assert energy_findings(BatteryModel.draft(model), rule_set, where="pack") == []

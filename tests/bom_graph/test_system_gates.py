"""What a product system in a file can't say unremarked: offsets, credits, removals, electricity of its own, hydrates, loops, sizes."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from bom_graph import SystemFileError, SystemResult, load_release, load_rule_set, solve_file
from bom_graph.system_gates import is_offset
from tests.bom_graph.test_system_file import Members, read, system

CN, EU = "cn-miit-551-trial", "eu-cfb-draft-2024-partial"
ISO, EVERBATT = "iso-14067-cradle-to-gate", "everbatt-2023-cradle-to-gate"
NATION = 0.5777


def solved(members: Members, rules: str = CN) -> SystemResult:
    rule_set = load_rule_set(rules)
    return solve_file(read(members), rule_set, [load_release(name) for name in rule_set.factor_releases])


def gates(found: SystemResult) -> list[tuple[str, str, str]]:
    """All findings but that factors of several GWP sets meet."""
    return [(one.gate, one.level, one.where) for one in found.findings if one.gate != "gwp_sets"]


def with_input(**line: Any) -> Members:
    members = system()
    members["processes"][0]["inputs"].append({"id": "more", "amount": "2000", "unit": "kg", **line})
    members["factors"].append({"flow": str(line["flow"]), "value": "1", "per": "kg", "source": "a registry"})
    return members


def with_power(geography: str, own: str, value: str, rules: str = CN) -> SystemResult:
    """The system with its electricity of `geography`, and the file's own factor for that of `own`."""
    members = system()
    members["processes"][0]["inputs"][1]["geography"] = geography
    factor = {"flow": "electricity", "geography": own, "value": value, "per": "kWh", "source": "my word"}
    members["factors"].append(factor)
    return solved(members, rules)


def with_salt(**line: Any) -> SystemResult:
    members = system()
    members["factors"] = []
    members["processes"][1]["inputs"][0] |= {"flow": "nickel-sulfate", **line}
    return solved(members)


# --- offsets and credits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [CN, EU, ISO, EVERBATT])
def test_an_offset_is_no_line_of_a_system(rules: str) -> None:
    found = solved(with_input(flow="carbon-credit", avoided=True, **{"class": "energy"}), rules)
    assert found.footprint is None
    assert gates(found) == [("offset", "hard", "processes/cell/inputs/more")]


def test_an_offset_is_none_as_a_process_either() -> None:
    members = system()
    members["processes"][1]["product"]["name"] = "Verified CO2 offsets"
    assert [gate for gate, *_ in gates(solved(members))] == ["offset"]


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        *((name, True) for name in ("Carbon_Offset", "credits/co2e", "offset", "CCER", "ＣＯ２ offset", "碳信用")),
        *((name, False) for name in ("carbon-black", "offset-bracket", "printing-offset-plate", "copper", "CO2")),
    ],
)
def test_offsets_are_known_by_their_words(name: str, *, is_one: bool) -> None:
    assert is_offset(name) is is_one


@pytest.mark.parametrize(("rules", "level"), [(CN, "hard"), (EU, "hard"), (ISO, "soft"), (EVERBATT, "soft")])
def test_a_credit_that_the_rule_set_does_not_know_is_named(rules: str, level: str) -> None:
    found = solved(with_input(flow="steam-sold", avoided=True), rules)
    assert found.total is not None
    assert found.total < 0
    # What living things took up may outweigh the rest, where it counts.
    total = "soft" if load_rule_set(rules).gases.biogenic_co2 == "counted" else "hard"
    assert gates(found) == [("credit", level, "processes/cell/inputs/more"), ("total", total, "demand")]


def test_only_true_makes_a_credit() -> None:
    with pytest.raises(SystemFileError, match="neither true nor false"):
        read(with_input(flow="steam-sold", avoided="yes"))


# --- removals -----------------------------------------------------------------------------------------------------


def with_removal(kg: str, unit: str = "kg", **more: str) -> Members:
    members = system()
    members["processes"][1]["product"]["unit"] = unit
    members["demand"] = {"process": "cathode", "amount": "1", "unit": unit}
    emissions = [{"id": "growth", "gas": "CO2", "origin": "biogenic", "amount": f"-{kg}", "unit": "kg"}]
    emissions += [{"gas": "CO2", "origin": "biogenic", "amount": amount, "unit": "kg"} for amount in more.values()]
    members["processes"][1]["emissions"] += emissions
    return members


def test_a_product_takes_up_no_more_than_its_carbon() -> None:
    found = solved(with_removal("50"), ISO)
    assert found.footprint is None
    assert gates(found) == [("element_balance", "hard", "processes/cathode")]
    assert "which can hold the carbon of 3.66" in found.findings[0].what
    assert gates(solved(with_removal("3.6"), ISO)) == []
    # What is given off again isn't held.
    assert gates(solved(with_removal("50", decay="46.5"), ISO)) == []


def test_a_removal_for_a_product_that_is_not_weighed_cannot_be_checked() -> None:
    members = with_removal("1", "piece")
    members["processes"][0]["inputs"].pop(0)
    assert gates(solved(members, ISO)) == [("element_balance", "soft", "processes/cathode")]


# --- electricity and factors of the file's own --------------------------------------------------------------------


def test_the_national_average_is_the_rule_set_s() -> None:
    found = with_power("CN-XZ", "CN-XZ", "0.01")
    assert found.total == pytest.approx(10 + 10 * NATION)
    assert gates(found) == [
        ("electricity", "note", "processes/cell/inputs/power"),
        ("own_factor", "soft", "processes/cell/inputs/power"),
    ]


@pytest.mark.parametrize(("value", "level"), [("0.55", "soft"), ("0.001", "hard"), ("0", "hard")])
def test_an_own_factor_for_the_nation_s_grid_is_named(value: str, level: str) -> None:
    found = with_power("CN", "CN", value)
    assert gates(found) == [("own_factor", level, "factors/2")]
    assert "0.5777 kg CO2e/kWh; cn-miit-551-trial asks for the national average" in found.findings[0].what


def test_an_own_factor_in_a_release_s_place_is_a_note_until_it_is_far_off() -> None:
    assert gates(with_power("CN", "CN", "0.6", EVERBATT)) == [("own_factor", "note", "factors/2")]
    assert gates(with_power("CN", "CN", "0.1", EVERBATT)) == [("own_factor", "soft", "factors/2")]
    assert gates(with_power("CN", "CN", "0.01", EVERBATT)) == [("own_factor", "hard", "factors/2")]


def test_electricity_under_another_name_is_named() -> None:
    members = system()
    members["processes"][0]["inputs"][1] |= {"flow": "grid-power"}
    del members["processes"][0]["inputs"][1]["geography"]
    members["factors"].append({"flow": "grid-power", "value": "0.001", "per": "kWh", "source": "my word"})
    assert gates(solved(members)) == [("own_factor", "soft", "factors/2")]
    assert gates(solved(members, ISO)) == []


def test_electricity_is_no_material() -> None:
    members = system()
    del members["processes"][0]["inputs"][1]["class"]
    assert gates(solved(members)) == [("line_class", "hard", "processes/cell/inputs/power")]


# --- hydrates -----------------------------------------------------------------------------------------------------


def test_a_salt_without_composition_is_taken_for_the_factor_s_and_says_so() -> None:
    found = with_salt()
    assert gates(found) == [("hydrate", "soft", "processes/cathode/inputs/salt")]
    assert found.findings[0].what == "no composition is stated: the amount of nickel-sulfate is taken as NiSO4"


def test_a_hydrate_counts_without_its_water() -> None:
    plain, hydrate = with_salt(), with_salt(composition={"formula": "NiSO4.6H2O"})
    assert gates(hydrate) == [("composition", "note", "processes/cathode/inputs/salt")]
    assert plain.footprint is not None
    assert hydrate.footprint is not None
    salts = [
        next(one.kg_co2e for one in found.contributions if one.burden.origin.get("flow") == "nickel-sulfate")
        for found in (plain.footprint, hydrate.footprint)
    ]
    assert salts[1] / salts[0] == pytest.approx(154.753 / 262.843, rel=1e-4)


@pytest.mark.parametrize(
    ("line", "gate"),
    [
        ({"id": "nickel-sulfate-hexahydrate"}, "hydrate"),
        ({"id": "NiSO4.6H2O"}, "hydrate"),
        ({"id": "hexahydrate", "composition": {"formula": "NiSO4"}}, "hydrate"),
        ({"composition": {"formula": "CoSO4"}}, "composition"),
    ],
)
def test_a_line_that_contradicts_its_composition_is_refused(line: Members, gate: str) -> None:
    found = with_salt(**line)
    assert found.footprint is None
    assert [one.gate for one in found.findings] == [gate]


def test_a_composition_out_of_form_is_refused() -> None:
    members = system()
    members["processes"][1]["inputs"][0]["composition"] = {"formula": "NiSO4", "colour": "green"}
    with pytest.raises(SystemFileError, match="an unknown name"):
        read(members)
    members["processes"][1]["inputs"][0]["composition"] = {"formula": "Xx9(("}
    with pytest.raises(SystemFileError, match="'Xx9\\(\\(' can't be read") as caught:
        read(members)
    assert caught.value.where == "processes/cathode/inputs/salt/composition"


# --- loops, sizes, many factors -----------------------------------------------------------------------------------


def test_a_loop_that_uses_all_it_makes_is_a_finding_beside_the_others() -> None:
    members = system()
    scrap = {"id": "scrap", "process": "cell", "amount": "0.5", "unit": "kWh"}
    members["processes"][1]["inputs"].append(scrap)
    members["processes"][0]["inputs"][1]["geography"] = "CN-XZ"
    found = solved(members)
    assert found.footprint is None
    assert [(one.gate, one.refuses) for one in found.findings] == [("electricity", False), ("loop", True)]
    assert found.findings[1].where.startswith("processes/c")


def test_an_energy_that_nothing_delivers_is_a_hard_finding() -> None:
    members = system(delivered_energy={"amount": "1E-99", "unit": "kWh"})
    assert gates(solved(members)) == [("units", "hard", "demand")]
    assert "the energy delivered is 1e-99, and 1 more" in solved(members).findings[0].what


def test_as_many_factors_as_the_form_allows_are_read_at_once() -> None:
    """100,000 factors, above what a release file may weigh; one of them stands twice."""
    members = system()
    source = "a long source " * 12
    members["factors"] += [
        {"flow": f"flow-{number}", "value": "1", "per": "kg", "source": source} for number in range(99_998)
    ]
    members["factors"].append(members["factors"][0])
    began = time.perf_counter()
    found = solved(members)
    assert time.perf_counter() - began < 30
    assert gates(found) == [("ambiguous_factor", "hard", "factors/100000")]


def test_a_factor_beyond_all_bounds_is_one_finding() -> None:
    members = system()
    members["factors"][0]["value"] = "9E99"
    assert gates(solved(members)) == [("units", "hard", "demand")]
    assert solved(members).file.factors[0].value == Decimal("9E99")

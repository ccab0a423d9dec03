"""A product system in a file: known answers, units, factors, and every defect with its place."""

import copy
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import jsonschema
import pytest

from bom_graph import SystemFile, SystemFileError, SystemResult, load_release, load_rule_set, solve_file

RULES = load_rule_set("everbatt-2023-cradle-to-gate")
Members = dict[str, Any]


def system(**more: Any) -> Members:
    """Cells of which each kWh takes 2 kg of cathode and 10 kWh of Chinese electricity; the cathode 3 kg of CO2 and 0.5 kg of salt."""
    return {
        "format": "urn:packtrace:product-system:1",
        "title": "two processes",
        "processes": [
            {
                "id": "cell",
                "class": "cell_manufacturing",
                "product": {"name": "cell", "amount": "100", "unit": "kWh"},
                "inputs": [
                    {"id": "cathode", "process": "cathode", "amount": "0.2", "unit": "t"},
                    {"id": "power", "flow": "electricity", "geography": "CN", "amount": "1", "unit": "MWh", "class": "energy"},
                ],
            },
            {
                "id": "cathode",
                "class": "material_production",
                "product": {"name": "cathode", "amount": "1", "unit": "kg"},
                "inputs": [{"id": "salt", "flow": "salt", "amount": "500", "unit": "g", "primary": True}],
                "emissions": [{"id": "stack", "gas": "CO2", "amount": "3", "unit": "kg"}],
            },
        ],
        "factors": [{"flow": "salt", "value": "4", "per": "kg", "source": "none, a test"}],
        "demand": {"process": "cell", "amount": "1", "unit": "kWh"},
        **more,
    }  # fmt: skip


def read(members: Members) -> SystemFile:
    return SystemFile.read(json.dumps(members).encode())


def solved(members: Members, **options: int) -> SystemResult:
    return solve_file(read(members), RULES, [load_release("everbatt-2023")], **options)


CN = 0.700094
ODD_GAS = {"id": "stack", "gas": "SF6", "origin": "biogenic", "amount": "1", "unit": "kg"}


def test_a_factor_below_zero_is_refused() -> None:
    members = system()
    members["factors"][0]["value"] = "-50"
    with pytest.raises(SystemFileError, match="below zero would be a credit: state an input with `avoided`") as caught:
        read(members)
    assert caught.value.where.startswith("factors/")


def test_a_system_is_added_up_by_stage() -> None:
    found = solved(system())
    assert found.findings == ()
    assert found.footprint is not None
    assert found.footprint.total == pytest.approx(2 * (3 + 0.5 * 4) + 10 * CN, rel=1e-12)
    assert found.footprint.stages == pytest.approx({"material_acquisition": 10.0, "manufacturing": 10 * CN}, rel=1e-12)
    assert found.footprint.activity_primary_share == pytest.approx(4 / (10 + 10 * CN), rel=1e-12)
    assert [part.burden.origin["line"] for part in found.footprint.contributions] == [
        "processes/cell/inputs/power",
        "processes/cathode/inputs/salt",
        "processes/cathode/emissions/stack",
    ]


def test_a_file_states_the_energy_that_its_demand_delivers() -> None:
    assert solved(system(delivered_energy={"amount": "0.9", "unit": "MWh"})).delivered_kwh == Decimal(900)


def test_an_avoided_product_is_a_credit() -> None:
    members = system()
    members["processes"][0]["inputs"][0]["avoided"] = True
    found = solved(members).footprint
    assert found is not None
    assert found.total == pytest.approx(-10 + 10 * CN, rel=1e-12)


def test_gases_count_by_their_warming_potential() -> None:
    members = system()
    members["processes"][1]["emissions"] += [
        {"gas": "CH4", "amount": "10", "unit": "g"},
        {"gas": "CH4", "origin": "biogenic", "amount": "10", "unit": "g"},
        {"gas": "N2O", "amount": "1", "unit": "g"},
    ]
    found = solved(members).footprint
    assert found is not None
    assert found.total == pytest.approx(2 * (5 + 0.298 + 0.270 + 0.273) + 10 * CN, rel=1e-12)


def test_living_carbon_counts_as_the_rule_set_says() -> None:
    """4 kg taken up, 3 kg and 10 g methane given off: apart from the total, or in it; methane always counts."""
    members = system()
    members["processes"][1]["emissions"] += [
        {"id": "growth", "gas": "CO2", "origin": "biogenic", "amount": "-4", "unit": "kg"},
        {"id": "decay", "gas": "CO2", "origin": "biogenic", "amount": "3", "unit": "kg"},
        {"id": "rot", "gas": "CH4", "origin": "biogenic", "amount": "10", "unit": "g"},
        {"id": "land", "gas": "CO2", "origin": "land_use_change", "amount": "1", "unit": "kg"},
        {"id": "flight", "gas": "CO2", "origin": "aircraft", "amount": "2", "unit": "kg"},
    ]
    counting = load_rule_set("iso-14067-cradle-to-gate")
    apart = solved(members).footprint
    counted = solve_file(read(members), counting, [load_release("everbatt-2023")]).footprint
    assert apart is not None
    assert counted is not None
    assert apart.total == pytest.approx(2 * (5 + 0.27 + 1 + 2) + 10 * CN, rel=1e-12)
    assert apart.columns == pytest.approx(
        {
            "fossil": 6,
            "biogenic_removal": -8,
            "biogenic_emission": 6.54,
            "land_use_change": 2,
            "aircraft": 4,
            "not_split": 4 + 10 * CN,
        }
    )
    assert [part.kg_co2e for part in apart.apart] == [-8, 6]
    assert counted.apart == ()
    assert sum(counted.columns.values()) == pytest.approx(counted.total, rel=1e-12)
    assert counted.columns["biogenic_removal"] == -8


def test_factors_of_two_families_are_never_added_up() -> None:
    """Worked example D3: 0.5500, East China, CO2 alone, generation."""
    members = system()
    members["factors"].append(
        {
            "flow": "electricity",
            "geography": "XX-EAST",
            "value": "0.5500",
            "per": "kWh",
            "family": "co2_generation",
            "source": "MEE/NBS",
        }
    )
    members["processes"][0]["inputs"][1]["geography"] = "XX-EAST"
    found = solved(members)
    assert found.footprint is None
    (finding,) = found.findings
    assert (finding.gate, finding.where) == ("factor_family", "processes/cell/inputs/power")
    assert "co2_generation, which never stands in" in finding.what
    # A rule set that asks for that family gets no sum with the rest either.
    other = RULES.model_copy(update={"electricity": RULES.electricity.model_copy(update={"family": "co2_generation"})})
    found = solve_file(read(members), other, [load_release("everbatt-2023")])
    assert found.footprint is None
    assert [one.gate for one in found.findings] == ["factor_family"]
    assert "co2e_life_cycle" in found.findings[0].what


def test_a_draw_of_a_factor_is_shared_by_its_users() -> None:
    """Worked by hand: two lines of 50 kg on one factor of 2 kg CO2e/kg with CV 10 %: 200 kg, sd 20 kg."""
    members = system()
    members["processes"] = [
        {
            "id": "p",
            "class": "material_production",
            "product": {"name": "p", "amount": "1", "unit": "kg"},
            "inputs": [{"flow": "x", "amount": "50", "unit": "kg"}, {"flow": "x", "amount": "50000", "unit": "g"}],
        }
    ]
    normal = {"distribution": "normal", "cv": "0.1"}
    members["factors"] = [{"flow": "x", "value": "2", "per": "kg", "source": "a test", "uncertainty": normal}]
    members["demand"] = {"process": "p", "amount": "1", "unit": "kg"}
    simulation = solved(members, draws=20_000, seed=1).simulation
    assert simulation is not None
    assert simulation.mean == pytest.approx(200, rel=0.01)
    assert simulation.sd == pytest.approx(20, rel=0.02)
    assert [key for key, _ in simulation.shares] == ["factor file/x/GLO/2024"]


def test_a_line_without_an_id_draws_for_itself() -> None:
    """The second line has no id, and the first is called 2: each has its own distribution, sd 1 and 100 kg."""
    members = system(factors=[{"flow": "x", "value": "1", "per": "kg", "source": "a test"}])
    lines = [
        {"id": "2", "flow": "x", "amount": "10", "unit": "kg", "uncertainty": {"distribution": "normal", "sd": "1"}},
        {"flow": "x", "amount": "1000", "unit": "kg", "uncertainty": {"distribution": "normal", "sd": "100"}},
    ]
    members["processes"] = [{**members["processes"][1], "inputs": lines, "emissions": []}]
    members["demand"] = {"process": "cathode", "amount": "1", "unit": "kg"}
    simulation = solved(members, draws=20_000, seed=1).simulation
    assert simulation is not None
    assert simulation.sd == pytest.approx(100, rel=0.03)
    assert {key for key, _ in simulation.shares} == {
        "amount processes/cathode/inputs/2",
        "amount processes/cathode/inputs/#2",
    }


def test_what_states_nothing_is_missing_and_not_zero() -> None:
    members = system()
    members["processes"][1] |= {"inputs": [], "emissions": []}
    found = solved(members, draws=2)
    assert found.total == pytest.approx(10 * CN)
    (finding,) = found.findings
    assert (finding.gate, finding.level, finding.where) == ("missing_data", "hard", "processes/cathode")
    members["processes"][0]["inputs"] = members["processes"][0]["inputs"][:1]
    found = solved(members, draws=2)
    assert (found.total, found.simulation) == (None, None)
    # Nobody takes the cathode: what it states doesn't count, and what it doesn't state isn't missed.
    members = system()
    members["processes"][0]["inputs"] = []
    found = solved(members)
    assert found.total is None
    assert [one.where for one in found.findings] == ["processes/cell"]
    # An amount of zero is stated.
    members = system()
    members["processes"][1] |= {"inputs": [{"flow": "salt", "amount": "0", "unit": "kg"}], "emissions": []}
    members["demand"] = {"process": "cathode", "amount": "1", "unit": "kg"}
    found = solved(members)
    assert found.total == 0
    assert [(one.gate, one.level, one.refuses) for one in found.findings] == [("total", "hard", False)]


def test_a_factor_of_the_file_s_own_is_never_passed_over_for_its_family() -> None:
    members = system()
    own = {"flow": "electricity", "geography": "CN", "value": "0.55", "per": "kWh", "source": "x"}
    members["factors"].append({**own, "family": "co2_generation"})
    found = solved(members)
    assert found.total is None
    assert [(one.gate, one.level, one.where) for one in found.findings] == [
        ("factor_family", "hard", "processes/cell/inputs/power")
    ]
    members["factors"].append(own)
    assert solved(members).total == pytest.approx(10 + 10 * 0.55)
    assert [(one.gate, one.level) for one in solved(members).findings] == [("own_factor", "note")]
    members["factors"][1:] = [{**own, "geography": "GLO"}]
    found = solved(members)
    assert found.total == pytest.approx(10 + 10 * CN)
    assert [(one.gate, one.level) for one in found.findings] == [("own_factor", "soft")]


def test_a_system_in_base_units_is_the_same_in_any_unit() -> None:
    members = system()
    members["processes"][0]["product"] |= {"amount": "0.1", "unit": "MWh"}
    members["processes"][1]["product"] |= {"amount": "1000", "unit": "g"}
    explained = [solved(one).in_base_units() for one in (system(), members)]
    for one in explained:
        assert (one[1], one[2]) == (0, 1.0)
    assert [link.amount for link in explained[1][0].links] == pytest.approx(
        [link.amount for link in explained[0][0].links]
    )
    assert [one.kg_co2e for one in explained[1][0].burdens] == pytest.approx(
        [one.kg_co2e for one in explained[0][0].burdens]
    )


def at(path: str, value: Any) -> Callable[[Members], None]:
    """Set the member at `path`; None takes it away."""

    def change(members: Any) -> None:
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        for step in steps:
            members = members[step]
        if value is None:
            del members[last]
        else:
            members[last] = value

    return change


# Each with the place and words of its error.
MALFORMED: dict[str, tuple[Callable[[Members], None], str, str]] = {
    "another format": (at("format", "x"), "format", "urn:packtrace:product-system:1"),
    "an amount as a number": (at("processes/0/inputs/0/amount", 0.2), "processes/cell/inputs/cathode/amount", "decimal string"),
    "a negative amount": (at("processes/0/inputs/0/amount", "-1"), "processes/cell/inputs/cathode/amount", "less than 0"),
    "an output of zero": (at("processes/1/product/amount", "0"), "processes/cathode/product/amount", "greater"),
    "an unknown member": (at("processes/1/colour", "red"), "processes/cathode/colour", "unknown name"),
    "neither process nor flow": (at("processes/1/inputs/0/flow", None), "processes/cathode/inputs/salt", "either"),
    "a process that isn't there": (at("processes/0/inputs/0/process", "anode"), "processes/cell/inputs/cathode", "anode"),
    "two processes of one name": (at("processes/1/id", "cell"), "processes/cell", "two processes"),
    "two inputs of one id": (at("processes/0/inputs/1/id", "cathode"), "processes/cell/inputs/cathode", "two lines have the id"),
    "a demand for nothing": (at("demand/process", "pack"), "demand/process", "pack"),
    "a demand of zero": (at("demand/amount", "0"), "demand/amount", "greater"),
    "no processes": (at("processes", []), "processes", "fewer than 1"),
    "no gas of living matter": (at("processes/1/emissions/0", ODD_GAS), "processes/cathode/emissions/stack", "never of biogenic"),
    "a removal of fossil carbon": (at("processes/1/emissions/0/amount", "-3"), "processes/cathode/emissions/stack", "offsets don't count"),
    "an offset": (at("processes/1/emissions/0/origin", "offset"), "processes/cathode/emissions/stack/origin", "fossil"),
    "delivered energy in kg": (at("delivered_energy", {"amount": "1", "unit": "kg"}), "delivered_energy", "mass"),
    "an uncertainty without numbers": (
        at("processes/1/inputs/0/uncertainty", {"distribution": "normal"}),
        "processes/cathode/inputs/salt/uncertainty",
        "takes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
def test_a_file_out_of_form_is_refused_with_its_place(name: str) -> None:
    change, place, words = MALFORMED[name]
    members = copy.deepcopy(system())
    change(members)
    with pytest.raises(SystemFileError, match=words) as caught:
        read(members)
    assert caught.value.where == place


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"\xff", b'{"format": 1, "format": 2}', b"[" * 100_000, b'{"a": ' * 100_000]
)
def test_bytes_that_are_no_system_are_refused(data: bytes) -> None:
    with pytest.raises(SystemFileError):
        SystemFile.read(data)


def test_two_factors_that_fit_equally_are_refused_by_place() -> None:
    members = system()
    members["factors"].append({**members["factors"][0], "value": "5"})
    members["processes"][0]["inputs"][0]["unit"] = "kWh"
    found = solved(members)
    assert found.footprint is None
    assert [(one.gate, one.where, one.refuses) for one in found.findings] == [
        ("ambiguous_factor", "factors/2", True),
        ("units", "processes/cell/inputs/cathode", True),
    ]
    assert found.findings[0].what == "it fits as factors/1 does: both are for salt, GLO, 2024, co2e_life_cycle"


# Each with the gate and place of its finding.
REFUSED: dict[str, tuple[Callable[[Members], None], str, str]] = {
    "unknown unit": (at("processes/0/inputs/0/unit", "stone"), "units", "processes/cell/inputs/cathode"),
    "unit of another dimension": (at("processes/0/inputs/0/unit", "kWh"), "units", "processes/cell/inputs/cathode"),
    "factor of another dimension": (at("processes/1/inputs/0/unit", "MJ"), "units", "processes/cathode/inputs/salt"),
    "unknown unit of a product": (at("processes/1/product/unit", "stone"), "units", "processes/cathode"),
    "demand of another dimension": (at("demand/unit", "kg"), "units", "demand/unit"),
    "emission in kWh": (at("processes/1/emissions/0/unit", "kWh"), "units", "processes/cathode/emissions/stack"),
    "unknown unit of a factor": (at("factors/0/per", "stone"), "units", "factors/1/per"),
    "no factor": (at("factors", []), "missing_factor", "processes/cathode/inputs/salt"),
    "no factor there": (at("processes/0/inputs/1/geography", "FR"), "missing_factor", "processes/cell/inputs/power"),
    "class that the rule set doesn't know": (at("processes/0/class", "baking"), "process_class", "processes/cell"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_refuses_the_result(name: str) -> None:
    change, gate, place = REFUSED[name]
    members = copy.deepcopy(system())
    change(members)
    found = solved(members)
    assert found.footprint is None
    assert (gate, place, True) in [(finding.gate, finding.where, finding.refuses) for finding in found.findings]
    # A factor that can't be read is missing as well.
    assert {finding.gate for finding in found.findings} <= {gate, "missing_factor"}


def test_amounts_beyond_all_bounds_refuse_the_result() -> None:
    members = system()
    members["processes"][0]["inputs"][0]["amount"] = members["processes"][1]["emissions"][0]["amount"] = "9E99"
    members["demand"]["amount"] = members["processes"][1]["emissions"][0]["amount"] = "9E99"
    members["processes"][1]["product"]["amount"] = members["processes"][0]["product"]["amount"] = "1E-99"
    found = solved(members)
    assert found.footprint is None
    assert [finding.what for finding in found.findings] == ["the amounts are too large to be added up"]


def test_the_schema_takes_what_the_reader_takes() -> None:
    schema = SystemFile.file_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(system())
    for name in ("another format", "an amount as a number", "an unknown member", "no processes"):
        members = copy.deepcopy(system())
        MALFORMED[name][0](members)
        assert not validator.is_valid(members), name

"""A pack's mass, energy and recovered materials against what its statements say of it; later models and scenarios against earlier ones."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import BatteryModel, BomGraphError, Finding
from exchange.assembly import RefusedError, Result
from exchange.kinds import BATTERY_MODEL, LIFE_CYCLE_SCENARIO
from tests.exchange.test_scenario import SHIP, TRUCK, Claims, Market, leg, nickel, stated
from tests.exchange.three import CELL, CHINA, EUROPE, PACK, PACKER, SALT, World, copper, line, of

MODEL: Claims = {
    "sub": PACK,
    "model": "P",
    "plant": {"name": "plant", "country": "US"},
    "chemistry": "LFP",
    "rated_energy": line("100", "kWh"),
    "usable_energy": line("92", "kWh"),
    "cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}],
    "vehicle": {"class": "M1", "obtained": "measured"},
    "warranty": {"years": "8", "obtained": "measured"},
}


def of_gate(result: Result, gate: str) -> list[Finding]:
    return [one for one in result.findings if one.gate == gate]


def packed(*components: Claims, mass: str, by_bill: bool = True, **more: Any) -> Result:
    """The result of a pack of 4 kWh that holds `components` and states `mass`."""
    world = World()
    if by_bill:
        world.bill(PACK, *components, unit="piece")
    inputs = () if by_bill else components
    world.activity(PACK, *inputs, unit="piece", process_class="pack_assembly", **more)
    model = {**MODEL, "rated_energy": line("4", "kWh"), "usable_energy": line("3", "kWh"), "mass": line(mass)}
    world.state(PACKER, BATTERY_MODEL, model)
    return world.compute(PACK, CHINA)


def test_a_pack_lighter_than_its_energy_allows_is_refused() -> None:
    """A pack of 100 kWh and 1 kg would have no distribution to speak of."""
    market = Market("1")
    market.scenario(distribution=[TRUCK, SHIP])
    with pytest.raises(RefusedError) as caught:
        market.compute(PACK, CHINA)
    assert [one.gate for one in caught.value.findings] == ["delivered_energy"]


def test_a_pack_lighter_than_its_bill_of_materials_is_refused() -> None:
    for components in ([copper("50")], [copper("30"), copper("20")]):
        with pytest.raises(RefusedError) as caught:
            packed(*components, mass="40")
        (finding,) = caught.value.findings
        assert (finding.gate, finding.where) == ("pack_mass", f"{PACK} mass")
        assert "has 50 kg, the battery model states 40 kg" in finding.what
    assert [one.level for one in of_gate(packed(copper("42"), mass="40"), "pack_mass")] == ["soft"]


@pytest.mark.parametrize("components", [[copper("39")], [copper("40"), copper("10", **{"class": "packaging"})]])
def test_a_pack_that_weighs_what_it_holds_is_no_finding(components: list[Claims]) -> None:
    assert not of_gate(packed(*components, mass="40"), "pack_mass")


def test_what_goes_into_a_process_is_less_strict_and_waste_is_taken_off() -> None:
    waste = [line("25", "kg", name="scrap", flow="copper")]
    assert not of_gate(packed(copper("55"), mass="40", by_bill=False), "pack_mass")
    assert not of_gate(packed(copper("80"), mass="40", by_bill=False, waste=waste), "pack_mass")
    (finding,) = of_gate(packed(copper("80"), mass="40", by_bill=False), "pack_mass")
    assert (finding.level, finding.refuses) == ("soft", False)
    assert "80 kg, the battery model states 40 kg" in finding.what


def test_parts_in_pieces_are_weighed_by_their_own_statements() -> None:
    world = World()
    world.activity(SALT, copper("3"))
    world.bill(CELL, of(SALT, "2"), copper("1"), unit="piece")
    world.activity(CELL, unit="piece", process_class="cell_manufacturing")
    world.bill(PACK, line("10", "piece", name="cell", product=CELL), copper("5"), unit="piece")
    world.activity(PACK, unit="piece", process_class="pack_assembly")
    world.state(PACKER, BATTERY_MODEL, {**MODEL, "rated_energy": line("4", "kWh"), "mass": line("34")})
    (finding,) = of_gate(world.compute(PACK, CHINA), "pack_mass")
    # Ten cells of 2 kg of salt, itself made of 3 kg of copper each, and 1 kg of copper; and 5 kg beside.
    assert finding.level == "soft"
    assert "its bill of materials has 35 kg" in finding.what


def modelled() -> World:
    """A pack of 10 kg of copper with one battery model."""
    world = World()
    world.bill(PACK, copper("10"), unit="piece")
    world.activity(PACK, unit="piece", process_class="pack_assembly")
    world.state(PACKER, BATTERY_MODEL, MODEL)
    return world


def test_a_later_battery_model_that_says_otherwise_is_noted() -> None:
    world = modelled()
    for changes in (
        {"rated_energy": line("120", "kWh")},
        {"cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "9000", "retention": "0.8"}]},
    ):
        world.state(PACKER, BATTERY_MODEL, {**MODEL, **changes})
    notes = of_gate(world.compute(PACK, CHINA), "contradiction")
    assert [note.level for note in notes] == ["note", "note"]
    assert any("rated_energy: 120 kWh, now 100 kWh" in note.what for note in notes)
    assert any("cycle_points 1000: 0.8, now nothing" in note.what for note in notes)


def test_the_same_battery_model_again_is_no_contradiction() -> None:
    world = modelled()
    world.state(PACKER, BATTERY_MODEL, MODEL)
    assert not of_gate(world.compute(PACK, CHINA), "contradiction")


def test_a_later_scenario_that_says_otherwise_is_noted() -> None:
    world = modelled()
    for km, factor in (("15000", "0.1"), ("2", "0.1"), ("2", "0.001")):
        legs = [leg(km, "road", factor, mass=line("500"))]
        world.state(PACKER, LIFE_CYCLE_SCENARIO, {"sub": PACK, "basis": "letter", "distribution": legs})
    first, second = of_gate(world.compute(PACK, CHINA), "contradiction")
    assert {first.level, second.level} == {"note"}
    said = sorted(note.what.rpartition("; the newer")[2] for note in (first, second))
    assert "15000 km, now 2 km" in said[1] + said[0]
    assert any("the same amounts with other figures beside them" in one for one in said)


def test_more_recovered_than_the_pack_holds_is_a_finding() -> None:
    """Worked example I's credit, of 100 kg of nickel in a pack of 10 kg of copper."""
    market = Market("100")
    market.scenario(materials=[nickel(amount="100")])
    (finding,) = [one for one in of_gate(market.compute(PACK, EUROPE), "end_of_life") if "credited" in one.what]
    assert (finding.level, finding.refuses) == ("hard", False)
    assert "100 kg of nickel are credited" in finding.what
    assert "at most 0 kg" in finding.what
    assert finding.where.endswith("materials/" + finding.where.rpartition("/")[2])
    market.scenario(materials=[nickel(amount="12", name="copper")])
    (finding,) = [one for one in of_gate(market.compute(PACK, EUROPE), "end_of_life") if "credited" in one.what]
    assert "at most 10 kg" in finding.what


@pytest.mark.parametrize(
    "material",
    [nickel(name="copper", amount="10"), nickel(name="Kupfer / copper", amount="9"), nickel(name="foil", amount="10")],
)
def test_what_the_pack_may_hold_can_be_recovered(material: Claims) -> None:
    market = Market("100")
    market.scenario(materials=[material])
    assert not of_gate(market.compute(PACK, EUROPE), "end_of_life")


def test_nobody_credits_against_what_is_not_known() -> None:
    """A supplier's figure alone doesn't say what is in its product."""
    world = World()
    world.footprint(SALT, EUROPE, stages=[{"stage": "raw_material", "kg_co2e": "10"}])
    world.bill(PACK, of(SALT, "200"), unit="piece")
    world.activity(PACK, unit="piece", process_class="pack_assembly")
    world.state(PACKER, BATTERY_MODEL, {**MODEL, "mass": line("200")})
    market_like = {"sub": PACK, "basis": "letter", "materials": [nickel(amount="50")]}
    world.state(PACKER, LIFE_CYCLE_SCENARIO, market_like)
    assert not [one for one in of_gate(world.compute(PACK, EUROPE), "end_of_life") if "credited" in one.what]


@pytest.mark.parametrize(("member", "level"), [("allocation", "soft"), ("energy_allocation", "note")])
def test_how_recycling_is_divided_is_the_rule_set_s_to_say(member: str, level: str) -> None:
    market = Market("100")
    material = nickel(name="copper", amount="2", **{member: "0.2"})
    market.scenario(materials=[material])
    (finding,) = of_gate(market.compute(PACK, EUROPE), "end_of_life")
    assert (finding.level, finding.where.rpartition("/")[2]) == (level, member)
    assert "0.2 of copper is the pack maker's own" in finding.what
    assert not of_gate(market.compute(PACK, CHINA), "end_of_life"), "its method doesn't divide"
    market.scenario(materials=[nickel(name="copper", amount="10", allocation="0.5")])
    assert not of_gate(market.compute(PACK, EUROPE), "end_of_life")


def test_a_scenario_does_not_raise_the_limit_of_its_own_credits() -> None:
    """Recycled content counted as virgin, 45 kg CO2e, is no emission of making the materials: 45 kg are from copper."""
    market = Market("100")
    material = nickel(name="copper", amount="10", substituted=stated("13"), recycled_content="1", virgin=stated("9"))
    market.scenario(materials=[material])
    findings = [one for one in of_gate(market.compute(PACK, EUROPE), "end_of_life") if one.where == PACK]
    assert [one.level for one in findings] == ["hard"]


@pytest.mark.parametrize("mass", [line("500", "kWh"), line("0"), line("-1")])
def test_a_mass_is_a_mass_above_zero(mass: Claims) -> None:
    with pytest.raises(BomGraphError) as caught:
        BatteryModel.draft({**MODEL, "mass": mass})
    assert caught.value.where == "mass"

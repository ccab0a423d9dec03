"""Life-cycle scenarios: distribution, collection and end of life as each rule set counts them, marked as forecasts; transport of inputs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bom_graph import Background, MissingFactorError, RecordError, RuleSet, UnitError, rule_set_bytes
from bom_graph.records import ActivityData, LifeCycleScenario
from exchange.assembly import RefusedError, Result
from exchange.kinds import BATTERY_MODEL, LIFE_CYCLE_SCENARIO
from exchange.report import document, heading, lines_of_text
from tests.exchange.three import (
    CELL,
    CHINA,
    COPPER,
    EUROPE,
    EVERBATT,
    PACK,
    PACKER,
    RELEASE,
    SALT,
    World,
    copper,
    line,
)

Claims = dict[str, Any]


def stated(value: str, per: str = "kg") -> Claims:
    return {"value": value, "per": per, "source": "the recycler's letter"}


def leg(distance: str, mode: str, factor: str, **more: Any) -> Claims:
    return line(distance, "km", "estimated", mode=mode, factor=stated(factor, "t.km"), **more)


TRUCK, SHIP = leg("1500", "road", "0.09502"), leg("18000", "sea", "0.01977")


def nickel(**more: Any) -> Claims:
    """1 kg with the figures of worked example I, of which 90 % come back."""
    return {
        **line("1", "kg", "estimated", name="nickel"),
        "recovery_yield": "0.9",
        "recycled_content": "0.3",
        "quality_out": "0.9",
        "virgin": stated("10"),
        "recycled": stated("1"),
        "recycling": stated("1.2"),
        "disposal": stated("0.05"),
        **more,
    }


class Market(World):
    """A pack of 648.630 kg and 10 kg of copper, with scenarios."""

    def __init__(self, mass: str | None = "648.630") -> None:
        super().__init__()
        self.activity(CELL, copper("10"), unit="piece", process_class="cell_manufacturing", electricity=[
            line("1", "kWh", supply="grid", geography="US")])  # fmt: skip
        self.pack(line("1", "piece", name="cell", product=CELL))
        model = {
            "sub": PACK,
            "model": "P",
            "plant": {"name": "plant", "country": "US"},
            "chemistry": "LFP",
            "rated_energy": line("100", "kWh"),
            "usable_energy": line("92", "kWh"),
            "cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}],
            "vehicle": {"class": "M1", "obtained": "measured"},
            "warranty": {"years": "8", "obtained": "measured"},
            **({"mass": line(mass)} if mass else {}),
        }
        self.state(PACKER, BATTERY_MODEL, model)

    def scenario(self, **claims: Any) -> None:
        self.state(PACKER, LIFE_CYCLE_SCENARIO, {"sub": PACK, "basis": "the contracts of 2026", **claims})


def of_stage(result: Result, stage: str) -> float | None:
    return result.footprint.stages.get(stage)


def test_worked_example_j() -> None:
    """The example's 323.272 comes of factors with more digits than it prints: 92.4492 + 230.8215 = 323.2707."""
    market = Market()
    market.scenario(distribution=[TRUCK, SHIP])
    for rule_set in (CHINA, EUROPE):
        result = market.compute(PACK, rule_set)
        assert of_stage(result, "distribution") == pytest.approx(323.272, rel=5e-6)
        assert sorted(p.kg_co2e for p in result.footprint.contributions if p.burden.stage == "distribution") == (
            pytest.approx([92.449, 230.822], rel=5e-6)
        )
    assert (of_stage(result, "distribution") or 0) / 100 == pytest.approx(3.2327, abs=5e-5)
    assert "distribution" not in {gap.where for gap in result.gaps}


def test_a_forecast_says_so_everywhere() -> None:
    market = Market()
    market.scenario(distribution=[TRUCK], materials=[nickel(amount="648.630")])
    result = market.compute(PACK, CHINA)
    found = document(result)
    assert {stage["id"]: stage["forecast"] for stage in found["stages"]} == {
        "material_acquisition": False, "manufacturing": False, "distribution": True, "recycling": True,
    }  # fmt: skip
    forecasts = [part for part in found["contributions"] if part.get("forecast")]
    assert {part["line"].partition("/")[0] for part in forecasts} == {"distribution", "materials"}
    assert {part["obtained"] for part in forecasts} == {"forecast, estimated"}
    assert float(found["obtained_percent"]["forecast, estimated"]) > 0
    assert any("distribution: " in text and "(with forecasts)" in text for text in lines_of_text(found))
    assert heading(result) == "complete"
    # A forecast is nobody's primary data, however its maker came to it.
    assert all(
        part.burden.activity_primary == 0
        for part in result.footprint.contributions
        if part.burden.origin.get("forecast")
    )


def test_three_ways_of_counting_the_end_of_life() -> None:
    """China: 0.9 x 1.2 + 0.1 x 0.05. The EU draft with A 0.5: half of recycling and credit, half of the gain by recycled content."""
    market = Market()
    market.scenario(materials=[nickel()])
    china, europe = market.compute(PACK, CHINA), market.compute(PACK, EUROPE)
    assert of_stage(china, "recycling") == pytest.approx(0.9 * 1.2 + 0.1 * 0.05)
    assert of_stage(europe, "end_of_life") == pytest.approx(0.5 * 0.9 * (1.2 - 9) + 0.1 * 0.05)
    assert of_stage(europe, "raw_material") == pytest.approx(10 * COPPER + 0.5 * 0.3 * (10 - 1))
    market.scenario(materials=[nickel(allocation="0.2")])
    assert of_stage(market.compute(PACK, EUROPE), "end_of_life") == pytest.approx(-5.611)
    cut_off = json.loads(rule_set_bytes(CHINA.id))
    cut_off["end_of_life"]["method"] = "recycled_content"
    result = market.compute(PACK, RuleSet.read(json.dumps(cut_off).encode()))
    assert of_stage(result, "recycling") == pytest.approx(0.1 * 0.05)


def plastics(**more: Any) -> Claims:
    """10 kg, of which half is burned: 10 kWh per kg, 0.4 as heat and 0.2 as electricity."""
    return {
        **line("10", "kg", "estimated", name="plastics"),
        "recovery_yield": "0",
        "energy_recovered": "0.5",
        "energy_allocation": "0.2",
        "heating_value": line("36", "MJ", "estimated"),
        "heat_efficiency": "0.4",
        "electricity_efficiency": "0.2",
        "energy_recovery": stated("2.5"),
        "heat_replaced": stated("83.333333333333333333", "GJ"),
        "electricity_replaced": stated("0.5", "kWh"),
        "disposal": stated("0.05"),
        **more,
    }


def test_what_is_burned_for_its_energy() -> None:
    """EU: 10 x (0.8 x 0.5 x (2.5 - 4 x 0.3 - 2 x 0.5) + 0.5 x 0.05), 0.3 kg/kWh being 83.3 kg/GJ. China: nothing is taken off."""
    market = Market()
    market.scenario(materials=[plastics()])
    assert of_stage(market.compute(PACK, EUROPE), "end_of_life") == pytest.approx(10 * (0.12 + 0.025))
    assert of_stage(market.compute(PACK, CHINA), "recycling") == pytest.approx(10 * (0.5 * 2.5 + 0.025))
    parts = document(market.compute(PACK, EUROPE))["contributions"]
    (heat,) = [part for part in parts if part["name"] == "plastics: credit for heat"]
    assert (heat["amount_per_unit"], heat["kg_co2e"]) == ("-16", "-4.8")


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("energy_allocation", "the scenario states no energy allocation of plastics"),
        ("energy_recovery", "no factor is stated for energy recovery of plastics"),
        ("heat_replaced", "no factor is stated for heat replaced of plastics"),
    ],
)
def test_what_energy_recovery_lacks_is_a_gap(missing: str, said: str) -> None:
    market = Market()
    market.scenario(materials=[{name: value for name, value in plastics().items() if name != missing}])
    result = market.compute(PACK, EUROPE)
    assert any(gap.where == "end_of_life" and said in gap.what for gap in result.gaps)


@pytest.mark.parametrize(
    ("claims", "error", "said"),
    [
        ({"heating_value": None}, RecordError, "efficiencies go with a heating_value"),
        ({"heat_efficiency": "0.9"}, RecordError, "heat and electricity are more than the heating value"),
        ({"heating_value": line("-1", "MJ")}, RecordError, "a heating value can't be negative"),
        ({"heating_value": line("36", "kg")}, UnitError, "kg is mass"),
    ],
)
def test_energy_that_cannot_be_is_refused(claims: Claims, error: type[Exception], said: str) -> None:
    stated_so = {name: value for name, value in plastics(**claims).items() if value is not None}
    with pytest.raises(error, match=said):
        LifeCycleScenario.draft({"sub": PACK, "basis": "x", "materials": [stated_so]})


def test_more_burned_than_is_left_refuses_the_result() -> None:
    market = Market()
    market.scenario(materials=[plastics(recovery_yield="0.9")])
    with pytest.raises(RefusedError, match="more is recycled and burned"):
        market.compute(PACK, EUROPE)


def test_defaults_of_the_rule_set_are_assumptions() -> None:
    market = Market()
    market.scenario(materials=[nickel()])
    result = market.compute(PACK, EUROPE)
    assert "end of life of nickel: allocation 0.5, the rule set's default" in result.assumptions
    assert "end of life of nickel: collection rate 1, the rule set's default" in result.assumptions
    assert not any("quality out" in text for text in result.assumptions)


def test_what_neither_scenario_nor_rule_set_states_is_a_gap() -> None:
    market = Market()
    claims = nickel()
    del claims["recovery_yield"]
    market.scenario(materials=[claims])
    (gap,) = [gap for gap in market.compute(PACK, CHINA).gaps if gap.where == "recycling" and "yield" in gap.what]
    assert gap.what.endswith("the scenario states no recovery yield of nickel")


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (
            {"distribution": [line("1500", "km", "estimated", mode="inland_waterway")]},
            "no factor for flow 'freight-inland_waterway'",
        ),
        ({"materials": [{**nickel(), "recycling": None}]}, "no factor is stated for recycling of nickel"),
        ({"collection": [TRUCK]}, "states what is collected, and not what becomes of it"),
    ],
)
def test_a_missing_factor_is_a_gap_of_the_stage(claims: Claims, said: str) -> None:
    market = Market()
    market.scenario(
        **{name: [{k: v for k, v in one.items() if v is not None} for one in lines] for name, lines in claims.items()}
    )
    result = market.compute(PACK, CHINA)
    assert any(said in gap.what for gap in result.gaps)
    assert not result.complete


def test_a_leg_without_mass_is_a_gap_unless_the_leg_states_it() -> None:
    market = Market(mass=None)
    market.scenario(distribution=[TRUCK])
    (gap,) = [gap for gap in market.compute(PACK, CHINA).gaps if gap.where == "distribution" and "mass" in gap.what]
    assert "the leg has no mass, and the battery model states none" in gap.what
    market.scenario(distribution=[{**TRUCK, "mass": line("1", "t", "estimated")}])
    assert of_stage(market.compute(PACK, CHINA), "distribution") == pytest.approx(1500 * 0.09502)


def test_a_method_that_ends_at_the_gate_does_not_count_a_scenario() -> None:
    market = Market()
    market.scenario(distribution=[TRUCK], materials=[nickel()])
    result = market.compute(PACK, EVERBATT)
    assert {gap.where for gap in result.gaps} == {"distribution", "recycling"}
    assert not any(part.burden.origin.get("forecast") for part in result.footprint.contributions)


def test_the_newest_scenario_counts() -> None:
    market = Market()
    market.scenario(distribution=[TRUCK, SHIP])
    market.scenario(distribution=[TRUCK])
    assert of_stage(market.compute(PACK, CHINA), "distribution") == pytest.approx(92.449, abs=5e-4)


# -- what can't be true, or is left out ------------------------------------------------------------------------------


def test_a_factor_below_zero_is_refused() -> None:
    for claims in (
        {"distribution": [leg("1500", "road", "-1")]},
        {"materials": [nickel(recycling=stated("-50"))]},
    ):
        with pytest.raises(RecordError, match="a factor below zero would be a credit") as caught:
            LifeCycleScenario.draft({"sub": PACK, "basis": "b", **claims})
        assert "factor" in caught.value.where or caught.value.where.endswith("recycling")


@pytest.mark.parametrize("name", ["quality_in", "quality_out"])
def test_a_ratio_of_qualities_above_one_is_refused(name: str) -> None:
    with pytest.raises(RecordError, match="greater than 1"):
        LifeCycleScenario.draft({"sub": PACK, "basis": "b", "materials": [nickel(**{name: "50"})]})


@pytest.mark.parametrize(
    ("kg", "level"), [("648.63", None), ("655", None), ("680", "soft"), ("720", "hard"), ("100000", "hard")]
)
def test_materials_heavier_than_the_pack(kg: str, level: str | None) -> None:
    market = Market()
    market.scenario(materials=[nickel(amount=kg)])
    findings: tuple[Any, ...]
    try:
        findings = market.compute(PACK, CHINA).findings
    except RefusedError as error:
        findings = error.findings
    found = [one for one in findings if one.gate == "pack_mass"]
    assert [(one.level, one.refuses) for one in found] == ([(level, level == "hard")] if level else [])
    assert all(one.where.endswith("materials") and "648.63" in one.what and one.remedy for one in found)


@pytest.mark.parametrize(("kg", "is_gap"), [("0.000001", True), ("580", True), ("600", False)])
def test_materials_that_leave_most_of_the_pack_out_leave_a_gap(kg: str, is_gap: bool) -> None:
    market = Market()
    market.scenario(distribution=[TRUCK], materials=[nickel(amount=kg)])
    result = market.compute(PACK, CHINA)
    found = [gap for gap in result.gaps if gap.where == "recycling"]
    assert bool(found) is is_gap
    assert result.complete is not is_gap
    assert all("% of the pack's 648.63" in gap.what for gap in found)
    shown = document(result)
    (stage,) = [one for one in shown["stages"] if one["id"] == "recycling"]
    assert (stage["status"] == "incomplete") is is_gap
    assert any("(incomplete" in text for text in lines_of_text(shown)) is is_gap


def test_materials_of_a_pack_without_mass_leave_a_gap() -> None:
    market = Market(mass=None)
    market.scenario(materials=[nickel(amount="600")])
    assert any("whose mass the battery model doesn't state" in gap.what for gap in market.compute(PACK, CHINA).gaps)


def test_credits_above_what_the_materials_emit_are_a_finding() -> None:
    market = Market()
    market.scenario(materials=[nickel(amount="648.63", substituted=stated("1000"))])
    found = [one for one in market.compute(PACK, EUROPE).findings if one.gate == "end_of_life"]
    (finding,) = [one for one in found if one.where == PACK]
    assert finding.level == "hard"
    assert "credits are 262792 kg CO2e" in finding.what
    market.scenario(materials=[nickel(name="copper", amount="2")])
    assert not [one for one in market.compute(PACK, EUROPE).findings if one.gate == "end_of_life"]


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (leg("0", "road", "0.1"), "comes to zero"),
        (leg("1500", "road", "0"), "comes to zero"),
        (leg("0.001", "road", "0.1"), "less than 1 km in all"),
    ],
)
def test_a_leg_of_next_to_nothing_does_not_cover_distribution(one: Claims, said: str) -> None:
    market = Market()
    market.scenario(distribution=[one])
    result = market.compute(PACK, CHINA)
    assert any(said in gap.what for gap in result.gaps if gap.where == "distribution")
    assert heading(result).startswith("partial: 2 of 4 stages")


@pytest.mark.parametrize(("kg", "level"), [("0.001", "hard"), ("600", "soft"), ("640", None), ("800", "soft")])
def test_a_leg_that_carries_another_mass_than_the_pack(kg: str, level: str | None) -> None:
    market = Market()
    market.scenario(distribution=[{**TRUCK, "mass": line(kg)}])
    findings: tuple[Any, ...]
    try:
        findings = market.compute(PACK, CHINA).findings
    except RefusedError as error:
        findings = error.findings
    found = [one for one in findings if one.gate == "pack_mass"]
    assert [one.level for one in found] == ([level] if level else [])
    assert all("distribution/" in one.where for one in found)


def test_nothing_by_the_cut_off_method_is_a_computed_zero_that_says_so() -> None:
    market = Market()
    market.scenario(distribution=[TRUCK], materials=[nickel(amount="648.63", recovery_yield="1")], collection_rate="1")
    cut_off = json.loads(rule_set_bytes(CHINA.id))
    cut_off["end_of_life"]["method"] = "recycled_content"
    result = market.compute(PACK, RuleSet.read(json.dumps(cut_off).encode()))
    assert of_stage(result, "recycling") == 0
    assert "recycling" not in {gap.where for gap in result.gaps}
    (part,) = [part for part in document(result)["contributions"] if part["stage"] == "recycling"]
    assert "0 by the cut-off method" in part["name"]


# -- transport of inputs ---------------------------------------------------------------------------------------------


def test_transport_counts_where_the_materials_do() -> None:
    world = World()
    legs = [
        line("200", "km", mode="rail", mass=line("3", "t"), factor=stated("0.02", "t.km")),
        line("50", "t.km", "assumed", mode="road", factor=stated("0.1", "t.km")),
    ]
    world.activity(SALT, copper("1"), transport=legs)
    result = world.compute(SALT)
    assert result.footprint.total == pytest.approx(COPPER + 12 + 5)
    parts = [part for part in document(result)["contributions"] if part["line"].startswith("transport/")]
    assert [(part["name"], part["stage"], part["obtained"]) for part in parts] == [
        ("transport by rail", "material_acquisition", "measured"),
        ("transport by road", "material_acquisition", "assumed"),
    ]
    assert parts[0]["factor"]["release"] == "stated by https://refiner.example"
    assert result.footprint.activity_primary_share == pytest.approx((COPPER + 12) / (COPPER + 17))


def test_transport_without_a_factor_refuses() -> None:
    world = World()
    world.activity(SALT, transport=[line("50", "t.km", mode="air")])
    with pytest.raises(RefusedError) as caught:
        world.compute(SALT)
    (finding,) = caught.value.findings
    assert (finding.gate, finding.level) == ("missing_factor", "hard")
    assert "transport/" in finding.where
    assert "freight-air" in finding.what
    assert finding.remedy


@pytest.mark.parametrize(
    ("mode", "per_tkm"), [("road", 0.12522), ("rail", 0.03470), ("sea", 0.01977), ("air", 0.66646)]
)
def test_a_leg_takes_the_factor_of_its_mode_and_says_that_it_is_british(mode: str, per_tkm: float) -> None:
    world = World()
    world.activity(SALT, copper("1"), transport=[line("50", "t.km", mode=mode)])
    result = world.compute(SALT, CHINA)
    assert result.footprint.total == pytest.approx(COPPER + 50 * per_tkm)
    assert [text for text in result.assumptions if text.startswith(f"freight-{mode}: proxy: GB for any place")]


@pytest.mark.parametrize("factor", [None, {"flow": "freight-by-foot"}])
def test_a_leg_without_a_factor_in_use_is_refused_at_intake(factor: Claims | None) -> None:
    """As of the releases that the method names: none of them has freight."""
    leg_claims: Claims = {**line("5", "t.km", mode="air"), **({"factor": factor} if factor else {})}
    background = Background((EVERBATT,), (RELEASE,))
    for record in (
        LifeCycleScenario.draft({"sub": PACK, "basis": "b", "distribution": [leg_claims]}),
        ActivityData.draft(
            {
                "sub": SALT,
                "process_class": "material_production",
                "period": {"start": "2026-01-01", "end": "2026-01-31"},
                "outputs": [line("1", "kg", product=SALT)],
                "transport": [leg_claims],
            }
        ),
    ):
        with pytest.raises(MissingFactorError, match="no factor for flow 'freight-") as caught:
            background.check(record)
        assert caught.value.where.endswith("-1/factor/flow")


@pytest.mark.parametrize(
    ("name", "stated_line", "where", "remedy"),
    [
        ("transport", line("5", "t.km", mode="inland_waterway"), "factor/flow", "state the leg's own factor"),
        (
            "electricity",
            line("5", "kWh", supply="direct_line", geography="US", generation="wind"),
            "geography",
            "there are factors for CN alone: use a factor release that has one for this place, or state the supply as grid",
        ),
        ("fuels", line("5", "kWh", flow="diesel"), "unit", "state the amount in a unit of volume"),
    ],
)
def test_what_the_shipped_releases_lack_is_said_at_intake(
    name: str, stated_line: Claims, where: str, remedy: str
) -> None:
    claims: Claims = {
        "sub": SALT,
        "process_class": "material_production",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [line("1", "kg", product=SALT)],
        name: [stated_line],
    }
    with pytest.raises((MissingFactorError, UnitError)) as caught:
        Background.shipped().check(ActivityData.draft(claims))
    assert caught.value.where.endswith(f"/{where}")
    assert caught.value.remedy.startswith(remedy)


def test_a_claimed_quality_counts_where_it_is_worse_than_the_data() -> None:
    """Copper has a global factor of 2022: geography 4 by its facts, and 5 by its maker's claim."""
    world = World()
    ratings = []
    for claimed in ({}, {"quality": {"geography": "5"}}):
        world.activity(SALT, {**copper("1"), **claimed}, site={"name": "works", "country": "CN"})
        found = document(world.compute(SALT))
        ratings.append(found["data_quality"]["ef"])
        assert ("quality" in found["contributions"][0]) == bool(claimed)
    assert ratings[0] == {"technology": "2", "geography": "4", "time": "3", "completeness": "3", "reliability": "1"}
    assert ratings[1] == {**ratings[0], "geography": "5"}
    assert found["data_quality"]["coverage_percent"] == "100"
    assert any(
        text.strip().startswith("data quality 2.8 of 1 (best) to 5 over 100.0 %") for text in lines_of_text(found)
    )


def test_a_claimed_quality_is_not_better_than_the_data_allow() -> None:
    world, best = World(), dict.fromkeys(("technology", "geography", "time", "completeness", "reliability"), "1")
    world.activity(SALT, line("1", "kg", "assumed", name="copper", flow="copper", quality=best))
    found = document(world.compute(SALT))
    # The plant's country isn't known, and the factor is global.
    assert found["data_quality"]["ef"] == {
        "technology": "2",
        "geography": "4",
        "time": "3",
        "completeness": "3",
        "reliability": "5",
    }
    (note,) = [one for one in found["findings"] if one["gate"] == "quality"]
    assert note["level"] == "note"
    assert "reliability 5, not 1" in note["what"]


BAD: dict[str, tuple[Claims, type[Exception], str]] = {
    "a distance without mass": (line("5", "km", mode="road"), RecordError, "no mass"),
    "work with mass": (line("5", "t.km", mode="road", mass=line("1")), RecordError, "holds its mass already"),
    "kilograms": (line("5", "kg", mode="road"), UnitError, "neither a distance nor transport work"),
    "half a factor": (line("5", "t.km", mode="road", factor={"value": "1"}), RecordError, "state value, per and source"),
    "two factors": (
        line("5", "t.km", mode="road", factor={"flow": "x", **stated("1")}), RecordError, "name a background flow, or",
    ),
    "by foot": (line("5", "t.km", mode="foot"), RecordError, "none of"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_leg_out_of_form_is_refused_at_its_place(case: tuple[Claims, type[Exception], str]) -> None:
    leg_claims, kind, said = case
    claims = {
        "sub": SALT,
        "process_class": "material_production",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [line("1", "kg", product=SALT)],
        "transport": [leg_claims],
    }
    with pytest.raises(kind, match=said) as caught:
        ActivityData.draft(claims)
    assert "transport/transport-1" in str(caught.value)


@pytest.mark.parametrize("rate", ["1.1", "-0.1", "all"])
def test_a_rate_out_of_bounds_is_refused(rate: str) -> None:
    with pytest.raises(RecordError) as caught:
        LifeCycleScenario.draft({"sub": PACK, "basis": "b", "collection_rate": rate})
    assert caught.value.where == "collection_rate"

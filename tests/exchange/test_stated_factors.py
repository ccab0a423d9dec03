"""Factors that statements bring along: held against the background, and none of next to nothing covers a stage."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import Finding
from exchange.assembly import Result
from tests.exchange.test_scenario import Market, leg, stated
from tests.exchange.three import CHINA, PACK, SALT, World, copper, line


def treated(recycling: str, disposal: str) -> dict[str, Any]:
    shares = {"recovery_yield": "0.9", "collection_rate": "1"}
    factors = {"recycling": stated(recycling), "disposal": stated(disposal)}
    return {**line("100", "kg", "estimated", name="all"), **shares, **factors}


def assessed(materials: list[dict[str, Any]], factor: str) -> Result:
    market = Market("100")
    market.scenario(materials=materials, distribution=[leg("1500", "road", factor)])
    return market.compute(PACK, CHINA)


def of_gate(result: Result, gate: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.gate == gate]


@pytest.mark.parametrize("factor", ["0", "0.000000000001", "0.00001"])
def test_treatment_and_legs_of_next_to_nothing_cover_no_stage(factor: str) -> None:
    result = assessed([treated(factor, factor)], factor)
    assert {gap.where for gap in result.gaps} >= {"distribution", "recycling"}
    (finding,) = of_gate(result, "plausible_range")
    assert (finding.level, finding.where.endswith("/factor")) == ("hard", True)
    assert [one.level for one in of_gate(result, "end_of_life")] == (["soft", "soft"] if factor == "0" else [])


def test_factors_like_the_background_s_cover_their_stages_without_a_word() -> None:
    result = assessed([treated("1", "0.02")], "0.1")
    assert not {"distribution", "recycling"} & {gap.where for gap in result.gaps}
    assert (of_gate(result, "plausible_range"), of_gate(result, "end_of_life")) == ([], [])


@pytest.mark.parametrize(("mode", "factor"), [("road", "0.65"), ("sea", "0.0031"), ("air", "5.1")])
def test_what_any_vehicle_of_the_mode_emits_is_without_a_finding(mode: str, factor: str) -> None:
    world = World()
    carried = line("1000", "km", mode=mode, mass=line("2"), factor=stated(factor, "t.km"))
    world.activity(SALT, copper("1"), transport=[carried])
    assert of_gate(world.compute(SALT, CHINA), "plausible_range") == []


@pytest.mark.parametrize(
    ("mode", "factor", "level"), [("road", "0", "hard"), ("road", "0.025", "soft"), ("inland_waterway", "0", "soft")]
)
def test_an_inbound_leg_s_own_factor_is_held_against_the_background(mode: str, factor: str, level: str) -> None:
    world = World()
    carried = line("1000", "km", mode=mode, mass=line("2000"), factor=stated(factor, "t.km"))
    world.activity(SALT, copper("1"), transport=[carried])
    (finding,) = of_gate(world.compute(SALT, CHINA), "plausible_range")
    assert (finding.level, finding.refuses) == (level, False)
    assert finding.where.endswith("/factor")

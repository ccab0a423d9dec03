"""Electricity is of the country in which its meter stands, or the result says that it isn't."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import RuleSet
from tests.exchange.three import CHINA, EUROPE, EVERBATT, PACK, SALT, World, copper, power


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("rule_set", "site", "grid", "level"),
    [
        (CHINA, {"name": "p", "country": "CN", "grid": "CN"}, "NO", "hard"),
        (EUROPE, {"name": "p", "country": "CN", "grid": "NO"}, "NO", "hard"),
        (EVERBATT, {"name": "p", "country": "CN"}, "US-CA", "soft"),
    ],
)
def test_a_grid_outside_the_site_s_country_is_a_finding(
    world: World, rule_set: RuleSet, site: dict[str, Any], grid: str, level: str
) -> None:
    world.activity(SALT, copper("1"), electricity=[power("10", grid)], site=site)
    (finding,) = [one for one in world.compute(SALT, rule_set).findings if "site is in CN" in one.what]
    assert (finding.gate, finding.level, finding.refuses) == ("electricity", level, False)
    assert "electricity/" in finding.where
    assert f"stated as of {grid}" in finding.what


@pytest.mark.parametrize("grid", ["US", "US-CA"])
def test_a_grid_of_the_site_s_country_is_none(world: World, grid: str) -> None:
    world.activity(SALT, electricity=[power("10", grid)], site={"name": "p", "country": "US", "grid": "US-CA"})
    assert world.compute(SALT).findings == ()


def test_without_site_a_pack_s_grid_is_that_of_the_plant_in_its_battery_model(world: World) -> None:
    world.pack(copper("1"))
    world.activity(PACK, unit="piece", process_class="pack_assembly", electricity=[power("10", "NO")])
    found = [one for one in world.compute(PACK, CHINA).findings if "site is in US" in one.what]
    assert [one.level for one in found] == ["hard"]

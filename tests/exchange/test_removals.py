"""Biogenic CO2 that is taken up stays within what the products can hold."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import Finding, load_rule_set
from exchange.assembly import RefusedError, Result
from tests.exchange.three import CHINA, SALT, Claims, World, copper, line

ISO = load_rule_set("iso-14067-cradle-to-gate")


@pytest.fixture
def world() -> World:
    return World()


def biogenic(amount: str, **more: Any) -> Claims:
    return line(amount, gas="CO2", origin="biogenic", **more)


def balance(result: Result) -> list[Finding]:
    return [one for one in result.findings if one.gate == "element_balance"]


@pytest.mark.parametrize("formula", ["", "MgSO4"])
def test_more_than_the_product_can_hold_refuses_where_it_counts(world: World, formula: str) -> None:
    world.activity(SALT, copper("2"), direct_emissions=[biogenic("50", removal=True)], formula=formula)
    held = "3.66" if not formula else "0 kg"
    with pytest.raises(RefusedError, match=f"can hold the carbon of {held}"):
        world.compute(SALT, ISO)
    (finding,) = balance(world.compute(SALT, CHINA))
    assert (finding.level, finding.refuses) == ("hard", False)


@pytest.mark.parametrize(
    ("formula", "lines"),
    [
        ("", [biogenic("3", removal=True)]),
        ("C3H4O3", [biogenic("1.4", removal=True)]),
        ("MgSO4", [biogenic("50", removal=True), biogenic("50")]),
    ],
)
def test_what_stays_in_the_product_or_is_given_off_again_passes(
    world: World, formula: str, lines: list[Claims]
) -> None:
    world.activity(SALT, copper("2"), direct_emissions=lines, formula=formula)
    assert balance(world.compute(SALT, ISO)) == []


def test_pieces_without_mass_bound_nothing_and_that_is_said(world: World) -> None:
    world.activity(SALT, copper("2"), direct_emissions=[biogenic("1", removal=True)], unit="piece")
    (finding,) = balance(world.compute(SALT, ISO))
    assert (finding.level, "states no mass" in finding.what) == ("soft", True)


def test_a_total_below_zero_is_a_finding(world: World) -> None:
    world.activity(SALT, copper("0.1"), direct_emissions=[biogenic("3", removal=True)])
    result = world.compute(SALT, ISO)
    assert result.footprint.total < 0
    (finding,) = [one for one in result.findings if one.gate == "total"]
    assert (finding.level, finding.where) == ("soft", SALT)

"""What a month closes with is what the next one opens with."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import Finding, load_release
from exchange.assembly import Demand, compute
from exchange.evidence import Evidence
from exchange.kinds import load_policy
from exchange.report import document
from tests.exchange.three import CELL, CHINA, SALT, World, copper, of
from tests.simulator import ORIGIN

FEBRUARY = {"start": "2026-02-01", "end": "2026-02-28"}
MARCH = {"start": "2026-03-01", "end": "2026-03-31"}


@pytest.fixture
def world() -> World:
    world = World()
    world.activity(SALT, copper("2"))
    return world


def stock(world: World) -> list[Finding]:
    return [finding for finding in world.compute(CELL, CHINA).findings if finding.gate == "stock"]


@pytest.mark.parametrize("opening", [{"opening": "0", "closing": "9.99"}, {}], ids=["nothing", "not stated"])
@pytest.mark.parametrize("first", ["January", "February"])
def test_stock_that_vanishes_between_months_is_found(world: World, opening: dict[str, Any], first: str) -> None:
    def january() -> None:
        world.activity(CELL, of(SALT, "10", opening="0", closing="9.99"))

    def february() -> None:
        world.activity(CELL, of(SALT, "10", **opening), period=FEBRUARY)

    for state in (january, february) if first == "January" else (february, january):
        state()
    (finding,) = stock(world)
    assert (finding.level, finding.where) == ("hard", CELL)
    assert f"{SALT}: entry" in finding.what
    assert "closes with 9.99 kg" in finding.what


@pytest.mark.parametrize("opening", ["9.99", "10"])
def test_stock_that_is_carried_over_is_without_a_word(world: World, opening: str) -> None:
    world.activity(CELL, of(SALT, "10", opening="0", closing="9.99"))
    world.activity(CELL, of(SALT, "10", opening=opening, closing="1"), period=FEBRUARY)
    assert stock(world) == []


def test_months_that_do_not_follow_on_each_other_are_not_compared(world: World) -> None:
    world.activity(CELL, of(SALT, "10", opening="0", closing="9.99"))
    world.activity(CELL, of(SALT, "10", opening="0", closing="1"), period=MARCH)
    assert stock(world) == []


def test_of_a_restated_month_the_newest_is_compared(world: World) -> None:
    world.activity(CELL, of(SALT, "10", opening="0", closing="9.99"))
    world.activity(CELL, of(SALT, "10", opening="0", closing="2"))
    world.activity(CELL, of(SALT, "10", opening="2", closing="1"), period=FEBRUARY)
    assert stock(world) == []


@pytest.mark.parametrize("last", ["2", "9.99"])
def test_whoever_holds_no_more_than_a_result_names_finds_the_same(world: World, last: str) -> None:
    world.activity(SALT, copper("3"), period=FEBRUARY)
    for closing in ("9.99", last):
        world.activity(CELL, of(SALT, "10", opening="0", closing=closing))
    world.activity(CELL, of(SALT, "10", opening="2", closing="1"), period=FEBRUARY)
    result = world.compute(CELL, CHINA)
    named = Evidence(ORIGIN, result.snapshot, result.inputs)
    releases = [load_release(name) for name in CHINA.factor_releases]
    again = compute(named, Demand(CELL), CHINA, releases, load_policy())
    assert document(again) == document(result)

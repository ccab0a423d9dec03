"""A heavy residue that is worth nothing takes no lines off the product without a word."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import Finding, RuleSet
from tests.exchange.three import CHINA, EUROPE, REFINER, SALT, Claims, World, copper, line, power

SLAG = f"{REFINER}/slag"


@pytest.fixture
def world() -> World:
    return World()


def price(amount: str) -> Claims:
    return {"price": {"amount": amount, "currency": "CNY", "per": "kg"}}


def found(world: World, ours: Claims, other: Claims, rule_set: RuleSet = CHINA, key: str = "mass") -> list[Finding]:
    outputs = [line("1", product=SALT, **ours), line(product=SLAG, **{"amount": "99", **other})]
    more: dict[str, Any] = {"electricity": [power("10", "CN")], "allocation": {"key": key, "reason": "by the book"}}
    world.activity(SALT, copper("2"), outputs=outputs, **more)
    return [one for one in world.compute(SALT, rule_set).findings if one.gate == "allocation" and one.level == "soft"]


@pytest.mark.parametrize("rule_set", [CHINA, EUROPE])
def test_a_heavy_output_without_price_is_found(world: World, rule_set: RuleSet) -> None:
    (finding,) = found(world, {}, {}, rule_set)
    assert "outputs/" in finding.where
    assert f"by mass {SLAG} bears 99 % of the lines; another output bears 1 %, and no prices" in finding.what


def test_a_heavy_output_that_sells_for_next_to_nothing_is_found(world: World) -> None:
    (finding,) = found(world, price("100"), price("0.01"))
    assert f"{SLAG} bears 99 % of the lines; by price it would bear 0.98" in finding.what


@pytest.mark.parametrize(
    ("ours", "other"),
    [(price("100"), price("90")), ({}, {"amount": "5"})],
    ids=["worth as much", "as heavy"],
)
def test_products_of_like_worth_or_mass_are_without_a_finding(world: World, ours: Claims, other: Claims) -> None:
    assert found(world, ours, other) == []


def test_what_is_split_by_price_needs_no_word(world: World) -> None:
    assert [one for one in found(world, price("100"), price("0.01"), key="economic") if "by price" in one.what] == []

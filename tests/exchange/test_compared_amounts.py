"""Amounts that come to zero, and amounts of a bill and of record in different dimensions."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import Finding
from exchange.assembly import RefusedError, Result
from tests.exchange.three import CELL, CHINA, REFINER, SALT, World, copper, line, of, power


@pytest.fixture
def world() -> World:
    return World()


def of_gate(result: Result, gate: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.gate == gate]


@pytest.mark.parametrize(
    "claims",
    [
        {"inputs": [copper("0")]},
        {"inputs": [], "electricity": [power("0", "US")]},
        {"inputs": [], "direct_emissions": [line("0", gas="CO2", origin="fossil")]},
        {"inputs": [copper("10", opening="0", closing="10")]},
    ],
)
def test_a_process_whose_amounts_come_to_zero_is_found(world: World, claims: dict[str, Any]) -> None:
    entry = world.activity(SALT, **claims)
    (finding,) = of_gate(world.compute(SALT), "nothing_stated")
    assert (finding.level, finding.where) == ("soft", f"{SALT} (entry {entry.index})")
    assert "every amount in its lines comes to zero" in finding.what


def test_a_bill_of_nothing_is_no_more_than_no_bill(world: World) -> None:
    world.activity(CELL)
    world.bill(CELL, copper("0"))
    assert [one.level for one in of_gate(world.compute(CELL), "nothing_stated")] == ["soft"]


@pytest.mark.parametrize("claims", [{"inputs": [copper("0"), copper("1")]}, {"inputs": [copper("1")]}])
def test_one_amount_above_zero_is_enough(world: World, claims: dict[str, Any]) -> None:
    world.activity(SALT, **claims)
    assert of_gate(world.compute(SALT), "nothing_stated") == []


def state_pieces(world: World, mass: str | None, consumed: str) -> None:
    output = line("1", "piece", product=SALT)
    if mass is not None:
        output["mass"] = line(mass)
    world.activity(SALT, copper("1000"), outputs=[output])
    world.activity(CELL, of(SALT, consumed, "piece"))
    world.bill(CELL, of(SALT, "10"))


def test_a_bill_in_another_dimension_than_the_activity_data_is_a_finding(world: World) -> None:
    state_pieces(world, None, "0.001")
    (finding,) = of_gate(world.compute(CELL, CHINA), "consumption")
    assert finding.level == "soft"
    assert "different dimensions (kg, piece): the two can't be compared" in finding.what


def test_a_stated_mass_per_piece_makes_them_comparable(world: World) -> None:
    state_pieces(world, "10", "0.001")
    with pytest.raises(RefusedError, match=r"0\.01 kg against 10 kg"):
        world.compute(CELL, CHINA)


def test_pieces_of_the_mass_in_the_bill_are_without_a_finding(world: World) -> None:
    state_pieces(world, "10", "1")
    result = world.compute(CELL, CHINA)
    assert of_gate(result, "consumption") == []
    assert [one.level for one in of_gate(result, "precedence")] == ["note"]


@pytest.mark.parametrize(("masses", "comparable"), [(("10", "10"), True), (("10", "1"), False)])
def test_suppliers_whose_pieces_weigh_otherwise_leave_nothing_to_compare(
    world: World, masses: tuple[str, str], comparable: bool
) -> None:
    products = (SALT, f"{REFINER}/other")
    for product, mass in zip(products, masses, strict=True):
        world.activity(product, copper("1"), outputs=[line(mass, product=product, pieces=line("1", "piece"))])
    world.activity(CELL, *(of(product, "10") for product in products))
    shares = [{"component": "part", "product": product, "share": "0.5"} for product in products]
    world.bill(CELL, of(SALT, "2", "piece", id="part"), supplier_shares=shares)
    found = of_gate(world.compute(CELL, CHINA), "consumption")
    assert [one.level for one in found] == ([] if comparable else ["soft"])

"""What an assembly refuses, with the place and a remedy."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bom_graph import RuleSet
from exchange.assembly import Demand, RefusedError, compute
from exchange.kinds import load_policy
from exchange.report import document
from tests.exchange.three import (
    CELL,
    COPPER,
    EUROPE,
    EVERBATT,
    PACK,
    REFINER,
    RELEASE,
    SALT,
    Claims,
    World,
    copper,
    line,
    of,
    power,
)


@pytest.fixture
def world() -> World:
    return World()


def refused(world: World, product: str, rule_set: RuleSet = EVERBATT) -> tuple[str, str, str]:
    """Gate, place and text of the one refusing finding."""
    with pytest.raises(RefusedError) as caught:
        world.compute(product, rule_set)
    (finding,) = caught.value.findings
    assert finding.level == "hard"
    return finding.gate, finding.where, finding.what


def test_a_citation_of_another_product_is_refused(world: World) -> None:
    other = world.activity(f"{REFINER}/other", copper("2"))
    world.activity(SALT, copper("2"))
    entry = world.activity(CELL, of(SALT, "3", citation=world.cite(other), id="a"))
    gate, where, what = refused(world, CELL)
    assert (gate, where) == ("citation", f"{CELL} (entry {entry.index}) inputs/a")
    assert "another product" in what


def test_a_missing_factor_is_refused_with_flow_and_place(world: World) -> None:
    entry = world.activity(CELL, line("1", name="unobtainium", flow="unobtainium", id="u"))
    gate, where, what = refused(world, CELL)
    assert (gate, where) == ("missing_factor", f"{CELL} (entry {entry.index}) inputs/u")
    assert "'unobtainium'" in what
    assert "everbatt-2023" in what


def test_electricity_of_a_place_without_factor_is_refused(world: World) -> None:
    world.activity(CELL, electricity=[{**power("1", "JP-13"), "id": "e"}])
    gate, where, what = refused(world, CELL)
    assert gate == "missing_factor"
    assert "electricity/e" in where
    assert "JP-13" in what


NICKEL = 6866536.486182 / 907185


def nickel(amount: str, formula: str, name: str = "nickel", **basis: Any) -> Claims:
    return line(amount, name=name, flow="nickel-sulfate", composition={"formula": formula, **basis})


@pytest.mark.parametrize(
    ("stated", "kg"),
    [
        # Worked example E: read as anhydrous, it would add 5.06 kg per kilogram of cathode.
        (nickel("1.627085", "NiSO4.6H2O"), 0.957928),
        (nickel("1", "NiSO4", moisture_percent="12"), 0.88),
        (nickel("1", "NiSO4.6H2O", content_of="Ni"), 154.749 / 58.693),
    ],
    ids=["hexahydrate", "moist", "nickel content"],
)
def test_an_amount_on_another_basis_is_restated_with_a_note(world: World, stated: Claims, kg: float) -> None:
    world.activity(CELL, stated)
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(kg * NICKEL, rel=4e-5)
    (note,) = [one for one in result.findings if one.gate == "composition"]
    assert note.level == "note"
    assert "molar masses" in note.what
    (part,) = document(result)["contributions"]
    assert part["restated"] == note.what


def test_a_hydrate_of_a_supplier_s_anhydrous_salt_is_restated(world: World) -> None:
    world.activity(SALT, copper("1"), formula="NiSO4")
    world.activity(CELL, of(SALT, "1.627085", composition={"formula": "NiSO4.6H2O"}))
    assert world.compute(CELL).footprint.total == pytest.approx(0.957928 * COPPER, rel=4e-5)


def test_a_supplier_s_moist_product_is_taken_dry(world: World) -> None:
    """One kilogram with 20 % moisture is 0.8 kg of salt: each dry kilogram bears 1.25 times what was put in."""
    world.activity(
        SALT, copper("1"), outputs=[line("1", product=SALT, composition={"formula": "NiSO4", "moisture_percent": "20"})]
    )
    world.activity(CELL, of(SALT, "2", composition={"formula": "NiSO4"}))
    assert world.compute(CELL).footprint.total == pytest.approx(2 * 1.25 * COPPER, rel=1e-12)


@pytest.mark.parametrize(
    ("basis", "taken", "total"),
    [
        ({"formula": "NiSO4", "content_of": "Ni"}, {"formula": "NiSO4"}, 10 * 58.693 / 154.749),
        ({"formula": "NiSO4", "content_of": "Ni"}, {"formula": "NiSO4", "content_of": "Ni"}, 10),
        ({"formula": "NiSO4", "moisture_percent": "50"}, {"formula": "NiSO4"}, 20),
    ],
    ids=["per metal content, taken as salt", "both per metal content", "moist, taken dry"],
)
def test_a_signed_footprint_counts_by_the_basis_of_its_declared_unit(
    world: World, basis: Claims, taken: Claims, total: float
) -> None:
    world.footprint(SALT, composition=basis)
    world.activity(CELL, of(SALT, "1", composition=taken))
    assert world.compute(CELL).footprint.total == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize("signed", [True, False], ids=["signed footprint", "activity data"])
def test_a_supplier_s_salt_without_stated_basis_is_said_to_be_taken_as_the_supplier_s(
    world: World, signed: bool
) -> None:
    if signed:
        world.footprint(SALT, composition={"formula": "NiSO4.6H2O"})
    else:
        world.activity(SALT, copper("1"), formula="NiSO4.6H2O")
    entry = world.activity(CELL, of(SALT, "1", id="salt"))
    (finding,) = (one for one in world.compute(CELL).findings if one.gate == "hydrate")
    assert (finding.level, finding.refuses) == ("soft", False)
    assert finding.where == f"{CELL} (entry {entry.index}) inputs/salt"
    assert finding.what == f"no composition is stated: the amount of {SALT} is taken as NiSO4.6H2O"


def test_another_substance_is_refused_and_not_restated(world: World) -> None:
    world.activity(CELL, nickel("1", "CoSO4.7H2O"))
    gate, where, what = refused(world, CELL)
    assert gate == "composition"
    assert "inputs/" in where
    assert "CoSO4.7H2O" in what
    assert "another substance" in what


@pytest.mark.parametrize("name", ["Nickel sulfate hexahydrate", "NiSO4 6H2O", "六水硫酸镍"])
def test_a_hydrate_taken_for_the_anhydrous_salt_is_refused(world: World, name: str) -> None:
    world.activity(CELL, {**nickel("1.627085", "NiSO4", name), "id": "salt"})
    gate, where, what = refused(world, CELL)
    assert (gate, where.endswith("inputs/salt")) == ("hydrate", True)
    assert "speaks of 6 H2O, the formula NiSO4 has none" in what


def test_a_salt_without_stated_basis_is_said_to_be_taken_as_the_factor_s(world: World) -> None:
    world.activity(CELL, line("2", name="nickel", flow="nickel-sulfate"))
    result = world.compute(CELL)
    (finding,) = [one for one in result.findings if one.gate == "hydrate"]
    assert (finding.level, finding.refuses) == ("soft", False)
    assert "taken as NiSO4" in finding.what
    assert "state the composition" in finding.remedy


def test_the_stated_composition_may_be_the_factor_s(world: World) -> None:
    world.activity(CELL, line("2", name="nickel", flow="nickel-sulfate", composition={"formula": "NiSO4"}))
    assert world.compute(CELL).footprint.total == pytest.approx(2 * 6866536.486182 / 907185, rel=1e-12)


def test_a_component_counted_otherwise_than_its_supplier_makes_it_is_refused(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(CELL)
    world.bill(CELL, of(SALT, "3", "piece", id="c"))
    gate, where, what = refused(world, CELL)
    assert gate == "units"
    assert where.endswith("components/c")
    assert what == "piece is pieces, kg is mass"


def test_a_flow_in_another_dimension_than_its_factor_is_refused(world: World) -> None:
    world.activity(CELL, copper("3", "L", id="c"))
    gate, where, _ = refused(world, CELL)
    assert gate == "units"
    assert where.endswith("inputs/c")


def test_a_bill_per_piece_beside_activity_data_per_kilogram_is_refused(world: World) -> None:
    world.activity(CELL)
    world.bill(CELL, copper("3"), unit="piece")
    assert refused(world, CELL)[0] == "units"


def test_a_pack_counted_in_kilograms_is_refused(world: World) -> None:
    """The denominator is the energy of one pack."""
    world.pack(copper("3"), unit="kg")
    gate, where, what = refused(world, PACK)
    assert (gate, where) == ("units", PACK)
    assert "one pack" in what


def test_a_battery_model_without_what_the_rule_set_divides_by_is_refused(world: World) -> None:
    world.pack(copper("3"))
    gate, where, what = refused(world, PACK, EUROPE)
    assert (gate, where) == ("delivered_energy", "usable_energy")
    assert "missing" in what


def test_all_refusals_come_at_once(world: World) -> None:
    world.activity(CELL, line("1", name="x", flow="x"), line("1", name="y", flow="y"), copper("1", "L"))
    with pytest.raises(RefusedError) as caught:
        world.compute(CELL)
    assert sorted(finding.gate for finding in caught.value.findings) == ["missing_factor", "missing_factor", "units"]


def test_an_unknown_product_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="no statement about this product"):
        world.compute(CELL)


def test_a_release_that_the_rule_set_does_not_name_is_refused(world: World) -> None:
    world.activity(CELL, copper("1"))
    other = RELEASE.model_copy(update={"id": "other-2024"})
    with pytest.raises(RefusedError, match="other-2024"):
        compute(world.evidence(), Demand(CELL), EVERBATT, [other], load_policy())


def test_amounts_beyond_all_bounds_are_refused(world: World) -> None:
    products = [f"{REFINER}/{n}" for n in range(6)]
    world.activity(products[0], copper("9E99"))
    for lower, upper in pairwise(products):
        world.activity(upper, of(lower, "9E99"))
    gate, _, what = refused(world, products[-1])
    assert gate == "units"
    assert "too large" in what


def test_two_bills_that_hold_each_other_are_refused_by_name(world: World) -> None:
    other = f"{REFINER}/part"
    world.bill(CELL, of(other, "1"))
    world.bill(other, of(CELL, "1"))
    world.pack(of(CELL, "1"))
    gate, where, what = refused(world, PACK)
    assert gate == "loop"
    assert where in (f"{CELL} > {other} > {CELL}", f"{other} > {CELL} > {other}")
    assert "at or above what it makes" in what


def test_scrap_that_returns_is_computed(world: World) -> None:
    """A cell takes 1 kg of cathode, which takes 0.2 of a cell's scrap: 1 / (1 - 0.2) of the copper in it."""
    other = f"{REFINER}/cathode"
    world.activity(CELL, of(other, "1"))
    world.activity(other, copper("2"), of(CELL, "0.2"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(2 * COPPER / 0.8, rel=1e-12)

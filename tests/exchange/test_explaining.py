"""A stored result explains itself: the same tree as its system, traces down to the ledger, and what leads from one to another."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bom_graph import Explanation
from exchange.assembly import Result
from exchange.errors import UsageError
from exchange.explaining import difference, explanation_of, figures_of, trace
from exchange.report import document
from tests.connectors.supply_chain import SupplyChain
from tests.exchange.three import CELL, COPPER, SALT, World, copper, line

CHINA, EVERBATT = "cn-miit-551-trial", "everbatt-2023-cradle-to-gate"
Document = dict[str, Any]


@pytest.fixture(scope="module")
def results() -> dict[str, Result]:
    """The NMC622 pack with its recipe, cells from China and from California."""
    chain = SupplyChain()
    packs = {place: chain.pack("NMC622", place, "recipe") for place in ("China", "California")}
    made = {place: chain.result(pack) for place, pack in packs.items()}
    return {**made, "China by other rules": chain.result(packs["China"], CHINA)}


def test_a_document_gives_the_tree_of_its_system(results: dict[str, Result]) -> None:
    result = results["China"]
    ours = Explanation(result.system).tree()
    theirs = explanation_of(document(result)).tree()
    assert [(row.name, row.kind, row.depth) for row in theirs] == [(row.name, row.kind, row.depth) for row in ours]
    assert [row.total for row in theirs] == pytest.approx([row.total for row in ours], rel=1e-9)
    assert theirs[0].total == pytest.approx(result.footprint.total, rel=1e-9)


def test_a_cathode_with_its_recipe_instead_of_a_published_factor_is_named() -> None:
    """Packs and cells have other names on either side, and the cathode is all that differs."""
    chain = SupplyChain()
    before, after = (
        document(chain.result(chain.pack("NMC622", "China", cathode))) for cathode in ("published_factor", "recipe")
    )
    bars = difference(before, after).bars
    assert [(bar.cause, bar.what) for bar in bars] == [
        ("line removed", "NMC622 active cathode material"),
        ("input added", "https://cathodes.example/NMC622"),
    ]
    assert {bar.where for bar in bars} == {"https://cells.example/NMC622-China-published_factor"}


def test_another_cell_plant_is_its_electricity(results: dict[str, Result]) -> None:
    """The cells differ by name and stand at the same place in the pack: they differ by grid alone."""
    found = difference(document(results["California"]), document(results["China"]))
    assert math.fsum(bar.amount for bar in found.bars) == pytest.approx(found.after - found.before, rel=1e-9)
    assert {(bar.cause, bar.what) for bar in found.bars} == {("factor", "electricity")}


def test_other_rules_are_told_apart(results: dict[str, Result]) -> None:
    found = difference(document(results["China"]), document(results["China by other rules"]))
    assert {(bar.cause, bar.what) for bar in found.bars} == {("rule", "kWh"), ("rule", "electricity")}
    assert found.bars[0].where == "denominator"
    assert (found.bars[0].before, found.bars[0].after) == ("100", "90000")


def test_a_newer_statement_is_the_line_that_it_changed() -> None:
    """The salt's copper goes from 2 to 3 kg, in a statement with other line ids."""
    world = World()
    documents = []
    for amount in ("2", "3"):
        world.activity(SALT, copper(amount))
        world.activity(CELL, line("4", name="salt", product=SALT), copper("1"))
        documents.append(document(world.compute(CELL)))
    (bar,) = difference(*documents).bars
    assert (bar.cause, bar.where, bar.what, bar.before, bar.after) == ("line", SALT, "copper", "2", "3")
    assert bar.amount == pytest.approx(4 * COPPER, rel=1e-9)


def test_a_sealed_branch_stays_sealed() -> None:
    world = World()
    world.footprint(SALT)
    world.activity(CELL, line("4", name="salt", product=SALT))
    rows = explanation_of(document(world.compute(CELL))).tree()
    sealed = [row for row in rows if row.is_sealed and row.kind == "product"]
    assert [(row.name, row.total, row.upstream) for row in sealed] == [(SALT, 40.0, 0.0)]
    assert [row.name for row in rows if row.parent == sealed[0].number] == [
        "signed footprint, stage material_acquisition",
        "signed footprint, stage manufacturing",
    ]


def test_every_figure_is_traced_to_signer_entry_and_factor(results: dict[str, Result]) -> None:
    found = document(results["China"])
    headline = trace(found, "headline")
    assert headline.formula.startswith(found["total"]["value"])
    assert (
        dict(headline.facts)["release"] == f"everbatt-2023 1, {found['releases'][0]['digest']}, came with the software"
    )
    (total,) = headline.parts
    assert len(total.parts) == len(found["contributions"])
    for figure in figures_of(found):
        if not figure.startswith("contributions/"):
            continue
        one, part = trace(found, figure), found["contributions"][int(figure.partition("/")[2])]
        facts = dict(one.facts)
        assert facts["signed by"] == part["signer"]
        assert (
            facts["ledger entry"] == f"{part['entry']} of {found['snapshot']['origin']}, leaf hash {part['leaf_hash']}"
        )
        if "factor" in part:
            assert facts["factor"].startswith(f"{part['factor']['row']} of everbatt-2023 1, ")
        assert computed(one.formula) == pytest.approx(float(one.value), rel=1e-9)


def computed(formula: str) -> float:
    """The product of a formula's numbers."""
    return math.prod(float(step.split()[0]) for step in formula.split(" x "))


def test_stages_add_up_their_lines(results: dict[str, Result]) -> None:
    found = document(results["China"])
    for stage in ("material_acquisition", "manufacturing"):
        traced = trace(found, f"stages/{stage}")
        assert math.fsum(float(part.value) for part in traced.parts) == pytest.approx(float(traced.value), rel=1e-9)


def test_what_cannot_be_explained_is_said(results: dict[str, Result]) -> None:
    found = document(results["China"])
    with pytest.raises(UsageError, match="no figure 'stages/recycling'"):
        trace(found, "stages/recycling")
    with pytest.raises(UsageError, match="take from each other"):
        explanation_of({name: value for name, value in found.items() if name != "links"})
    other = {**found, "headline": {**found["headline"], "unit": "kg CO2e/kg"}}
    with pytest.raises(UsageError, match="kg CO2e/kWh, the other in kg CO2e/kg"):
        difference(found, other)

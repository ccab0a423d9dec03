"""Deliveries: who signs them, inputs that cite them, and consumption compared with them."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import RuleSet, load_release
from exchange.assembly import RefusedError, Result, compute
from exchange.errors import StatementError
from exchange.evidence import Entry
from exchange.kinds import DELIVERY, load_policy
from tests.exchange.three import (
    CELL,
    CHINA,
    COPPER,
    EVERBATT,
    MAKER,
    PACKER,
    REFINER,
    SALT,
    World,
    copper,
    line,
    of,
)

JANUARY = {"start": "2026-01-01", "end": "2026-01-31"}
OTHER_CELL = f"{MAKER}/other-cell"


@pytest.fixture
def world() -> World:
    """One supplier's salt, a kilogram of two kilograms of copper."""
    made = World()
    made.activity(SALT, copper("2"))
    return made


def deliver(world: World, amount: str, unit: str = "kg", *, buyer: str = MAKER, batch: str = "1", **more: Any) -> Entry:
    quantity = line(amount, unit)
    claims = {"sub": SALT, "batch": batch, "quantity": quantity, "buyer": buyer, "date": "2026-01-17", **more}
    return world.state(REFINER, DELIVERY, claims)


def found(result: Result) -> list[tuple[str, str, bool]]:
    return [(one.level, one.where, one.refuses) for one in result.findings if one.gate == "deliveries"]


def strict(rule_set: RuleSet = EVERBATT) -> RuleSet:
    limits = rule_set.gates.deliveries.model_copy(update={"hard_effect": "refuse"})
    return rule_set.model_copy(update={"gates": rule_set.gates.model_copy(update={"deliveries": limits})})


# -- the kind --------------------------------------------------------------------------------------------------------


def test_a_seller_signs_for_its_own_products_only(world: World) -> None:
    """A trader of another's product can't state its deliveries in this version."""
    claims = {"sub": SALT, "batch": "1", "quantity": line("1"), "buyer": PACKER, "date": "2026-01-17"}
    with pytest.raises(StatementError, match="isn't its own") as caught:
        world.state(MAKER, DELIVERY, claims)
    assert (caught.value.where, bool(caught.value.remedy)) == ("sub", True)


@pytest.mark.parametrize("buyer", [f"{MAKER}/", "https://MAKER.example", "https://maker.example/../x"])
def test_a_buyer_has_the_one_spelling_of_organisations(world: World, buyer: str) -> None:
    with pytest.raises(StatementError) as caught:
        deliver(world, "1", buyer=buyer)
    assert caught.value.where == "buyer"


# -- citations -------------------------------------------------------------------------------------------------------


def test_a_line_that_cites_a_delivery_takes_its_seller_s_data(world: World) -> None:
    cited = deliver(world, "3")
    entry = world.activity(CELL, of(SALT, "3", citation=world.cite(cited)))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(3 * 2 * COPPER, rel=1e-12)
    assert result.gaps == ()
    assert result.findings == ()
    assert {cited.index, entry.index} <= {one.index for one in result.inputs}


def test_a_cited_delivery_falls_back_to_its_seller_s_signed_footprint() -> None:
    world = World()
    world.footprint(SALT)
    world.bill(CELL, of(SALT, "3", citation=world.cite(deliver(world, "3"))))
    assert world.compute(CELL).footprint.total == pytest.approx(30, rel=1e-12)


def test_a_delivery_of_a_product_that_nobody_speaks_of_is_a_gap() -> None:
    world = World()
    world.activity(CELL, copper("1"), of(SALT, "3", citation=world.cite(deliver(world, "3"))))
    (gap,) = world.compute(CELL).gaps
    assert f"nothing is known of {SALT}" in gap.what


def test_a_delivery_of_another_product_is_refused(world: World) -> None:
    cited = deliver(world, "3", sub=f"{REFINER}/acid")
    world.activity(CELL, of(SALT, "3", id="salt", citation=world.cite(cited)))
    with pytest.raises(RefusedError) as caught:
        world.compute(CELL)
    (finding,) = caught.value.findings
    assert (finding.gate, finding.where.endswith("inputs/salt")) == ("citation", True)


@pytest.mark.parametrize(
    ("changes", "what"),
    [({"buyer": PACKER}, f"went to {PACKER}"), ({"date": "2026-02-01"}, "is of 2026-02-01")],
    ids=["to somebody else", "after it was consumed"],
)
def test_a_cited_delivery_that_can_t_be_what_was_consumed(world: World, changes: dict[str, str], what: str) -> None:
    cited = deliver(world, "3", **changes)
    entry = world.activity(CELL, of(SALT, "3", id="salt", citation=world.cite(cited)))
    result = world.compute(CELL)
    assert found(result) == [("soft", f"{CELL} (entry {entry.index}) inputs/salt", False)]
    (finding,) = result.findings
    assert what in finding.what
    assert finding.remedy


def test_a_tolled_input_was_delivered_to_the_customer(world: World) -> None:
    cited = deliver(world, "3", buyer=PACKER)
    deliver(world, "100", batch="2")
    world.activity(CELL, of(SALT, "3", tolled=True, citation=world.cite(cited)))
    assert world.compute(CELL).findings == ()


# -- deliveries against consumption ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kg", "level"), [("100", None), ("105", "soft"), ("150", "hard")])
def test_what_was_consumed_is_compared_with_what_was_delivered(world: World, kg: str, level: str | None) -> None:
    deliver(world, "60")
    deliver(world, "40000", "g", batch="2", date="2026-01-31")
    for elsewhere in ({"buyer": PACKER}, {"date": "2026-02-01"}, {"date": "2025-12-31"}, {"sub": f"{REFINER}/acid"}):
        deliver(world, "500", batch="3", **elsewhere)
    entry = world.activity(CELL, of(SALT, kg, id="salt"))
    for rule_set in (EVERBATT, CHINA):
        result = world.compute(CELL, rule_set)
        expected = [] if level is None else [(level, f"{CELL} (entry {entry.index}) inputs/salt", False)]
        assert found(result) == expected


def test_a_change_of_stock_explains_the_difference(world: World) -> None:
    deliver(world, "100")
    world.activity(CELL, of(SALT, "100", opening="50", closing="20"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(130 * 2 * COPPER, rel=1e-12)
    assert found(result) == []


def test_a_rule_set_may_refuse_the_difference(world: World) -> None:
    deliver(world, "100")
    world.activity(CELL, of(SALT, "150"))
    with pytest.raises(RefusedError, match=r"150 kg of .* 100 kg were delivered .*\+50.0 %"):
        world.compute(CELL, strict())


@pytest.mark.parametrize(("is_sealed", "level"), [(False, "soft"), (True, "note")])
def test_a_result_with_such_a_finding_can_be_made_again_from_its_inputs_alone(
    world: World, *, is_sealed: bool, level: str
) -> None:
    deliver(world, "60")
    hidden = deliver(world, "40", batch="2")
    deliver(world, "40", batch="3", buyer=PACKER)
    world.activity(CELL, of(SALT, "100"))
    world.activity(OTHER_CELL, of(SALT, "5"))
    result = world.compute(CELL, sealed={hidden.index: ()} if is_sealed else None)
    assert [one[0] for one in found(result)] == [level]
    evidence = type(world.evidence())(result.origin, result.snapshot, result.inputs)
    releases = [load_release(name) for name in EVERBATT.factor_releases]
    assert compute(evidence, result.demand, EVERBATT, releases, load_policy()) == result


def test_a_delivery_stated_again_corrects_itself(world: World) -> None:
    for amount in ("500", "100"):
        deliver(world, amount)
    deliver(world, "70", batch="2")
    deliver(world, "0", batch="2")
    world.activity(CELL, of(SALT, "100"))
    assert found(world.compute(CELL)) == []


def test_all_processes_of_the_consumer_count(world: World) -> None:
    """And of each the newest statement of the period: the older one of 900 kg is none of it."""
    deliver(world, "100")
    world.activity(OTHER_CELL, of(SALT, "900"))
    world.activity(OTHER_CELL, of(SALT, "40"))
    world.activity(CELL, of(SALT, "60"), of(OTHER_CELL, "1"))
    assert found(world.compute(CELL)) == []
    entry = world.activity(OTHER_CELL, of(SALT, "60", id="salt"))
    (finding,) = [one for one in world.compute(CELL).findings if one.gate == "deliveries"]
    assert "120 kg" in finding.what
    assert f"{CELL} (entry {entry.index - 1})" in finding.where


@pytest.mark.parametrize(
    "seen", [(), ("sub", "batch", "quantity", "date", "contents")], ids=["nothing", "all but the buyer"]
)
def test_a_sealed_delivery_may_be_the_missing_one(world: World, seen: tuple[str, ...]) -> None:
    deliver(world, "50")
    hidden = deliver(world, "50", batch="2")
    world.activity(CELL, of(SALT, "100"))
    result = world.compute(CELL, strict(), sealed={hidden.index: seen})
    (note,) = result.findings
    assert (note.gate, note.level) == ("deliveries", "note")
    assert f"entry {hidden.index}, which isn't wholly disclosed" in note.what
    assert hidden.index in {one.index for one in result.inputs}


@pytest.mark.parametrize(
    ("seen", "other"),
    [("buyer", PACKER), ("date", "2026-03-01"), ("sub", f"{REFINER}/acid")],
    ids=["another buyer", "another day", "another product"],
)
def test_a_sealed_delivery_that_is_known_to_be_another_explains_nothing(world: World, seen: str, other: str) -> None:
    deliver(world, "50")
    hidden = deliver(world, "50", batch="2", **{seen: other})
    world.activity(CELL, of(SALT, "100"))
    assert [one[0] for one in found(world.compute(CELL, sealed={hidden.index: (seen,)}))] == ["hard"]


def test_deliveries_above_consumption_are_found_whatever_else_was_delivered(world: World) -> None:
    deliver(world, "100")
    hidden = deliver(world, "50", batch="2")
    world.activity(CELL, of(SALT, "50"))
    assert [one[0] for one in found(world.compute(CELL, sealed={hidden.index: ()}))] == ["hard"]


@pytest.mark.parametrize("seen", [(), ("sub", "contents", "period", "outputs")], ids=["nothing", "all but its inputs"])
def test_sealed_activity_data_may_hold_what_wasn_t_consumed_here(world: World, seen: tuple[str, ...]) -> None:
    deliver(world, "100")
    hidden = world.activity(OTHER_CELL, of(SALT, "50"))
    world.activity(CELL, of(SALT, "50"))
    (note,) = world.compute(CELL, sealed={hidden.index: seen}).findings
    assert (note.gate, note.level) == ("deliveries", "note")
    assert f"entry {hidden.index}" in note.what


def test_consumption_of_overlapping_other_days_may_hold_it_too(world: World) -> None:
    deliver(world, "100")
    quarter = world.activity(OTHER_CELL, of(SALT, "150"), period={"start": "2026-01-01", "end": "2026-03-31"})
    world.activity(CELL, of(SALT, "50"))
    (note,) = world.compute(CELL).findings
    assert (note.level, f"entry {quarter.index}" in note.what) == ("note", True)
    world.activity(CELL, of(SALT, "150"))
    (finding,) = [one for one in world.compute(CELL).findings if one.gate == "deliveries"]
    assert finding.level == "hard", "other days can't take back what was consumed in these"


@pytest.mark.parametrize("unit", ["piece", "kWh"])
def test_deliveries_in_another_dimension_than_consumption(world: World, unit: str) -> None:
    deliver(world, "100", unit)
    entry = world.activity(CELL, of(SALT, "100", id="salt"))
    result = world.compute(CELL, strict())
    assert found(result) == [("soft", f"{CELL} (entry {entry.index}) inputs/salt", False)]
    assert "can't be compared" in result.findings[0].what


def test_without_deliveries_nothing_is_compared(world: World) -> None:
    world.activity(CELL, of(SALT, "100"))
    assert world.compute(CELL).findings == ()

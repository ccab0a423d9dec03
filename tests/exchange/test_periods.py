"""Which days count: of several statements about a product, the one of the wanted days, and what is said of the others."""

from __future__ import annotations

import pytest

from bom_graph import Finding
from exchange.assembly import Result
from tests.exchange.three import CELL, CHINA, COPPER, PACK, SALT, World, copper, of

FEBRUARY = {"start": "2026-02-01", "end": "2026-02-28"}
ONE_DAY = {"start": "2026-02-01", "end": "2026-02-01"}
LONG_AGO = {"start": "2019-01-01", "end": "2019-12-31"}
TO_COME = {"start": "2199-02-01", "end": "2199-03-31"}


@pytest.fixture
def world() -> World:
    return World()


def of_gate(result: Result, gate: str = "periods") -> list[Finding]:
    return [finding for finding in result.findings if finding.gate == gate]


@pytest.mark.parametrize("period", [LONG_AGO, ONE_DAY, TO_COME])
def test_what_is_signed_later_about_other_days_does_not_count_instead(world: World, period: dict[str, str]) -> None:
    january = world.activity(SALT, copper("20"))
    other = world.activity(SALT, copper("0.2"), period=period)
    result = world.compute(SALT, CHINA)
    assert result.footprint.total == pytest.approx(20 * COPPER)
    (note,) = of_gate(result)
    assert (note.level, note.where) == ("note", SALT)
    assert f"entry {january.index} (2026-01-01 to 2026-01-31) is counted" in note.what
    assert f"{other.index} ({period['start']} to {period['end']})" in note.what


def test_the_latest_month_counts_whatever_was_signed_last(world: World) -> None:
    world.activity(SALT, copper("5"), period=FEBRUARY)
    world.activity(SALT, copper("20"))
    assert world.compute(SALT, CHINA).footprint.total == pytest.approx(5 * COPPER)


def test_days_that_had_yet_to_come_are_a_finding(world: World) -> None:
    entry = world.activity(SALT, copper("2"), period=TO_COME)
    (finding,) = of_gate(world.compute(SALT, CHINA))
    assert (finding.level, finding.where) == ("soft", f"{SALT} (entry {entry.index})")
    assert "was signed on 2026-03-05: these days had yet to come" in finding.what


def test_a_supplier_counts_with_the_most_of_the_consumer_s_days_and_says_how_few_they_are(world: World) -> None:
    world.activity(SALT, copper("20"))
    other = world.activity(SALT, copper("0.2"), period=ONE_DAY)
    world.activity(CELL, of(SALT, "1"), period={"start": "2026-01-01", "end": "2026-12-31"})
    result = world.compute(CELL, CHINA)
    assert result.footprint.total == pytest.approx(20 * COPPER)
    (finding,) = of_gate(result)
    assert finding.level == "soft"
    assert "covers 31 of the 365 days" in finding.what
    assert f"entries {other.index} state other days of it and aren't counted" in finding.what


def test_other_months_of_a_consumer_s_quarter_are_a_note(world: World) -> None:
    january = world.activity(SALT, copper("20"))
    world.activity(SALT, copper("5"), period=FEBRUARY)
    world.activity(CELL, of(SALT, "1"), period={"start": "2026-01-15", "end": "2026-02-28"})
    result = world.compute(CELL, CHINA)
    assert result.footprint.total == pytest.approx(5 * COPPER)
    (finding,) = of_gate(result)
    assert finding.level == "note"
    assert f"entries {january.index} state other days" in finding.what


def test_statements_of_the_consumer_s_own_month_are_without_a_word(world: World) -> None:
    world.activity(SALT, copper("20"))
    world.activity(SALT, copper("5"), period=FEBRUARY)
    world.activity(CELL, of(SALT, "1"))
    result = world.compute(CELL, CHINA)
    assert result.footprint.total == pytest.approx(20 * COPPER)
    assert result.findings == ()


def test_without_a_supplier_of_its_days_the_nearest_counts(world: World) -> None:
    world.activity(SALT, copper("20"))
    world.activity(SALT, copper("3"), period=LONG_AGO)
    world.activity(CELL, of(SALT, "1"), period=FEBRUARY)
    assert world.compute(CELL, CHINA).footprint.total == pytest.approx(20 * COPPER)


def test_a_pack_s_bill_is_that_of_the_days_that_count(world: World) -> None:
    world.pack(copper("10"))
    world.bill(PACK, copper("1"), unit="piece", period=LONG_AGO)
    assert world.compute(PACK, CHINA).footprint.total == pytest.approx(10 * COPPER)

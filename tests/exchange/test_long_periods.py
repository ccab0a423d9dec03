"""Periods that no plant meters: of impossible years, and of many."""

from __future__ import annotations

import pytest

from bom_graph import RecordError
from bom_graph.records import Period
from tests.exchange.three import CHINA, SALT, World, copper


@pytest.mark.parametrize(
    ("start", "end"), [("0001-01-01", "0001-12-31"), ("2026-01-01", "9999-12-31"), ("1949-12-31", "1950-01-01")]
)
def test_a_period_of_impossible_years_is_refused(start: str, end: str) -> None:
    with pytest.raises(RecordError, match="isn't of the years 1950 to 2200") as caught:
        World().activity(SALT, copper("1"), period={"start": start, "end": end})
    assert caught.value.where == "period"


def test_any_other_period_can_be_stated() -> None:
    assert Period.model_validate({"start": "1950-01-01", "end": "2200-12-31"}).end.year == 2200


@pytest.mark.parametrize(("start", "is_long"), [("2021-01-01", False), ("2019-12-01", True), ("1960-01-01", True)])
def test_a_statement_over_many_years_is_a_finding(start: str, is_long: bool) -> None:
    world = World()
    entry = world.activity(SALT, copper("1"), period={"start": start, "end": "2025-12-31"})
    found = [one for one in world.compute(SALT, CHINA).findings if one.gate == "periods"]
    assert [(one.level, one.where) for one in found] == [("soft", f"{SALT} (entry {entry.index}) period")] * is_long

"""Candidate averages: reference/worked-examples M, and the attacks that withholding is there for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bom_graph import GroupFootprint, candidate_average

VALUES = (8, 9, 10, 11, 12, 13)


def groups(*shares: int, values: tuple[int, ...] = VALUES) -> list[GroupFootprint]:
    """A group for each share (percent of production), with the values in their order."""
    return [
        GroupFootprint(f"group {n}", Decimal(share), Decimal(value))
        for n, (share, value) in enumerate(zip(shares, values, strict=False))
    ]


def test_the_average_is_weighted_by_production() -> None:
    found = candidate_average(groups(30, 20, 20, 15, 10, 5))
    assert (found.value, found.groups, found.withheld) == (Decimal("9.70"), 6, ())


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ((55, 20, 10, 10, 5), "one group makes more than 50%"),
        ((45, 38, 7, 5, 5), "two groups make more than 80%"),
        ((30, 30, 20, 20), "4 groups, fewer than 5"),
        ((), "0 groups, fewer than 5"),
        ((40, 39, 19, 1, 1), "two groups could bound another's figure within 10%"),
    ],
)
def test_it_is_withheld_and_says_why(shares: tuple[int, ...], reason: str) -> None:
    found = candidate_average(groups(*shares))
    assert found.value is None
    assert reason in found.withheld


def test_who_emits_most_is_protected_too() -> None:
    """Even production, but all the rest emits next to nothing."""
    found = candidate_average(groups(20, 20, 20, 20, 20, values=(100, 50, 50, 1, 1)))
    assert found.withheld == ("two groups could bound another's figure within 10%",)


def test_plants_of_one_group_count_once() -> None:
    plants = [GroupFootprint("one", Decimal(10), Decimal(n)) for n in range(1, 9)]
    assert candidate_average(plants).groups == 1


@pytest.mark.parametrize(("production", "footprint"), [("0", "1"), ("1", "0"), ("-1", "1")])
def test_what_is_not_above_zero_is_refused(production: str, footprint: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        candidate_average([GroupFootprint("g", Decimal(production), Decimal(footprint))])

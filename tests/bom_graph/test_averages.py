"""Candidate averages: reference/worked-examples M, the rules about production, and reasons that tell nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import resources

import pytest

from bom_graph import (
    Average,
    AverageError,
    AverageRules,
    Edition,
    GroupFootprint,
    VerifiedFootprint,
    candidate_average,
    contributions_of,
    load_average_rules,
)

VALUES = (8, 9, 10, 11, 12, 13)
RULES = load_average_rules()
TELLS = (
    "a contributor or 2 of them together could bound another's value within 10%, from it alone or with earlier editions"
)


def groups(*shares: float, values: tuple[float, ...] = VALUES) -> list[GroupFootprint]:
    """A group for each share (percent of production), with the values in their order."""
    return [
        GroupFootprint(f"group {n}", Decimal(str(share)), Decimal(str(value)))
        for n, (share, value) in enumerate(zip(shares, values, strict=False))
    ]


def average(contributions: list[GroupFootprint], *earlier: Edition, year: int = 2025) -> Average:
    return candidate_average(contributions, RULES, year=year, made_on=date(year + 1, 3, 1), earlier=earlier)


def edition(contributions: list[GroupFootprint], *earlier: Edition, year: int = 2025) -> Edition:
    """An edition that has to be published."""
    found = average(contributions, *earlier, year=year)
    assert found.value is not None, found.withheld
    return Edition(year, date(year + 1, 3, 1), found.value, found.contributions)


def test_the_average_is_weighted_by_production() -> None:
    found = average(groups(30, 20, 20, 15, 10, 5))
    assert (found.value, found.withheld) == (Decimal("9.70"), ())


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ((55, 20, 10, 10, 5), "one corporate group makes more than 50%"),
        ((45, 38, 7, 5, 5), "two corporate groups make more than 80%"),
        ((30, 30, 20, 20), "fewer than 5 corporate groups contribute"),
        ((), "fewer than 5 corporate groups contribute"),
        ((40, 39, 19, 1, 1), TELLS),
    ],
)
def test_it_is_withheld_and_says_why(shares: tuple[int, ...], reason: str) -> None:
    found = average(groups(*shares))
    assert found.value is None
    assert reason in found.withheld


def test_reasons_are_the_rules_words_whatever_was_measured() -> None:
    """Two sets of contributors that the same rules hold back read alike."""
    assert average(groups(56, 20, 10, 9, 5)).withheld == average(groups(75, 3, 2, 2, 18)).withheld[:1]
    alike = [
        average(groups(40, 39, 19, 1, 1, values=values)).withheld for values in ((8, 9, 10, 11, 12), (1, 2, 3, 4, 5))
    ]
    assert alike[0] == alike[1] == (TELLS,)


def test_who_emits_most_is_protected_too() -> None:
    """Even production, but all the rest emits next to nothing."""
    assert average(groups(20, 20, 20, 20, 20, values=(100, 50, 50, 1, 1))).withheld == (TELLS,)


@pytest.mark.parametrize(
    ("mean", "shown"),
    [("9.996", "10.0"), ("0.0123456", "0.0123"), ("12345", "1.23E+4"), ("10.05", "10.0"), ("10.15", "10.2")],
)
def test_three_digits_half_to_even(mean: str, shown: str) -> None:
    even = [replace(one, footprint=Decimal(mean)) for one in groups(20, 20, 20, 20, 20, values=(1, 1, 1, 1, 1))]
    assert str(average(even).value) == shown


# -- what is counted -------------------------------------------------------------------------------------------------


def verified(group: str, value: str = "10", production: str = "20", **changes: object) -> VerifiedFootprint:
    made = VerifiedFootprint(
        f"https://{group}.example", group, "nickel-sulfate", "CN", 2025, Decimal(value), Decimal(production), "kg"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_plants_and_companies_of_one_group_count_once() -> None:
    plants = [verified("one", str(n)) for n in range(1, 9)]
    (only,) = contributions_of(plants, flow="nickel-sulfate", region="CN", year=2025)
    assert only == GroupFootprint("one", Decimal(160), Decimal("4.5"))


def test_other_flows_regions_and_years_do_not_count() -> None:
    others = [verified("a", flow="cobalt-sulfate"), verified("b", region="KR"), verified("c", year=2024)]
    assert contributions_of(others, flow="nickel-sulfate", region="CN", year=2025) == ()


@pytest.mark.parametrize(("production", "value"), [("0", "1"), ("1", "0"), ("-1", "1"), ("1", "-2")])
def test_what_is_not_above_zero_is_refused(production: str, value: str) -> None:
    with pytest.raises(AverageError, match="above zero"):
        contributions_of([verified("a", value, production)], flow="nickel-sulfate", region="CN", year=2025)


# -- editions --------------------------------------------------------------------------------------------------------

SIX = groups(18, 17, 17, 16, 16, 16)


def test_the_same_contributors_again_tell_nothing_new() -> None:
    first = edition(SIX, year=2024)
    assert average(SIX, first, year=2025).value == first.value


@pytest.mark.parametrize(
    ("year", "made_on"),
    [(2024, date(2026, 3, 1)), (2023, date(2026, 3, 1)), (2025, date(2025, 12, 31)), (2026, date(2026, 3, 1))],
)
def test_one_edition_a_year(year: int, made_on: date) -> None:
    first = edition(SIX, year=2024)
    found = candidate_average(SIX, RULES, year=year, made_on=made_on, earlier=[first])
    assert found.value is None
    assert "year" in found.withheld[0]


def test_two_years_of_data_are_not_published_in_one_calendar_year() -> None:
    first = Edition(2023, date(2026, 1, 5), Decimal("10.0"), tuple(SIX))
    assert candidate_average(SIX, RULES, year=2025, made_on=date(2026, 11, 1), earlier=[first]).value is None
    assert candidate_average(SIX, RULES, year=2025, made_on=date(2027, 1, 1), earlier=[first]).value is not None


def test_who_joins_is_not_told_by_the_difference() -> None:
    first = edition(SIX, year=2024)
    seventh = GroupFootprint("seventh", Decimal(40), Decimal(14))
    assert average([*SIX, seventh], year=2025).value is not None, "by itself it may be shown"
    assert average([*SIX, seventh], first, year=2025).withheld == (TELLS,)


def test_who_leaves_is_not_told_by_the_difference() -> None:
    seven = [*SIX, GroupFootprint("seventh", Decimal(40), Decimal(14))]
    first = edition(seven, year=2024)
    assert average(SIX, first, year=2025).withheld == (TELLS,)


def test_an_edition_between_does_not_hide_who_joined() -> None:
    """It is held against every edition before it, not the last one alone."""
    first = edition(SIX, year=2022)
    many = [*SIX, *(GroupFootprint(f"new {n}", Decimal(20 + n), Decimal(9 + n)) for n in range(7))]
    between = edition(many, first, year=2023)
    one_left = [*SIX, many[-1]]
    assert average(one_left, between, year=2025).value is not None
    assert average(one_left, first, between, year=2025).withheld == (TELLS,)


def test_many_who_join_together_protect_each_other() -> None:
    first = edition(SIX, year=2024)
    many = [*SIX, *(GroupFootprint(f"new {n}", Decimal(20), Decimal(9 + n)) for n in range(6))]
    assert average(many, first, year=2025).value is not None


# -- the rules as a file ---------------------------------------------------------------------------------------------


def shipped() -> bytes:
    return (resources.files("bom_graph") / "data" / "averages" / "candidate-average.json").read_bytes()


def test_every_assumption_of_the_rules_is_stated() -> None:
    assert RULES.citation
    assert all(one.assumption for one in RULES.attackers)
    assert all(one.assumption for one in RULES.unstated)
    assert (RULES.least_groups, RULES.coalition, RULES.protection) == (5, 2, Decimal("0.1"))


@pytest.mark.parametrize(
    "change",
    [
        {"least_groups": 1},
        {"protection": "1"},
        {"attackers": []},
        {"largest_share": "1.5"},
        {"more": 1},
        {"coalition": 0},
    ],
)
def test_other_rules_are_refused_where_they_protect_nobody(change: dict[str, object]) -> None:
    with pytest.raises(AverageError):
        AverageRules.read(json.dumps(json.loads(shipped()) | change).encode())

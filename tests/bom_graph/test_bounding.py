"""The averages are attacked: a solver of linear programs looks for the closest bounds that contributors can draw from what is published.

It is written from docs/averages.md's account of what an attacker knows, and shares nothing with the rule: no shares of one, no directions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import combinations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from bom_graph import AverageRules, Edition, GroupFootprint, candidate_average, load_average_rules
from bom_graph.averages import _rounded

RULES = load_average_rules()
PROTECTION = float(RULES.protection)
#: A solver's own error, as a part of the protection: cases closer to the line than this decide nothing.
MARGIN = 1e-4


@dataclass(frozen=True)
class Bound:
    """How close to the true value of `target` the `coalition` comes, from above or below, as a share of the value."""

    target: str
    coalition: tuple[str, ...]
    distance: float


def interval(value: Decimal) -> tuple[float, float]:
    """What rounds to a published value, by trying: the two neighbours that don't."""
    unit = Decimal(1).scaleb(value.adjusted() - RULES.significant_digits + 1)
    low = max(
        (
            value - part * unit
            for part in (Decimal("0.5"), Decimal("0.05"))
            if _rounded(value - part * unit * Decimal("0.99"), 3) == value
        ),
        default=value,
        key=lambda one: value - one,
    )
    return float(low), float(value + unit / 2)


def attack(editions: Sequence[Edition], factor: float | None, targets: str) -> Iterator[Bound]:
    """Yield the bounds of every coalition on every other contributor (or on `targets`) that it couldn't draw from its range alone."""
    names = sorted({one.group for edition in editions for one in edition.contributions})
    # The unknown is each one's newest value; what it was before follows, since changes are known.
    tables = [{one.group: one for one in edition.contributions} for edition in editions]
    newest = {name: next(float(table[name].footprint) for table in tables if name in table) for name in names}
    low, high = dict.fromkeys(names, 0.0), dict.fromkeys(names, np.inf)
    rows, tops = [], []
    for edition, table in zip(editions, tables, strict=True):
        made = float(sum(one.production for one in edition.contributions))
        change = {name: newest[name] - float(one.footprint) for name, one in table.items()}
        known = sum(float(one.production) * change[name] for name, one in table.items())
        row = [float(table[name].production) if name in table else 0.0 for name in names]
        bottom, top = (made * end + known for end in interval(edition.value))
        rows += [row, [-one for one in row]]
        tops += [top, -bottom]
        if factor is not None:
            for name, one in table.items():
                value, published = float(one.footprint), float(edition.value)
                low[name] = max(low[name], min(value, published / factor) + change[name])
                high[name] = min(high[name], max(value, published * factor) + change[name])
        else:
            for name in table:
                low[name] = max(low[name], change[name])
    true = {name: max(float(table[name].footprint) for table in tables if name in table) for name in names}
    for coalition in combinations(names, RULES.coalition):
        ranges = [
            (newest[n], newest[n]) if n in coalition else (low[n], high[n] if high[n] < np.inf else None) for n in names
        ]
        for place, target in enumerate(names):
            if target in coalition or (targets and target not in targets):
                continue
            for sign, end in ((-1, high[target]), (1, low[target])):
                if abs(end - newest[target]) < PROTECTION * true[target]:
                    continue
                aim = np.zeros(len(names))
                aim[place] = sign
                found = linprog(aim, A_ub=np.array(rows), b_ub=np.array(tops), bounds=ranges, method="highs")
                if found.status == 0:
                    yield Bound(target, coalition, abs(found.x[place] - newest[target]) / true[target])


def closest(editions: Sequence[Edition], targets: str = "") -> float:
    """The closest bound that any of the rules' attackers draws."""
    factors = [float(one.within_factor) if one.within_factor else None for one in RULES.attackers]
    return min((bound.distance for factor in factors for bound in attack(editions, factor, targets)), default=np.inf)


shares = st.integers(1, 60).map(Decimal)
values = st.decimals("0.5", "40", places=2)


@st.composite
def contributors(draw: st.DrawFn, least: int = 5, most: int = 6, *, alike: bool = False) -> tuple[GroupFootprint, ...]:
    count = draw(st.integers(least, most))
    made = st.integers(15, 25).map(Decimal) if alike else shares
    emitted = st.decimals("6", "14", places=2) if alike else values
    return tuple(GroupFootprint(f"g{n}", draw(made), draw(emitted)) for n in range(count))


@st.composite
def successors(draw: st.DrawFn, before: Sequence[GroupFootprint]) -> tuple[GroupFootprint, ...]:
    """Next year's contributors: some leave, some join, some make more, some emit less."""
    kept = [one for n, one in enumerate(before) if n < 3 or draw(st.integers(0, 5)) > 0]
    grown = [replace(one, production=one.production + draw(st.sampled_from([0, 0, 1, 5]))) for one in kept]
    bettered = [
        replace(one, footprint=one.footprint * draw(st.sampled_from([Decimal(1), Decimal("0.9")]))) for one in grown
    ]
    joined = [GroupFootprint(f"{len(before)}-{n}", draw(shares), draw(values)) for n in range(draw(st.integers(0, 2)))]
    return (*bettered, *joined)


def without_dominance(rules: AverageRules) -> AverageRules:
    """The rules with the p%-rule alone."""
    return rules.model_copy(update={"least_groups": 3, "largest_share": Decimal(1), "two_largest_share": Decimal(1)})


def shown_anyway(contributions: Sequence[GroupFootprint], year: int) -> Edition:
    """The edition as it would be, whatever protects it."""
    made = sum((one.production for one in contributions), Decimal(0))
    mean = sum((one.production * one.footprint for one in contributions), Decimal(0)) / made
    return Edition(year, date(year + 1, 3, 1), _rounded(mean, 3), tuple(contributions))


def is_shown(new: Edition, *earlier: Edition, rules: AverageRules = RULES) -> bool:
    found = candidate_average(new.contributions, rules, year=new.year, made_on=new.made_on, earlier=earlier)
    return found.value is not None


@settings(max_examples=25)
@given(contributors(3))
def test_one_edition_is_shown_exactly_where_no_attacker_comes_too_close(found: tuple[GroupFootprint, ...]) -> None:
    new = shown_anyway(found, 2025)
    distance = closest([new])
    assume(abs(distance - PROTECTION) > MARGIN)
    assert is_shown(new, rules=without_dominance(RULES)) == (distance > PROTECTION)


@settings(max_examples=10, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.data())
def test_two_editions_are_shown_exactly_where_no_attacker_comes_too_close(data: st.DataObject) -> None:
    # Alike enough that the first edition is shown: what is tried is the second.
    first = shown_anyway(data.draw(contributors(alike=True)), 2024)
    new = shown_anyway(data.draw(successors(first.contributions)), 2025)
    rules = without_dominance(RULES)
    assume(is_shown(first, rules=rules))
    distance = closest([new, first])
    # What the first one alone tells of a value that is larger by now isn't this edition's doing.
    assume(abs(distance - PROTECTION) > MARGIN and closest([first]) > PROTECTION)
    assert is_shown(new, first, rules=rules) == (distance > PROTECTION)


@settings(max_examples=5)
@given(st.data())
def test_three_editions_tell_no_attacker_enough(data: st.DataObject) -> None:
    editions: list[Edition] = []
    before: tuple[GroupFootprint, ...] = data.draw(contributors(5, 6))
    for year in (2023, 2024, 2025):
        new = shown_anyway(before, year)
        if len(before) >= 5 and is_shown(new, *editions):
            editions.insert(0, new)
            assert closest(editions) > PROTECTION - MARGIN, editions
        before = data.draw(successors(before))


def even(*names: str, production: int = 20, scale: int = 1) -> tuple[GroupFootprint, ...]:
    return tuple(GroupFootprint(name, Decimal(production), Decimal(7 + ord(name[0]) % 6) / scale) for name in names)


def test_what_two_editions_hide_and_a_third_would_tell_is_withheld() -> None:
    """Parts P and Q each with T, then all: P+T and Q+T less P+Q+T is T. No two of them tell it."""
    p, q, t = even(*"abcde"), even(*"hijkl"), even("t", production=40)
    first, second, new = shown_anyway((*p, *t), 2023), shown_anyway((*q, *t), 2024), shown_anyway((*p, *q, *t), 2025)
    assert is_shown(first)
    assert is_shown(second, first)
    assert is_shown(new, first)
    assert is_shown(new, second)
    assert closest([new, second, first], "t") < PROTECTION, "the attack works"
    assert not is_shown(new, second, first)


@pytest.mark.parametrize("joins", [1, 2, 3])
def test_a_few_who_join_are_told_and_so_withheld(joins: int) -> None:
    """With two of them attacking, three that join are one too few."""
    first = shown_anyway(even(*"abcdef"), 2024)
    new = shown_anyway((*even(*"abcdef"), *even(*"uvw"[:joins], production=40)), 2025)
    assert is_shown(first)
    assert closest([new, first], "uvw") < PROTECTION, "the attack works"
    assert not is_shown(new, first)


def test_rounding_protects_the_small_and_is_counted() -> None:
    """Who joins with a fiftieth of the production drowns in the third digit."""
    six = even(*"abcdef", scale=8)
    first, new = shown_anyway(six, 2024), shown_anyway((*six, *even("u", production=1, scale=8)), 2025)
    assert closest([new, first]) > PROTECTION
    assert is_shown(new, first)


@pytest.mark.parametrize("count", [130, 1000])
def test_many_contributors_are_decided_in_time(count: int) -> None:
    """Three editions of a hundred and thirty jointly; of a thousand two by two."""
    many = tuple(GroupFootprint(f"g{n}", Decimal(10 + n % 37), Decimal(5 + n % 11)) for n in range(count))
    grown = tuple(replace(one, production=one.production + n % 5) for n, one in enumerate(many))
    more = tuple(replace(one, production=one.production + n % 7) for n, one in enumerate(grown))
    first, second, new = shown_anyway(many, 2023), shown_anyway(grown, 2024), shown_anyway(more, 2025)
    assert is_shown(new, second, first)

"""Candidate industry averages: production-weighted, and withheld where a contributor's own value could be told from them.

The rules are those of statistical offices (A. Hundepool et al., Statistical Disclosure Control, 2012, chapter 4): a least number of
contributors, dominance of the largest and the two largest, and the p%-rule against a coalition of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

LEAST_GROUPS = 5
LARGEST_SHARE = Decimal("0.5")
TWO_LARGEST_SHARE = Decimal("0.8")
#: Nobody may be able to bound another's figure more closely than by this share of it.
PROTECTION = Decimal("0.1")
_DIGITS = 3


@dataclass(frozen=True, slots=True)
class GroupFootprint:
    """What one corporate group makes (`production`, in a unit that all share) and emits per unit (`footprint`, kg CO2e)."""

    group: str
    production: Decimal
    footprint: Decimal


@dataclass(frozen=True, slots=True)
class Average:
    """A candidate average in kg CO2e per unit to three significant digits; None with the reasons where it is withheld."""

    value: Decimal | None
    groups: int
    withheld: tuple[str, ...]


def candidate_average(contributions: Sequence[GroupFootprint]) -> Average:
    """Return the production-weighted average of the groups' footprints, or why it is withheld.

    Several contributions of one group count as one. Withheld: fewer than five groups; one above 50 % or two above 80 % of the
    production; or two groups together could bound another's emissions within 10 %, knowing their own (p%-rule: what is left
    after the three largest emitters is below 10 % of the largest). Raises ValueError for production or footprints that aren't
    above zero.
    """
    if any(one.production <= 0 or one.footprint <= 0 for one in contributions):
        raise ValueError("production and footprint of a contribution are above zero")
    production: dict[str, Decimal] = {}
    emissions: dict[str, Decimal] = {}
    for one in contributions:
        production[one.group] = production.get(one.group, Decimal(0)) + one.production
        emissions[one.group] = emissions.get(one.group, Decimal(0)) + one.production * one.footprint
    made, emitted = sum(production.values(), Decimal(0)), sum(emissions.values(), Decimal(0))
    largest = sorted(production.values(), reverse=True)
    reasons = []
    if len(production) < LEAST_GROUPS:
        reasons.append(f"{len(production)} groups, fewer than {LEAST_GROUPS}")
    if sum(largest[:1]) > LARGEST_SHARE * made:
        reasons.append(f"one group makes more than {LARGEST_SHARE:.0%}")
    if sum(largest[:2]) > TWO_LARGEST_SHARE * made:
        reasons.append(f"two groups make more than {TWO_LARGEST_SHARE:.0%}")
    if any(_is_bounded(list(figures.values())) for figures in (production, emissions)):
        reasons.append(f"two groups could bound another's figure within {PROTECTION:.0%}")
    if reasons:
        return Average(None, len(production), tuple(reasons))
    return Average(_significant(emitted / made), len(production), ())


def _is_bounded(figures: Sequence[Decimal]) -> bool:
    first, *others = sorted(figures, reverse=True) or [Decimal(0)]
    return sum(others[2:], Decimal(0)) < PROTECTION * first


def _significant(value: Decimal) -> Decimal:
    return round(value, _DIGITS - 1 - value.adjusted())

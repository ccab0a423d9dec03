"""Candidate industry averages: production-weighted, and withheld where somebody could tell a contributor's own value from them.

The rules are a file (`AverageRules`); the mathematics are in docs/averages.md. What is withheld says why in the words of the rules alone:
a reason that named a number, a share or a contributor would tell what it withholds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bom_graph.bounding import Attacker, Table, can_bound
from bom_graph.errors import AverageError
from bom_graph.quantities import Amount
from bom_graph.strict_json import read_json
from bom_graph.wording import why_unreadable

AVERAGE_RULES: Final = "candidate-average"
_DATA = resources.files("bom_graph") / "data" / "averages"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AttackerRule(_Frozen):
    """What an attacker knows of values that it doesn't have: within which factor of the published average each lies (None: above zero)."""

    within_factor: Annotated[Amount, Field(gt=1)] | None
    assumption: str


class Unstated(_Frozen):
    """What the sources leave open, and what we assume."""

    what: str
    assumption: str


class AverageRules(_Frozen):
    """When an average of verified footprints may be shown. Shares and `protection` are parts of one."""

    format: Literal["urn:packtrace:average-rules-file:1"]
    id: str
    version: str
    citation: str
    least_groups: Annotated[int, Field(ge=3)]
    largest_share: Annotated[Amount, Field(gt=0, le=1)]
    two_largest_share: Annotated[Amount, Field(gt=0, le=1)]
    significant_digits: Annotated[int, Field(ge=1, le=6)]
    protection: Annotated[Amount, Field(gt=0, lt=1)]
    coalition: Annotated[int, Field(ge=1, le=4)]
    editions_together: Annotated[int, Field(ge=1, le=3)]
    attackers: Annotated[tuple[AttackerRule, ...], Field(min_length=1)]
    unstated: tuple[Unstated, ...]

    @classmethod
    def read(cls, data: bytes) -> AverageRules:
        """Return the rules in the file's bytes; AverageError for anything else."""
        try:
            return cls.model_validate(read_json(data))
        except ValueError as error:
            raise AverageError(
                f"the rules of averages can't be read: {why_unreadable(error)}",
                where="rules file",
                remedy="take the published file",
            ) from None


def load_average_rules() -> AverageRules:
    """Return the rules that ship with the package."""
    return AverageRules.read((_DATA / f"{AVERAGE_RULES}.json").read_bytes())


@dataclass(frozen=True, slots=True)
class VerifiedFootprint:
    """A footprint that stands in a verification statement: kg CO2e per `unit` of `flow`, made in `region` in `year` by an organisation of
    the corporate `group`; `production` of that year, in that unit too. `unit`: its symbol and, where that doesn't tell, what is
    counted in it (``kWh delivered``); all of a flow share it."""

    organisation: str
    group: str
    flow: str
    region: str
    year: int
    value: Decimal
    production: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class GroupFootprint:
    """What one corporate group makes (`production`, in a unit that all share) and emits per unit (`footprint`, kg CO2e)."""

    group: str
    production: Decimal
    footprint: Decimal


@dataclass(frozen=True, slots=True)
class Edition:
    """An average that was published: of which `year`, when it was made, and from what. `contributions` are confidential."""

    year: int
    made_on: date
    value: Decimal
    contributions: tuple[GroupFootprint, ...]


@dataclass(frozen=True, slots=True)
class Average:
    """A candidate average in kg CO2e per unit, rounded; None with the reasons where it is withheld. `contributions`: what it is made of."""

    value: Decimal | None
    withheld: tuple[str, ...]
    contributions: tuple[GroupFootprint, ...]


def contributions_of(
    footprints: Iterable[VerifiedFootprint], *, flow: str, region: str, year: int
) -> tuple[GroupFootprint, ...]:
    """Return what each corporate group contributes to the average of a flow, region and year, by group: its plants are one.

    Raises AverageError for a production or footprint that isn't above zero.
    """
    made: dict[str, Decimal] = {}
    emitted: dict[str, Decimal] = {}
    for one in footprints:
        if (one.flow, one.region, one.year) != (flow, region, year):
            continue
        if one.production <= 0 or one.value <= 0:
            raise AverageError(
                "production and footprint of a contribution are above zero",
                where=f"{one.organisation}, {flow} {region} {year}",
                remedy="leave this footprint out, or correct it",
            )
        made[one.group] = made.get(one.group, Decimal(0)) + one.production
        emitted[one.group] = emitted.get(one.group, Decimal(0)) + one.production * one.value
    return tuple(GroupFootprint(group, made[group], emitted[group] / made[group]) for group in sorted(made))


def candidate_average(
    contributions: Sequence[GroupFootprint],
    rules: AverageRules,
    *,
    year: int,
    made_on: date,
    earlier: Sequence[Edition] = (),
) -> Average:
    """Return the average of a year, or why it is withheld. `contributions` has each group once; `earlier` is what was published before.

    Rounded to the rules' digits, half to even. A reason says which rule holds it back and nothing that was measured.
    """
    found = tuple(contributions)
    reasons = [*_too_soon(rules, year, made_on, earlier), *_too_few(found, rules)]
    if reasons:
        return Average(None, tuple(reasons), found)
    value = _rounded(_mean(found), rules.significant_digits)
    if _tells_a_value(Edition(year, made_on, value, found), rules, earlier):
        who = f"a contributor or {rules.coalition} of them together"
        reason = (
            f"{who} could bound another's value within {rules.protection:.0%}, from it alone or with earlier editions"
        )
        return Average(None, (reason,), found)
    return Average(value, (), found)


def _too_soon(rules: AverageRules, year: int, made_on: date, earlier: Sequence[Edition]) -> list[str]:
    del rules
    if any(one.year >= year or one.made_on.year >= made_on.year for one in earlier):
        return ["there is an edition of this year or a later one, or one was made this year already"]
    return ["the year hasn't ended"] if made_on.year <= year else []


def _too_few(contributions: Sequence[GroupFootprint], rules: AverageRules) -> list[str]:
    """The rules about production alone."""
    production = sorted((one.production for one in contributions), reverse=True)
    made = sum(production, Decimal(0))
    reasons = []
    if len(production) < rules.least_groups:
        reasons.append(f"fewer than {rules.least_groups} corporate groups contribute")
    if sum(production[:1]) > rules.largest_share * made:
        reasons.append(f"one corporate group makes more than {rules.largest_share:.0%}")
    if sum(production[:2]) > rules.two_largest_share * made:
        reasons.append(f"two corporate groups make more than {rules.two_largest_share:.0%}")
    return reasons


def _tells_a_value(new: Edition, rules: AverageRules, earlier: Sequence[Edition]) -> bool:
    """Whether an attacker of the rules could bound a value from the new edition and those before."""
    newest_first = sorted(earlier, key=lambda one: -one.year)
    together = newest_first[: rules.editions_together - 1]
    # The last ones jointly, and each older one with the new one alone.
    sets = [[new, *together], *([new, one] for one in newest_first[len(together) :])]
    attackers = [
        Attacker(rules.coalition, float(rules.protection), float(one.within_factor) if one.within_factor else None)
        for one in rules.attackers
    ]
    return any(can_bound([_table(one, rules) for one in some], attacker) for some in sets for attacker in attackers)


def _table(edition: Edition, rules: AverageRules) -> Table:
    """An edition as an attacker meets it, in parts of its production."""
    made = sum((one.production for one in edition.contributions), Decimal(0))
    below, above = _half_units(edition.value, rules.significant_digits)
    mean = _mean(edition.contributions)
    return Table(
        shares={one.group: float(one.production / made) for one in edition.contributions},
        values={one.group: float(one.footprint) for one in edition.contributions},
        published=float(edition.value),
        room_below=float(mean - (edition.value - below)),
        room_above=float(edition.value + above - mean),
    )


def _mean(contributions: Sequence[GroupFootprint]) -> Decimal:
    made = sum((one.production for one in contributions), Decimal(0))
    return sum((one.production * one.footprint for one in contributions), Decimal(0)) / made


def _rounded(value: Decimal, digits: int) -> Decimal:
    found = round(value, digits - 1 - value.adjusted())
    # What is rounded up to the next power of ten has a digit too many.
    return round(found, digits - 1 - found.adjusted())


def _half_units(value: Decimal, digits: int) -> tuple[Decimal, Decimal]:
    """How far below and above `value` what was rounded to it can lie; below a power of ten the units are smaller."""
    unit = Decimal(1).scaleb(value.adjusted() - digits + 1)
    is_power = value == Decimal(1).scaleb(value.adjusted())
    return (unit / 20 if is_power else unit / 2), unit / 2

"""Samples that anybody can draw again, and what the errors found in them say about the rest.

Units at or above a size are examined for certain; of the others as many of each stratum as its risk asks for, at random without
replacement. Chance comes from a seed alone: units stand in the order of SHA-256 over seed, population and unit, so that the same seed
draws the same sample anywhere, and every subset of a stratum is as likely as any other of its size.

Projection is by ratio, stratum by stratum, and summed (PCAOB AS 2315.26 with note 5: misstatements of a sample are projected to the items
from which it was taken, each homogeneous group by itself; the separate ratio estimate of Cochran, Sampling Techniques, 6.10):

    projected_h = (sum of errors_h / sum of sizes_h, both of the units drawn) x (size of the stratum's units that were not drawn)

Units examined for certain tell about themselves alone, and are projected to nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class SampleUnit:
    """A unit of a population: its name, its stratum, and its size, not below zero (of a line: the absolute kg CO2e)."""

    id: str
    stratum: str
    size: Decimal


@dataclass(frozen=True, slots=True)
class Sample:
    """What is to be examined: `certain` because of its size, `drawn` by chance; in the order of the population."""

    certain: tuple[str, ...]
    drawn: tuple[str, ...]

    @property
    def units(self) -> frozenset[str]:
        """All of it."""
        return frozenset((*self.certain, *self.drawn))


@dataclass(frozen=True, slots=True)
class Projection:
    """What a stratum's drawn units say about those that were not drawn, whose size is `rest`.

    `too_low` (not below zero) and `too_high` (not above zero) are projected apart, so that neither hides the other in an absolute sum. Both
    are None where nothing of any size was drawn: the rest is known by nothing.
    """

    stratum: str
    examined: Decimal
    rest: Decimal
    too_low: Decimal | None
    too_high: Decimal | None


def draw_sample(
    units: Sequence[SampleUnit], *, seed: str, population: str, certain: Decimal, counts: Mapping[str, int]
) -> Sample:
    """Return the sample of `units` by `seed`: those of size `certain` or above, and of each other stratum `counts` (none: 1).

    `population` names what the units are of (a result's digest): the same seed draws otherwise from another. Raises ValueError where two
    units have one id.
    """
    if len({unit.id for unit in units}) < len(units):
        raise ValueError("two units have one id")
    sure = tuple(unit.id for unit in units if unit.size >= certain)
    chosen: set[str] = set()
    for stratum in sorted({unit.stratum for unit in units}):
        open_to_chance = [unit.id for unit in units if unit.stratum == stratum and unit.size < certain]
        ordered = sorted(open_to_chance, key=lambda name: _rank(seed, population, name))
        chosen.update(ordered[: counts.get(stratum, 1)])
    return Sample(sure, tuple(unit.id for unit in units if unit.id in chosen))


def project_errors(
    units: Iterable[SampleUnit], sample: Sample, errors: Mapping[str, Decimal]
) -> tuple[Projection, ...]:
    """Return the projection of each stratum, by its name, from the signed `errors` of the units drawn; none stated is none found."""
    strata: dict[str, list[SampleUnit]] = {}
    for unit in units:
        if unit.id not in sample.certain:
            strata.setdefault(unit.stratum, []).append(unit)
    drawn = frozenset(sample.drawn)
    return tuple(_projected(name, found, drawn, errors) for name, found in sorted(strata.items()))


def population_digest(units: Iterable[SampleUnit]) -> str:
    """Return the hex SHA-256 over a line ``id stratum size`` for each unit, in order: what was drawn from."""
    lines = "".join(f"{unit.id} {unit.stratum} {unit.size}\n" for unit in units)
    return hashlib.sha256(lines.encode()).hexdigest()


def _projected(
    stratum: str, units: list[SampleUnit], drawn: frozenset[str], errors: Mapping[str, Decimal]
) -> Projection:
    none = Decimal(0)
    examined = sum((unit.size for unit in units if unit.id in drawn), none)
    rest = sum((unit.size for unit in units if unit.id not in drawn), none)
    if examined == 0:
        known = none if rest == 0 else None
        return Projection(stratum, examined, rest, known, known)
    found = [errors.get(unit.id, none) for unit in units if unit.id in drawn]
    too_low = sum((error for error in found if error > 0), none)
    too_high = sum((error for error in found if error < 0), none)
    return Projection(stratum, examined, rest, too_low / examined * rest, too_high / examined * rest)


def _rank(seed: str, population: str, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{population}\n{name}".encode()).digest()

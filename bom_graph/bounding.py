"""What contributors can tell of each other from published averages: the closest bounds, without a solver.

An attacker knows the shares, its own values, how values changed between editions, and of every other value a range; each published
average adds an interval. The upper bound of a value is a linear program; by duality it is the least, over all weightings (directions) of
the editions, of what the others leave open. That is a convex, piecewise linear function, so its least lies at a direction in which
contributors or rounding drop out: these are enumerated. docs/averages.md has the derivation, tests/bom_graph/test_bounding.py a solver
that has to agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: A contributor whose part in a direction is smaller than this has dropped out of it: sums of doubles don't meet zero exactly.
_NOTHING = 1e-9
#: Further above all values than any bound that is drawn from an average: without a range there is no upper end.
_FAR = 1e6
_AT_ONCE = 200_000  # elements worked on at once: few enough for a processor's cache
#: Directions beyond which three editions are taken two by two: their number grows with the square of the contributors'.
_MOST_DIRECTIONS = 20_000


@dataclass(frozen=True, slots=True)
class Attacker:
    """A `coalition` of so many contributors (or fewer); `protection` is the share within which no bound may come to a value.

    `within_factor` says in which range round the published average the attacker knows all values to lie; None: only that they aren't
    below zero.
    """

    coalition: int
    protection: float
    within_factor: float | None


@dataclass(frozen=True, slots=True)
class Table:
    """A published average with what it hides: shares (their sum is 1) and values by contributor, and what rounding leaves open of the
    mean, below and above it."""

    shares: Mapping[str, float]
    values: Mapping[str, float]
    published: float
    room_below: float
    room_above: float


def can_bound(tables: Sequence[Table], attacker: Attacker) -> bool:
    """Whether the attacker can bound another contributor's value within the protection by the first table, with the others' help.

    Bounds that the attacker's range gives without any table don't count. Exact for two tables, and for three of up to 138 contributors
    together; more are taken two by two.
    """
    names = sorted({name for table in tables for name in table.shares})
    if len(tables) > 2 and (len(names) + 3) ** 2 > _MOST_DIRECTIONS:
        return any(can_bound([tables[0], other], attacker) for other in tables[1:])
    secrets = _Secrets.of(tables, names, attacker)
    return any(secrets.tell(directions) for directions in _directions(secrets.shares))


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Of each contributor: shares by table (one row each), the largest of its values, and how far they lie from the ends of the range."""

    attacker: Attacker
    shares: Floats
    values: Floats
    above_low: Floats
    below_high: Floats
    rounding: Floats

    @classmethod
    def of(cls, tables: Sequence[Table], names: Sequence[str], attacker: Attacker) -> _Secrets:
        factor = attacker.within_factor
        values, above, below = (np.full(len(names), start) for start in (0.0, np.inf, np.inf))
        for table in tables:
            low, high = (table.published / factor, table.published * factor) if factor else (0.0, np.inf)
            for number, name in enumerate(names):
                if name in table.values:
                    value = table.values[name]
                    values[number] = max(values[number], value)
                    # Outside of the range an attacker would be misled; it is taken to know where the value ends.
                    above[number] = min(above[number], max(0.0, value - low))
                    below[number] = min(below[number], max(0.0, high - value))
        shares = np.array([[table.shares.get(name, 0.0) for name in names] for table in tables])
        rounding = np.array([[table.room_above, table.room_below] for table in tables])
        # Finite, so that who drops out of a direction leaves nothing open in it.
        return cls(attacker, shares, values, above, np.minimum(below, _FAR * values.max()), rounding)

    def tell(self, directions: Floats) -> bool:
        """Whether some contributor is bounded too closely, from above or below, in one of the directions (rows)."""
        part = directions @ self.shares
        size = np.abs(part)
        size *= size > _NOTHING * (np.abs(directions) @ self.shares)
        needed = self.attacker.protection * size * self.values
        return any(self._told_on(sign * directions, sign * part, size, needed) for sign in (1, -1))

    def _told_on(self, directions: Floats, part: Floats, size: Floats, needed: Floats) -> bool:
        """Whether bounds of one side tell: `part` and `size` of each contributor in each direction, and what has to be left open of it."""
        coalition, most = self.attacker.coalition, needed.max(axis=1)
        # What a contributor leaves open; more than twice what is needed is enough.
        open_ = np.minimum(size * np.where(part > 0, self.above_low, self.below_high), 2 * most[:, None])
        rounding = self._rounding(directions)
        # Where enough is left even if the largest of all were the target's and each attacker's, none has to be looked at by itself.
        close = open_.sum(axis=1) - (coalition + 1) * open_.max(axis=1) + rounding < most * (1 + _NOTHING)
        if not close.any():
            return False
        part, size, needed, open_ = part[close], size[close], needed[close], open_[close]
        left = _without_largest(open_, coalition) + rounding[close, None]
        known = np.where(part > 0, self.below_high, self.above_low) < self.attacker.protection * self.values
        return bool(((size > 0) & ~known & (left < needed * (1 + _NOTHING))).any())

    def _rounding(self, directions: Floats) -> Floats:
        """What rounding leaves open in each direction."""
        above, below = np.maximum(directions, 0), np.maximum(-directions, 0)
        return np.asarray(above @ self.rounding[:, 0] + below @ self.rounding[:, 1])


def _without_largest(open_: Floats, coalition: int) -> Floats:
    """Return, for each contributor, what all leave open but itself and the `coalition` others that leave most: these attack."""
    count = min(coalition + 1, open_.shape[1])
    top = np.argpartition(-open_, count - 1, axis=1)[:, :count]
    largest = np.take_along_axis(open_, top, axis=1)
    least = largest.min(axis=1, keepdims=True)
    rest = open_.copy()
    np.put_along_axis(rest, top, 0.0, axis=1)
    base = rest.sum(axis=1, keepdims=True)
    found = base + least - open_
    np.put_along_axis(found, top, np.broadcast_to(base, largest.shape), axis=1)
    return np.asarray(np.maximum(found, 0.0))


def _directions(shares: Floats) -> Iterator[Floats]:
    """Yield the directions at which a least can lie, in blocks: those in which as many contributors or roundings drop out as can.

    Those that don't use the first table tell nothing that wasn't told before.
    """
    tables = len(shares)
    columns = np.concatenate([shares.T, np.eye(tables)])
    if tables == 1:
        found = np.ones((1, 1))
    elif tables == 2:
        found = np.stack([-columns[:, 1], columns[:, 0]], axis=1)
    else:
        pairs = np.array(list(combinations(range(len(columns)), 2)))
        found = np.cross(columns[pairs[:, 0]], columns[pairs[:, 1]])
    scale = np.abs(found).max(axis=1, keepdims=True)
    found = found[(scale > 0)[:, 0]] / scale[scale[:, 0] > 0]
    found = found[np.abs(found[:, 0]) > _NOTHING]
    size = max(1, _AT_ONCE // shares.shape[1])
    for start in range(0, len(found), size):
        yield found[start : start + size]

"""Stocks from one statement to the next: what a period closes with is what the next one opens with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

from bom_graph.gates import Finding, Level
from bom_graph.quantities import base_unit, convert
from bom_graph.records import ActivityData, Period
from bom_graph.rules import Limits

_REMEDY = "open with what the period before closed with, or withdraw the statement that doesn't hold"


def follows(later: object, earlier: object) -> bool:
    """Whether a period begins on the day after the other one has ended."""
    return isinstance(later, Period) and isinstance(earlier, Period) and later.start - earlier.end == timedelta(days=1)


def states_stock(record: ActivityData) -> bool:
    """Whether any line of the record states a stock."""
    return bool(_stocks(record, "opening"))


def stock_breaks(
    earlier: tuple[int, ActivityData], later: tuple[int, ActivityData], gate: Limits, *, where: str
) -> Iterator[Finding]:
    """Yield a finding for each stocked input or fuel that `later` doesn't open with what `earlier` closed with.

    Each is a record with its entry's index; the two follow on each other. Beyond the gate's limits, fractions of what the two consumed
    together, it is soft or hard; it never refuses, since the other statement may be the wrong one. Where the later one states no stock
    of it, what was left has gone nowhere.
    """
    (before, old), (after, new) = earlier, later
    closed, opened = _stocks(old, "closing"), _stocks(new, "opening")
    consumed = [_stocks(old, "consumed"), _stocks(new, "consumed")]
    for key in sorted(closed.keys() | opened.keys()):
        left, found = closed.get(key), opened.get(key)
        # A first stock that the period before said nothing of is no break: it may not have been counted then.
        if left is None:
            continue
        used = sum((stated.get(key, Decimal(0)) for stated in consumed), Decimal(0))
        away = abs(left - (found or 0))
        share = float(away / used) if used else float("inf")
        if not away or share <= gate.soft:
            continue
        name, unit = key
        level: Level = "hard" if share > gate.hard else "soft"
        said = "states no stock of it" if found is None else f"opens with {found:.6g} {unit}"
        what = f"{name}: entry {before} closes with {left:.6g} {unit}, entry {after} of the following days {said}"
        yield Finding("stock", level, where, what, _REMEDY)


def _stocks(record: ActivityData, member: str) -> dict[tuple[str, str], Decimal]:
    """What the lines of one product or flow state as `member`, by it and its base unit; those that state none are left out."""
    found: dict[tuple[str, str], Decimal] = {}
    for path, line in record.lines("inputs", "fuels"):
        stated = getattr(line, member)
        if stated is not None:
            unit = base_unit(line.unit, where=path)
            key = (str(getattr(line, "product", None) or line.flow), unit)
            found[key] = found.get(key, Decimal(0)) + convert(stated, line.unit, unit, where=path)
    return found

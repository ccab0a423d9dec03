"""Periods: lines outside their statement's, suppliers whose period doesn't meet their consumer's, and what several statements about one
product say of the same days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from bom_graph.gates import Finding
from bom_graph.records import ActivityData, Lines, Measure, Period, Record, Sealed
from bom_graph.rules import Effect

_SHOWN = 3
#: A statement of more years is remarkable; ours, no source states any.
MOST_YEARS = 5
#: Lists of battery models and scenarios: there each member of a line is a figure of its own.
_WHOLE_LINES = ("cycle_points", "distribution", "collection", "materials")
#: A statement of fewer days doesn't come before one of a month or more only because its days are later.
MONTH_DAYS = 28
#: A supplier whose statement covers less of its consumer's days than this share is remarkable.
LEAST_COVERED = 0.1


def meet(first: object, second: object) -> bool:
    """Whether the two periods have a day in common, or one of them isn't known."""
    if not isinstance(first, Period) or not isinstance(second, Period):
        return True
    return first.start <= second.end and second.start <= first.end


def shown(period: Period) -> str:
    """Return a period as people read it: ``2026-01-01 to 2026-01-31``."""
    return f"{period.start} to {period.end}"


def days(period: Period) -> int:
    """Return how many days a period has, its first and last included."""
    return (period.end - period.start).days + 1


def shared_days(first: Period, second: Period) -> int:
    """Return how many days two periods have in common; below zero how far they are apart."""
    return (min(first.end, second.end) - max(first.start, second.start)).days + 1


def preference(stated: object, signed: date, wanted: Period | None) -> tuple[int, ...]:
    """Return how well a statement of period `stated`, signed on that day, answers for `wanted`; the smallest is the best.

    The most of the wanted days, then the nearest, then the fewest others. Without wanted days the latest, but after those of a month
    or more what covers less, and last what had yet to come when it was signed. A statement without period holds for any day.
    """
    if not isinstance(stated, Period):
        return (-days(wanted), 0) if wanted is not None else (0, 0, -signed.toordinal())
    if wanted is not None:
        return (-shared_days(stated, wanted), days(stated))
    return (int(stated.start > signed), int(days(stated) < MONTH_DAYS), -stated.end.toordinal())


def yet_to_come(stated: object, signed: date, effect: Effect, *, where: str) -> Iterator[Finding]:
    """Yield a finding where all days of a statement lie after the day on which it was signed."""
    if isinstance(stated, Period) and stated.start > signed:
        what = f"it speaks of {shown(stated)} and was signed on {signed}: these days had yet to come"
        yield Finding.by_effect("periods", effect, where, what, "state what was metered, after the period has ended")


def covered(
    consumer: object, supplier: object, effect: Effect, others: Sequence[int], *, where: str
) -> Iterator[Finding]:
    """Yield a finding where the supplier's statement covers less than a tenth of its consumer's days, and a note of others in them.

    `others` are the entries that state other days of the consumer's period.
    """
    if not isinstance(consumer, Period) or not isinstance(supplier, Period):
        return
    shared, wanted = shared_days(consumer, supplier), days(consumer)
    beside = f"entries {', '.join(map(str, others))} state other days of it and aren't counted" if others else ""
    remedy = "ask the supplier for one statement of the consumer's period, or split the consumer's by period"
    if 0 < shared < wanted * LEAST_COVERED:
        what = f"the supplier's statement covers {shared} of the {wanted} days of the process that it goes into"
        yield Finding.by_effect("periods", effect, where, f"{what}; {beside}" if beside else what, remedy)
    elif beside:
        what = f"the supplier's statement is of {shown(supplier)}, the process that it goes into of {shown(consumer)}"
        yield Finding("periods", "note", where, f"{what}; {beside}", remedy)


def lines_outside(record: ActivityData, effect: Effect, *, where: str) -> Iterator[Finding]:
    """Yield a finding for each line that was metered in part or wholly outside the statement's period."""
    stated = record.period
    if not isinstance(stated, Period):
        return
    for path, line in record.lines():
        own = getattr(line, "period", None)
        if own is not None and not (stated.start <= own.start and own.end <= stated.end):
            what = f"the line is of {shown(own)}, the statement of {shown(stated)}"
            remedy = "state what belongs to the statement's period"
            yield Finding.by_effect("periods", effect, f"{where} {path}", what, remedy)


def too_long(record: ActivityData, effect: Effect, *, where: str) -> Iterator[Finding]:
    """Yield a finding where a statement averages over more than five years: a process isn't the same for so long."""
    period = record.period
    if isinstance(period, Period) and (period.end - period.start).days > MOST_YEARS * 366:
        what = f"the statement is of {shown(period)}, above {MOST_YEARS} years"
        remedy = "state a year, or the years that the process was as it is"
        yield Finding.by_effect("periods", effect, f"{where} period", what, remedy)


def apart(consumer: object, supplier: object, effect: Effect, *, where: str) -> Iterator[Finding]:
    """Yield a finding where both periods are known and have no day in common."""
    if isinstance(consumer, Period) and isinstance(supplier, Period) and not meet(consumer, supplier):
        what = f"the supplier's statement is of {shown(supplier)}, it goes into a process of {shown(consumer)}"
        remedy = "ask the supplier for a statement of that time, or explain the stock between them"
        yield Finding.by_effect("periods", effect, where, what, remedy)


def contradiction(
    older: tuple[int, Any], newer: tuple[int, Any], effect: Effect, *, taken: int, where: str
) -> Iterator[Finding]:
    """Yield a finding where two records of one kind about `where`, each with its entry's index, speak of the same days otherwise.

    `taken` is the entry that counts; of the same period that is the newer, and the note says the difference. Periods that only overlap
    state days twice: `effect`.
    """
    (before, old), (after, new) = older, newer
    days_before, days_after = (getattr(one, "period", None) for one in (old, new))
    if days_before == days_after:
        if differing := list(_differences(old, new)):
            more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
            days = f" of {shown(days_after)}" if isinstance(days_after, Period) else ""
            what = (
                f"entries {before} and {after} state the same{days} otherwise; the newer, {after}, is taken: "
                f"{'; '.join(differing[:_SHOWN])}{more}"
            )
            yield Finding("contradiction", "note", where, what, "withdraw or supersede the entry that doesn't hold")
    elif isinstance(days_before, Period) and isinstance(days_after, Period) and meet(days_before, days_after):
        what = (
            f"entries {before} ({shown(days_before)}) and {after} ({shown(days_after)}) overlap; entry {taken} is taken"
        )
        yield Finding.by_effect("periods", effect, where, what, "state periods that don't overlap")


def _differences(old: Record, new: Record) -> Iterator[str]:
    """What the newer record states otherwise, amounts of lines by what they are about: ``inputs copper: 2 kg, now 5 kg``."""
    for name in type(new).model_fields:
        before, now = getattr(old, name), getattr(new, name)
        if isinstance(before, Sealed) or isinstance(now, Sealed) or name == "note":
            continue
        if name in new.lists:
            stated, restated = _by_subject(before), _by_subject(now)
            if name in _WHOLE_LINES and stated == restated and _members(before) != _members(now):
                yield f"{name}: the same amounts with other figures beside them"
            for subject in sorted(stated.keys() | restated.keys()):
                if stated.get(subject) != restated.get(subject):
                    yield f"{name} {subject}: {_amounts(stated.get(subject))}, now {_amounts(restated.get(subject))}"
        elif before != now:
            yield f"{name}: {_text(before)}, now {_text(now)}"


def _members(lines: object) -> list[str]:
    """All that the lines state, in an order of its own; ids are drawn anew for each statement."""
    found = lines if isinstance(lines, Lines) else ()
    return sorted(line.model_dump_json(exclude={"id", "note"}) for line in found)


def _by_subject(lines: object) -> dict[str, Counter[tuple[Decimal, str]]]:
    found: dict[str, Counter[tuple[Decimal, str]]] = {}
    for line in lines if isinstance(lines, Lines) else ():
        names = (
            getattr(line, name, None) for name in ("name", "flow", "product", "gas", "component", "supply", "cycles")
        )
        subject = next((str(name) for name in names if name is not None), "line")
        stated = (getattr(line, name, None) for name in ("consumed", "amount", "share", "kg_co2e", "retention"))
        amount: Decimal = next((value for value in stated if value is not None), Decimal(0))
        found.setdefault(subject, Counter())[amount.normalize(), getattr(line, "unit", "")] += 1
    return found


def _amounts(stated: Counter[tuple[Decimal, str]] | None) -> str:
    if not stated:
        return "nothing"
    return " + ".join(f"{amount:f} {unit}".strip() for amount, unit in sorted(stated.elements()))


def _text(value: object) -> str:
    if isinstance(value, Measure):
        return f"{value.amount:f} {value.unit}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value if isinstance(value, str) else "nothing" if value is None else "otherwise"

"""What the gates find in one statement by itself, so that its maker hears of it while it can still be signed anew.

Nothing here knows of another statement, so every figure in a finding is the maker's own. Clashes between statements are found later, where
results are computed, by whoever may see both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from bom_graph import (
    ActivityData,
    Background,
    BatteryModel,
    Finding,
    ProductFootprint,
    Record,
    RuleSet,
    RuleSetName,
    carbon_balance,
    element_balance,
    energy_findings,
    grid_elsewhere,
    lines_outside,
    out_of_scope,
    too_long,
    total_finding,
    unbalanced,
    unknown_members,
    yet_to_come,
)

_WHERE = "statement"
#: Tells what it finds in activity data that was signed on that day.
_Gate = Callable[[ActivityData, date], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A finding about one statement, and the ids of the rule sets that make it; it refuses nothing."""

    finding: Finding
    rule_sets: tuple[str, ...]


def annotate(record: Record, background: Background, *, signed: date) -> tuple[Annotation, ...]:
    """Return what the gates of each rule set in use find in `record` alone, which was signed on that day (UTC)."""
    found: dict[Finding, list[str]] = {}
    for names, findings in _asked(record, background, signed):
        for finding in findings:
            # Whether a result would be refused is the rule set's matter when one is computed.
            found.setdefault(replace(finding, refuses=False), []).extend(names)
    every = tuple(rule_set.id for rule_set in background.rule_sets)
    misnamed = [Annotation(finding, every) for finding in unknown_members(record, where=_WHERE)]
    return (*(Annotation(finding, tuple(names)) for finding, names in found.items()), *misnamed)


def _asked(record: Record, background: Background, signed: date) -> Iterator[tuple[Sequence[str], Iterable[Finding]]]:
    """Yield what is found, with the ids of the rule sets that ask it so."""
    if isinstance(record, ActivityData):
        for names, gate in _of_activity(background):
            yield names, gate(record, signed)
        return
    for rule_set in background.rule_sets:
        yield [rule_set.id], _findings(record, rule_set)


def _findings(record: Record, rule_set: RuleSet) -> Iterator[Finding]:
    match record:
        case BatteryModel():
            yield from out_of_scope(record, rule_set, where=_WHERE)
            yield from energy_findings(record, rule_set, where=_WHERE)
        case ProductFootprint():
            stated = isinstance(record.rule_set, RuleSetName) and record.rule_set.names(rule_set)
            if stated and isinstance(record.total, Decimal):
                yield from total_finding(float(record.total), rule_set, where=_WHERE)


@lru_cache(maxsize=8)
def _of_activity(background: Background) -> Sequence[tuple[Sequence[str], _Gate]]:
    """The gates of activity data, each once for all rule sets that ask the same, with their ids."""
    asked: list[tuple[Any, list[str], _Gate]] = []
    for rule_set in background.rule_sets:
        for number, (asks, gate) in enumerate(_gates(rule_set, background)):
            alike = next((names for known, names, _gate in asked if known == (number, asks)), None)
            if alike is None:
                asked.append(((number, asks), [rule_set.id], gate))
            else:
                alike.append(rule_set.id)
    return [(names, gate) for _asks, names, gate in asked]


def _gates(rule_set: RuleSet, background: Background) -> Iterable[tuple[Any, _Gate]]:
    """The gates of one rule set, each with what it goes by."""
    limits, effect = rule_set.gates.element_balance, rule_set.gates.periods.line
    electricity, counted = rule_set.electricity, rule_set.gases.counts("CO2", "biogenic_removal")
    return (
        (limits, lambda record, _signed: element_balance(record, limits, where=_WHERE)),
        ((limits, counted), lambda record, _signed: carbon_balance(record, limits, counted=counted, where=_WHERE)),
        (None, lambda record, _signed: unbalanced(record, background.formulas, where=_WHERE)),
        (effect, lambda record, _signed: lines_outside(record, effect, where=_WHERE)),
        (effect, lambda record, _signed: too_long(record, effect, where=_WHERE)),
        (effect, lambda record, signed: yet_to_come(record.period, signed, effect, where=_WHERE)),
        (electricity.basis, lambda record, _signed: grid_elsewhere(record, None, electricity, where=_WHERE)),
    )

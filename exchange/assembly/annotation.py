"""What the gates find in one statement by itself, so that its maker hears of it while it can still be signed anew.

Nothing here knows of another statement, so every figure in a finding is the maker's own. Clashes between statements are found later, where
results are computed, by whoever may see both sides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
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


@dataclass(frozen=True, slots=True)
class Annotation:
    """A finding about one statement, and the ids of the rule sets that make it; it refuses nothing."""

    finding: Finding
    rule_sets: tuple[str, ...]


def annotate(record: Record, background: Background, *, signed: date) -> tuple[Annotation, ...]:
    """Return what the gates of each rule set in use find in `record` alone, which was signed on that day (UTC)."""
    found: dict[Finding, list[str]] = {}
    for alike in _alike(record, background.rule_sets):
        for finding in _findings(record, background, alike[0], signed):
            # Whether a result would be refused is the rule set's matter when one is computed.
            found.setdefault(replace(finding, refuses=False), []).extend(rule_set.id for rule_set in alike)
    every = tuple(rule_set.id for rule_set in background.rule_sets)
    misnamed = [Annotation(finding, every) for finding in unknown_members(record, where=_WHERE)]
    return (*(Annotation(finding, tuple(names)) for finding, names in found.items()), *misnamed)


def _alike(record: Record, rule_sets: Iterable[RuleSet]) -> Iterable[list[RuleSet]]:
    """Group rule sets that ask the same of activity data, which is then asked once."""
    groups: dict[Any, list[RuleSet]] = {}
    for one in rule_sets:
        asks = (one.gates.element_balance, _counts_uptake(one), one.gates.periods.line, one.electricity.basis)
        groups.setdefault(asks if isinstance(record, ActivityData) else one.id, []).append(one)
    return groups.values()


def _counts_uptake(rule_set: RuleSet) -> bool:
    return rule_set.gases.counts("CO2", "biogenic_removal")


def _findings(record: Record, background: Background, rule_set: RuleSet, signed: date) -> Iterator[Finding]:
    match record:
        case ActivityData():
            yield from _of_activity(record, background, rule_set, signed)
        case BatteryModel():
            yield from out_of_scope(record, rule_set, where=_WHERE)
            yield from energy_findings(record, rule_set, where=_WHERE)
        case ProductFootprint():
            stated = isinstance(record.rule_set, RuleSetName) and record.rule_set.names(rule_set)
            if stated and isinstance(record.total, Decimal):
                yield from total_finding(float(record.total), rule_set, where=_WHERE)


def _of_activity(record: ActivityData, background: Background, rule_set: RuleSet, signed: date) -> Iterator[Finding]:
    gates = rule_set.gates
    yield from element_balance(record, gates.element_balance, where=_WHERE)
    yield from carbon_balance(record, gates.element_balance, counted=_counts_uptake(rule_set), where=_WHERE)
    yield from unbalanced(record, background.formulas, where=_WHERE)
    yield from lines_outside(record, gates.periods.line, where=_WHERE)
    yield from too_long(record, gates.periods.line, where=_WHERE)
    yield from yet_to_come(record.period, signed, gates.periods.line, where=_WHERE)
    yield from grid_elsewhere(record, None, rule_set.electricity, where=_WHERE)

"""What another factor release or another rule set changes: row by row, member by member, and in kilograms of a result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bom_graph.factors import FactorRelease, FactorRow
from bom_graph.footprint import Contribution
from bom_graph.rules import RuleSet


@dataclass(frozen=True, slots=True)
class RowChange:
    """A row that both releases have, and the members that differ."""

    old: FactorRow
    new: FactorRow
    members: tuple[str, ...]

    @property
    def relative(self) -> float | None:
        """By how much the value differs, as a share of the old one; None where that was zero or the units differ."""
        if self.old.per != self.new.per or self.old.value == 0:
            return None
        return float(self.new.value / self.old.value - 1)


@dataclass(frozen=True, slots=True)
class ReleaseDifference:
    """Rows by id: only in the new release, only in the old one, in both and different."""

    added: tuple[FactorRow, ...]
    removed: tuple[FactorRow, ...]
    changed: tuple[RowChange, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """One contribution that moves, in kg CO2e of the demand; `new` is None where the row is gone or in another unit, so that nobody knows
    it before the result is computed again. `where` names the line."""

    where: str
    row: str
    old: float | None
    new: float | None


def compare_releases(old: FactorRelease, new: FactorRelease) -> ReleaseDifference:
    """Return how `new` differs from `old`; rows are the same one where they have one id."""
    before, after = ({row.id: row for row in release.rows} for release in (old, new))
    changes = []
    for row in old.rows:
        if row.id in after and row != after[row.id]:
            members = (name for name in FactorRow.model_fields if getattr(row, name) != getattr(after[row.id], name))
            changes.append(RowChange(row, after[row.id], tuple(members)))
    return ReleaseDifference(
        added=tuple(row for row in new.rows if row.id not in before),
        removed=tuple(row for row in old.rows if row.id not in after),
        changed=tuple(changes),
    )


def effect_on_result(
    contributions: Sequence[Mapping[str, Any]], old: FactorRelease, difference: ReleaseDifference
) -> tuple[Effect, ...]:
    """Return what moves among the contributions of a stored result when `old`'s rows become the new ones.

    A contribution is linear in its factor. Rows that were only added move nothing here, though a new calculation may take one.
    """
    changed = {change.old.id: change for change in difference.changed}
    removed = {row.id for row in difference.removed}
    found = []
    for part in contributions:
        factor = part.get("factor") or {}
        row = str(factor.get("row"))
        if factor.get("release") != old.id or (row not in changed and row not in removed):
            continue
        kg = float(part["kg_co2e"])
        where = f"{part['product']} {part['line']}"
        if row in removed:
            found.append(Effect(where, row, kg, None))
        elif (relative := changed[row].relative) is not None and relative:
            found.append(Effect(where, row, kg, kg * (1 + relative)))
        elif relative is None:
            found.append(Effect(where, row, kg, None))
    return tuple(found)


def effect_on_contributions(old: Sequence[Contribution], new: Sequence[Contribution]) -> tuple[Effect, ...]:
    """Return the lines whose kilograms differ between two solutions of one product system, in the order of the system."""
    before, after = (_by_line(parts) for parts in (old, new))
    found = []
    for line in dict.fromkeys([*before, *after]):
        kg, row = before.get(line, (None, ""))
        moved, taken = after.get(line, (None, row))
        if kg != moved:
            found.append(Effect(line, taken if taken == row or not row else f"{row} -> {taken}", kg, moved))
    return tuple(found)


def _by_line(parts: Sequence[Contribution]) -> dict[str, tuple[float | None, str]]:
    found: dict[str, tuple[float | None, str]] = {}
    for part in parts:
        factor: Any = part.burden.origin.get("factor") or {}
        row = f"{factor['release']}/{factor['row']}" if factor else ""
        found[str(part.burden.origin["line"])] = (part.kg_co2e, row)
    return found


def compare_rule_sets(old: RuleSet, new: RuleSet) -> list[tuple[str, Any, Any]]:
    """Return each member that differs as (path, old value, new value); None where one has none. The digests are left out."""
    before, after = (rule_set.model_dump(mode="json", exclude={"digest"}) for rule_set in (old, new))
    return list(_differences("", before, after))


def _differences(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from _differences(f"{path}/{key}".lstrip("/"), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        yield from _differences(path, _keyed(old), _keyed(new))
    elif old != new:
        yield path, old, new


def _keyed(items: list[Any]) -> dict[str, Any]:
    """A list's elements by what names them, so that one more doesn't shift the others."""
    found = {}
    for item in items:
        if isinstance(item, dict):
            named = item.get("id") or item.get("what") or f"{item.get('process')}:{item.get('line')}"
            found[str(named)] = item
        else:
            found[str(item)] = item
    return found

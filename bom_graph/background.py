"""What a record may refer to: the rule sets in use, and the emission factors that they name.

A statement that names a flow, a grid or a stage that nothing in use knows gives its customers no result, so it is refused while its maker
can still correct it. A supplier's product is not looked at here: its statements may come later.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from typing import Any, Self, get_args

from bom_graph.errors import FactorError, MissingFactorError, UnitError, UnknownStageError
from bom_graph.factors import LIFE_CYCLE, FactorRelease, FactorRow, load_release, missing_remedy
from bom_graph.quantities import dimension
from bom_graph.records import (
    ActivityData,
    AmountLine,
    BillOfMaterials,
    Electricity,
    Fuel,
    Line,
    Lines,
    Material,
    ProductFootprint,
    Record,
    RuleSetName,
    StatedFactor,
    Transport,
    Waste,
)
from bom_graph.rules import RuleSet, load_rule_set, rule_set_ids

_NEAREST = 3
_REMEMBERED = 4096
_LIFE_CYCLE = frozenset({LIFE_CYCLE})


@dataclass(frozen=True, eq=False)
class Background:
    """The rule sets in use and the factor releases that they name; each is itself alone, however alike."""

    rule_sets: tuple[RuleSet, ...]
    releases: tuple[FactorRelease, ...]

    @classmethod
    @cache
    def shipped(cls) -> Self:
        """Return the rule sets that ship with the package, and their releases."""
        rule_sets = tuple(map(load_rule_set, rule_set_ids()))
        named = sorted({name for rule_set in rule_sets for name in rule_set.factor_releases})
        return cls(rule_sets, tuple(map(load_release, named)))

    def with_releases(self, releases: Sequence[FactorRelease]) -> Self:
        """Return the background with `releases` in the place of those of their ids: newer versions of them."""
        newer = {release.id: release for release in releases}
        if unknown := sorted(newer.keys() - {release.id for release in self.releases}):
            raise FactorError(
                f"no rule set names factor release {', '.join(unknown)}",
                where="factor releases",
                remedy=f"take a version of {', '.join(release.id for release in self.releases)}",
            )
        return replace(self, releases=tuple(newer.get(release.id, release) for release in self.releases))

    def check(self, record: Record) -> None:
        """Check that what `record` refers to is in use, as far as it is disclosed.

        Raises MissingFactorError where no release has a factor for a flow or grid, UnitError where a line's unit fits the factor of none,
        and UnknownStageError where a footprint states a stage that its rule set doesn't have. A footprint under a rule set that isn't in
        use is nobody's input, and not judged.
        """
        for path, flow in _named_flows(record):
            self._rows_of(flow, path)
        match record:
            case ActivityData():
                for path, line in _each("inputs", record.inputs):
                    self._check_input(line, path)
                for path, line in _each("electricity", record.electricity):
                    self._check_electricity(line, path)
                for path, line in _each("fuels", record.fuels):
                    self._check_flow(line, line.flow, path)
                for path, line in _each("waste", record.waste):
                    self._check_input(line, path)
            case BillOfMaterials():
                for path, line in _each("components", record.components):
                    self._check_input(line, path)
            case ProductFootprint():
                self._check_stages(record)

    def _check_input(self, line: Material | Waste, path: str) -> None:
        if line.flow is not None:
            self._check_flow(line, line.flow, path)

    def _check_flow(self, line: Material | Waste | Fuel, flow: str, path: str) -> None:
        _check_unit(line, self._rows_of(flow, path), path)

    def _rows_of(self, flow: str, path: str) -> Sequence[FactorRow]:
        """The rows of a flow that isn't a grid's; MissingFactorError where there are none."""
        rows = self._rows(flow, None, _LIFE_CYCLE)
        if not rows:
            near = difflib.get_close_matches(flow, self._flows, _NEAREST, cutoff=0)
            remedy = missing_remedy(flow, (), near)
            if any(flow in release.by_flow for release in self.releases):
                remedy = "its factors are those of grids: state it as a line of electricity"
            raise MissingFactorError(
                f"no factor for flow {flow!r} in {self._named}", where=f"{path}/flow", remedy=remedy
            )
        return rows

    def _check_electricity(self, line: Electricity, path: str) -> None:
        rows = self._rows(line.flow, line.geography, self._electricity_families)
        if not rows:
            known = {row.geography for release in self.releases for row in release.by_flow.get(line.flow, ())}
            if line.generation is not None:
                what = f"no factor for {line.flow} of {line.geography!r} in {self._named}"
                raise MissingFactorError(what, where=f"{path}/geography", remedy=missing_remedy(line.flow, known))
            nations = sorted(place for place in known if "-" not in place)
            regions = sorted({place.partition("-")[0] for place in known if "-" in place})
            raise MissingFactorError(
                f"no factor for {line.flow} of {line.geography!r} in {self._named}",
                where=f"{path}/geography",
                remedy="name the grid by its code, of a nation or nation-region; "
                f"there are {', '.join(nations)}, and regions of {', '.join(regions)}",
            )
        _check_unit(line, rows, path)

    def _check_stages(self, record: ProductFootprint) -> None:
        name = record.rule_set
        rule_set = next((r for r in self.rule_sets if isinstance(name, RuleSetName) and name.names(r)), None)
        if rule_set is None:
            return
        for path, line in _each("stages", record.stages):
            if rule_set.unknown_stages([line.stage]):
                known = ", ".join(stage.id for stage in rule_set.stages)
                raise UnknownStageError(
                    f"rule set {rule_set.id} has no stage {line.stage!r}",
                    where=f"{path}/stage",
                    remedy=f"use its stages: {known}",
                )

    def _rows(self, flow: str, geography: str | None, families: frozenset[str]) -> Sequence[FactorRow]:
        """The row that each release would give for each family, where it has one."""
        return self._remembered(flow, geography, families)

    @cached_property
    def _remembered(self) -> Callable[[str, str | None, frozenset[str]], Sequence[FactorRow]]:
        # Statement after statement names the same flows and grids.
        @lru_cache(maxsize=_REMEMBERED)
        def rows(flow: str, geography: str | None, families: frozenset[str]) -> Sequence[FactorRow]:
            factors = [
                release.factor(flow, geography, family, year=None) for release in self.releases for family in families
            ]
            return [factor.row for factor in factors if factor is not None]

        return rows

    @cached_property
    def _electricity_families(self) -> frozenset[str]:
        return frozenset(rule_set.electricity.family for rule_set in self.rule_sets)

    @cached_property
    def formulas(self) -> dict[str, str]:
        """The formula of each flow whose factor states one."""
        return {row.flow: row.composition for one in self.releases for row in one.rows if row.composition is not None}

    @property
    def _named(self) -> str:
        return ", ".join(release.id for release in self.releases)

    @property
    def _flows(self) -> list[str]:
        flows = {flow for release in self.releases for flow in (*release.by_flow, *(p.flow for p in release.proxies))}
        return sorted(flow for flow in flows if self._rows(flow, None, _LIFE_CYCLE))


def _each(name: str, lines: object) -> Iterator[tuple[str, Any]]:
    if isinstance(lines, Lines):
        for line in lines:
            yield f"{name}/{line.id}", line


def _named_flows(record: Record) -> Iterator[tuple[str, str]]:
    """Path and flow of each factor that a line names, or takes because it names none."""
    for name, kind in record.lists.items():
        if not (members := _factor_members(kind)):
            continue
        for path, line in _each(name, getattr(record, name)):
            if isinstance(line, Transport) and line.factor is None:
                yield f"{path}/factor", line.freight_flow
            for member in members:
                value = getattr(line, member)
                if type(value) is StatedFactor and value.flow is not None:
                    yield f"{path}/{member}", value.flow


@cache
def _factor_members(kind: type[Line]) -> tuple[str, ...]:
    """The members by which lines of a kind state factors; most kinds have none, and thousands of lines."""
    return tuple(name for name, field in kind.model_fields.items() if StatedFactor in get_args(field.annotation))


def _check_unit(line: AmountLine, rows: Sequence[FactorRow], path: str) -> None:
    stated = dimension(line.unit, where=f"{path}/unit")
    fitting = sorted({dimension(row.per, where=row.id) for row in rows})
    if stated not in fitting:
        raise UnitError(
            f"{line.unit} is {stated}, the factor of {rows[0].flow} is per {rows[0].per}",
            where=f"{path}/unit",
            remedy=f"state the amount in a unit of {' or '.join(fitting)}",
        )

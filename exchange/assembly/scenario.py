"""What a pack's life-cycle scenario adds: distribution legs, collection, and the end of life as the rule set counts it. Forecasts all.

What the scenario leaves out comes from the rule set's defaults, as an assumption; where neither has it, the stage is a gap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bom_graph import (
    Circularity,
    EndOfLifeError,
    FactorError,
    Finding,
    LifeCycleScenario,
    Lines,
    Measure,
    RecoveredMaterial,
    RuleSet,
    StatedFactor,
    Term,
    Transport,
    UnitError,
    convert,
    stored,
    terms,
)
from exchange.assembly.result import Gap


@dataclass(frozen=True, slots=True)
class ResolvedFactor:
    """kg CO2e per `per`, and how a contribution names it."""

    value: float
    per: str
    named: dict[str, object]


#: (named or stated factor, flow to take without one, place) -> factor; raises FactorError where none fits.
FindFactor = Callable[[StatedFactor | None, str, str], ResolvedFactor]


@dataclass(frozen=True, slots=True)
class Emission:
    """kg CO2e of one line per pack towards a stage: `amount` (in the factor's unit) times the factor."""

    line: Any
    path: str
    name: str
    stage: str
    amount: float
    factor: ResolvedFactor

    @property
    def kg_co2e(self) -> float:
        """kg CO2e per pack."""
        return self.amount * self.factor.value

    @property
    def origin(self) -> dict[str, object]:
        """What explains it beside its statement."""
        return {
            "name": self.name,
            "forecast": True,
            "obtained": f"forecast, {self.line.obtained}",
            "amount_per_unit": stored(self.amount),
            "factor": self.factor.named,
        }


@dataclass
class ScenarioReading:
    """What was read of a scenario, and what was missing in it."""

    emissions: list[Emission] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)


def transport_factor(leg: Transport, find: FindFactor, where: str) -> tuple[ResolvedFactor, str]:
    """Return the factor of a leg, per t.km, and what people call the leg. Raises FactorError, UnitError."""
    factor = find(leg.factor, leg.freight_flow, where)
    convert(Decimal(1), "t.km", factor.per, where=f"{where}/factor/per")
    return factor, f"transport by {leg.mode.replace('_', ' ')}"


def read_scenario(
    record: LifeCycleScenario, rule_set: RuleSet, mass: Measure | None, find: FindFactor, *, where: str
) -> ScenarioReading:
    """Return what `record` adds to a pack of `mass` under the rule set; `where` names the statement in gaps and findings."""
    reading = _Reader(record, rule_set, mass, find, where)
    if rule_set.distribution is not None and _items(record.distribution):
        reading.legs("distribution", rule_set.distribution)
    if rule_set.end_of_life is not None and (_items(record.materials) or _items(record.collection)):
        reading.legs("collection", rule_set.end_of_life.stage)
        reading.materials()
    return reading.found


class _Reader:
    def __init__(
        self, record: LifeCycleScenario, rule_set: RuleSet, mass: Measure | None, find: FindFactor, where: str
    ) -> None:
        self._record = record
        self._rules = rule_set
        self._mass = mass
        self._find = find
        self._where = where
        self.found = ScenarioReading()

    def legs(self, name: str, stage: str) -> None:
        """Add the transport legs of a list."""
        for leg in _items(getattr(self._record, name)):
            path = f"{name}/{leg.id}"
            work = leg.work(self._mass)
            if work is None:
                self._gap(stage, path, "the leg has no mass, and the battery model states none")
                continue
            try:
                factor, called = transport_factor(leg, self._find, f"{self._where} {path}")
            except (FactorError, UnitError) as error:
                self._gap(stage, path, error.what)
                continue
            amount = float(convert(work, "t.km", factor.per, where=path))
            self.found.emissions.append(Emission(leg, path, called, stage, amount, factor))

    def materials(self) -> None:
        """Add what becomes of the pack's materials."""
        end = self._rules.end_of_life
        if end is None:
            return
        if not _items(self._record.materials):
            self._gap(end.stage, "materials", "it states what is collected, and not what becomes of it")
        for line in _items(self._record.materials):
            path = f"materials/{line.id}"
            try:
                shares = self._shares(line, path)
                if shares is None:
                    continue
                shares.check(where=f"{self._where} {path}")
            except EndOfLifeError as error:
                self.found.findings.append(
                    Finding("end_of_life", "hard", error.where, error.what, error.remedy, refuses=True)
                )
                continue
            kg = float(convert(line.amount, line.unit, "kg", where=path))
            for term in terms(end.method, shares):
                stage = self._rules.stage_of("pack_assembly", "material") if term.at_production else end.stage
                try:
                    factor = self._factor(line, term, f"{self._where} {path}/{term.factor}")
                except (FactorError, UnitError) as error:
                    self._gap(stage, f"{path}/{term.factor}", error.what)
                    continue
                self.found.emissions.append(
                    Emission(line, path, f"{line.name}: {term.name}", stage, kg * term.share, factor)
                )

    def _factor(self, line: RecoveredMaterial, term: Term, where: str) -> ResolvedFactor:
        stated = getattr(line, term.factor)
        if term.factor == "substituted" and stated is None:
            stated = line.virgin
        if stated is None:
            what = f"no factor is stated for {term.factor.replace('_', ' ')} of {line.name}"
            raise FactorError(what, where=where, remedy="state it in the scenario")
        factor = self._find(stated, "", where)
        units = float(convert(Decimal(1), term.per, factor.per, where=f"{where}/per"))
        return factor if units == 1 else ResolvedFactor(factor.value * units, term.per, factor.named)

    def _shares(self, line: RecoveredMaterial, path: str) -> Circularity | None:
        collected = self._share(line, "collection_rate", self._record.collection_rate, path)
        recovered = self._share(line, "recovery_yield", line.recovery_yield, path)
        if collected is None or recovered is None:
            return None
        burned = float(line.energy_recovered or 0)
        names: list[str] = []
        if self._rules.end_of_life is not None and self._rules.end_of_life.method == "cff":
            names = ["recycled_content", "allocation", "quality_in", "quality_out"]
            names += ["energy_allocation"] if burned else []
        found = {name: self._share(line, name, getattr(line, name), path) for name in names}
        if None in found.values():
            return None
        return Circularity(
            recycled=collected * recovered,
            energy_recovered=burned,
            heat=float(line.recovered_kwh(line.heat_efficiency)),
            electricity=float(line.recovered_kwh(line.electricity_efficiency)),
            **{name: value or 0.0 for name, value in found.items()},
        )

    def _share(self, line: RecoveredMaterial, name: str, stated: object, path: str) -> float | None:
        """A share as stated, else the rule set's, as an assumption; None with a gap where neither has it."""
        if isinstance(stated, Decimal):
            return float(stated)
        end = self._rules.end_of_life
        default = getattr(end, name)
        said = name.replace("_", " ")
        if end is None or default is None:
            self._gap(end.stage if end else path, f"{path}/{name}", f"the scenario states no {said} of {line.name}")
            return None
        self.found.assumptions.append(f"end of life of {line.name}: {said} {default:f}, the rule set's default")
        return float(default)

    def _gap(self, stage: str, path: str, what: str) -> None:
        self.found.gaps.append(Gap(stage, f"{self._where} {path}: {what}"))


def _items(value: object) -> tuple[Any, ...]:
    return value.items if isinstance(value, Lines) else ()

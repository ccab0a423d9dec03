"""What a pack's life-cycle scenario adds: distribution legs, collection, and the end of life as the rule set counts it. Forecasts all.

What the scenario leaves out comes from the rule set's defaults, as an assumption; where neither has it, the stage is a gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bom_graph import (
    Circularity,
    EndOfLifeError,
    FactorError,
    Finding,
    Level,
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
    mass_finding,
    stored,
    terms,
)
from exchange.assembly.result import Gap

#: kg CO2e per t.km, and per kg of a material: what emits less covers nothing. No ship and no landfill comes near it.
LEAST_PER_TKM = LEAST_PER_KG = 1e-4
#: Legs that are shorter in all don't bring a pack to anybody.
LEAST_KM = 1


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
    #: Materials that are credited as recovered: name, kg per pack, path.
    credited: list[tuple[str, float, str]] = field(default_factory=list)


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
        """Add the transport legs of a list. Less than a kilometre in all doesn't cover the stage."""
        travelled = Decimal(0)
        for leg in _items(getattr(self._record, name)):
            path = f"{name}/{leg.id}"
            self._check_mass(leg, name, path)
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
            if amount * factor.value <= float(work) * LEAST_PER_TKM:
                what = "the leg comes to zero, by its distance, mass or factor: it covers nothing"
                if amount * factor.value:
                    what = f"the leg emits less than {LEAST_PER_TKM:g} kg CO2e/t.km: it covers nothing"
                self._gap(stage, path, what)
                continue
            travelled += work
            self.found.emissions.append(Emission(leg, path, called, stage, amount, factor))

        pack = self._pack_kg
        if travelled > 0 and pack and travelled < pack / 1000 * LEAST_KM:
            self._gap(stage, name, f"the pack goes less than {LEAST_KM} km in all: that covers nothing")

    def _check_mass(self, leg: Transport, name: str, path: str) -> None:
        """Compare what a leg carries with the pack: heavier may be packaging, and lighter a part that is collected."""
        if leg.mass is None:
            return
        kg, where = leg.mass.to("kg", where=path), f"{self._where} {path}"
        if not self._pack_kg:
            what = "the mass that the leg carries can't be checked: the battery model states none"
            remedy = "state the pack's mass in the battery model"
            self.found.findings.append(Finding("pack_mass", "soft", where, what, remedy))
            return
        found = mass_finding(kg, self._pack_kg, self._rules, of="the leg", where=where)
        if kg > self._pack_kg or name != "distribution":
            found = [replace(one, level="soft", refuses=False) for one in found]
        self.found.findings += found

    def _check_materials(self, stage: str) -> None:
        """Compare the materials with the pack: more than it weighs is a finding, much less leaves the stage a gap."""
        end, lines = self._rules.end_of_life, _items(self._record.materials)
        if end is None or not lines:
            return
        kg = sum((convert(line.amount, line.unit, "kg", where=f"materials/{line.id}") for line in lines), Decimal(0))
        if not self._pack_kg:
            self._gap(stage, "materials", f"they are {kg:.6g} kg, of a pack whose mass the battery model doesn't state")
            return
        if kg > self._pack_kg:
            of, where = "the sum of the materials", f"{self._where} materials"
            self.found.findings += mass_finding(kg, self._pack_kg, self._rules, of=of, where=where)
        elif kg < self._pack_kg * end.least_mass_covered:
            share = float(100 * kg / self._pack_kg)
            what = f"they are {kg:.6g} kg, {share:.3g} % of the pack's {self._pack_kg:.6g} kg; the rest is not known, not zero"
            self._gap(stage, "materials", what)

    @property
    def _pack_kg(self) -> Decimal | None:
        """The battery model's mass, kg per pack; None where it states none."""
        return None if self._mass is None else self._mass.to("kg", where="mass")

    def materials(self) -> None:
        """Add what becomes of the pack's materials."""
        end = self._rules.end_of_life
        if end is None:
            return
        if not _items(self._record.materials):
            self._gap(end.stage, "materials", "it states what is collected, and not what becomes of it")
        self._check_materials(end.stage)
        treated: list[tuple[float, float]] = []
        for line in _items(self._record.materials):
            path = f"materials/{line.id}"
            try:
                shares = self._shares(line, path)
                if shares is None:
                    continue
                shares.check(where=f"{self._where} {path}")
                self._compare_allocation(line, path)
            except EndOfLifeError as error:
                self.found.findings.append(
                    Finding("end_of_life", "hard", error.where, error.what, error.remedy, refuses=True)
                )
                continue
            kg = float(convert(line.amount, line.unit, "kg", where=path))
            found = list(terms(end.method, shares))
            if any(term.factor == "substituted" for term in found):
                self.found.credited.append((line.name, kg, path))
            if not found:
                self.found.emissions.append(_counted_elsewhere(line, path, end.stage, kg, end.method))
            for term in found:
                stage = self._rules.stage_of("pack_assembly", "material") if term.at_production else end.stage
                try:
                    factor = self._factor(line, term, f"{self._where} {path}/{term.factor}")
                except (FactorError, UnitError) as error:
                    self._gap(stage, f"{path}/{term.factor}", error.what)
                    continue
                one = Emission(line, path, f"{line.name}: {term.name}", stage, kg * term.share, factor)
                self.found.emissions.append(one)
                if term.share > 0 and not term.at_production:
                    treated.append((float(one.amount), one.kg_co2e))
                    self._check_zero(term, factor, f"{path}/{term.factor}")
        self._check_treated(end.stage, treated)

    def _check_zero(self, term: Term, factor: ResolvedFactor, path: str) -> None:
        """Say where what is done to a material is stated to emit nothing."""
        if factor.value == 0:
            what = f"{term.name} is stated with a factor of zero: nothing is done without emissions"
            remedy = "state the factor of the treatment, with its source"
            self.found.findings.append(Finding("end_of_life", "soft", f"{self._where} {path}", what, remedy))

    def _check_treated(self, stage: str, treated: list[tuple[float, float]]) -> None:
        """Treatment that emits next to nothing in all leaves the stage a gap; `treated` are kg and kg CO2e."""
        kg, kg_co2e = (math.fsum(one[place] for one in treated) for place in (0, 1))
        if treated and kg_co2e < kg * LEAST_PER_KG:
            self._gap(stage, "materials", f"their treatment comes to {kg_co2e:.3g} kg CO2e in all: it covers nothing")

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

    def _compare_allocation(self, line: RecoveredMaterial, path: str) -> None:
        """Say where the maker chose how recycling and energy are divided: that is the method's to say."""
        end = self._rules.end_of_life
        if end is None or end.method != "cff":
            return
        for name in ("allocation", "energy_allocation"):
            stated, given = getattr(line, name), getattr(end, name)
            if stated is None or stated == given:
                continue
            level: Level = "note" if given is None else "soft"
            whose = "the rule set gives none" if given is None else f"the rule set's is {given:f}"
            what = f"{name.replace('_', ' ')} {stated:f} of {line.name} is the pack maker's own: {whose}"
            remedy = "leave it out, so that the rule set's counts, or say in the statement what it rests on"
            self.found.findings.append(Finding("end_of_life", level, f"{self._where} {path}/{name}", what, remedy))

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


def _counted_elsewhere(line: RecoveredMaterial, path: str, stage: str, kg: float, method: str) -> Emission:
    """A material of which the method counts nothing here: a computed zero that says whose it is, not a gap."""
    said = "0 by the cut-off method: who uses what is recovered bears its recycling"
    if method != "recycled_content":
        said = "0 by the rule set's method: all of it is recycled, and who uses what is recovered bears that"
    named: dict[str, object] = {
        "row": "method", "value": "0", "unit": "kg CO2e/kg", "release": "rule set", "reason": said, "source": method,
        "geography": None, "year": None, "nature": "modelled",
    }  # fmt: skip
    return Emission(line, path, f"{line.name}: {said}", stage, kg, ResolvedFactor(0.0, "kg", named))


def _items(value: object) -> tuple[Any, ...]:
    return value.items if isinstance(value, Lines) else ()

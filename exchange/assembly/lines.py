"""What the lines of a process emit: each with its factor, in the factor's unit, towards its stage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any

from bom_graph import (
    BALANCED_ELEMENTS,
    LIFE_CYCLE,
    TRANSMISSION,
    Basis,
    Burden,
    Column,
    Component,
    CompositionError,
    ElectricityBasis,
    Factor,
    FactorError,
    FactorRelease,
    FactorRow,
    Finding,
    Material,
    Period,
    Restated,
    RuleSet,
    StatedFactor,
    Transport,
    UnitError,
    Waste,
    balanced_elements,
    column_of,
    convert,
    dimension,
    gwp100,
    hydrate_mistaken,
    look_up,
    restate,
    stated_factor,
    stored,
    taken_at_word,
)
from exchange.assembly.data_quality import factor_facts, facts_of_quality
from exchange.assembly.deliveries import cited_delivery
from exchange.assembly.scenario import ResolvedFactor, transport_factor
from exchange.assembly.splitting import Split
from exchange.evidence import Entry, Evidence

_PRIMARY = ("measured", "calculated")


@dataclass(frozen=True, slots=True)
class UnitProcess:
    """A process whose lines are being added: its number, product, class, the amount that its lines make, and its statement."""

    number: int
    product: str
    process_class: str
    made: float
    entry: Entry
    #: Year in which its period ends; None where none is stated.
    year: int | None = None
    #: What of the line counts here (of several outputs, supplies or suppliers), and the allocation key where one says so.
    share: float = 1.0
    key: str | None = None

    @property
    def place(self) -> str:
        return f"{self.product} (entry {self.entry.index})"

    def origin(self, line: Any, path: str) -> dict[str, object]:
        """Return where a figure of `line` comes from: product, path, statement, signer, ledger index, amount as stated."""
        found: dict[str, object] = {
            "product": self.product,
            "line": path,
            "name": getattr(line, "name", None) or getattr(line, "flow", None) or path.partition("/")[0],
            "entry": self.entry.index,
            "leaf_hash": self.entry.leaf_hash,
            "signer": self.entry.statement.issuer,
            "amount": format(line.amount, "f"),
            "unit": line.unit,
            "divided_by": stored(self.made),
            "obtained": line.obtained,
            **facts_of_quality(self.entry.record, line),
        }
        if getattr(line, "opening", None) is not None:
            found["stock"] = {"opening": format(line.opening, "f"), "closing": format(line.closing, "f")}
        if self.key is not None:
            found["allocated_by"] = self.key
        if self.share != 1:
            found["counted_percent"] = stored(100 * self.share)
        return found

    def bearing(self, split: Split, line: Any) -> UnitProcess:
        """Return this process as `line` sees it: its product bears a share of the line; AllocationError where nobody can say which."""
        if not split.is_needed:
            return self
        share = float(split.share(self.product, line))
        if share == 1 or split.allocation is None:
            return replace(self, share=share)
        return replace(self, share=share, key=split.allocation.key)


@dataclass
class LineEmissions:
    """The emissions of a product system while its lines are read, and what was found on the way.

    Processes are numbered by their places in `units`; a line that names a product waits until that product is added.
    """

    evidence: Evidence
    rule_set: RuleSet
    releases: tuple[FactorRelease, ...]
    #: The electricity of an alternative figure; a line that has no such factor keeps the rule set's own.
    alternative: ElectricityBasis | None = None
    units: list[str] = field(default_factory=list)
    burdens: list[Burden] = field(default_factory=list)
    #: Emissions and removals that the rule set states beside the total.
    apart: list[Burden] = field(default_factory=list)
    factors: list[Factor] = field(default_factory=list)
    #: How many lines of electricity have a factor, and how many of them the alternative's.
    electricity_lines: int = 0
    alternative_lines: int = 0
    findings: list[Finding] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    used: dict[str, Entry] = field(default_factory=dict)
    _periods: dict[int, Period] = field(default_factory=dict)
    _waiting: list[tuple[int, Material | Waste, float, str]] = field(default_factory=list)
    #: Those of `findings` that were looked at, and how many that are: it only ever grows.
    _found: set[Finding] = field(default_factory=set)
    _looked_at: int = 0

    def _input(self, unit: UnitProcess, line: Material | Waste, path: str) -> None:
        """Add a material, or waste: a supplier's product waits for its process, a background flow becomes a burden."""
        good = float(line.yield_) if isinstance(line, Component) else 1.0
        where = f"{unit.place} {path}"
        if isinstance(line, Material) and line.composition is not None:
            mistaken = hydrate_mistaken(line.name, line.composition.formula, where=where)
            if mistaken is not None:
                self._refuse("hydrate", where, mistaken, "state the amount and its formula on one basis")
        if isinstance(line, Material):
            consumer, period = unit.entry.statement.issuer, self._periods.get(unit.number)
            self._find(cited_delivery(self.evidence, line, consumer, period, where=where))
        if line.product is not None:
            self._waiting.append((unit.number, line, unit.share / (good * unit.made), where))
            return
        factor = self._factor(str(line.flow), None, LIFE_CYCLE, year=unit.year, where=where)
        spread = replace(unit, made=unit.made * good)
        if isinstance(line, Waste):
            self._line(spread, "waste", line, path, factor)
            return
        try:
            restated = self._as_factor(line, factor, where)
        except CompositionError as error:
            self._refuse("composition", where, error.what, error.remedy)
            return
        self._line(spread, line.line_class, line, path, factor, restated=restated)

    def _as_factor(self, line: Material, factor: Factor | None, where: str) -> Restated | None:
        """What a kilogram of the line is of what the factor is for; None where it is the same, or nobody says. Raises CompositionError."""
        wanted = None if factor is None else factor.row.composition
        if factor is None or dimension(line.unit, where=where) != "mass":
            return None
        if wanted is None:
            self._check_elements(line, factor.row, where)
            return None
        if line.composition is None:
            self._taken_as(str(line.flow), wanted, where)
            return None
        return self._restated(line.composition.basis, wanted, where)

    def _check_elements(self, line: Material, row: FactorRow, where: str) -> None:
        """Hold a stated formula against what the flow is made of: the balance of its process rests on it. Raises CompositionError."""
        stated = balanced_elements(line.composition.formula, where=where) if line.composition is not None else ()
        if line.composition is None or not stated or set(stated) == set(row.elements or ()):
            return
        formula, flow = line.composition.formula, str(line.flow)
        if row.elements is None:
            self._find([taken_at_word(formula, f"the factor of {flow} doesn't say what it is made of", where=where)])
            return
        holds = ", ".join(row.elements) or f"none of {', '.join(BALANCED_ELEMENTS)}"
        raise CompositionError(
            f"the amount is stated as {formula}, and {flow} holds {holds}: another substance",
            where=where,
            remedy="name the background flow of this substance, or its supplier's product",
        )

    def _taken_as(self, name: str, formula: str, where: str) -> None:
        """Say that an amount without stated composition is taken for `formula`."""
        what = f"no composition is stated: the amount of {name} is taken as {formula}"
        remedy = "state the composition: a hydrate taken for the anhydrous salt counts its water as salt"
        self.findings.append(Finding("hydrate", "soft", where, what, remedy))

    def _restated(self, stated: Basis, wanted: str, where: str) -> Restated | None:
        """What a stated kilogram is of `wanted`, with a note; None where it is stated so. Raises CompositionError."""
        if stated == Basis(wanted):
            return None
        found = restate(stated, wanted, where=where)
        self.findings.append(Finding("composition", "note", where, found.how, "nothing to do: the basis was stated"))
        return found

    def _line(
        self,
        unit: UnitProcess,
        line_class: str,
        line: Any,
        path: str,
        factor: Factor | None,
        *,
        restated: Restated | None = None,
        certified: bool = False,
    ) -> None:
        """Add what a line emits by its factor; nothing where none was found, which is a finding already."""
        if factor is None:
            return
        origin = unit.origin(line, path)
        try:
            amount = float(convert(line.consumed, line.unit, factor.row.per, where=path)) * unit.share / unit.made
        except UnitError as error:
            self._refuse("units", f"{unit.place} {path}", error.what, error.remedy)
            return
        if restated is not None:
            amount *= restated.factor
            origin["restated"] = restated.how
        if certified:
            origin["certified"] = factor.row.flow
        self._burden(unit.number, (unit.process_class, line_class), amount, factor, origin)

    def _electricity(self, unit: UnitProcess, line: Any, path: str, certified: Mapping[str, Fraction]) -> None:
        """Add metered electricity: the certified share by its generation with transmission, the rest by its supply."""
        rest = 1 - sum(certified.values(), Fraction(0))
        flows = [(line.flow, rest)] if rest else []
        for generation, share in sorted(certified.items()):
            flows += [(f"electricity-{generation}", share), (TRANSMISSION, share)]
        for flow, share in flows:
            factor = self._electricity_factor(unit, flow, line.geography, path)
            # A share of the line: its amount is stated whole, and what is counted of it beside.
            part = replace(unit, share=unit.share * float(share))
            self._line(part, "energy", line, path, factor, certified=bool(certified) and flow != line.flow)

    def _electricity_factor(self, unit: UnitProcess, flow: str, stated: str, path: str) -> Factor | None:
        """The factor of a metered kWh of `flow`: the alternative's where there is one, else by the rule set's own basis."""
        where = f"{unit.place} {path}"
        if self.alternative is not None:
            try:
                place, family = _grid(self.alternative, stated), self.alternative.family
                found = look_up(self.releases, flow, place, family, year=unit.year, where=where)
            except FactorError:
                pass
            else:
                self.electricity_lines += 1
                self.alternative_lines += 1
                return found
        basis = self.rule_set.electricity
        geography = _grid(basis, stated)
        if geography != stated:
            self._note("electricity", unit.place, f"{stated} is calculated with the national average of {geography}")
        factor = self._factor(flow, geography, basis.family, year=unit.year, where=where)
        self.electricity_lines += factor is not None
        return factor

    def _transport(self, unit: UnitProcess, line: Transport, path: str) -> None:
        """Add a leg that brought materials: it counts as they do."""
        try:
            find = partial(self._stated_or_found, issuer=unit.entry.statement.issuer, year=unit.year)
            factor, called = transport_factor(line, find, f"{unit.place} {path}")
        except (FactorError, UnitError) as error:
            gate = "units" if isinstance(error, UnitError) else error.code
            self._refuse(gate, error.where, error.what, error.remedy)
            return
        amount = float(convert(line.work(None) or Decimal(0), "t.km", factor.per, where=path)) * unit.share / unit.made
        stage = self.rule_set.stage_of(unit.process_class, "material")
        origin = {**unit.origin(line, path), "name": called, "amount_per_unit": stored(amount), "factor": factor.named}
        primary = (_primary(line.obtained), 1.0 if factor.named["nature"] == "measured" else 0.0)
        self._emit(unit.number, stage, amount * factor.value, primary=primary, origin=origin)

    def _stated_or_found(
        self, stated: StatedFactor | None, flow: str, where: str, *, issuer: str, year: int | None
    ) -> ResolvedFactor:
        """The factor as `issuer` states it, else the release's of the named flow or of `flow`."""
        if stated is not None and stated.value is not None and stated.per is not None:
            named: dict[str, object] = {
                "row": "stated",
                "value": format(stated.value, "f"),
                "unit": f"kg CO2e/{stated.per}",
                "release": f"stated by {issuer}",
                "reason": "stated in the statement",
                "source": stated.source,
                "geography": None,
                "year": None,
                "nature": "modelled",
            }
            names = (flow, "freight-truck") if flow == "freight-road" else (flow,)
            rows = [
                row
                for release in self.releases
                for row in release.rows
                if row.family == LIFE_CYCLE and row.flow.startswith(names)
            ]
            gate = self.rule_set.gates.plausible_range
            if flow:
                self._find(stated_factor(float(stated.value), stated.per, rows, gate, where=f"{where}/factor"))
            return ResolvedFactor(float(stated.value), stated.per, named)
        wanted = flow if stated is None else str(stated.flow)
        proxies = self.rule_set.proxy_releases
        found = look_up(self.releases, wanted, None, LIFE_CYCLE, year=year, where=where, proxies=proxies)
        self.factors.append(found)
        if found.reason.startswith("proxy:"):
            self.assumptions.append(f"{wanted}: {found.reason}")
        return ResolvedFactor(float(found.row.value), found.row.per, _named(found))

    def _direct_emission(self, unit: UnitProcess, line: Any, path: str) -> None:
        kg = float(convert(line.consumed, line.unit, "kg", where=path)) * unit.share / unit.made
        gases, column = self.rule_set.gases, column_of(line.origin, removal=line.removal)
        stage = self.rule_set.stage_of(unit.process_class, "direct_emission")
        origin = {
            **unit.origin(line, path),
            "gas": line.gas,
            "gas_origin": line.origin,
            "gwp": f"{gwp100(line.gas, line.origin, gases.gwp_set):f} kg CO2e/kg ({gases.gwp_set})",
            "amount_per_unit": stored(kg),
        }
        kg_co2e = kg * float(gwp100(line.gas, line.origin, gases.gwp_set)) * (-1 if line.removal else 1)
        # No factor stands between the line and its kilograms: both shares are the line's own.
        primary = _primary(line.obtained)
        counted = gases.counts(line.gas, column)
        self._emit(
            unit.number, stage, kg_co2e, primary=(primary, primary), origin=origin, column=column, counted=counted
        )

    def _burden(
        self, number: int, classes: tuple[str, str], amount: float, factor: Factor, origin: Mapping[str, object]
    ) -> None:
        row = factor.row
        if factor.reason.startswith("proxy:"):
            self.assumptions.append(f"{origin['name']}: {factor.reason}")
        explained = {
            **origin,
            "amount_per_unit": stored(amount),
            "factor": _named(factor),
        }
        factor_primary = 1.0 if row.nature == "measured" else 0.0
        activity_primary = _primary(str(origin["obtained"]))
        kg = amount * float(row.value)
        primary = (activity_primary, factor_primary)
        self._emit(number, self.rule_set.stage_of(*classes), kg, primary=primary, origin=explained)

    def _emit(
        self,
        number: int,
        stage: str,
        kg: float,
        *,
        primary: tuple[float, float],
        origin: Mapping[str, object],
        column: Column = "not_split",
        counted: bool = True,
    ) -> None:
        """Add what a process emits per unit of its product; `primary` is the share by activity and by factor."""
        activity, factor = primary
        explained = {**origin, "product_unit": self.units[number]}
        burden = Burden(number, stage, kg, activity, factor, explained, column)
        (self.burdens if counted else self.apart).append(burden)

    def _factor(self, flow: str, geography: str | None, family: str, *, year: int | None, where: str) -> Factor | None:
        proxies = self.rule_set.proxy_releases
        try:
            found = look_up(self.releases, flow, geography, family, year=year, where=where, proxies=proxies)
        except FactorError as error:
            self._refuse(error.code, where, error.what, error.remedy)
            return None
        self.factors.append(found)
        return found

    def _find(self, findings: Iterable[Finding]) -> None:
        if fresh := dict.fromkeys(findings):
            known = self._known()
            self.findings += [finding for finding in fresh if finding not in known]

    def _known(self) -> set[Finding]:
        """The findings so far, which only ever grow: a pack of many statements may have one for each."""
        self._found.update(self.findings[self._looked_at :])
        self._looked_at = len(self.findings)
        return self._found

    def _use(self, entry: Entry) -> None:
        self.used[entry.leaf_hash] = entry

    def _refuse(self, gate: str, where: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(gate, "hard", where, what, remedy, refuses=True))

    def _note(self, gate: str, where: str, what: str) -> None:
        finding = Finding(gate, "note", where, what, "nothing to do: the rule set asks for it")
        if finding not in self._known():
            self.findings.append(finding)


def _named(factor: Factor) -> dict[str, object]:
    """Return a looked-up factor as a contribution names it."""
    return {**factor.document(), **factor_facts(factor.row)}


def _grid(basis: ElectricityBasis, stated: str) -> str:
    """The geography whose factor a metered kWh takes."""
    return stated if basis.basis == "as_stated" else stated.partition("-")[0]


def _primary(obtained: str) -> float:
    return 1.0 if obtained in _PRIMARY else 0.0

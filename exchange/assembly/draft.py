"""The product system of a demand, while it grows from the statements at hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any

from bom_graph import (
    LIFE_CYCLE,
    SEALED_STAGE,
    ActivityData,
    BatteryModel,
    BillOfMaterials,
    Burden,
    Component,
    DeliveredEnergyError,
    Factor,
    FactorError,
    FactorRelease,
    Finding,
    Input,
    LifeCycleScenario,
    Lines,
    Link,
    Measure,
    ProductFootprint,
    ProductSystem,
    RuleSet,
    Sealed,
    StatedFactor,
    Transport,
    UnitError,
    convert,
    delivered_energy,
    dimension,
    element_balance,
    look_up,
    sealed_total,
    stored,
)
from exchange.assembly.data_quality import factor_facts, facts_of_quality
from exchange.assembly.result import Gap
from exchange.assembly.scenario import ResolvedFactor, read_scenario, transport_factor
from exchange.evidence import Entry, Evidence

#: Declared unit of a product by the dimension that its output is stated in.
_BASE_UNIT = {
    "mass": "kg",
    "energy": "kWh",
    "volume": "m3",
    "pieces": "piece",
    "distance": "km",
    "transport work": "t.km",
}
_PRIMARY = ("measured", "calculated")


@dataclass(frozen=True, slots=True)
class _UnitProcess:
    """A process whose lines are being added: its number, product, class, the amount that its lines make, and its statement."""

    number: int
    product: str
    process_class: str
    made: float
    entry: Entry

    @property
    def place(self) -> str:
        return f"{self.product} (entry {self.entry.index})"

    def origin(self, line: Any, path: str) -> dict[str, object]:
        """Return where a figure of `line` comes from: product, path, statement, signer, ledger index, amount as stated."""
        return {
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


@dataclass
class ProductSystemDraft:
    """The product system while it grows: processes are numbered as they are met, the demanded product first."""

    evidence: Evidence
    rule_set: RuleSet
    releases: tuple[FactorRelease, ...]
    names: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    formulas: dict[int, str] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    #: kg CO2e per declared unit and entry of each product that is known by a signed footprint alone, by process number.
    sealed: dict[int, tuple[float, Entry]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    burdens: list[Burden] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    used: dict[str, Entry] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _signed: set[int] = field(default_factory=set)
    #: Formulas and background flows that the consumers of a product state for it, by its process number.
    _said_to_be: dict[int, set[str]] = field(default_factory=dict)
    _waiting: list[tuple[int, Input, float, str]] = field(default_factory=list)

    def check_releases(self) -> None:
        """Refuse a factor release that the rule set doesn't name."""
        for release in self.releases:
            if release.id not in self.rule_set.factor_releases:
                self._refuse(
                    "factor_release",
                    release.id,
                    f"rule set {self.rule_set.id} does not allow factor release {release.id}",
                    f"use {', '.join(self.rule_set.factor_releases)}",
                )

    def walk(self, product: str) -> None:
        """Add `product` and all that goes into it, breadth first, in constant stack depth."""
        if self._add(product, issuer=None) is None:
            self._refuse(
                "evidence",
                product,
                "no statement about this product is at hand",
                "name a product whose statements you may see",
            )
            return
        position = 0
        while position < len(self._waiting):
            consumer, line, amount, where = self._waiting[position]
            position += 1
            self._link(consumer, line, amount, where)

    def published_factor(self, product: str, flow: str) -> None:
        """Represent `product` by the factor of background `flow`, per unit of the factor.

        That the rule set refuses its maker's own data, where these are at hand, is said: a factor must not hide it.
        """
        number = self._process(product, "kg")
        factor = self._factor(flow, None, LIFE_CYCLE, where=product)
        if factor is None:
            return
        self.units[number] = factor.row.per
        if (own := self._newest(product, ActivityData, issuer=None)) is not None:
            entry, record = own
            where = f"{product} (entry {entry.index})"
            refusing = [
                one for one in element_balance(record, self.rule_set.gates.element_balance, where=where) if one.refuses
            ]
            for finding in refusing:
                self._use(entry)
                what = f"the published factor stands for own data that this rule set refuses: {finding.what}"
                self.findings.append(replace(finding, what=what, refuses=False))
        origin = {"product": product, "line": "published factor", "name": flow, "obtained": "modelled"}
        self._burden(number, ("material_production", "material"), 1.0, factor, origin)

    def check_sealed_totals(self) -> None:
        """Compare each sealed total with the background of the same material, or of any where nobody says which it is."""
        for number, (total, entry) in self.sealed.items():
            where = f"{self.names[number]}, signed footprint (entry {entry.index})"
            # The consumers' word comes first: a supplier could choose a material to be compared with.
            own = {self.formulas[number]} if number in self.formulas else set()
            stated = self._said_to_be.get(number) or own
            rows = [row for release in self.releases for row in release.rows if row.family == LIFE_CYCLE]
            same = [row for row in rows if row.flow in stated or row.composition in stated]
            self.findings += sealed_total(total, self.units[number], same or rows, where=where)

    def battery_model(self, product: str) -> BatteryModel | None:
        """Return the newest battery model about `product`, if there is one."""
        found = self.evidence.about(product, BatteryModel)
        if not found:
            return None
        entry, model = found[0]
        self._use(entry)
        return model

    @property
    def is_pack(self) -> bool:
        """Whether the demanded product has to be taken for a pack, with or without battery model.

        It is assembled as one; or it is counted in pieces and made from cells, whatever its maker calls the process; or it is
        counted in pieces, and what kind of process makes it isn't disclosed. Else a maker would be rid of the denominator, and of
        the stages that a pack has, by leaving its battery model out.
        """
        made_by = self.classes.get(0)
        if made_by in ("pack_assembly", "cell_manufacturing") or self.units[:1] != ["piece"]:
            return made_by == "pack_assembly"
        return made_by is None or "cell_manufacturing" in self.classes.values()

    def add_scenario(self, product: str, model: BatteryModel | None) -> None:
        """Add what the newest scenario says of the pack's distribution and end of life, as far as the rule set counts it."""
        counts = self.rule_set.distribution is not None or self.rule_set.end_of_life is not None
        found = self._newest(product, LifeCycleScenario, issuer=None)
        # A pack known by its signed footprint alone has all of it in there.
        if found is None or not counts or not self.names or 0 in self._signed:
            return
        entry, record = found
        self._use(entry)
        unit = _UnitProcess(0, product, "pack_assembly", 1.0, entry)
        mass = model.mass if model is not None and isinstance(model.mass, Measure) else None
        find = partial(self._stated_or_found, issuer=entry.statement.issuer)
        reading = read_scenario(record, self.rule_set, mass, find, where=unit.place)
        for one in reading.emissions:
            origin = {**unit.origin(one.line, one.path), **one.origin}
            self._emit(0, one.stage, one.kg_co2e, primary=(0.0, 0.0), origin=origin)
        self.gaps += reading.gaps
        self.findings += reading.findings
        self.assumptions += reading.assumptions

    def denominator(self, model: BatteryModel) -> tuple[Decimal | None, str]:
        """Return the kWh that the pack's footprint is divided by and the formula; None with a finding where they can't be known."""
        try:
            energy = delivered_energy(model, self.rule_set.denominator)
        except (DeliveredEnergyError, UnitError) as error:
            self._refuse("delivered_energy", error.where, error.what, error.remedy)
            return None, ""
        self.assumptions += [f"assumed by the pack maker: {name.replace('_', ' ')}" for name in energy.assumed]
        return energy.kwh, energy.formula

    def system(self) -> ProductSystem:
        """Return the product system. What a signed footprint states that nobody takes is left out: it is a gap, not a zero."""
        taken = {0, *(link.supplier for link in self.links)}
        burdens = [burden for burden in self.burdens if burden.process in taken]
        return ProductSystem(tuple(self.names), tuple(self.links), tuple(burdens))

    def check_unit(self, product: str, model: BatteryModel | None) -> None:
        """Refuse a pack that isn't counted in pieces: the denominator is the energy of one pack."""
        if model is not None and self.units and self.units[0] != "piece":
            what = f"the footprint is per {self.units[0]}, the battery model speaks of one pack"
            self._refuse("units", product, what, 'state the pack\'s output in "piece"')

    # -- products --------------------------------------------------------------------------------------------------

    def _add(self, product: str, issuer: str | None) -> int | None:
        """Return the process number of `product`, adding its statements on the first call; None where there are none."""
        if product in self._numbers:
            return self._numbers[product]
        activity = self._newest(product, ActivityData, issuer)
        if activity is None and (branch := self._add_signed_footprint(product, issuer)) is not None:
            return branch
        bill = self._newest(product, BillOfMaterials, issuer)
        if activity is None and bill is None:
            return None
        unit = self._declared_unit(activity, bill)
        number = self._process(product, unit)
        stated: set[str] = set()
        process_class = "material_production"
        if activity is not None:
            self.classes[number] = process_class = str(activity[1].process_class)
            stated = self._add_activity(number, *activity)
        else:
            self.gaps.append(Gap(product, "no activity data: the energy and emissions of this process are unknown"))
        if bill is not None:
            self._add_bill(number, *bill, stated=stated, process_class=process_class)
        elif activity is not None:
            self._add_hidden_bills(product, activity[0].statement.issuer)
        return number

    def _add_hidden_bills(self, product: str, issuer: str) -> None:
        """Name as a gap each bill of materials by `issuer` that may be `product`'s and isn't wholly disclosed."""
        for entry, bill in self.evidence.partly_held(issuer, BillOfMaterials):
            if isinstance(bill.sub, Sealed) or bill.sub == product:
                # Named among the inputs, so that whoever replays the result meets the same gap.
                self._use(entry)
                whose = "maybe this product's" if isinstance(bill.sub, Sealed) else "this product's"
                self.gaps.append(Gap(product, f"entry {entry.index} is a sealed bill of materials, {whose}"))

    def _newest(self, product: str, kind: type[Any], issuer: str | None) -> tuple[Entry, Any] | None:
        """Return the newest statement of `kind` that this reader holds whole."""
        for entry, record in self.evidence.about(product, kind):
            if record.is_whole and issuer in (None, entry.statement.issuer):
                return entry, record
        return None

    def _declared_unit(
        self, activity: tuple[Entry, ActivityData] | None, bill: tuple[Entry, BillOfMaterials] | None
    ) -> str:
        if activity is not None:
            return _base_unit(_items(activity[1].outputs)[0].unit)
        measure: Any = bill[1].per if bill is not None else None
        return _base_unit(measure.unit)

    def _add_activity(self, number: int, entry: Entry, record: ActivityData) -> set[str]:
        """Add the lines of a process; return the products and flows that it states as inputs."""
        self._use(entry)
        output = _items(record.outputs)[0]
        if output.composition is not None:
            self.formulas[number] = output.composition.formula
        made = float(convert(output.amount, output.unit, self.units[number], where=f"outputs/{output.id}"))
        unit = _UnitProcess(number, self.names[number], str(record.process_class), made, entry)
        self.findings += element_balance(record, self.rule_set.gates.element_balance, where=unit.place)
        for line in _items(record.inputs):
            self._input(unit, line, f"inputs/{line.id}")
        for line in _items(record.electricity):
            path = f"electricity/{line.id}"
            geography = self._grid(line.geography, unit.place)
            family = self.rule_set.electricity.family
            factor = self._factor("electricity", geography, family, where=f"{unit.place} {path}")
            self._line(unit, "energy", line, path, factor)
        for line in _items(record.fuels):
            path = f"fuels/{line.id}"
            factor = self._factor(line.flow, None, LIFE_CYCLE, where=f"{unit.place} {path}")
            self._line(unit, "energy", line, path, factor)
        for line in _items(record.direct_emissions):
            self._direct_emission(unit, line, f"direct_emissions/{line.id}")
        for line in _items(record.transport):
            self._transport(unit, line, f"transport/{line.id}")
        return {name for line in _items(record.inputs) if (name := line.product or line.flow) is not None}

    def _add_bill(
        self, number: int, entry: Entry, record: BillOfMaterials, *, stated: set[str], process_class: str
    ) -> None:
        """Add the components of a bill of materials; what the activity data also states is taken from there."""
        self._use(entry)
        per: Any = record.per
        place = f"{self.names[number]} (entry {entry.index})"
        try:
            made = float(convert(per.amount, per.unit, self.units[number], where="per"))
        except UnitError as error:
            self._refuse("units", f"{place} per", error.what, error.remedy)
            return
        if _items(record.supplier_shares):
            self._refuse(
                "supplier_shares",
                f"{place} supplier_shares",
                "this version doesn't split a component between suppliers",
                "state a component line for each supplier",
            )
        unit = _UnitProcess(number, self.names[number], process_class, made, entry)
        for line in _items(record.components):
            if (line.product or line.flow) in stated:
                text = f"{line.name} is taken from the activity data, not from the bill of materials"
                self._note("precedence", unit.place, text)
                continue
            self._input(unit, line, f"components/{line.id}")

    def _add_signed_footprint(self, product: str, issuer: str | None) -> int | None:
        """Add `product` as a sealed branch by its issuer's newest footprint under this rule set and version."""
        for entry, record in self.evidence.about(product, ProductFootprint):
            name: Any = record.rule_set
            if (
                issuer not in (None, entry.statement.issuer)
                or name is None
                or isinstance(name, Sealed)
                or not isinstance(record.total, Decimal)
                or not isinstance(record.declared_unit, Measure)
            ):
                continue
            if name.names(self.rule_set):
                return self._sealed_branch(product, entry, record)
        return None

    def _sealed_branch(self, product: str, entry: Entry, record: ProductFootprint) -> int:
        self._use(entry)
        declared: Any = record.declared_unit
        composition = record.composition
        number = self._process(product, _base_unit(declared.unit))
        per = float(convert(declared.amount, declared.unit, self.units[number], where="declared_unit"))
        declared_share = record.primary_data_share
        total: Any = record.total
        parts = [(SEALED_STAGE, total)]
        # A footprint without a single stage is a sealed branch too: it must not vanish from the result.
        if isinstance(record.stages, Lines) and record.stages.complete and record.stages.items:
            parts = [(line.stage, line.kg_co2e) for line in record.stages]
        if composition is not None and not isinstance(composition, Sealed):
            self.formulas[number] = composition.formula
        where = f"{product}, signed footprint (entry {entry.index})"
        self._signed.add(number)
        if unknown := self.rule_set.unknown_stages(stage for stage, _ in parts):
            what = f"it states stages that rule set {self.rule_set.id} doesn't have: {', '.join(unknown)}"
            self._unfit(number, "stages", where, what, "ask the maker of this product for a corrected footprint")
            return number
        # Compared is what is counted: stages that cancel may add up to another figure than the total, within its tolerance.
        self.sealed[number] = (math.fsum(float(kg) for _, kg in parts) / per, entry)
        if record.complete is not True:
            self.gaps.append(Gap(product, "its maker's footprint is partial, or doesn't show that it is complete"))
        for stage, kg in parts:
            origin = {
                "product": product,
                "line": f"signed footprint, stage {stage}",
                "sealed": True,
                "entry": entry.index,
                "leaf_hash": entry.leaf_hash,
                "signer": entry.statement.issuer,
                "obtained": f"declared {_word(record.obtained)}",
                "basis": _word(record.basis),
                "declared_primary_percent": f"{declared_share:f}" if isinstance(declared_share, Decimal) else None,
            }
            # What its maker declares to be primary can't be verified, so that none of it counts as the demanded product's.
            self._emit(number, stage, float(kg) / per, primary=(0.0, 0.0), origin=origin)
        for stage, kg in parts:
            if kg < 0 and kg != total:
                text = f"stage {stage} is stated as {kg:f} kg CO2e: it is taken off what others emit"
                self.findings.append(Finding("sealed_total", "soft", where, text, "ask the maker what is credited"))
        if isinstance(record.findings, Sealed) or (isinstance(record.findings, Lines) and not record.findings.complete):
            text = "the findings of its maker's own calculation are not all disclosed"
            self.findings.append(Finding("sealed_findings", "soft", where, text, "ask the maker to grant `findings`"))
        for line in _items(record.findings):
            text = f"{entry.statement.issuer} says of its footprint: {line.what}"
            self.findings.append(Finding(line.gate, line.level, where, text, "ask the maker of this product"))
        return number

    # -- lines -----------------------------------------------------------------------------------------------------

    def _input(self, unit: _UnitProcess, line: Input, path: str) -> None:
        """Add a material: a supplier's product waits for its process, a background flow becomes a burden."""
        good = float(line.yield_) if isinstance(line, Component) else 1.0
        where = f"{unit.place} {path}"
        if line.product is not None:
            self._waiting.append((unit.number, line, 1 / (good * unit.made), where))
            return
        factor = self._factor(str(line.flow), None, LIFE_CYCLE, where=where)
        if factor is not None and line.composition and factor.row.composition not in (None, line.composition.formula):
            stated, needed = line.composition.formula, factor.row.composition
            what = f"the amount is stated as {stated}, the factor is per {factor.row.per} of {needed}"
            self._refuse("composition", where, what, f"restate the amount as {needed}")
        self._line(replace(unit, made=unit.made * good), "material", line, path, factor)

    def _line(self, unit: _UnitProcess, line_class: str, line: Any, path: str, factor: Factor | None) -> None:
        """Add what a line emits by its factor; nothing where none was found, which is a finding already."""
        if factor is None:
            return
        try:
            amount = float(convert(line.amount, line.unit, factor.row.per, where=path)) / unit.made
        except UnitError as error:
            self._refuse("units", f"{unit.place} {path}", error.what, error.remedy)
            return
        self._burden(unit.number, (unit.process_class, line_class), amount, factor, unit.origin(line, path))

    def _transport(self, unit: _UnitProcess, line: Transport, path: str) -> None:
        """Add a leg that brought materials: it counts as they do."""
        try:
            find = partial(self._stated_or_found, issuer=unit.entry.statement.issuer)
            factor, called = transport_factor(line, find, f"{unit.place} {path}")
        except (FactorError, UnitError) as error:
            gate = "units" if isinstance(error, UnitError) else "missing_factor"
            self._refuse(gate, error.where, error.what, error.remedy)
            return
        amount = float(convert(line.work(None) or Decimal(0), "t.km", factor.per, where=path)) / unit.made
        stage = self.rule_set.stage_of(unit.process_class, "material")
        origin = {**unit.origin(line, path), "name": called, "amount_per_unit": stored(amount), "factor": factor.named}
        primary = (_primary(line.obtained), 1.0 if factor.named["nature"] == "measured" else 0.0)
        self._emit(unit.number, stage, amount * factor.value, primary=primary, origin=origin)

    def _stated_or_found(self, stated: StatedFactor | None, flow: str, where: str, *, issuer: str) -> ResolvedFactor:
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
            return ResolvedFactor(float(stated.value), stated.per, named)
        wanted = flow if stated is None else str(stated.flow)
        found = look_up(self.releases, wanted, None, LIFE_CYCLE, where=where)
        return ResolvedFactor(float(found.row.value), found.row.per, _named(found))

    def _direct_emission(self, unit: _UnitProcess, line: Any, path: str) -> None:
        kg = float(convert(line.amount, line.unit, "kg", where=path)) / unit.made
        stage = self.rule_set.stage_of(unit.process_class, "direct_emission")
        origin = {**unit.origin(line, path), "gas": line.gas, "amount_per_unit": stored(kg)}
        # No factor stands between the line and its kilograms: both shares are the line's own.
        primary = _primary(line.obtained)
        self._emit(unit.number, stage, kg, primary=(primary, primary), origin=origin)

    def _burden(
        self, number: int, classes: tuple[str, str], amount: float, factor: Factor, origin: Mapping[str, object]
    ) -> None:
        row = factor.row
        if factor.reason.startswith("proxy"):
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
        self, number: int, stage: str, kg: float, *, primary: tuple[float, float], origin: Mapping[str, object]
    ) -> None:
        """Add what a process emits per unit of its product; `primary` is the share by activity and by factor."""
        activity, factor = primary
        explained = {**origin, "product_unit": self.units[number]}
        self.burdens.append(Burden(number, stage, kg, activity, factor, explained))

    def _link(self, consumer: int, line: Input, share: float, where: str) -> None:
        product = str(line.product)
        issuer = None
        if line.citation is not None:
            cited = self.evidence.cited(line.citation)
            if cited is None:
                self.gaps.append(Gap(where, f"the cited entry {line.citation.index} is not at hand"))
                return
            about = cited.record.sub if cited.record is not None else None
            if isinstance(about, str) and about != product:
                self._refuse(
                    "citation", where, "the cited entry is about another product", "cite the entry of this product"
                )
                return
            self._use(cited)
            issuer = cited.statement.issuer
        supplier = self._add(product, issuer)
        if supplier is None:
            self.gaps.append(Gap(where, f"nothing is known of {product} under this rule set"))
            return
        said = {line.comparable_flow, line.composition.formula if line.composition is not None else None}
        self._said_to_be.setdefault(supplier, set()).update(name for name in said if name is not None)
        made_as = self.formulas.get(supplier)
        if line.composition is not None and made_as not in (None, line.composition.formula):
            what = f"the amount is stated as {line.composition.formula}, the supplier's product is {made_as}"
            self._unfit(supplier, "composition", where, what, f"restate the amount as {made_as}")
            return
        try:
            amount = float(convert(line.amount, line.unit, self.units[supplier], where=where))
        except UnitError as error:
            self._unfit(supplier, "units", where, error.what, error.remedy)
            return
        self.links.append(Link(consumer, supplier, amount * share))

    def _grid(self, geography: str, place: str) -> str:
        if self.rule_set.electricity.basis == "as_stated":
            return geography
        nation = geography.partition("-")[0]
        if nation != geography:
            self._note("electricity", place, f"{geography} is calculated with the national average of {nation}")
        return nation

    def _factor(self, flow: str, geography: str | None, family: str, *, where: str) -> Factor | None:
        try:
            return look_up(self.releases, flow, geography, family, where=where)
        except FactorError as error:
            self._refuse("missing_factor", where, error.what, error.remedy)
            return None

    def _process(self, product: str, unit: str) -> int:
        self._numbers[product] = len(self.names)
        self.names.append(product)
        self.units.append(unit)
        return self._numbers[product]

    def _use(self, entry: Entry) -> None:
        self.used[entry.leaf_hash] = entry

    def _unfit(self, supplier: int, gate: str, where: str, what: str, remedy: str) -> None:
        """What `supplier` states doesn't fit its place: refuse the result, or leave a signed footprint out of it.

        Whoever rests on another's signed footprint can't correct it, and shouldn't lose the rest of its result over it: the branch
        becomes a gap with a hard finding. Of the demanded product itself nothing would be left.
        """
        left_out = supplier in self._signed and supplier != 0
        self.findings.append(Finding(gate, "hard", where, what, remedy, refuses=not left_out))
        if left_out:
            self.gaps.append(Gap(where, f"the signed footprint of {self.names[supplier]} can't be used here"))

    def _refuse(self, gate: str, where: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(gate, "hard", where, what, remedy, refuses=True))

    def _note(self, gate: str, where: str, what: str) -> None:
        finding = Finding(gate, "note", where, what, "nothing to do: the rule set asks for it")
        if finding not in self.findings:
            self.findings.append(finding)


def _named(factor: Factor) -> dict[str, object]:
    """Return a looked-up factor as a contribution names it."""
    row = factor.row
    return {
        "row": row.id,
        "value": format(row.value, "f"),
        "unit": f"kg CO2e/{row.per}",
        "release": factor.release,
        "reason": factor.reason,
        "source": row.source,
        **factor_facts(row),
    }


def _items(value: object) -> tuple[Any, ...]:
    return value.items if isinstance(value, Lines) else ()


def _base_unit(unit: str) -> str:
    return _BASE_UNIT[dimension(unit, where="unit")]


def _word(value: str | Sealed | None) -> str:
    return "sealed" if isinstance(value, Sealed) else value or "not stated"


def _primary(obtained: str) -> float:
    return 1.0 if obtained in _PRIMARY else 0.0

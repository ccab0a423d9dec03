"""The product system of a demand, while it grows from the statements at hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property, partial
from typing import Any

from bom_graph import (
    LIFE_CYCLE,
    SEALED_STAGE,
    ActivityData,
    AllocationError,
    Basis,
    BatteryModel,
    BillOfMaterials,
    Component,
    Composition,
    CompositionError,
    DeliveredEnergyError,
    FactorRow,
    Finding,
    LifeCycleScenario,
    Lines,
    Link,
    Material,
    Measure,
    Period,
    ProductFootprint,
    ProductSystem,
    RuleSetName,
    Sealed,
    UnitError,
    Waste,
    apart,
    balanced_elements,
    base_unit,
    carbon_balance,
    contradiction,
    convert,
    covered,
    delivered_energy,
    element_balance,
    energy_findings,
    follows,
    grid_elsewhere,
    lines_outside,
    meet,
    preference,
    shown,
    states_stock,
    stock_breaks,
    taken_at_word,
    too_long,
    unbalanced,
    yet_to_come,
)
from exchange.assembly.certificates import match_certificates
from exchange.assembly.deliveries import compare_deliveries
from exchange.assembly.lines import LineEmissions, UnitProcess
from exchange.assembly.precedence import BillLine, Consumed, Stated, matched, weighed
from exchange.assembly.result import Gap
from exchange.assembly.scenario import read_scenario
from exchange.assembly.splitting import Split
from exchange.evidence import Entry
from signer import SUPERSESSION

#: So many statements of other days are named beside the one that is counted.
_OTHERS_NAMED = 3
_PROCESS_LINES = ("inputs", "electricity", "fuels", "direct_emissions", "waste", "transport")


@dataclass
class ProductSystemDraft(LineEmissions):
    """The product system while it grows: processes are numbered as they are met, the demanded product first."""

    #: Split the lines of several outputs by this key, where it can be done, instead of by the one that their statement states.
    instead: str | None = None
    names: list[str] = field(default_factory=list)
    formulas: dict[int, str] = field(default_factory=dict)
    classes: dict[int, str] = field(default_factory=dict)
    #: kg CO2e per declared unit and entry of each product that is known by a signed footprint alone, by process number.
    sealed: dict[int, tuple[float, Entry]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    #: Allocation keys that statements used here might have been split by instead of their own.
    other_keys: set[str] = field(default_factory=set)
    #: The entries that a product's figures are from, by its process number.
    taken: dict[int, list[Entry]] = field(default_factory=dict)
    #: Whose sealed newer statements of which kind are named already.
    _sealed_issuers: set[tuple[str, type[Any]]] = field(default_factory=set)
    _numbers: dict[str, int] = field(default_factory=dict)
    _signed: set[int] = field(default_factory=set)
    #: Materials that a scenario credits as recovered: name, kg per pack, place.
    _credited: list[tuple[str, float, str]] = field(default_factory=list)
    #: Formulas and background flows that the consumers of a product state for it, by its process number.
    _said_to_be: dict[int, set[str]] = field(default_factory=dict)

    def check_releases(self) -> None:
        """Refuse a factor release that the rule set doesn't name; a result rests on the entry that published one after reviews."""
        for release in self.releases:
            if (published := self.evidence.published.get(release.digest)) is not None:
                self._use(published)
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
            self._name_other_rule_sets(product, None, product, refuses=True)
            self._refuse(
                "evidence",
                product,
                f"no statement about this product is at hand{self._untold(product)}{self._taken_back(product)}",
                "name a product whose statements you may see",
            )
            return
        self._check_days(product)
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
        factor = self._factor(flow, None, LIFE_CYCLE, year=None, where=product)
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

    def battery_model(self, product: str) -> BatteryModel | None:
        """Return the newest battery model about `product`, if there is one."""
        found = self.evidence.about(product, BatteryModel)
        if not found:
            return None
        entry, model = found[0]
        self._use(entry)
        self._contradict(product, BatteryModel, entry, model)
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

    def add_scenario(self, product: str) -> None:
        """Add what the newest scenario says of a pack's distribution and end of life, as far as the rule set counts it."""
        model = self.battery_model(product)
        if model is None and not self.is_pack:
            return
        counts = self.rule_set.distribution is not None or self.rule_set.end_of_life is not None
        found = self._newest(product, LifeCycleScenario, issuer=None)
        # A pack known by its signed footprint alone has all of it in there.
        if found is None or not counts or not self.names or 0 in self._signed:
            return
        entry, record = found
        self._use(entry)
        self._contradict(product, LifeCycleScenario, entry, record)
        unit = UnitProcess(0, product, "pack_assembly", 1.0, entry)
        mass = model.mass if model is not None and isinstance(model.mass, Measure) else None
        find = partial(self._stated_or_found, issuer=entry.statement.issuer, year=_year(record.period))
        reading = read_scenario(record, self.rule_set, mass, find, where=unit.place)
        for one in reading.emissions:
            origin = {**unit.origin(one.line, one.path), **one.origin}
            self._emit(0, one.stage, one.kg_co2e, primary=(0.0, 0.0), origin=origin)
        self.gaps += reading.gaps
        self.findings += reading.findings
        self.assumptions += reading.assumptions
        self._credited += [(name, kg, f"{unit.place} {path}") for name, kg, path in reading.credited]

    def denominator(self, model: BatteryModel) -> tuple[Decimal | None, str]:
        """Return the kWh that the pack's footprint is divided by and the formula; None with a finding where they can't be known."""
        try:
            energy = delivered_energy(model, self.rule_set.denominator)
        except (DeliveredEnergyError, UnitError) as error:
            self._refuse("delivered_energy", error.where, error.what, error.remedy)
            return None, ""
        self._find(energy_findings(model, self.rule_set, where=self.names[0] if self.names else "battery model"))
        self.assumptions += [f"assumed by the pack maker: {name.replace('_', ' ')}" for name in energy.assumed]
        return energy.kwh, energy.formula

    def system(self) -> ProductSystem:
        """Return the product system. What a signed footprint states that nobody takes is left out: it is a gap, not a zero."""
        taken = {0, *(link.supplier for link in self.links)}
        burdens, apart = (tuple(one for one in found if one.process in taken) for found in (self.burdens, self.apart))
        return ProductSystem(tuple(self.names), tuple(self.links), burdens, apart)

    @cached_property
    def _background(self) -> list[FactorRow]:
        return [row for release in self.releases for row in release.rows if row.family == LIFE_CYCLE]

    # -- products --------------------------------------------------------------------------------------------------

    def _add(
        self, product: str, issuer: str | None, period: Period | None = None, unread: type[Any] | None = None
    ) -> int | None:
        """Return the process number of `product`, adding its statements on the first call; None where there are none.

        Those of the consumer's `period` come before newer ones of other days. Where the consumer cites a statement of kind `unread`
        that isn't wholly disclosed, no other of that kind stands in for it.
        """
        if product in self._numbers:
            return self._numbers[product]
        activity = self._newest(product, ActivityData, issuer, period) if unread is not ActivityData else None
        if activity is None and (branch := self._add_signed_footprint(product, issuer, period)) is not None:
            return branch
        made_in = activity[1].period if activity is not None else period
        bill = self._newest(product, BillOfMaterials, issuer, made_in) if unread is not BillOfMaterials else None
        self._compare_others(product, ActivityData, activity)
        self._compare_others(product, BillOfMaterials, bill)
        if activity is None and bill is None:
            return None
        unit = self._declared_unit(product, activity, bill)
        number = self._process(product, unit)
        self.taken[number] = [pair[0] for pair in (activity, bill) if pair is not None]
        stated: dict[str, Consumed] = {}
        process_class = "material_production"
        if activity is not None:
            self.classes[number] = process_class = str(activity[1].process_class)
            stated = self._add_activity(number, *activity)
        else:
            what = "no activity data: the energy and emissions of this process are unknown"
            maker = bill[0].statement.issuer if bill is not None else issuer
            hidden = [entry for entry, _one in self.evidence.partly_held(str(maker), ActivityData)]
            self.gaps.append(Gap(product, what + self._erased(hidden)))
        if bill is not None:
            self._add_bill(number, *bill, stated=stated, process_class=process_class)
        elif activity is not None:
            self._add_hidden_bills(product, activity[0].statement.issuer)
            if activity[1].inputs is None:
                self.gaps.append(
                    Gap(product, "its statement says nothing of inputs; `inputs: []` says that there are none")
                )
        if activity is not None:
            self._check_said(product, *activity, bill[1] if bill is not None else None)
        return number

    def _check_said(self, product: str, entry: Entry, record: ActivityData, bill: BillOfMaterials | None) -> None:
        """Name what the activity data leaves out: nothing said of electricity is a gap, nothing at all going in is remarkable."""
        if record.electricity is None:
            text = "its statement says nothing of electricity; `electricity: []` says that there is none"
            self.gaps.append(Gap(product, text))
            return
        lines = [line for _, line in record.lines(*_PROCESS_LINES)]
        components = _items(bill.components) if bill is not None else ()
        if any(line.consumed for line in (*lines, *components)) or (record.inputs is None and bill is None):
            return
        what = "its statement says that nothing goes in and nothing is emitted: it adds zero"
        if lines or components:
            what = "every amount in its lines comes to zero, changes of stock included: it adds zero"
        remedy = "ask its maker for the lines of the process"
        self._find([Finding("nothing_stated", "soft", f"{product} (entry {entry.index})", what, remedy)])

    def _compare_others(self, product: str, kind: type[Any], taken: tuple[Entry, Any] | None) -> None:
        """Name what the issuer's other statements of `kind` about `product` say of the same days."""
        if taken is None:
            return
        self._name_unread(product, *taken)
        self._contradict(product, kind, *taken)

    def _contradict(self, product: str, kind: type[Any], entry: Entry, record: Any) -> None:
        """Name what other statements of `kind` about `product`, which this reader holds whole, say otherwise than `entry`."""
        for other, stated in self.evidence.about(product, kind):
            if other is entry or not stated.is_whole or other.statement.issuer != entry.statement.issuer:
                continue
            older, newer = sorted([(other.index, stated), (entry.index, record)], key=lambda one: one[0])
            effect = self.rule_set.gates.periods.overlap
            found = list(contradiction(older, newer, effect, taken=entry.index, where=product))
            if found:
                self._use(other)
            self._find(found)

    def _name_unread(self, product: str, taken: Entry, record: Any) -> None:
        """Name what the issuer stated after `taken`, of its kind and days, and this reader can't read.

        About this product it is a soft finding. Of whatever product it is a note, one for an issuer and kind: who holds another's
        ledger holds sealed entries of it as a rule.
        """
        issuer, kind = taken.statement.issuer, type(record)
        newer = [
            (entry, stated)
            for entry, stated in self.evidence.partly_held(issuer, kind)
            if entry.index > taken.index and meet(record.period, stated.period) and not self._is_of_other_rules(stated)
        ]
        remedy = "ask its signer for the whole statement"
        for entry, _ in (pair for pair in newer if product in pair[1].products):
            self._use(entry)
            what = f"the newer statement in entry {entry.index} isn't wholly disclosed: entry {taken.index} is taken"
            self._find([Finding("newer_statement", "soft", product, what, remedy)])
        sealed = next((entry for entry, stated in newer if isinstance(stated.sub, Sealed)), None)
        if sealed is not None and (issuer, kind) not in self._sealed_issuers:
            self._sealed_issuers.add((issuer, kind))
            self._use(sealed)
            what = f"entry {sealed.index}, sealed, is newer than entry {taken.index} of the same kind: maybe it is about {product}"
            self._find([Finding("newer_statement", "note", issuer, what, remedy)])

    def _is_of_other_rules(self, record: Any) -> bool:
        """Whether a signed footprint is known to be of another rule set, so that it couldn't be taken anyway."""
        return (
            isinstance(record, ProductFootprint)
            and isinstance(record.rule_set, RuleSetName)
            and not record.rule_set.names(self.rule_set)
        )

    def _name_other_rule_sets(self, product: str, issuer: str | None, where: str, *, refuses: bool = False) -> None:
        """Say which signed footprints of `product` there are that can't be used, being of other rule sets."""
        for entry, record in self.evidence.about(product, ProductFootprint):
            if issuer in (None, entry.statement.issuer) and self._is_of_other_rules(record):
                self._use(entry)
                name: Any = record.rule_set
                own = f"{self.rule_set.id} version {self.rule_set.version}"
                if (name.id, name.version) == (self.rule_set.id, self.rule_set.version):
                    own = "another text of them"
                what = (
                    f"the signed footprint of {product} (entry {entry.index}) is under the rules {name.id} version {name.version}, "
                    f"the result under {own}: it can't be used"
                )
                remedy = "ask its maker for a footprint under this rule set, or for its activity data"
                self._find([Finding("rule_set", "hard", where, what, remedy, refuses)])

    def _add_hidden_bills(self, product: str, issuer: str) -> None:
        """Name as a gap each bill of materials by `issuer` that may be `product`'s and isn't wholly disclosed."""
        for entry, bill in self.evidence.partly_held(issuer, BillOfMaterials):
            if isinstance(bill.sub, Sealed) or bill.sub == product:
                # Named among the inputs, so that whoever replays the result meets the same gap.
                self._use(entry)
                whose = "maybe this product's" if isinstance(bill.sub, Sealed) else "this product's"
                what = f"entry {entry.index} is a sealed bill of materials, {whose}{self._erased([entry])}"
                self.gaps.append(Gap(product, what))

    def _erased(self, entries: Iterable[Entry]) -> str:
        """Say which of the entries were erased, and by which; named among the inputs, so that whoever replays meets the same gap."""
        said = ""
        for entry in entries:
            if (erasure := self.evidence.erased.get(entry.leaf_hash)) is not None:
                self._use(entry)
                self._use(erasure)
                said += f"; entry {entry.index}: inputs erased at {erasure.index}"
        return said

    def _newest(
        self, product: str, kind: type[Any], issuer: str | None, period: Period | Sealed | None = None
    ) -> tuple[Entry, Any] | None:
        """Return the statement of `kind` that this reader holds whole and that answers best for `period`; of equals the newest."""
        found = [
            (entry, record)
            for entry, record in self.evidence.about(product, kind)
            if record.is_whole and issuer in (None, entry.statement.issuer)
        ]
        return min(found, key=partial(_preference, period), default=None)

    def _of_other_days(self, product: str, taken: Entry, period: Period | None) -> list[Entry]:
        """The newest statements of the signer of `taken` that state other days, of `period` where one is wanted, and aren't counted."""
        record: Any = taken.record
        kind: type[Any] = type(record)
        found = [
            entry
            for entry, stated in self.evidence.about(product, kind)
            if entry.statement.issuer == taken.statement.issuer
            and stated.is_whole
            and isinstance(stated.period, Period)
            and not meet(record.period, stated.period)
            and meet(period, stated.period)
        ]
        return sorted(found[:_OTHERS_NAMED], key=lambda entry: entry.index)

    def _check_stocks(self, product: str, entry: Entry, record: ActivityData) -> None:
        """Compare the stocks of a statement with those of its operator's statements about the days before and after."""
        beside = [
            (other, stated)
            for other, stated in self.evidence.about(product, ActivityData)
            if other.statement.issuer == entry.statement.issuer
            and stated.is_whole
            and (follows(record.period, stated.period) or follows(stated.period, record.period))
        ]
        if not any(states_stock(stated) for stated in (record, *(stated for _, stated in beside))):
            return
        seen: set[bool] = set()
        for other, stated in beside:
            is_before = follows(record.period, stated.period)
            # Of the days before, and of those after, the newest statement is the one that holds.
            if is_before in seen:
                continue
            seen.add(is_before)
            self._use(other)
            pairs = [(other.index, stated), (entry.index, record)]
            earlier, later = pairs if is_before else reversed(pairs)
            self._find(stock_breaks(earlier, later, self.rule_set.gates.consumption, where=product))

    def _check_days(self, product: str) -> None:
        """Name the statements about the demanded product that state other days than the one that is counted."""
        for taken in self.taken.get(0, []):
            others = self._of_other_days(product, taken, None)
            for entry in others:
                self._use(entry)
            if others:
                record: Any = taken.record
                named = ", ".join(f"{entry.index} ({shown(entry.record.period)})" for entry in others)  # type: ignore[union-attr]
                what = f"entry {taken.index} ({shown(record.period)}) is counted; other days are stated in {named}"
                remedy = "nothing to do, where the counted days stand for the others"
                self._find([Finding("periods", "note", product, what, remedy)])

    def _declared_unit(
        self, product: str, activity: tuple[Entry, ActivityData] | None, bill: tuple[Entry, BillOfMaterials] | None
    ) -> str:
        if activity is not None:
            return base_unit(_output(activity[1], product).unit, where="unit")
        measure: Any = bill[1].per if bill is not None else None
        return base_unit(measure.unit, where="unit")

    def _add_activity(self, number: int, entry: Entry, record: ActivityData) -> dict[str, Consumed]:
        """Add the lines of a process, as far as its product bears them; return what it consumed by product and flow."""
        self._use(entry)
        product = self.names[number]
        if isinstance(record.period, Period):
            self._periods[number] = record.period
        made = self._made(number, _output(record, product))
        process = UnitProcess(number, product, str(record.process_class), made, entry, _year(record.period))
        split = Split.of(record, process.place, instead=self.instead)
        self._check_activity(process, record)
        self._find([*split.judged(self.rule_set), *split.one_sided(record, self.rule_set), *split.worthless()])
        self.other_keys.update(split.other_keys)
        found = match_certificates(self.evidence, entry, record, self.rule_set)
        delivered = compare_deliveries(self.evidence, entry, record, self.rule_set)
        self._find([*found.findings, *delivered.findings])
        for used in (*found.used, *delivered.used):
            self._use(used)
        consumed: dict[str, Consumed] = {}
        for path, line in record.lines(*_PROCESS_LINES):
            try:
                unit = process.bearing(split, line)
            except AllocationError as error:
                self._refuse("allocation", f"{process.place} {error.where}", error.what, error.remedy)
                break
            if not unit.share:
                continue
            match path.partition("/")[0]:
                case "inputs":
                    self._input(unit, line, path)
                    _add_consumed(consumed, unit, line)
                case "waste":
                    self._input(unit, line, path)
                case "electricity":
                    self._electricity(unit, line, path, found.shares.get(path, {}))
                case "fuels":
                    factor = self._factor(line.flow, None, LIFE_CYCLE, year=unit.year, where=f"{unit.place} {path}")
                    self._line(unit, "energy", line, path, factor)
                case "direct_emissions":
                    self._direct_emission(unit, line, path)
                case "transport":
                    self._transport(unit, line, path)
        return consumed

    def _check_activity(self, process: UnitProcess, record: ActivityData) -> None:
        """Hold what a statement says of a process against itself, and against the statements about the days beside it."""
        gates, product, where, entry = self.rule_set.gates, process.product, process.place, process.entry
        self._find(element_balance(record, gates.element_balance, where=where))
        counted = self.rule_set.gases.counts("CO2", "biogenic_removal")
        self._find(carbon_balance(record, gates.element_balance, counted=counted, where=where))
        formulas = {row.flow: row.composition for row in self._background if row.composition is not None}
        self._find(unbalanced(record, formulas, where=where))
        self._find(lines_outside(record, gates.periods.line, where=where))
        self._find(too_long(record, gates.periods.line, where=where))
        signed = entry.statement.issued_at.date()
        self._find(yet_to_come(record.period, signed, gates.periods.line, where=where))
        model = self.battery_model(product) if process.number == 0 else None
        plant = model.plant if model is not None else None
        self._find(grid_elsewhere(record, plant, self.rule_set.electricity, where=where))
        self._check_stocks(product, entry, record)

    def _made(self, number: int, output: Any) -> float:
        """Return what the process made of its product in the product's unit, and keep the formula that it is stated as."""
        where = f"outputs/{output.id}"
        made = float(convert(output.amount, output.unit, self.units[number], where=where))
        return self._dry(number, made, output.composition, where)

    def _dry(self, number: int, amount: float, composition: Composition | Sealed | None, where: str) -> float:
        """Return what `amount` of a product is of the dry formula: consumers take that one, however its maker weighs it."""
        if not isinstance(composition, Composition):
            return amount
        self.formulas[number] = composition.formula
        if self.units[number] != "kg" or composition.basis == Basis(composition.formula):
            return amount
        self._note(
            "composition",
            f"{self.names[number]} {where}",
            f"stated is {composition.basis}: counted is kg of dry {composition.formula}",
        )
        return amount * composition.basis.dry(where=where)

    def _add_bill(
        self,
        number: int,
        entry: Entry,
        record: BillOfMaterials,
        *,
        stated: Mapping[str, Consumed],
        process_class: str,
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
        unit = UnitProcess(number, self.names[number], process_class, made, entry, _year(record.period))
        shares: dict[str, list[Any]] = {}
        for one in _items(record.supplier_shares):
            shares.setdefault(one.component, []).append(one)
        lines = [_bill_line(line, shares.get(line.id, []), made) for line in _items(record.components)]
        for material in matched(lines, stated):
            if material.consumed:
                compared = weighed(material, partial(self._kg_per_unit, self._periods.get(number)))
                self._find(compared.findings(self.rule_set.gates.consumption, where=place))
                continue
            for found in material.lines:
                self._component(unit, found.component, shares.get(found.component.id, []))

    def _kg_per_unit(self, period: Period | None, product: str, unit: str) -> float | None:
        """kg per base unit of a product, as its maker's activity data states it; None where it doesn't."""
        found = self._newest(product, ActivityData, None, period)
        kind = {"piece": "pieces", "kWh": "energy"}.get(unit)
        if found is None or kind is None:
            return None
        entry, record = found
        self._use(entry)
        output = _output(record, product)
        made, kg = output.quantity(kind), output.quantity("mass")
        return None if made is None or kg is None else float(kg / made)

    def _component(self, unit: UnitProcess, line: Component, shares: list[Any]) -> None:
        """Add a component that the bill of materials alone states, by its suppliers' shares where there are any."""
        if not shares:
            self._input(unit, line, f"components/{line.id}")
        # Shares may miss 1 by a thousandth: what goes in is the whole content all the same.
        total = sum(one.share for one in shares)
        for one in shares:
            supplied = line.model_copy(update={"product": one.product, "citation": one.citation, "flow": None})
            part = replace(unit, share=float(one.share / total))
            self._input(part, supplied, f"components/{line.id} supplier_shares/{one.id}")

    def _add_signed_footprint(self, product: str, issuer: str | None, period: Period | None) -> int | None:
        """Add `product` as a sealed branch by its issuer's newest footprint under this rule set and version, one of `period` first."""
        stated = self.evidence.about(product, ProductFootprint)
        for entry, record in sorted(stated, key=partial(_preference, period)):
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
                self._name_unread(product, entry, record)
                return self._sealed_branch(product, entry, record)
        return None

    def _sealed_branch(self, product: str, entry: Entry, record: ProductFootprint) -> int:
        self._use(entry)
        declared: Any = record.declared_unit
        number = self._process(product, base_unit(declared.unit, where="unit"))
        per = float(convert(declared.amount, declared.unit, self.units[number], where="declared_unit"))
        per = self._dry(number, per, record.composition, "declared_unit")
        declared_share = record.primary_data_share
        total: Any = record.total
        parts = [(SEALED_STAGE, total)]
        # A footprint without a single stage is a sealed branch too: it must not vanish from the result.
        if isinstance(record.stages, Lines) and record.stages.complete and record.stages.items:
            parts = [(line.stage, line.kg_co2e) for line in record.stages]
        if isinstance(record.period, Period):
            self._periods[number] = record.period
        where = f"{product}, signed footprint (entry {entry.index})"
        self._signed.add(number)
        self.taken[number] = [entry]
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

    # -- links -----------------------------------------------------------------------------------------------------

    def _link(self, consumer: int, line: Material | Waste, share: float, where: str) -> None:
        product = str(line.product)
        issuer, cited, unread = None, None, None
        if line.citation is not None:
            cited = self.evidence.cited(line.citation)
            if cited is None:
                self.gaps.append(Gap(where, f"the cited entry {line.citation.index} is not at hand"))
                return
            if cited.record is not None and cited.record.is_about_others_than(product):
                self._refuse(
                    "citation", where, "the cited entry is about another product", "cite the entry of this product"
                )
                return
            self._use(cited)
            issuer = cited.statement.issuer
            unread = None if cited.record is None or cited.record.is_whole else type(cited.record)
        period = self._periods.get(consumer)
        supplier = self._add(product, issuer, period, unread)
        if supplier is None:
            self._name_other_rule_sets(product, issuer, where)
            sealed = f": the cited entry {cited.index} isn't wholly disclosed" if cited is not None and unread else ""
            sealed += self._erased([cited] if cited is not None else [])
            sealed += self._untold(product, issuer)
            gone = self._taken_back(product, issuer)
            self.gaps.append(Gap(where, f"nothing is known of {product} under this rule set{sealed}{gone}"))
            return
        if cited is not None and (by := self.evidence.retracted.get(cited.leaf_hash)) is not None:
            what = f"the cited entry {_gone(cited, by)}: what its signer states of the product otherwise is counted"
            self._find([Finding("citation", "note", where, what, "cite the statement that counts today")])
        elif cited is not None and not self._is_as_cited(supplier, cited, where):
            return
        effect = self.rule_set.gates.periods.supplier
        self._find(apart(period, self._periods.get(supplier), effect, where=where))
        self._check_covered(period, supplier, where)
        composition = getattr(line, "composition", None)
        said = {getattr(line, "comparable_flow", None), composition.formula if composition is not None else None}
        self._said_to_be.setdefault(supplier, set()).update(name for name in said if name is not None)
        made_as, restated = self.formulas.get(supplier), None
        if composition is not None and made_as is not None:
            try:
                restated = self._restated(composition.basis, made_as, where)
            except CompositionError as error:
                self._unfit(supplier, "composition", where, error.what, error.remedy)
                return
        elif (
            composition is not None
            and consumer in self.formulas
            and balanced_elements(composition.formula, where=where)
        ):
            # The element balance of what is made rests on it; of a cell in pieces nothing does.
            why = f"nothing at hand states what {product} is made of"
            self._find([taken_at_word(composition.formula, why, where=where)])
        elif made_as is not None and isinstance(line, Material) and self.units[supplier] == "kg":
            self._taken_as(product, made_as, where)
        try:
            amount = float(convert(line.consumed, line.unit, self.units[supplier], where=where))
        except UnitError as error:
            self._unfit(supplier, "units", where, error.what, error.remedy)
            return
        self.links.append(Link(consumer, supplier, amount * share * (restated.factor if restated else 1)))

    def _check_covered(self, period: Period | None, supplier: int, where: str) -> None:
        """Compare the supplier's days with its consumer's."""
        taken = self.taken.get(supplier, [])[:1]
        others = self._of_other_days(self.names[supplier], taken[0], period) if taken and period is not None else []
        for entry in others:
            self._use(entry)
        indices, effect = [entry.index for entry in others], self.rule_set.gates.periods.supplier
        self._find(covered(period, self._periods.get(supplier), effect, indices, where=where))

    def _taken_back(self, product: str, issuer: str | None = None) -> str:
        """Say which statements about a product of which nothing else is known count no more."""
        gone = []
        for entry in self.evidence.retracted_about(product):
            if issuer in (None, entry.statement.issuer):
                self._use(entry)
                gone.append(f"entry {_gone(entry, self.evidence.retracted[entry.leaf_hash])}")
        return f": {', '.join(gone)}" if gone else ""

    def _untold(self, product: str, issuer: str | None = None) -> str:
        """Say which statements about a product nothing is calculated from, as this reader lacks their contents."""
        found = [one for one in self.evidence.untold_about(product) if issuer in (None, one.statement.issuer)]
        for entry in found:
            self._use(entry)
        return "".join(f": entry {entry.index} is disclosed without its contents" for entry in found)

    def _is_as_cited(self, supplier: int, cited: Entry, where: str) -> bool:
        """Whether what counts for `supplier` may stand for what the consumer cites; a gap where the cited entry isn't readable.

        The newest statement counts for all consumers of a product: where that isn't the cited one, it is noted.
        """
        kind = type(cited.record)
        other = next((entry for entry in self.taken.get(supplier, []) if type(entry.record) is kind), None)
        if other is None or other is cited or cited.record is None or self._is_of_other_rules(cited.record):
            return True
        if cited.record.is_whole:
            what = f"entry {cited.index} is cited, entry {other.index} of the same product is counted"
            remedy = "cite the statement that holds for this period"
            self._find([Finding("citation", "note", where, what, remedy)])
            return True
        what = f"the cited entry {cited.index} isn't wholly disclosed, and entry {other.index} isn't the one that was cited"
        what += self._erased([cited])
        self.gaps.append(Gap(where, what))
        return False

    def _process(self, product: str, unit: str) -> int:
        self._numbers[product] = len(self.names)
        self.names.append(product)
        self.units.append(unit)
        return self._numbers[product]

    def _unfit(self, supplier: int, gate: str, where: str, what: str, remedy: str) -> None:
        """What `supplier` states doesn't fit its place: refuse the result, or leave a signed footprint out of it.

        Whoever rests on another's signed footprint can't correct it, and shouldn't lose the rest of its result over it: the branch
        becomes a gap with a hard finding. Of the demanded product itself nothing would be left.
        """
        left_out = supplier in self._signed and supplier != 0
        self.findings.append(Finding(gate, "hard", where, what, remedy, refuses=not left_out))
        if left_out:
            self.gaps.append(Gap(where, f"the signed footprint of {self.names[supplier]} can't be used here"))


def _output(record: ActivityData, product: str) -> Any:
    """The output line of `product`; of a statement about it by `sub` alone, the only one."""
    outputs = _items(record.outputs)
    return next((line for line in outputs if line.product == product), outputs[0])


def _add_consumed(consumed: dict[str, Consumed], unit: UnitProcess, line: Material) -> None:
    """Add what `line` says to the consumption of its product or flow, per unit of the product made."""
    found = consumed.setdefault(str(line.product or line.flow), Consumed())
    found.material = found.material or line.flow or line.comparable_flow
    found.stated.append(_stated(line, unit.share / unit.made))


def _bill_line(line: Component, shares: list[Any], made: float) -> BillLine:
    """A component as it is compared with what was consumed."""
    total = sum(one.share for one in shares)
    by_name: dict[str, float] = {} if shares else {str(line.product or line.flow): 1.0}
    for one in shares:
        by_name[one.product] = by_name.get(one.product, 0.0) + float(one.share / total)
    return BillLine(line, by_name, _stated(line, 1 / (float(line.yield_) * made)))


def _stated(line: Material, per_made: float) -> Stated:
    base = base_unit(line.unit, where="unit")
    is_weighed = line.composition is not None and base == "kg"
    amount = float(convert(line.consumed, line.unit, base, where=line.id)) * per_made
    return Stated(amount, base, line.composition.basis if line.composition is not None and is_weighed else None)


def _items(value: object) -> tuple[Any, ...]:
    return value.items if isinstance(value, Lines) else ()


def _preference(period: Period | Sealed | None, pair: tuple[Entry, Any]) -> tuple[int, ...]:
    """The order in which the statements of a product answer for `period`."""
    entry, record = pair
    wanted = period if isinstance(period, Period) else None
    return preference(record.period, entry.statement.issued_at.date(), wanted)


def _year(period: Period | Sealed | None) -> int | None:
    return period.end.year if isinstance(period, Period) else None


def _word(value: str | Sealed | None) -> str:
    return "sealed" if isinstance(value, Sealed) else value or "not stated"


def _gone(entry: Entry, by: Entry) -> str:
    """By what a statement was taken back."""
    how = "superseded" if by.statement.vct == SUPERSESSION.vct else "withdrawn"
    return f"{entry.index} was {how} by entry {by.index}"

"""A product system in a file: computed without statements, ledger or server.

For whoever wants the engine alone: processes with what they make, take and emit; factors; a demand. The rule set gives stages, factor
family, releases and rounding. docs/formats/product-system.md describes the file.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from bom_graph.composition import Basis, Restated, hydrate_mistaken, mass_fractions, restate
from bom_graph.errors import (
    BomGraphError,
    CompositionError,
    FactorError,
    GasError,
    LoopError,
    MissingFactorError,
    RuleSetError,
    SystemFileError,
    UnitError,
)
from bom_graph.factors import LIFE_CYCLE, Factor, FactorRelease, FactorRow, Family, look_up
from bom_graph.footprint import Burden, Footprint, ProductSystem, solve
from bom_graph.gases import Column, Gas, Origin, check_gas, column_of, gwp100
from bom_graph.gates import Finding, carbon_kept, mixed_families, mixed_gwp_sets, total_finding
from bom_graph.graph import Link
from bom_graph.quantities import UNITS, Amount, base_unit, convert, dimension
from bom_graph.records import Composition
from bom_graph.rules import LINE_CLASSES, RuleSet
from bom_graph.strict_json import read_json
from bom_graph.system_gates import (
    avoided_finding,
    is_electricity,
    is_offset,
    own_factor,
    size_findings,
)
from bom_graph.uncertainty import Parameter, Simulation, UncertainSystem, Uncertainty, simulate
from bom_graph.wording import in_words

MAX_SYSTEM_BYTES: Final = 256 * 1024 * 1024
OWN_FACTORS: Final = "file"
T = TypeVar("T")
LineClass = Literal["material", "packaging", "energy", "waste"]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~:/-]{1,128}$", strict=True)]
Positive = Annotated[Amount, Field(gt=0)]
NotNegative = Annotated[Amount, Field(ge=0)]
#: Nothing else is taken for a yes.
Flag = Annotated[bool, Field(strict=True)]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ProductAmount(_Frozen):
    """What one run of a process makes; the inputs and emissions beside it are those of the same run."""

    name: Text
    amount: Positive
    unit: Text


class StatedComposition(Composition):
    """What a mass is stated as, in a file: as in a statement, and unknown members are refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _placed(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except CompositionError as error:
            raise ValueError(f"{error.what}; {error.remedy}") from None


class SystemInput(_Frozen):
    """What a run takes: another process's product, or a background flow by its factor.

    `avoided` makes it a credit: the process spares so much of it. `class` decides the stage with the process's own class.
    """

    id: Name | None = None
    process: Name | None = None
    flow: Name | None = None
    geography: Text | None = None
    amount: NotNegative
    unit: Text
    line_class: Annotated[LineClass, Field(alias="class")] = "material"
    composition: StatedComposition | None = None
    avoided: Flag = False
    primary: Flag = False
    uncertainty: Uncertainty | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.process is None) == (self.flow is None):
            raise ValueError("name either a process or a flow")
        if self.geography is not None and self.flow is None:
            raise ValueError("a geography goes with a flow")
        if self.composition is not None and self.flow is None:
            raise ValueError("a composition goes with a flow")
        return self


class SystemEmission(_Frozen):
    """A gas that a run emits; a negative amount is a removal."""

    id: Name | None = None
    gas: Gas
    origin: Origin = "fossil"
    amount: Amount
    unit: Text
    primary: Flag = False
    uncertainty: Uncertainty | None = None

    @model_validator(mode="after")
    def _counted(self) -> Self:
        try:
            check_gas(self.gas, self.origin, removal=self.amount < 0, where="origin")
        except GasError as error:
            raise ValueError(f"{error.what}; {error.remedy}") from None
        return self


class SystemProcess(_Frozen):
    """A unit process. Lines of one list that have an `id` have different ones."""

    id: Name
    process_class: Annotated[Text, Field(alias="class")]
    product: ProductAmount
    inputs: tuple[SystemInput, ...] = ()
    emissions: tuple[SystemEmission, ...] = ()


class SystemFactor(_Frozen):
    """A factor of the file's own: `value` kg CO2e per `per` of `flow`. It comes before those of the rule set's releases."""

    flow: Name
    value: Amount
    per: Text
    geography: Text = "GLO"
    year: Annotated[int, Field(ge=1900, le=2200)] = 2024
    family: Family = "co2e_life_cycle"
    nature: Literal["measured", "modelled", "statistical"] = "modelled"
    source: Text
    uncertainty: Uncertainty | None = None

    @model_validator(mode="after")
    def _no_credit(self) -> Self:
        if self.value < 0:
            raise ValueError("a factor below zero would be a credit: state an input with `avoided` for what is spared")
        return self


class SystemDemand(_Frozen):
    """What the footprint is wanted for."""

    process: Name
    amount: Positive
    unit: Text


class Energy(_Frozen):
    """An amount of energy."""

    amount: Positive
    unit: Text


class SystemFile(_Frozen):
    """A product-system file; `digest` is the hex SHA-256 of its bytes. `delivered_energy` is that of the whole demand, `year`
    the one that its factors should be of."""

    format: Literal["urn:packtrace:product-system:1"]
    title: Text
    year: Annotated[int, Field(ge=1900, le=2200)] | None = None
    processes: Annotated[tuple[SystemProcess, ...], Field(min_length=1, max_length=100_000)]
    factors: Annotated[tuple[SystemFactor, ...], Field(max_length=100_000)] = ()
    demand: SystemDemand
    delivered_energy: Energy | None = None
    digest: SkipJsonSchema[str] = ""

    @classmethod
    def read(cls, data: bytes) -> SystemFile:
        """Return the system in the file's bytes; SystemFileError, naming the place, for anything else."""
        where, remedy = "system file", "correct the file; docs/formats/product-system.md describes it"
        try:
            if len(data) > MAX_SYSTEM_BYTES:
                raise ValueError(f"larger than {MAX_SYSTEM_BYTES} bytes")
            members = read_json(data)
            found = cls.model_validate(members)
            found.check_ids()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise SystemFileError(in_words(first), where=_place(members, first["loc"]), remedy=remedy) from None
        except ValueError as error:
            raise SystemFileError(f"the file can't be read: {error}", where=where, remedy=remedy) from None
        return found.model_copy(update={"digest": hashlib.sha256(data).hexdigest()})

    @classmethod
    def file_schema(cls) -> dict[str, Any]:
        """Return the JSON schema (2020-12) of the file."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}

    def check_ids(self) -> None:
        """Check that every name means one thing. Raises SystemFileError."""
        known: set[str] = set()
        for process in self.processes:
            if process.id in known:
                raise _misnamed(f"two processes are named {process.id}", f"processes/{process.id}", "name each once")
            known.add(process.id)
        for process in self.processes:
            for name, lines in (("inputs", process.inputs), ("emissions", process.emissions)):
                named = [line.id for line in lines if line.id is not None]
                if len(set(named)) != len(named):
                    twice = Counter(named).most_common(1)[0][0]
                    place = f"processes/{process.id}/{name}/{twice}"
                    raise _misnamed(f"two lines have the id {twice}", place, "give each line an id of its own, or none")
            for number, line in enumerate(process.inputs, 1):
                if line.process is not None and line.process not in known:
                    place = f"processes/{process.id}/inputs/{_key(line, number)}"
                    raise _misnamed(f"no process is named {line.process}", place, "add it, or name a flow")
        if self.demand.process not in known:
            raise _misnamed(f"no process is named {self.demand.process}", "demand/process", "name one of the file's")
        if self.delivered_energy is not None:
            _as_system_error(lambda: self.delivered_kwh, "delivered_energy")

    @property
    def delivered_kwh(self) -> Decimal | None:
        """kWh that the demand delivers."""
        given = self.delivered_energy
        return None if given is None else convert(given.amount, given.unit, "kWh", where="delivered_energy/unit")


@dataclass(frozen=True, slots=True)
class SystemResult:
    """What a system file comes to under a rule set: kg CO2e of the demand, and per kWh delivered where the file states it.

    `footprint` is None where a finding refuses the result; `uncertain` is the system that it was solved from, with what varies in it, and
    `demand` the amount of each process.
    """

    file: SystemFile
    rule_set: RuleSet
    footprint: Footprint | None
    delivered_kwh: Decimal | None
    findings: tuple[Finding, ...]
    simulation: Simulation | None = None
    uncertain: UncertainSystem | None = None
    demand: Mapping[int, float] = field(default_factory=dict)

    @property
    def total(self) -> float | None:
        """kg CO2e of the demand; None where it is refused, or nothing of what goes into it says what it takes or emits."""
        if self.footprint is None or self.uncertain is None:
            return None
        taken = _taken(self.uncertain.system.links, self.demand)
        stated = any(burden.process in taken for burden in self.uncertain.system.burdens)
        return self.footprint.total if stated else None

    def in_base_units(self) -> tuple[ProductSystem, int, float]:
        """Return the system per base unit (kg, kWh, ...) of each product, the demanded process and its amount.

        Files that state one product in different units are then the same system. Of results that aren't refused alone.
        """
        assert self.uncertain is not None  # noqa: S101 - refused ones have nothing to explain
        system = self.uncertain.system
        sizes = []
        for process in self.file.processes:
            unit = process.product.unit
            sizes.append(float(convert(Decimal(1), unit, base_unit(unit, where=process.id), where=process.id)))
        links = tuple(
            replace(link, amount=link.amount * sizes[link.supplier] / sizes[link.consumer]) for link in system.links
        )
        burdens, apart = (
            tuple(replace(burden, kg_co2e=burden.kg_co2e / sizes[burden.process]) for burden in found)
            for found in (system.burdens, system.apart)
        )
        ((product, amount),) = self.demand.items()
        return ProductSystem(system.processes, links, burdens, apart), product, amount * sizes[product]


def solve_file(
    file: SystemFile, rule_set: RuleSet, releases: Sequence[FactorRelease], *, draws: int = 0, seed: int = 0
) -> SystemResult:
    """Return the result of a system file under a rule set; `draws` above zero adds a simulation.

    The file's own factors come first, then those of `releases`, in order. What can't be computed is a finding that refuses the result;
    raises UncertaintyError.
    """
    built = _Builder(file, rule_set, releases)
    demand = built.demand()
    delivered = file.delivered_kwh
    if any(finding.refuses for finding in built.findings):
        return SystemResult(file, rule_set, None, delivered, tuple(built.findings))
    # The file's own factors are its author's: which set they count by isn't asked.
    built.findings += mixed_gwp_sets([one for one in built.factors if one.release != OWN_FACTORS], where="factors")
    system = ProductSystem(tuple(built.numbers), tuple(built.links), tuple(built.burdens), tuple(built.apart))
    try:
        footprint = solve(system, demand)
    except LoopError as error:
        built.refuse("loop", f"processes/{error.where}", error.what, error.remedy)
        return SystemResult(file, rule_set, None, delivered, tuple(built.findings))
    if not math.isfinite(footprint.total):
        built.refuse("units", "demand", "the amounts are too large to be added up", "correct the amounts")
        return SystemResult(file, rule_set, None, delivered, tuple(built.findings))
    built.findings += _silent(file, system, demand)
    uncertain = UncertainSystem(system, tuple(built.parameters.values()), built.links_with, built.burdens_with)
    found = SystemResult(file, rule_set, footprint, delivered, tuple(built.findings), None, uncertain, demand)
    if found.total is not None:
        found = replace(found, findings=(*found.findings, *_judged(found.total, delivered, rule_set)))
    if not draws or found.total is None:
        return found
    return replace(found, simulation=simulate(uncertain, demand, draws=draws, seed=seed))


def _judged(total: float, delivered: Decimal | None, rule_set: RuleSet) -> list[Finding]:
    """What the total, and the energy that it is divided by, can't be."""
    shown = {"the total": total}
    if delivered is not None:
        kwh = float(delivered)
        shown |= {"the energy delivered": kwh, "the figure per kWh": total / kwh if kwh else math.inf}
    return [*total_finding(total, rule_set, where="demand"), *size_findings(shown, where="demand")]


def _taken(links: Sequence[Link], demand: Mapping[int, float]) -> set[int]:
    """The processes that the demand takes, however little."""
    suppliers: dict[int, list[int]] = {}
    for link in links:
        suppliers.setdefault(link.consumer, []).append(link.supplier)
    found, waiting = set(demand), list(demand)
    while waiting:
        new = [supplier for supplier in suppliers.get(waiting.pop(), ()) if supplier not in found]
        found.update(new)
        waiting += new
    return found


def _silent(file: SystemFile, system: ProductSystem, demand: Mapping[int, float]) -> list[Finding]:
    """A hard finding, which refuses nothing, for each process in use that says neither what it takes nor what it emits."""
    what = "the process states neither inputs nor emissions: what it emits is missing, not zero"
    remedy = "state its lines; one with the amount 0 says that there is nothing"
    return [
        Finding("missing_data", "hard", f"processes/{process.id}", what, remedy, refuses=False)
        for number in sorted(_taken(system.links, demand))
        if not ((process := file.processes[number]).inputs or process.emissions)
    ]


def _key(line: SystemInput | SystemEmission, number: int) -> str:
    """What names a line in its list: its id, else `#` and its number, which no id can be."""
    return line.id or f"#{number}"


class _Builder:
    """Turns the file's lines into links and burdens, and what doesn't fit into findings."""

    def __init__(self, file: SystemFile, rule_set: RuleSet, releases: Sequence[FactorRelease]) -> None:
        self.rule_set = rule_set
        self.findings: list[Finding] = []
        #: Place in the file of each own factor, by the id of its row.
        self.own_places: dict[str, str] = {}
        self.own = self._own_release(file)
        self.published = tuple(releases)
        self.releases = (*self.own, *releases)
        self.numbers = {process.id: number for number, process in enumerate(file.processes)}
        self.file = file
        self.links: list[Link] = []
        self.burdens: list[Burden] = []
        self.apart: list[Burden] = []
        self.factors: list[Factor] = []
        self.parameters: dict[str, Parameter] = {}
        self.links_with: dict[int, tuple[int, ...]] = {}
        self.burdens_with: dict[int, tuple[int, ...]] = {}
        self._places: dict[str, int] = {}
        self._told: set[tuple[str, str | None]] = set()
        for process in file.processes:
            self._process(process)
        self.findings += mixed_families(self.factors, where="factors")

    def _own_release(self, file: SystemFile) -> tuple[FactorRelease, ...]:
        """The file's own factors as a release, without those that have an unknown unit or fit as another does: findings that refuse."""
        rows: list[FactorRow] = []
        numbers: dict[tuple[str, str, int, str], int] = {}
        for number, factor in enumerate(file.factors, 1):
            place = f"factors/{number}"
            key = (factor.flow, factor.geography, factor.year, factor.family)
            first = numbers.setdefault(key, number)
            if first != number:
                what = f"it fits as factors/{first} does: both are for {', '.join(map(str, key))}"
                self.refuse("ambiguous_factor", place, what, "state one of the two, or their places or years")
                continue
            try:
                dimension(factor.per, where=f"{place}/per")
            except UnitError as error:
                self.refuse("units", error.where, error.what, error.remedy)
                continue
            named = f"{factor.flow}/{factor.geography}/{factor.year}"
            named += "" if factor.family == LIFE_CYCLE else f"/{factor.family}"
            row = FactorRow(
                id=named if named not in self.own_places else f"{named}#{number}",
                name=factor.flow,
                source_value=str(factor.value),
                source_unit=f"kg CO2e/{factor.per}",
                **{name: getattr(factor, name) for name in SystemFactor.model_fields},
            )
            self.own_places[row.id] = place
            rows.append(row)
        if not rows:
            return ()
        release = FactorRelease(
            format="urn:packtrace:factor-release-file:1",
            id=OWN_FACTORS,
            version="1",
            title=file.title,
            citation="the product-system file",
            licence="the product-system file's",
            gwp_set="unstated: as the file states",
            boundary="as the file states",
            rows=tuple(rows),
        )
        return (release,)

    def demand(self) -> dict[int, float]:
        wanted = self.file.demand
        product = self.file.processes[self.numbers[wanted.process]].product
        amount = self._converted(wanted.amount, wanted.unit, product.unit, "demand/unit")
        return {} if amount is None else {self.numbers[wanted.process]: float(amount)}

    def refuse(self, gate: str, where: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(gate, "hard", where, what, remedy, refuses=True))

    def _process(self, process: SystemProcess) -> None:
        place = f"processes/{process.id}"
        try:
            dimension(process.product.unit, where=f"{place}/product/unit")
            stages = {name: self.rule_set.stage_of(process.process_class, name) for name in LINE_CLASSES}
        except (UnitError, RuleSetError) as error:
            gate = "units" if isinstance(error, UnitError) else "process_class"
            self.refuse(gate, place, error.what, error.remedy)
            return
        for number, line in enumerate(process.inputs, 1):
            self._input(process, line, stages[line.line_class], f"{place}/inputs/{_key(line, number)}")
        for number, emission in enumerate(process.emissions, 1):
            where = f"{place}/emissions/{_key(emission, number)}"
            self._emission(process, emission, stages["direct_emission"], where)
        self._removals(process, place)

    def _removals(self, process: SystemProcess, place: str) -> None:
        """Hold what a run takes up of CO2 against the carbon that its product could have, were it carbon altogether."""
        lines = [one for one in process.emissions if (one.gas, one.origin) == ("CO2", "biogenic")]
        if not all(UNITS.get(one.unit, ("",))[0] == "mass" for one in lines):
            return
        kept = -sum((convert(one.amount, one.unit, "kg", where=place) for one in lines), Decimal(0))
        made, held = process.product, None
        if dimension(made.unit, where=place) == "mass":
            held = float(convert(made.amount, made.unit, "kg", where=place)) / mass_fractions("CO2")["C"]
        gate, counted = self.rule_set.gates.element_balance, self.rule_set.gases.biogenic_co2 == "counted"
        self.findings += carbon_kept(float(kept), held, gate, counted=counted, what=made.name, where=place)

    def _input(self, process: SystemProcess, line: SystemInput, stage: str, where: str) -> None:
        if is_offset(line.flow or self.file.processes[self.numbers[str(line.process)]].product.name) or (
            line.process is not None and is_offset(line.process)
        ):
            what = "an offset: offsets, credits and compensation are no lines of a footprint"
            self.refuse("offset", where, what, "leave it out; state what the process takes and emits")
            return
        if line.avoided and line.amount:
            self.findings.append(avoided_finding(self.rule_set, where=where))
        if line.process is not None:
            supplier = self.file.processes[self.numbers[line.process]].product
            amount = self._converted(line.amount, line.unit, supplier.unit, where)
            if amount is not None:
                per_unit = self._signed(line, amount / process.product.amount)
                self.links_with[len(self.links)] = self._drawn([(f"amount {where}", line.amount, line.uncertainty)])
                self.links.append(Link(self.numbers[process.id], self.numbers[line.process], per_unit))
            return
        if is_electricity(str(line.flow)) and line.line_class != "energy":
            what = f"electricity is stated as {line.line_class}, and would count towards that stage"
            self.refuse("line_class", where, what, "state its class as energy")
            return
        factor = self._factor(str(line.flow), line.geography, where)
        if factor is None:
            return
        try:
            restated = self._restated(line, factor.row.composition, where)
        except CompositionError as error:
            self.refuse("composition", where, error.what, error.remedy)
            return
        amount = self._converted(line.amount, line.unit, factor.row.per, where)
        if amount is None:
            return
        per_unit = self._signed(line, amount / process.product.amount)
        if restated is not None:
            per_unit *= restated.factor
        row = factor.row
        drawn = [
            (f"amount {where}", line.amount, line.uncertainty),
            (f"factor {factor.release}/{row.id}", row.value, row.uncertainty),
        ]
        origin = {
            "flow": line.flow,
            "amount_per_unit": per_unit,
            "factor": factor.document(),
            **({} if restated is None else {"restated": restated.how}),
        }
        kg_co2e = per_unit * float(row.value)
        primary = (line.primary, row.nature == "measured")
        self._burden(process, stage, kg_co2e, where, origin=origin, drawn=drawn, primary=primary)

    def _restated(self, line: SystemInput, wanted: str | None, where: str) -> Restated | None:
        """What a kilogram of the line is of `wanted`, the formula of its factor; None where it is the same, or nobody says.

        Raises CompositionError where the line is of another substance.
        """
        if wanted is None or dimension(line.unit, where=where) != "mass":
            if line.composition is not None:
                what = "its factor states no composition, so that the line's can't be held against it"
                self.findings.append(Finding("composition", "note", where, what, "see that the two are of one basis"))
            return None
        stated = wanted if line.composition is None else line.composition.formula
        if line.id is not None and (mistaken := hydrate_mistaken(line.id, stated, where=where)) is not None:
            self.refuse("hydrate", where, mistaken, "state the amount and its composition on one basis")
            return None
        if line.composition is None:
            what = f"no composition is stated: the amount of {line.flow} is taken as {wanted}"
            remedy = "state the composition: a hydrate taken for the anhydrous salt counts its water as salt"
            self.findings.append(Finding("hydrate", "soft", where, what, remedy))
            return None
        if line.composition.basis == Basis(wanted):
            return None
        found = restate(line.composition.basis, wanted, where=where)
        remedy = "nothing to do: the basis was stated"
        self.findings.append(Finding("composition", "note", where, found.how, remedy))
        return found

    def _emission(self, process: SystemProcess, line: SystemEmission, stage: str, where: str) -> None:
        kg = self._converted(line.amount, line.unit, "kg", where)
        if kg is None:
            return
        origin = {"gas": line.gas, "origin": line.origin, "amount_per_unit": float(kg / process.product.amount)}
        gases = self.rule_set.gases
        kg_co2e = float(kg / process.product.amount * gwp100(line.gas, line.origin, gases.gwp_set))
        drawn = [(f"amount {where}", line.amount, line.uncertainty)]
        primary = (line.primary, line.primary)
        column = column_of(line.origin, removal=kg < 0)
        counted = gases.counts(line.gas, column)
        self._burden(
            process, stage, kg_co2e, where, origin=origin, drawn=drawn, primary=primary, column=column, counted=counted
        )

    def _burden(
        self,
        process: SystemProcess,
        stage: str,
        kg_co2e: float,
        where: str,
        *,
        origin: Mapping[str, object],
        drawn: Sequence[tuple[str, Decimal, Uncertainty | None]],
        primary: tuple[bool, bool],
        column: Column = "not_split",
        counted: bool = True,
    ) -> None:
        explained = {"process": process.id, "line": where, **origin}
        activity, factor = map(float, primary)
        burden = Burden(self.numbers[process.id], stage, kg_co2e, activity, factor, explained, column)
        if not counted:
            self.apart.append(burden)
            return
        self.burdens_with[len(self.burdens)] = self._drawn(drawn)
        self.burdens.append(burden)

    def _drawn(self, wanted: Sequence[tuple[str, Decimal, Uncertainty | None]]) -> tuple[int, ...]:
        """The numbers of the parameters among these; one that is met again is the same parameter."""
        found = []
        for key, amount, uncertainty in wanted:
            if uncertainty is not None:
                self.parameters.setdefault(key, Parameter(key, float(amount), uncertainty))
                found.append(self._places.setdefault(key, len(self._places)))
        return tuple(found)

    def _factor(self, flow: str, geography: str | None, where: str) -> Factor | None:
        rules, year = self.rule_set, self.file.year
        family = rules.electricity.family if is_electricity(flow) else LIFE_CYCLE
        geography = self._place_of(flow, geography, where)
        try:
            # A factor that the file states is meant: one of another family isn't passed over for a release's.
            own = self.own if any(flow in release.by_flow for release in self.own) else ()
            if own:
                self._own_fits(own, flow, geography, family, where)
            found = look_up(
                self.releases, flow, geography, family, year=year, where=where, proxies=rules.proxy_releases
            )
        except FactorError as error:
            self.refuse(error.code, where, error.what, error.remedy)
            return None
        self.factors.append(found)
        if found.release == OWN_FACTORS:
            self._own_stands_in(found, geography, where)
        return found

    def _place_of(self, flow: str, geography: str | None, where: str) -> str | None:
        """The place whose factor a line takes: of metered electricity the nation, where the rule set asks for its average."""
        if geography is None or not is_electricity(flow) or self.rule_set.electricity.basis != "national_average":
            return geography
        nation = geography.partition("-")[0]
        if nation != geography:
            what = f"{geography} is calculated with the national average of {nation}"
            remedy = "nothing to do: the rule set asks for it"
            self.findings.append(Finding("electricity", "note", where, what, remedy))
        return nation

    def _own_stands_in(self, own: Factor, geography: str | None, where: str) -> None:
        """Say, once for each, where the file's factor stands for one that the rule set's releases have for that place."""
        flow, row, year = own.row.flow, own.row, self.file.year
        if (row.id, geography) in self._told:
            return
        self._told.add((row.id, geography))
        published = None
        with suppress(FactorError):
            published = look_up(self.published, flow, geography, row.family, year=year, where=where)
        self.findings += own_factor(own, published, self.rule_set, where=self.own_places[row.id])

    def _own_fits(
        self, own: Sequence[FactorRelease], flow: str, geography: str | None, family: str, where: str
    ) -> None:
        """Raise FactorFamilyError where the file's factor for the line is of another family; say where it is for another place."""
        try:
            look_up(own, flow, geography, family, year=self.file.year, where=where)
        except MissingFactorError as error:
            what = f"the file's own factor is not taken: {error.what}"
            self.findings.append(Finding("own_factor", "soft", where, what, "state its geography as the line's"))

    def _converted(self, amount: Decimal, unit: str, to: str, where: str) -> Decimal | None:
        try:
            return convert(amount, unit, to, where=where)
        except UnitError as error:
            self.refuse("units", where, error.what, error.remedy)
            return None

    @staticmethod
    def _signed(line: SystemInput, amount: Decimal) -> float:
        return -float(amount) if line.avoided else float(amount)


def _as_system_error(call: Callable[[], T], where: str) -> T:
    try:
        return call()
    except BomGraphError as error:
        raise SystemFileError(error.what, where=where, remedy=error.remedy) from None


def _misnamed(what: str, where: str, remedy: str) -> SystemFileError:
    return SystemFileError(what, where=where, remedy=remedy)


def _place(members: Any, steps: Sequence[int | str]) -> str:
    """The path of a defect, with the id of a line where it has one instead of its number."""
    shown = []
    for step in steps:
        try:
            members = members[step]
        except (KeyError, IndexError, TypeError):
            members = None
        name = members.get("id") if isinstance(members, dict) and isinstance(step, int) else None
        shown.append(str(name) if isinstance(name, str) and name else str(step + 1 if isinstance(step, int) else step))
    return "/".join(shown) or "system file"

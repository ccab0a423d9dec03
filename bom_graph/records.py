"""The records that feed arithmetic: what a statement of each calculation kind says.

A reader may hold only part of a record. A field is its value, `SEALED` (it may exist, this reader can't tell) or None (known to be absent);
a list is `Lines(items, complete)`. Amounts are decimal strings in signed data and Decimal here. Unknown fields survive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, Self, TypeAlias, TypeVar, final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bom_graph.composition import Basis, mass_fractions
from bom_graph.errors import (
    BomGraphError,
    CycleError,
    LoopError,
    OffsetError,
    RecordError,
    StatedSumError,
    TextError,
    UnitError,
)
from bom_graph.gases import Gas, Origin, check_gas
from bom_graph.quantities import Amount, convert, dimension
from bom_graph.rules import RuleSet
from bom_graph.wording import first_defect

#: Two figures that must agree may differ by this share: twelve stored digits and a sum of many lines.
SUM_TOLERANCE = Decimal("1e-9")
SHARE_TOLERANCE = Decimal("0.001")
MAX_LINES = 4096
#: C0, DEL and C1 controls; line and paragraph separator; the bidirectional controls of UAX #9.
_UNPLAIN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_MEMBER = re.compile(r"[a-z0-9_]+")
#: What a statement may not hold: it would read as if it were taken off the footprint.
_OFFSETS = frozenset({"offset", "offsets", "carbon_offsets", "carbon_credits", "compensation"})
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@final
class Sealed:
    """The type of `SEALED`: this reader doesn't know whether the field has a value, nor which."""

    def __repr__(self) -> str:
        return "SEALED"


SEALED: Final = Sealed()
T = TypeVar("T")
LineT = TypeVar("LineT", bound="Line")
PartT = TypeVar("PartT", bound="Part")

#: A field as a reader holds it.
Maybe: TypeAlias = T | Sealed | None
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+$", max_length=512, strict=True)]


def _plain_text(value: str) -> str:
    if found := _UNPLAIN.search(value):
        raise PydanticCustomError(
            TextError.code,
            "the text holds the character U+{code}, which breaks a line, controls a screen or turns the writing direction",
            {"code": f"{ord(found[0]):04X}"},
        )
    return value


#: One line that reads as it is written: others print it in reports, on screens and on pages.
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strict=True), AfterValidator(_plain_text)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,64}$", strict=True)]
Obtained = Literal["measured", "calculated", "estimated", "modelled", "assumed"]


class Part(BaseModel):
    """A frozen part of a record; unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True)


class Line(Part):
    """An element of a list: one disclosure, never split."""

    id: Identifier


@final
class Lines(Generic[LineT]):
    """The elements of a list that this reader holds; `complete` says whether they are all there are."""

    __slots__ = ("complete", "items")

    def __init__(self, items: tuple[LineT, ...], *, complete: bool) -> None:
        self.items = items
        self.complete = complete

    def __iter__(self) -> Iterator[LineT]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"Lines({len(self.items)} items, complete={self.complete})"


#: A list as a reader holds it.
ListOf: TypeAlias = InstanceOf[Lines[Any]] | Sealed | None


class Citation(Part):
    """A pointer to an entry of the ledger; `leaf_hash` is SHA-256(0x00 || issuer-signed JWT) in hex."""

    origin: Text
    index: Annotated[int, Field(ge=0, strict=True)]
    leaf_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]


def _iso_day(value: object) -> object:
    # Without this, pydantic takes numbers and times of day for days as well.
    if not isinstance(value, date) and not (isinstance(value, str) and _ISO_DAY.fullmatch(value)):
        raise ValueError("a day is written as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]


class Period(Part):
    """First and last day that the data covers."""

    start: Day
    end: Day

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError("the period ends before it starts")
        return self


class Site(Part):
    """Where the process runs: ISO 3166-1 country and, for electricity, the grid's geography code."""

    name: Text
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$", strict=True)]
    grid: Text | None = None


class Composition(Part):
    """What a mass is stated as: a formula, hydrate water included, for instance ``NiSO4.6H2O``; moist, or as the content of an element."""

    formula: Text
    content_of: Annotated[str, StringConstraints(pattern=r"^[A-Z][a-z]?$", strict=True)] | None = None
    moisture_percent: Annotated[Amount, Field(ge=0, lt=100)] = Decimal(0)

    @property
    def basis(self) -> Basis:
        """What a stated kilogram is."""
        return Basis(self.formula, self.content_of, self.moisture_percent)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        mass_fractions(self.formula)
        self.basis.dry(where="composition")
        if self.content_of is not None and self.moisture_percent:
            raise ValueError("a content of an element has no moisture: state one or the other")
        return self


class Measure(Part):
    """An amount with its unit and how it was obtained."""

    amount: Amount
    unit: Text
    obtained: Obtained

    def to(self, unit: str, *, where: str) -> Decimal:
        """Return the amount in `unit`; UnitError across dimensions."""
        return convert(self.amount, self.unit, unit, where=where)


Score = Literal["1", "2", "3", "4", "5"]


class Quality(Part):
    """What a line's maker says of its quality: 1 (best) to 5, as the Environmental Footprint method counts."""

    technology: Score | None = None
    geography: Score | None = None
    time: Score | None = None
    completeness: Score | None = None
    reliability: Score | None = None


class AmountLine(Line):
    """A line with an amount, its unit and how it was obtained; `quality` only where its maker claims other scores than its data has."""

    amount: Amount
    unit: Text
    obtained: Obtained
    quality: Quality | None = None
    note: Text | None = None

    #: Dimension that the line's unit must have, or one of several; None: any.
    needs: ClassVar[str | tuple[str, ...] | None] = None

    @model_validator(mode="after")
    def _positive_and_known(self) -> Self:
        found = dimension(self.unit, where="unit")
        needed = (self.needs,) if isinstance(self.needs, str) else self.needs
        if needed is not None and found not in needed:
            raise UnitError(
                f"{self.unit} is {found}, this line is stated in a unit of {' or '.join(needed)}",
                where="unit",
                remedy=f"restate the amount in a unit of {' or '.join(needed)}",
            )
        if self.amount < 0:
            raise ValueError("an amount can't be negative here")
        return self

    @property
    def consumed(self) -> Decimal:
        """What counts, in the line's unit: the amount, unless there is a change of stock."""
        return self.amount


class ProcessLine(AmountLine):
    """A line of a process: what it belongs to, where not to all outputs, and when it was metered, where not over the whole period.

    `for_outputs` names outputs of the statement by product: the line is split among them alone.
    """

    for_outputs: Annotated[tuple[Uri, ...], Field(min_length=1)] | None = None
    period: Period | None = None


class StockedLine(ProcessLine):
    """A line whose `amount` was received; `opening` less `closing` stock, in the same unit, adds to what was consumed."""

    opening: Annotated[Amount, Field(ge=0)] | None = None
    closing: Annotated[Amount, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _stock_fits(self) -> Self:
        if (self.opening is None) != (self.closing is None):
            raise ValueError("a change of stock needs both the opening and the closing stock")
        if self.consumed < 0:
            raise ValueError(
                f"consumption is {self.consumed} {self.unit}: the closing stock is above opening stock and receipts"
            )
        return self

    @property
    def consumed(self) -> Decimal:
        """Received, plus opening stock, less closing stock, in the line's unit."""
        return self.amount + (self.opening or 0) - (self.closing or 0)


class Material(AmountLine):
    """A material or component: a supplier's product (with or without citation) or a background flow.

    `comparable_flow` is the background flow of the same material, which a supplier's signed footprint is compared with. `tolled` says that
    the customer supplied it: it is counted by its product like a bought one, since whoever owns it, it was made.
    """

    name: Text
    line_class: Literal["material", "packaging"] = Field(default="material", alias="class")
    tolled: Annotated[bool, Field(strict=True)] = False
    product: Uri | None = None
    citation: Citation | None = None
    flow: Identifier | None = None
    comparable_flow: Identifier | None = None
    composition: Composition | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.product is None) == (self.flow is None):
            raise ValueError("name either a supplier's product or a background flow")
        if self.citation is not None and self.product is None:
            raise ValueError("a citation needs the product that it is about")
        if self.comparable_flow is not None and self.product is None:
            raise ValueError("a flow to compare with needs the product that is compared")
        if self.tolled and self.product is None:
            raise ValueError("a tolled input needs the product that the customer supplied")
        return self


class Input(Material, StockedLine):
    """A material or component that goes into a process."""


class Component(Material):
    """A line of a bill of materials: content per unit of product.

    `yield` is good output over input (0 < yield <= 1), `scrap_rate` is 1 - yield; a line states one of the two at most.
    """

    stated_yield: Annotated[Amount, Field(gt=0, le=1)] | None = Field(default=None, alias="yield")
    scrap_rate: Annotated[Amount, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _content(self) -> Self:
        if self.stated_yield is not None and self.scrap_rate is not None:
            raise ValueError("state the yield or the scrap rate (1 - yield), not both")
        return self

    @property
    def yield_(self) -> Decimal:
        """Good output over input; 1 where the line states neither yield nor scrap rate."""
        return 1 - self.scrap_rate if self.scrap_rate is not None else self.stated_yield or Decimal(1)


class Price(Part):
    """What one `per` of a product sold for: a key for economic allocation, and nothing else; `currency` by ISO 4217."""

    amount: Annotated[Amount, Field(ge=0)]
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$", strict=True)]
    per: Text


class Output(AmountLine):
    """A product that comes out. Of several, `mass`, `energy`, `pieces` and `price` say what allocation needs beside the amount."""

    product: Uri
    composition: Composition | None = None
    mass: Measure | None = None
    energy: Measure | None = None
    pieces: Measure | None = None
    price: Price | None = None

    @model_validator(mode="after")
    def _measured_once(self) -> Self:
        for name in ("mass", "energy", "pieces"):
            measure = getattr(self, name)
            if measure is None:
                continue
            if dimension(measure.unit, where=f"{name}/unit") != name:
                raise UnitError(
                    f"{measure.unit} is no unit of {name}", where=f"{name}/unit", remedy=f"state it in a unit of {name}"
                )
            if measure.amount <= 0 or dimension(self.unit, where="unit") == name:
                raise ValueError(f"{name} has to be above zero, and is stated beside an amount of another dimension")
        if self.price is not None:
            dimension(self.price.per, where="price/per")
        return self

    def quantity(self, of: str) -> Decimal | None:
        """Return how much this is by dimension `of` (mass in kg, energy in kWh, pieces); None where the line doesn't say."""
        stated = getattr(self, of)
        if dimension(self.unit, where="unit") == of:
            return convert(self.amount, self.unit, _BASE[of], where="amount")
        return None if stated is None else convert(stated.amount, stated.unit, _BASE[of], where=of)


_BASE = {"mass": "kg", "energy": "kWh", "pieces": "piece"}


class AllocationShare(Part):
    """What an output bears of the lines, in a table that the operator states."""

    product: Uri
    share: Annotated[Amount, Field(ge=0, le=1)]


class Allocation(Part):
    """How the lines are split over several outputs: by a key, or by the operator's own table (`stated`), which adds up to 1."""

    key: Literal["mass", "energy", "pieces", "economic", "stated"]
    reason: Text | None = None
    shares: tuple[AllocationShare, ...] = ()

    @model_validator(mode="after")
    def _table(self) -> Self:
        if (self.key == "stated") != bool(self.shares):
            raise ValueError("a table of shares goes with the key `stated`, and only with it")
        total = sum((line.share for line in self.shares), Decimal(0))
        if self.shares and abs(total - 1) > SHARE_TOLERANCE:
            raise StatedSumError(
                f"the shares of the outputs add up to {total}",
                where="allocation/shares",
                remedy="let them add up to 1 within 0.001",
            )
        return self


#: How electricity was made; the flow of its factor is ``electricity-<generation>``. The authorities' release has China's alone.
Generation = Literal["wind", "solar", "hydro", "nuclear", "biomass"]
Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", strict=True)]


class Electricity(ProcessLine):
    """Electricity by supply, metered at the site; `geography` is the grid it was taken from, or in which it was made.

    `on_site` and `direct_line` supplies state their generation type.
    """

    needs = "energy"
    supply: Literal["grid", "on_site", "direct_line"]
    geography: Text
    generation: Generation | None = None

    @model_validator(mode="after")
    def _generated(self) -> Self:
        if (self.supply == "grid") != (self.generation is None):
            raise ValueError("a generation type goes with the supplies on_site and direct_line, and they need one")
        return self

    @property
    def flow(self) -> str:
        """The background flow of its factor."""
        return "electricity" if self.generation is None else f"electricity-{self.generation}"


class CertificateClaim(AmountLine):
    """Certificates counted towards what the site took from the grid in `month`; the cited entry says that they were retired.

    `for_outputs` asks for certain outputs, which counts where the rule set allows assignment.
    """

    needs = "energy"
    generation: Generation
    month: Month
    citation: Citation | None = None
    for_outputs: Annotated[tuple[Uri, ...], Field(min_length=1)] | None = None


class Waste(ProcessLine):
    """Waste that leaves for treatment, by the treatment's background flow or by the product that the treatment plant states."""

    name: Text
    product: Uri | None = None
    citation: Citation | None = None
    flow: Identifier | None = None

    @model_validator(mode="after")
    def _one_treatment(self) -> Self:
        if (self.product is None) == (self.flow is None):
            raise ValueError("name either the treatment's product or its background flow")
        if self.citation is not None and self.product is None:
            raise ValueError("a citation needs the product that it is about")
        return self


class Fuel(StockedLine):
    """A fuel burned or heat bought, by its background flow: energy, mass or volume, whichever its factor is per."""

    needs = ("energy", "mass", "volume")
    flow: Identifier


class DirectEmission(ProcessLine):
    """A gas that leaves the process itself, by where it comes from; a removal is biogenic CO2 that is taken up."""

    needs = "mass"
    gas: Gas
    origin: Origin
    removal: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="before")
    @classmethod
    def _no_offset(cls, values: Any) -> Any:
        if isinstance(values, dict) and _OFFSETS & {values.get("gas"), values.get("origin")}:
            raise _offset("origin")
        return values

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_gas(self.gas, self.origin, removal=self.removal, where="gas")
        return self


class StatedFactor(Part):
    """The factor of a line: a background `flow`, or a stated `value` (kg CO2e) `per` unit with its `source`."""

    flow: Identifier | None = None
    value: Amount | None = None
    per: Text | None = None
    source: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        stated = [self.value is not None, self.per is not None, self.source is not None]
        if any(stated) if self.flow is not None else not all(stated):
            raise ValueError("name a background flow, or state value, per and source")
        if self.value is not None and self.value < 0:
            raise ValueError("a factor below zero would be a credit: those come of the rule set's end of life alone")
        if self.per is not None:
            dimension(self.per, where="per")
        return self


class Transport(AmountLine):
    """A transport leg: a distance, with the mass that is carried, or transport work. Without `factor`, that of flow ``freight-<mode>``."""

    mode: Literal["road", "rail", "sea", "inland_waterway", "air"]
    mass: Measure | None = None
    factor: StatedFactor | None = None

    @model_validator(mode="after")
    def _a_leg(self) -> Self:
        is_work = dimension(self.unit, where="unit") == "transport work"
        if not is_work and dimension(self.unit, where="unit") != "distance":
            what = f"{self.unit} is neither a distance nor transport work"
            raise UnitError(what, where="unit", remedy="state km, with the mass, or t.km")
        if is_work and self.mass is not None:
            raise ValueError("transport work holds its mass already")
        if self.mass is not None and self.mass.to("kg", where="mass") < 0:
            raise ValueError("a mass can't be negative")
        return self

    @property
    def freight_flow(self) -> str:
        """The background flow that gives the leg's factor where it states none."""
        return f"freight-{self.mode}"

    def work(self, mass: Measure | None) -> Decimal | None:
        """Return t.km; of a distance without mass that of `mass`, None where there is none either."""
        if dimension(self.unit, where="unit") == "transport work":
            return convert(self.amount, self.unit, "t.km", where="amount")
        carried = self.mass or mass
        if carried is None:
            return None
        return carried.to("t", where="mass") * convert(self.amount, self.unit, "km", where="amount")


class InputTransport(Transport, ProcessLine):
    """A leg that brought inputs of a process."""


class RecoveredMaterial(AmountLine):
    """A material that the pack holds, and what becomes of it. Symbols of the circular footprint formula: `recycled_content` R1,
    `recovery_yield` times the collection rate R2, `allocation` A, `quality_in` Qsin/Qp, `quality_out` Qsout/Qp; kg CO2e per kg:
    `virgin` Ev, `recycled` Erecycled, `recycling` ErecyclingEoL, `substituted` E*v (else as `virgin`), `disposal` ED.

    What is burned for its energy: `energy_recovered` R3, `energy_allocation` B, `heating_value` LHV (energy per kg),
    `heat_efficiency` XER,heat, `electricity_efficiency` XER,elec; `energy_recovery` EER, `heat_replaced` ESE,heat and
    `electricity_replaced` ESE,elec, kg CO2e per energy."""

    needs = "mass"
    name: Text
    recycled_content: Annotated[Amount, Field(ge=0, le=1)] | None = None
    recovery_yield: Annotated[Amount, Field(ge=0, le=1)] | None = None
    allocation: Annotated[Amount, Field(ge=0, le=1)] | None = None
    quality_in: Annotated[Amount, Field(ge=0, le=1)] | None = None
    quality_out: Annotated[Amount, Field(ge=0, le=1)] | None = None
    virgin: StatedFactor | None = None
    recycled: StatedFactor | None = None
    recycling: StatedFactor | None = None
    substituted: StatedFactor | None = None
    disposal: StatedFactor | None = None
    energy_recovered: Annotated[Amount, Field(ge=0, le=1)] | None = None
    energy_allocation: Annotated[Amount, Field(ge=0, le=1)] | None = None
    heating_value: Measure | None = None
    heat_efficiency: Annotated[Amount, Field(ge=0, le=1)] | None = None
    electricity_efficiency: Annotated[Amount, Field(ge=0, le=1)] | None = None
    energy_recovery: StatedFactor | None = None
    heat_replaced: StatedFactor | None = None
    electricity_replaced: StatedFactor | None = None

    @model_validator(mode="after")
    def _burned(self) -> Self:
        efficiencies = [one for one in (self.heat_efficiency, self.electricity_efficiency) if one is not None]
        if efficiencies and self.heating_value is None:
            raise ValueError("efficiencies go with a heating_value")
        if sum(efficiencies) > 1:
            raise ValueError("heat and electricity are more than the heating value")
        if self.heating_value is not None and self.heating_value.to("kWh", where="heating_value") < 0:
            raise ValueError("a heating value can't be negative")
        return self

    def recovered_kwh(self, efficiency: Decimal | None) -> Decimal:
        """Return the kWh that a burned kilogram gives at one of the efficiencies."""
        if self.heating_value is None or efficiency is None:
            return Decimal(0)
        return self.heating_value.to("kWh", where="heating_value") * efficiency


class SupplierShare(Line):
    """Which share of a component comes from which supplier's product; the shares of one component add up to 1."""

    component: Identifier
    product: Uri
    citation: Citation | None = None
    share: Annotated[Amount, Field(gt=0, le=1)]


class StageAmount(Line):
    """Emissions of one stage per declared unit (kg CO2e)."""

    stage: Identifier
    kg_co2e: Amount


class StatedFinding(Line):
    """A finding of the maker's own calculation that it chose to pass on."""

    gate: Identifier
    level: Literal["note", "soft", "hard"]
    what: Text


class Record(Part):
    """Base of the calculation kinds. `required` names the fields that a whole statement can't lack."""

    required: ClassVar[frozenset[str]] = frozenset({"sub"})
    lists: ClassVar[Mapping[str, type[Line]]] = {}

    sub: Maybe[Uri] = None

    @classmethod
    def read(cls, claims: Mapping[str, Any], contents: Mapping[str, Any] | None) -> Self:
        """Return the record that the disclosed `claims` hold.

        `contents` is the statement's own account of its claims and list lengths; without it every undisclosed field is SEALED
        and no list is complete. Raises a BomGraphError that names the place.
        """
        if refused := sorted(_OFFSETS & claims.keys()):
            raise _offset(refused[0])
        present = None if contents is None else frozenset(contents["claims"])
        values: dict[str, Any] = {}
        for name in cls._claim_names():
            if name in claims:
                values[name] = cls._value(name, claims[name], contents)
            elif present is None or name in present:
                values[name] = SEALED
        values.update({name: value for name, value in claims.items() if name not in values})
        record = _validated(cls, values, where="statement")
        nulls = {name for name, value in claims.items() if value is None}
        record.require((cls.required if present is None else present) - nulls)
        record.check_units()
        record.check()
        return record

    @classmethod
    def draft(cls, claims: Mapping[str, Any]) -> Self:
        """Return the record of an unsigned draft: every claim is present, and lines without an `id` are numbered."""
        lists = {name: value for name, value in claims.items() if name in cls.lists and isinstance(value, list)}
        numbered = {
            name: [{"id": f"{name}-{n}", **line} if isinstance(line, dict) else line for n, line in enumerate(lines, 1)]
            for name, lines in lists.items()
        }
        contents = {"claims": list(claims), "lists": {name: len(lines) for name, lines in lists.items()}}
        return cls.read({**claims, **numbered}, contents)

    @classmethod
    def _claim_names(cls) -> list[str]:
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def _value(cls, name: str, value: Any, contents: Mapping[str, Any] | None) -> Any:
        if name not in cls.lists:
            return value
        if not isinstance(value, list) or len(value) > MAX_LINES:
            raise RecordError(
                f"{name} is not a list of at most {MAX_LINES} lines",
                where=name,
                remedy="state it as a list of lines",
            )
        lines = tuple(_line(cls.lists[name], name, item) for item in value)
        complete = contents is not None and contents["lists"].get(name) == len(lines)
        return Lines(lines, complete=complete)

    def require(self, present: frozenset[str]) -> None:
        """Check that a statement with the claims `present` lacks none that its kind requires."""
        missing = sorted(self.required - present)
        if missing:
            raise RecordError(
                f"{', '.join(missing)} is missing",
                where=missing[0],
                remedy="a statement of this kind states it",
            )

    def check_units(self) -> None:
        """Check that each stated measure has a known unit; raises UnitError."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Measure):
                dimension(value.unit, where=f"{name}/unit")

    @property
    def products(self) -> tuple[str, ...]:
        """The products that this reader knows the record to be about."""
        return (self.sub,) if isinstance(self.sub, str) else ()

    def is_about_others_than(self, product: str) -> bool:
        """Whether the record is known to be about other products, and `product` is not among them."""
        return bool(self.products) and product not in self.products

    @property
    def is_whole(self) -> bool:
        """Whether this reader holds all of the record: nothing is sealed and every list is complete."""
        values = [getattr(self, name) for name in type(self).model_fields]
        return not any(
            isinstance(value, Sealed) or (isinstance(value, Lines) and not value.complete) for value in values
        )

    def check(self) -> None:
        """Check what the record says of itself (stated sums); raises StatedSumError. Sealed parts are not checked."""


def _offset(where: str) -> OffsetError:
    return OffsetError(
        "offsets, credits and compensation are no lines of a footprint",
        where=where,
        remedy="leave them out; state what the process emits and takes up",
    )


def _line(model: type[LineT], name: str, item: Any) -> LineT:
    where = f"{name}/{item['id']}" if isinstance(item, dict) and isinstance(item.get("id"), str) else name
    return _validated(model, item, where=where)


def _validated(model: type[PartT], values: Any, *, where: str) -> PartT:
    """Validate and turn pydantic's account of the first defect into ours; unit and formula errors keep their class."""
    try:
        return model.model_validate(values)
    except BomGraphError as error:
        place = f"{where}/{error.where}" if where != "statement" else error.where
        raise type(error)(error.what, where=place, remedy=error.remedy) from None
    except ValidationError as error:
        steps, what = first_defect(error)
        # Between the members stand names of union branches (``Period``, ``is-instance[Sealed]``), which no reader knows.
        members = [step for step in steps if _MEMBER.fullmatch(step)]
        place = "/".join([*([] if where == "statement" and members else [where]), *members])
        if error.errors(include_url=False, include_input=False)[0]["type"] == TextError.code:
            raise TextError(what, where=place, remedy="write it as one line of plain text and sign again") from None
        raise RecordError(what, where=place, remedy="correct it and sign the statement again") from None


class ActivityData(Record):
    """What a process consumed and emitted in a period, by its operator. All lines together make all outputs."""

    required = frozenset({"sub", "process_class", "period", "outputs"})
    lists = {
        "outputs": Output,
        "inputs": Input,
        "electricity": Electricity,
        "fuels": Fuel,
        "direct_emissions": DirectEmission,
        "certificates": CertificateClaim,
        "waste": Waste,
        "transport": InputTransport,
    }

    process_class: Maybe[Literal["material_production", "cell_manufacturing", "pack_assembly"]] = None
    site: Maybe[Site] = None
    period: Maybe[Period] = None
    outputs: ListOf = None
    inputs: ListOf = None
    electricity: ListOf = None
    electricity_total: Maybe[Measure] = None
    fuels: ListOf = None
    direct_emissions: ListOf = None
    certificates: ListOf = None
    waste: ListOf = None
    allocation: Maybe[Allocation] = None
    transport: ListOf = None
    note: Maybe[Text] = None

    @property
    def products(self) -> tuple[str, ...]:
        """The products that this reader knows it to be about: `sub` first, then the other outputs by URI."""
        outputs = {line.product for line in self.outputs} if isinstance(self.outputs, Lines) else set()
        return (*super().products, *sorted(outputs - {self.sub}))

    def is_about_others_than(self, product: str) -> bool:
        """Whether `product` is known not to be among the outputs."""
        return isinstance(self.outputs, Lines) and self.outputs.complete and super().is_about_others_than(product)

    def lines(self, *lists: str) -> Iterator[tuple[str, Any]]:
        """Yield the disclosed lines of `lists`, or of all lists but the outputs, each with its path."""
        for name in lists or tuple(name for name in self.lists if name != "outputs"):
            found = getattr(self, name)
            for line in found if isinstance(found, Lines) else ():
                yield f"{name}/{line.id}", line

    def check(self) -> None:
        """Outputs above zero, of which one is `sub`; lines belong to outputs; the stated electricity total is the sum of its lines."""
        if isinstance(self.outputs, Lines) and self.outputs.complete:
            self._check_outputs(self.outputs)
        self._check_own_use()
        for leg in self.transport if isinstance(self.transport, Lines) else ():
            if leg.work(None) is None:
                what, remedy = "the leg has a distance and no mass", "state the mass that was carried, or t.km"
                raise RecordError(what, where=f"transport/{leg.id}/mass", remedy=remedy)
        total, lines = self.electricity_total, self.electricity
        if isinstance(total, Measure) and isinstance(lines, Lines) and lines.complete:
            _check_sum(
                total.to("kWh", where="electricity_total"),
                [convert(line.amount, line.unit, "kWh", where="electricity") for line in lines],
                where="electricity_total",
                unit="kWh",
            )

    def _check_own_use(self) -> None:
        """What a process takes of its own product is below what it makes of it."""
        for _, output in self.lines("outputs"):
            own = [(path, line) for path, line in self.lines("inputs") if line.product == output.product]
            same = [
                (path, line)
                for path, line in own
                if dimension(line.unit, where=path) == dimension(output.unit, where=path)
            ]
            used = sum((convert(line.consumed, line.unit, output.unit, where=path) for path, line in same), Decimal(0))
            if same and used >= output.amount:
                raise LoopError(
                    f"the process uses {used} {output.unit} of its own product and makes {output.amount} {output.unit}",
                    where=same[0][0],
                    remedy="state as output what is made in all, own use included",
                )

    def _check_outputs(self, outputs: Lines[Output]) -> None:
        made = [line.product for line in outputs]
        for output in outputs:
            if made.count(output.product) > 1:
                raise RecordError(
                    f"{output.product} is stated twice",
                    where=f"outputs/{output.id}/product",
                    remedy="state each product in one line",
                )
            if output.amount == 0:
                raise RecordError(
                    "the output is zero", where=f"outputs/{output.id}/amount", remedy="state what was made"
                )
        if not made:
            raise RecordError("no output is stated", where="outputs", remedy="state what was made")
        if self.sub not in made and not isinstance(self.sub, Sealed):
            where = f"outputs/{outputs.items[0].id}/product" if len(made) == 1 else "outputs"
            remedy = "let sub name the product of an output line"
            raise RecordError("no output is the statement's product", where=where, remedy=remedy)
        named = [(path, "for_outputs", getattr(line, "for_outputs", None) or ()) for path, line in self.lines()]
        if isinstance(self.allocation, Allocation) and self.allocation.shares:
            stated = tuple(line.product for line in self.allocation.shares)
            named.append(("allocation", "shares", stated))
            if sorted(stated) != sorted(made):
                what, remedy = "the table doesn't name each output once", "state one share for each output"
                raise RecordError(what, where="allocation/shares", remedy=remedy)
        for path, member, products in named:
            if unknown := [product for product in products if product not in made]:
                raise RecordError(
                    f"{unknown[0]} is no output of this statement",
                    where=f"{path}/{member}",
                    remedy=f"name its outputs: {', '.join(made)}",
                )


class BillOfMaterials(Record):
    """What one declared unit of a product holds, by its maker. Content over yield is what goes in."""

    required = frozenset({"sub", "per", "components"})
    lists = {"components": Component, "supplier_shares": SupplierShare}

    per: Maybe[Measure] = None
    period: Maybe[Period] = None
    components: ListOf = None
    supplier_shares: ListOf = None
    mass: Maybe[Measure] = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """`per` is above zero, a stated mass is the sum of the contents, shares of a component add up to 1, no product holds itself."""
        if isinstance(self.per, Measure) and self.per.amount <= 0:
            raise RecordError("the declared unit is zero", where="per/amount", remedy='state for instance "1" piece')
        components = self.components
        if not isinstance(components, Lines):
            return
        for line in components:
            if line.product is not None and line.product == self.sub:
                raise CycleError(
                    f"{self.sub} holds itself",
                    where=f"components/{line.id}/product",
                    remedy="name the component, not the product",
                )
        for share in self.supplier_shares if isinstance(self.supplier_shares, Lines) else ():
            if share.product == self.sub:
                raise CycleError(
                    f"{self.sub} holds itself",
                    where=f"supplier_shares/{share.id}/product",
                    remedy="name the supplier's product, not the product",
                )
            if components.complete and share.component not in {line.id for line in components}:
                raise RecordError(
                    f"no component has the id {share.component}",
                    where=f"supplier_shares/{share.id}/component",
                    remedy="name the id of a component line",
                )
        if isinstance(self.mass, Measure) and components.complete:
            masses = [convert(line.amount, line.unit, "kg", where=f"components/{line.id}") for line in components]
            _check_sum(self.mass.to("kg", where="mass"), masses, where="mass", unit="kg")
        self._check_shares(components)

    def _check_shares(self, components: Lines[Component]) -> None:
        if not isinstance(self.supplier_shares, Lines) or not self.supplier_shares.complete:
            return
        for component in components:
            shares = [line.share for line in self.supplier_shares if line.component == component.id]
            if shares and abs(sum(shares) - 1) > SHARE_TOLERANCE:
                raise StatedSumError(
                    f"supplier shares of component {component.id} add up to {sum(shares)}",
                    where="supplier_shares",
                    remedy="let them add up to 1 within 0.001",
                )


class CyclePoint(Line):
    """One reported point of a cycle-life test: capacity or energy retention after so many full cycles."""

    cycles: Amount
    retention: Annotated[Amount, Field(gt=0, le=Decimal("1.2"))]


class CycleLife(Part):
    """How the cycle-life test was made (GB/T 31484); `basis` Wh or Ah of the retention figures."""

    standard: Text
    object: Literal["cell", "module", "pack"]
    basis: Literal["Ah", "Wh"]
    obtained: Obtained
    laboratory: Text | None = None
    stop_reason: Text | None = None


class Warranty(Part):
    """Warranty years and, where given, kilometres and the kilometres a year used to turn them into years."""

    years: Annotated[Amount, Field(gt=0)]
    km: Annotated[Amount, Field(gt=0)] | None = None
    km_per_year: Annotated[Amount, Field(gt=0)] | None = None
    obtained: Obtained


class Vehicle(Part):
    """What the pack drives: the vehicle category of UNECE R.E.3, and how that is known (a pack may be sold for several)."""

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=False)

    category: Annotated[Literal["L", "M1", "M2", "M3", "N1", "N2", "N3"], Field(alias="class")]
    obtained: Obtained


class BatteryModel(Record):
    """A pack model as one plant makes it, by the pack maker: what the denominators need."""

    required = frozenset({"sub", "model", "plant", "chemistry", "rated_energy"})
    lists = {"cycle_points": CyclePoint}

    model: Maybe[Text] = None
    plant: Maybe[Site] = None
    chemistry: Maybe[Text] = None
    rated_energy: Maybe[Measure] = None
    usable_energy: Maybe[Measure] = None
    mass: Maybe[Measure] = None
    cycle_life: Maybe[CycleLife] = None
    cycle_points: ListOf = None
    cumulative_discharge_energy: Maybe[Measure] = None
    vehicle: Maybe[Vehicle] = None
    warranty: Maybe[Warranty] = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """Rated energy is energy above zero."""
        for name in ("rated_energy", "usable_energy", "cumulative_discharge_energy"):
            measure = getattr(self, name)
            if isinstance(measure, Measure) and measure.to("kWh", where=name) <= 0:
                raise RecordError(f"{name} is zero", where=name, remedy="state the energy of one pack in kWh")


class SerialRange(Line):
    """Certificates from serial `first` to `last`, which differ in their closing digits alone; without `last` a single one."""

    first: Annotated[Text, StringConstraints(pattern=r"[0-9]$")]
    last: Annotated[Text, StringConstraints(pattern=r"[0-9]$")] | None = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        prefix, begin, end = self.span
        if self.last is not None and (
            len(self.last) != len(self.first) or not self.last.startswith(prefix) or end < begin
        ):
            raise ValueError("first and last serial have one prefix and one length, and last isn't below first")
        return self

    @property
    def span(self) -> tuple[str, int, int]:
        """The prefix before the closing digits, and these digits of the first and the last serial as numbers."""
        digits = re.search(r"[0-9]{1,18}$", self.first)
        assert digits is not None  # noqa: S101 - the pattern of `first`
        prefix = self.first[: digits.start()]
        tail = (self.last or self.first)[len(prefix) :]
        return prefix, int(digits[0]), int(tail) if tail.isascii() and tail.isdigit() else -1

    @property
    def count(self) -> int:
        """How many certificates the range holds."""
        _, begin, end = self.span
        return end - begin + 1


class CertificateRetirement(Record):
    """Electricity certificates that their holder took out of circulation, one MWh each, for what one site used in one month."""

    required = frozenset({"sub", "registry", "serials", "energy", "month", "generation", "region", "site"})
    lists = {"serials": SerialRange}

    registry: Maybe[Text] = None
    serials: ListOf = None
    energy: Maybe[Measure] = None
    month: Maybe[Month] = None
    generation: Maybe[Generation] = None
    region: Maybe[Text] = None
    site: Maybe[Site] = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """No serial twice; the energy is one MWh for each."""
        if not isinstance(self.serials, Lines):
            return
        spans = sorted((line.span, line.id) for line in self.serials)
        for (before, _), (after, second) in pairwise(spans):
            if before[0] == after[0] and after[1] <= before[2]:
                raise RecordError(
                    "a certificate is stated twice", where=f"serials/{second}", remedy="state each serial once"
                )
        if isinstance(self.energy, Measure) and self.serials.complete:
            counted = [Decimal(line.count) for line in self.serials]
            _check_sum(self.energy.to("MWh", where="energy"), counted, where="energy", unit="MWh")


class Delivery(Record):
    """What a seller handed over of its own product (`sub`) to `buyer`, an organisation, on one day and from one batch.

    A later one of the same product, batch, buyer and date corrects it; a quantity of zero takes it back.
    """

    required = frozenset({"sub", "batch", "quantity", "buyer", "date"})

    batch: Maybe[Text] = None
    quantity: Maybe[Measure] = None
    composition: Maybe[Composition] = None
    buyer: Maybe[Uri] = None
    date: Maybe[Day] = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """The quantity isn't below zero, of a composition only where it is a mass; nobody delivers to itself."""
        quantity = self.quantity
        if isinstance(quantity, Measure):
            if quantity.amount < 0:
                what, remedy = "the quantity is below zero", "correct the delivery by which the goods came"
                raise RecordError(what, where="quantity/amount", remedy=remedy)
            if isinstance(self.composition, Composition) and dimension(quantity.unit, where="quantity/unit") != "mass":
                what, remedy = f"{quantity.unit} is no unit of mass, and a composition is stated", "state a mass"
                raise UnitError(what, where="quantity/unit", remedy=remedy)
        if isinstance(self.sub, str) and isinstance(self.buyer, str) and self.sub.startswith(f"{self.buyer}/"):
            what, remedy = f"{self.buyer} delivers to itself", "name the organisation that received the product"
            raise RecordError(what, where="buyer", remedy=remedy)


class LifeCycleScenario(Record):
    """What the pack maker expects of a pack after it leaves the plant: distribution, collection, recycling. Forecasts, all of it."""

    required = frozenset({"sub", "basis"})
    lists = {"distribution": Transport, "collection": Transport, "materials": RecoveredMaterial}

    basis: Maybe[Text] = None
    period: Maybe[Period] = None
    route: Maybe[Literal["hydrometallurgical", "pyrometallurgical", "direct", "combined"]] = None
    collection_rate: Maybe[Annotated[Amount, Field(ge=0, le=1)]] = None
    distribution: ListOf = None
    collection: ListOf = None
    materials: ListOf = None
    note: Maybe[Text] = None


class RuleSetName(Part):
    """A rule set by id, version and digest (hex SHA-256 of the file)."""

    id: Identifier
    version: Text
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]

    def names(self, rule_set: RuleSet) -> bool:
        """Whether this is `rule_set`, in its version."""
        return (self.id, self.version, self.digest) == (rule_set.id, rule_set.version, rule_set.digest)


class ProductFootprint(Record):
    """The footprint of a declared unit under one rule set, signed by the tier that computed it."""

    required = frozenset({"sub", "rule_set", "declared_unit", "total", "stages", "complete", "obtained"})
    lists = {"stages": StageAmount, "findings": StatedFinding}

    rule_set: Maybe[RuleSetName] = None
    period: Maybe[Period] = None
    declared_unit: Maybe[Measure] = None
    total: Maybe[Amount] = None
    stages: ListOf = None
    complete: Maybe[Annotated[bool, Field(strict=True)]] = None
    primary_data_share: Maybe[Annotated[Amount, Field(ge=0, le=100)]] = None
    obtained: Maybe[Obtained] = None
    basis: Maybe[Literal["activity_data", "published_factor"]] = None
    composition: Maybe[Composition] = None
    findings: ListOf = None
    result_digest: Maybe[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]] = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """The total is the sum of the stages (kg CO2e per declared unit)."""
        if isinstance(self.total, Decimal) and isinstance(self.stages, Lines) and self.stages.complete:
            _check_sum(self.total, [line.kg_co2e for line in self.stages], where="total", unit="kg CO2e")
        if isinstance(self.declared_unit, Measure) and self.declared_unit.amount <= 0:
            raise RecordError("the declared unit is zero", where="declared_unit", remedy='state for instance "1" kg')


def _check_sum(stated: Decimal, parts: list[Decimal], *, where: str, unit: str) -> None:
    total = sum(parts, Decimal(0))
    if abs(total - stated) > SUM_TOLERANCE * max(abs(stated), *(abs(part) for part in parts), Decimal(0)):
        raise StatedSumError(
            f"{stated} {unit} is stated, the parts add up to {total} {unit}",
            where=where,
            remedy="correct the sum or the lines and sign again",
        )


__all__ = [
    "SEALED",
    "ActivityData",
    "Allocation",
    "BatteryModel",
    "BillOfMaterials",
    "CertificateClaim",
    "CertificateRetirement",
    "Citation",
    "Component",
    "Composition",
    "CycleLife",
    "Delivery",
    "DirectEmission",
    "Electricity",
    "Fuel",
    "Input",
    "LifeCycleScenario",
    "Line",
    "Lines",
    "Material",
    "Measure",
    "Output",
    "Period",
    "ProductFootprint",
    "Record",
    "RuleSetName",
    "Sealed",
    "Site",
    "Vehicle",
    "Warranty",
    "Waste",
]

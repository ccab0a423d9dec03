"""Activity data: what a process consumed, made and emitted, by its operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    model_validator,
)

from bom_graph.errors import (
    LoopError,
    RecordError,
    StatedSumError,
    UnitError,
)
from bom_graph.gases import Gas, Origin, check_gas
from bom_graph.quantities import Amount, convert, dimension
from bom_graph.records.base import (
    OFFSETS,
    SHARE_TOLERANCE,
    AmountLine,
    Citation,
    Composition,
    Generation,
    Identifier,
    Line,
    Lines,
    ListOf,
    Maybe,
    Measure,
    Month,
    Part,
    Period,
    Place,
    ProcessLine,
    Record,
    Sealed,
    Site,
    StockedLine,
    Text,
    Uri,
    check_sum,
    offset_error,
)
from bom_graph.records.transport import Transport


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


class Electricity(ProcessLine):
    """Electricity by supply, metered at the site; `geography` is the grid it was taken from, or in which it was made.

    `on_site` and `direct_line` supplies state their generation type.
    """

    needs = "energy"
    supply: Literal["grid", "on_site", "direct_line"]
    geography: Place
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
        if isinstance(values, dict) and OFFSETS & {values.get("gas"), values.get("origin")}:
            raise offset_error("origin")
        return values

    @model_validator(mode="after")
    def _possible(self) -> Self:
        check_gas(self.gas, self.origin, removal=self.removal, where="gas")
        return self


class InputTransport(Transport, ProcessLine):
    """A leg that brought inputs of a process."""


class ActivityData(Record):
    """What a process consumed and emitted in a period, by its operator. All lines together make all outputs."""

    required = frozenset({"sub", "process_class", "period", "outputs"})
    lists: ClassVar[Mapping[str, type[Line]]] = {
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
            check_sum(
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
        named = [
            (path, "for_outputs", products)
            for path, line in self.lines()
            if (products := getattr(line, "for_outputs", None))
        ]
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

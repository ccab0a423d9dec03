"""A pack model as one plant makes it: what the denominators need."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    model_validator,
)

from bom_graph.errors import (
    RecordError,
)
from bom_graph.naming import name_key
from bom_graph.quantities import Amount
from bom_graph.records.base import (
    Day,
    EvidenceDigests,
    Line,
    ListOf,
    Maybe,
    Measure,
    Name,
    Obtained,
    Part,
    Record,
    Site,
    Text,
)


class CyclePoint(Line):
    """One reported point of a cycle-life test: capacity or energy retention after so many full cycles."""

    cycles: Amount
    retention: Annotated[Amount, Field(gt=0, le=Decimal("1.2"))]


class CycleLife(Part):
    """How the cycle-life test was made (GB/T 31484); `basis` Wh or Ah of the retention figures, `evidence` the laboratory's report."""

    standard: Text
    object: Literal["cell", "module", "pack"]
    basis: Literal["Ah", "Wh"]
    obtained: Obtained
    laboratory: Text | None = None
    stop_reason: Text | None = None
    evidence: EvidenceDigests | None = None


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


class OnSale(Part):
    """First and, where it has ended, last day on which the model is sold."""

    since: Day
    until: Day | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.until is not None and self.until < self.since:
            raise ValueError("the sale ends before it begins")
        return self


class BatteryModel(Record):
    """A pack model as one plant makes it, by the pack maker: what the denominators need."""

    required = frozenset({"sub", "model", "plant", "chemistry", "rated_energy"})
    lists: ClassVar[Mapping[str, type[Line]]] = {"cycle_points": CyclePoint}

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
    variants: Maybe[Annotated[tuple[Name, ...], Field(min_length=1, max_length=200)]] = None
    on_sale: Maybe[OnSale] = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """Energies are above zero, and so is a mass; no variant is named twice."""
        for name in ("rated_energy", "usable_energy", "cumulative_discharge_energy"):
            measure = getattr(self, name)
            if isinstance(measure, Measure) and measure.to("kWh", where=name) <= 0:
                raise RecordError(f"{name} is zero", where=name, remedy="state the energy of one pack in kWh")
        if isinstance(self.variants, tuple) and len(set(map(name_key, self.variants))) < len(self.variants):
            raise RecordError("a variant is named twice", where="variants", remedy="name each variant once")
        if isinstance(self.mass, Measure) and self.mass.to("kg", where="mass") <= 0:
            raise RecordError("the mass isn't above zero", where="mass", remedy="state the mass of one pack in kg")

"""What becomes of a pack after it leaves the plant: forecasts, all of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    Field,
    model_validator,
)

from bom_graph.quantities import Amount
from bom_graph.records.base import (
    AmountLine,
    Line,
    ListOf,
    Maybe,
    Measure,
    Period,
    Record,
    Text,
)
from bom_graph.records.transport import StatedFactor, Transport


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


class LifeCycleScenario(Record):
    """What the pack maker expects of a pack after it leaves the plant: distribution, collection, recycling. Forecasts, all of it."""

    required = frozenset({"sub", "basis"})
    lists: ClassVar[Mapping[str, type[Line]]] = {
        "distribution": Transport,
        "collection": Transport,
        "materials": RecoveredMaterial,
    }

    basis: Maybe[Text] = None
    period: Maybe[Period] = None
    route: Maybe[Literal["hydrometallurgical", "pyrometallurgical", "direct", "combined"]] = None
    collection_rate: Maybe[Annotated[Amount, Field(ge=0, le=1)]] = None
    distribution: ListOf = None
    collection: ListOf = None
    materials: ListOf = None
    note: Maybe[Text] = None

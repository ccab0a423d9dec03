"""Transport legs, and factors that a statement states itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Self

from pydantic import (
    model_validator,
)

from bom_graph.errors import (
    UnitError,
)
from bom_graph.quantities import Amount, convert, dimension
from bom_graph.records.base import (
    AmountLine,
    Identifier,
    Measure,
    Part,
    Text,
)


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

"""Bills of materials: what one declared unit of a product holds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import (
    Field,
    model_validator,
)

from bom_graph.errors import (
    CycleError,
    RecordError,
    StatedSumError,
)
from bom_graph.quantities import Amount, convert
from bom_graph.records.activity import (
    Material,
)
from bom_graph.records.base import (
    SHARE_TOLERANCE,
    Citation,
    Identifier,
    Line,
    Lines,
    ListOf,
    Maybe,
    Measure,
    Period,
    Record,
    Text,
    Uri,
    check_sum,
)


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


class SupplierShare(Line):
    """Which share of a component comes from which supplier's product; the shares of one component add up to 1."""

    component: Identifier
    product: Uri
    citation: Citation | None = None
    share: Annotated[Amount, Field(gt=0, le=1)]


class BillOfMaterials(Record):
    """What one declared unit of a product holds, by its maker. Content over yield is what goes in."""

    required = frozenset({"sub", "per", "components"})
    lists: ClassVar[Mapping[str, type[Line]]] = {"components": Component, "supplier_shares": SupplierShare}

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
            check_sum(self.mass.to("kg", where="mass"), masses, where="mass", unit="kg")
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

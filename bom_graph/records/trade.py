"""What changed hands: deliveries, and electricity certificates that were taken out of circulation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, ClassVar, Self

from pydantic import (
    StringConstraints,
    model_validator,
)

from bom_graph.errors import (
    RecordError,
    UnitError,
)
from bom_graph.naming import name_key
from bom_graph.quantities import dimension
from bom_graph.records.base import (
    Composition,
    Day,
    Generation,
    Line,
    Lines,
    ListOf,
    Maybe,
    Measure,
    Month,
    Name,
    Record,
    Site,
    Text,
    Uri,
    check_sum,
)

#: Certificates of a range, one MWh each: more than any one site uses in a month, so that a slip doesn't bar everybody's serials.
_MOST = 10_000_000


class SerialRange(Line):
    """Certificates from serial `first` to `last`, which differ in their closing digits alone; without `last` a single one."""

    first: Annotated[Name, StringConstraints(pattern=r"[0-9]$")]
    last: Annotated[Name, StringConstraints(pattern=r"[0-9]$")] | None = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        _, begin, end = self.span
        same = re.sub(r"[0-9]{1,18}$", "", self.first)
        if self.last is not None and (
            len(self.last) != len(self.first) or not self.last.startswith(same) or end < begin
        ):
            raise ValueError("first and last serial have one prefix and one length, and last isn't below first")
        if end - begin >= _MOST:
            raise ValueError(f"a range holds {_MOST:,} certificates at most")
        return self

    @property
    def span(self) -> tuple[str, int, int]:
        """The prefix before the closing digits, as names are compared, and these digits of the first and last serial as numbers."""
        prefix, begin = _numbered(self.first)
        other, end = _numbered(self.last or self.first)
        return prefix, begin, end if other == prefix else -1

    @property
    def count(self) -> int:
        """How many certificates the range holds."""
        _, begin, end = self.span
        return end - begin + 1


def _numbered(serial: str) -> tuple[str, int]:
    """What stands before a serial's number, and the number: without case, whatever the separators are, and leading zeros."""
    key = re.sub(r"[\W_]+", "-", name_key(serial))
    digits = re.search(r"[0-9]{1,18}$", key)
    assert digits is not None  # noqa: S101 - the pattern of `first` and `last`
    return re.sub(r"(?<![0-9])0+$", "", key[: digits.start()]).rstrip("-"), int(digits[0])


class CertificateRetirement(Record):
    """Electricity certificates that their holder took out of circulation, one MWh each, for what one site used in one month."""

    required = frozenset({"sub", "registry", "serials", "energy", "month", "generation", "region", "site"})
    lists: ClassVar[Mapping[str, type[Line]]] = {"serials": SerialRange}

    registry: Maybe[Name] = None
    serials: ListOf = None
    energy: Maybe[Measure] = None
    month: Maybe[Month] = None
    generation: Maybe[Generation] = None
    region: Maybe[Text] = None
    site: Maybe[Site] = None
    note: Maybe[Text] = None

    @property
    def registry_key(self) -> str | None:
        """What registries are compared by: ``GEC``, ``gec`` and ``G.E.C.`` are one; None where it isn't disclosed."""
        return re.sub(r"[^\w]", "", name_key(self.registry)) if isinstance(self.registry, str) else None

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
            check_sum(self.energy.to("MWh", where="energy"), counted, where="energy", unit="MWh")


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

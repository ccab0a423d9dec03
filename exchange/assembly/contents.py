"""What a pack is made of, in kilograms, as far as its statements and those of what is in it are weighed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bom_graph import ActivityData, BillOfMaterials, Lines, Measure, UnitError, convert, dimension

#: Parts of parts: whoever nests deeper is weighed less.
_MOST_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Content:
    """kg per unit of a product, a least figure: what isn't weighed isn't in it. `by_bill`: by bills and weighed parts alone."""

    kg: float
    by_bill: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """The products of a system by number, the unit of each, and the records that their figures are from."""

    numbers: Mapping[str, int]
    units: Sequence[str]
    records: Mapping[int, Sequence[Any]]
    _known: dict[int, Content] = field(default_factory=dict)

    def of(self, number: int, depth: int = 0) -> Content:
        """Return what one unit of a product holds: itself where it is weighed, else its parts, by its bill of materials first."""
        if self.units[number] == "kg":
            return Content(1.0, by_bill=True)
        if number not in self._known:
            # Of a product that holds itself the inner one isn't weighed.
            self._known[number] = Content(0.0, by_bill=True)
            if depth < _MOST_DEPTH:
                self._known[number] = self._weighed(number, depth)
        return self._known[number]

    def _weighed(self, number: int, depth: int) -> Content:
        records = self.records.get(number, ())
        bill = next((one for one in records if isinstance(one, BillOfMaterials)), None)
        activity = next((one for one in records if isinstance(one, ActivityData)), None)
        if bill is not None and isinstance(bill.per, Measure):
            return self._sum(_parts(bill.components), bill.per.amount, bill.per.unit, number, depth, by_bill=True)
        outputs = activity.outputs.items if activity is not None and isinstance(activity.outputs, Lines) else ()
        # Of several outputs nobody says which holds what.
        if activity is None or len(outputs) != 1:
            return Content(0.0, by_bill=True)
        lines = [*_parts(activity.inputs), *((line, -1) for _, line in activity.lines("waste"))]
        return self._sum(iter(lines), outputs[0].amount, outputs[0].unit, number, depth, by_bill=False)

    def _sum(
        self, lines: Iterator[tuple[Any, int]], amount: Decimal, unit: str, number: int, depth: int, *, by_bill: bool
    ) -> Content:
        try:
            made = float(convert(amount, unit, self.units[number], where="unit"))
        except UnitError:
            return Content(0.0, by_bill=True)
        kg = 0.0
        for line, sign in lines:
            if dimension(line.unit, where="unit") == "mass":
                kg += sign * float(convert(line.consumed, line.unit, "kg", where="unit"))
            elif sign > 0 and (supplier := self.numbers.get(str(line.product))) is not None:
                part = self.of(supplier, depth + 1)
                try:
                    kg += float(convert(line.consumed, line.unit, self.units[supplier], where="unit")) * part.kg
                except UnitError:
                    continue
                by_bill = by_bill and part.by_bill
        return Content(max(kg, 0.0) / made, by_bill)


def _parts(lines: object) -> Iterator[tuple[Any, int]]:
    return ((line, 1) for line in lines if line.line_class != "packaging") if isinstance(lines, Lines) else iter(())

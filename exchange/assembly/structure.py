"""A product's bill down to what its readers know no more of, and where a product is used: what one reader's evidence says of it.

Nothing is computed and no rule set is asked. Of several statements of a kind about a product the newest is taken that the reader holds
whole, else the newest. Where a bill of materials is at hand its components are the lines; of the activity data those besides that the bill
doesn't name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from bom_graph import ActivityData, BillOfMaterials, Citation, Lines, Measure, ProductFootprint, Record, Sealed
from exchange.evidence import Entry, Evidence

#: How a branch is known. `bill_of_materials`: by its bill alone, so that the energy and emissions of its own process are missing.
KnownBy = Literal["activity_data", "signed_footprint", "bill_of_materials", "published_factor", "gap"]
_KINDS: tuple[type[Any], ...] = (ActivityData, BillOfMaterials, ProductFootprint)


@dataclass(frozen=True, slots=True)
class Held:
    """A statement about a product as the reader holds it.

    `per` is what its amounts are for: the output of activity data (`outputs` in all), the declared unit of the others. `sealed` names the
    claims that the reader doesn't hold, or not all lines of.
    """

    entry: Entry
    record: Any
    per: Measure | Any | None
    outputs: int
    sealed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BillLine:
    """What goes into a product by one line of a statement: another product, by the share of one supplier, or a background flow.

    `amount` is content over yield, or consumption, in `unit` for one unit of `per`; None where that isn't disclosed. `known_by` says what
    counts for the branch, `why` what is missing of it.
    """

    consumer: str
    entry: Entry
    path: str
    name: str
    product: str | None
    flow: str | None
    amount: Decimal | None
    unit: str
    per: str | None
    share: Decimal | None
    citation: Citation | None
    known_by: KnownBy
    why: str | None


@dataclass(frozen=True, slots=True)
class Node:
    """A product: who states it, how it is known, the statements at hand, and what goes into it."""

    product: str
    supplier: str | None
    known_by: KnownBy
    why: str | None
    statements: tuple[Held, ...]
    lines: tuple[BillLine, ...]


class ProductStructure:
    """Which products hold which, by the statements of one reader's evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._nodes: dict[str, Node] = {}
        self._known: dict[str, dict[type[Any], Held | None]] = {}

    def tree(self, product: str) -> list[Node]:
        """Return `product` and all that goes into it, each once, breadth first: lines lead from one to the next."""
        found, waiting = {product: self.node(product)}, [product]
        for name in waiting:
            for line in found[name].lines:
                # A citation that leads nowhere cuts the branch, whatever else is known of the product.
                if line.product is not None and line.product not in found:
                    found[line.product] = self.node(line.product)
                    waiting.append(line.product)
        return list(found.values())

    def uses(self, product: str) -> list[BillLine]:
        """Return the lines by which `product` goes into others, then those by which these do, and so on; each once."""
        found, seen, waiting = list[BillLine](), {product}, [product]
        for name in waiting:
            for line in self._by_component.get(name, ()):
                found.append(line)
                if line.consumer not in seen:
                    seen.add(line.consumer)
                    waiting.append(line.consumer)
        return found

    def node(self, product: str) -> Node:
        """Return what is known of one product."""
        if product not in self._nodes:
            held = self._statements(product)
            statements = tuple(one for one in held.values() if one is not None)
            known_by, why = self._known_by(product, held)
            supplier = statements[0].entry.statement.issuer if statements else None
            lines = tuple(self._lines(product, held[BillOfMaterials], held[ActivityData]))
            self._nodes[product] = Node(product, supplier, known_by, why, statements, lines)
        return self._nodes[product]

    @cached_property
    def _by_component(self) -> dict[str, list[BillLine]]:
        kinds = (BillOfMaterials, ActivityData)
        consumers = {
            name for kind in kinds for _entry, record in self._evidence.all_of(kind) for name in record.products
        }
        found: dict[str, list[BillLine]] = {}
        for consumer in sorted(consumers):
            for line in self.node(consumer).lines:
                if line.product is not None:
                    found.setdefault(line.product, []).append(line)
        return found

    def _statements(self, product: str) -> dict[type[Any], Held | None]:
        if product not in self._known:
            self._known[product] = {kind: self._held(product, kind) for kind in _KINDS}
        return self._known[product]

    def _held(self, product: str, kind: type[Any]) -> Held | None:
        found = self._evidence.about(product, kind)
        if not found:
            return None
        entry, record = next((pair for pair in found if pair[1].is_whole), found[0])
        per: Any = record.declared_unit if kind is ProductFootprint else None
        outputs = 1
        if kind is BillOfMaterials:
            per = record.per
        elif kind is ActivityData:
            made = list(record.outputs) if isinstance(record.outputs, Lines) else []
            per, outputs = next((one for one in made if one.product == product), None), len(made)
        return Held(entry, record, None if isinstance(per, Sealed) else per, outputs, _sealed(record))

    def _known_by(self, product: str, held: dict[type[Any], Held | None]) -> tuple[KnownBy, str | None]:
        """In the order in which a calculation takes them."""
        activity, footprint, bill = held[ActivityData], held[ProductFootprint], held[BillOfMaterials]
        if activity is not None and activity.record.is_whole:
            return "activity_data", None
        if footprint is not None and isinstance(footprint.record.total, Decimal) and footprint.per is not None:
            return "signed_footprint", None
        if bill is not None and bill.record.is_whole:
            return "bill_of_materials", "no activity data: the energy and emissions of its process are unknown"
        there = [one for one in (activity, footprint, bill) if one is not None]
        if there:
            return "gap", "; ".join(f"{', '.join(one.sealed)} of entry {one.entry.index} sealed" for one in there)
        if gone := self._evidence.retracted_about(product):
            return "gap", f"what was stated of it (entry {gone[-1].index}) was taken back"
        return "gap", "no statement about it is at hand"

    def _lines(self, product: str, bill: Held | None, activity: Held | None) -> Iterator[BillLine]:
        named: set[str | None] = set()
        for held in (bill, activity):
            if held is None:
                continue
            shares: dict[str, list[Any]] = {}
            for one in _items(getattr(held.record, "supplier_shares", None)):
                shares.setdefault(one.component, []).append(one)
            list_name = "components" if held is bill else "inputs"
            found = [
                one
                for line in _items(getattr(held.record, list_name))
                for one in self._of(product, held, f"{list_name}/{line.id}", line, shares.get(line.id, []))
            ]
            yield from (one for one in found if (one.product or one.flow) not in named)
            named.update(one.product or one.flow for one in found)

    def _of(self, product: str, held: Held, path: str, line: Any, shares: list[Any]) -> Iterator[BillLine]:
        per = held.per
        taken = line.amount / line.yield_ if path.startswith("components/") else line.consumed
        amount = None if per is None or per.amount == 0 else taken / per.amount
        # Shares may miss 1 by a thousandth: what goes in is the whole content all the same.
        total = sum((one.share for one in shares), Decimal(0))
        for one in shares or [None]:
            share = None if one is None else one.share / total
            goes_to, citation = (line.product, line.citation) if one is None else (one.product, one.citation)
            known_by, why = self._branch(goes_to, citation)
            yield BillLine(
                consumer=product,
                entry=held.entry,
                path=path if one is None else f"supplier_shares/{one.id}",
                name=line.name,
                product=goes_to,
                flow=line.flow if one is None else None,
                amount=amount if amount is None or share is None else amount * share,
                unit=line.unit,
                per=None if per is None else per.unit,
                share=share,
                citation=citation,
                known_by=known_by,
                why=why,
            )

    def _branch(self, product: str | None, citation: Citation | None) -> tuple[KnownBy, str | None]:
        if product is None:
            return "published_factor", None
        if citation is not None and self._evidence.cited(citation) is None:
            return "gap", f"the cited entry {citation.index} is not at hand"
        return self._known_by(product, self._statements(product))


def _items(lines: object) -> Iterator[Any]:
    yield from lines if isinstance(lines, Lines) else ()


def _sealed(record: Record) -> tuple[str, ...]:
    names = []
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        if isinstance(value, Sealed) or (isinstance(value, Lines) and not value.complete):
            names.append(field.alias or name)
    return tuple(names)

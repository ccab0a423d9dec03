"""The routes of bills: what a product holds, and where it is used, as the reader may see it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from bom_graph import ProductFootprint, RuleSetName, stored
from exchange.api.strict import Reader, StrictRoute, Uri, services_of
from exchange.assembly import BillLine, Held, Node

bills_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)
Product = Annotated[Uri, Query(description="URI of the product")]
AsReader = Annotated[Uri | None, Query(description="as whom, for whoever acts for several")]


@bills_router.get("/bills")
def show_bill(request: Request, product: Product, actor: Reader, reader: AsReader = None) -> dict[str, Any]:
    """What a product holds, down to what the reader knows no more of: each product once, with its lines, and how each branch is known."""
    found = services_of(request).bills.show(actor, product, reader)
    nodes = [_node(one) for one in found.nodes]
    return {"product": product, "reader": found.reader, "size": found.size, "products": nodes}


@bills_router.get("/bills/uses")
def show_uses(request: Request, product: Product, actor: Reader, reader: AsReader = None) -> dict[str, Any]:
    """The lines by which a product goes into others, and these into others again, as far as the reader sees them."""
    found = services_of(request).bills.where_used(actor, product, reader)
    uses = [{"consumer": one.consumer, **_line(one)} for one in found.lines]
    return {"product": product, "reader": found.reader, "size": found.size, "uses": uses}


def _node(one: Node) -> dict[str, Any]:
    return {
        "product": one.product,
        "supplier": one.supplier,
        "known_by": one.known_by,
        "why": one.why,
        "statements": [_held(held) for held in one.statements],
        "lines": [_line(line) for line in one.lines],
    }


def _held(held: Held) -> dict[str, Any]:
    statement, per, record = held.entry.statement, held.per, held.record
    found: dict[str, Any] = {
        "kind": statement.vct,
        "index": held.entry.index,
        "leaf_hash": held.entry.leaf_hash,
        "issuer": statement.issuer,
        "per": None if per is None else {"amount": f"{per.amount:f}", "unit": per.unit},
        "outputs": held.outputs,
        "sealed": list(held.sealed),
    }
    if isinstance(record, ProductFootprint):
        named = record.rule_set
        found["rule_set"] = f"{named.id} {named.version}" if isinstance(named, RuleSetName) else None
        found["total"] = f"{record.total:f}" if isinstance(record.total, Decimal) else None
    return found


def _line(line: BillLine) -> dict[str, Any]:
    cited = line.citation
    return {
        "index": line.entry.index,
        "leaf_hash": line.entry.leaf_hash,
        "issuer": line.entry.statement.issuer,
        "path": line.path,
        "name": line.name,
        "product": line.product,
        "flow": line.flow,
        "amount_per_unit": None if line.amount is None else stored(float(line.amount)),
        "unit": line.unit,
        "per": line.per,
        "share": None if line.share is None else f"{line.share:f}",
        "citation": None
        if cited is None
        else {"origin": cited.origin, "index": cited.index, "leaf_hash": cited.leaf_hash},
        "known_by": line.known_by,
        "why": line.why,
    }

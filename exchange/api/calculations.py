"""Calculations of many demands, and stale results: what is said of them, and what their reader decides."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from exchange.api.strict import (
    MAX_INT,
    After,
    Body,
    Calculator,
    Hash,
    Id,
    Limit,
    Name,
    Reader,
    StrictRoute,
    Uri,
    services_of,
)
from exchange.assembly import Demand
from exchange.calculation import MAX_ITEMS, Effect, JobRow

calculations_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)


class DemandBody(Body):
    """One declared unit of `product`; `flow`: by that published factor instead of its own data."""

    product: Uri
    flow: Annotated[str, Field(max_length=64)] | None = None


class CalculationBody(Body):
    """Each demand under each rule set, up to 10,000 results, from what `reader` may see."""

    reader: Uri
    demands: Annotated[list[DemandBody], Field(min_length=1, max_length=MAX_ITEMS)]
    rule_sets: Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=100)]


class AcceptBody(Body):
    """The effect that was looked at, by its `id`."""

    effect: Hash


class KeepBody(Body):
    """Why the stale result is kept."""

    reason: Name


@calculations_router.post("/calculations", status_code=202)
def ask(request: Request, body: CalculationBody, actor: Calculator) -> dict[str, Any]:
    """Take in a calculation of many results; it is worked on in the background and tells its end by an event."""
    demands = [Demand(one.product, one.flow) for one in body.demands]
    return {"id": services_of(request).batches.ask(actor, body.reader, demands, body.rule_sets)}


@calculations_router.get("/calculations")
def list_calculations(request: Request, actor: Reader, after: After = "", limit: Limit = 50) -> list[dict[str, Any]]:
    """The organisation's calculations, newest first; `after` is the id of the last one of the page before."""
    return [_job(row) for row in services_of(request).batches.jobs(actor, after, limit)]


@calculations_router.get("/calculations/{calculation}")
def show_calculation(
    request: Request,
    calculation: Id,
    actor: Reader,
    after: Annotated[
        int, Query(ge=-1, le=MAX_INT, description="the number of the last demand of the page before")
    ] = -1,
    limit: Limit = 50,
) -> dict[str, Any]:
    """How far a calculation is, and what became of its demands: the digest of the result, or the findings that refuse it."""
    batches = services_of(request).batches
    found = batches.outcomes(actor, calculation, after, limit)
    items = [
        {
            "number": one.number,
            "product": one.product,
            "flow": one.flow,
            "rule_set": one.rule_set,
            "state": one.state,
            "result": one.result,
            "findings": one.findings,
        }
        for one in found
    ]
    return _job(batches.job(actor, calculation)) | {
        "items": items,
        "after": found[-1].number if len(found) == limit else None,
    }


@calculations_router.post("/calculations/{calculation}/cancel")
def cancel(request: Request, calculation: Id, actor: Calculator) -> dict[str, Any]:
    """End a calculation; the results that it has stay. 409 where it has ended."""
    batches = services_of(request).batches
    batches.cancel(actor, calculation)
    return _job(batches.job(actor, calculation))


@calculations_router.get("/footprints/{digest}/stale")
def show_stale(request: Request, digest: Hash, actor: Reader) -> dict[str, Any]:
    """Why a result is stale and what was decided about it; where something is undecided, the effect of recalculating it today.

    `difference` is in the headline's unit, `percent` of what it was. It is null where a figure is missing that was there before: `ask`
    says where, and only the owner of what is behind it knows more.
    """
    decisions = services_of(request).decisions
    marks = decisions.marks(actor, digest)
    is_open = any(mark.decision is None for mark in marks)
    return {
        "stale": is_open,
        "causes": [
            {
                "cause": mark.cause,
                "found_at": mark.found_at.isoformat(),
                "decision": mark.decision,
                "reason": mark.reason,
                "successor": mark.successor,
                "decided_at": None if mark.decided_at is None else mark.decided_at.isoformat(),
            }
            for mark in marks
        ],
        "effect": _effect(decisions.effect(actor, digest)) if is_open else None,
    }


@calculations_router.post("/footprints/{digest}/accept")
def accept(request: Request, digest: Hash, body: AcceptBody, actor: Calculator) -> dict[str, Any]:
    """Put the recalculated result in the stale one's place; 409 where it is another than `effect` by now, or somebody decided."""
    return {"digest": services_of(request).decisions.accept(actor, digest, body.effect)}


@calculations_router.post("/footprints/{digest}/keep", status_code=204)
def keep(request: Request, digest: Hash, body: KeepBody, actor: Calculator) -> None:
    """Keep a stale result, for a reason; 409 where somebody decided meanwhile."""
    services_of(request).decisions.keep(actor, digest, body.reason)


@calculations_router.get("/footprints/{digest}/beside/{other}")
def show_beside(request: Request, digest: Hash, other: Hash, actor: Reader) -> dict[str, Any]:
    """What Article 7 of the EU's battery regulation names, by a result under the EU's draft, beside the same product's under China's rules.

    `digest` is of `eu-cfb-draft-2024-partial`, `other` of `cn-miit-551-trial`; and why the two differ. 400 for results of other rules.
    """
    return services_of(request).side_by_side.show(actor, digest, other)


@calculations_router.post("/footprints/{digest}/draft")
def draft(request: Request, digest: Hash, actor: Calculator) -> dict[str, Any]:
    """The claims of a product-footprint by a result about a product of one's own, unsigned: a form that `packtrace attest` signs."""
    return {"kind": "product-footprint", **services_of(request).drafts.draft(actor, digest)}


def _job(row: JobRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "reader": row.reader,
        "state": row.state,
        "total": row.total,
        "done": row.done,
        "refused": row.refused,
        "reason": row.reason or None,
        "created_at": row.created_at.isoformat(),
        "ended_at": None if row.ended_at is None else row.ended_at.isoformat(),
    }


def _effect(effect: Effect) -> dict[str, Any]:
    changed = effect.changed
    found: dict[str, Any] = {"id": effect.id, "changed": changed is not None, "ask": list(effect.ask)}
    if changed is None:
        return found
    before, after = changed.before["headline"], None if changed.after is None else changed.after["headline"]
    found |= {"before": before, "after": after, "reasons": list(changed.reasons), "refused": changed.refused}
    found |= {"difference": None, "percent": None, "bars": None}
    if changed.waterfall is not None and not effect.ask and None not in {before["value"], after and after["value"]}:
        moved = changed.waterfall.after - changed.waterfall.before
        found["difference"] = {"value": f"{moved:.6g}", "unit": before["unit"]}
        found["percent"] = f"{100 * moved / abs(changed.waterfall.before):.2f}" if changed.waterfall.before else None
        found["bars"] = [
            {
                "cause": bar.cause,
                "where": bar.where,
                "what": bar.what,
                "before": bar.before,
                "after": bar.after,
                "value": f"{bar.amount:.6g}",
            }
            for bar in changed.waterfall.bars
        ]
    return found

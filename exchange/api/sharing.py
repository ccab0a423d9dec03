"""The routes of grants, of statements as their readers may see them, and of the owners' access log."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field, model_validator

from exchange.access import Onward, Purpose
from exchange.api.strict import (
    After,
    Body,
    Granter,
    Hash,
    Id,
    Limit,
    Reader,
    StrictRoute,
    Uri,
    services_of,
)
from exchange.sharing import Copies, Direction, Recorded, Terms

sharing_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)


class GrantBody(Body):
    """`owner` lets `reader` see `paths` (claim paths, or ``full``) of one statement, or of every statement of `kind` about `product`.

    With `source`, a grant, its reader passes on what it got.
    """

    owner: Uri
    reader: Uri
    leaf_hash: Hash | None = None
    product: Uri | None = None
    kind: Annotated[str, Field(max_length=128, pattern=r"^urn:packtrace:[a-z-]+:[0-9]+$")] | None = None
    paths: Annotated[list[Annotated[str, Field(pattern=r"^[!-~]{1,200}$")]], Field(min_length=1, max_length=1000)]
    purpose: Purpose
    onward: Onward = "none"
    valid_until: date | None = None
    source: Id | None = None
    reason: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]+$", max_length=500)] | None = None

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.leaf_hash is None) == (self.product is None) or (self.product is None) != (self.kind is None):
            raise ValueError("name a statement by its leaf_hash, or product and kind")
        return self

    @property
    def terms(self) -> Terms:
        """The terms of the grant."""
        return Terms(
            self.owner,
            self.reader,
            tuple(self.paths),
            self.purpose,
            self.leaf_hash,
            self.product,
            self.kind,
            self.onward,
            self.valid_until,
            self.source,
            self.reason,
        )


@sharing_router.post("/grants", status_code=201)
def grant(request: Request, body: GrantBody, response: Response, actor: Granter) -> dict[str, Any]:
    """Record a grant: by its owner, by a reader who passes on, or by the operator for who has no accounts. The same again answers 200."""
    recorded = services_of(request).grants.add(actor, body.terms)
    if recorded.existed:
        response.status_code = 200
    return _grant(recorded) | {"existed": recorded.existed}


@sharing_router.post("/grants/preview")
def preview(request: Request, body: GrantBody, actor: Granter) -> dict[str, Any]:
    """What the reader would see by this grant, what would stay sealed, what can be derived, and what can't be taken back."""
    found = services_of(request).grants.preview(actor, body.terms)
    return found | {"copies": [_copies(one) for one in found["copies"]]}


@sharing_router.get("/grants")
def list_grants(
    request: Request,
    actor: Reader,
    direction: Annotated[Direction, Query(description="those that the organisation gave, or received")] = "given",
    after: After = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The organisation's grants, those that ended too, the oldest first."""
    return [_grant(one) for one in services_of(request).grants.recorded(actor, direction, after, limit)]


@sharing_router.delete("/grants/{grant:uuid}")
def withdraw(request: Request, grant: UUID, actor: Granter) -> dict[str, Any]:
    """Withdraw a grant, and what was passed on by it. `copies`: what was taken by then, which no withdrawal reaches."""
    found = services_of(request).grants.withdraw(actor, str(grant))
    return _grant(found.grant) | {"ended": list(found.ended), "copies": [_copies(one) for one in found.copies]}


@sharing_router.get("/export-records")
def list_export_records(request: Request, actor: Reader, after: After = "", limit: Limit = 100) -> list[dict[str, Any]]:
    """The grants that the organisation gave across a border: from where to where, of what, for what, and why."""
    return [
        {
            "id": one.id,
            "grant": one.grant,
            "owner": one.owner,
            "grantor": one.grantor,
            "reader": one.reader,
            "from": one.from_country,
            "to": one.to_country,
            "leaf_hash": one.leaf_hash,
            "product": one.product,
            "paths": list(one.paths),
            "purpose": one.purpose,
            "reason": one.reason,
            "recorded_at": one.recorded_at.isoformat(),
        }
        for one in services_of(request).grants.export_records(actor, after, limit)
    ]


@sharing_router.get("/access-log")
def list_accesses(request: Request, actor: Reader, after: After = "", limit: Limit = 100) -> list[dict[str, Any]]:
    """Who took disclosures of the organisation's statements: a row for each reader, statement, act, day and set of paths."""
    return [
        {
            "id": one.id,
            "owner": one.owner,
            "reader": one.reader,
            "leaf_hash": one.leaf_hash,
            "act": one.act,
            "day": one.day.isoformat(),
            "paths": list(one.paths),
            "first_at": one.first_at.isoformat(),
            "last_at": one.last_at.isoformat(),
            "count": one.count,
        }
        for one in services_of(request).access_log.of(actor, after, limit)
    ]


@sharing_router.get("/statements/{leaf_hash}")
def show_statement(
    request: Request,
    leaf_hash: Hash,
    actor: Reader,
    reader: Annotated[Uri | None, Query(description="as whom, for whoever acts for several")] = None,
) -> dict[str, Any]:
    """A statement: the issuer-signed token, and exactly the disclosures that the organisation may see."""
    found, disclosures = services_of(request).sharing.statement(actor, leaf_hash, reader)
    return {
        "index": found.index,
        "leaf_hash": leaf_hash,
        "token": found.data.decode("ascii"),
        "disclosures": list(disclosures),
    }


def _grant(one: Recorded) -> dict[str, Any]:
    terms = one.terms
    return {
        "id": one.id,
        "owner": terms.owner,
        "grantor": one.grantor,
        "reader": terms.reader,
        "leaf_hash": terms.leaf_hash,
        "product": terms.product,
        "kind": terms.kind,
        "paths": list(terms.paths),
        "purpose": terms.purpose,
        "onward": terms.onward,
        "valid_until": None if terms.until is None else terms.until.isoformat(),
        "source": terms.source,
        "recorded_by": one.recorded_by,
        "recorded_at": one.recorded_at.isoformat(),
        "withdrawn_by": one.withdrawn_by,
        "withdrawn_at": None if one.withdrawn_at is None else one.withdrawn_at.isoformat(),
    }


def _copies(one: Copies) -> dict[str, Any]:
    return {
        "reader": one.reader,
        "leaf_hash": one.leaf_hash,
        "act": one.act,
        "count": one.count,
        "last_at": one.last_at.isoformat(),
    }

"""The routes of cases: contradictions between statements of two organisations."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from exchange.api.strict import After, Id, Limit, Reader, StrictRoute, services_of
from exchange.cases import Case

cases_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)


@cases_router.get("/cases")
def list_cases(request: Request, actor: Reader, after: After = "", limit: Limit = 50) -> dict[str, Any]:
    """Cases that concern one's organisation, newest first. `after` asks for the page that follows; it is null at the end."""
    found = services_of(request).cases.cases(actor, after, limit)
    return {"cases": [_case(one) for one in found], "after": found[-1].id if len(found) == limit else None}


@cases_router.get("/cases/{case}")
def show_case(request: Request, case: Id, actor: Reader) -> dict[str, Any]:
    """A case: what it is `about`, whether it is open, and one's own `sides` of it. The other side isn't told."""
    return _case(services_of(request).cases.case(actor, case))


def _case(found: Case) -> dict[str, Any]:
    return {
        "id": found.id,
        "about": found.about,
        "state": "open" if found.closed_at is None else "closed",
        "opened_at": found.opened_at,
        "closed_at": found.closed_at,
        "sides": [{"organisation": one.organisation, "index": one.index, "where": one.place} for one in found.sides],
    }

"""The routes of the register of retired certificates."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from exchange.api.strict import MAX_INT, Limit, Reader, StrictRoute, Uri, services_of
from exchange.assembly import SiteMonth
from exchange.retirements import Retirement

certificates_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)


@certificates_router.get("/certificates")
def list_certificates(
    request: Request,
    actor: Reader,
    after: Annotated[int | None, Query(ge=0, le=MAX_INT, description="the last index of the page before")] = None,
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The organisation's retirements of certificates, newest first."""
    return [_retirement(one) for one in services_of(request).register.page(actor, after, limit)]


@certificates_router.get("/certificates/cover")
def show_cover(
    request: Request,
    actor: Reader,
    organisation: Annotated[Uri | None, Query(description="the operator may name one that has no accounts")] = None,
) -> list[dict[str, Any]]:
    """What was retired for each site and month, against what the site took from the grid in it."""
    return [_cover(one) for one in services_of(request).register.covers(actor, organisation or actor.organisation)]


@certificates_router.get("/retirement-register")
def show_register(
    request: Request,
    actor: Reader,
    size: Annotated[int | None, Query(ge=0, le=MAX_INT, description="of the log; now, where it isn't given")] = None,
) -> dict[str, Any]:
    """The digest of the register at a size of the log; whoever has the entries can recompute it."""
    found = services_of(request).register.digest(actor, size)
    return {"size": found.size, "retirements": found.retirements, "digest": found.digest}


def _retirement(one: Retirement) -> dict[str, Any]:
    return {
        "index": one.index,
        "leaf_hash": one.leaf_hash,
        "issuer": one.issuer,
        "state": one.state,
        "by": one.by,
        "name": one.name,
        "registry": one.registry,
        "serials": [{"first": first, "last": last} for first, last in one.serials],
        "mwh": None if one.mwh is None else format(one.mwh, "f"),
        "month": one.month,
        "generation": one.generation,
        "region": one.region,
        "site": one.site,
        "admitted_at": one.admitted_at.isoformat(),
    }


def _cover(one: SiteMonth) -> dict[str, Any]:
    wrong = one.wrong
    return {
        "site": one.site,
        "month": one.month,
        "retired_mwh": f"{float(one.retired / 1000):.12g}",
        "bought_mwh": f"{float(one.bought / 1000):.12g}",
        "retirements": list(one.retirements),
        "covered": wrong is None,
        "what": None if wrong is None else wrong.what,
        "remedy": None if wrong is None else wrong.remedy,
    }

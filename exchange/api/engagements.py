"""The routes of verification engagements. Their steps come in as statements: see /api/v1/statements."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field

from bom_graph import Period
from exchange.api.requests import Text, Time
from exchange.api.strict import (
    MAX_INT,
    After,
    Body,
    Hash,
    Limit,
    OperatorOnly,
    Reader,
    Requester,
    StrictRoute,
    Uri,
    services_of,
)
from exchange.engagement import Sight
from exchange.kinds import Accreditation
from exchange.kinds.engagement import EngagementStep

engagements_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)

OfOrganisation = Annotated[Uri | None, Query(description="the operator may name one that has no accounts")]
Number = Annotated[int, Path(ge=0, le=MAX_INT, description="the N of the line's item, contributions/N")]
AfterIndex = Annotated[int, Query(ge=-1, le=MAX_INT, description="the index of the last one of the page before")]


class SightBody(Body):
    """Which input's recipe is asked for, until when; `period` where the filer isn't told it."""

    leaf_hash: Hash
    deadline: Time
    period: Period | None = None
    message: Annotated[Text, Field(max_length=2000)] = ""
    organisation: Uri | None = None


class AccreditationBody(Body):
    """What a verifier is accredited for, all of it: what isn't named any more ends."""

    verifier: Uri
    accreditations: Annotated[tuple[Accreditation, ...], Field(max_length=16)]


@engagements_router.get("/engagements")
def list_engagements(
    request: Request,
    actor: Reader,
    *,
    box: Literal["filer", "verifier"] = "verifier",
    organisation: OfOrganisation = None,
    after: After = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The engagements that one verifies in, or those of one's own filings, by id."""
    found = services_of(request).engagements
    return found.page(actor, organisation or actor.organisation, box=box, after=after, limit=limit)


@engagements_router.get("/engagements/findings")
def list_findings(
    request: Request, actor: Reader, organisation: OfOrganisation = None, after: AfterIndex = -1, limit: Limit = 100
) -> list[dict[str, Any]]:
    """The findings of verifiers that concern one's own data, oldest first; of whose result it is in nothing is said."""
    return services_of(request).engagements.findings(actor, organisation or actor.organisation, after, limit)


@engagements_router.get("/engagements/{engagement}")
def show_engagement(
    request: Request, engagement: Hash, actor: Reader, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """An engagement as its party sees it, with what the next statement has to name."""
    return services_of(request).engagements.show(actor, organisation or actor.organisation, engagement)


@engagements_router.get("/engagements/{engagement}/statements")
def show_engagement_statements(
    request: Request, engagement: Hash, actor: Reader, organisation: OfOrganisation = None
) -> list[dict[str, Any]]:
    """Those of its signed statements that the party may read, with their disclosures."""
    return services_of(request).engagements.statements(actor, organisation or actor.organisation, engagement)


@engagements_router.get("/engagements/{engagement}/draft")
def draft_engagement_step(
    request: Request,
    engagement: Hash,
    step: EngagementStep | Literal["conclude"],
    actor: Reader,
    organisation: OfOrganisation = None,
) -> dict[str, Any]:
    """Kind and claims of a step as far as the exchange knows them, to be completed and signed."""
    return services_of(request).engagements.draft(actor, organisation or actor.organisation, engagement, step)


@engagements_router.get("/engagements/{engagement}/lines")
def list_engagement_lines(
    request: Request, engagement: Hash, actor: Reader, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """The lines of the result that the verifier sees, what samples are drawn from, and whom to ask for the rest. For the verifier."""
    return services_of(request).engagements.lines(actor, organisation or actor.organisation, engagement)


@engagements_router.get("/engagements/{engagement}/lines/{number}")
def show_engagement_line(
    request: Request, engagement: Hash, number: Number, actor: Reader, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """A line side by side: as stated, its evidence, its factor, its recalculation. For the verifier."""
    return services_of(request).engagements.line(actor, organisation or actor.organisation, engagement, number)


@engagements_router.get("/engagements/{engagement}/weighing")
def show_weighing(
    request: Request, engagement: Hash, actor: Reader, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """What was found, net and absolute against materiality, with samples projected, and which opinions that allows. For the verifier."""
    return services_of(request).engagements.weighing(actor, organisation or actor.organisation, engagement)


@engagements_router.post("/engagements/{engagement}/sights", status_code=201)
def ask_for_sight(request: Request, engagement: Hash, body: SightBody, actor: Requester) -> dict[str, Any]:
    """Ask who signed an input for the recipe behind it; the answer is granted to the verifier alone. For the verifier."""
    sight = Sight(body.leaf_hash, body.deadline, body.period, body.message)
    return services_of(request).engagements.ask(actor, body.organisation or actor.organisation, engagement, sight)


@engagements_router.put("/accreditations")
def record_accreditations(request: Request, body: AccreditationBody, _actor: OperatorOnly) -> dict[str, int]:
    """State in the ledger what a verifier is accredited for. For the operator."""
    return {"role_grant": services_of(request).accredit(body.verifier, body.accreditations)}

"""The routes of filings, duties, the authority's view and public statuses. Steps come in as statements: see /api/v1/statements."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from exchange.api.strict import Body, Granter, Id, Limit, Name, Reader, StrictRoute, Uri, services_of
from exchange.filing import State, Step, summary_text

filings_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)

OfOrganisation = Annotated[Uri | None, Query(description="the operator may name one that has no accounts")]
AfterId = Annotated[str, Query(pattern=r"^[0-9a-z.A-Z_~-]{0,96}$", description="the last id of the page before")]
AfterUri = Annotated[str, Query(max_length=512, pattern=r"^[!-~]*$", description="the last maker of the page before")]


class PublicationBody(Body):
    """Whether the figure is public too. `organisation`: whose filing it is, where that isn't the sender's own."""

    figure: bool = False
    organisation: Uri | None = None


@filings_router.get("/duties")
def show_duties(request: Request, actor: Reader, organisation: OfOrganisation = None) -> dict[str, Any]:
    """What one has to file, model by model, how far one has come with the trial, and what the notice leaves open."""
    return services_of(request).filings.duties(actor, organisation or actor.organisation)


@filings_router.get("/filings")
def list_filings(
    request: Request,
    actor: Reader,
    *,
    box: Literal["filer", "verifier"] = "filer",
    state: State | None = None,
    organisation: OfOrganisation = None,
    after: AfterId = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """One's own filings, or those that one verifies, by id."""
    filings = services_of(request).filings
    return filings.page(actor, organisation or actor.organisation, box=box, state=state, after=after, limit=limit)


@filings_router.get("/filings/draft")
def draft_registration(
    request: Request, actor: Reader, product: Uri, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """Kind and claims that register a model of one's own, to be signed."""
    filings = services_of(request).filings
    return filings.draft(actor, organisation or actor.organisation, "register", product=product)


@filings_router.get("/filings/{filing}")
def show_filing(request: Request, filing: Id, actor: Reader, organisation: OfOrganisation = None) -> dict[str, Any]:
    """A filing with its chain of signed statements, remarks, and what comes next, by whom."""
    return services_of(request).filings.show(actor, organisation or actor.organisation, filing)


@filings_router.get("/filings/{filing}/statements")
def show_filing_statements(
    request: Request, filing: Id, actor: Reader, organisation: OfOrganisation = None
) -> list[dict[str, Any]]:
    """The signed statements of a filing with their disclosures, in order."""
    return services_of(request).filings.statements(actor, organisation or actor.organisation, filing)


@filings_router.get("/filings/{filing}/draft")
def draft_step(
    request: Request, filing: Id, step: Step, actor: Reader, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """Kind and claims of a step as far as the exchange knows them, to be completed and signed."""
    return services_of(request).filings.draft(actor, organisation or actor.organisation, step, filing=filing)


@filings_router.get("/filings/{filing}/export", response_class=Response)
def export_filing(request: Request, filing: Id, actor: Reader, organisation: OfOrganisation = None) -> Response:
    """The export for the designated platform; its SHA-256 is what the step `export` states."""
    data, digest = services_of(request).filings.export(actor, organisation or actor.organisation, filing)
    headers = {"Content-Disposition": f'attachment; filename="{filing}.json"', "X-Content-SHA256": digest}
    return Response(data, media_type="application/json", headers=headers)


@filings_router.get("/filings/{filing}/reconciliation")
def show_reconciliation(
    request: Request, filing: Id, actor: Reader, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """Our result beside the platform's, line by line; `fileable` only where every line agrees or is explained."""
    return services_of(request).filings.reconciliation(actor, organisation or actor.organisation, filing)


@filings_router.put("/filings/{filing}/publication")
def publish_status(request: Request, filing: Id, body: PublicationBody, actor: Granter) -> dict[str, Any]:
    """Make the model's status public, with its figure or without."""
    owner = body.organisation or actor.organisation
    return services_of(request).publications.publish(actor, owner, filing, figure=body.figure)


@filings_router.delete("/filings/{filing}/publication")
def withdraw_status(
    request: Request, filing: Id, actor: Granter, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """Take the publication back: the address says so from now on, and the status list as long as copies count."""
    return services_of(request).publications.withdraw(actor, organisation or actor.organisation, filing)


@filings_router.get("/remarks")
def list_remarks(
    request: Request, actor: Reader, organisation: OfOrganisation = None, after: AfterId = "", limit: Limit = 100
) -> list[dict[str, Any]]:
    """The remarks of reviews that are for oneself as a maintainer of factors or rules, with one's answers."""
    return services_of(request).filings.remarks_to(actor, organisation or actor.organisation, after, limit)


@filings_router.get("/authority/overview")
def authority_overview(request: Request, actor: Reader, organisation: OfOrganisation = None) -> dict[str, Any]:
    """Filings by state, chemistry group and maker, the time at each step, the spread of results. For authorities."""
    return services_of(request).authority.overview(actor, organisation or actor.organisation)


@filings_router.get("/authority/filings")
def authority_filings(
    request: Request,
    actor: Reader,
    *,
    state: State | None = None,
    maker: Uri | None = None,
    chemistry_group: Annotated[Name | None, Query()] = None,
    organisation: OfOrganisation = None,
    after: AfterId = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """All filings, by id; of a state, a maker, a chemistry group. For authorities."""
    return services_of(request).filings.page(
        actor,
        organisation or actor.organisation,
        box="authority",
        state=state,
        maker=maker,
        group=chemistry_group,
        after=after,
        limit=limit,
    )


@filings_router.get("/authority/coverage")
def authority_coverage(
    request: Request, actor: Reader, organisation: OfOrganisation = None, after: AfterUri = "", limit: Limit = 100
) -> list[dict[str, Any]]:
    """How far each maker has come with the trial, what exactly is missing, and what is on sale without a filing. For authorities."""
    reader = organisation or actor.organisation
    return services_of(request).authority.coverage(actor, reader, after=after, limit=limit)


@filings_router.get("/authority/remarks")
def authority_remarks(
    request: Request,
    actor: Reader,
    *,
    open_only: Annotated[bool, Query(alias="open", description="those without an answer alone")] = False,
    organisation: OfOrganisation = None,
    after: AfterId = "",
    limit: Limit = 100,
) -> list[dict[str, Any]]:
    """The remarks of reviews with their answers. For authorities."""
    return services_of(request).authority.remarks(
        actor, organisation or actor.organisation, open_only=open_only, after=after, limit=limit
    )


@filings_router.get("/authority/trial-summary")
def trial_summary(request: Request, actor: Reader, organisation: OfOrganisation = None) -> dict[str, Any]:
    """The trial in one document. For authorities."""
    return services_of(request).authority.trial_summary(actor, organisation or actor.organisation)


@filings_router.get("/authority/trial-summary.md", response_class=Response)
def trial_summary_text(request: Request, actor: Reader, organisation: OfOrganisation = None) -> Response:
    """The same for people, in Markdown. For authorities."""
    found = services_of(request).authority.trial_summary(actor, organisation or actor.organisation)
    return Response(summary_text(found), media_type="text/markdown; charset=utf-8")


@filings_router.get("/public/models/{publication}")
def public_status(request: Request, publication: Id) -> dict[str, Any]:
    """A model's status where its maker publishes it, with the same claims signed by the operator (`token`). For everybody."""
    claims, token = services_of(request).publications.status(publication)
    return {**claims, "token": token}


@filings_router.get("/public/status-list")
def public_status_list(request: Request) -> dict[str, Any]:
    """The publications that were withdrawn, or whose filing went back, while copies may still count, signed. For everybody."""
    claims, token = services_of(request).publications.withdrawn()
    return {**claims, "token": token}

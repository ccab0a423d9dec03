"""The pages of filings, engagements and the authority. Who isn't a party finds nothing, as by the interface.

`organisation` in an address is for the operator on its own machine, who stands in for those that have no accounts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse

from exchange.access import Principal
from exchange.engagement import AT_WORK
from exchange.errors import NotFoundError
from exchange.filing import State
from exchange.services import Services
from exchange.web.rendering import PageRoute, address, page

filing_page_router = APIRouter(include_in_schema=False, route_class=PageRoute)

#: Rows of a list on one page, and of makers, each of which takes all of its models to judge.
SHOWN, MAKERS_SHOWN = 50, 25
OfOrganisation = Annotated[str | None, Query(max_length=512, pattern=r"^[!-~]+$")]
Id = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
After = Annotated[str, Query(max_length=512, pattern=r"^[!-~]*$")]
Name = Annotated[str | None, Query(max_length=200)]
Number = Annotated[int, Path(ge=0, le=2**31)]
Index = Annotated[int, Query(ge=-1, le=2**53)]


@filing_page_router.get("/filings")
def show_filings(
    request: Request,
    organisation: OfOrganisation = None,
    after: After = "",
    engagement_after: After = "",
    finding_after: Index = -1,
) -> HTMLResponse:
    """What one's organisation has to file, how far it has come, and what it verifies and has to answer."""
    services, actor, reader = _asked(request, organisation)
    filings = services.filings.page(actor, reader, after=after, limit=SHOWN)
    engagements = services.engagements.page(actor, reader, box="verifier", after=engagement_after, limit=SHOWN)
    findings = services.engagements.findings(actor, reader, finding_after, SHOWN)
    here = {"organisation": organisation}
    return page(
        request,
        "filings.html",
        reader=reader,
        organisation=organisation,
        duties=services.filings.duties(actor, reader),
        filings=filings,
        engagements=engagements,
        findings=findings,
        seen=services.sharing.seen_of(actor, _said_of(findings)),
        is_authority=services.authority.is_open_to(reader),
        more=_more("/filings", "after", _last(filings, SHOWN, "id"), here),
        more_engagements=_more("/filings", "engagement_after", _last(engagements, SHOWN, "id"), here),
        more_findings=_more("/filings", "finding_after", _last(findings, SHOWN, "index"), here),
    )


@filing_page_router.get("/filings/{filing}")
def show_filing(request: Request, filing: Id, organisation: OfOrganisation = None) -> HTMLResponse:
    """One filing: where it stands, what is missing, its chain of statements, the platform's result, remarks."""
    services, actor, reader = _asked(request, organisation)
    found = services.filings.show(actor, reader, filing)
    try:
        reconciled: dict[str, Any] | None = services.filings.reconciliation(actor, reader, filing)
    except NotFoundError:
        reconciled = None  # nothing of the platform's is stated yet
    return page(
        request,
        "filing.html",
        organisation=organisation,
        found=found,
        reconciled=reconciled,
        engagements=services.engagements.of_filing(actor, reader, filing),
        seen=services.sharing.seen_of(actor, [*(one["index"] for one in found["steps"]), *_made_of(found["remarks"])]),
        is_filer=reader == found["filer"],
    )


@filing_page_router.get("/engagements/{engagement}")
def show_engagement(request: Request, engagement: Hash, organisation: OfOrganisation = None) -> HTMLResponse:
    """One engagement as its party sees it; for its verifier at work the lines of the result and what they weigh too."""
    services, actor, reader = _asked(request, organisation)
    found = services.engagements.show(actor, reader, engagement)
    lines = weighing = None
    if reader == found["verifier"] and found["state"] in AT_WORK:
        lines = services.engagements.lines(actor, reader, engagement)
        weighing = services.engagements.weighing(actor, reader, engagement)
    stated = [*(one["index"] for one in found["steps"]), *_said_of(found["findings"])]
    return page(
        request,
        "engagement.html",
        organisation=organisation,
        found=found,
        lines=lines,
        weighing=weighing,
        reader=reader,
        seen=services.sharing.seen_of(actor, stated),
    )


@filing_page_router.get("/engagements/{engagement}/lines/{number}")
def show_line(request: Request, engagement: Hash, number: Number, organisation: OfOrganisation = None) -> HTMLResponse:
    """A line of the result side by side: as stated, its evidence, its factor, its recalculation. For the verifier at work."""
    services, actor, reader = _asked(request, organisation)
    found = services.engagements.line(actor, reader, engagement, number)
    entries = [] if found["entry"] is None else [found["entry"]]
    return page(
        request,
        "line.html",
        organisation=organisation,
        engagement=engagement,
        found=found,
        seen=services.sharing.seen_of(actor, entries),
    )


@filing_page_router.get("/authority")
def show_authority(
    request: Request,
    *,
    state: State | None = None,
    maker: OfOrganisation = None,
    chemistry: Name = None,
    organisation: OfOrganisation = None,
    after: After = "",
    maker_after: After = "",
) -> HTMLResponse:
    """All filings as an authority sees them: counts, times, spread, coverage by maker, open remarks, and a list to look through."""
    services, actor, reader = _asked(request, organisation)
    authority = services.authority
    here = {"organisation": organisation}
    chosen: dict[str, str | None] = {"state": state, "maker": maker, "chemistry": chemistry}
    found = authority.overview(actor, reader)
    coverage = authority.coverage(actor, reader, after=maker_after, limit=MAKERS_SHOWN)
    filings = services.filings.page(
        actor, reader, box="authority", state=state, maker=maker, group=chemistry, after=after, limit=SHOWN
    )
    remarks = authority.remarks(actor, reader, open_only=True, limit=SHOWN)
    return page(
        request,
        "authority.html",
        organisation=organisation,
        found=found,
        coverage=coverage,
        filings=filings,
        remarks=remarks,
        seen=services.sharing.seen_of(actor, _made_of(remarks)),
        chosen={name: value for name, value in chosen.items() if value is not None},
        more=_more("/authority", "after", _last(filings, SHOWN, "id"), chosen | here),
        more_makers=_more("/authority", "maker_after", _last(coverage, MAKERS_SHOWN, "maker"), here),
    )


def _asked(request: Request, organisation: str | None) -> tuple[Services, Principal, str]:
    """Return the services, who asks, and for whom."""
    actor: Principal = request.state.principal
    return request.app.state.services, actor, organisation or actor.organisation


def _made_of(remarks: list[dict[str, Any]]) -> Iterator[int]:
    """Yield the entries of remarks and their answers."""
    for one in remarks:
        yield from (index for index in (one["review"], one["answered"]) if index is not None)


def _said_of(findings: list[dict[str, Any]]) -> Iterator[int]:
    """Yield the entries of what was said of findings."""
    for one in findings:
        yield from (said["index"] for said in one.get("said", ()))


def _last(rows: list[dict[str, Any]], shown: int, key: str) -> str | int | None:
    """Return what the next page of a list begins after; None where this page is the end of it."""
    return rows[-1][key] if len(rows) == shown else None


def _more(path: str, after: str, last: str | int | None, given: Mapping[str, str | None]) -> str:
    """Return the address of what follows a list; empty where nothing does."""
    return "" if last is None else address(path, **{**given, after: last})

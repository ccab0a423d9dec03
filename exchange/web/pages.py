"""The routes of the pages: each asks one use case and renders one view. What isn't there is a page too, other errors are JSON."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from anyio import to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

from exchange.errors import CredentialsError
from exchange.services import Services
from exchange.web.check_page import check_page
from exchange.web.entry import entry_view
from exchange.web.overview import RESULTS, first_page, overview
from exchange.web.rendering import HERE, PageRoute, page
from exchange.web.result import result_view
from ledger.store import head, latest_checkpoint, snapshot

_MAX_INDEX = 2**53
_MAX_FORM = 4096
STATIC = StaticFiles(directory=HERE / "static")

page_router = APIRouter(include_in_schema=False, route_class=PageRoute)


@page_router.get("/")
def show_overview(request: Request, after: Annotated[str, Query(pattern=r"^([0-9a-f]{64})?$")] = "") -> HTMLResponse:
    """The log, and the newest results of all products, page by page."""
    services: Services = request.app.state.services
    installation = services.installation
    with snapshot(installation.engine) as connection:
        size, checkpoint = head(connection).size, latest_checkpoint(connection)
    shown = first_page(services.calculation.newest(request.state.principal, after, RESULTS + 1))
    # Where a table has one place for several results, that is the newest one's.
    results = [(one.digest, one.document) for one in sorted(shown.results, key=lambda one: one.computed_at)]
    packs, others = overview(results)
    published = None if checkpoint is None else checkpoint.size
    return page(
        request,
        "overview.html",
        packs=packs,
        others=others,
        begun=bool(after),
        after=shown.after,
        trust=installation.trust_file,
        size=size,
        published=published,
    )


@page_router.get("/login")
def show_login(request: Request) -> HTMLResponse:
    """The form to log in by."""
    return page(request, "login.html", failed=False)


@page_router.post("/login")
async def log_in(request: Request) -> Response:
    """Log in by the form, and go on to the overview."""
    body = await request.body()
    form = dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=10)) if len(body) < _MAX_FORM else {}
    email, password = form.get("email", ""), form.get("password", "")
    request.app.state.rates.check(request, "log-in", email)
    services: Services = request.app.state.services
    try:
        secret = await to_thread.run_sync(services.accounts.log_in, email, password)
    except CredentialsError:
        return page(request, "login.html", status=401, failed=True)
    response = RedirectResponse("/", status_code=303)
    request.app.state.keep_session(response, secret)
    return response


@page_router.get("/results/{digest}")
def show_result(request: Request, digest: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]) -> HTMLResponse:
    """One result: stages, gaps, findings, assumptions, and where each figure comes from."""
    services: Services = request.app.state.services
    return page(
        request, "result.html", view=result_view(digest, services.calculation.result(request.state.principal, digest))
    )


@page_router.get("/entries/{index}")
def show_entry(request: Request, index: Annotated[int, Path(ge=0, le=_MAX_INDEX)]) -> HTMLResponse:
    """An entry of the ledger, without its disclosures."""
    services: Services = request.app.state.services
    found = services.sharing.entry(request.state.principal, index=index)
    with snapshot(services.installation.engine) as connection:
        size, checkpoint = head(connection).size, latest_checkpoint(connection)
    published = 0 if checkpoint is None else checkpoint.size
    return page(request, "entry.html", view=entry_view(found, size=size, published=published))


@page_router.get("/public/models/{publication}")
def show_public_status(request: Request, publication: Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]) -> HTMLResponse:
    """A model's status where its maker publishes it, for everybody."""
    services: Services = request.app.state.services
    claims, _token = services.publications.status(publication)
    return page(request, "public.html", claims=claims)


@page_router.get("/check")
def show_check() -> HTMLResponse:
    """A page that checks a statement in the reader's browser and asks this exchange for nothing."""
    checking = check_page()
    return HTMLResponse(checking.html, headers={"Content-Security-Policy": checking.policy})

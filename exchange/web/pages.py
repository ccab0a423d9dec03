"""The routes of the pages: each asks one use case and renders one view. What isn't there is a page too, other errors are JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.staticfiles import StaticFiles

from exchange.errors import NotFoundError
from exchange.services import Services
from exchange.web.entry import entry_view
from exchange.web.overview import overview
from exchange.web.result import result_view
from ledger import EntryUnknownError
from ledger.store import head, latest_checkpoint, snapshot

_HERE = FilePath(__file__).parent
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_MAX_INDEX = 2**53
STATIC = StaticFiles(directory=_HERE / "static")


class _PageRoute(APIRoute):
    """A route whose missing things are shown as a page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await handler(request)
            except (NotFoundError, EntryUnknownError, RequestValidationError):
                return _page("missing.html", status=404, path=request.url.path)

        return page


page_router = APIRouter(include_in_schema=False, route_class=_PageRoute)


@page_router.get("/")
def show_overview(request: Request) -> HTMLResponse:
    """The log, and the newest results of all products."""
    services: Services = request.app.state.services
    installation = services.installation
    with snapshot(installation.engine) as connection:
        size, checkpoint = head(connection).size, latest_checkpoint(connection)
    packs, others = overview(services.calculation.newest(request.state.principal))
    published = None if checkpoint is None else checkpoint.size
    return _page(
        "overview.html", packs=packs, others=others, trust=installation.trust_file, size=size, published=published
    )


@page_router.get("/results/{digest}")
def show_result(request: Request, digest: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]) -> HTMLResponse:
    """One result: stages, gaps, findings, assumptions, and where each figure comes from."""
    services: Services = request.app.state.services
    return _page("result.html", view=result_view(digest, services.calculation.result(request.state.principal, digest)))


@page_router.get("/entries/{index}")
def show_entry(request: Request, index: Annotated[int, Path(ge=0, le=_MAX_INDEX)]) -> HTMLResponse:
    """An entry of the ledger, without its disclosures."""
    services: Services = request.app.state.services
    found = services.sharing.entry(request.state.principal, index=index)
    with snapshot(services.installation.engine) as connection:
        size, checkpoint = head(connection).size, latest_checkpoint(connection)
    published = 0 if checkpoint is None else checkpoint.size
    return _page("entry.html", view=entry_view(found, size=size, published=published))


def _page(template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(template).render(**values), status_code=status)

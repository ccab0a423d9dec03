"""Pages: the results at a glance, and one result with the origin of every figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import Field
from starlette.staticfiles import StaticFiles

from exchange.services import Services

_HERE = Path(__file__).parent
STATIC = StaticFiles(directory=_HERE / "static")
page_router = APIRouter(include_in_schema=False)
_TEMPLATES = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined)


@page_router.get("/")
def overview(request: Request) -> HTMLResponse:
    """The newest results of all products."""
    services: Services = request.app.state.services
    results = services.calculation.newest()
    trust_file = services.installation.trust_file
    return _page("overview.html", results=results, trust=trust_file)


@page_router.get("/results/{digest}")
def result(request: Request, digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]) -> HTMLResponse:
    """One result: stages, gaps, findings, assumptions, and where each figure comes from."""
    services: Services = request.app.state.services
    return _page("result.html", digest=digest, found=services.calculation.result(digest))


def _page(template: str, **values: object) -> HTMLResponse:
    return HTMLResponse(_TEMPLATES.get_template(template).render(**values))

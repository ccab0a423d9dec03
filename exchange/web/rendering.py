"""How a page is made of a template, and what is shown where there is nothing for whoever asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exchange.access import Principal
from exchange.errors import NotFoundError, RightsError
from exchange.web.figures import host, short, unit_text
from ledger import EntryUnknownError

HERE: Final = Path(__file__).parent
#: How a state of a filing, an engagement or a finding is coloured; those in between are plain.
_TONES: Final = {
    **dict.fromkeys(("accepted", "filed", "verified", "concluded", "reviewed", "resolved"), "ok"),
    **dict.fromkeys(("unreconciled", "declined", "open", "answered", "uncorrected", "major"), "partial"),
    **dict.fromkeys(("withdrawn", "critical"), "hard"),
}


class PageRoute(APIRoute):
    """A route whose missing things are shown as a page. What is another organisation's isn't there. HEAD is answered as GET."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, methods: Collection[str], **options: Any) -> None:
        # Of an answer to HEAD the server sends no body.
        answered = {*methods, "HEAD"} if "GET" in methods else {*methods}
        super().__init__(path, endpoint, methods=answered, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handler(request)
            except (NotFoundError, EntryUnknownError, RequestValidationError):
                pass
            except RightsError as error:
                if error.where == "scope":
                    raise
            return page(request, "missing.html", status=404, path=request.url.path)

        return shown


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page of this template. StrictUndefined: a template that names what it isn't given fails."""
    principal: Principal | None = request.state.principal
    known = {"is_known": principal is not None, "standing_in": principal is not None and principal.stands_in}
    return HTMLResponse(_TEMPLATES.get_template(template).render(**known, **values), status_code=status)


def address(path: str, **given: str | int | None) -> str:
    """Return a path of ours with those of the parameters that are given."""
    query = urlencode({name: value for name, value in given.items() if value not in (None, "")})
    return f"{path}?{query}" if query else path


def _when(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _words(name: str) -> str:
    return name.replace("_", " ")


_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "address": address,
    "figure": short,
    "host": host,
    "json": _json,
    "tone": lambda state: _TONES.get(state, "plain"),
    "unit": unit_text,
    "when": _when,
    "words": _words,
}

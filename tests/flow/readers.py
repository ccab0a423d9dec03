"""What a reader can ask an exchange for: every route that answers to GET, with all that is known filled in; a new route joins by itself."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import product
from typing import Any

from fastapi.testclient import TestClient
from sqlmodel import Session, select
from starlette.routing import Mount, Route

from exchange.identity.passwords import fingerprint
from exchange.identity.tables import MemberRow, SessionRow
from ledger.store import begin
from tests.flow.accounts import browser
from tests.flow.world import Exchange


def paths_to_get(exchange: Exchange, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The paths of all GET routes; each parameter takes all that is `known` for it. KeyError for a parameter that nothing is known for."""
    found = []
    for route in _flat(exchange.http.app.routes):  # type: ignore[attr-defined]
        if isinstance(route, Mount):
            found.append(f"{route.path}/style.css")
        elif isinstance(route, Route) and "GET" in (route.methods or ()):
            names = re.findall(r"{(\w+)(?::\w+)?}", route.path)
            for values in product(*(known[name] for name in names)):
                path = route.path
                for name, value in zip(names, values, strict=True):
                    path = re.sub(rf"{{{name}(:\w+)?}}", value, path)
                found.append(path)
    return found


def _flat(found: Iterable[Any]) -> Iterator[Any]:
    """The routes with those of included routers, which FastAPI keeps as they are."""
    for route in found:
        router = getattr(route, "original_router", None)
        yield from [route] if router is None else _flat(router.routes)


def logged_in(exchange: Exchange, organisation: str) -> TestClient:
    """The browser of an organisation's admin, logged in now; without the work of its password."""
    secret, now = secrets.token_hex(32), exchange.clock()
    with begin(exchange.services.installation.engine) as connection, Session(connection) as session:
        member = session.exec(select(MemberRow).where(MemberRow.organisation == organisation)).one()
        end = now + timedelta(days=7)
        session.add(SessionRow(digest=fingerprint(secret), member=member.id, began_at=now, seen_at=now, expires_at=end))
        session.flush()
    found = browser(exchange)
    found.cookies.set("packtrace_session", secret)
    return found

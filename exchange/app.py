"""The application: services behind HTTP, and the guard before them. Deny by default.

The guard finds out who asks, once for each request, and routes ask for the scopes they need. Who asks: an API client by its access token, a
member by the cookie of a session, or the operator on its own machine by the data folder's token (as a bearer token, or for pages as the
cookie that the printed address sets; it opens reads only). A cookie writes only for pages of our own.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import cache, partial
from urllib.parse import urlencode, urlsplit

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import MutableHeaders
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange.access import Principal
from exchange.api import (
    ATTACHMENTS_PATH,
    MAX_STREAM_BYTES,
    SESSION_COOKIE,
    STREAM_PATH,
    Asker,
    Rates,
    RequestLimits,
    admitting,
    attachments_router,
    bills_router,
    calculations_router,
    cases_router,
    certificates_router,
    engagements_router,
    events_router,
    filings_router,
    governance_router,
    identity_router,
    install_problems,
    keep_session,
    ledger_router,
    requests_router,
    router,
    sharing_router,
    statements_router,
)
from exchange.api.problems import REFUSALS, SECURITY_HEADERS, problem, unforeseen
from exchange.services import Services
from exchange.web import STATIC, filing_page_router, page_router

COOKIE = "packtrace_token"
#: What answers to everybody: the log's hashes and names, and the ways in. All else has to know who asks.
_OPEN = frozenset(
    {
        "/healthz",
        "/check",
        "/api/v1/log",
        "/api/v1/checkpoint",
        "/api/v1/proofs/inclusion",
        "/api/v1/proofs/consistency",
    }
)
_PUBLIC = _OPEN | {"/login", "/oauth/token", "/api/v1/registrations", "/api/v1/sessions", "/api/v1/members"}
_PUBLIC_BELOW = ("/static/", "/ledger/", "/public/", "/api/v1/public/")
MAX_BODY_BYTES = 8 * 1024 * 1024
_READS = ("GET", "HEAD")
#: In no path of ours. The router would overlook a line break at the end: its `$` matches before one.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def create_app(
    services: Services,
    *,
    checkpoint_seconds: float,
    public_address: str | None = None,
    limits: RequestLimits | None = None,
) -> FastAPI:
    """Return the application on `services`; where they are a worker's too, its clock publishes and sends events while it runs.

    `public_address` is what a proxy before it answers to (https://...); without it, it answers to loopback addresses alone.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with nullcontext() if services.worker is None else services.at_work(checkpoint_seconds):
            yield

    app = FastAPI(
        title="packtrace",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        responses=REFUSALS,
        routes=list(_routes()),
    )
    app.state.services = services
    app.state.rates = Rates(limits)
    app.state.keep_session = partial(keep_session, secure=public_address is not None)
    app.state.admitting = admitting(services, app.state.rates)
    install_problems(app)
    app.add_middleware(_Guard, services=services, public_address=public_address, rates=app.state.rates)
    return app


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """Return the routes, which all applications of a process share: to work out what each takes and answers takes long."""
    found = APIRouter(responses=REFUSALS)
    found.include_router(statements_router)  # first: what comes most is found soonest
    found.include_router(router)
    found.include_router(bills_router)
    found.include_router(calculations_router)
    found.include_router(cases_router)
    found.include_router(identity_router)
    found.include_router(events_router)
    found.include_router(requests_router)
    found.include_router(governance_router)
    found.include_router(certificates_router)
    found.include_router(sharing_router)
    found.include_router(attachments_router)
    found.include_router(filings_router)
    found.include_router(engagements_router)
    found.include_router(ledger_router)
    found.include_router(page_router)
    found.include_router(filing_page_router)
    found.mount("/static", STATIC)

    @found.api_route("/healthz", methods=["GET", "HEAD"], include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return tuple(found.routes)


class _Guard:
    """The door before all routes. Bodies pass it unread, in both directions."""

    def __init__(self, app: ASGIApp, services: Services, public_address: str | None, rates: Rates) -> None:
        self._app = app
        self._rates = rates
        self._services = services
        self._token, self._standing_in = services.installation.token, services.standing_in
        self._hosts = frozenset() if public_address is None else frozenset({urlsplit(public_address).netloc})
        self._headers = dict(SECURITY_HEADERS)
        if public_address is not None:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that goes no further; pass on all others."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, started = Request(scope), False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = await self._answer(request)
        if answer is not None:
            await answer(scope, receive, send)
            return
        try:
            await self._app(scope, receive, guarded)
        except Exception as error:  # the last door: what comes out of it is logged, not shown
            answer = await unforeseen(request, error)
            if started:
                raise
            await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        """Find out who asks; return the answer to a request that goes no further."""
        if (answer := _not_ours(request, self._hosts)) is not None:
            return answer
        # Before anything is looked up or verified. What is public is asked for much, by readers that nobody knows.
        of: Asker = "public" if _is_open(request.url.path) else "address"
        if (after := self._rates.exceeded(of, request.client.host if request.client else "")) is not None:
            return _too_many(after, "this address")
        given = request.query_params.get("token")
        if given is not None and request.method == "GET" and _same(given, self._token):
            return _signed_in(request, self._token)
        # A long request asks again.
        request.state.who = partial(_who, request, self._services, self._standing_in)
        principal = request.state.principal = await request.state.who()
        if of != "public" and principal is not None:
            after = self._rates.exceeded("principal", f"{principal.organisation} {principal.name}")
            if after is not None:
                return _too_many(after, "whoever asks here")
        return _refused(request, self._services.attachments.max_bytes)


def _not_ours(request: Request, hosts: frozenset[str]) -> Response | None:
    """Return the answer to a request for another host, or for a path that can't be one of ours; None for the rest."""
    host = request.headers.get("host", "")
    if host not in hosts and not _is_this_machine(host):
        return problem(
            400,
            "host",
            "this exchange doesn't answer to this name",
            where="Host",
            remedy="use the address that the operator published",
        )
    if _UNPRINTABLE.search(request.scope["path"]):
        return problem(404, "not_found", "no such path", where="path", remedy="see /api/v1/openapi.json")
    return None


async def _who(request: Request, services: Services, standing_in: Principal) -> Principal | None:
    """Return who asks; None for nobody that is known."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        if _same(value, services.installation.token):
            return standing_in
        return services.clients.known(value) or await to_thread.run_sync(services.clients.of_token, value)
    if (session := request.cookies.get(SESSION_COOKIE)) is not None:
        return await to_thread.run_sync(services.accounts.of_session, session)
    if request.method in _READS and _same(request.cookies.get(COOKIE, ""), services.installation.token):
        return standing_in
    return None


def _refused(request: Request, max_attachment: int) -> Response | None:
    """Return the answer to a request that goes no further; None for one that may. `max_attachment` bounds the body of a file."""
    path = request.url.path
    if request.state.principal is None and path not in _PUBLIC and not path.startswith(_PUBLIC_BELOW):
        return problem(
            401,
            "unauthenticated",
            "this needs to know who asks",
            headers={"WWW-Authenticate": "Bearer"},
            where="Authorization",
            remedy="send an access token, log in, or open the address that the server printed",
        )
    if request.method in _READS:
        return None
    if path == "/login" and not _from_our_page(request):
        return problem(
            403, "rights", "logging in has to come from a page of this exchange", where="Origin", remedy="open /login"
        )
    if SESSION_COOKIE in request.cookies and not _from_our_page(request):
        return problem(
            403,
            "rights",
            "a write by cookie has to come from a page of this exchange",
            where="Origin",
            remedy="send an access token instead of the cookie",
        )
    return _bad_length(request, max_attachment)


def _is_open(path: str) -> bool:
    """Whether this is served to everybody and costs little: the log's hashes, health, what pages are made of."""
    return path in _OPEN or path.startswith(_PUBLIC_BELOW)


def _too_many(after: int, who: str) -> Response:
    return problem(
        429,
        "too_many",
        f"more requests of {who} than are answered in a minute",
        headers={"Retry-After": str(after)},
        where="request",
        remedy=f"ask again in {after} seconds; send many statements as one stream",
    )


def _from_our_page(request: Request) -> bool:
    """Whether the browser says that a page of our own sends this (Fetch Metadata; else RFC 6454, section 7)."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


def _is_this_machine(host: str) -> bool:
    """A foreign name in Host means that a page elsewhere had its name resolved to this machine (DNS rebinding)."""
    name = re.sub(r":[0-9]{0,5}\Z", "", host)
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _bad_length(request: Request, max_attachment: int) -> Response | None:
    """Bodies need a stated length, so that nothing unbounded is read; but a stream, which is read in lines and counted."""
    is_stream = request.scope["path"] == STREAM_PATH
    if is_stream and request.headers.get("transfer-encoding", "").lower() == "chunked":
        return None
    limit = MAX_STREAM_BYTES if is_stream else MAX_BODY_BYTES
    if request.method == "PUT" and request.scope["path"].startswith(ATTACHMENTS_PATH):
        limit = max_attachment
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or re.fullmatch(r"[0-9]{1,18}", length) is None:
        return problem(
            411, "length_required", "the body's length isn't stated", where="Content-Length", remedy="state it in bytes"
        )
    if int(length) > limit:
        return problem(413, "too_large", f"more than {limit} bytes", where="body", remedy="send less at once")
    return None


def _signed_in(request: Request, token: str) -> Response:
    """Take the token out of the address: into a cookie for this browser, and on to the page without it."""
    # One slash: a path that begins with two would lead to another host.
    path = "/" + request.url.path.lstrip("/")
    if rest := urlencode([one for one in request.query_params.multi_items() if one[0] != "token"]):
        path = f"{path}?{rest}"
    response = RedirectResponse(path, status_code=303, headers=SECURITY_HEADERS)
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
    return response


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())

"""The application: services behind HTTP, with the guards that hold until there are accounts.

Every route but /healthz needs the token of the data folder: as a bearer token, or for pages as the cookie that the printed address sets.
The cookie opens reads only, so that no other site's page can write with it.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from anyio import CapacityLimiter
from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from exchange.api import events_router, install_problems, ledger_router, router
from exchange.api.problems import REFUSALS, SECURITY_HEADERS, problem, unforeseen
from exchange.jobs import Job, start_clock
from exchange.services import Services
from exchange.web import STATIC, page_router

COOKIE = "packtrace_token"
DISPATCH_SECONDS = 1.0
_SPARE_THREADS = 8
MAX_BODY_BYTES = 8 * 1024 * 1024
_READS = ("GET", "HEAD")
#: In no path of ours. The router would overlook a line break at the end: its `$` matches before one.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
Next = Callable[[Request], Awaitable[Response]]


def create_app(services: Services, *, checkpoint_seconds: float) -> FastAPI:
    """Return the application on `services`; its clock publishes checkpoints and sends events while it runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        publisher, dispatcher = services.publisher, services.dispatcher
        clock = start_clock(
            Job(publisher.tick, checkpoint_seconds, "publishing", "checkpoint not published"),
            Job(dispatcher.tick, DISPATCH_SECONDS, "dispatching", "events not sent"),
        )
        yield
        clock.shutdown()
        publisher.stop()
        dispatcher.stop()

    app = FastAPI(
        title="packtrace",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        responses=REFUSALS,
    )
    app.state.services = services
    # More threads than the queue takes: the rest find it full and are told so, rather than wait for a thread. And their own, so that
    # a database that stands still leaves those for reading free.
    app.state.submissions = CapacityLimiter(services.installation.intake.max_waiting + _SPARE_THREADS)
    install_problems(app)
    app.include_router(router)
    app.include_router(events_router)
    app.include_router(ledger_router)
    app.include_router(page_router)
    app.mount("/static", STATIC)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.middleware("http")(_guard(services.installation.token))
    return app


def _guard(token: str) -> Callable[[Request, Next], Awaitable[Response]]:
    async def guard(request: Request, call_next: Next) -> Response:
        if (answer := _refused(request, token)) is not None:
            return answer
        try:
            response = await call_next(request)
        except Exception as error:  # noqa: BLE001 - the last door: what comes out of it is logged, not shown
            return await unforeseen(request, error)
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guard


def _refused(request: Request, token: str) -> Response | None:
    """Return the answer to a request that goes no further; None for one that may."""
    if not _is_this_machine(request.headers.get("host", "")):
        return problem(
            400,
            "host",
            "this exchange answers to loopback addresses only",
            where="Host",
            remedy="use the address that the server printed",
        )
    if _UNPRINTABLE.search(request.scope["path"]):
        return problem(404, "not_found", "no such path", where="path", remedy="see /api/v1/openapi.json")
    if request.url.path == "/healthz":
        return None
    given = request.query_params.get("token")
    if given is not None and request.method == "GET" and _same(given, token):
        return _signed_in(request, token)
    if not _may_pass(request, token):
        return problem(
            401,
            "unauthenticated",
            "this needs the token of the data folder",
            headers={"WWW-Authenticate": "Bearer"},
            where="Authorization",
            remedy="send it as a bearer token, or open the address that the server printed",
        )
    return None if request.method in _READS else _bad_length(request)


def _is_this_machine(host: str) -> bool:
    """A foreign name in Host means that a page elsewhere had its name resolved to this machine (DNS rebinding)."""
    name = re.sub(r":[0-9]{0,5}\Z", "", host)
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _may_pass(request: Request, token: str) -> bool:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and _same(value, token):
        return True
    return request.method in _READS and _same(request.cookies.get(COOKIE, ""), token)


def _bad_length(request: Request) -> Response | None:
    """Bodies need a stated length, so that nothing unbounded is read."""
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or re.fullmatch(r"[0-9]{1,18}", length) is None:
        return problem(
            411, "length_required", "the body's length isn't stated", where="Content-Length", remedy="state it in bytes"
        )
    if int(length) > MAX_BODY_BYTES:
        return problem(413, "too_large", f"more than {MAX_BODY_BYTES} bytes", where="body", remedy="send less at once")
    return None


def _signed_in(request: Request, token: str) -> Response:
    """Take the token out of the address: into a cookie for this browser, and on to the page without it."""
    # One slash: a path that begins with two would lead to another host.
    path = "/" + request.url.path.lstrip("/")
    response = RedirectResponse(path, status_code=303, headers=SECURITY_HEADERS)
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
    return response


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())

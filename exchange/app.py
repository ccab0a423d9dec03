"""The application: services behind HTTP, with the guards that hold until there are accounts.

Every route but /healthz needs the token of the data folder: as a bearer token, or for pages as the cookie that the printed address sets.
The cookie opens reads only, so that no other site's page can write with it.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from exchange.api import install_problems, ledger_router, router
from exchange.api.problems import problem
from exchange.jobs import start_clock
from exchange.services import Services
from exchange.web import STATIC, page_router

COOKIE = "packtrace_token"
MAX_BODY_BYTES = 8 * 1024 * 1024
_READS = ("GET", "HEAD")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
Next = Callable[[Request], Awaitable[Response]]


def create_app(services: Services, *, checkpoint_seconds: float) -> FastAPI:
    """Return the application on `services`; its clock publishes checkpoints while it runs."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        clock = start_clock(services.publisher, checkpoint_seconds)
        yield
        clock.shutdown()
        services.publisher.stop()

    app = FastAPI(
        title="packtrace",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.services = services
    install_problems(app)
    app.include_router(router)
    app.include_router(ledger_router)
    app.include_router(page_router)
    app.mount("/static", STATIC)

    @app.get("/healthz", include_in_schema=False)
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.middleware("http")(_guard(services.installation.token))
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    return app


def _guard(token: str) -> Callable[[Request, Next], Awaitable[Response]]:
    async def guard(request: Request, call_next: Next) -> Response:
        if request.url.path != "/healthz":
            given = request.query_params.get("token")
            if given is not None and request.method == "GET" and _same(given, token):
                return _signed_in(request, token)
            if not _may_pass(request, token):
                return problem(
                    401,
                    "unauthenticated",
                    "this needs the token of the data folder",
                    headers={"WWW-Authenticate": "Bearer", **_HEADERS},
                    where="Authorization",
                    remedy="send it as a bearer token, or open the address that the server printed",
                )
            if _too_large(request):
                return problem(
                    413, "too_large", f"more than {MAX_BODY_BYTES} bytes", where="body", remedy="send less at once"
                )
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return guard


def _may_pass(request: Request, token: str) -> bool:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and _same(value, token):
        return True
    return request.method in _READS and _same(request.cookies.get(COOKIE, ""), token)


def _too_large(request: Request) -> bool:
    """Bodies need a stated length, so that nothing unbounded is read."""
    if request.method in _READS:
        return False
    length = request.headers.get("content-length", "")
    return not length.isdigit() or int(length) > MAX_BODY_BYTES


def _signed_in(request: Request, token: str) -> Response:
    """Take the token out of the address: into a cookie for this browser, and on to the page without it."""
    response = RedirectResponse(request.url.path, status_code=303, headers=_HEADERS)
    response.set_cookie(COOKIE, token, httponly=True, samesite="strict", path="/")
    return response


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())

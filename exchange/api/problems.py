"""One error shape for the whole interface, and the one place that maps an error to a status.

Problem details, RFC 9457: type, title, status, detail; ours besides: code, where, remedy, findings. Nothing of the inside leaks: an
unforeseen error answers 500 with a code and is logged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from bom_graph import BomGraphError
from exchange.assembly import RefusedError
from exchange.calculation import NotPublishedError
from exchange.errors import ExchangeError, JtiReusedError, NotFoundError, NoWitnessesError, RightsError
from exchange.report import finding_documents
from ledger import (
    CommitUncertainError,
    DurableWriteError,
    EntryUnknownError,
    LedgerError,
    NotCommittedError,
    OutOfRangeError,
    QueueFullError,
)
from signer import SignerError

log = logging.getLogger("packtrace.api")
MEDIA_TYPE = "application/problem+json"
#: On every answer, a refusal too.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
#: First match wins; what isn't here is the sender's mistake (400).
_STATUS: Sequence[tuple[type[Exception], int]] = (
    (NotFoundError, 404),
    (EntryUnknownError, 404),
    (OutOfRangeError, 404),
    (RightsError, 403),
    (JtiReusedError, 409),
    (NotPublishedError, 409),
    (NoWitnessesError, 409),
    (QueueFullError, 503),
    (NotCommittedError, 503),
    (CommitUncertainError, 503),
    (DurableWriteError, 500),
)
#: What passes by itself: worth another try in a second.
_PASSES = (NotPublishedError, QueueFullError, NotCommittedError, CommitUncertainError)


def problem(status: int, code: str, what: str, *, headers: dict[str, str] | None = None, **members: Any) -> Response:
    """Return an answer of problem details. What a sender wrote is quoted in it, so nothing is taken to be printable."""
    body = {
        "type": f"urn:packtrace:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": what,
        "code": code,
        **members,
    }
    # Escaped to ASCII: a lone surrogate from a sender's JSON can't be written otherwise.
    data = json.dumps(body, allow_nan=False).encode("ascii")
    return Response(data, status_code=status, media_type=MEDIA_TYPE, headers={**SECURITY_HEADERS, **(headers or {})})


def install_problems(app: FastAPI) -> None:
    """Let every error of ours leave `app` as problem details."""
    for family in (ExchangeError, SignerError, LedgerError, BomGraphError):
        app.add_exception_handler(family, _ours)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, unforeseen)


async def _ours(_request: Request, error: Any) -> Response:
    status = next((status for family, status in _STATUS if isinstance(error, family)), 400)
    headers = {"Retry-After": "1"} if isinstance(error, _PASSES) else None
    return problem(status, error.code, error.what, headers=headers, where=error.where, remedy=error.remedy)


async def _refused(_request: Request, error: Any) -> Response:
    what = "the rule set refuses a result: " + "; ".join(finding.what for finding in error.findings)
    remedy = "correct what the findings name, or choose another rule set"
    findings = finding_documents(error.findings)
    return problem(422, "refused", what, where="result", remedy=remedy, findings=findings)


async def _invalid(_request: Request, error: Any) -> Response:
    first = error.errors()[0]
    where = "/".join(str(step) for step in first["loc"])
    return problem(
        422,
        "request",
        f"{first['msg']} ({where})",
        where=where,
        remedy="see /api/v1/openapi.json for the request's shape",
    )


async def _http(_request: Request, error: Any) -> Response:
    headers = dict(error.headers) if error.headers else None
    code = {401: "unauthenticated", 403: "rights", 404: "not_found", 405: "method"}.get(error.status_code, "http")
    remedy = {401: "send the token of the data folder as a bearer token"}.get(
        error.status_code, "see /api/v1/openapi.json"
    )
    return problem(error.status_code, code, str(error.detail), headers=headers, where="request", remedy=remedy)


async def unforeseen(request: Request, error: Exception) -> Response:
    """Log an error that nobody foresaw, and answer without a word about the inside."""
    log.error("unforeseen error at %s %s", request.method, request.url.path, exc_info=error)
    return problem(
        500,
        "internal",
        "an error on our side; nothing was written",
        where="server",
        remedy="try again; tell the operator",
    )

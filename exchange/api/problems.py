"""One error shape for the whole interface, and the one place that maps an error to a status.

Problem details, RFC 9457: type, title, status, detail; ours besides: code, where, remedy, findings. Nothing of the inside leaks: an
unforeseen error answers 500 with a code and is logged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from bom_graph import BomGraphError, in_words
from exchange.assembly import RefusedError
from exchange.calculation import NotPublishedError
from exchange.errors import (
    AccreditationError,
    ConflictError,
    CredentialsError,
    DamagedError,
    DoubleClaimError,
    ErasedError,
    ExchangeError,
    HeldError,
    IndependenceError,
    JtiReusedError,
    MediaTypeError,
    NotFoundError,
    NoWitnessesError,
    RightsError,
    StaleError,
    StepError,
    TooManyError,
    WaitingError,
)
from exchange.report import finding_documents
from ledger import (
    CommitUncertainError,
    DatabaseBusyError,
    DurableWriteError,
    EntryUnknownError,
    LedgerError,
    NotCommittedError,
    OutOfRangeError,
    QueueFullError,
    UnpublishedSizeError,
)
from signer import SignerError

log = logging.getLogger("packtrace.api")
MEDIA_TYPE = "application/problem+json"
#: On every answer, a refusal too.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
OUR_ERRORS = (ExchangeError, SignerError, LedgerError, BomGraphError)
#: First match wins; what isn't here is the sender's mistake (400).
_STATUS: Sequence[tuple[type[Exception], int]] = (
    (NotFoundError, 404),
    (EntryUnknownError, 404),
    (OutOfRangeError, 404),
    (UnpublishedSizeError, 404),
    (CredentialsError, 401),
    (RightsError, 403),
    (ConflictError, 409),
    (StepError, 409),
    (StaleError, 409),
    (IndependenceError, 403),
    (AccreditationError, 403),
    (MediaTypeError, 415),
    (TooManyError, 429),
    (JtiReusedError, 409),
    (DoubleClaimError, 409),
    (NotPublishedError, 409),
    (ErasedError, 410),
    (HeldError, 409),
    (DamagedError, 500),
    (DatabaseBusyError, 503),
    (NoWitnessesError, 409),
    (WaitingError, 503),
    (QueueFullError, 503),
    (NotCommittedError, 503),
    (CommitUncertainError, 503),
    (DurableWriteError, 500),
)
#: What passes by itself, and after how many seconds it is worth another try.
_RETRY_AFTER: Sequence[tuple[type[Exception], int]] = (
    (NotPublishedError, 1),
    (QueueFullError, 1),
    (NotCommittedError, 1),
    (CommitUncertainError, 1),
    (DatabaseBusyError, 5),
    (WaitingError, 5),
    (TooManyError, 60),
)


class Problem(BaseModel):
    """Why a request was refused (RFC 9457), in a sentence, by a stable code, with place and remedy; codes are in docs/api.md."""

    type: str = Field(description="urn:packtrace:problem: and the code")
    title: str = Field(description="the code in words")
    status: int
    detail: str = Field(description="what is wrong")
    code: str = Field(description="what programs look at")
    where: str = Field(description="a member of the request, a claim path, an entry")
    remedy: str = Field(description="what to do")
    findings: list[dict[str, str]] = Field(default=[], description="with the code `refused`: what the gates found")


#: Of every operation, for the OpenAPI document.
REFUSALS: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Refused, and nothing was written",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }
}


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
    # A tile that isn't there yet will be: no cache may keep the answer.
    sent = {**SECURITY_HEADERS, "Cache-Control": "no-store", **(headers or {})}
    return Response(data, status_code=status, media_type=MEDIA_TYPE, headers=sent)


def install_problems(app: FastAPI) -> None:
    """Let every error of ours leave `app` as problem details."""
    for family in OUR_ERRORS:
        app.add_exception_handler(family, _ours)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, unforeseen)


def refusal(error: Exception) -> dict[str, Any] | None:
    """Return an error of ours as a line of a stream's answer: `status`, `code`, `detail`, `where`, `remedy`; None for any other error.

    `retry_after` (seconds) is there where it passes by itself.
    """
    if isinstance(error, ValidationError):
        return {"status": 422, "code": "request", **_misshapen(error.errors()[0])}
    if not isinstance(error, OUR_ERRORS):
        return None
    found = {"status": _status(error), "code": error.code, "detail": error.what}
    found |= {"where": error.where, "remedy": error.remedy}
    after = _retry_after(error)
    return found if after is None else {**found, "retry_after": after}


def _status(error: Exception) -> int:
    return next((status for family, status in _STATUS if isinstance(error, family)), 400)


def _retry_after(error: Exception) -> int | None:
    return next((after for family, after in _RETRY_AFTER if isinstance(error, family)), None)


async def _ours(request: Request, error: Any) -> Response:
    status, after = _status(error), _retry_after(error)
    if status == 500:
        log.error("%s %s: %s", request.method, request.url.path, error)
    headers = None if after is None else {"Retry-After": str(after)}
    if status == 401:
        headers = {"WWW-Authenticate": "Bearer"}
    return problem(status, error.code, error.what, headers=headers, where=error.where, remedy=error.remedy)


async def _refused(_request: Request, error: Any) -> Response:
    what = "the rule set refuses a result: " + "; ".join(finding.what for finding in error.findings)
    remedy = "correct what the findings name, or choose another rule set"
    findings = finding_documents(error.findings)
    return problem(422, "refused", what, where="result", remedy=remedy, findings=findings)


async def _invalid(_request: Request, error: Any) -> Response:
    told = _misshapen(error.errors()[0])
    return problem(422, "request", told.pop("detail"), **told)


def _misshapen(first: Any) -> dict[str, Any]:
    where = "/".join(str(step) for step in first["loc"])
    remedy = "see /api/v1/openapi.json for the request's shape"
    return {"detail": f"{in_words(first)} ({where})", "where": where, "remedy": remedy}


async def _http(request: Request, error: Any) -> Response:
    if isinstance(error.__cause__, SignerError):
        # The framework's own words for a body that couldn't be read tell neither place nor cause.
        return await _ours(request, error.__cause__)
    headers = dict(error.headers) if error.headers else None
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"Allow": ", ".join(sorted(_methods(request)))}
    code = {401: "unauthenticated", 403: "rights", 404: "not_found", 405: "method"}.get(error.status_code, "http")
    remedy = {401: "send the token of the data folder as a bearer token"}.get(
        error.status_code, "see /api/v1/openapi.json"
    )
    return problem(error.status_code, code, str(error.detail), headers=headers, where="request", remedy=remedy)


def _methods(request: Request) -> set[str]:
    """The methods of all routes at a path: the router names those of the first alone, and each of ours has its own."""
    found: set[str] = set()
    waiting = list(request.app.routes)
    while waiting:
        route = waiting.pop()
        inner = getattr(route, "original_router", None)
        if inner is not None:
            waiting += inner.routes
        elif isinstance(route, Route) and route.path_regex.match(request.url.path):
            found |= route.methods or set()
    return found


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

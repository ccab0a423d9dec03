"""Statements come in: one by one, or as a stream of lines. Both may be a dry run, which writes nothing."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from exchange.access import Principal
from exchange.api.rates import Rates
from exchange.api.stream import LINES, VerdictStream
from exchange.api.strict import Body, StrictRoute, Submitter, read_strictly, services_of
from exchange.intake import Receipt
from exchange.progress import State
from exchange.report import annotation_documents
from exchange.services import Services
from ledger.store import proof_file, snapshot
from signer import peek, split_presentation

statements_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)
DryRun = Annotated[bool, Query(description="check everything, write nothing")]
_MAX_PRESENTATION = 5 * 1024 * 1024


class StatementBody(Body):
    """A signed statement with all its disclosures: ``<JWT>~<disclosure>~...~<disclosure>~``.

    `sealed`: its owner withholds them, and sends it without, or with `contents` alone.
    """

    statement: Annotated[str, Field(max_length=_MAX_PRESENTATION)]
    sealed: bool = False


_STREAM: dict[str, Any] = {
    "requestBody": {"required": True, "content": {LINES: {"schema": StatementBody.model_json_schema()}}}
}
_VERDICTS: dict[int | str, dict[str, Any]] = {200: {"description": "a verdict per line", "content": {LINES: {}}}}


@statements_router.post("/statements", status_code=201, response_model=dict[str, Any])
async def submit(
    request: Request, body: StatementBody, actor: Submitter, wait: State = "sequenced", dry_run: DryRun = False
) -> Response:
    """Admit a statement into the ledger; the answer comes when it is durable. Sent again, it answers the entry it has (200).

    With `wait` it comes when the entry is published (after 10 s at most) or witnessed (60 s) and says which `state` was reached; where
    that is more than `sequenced`, `proof` holds the proof file (.tlog-proof). 503 with Retry-After when too many wait already.
    With `dry_run` (200) nothing is written and nothing waited for.
    """
    services = services_of(request)
    services.progress.check(wait)
    submissions = request.app.state.submissions
    receipt = await to_thread.run_sync(_admit, request, actor, body, dry_run, limiter=submissions)
    status = 200 if receipt.existed or dry_run else 201
    answer = _answer(receipt, dry_run=dry_run)
    if dry_run:
        return JSONResponse(answer, status)
    reached = await services.progress.wait(receipt.index, wait)
    answer["state"] = reached.state
    if reached.size:
        answer["proof"] = await to_thread.run_sync(_proof, services, receipt.index, reached.size)
    return JSONResponse(answer, status)


@statements_router.post("/statements/stream", response_class=VerdictStream, responses=_VERDICTS, openapi_extra=_STREAM)
async def submit_stream(request: Request, actor: Submitter, dry_run: DryRun = False) -> Response:
    """Admit statements, one in each line of the body; each line is answered by a line, in order, once it is durable.

    A line that is refused stops none of the others. Sent again, what is there is answered with its entry: that is how a stream goes on
    after it broke.
    """

    def judge(data: bytes) -> dict[str, Any]:
        body = read_strictly(data, StatementBody, where="line")
        return _answer(_admit(request, actor, body, dry_run), dry_run=dry_run)

    async def still_may() -> bool:
        found: Principal | None = await request.state.who()
        return found is not None and found.name == actor.name and "statements:write" in found.scopes

    return VerdictStream(judge, still_may, request.app.state.streams)


def _admit(request: Request, actor: Principal, body: StatementBody, dry_run: bool) -> Receipt:
    services = services_of(request)
    token, disclosures = split_presentation(body.statement)
    issuer = peek(token).issuer
    services.accounts.check_speaks_for(actor, issuer, "statements:write")
    if dry_run:
        rates: Rates = request.app.state.rates
        rates.check_dry_run(issuer)
    return services.installation.intake.submit(token, disclosures, sealed=body.sealed, dry_run=dry_run)


def _answer(receipt: Receipt, *, dry_run: bool) -> dict[str, Any]:
    """What is told of a statement that is in order; where a dry run would have put it is nobody's promise."""
    answer: dict[str, Any] = {"origin": receipt.origin, "leaf_hash": receipt.leaf_hash, "existed": receipt.existed}
    if receipt.existed or not dry_run:
        answer["index"] = receipt.index
    if receipt.findings:
        answer["findings"] = annotation_documents(receipt.findings)
    return answer | ({"dry_run": True} if dry_run else {})


def _proof(services: Services, index: int, size: int) -> str:
    with snapshot(services.installation.engine) as connection:
        return proof_file(connection, index, size)

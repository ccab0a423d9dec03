"""Statements come in: one by one, or as a stream of lines. Both may be a dry run, which writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import Field, ValidationError

from exchange.access import Principal
from exchange.api.rates import Rates
from exchange.api.stream import LINES, VerdictStream, check_media_type
from exchange.api.strict import Body, StrictRoute, Submitter, actor_of, read_strictly, services_of
from exchange.intake import Queue, Receipt, Submission
from exchange.progress import State
from exchange.report import annotation_documents
from exchange.services import Services
from ledger.store import proof_file, snapshot
from signer import peek, split_presentation

DryRun = Annotated[bool, Query(description="check everything, write nothing")]
_MAX_PRESENTATION = 5 * 1024 * 1024


class _StraightRoute(StrictRoute):
    """What is asked most: without a query, its function is called without the framework's search for parameters, a fifth of a request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if request.scope["query_string"]:
                return await handler(request)
            answer: Response = await self.endpoint(request, actor_of(request, "statements:write"))
            return answer

        return handle


statements_router = APIRouter(prefix="/api/v1", route_class=_StraightRoute)


class StatementBody(Body):
    """A signed statement with all its disclosures: ``<JWT>~<disclosure>~...~<disclosure>~``.

    `sealed`: its owner withholds them, and sends it without, or with `contents` alone.
    """

    statement: Annotated[str, Field(max_length=_MAX_PRESENTATION)]
    sealed: bool = False


def _body(media_type: str) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: {"schema": StatementBody.model_json_schema()}}}}


_BODY, _STREAM = _body("application/json"), _body(LINES)
_VERDICTS: dict[int | str, dict[str, Any]] = {200: {"description": "a verdict per line", "content": {LINES: {}}}}


@dataclass(frozen=True, slots=True)
class Handed:
    """A statement as it was sent, and by whom: JSON bytes that nobody has read yet. `where` is what errors call it."""

    data: bytes
    actor: Principal
    dry_run: bool
    where: Literal["body", "line"]


#: Takes what was handed in, and tells what the answers tell.
Admitting = Queue[Handed, tuple[Receipt, dict[str, Any]]]


def admitting(services: Services, rates: Rates) -> Admitting:
    """Return the queue of what is handed in."""
    intake = services.installation.intake

    def admit(batch: Sequence[Handed]) -> list[tuple[Receipt, dict[str, Any]] | Exception]:
        read = [_read(services, rates, one) for one in batch]
        receipts = iter(intake.submit_all([one for one in read if isinstance(one, Submission)]))
        outcomes = [next(receipts) if isinstance(one, Submission) else one for one in read]
        return [
            outcome if isinstance(outcome, Exception) else (outcome, _answer(outcome, dry_run=one.dry_run))
            for one, outcome in zip(batch, outcomes, strict=True)
        ]

    return Queue(admit, capacity=intake.max_waiting)


def _read(services: Services, rates: Rates, handed: Handed) -> Submission | Exception:
    """Read what was handed in by who speaks for its issuer; the error that it meets is its answer, and the others' is theirs."""
    try:
        body = read_strictly(handed.data, StatementBody, where=handed.where)
        token, disclosures = split_presentation(body.statement)
        issuer = peek(token).issuer
        services.accounts.check_speaks_for(handed.actor, issuer, "statements:write")
        if handed.dry_run:
            rates.check_dry_run(issuer)
    except Exception as error:  # noqa: BLE001
        return error
    return Submission(token, disclosures, sealed=body.sealed, dry_run=handed.dry_run)


@statements_router.post("/statements", status_code=201, response_model=dict[str, Any], openapi_extra=_BODY)
async def submit(request: Request, actor: Submitter, wait: State = "sequenced", dry_run: DryRun = False) -> Response:
    """Admit a statement into the ledger; the answer comes when it is durable. Sent again, it answers the entry it has (200).

    With `wait` it comes when the entry is published (after 10 s at most) or witnessed (60 s) and says which `state` was reached; where
    that is more than `sequenced`, `proof` holds the proof file (.tlog-proof). 503 with Retry-After when too many wait already.
    With `dry_run` (200) nothing is written and nothing waited for.
    """
    services = services_of(request)
    services.progress.check(wait)
    data = await request.body()
    (outcome,) = await _queue_of(request).enter([Handed(data, actor, dry_run, "body")], len(data))
    if isinstance(outcome, ValidationError):
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in outcome.errors()])
    if isinstance(outcome, Exception):
        raise outcome
    receipt, answer = outcome
    status = 200 if receipt.existed or dry_run else 201
    if dry_run:
        return JSONResponse(answer, status)
    if wait == "sequenced" and not receipt.existed:
        # It is in the log this moment; how far that was published is for who waits for it.
        return JSONResponse({**answer, "state": wait}, status)
    reached = await services.progress.wait(receipt.index, wait)
    answer["state"] = reached.state
    if reached.size:
        answer["proof"] = await to_thread.run_sync(_proof, services, receipt.index, reached.size)
    return JSONResponse(answer, status)


@statements_router.post("/statements/stream", response_class=VerdictStream, responses=_VERDICTS, openapi_extra=_STREAM)
async def submit_stream(request: Request, actor: Submitter, dry_run: DryRun = False) -> Response:
    """Admit statements, one in each line of the body; each line is answered by a line, in order, once it is durable.

    A line that is refused stops none of the others. Sent again, what is there is answered with its entry: that is how a stream goes on
    after it broke. 415 for a Content-Type that is another than this.
    """
    check_media_type(request.headers)
    queue = _queue_of(request)

    async def judge(lines: Sequence[bytes]) -> list[dict[str, Any] | Exception]:
        handed = [Handed(line, actor, dry_run, "line") for line in lines]
        outcomes = await queue.enter(handed, sum(map(len, lines)), streamed=True)
        return [one if isinstance(one, Exception) else one[1] for one in outcomes]

    async def still_may() -> bool:
        found: Principal | None = await request.state.who()
        return found is not None and found.name == actor.name and "statements:write" in found.scopes

    return VerdictStream(judge, still_may, most=queue.share_of_streams)


def _queue_of(request: Request) -> Admitting:
    found: Admitting = request.app.state.admitting
    return found


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

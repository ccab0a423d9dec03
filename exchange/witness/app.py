"""The witness behind HTTP: one call, `POST /add-checkpoint`, with the status codes of C2SP tlog-witness."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from exchange.witness.folder import Witness
from ledger import (
    MAX_REQUEST,
    SIZE_TYPE,
    BadProofError,
    BadSignatureError,
    DatabaseBusyError,
    DurableWriteError,
    LedgerError,
    SizeConflictError,
    UnknownLogError,
    UnknownSignerError,
    format_size,
    note_text,
    parse_request,
)

log = logging.getLogger("packtrace.witness")
READ_SECONDS = 10.0
#: First match wins; what isn't here is malformed (400).
_STATUS: Sequence[tuple[type[LedgerError], int]] = (
    (UnknownLogError, 404),
    (UnknownSignerError, 403),
    (BadSignatureError, 403),
    (BadProofError, 422),
    (DurableWriteError, 500),
    (DatabaseBusyError, 503),
)


def create_witness_app(witness: Witness, *, read_seconds: float = READ_SECONDS) -> FastAPI:
    """The application of one witness. A body is read for `read_seconds` and up to MAX_REQUEST bytes at most."""
    app = FastAPI(title="packtrace witness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        if "\n" in request.scope["path"]:
            return _plain(404, "no such path")  # the router overlooks a line break at the end
        try:
            data = await asyncio.wait_for(_body(request), read_seconds)
        except TimeoutError:
            return _plain(408, "the request took too long")
        if data is None:
            return _plain(413, f"more than {MAX_REQUEST} bytes")
        return await run_in_threadpool(_answer, witness, data)

    return app


async def _body(request: Request) -> bytes | None:
    """The body, or None where it goes on above the limit, whatever length was stated."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_REQUEST:
            return None
    return data


def _answer(witness: Witness, data: bytes) -> Response:
    try:
        return _plain(200, witness.add_checkpoint(data).removesuffix("\n"))
    except SizeConflictError as error:
        # Set as a header: a media type of text would be given a charset, and the specification names the bare type.
        return Response(format_size(error.size), status_code=409, headers={"Content-Type": SIZE_TYPE})
    except LedgerError as error:
        status = next((status for family, status in _STATUS if isinstance(error, family)), 400)
        if status in (422, 500):
            # Perhaps the proof that a log has two histories, or a disk that fails: somebody should look.
            origin = note_text(parse_request(data).note).partition("\n")[0]
            log.error("not cosigned for the log %s: %s", origin, error)  # noqa: TRY400
        return _plain(status, error.what)


def _plain(status: int, text: str) -> Response:
    return Response(f"{text}\n", status_code=status, media_type="text/plain")

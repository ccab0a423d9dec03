"""The routes of files that statements name as evidence. What goes out is nothing that a browser would show: the salt comes first."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import fail_after, to_thread
from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import contextmanager_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from exchange.access import Principal
from exchange.api.stream import IDLE_SECONDS
from exchange.api.strict import After, Hash, Limit, Reader, StrictRoute, Submitter, Uri, services_of, spoken_for
from exchange.attachment import SALT_BYTES
from exchange.errors import AttachmentError
from exchange.sharing import Attachment

ATTACHMENTS_PATH = "/api/v1/attachments/"
MEDIA_TYPE = "application/octet-stream"
#: Seconds for the whole of an upload: a place among those on their way in isn't held longer.
UPLOAD_SECONDS = 900.0
_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_FILE: dict[str, Any] = {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
_UPLOAD: dict[str, Any] = {"requestBody": {"required": True, "content": _FILE}}
_DOWNLOAD: dict[int | str, dict[str, Any]] = {200: {"description": "32 bytes of salt, then the file", "content": _FILE}}
OfOrganisation = Annotated[Uri | None, Query(description="the operator may name one that has no accounts")]
AsReader = Annotated[Uri | None, Query(description="as whom; only oneself, or by the operator one without accounts")]

attachments_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)


@attachments_router.put(
    "/attachments/{attachment}", status_code=201, response_model=dict[str, Any], openapi_extra=_UPLOAD
)
async def put_attachment(
    request: Request, attachment: Hash, response: Response, actor: Submitter, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """Hand in a file that a statement of one's own names as evidence: 32 bytes of salt, then the file. The same again answers 200."""
    found = await _received(request, actor, organisation or actor.organisation, attachment)
    if found.existed:
        response.status_code = 200
    return _attachment(found) | {"existed": found.existed}


@attachments_router.get("/attachments/{attachment}", response_class=Response, responses=_DOWNLOAD)
def get_attachment(request: Request, attachment: Hash, actor: Reader, reader: AsReader = None) -> Response:
    """A file that one handed in, or was granted (path and +evidence): 32 bytes of salt, then the file; their SHA-256 is the digest."""
    found = services_of(request).attachments.fetch(actor, attachment, reader)
    named = {"Content-Disposition": f'attachment; filename="{attachment}.bin"', "Content-Length": str(found.size)}
    return StreamingResponse(found.parts, media_type=MEDIA_TYPE, headers=_HEADERS | named)


@attachments_router.get("/attachments")
def list_attachments(
    request: Request, actor: Reader, after: After = "", limit: Limit = 100, organisation: OfOrganisation = None
) -> list[dict[str, Any]]:
    """The files that the organisation handed in, the oldest first."""
    owner = spoken_for(request, actor, organisation, "data:read")
    return [_attachment(one) for one in services_of(request).attachments.own(actor, owner, after, limit)]


@attachments_router.get("/statements/{leaf_hash}/attachments")
def list_of_statement(
    request: Request, leaf_hash: Hash, actor: Reader, reader: AsReader = None
) -> list[dict[str, Any]]:
    """The files that a statement names and one may have, by path; `attachment` is null until it is handed in."""
    found = services_of(request).attachments.of_statement(actor, leaf_hash, reader)
    return [
        {
            "path": one.path,
            "digest": one.digest,
            "attachment": None if one.attachment is None else _attachment(one.attachment),
        }
        for one in found
    ]


@attachments_router.delete("/attachments/{attachment}")
def remove_attachment(
    request: Request, attachment: Hash, actor: Submitter, organisation: OfOrganisation = None
) -> dict[str, Any]:
    """Erase a file that the organisation handed in, for good; the statement that names it stays. 409 while that is held."""
    services_of(request).attachments.remove(actor, organisation or actor.organisation, attachment)
    return {"digest": attachment, "removed": True}


async def _received(request: Request, actor: Principal, owner: str, digest: str) -> Attachment:
    """Take the body in piece by piece, none of them in the event loop's own time."""
    size = int(request.headers.get("content-length", "0"))
    receiving = services_of(request).attachments.receiving(actor, owner, digest, size)
    try:
        async with contextmanager_in_threadpool(receiving) as taken:
            # Within: what ends the block by a timeout has to end it as an error does.
            with fail_after(UPLOAD_SECONDS):
                pieces = request.stream()
                while True:
                    with fail_after(IDLE_SECONDS):
                        piece = await anext(pieces, None)
                    if piece is None:
                        return await to_thread.run_sync(taken.finish)
                    await to_thread.run_sync(taken.write, piece)
    except (TimeoutError, ClientDisconnect):
        raise AttachmentError("the upload was cut", where="body", remedy="send salt and file again") from None


def _attachment(one: Attachment) -> dict[str, Any]:
    return {
        "id": one.id,
        "digest": one.digest,
        "media_type": one.media_type,
        "bytes": one.size - SALT_BYTES,
        "stored_at": one.stored_at.isoformat(),
    }

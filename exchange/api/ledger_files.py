"""The published log as files, by the paths of C2SP tlog-tiles: ``/ledger/checkpoint``, ``/ledger/tile/...``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from exchange.api.strict import services_of
from exchange.errors import NotFoundError
from ledger import CHECKPOINT_PATH, parse_path

#: Bundles of entries: who signed how much of what, and when. The other files are hashes, and public.
_ENTRIES = "tile/entries/"
ledger_router = APIRouter(prefix="/ledger")
_CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}, "application/octet-stream": {}}}}
_UNCHANGING = "private, max-age=31536000, immutable"


# Of an answer to HEAD the server sends no body.
@ledger_router.head("/{path:path}", include_in_schema=False)
@ledger_router.get("/{path:path}", response_class=Response, responses=_CONTENT)
def published_file(request: Request, path: str) -> Response:
    """A file of the published log, from the database: every process has it."""
    services = services_of(request)
    is_checkpoint = path == CHECKPOINT_PATH
    if not is_checkpoint:
        parse_path(path)
    if path.startswith(_ENTRIES):
        services.sharing.check_sees_entries(request.state.principal)
    data = services.published.file(path)
    if data is None:
        raise NotFoundError(
            "no such file is published", where=path, remedy="take the paths from the newest checkpoint's size"
        )
    if is_checkpoint:
        return Response(data, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": _UNCHANGING})

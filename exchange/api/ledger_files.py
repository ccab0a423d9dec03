"""The published log as files, by the paths of C2SP tlog-tiles: ``/ledger/checkpoint``, ``/ledger/tile/...``."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from exchange.errors import NotFoundError
from exchange.services import Services
from ledger import CHECKPOINT_PATH, parse_path

ledger_router = APIRouter(prefix="/ledger")
_CONTENT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {}, "application/octet-stream": {}}}}
_UNCHANGING = "private, max-age=31536000, immutable"


@ledger_router.get("/{path:path}", response_class=Response, responses=_CONTENT)
def published_file(request: Request, path: str) -> Response:
    """A file of the published log. The path is parsed strictly, so that it can't leave the log's folder."""
    services: Services = request.app.state.services
    is_checkpoint = path == CHECKPOINT_PATH
    if not is_checkpoint:
        parse_path(path)
    try:
        data = (services.installation.published / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            "no such file is published", where=path, remedy="take the paths from the newest checkpoint's size"
        ) from None
    if is_checkpoint:
        return Response(data, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})
    return Response(data, media_type="application/octet-stream", headers={"Cache-Control": _UNCHANGING})

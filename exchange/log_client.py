"""The client of a published log over HTTP: its files alone, of whichever exchange or mirror."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2

from exchange.client import AnswerError, UnreachableError, is_here, problem_in
from exchange.errors import UsageError
from ledger import Fetch

_LOG_SECONDS: Final = 20
_MAX_REFUSAL: Final = 65_536
_NO_LOG = "check that a published log is there"
_UNAUTHENTICATED = "name the exchange's data folder with --data: its token is sent to this machine"


@contextmanager
def fetching(prefix: str, token_file: Path | None = None) -> Iterator[Fetch]:
    """Fetch the files of a published log below `prefix`, such as ``http://127.0.0.1:8551/ledger``, perhaps somebody else's.

    Answers are bounded in bytes and time; redirects are not followed and no proxy of the environment is used, so that what answers is
    what was named. The token in `token_file`, if it is there, is sent to this machine only. Raises UsageError for what is no such
    address. The fetch raises UnreachableError, and AnswerError for any refusal but 404.
    """
    _require_address(prefix)
    prefix = prefix.rstrip("/")
    # As it is: packed bytes would be bounded only after they are unpacked.
    headers = {"Accept-Encoding": "identity"}
    if is_here(prefix) and token_file is not None and token_file.exists():
        headers["Authorization"] = f"Bearer {token_file.read_text('ascii').strip()}"
    http = httpx2.Client(headers=headers, timeout=_LOG_SECONDS, trust_env=False)

    def fetch(path: str, limit: int) -> bytes | None:
        url = f"{prefix}/{path}"
        try:
            with http.stream("GET", url) as answer:
                if answer.status_code == httpx2.codes.NOT_FOUND:
                    return None
                if answer.is_success:
                    return _bounded(answer, limit, url)
                problem = problem_in(_bounded(answer, _MAX_REFUSAL, url))
                remedy = _UNAUTHENTICATED if answer.status_code == httpx2.codes.UNAUTHORIZED else _NO_LOG
                raise AnswerError(answer.status_code, problem | {"where": url, "remedy": remedy})
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UnreachableError(f"no answer: {error or type(error).__name__}", where=url, remedy=_NO_LOG) from None

    with http:
        yield fetch


def _bounded(answer: httpx2.Response, limit: int, url: str) -> bytes:
    """The answer's bytes, or one more than `limit`."""
    # The client's own time limit is for each read; one that drips a byte at a time would pass it for ever.
    end, data = time.monotonic() + _LOG_SECONDS, bytearray()
    for part in answer.iter_raw():
        data += part
        if len(data) > limit:
            break
        if time.monotonic() > end:
            raise UnreachableError(f"not whole after {_LOG_SECONDS} seconds", where=url, remedy=_NO_LOG)
    return bytes(data[: limit + 1])


def _require_address(prefix: str) -> None:
    try:
        parts = urlsplit(prefix)
        httpx2.URL(prefix)
        fit = parts.scheme in {"http", "https"} and parts.hostname and not parts.query and not parts.fragment
    except (ValueError, httpx2.InvalidURL):
        fit = False
    if not fit:
        remedy = "give https://host/path, the folder of `checkpoint`"
        raise UsageError("not an address of a published log", where=prefix, remedy=remedy)

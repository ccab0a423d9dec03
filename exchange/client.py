"""Clients over HTTP: of the exchange's interface, for a supplier's or pack maker's scripts and for the demo; and of a published log."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx2

from exchange.errors import ExchangeError, UsageError
from signer import join_presentation

_RETRIES = 30
MAX_LOG_FILE: Final = 1024 * 1024
"""Bytes of a checkpoint or hash tile of a published log; a tile has 8,192."""
_LOG_SECONDS: Final = 20
_NOT_OURS = "check the address, and that the exchange runs there; then send it again"


class AnswerError(ExchangeError):
    """The exchange refused a request; `status`, `problem` hold its answer (RFC 9457)."""

    code = "answer"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        what = problem.get("detail", f"HTTP status {status}")
        super().__init__(
            what, where=problem.get("where", "request"), remedy=problem.get("remedy", "see the exchange's log")
        )
        self.status = status
        self.problem = problem


class UnreachableError(ExchangeError):
    """Nobody answered at the address, or somebody who isn't an exchange. What was sent may have been done: repeat it."""

    code = "unreachable"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a statement stands in the ledger; `citation` is how others point to it."""

    origin: str
    index: int
    leaf_hash: str
    existed: bool

    @property
    def citation(self) -> dict[str, Any]:
        """``{origin, index, leaf_hash}``."""
        return {"origin": self.origin, "index": self.index, "leaf_hash": self.leaf_hash}


class Client:
    """One exchange by its address and token. Every call raises AnswerError where the exchange refuses."""

    def __init__(self, address: str, token: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            self._http = httpx2.Client(base_url=address, headers=headers, timeout=60, trust_env=False)
        except httpx2.InvalidURL as error:
            raise UnreachableError(f"not an address: {error}", where="server", remedy=_NOT_OURS) from None
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def log(self) -> dict[str, Any]:
        """The log's origin, public key and trust fingerprint."""
        found: dict[str, Any] = self._json("GET", "/api/v1/log")
        return found

    def enrol(self, uri: str, name: str, csr: bytes, possession: str, roles: Sequence[str]) -> tuple[bytes, bool]:
        """Enrol an organisation's key; return its certificate (DER) and whether it was there before."""
        body = {
            "uri": uri,
            "name": name,
            "csr": base64.b64encode(csr).decode(),
            "possession": possession,
            "roles": list(roles),
        }
        answer = self._json("POST", "/api/v1/organisations", body)
        return base64.b64decode(answer["certificate"]), answer["existed"]

    def submit(self, token: str, disclosures: Sequence[str]) -> Receipt:
        """Submit a signed statement with its disclosures. Safe to repeat."""
        answer = self._json("POST", "/api/v1/statements", {"statement": join_presentation(token, disclosures)})
        return Receipt(answer["origin"], answer["index"], answer["leaf_hash"], answer["existed"])

    def grant(self, owner: str, reader: str, leaf_hash: str, paths: Sequence[str], purpose: str) -> None:
        """Let `reader` see `paths` of the owner's statement."""
        body = {"owner": owner, "reader": reader, "leaf_hash": leaf_hash, "paths": list(paths), "purpose": purpose}
        self._json("POST", "/api/v1/grants", body)

    def footprint(
        self, product: str, rule_set: str, reader: str, *, flow: str | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Compute a footprint; return digest and document."""
        body = {"product": product, "rule_set": rule_set, "reader": reader, "flow": flow}
        answer = self._json("POST", "/api/v1/footprints", body)
        return answer["digest"], answer["result"]

    def evidence(self, reader: str, results: Sequence[str]) -> bytes:
        """Fetch the evidence file of results, waiting until their entries are published (a second or so)."""
        body = {"reader": reader, "results": list(results)}
        for _attempt in range(_RETRIES):
            answer = self._send("POST", "/api/v1/evidence", body)
            if answer.status_code != httpx2.codes.CONFLICT:
                break
            self._sleep(float(answer.headers.get("retry-after", "1")) / 2)
        return self._checked(answer).content

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._checked(self._send(method, path, body))
        try:
            return answer.json()
        except ValueError:
            raise UnreachableError("the answer is not JSON", where=path, remedy=_NOT_OURS) from None

    def _send(self, method: str, path: str, body: Any) -> httpx2.Response:
        try:
            return self._http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            what = f"no answer: {error or type(error).__name__}"
            raise UnreachableError(what, where=str(self._http.base_url), remedy=_NOT_OURS) from None

    @staticmethod
    def _checked(answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        raise AnswerError(answer.status_code, problem if isinstance(problem, dict) else {})


class PublishedLog:
    """The files of a published log at an address, http or https, perhaps somebody else's: answers are bounded in bytes and time.

    Redirects are not followed and no proxy of the environment is used, so that what answers is what was named. `token` is for an exchange
    that answers to nobody else.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise UsageError(
                "not an address of a published log",
                where=address,
                remedy="give https://host/path, the folder of `checkpoint`",
            )
        self.address = address.rstrip("/")
        # As it is: packed bytes would be bounded only before they are unpacked.
        self._headers = {"Accept-Encoding": "identity"} | (
            {} if token is None else {"Authorization": f"Bearer {token}"}
        )

    def read(self, path: str) -> bytes:
        """Return the file at a path of the log. Raises UnreachableError for no answer, another status, too many bytes or seconds."""
        url = f"{self.address}/{path}"
        try:
            with httpx2.stream("GET", url, headers=self._headers, timeout=_LOG_SECONDS, trust_env=False) as answer:
                if answer.status_code != httpx2.codes.OK:
                    raise _no_file(f"the answer's status is {answer.status_code}", url)
                return _bounded(answer, url)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise _no_file(f"no answer: {error or type(error).__name__}", url) from None


def _bounded(answer: httpx2.Response, url: str) -> bytes:
    # The client's own time limit is for each read; one that drips a byte at a time would pass it for ever.
    end, data = time.monotonic() + _LOG_SECONDS, b""
    for part in answer.iter_raw():
        data += part
        if len(data) > MAX_LOG_FILE:
            raise _no_file(f"more than {MAX_LOG_FILE} bytes", url)
        if time.monotonic() > end:
            raise _no_file(f"not whole after {_LOG_SECONDS} seconds", url)
    return data


def _no_file(what: str, url: str) -> UnreachableError:
    return UnreachableError(what, where=url, remedy="check that a published log is there")

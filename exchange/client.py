"""A client of the exchange's HTTP interface, for a supplier's or pack maker's scripts and for the demo."""

from __future__ import annotations

import base64
import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

from exchange.errors import ExchangeError
from ledger import Fetch
from signer import join_presentation

_RETRIES = 30
_TIMEOUT = 75  # seconds; a submission may wait for a state for 60
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
    """Where a statement stands in the ledger, and how far it has come; `citation` is how others point to it."""

    origin: str
    index: int
    leaf_hash: str
    existed: bool
    state: str

    @property
    def citation(self) -> dict[str, Any]:
        """``{origin, index, leaf_hash}``."""
        return {"origin": self.origin, "index": self.index, "leaf_hash": self.leaf_hash}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A key's certificate (DER), whether it was there before, and which keys (thumbprints) and roles the organisation had until now."""

    certificate: bytes
    existed: bool
    had_keys: tuple[str, ...]
    had_roles: tuple[str, ...]


class Client:
    """One exchange by its address and token. Every call raises AnswerError where the exchange refuses."""

    def __init__(self, address: str, token: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        try:
            self._http = httpx2.Client(base_url=address, headers=headers, timeout=_TIMEOUT, trust_env=False)
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

    def enrol(self, uri: str, name: str, csr: bytes, possession: str, roles: Sequence[str]) -> Enrolled:
        """Enrol an organisation's key and grant its roles, in the place of earlier ones."""
        body = {
            "uri": uri,
            "name": name,
            "csr": base64.b64encode(csr).decode(),
            "possession": possession,
            "roles": list(roles),
        }
        answer = self._json("POST", "/api/v1/organisations", body)
        had = answer["had"]
        certificate = base64.b64decode(answer["certificate"])
        return Enrolled(certificate, answer["existed"], tuple(had["keys"]), tuple(had["roles"]))

    def submit(self, token: str, disclosures: Sequence[str], *, wait: str = "sequenced") -> Receipt:
        """Submit a signed statement with its disclosures. Safe to repeat. `wait`: until it is published or witnessed, for a while."""
        body = {"statement": join_presentation(token, disclosures)}
        answer = self._json("POST", f"/api/v1/statements?wait={wait}", body)
        return Receipt(answer["origin"], answer["index"], answer["leaf_hash"], answer["existed"], answer["state"])

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
        raise _refusal(answer)


@contextmanager
def fetching(prefix: str, token_file: Path) -> Iterator[Fetch]:
    """Fetch the files of a published log below `prefix`, such as ``http://127.0.0.1:8551/ledger``.

    The token in `token_file` is sent to this machine only. The fetch raises UnreachableError, and AnswerError for any
    refusal but 404.
    """
    prefix = prefix.rstrip("/")
    try:
        # As it is: packed bytes would be bounded only after they are unpacked.
        headers = {"Accept-Encoding": "identity"}
        if _is_here(prefix):
            headers["Authorization"] = f"Bearer {token_file.read_text('ascii').strip()}"
        http = httpx2.Client(headers=headers, timeout=60, trust_env=False)
    except httpx2.InvalidURL as error:
        raise UnreachableError(f"not an address: {error}", where="server", remedy=_NOT_OURS) from None

    def fetch(path: str, limit: int) -> bytes | None:
        data = bytearray()
        try:
            with http.stream("GET", f"{prefix}/{path}") as answer:
                if answer.status_code == httpx2.codes.NOT_FOUND:
                    return None
                if not answer.is_success:
                    answer.read()
                    raise _refusal(answer)
                for chunk in answer.iter_raw():
                    data += chunk
                    if len(data) > limit:
                        break
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            what = f"no answer: {error or type(error).__name__}"
            raise UnreachableError(what, where=prefix, remedy=_NOT_OURS) from None
        return bytes(data[: limit + 1])

    with http:
        yield fetch


def _is_here(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = httpx2.URL(address).host
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refusal(answer: httpx2.Response) -> AnswerError:
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    return AnswerError(answer.status_code, problem if isinstance(problem, dict) else {})

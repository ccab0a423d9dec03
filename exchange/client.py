"""Clients over HTTP: of the exchange's interface, for a supplier's or pack maker's scripts and for the demo; and of a published log."""

from __future__ import annotations

import base64
import ipaddress
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx2

from exchange.errors import ExchangeError, UsageError
from ledger import Fetch
from signer import join_presentation

_RETRIES = 30
_LOG_SECONDS: Final = 20
_MAX_REFUSAL: Final = 65_536
_NO_LOG = "check that a published log is there"
_UNAUTHENTICATED = "name the exchange's data folder with --data: its token is sent to this machine"
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

    def draft(self, digest: str) -> dict[str, Any]:
        """Return the form of a product-footprint by a result about a product of one's own: claims to check, then to sign."""
        found: dict[str, Any] = self._json("POST", f"/api/v1/footprints/{digest}/draft", {})
        return found

    def evidence(self, reader: str, results: Sequence[str]) -> bytes:
        """Fetch the evidence file of results, waiting until their entries are published (a second or so)."""
        body = {"reader": reader, "results": list(results)}
        for _attempt in range(_RETRIES):
            answer = self._send("POST", "/api/v1/evidence", body)
            if answer.status_code != httpx2.codes.CONFLICT:
                break
            self._sleep(float(answer.headers.get("retry-after", "1")) / 2)
        return self._checked(answer).content

    def inbox(
        self, organisation: str, *, after: str | None = None, limit: int = 50, unread: bool = False
    ) -> dict[str, Any]:
        """A page of an organisation's events, newest first: `events`, `after` for the next page, and how many are `unread`."""
        asked = {"organisation": organisation, "after": after or "", "limit": limit, "unread": unread}
        page: dict[str, Any] = self._json("GET", f"/api/v1/inbox?{urlencode(asked)}")
        return page

    def mark_read(self, organisation: str, events: Sequence[str]) -> int:
        """Mark events as read; return how many were not."""
        body = {"organisation": organisation, "events": list(events)}
        return int(self._json("POST", "/api/v1/inbox/read", body)["marked"])

    def subscribe(self, organisation: str, target: str, types: Sequence[str] = ()) -> dict[str, Any]:
        """Send events to an https URL or ``mailto:`` address, all of them or those of `types`; return the subscription."""
        body = {"organisation": organisation, "target": target, "types": list(types)}
        found: dict[str, Any] = self._json("POST", "/api/v1/subscriptions", body)
        return found

    def subscriptions(self, organisation: str) -> list[dict[str, Any]]:
        """An organisation's subscriptions."""
        found: list[dict[str, Any]] = self._json(
            "GET", f"/api/v1/subscriptions?{urlencode({'organisation': organisation})}"
        )
        return found

    def unsubscribe(self, organisation: str, subscription: str) -> None:
        """Remove a subscription."""
        path = f"{_subscription(subscription)}?{urlencode({'organisation': organisation})}"
        self._checked(self._send("DELETE", path, None))

    def test_subscription(self, organisation: str, subscription: str) -> str:
        """Have an event sent to one subscription; return the event's id."""
        body = {"organisation": organisation}
        return str(self._json("POST", f"{_subscription(subscription)}/test", body)["event"])

    def webhook_key(self) -> str:
        """The public key that webhooks are signed with, as Standard Webhooks writes it."""
        return str(self._json("GET", "/api/v1/webhook-key")["public_key"])

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
        raise AnswerError(answer.status_code, _problem(answer.content))


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
    if _is_here(prefix) and token_file is not None and token_file.exists():
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
                problem = _problem(_bounded(answer, _MAX_REFUSAL, url))
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


def _is_here(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = httpx2.URL(address).host
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _subscription(subscription: str) -> str:
    return f"/api/v1/subscriptions/{quote(subscription, safe='')}"


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}

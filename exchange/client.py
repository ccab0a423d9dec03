"""The client of the exchange's interface over HTTP, for a supplier's or pack maker's scripts and for the demo."""

from __future__ import annotations

import base64
import ipaddress
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self
from urllib.parse import quote, urlencode

import httpx2

from exchange.attachment import SALT_BYTES, Reading
from exchange.errors import ExchangeError
from signer import join_presentation

_RETRIES = 30
_PAGE = 200
_PIECE = 256 * 1024
_LONGEST_LOOK = 5.0  # seconds between two looks at a calculation
_TIMEOUT = 75  # seconds; a submission may wait for a state for 60
_NOT_OURS = "check the address, and that the exchange runs there; then send it again"


class AnswerError(ExchangeError):
    """The exchange refused a request; `status`, `problem` hold its answer (RFC 9457)."""

    code = "answer"

    def __init__(self, status: int, problem: dict[str, Any], retry_after: str | None = None) -> None:
        what = problem.get("detail", f"HTTP status {status}")
        super().__init__(
            what, where=problem.get("where", "request"), remedy=problem.get("remedy", "see the exchange's log")
        )
        self.status = status
        self.problem = problem
        #: Seconds after which it is worth another try, where the exchange said so.
        self.retry_after = float(retry_after) if retry_after is not None and retry_after.isdecimal() else None

    @property
    def may_pass(self) -> bool:
        """Whether the same request may be taken another time: the exchange was busy or in trouble, or says when to come again."""
        return self.status >= httpx2.codes.INTERNAL_SERVER_ERROR or self.retry_after is not None


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


@dataclass(frozen=True, slots=True)
class Streamed:
    """A body of `size` bytes that is sent in pieces; `content` gives them, anew each time it is sent."""

    size: int
    content: Callable[[], Iterator[bytes]]


class Client:
    """One exchange by its address and token, or another way to say who asks. Every call raises AnswerError where the exchange refuses."""

    def __init__(self, address: str, token: str | httpx2.Auth, *, sleep: Callable[[float], None] = time.sleep) -> None:
        said: dict[str, Any] = (
            {"headers": {"Authorization": f"Bearer {token}"}} if isinstance(token, str) else {"auth": token}
        )
        try:
            self._http = httpx2.Client(base_url=address, timeout=_TIMEOUT, trust_env=False, **said)
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

    def submit(
        self, token: str, disclosures: Sequence[str], *, wait: str = "sequenced", sealed: bool = False
    ) -> Receipt:
        """Submit a signed statement with its disclosures. Safe to repeat. `wait`: until it is published or witnessed, for a while.

        `sealed`: withhold the disclosures, of which `contents` alone may be handed in.
        """
        body = {"statement": join_presentation(token, disclosures), "sealed": sealed}
        answer = self._json("POST", f"/api/v1/statements?wait={wait}", body)
        return Receipt(answer["origin"], answer["index"], answer["leaf_hash"], answer["existed"], answer["state"])

    def grant(self, owner: str, reader: str, paths: Sequence[str], purpose: str, **terms: Any) -> dict[str, Any]:
        """Let `reader` see `paths` of the statement `leaf_hash`, or of those of `kind` about `product`; return the grant. Safe to repeat.

        Further `terms`: `onward` (``none``, ``verifier``, ``any``), `valid_until` (a date as text), `source` (the grant that is passed on),
        `reason` (for a reader in another country).
        """
        found: dict[str, Any] = self._json("POST", "/api/v1/grants", _terms(owner, reader, paths, purpose, terms))
        return found

    def preview_grant(
        self, owner: str, reader: str, paths: Sequence[str], purpose: str, **terms: Any
    ) -> dict[str, Any]:
        """Return what the reader would see by a grant of these terms, those of `grant`, and what can't be taken back."""
        body = _terms(owner, reader, paths, purpose, terms)
        found: dict[str, Any] = self._json("POST", "/api/v1/grants/preview", body)
        return found

    def grants(self, direction: Literal["given", "received"] = "given") -> Iterator[dict[str, Any]]:
        """Every grant that the organisation gave or received, page by page, the oldest first."""
        yield from self._pages("/api/v1/grants", "id", direction=direction)

    def withdraw_grant(self, grant: str) -> dict[str, Any]:
        """End a grant and what was passed on by it; return it with the `copies` that were taken by then. Safe to repeat."""
        found: dict[str, Any] = self._json("DELETE", f"/api/v1/grants/{grant}")
        return found

    def access_log(self) -> Iterator[dict[str, Any]]:
        """Who took disclosures of the organisation's statements, page by page."""
        yield from self._pages("/api/v1/access-log", "id")

    def statement(self, leaf_hash: str, reader: str | None = None) -> tuple[str, tuple[str, ...]]:
        """Return a statement's token and the disclosures that the organisation, or `reader`, may see."""
        query = "" if reader is None else f"?{urlencode({'reader': reader})}"
        found = self._json("GET", f"/api/v1/statements/{leaf_hash}{query}")
        return found["token"], tuple(found["disclosures"])

    def put_attachment(
        self, digest: str, salt: bytes, file: Path, *, organisation: str | None = None
    ) -> dict[str, Any]:
        """Hand in a file that a statement of one's own names as evidence by `digest`, the SHA-256 of `salt` and file. Safe to repeat."""
        size = len(salt) + file.stat().st_size

        def content() -> Iterator[bytes]:
            yield salt
            with file.open("rb") as opened:
                while piece := opened.read(_PIECE):
                    yield piece

        path = f"/api/v1/attachments/{quote(digest, safe='')}?{_query({'organisation': organisation})}"
        found: dict[str, Any] = self._checked(self._send("PUT", path, None, Streamed(size, content))).json()
        return found

    def fetch_attachment(self, digest: str, into: BinaryIO, *, reader: str | None = None) -> bytes:
        """Write a file that one handed in or was granted; return its salt.

        Raises AttachmentError where it isn't what `digest` names; what was written by then is to be thrown away.
        """
        path = f"/api/v1/attachments/{quote(digest, safe='')}?{_query({'reader': reader})}"
        reading, salt = Reading(), bytearray()
        try:
            with self._http.stream("GET", path) as answer:
                if not answer.is_success:
                    answer.read()
                self._checked(answer)
                for piece in answer.iter_bytes():
                    reading.read(piece)
                    of_salt = SALT_BYTES - len(salt)
                    salt += piece[:of_salt]
                    into.write(piece[of_salt:])
        except httpx2.HTTPError as error:
            what = f"the answer broke off: {error or type(error).__name__}"
            raise UnreachableError(what, where=str(self._http.base_url), remedy="ask again") from None
        reading.check_digest(digest)
        return bytes(salt)

    def attachments(self, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the files that one handed in, the oldest first."""
        return self._pages("/api/v1/attachments", "id", organisation=organisation)

    def statement_attachments(self, leaf_hash: str, reader: str | None = None) -> list[dict[str, Any]]:
        """Return the files that a statement names and one may have, by path; `attachment` is None until it is handed in."""
        path = f"/api/v1/statements/{leaf_hash}/attachments?{_query({'reader': reader})}"
        found: list[dict[str, Any]] = self._json("GET", path)
        return found

    def remove_attachment(self, digest: str, organisation: str | None = None) -> None:
        """Erase a file that one handed in, for good; the statement that names it stays."""
        path = f"/api/v1/attachments/{quote(digest, safe='')}?{_query({'organisation': organisation})}"
        self._checked(self._send("DELETE", path, None))

    def put_product(self, uri: str, name: str, unit: str, kind: str, organisation: str | None = None) -> None:
        """State a product of one's own: `kind` is pack, module, cell, material or component, `unit` what it is declared in."""
        body = {"uri": uri, "name": name, "unit": unit, "kind": kind, "organisation": organisation}
        self._json("PUT", "/api/v1/products", body)

    def products(self, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield one's products by URI."""
        return self._pages("/api/v1/products", "uri", organisation=organisation)

    def propose_part(
        self,
        customer: str,
        part: str,
        supplier: str,
        product: str,
        line: str | None = None,
        *,
        organisation: str | None = None,
    ) -> dict[str, Any]:
        """Propose to the other side that the customer's `part` is the supplier's `product`. Safe to repeat."""
        body = {"customer": customer, "part": part, "line": line, "supplier": supplier, "product": product}
        return self._object("POST", "/api/v1/parts", {**body, "organisation": organisation})

    def decide_part(self, part: str, *, confirm: bool, reason: str = "") -> dict[str, Any]:
        """Confirm or refuse a mapping that the other side proposed."""
        return self._object("POST", f"/api/v1/parts/{part}/decision", {"confirm": confirm, "reason": reason})

    def end_part(self, part: str) -> dict[str, Any]:
        """End a mapping, or take a proposal back."""
        return self._object("POST", f"/api/v1/parts/{part}/end")

    def parts(self, side: str, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the mappings of one's parts (`side` customer) or products (supplier)."""
        return self._pages("/api/v1/parts", "id", side=side, organisation=organisation)

    def ask(self, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Ask an organisation for data; the members of `wish` are in docs/requests.md. Safe to repeat where it has an `id`."""
        return self._object("POST", "/api/v1/requests", wish)

    def requests(self, box: str, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the requests of one's ``inbox`` or ``outbox``, newest first."""
        return self._pages("/api/v1/requests", "id", box=box, organisation=organisation)

    def request(self, request: str) -> dict[str, Any]:
        """Return a request with its answer."""
        return self._object("GET", f"/api/v1/requests/{request}")

    def answer(self, request: str, statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Answer by one's statements: `leaf_hash`, `paths` and perhaps `verification_paths` of each. Safe to repeat."""
        return self._object("POST", f"/api/v1/requests/{request}/answer", {"statements": list(statements)})

    def delegate(self, request: str, wish: Mapping[str, Any]) -> dict[str, Any]:
        """Pass a request on to the next tier; what `wish` leaves out is as in that request."""
        return self._object("POST", f"/api/v1/requests/{request}/delegate", wish)

    def decline(self, request: str, reason: str) -> dict[str, Any]:
        """Decline a request."""
        return self._object("POST", f"/api/v1/requests/{request}/decline", {"reason": reason})

    def accept(self, request: str) -> dict[str, Any]:
        """Say that an answer will come."""
        return self._object("POST", f"/api/v1/requests/{request}/accept")

    def remind(self, request: str) -> dict[str, Any]:
        """Remind the organisation that was asked, once a day at most."""
        return self._object("POST", f"/api/v1/requests/{request}/remind")

    def withdraw(self, request: str) -> dict[str, Any]:
        """Take a request back."""
        return self._object("POST", f"/api/v1/requests/{request}/withdraw")

    def let_be_named(self, request: str, *, named: bool) -> dict[str, Any]:
        """Let whoever asked first know, or no longer, that a request was passed on to oneself."""
        return self._object("PUT", f"/api/v1/requests/{request}/naming", {"named": named})

    def board(self, side: str, organisation: str | None = None, needed_for: str | None = None) -> dict[str, Any]:
        """Return what one waits for (`side` asker) or owes (asked): `counts`, and the first 200 `requests` by deadline."""
        given: dict[str, str | int | None] = {
            "side": side,
            "limit": _PAGE,
            "organisation": organisation,
            "needed_for": needed_for,
        }
        return self._object("GET", f"/api/v1/board?{_query(given)}")

    def pending(self, side: str, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield every request that one waits for (`side` asker) or owes an answer to (asked), by deadline."""
        after: str | None = None
        while True:
            given: dict[str, str | int | None] = {"side": side, "limit": _PAGE, "organisation": organisation}
            page = self._object("GET", f"/api/v1/board?{_query({**given, 'after': after})}")["requests"]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1]["id"]

    def propose_release(self, file: bytes, digest: str, **more: Any) -> dict[str, Any]:
        """Propose a factor release for review; `more`: `panel`, `accept`, `organisation`."""
        return self._object("POST", "/api/v1/factor-proposals", {"file": file.decode(), "digest": digest, **more})

    def proposals(self) -> Iterator[dict[str, Any]]:
        """Proposed factor releases, newest first."""
        return self._pages("/api/v1/factor-proposals", "id")

    def proposal(self, proposal: str, part: str = "") -> dict[str, Any]:
        """A proposed release; or its `part`: ``difference``, or the claims to sign for its ``publication`` or ``withdrawal``."""
        return self._object("GET", f"/api/v1/factor-proposals/{quote(proposal, safe='')}{'/' if part else ''}{part}")

    def proposal_file(self, proposal: str) -> bytes:
        """The file of a proposed, published or withdrawn release."""
        path = f"/api/v1/factor-proposals/{quote(proposal, safe='')}/file"
        return bytes(self._checked(self._send("GET", path, None)).content)

    def drop_proposal(self, proposal: str) -> dict[str, Any]:
        """Take a proposal back."""
        return self._object("POST", f"/api/v1/factor-proposals/{quote(proposal, safe='')}/drop")

    def effect(self, proposal: str) -> Iterator[dict[str, Any]]:
        """What a proposed release moves: one's own results, and now and then how far it is; in the last line `done` equals `total`."""
        path = f"/api/v1/factor-proposals/{quote(proposal, safe='')}/effect"
        try:
            with self._http.stream("GET", path) as answer:
                if not answer.is_success:
                    answer.read()
                self._checked(answer)
                yield from map(json.loads, answer.iter_lines())
        except (httpx2.HTTPError, ValueError) as error:
            what = f"the answer broke off: {error or type(error).__name__}"
            raise UnreachableError(what, where=str(self._http.base_url), remedy="ask again") from None

    def make_average(self, flow: str, region: str, year: int, unit: str | None = None) -> dict[str, Any]:
        """Make an edition of an industry average, as the operator; or learn by which rule it is `withheld`.

        `unit`: the one that is expected; refused where the footprints are per another.
        """
        body = {"flow": flow, "region": region, "year": year, "unit": unit}
        return self._object("POST", "/api/v1/industry-averages", body)

    def averages(self, flow: str | None = None) -> list[dict[str, Any]]:
        """Editions of industry averages."""
        found: list[dict[str, Any]] = self._json("GET", f"/api/v1/industry-averages?{_query({'flow': flow})}")
        return found

    def certificates(self) -> Iterator[dict[str, Any]]:
        """One's own retirements of certificates, newest first."""
        return self._pages("/api/v1/certificates", "index")

    def cover(self, organisation: str | None = None) -> list[dict[str, Any]]:
        """What was retired for each site and month, against what the site took from the grid in it."""
        found: list[dict[str, Any]] = self._json(
            "GET", f"/api/v1/certificates/cover?{_query({'organisation': organisation})}"
        )
        return found

    def register(self, size: int | None = None) -> dict[str, Any]:
        """The digest of the register of retired certificates at a size of the log."""
        return self._object("GET", f"/api/v1/retirement-register?{_query({'size': size})}")

    def duties(self, organisation: str | None = None) -> dict[str, Any]:
        """Return what one has to file, and how far one has come with the trial."""
        return self._object("GET", f"/api/v1/duties?{_query({'organisation': organisation})}")

    def filings(self, box: str, organisation: str | None = None, **given: str | None) -> Iterator[dict[str, Any]]:
        """Yield filings, page by page: one's own (`box` filer), those that one verifies, or all there are (authority)."""
        if box == "authority":
            yield from self._pages("/api/v1/authority/filings", "id", organisation=organisation, **given)
        else:
            yield from self._pages("/api/v1/filings", "id", box=box, organisation=organisation, **given)

    def filing(self, filing: str, part: str = "", organisation: str | None = None) -> Any:
        """Return a filing, or a `part` of it: ``statements``, ``reconciliation``."""
        return self._json(
            "GET", f"/api/v1/filings/{filing}{part and f'/{part}'}?{_query({'organisation': organisation})}"
        )

    def filing_export(self, filing: str, organisation: str | None = None) -> bytes:
        """Return the export of a filing for the designated platform."""
        path = f"/api/v1/filings/{filing}/export?{_query({'organisation': organisation})}"
        return bytes(self._checked(self._send("GET", path, None)).content)

    def draft_step(
        self, step: str, *, filing: str | None = None, product: str | None = None, organisation: str | None = None
    ) -> dict[str, Any]:
        """Return `kind` and `claims` of a step of a filing; `product` is what is registered."""
        if step == "register":
            return self._object(
                "GET", f"/api/v1/filings/draft?{_query({'product': product, 'organisation': organisation})}"
            )
        query = _query({"step": step, "organisation": organisation})
        return self._object("GET", f"/api/v1/filings/{filing}/draft?{query}")

    def engagements(self, box: str, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield verification engagements, page by page: those that one verifies in (`box` verifier), or of one's own filings (filer)."""
        yield from self._pages("/api/v1/engagements", "id", box=box, organisation=organisation)

    def engagement(self, engagement: str, part: str = "", organisation: str | None = None) -> Any:
        """Return an engagement, or a `part` of it: ``statements``, ``lines``, ``lines/N``, ``weighing``."""
        path = f"/api/v1/engagements/{engagement}{part and f'/{part}'}"
        return self._json("GET", f"{path}?{_query({'organisation': organisation})}")

    def findings(self, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the verifiers' findings that concern one's own data, oldest first."""
        return self._pages("/api/v1/engagements/findings", "index", organisation=organisation)

    def draft_engagement(self, engagement: str, step: str, organisation: str | None = None) -> dict[str, Any]:
        """Return `kind` and `claims` of a step of an engagement; ``conclude`` is the verification-statement."""
        query = _query({"step": step, "organisation": organisation})
        return self._object("GET", f"/api/v1/engagements/{engagement}/draft?{query}")

    def ask_sight(self, engagement: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask who signed an input of the result for the recipe behind it."""
        return self._object("POST", f"/api/v1/engagements/{engagement}/sights", body)

    def accredit(self, verifier: str, accreditations: object) -> dict[str, Any]:
        """State in the ledger, as the operator, what a verifier is accredited for."""
        return self._object("PUT", "/api/v1/accreditations", {"verifier": verifier, "accreditations": accreditations})

    def publish_status(self, filing: str, *, figure: bool, organisation: str | None = None) -> dict[str, Any]:
        """Make the status of a filing's model public, with its figure or without."""
        body = {"figure": figure, "organisation": organisation}
        return self._object("PUT", f"/api/v1/filings/{filing}/publication", body)

    def withdraw_status(self, filing: str, organisation: str | None = None) -> dict[str, Any]:
        """Take a public status back."""
        return self._object("DELETE", f"/api/v1/filings/{filing}/publication?{_query({'organisation': organisation})}")

    def public_status(self, publication: str) -> dict[str, Any]:
        """Return a model's public status with the same claims signed (`token`)."""
        return self._object("GET", f"/api/v1/public/models/{quote(publication, safe='')}")

    def public_status_list(self) -> dict[str, Any]:
        """Return the publications that were withdrawn or whose filing went back, while copies may still count, signed."""
        return self._object("GET", "/api/v1/public/status-list")

    def remarks(self, organisation: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the remarks of reviews that are for oneself as a maintainer of factors or rules."""
        return self._pages("/api/v1/remarks", "id", organisation=organisation)

    def authority(self, part: str, organisation: str | None = None) -> dict[str, Any]:
        """Return an authority's ``overview`` or ``trial-summary``."""
        return self._object("GET", f"/api/v1/authority/{part}?{_query({'organisation': organisation})}")

    def authority_list(
        self, part: str, organisation: str | None = None, **given: str | None
    ) -> Iterator[dict[str, Any]]:
        """Yield an authority's ``coverage`` by maker, or ``remarks`` by id."""
        key = "maker" if part == "coverage" else "id"
        yield from self._pages(f"/api/v1/authority/{part}", key, organisation=organisation, **given)

    def trial_summary_text(self, organisation: str | None = None) -> str:
        """Return the trial's summary in Markdown."""
        path = f"/api/v1/authority/trial-summary.md?{_query({'organisation': organisation})}"
        return str(self._checked(self._send("GET", path, None)).text)

    def erase(self, leaf_hash: str) -> int:
        """Erase what the exchange holds of one's own statement, for good; return the index of the entry that says so."""
        answer = self._json("POST", "/api/v1/erasures", {"leaf_hash": leaf_hash, "reason": "owner_request"})
        return int(answer["index"])

    def footprint(
        self, product: str, rule_set: str, reader: str, *, flow: str | None = None, releases: Sequence[str] = ()
    ) -> tuple[str, dict[str, Any]]:
        """Compute a footprint; return digest and document. `releases`: factor releases by digest, instead of the versions that count."""
        body: dict[str, Any] = {"product": product, "rule_set": rule_set, "reader": reader, "flow": flow}
        body |= {"releases": list(releases)} if releases else {}
        answer = self._json("POST", "/api/v1/footprints", body)
        return answer["digest"], answer["result"]

    def bill(self, product: str, reader: str | None = None) -> dict[str, Any]:
        """Return what a product holds and how each branch is known, as oneself or `reader` may see it."""
        return self._object("GET", f"/api/v1/bills?{_query({'product': product, 'reader': reader})}")

    def where_used(self, product: str, reader: str | None = None) -> dict[str, Any]:
        """Return the lines by which a product goes into others, and these into others again."""
        return self._object("GET", f"/api/v1/bills/uses?{_query({'product': product, 'reader': reader})}")

    def calculate(
        self, products: Iterable[str], rule_sets: Iterable[str], reader: str, *, flow: str | None = None
    ) -> str:
        """Have each product's footprint computed under each rule set, in the background; return the calculation's id."""
        demands = [{"product": product, "flow": flow} for product in products]
        body = {"reader": reader, "demands": demands, "rule_sets": list(rule_sets)}
        return str(self._json("POST", "/api/v1/calculations", body)["id"])

    def calculations(self) -> Iterator[dict[str, Any]]:
        """Yield the organisation's calculations, newest first."""
        yield from self._pages("/api/v1/calculations", "id")

    def follow(self, calculation: str, told: Callable[[dict[str, Any]], None] = lambda _state: None) -> dict[str, Any]:
        """Wait for the end of a calculation; return its state. `told` hears of each state on the way. Begin again with the same id."""
        pause = 0.25
        while True:
            found = self._object("GET", f"/api/v1/calculations/{quote(calculation, safe='')}?limit=1")
            told(found)
            if found["state"] not in {"waiting", "running"}:
                return found
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK)

    def outcomes(self, calculation: str) -> Iterator[dict[str, Any]]:
        """Yield what became of each demand of a calculation, in order: its `result`, or the `findings` that refuse it."""
        after: int | None = None
        while True:
            query = _query({"limit": _PAGE, "after": after})
            page = self._object("GET", f"/api/v1/calculations/{quote(calculation, safe='')}?{query}")
            yield from page["items"]
            after = page["after"]
            if after is None:
                return

    def cancel_calculation(self, calculation: str) -> dict[str, Any]:
        """End a calculation; the results that it has stay. Return its state."""
        return self._object("POST", f"/api/v1/calculations/{quote(calculation, safe='')}/cancel")

    def stale(self, digest: str) -> dict[str, Any]:
        """Return whether a result is `stale`, its `causes`, and the `effect` of recalculating it today."""
        return self._object("GET", f"/api/v1/footprints/{digest}/stale")

    def accept_effect(self, digest: str, effect: str) -> str:
        """Put the recalculated result in a stale one's place, by the `id` of the effect that was looked at; return its digest."""
        return str(self._json("POST", f"/api/v1/footprints/{digest}/accept", {"effect": effect})["digest"])

    def keep_stale(self, digest: str, reason: str) -> None:
        """Keep a stale result, for a reason."""
        self._checked(self._send("POST", f"/api/v1/footprints/{digest}/keep", {"reason": reason}))

    def cases(self) -> Iterator[dict[str, Any]]:
        """Yield the cases that concern one's organisation, newest first."""
        after: str | None = None
        while True:
            page = self._object("GET", f"/api/v1/cases?{_query({'limit': _PAGE, 'after': after})}")
            yield from page["cases"]
            after = page["after"]
            if after is None:
                return

    def case(self, case: str) -> dict[str, Any]:
        """Return a case: what it is `about`, its `state`, and one's own `sides`."""
        return self._object("GET", f"/api/v1/cases/{quote(case, safe='')}")

    def entry(self, leaf_hash: str) -> dict[str, Any]:
        """Return an entry: its `index`, `token`, `vct`, `issuer`, `issued_at`, and how far it has come."""
        return self._object("GET", f"/api/v1/entries?{_query({'leaf_hash': leaf_hash})}")

    def draft(self, digest: str) -> dict[str, Any]:
        """Return the form of a product-footprint by a result about a product of one's own: claims to check, then to sign."""
        found: dict[str, Any] = self._json("POST", f"/api/v1/footprints/{digest}/draft", {})
        return found

    def evidence(
        self, reader: str, results: Sequence[str], file: Path, *, seal: bool = False, attachments: bool = False
    ) -> None:
        """Write the evidence file of results, waiting until their entries are published (a second or so).

        `seal`: encrypted to the key that `reader` (URI) enrolled last. `attachments`: with the files that its statements name. The file is
        replaced once the new one is whole.
        """
        body = {"reader": reader, "results": list(results), "seal": seal, "attachments": attachments}
        part = file.with_name(f".{file.name}.part")
        for attempt in range(_RETRIES):
            try:
                self._download("/api/v1/evidence", body, part)
                break
            except AnswerError as error:
                if error.status != httpx2.codes.CONFLICT or attempt == _RETRIES - 1:
                    raise
                self._sleep(float(error.retry_after or "1") / 2)
        part.replace(file)

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

    def _pages(self, path: str, key: str, **given: str | None) -> Iterator[dict[str, Any]]:
        """Yield what a list holds, page by page; `key` is the member that names where a page ended."""
        after: str | None = None
        while True:
            page = self._json("GET", f"{path}?{_query({**given, 'limit': _PAGE, 'after': after})}")
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1][key]

    def _object(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        found: dict[str, Any] = self._json(method, path, body)
        return found

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._checked(self._send(method, path, body))
        try:
            return answer.json()
        except ValueError:
            raise UnreachableError("the answer is not JSON", where=path, remedy=_NOT_OURS) from None

    def _send(self, method: str, path: str, body: Any, streamed: Streamed | None = None) -> httpx2.Response:
        try:
            if streamed is not None:
                headers = {"Content-Type": "application/octet-stream", "Content-Length": str(streamed.size)}
                return self._http.request(method, path, content=streamed.content(), headers=headers)
            return self._http.request(method, path, json=body)
        except httpx2.HTTPError as error:
            what = f"no answer: {error or type(error).__name__}"
            raise UnreachableError(what, where=str(self._http.base_url), remedy=_NOT_OURS) from None

    def _download(self, path: str, body: Any, file: Path) -> None:
        """Write what is answered to a file, which is there only where it is whole."""
        try:
            with self._http.stream("POST", path, json=body) as answer:
                if not answer.is_success:
                    answer.read()
                    raise refused(answer)
                with file.open("wb") as to:
                    for data in answer.iter_bytes():
                        to.write(data)
        except httpx2.HTTPError as error:
            file.unlink(missing_ok=True)
            what = f"no answer, or not a whole one: {error or type(error).__name__}"
            raise UnreachableError(what, where=str(self._http.base_url), remedy=_NOT_OURS) from None

    @staticmethod
    def _checked(answer: httpx2.Response) -> httpx2.Response:
        if answer.is_success:
            return answer
        raise refused(answer)


def refused(answer: httpx2.Response) -> AnswerError:
    """Return the error that a refusal is."""
    return AnswerError(answer.status_code, problem_in(answer.content), answer.headers.get("retry-after"))


def _query(given: Mapping[str, str | int | None]) -> str:
    return urlencode({name: value for name, value in given.items() if value is not None})


def is_here(address: str) -> bool:
    """Whether an address is this machine's own."""
    host = httpx2.URL(address).host
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _subscription(subscription: str) -> str:
    return f"/api/v1/subscriptions/{quote(subscription, safe='')}"


def _terms(owner: str, reader: str, paths: Sequence[str], purpose: str, more: dict[str, Any]) -> dict[str, Any]:
    stated = {name: value for name, value in more.items() if value is not None}
    return {"owner": owner, "reader": reader, "paths": list(paths), "purpose": purpose, **stated}


def problem_in(body: bytes) -> dict[str, Any]:
    """Return the members of a refusal's body; none where it is no problem details."""
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}

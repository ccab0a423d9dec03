"""A company's own job at an exchange: a nightly program of a supplier or pack maker in a few lines. See docs/client.md.

`Partner` is a `Client` that gets its access tokens itself, tries again what passes by itself, and hands in many statements so that an
interrupted job goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import httpx2

from exchange.client import AnswerError, Client, Streamed, UnreachableError, is_here, refused
from exchange.errors import UsageError
from signer import citation_hash, peek, read_unverified, split_presentation

SECRET_VARIABLE: Final = "PACKTRACE_CLIENT_SECRET"  # noqa: S105 - its name
#: Lines and bytes of one request: its answers fit into what lies between us and the exchange while we still send.
PART_LINES: Final = 200
PART_BYTES: Final = 4 * 1024 * 1024
PATIENCE: Final = 600.0
_STREAM = "/api/v1/statements/stream"
_PASSES = frozenset({429, 502, 503, 504})
_LONGEST_PAUSE = 60.0
_EARLY = 30.0  # seconds before its end at which a token is renewed
_JOURNAL = "urn:packtrace:journal:1"
_SUFFIX = "*.sd-jwt"

Answer = TypeVar("Answer")
#: A statement to hand in: what it is called in outcomes, and its presentation.
Item = tuple[str, str]


class ClientCredentials(httpx2.Auth):
    """An API client's id and secret: access tokens are fetched, kept, and renewed before they end or when one is refused.

    Without `secret` it is what PACKTRACE_CLIENT_SECRET holds; UsageError where that is empty.
    """

    requires_response_body = True

    def __init__(
        self, client_id: str, secret: str | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        secret = secret if secret is not None else os.environ.get(SECRET_VARIABLE)
        if not secret:
            raise UsageError("no secret of the API client", where=SECRET_VARIABLE, remedy="set it, or pass `secret`")
        self._basic = httpx2.BasicAuth(client_id, secret)
        self._clock = clock
        self._token = ""
        self._until = -1.0

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send `request` with a token; once more with a fresh one where the exchange doesn't know it (it may have started anew)."""
        if self._clock() >= self._until:
            yield from self._fetch(request)
        request.headers["Authorization"] = f"Bearer {self._token}"
        answer = yield request
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            yield from self._fetch(request)
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _fetch(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        form = {"grant_type": "client_credentials"}
        asking = next(self._basic.auth_flow(httpx2.Request("POST", request.url.join("/oauth/token"), data=form)))
        answer = yield asking
        try:
            found = answer.json()
            if not answer.is_success:
                told = {"detail": f"no access token: {found.get('detail') or found.get('error')}"}
                told |= {"where": "client_id", "remedy": "check id and secret; an admin of your organisation made them"}
                raise AnswerError(answer.status_code, told, answer.headers.get("retry-after"))
            self._token, self._until = found["access_token"], self._clock() + float(found["expires_in"]) - _EARLY
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UnreachableError(
                "no access token in the answer", where=str(asking.url), remedy="check that an exchange runs there"
            ) from None


class MemberLogin(httpx2.Auth):
    """A member's e-mail address and password: logged in with the first request. Log out by `DELETE /api/v1/sessions`."""

    requires_response_body = True

    def __init__(self, email: str, password: str) -> None:
        self._who = {"email": email, "password": password}
        self._cookie = ""

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send `request` with the session's cookie."""
        if not self._cookie:
            answer = yield httpx2.Request("POST", request.url.join("/api/v1/sessions"), json=self._who)
            if not answer.is_success:
                raise refused(answer)
            self._cookie = "; ".join(f"{name}={value}" for name, value in httpx2.Cookies(answer.cookies).items())
        request.headers["Cookie"] = self._cookie
        # A write by cookie has to say that no page elsewhere made it; this program is no page.
        request.headers["Origin"] = f"{request.url.scheme}://{request.headers['host']}"
        yield request


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one statement: `verdict` is the exchange's line about it (docs/api.md)."""

    name: str
    verdict: dict[str, Any]


@dataclass(slots=True)
class Pushed:
    """How a push went: how many are admitted (of them, how many were there before), were `skipped` by the journal, are refused."""

    accepted: int = 0
    existed: int = 0
    skipped: int = 0
    refused: list[Outcome] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Take one more outcome into account."""
        if outcome.verdict["accepted"]:
            self.accepted += 1
            self.existed += int(outcome.verdict["existed"])
        else:
            self.refused.append(outcome)


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was answered by what was chosen for it; `refusal` where the exchange refuses the answer."""

    request: dict[str, Any]
    refusal: AnswerError | None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A stale result in short, what is `said` of it (docs/api.md, stale results), and the digest of the one `accepted` in its place."""

    result: dict[str, Any]
    said: dict[str, Any]
    accepted: str | None


#: Names one's statements for an answer: `leaf_hash` and `paths` of each, perhaps `verification_paths`. None leaves the request to people.
Choose = Callable[[dict[str, Any]], Sequence[Mapping[str, Any]] | None]


def has_figure(said: dict[str, Any]) -> bool:
    """Whether recalculating a stale result gives a figure today, and nothing is missing that was there before."""
    effect = said["effect"]
    return not effect["ask"] and (not effect["changed"] or (effect["after"] or {}).get("value") is not None)


class Partner(Client):
    """An exchange as one company's program sees it.

    `auth` is `ClientCredentials`, or a token (the data folder's, on the exchange's own machine). What passes by itself (429, 503, a lost
    connection) is tried again, after as long as Retry-After says, else after pauses that grow, until `patience` seconds have gone by.
    Every call raises AnswerError where the exchange refuses, UnreachableError where it can't be reached for that long.
    """

    def __init__(
        self,
        address: str,
        auth: httpx2.Auth | str,
        *,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(address, auth, sleep=sleep)
        if not is_here(address) and not address.startswith("https://"):
            raise UsageError("secrets go by https alone", where=address, remedy="give https://...")
        self._address = address.rstrip("/")
        self._patience = patience
        self._clock = clock

    def push(
        self,
        statements: Path | Iterable[Item],
        *,
        journal: Path | None = None,
        dry_run: bool = False,
        sealed: bool = False,
        told: Callable[[Outcome], None] = lambda _outcome: None,
    ) -> Pushed:
        """Hand in the statements of a folder (its *.sd-jwt files), or those given; return how it went.

        Refusals stop nothing: they are in the answer, and each outcome goes to `told` as it is known. With `journal`, a file that is
        made where there is none, what was admitted is written down and not sent again by the next push; else it is, which is safe.
        A `dry_run` has everything checked and nothing written, in the journal neither. `sealed` withholds all
        disclosures: they aren't sent.
        """
        items = read_folder(statements) if isinstance(statements, Path) else statements
        pushed = Pushed()

        def settle(outcome: Outcome) -> None:
            pushed.count(outcome)
            told(outcome)

        kept = _Journal(None, "") if dry_run or journal is None else _Journal(journal, self.log()["origin"])
        with kept:
            for part in self._parts(items, kept, pushed, settle):
                self._push_part(part, kept, settle, dry_run=dry_run, sealed=sealed)
        return pushed

    def answer_waiting(self, choose: Choose, organisation: str | None = None) -> list[Answered]:
        """Answer the requests that wait for an answer by the statements that `choose` names for each; return those it chose for.

        Only what is named is granted. A refusal stops nothing.
        """
        done = []
        for request in list(self.pending("asked", organisation)):
            named = choose(request)
            if not named:
                continue
            try:
                done.append(Answered(self.answer(request["id"], named), None))
            except AnswerError as error:
                done.append(Answered(request, error))
        return done

    def accept_stale(
        self, product: str | None = None, *, worth: Callable[[dict[str, Any]], bool] = has_figure
    ) -> list[Reviewed]:
        """Accept the effect of recalculating each stale result (of `product`, or all) where `worth` says so; return all that are stale.

        `worth` is told what the exchange says of the result: `causes`, and the `effect` with `before`, `after`, `difference`,
        `percent`. What it leaves, and what somebody else decided or changed meanwhile, waits for people.
        """
        found = []
        for result in self.results(product):
            said = self.stale(result["digest"])
            if not said["stale"]:
                continue
            accepted = None
            try:
                if worth(said):
                    accepted = self.accept_effect(result["digest"], said["effect"]["id"])
            except AnswerError as error:
                if error.status != httpx2.codes.CONFLICT:
                    raise
            found.append(Reviewed(result, said, accepted))
        return found

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request of the interface (docs/api.md) and return its answer; None where it has none."""
        answer = self._checked(self._send(method, f"/api/v1/{path}", body))
        return answer.json() if answer.content else None

    def results(self, product: str | None = None) -> list[dict[str, Any]]:
        """The organisation's newest results in short, of `product` or all."""
        found = self._pages("/api/v1/footprints", "digest", product=product)
        return sorted(found, key=lambda one: (one["product"], one["rule_set"], one["flow"] or ""))

    def pull(self, file: Path, reader: str, product: str | None = None) -> list[dict[str, Any]]:
        """Write the evidence file of the newest results (of `product`, or all) for `reader` (URI); return the results in short.

        The file is replaced once the new one is whole. Nothing is written where there is no result.
        """
        found = self.results(product)
        if found:
            self.evidence(reader, [one["digest"] for one in found], file)
        return found

    def _download(self, path: str, body: Any, file: Path) -> None:
        def once() -> None:
            super(Partner, self)._download(path, body, file)

        return self._patiently(once)

    def _send(self, method: str, path: str, body: Any, streamed: Streamed | None = None) -> httpx2.Response:
        def once() -> httpx2.Response:
            answer: httpx2.Response = super(Partner, self)._send(method, path, body, streamed)
            if answer.status_code in _PASSES:
                self._checked(answer)  # raises
            return answer

        return self._patiently(once)

    def _patiently(self, once: Callable[[], Answer]) -> Answer:
        """Do something until it works or fails for good."""
        until, pause = self._clock() + self._patience, 1.0
        while True:
            try:
                return once()
            except (AnswerError, UnreachableError) as error:
                after = pause
                if isinstance(error, AnswerError):
                    if error.status not in _PASSES:
                        raise
                    after = max(after, error.retry_after or 0.0)
                if self._clock() + after > until:
                    raise
            self._sleep(after)
            pause = min(2 * pause, _LONGEST_PAUSE)

    @staticmethod
    def _parts(
        items: Iterable[Item], kept: _Journal, pushed: Pushed, settle: Callable[[Outcome], None]
    ) -> Iterator[list[Item]]:
        part: list[Item] = []
        size = 0
        for name, presentation in items:
            if presentation in kept:
                pushed.skipped += 1
                continue
            if not presentation.isascii() or not presentation:
                settle(Outcome(name, _unreadable()))
                continue
            if part and (len(part) >= PART_LINES or size + len(presentation) > PART_BYTES):
                yield part
                part, size = [], 0
            part.append((name, presentation))
            size += len(presentation)
        if part:
            yield part

    def _push_part(
        self, part: list[Item], kept: _Journal, settle: Callable[[Outcome], None], *, dry_run: bool, sealed: bool
    ) -> None:
        """Send a part, and of it again what had no answer or may have another in a while."""

        def once() -> None:
            waiting: list[Item] = []
            error: AnswerError | None = None
            answered = 0
            try:
                verdicts = self._verdicts(part, dry_run=dry_run, sealed=sealed)
                for (name, presentation), verdict in zip(part, verdicts, strict=False):
                    answered += 1
                    if "retry_after" in verdict:
                        waiting.append((name, presentation))
                        error = AnswerError(verdict["status"], verdict, str(verdict["retry_after"]))
                        continue
                    if verdict["accepted"]:
                        kept.add(presentation, verdict)
                    settle(Outcome(name, verdict))
            finally:
                part[:] = [*waiting, *part[answered:]]
            if error is not None:
                raise error
            if part:
                raise UnreachableError("the answer ended early", where=self._address, remedy="send the rest again")

        self._patiently(once)

    def _verdicts(self, part: list[Item], *, dry_run: bool, sealed: bool) -> Iterator[dict[str, Any]]:
        body = b"".join(json.dumps(_line(presentation, sealed)).encode() + b"\n" for _name, presentation in part)
        path = f"{_STREAM}?dry_run=true" if dry_run else _STREAM
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            with self._http.stream("POST", path, content=body, headers=headers) as answer:
                if not answer.is_success:
                    answer.read()
                    self._checked(answer)
                for line in answer.iter_lines():
                    yield json.loads(line)
        except (httpx2.HTTPError, ValueError) as error:
            raise UnreachableError(
                f"no answer: {error or type(error).__name__}", where=self._address, remedy="send the rest again"
            ) from None


def _line(presentation: str, sealed: bool) -> dict[str, Any]:
    if not sealed:
        return {"statement": presentation}
    return {"statement": f"{presentation.partition('~')[0]}~", "sealed": True}


class _Journal:
    """What was admitted to one log, a JSON line each, the first of them naming the log."""

    def __init__(self, path: Path | None, log: str) -> None:
        self._known: set[str] = set()
        self._file = None
        if path is None:
            return
        head = {"journal": _JOURNAL, "log": log}
        lines = path.read_bytes().split(b"\n") if path.exists() else []
        if lines[:-1] and _read(lines[0]) != head:
            raise UsageError("the journal is of another log, or none", where=str(path), remedy="name another file")
        # What stands behind the last line feed was cut.
        self._known = {found["sha256"] for found in map(_read, lines[1:-1]) if "sha256" in found}
        self._file = path.open("ab")
        if lines and lines[-1]:
            self._file.truncate(sum(len(one) + 1 for one in lines[:-1]))
        if not lines[:-1]:
            self._write(head)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()

    def __contains__(self, presentation: str) -> bool:
        return bool(self._known) and _digest(presentation) in self._known

    def add(self, presentation: str, verdict: dict[str, Any]) -> None:
        if self._file is not None:
            digest = _digest(presentation)
            self._known.add(digest)
            self._write({"sha256": digest, "index": verdict["index"], "leaf_hash": verdict["leaf_hash"]})

    def _write(self, found: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(found).encode("ascii") + b"\n")
            self._file.flush()


def read_folder(folder: Path) -> Iterator[Item]:
    """Yield name and statement of each *.sd-jwt file of a folder, by name. UsageError where it is no folder."""
    if not folder.is_dir():
        raise UsageError("not a folder", where=str(folder), remedy=f"name the folder of your statements ({_SUFFIX})")
    return read_files(sorted(folder.glob(_SUFFIX)))


def newest_by_product(folder: Path, kind: str) -> dict[str, str]:
    """Return the leaf hash of the newest statement of `kind` (as ``product-footprint``) about each product, of a folder's *.sd-jwt files.

    It reads what the files say of themselves; the exchange checks it. SignerError for a file that is no statement.
    """
    newest: dict[str, tuple[datetime, str]] = {}
    for _name, presentation in read_folder(folder):
        token, disclosures = split_presentation(presentation)
        seen, said = peek(token), read_unverified(token, disclosures).disclosed
        if seen.vct != f"urn:packtrace:{kind}:1":
            continue
        outputs: Any = said.get("outputs", [])
        for product in {said.get("sub"), *(one.get("product") for one in outputs)}:
            if isinstance(product, str) and (product not in newest or newest[product][0] < seen.issued_at):
                newest[product] = seen.issued_at, citation_hash(token)
    return {product: leaf for product, (_at, leaf) in newest.items()}


def read_files(files: Iterable[Path]) -> Iterator[Item]:
    """Yield each file's name and statement; what isn't ASCII text yields text that no statement is. Raises OSError."""
    for file in files:
        yield str(file), file.read_bytes().decode("ascii", "replace").strip()


def read_lines(lines: Iterable[str]) -> Iterator[Item]:
    """Yield the statements of a text, one in each line, named by the lines' numbers."""
    for number, text in enumerate(lines, 1):
        if text.strip():
            yield f"line {number}", text.strip()


def _unreadable() -> dict[str, Any]:
    told = {"code": "not_text", "detail": "not a signed statement: it is empty, or isn't text", "where": "file"}
    return {"accepted": False, **told, "remedy": "name files that `packtrace attest` wrote"}


def _digest(presentation: str) -> str:
    return hashlib.sha256(presentation.encode()).hexdigest()


def _read(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

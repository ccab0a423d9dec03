"""A body of lines, each answered by a line while the body still comes: bounded in memory, in order, and fair to other submitters.

What came in one piece is judged together, and some pieces at once, so that they share commits; the next is read when there is room among
them. A reader of the answers who is slow thus slows the reading of the body. A stream takes part of the places that wait for a commit, and
where others took them it waits.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from anyio import Condition, Event, create_task_group, fail_after, sleep
from fastapi import Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from exchange.api.problems import refusal
from exchange.errors import MediaTypeError
from ledger import QueueFullError

log = logging.getLogger("packtrace.api")
LINES = "application/x-ndjson"
STREAM_PATH = "/api/v1/statements/stream"
MAX_STREAM_BYTES = 1024**3
MAX_LINE_BYTES = 6 * 1024 * 1024
#: Of one stream, judged and not yet answered: lines, and their bytes (one longer line may be alone).
LINES_AT_ONCE = 64
BYTES_AT_ONCE = 8 * 1024 * 1024
#: Seconds for which a sender may be silent, or a reader take nothing.
IDLE_SECONDS = 60.0
ASK_AGAIN_SECONDS = 5.0
_FULL_SECONDS = 30.0
_PAUSE = 0.1

#: Returns of each line what is told of it, or the error that it met. Raises QueueFullError where there is no place for all of them.
Judge = Callable[[Sequence[bytes]], Awaitable[Sequence[dict[str, Any] | Exception]]]
#: `status`, `code`, `detail`, `where`, `remedy`.
Refusal = dict[str, Any]


@dataclass(eq=False)
class _Part:
    """Lines in work that came together: their numbers from 1, what they hold or why it is refused, and the verdicts once they are there."""

    numbers: list[int] = field(default_factory=list)
    lines: list[bytes | Refusal] = field(default_factory=list)
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    judged: Event = field(default_factory=Event)

    @property
    def size(self) -> int:
        """How many bytes its lines hold."""
        return sum(map(_length, self.lines))


def _length(line: bytes | Refusal) -> int:
    return len(line) if isinstance(line, bytes) else 0


class _Cutter:
    """Cuts pieces of a body into lines, of which it keeps the last until the rest of it comes."""

    def __init__(self) -> None:
        self.number = 0
        self._kept = bytearray()
        self._too_long = False

    def lines(self, piece: bytes) -> list[tuple[int, bytes | Refusal]]:
        """Return number and bytes of the lines that end in this piece and aren't empty, or why they are refused."""
        *whole, rest = piece.split(b"\n")
        found: list[tuple[int, bytes | Refusal]] = []
        for part in whole:
            self._keep(part)
            self.number += 1
            if self._too_long:
                found.append((self.number, _TOO_LONG))
            elif self._kept.strip():
                found.append((self.number, bytes(self._kept)))
            self._kept.clear()
            self._too_long = False
        self._keep(rest)
        return found

    def _keep(self, part: bytes) -> None:
        self._too_long = self._too_long or len(self._kept) + len(part) > MAX_LINE_BYTES
        if self._too_long:
            self._kept.clear()
        else:
            self._kept += part

    @property
    def has_rest(self) -> bool:
        """Whether something is kept that no line feed has ended."""
        return bool(self._kept) or self._too_long


def _refused(status: int, code: str, what: str, remedy: str) -> Refusal:
    return {"status": status, "code": code, "detail": what, "where": "line", "remedy": remedy}


_TOO_LONG = _refused(413, "too_large", f"the line has more than {MAX_LINE_BYTES} bytes", "split the statement")
_TOO_MUCH = _refused(413, "too_large", f"the stream has more than {MAX_STREAM_BYTES} bytes", "send the rest anew")
_SILENT = _refused(408, "silent", f"nothing came for {IDLE_SECONDS:g} seconds", "send this line and the rest anew")
_CUT = _refused(400, "cut", "the line has no line feed at its end: it was cut", "send the line whole")
_OUT = _refused(401, "unauthenticated", "who sends this may do so no longer", "get a new token, send the rest anew")
_INTERNAL = _refused(500, "internal", "an error on our side; nothing was written", "try again; tell the operator")


def check_media_type(headers: Headers) -> None:
    """Check that a body says to be of lines, or says nothing of what it is. Raises MediaTypeError."""
    # What a form or one JSON document holds would be refused line by line, none of which says what is wrong.
    stated = headers.get("content-type")
    if stated is not None and stated.partition(";")[0].strip().lower() != LINES:
        raise MediaTypeError(
            "a stream is sent in lines of JSON, which this Content-Type doesn't say",
            where="Content-Type",
            remedy=f"send Content-Type: {LINES}, a JSON object and a line feed for each statement",
        )


class VerdictStream(Response):
    """Answers each line of the request's body with what `judge` says of it, or why it is refused; `most` lines at once are with `judge`.

    `still_may` is asked now and then whether the sender may go on.
    """

    media_type = LINES

    def __init__(
        self,
        judge: Judge,
        still_may: Callable[[], Awaitable[bool]],
        *,
        most: int = LINES_AT_ONCE,
        status_code: int = 200,
    ) -> None:
        super().__init__(status_code=status_code)
        del self.headers["content-length"]
        self._judge = judge
        self._still_may = still_may
        self._most = min(most, LINES_AT_ONCE)
        self._parts: deque[_Part] = deque()
        self._lines = self._bytes = 0
        self._changed = Condition()
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request. It ends with its body, or with whoever sends or reads it."""
        del scope
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with create_task_group() as group:
            group.start_soon(self._answer, send)
            async for piece in self._read(receive):
                for part in self._cut(piece):
                    await self._enter(part)
                    group.start_soon(self._work, part)
            async with self._changed:
                self._ended = True
                self._changed.notify_all()

    async def _read(self, receive: Receive) -> AsyncIterator[list[tuple[int, bytes | Refusal]]]:
        """Yield the lines that each piece of the body brings, as `_Cutter` tells them; after some refusals nothing more is read."""
        cut, read, asked = _Cutter(), 0, time.monotonic()
        more = True
        while more:
            try:
                with fail_after(IDLE_SECONDS):
                    message = await receive()
            except TimeoutError:
                yield [(cut.number + 1, _SILENT)]
                return
            if message["type"] == "http.disconnect":
                return  # nobody is there to be answered; what came whole is admitted
            more = message.get("more_body", False)
            if time.monotonic() - asked > ASK_AGAIN_SECONDS:
                asked = time.monotonic()
                if not await self._still_may():
                    yield [(cut.number + 1, _OUT)]
                    return
            data: bytes = message.get("body", b"")
            read += len(data)
            if read > MAX_STREAM_BYTES:
                yield [(cut.number + 1, _TOO_MUCH)]
                return
            if lines := cut.lines(data):
                yield lines
        if cut.has_rest:
            yield [(cut.number + 1, _CUT)]

    def _cut(self, piece: Sequence[tuple[int, bytes | Refusal]]) -> Iterator[_Part]:
        """Cut a piece into parts of which each finds room."""
        part = _Part()
        for number, line in piece:
            if part.lines and (len(part.lines) >= self._most or part.size + _length(line) > BYTES_AT_ONCE):
                yield part
                part = _Part()
            part.numbers.append(number)
            part.lines.append(line)
        yield part

    async def _enter(self, part: _Part) -> None:
        """Let a part join those in work once there is room."""
        async with self._changed:
            while self._parts and (
                self._lines + len(part.lines) > self._most or self._bytes + part.size > BYTES_AT_ONCE
            ):
                await self._changed.wait()
            self._parts.append(part)
            self._lines += len(part.lines)
            self._bytes += part.size
            self._changed.notify_all()

    async def _work(self, part: _Part) -> None:
        """Judge the lines of a part. Where the queue for the commit is full, a place is waited for."""
        found = await self._judged([line for line in part.lines if isinstance(line, bytes)])
        outcomes = iter(found)
        for number, line in zip(part.numbers, part.lines, strict=True):
            outcome = next(outcomes) if isinstance(line, bytes) else line
            if isinstance(outcome, Exception):
                outcome = _refusal_of(outcome)
                accepted = False
            else:
                accepted = isinstance(line, bytes)
            part.verdicts.append({"line": number, "accepted": accepted, **outcome})
        part.judged.set()

    async def _judged(self, lines: Sequence[bytes]) -> Sequence[dict[str, Any] | Exception]:
        until = time.monotonic() + _FULL_SECONDS
        while lines:
            try:
                return await self._judge(lines)
            except Exception as error:  # noqa: BLE001 - it is these lines' answer, and the rest goes on
                if isinstance(error, QueueFullError) and time.monotonic() < until:
                    await sleep(_PAUSE)
                    continue
                return [error] * len(lines)
        return []

    async def _answer(self, send: Send) -> None:
        """Send verdicts in the order of the lines, as they come, those that are ready in one piece."""
        while True:
            async with self._changed:
                while not self._parts and not self._ended:
                    await self._changed.wait()
                if not self._parts:
                    break
                first = self._parts[0]
            await first.judged.wait()
            done: list[dict[str, Any]] = []
            async with self._changed:
                while self._parts and self._parts[0].judged.is_set():
                    part = self._parts.popleft()
                    self._lines -= len(part.lines)
                    self._bytes -= part.size
                    done += part.verdicts
                self._changed.notify_all()
            # Escaped to ASCII: what a sender wrote is quoted, and may hold half a character.
            body = "".join(json.dumps(one, allow_nan=False) + "\n" for one in done).encode("ascii")
            with fail_after(IDLE_SECONDS):
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _refusal_of(error: Exception) -> Refusal:
    found = refusal(error)
    if found is None:
        log.error("unforeseen error at a line of a stream", exc_info=error)
    return found or _INTERNAL

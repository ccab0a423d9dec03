"""A body of lines, each answered by a line while the body still comes: bounded in memory, in order, and fair to other submitters.

Some lines are judged at once, so that they share commits; the next is read when there is room among them. A reader of the answers who is
slow thus slows the reading of the body. A stream takes part of the places that wait for a commit, and where others took them it waits.
"""

from __future__ import annotations

import json
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from anyio import CapacityLimiter, Condition, Event, create_task_group, fail_after, sleep, to_thread
from fastapi import Response
from starlette.types import Receive, Scope, Send

from exchange.api.problems import refusal
from ledger import QueueFullError

log = logging.getLogger("packtrace.api")
LINES = "application/x-ndjson"
STREAM_PATH = "/api/v1/statements/stream"
MAX_STREAM_BYTES = 1024**3
MAX_LINE_BYTES = 6 * 1024 * 1024
#: Of one stream, judged and not yet answered: lines, and their bytes (one longer line may be alone).
LINES_AT_ONCE = 8
BYTES_AT_ONCE = 8 * 1024 * 1024
#: Seconds for which a sender may be silent, or a reader take nothing.
IDLE_SECONDS = 60.0
ASK_AGAIN_SECONDS = 5.0
_FULL_SECONDS = 30.0
_PAUSE = 0.1

Judge = Callable[[bytes], dict[str, Any]]
#: `status`, `code`, `detail`, `where`, `remedy`.
Refusal = dict[str, Any]


@dataclass(eq=False)
class _Line:
    """A line in work: its number from 1, how many bytes it holds, and its verdict once there is one."""

    number: int
    size: int
    verdict: dict[str, Any] = field(default_factory=dict)
    judged: Event = field(default_factory=Event)

    def accept(self, found: dict[str, Any]) -> None:
        """Settle that it is in."""
        self.verdict = {"line": self.number, "accepted": True, **found}
        self.judged.set()

    def refuse(self, found: Refusal) -> None:
        """Settle that nothing of it is written."""
        self.verdict = {"line": self.number, "accepted": False, **found}
        self.judged.set()


def _refused(status: int, code: str, what: str, remedy: str) -> Refusal:
    return {"status": status, "code": code, "detail": what, "where": "line", "remedy": remedy}


_TOO_LONG = _refused(413, "too_large", f"the line has more than {MAX_LINE_BYTES} bytes", "split the statement")
_TOO_MUCH = _refused(413, "too_large", f"the stream has more than {MAX_STREAM_BYTES} bytes", "send the rest anew")
_SILENT = _refused(408, "silent", f"nothing came for {IDLE_SECONDS:g} seconds", "send this line and the rest anew")
_CUT = _refused(400, "cut", "the line has no line feed at its end: it was cut", "send the line whole")
_OUT = _refused(401, "unauthenticated", "who sends this may do so no longer", "get a new token, send the rest anew")
_INTERNAL = _refused(500, "internal", "an error on our side; nothing was written", "try again; tell the operator")


class VerdictStream(Response):
    """Answers each line of the request's body with what `judge` says of it, in a thread of `threads`, or why it is refused.

    `still_may` is asked now and then whether the sender may go on.
    """

    media_type = LINES

    def __init__(
        self, judge: Judge, still_may: Callable[[], Awaitable[bool]], threads: CapacityLimiter, status_code: int = 200
    ) -> None:
        super().__init__(status_code=status_code)
        del self.headers["content-length"]
        self._judge = judge
        self._still_may = still_may
        self._threads = threads
        self._lines: deque[_Line] = deque()
        self._bytes = 0
        self._changed = Condition()
        self._ended = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request. It ends with its body, or with whoever sends or reads it."""
        del scope
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with create_task_group() as group:
            group.start_soon(self._answer, send)
            async for number, data in self._read(receive):
                line = _Line(number, len(data) if isinstance(data, bytes) else 0)
                await self._enter(line)
                if isinstance(data, bytes):
                    group.start_soon(self._work, line, data)
                else:
                    line.refuse(data)
            async with self._changed:
                self._ended = True
                self._changed.notify_all()

    async def _read(self, receive: Receive) -> AsyncIterator[tuple[int, bytes | Refusal]]:
        """Yield number and bytes of each line that isn't empty, or why it is refused; after some refusals nothing more is read."""
        kept, too_long, number, read, asked = bytearray(), False, 0, 0, time.monotonic()
        more = True
        while more:
            try:
                with fail_after(IDLE_SECONDS):
                    message = await receive()
            except TimeoutError:
                yield number + 1, _SILENT
                return
            if message["type"] == "http.disconnect":
                return  # nobody is there to be answered; what came whole is admitted
            more = message.get("more_body", False)
            if time.monotonic() - asked > ASK_AGAIN_SECONDS:
                asked = time.monotonic()
                if not await self._still_may():
                    yield number + 1, _OUT
                    return
            data: bytes = message.get("body", b"")
            read += len(data)
            if read > MAX_STREAM_BYTES:
                yield number + 1, _TOO_MUCH
                return
            *whole, rest = data.split(b"\n")
            for part in whole:
                number += 1
                too_long = too_long or len(kept) + len(part) > MAX_LINE_BYTES
                line = bytes(kept) + part
                kept.clear()
                if too_long:
                    yield number, _TOO_LONG
                elif line.strip():
                    yield number, line
                too_long = False
            too_long = too_long or len(kept) + len(rest) > MAX_LINE_BYTES
            if too_long:
                kept.clear()
            else:
                kept += rest
        if kept or too_long:
            yield number + 1, _CUT

    async def _enter(self, line: _Line) -> None:
        """Let a line join those in work once there is room."""
        async with self._changed:
            while len(self._lines) >= LINES_AT_ONCE or (self._lines and self._bytes + line.size > BYTES_AT_ONCE):
                await self._changed.wait()
            self._lines.append(line)
            self._bytes += line.size
            self._changed.notify_all()

    async def _work(self, line: _Line, data: bytes) -> None:
        """Judge one line. Where the queue for the commit is full, its place is waited for."""
        until = time.monotonic() + _FULL_SECONDS
        while True:
            try:
                verdict = await to_thread.run_sync(self._judge, data, limiter=self._threads)
            except Exception as error:  # a line's error is its answer, and the rest goes on
                if isinstance(error, QueueFullError) and time.monotonic() < until:
                    await sleep(_PAUSE)
                    continue
                found = refusal(error)
                if found is None:
                    log.exception("unforeseen error at a line of a stream", exc_info=error)
                line.refuse(found or _INTERNAL)
            else:
                line.accept(verdict)
            return

    async def _answer(self, send: Send) -> None:
        """Send verdicts in the order of the lines, as they come, several that are ready in one piece."""
        while True:
            async with self._changed:
                while not self._lines and not self._ended:
                    await self._changed.wait()
                if not self._lines:
                    break
                first = self._lines[0]
            await first.judged.wait()
            done = []
            async with self._changed:
                while self._lines and self._lines[0].judged.is_set():
                    done.append(self._lines.popleft())
                    self._bytes -= done[-1].size
                self._changed.notify_all()
            # Escaped to ASCII: what a sender wrote is quoted, and may hold half a character.
            body = "".join(json.dumps(one.verdict, allow_nan=False) + "\n" for one in done).encode("ascii")
            with fail_after(IDLE_SECONDS):
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

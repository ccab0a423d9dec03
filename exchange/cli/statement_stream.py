"""``packtrace statement verify-all``: a stream of statements, one in each line, on all cores. Memory is that of a few of them."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from exchange.cli.anchors import read_trust
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, REJECTED, UNDECIDABLE, say, tell
from exchange.cli.statement import MAX_STATEMENT_BYTES, judged, statement_in

if TYPE_CHECKING:
    from exchange.trust import TrustFile

_CHUNK = 64
_EVERY = 10_000
Line = tuple[int, bytes]
Verdict = tuple[int, dict[str, Any]]


def run_verify_all(source: str, trust: Path, jobs: int | None) -> int:
    """Verify the statements in a file or (``-``) the input; print a JSON object for each, in order; return the exit code."""

    def command() -> int:
        from datetime import UTC, datetime

        anchors = read_trust(trust)
        anchors.check_current(datetime.now(UTC))
        counted: Counter[int] = Counter()
        with nullcontext(sys.stdin.buffer) if source == "-" else Path(source).open("rb") as file:
            for code, members in verdicts(_lines(file), anchors, jobs or len(os.sched_getaffinity(0))):
                counted[code] += 1
                say(json.dumps(members))
                if counted.total() % _EVERY == 0:
                    tell(f"{counted.total()} statements ...")
        said = {DONE: "verified", REJECTED: "rejected", UNDECIDABLE: "not decidable"}
        tell(", ".join(f"{counted[code]} {word}" for code, word in said.items()))
        return next((code for code in (REJECTED, UNDECIDABLE) if counted[code]), DONE)

    return guarded(command)


def verdicts(lines: Iterable[Line], anchors: TrustFile, jobs: int) -> Iterator[Verdict]:
    """Yield exit code and verdict on each line, in order, by `jobs` processes; no more lines are held than these are at work on."""
    chunks = iter(partial(_chunk, iter(lines)), [])
    if jobs == 1:
        for chunk in chunks:
            yield from _judged(chunk, anchors)
        return
    waiting: deque[Future[list[Verdict]]] = deque()
    # Fresh processes: nothing of this one is theirs but the trust file.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _take_trust, (anchors.document(),)) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_at_work, chunk))
            if len(waiting) > 2 * jobs:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


_TRUST: list[TrustFile] = []


def _take_trust(document: bytes) -> None:
    from exchange.trust import TrustFile

    _TRUST[:] = [TrustFile.read(document)]


def _at_work(chunk: list[Line]) -> list[Verdict]:
    return _judged(chunk, _TRUST[0])


def _judged(chunk: list[Line], anchors: TrustFile) -> list[Verdict]:
    found = []
    for number, data in chunk:
        code, members = judged(partial(statement_in, data, f"line {number}"), anchors)
        # What nobody knows without the ledger is the same for all: it is told by `statement verify`.
        members = {name: value for name, value in members.items() if name != "limits"}
        found.append((code, {"line": number, **members}))
    return found


def _chunk(lines: Iterator[Line]) -> list[Line]:
    return list(islice(lines, _CHUNK))


def _lines(file: IO[bytes]) -> Iterator[Line]:
    """Yield each line with its number; of one that is too long no more than shows that. Empty ones are passed over."""
    number = 0
    while data := file.readline(MAX_STATEMENT_BYTES + 2):
        number += 1
        rest = data
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(MAX_STATEMENT_BYTES)
        if data.strip():
            yield number, data

"""What comes while a batch is at work is the next batch: one look at the keys, one transaction and one change of threads for all of it.

The waiting is done by event loops, the work by a thread; what is large has a thread of its own, so that what is small doesn't wait behind
it. Places are bounded, and half of them at most are for streams: who sends one statement always finds one.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop, Future, get_running_loop
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ledger import QueueFullError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
#: Of one batch: the first in it waits for the last.
MOST = 64
#: Bytes from which a group of items is large.
LARGE = 128 * 1024


@dataclass(eq=False)
class _Group(Generic[Item, Outcome]):
    """Items that came together, and the loop that waits for what becomes of them."""

    items: Sequence[Item]
    streamed: bool
    loop: AbstractEventLoop
    future: Future[list[Outcome | Exception]]


@dataclass(eq=False)
class _Lane(Generic[Item, Outcome]):
    """Groups that wait for one thread, which comes with the first and goes when none is left."""

    waiting: deque[_Group[Item, Outcome]] = field(default_factory=deque)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "intake"))
    at_work: bool = False


class Queue(Generic[Item, Outcome]):
    """Hands what came to `run`, which returns an outcome or an error for each item, in order."""

    def __init__(self, run: Callable[[Sequence[Item]], Sequence[Outcome | Exception]], *, capacity: int) -> None:
        self._run = run
        self.capacity = capacity
        self._lock = threading.Lock()  # over what follows
        self._lanes: tuple[_Lane[Item, Outcome], ...] = (_Lane(), _Lane())
        self.unanswered = 0
        self._streamed = 0

    @property
    def share_of_streams(self) -> int:
        """How many places all streams together may take."""
        return max(1, self.capacity // 2)

    def enter(self, items: Sequence[Item], size: int, *, streamed: bool = False) -> Future[list[Outcome | Exception]]:
        """Let items (of `size` bytes together) wait for their turn; the future holds their outcomes, in order.

        Whoever stops waiting stops nothing. Raises QueueFullError where there is no place for all of them: then none is taken.
        """
        loop = get_running_loop()
        group = _Group[Item, Outcome](items, streamed, loop, loop.create_future())
        lane = self._lanes[size >= LARGE]
        with self._lock:
            self._take_places(len(items), streamed=streamed)
            lane.waiting.append(group)
            starts, lane.at_work = not lane.at_work, True
        if starts:
            lane.pool.submit(self._work, lane)
        return group.future

    def _take_places(self, count: int, *, streamed: bool) -> None:
        over = self.unanswered + count > self.capacity
        if over or (streamed and self._streamed + count > self.share_of_streams):
            raise QueueFullError(
                f"{self.capacity} submissions wait already", where="queue", remedy="send it again in a second"
            )
        self.unanswered += count
        self._streamed += count if streamed else 0

    def _work(self, lane: _Lane[Item, Outcome]) -> None:
        """Work until nothing waits."""
        while groups := self._next(lane):
            items = [item for group in groups for item in group.items]
            try:
                outcomes = list(self._run(items))
            except Exception as error:  # noqa: BLE001 - each is told so; a thread that died would leave them waiting
                outcomes = [error] * len(items)
            self._answer(groups, outcomes)

    def _next(self, lane: _Lane[Item, Outcome]) -> list[_Group[Item, Outcome]]:
        groups: list[_Group[Item, Outcome]] = []
        count = 0
        with self._lock:
            while lane.waiting and (not groups or count + len(lane.waiting[0].items) <= MOST):
                groups.append(lane.waiting.popleft())
                count += len(groups[-1].items)
            lane.at_work = bool(groups)
        return groups

    def _answer(self, groups: Sequence[_Group[Item, Outcome]], outcomes: Sequence[Outcome | Exception]) -> None:
        with self._lock:
            self.unanswered -= len(outcomes)
            self._streamed -= sum(len(group.items) for group in groups if group.streamed)
        # One call into each loop: each would wake it, and take the interpreter from this thread.
        settled: dict[AbstractEventLoop, list[tuple[Future[list[Outcome | Exception]], list[Outcome | Exception]]]] = {}
        start = 0
        for group in groups:
            mine = list(outcomes[start : start + len(group.items)])
            settled.setdefault(group.loop, []).append((group.future, mine))
            start += len(group.items)
        for loop, pairs in settled.items():
            with suppress(RuntimeError):  # the loop has ended, and nobody waits there
                loop.call_soon_threadsafe(_settle, pairs)


def _settle(pairs: Sequence[tuple[Future[list[Outcome | Exception]], list[Outcome | Exception]]]) -> None:
    for future, outcomes in pairs:
        if not future.done():
            future.set_result(outcomes)

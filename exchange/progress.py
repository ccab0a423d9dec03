"""How far an entry has come: sequenced, published, witnessed; and waiting for it.

- `sequenced`: committed, at an index that no other entry will have; every submission is answered with at least this.
- `published`: a checkpoint that covers the entry is in the published log, and so are all its tiles.
- `witnessed`: the witnesses of the log's policy cosigned such a checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from anyio import sleep, to_thread

from exchange.errors import NoWitnessesError

State = Literal["sequenced", "published", "witnessed"]
#: Seconds that a wait lasts at most: what the exchange promises for each state.
PATIENCE: Mapping[State, float] = {"sequenced": 0, "published": 10, "witnessed": 60}
_RANK: Mapping[State, int] = {state: rank for rank, state in enumerate(PATIENCE)}
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Reached:
    """The state of an entry, and the size of the checkpoint that gives it; 0 while it is only sequenced."""

    state: State
    size: int


class Progress:
    """Asks how far the log was published and witnessed, however many wait, every 50 ms at most.

    `published` and `witnessed` return the size of the newest such checkpoint, 0 before the first; `witnessed` is None for a log
    without witnesses.
    """

    def __init__(self, published: Callable[[], int], witnessed: Callable[[], int] | None = None) -> None:
        self._published = published
        self._witnessed = witnessed
        self._asked = -_PAUSE
        self._sizes = (0, 0)

    def check(self, wanted: State) -> None:
        """Check that entries of this log can come that far. Raises NoWitnessesError."""
        if wanted == "witnessed" and self._witnessed is None:
            raise NoWitnessesError(
                "the log has no witnesses, so nothing becomes witnessed", where="wait", remedy="wait for `published`"
            )

    def reached(self, index: int) -> Reached:
        """How far the entry at `index`, which is in the log, has come."""
        if self._is_due():
            self._ask()
        return self._known(index)

    async def wait(self, index: int, wanted: State) -> Reached:
        """Wait until the entry has come as far as `wanted` or PATIENCE is over; return how far it has come."""
        until = time.monotonic() + PATIENCE[wanted]
        while True:
            if self._is_due():
                await to_thread.run_sync(self._ask)
            found = self._known(index)
            if _RANK[found.state] >= _RANK[wanted] or time.monotonic() >= until:
                return found
            await sleep(_PAUSE)

    def _is_due(self) -> bool:
        """Whether the caller has to ask; those who come meanwhile go by what is known."""
        now = time.monotonic()
        due = now - self._asked >= _PAUSE
        if due:
            self._asked = now
        return due

    def _ask(self) -> None:
        self._sizes = (self._published(), 0 if self._witnessed is None else self._witnessed())

    def _known(self, index: int) -> Reached:
        published, witnessed = self._sizes
        if index < witnessed:
            return Reached("witnessed", witnessed)
        return Reached("published", published) if index < published else Reached("sequenced", 0)

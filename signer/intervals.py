"""When an entry was logged: an interval between timestamped checkpoints. A clock of ours is not asked.

A checkpoint of size n that existed at a time holds the entries 0 to n - 1: these are no younger than the timestamp. An
entry that it does not hold is no older, as far as the log had its newest checkpoint stamped. Where another timestamp
shows that the log was larger by then, the smaller checkpoint was an old one, and says nothing about younger entries.
"""

import dataclasses
import itertools
from collections.abc import Iterable
from datetime import datetime
from typing import Self

from signer.certificates import require_aware
from signer.errors import BadIntervalError
from signer.timestamps import Timestamp


@dataclasses.dataclass(frozen=True)
class StampedCheckpoint:
    """A checkpoint of `size` entries, seen by somebody independent between `earliest` and `latest` (aware datetimes)."""

    size: int
    earliest: datetime
    latest: datetime

    def __post_init__(self) -> None:
        if self.size < 0 or require_aware(self.earliest, "earliest") > require_aware(self.latest, "latest"):
            raise _bad_interval("a negative size, or an end before the start")

    @classmethod
    def timestamped(cls, size: int, timestamp: Timestamp) -> Self:
        """By RFC 3161; whoever calls has compared the timestamp's digest with the checkpoint's."""
        return cls(size, timestamp.earliest, timestamp.latest)

    @classmethod
    def witnessed(cls, size: int, at: datetime) -> Self:
        """By a witness's cosignature, which states the time."""
        return cls(size, at, at)


@dataclasses.dataclass(frozen=True)
class Interval:
    """From `earliest` to `latest`, both included (aware datetimes); None where nothing bounds that side."""

    earliest: datetime | None = None
    latest: datetime | None = None

    def __post_init__(self) -> None:
        bounds = [require_aware(bound, "interval") for bound in (self.earliest, self.latest) if bound is not None]
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise _bad_interval("it ends before it starts")

    def __str__(self) -> str:
        after, before = (f"{bound:%Y-%m-%dT%H:%M:%S%z}" if bound else "open" for bound in (self.earliest, self.latest))
        return f"{after} to {before}"


def interval_of(index: int, stamped: Iterable[StampedCheckpoint]) -> Interval:
    """The interval in which the entry at `index` was logged, by these checkpoints of its log, in any order.

    Open on a side where no checkpoint bounds it. Raises BadIntervalError for a negative index.
    """
    if index < 0:
        raise _bad_interval("a negative index")
    earliest: datetime | None = None
    latest: datetime | None = None
    larger_by: datetime | None = None  # when the log was larger than the checkpoints at hand, at the latest
    by_size = sorted(stamped, key=lambda one: one.size, reverse=True)
    for size, group in itertools.groupby(by_size, key=lambda one: one.size):
        same_size = list(group)
        if size <= index:
            newest = [one.earliest for one in same_size if larger_by is None or one.earliest <= larger_by]
            earliest = max([*newest, *([earliest] if earliest else [])], default=None)
        larger_by = min([*(one.latest for one in same_size), *([larger_by] if larger_by else [])])
        if size > index:
            latest = larger_by
    return Interval(earliest, latest)


def _bad_interval(what: str) -> BadIntervalError:
    return BadIntervalError(what, where="interval", remedy="check sizes and times")

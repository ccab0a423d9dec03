"""The interval of an entry between the checkpoints that somebody independent has seen."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer import BadIntervalError, Interval, NaiveTimeError, StampedCheckpoint, Timestamp, interval_of

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return DAY + timedelta(days=number)


def seen(size: int, number: int) -> StampedCheckpoint:
    return StampedCheckpoint.witnessed(size, day(number))


DAILY = [seen(5, 1), seen(9, 2), seen(9, 3), seen(20, 4)]


@pytest.mark.parametrize(
    ("index", "earliest", "latest"),
    [(0, None, 1), (4, None, 1), (5, 1, 2), (8, 1, 2), (9, 3, 4), (19, 3, 4), (20, 4, None), (500, 4, None)],
)
def test_an_entry_lies_between_the_checkpoints_around_it(index: int, earliest: int | None, latest: int | None) -> None:
    bounds = [None if bound is None else day(bound) for bound in (earliest, latest)]
    assert interval_of(index, DAILY) == Interval(*bounds)
    assert interval_of(index, reversed(DAILY)) == Interval(*bounds)


def test_without_checkpoints_it_is_open() -> None:
    assert interval_of(3, []) == Interval(None, None)
    assert str(Interval(None, day(1))) == "open to 2026-03-02T00:00:00+0000"


def test_the_earliest_sight_of_an_entry_counts() -> None:
    assert interval_of(3, [seen(9, 5), seen(4, 7)]).latest == day(5)


def test_an_old_checkpoint_stamped_late_makes_no_entry_younger() -> None:
    """The log had 20 entries on day 2: stamping its checkpoint of size 5 on day 9 says nothing about entry 7."""
    assert interval_of(7, [seen(20, 2), seen(5, 9)]) == Interval(None, day(2))
    assert interval_of(7, [seen(20, 2), seen(6, 1), seen(5, 9)]) == Interval(day(1), day(2))
    # Nor where both are smaller than the entry asked for.
    assert interval_of(30, [seen(20, 2), seen(5, 9)]) == Interval(day(2), None)


def test_an_accuracy_widens_the_interval() -> None:
    timestamp = Timestamp(bytes(32), day(3) - timedelta(hours=1), day(3) + timedelta(hours=1), "00" * 32)
    stamped = [StampedCheckpoint.timestamped(4, timestamp)]
    assert interval_of(3, stamped) == Interval(None, day(3) + timedelta(hours=1))
    assert interval_of(4, stamped) == Interval(day(3) - timedelta(hours=1), None)


@st.composite
def checkpoints(draw: st.DrawFn) -> StampedCheckpoint:
    start = draw(st.integers(0, 50))
    return StampedCheckpoint(draw(st.integers(0, 12)), day(start), day(start + draw(st.integers(0, 5))))


@given(st.lists(checkpoints(), max_size=12), st.integers(0, 12))
def test_no_checkpoints_contradict_each_other(stamped: list[StampedCheckpoint], index: int) -> None:
    """Whatever was stamped: the interval does not end before it starts, and later entries are not older."""
    here, there = interval_of(index, stamped), interval_of(index + 1, stamped)
    assert here.earliest is None or there.earliest is None or here.earliest <= there.earliest
    assert here.latest is None or there.latest is None or here.latest <= there.latest


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=15), st.data())
def test_an_honest_log_is_never_belied(steps: list[tuple[int, int]], data: st.DataObject) -> None:
    """A log grows and has its newest checkpoint stamped now and then: each entry's true time lies in its interval."""
    size, now = 0, 0
    logged: list[int] = []
    stamped = []
    for entries, days in steps:
        logged += [now] * entries
        size += entries
        now += days
        if data.draw(st.booleans()):
            stamped.append(seen(size, now))
        now += 1
    for index, true in enumerate(logged):
        found = interval_of(index, stamped)
        assert found.earliest is None or found.earliest <= day(true)
        assert found.latest is None or day(true) <= found.latest


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(BadIntervalError):
        interval_of(-1, [])
    with pytest.raises(BadIntervalError):
        seen(-1, 0)
    with pytest.raises(BadIntervalError):
        StampedCheckpoint(1, day(2), day(1))
    with pytest.raises(BadIntervalError):
        Interval(day(2), day(1))
    for naive in (Interval, lambda time, _: StampedCheckpoint.witnessed(1, time)):
        with pytest.raises(NaiveTimeError):
            naive(DAY.replace(tzinfo=None), None)

"""The lease: of several publishers one acts, and none waits for a dead one longer than the lease lasts."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.exc import OperationalError

from exchange.jobs import PUBLISH, Job, Publisher, start_clock
from exchange.lease import LEASE, take_lease
from ledger import DurableWriteError, LedgerError
from ledger.store import begin, latest_checkpoint, snapshot
from tests.flow.world import Clock, Exchange, salt


@pytest.fixture
def two(exchange: Exchange) -> tuple[Publisher, Publisher]:
    """The publishers of two processes on one database and folder."""
    installation = exchange.services.installation
    other = Publisher(
        installation.engine,
        installation.note_signer,
        installation.published,
        exchange.services.witnesses,
        last_signed=installation.last_signed,
        holder="second",
        clock=exchange.clock,
    )
    return exchange.services.publisher, other


def publishing(exchange: Exchange, seconds: float) -> Job:
    return Job(exchange.services.publisher.tick, seconds, "publishing", "checkpoint not published")


def published(exchange: Exchange) -> int | None:
    with snapshot(exchange.services.installation.engine) as connection:
        found = latest_checkpoint(connection)
        return None if found is None else found.size


def test_only_the_holder_publishes(exchange: Exchange, two: tuple[Publisher, Publisher]) -> None:
    first, second = two
    assert first.tick() is not None
    salt(exchange.member("maker"))
    assert second.tick() is None
    assert published(exchange) != exchange.size
    again = first.tick()
    assert again is not None
    assert again.size == published(exchange) == exchange.size


def test_the_lease_ends(exchange: Exchange, two: tuple[Publisher, Publisher]) -> None:
    first, second = two
    assert first.tick() is not None
    exchange.clock.advance(LEASE.total_seconds() - 1)
    assert second.tick() is None
    exchange.clock.advance(1)
    assert second.tick() is not None
    assert first.tick() is None, "the first comes back and finds another at work"


def test_each_tick_renews_the_lease(exchange: Exchange, two: tuple[Publisher, Publisher]) -> None:
    first, second = two
    for _tick in range(4):
        assert first.tick() is not None
        exchange.clock.advance(LEASE.total_seconds() - 1)
        assert second.tick() is None


def test_a_lease_given_back_is_free_at_once(two: tuple[Publisher, Publisher]) -> None:
    first, second = two
    assert first.tick() is not None
    second.stop()
    assert second.tick() is None, "who doesn't hold it can't give it back"
    first.stop()
    assert second.tick() is not None


def test_of_many_who_ask_at_once_one_gets_the_lease(exchange: Exchange) -> None:
    engine, now, many = exchange.services.installation.engine, exchange.clock(), 6
    ready = threading.Barrier(many)

    def ask(number: int) -> bool:
        ready.wait()
        with begin(engine) as connection:
            return take_lease(connection, PUBLISH, f"process {number}", now)

    with ThreadPoolExecutor(many) as pool:
        assert sum(pool.map(ask, range(many))) == 1


def test_leases_of_different_jobs_are_apart(exchange: Exchange) -> None:
    with begin(exchange.services.installation.engine) as connection:
        assert take_lease(connection, PUBLISH, "one", exchange.clock())
        assert take_lease(connection, "another-job", "two", exchange.clock())


@pytest.mark.parametrize(
    "error",
    [
        LedgerError("the disk is full", where="tile/0/000", remedy="make room"),
        OperationalError("SELECT 1", {}, Exception("the server went away")),
    ],
    ids=["ledger", "database"],
)
def test_the_clock_survives_a_tick_that_fails(
    sqlite_exchange: Exchange,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    ticks, twice = [0], threading.Event()

    def tick(_publisher: Publisher) -> None:
        ticks[0] += 1
        if ticks[0] >= 2:
            twice.set()
        raise error

    monkeypatch.setattr(Publisher, "tick", tick)
    caplog.set_level(logging.ERROR)
    clock = start_clock(publishing(sqlite_exchange, 0.1))
    try:
        assert twice.wait(10)
    finally:
        clock.shutdown()
    assert "checkpoint not published" in caplog.text
    assert "Traceback" not in caplog.text, "it would repeat each second"


def test_after_a_durable_write_failed_the_process_publishes_no_more(
    sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = [0]

    def tick(_publisher: Publisher) -> None:
        ticks[0] += 1
        raise DurableWriteError("a durable write failed", where="000", remedy="look at the disk")

    monkeypatch.setattr(Publisher, "tick", tick)
    clock = start_clock(publishing(sqlite_exchange, 0.05))
    threading.Event().wait(0.5)
    clock.shutdown()
    assert ticks == [1]
    assert "publishing has ended in this process" in caplog.text


def test_a_publisher_of_a_log_that_it_does_not_sign_for_publishes_nothing(
    sqlite_exchange: Exchange, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other")
    other = Exchange.open(folder / "data", f"sqlite:///{folder / 'other.sqlite'}", clock=Clock())
    installation = sqlite_exchange.services.installation
    foreign = Publisher(
        installation.engine,
        other.services.installation.note_signer,
        installation.published,
        sqlite_exchange.services.witnesses,
        last_signed=installation.last_signed,
        holder="foreign",
        clock=sqlite_exchange.clock,
    )
    with pytest.raises(LedgerError):
        foreign.tick()
    other.close()
    assert published(sqlite_exchange) is None


def test_a_tick_under_way_is_not_worth_a_warning(
    sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Publication waits for witnesses for seconds; the ticks that come meanwhile are left out."""
    ticks, over = [0], threading.Event()

    def tick(_publisher: Publisher) -> None:
        ticks[0] += 1
        over.wait(0.5)

    monkeypatch.setattr(Publisher, "tick", tick)
    caplog.set_level(logging.WARNING, logger="apscheduler")
    clock = start_clock(publishing(sqlite_exchange, 0.05))
    threading.Event().wait(0.4)
    over.set()
    clock.shutdown()
    assert ticks == [1]
    assert not caplog.records


def test_a_process_that_begins_puts_lost_files_back(exchange: Exchange, two: tuple[Publisher, Publisher]) -> None:
    first, second = two
    exchange.publish()
    folder = exchange.services.installation.published
    (lost,) = folder.glob("tile/0/000.p/*")
    kept = lost.read_bytes()
    lost.unlink()
    first.stop()
    assert second.tick() is not None
    assert lost.read_bytes() == kept

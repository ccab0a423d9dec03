"""Timestamps of checkpoints: a real authority (openssl) behind HTTP, one that fails, one that lies; and what they attest offline."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import RejectedError, SetupError
from exchange.outbound import MAX_ANSWER
from exchange.server import open_services
from exchange.settings import Settings
from exchange.stamping import Stamping, TimeAuthority, load_authority
from exchange.timing import Stamp, attested, bounding, witnessed
from ledger import (
    BadCheckpointError,
    BadProofError,
    Checkpoint,
    Cosignature,
    NamedCosignature,
    WitnessKey,
    open_checkpoint,
)
from ledger.store import (
    append,
    begin,
    consistency,
    head,
    last_stamped,
    latest_checkpoint,
    snapshot,
    stamped_checkpoints,
    store_timestamp,
)
from signer import MalformedTimestampError, StampedCheckpoint, TimestampMismatchError, interval_of
from tests.flow.world import Exchange
from tests.ledger.logs import ORIGIN, entry_bytes, naive_proof, naive_root
from tests.tsa import TimestampAuthority
from tests.witnesses import Answer, Puppet, puppet

DAY = timedelta(hours=24)


@dataclass
class RealClock:
    """The real time, which the authority states, moved by what a test adds."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority.create(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def served(authority: TimestampAuthority) -> Iterator[Puppet]:
    with puppet(1, answering(authority)) as server:
        yield server


def answering(authority: TimestampAuthority) -> Callable[[bytes], Answer]:
    return lambda query: (200, {"Content-Type": "application/timestamp-reply"}, authority.answer(query))


def stamping(exchange: Exchange, url: str, *roots: bytes, holder: str = "first", seconds: float = 10) -> Stamping:
    named = TimeAuthority(url, roots, DAY)
    return Stamping(exchange.services.installation.engine, named, holder, RealClock(), seconds)


def grow(exchange: Exchange, count: int = 1) -> int:
    """Add entries and publish; return the checkpoint's size."""
    with begin(exchange.services.installation.engine) as connection:
        size = head(connection).size
        append(connection, [f"entry {n}".encode() for n in range(size, size + count)])
    assert exchange.services.publisher.tick() is not None
    return size + count


def kept(exchange: Exchange, size: int = 10**9) -> list[tuple[int, str, bytes]]:
    with snapshot(exchange.services.installation.engine) as connection:
        return stamped_checkpoints(connection, size)


def newest(exchange: Exchange) -> Checkpoint:
    with snapshot(exchange.services.installation.engine) as connection:
        signed = latest_checkpoint(connection)
    assert signed is not None
    return open_checkpoint(signed.note, *exchange.services.installation.trust_file.keys)


def test_the_newest_checkpoint_is_stamped_once_a_day(
    exchange: Exchange, authority: TimestampAuthority, served: Puppet, tmp_path: Path
) -> None:
    """On each database; the response is one that openssl verifies over the checkpoint's text."""
    job, asked = stamping(exchange, served.url, authority.root), len(served.asked)
    assert not job.tick(), "there is no checkpoint yet"
    size = grow(exchange)
    assert job.tick()
    grow(exchange)
    assert not job.tick(), "that was today"
    assert len(served.asked) == asked + 1
    ((found, text, response),) = kept(exchange)
    assert (found, text.split("\n")[:2]) == (size, [exchange.origin, str(size)])
    root, files = load_der_x509_certificate(authority.root).public_bytes(Encoding.PEM), tmp_path / "files"
    files.mkdir()
    for name, content in {"data": text.encode(), "response": response, "root": root}.items():
        (files / name).write_bytes(content)
    command = ["openssl", "ts", "-verify", "-data", "data", "-in", "response", "-CAfile", "root"]
    assert subprocess.run(command, cwd=files, capture_output=True, check=False).returncode == 0
    assert kept(exchange, size - 1) == []
    with snapshot(exchange.services.installation.engine) as connection:
        last = last_stamped(connection)
    assert last is not None
    assert abs(last - datetime.now(UTC)) < timedelta(seconds=60)


def test_a_day_later_it_is_stamped_again_also_while_the_log_rests(
    sqlite_exchange: Exchange, authority: TimestampAuthority, served: Puppet
) -> None:
    """The first timestamp of a size bounds what it holds, a later one what came after."""
    job = stamping(sqlite_exchange, served.url, authority.root)
    size = grow(sqlite_exchange)
    with begin(sqlite_exchange.services.installation.engine) as connection:
        store_timestamp(connection, size, datetime.now(UTC) - DAY - timedelta(minutes=1), b"yesterday's")
    assert job.tick()
    assert [one[0] for one in kept(sqlite_exchange)] == [size, size]
    assert kept(sqlite_exchange)[0][2] == b"yesterday's"
    assert not job.tick()


def test_of_two_processes_one_asks(sqlite_exchange: Exchange, authority: TimestampAuthority, served: Puppet) -> None:
    first, second = (stamping(sqlite_exchange, served.url, authority.root, holder=name) for name in ("1", "2"))
    grow(sqlite_exchange)
    inner: list[bool] = []

    def meanwhile(query: bytes) -> Answer:
        inner.append(second.tick())
        return answering(authority)(query)

    with puppet(2, meanwhile) as slow:
        first.authority = TimeAuthority(slow.url, (authority.root,), DAY)
        assert first.tick()
    assert inner == [False]
    assert len(kept(sqlite_exchange)) == 1


LIES: dict[str, Callable[[TimestampAuthority, bytes], Answer]] = {
    "it answered 503": lambda _authority, _query: (503, {}, b""),
    "it answered 302": lambda _authority, _query: (302, {"Location": "http://127.0.0.1:9/"}, b""),
    "not a granted RFC 3161 response": lambda _authority, _query: (200, {}, b"<html>"),
    "longer than": lambda _authority, _query: (200, {}, bytes(MAX_ANSWER + 1)),
    "the timestamp is over another digest": lambda authority, _query: (200, {}, authority.stamp(bytes(32))),
}


@pytest.mark.parametrize("what", LIES)
def test_what_is_no_timestamp_of_it_is_told_once_and_never_kept(
    sqlite_exchange: Exchange,
    authority: TimestampAuthority,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    grow(sqlite_exchange)
    with puppet(3, lambda query: LIES[what](authority, query)) as liar:
        job = stamping(sqlite_exchange, liar.url, authority.root)
        assert not job.tick()
        assert not job.tick()
        assert len(liar.asked) == 1, "it is left alone for a while"
    assert kept(sqlite_exchange) == []
    (told,) = [one.getMessage() for one in caplog.records if one.name == "packtrace.timestamps"]
    assert what in told
    assert "asked again in 1 min" in told


def test_who_is_not_the_named_authority_is_not_believed(
    sqlite_exchange: Exchange, served: Puppet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = TimestampAuthority.create(tmp_path)
    grow(sqlite_exchange)
    assert not stamping(sqlite_exchange, served.url, other.root).tick()
    assert "no trusted timestamping authority signed it" in caplog.text


def test_a_time_that_is_not_the_time_here_is_not_kept(
    sqlite_exchange: Exchange, authority: TimestampAuthority, served: Puppet, caplog: pytest.LogCaptureFixture
) -> None:
    """An authority with a wrong clock, or its old answer that somebody plays back."""
    grow(sqlite_exchange)
    for ahead in (timedelta(minutes=10), timedelta(minutes=-10)):
        job = stamping(sqlite_exchange, served.url, authority.root)
        job.clock = RealClock(ahead)
        assert not job.tick()
        # The lease is of the moved clock; give it back.
        with begin(sqlite_exchange.services.installation.engine) as connection:
            connection.exec_driver_sql("DELETE FROM exchange_lease")
    assert kept(sqlite_exchange) == []
    assert caplog.text.count("which is not the time here") == 2


def test_an_authority_that_fails_is_asked_again_after_growing_pauses(
    sqlite_exchange: Exchange, authority: TimestampAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    grow(sqlite_exchange)
    with puppet(4, lambda _query: (500, {}, b"")) as server:
        job = stamping(sqlite_exchange, server.url, authority.root)
        clock = RealClock()
        job.clock = clock
        for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
            asked = len(server.asked)
            assert not job.tick()
            assert len(server.asked) == asked + 1
            clock.ahead += timedelta(minutes=minutes, seconds=-10)
            assert not job.tick()
            assert len(server.asked) == asked + 1
            clock.ahead += timedelta(seconds=11)
        clock.ahead = timedelta()
        server.play = answering(authority)
        job._ask_from = clock()
        with begin(sqlite_exchange.services.installation.engine) as connection:
            connection.exec_driver_sql("DELETE FROM exchange_lease")
        assert job.tick()
    assert "timestamped again" in caplog.text


def test_a_silent_authority_holds_nothing_up(sqlite_exchange: Exchange, authority: TimestampAuthority) -> None:
    released = threading.Event()

    def silent(_query: bytes) -> Answer:
        released.wait(20)
        return 500, {}, b""

    grow(sqlite_exchange)
    with puppet(5, silent) as server:
        job = stamping(sqlite_exchange, server.url, authority.root, seconds=1.5)
        thread = threading.Thread(target=job.tick)
        thread.start()
        while not server.asked:
            time.sleep(0.01)
        size = grow(sqlite_exchange)
        assert newest(sqlite_exchange).size == size, "published while the authority is silent"
        assert thread.is_alive()
        thread.join(10)
        assert not thread.is_alive(), "and it isn't waited for longer than that"
        released.set()


def test_the_worker_does_it_on_its_clock(tmp_path: Path, authority: TimestampAuthority, served: Puppet) -> None:
    """Off without the setting; with it, one of the worker's jobs."""
    roots = tmp_path / "roots.pem"
    roots.write_bytes(load_der_x509_certificate(authority.root).public_bytes(Encoding.PEM))
    named = load_authority(served.url, roots, 24)
    assert named == TimeAuthority(served.url, (authority.root,), DAY)
    for bad in (tmp_path / "none", tmp_path):
        with pytest.raises(SetupError, match="roots of the timestamping authority"):
            load_authority(served.url, bad, 24)
    settings = {"timestamp_authority": served.url, "timestamp_roots": roots}
    for asked, expected in (({}, None), (settings, named)):
        services = open_services(Settings(data=tmp_path / "data", **asked))  # type: ignore[arg-type]
        assert services.worker is not None
        stamping = services.worker.stamping
        assert (None if stamping is None else stamping.authority) == expected
        assert sum(job.name == "timestamping" for job in services.worker.jobs(1)) == (expected is not None)
        services.installation.engine.dispose()


# -- offline ---------------------------------------------------------------------------------------------------------


ENTRIES = [entry_bytes(number) for number in range(40)]
STAMPED = (9, 30)


def checkpoint_of(size: int, entries: Sequence[bytes] = ENTRIES) -> Checkpoint:
    return Checkpoint(ORIGIN, size, naive_root(entries[:size]))


LAST = checkpoint_of(40)


@pytest.fixture(scope="module")
def stamps(authority: TimestampAuthority) -> list[Stamp]:
    """Timestamps of a log of 40 entries at the sizes 9 and 30."""
    return [stamp_of(checkpoint_of(size), authority) for size in STAMPED]


def stamp_of(checkpoint: Checkpoint, authority: TimestampAuthority) -> Stamp:
    proof = naive_proof(checkpoint.size, ENTRIES)
    return Stamp(checkpoint.text, proof, authority.stamp(sha256(checkpoint.text.encode()).digest()))


def test_timestamps_give_the_interval_of_an_entry(stamps: list[Stamp], authority: TimestampAuthority) -> None:
    found = attested(stamps, LAST, [authority.root])
    assert ([one.size for one in found.stamped], found.unbelieved) == ([9, 30], ())
    first, second = found.stamped
    expected: dict[int, tuple[datetime | None, datetime | None]]
    expected = {0: (None, first.latest), 8: (None, first.latest), 9: (first.earliest, second.latest)}
    expected |= {29: (first.earliest, second.latest), 30: (second.earliest, None), 39: (second.earliest, None)}
    for index, bounds in expected.items():
        interval = interval_of(index, found.stamped)
        assert (interval.earliest, interval.latest) == bounds


def test_a_witness_s_time_bounds_too_and_the_operator_s_own_does_not() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    key = WitnessKey("w.example", bytes(32))

    def by(time: int, *, is_own: bool = False) -> NamedCosignature:
        return NamedCosignature("w", Cosignature(key, time), is_own)

    found = witnessed(40, [by(int(at.timestamp())), by(1, is_own=True), by(2**62)])
    assert found == (StampedCheckpoint(40, at, at),)
    assert interval_of(39, found).latest == at
    assert interval_of(40, found).earliest == at


def test_a_timestamp_by_somebody_else_counts_for_nothing(stamps: list[Stamp], tmp_path: Path) -> None:
    other = TimestampAuthority.create(tmp_path)
    for roots in ([], [other.root]):
        found = attested(stamps, LAST, roots)
        assert found.stamped == ()
        assert [text.partition(":")[0] for text in found.unbelieved] == [
            f"the timestamp of size {size} counts for nothing" for size in STAMPED
        ]


def bad_stamps(authority: TimestampAuthority, good: Stamp) -> dict[str, tuple[Stamp, type[Exception]]]:
    """Timestamps that are not what they say, each by the authority that is trusted."""
    forked = [*ENTRIES[:8], b"another", *ENTRIES[9:]]
    other_log = Checkpoint("log.example/other", 9, naive_root(ENTRIES[:9]))
    return {
        "of a fork": (stamp_of(checkpoint_of(9, forked), authority), BadProofError),
        "of a size that the log never had": (stamp_of(Checkpoint(ORIGIN, 12, bytes(32)), authority), BadProofError),
        "of no entry": (Stamp(Checkpoint(ORIGIN, 0, naive_root([])).text, [], good.response), BadProofError),
        "without its proof": (replace(good, proof=[]), BadProofError),
        "of another log": (stamp_of(other_log, authority), RejectedError),
        "of a larger log": (replace(good, text=good.text.replace("\n9\n", "\n41\n")), RejectedError),
        "over another text": (Stamp(good.text, good.proof, authority.stamp(bytes(32))), TimestampMismatchError),
        "of no checkpoint": (replace(good, text="hello\n"), BadCheckpointError),
        "of no response": (replace(good, response=b"\x30\x00"), MalformedTimestampError),
    }


def test_a_timestamp_that_is_not_what_it_says_is_refused(stamps: list[Stamp], authority: TimestampAuthority) -> None:
    for case, (bad, error) in bad_stamps(authority, stamps[0]).items():
        with pytest.raises(error):
            pytest.fail(f"{case}: {attested([bad], LAST, [authority.root])}")


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=12).map(sorted),
    st.lists(st.integers(0, 30), min_size=1, max_size=5),
)
def test_few_timestamps_say_as_much_as_all(sizes: list[int], indices: list[int]) -> None:
    """Those that `bounding` names, of a log whose newest checkpoint was stamped day by day."""
    all_of_them = [
        StampedCheckpoint.witnessed(size, datetime(2026, 1, 1, tzinfo=UTC) + day * DAY)
        for day, size in enumerate(sizes)
    ]
    few = [all_of_them[place] for place in bounding(sizes, indices)]
    assert len(few) <= 2 * len(set(indices))
    for index in indices:
        assert interval_of(index, few) == interval_of(index, all_of_them)


def test_what_the_database_keeps_is_what_attests(
    sqlite_exchange: Exchange, authority: TimestampAuthority, served: Puppet
) -> None:
    """From the worker's job to the interval of an entry, with nothing in between but what evidence carries."""
    engine = sqlite_exchange.services.installation.engine
    size = grow(sqlite_exchange, 3)
    assert stamping(sqlite_exchange, served.url, authority.root).tick()
    checkpoint = (grow(sqlite_exchange, 5), newest(sqlite_exchange))[1]
    with snapshot(engine) as connection:
        carried = [
            Stamp(text, consistency(connection, of, checkpoint.size), response)
            for of, text, response in stamped_checkpoints(connection, checkpoint.size)
        ]
    found = attested(carried, checkpoint, [authority.root])
    assert [one.size for one in found.stamped] == [size]
    assert interval_of(size - 1, found.stamped).latest == found.stamped[0].latest
    assert interval_of(size, found.stamped).earliest == found.stamped[0].earliest

"""Many callers, one commit: nobody's failure is another's, nobody is answered too early, and the queue has an end."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import OperationalError as DriverError

import pytest
from sqlalchemy import Connection, Engine, event, insert
from sqlalchemy.exc import IntegrityError, OperationalError

from ledger import (
    CommitUncertainError,
    DurableWriteError,
    EntryRefusedError,
    NotCommittedError,
    NoteSigner,
    QueueFullError,
    root,
)
from ledger.audit import audit
from ledger.store import Appended, GroupCommit, append, begin, entries, head, metadata, publish, snapshot
from tests.ledger.logs import NOW

ROOT = Path(__file__).resolve().parents[3]
COMPANION = metadata.tables["ledger_node"]  # any other table of the same database does


def appending(content: bytes) -> Callable[[Connection], Appended]:
    return lambda connection: append(connection, [content])[0]


@contextmanager
def commits(engine: Engine) -> Iterator[list[int]]:
    """Counts the commits, and the head's size at each."""
    sizes: list[int] = []

    def committed(connection: Connection) -> None:
        sizes.append(head(connection).size)

    event.listen(engine, "commit", committed)
    yield sizes
    event.remove(engine, "commit", committed)


class Held:
    """A group whose first commit waits until `release`; what is sent meanwhile queues."""

    def __init__(self, engine: Engine, *, capacity: int = 1000) -> None:
        self.group = GroupCommit(engine, capacity=capacity)
        self._pool = ThreadPoolExecutor(80)
        self._gate = threading.Event()
        inside = threading.Event()

        def first(connection: Connection) -> Appended:
            inside.set()
            assert self._gate.wait(30)
            return append(connection, [b"first"])[0]

        self.first = self.send(first)
        assert inside.wait(30)

    def send(self, work: Callable[[Connection], Appended]) -> Future[Appended]:
        return self._pool.submit(self.group.submit, work)

    def queue(self, *works: Callable[[Connection], Appended]) -> list[Future[Appended]]:
        """Send one after the other, so that they stand in this order."""
        futures = []
        for number, work in enumerate(works):
            futures.append(self.send(work))
            while len(self.group._waiting) <= number and not futures[-1].done():
                time.sleep(0.001)
        return futures

    def release(self) -> None:
        self._gate.set()
        self._pool.shutdown()


def test_what_queued_during_a_commit_is_one_transaction(engine: Engine) -> None:
    with commits(engine) as sizes:
        held = Held(engine)
        futures = held.queue(*(appending(b"%d" % n) for n in range(50)))
        held.release()
    assert held.first.result().index == 0
    assert [future.result().index for future in futures] == list(range(1, 51))
    assert sizes == [1, 51]


def test_the_answer_comes_after_the_commit(engine: Engine) -> None:
    group, answered, submitted = GroupCommit(engine, capacity=10), [], threading.Event()

    def committing(_connection: object) -> None:
        assert submitted.wait(10)
        answered.append(future.done())

    event.listen(engine, "commit", committing)
    with ThreadPoolExecutor(1) as pool:
        future: Future[Appended] = pool.submit(group.submit, appending(b"a"))
        submitted.set()
    event.remove(engine, "commit", committing)
    assert future.result().index == 0
    assert answered == [False]


def test_bad_and_known_submissions_abort_nobody(engine: Engine) -> None:
    """Refused by us before a write, by the caller after its append, by the database: each alone, whatever their order."""

    def refused_later(connection: Connection) -> Appended:
        append(connection, [b"withdrawn"])
        raise RuntimeError("a check under the lock")

    def refused_by_the_database(connection: Connection) -> Appended:
        connection.execute(insert(COMPANION), [{"level": 60, "number": 1, "hashes": b""}] * 2)
        return append(connection, [b"never"])[0]

    held = Held(engine)
    a, empty, later, first, broken, b = held.queue(
        appending(b"a"),
        appending(b""),
        refused_later,
        appending(b"first"),
        refused_by_the_database,
        appending(b"b"),
    )
    held.release()
    assert (a.result().index, b.result().index) == (1, 2)
    assert (first.result().index, first.result().existed) == (0, True)
    for future, error in ((empty, EntryRefusedError), (later, RuntimeError), (broken, IntegrityError)):
        with pytest.raises(error):
            future.result()
    with snapshot(engine) as connection:
        assert [entry.data for entry in entries(connection, 0, 9)] == [b"first", b"a", b"b"]


def test_a_full_queue_refuses_and_takes_again_when_it_has_room(engine: Engine) -> None:
    held = Held(engine, capacity=3)
    futures = held.queue(appending(b"a"), appending(b"b"))
    with pytest.raises(QueueFullError, match="3 submissions wait"):
        held.group.submit(appending(b"c"))
    held.release()
    assert [future.result().index for future in futures] == [1, 2]
    assert held.group.submit(appending(b"c")).index == 3


def test_more_than_a_batch_is_several_transactions(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.store.grouping.BATCH", 4)
    with commits(engine) as sizes:
        held = Held(engine)
        futures = held.queue(*(appending(b"%d" % n) for n in range(10)))
        held.release()
    assert [future.result().index for future in futures] == list(range(1, 11))
    assert sizes == [1, 5, 9, 11]


def test_a_commit_that_fails_answers_nobody_with_an_index(engine: Engine) -> None:
    held = Held(engine)
    futures = held.queue(appending(b"a"), appending(b""), appending(b"b"))

    def fail(_connection: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("the server went away"))

    event.listen(engine, "commit", fail)
    held.release()
    event.remove(engine, "commit", fail)
    for future in (held.first, *futures):
        with pytest.raises(CommitUncertainError):
            future.result()
    assert held.group.submit(appending(b"a")).index == 0


def test_a_lost_transaction_is_nobodys_entry(engine: Engine) -> None:
    """Whose work lost it is told so like the others; and nothing of those before it or after it is written."""

    def ruin(connection: Connection) -> Appended:
        # As SQLite does by itself when the disk is full, and as a lost connection does.
        connection.exec_driver_sql("ROLLBACK")
        raise OperationalError("INSERT", {}, Exception("disk full"))

    held = Held(engine)
    futures = held.queue(appending(b"a"), ruin, appending(b"b"))
    held.release()
    for future in futures:
        with pytest.raises(NotCommittedError):
            future.result()
    with snapshot(engine) as connection:
        assert head(connection).size == 1
    assert held.group.submit(appending(b"b")).index == 1


def test_after_the_disk_failed_the_process_appends_no_more(sqlite_log: Engine) -> None:
    group = GroupCommit(sqlite_log, capacity=10)

    def fail(_connection: object) -> None:
        error = DriverError("disk I/O error")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise OperationalError("COMMIT", {}, error)

    event.listen(sqlite_log, "commit", fail)
    with pytest.raises(DurableWriteError, match="disk I/O error"):
        group.submit(appending(b"a"))
    event.remove(sqlite_log, "commit", fail)
    with pytest.raises(DurableWriteError):
        group.submit(appending(b"b"))


def test_an_interrupted_leader_leaves_nobody_waiting(engine: Engine) -> None:
    held = Held(engine)

    def interrupt(_connection: Connection) -> Appended:
        raise KeyboardInterrupt

    interrupted, other = held.queue(interrupt, appending(b"a"))
    held.release()
    with pytest.raises(KeyboardInterrupt):
        interrupted.result()
    with pytest.raises(NotCommittedError):
        other.result()
    assert held.group.submit(appending(b"a")).index == 1


def test_many_threads_get_contiguous_indices(engine: Engine) -> None:
    group = GroupCommit(engine, capacity=64)

    def write(writer: int) -> list[int]:
        return [group.submit(appending(f"{writer} {n}".encode())).index for n in range(20)]

    with commits(engine) as sizes, ThreadPoolExecutor(16) as pool:
        indices = [index for result in pool.map(write, range(16)) for index in result]
    assert sorted(indices) == list(range(320))
    assert len(sizes) < 320, "some commits held several"


PROCESS = """
import json, sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ledger.store import GroupCommit, append, engine_for

url, writer, folder = sys.argv[1:]
engine = engine_for(url)
group = GroupCommit(engine, capacity=64)

def write(number):
    content = f"shared {number}" if number % 4 == 0 else f"{writer} {number}"
    placed = group.submit(lambda connection: append(connection, [content.encode()])[0])
    return placed.index, placed.existed

(Path(folder) / writer).touch()
while not (Path(folder) / "go").exists():
    time.sleep(0.01)
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(list(pool.map(write, range(80)))))
engine.dispose()
"""


@pytest.mark.long
def test_several_processes_leave_no_gap_no_fork_and_no_double(
    engine: Engine, signer: NoteSigner, folder: Path, tmp_path: Path
) -> None:
    """Four real processes of eight threads; a quarter of what each sends is sent by all."""
    url, meeting = engine.url.render_as_string(hide_password=False), tmp_path / "meeting"
    meeting.mkdir()
    command = [sys.executable, "-c", PROCESS, url]
    running = [
        subprocess.Popen([*command, str(n), str(meeting)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    deadline = time.monotonic() + 60
    while len(list(meeting.iterdir())) < len(running):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (meeting / "go").touch()
    answers = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    placed = Counter(index for answer in answers for index, existed in answer if not existed)
    assert placed == Counter(range(20 + 4 * 60)), "each index was given once as new"
    publish(engine, signer, folder, NOW)
    with snapshot(engine) as connection:
        stored = list(entries(connection, 0, 1000))
        assert len({entry.data for entry in stored}) == len(stored) == 260
        assert head(connection).root == root([entry.leaf_hash for entry in stored])
        audit(connection, signer.log_key, folder)
    with begin(engine) as connection:
        assert append(connection, [b"next"])[0].index == 260

"""PostgreSQL's backend killed, its connection dropped before and after COMMIT: everybody is told, and nothing is there twice."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import Connection, Engine

from exchange.kinds import ACTIVITY_DATA
from ledger import CommitUncertainError, NotCommittedError, NoteSigner
from ledger.audit import audit
from ledger.store import (
    Appended,
    GroupCommit,
    append,
    begin,
    create_log,
    engine_for,
    entries,
    metadata,
    publish,
    snapshot,
)
from tests.faults.proxy import Proxy
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange, activity
from tests.ledger.logs import NOW, ORIGIN

SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
CONTENTS = [b"%d" % n for n in range(8)]


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[Proxy]:
    opened = Proxy(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def engine(proxy: Proxy) -> Iterator[Engine]:
    """An empty log, reached through the proxy."""
    made = engine_for(proxy.url)
    metadata.create_all(made)
    with begin(made) as connection:
        create_log(connection, ORIGIN)
    yield made
    made.dispose()


def send(group: GroupCommit, contents: list[bytes]) -> list[Appended | Exception]:
    """All at once, each from its own thread; what each was answered."""
    ready = threading.Barrier(len(contents))

    def one(content: bytes) -> Appended | Exception:
        ready.wait()
        try:
            return group.submit(lambda connection: append(connection, [content])[0])
        except (CommitUncertainError, NotCommittedError) as error:
            return error

    with ThreadPoolExecutor(len(contents)) as pool:
        return list(pool.map(one, contents))


def check(engine: Engine, answers: list[Appended | Exception], folder: Path) -> list[bytes]:
    """What was answered is there, each content once, and the log is whole; its contents."""
    publish(engine, SIGNER, folder, NOW)
    with snapshot(engine) as connection:
        stored = [entry.data for entry in entries(connection, 0, 10_000)]
        audit(connection, SIGNER.log_key, folder)
    assert len(set(stored)) == len(stored)
    for content, answer in zip(CONTENTS, answers, strict=True):
        if isinstance(answer, Appended):
            assert stored[answer.index] == content
    return stored


def test_the_connection_drops_before_the_commit(engine: Engine, proxy: Proxy, tmp_path: Path) -> None:
    group = GroupCommit(engine, capacity=100)
    proxy.cut = "before"
    answers = send(group, CONTENTS)
    lost = [c for c, answer in zip(CONTENTS, answers, strict=True) if isinstance(answer, CommitUncertainError)]
    assert lost
    assert not set(lost) & set(check(engine, answers, tmp_path / "log"))
    again = send(group, CONTENTS)
    assert sorted(check(engine, again, tmp_path / "log")) == CONTENTS


def test_the_connection_drops_after_the_commit(engine: Engine, proxy: Proxy, tmp_path: Path) -> None:
    group = GroupCommit(engine, capacity=100)
    proxy.cut = "after"
    answers = send(group, CONTENTS)
    lost = [n for n, answer in enumerate(answers) if isinstance(answer, CommitUncertainError)]
    assert lost
    assert {CONTENTS[n] for n in lost} <= set(check(engine, answers, tmp_path / "log"))
    again = send(group, CONTENTS)
    assert all(isinstance(answer, Appended) and answer.existed for answer in again)
    assert sorted(check(engine, again, tmp_path / "log")) == CONTENTS


def backend(connection: Connection) -> int:
    pid: int = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    return pid


def kill_backend(pid: int, other: Engine) -> None:
    with other.connect() as killing:
        killing.exec_driver_sql("SELECT pg_terminate_backend(%s)", (pid,))


def test_a_backend_is_killed_in_the_middle_of_a_group(engine: Engine, postgres_url: str, tmp_path: Path) -> None:
    group, other = GroupCommit(engine, capacity=100), engine_for(postgres_url)

    def dying(connection: Connection) -> Appended:
        placed = append(connection, [b"first"])[0]
        kill_backend(backend(connection), other)
        return placed

    with pytest.raises(NotCommittedError):
        group.submit(dying)
    answers = send(group, CONTENTS)
    assert all(isinstance(answer, Appended) for answer in answers)
    assert sorted(check(engine, answers, tmp_path / "log")) == CONTENTS
    other.dispose()


def test_an_idle_backend_is_killed(engine: Engine, postgres_url: str) -> None:
    """Whoever meets the dead connection is told; the next has a new one."""
    group, other = GroupCommit(engine, capacity=100), engine_for(postgres_url)
    with begin(engine) as connection:
        pid = backend(connection)
    kill_backend(pid, other)
    other.dispose()
    answers = [send(group, [b"x"])[0] for _time in range(2)]
    assert isinstance(answers[0], NotCommittedError)
    assert isinstance(answers[1], Appended)
    assert answers[1].index == 0


@pytest.mark.faults
def test_backends_killed_at_random_moments_under_load(engine: Engine, postgres_url: str, tmp_path: Path) -> None:
    group, other = GroupCommit(engine, capacity=100), engine_for(postgres_url)
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(random.uniform(0.02, 0.3)):
            with other.connect() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )

    def write(writer: int) -> list[tuple[int, bytes]]:
        placed = []
        for number in range(150):
            content = b"%d-%d" % (writer, number)
            while not isinstance(answer := send(group, [content])[0], Appended):
                pass
            placed.append((answer.index, content))
        return placed

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(8) as pool:
        placed = [one for found in pool.map(write, range(8)) for one in found]
    stop.set()
    killer.join()
    other.dispose()
    engine.dispose()
    stored = check(engine, [Exception()] * len(CONTENTS), tmp_path / "log")
    assert sorted(placed) == list(enumerate(stored))


@pytest.mark.parametrize(("cut", "status"), [("before", 201), ("after", 200)])
def test_a_sender_whose_answer_was_lost_sends_again(
    tmp_path: Path, proxy: Proxy, cut: Literal["before", "after"], status: int
) -> None:
    exchange = Exchange.open(tmp_path / "data", proxy.url.render_as_string(hide_password=False))
    maker, size = exchange.member("maker"), exchange.size
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product("x")))
    # Reads commit too; the cut is for the transaction that writes.
    intake = exchange.services.installation.intake
    commit, exact = intake._commits._commit, proxy

    def armed(jobs: list[object]) -> None:
        exact.cut = cut
        commit(jobs)  # type: ignore[arg-type]

    intake._commits._commit = armed  # type: ignore[assignment, method-assign]
    answer = exchange.post(issued)
    check_problem(answer, 503, "commit_uncertain")
    assert int(answer.headers["retry-after"]) > 0
    del intake._commits._commit
    again = exchange.post(issued)
    assert (again.status_code, again.json()["index"]) == (status, size)
    assert exchange.size == size + 1
    exchange.close()

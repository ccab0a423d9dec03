"""Entries on both databases: numbered without gaps, each content once, never apart from their companions."""

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from hashlib import sha256

import pytest
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from ledger import (
    MAX_ENTRY,
    BadKeyError,
    DatabaseBusyError,
    EntryRefusedError,
    EntryUnknownError,
    LogExistsError,
    LogInconsistentError,
    NoLogError,
    NotWritingError,
    OutOfRangeError,
    chain_next,
    chain_start,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from ledger.store import (
    Appended,
    append,
    begin,
    consistency,
    create_log,
    engine_for,
    entries,
    entry,
    find,
    head,
    inclusion,
    metadata,
    root_at,
    snapshot,
    transactions,
)
from tests.ledger.logs import ORIGIN, entry_bytes

Grow = Callable[[Engine, int], None]
COMPANION = metadata.tables["ledger_node"]  # any other table of the same database does


def append_all(engine: Engine, contents: list[bytes]) -> list[Appended]:
    with begin(engine) as connection:
        return append(connection, contents)


def test_appended_entries_read_back(engine: Engine) -> None:
    appended = append_all(engine, [b"a", b"b"]) + append_all(engine, [b"c"])
    assert [(a.index, a.existed, a.origin) for a in appended] == [(n, False, ORIGIN) for n in range(3)]
    with snapshot(engine) as connection:
        assert [e.data for e in entries(connection, 0, 10)] == [b"a", b"b", b"c"]
        assert entry(connection, 1).leaf_hash == leaf_hash(b"b")
        assert find(connection, leaf_hash(b"c")).index == 2
        assert [e.index for e in entries(connection, 1, 2)] == [1]
        assert head(connection).root == root([leaf_hash(data) for data in (b"a", b"b", b"c")])


def test_the_chain_runs_over_origin_and_leaf_hashes(engine: Engine) -> None:
    value = chain_start(ORIGIN)
    assert value == sha256(ORIGIN.encode()).digest()
    for appended, data in zip(append_all(engine, [b"a", b"b"]), (b"a", b"b"), strict=True):
        value = chain_next(value, leaf_hash(data))
        assert appended.chain == value
    with snapshot(engine) as connection:
        assert head(connection).chain == value


def test_a_duplicate_returns_its_index_and_stops_nobody(engine: Engine) -> None:
    append_all(engine, [b"a", b"b"])
    appended = append_all(engine, [b"c", b"a", b"d", b"c"])
    assert [(a.index, a.existed) for a in appended] == [(2, False), (0, True), (3, False), (2, True)]
    with snapshot(engine) as connection:
        assert head(connection).size == 4
        assert appended[1].chain == entry(connection, 0).chain


def test_a_batch_of_duplicates_changes_nothing(engine: Engine) -> None:
    append_all(engine, [b"a"])
    with snapshot(engine) as connection:
        before = head(connection)
    assert all(a.existed for a in append_all(engine, [b"a", b"a"]))
    assert append_all(engine, []) == []
    with snapshot(engine) as connection:
        assert head(connection) == before


@pytest.mark.parametrize("bad", [b"", bytes(MAX_ENTRY + 1)], ids=["empty", "too_long"])
def test_an_unfit_entry_is_refused_with_its_batch(engine: Engine, bad: bytes) -> None:
    with pytest.raises(EntryRefusedError):
        append_all(engine, [b"a", bad])
    with snapshot(engine) as connection:
        assert head(connection).size == 0


def test_the_largest_entry_is_taken(engine: Engine) -> None:
    append_all(engine, [bytes(MAX_ENTRY)])
    with snapshot(engine) as connection:
        assert entry(connection, 0).data == bytes(MAX_ENTRY)


def test_companions_come_and_go_with_their_entries(engine: Engine) -> None:
    def companions(appended: list[Appended]) -> None:
        rows = [{"level": 60, "number": a.index, "hashes": a.leaf_hash} for a in appended]
        connection.execute(insert(COMPANION), rows)
        if len(appended) > 1:
            raise RuntimeError("cut")

    with begin(engine) as connection:
        append(connection, [b"a"], companions)
    with pytest.raises(RuntimeError, match="cut"), begin(engine) as connection:
        append(connection, [b"b", b"c"], companions)
    with snapshot(engine) as connection:
        assert head(connection).size == 1
        assert connection.scalar(select(func.count()).select_from(COMPANION)) == 1
        with pytest.raises(EntryUnknownError):
            find(connection, leaf_hash(b"b"))
    assert append_all(engine, [b"b"])[0].index == 1


def test_two_appends_in_one_transaction_follow_each_other(engine: Engine) -> None:
    with begin(engine) as connection:
        append(connection, [b"a"])
        assert [(a.index, a.existed) for a in append(connection, [b"b", b"a"])] == [(1, False), (0, True)]


@pytest.mark.parametrize("batch", [1, 7])
def test_concurrent_writers_leave_no_gap_and_no_double(engine: Engine, batch: int) -> None:
    def write(writer: int) -> list[int]:
        return [
            a.index
            for n in range(0, 28, batch)
            for a in append_all(engine, [f"{writer} {n + i}".encode() for i in range(batch)])
        ]

    with ThreadPoolExecutor(4) as pool:
        indices = [index for result in pool.map(write, range(4)) for index in result]
    assert sorted(indices) == list(range(112))
    with snapshot(engine) as connection:
        stored = list(entries(connection, 0, 1000))
        assert head(connection).root == root([leaf_hash(e.data) for e in stored])
        assert head(connection).chain == stored[-1].chain


def test_concurrent_writers_of_the_same_bytes_get_one_index(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: append_all(engine, [b"same"])[0], range(8)))
    assert {result.index for result in results} == {0}
    assert sum(not result.existed for result in results) == 1


@pytest.mark.parametrize("batch", [1, 100, 700])
def test_roots_and_proofs_at_every_kind_of_size(sqlite_log: Engine, batch: int) -> None:
    leaves = [leaf_hash(entry_bytes(n)) for n in range(700)]
    for start in range(0, 700, batch):
        append_all(sqlite_log, [entry_bytes(n) for n in range(start, start + batch)])
    with snapshot(sqlite_log) as connection:
        for size in (1, 2, 255, 256, 257, 511, 512, 513, 699, 700):
            assert root_at(connection, size) == root(leaves[:size])
            for index in {0, 1, size // 2, size - 1} - {size}:
                proof = inclusion(connection, index, size)
                verify_inclusion(leaves[index], index, size, proof, root(leaves[:size]))
            for old in {1, size // 2 or 1, size}:
                proof = consistency(connection, old, size)
                verify_consistency(old, size, root(leaves[:old]), root(leaves[:size]), proof)


def test_proofs_over_tiles_on_both_databases(engine: Engine, grow: Grow) -> None:
    grow(engine, 520)
    leaves = [leaf_hash(entry_bytes(n)) for n in range(520)]
    with snapshot(engine) as connection:
        verify_inclusion(leaves[300], 300, 515, inclusion(connection, 300, 515), root(leaves[:515]))
        proof = consistency(connection, 300, 520)
        verify_consistency(300, 520, root(leaves[:300]), root(leaves), proof)


def test_there_is_no_proof_beyond_the_log(engine: Engine, grow: Grow) -> None:
    grow(engine, 3)
    with snapshot(engine) as connection:
        for ask in (
            lambda: inclusion(connection, 0, 4),
            lambda: inclusion(connection, 3, 3),
            lambda: consistency(connection, 0, 3),
            lambda: consistency(connection, 2, 4),
            lambda: root_at(connection, -1),
            lambda: list(entries(connection, -1, 3)),
        ):
            with pytest.raises(OutOfRangeError):
                ask()


@pytest.mark.parametrize("index", [-1, 3, 10**9])
def test_an_unknown_entry_is_an_error(engine: Engine, grow: Grow, index: int) -> None:
    grow(engine, 3)
    with snapshot(engine) as connection, pytest.raises(EntryUnknownError):
        entry(connection, index)


def test_a_write_outside_a_write_transaction_is_refused(engine: Engine) -> None:
    with snapshot(engine) as connection, pytest.raises(NotWritingError):
        append(connection, [b"a"])
    with engine.connect() as connection, pytest.raises(NotWritingError):
        append(connection, [b"a"])


def test_there_is_one_log_in_a_database(engine: Engine) -> None:
    with begin(engine) as connection, pytest.raises(LogExistsError):
        create_log(connection, "other.example")


def test_without_a_log_nothing_is_appended(empty_engine: Engine) -> None:
    with pytest.raises(NoLogError):
        append_all(empty_engine, [b"a"])
    with begin(empty_engine) as connection, pytest.raises(BadKeyError):
        create_log(connection, "two words")


def test_a_head_that_lost_its_edge_is_not_built_upon(engine: Engine, grow: Grow) -> None:
    grow(engine, 3)
    with begin(engine) as connection:
        connection.exec_driver_sql("UPDATE ledger_head SET size = 4")
    with pytest.raises(LogInconsistentError):
        append_all(engine, [b"x"])


def test_the_database_itself_refuses_a_second_head(engine: Engine) -> None:
    with pytest.raises(DBAPIError), begin(engine) as connection:
        connection.execute(
            insert(metadata.tables["ledger_head"]).values(
                id=2, origin="x", size=0, chain=bytes(32), frontier=b"", checkpoints=0
            )
        )


def test_a_snapshot_sees_one_state(engine: Engine) -> None:
    append_all(engine, [b"a"])
    with snapshot(engine) as connection:
        assert head(connection).size == 1
        append_all(engine, [b"b"])
        assert head(connection).size == 1
    with snapshot(engine) as connection:
        assert head(connection).size == 2


def test_sqlite_commits_are_durable(sqlite_log: Engine) -> None:
    with sqlite_log.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_an_append_and_a_proof_ask_little_of_a_longer_log(sqlite_log: Engine, grow: Grow) -> None:
    """Head, duplicates, entry, head; then for the proof the head and a tile or two per level."""
    counts = []
    for size in (300, 1300):
        grow(sqlite_log, size)
        statements: list[str] = []
        with begin(sqlite_log) as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.set_trace_callback(statements.append)
            append(connection, [f"one more {size}".encode()])
            inclusion(connection, 7, size)
            raw.set_trace_callback(None)
        counts.append(len(statements))
    assert max(counts) <= 10


def append_soon(engine: Engine, content: bytes) -> None:
    """Append, waiting for a tenth of a second only. PostgreSQL waits for the head's row, SQLite in `begin` already."""
    with begin(engine) as connection:
        connection.execute(text("SET LOCAL lock_timeout = '100ms'"))
        append(connection, [content])


def test_whoever_gets_no_turn_is_told_so_and_wrote_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT", 0.1)
    other = engine_for(engine.url)
    with begin(engine) as holding:
        append(holding, [b"first"])
        with pytest.raises(DatabaseBusyError) as caught:
            append_soon(other, b"second")
    other.dispose()
    assert "try again" in caught.value.remedy
    with snapshot(engine) as connection:
        assert [found.data for found in entries(connection, 0, 10)] == [b"first"]


def test_whoever_gets_no_connection_is_told_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.pool, "_timeout", 0.1)
    with ExitStack() as stack:
        for _each in range(15):
            stack.enter_context(snapshot(engine))
        with pytest.raises(DatabaseBusyError, match="all its connections are taken"), snapshot(engine):
            pass


def test_an_append_takes_no_more_memory_in_a_longer_log(sqlite_log: Engine, grow: Grow) -> None:
    """Up to the same place in a tile each time, so that the same is read and written."""
    peaks = []
    for size in (1_000, 16_000 + 1_000 % 256):
        grow(sqlite_log, size)
        append_all(sqlite_log, [b"warm %d" % size])
        tracemalloc.start()
        append_all(sqlite_log, [b"%d %d" % (size, n) for n in range(64)])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]

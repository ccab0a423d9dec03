"""Engines and transactions in which an append is durable and serial on both databases.

SQLite: a write transaction starts with BEGIN IMMEDIATE; with a deferred one, two connections read the same head.
PostgreSQL: `append` locks the head row. A snapshot sees one state of the log however long it reads.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url

from ledger.errors import NotWritingError

BUSY_TIMEOUT: Final = 30  # seconds that a SQLite writer waits for another
_WRITING: Final = "ledger_writing"


def engine_for(url: str | URL) -> Engine:
    """An engine whose commits are durable: SQLite by file, or PostgreSQL by psycopg 3 (`postgresql+psycopg://`)."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(parsed)
        event.listen(engine, "connect", _prepare_postgresql)
    return engine


def sqlite_engine(path: Path) -> Engine:
    """An engine on a SQLite file."""
    return engine_for(URL.create("sqlite", database=str(path)))


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """A write transaction, committed at the end of the block and rolled back by an error."""
    with engine.connect().execution_options(**{_WRITING: True}) as connection, connection.begin():
        yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A reading transaction that sees one committed state, that of its first query."""
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def require_writing(connection: Connection) -> None:
    """Check that `begin` opened this connection's transaction. Raises NotWritingError."""
    if not connection.in_transaction() or not connection.get_execution_options().get(_WRITING):
        raise NotWritingError(
            "the connection is not in a write transaction of the ledger",
            where="ledger store",
            remedy="open it with ledger.store.begin(engine)",
        )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver starts no transactions; _begin_sqlite does
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.autocommit = True
    connection.execute("SET synchronous_commit = on")
    connection.autocommit = False

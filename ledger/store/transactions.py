"""Engines and transactions in which an append is durable and serial on both databases.

SQLite: a write transaction starts with BEGIN IMMEDIATE; with a deferred one, two connections read the same head.
PostgreSQL: `append` locks the head row. A snapshot sees one state of the log however long it reads. Whoever waits for a turn longer than
the database lets it gets DatabaseBusyError, and its transaction is undone.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import TimeoutError as NoConnectionError

from ledger.errors import DatabaseBusyError, NotWritingError

BUSY_TIMEOUT: Final = 30  # seconds that a SQLite writer waits for another
_SQLITE_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
# Serialization failure, deadlock, lock not available, too many connections, server starting (PostgreSQL, appendix A).
_POSTGRESQL_BUSY: Final = frozenset({"40001", "40P01", "55P03", "53300", "57P03"})
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
    event.listen(engine, "handle_error", _busy, retval=True)
    return engine


def sqlite_engine(path: Path) -> Engine:
    """An engine on a SQLite file."""
    return engine_for(URL.create("sqlite", database=str(path)))


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """A write transaction, committed at the end of the block and rolled back by an error."""
    with _connected(engine, {_WRITING: True}) as connection:
        yield connection


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A reading transaction that sees one committed state, that of its first query."""
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with _connected(engine, options) as connection:
        yield connection


@contextmanager
def _connected(engine: Engine, options: dict[str, Any]) -> Iterator[Connection]:
    try:
        found = engine.connect()
    except NoConnectionError:
        raise _out_of_turn("all its connections are taken") from None
    with found.execution_options(**options) as connection, connection.begin():
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


def _busy(context: ExceptionContext) -> BaseException | None:
    """Tell a database that is busy from one that is broken; everything else stays as it is."""
    error = context.original_exception
    # SQLite's extended codes hold the primary one in their low byte.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _SQLITE_BUSY or getattr(error, "sqlstate", None) in _POSTGRESQL_BUSY:
        return _out_of_turn("others were at it for too long")
    return None


def _out_of_turn(what: str) -> DatabaseBusyError:
    return DatabaseBusyError(
        f"the database is busy: {what}",
        where="database",
        remedy="try again in a few seconds; what was done already is not done twice",
    )

"""Statements of every append, compiled once: SQLAlchemy's way from statement to text costs more than SQLite's insert."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, CursorResult
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.expression import ClauseElement

_DIALECTS: Final = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": postgresql.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}
_COUNTED: Final = {"preserve_rowcount": True}

Result = TypeVar("Result")


class Prepared:
    """A statement whose parameters are given by place, in the order in which its text names them.

    Values go to the driver as they are: integers, bytes and text only.
    """

    def __init__(self, statement: ClauseElement | Mapping[str, ClauseElement]) -> None:
        by_dialect = statement if isinstance(statement, Mapping) else dict.fromkeys(_DIALECTS, statement)
        self._texts = {name: str(by_dialect[name].compile(dialect=dialect)) for name, dialect in _DIALECTS.items()}

    def execute(
        self, connection: Connection, parameters: tuple[Any, ...] | Sequence[tuple[Any, ...]] = ()
    ) -> CursorResult[Any]:
        """Run with one tuple of parameters or a list of them; `rowcount` of the result is their sum."""
        given = parameters if isinstance(parameters, tuple) else list(parameters)
        return connection.exec_driver_sql(self._texts[connection.dialect.name], given, execution_options=_COUNTED)


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """A part of a transaction: an error that leaves the block undoes the part and no more."""
    connection.exec_driver_sql("SAVEPOINT ledger")
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK TO SAVEPOINT ledger")
        raise
    finally:
        connection.exec_driver_sql("RELEASE SAVEPOINT ledger")


def attempt(connection: Connection, work: Callable[[], Result]) -> Result | Exception:
    """Do a part of a transaction: its result, or the error that undid this part and no more. Raises only what ends the transaction."""
    own: Exception | None = None
    try:
        with savepoint(connection):
            try:
                return work()
            except Exception as error:
                own = error
                raise
    except Exception as error:
        # Another error than the work's own: its savepoint is gone, and with it the transaction, as after the loss of
        # the connection. SQLite gives up a transaction by itself when the disk is full; what came next would commit alone.
        if error is not own:
            raise
        return own

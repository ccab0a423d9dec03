"""The database of the exchange: column types that give the same bytes on SQLite and PostgreSQL, engine, and migrations."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Dialect, Engine, String, TypeDecorator, event, inspect, make_url
from sqlalchemy.exc import ArgumentError
from sqlmodel import SQLModel

from exchange.errors import SetupError
from ledger import NoLogError
from ledger.store import begin, head, snapshot
from ledger.store import engine_for as ledger_engine_for
from ledger.store import metadata as ledger_metadata

__all__ = [
    "SUCCEED",
    "DecimalText",
    "UtcTime",
    "begin",
    "engine_for",
    "existing_engine_for",
    "forget_pages",
    "has_log",
    "lost",
    "migrate",
    "place",
    "require_newest",
]

#: What is left to do when a log's database is lost and no copy of it is new enough.
SUCCEED = "if none is left, this origin ends: `packtrace ledger succeed ORIGIN` starts a new log in an empty database"

_MIGRATIONS = Path(__file__).parent / "migrations"
_DECIMAL_CHARACTERS = 64

# Constraint names that Alembic can refer to on both databases; set before any table of ours is declared.
SQLModel.metadata.naming_convention = ledger_metadata.naming_convention


class DecimalText(TypeDecorator[Decimal]):
    """A decimal kept as text, digits and exponent as they are: SQLite's number type is a float and would change digits.

    ValueError for what no figure is, on both databases alike: infinities, NaN, more than 64 characters.
    """

    impl = String(_DECIMAL_CHARACTERS)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write the decimal's own form, with an exponent where it has one."""
        del dialect
        if value is None:
            return None
        text = str(value)
        if len(text) > _DECIMAL_CHARACTERS:
            # Zeros become an exponent; with this precision no digit is rounded away.
            text = str(value.normalize(Context(prec=len(value.as_tuple().digits))))
        if not value.is_finite() or len(text) > _DECIMAL_CHARACTERS:
            raise ValueError("not a finite decimal of a figure's length")
        return text

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Read exactly what was written."""
        del dialect
        return None if value is None else Decimal(value)


class UtcTime(TypeDecorator[datetime]):
    """A time as ISO 8601 text in UTC with microseconds: SQLite loses time zones. Naive times are refused."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Write in UTC, fixed width, so that text order is time order."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without time zone can't be stored")
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read back with time zone UTC."""
        del dialect
        return None if value is None else datetime.fromisoformat(value)


def engine_for(url: str) -> Engine:
    """The ledger's engine for `url`, whose errors don't show what was being written: disclosures, for instance. SetupError: no URL."""
    try:
        engine = ledger_engine_for(url)
    except (ArgumentError, ValueError):
        # Not chained: the parser's error quotes the URL, which may hold a password.
        raise SetupError(
            "not a database URL",
            where="PACKTRACE_DATABASE_URL",
            remedy="write it as postgresql+psycopg://user:password@host:5432/name",
        ) from None
    engine.hide_parameters = True
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _overwrite_deleted)
    return engine


def forget_pages(engine: Engine, tables: Sequence[str] = ()) -> None:
    """Let go of what was deleted: of SQLite's write-ahead log, as far as readers let go of it now; with `tables`, write these anew.

    Not in a transaction.
    """
    if engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(str(engine.url.database), timeout=1, isolation_level=None)) as connection:
            if tables:
                connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    elif tables:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as found:
            for name in tables:
                found.exec_driver_sql(f"VACUUM FULL {name}")


def _overwrite_deleted(connection: Any, _record: object) -> None:
    """Let SQLite write zeros over what is deleted, or what was erased would stay in free pages."""
    connection.execute("PRAGMA secure_delete = ON")


def place(url: str | URL) -> str:
    """Where people find a database: SQLite's file, or the setting, of which the rest may be secret."""
    parsed = make_url(url)
    return str(parsed.database) if parsed.get_backend_name() == "sqlite" else "PACKTRACE_DATABASE_URL"


def has_log(engine: Engine) -> bool:
    """Whether the database holds a log. Of a SQLite database that isn't there no file is made."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return False
    with snapshot(engine) as connection:
        if not inspect(connection).has_table(ledger_metadata.tables["ledger_head"].name):
            return False
        try:
            head(connection)
        except NoLogError:
            return False
    return True


def existing_engine_for(url: str) -> Engine:
    """The engine of a database that is there, for who only reads it. SetupError where it is lost: nothing is made in its place."""
    engine = engine_for(url)
    if not has_log(engine):
        engine.dispose()
        raise lost(engine)
    return engine


def lost(engine: Engine) -> SetupError:
    """The error for a log's database that is gone."""
    return SetupError(
        "the log's database is missing or empty",
        where=place(engine.url),
        remedy=f"put a copy back: `packtrace restore COPY`; {SUCCEED}",
    )


def require_newest(engine: Engine) -> None:
    """Check that the database is at this program's version, for processes that don't migrate. Raises SetupError."""
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with snapshot(engine) as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found != ScriptDirectory.from_config(config).get_current_head():
        raise SetupError(
            f"the database is at version {found}, which is not this program's",
            where=place(engine.url),
            remedy="start the worker of this program's version first, which migrates it; then this process",
        )


def migrate(engine: Engine) -> None:
    """Bring the database to the newest version; does nothing where it is there already."""
    # Imported here: with what it brings along it takes a sixth of the start of a command that doesn't migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with begin(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

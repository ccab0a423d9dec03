"""The database of the exchange: column types that give the same bytes on SQLite and PostgreSQL, engine, and migrations."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Dialect, Engine, String, TypeDecorator
from sqlmodel import SQLModel

from ledger.store import begin, engine_for
from ledger.store import metadata as ledger_metadata

__all__ = ["DecimalText", "UtcTime", "begin", "engine_for", "migrate"]

_MIGRATIONS = Path(__file__).parent / "migrations"

# Constraint names that Alembic can refer to on both databases; set before any table of ours is declared.
SQLModel.metadata.naming_convention = ledger_metadata.naming_convention


class DecimalText(TypeDecorator[Decimal]):
    """A decimal kept as text: SQLite's number type is a float and would change digits."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """Write the plain decimal form."""
        del dialect
        return None if value is None else format(value, "f")

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
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read back with time zone UTC."""
        del dialect
        return None if value is None else datetime.fromisoformat(value)


def migrate(engine: Engine) -> None:
    """Bring the database to the newest version; does nothing where it is there already."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with begin(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

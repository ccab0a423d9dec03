"""How far the log is published, in the database: what processes without the data folder of the worker go by.

The worker notes the size after every file of a checkpoint is in place. Tiles are derived from the same database, so that each process
serves the published log, byte for byte, without its files.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Connection, Engine
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel, col, select

from ledger import CHECKPOINT_PATH
from ledger.store import published, published_tile, snapshot

_ONE = 1


class PublishedRow(SQLModel, table=True):
    """The size of the newest published checkpoint: one row."""

    __tablename__ = "exchange_published"

    id: int = Field(default=_ONE, primary_key=True)
    size: int = Field(sa_type=BigInteger)


def note_published(connection: Connection, size: int) -> None:
    """Note that the checkpoint of `size` is published; a smaller size than the one that is noted changes nothing."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(PublishedRow).values(id=_ONE, size=size)
    larger = col(PublishedRow.size) < size
    connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_={"size": size}, where=larger))


def published_size(connection: Connection) -> int | None:
    """Return the size of the newest published checkpoint; None before the first."""
    return connection.scalar(select(col(PublishedRow.size)))


class PublishedLog:
    """The published log, from the database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def size(self) -> int:
        """Return how many entries the newest published checkpoint covers, 0 before the first."""
        with snapshot(self._engine) as connection:
            return published_size(connection) or 0

    def file(self, path: str) -> bytes | None:
        """Return a file of the published log; None where nothing of that name is published.

        Raises BadTilePathError for a path that no log has.
        """
        with snapshot(self._engine) as connection:
            size = published_size(connection)
            if path != CHECKPOINT_PATH:
                return published_tile(connection, path, size or 0)
            return None if size is None else published(connection, size).cosigned.encode()

"""Timestamps of checkpoints (RFC 3161) in the database. They are opaque here: whoever stores one has verified it."""

from datetime import UTC, datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ledger.notes import note_text
from ledger.store import tables
from ledger.store.transactions import require_writing


def store_timestamp(connection: Connection, size: int, at: datetime, response: bytes) -> None:
    """Keep an authority's response (DER) over the text of the stored checkpoint of `size`, which it gave at `at` (aware).

    Of two for the same size and second the first stays. Raises NotWritingError.
    """
    require_writing(connection)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"size": size, "time": int(at.timestamp()), "response": response}
    connection.execute(dialect.insert(tables.timestamp).on_conflict_do_nothing(), [row])


def last_stamped(connection: Connection) -> datetime | None:
    """When a checkpoint was timestamped last (UTC, whole seconds); None before the first."""
    seconds = connection.scalar(select(func.max(tables.timestamp.c.time)))
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def stamped_checkpoints(connection: Connection, size: int) -> list[tuple[int, str, bytes]]:
    """Size, text (three lines, what was stamped) and response (DER) of each timestamp of a checkpoint of at most `size`.

    By size, then by time.
    """
    stamp, checkpoint = tables.timestamp.c, tables.checkpoint.c
    query = (
        select(stamp.size, checkpoint.note, stamp.response)
        .join(tables.checkpoint, checkpoint.size == stamp.size)
        .where(stamp.size <= size)
        .order_by(stamp.size, stamp.time)
    )
    return [(row.size, note_text(row.note), row.response) for row in connection.execute(query)]

"""What a witness remembers: of each log the last checkpoint that it cosigned.

One transaction under SQLite's write lock reads the last checkpoint, judges the new one against it and stores it, so
that requests which race, in threads or in processes, are judged one after the other.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import BigInteger, Column, Engine, LargeBinary, MetaData, String, Table, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from ledger import DurableWriteError, Seen
from ledger.store import begin

metadata = MetaData()
_last = Table(
    "witness_last",
    metadata,
    Column("origin", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
)


class Memory:
    """The last checkpoints, in a SQLite file."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._broken = False

    def advance(self, new: Seen, judge: Callable[[Seen | None], None]) -> None:
        """Store `new` as the last checkpoint of its log, unless `judge` refuses it against the one before.

        When this returns, it is durable. Raises what `judge` raises, DatabaseBusyError (another process held the lock for
        too long; nothing was written), and DurableWriteError: after a failed write the disk may have dropped what it reported
        before, so from then on nothing is stored any more by this process.
        """
        if self._broken:
            raise _failed("an earlier write failed")
        try:
            with begin(self._engine) as connection:
                row = connection.execute(select(_last).where(_last.c.origin == new.origin)).one_or_none()
                judge(None if row is None else Seen(row.origin, row.size, row.root))
                values = {"origin": new.origin, "size": new.size, "root": new.root}
                connection.execute(insert(_last).values(values).on_conflict_do_update(set_=values))
        except SQLAlchemyError as error:
            self._broken = True
            raise _failed(str(getattr(error, "orig", None) or error).partition("\n")[0]) from error


def _failed(reason: str) -> DurableWriteError:
    return DurableWriteError(
        f"the checkpoint could not be stored: {reason}", where="state", remedy="look at the disk, restart the witness"
    )

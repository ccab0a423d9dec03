"""The one-row lease that decides which process does a job on the clock."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel, col

from exchange.database import UtcTime

LEASE = timedelta(seconds=15)
_CLOCKS_APART = timedelta(minutes=2)  # no more than this do the clocks of two machines differ


class LeaseRow(SQLModel, table=True):
    """Who may do a job until when. `holder` names a process."""

    __tablename__ = "exchange_lease"

    job: str = Field(max_length=64, primary_key=True)
    holder: str = Field(max_length=64)
    until: datetime = Field(sa_type=UtcTime)


def take_lease(connection: Connection, job: str, holder: str, now: datetime) -> bool:
    """Take or renew the lease on `job` for `holder`; whether it is the holder's now. One statement, so that two can't both win.

    A lease further ahead than any process takes one is nobody's: a clock that ran ahead wrote it, and the job would rest till then.
    """
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"job": job, "holder": holder, "until": now + LEASE}
    insert = dialect.insert(LeaseRow).values(values)
    until = col(LeaseRow.until)
    free = or_(until <= now, until > now + LEASE + _CLOCKS_APART, col(LeaseRow.holder) == holder)
    taken = connection.execute(
        insert.on_conflict_do_update(
            index_elements=["job"], set_={"holder": holder, "until": now + LEASE}, where=free
        ).returning(col(LeaseRow.holder))
    )
    return taken.first() is not None


def release_lease(connection: Connection, job: str, holder: str, now: datetime) -> None:
    """Give the lease back, so that another process needn't wait for its end."""
    mine = (col(LeaseRow.job) == job, col(LeaseRow.holder) == holder)
    connection.execute(update(LeaseRow).where(*mine).values(until=now))

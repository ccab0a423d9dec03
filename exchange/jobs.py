"""Work on the clock: APScheduler ticks in every process, a one-row lease decides which process acts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Connection, Engine, or_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Field, SQLModel, col

from exchange.cosigning import Witnesses
from exchange.database import UtcTime
from ledger import DurableWriteError, LedgerError, NoteSigner
from ledger.store import SignedCheckpoint, begin, publish

log = logging.getLogger("packtrace.jobs")
# The scheduler warns of each tick that comes while one is under way and is left out: no news, as one may wait seconds for witnesses.
_scheduling = logging.getLogger("packtrace.jobs.scheduling")
_scheduling.setLevel(logging.ERROR)
PUBLISH = "publish-checkpoint"
LEASE = timedelta(seconds=15)


class LeaseRow(SQLModel, table=True):
    """Who may do a job until when. `holder` names a process."""

    __tablename__ = "exchange_lease"

    job: str = Field(max_length=64, primary_key=True)
    holder: str = Field(max_length=64)
    until: datetime = Field(sa_type=UtcTime)


def take_lease(connection: Connection, job: str, holder: str, now: datetime) -> bool:
    """Take or renew the lease on `job` for `holder`; whether it is the holder's now. One statement, so that two can't both win."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    values = {"job": job, "holder": holder, "until": now + LEASE}
    insert = dialect.insert(LeaseRow).values(values)
    free = or_(col(LeaseRow.until) <= now, col(LeaseRow.holder) == holder)
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


class Publisher:
    """Publishes a checkpoint at each tick, in whichever process holds the lease."""

    def __init__(
        self,
        engine: Engine,
        signer: NoteSigner,
        folder: Path,
        witnesses: Witnesses,
        *,
        last_signed: Path,
        holder: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._signer = signer
        self._folder = folder
        self._witnesses = witnesses
        self._last_signed = last_signed
        self._holder = holder
        self._clock = clock
        self._looked = False

    def tick(self) -> SignedCheckpoint | None:
        """Publish what was committed, if this process holds the lease; the first time, also files that were lost. Raises LedgerError."""
        now = self._clock()
        with begin(self._engine) as connection:
            if not take_lease(connection, PUBLISH, self._holder, now):
                return None
        self._witnesses.compare()
        signed = publish(
            self._engine,
            self._signer,
            self._folder,
            now,
            last_signed=self._last_signed,
            cosign=self._witnesses.collect,
            put_back=not self._looked,
        )
        self._looked = True
        return signed

    def stop(self) -> None:
        """Give the lease back; where the database is out of reach, it ends by itself."""
        try:
            with begin(self._engine) as connection:
                release_lease(connection, PUBLISH, self._holder, self._clock())
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("lease not given back: %s", _reason(error))


def start_clock(publisher: Publisher, seconds: float) -> BackgroundScheduler:
    """Start the clock that ticks `publisher`; `shutdown()` ends it."""
    scheduler = BackgroundScheduler(timezone="UTC", logger=_scheduling)
    options = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
    scheduler.add_job(_guarded(publisher), "interval", seconds=seconds, **options)
    scheduler.start()
    return scheduler


def _guarded(publisher: Publisher) -> Callable[[], None]:
    """Return the tick that logs errors in a line: a traceback would repeat each second."""
    broken = threading.Event()

    def tick() -> None:
        if broken.is_set():
            return
        try:
            publisher.tick()
        except DurableWriteError as error:
            # What the disk dropped it won't report twice, so this process writes no more; another may take the lease.
            broken.set()
            log.critical("publishing has ended in this process: %s", error)
        except LedgerError as error:
            log.error("checkpoint not published: %s", error)  # noqa: TRY400
        except SQLAlchemyError as error:
            log.error("checkpoint not published: %s", _reason(error))  # noqa: TRY400

    return tick


def _reason(error: Exception) -> str:
    """Return the database's own words, without the statement."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]

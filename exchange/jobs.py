"""Work on the clock: APScheduler ticks in every process, a one-row lease decides which process acts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from exchange.cosigning import Witnesses
from exchange.lease import release_lease, take_lease
from exchange.published import note_published
from ledger import DurableWriteError, LedgerError, NoteSigner
from ledger.store import SignedCheckpoint, begin, publish

log = logging.getLogger("packtrace.jobs")
# The scheduler warns of each tick that comes while one is under way and is left out: no news, as one may wait seconds for witnesses.
_scheduling = logging.getLogger("packtrace.jobs.scheduling")
_scheduling.setLevel(logging.ERROR)
PUBLISH = "publish-checkpoint"


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
        self._noted = -1

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
        if signed.size != self._noted:
            with begin(self._engine) as connection:
                note_published(connection, signed.size)
            self._noted = signed.size
        return signed

    def stop(self) -> None:
        """Give the lease back; where the database is out of reach, it ends by itself."""
        try:
            with begin(self._engine) as connection:
                release_lease(connection, PUBLISH, self._holder, self._clock())
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("lease not given back: %s", _reason(error))


@dataclass(frozen=True, slots=True)
class Job:
    """What the clock does every so many `seconds`; in an error's line `name` is the work and `undone` what came of it."""

    tick: Callable[[], object]
    seconds: float
    name: str
    undone: str


def start_clock(*jobs: Job) -> BackgroundScheduler:
    """Start the clock that ticks each job; `shutdown()` ends it."""
    scheduler = BackgroundScheduler(timezone="UTC", logger=_scheduling)
    options = {"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
    for job in jobs:
        scheduler.add_job(_guarded(job), "interval", seconds=job.seconds, **options)
    scheduler.start()
    return scheduler


def _guarded(job: Job) -> Callable[[], None]:
    """Return the tick that logs errors in a line: a traceback would repeat each second."""
    broken = threading.Event()

    def tick() -> None:
        if broken.is_set():
            return
        try:
            job.tick()
        except DurableWriteError as error:
            # What the disk dropped it won't report twice, so this process writes no more; another may take the lease.
            broken.set()
            log.critical("%s has ended in this process: %s", job.name, error)
        except LedgerError as error:
            log.error("%s: %s", job.undone, error)  # noqa: TRY400
        except SQLAlchemyError as error:
            log.error("%s: %s", job.undone, _reason(error))  # noqa: TRY400

    return tick


def _reason(error: Exception) -> str:
    """Return the database's own words, without the statement."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]

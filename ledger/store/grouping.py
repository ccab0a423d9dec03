"""Group commit: one transaction, and so one wait for the disk, for all that queued during the last.

The order of durable writes: each piece of work writes its entries and the rows that belong to them, one piece after
the other under the lock on the head, each within a savepoint; then one commit makes all of them durable; only then
is anybody answered. What fails by itself is undone by itself, and the others go on. So whoever was answered finds
the entry after any crash, and whoever was not may send the same again: it is there once or not at all.

There is no thread: who comes first commits for those who come meanwhile, and then hands the lead to the next.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ledger.errors import CommitUncertainError, DurableWriteError, LedgerError, NotCommittedError, QueueFullError
from ledger.store.reading import head_state
from ledger.store.statements import attempt
from ledger.store.transactions import begin

Result = TypeVar("Result")
#: Pieces of work in one transaction: the first of them waits for all, and other processes wait for the head.
BATCH: Final = 256
_REMEDY: Final = "send the same again: what is there already is answered with its entry"


def _held_lock() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(eq=False)
class _Job:
    """A piece of work and what became of it. Its thread waits at `call`, for the answer or to lead."""

    work: Callable[[Connection], Any]
    call: threading.Lock = field(default_factory=_held_lock)
    answered: bool = False
    result: Any = None
    error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        """Do the work within a savepoint. Raises only what ends the whole transaction."""
        outcome = attempt(connection, lambda: self.work(connection))
        if isinstance(outcome, Exception):
            self.error = outcome
        else:
            self.result = outcome


class GroupCommit:
    """The door by which many threads append to one log. Several processes may each have one on the same database."""

    def __init__(self, engine: Engine, *, capacity: int) -> None:
        self._engine = engine
        self._capacity = capacity
        self._lock = threading.Lock()  # over the three below; never held during a transaction
        self._waiting: deque[_Job] = deque()
        self._unanswered = 0
        self._broken: str | None = None

    def submit(self, work: Callable[[Connection], Result]) -> Result:
        """Do `work` in a write transaction that holds the lock on the head; return its result once it is durable.

        `work` may run in another thread, after other work and before some, and appends by `ledger.store.append`.
        What it raises undoes its own writes alone, and is raised here.

        Raises QueueFullError when `capacity` pieces of work have no answer yet (nothing was done); CommitUncertainError
        when the commit itself failed, NotCommittedError when the transaction did before it (for both: send the same
        again); DurableWriteError when the disk did (this process appends no more).
        """
        job = _Job(work)
        if self._queue(job):
            self._lead()
        else:
            job.call.acquire()
            if not job.answered:
                self._lead()
        if job.error is not None:
            raise job.error
        result: Result = job.result
        return result

    def _queue(self, job: _Job) -> bool:
        """Join the queue; whether nobody is at work, so that the caller leads."""
        with self._lock:
            if self._broken is not None:
                raise _disk_failed(self._broken)
            if self._unanswered >= self._capacity:
                raise QueueFullError(
                    f"{self._capacity} submissions wait already", where="queue", remedy="send it again in a second"
                )
            self._waiting.append(job)
            self._unanswered += 1
            return self._unanswered == 1

    def _lead(self) -> None:
        """Commit what waits, the leader's own job first; answer everybody in it, and let the next one lead."""
        with self._lock:
            jobs = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        try:
            self._commit(jobs)
        finally:
            with self._lock:
                self._unanswered -= len(jobs)
                successor = self._waiting[0] if self._waiting else None
            for job in jobs:
                job.answered = True
                job.call.release()
            if successor is not None:
                successor.call.release()

    def _commit(self, jobs: list[_Job]) -> None:
        committing = False
        try:
            with begin(self._engine) as connection:
                head_state(connection, locked=True)
                for job in jobs:
                    job.run(connection)
                committing = True
        except BaseException as error:
            for job in jobs:
                job.error = self._failure(error, committing=committing)
            if not isinstance(error, Exception):
                raise

    def _failure(self, error: BaseException, *, committing: bool) -> BaseException:
        """What each of a failed transaction is told, which depends on whether it may have been stored."""
        if (broken := _disk_error(error)) is not None:
            # What the disk dropped it will not report twice, so a later commit would prove nothing of this one.
            self._broken = broken
            failure: LedgerError = _disk_failed(broken)
        elif committing:
            failure = CommitUncertainError(
                "the commit failed: the entry is stored or it is not", where="commit", remedy=_REMEDY
            )
        elif isinstance(error, SQLAlchemyError) or not isinstance(error, Exception):
            failure = NotCommittedError(
                "the database gave up the transaction; nothing was written", where="transaction", remedy=_REMEDY
            )
        else:
            return error
        failure.__cause__ = error
        return failure


def _disk_error(error: BaseException) -> str | None:
    """SQLite's own words when a read, write or fsync of it failed."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return str(cause) if getattr(cause, "sqlite_errorname", "").startswith("SQLITE_IOERR") else None


def _disk_failed(what: str) -> DurableWriteError:
    return DurableWriteError(
        f"a durable write of this process failed: {what}", where="database", remedy="end the process, look at the disk"
    )

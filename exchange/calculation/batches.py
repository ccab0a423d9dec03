"""Calculations of many demands, done step by step by whichever process holds the lease. The work stands in tables and survives a kill.

Each demand's result is stored before it is ticked off, so a kill between the two costs one computation and loses nothing.
Organisations take turns, one step each, however much each of them waits for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Engine, func, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from bom_graph import BomGraphError, load_rule_set
from exchange.access import Principal
from exchange.assembly import Demand, RefusedError
from exchange.calculation.results import Calculation
from exchange.calculation.tables import JobItemRow, JobRow
from exchange.errors import ConflictError, NotFoundError, RightsError, UsageError
from exchange.events import emit
from exchange.evidence import Evidence
from exchange.identity import Accounts, spoken_for
from exchange.lease import release_lease, take_lease
from exchange.report import Document, finding_documents
from exchange.sharing import Sharing
from exchange.vault import Vault
from ledger import LedgerError
from ledger.store import begin, snapshot
from signer import new_jti

log = logging.getLogger("packtrace.jobs")
CALCULATE = "calculate"
MAX_ITEMS = 10_000
_STEP = 50
_STEP_TIME = timedelta(seconds=2)
#: Steps in a row that were begun and didn't end: what kills the process three times would kill it for ever.
_MOST_ATTEMPTS = 3
_WRITE = 500
State = Literal["waiting", "running", "done", "failed", "cancelled"]
_ACTIVE = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one demand: its result's digest, or the findings that refuse it, or neither yet."""

    number: int
    product: str
    flow: str | None
    rule_set: str
    state: str
    result: str | None
    findings: list[dict[str, Any]]


class Batches:
    """Takes calculations in, tells how far they are, and works on them."""

    def __init__(
        self,
        engine: Engine,
        calculation: Calculation,
        sharing: Sharing,
        accounts: Accounts,
        *,
        holder: str,
        clock: Callable[[], datetime],
        random: Callable[[int], bytes],
        vault: Vault,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._calculation = calculation
        self._sharing = sharing
        self._accounts = accounts
        self._holder = holder
        self._clock = clock
        self._random = random
        self._stopping = False
        self._excused = ""

    def ask(self, actor: Principal, reader: str, demands: Sequence[Demand], rule_sets: Sequence[str]) -> str:
        """Take in a calculation of each demand under each rule set and return its id.

        Raises RightsError, RuleSetError for an unknown rule set, UsageError for none or more than MAX_ITEMS.
        """
        self._accounts.check_speaks_for(actor, reader, "footprints:write")
        for rule_set in rule_sets:
            load_rule_set(rule_set)
        asked = [(demand, one) for demand in dict.fromkeys(demands) for one in dict.fromkeys(rule_sets)]
        if not 0 < len(asked) <= MAX_ITEMS:
            raise UsageError(
                f"{len(asked)} results are asked for", where="demands", remedy=f"ask for 1 to {MAX_ITEMS} at once"
            )
        now = self._clock()
        job = new_jti(now, self._random)
        with begin(self._engine) as connection, Session(connection) as session:
            session.add(
                JobRow(
                    id=job,
                    reader=reader,
                    asked_by=actor.recorded_as(reader),
                    total=len(asked),
                    created_at=now,
                    served_at=now,
                )
            )
            session.flush()
            for start in range(0, len(asked), _WRITE):
                some = enumerate(asked[start : start + _WRITE], start)
                session.add_all(
                    JobItemRow(job=job, number=number, product=demand.product, flow=demand.flow, rule_set=rule_set)
                    for number, (demand, rule_set) in some
                )
                session.flush()
        return job

    def job(self, actor: Principal, job: str) -> JobRow:
        """Return how far a calculation of the actor's is; NotFoundError for any other."""
        actor.require("data:read")
        with snapshot(self._engine) as connection, Session(connection) as session:
            row = _own(session, actor, job)
            session.expunge_all()
            return row

    def outcomes(self, actor: Principal, job: str, after: int = -1, limit: int = 200) -> list[Outcome]:
        """Return what became of the demands of a calculation behind number `after`, in order."""
        actor.require("data:read")
        query = select(JobItemRow).where(col(JobItemRow.job) == job, col(JobItemRow.number) > after)
        with snapshot(self._engine) as connection, Session(connection) as session:
            _own(session, actor, job)
            rows = session.exec(query.order_by(col(JobItemRow.number)).limit(limit)).all()
            return [
                Outcome(r.number, r.product, r.flow, r.rule_set, r.state, r.result, self._findings(connection, r))
                for r in rows
            ]

    def jobs(self, actor: Principal, after: str = "", limit: int = 50) -> list[JobRow]:
        """Return the actor's calculations, newest first; those that are older than `after`."""
        actor.require("data:read")
        query = select(JobRow).where(spoken_for(actor, col(JobRow.reader))).order_by(col(JobRow.id).desc())
        if after:
            query = query.where(col(JobRow.id) < after)
        with snapshot(self._engine) as connection, Session(connection) as session:
            rows = session.exec(query.limit(limit)).all()
            session.expunge_all()
            return list(rows)

    def cancel(self, actor: Principal, job: str) -> None:
        """End a calculation; the results that it has stay. ConflictError where it has ended."""
        with begin(self._engine) as connection, Session(connection) as session:
            row = _own(session, actor, job)
            self._accounts.check_speaks_for(actor, row.reader, "footprints:write")
            if not self._end(connection, job, "cancelled", f"cancelled by {actor.recorded_as(row.reader)}"):
                raise ConflictError("the calculation has ended", where="calculation", remedy="look at its results")

    def tick(self) -> None:
        """Work on calculations until none waits, if this process holds the lease."""
        while not self._stopping and self._step():
            pass

    def end_soon(self) -> None:
        """End after the demand that is being computed."""
        self._stopping = True

    def stop(self) -> None:
        """Give the lease back; where the database is out of reach, it ends by itself."""
        try:
            with begin(self._engine) as connection:
                release_lease(connection, CALCULATE, self._holder, self._clock())
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("lease not given back: %s", type(error).__name__)

    def _step(self) -> bool:
        """Do a step of the organisation's calculation that has waited longest; whether there was one."""
        taken = self._take()
        if taken is None:
            return False
        job, attempts, items = taken
        if attempts > _MOST_ATTEMPTS:
            place = f"demand {items[0].number}, {items[0].product}" if items else "its end"
            self._fail(
                job,
                f"it was cut short {_MOST_ATTEMPTS} times at {place}: ask for that demand alone, and tell the operator",
            )
            return True
        try:
            self._work(job, items)
        except (LedgerError, SQLAlchemyError):
            # The database's trouble isn't this calculation's: it goes on later, and this attempt isn't counted.
            self._excused = job.id
            raise
        except Exception as error:
            log.exception("calculation %s failed", job.id)
            self._fail(job, f"it ended by a fault of the exchange ({type(error).__name__}): tell the operator")
        return True

    def _take(self) -> tuple[JobRow, int, Sequence[JobItemRow]] | None:
        """Return the next step: its calculation, how often it was begun, and its demands. None without lease or work."""
        now = self._clock()
        with begin(self._engine) as connection, Session(connection) as session:
            if not take_lease(connection, CALCULATE, self._holder, now):
                return None
            active = col(JobRow.state).in_(_ACTIVE)
            turn = func.max(col(JobRow.served_at))
            next_ = session.exec(
                select(JobRow.reader)
                .where(active)
                .group_by(col(JobRow.reader))
                .order_by(turn, col(JobRow.reader))
                .limit(1)
            ).first()
            if next_ is None:
                return None
            job = session.exec(
                select(JobRow).where(active, col(JobRow.reader) == next_).order_by(col(JobRow.id)).limit(1)
            ).one()
            job.state, job.served_at = "running", now
            job.attempts += job.id != self._excused
            self._excused = ""
            waiting = (col(JobItemRow.job) == job.id, col(JobItemRow.state) == "waiting")
            items = session.exec(select(JobItemRow).where(*waiting).order_by(col(JobItemRow.number)).limit(_STEP)).all()
            session.flush()
            session.expunge_all()
            return job, job.attempts, items

    def _work(self, job: JobRow, items: Sequence[JobItemRow]) -> None:
        begun, evidence = self._clock(), self._sharing.evidence_for(job.reader)
        for item in items:
            if self._stopping or self._clock() - begun > _STEP_TIME:
                break
            result, findings = self._computed(job.reader, evidence, item)
            if not self._ticked_off(item, result, findings):
                return
        with begin(self._engine) as connection, Session(connection) as session:
            left = select(JobItemRow.number).where(col(JobItemRow.job) == job.id, col(JobItemRow.state) == "waiting")
            connection.execute(update(JobRow).where(col(JobRow.id) == job.id).values(attempts=0))
            if session.exec(left.limit(1)).first() is None and self._end(connection, job.id, "done", ""):
                self._tell(session, job, "packtrace.result.done")

    def _computed(self, reader: str, evidence: Evidence, item: JobItemRow) -> tuple[str | None, list[Document]]:
        """Return the digest of the item's stored result, or None and its findings."""
        demand = Demand(item.product, item.flow)
        try:
            found = self._calculation.computed(evidence, demand, item.rule_set)
            kept = self._calculation.keep(reader, evidence, found)
            if kept is None:
                # Something was erased since this step was begun.
                kept = self._calculation.computed_and_kept(reader, demand, item.rule_set)[0]
        except RefusedError as error:
            return None, finding_documents(error.findings)
        except (BomGraphError, RightsError) as error:
            return None, [_refusal(error.code, error.where, error.what, error.remedy)]
        return kept, []

    def _ticked_off(self, item: JobItemRow, result: str | None, findings: list[Document]) -> bool:
        """Write what became of a demand, once; whether the calculation is still wanted."""
        refused = 1 if result is None else 0
        with begin(self._engine) as connection:
            mine = (col(JobRow.id) == item.job, col(JobRow.state) == "running")
            counted = {"done": col(JobRow.done) + 1, "refused": col(JobRow.refused) + refused, "attempts": 0}
            this = (
                col(JobItemRow.job) == item.job,
                col(JobItemRow.number) == item.number,
                col(JobItemRow.state) == "waiting",
            )
            written = {"state": "refused" if refused else "done", "result": result}
            # Another process may have taken the lease meanwhile and done it first: then it is counted.
            if connection.execute(update(JobItemRow).where(*this).values(written)).rowcount == 1:
                if refused:
                    self._vault.seal(connection, "findings", _place(item), json.dumps(findings).encode())
                wanted = connection.execute(update(JobRow).where(*mine).values(counted)).rowcount == 1
            else:
                wanted = True
            return wanted and take_lease(connection, CALCULATE, self._holder, self._clock())

    def _findings(self, connection: Connection, item: JobItemRow) -> list[Document]:
        if item.state != "refused":
            return []
        data = self._vault.open_(connection, "findings", _place(item))
        if data is None:
            remedy = "ask for this result again"
            return [_refusal("erased", item.product, "what refused it was erased together with a statement", remedy)]
        found: list[Document] = json.loads(data)
        return found

    def _fail(self, job: JobRow, reason: str) -> None:
        with begin(self._engine) as connection, Session(connection) as session:
            if self._end(connection, job.id, "failed", reason):
                self._tell(session, job, "packtrace.result.failed")

    def _end(self, connection: Connection, job: str, state: State, reason: str) -> bool:
        """End a calculation that is going on; whether it was."""
        mine = (col(JobRow.id) == job, col(JobRow.state).in_(_ACTIVE))
        ended = {"state": state, "reason": reason, "ended_at": self._clock()}
        return connection.execute(update(JobRow).where(*mine).values(ended)).rowcount == 1

    def _tell(self, session: Session, job: JobRow, type_: str) -> None:
        path = f"/api/v1/calculations/{job.id}"
        emit(session, recipient=job.reader, type=type_, subject=path, data={"id": job.id}, at=self._clock())


def _place(item: JobItemRow) -> str:
    return f"{item.job}/{item.number}"


def _refusal(gate: str, where: str, what: str, remedy: str) -> Document:
    return {"gate": gate, "level": "hard", "where": where, "what": what, "remedy": remedy}


def _own(session: Session, actor: Principal, job: str) -> JobRow:
    row = session.exec(select(JobRow).where(col(JobRow.id) == job, spoken_for(actor, col(JobRow.reader)))).one_or_none()
    if row is None:
        raise NotFoundError(
            "no such calculation", where="calculation", remedy="take its id from the answer that took it in"
        )
    return row

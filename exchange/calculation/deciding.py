"""A stale result is recalculated, and its reader decides: another takes its place, or it is kept, with a reason."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, update
from sqlmodel import Session, col, select

from exchange.access import Principal
from exchange.assembly import Demand
from exchange.calculation.results import Calculation
from exchange.calculation.stale import StaleResult, judge, weighty
from exchange.calculation.tables import StaleRow
from exchange.errors import ConflictError
from exchange.events import emit
from exchange.evidence import Evidence
from exchange.identity import Accounts, spoken_for
from exchange.report import Document, digest, document_bytes
from exchange.sharing import Sharing
from ledger.store import begin, snapshot


@dataclass(frozen=True, slots=True)
class Mark:
    """Why a result is stale (``entry:57``, ``rule_set:id``, ``release:id``), since when, and what its reader decided about it."""

    cause: str
    found_at: datetime
    decision: str | None
    reason: str | None
    successor: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Effect:
    """What recalculating gives today. `changed` is None where it comes out the same.

    `id` names the outcome, and is what an acceptance has to name. `ask` are places where a figure is missing that was there before: what is
    behind it only its owner knows, and no difference is told.
    """

    id: str
    changed: StaleResult | None
    ask: tuple[str, ...]


class Decisions:
    """Stale results of readers."""

    def __init__(
        self,
        engine: Engine,
        calculation: Calculation,
        sharing: Sharing,
        accounts: Accounts,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._calculation = calculation
        self._sharing = sharing
        self._accounts = accounts
        self._clock = clock

    def marks(self, actor: Principal, name: str) -> list[Mark]:
        """Return why a result of the actor's is stale, oldest first; none where it isn't. NotFoundError as for the result."""
        self._calculation.result(actor, name)
        query = select(StaleRow).where(col(StaleRow.result) == name, spoken_for(actor, col(StaleRow.reader)))
        with snapshot(self._engine) as connection, Session(connection) as session:
            rows = session.exec(query.order_by(col(StaleRow.found_at), col(StaleRow.cause))).all()
            return [Mark(r.cause, r.found_at, r.decision, r.reason, r.successor, r.decided_at) for r in rows]

    def effect(self, actor: Principal, name: str) -> Effect:
        """Recalculate a result of the actor's from what its reader sees today; nothing is stored."""
        before, reader = self._calculation.result_and_reader(actor, name)
        return self._effect(name, before, self._sharing.evidence_for(reader))[0]

    def accept(self, actor: Principal, name: str, effect: str) -> str:
        """Store the recalculated result in the old one's place and return its digest.

        `effect` names the outcome that the actor saw. ConflictError where it would be another now, where the result isn't stale, or
        somebody decided meanwhile; RefusedError where it is refused today.
        """
        before, reader = self._calculation.result_and_reader(actor, name)
        self._accounts.check_speaks_for(actor, reader, "footprints:write")
        evidence = self._sharing.evidence_for(reader)
        now, after = self._effect(name, before, evidence)
        if now.id != effect:
            raise _another()
        if after is None:
            # Raises what refuses it.
            after = self._again(before, evidence)
        successor = digest(after)
        with begin(self._engine) as connection, Session(connection) as session:
            self._decide(session, actor, reader, name, "accepted", None, successor)
            if self._calculation.add(session, reader, evidence, after) is None:
                raise _another()
            path = f"/api/v1/footprints/{successor}"
            data = {"result": successor, "replaces": name}
            emit(session, recipient=reader, type="packtrace.result.accepted", subject=path, data=data, at=self._clock())
            if after["demand"]["product"].startswith(reader + "/"):
                # What it signed of the product says what the old result said.
                emit(
                    session,
                    recipient=reader,
                    type="packtrace.footprint.drafted",
                    subject=f"{path}/draft",
                    data={"result": successor},
                    at=self._clock(),
                )
        return successor

    def keep(self, actor: Principal, name: str, reason: str) -> None:
        """Keep a stale result, for a reason. ConflictError where it isn't stale, or somebody decided meanwhile."""
        _found, reader = self._calculation.result_and_reader(actor, name)
        self._accounts.check_speaks_for(actor, reader, "footprints:write")
        with begin(self._engine) as connection, Session(connection) as session:
            self._decide(session, actor, reader, name, "kept", reason, None)

    def _decide(  # noqa: PLR0917 - one row's columns
        self,
        session: Session,
        actor: Principal,
        reader: str,
        name: str,
        decision: str,
        reason: str | None,
        successor: str | None,
    ) -> None:
        """Decide about all that is undecided, in one statement: of two at once the second finds nothing."""
        mine = (col(StaleRow.result) == name, col(StaleRow.reader) == reader, col(StaleRow.decision).is_(None))
        decided = {
            "decision": decision,
            "reason": reason,
            "successor": successor,
            "decided_by": actor.recorded_as(reader),
            "decided_at": self._clock(),
        }
        if session.connection().execute(update(StaleRow).where(*mine).values(decided)).rowcount == 0:
            raise ConflictError(
                "there is nothing to decide: the result isn't stale, or somebody decided meanwhile",
                where="digest",
                remedy="look at what is said of it under /stale",
            )

    def _again(self, before: Document, evidence: Evidence) -> Document:
        demand = Demand(before["demand"]["product"], before["demand"]["flow"])
        return self._calculation.computed(evidence, demand, before["rule_set"]["id"])

    def _effect(self, name: str, before: Document, evidence: Evidence) -> tuple[Effect, Document | None]:
        """Return the effect, and the document of today where there is one."""
        kept: list[Document] = []

        def again() -> Document:
            kept.append(self._again(before, evidence))
            return kept[0]

        changed = judge(name, before, evidence, again)
        after = kept[0] if kept else None
        outcome: Any = {"refused": changed.refused} if after is None and changed is not None else weighty(after or {})
        ask = _newly_missing(before, after) if after is not None else ()
        return Effect(hashlib.sha256(document_bytes(json.loads(json.dumps(outcome)))).hexdigest(), changed, ask), after


def _another() -> ConflictError:
    return ConflictError(
        "recalculating gives another result by now",
        where="effect",
        remedy="look at the effect again, and accept that one",
    )


def _newly_missing(before: Document, after: Document) -> tuple[str, ...]:
    known = {gap["where"] for gap in before["gaps"]}
    return tuple(dict.fromkeys(gap["where"] for gap in after["gaps"] if gap["where"] not in known))

"""Grants that end on a day: both sides are told, once, on the day after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from exchange.events import emit
from exchange.lease import take_lease
from exchange.sharing.granted import day_of
from exchange.sharing.tables import ONE, GrantRow, GrantsToldRow
from ledger.store import begin

TELL: Final = "tell-ended-grants"
Step = Literal["created", "withdrawn", "ended"]


def tell_of(session: Session, grant: GrantRow, step: Step, at: datetime, random: Callable[[int], bytes]) -> None:
    """Tell the reader, who granted and whose data it is about a step of a grant: its id alone, for all else they look it up."""
    for recipient in sorted({grant.reader, grant.grantor, grant.owner}):
        emit(
            session,
            recipient=recipient,
            type=f"packtrace.grant.{step}",
            subject="/api/v1/grants",
            data={"grant": grant.id},
            at=at,
            random=random,
        )


@dataclass(frozen=True, slots=True)
class Endings:
    """Tells of grants whose last day is over, in whichever process holds the lease."""

    engine: Engine
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)
    holder: str

    def tick(self) -> int:
        """Tell of the grants that ended since the last day that was told of; return how many. The first time there are none."""
        now = self.clock()
        today = day_of(now)
        with begin(self.engine) as connection, Session(connection) as session:
            if not take_lease(connection, TELL, self.holder, now):
                return 0
            told = session.get(GrantsToldRow, ONE)
            if told is None or told.day >= today:
                session.merge(GrantsToldRow(id=ONE, day=max(today, told.day if told else today)))
                session.flush()
                return 0
            over = (col(GrantRow.valid_until) >= told.day, col(GrantRow.valid_until) < today)
            rows = session.exec(select(GrantRow).where(*over, col(GrantRow.withdrawn_at).is_(None))).all()
            for row in rows:
                tell_of(session, row, "ended", now, self.random)
            told.day = today
            session.add(told)
            session.flush()
            return len(rows)

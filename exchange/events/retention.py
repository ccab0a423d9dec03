"""Events don't stay for ever: what was read or taken, and waits nowhere, is removed after the days that the operator states.

What nobody has seen stays, however old: the inbox promises that it can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, delete, or_
from sqlmodel import Session, col, exists, select

from exchange.events.tables import PENDING, DeliveryRow, EventRow
from exchange.lease import take_lease
from ledger.store import begin

REMOVE: Final = "remove-events"
_BATCH = 500


class Retention:
    """Removes old events at each tick, in whichever process holds the lease."""

    def __init__(self, engine: Engine, days: int, *, holder: str, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._days = timedelta(days=days)
        self._holder = holder
        self._clock = clock

    def tick(self) -> int:
        """Remove what has been kept for long enough, in batches; return how many events. SQLAlchemyError, LedgerError."""
        done, removed = 0, _BATCH
        while removed == _BATCH:
            with begin(self._engine) as connection:
                if not take_lease(connection, REMOVE, self._holder, self._clock()):
                    return done
                removed = self._remove(Session(connection))
            done += removed
        return done

    def _remove(self, session: Session) -> int:
        of_event = col(DeliveryRow.event) == col(EventRow.id)
        seen = or_(col(EventRow.read_at).is_not(None), exists().where(of_event))
        waits = exists().where(of_event, col(DeliveryRow.state) == PENDING)
        old = select(EventRow.id).where(col(EventRow.time) < self._clock() - self._days, seen, ~waits)
        found = session.exec(old.order_by(col(EventRow.id)).limit(_BATCH)).all()
        session.execute(delete(DeliveryRow).where(col(DeliveryRow.event).in_(found)))
        session.execute(delete(EventRow).where(col(EventRow.id).in_(found)))
        return len(found)

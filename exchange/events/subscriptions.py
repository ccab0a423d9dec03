"""Who wants which events sent where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import Engine, delete, func, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from exchange.errors import NotFoundError, RightsError, UsageError
from exchange.events.catalogue import PING, TYPES
from exchange.events.channels import Channels
from exchange.events.outbox import record
from exchange.events.tables import PENDING, DeliveryRow, SubscriptionRow
from ledger.store import begin, snapshot
from signer import new_jti

#: Each is a receiver that may be slow; of an organisation's only a few are sent to at once.
MAX_SUBSCRIPTIONS = 20


class Subscriptions:
    """The subscriptions of each organisation."""

    def __init__(
        self, engine: Engine, channels: Channels, *, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._clock = clock
        self._random = random

    def add(self, organisation: str, target: str, types: Collection[str] = ()) -> tuple[SubscriptionRow, bool]:
        """Send events of these types, or all, to a URL or mailto URI; return the subscription, and whether its target was there before.

        Types take the place of those that the target had. Raises TargetError, UsageError (no such type), RightsError (too many).
        """
        if unknown := sorted({*types} - {*TYPES}):
            raise UsageError(f"no such type: {unknown[0]}", where="types", remedy="see docs/formats/events.md")
        self._channels.check(target)
        now = self._clock()
        values = {
            "id": new_jti(now, self._random),
            "owner": organisation,
            "target": target,
            "types": " ".join(sorted({*types})),
            "active": True,
            "created_at": now,
            "not_before": now,
            "failures": 0,
            "trouble": "",
        }
        with begin(self._engine) as connection:
            session = Session(connection)
            others = (col(SubscriptionRow.owner) == organisation, col(SubscriptionRow.target) != target)
            if session.exec(select(func.count()).where(*others)).one() >= MAX_SUBSCRIPTIONS:
                remedy = "remove one that is no longer used"
                raise RightsError(f"more than {MAX_SUBSCRIPTIONS} subscriptions", where="organisation", remedy=remedy)
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            insert = dialect.insert(SubscriptionRow).values(values)
            insert = insert.on_conflict_do_update(
                index_elements=["owner", "target"], set_={"types": values["types"]}
            ).returning(col(SubscriptionRow.id))
            found = session.get_one(SubscriptionRow, connection.execute(insert).scalar_one())
            session.expunge(found)
        return found, found.id != values["id"]

    def of(self, organisation: str) -> Sequence[SubscriptionRow]:
        """Return the subscriptions of an organisation, oldest first."""
        query = select(SubscriptionRow).where(col(SubscriptionRow.owner) == organisation)
        with snapshot(self._engine) as connection:
            session = Session(connection)
            found = session.exec(query.order_by(col(SubscriptionRow.id))).all()
            session.expunge_all()
        return found

    def set_active(self, organisation: str, subscription: str, *, active: bool) -> SubscriptionRow:
        """Stop sending, or begin again, with what was waiting then; what happens meanwhile stays in the inbox alone. NotFoundError."""
        now = self._clock()
        with begin(self._engine) as connection:
            session = Session(connection)
            row = _owned(session, organisation, subscription)
            if active and not row.active:
                row.not_before, row.failures, row.failing_since = now, 0, None
                waiting = (col(DeliveryRow.subscription) == row.id, col(DeliveryRow.state) == PENDING)
                session.execute(update(DeliveryRow).where(*waiting).values(first_tried=None, due=now))
            row.active = active
            session.add(row)
            session.flush()
            session.expunge(row)
        return row

    def remove(self, organisation: str, subscription: str) -> None:
        """Remove a subscription, with what waits to be sent to it. NotFoundError."""
        with begin(self._engine) as connection:
            session = Session(connection)
            row = _owned(session, organisation, subscription)
            session.execute(delete(DeliveryRow).where(col(DeliveryRow.subscription) == row.id))
            session.delete(row)
            session.flush()

    def test(self, organisation: str, subscription: str) -> str:
        """Send an event to one subscription, to try it; return the event's id. It is in the inbox, as read. NotFoundError."""
        now = self._clock()
        with begin(self._engine) as connection:
            session = Session(connection)
            row = _owned(session, organisation, subscription)
            data = {"subscription": row.id}
            event = record(
                session,
                recipient=organisation,
                type=PING,
                subject=path_of(row.id),
                data=data,
                at=now,
                random=self._random,
            )
            event.read_at = now
            session.add(DeliveryRow(subscription=row.id, event=event.id, due=now))
            session.flush()
            return event.id


def path_of(subscription: str) -> str:
    """Where a subscription is in the interface."""
    return f"/api/v1/subscriptions/{subscription}"


def _owned(session: Session, organisation: str, subscription: str) -> SubscriptionRow:
    """Return the subscription, locked against events that are just being written for it."""
    row = session.get(SubscriptionRow, subscription, with_for_update=True)
    if row is None or row.owner != organisation:
        raise NotFoundError("no such subscription", where="subscription", remedy="take its id from the list")
    return row

"""The keys that sign webhooks, as receivers are told: one, or while another follows it, both.

The next key is announced to every organisation that has a webhook, by an event that the present key signs; from then on each webhook
carries a signature of either, so that nobody has to act on a day. After OVERLAP the first may end.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete
from sqlmodel import Field, Session, SQLModel, col, select

from exchange.database import UtcTime
from exchange.events.addresses import MAILTO
from exchange.events.outbox import emit
from exchange.events.tables import SubscriptionRow
from exchange.lease import take_lease

OVERLAP: Final = timedelta(days=7)
MAKE_KNOWN: Final = "make-webhook-keys-known"
ANNOUNCED: Final = "packtrace.subscription.key_announced"


class WebhookKeyRow(SQLModel, table=True):
    """A public key (``whpk_...``): `place` 0 signs, 1 is to follow; `since` is when it was made known."""

    __tablename__ = "exchange_webhook_key"

    place: int = Field(primary_key=True)
    public_key: str = Field(max_length=64)
    since: datetime = Field(sa_type=UtcTime)


def public_keys(connection: Connection) -> list[WebhookKeyRow]:
    """Return the keys that receivers may believe, the present one first; none before the first start of a worker."""
    with Session(connection, expire_on_commit=False) as session:
        rows = list(session.exec(select(WebhookKeyRow).order_by(col(WebhookKeyRow.place))).all())
        session.expunge_all()
    return rows


def make_known(
    connection: Connection, keys: tuple[str, ...], now: datetime, random: Callable[[int], bytes]
) -> list[WebhookKeyRow]:
    """Write down which keys sign, the present one first; whoever has a webhook is told of one that is new. Return the rows."""
    # Whoever has the lease: its row is locked until this transaction ends, so that of two processes that start at once the second
    # finds what the first wrote.
    take_lease(connection, MAKE_KNOWN, MAKE_KNOWN, now)
    known = public_keys(connection)
    if [row.public_key for row in known] == list(keys):
        return known
    since = {row.public_key: row.since for row in known}
    with Session(connection) as session:
        session.execute(delete(WebhookKeyRow))
        for place, key in enumerate(keys):
            session.add(WebhookKeyRow(place=place, public_key=key, since=since.get(key, now)))
        session.flush()
        # The very first key is nobody's to take up: who subscribes asks for it.
        for key in (key for key in keys[1:] if key not in since):
            _announce(session, key, now, random)
    return public_keys(connection)


def _announce(session: Session, key: str, now: datetime, random: Callable[[int], bytes]) -> None:
    webhooks = (col(SubscriptionRow.active), ~col(SubscriptionRow.target).startswith(MAILTO))
    for owner in session.exec(select(SubscriptionRow.owner).where(*webhooks).distinct()).all():
        emit(
            session,
            recipient=owner,
            type=ANNOUNCED,
            subject="/api/v1/webhook-key",
            data={"public_key": key, "alone_from": (now + OVERLAP).date().isoformat()},
            at=now,
            random=random,
        )

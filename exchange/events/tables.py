"""What happened, to whom it is sent, and how far the sending has come."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
_UNREAD = text("read_at IS NULL")
_PENDING = text(f"state = '{PENDING}'")


class EventRow(SQLModel, table=True):
    """An event in the inbox of `recipient`, an organisation. `id` is a UUIDv7, so the order of ids is that of times; `data` is JSON."""

    __tablename__ = "exchange_event"
    __table_args__ = (
        Index("ix_exchange_event_inbox", "recipient", "id"),
        Index("ix_exchange_event_unread", "recipient", "id", sqlite_where=_UNREAD, postgresql_where=_UNREAD),
    )

    id: str = Field(max_length=36, primary_key=True)
    recipient: str = Field(max_length=512)
    type: str = Field(max_length=64)
    subject: str = Field(max_length=512)
    data: str = Field(sa_type=Text)
    time: datetime = Field(sa_type=UtcTime)
    read_at: datetime | None = Field(default=None, sa_type=UtcTime)


class SubscriptionRow(SQLModel, table=True):
    """Where events of `owner` are sent: `target` is an http(s) URL, or a mailto URI. `types` are joined by spaces; none means all.

    `not_before` is when the receiver was last tried, or, after failures, when it may be tried again; `failing_since` is the first of the
    failures that nothing has succeeded after.
    """

    __tablename__ = "exchange_subscription"
    __table_args__ = (UniqueConstraint("owner", "target"),)

    id: str = Field(max_length=36, primary_key=True)
    owner: str = Field(max_length=512)
    target: str = Field(max_length=1024)
    types: str = Field(sa_type=Text)
    active: bool = True
    created_at: datetime = Field(sa_type=UtcTime)
    not_before: datetime = Field(sa_type=UtcTime)
    failures: int = 0
    failing_since: datetime | None = Field(default=None, sa_type=UtcTime)
    trouble: str = Field(default="", max_length=300)


class DeliveryRow(SQLModel, table=True):
    """One event to one subscription. Whoever sends it first moves `due` on: until then nobody else takes it up."""

    __tablename__ = "exchange_delivery"
    __table_args__ = (
        Index("ix_exchange_delivery_event", "event"),
        Index("ix_exchange_delivery_due", "subscription", "due", sqlite_where=_PENDING, postgresql_where=_PENDING),
    )

    subscription: str = Field(max_length=36, primary_key=True, foreign_key="exchange_subscription.id")
    event: str = Field(max_length=36, primary_key=True, foreign_key="exchange_event.id")
    state: str = Field(default=PENDING, max_length=16)
    attempts: int = 0
    first_tried: datetime | None = Field(default=None, sa_type=UtcTime)
    due: datetime = Field(sa_type=UtcTime)

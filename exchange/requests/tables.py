"""Products, part mappings, data requests and what answered them. Indexes are those that lists and boards walk, page by page."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from sqlalchemy import Index, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

State = Literal["open", "accepted", "delegated", "answered", "declined", "withdrawn"]
#: What still waits for an answer; `closed_at` is empty exactly in these states.
PENDING: Final[tuple[State, ...]] = ("open", "accepted", "delegated")
Wanted = Literal["activity-data", "product-footprint"]

_PENDING = text("closed_at IS NULL")
_UNTOLD = text("closed_at IS NULL AND overdue_at IS NULL")
_PASSED_ON = text("parent IS NOT NULL")
_LIVE = text("ended_at IS NULL")
_CONFIRMED = text("state = 'confirmed'")


class ProductRow(SQLModel, table=True):
    """A product in its owner's catalogue; `uri` lies below the owner's, `unit` is the unit it is declared in."""

    __tablename__ = "exchange_product"
    __table_args__ = (Index("ix_exchange_product_owner", "owner", "uri"),)

    uri: str = Field(max_length=512, primary_key=True)
    owner: str = Field(max_length=512)
    name: str = Field(max_length=200)
    unit: str = Field(max_length=32)
    kind: str = Field(max_length=16)
    recorded_by: str = Field(max_length=600)
    recorded_at: datetime = Field(sa_type=UtcTime)


class PartRow(SQLModel, table=True):
    """The customer's `part` (number) is the supplier's `product`: ``proposed``, then ``confirmed`` or ``refused``, and ``ended``.

    No mapping is stated twice at a time, and a customer's part is one product of a supplier's at a time.
    """

    __tablename__ = "exchange_part"
    __table_args__ = (
        Index("ix_exchange_part_customer", "customer", "id"),
        Index("ix_exchange_part_supplier", "supplier", "id"),
        Index(
            "ix_exchange_part_stated",
            "customer",
            "part",
            "supplier",
            "product",
            unique=True,
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        Index(
            "ix_exchange_part_confirmed",
            "customer",
            "part",
            "supplier",
            unique=True,
            sqlite_where=_CONFIRMED,
            postgresql_where=_CONFIRMED,
        ),
    )

    id: str = Field(max_length=36, primary_key=True)
    customer: str = Field(max_length=512)
    part: str = Field(max_length=200)
    line: str | None = Field(default=None, max_length=200)
    supplier: str = Field(max_length=512)
    product: str = Field(max_length=512)
    state: str = Field(default="proposed", max_length=16)
    proposed_by: str = Field(max_length=512)
    recorded_by: str = Field(max_length=600)
    proposed_at: datetime = Field(sa_type=UtcTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)
    ended_by: str | None = Field(default=None, max_length=600)
    reason: str | None = Field(default=None, max_length=500)


class RequestRow(SQLModel, table=True):
    """A data request. `content` (hex SHA-256 of what was asked) tells a repeated request from another one under the same `client_id`.

    `wanted` and `rule_sets` are separated by blanks. `needed_for` and `parent` are the asker's own: the asked one isn't shown them.
    `named`: the asked one lets the asker of the parent know who it is. `overdue_at` is when both were told that the deadline had passed.
    """

    __tablename__ = "exchange_request"
    __table_args__ = (
        UniqueConstraint("asker", "client_id"),
        Index("ix_exchange_request_outbox", "asker", "id"),
        Index("ix_exchange_request_inbox", "asked", "id"),
        Index("ix_exchange_request_owed", "asker", "deadline", "id", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index("ix_exchange_request_owing", "asked", "deadline", "id", sqlite_where=_PENDING, postgresql_where=_PENDING),
        Index(
            "ix_exchange_request_needed",
            "asker",
            "needed_for",
            "deadline",
            "id",
            sqlite_where=_PENDING,
            postgresql_where=_PENDING,
        ),
        Index("ix_exchange_request_parent", "parent", sqlite_where=_PASSED_ON, postgresql_where=_PASSED_ON),
        Index("ix_exchange_request_untold", "deadline", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
    )

    id: str = Field(max_length=36, primary_key=True)
    asker: str = Field(max_length=512)
    asked: str = Field(max_length=512)
    client_id: str = Field(max_length=64)
    content: str = Field(max_length=64)
    product: str = Field(max_length=512)
    part: str | None = Field(default=None, max_length=200)
    needed_for: str | None = Field(default=None, max_length=512)
    wanted: str = Field(max_length=64)
    rule_sets: str = Field(max_length=1000)
    period_start: date
    period_end: date
    verifier: str | None = Field(default=None, max_length=512)
    deadline: datetime = Field(sa_type=UtcTime)
    message: str = Field(sa_type=Text)
    state: str = Field(max_length=16)
    reason: str | None = Field(default=None, max_length=500)
    asked_by: str = Field(max_length=600)
    asked_at: datetime = Field(sa_type=UtcTime)
    reminded_at: datetime | None = Field(default=None, sa_type=UtcTime)
    overdue_at: datetime | None = Field(default=None, sa_type=UtcTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcTime)
    closed_by: str | None = Field(default=None, max_length=600)
    parent: str | None = Field(default=None, max_length=36)
    named: bool = False


class AnswerRow(SQLModel, table=True):
    """A statement that answered a request, with the paths that were granted by it to the asker, and to the verifier (joined by blanks)."""

    __tablename__ = "exchange_answer"

    request: str = Field(max_length=36, primary_key=True)
    leaf_hash: str = Field(max_length=64, primary_key=True)
    vct: str = Field(max_length=128)
    paths: str = Field(sa_type=Text)
    verification_paths: str = Field(sa_type=Text)

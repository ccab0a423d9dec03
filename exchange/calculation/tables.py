"""Results and exports."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

_INDEX = BigInteger().with_variant(Integer(), "sqlite")
_ACTIVE = text("state IN ('waiting', 'running')")


class ResultRow(SQLModel, table=True):
    """An immutable result, by the digest of its document, for `reader`: two who see the same each have it.

    The document rests in the vault; `product` is blinded.
    """

    __tablename__ = "exchange_result"

    digest: str = Field(max_length=64, primary_key=True)
    reader: str = Field(max_length=512, primary_key=True, index=True)
    product: str = Field(max_length=512, index=True)
    rule_set: str = Field(max_length=64)
    unit: str = Field(max_length=64)
    complete: bool
    computed_at: datetime = Field(sa_type=UtcTime)


class ResultInputRow(SQLModel, table=True):
    """An entry that a result was made from: when that is erased, so is the result."""

    __tablename__ = "exchange_result_input"

    digest: str = Field(max_length=64, primary_key=True)
    leaf_hash: str = Field(max_length=64, primary_key=True, index=True)


class ExportRow(SQLModel, table=True):
    """An evidence file that was handed out: to whom, when, and the SHA-256 of its bytes."""

    __tablename__ = "exchange_export"

    id: int | None = Field(default=None, primary_key=True)
    reader: str = Field(max_length=512)
    digest: str = Field(max_length=64)
    results: int
    exported_at: datetime = Field(sa_type=UtcTime)


class CurrentRow(SQLModel, table=True):
    """Which result of `reader` is the current one of a product under a rule set; `flow` is empty but for published factors."""

    __tablename__ = "exchange_current_result"

    reader: str = Field(max_length=512, primary_key=True)
    product: str = Field(max_length=512, primary_key=True)
    flow: str = Field(max_length=64, primary_key=True)
    rule_set: str = Field(max_length=64, primary_key=True)
    result: str = Field(max_length=64)
    computed_at: datetime = Field(sa_type=UtcTime)


class RestsOnRow(SQLModel, table=True):
    """A current result rests on `key`, as of a ledger of `size`: leaf hash of an entry, blinded product, digest of rules."""

    __tablename__ = "exchange_rests_on"

    key: str = Field(max_length=64, primary_key=True)
    result: str = Field(max_length=64, primary_key=True, index=True)
    reader: str = Field(max_length=512, primary_key=True)
    size: int = Field(sa_type=BigInteger)


class WatchRow(SQLModel, table=True):
    """How far the watch over results has come: `entries` of the ledger, `results` indexed, `rules` as they were last seen."""

    __tablename__ = "exchange_watch"

    name: str = Field(max_length=64, primary_key=True)
    position: str = Field(sa_column=Column(Text, nullable=False))


class StaleRow(SQLModel, table=True):
    """`cause` (``entry:57``, ``rule_set:id``, ``release:id``) makes a result stale, until its reader accepts another or keeps it."""

    __tablename__ = "exchange_stale"

    result: str = Field(max_length=64, primary_key=True)
    reader: str = Field(max_length=512, primary_key=True)
    cause: str = Field(max_length=128, primary_key=True)
    found_at: datetime = Field(sa_type=UtcTime)
    decision: str | None = Field(default=None, max_length=16)
    reason: str | None = Field(default=None, max_length=1000)
    successor: str | None = Field(default=None, max_length=64)
    decided_by: str | None = Field(default=None, max_length=600)
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)


class CandidateRow(SQLModel, table=True):
    """An entry that would make a result stale if its reader could see what it is about. Shown to nobody."""

    __tablename__ = "exchange_stale_candidate"

    result: str = Field(max_length=64, primary_key=True)
    reader: str = Field(max_length=512, primary_key=True)
    index: int = Field(sa_column=Column(_INDEX, primary_key=True, autoincrement=False))
    leaf_hash: str = Field(max_length=64)


class JobRow(SQLModel, table=True):
    """A calculation of many demands for `reader`. `attempts` counts steps that were begun since one ended: a kill leaves it up."""

    __tablename__ = "exchange_job"
    __table_args__ = (
        Index("ix_exchange_job_reader", "reader", "id"),
        Index("ix_exchange_job_active", "reader", "served_at", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
    )

    id: str = Field(max_length=36, primary_key=True)
    reader: str = Field(max_length=512)
    asked_by: str = Field(max_length=600)
    state: str = Field(default="waiting", max_length=16)
    total: int
    done: int = 0
    refused: int = 0
    attempts: int = 0
    reason: str = Field(default="", max_length=1000)
    created_at: datetime = Field(sa_type=UtcTime)
    served_at: datetime = Field(sa_type=UtcTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcTime)


class JobItemRow(SQLModel, table=True):
    """One demand of a calculation: its result's digest once it is done. What it was refused for rests in the vault."""

    __tablename__ = "exchange_job_item"

    job: str = Field(max_length=36, primary_key=True, foreign_key="exchange_job.id")
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    product: str = Field(max_length=512)
    flow: str | None = Field(default=None, max_length=64)
    rule_set: str = Field(max_length=64)
    state: str = Field(default="waiting", max_length=16)
    result: str | None = Field(default=None, max_length=64)

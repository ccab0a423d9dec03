"""Filings, their steps and remarks, the models that makers have stated, and what of a filing its owner published.

What was disclosed (product, model, figures) rests hidden, and is found by keyed digests; states, parties, indices and times stand open.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

_INDEX = BigInteger().with_variant(Integer(), "sqlite")
_RUNNING = text("state <> 'withdrawn'")
_LIVE = text("withdrawn_at IS NULL")


class FilingRow(SQLModel, table=True):
    """A filing as its newest statement left it. `product_key` and `group_key` are keyed digests of model and chemistry group.

    `sealed` is the hidden JSON of what was disclosed: product, model, plant, chemistry, group, rated energy, and the figure that stands.
    `data`: leaf hashes that figures are cited from, and `open_remarks`: remarks to the filer without an answer, separated by blanks.
    """

    __tablename__ = "exchange_filing"
    __table_args__ = (
        Index(
            "ix_exchange_filing_running", "product_key", unique=True, sqlite_where=_RUNNING, postgresql_where=_RUNNING
        ),
        Index("ix_exchange_filing_state", "state", "id"),
        Index("ix_exchange_filing_filer", "filer", "id"),
        Index("ix_exchange_filing_verifier", "verifier", "id"),
        Index("ix_exchange_filing_group", "group_key", "id"),
        # The overview counts along this one alone.
        Index("ix_exchange_filing_counts", "state", "group_key", "filer"),
    )

    id: str = Field(max_length=36, primary_key=True)
    filer: str = Field(max_length=512)
    product_key: str = Field(max_length=64)
    group_key: str = Field(max_length=64)
    state: str = Field(max_length=24)
    verifier: str | None = Field(default=None, max_length=512)
    result: str | None = Field(default=None, max_length=64)
    export: str | None = Field(default=None, max_length=64)
    expires: date | None = None
    data: str = Field(default="", sa_type=Text)
    open_remarks: str = Field(default="", sa_type=Text)
    sealed: bytes
    registered_at: datetime = Field(sa_type=UtcTime)
    entered_at: datetime = Field(sa_type=UtcTime)


class FilingStepRow(SQLModel, table=True):
    """A signed statement of a filing: which step, by whom, from `before` to `state`, after `seconds` in `before`."""

    __tablename__ = "exchange_filing_step"
    __table_args__ = (Index("ix_exchange_filing_step_time", "before", "seconds"),)

    filing: str = Field(max_length=36, primary_key=True)
    index: int = Field(sa_column=Column(_INDEX, primary_key=True, autoincrement=False, unique=True))
    leaf_hash: str = Field(max_length=64)
    step: str = Field(max_length=16)
    signer: str = Field(max_length=512)
    before: str = Field(default="", max_length=24)
    state: str = Field(max_length=24)
    seconds: int = 0
    at: datetime = Field(sa_type=UtcTime)


class FilingRemarkRow(SQLModel, table=True):
    """A remark of a review, ``<index of the review>.<its id>``; its text, and the answer's, are in the statements at their indices."""

    __tablename__ = "exchange_filing_remark"
    __table_args__ = (Index("ix_exchange_filing_remark_to", "addressee", "answered", "id"),)

    id: str = Field(max_length=96, primary_key=True)
    filing: str = Field(max_length=36, index=True)
    review: int = Field(sa_column=Column(_INDEX, nullable=False))
    addressee: str = Field(max_length=24)
    step: str | None = Field(default=None, max_length=16)
    made_at: datetime = Field(sa_type=UtcTime)
    answered: int | None = Field(default=None, sa_column=Column(_INDEX, nullable=True))
    answered_at: datetime | None = Field(default=None, sa_type=UtcTime)


class ModelRow(SQLModel, table=True):
    """A maker's model by its newest battery-model statement, at `index`; `sealed` is the hidden JSON of what duties ask of it."""

    __tablename__ = "exchange_battery_model"
    __table_args__ = (Index("ix_exchange_battery_model_owner", "owner", "index"),)

    product_key: str = Field(max_length=64, primary_key=True)
    owner: str = Field(max_length=512)
    index: int = Field(sa_column=Column(_INDEX, nullable=False, unique=True))
    sealed: bytes


class PublicationRow(SQLModel, table=True):
    """A model's status is public from `published_at` until `withdrawn_at`, with its figure where `figure`; the id is in its address."""

    __tablename__ = "exchange_publication"
    __table_args__ = (
        Index("ix_exchange_publication_filing", "filing", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    )

    id: str = Field(max_length=36, primary_key=True)
    filing: str = Field(max_length=36)
    owner: str = Field(max_length=512)
    figure: bool = False
    published_by: str = Field(max_length=600)
    published_at: datetime = Field(sa_type=UtcTime)
    withdrawn_by: str | None = Field(default=None, max_length=600)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcTime)

"""Proposed factor releases, their reviews and remarks, and the editions of industry averages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final, Literal

from sqlalchemy import BigInteger, Column, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

State = Literal["proposed", "published", "withdrawn", "dropped"]
#: Under which reviews and withdrawals are kept from erasure: releases rest on them.
HOLD: Final = "factor-governance"
_INDEX = BigInteger().with_variant(Integer(), "sqlite")
_OPEN = text("state IN ('proposed', 'published', 'withdrawn')")


class ProposalRow(SQLModel, table=True):
    """A proposed factor release: its file (`document`), and `based_on`, the digest of the release that it follows.

    `published` and `withdrawn` are the entries that did it; `reason` hides why it was withdrawn. No file is proposed twice at a time, and
    what was published or withdrawn never comes again.
    """

    __tablename__ = "exchange_factor_proposal"
    __table_args__ = (
        Index("ix_exchange_factor_proposal_digest", "digest", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_exchange_factor_proposal_release", "release", "state"),
    )

    id: str = Field(max_length=36, primary_key=True)
    release: str = Field(max_length=500)
    version: str = Field(max_length=200)
    digest: str = Field(max_length=64)
    based_on: str | None = Field(default=None, max_length=64)
    proposer: str = Field(max_length=512)
    recorded_by: str = Field(max_length=600)
    document: str = Field(sa_type=Text)
    panel: int
    accept: int
    state: str = Field(default="proposed", max_length=16)
    proposed_at: datetime = Field(sa_type=UtcTime)
    published: int | None = Field(default=None, sa_column=Column(_INDEX, index=True))
    published_at: datetime | None = Field(default=None, sa_type=UtcTime)
    withdrawn: int | None = Field(default=None, sa_column=Column(_INDEX))
    reason: bytes | None = None


class ReviewRow(SQLModel, table=True):
    """The review at `index` of a proposal; `content` hides outcome, remarks and conflicts."""

    __tablename__ = "exchange_factor_review"

    index: int = Field(sa_column=Column(_INDEX, primary_key=True, autoincrement=False))
    leaf_hash: str = Field(max_length=64)
    proposal: str = Field(max_length=36, index=True)
    reviewer: str = Field(max_length=512)
    content: bytes


class FactorRemarkRow(SQLModel, table=True):
    """A remark of a review, by its line's id, and the entry that answered it; `answer` hides the answer."""

    __tablename__ = "exchange_factor_remark"

    review: int = Field(sa_column=Column(_INDEX, primary_key=True, autoincrement=False))
    remark: str = Field(max_length=64, primary_key=True)
    proposal: str = Field(max_length=36, index=True)
    answered: int | None = Field(default=None, sa_column=Column(_INDEX))
    answer: bytes | None = None


class EditionRow(SQLModel, table=True):
    """An industry average that was shown: once, whatever is verified later. `contributions` hides what it was made of."""

    __tablename__ = "exchange_average_edition"

    flow: str = Field(max_length=500, primary_key=True)
    region: str = Field(max_length=100, primary_key=True)
    year: int = Field(primary_key=True)
    unit: str = Field(max_length=32)
    value: str = Field(max_length=64)
    made_on: date
    rules: str = Field(max_length=200)
    recorded_by: str = Field(max_length=600)
    contributions: bytes

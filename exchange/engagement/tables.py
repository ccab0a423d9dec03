"""Verification engagements, their statements and findings, and which recipes their verifiers asked to see.

What was disclosed rests hidden; parties, states, indices and times stand open.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

_INDEX = BigInteger().with_variant(Integer(), "sqlite")


class EngagementRow(SQLModel, table=True):
    """An engagement as its newest statement left it; `id` is the leaf hash of the filing's step that asked for it.

    `sealed` is the hidden JSON of the engagement; it is empty once one of its statements was erased.
    """

    __tablename__ = "exchange_engagement"
    __table_args__ = (
        Index("ix_exchange_engagement_verifier", "verifier", "id"),
        Index("ix_exchange_engagement_filer", "filer", "id"),
        Index("ix_exchange_engagement_filing", "filing", "id"),
    )

    id: str = Field(max_length=64, primary_key=True)
    filing: str = Field(max_length=36)
    filer: str = Field(max_length=512)
    verifier: str = Field(max_length=512)
    state: str = Field(max_length=16)
    statement: str | None = Field(default=None, max_length=64, unique=True)
    sealed: bytes
    asked_at: datetime = Field(sa_type=UtcTime)
    entered_at: datetime = Field(sa_type=UtcTime)


class EngagementStepRow(SQLModel, table=True):
    """A signed statement of an engagement; `concerned` is whom a finding, its answer or its closing is for."""

    __tablename__ = "exchange_engagement_step"

    engagement: str = Field(max_length=64, primary_key=True)
    index: int = Field(sa_column=Column(_INDEX, primary_key=True, autoincrement=False, unique=True))
    leaf_hash: str = Field(max_length=64)
    step: str = Field(max_length=16)
    signer: str = Field(max_length=512)
    state: str = Field(max_length=16)
    concerned: str | None = Field(default=None, max_length=512)
    at: datetime = Field(sa_type=UtcTime)


class FindingRow(SQLModel, table=True):
    """A finding and whom it concerns; its text is in the statement at `index`."""

    __tablename__ = "exchange_engagement_finding"
    __table_args__ = (Index("ix_exchange_engagement_finding_concerned", "concerned", "index"),)

    engagement: str = Field(max_length=64, primary_key=True)
    finding: str = Field(max_length=64, primary_key=True)
    index: int = Field(sa_column=Column(_INDEX, nullable=False, unique=True))
    concerned: str = Field(max_length=512)
    severity: str = Field(max_length=16)
    state: str = Field(max_length=16)


class SightRow(SQLModel, table=True):
    """The verifier asked who signed an input of the result for the recipe behind it, by the data request `request`."""

    __tablename__ = "exchange_engagement_sight"

    engagement: str = Field(max_length=64, primary_key=True)
    leaf_hash: str = Field(max_length=64, primary_key=True)
    request: str = Field(max_length=36)
    asked_at: datetime = Field(sa_type=UtcTime)

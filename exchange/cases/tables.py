"""Cases, whom they concern, and which entries have to do with which trade."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

_INDEX = BigInteger().with_variant(Integer(), "sqlite")


class CaseRow(SQLModel, table=True):
    """Statements that contradict each other: ``certificates`` or ``deliveries``.

    `key` (blinded) is what they are about, so that the same is one case; `subject` (blinded) groups what is judged together.
    """

    __tablename__ = "exchange_case"

    id: str = Field(max_length=36, primary_key=True)
    about: str = Field(max_length=16)
    key: str = Field(max_length=64, unique=True)
    subject: str = Field(max_length=64, index=True)
    opened_at: datetime = Field(sa_type=UtcTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcTime)


class CasePartyRow(SQLModel, table=True):
    """A case concerns `organisation`: its entry `index`, or none where the statement was refused; `place` is where in it."""

    __tablename__ = "exchange_case_party"
    __table_args__ = (Index("ix_exchange_case_party_organisation", "organisation", "case"),)

    case: str = Field(max_length=36, primary_key=True, foreign_key="exchange_case.id")
    organisation: str = Field(max_length=512, primary_key=True)
    index: int | None = Field(default=None, sa_column=Column(_INDEX, nullable=True, index=True))
    place: str = Field(default="", max_length=256)


class TradeRow(SQLModel, table=True):
    """The entry at `index` says what `buyer` got or consumed of `product`; both are blinded."""

    __tablename__ = "exchange_trade"

    product: str = Field(max_length=64, primary_key=True)
    buyer: str = Field(max_length=64, primary_key=True)
    index: int = Field(sa_column=Column(_INDEX, primary_key=True, autoincrement=False, index=True))


class CaseWatchRow(SQLModel, table=True):
    """The last entry that was looked at."""

    __tablename__ = "exchange_case_watch"

    name: str = Field(max_length=16, primary_key=True)
    position: int = Field(sa_column=Column(_INDEX, nullable=False))

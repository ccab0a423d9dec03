"""Results and exports."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from exchange.database import DecimalText, UtcTime


class ResultRow(SQLModel, table=True):
    """An immutable result, by the digest of its document, for `reader`. Where nothing at all was computed there is no headline."""

    __tablename__ = "exchange_result"

    digest: str = Field(max_length=64, primary_key=True)
    reader: str = Field(max_length=512, index=True)
    product: str = Field(max_length=512, index=True)
    rule_set: str = Field(max_length=64)
    headline: Decimal | None = Field(default=None, sa_type=DecimalText)
    unit: str = Field(max_length=64)
    complete: bool
    document: str = Field(sa_column=Column(Text, nullable=False))
    computed_at: datetime = Field(sa_type=UtcTime)


class ExportRow(SQLModel, table=True):
    """An evidence file that was handed out: to whom, when, and the SHA-256 of its bytes."""

    __tablename__ = "exchange_export"

    id: int | None = Field(default=None, primary_key=True)
    reader: str = Field(max_length=512)
    digest: str = Field(max_length=64)
    results: int
    exported_at: datetime = Field(sa_type=UtcTime)

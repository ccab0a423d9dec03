"""Results and exports."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import Column, Text
from sqlmodel import Field, SQLModel

from exchange.database import DecimalText, UtcTime


class ResultRow(SQLModel, table=True):
    """An immutable result, by the digest of its document. `reader` is the organisation it was computed for."""

    __tablename__ = "exchange_result"

    digest: str = Field(max_length=64, primary_key=True)
    reader: str = Field(max_length=512, index=True)
    product: str = Field(max_length=512, index=True)
    rule_set: str = Field(max_length=64)
    headline: Decimal = Field(sa_type=DecimalText)
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

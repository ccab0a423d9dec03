"""Results and exports."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from exchange.database import UtcTime


class ResultRow(SQLModel, table=True):
    """An immutable result, by the digest of its document, for `reader`. The document rests in the vault; `product` is blinded."""

    __tablename__ = "exchange_result"

    digest: str = Field(max_length=64, primary_key=True)
    reader: str = Field(max_length=512, index=True)
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

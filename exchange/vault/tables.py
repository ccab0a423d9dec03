"""What the vault keeps: master keys by name, wrapped data keys, what they encrypt, and what was erased or may not be."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Integer, Text
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime


class MasterKeyRow(SQLModel, table=True):
    """A master key by id; its file is in the data folder. The current one wraps new data keys, another wraps until it is replaced."""

    __tablename__ = "exchange_master_key"

    id: str = Field(max_length=16, primary_key=True)
    current: bool
    made_at: datetime = Field(sa_type=UtcTime)


class DataKeyRow(SQLModel, table=True):
    """A data key, wrapped by a master key. A table of its own: whoever drops it from a copy has dropped what it encrypts."""

    __tablename__ = "exchange_data_key"

    id: str = Field(max_length=32, primary_key=True)
    # The reference is what keeps a master key while anything is wrapped by it, also in a transaction that isn't over.
    master: str = Field(max_length=16, foreign_key="exchange_master_key.id", index=True)
    wrapped: bytes


class SealedRow(SQLModel, table=True):
    """Disclosures of a statement (`subject`: leaf hash), a result's document (its digest), or what refused a demand of a calculation (its
    id and the demand's number), under the data key `key`.

    `digest` is the hex SHA-256 of what was encrypted.
    """

    __tablename__ = "exchange_sealed"

    what: str = Field(max_length=16, primary_key=True)
    subject: str = Field(max_length=64, primary_key=True)
    key: str = Field(max_length=32)
    digest: str = Field(max_length=64)
    data: bytes


class SealedPartRow(SQLModel, table=True):
    """A part of what is too long for one ciphertext, under the data key `key`, by its number from 0."""

    __tablename__ = "exchange_sealed_part"

    key: str = Field(max_length=32, primary_key=True)
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    data: bytes


class PlainRow(SQLModel, table=True):
    """What a database from before the vault held in the clear, until the next start has encrypted it; else empty."""

    __tablename__ = "exchange_plain"

    what: str = Field(max_length=16, primary_key=True)
    subject: str = Field(max_length=128, primary_key=True)
    text: str = Field(sa_column=Column(Text, nullable=False))


class ErasureRow(SQLModel, table=True):
    """The statement with this leaf hash was erased by the entry at `index`."""

    __tablename__ = "exchange_erasure"

    leaf_hash: str = Field(max_length=64, primary_key=True)
    index: int = Field(sa_column=Column(BigInteger().with_variant(Integer(), "sqlite"), nullable=False))
    erased_at: datetime = Field(sa_type=UtcTime)


class HoldRow(SQLModel, table=True):
    """A statement that may not be erased, for `reason`, before `until`; without it, until the hold is released."""

    __tablename__ = "exchange_hold"

    leaf_hash: str = Field(max_length=64, primary_key=True)
    reason: str = Field(max_length=128, primary_key=True, index=True)
    until: datetime | None = Field(default=None, sa_type=UtcTime)

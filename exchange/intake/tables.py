"""What intake keeps beside the ledger: who said it, the disclosures, and which product is made from which."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Integer, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

Index = BigInteger().with_variant(Integer(), "sqlite")


class StatementRow(SQLModel, table=True):
    """One admitted statement. (issuer, jti) is unique; `signing_input` (hex SHA-256) tells a repeated statement from a reused jti."""

    __tablename__ = "exchange_statement"
    __table_args__ = (UniqueConstraint("issuer", "jti"),)

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    leaf_hash: str = Field(max_length=64, unique=True)
    issuer: str = Field(max_length=512)
    jti: str = Field(max_length=64)
    vct: str = Field(max_length=128, index=True)
    product: str | None = Field(default=None, max_length=512, index=True)
    signing_input: str = Field(max_length=64)
    admitted_at: datetime = Field(sa_type=UtcTime)


class DisclosureRow(SQLModel, table=True):
    """All disclosures of one statement, joined by ``~``. Never served without asking `exchange.access`."""

    __tablename__ = "exchange_disclosure"

    leaf_hash: str = Field(max_length=64, primary_key=True)
    disclosures: str = Field(sa_column=Column(Text, nullable=False))


class ProductLinkRow(SQLModel, table=True):
    """`product` holds `component`, by the bill of materials at `index`: what the cycle check walks."""

    __tablename__ = "exchange_product_link"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    product: str = Field(max_length=512, primary_key=True, index=True)
    component: str = Field(max_length=512, primary_key=True)


class SupersededRow(SQLModel, table=True):
    """The statement at `index` counts no more: the entry `by` took it back. `replacement` is the entry in its place, where there is one."""

    __tablename__ = "exchange_superseded"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    by: int = Field(sa_column=Column(Index, nullable=False, unique=True))
    replacement: int | None = Field(default=None, sa_column=Column(Index, nullable=True))


class RetiredCertificateRow(SQLModel, table=True):
    """A range of certificates that the entry at `index` retired under `name`: closing digits `first` to `last` of one series.

    `series` is the hex SHA-256 of registry and prefix as names are compared, so that the serials of one registry's year are found together.
    """

    __tablename__ = "exchange_retired_certificate"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    line: str = Field(max_length=64, primary_key=True)
    name: str = Field(max_length=512)
    series: str = Field(max_length=64, index=True)
    first: int = Field(sa_type=BigInteger)
    last: int = Field(sa_type=BigInteger)

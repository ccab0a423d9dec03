"""What intake keeps beside the ledger: who said it, and which product is made from which.

What a statement discloses stands here blinded or hidden (`exchange.vault`), and goes when the statement is erased.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Column, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

Index = BigInteger().with_variant(Integer(), "sqlite")


class StatementRow(SQLModel, table=True):
    """One admitted statement. (issuer, jti) is unique; `signing_input` (hex SHA-256) tells a repeated statement from a reused jti.

    `product` is blinded. `withheld` says that its owner keeps the disclosures to itself.
    """

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
    withheld: bool = False


class ProductLinkRow(SQLModel, table=True):
    """`product` holds `component`, by the bill of materials at `index`: what the cycle check walks. Both are blinded."""

    __tablename__ = "exchange_product_link"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    product: str = Field(max_length=512, primary_key=True, index=True)
    component: str = Field(max_length=512, primary_key=True)


class EvidenceRow(SQLModel, table=True):
    """The statement at `index` names a file as evidence; `name` is its digest, blinded. By which line the statement's disclosures say."""

    __tablename__ = "exchange_evidence"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    name: str = Field(max_length=64, primary_key=True, index=True)


class SupersededRow(SQLModel, table=True):
    """The statement at `index` counts no more: the entry `by` took it back. `replacement` is the entry in its place, where there is one."""

    __tablename__ = "exchange_superseded"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    by: int = Field(sa_column=Column(Index, nullable=False, unique=True))
    replacement: int | None = Field(default=None, sa_column=Column(Index, nullable=True))


class AttestedRow(SQLModel, table=True):
    """The verification-statement at `index` is of the product-footprint whose leaf hash (hex) is `target`, as it says in the open."""

    __tablename__ = "exchange_attested"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    target: str = Field(max_length=64, index=True)


class RetiredCertificateRow(SQLModel, table=True):
    """A range of certificates that the entry at `index` retired under `name`.

    `series` is registry and prefix as names are compared, so that the serials of one registry's year are found together; both are
    blinded. `span` hides the first and the last of the closing digits.
    """

    __tablename__ = "exchange_retired_certificate"

    index: int = Field(sa_column=Column(Index, primary_key=True, autoincrement=False))
    line: str = Field(max_length=64, primary_key=True)
    name: str = Field(max_length=64)
    series: str = Field(max_length=64, index=True)
    span: bytes

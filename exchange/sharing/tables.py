"""Grants, the log of who took what by them, and the record of what was granted across a border."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime

#: The key of a table's only row.
ONE = 1


class GrantRow(SQLModel, table=True):
    """A grant: of a statement (`leaf_hash`), or of every statement of `kind` about `product`, those to come too.

    `owner` signed the statement; `grantor` is the owner, or the reader of the grant `source`, which passes on what it got. `paths` are
    joined by spaces, `product_key` is the product as statements are found by it; `recorded_by` says who clicked, since no key signed it.
    A row is never changed but by its withdrawal, and what hangs on a grant is withdrawn with it and ends no later: so whether a row counts
    is read from the row alone.
    """

    __tablename__ = "exchange_grant"
    __table_args__ = (
        Index(None, "owner", "id"),
        Index(None, "grantor", "id"),
        Index(None, "reader", "id"),
        Index(None, "reader", "leaf_hash"),
        Index(None, "reader", "product_key"),
    )

    id: str = Field(max_length=36, primary_key=True)
    owner: str = Field(max_length=512)
    grantor: str = Field(max_length=512)
    reader: str = Field(max_length=512)
    leaf_hash: str | None = Field(default=None, max_length=64)
    product: str | None = Field(default=None, max_length=512)
    product_key: str | None = Field(default=None, max_length=64)
    kind: str | None = Field(default=None, max_length=128)
    paths: str = Field(sa_type=Text)
    purpose: str = Field(max_length=32)
    onward: str = Field(default="none", max_length=16)
    valid_until: date | None = None
    source: str | None = Field(default=None, max_length=36, index=True)
    recorded_by: str = Field(max_length=600)
    recorded_at: datetime = Field(sa_type=UtcTime)
    withdrawn_at: datetime | None = Field(default=None, sa_type=UtcTime)
    withdrawn_by: str | None = Field(default=None, max_length=600)


class AccessRow(SQLModel, table=True):
    """Disclosures of a statement went out to `reader` on `day`, `count` times by one `act` at the same paths: what its owner may know.

    `act`: ``result`` (a result was computed from them), ``export`` (an evidence file holds them), ``read`` (the interface answered them),
    ``attachment`` (a file went out that is named as evidence at these paths).
    """

    __tablename__ = "exchange_access"
    __table_args__ = (
        Index(None, "owner", "id"),
        UniqueConstraint("reader", "leaf_hash", "act", "day", "paths_digest"),
    )

    id: str = Field(max_length=36, primary_key=True)
    owner: str = Field(max_length=512)
    reader: str = Field(max_length=512)
    leaf_hash: str = Field(max_length=64)
    act: str = Field(max_length=16)
    day: date
    paths: str = Field(sa_type=Text)
    paths_digest: str = Field(max_length=64)
    first_at: datetime = Field(sa_type=UtcTime)
    last_at: datetime = Field(sa_type=UtcTime)
    count: int


class AttachmentRow(SQLModel, table=True):
    """A file that statements of `owner` name as evidence: `size` bytes with its salt, in parts under the data key `key`.

    `name` is the digest as it is looked up; `said` hides the digest and what the file is by its content.
    """

    __tablename__ = "exchange_attachment"
    __table_args__ = (Index(None, "owner", "id"), UniqueConstraint("owner", "name"))

    id: str = Field(max_length=36, primary_key=True)
    owner: str = Field(max_length=512)
    name: str = Field(max_length=64, index=True)
    said: bytes
    size: int
    key: str = Field(max_length=32)
    stored_at: datetime = Field(sa_type=UtcTime)


class ExportRecordRow(SQLModel, table=True):
    """A grant across a border: from where to where, of what, for what, and why. It stays when the grant is withdrawn."""

    __tablename__ = "exchange_export_record"
    __table_args__ = (Index(None, "grantor", "id"),)

    id: str = Field(max_length=36, primary_key=True)
    grant_id: str = Field(max_length=36)
    owner: str = Field(max_length=512)
    grantor: str = Field(max_length=512)
    reader: str = Field(max_length=512)
    from_country: str = Field(max_length=2)
    to_country: str = Field(max_length=2)
    leaf_hash: str | None = Field(default=None, max_length=64)
    product: str | None = Field(default=None, max_length=512)
    paths: str = Field(sa_type=Text)
    purpose: str = Field(max_length=32)
    reason: str = Field(max_length=500)
    recorded_at: datetime = Field(sa_type=UtcTime)


class GrantsToldRow(SQLModel, table=True):
    """Grants whose last day lies before `day` have been told of: one row."""

    __tablename__ = "exchange_grants_told"

    id: int = Field(default=ONE, primary_key=True)
    day: date

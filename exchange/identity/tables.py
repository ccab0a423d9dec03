"""The organisations by URI, and the releases in use: what the operator stated, by content."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class OrganisationRow(SQLModel, table=True):
    """An enrolled organisation with its newest key; the entries themselves are in the ledger."""

    __tablename__ = "exchange_organisation"

    uri: str = Field(max_length=512, primary_key=True)
    name: str = Field(max_length=200)
    thumbprint: str = Field(max_length=64)
    certificate: bytes
    key_event: int
    roles: str = Field(default="", max_length=200)
    role_grant: int | None = None


class ReleaseRow(SQLModel, table=True):
    """A rule set, factor release or policy that the operator stated in the ledger, by digest."""

    __tablename__ = "exchange_release"

    digest: str = Field(max_length=64, primary_key=True)
    vct: str = Field(max_length=128)
    index: int

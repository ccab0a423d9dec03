"""Organisations, how they applied, who acts for them; and the releases in use: what the operator stated, by content."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from exchange.database import UtcTime


class OrganisationRow(SQLModel, table=True):
    """An enrolled organisation with its newest key; the entries themselves are in the ledger.

    `roles_since` and `roles_until` are the first and last day of its roles; `country` (ISO 3166-1 alpha-2) and `corporate_group` are as it
    stated them when it registered.
    """

    __tablename__ = "exchange_organisation"

    uri: str = Field(max_length=512, primary_key=True)
    name: str = Field(max_length=200)
    thumbprint: str = Field(max_length=64)
    certificate: bytes
    key_event: int
    roles: str = Field(default="", max_length=200)
    role_grant: int | None = None
    roles_since: date | None = None
    roles_until: date | None = None
    country: str | None = Field(default=None, max_length=2)
    corporate_group: str | None = Field(default=None, max_length=200, index=True)


class ReleaseRow(SQLModel, table=True):
    """A rule set, factor release or policy that the entry at `index` states, by digest.

    Of a factor release also its id (`release`), `version` and the bytes of its file, unless it came with a version of the software from
    before these were kept; `reviewed`: published through governance.
    """

    __tablename__ = "exchange_release"

    digest: str = Field(max_length=64, primary_key=True)
    vct: str = Field(max_length=128)
    index: int
    release: str | None = Field(default=None, max_length=500)
    version: str | None = Field(default=None, max_length=200)
    reviewed: bool = False
    document: bytes | None = None


class RegistrationRow(SQLModel, table=True):
    """An application to join. `document` is what was handed in (JSON), without the password.

    `state`: ``applied``, then ``approved`` (the worker enrols the key) and ``enrolled``, or ``refused`` with its reason.
    """

    __tablename__ = "exchange_registration"

    id: str = Field(max_length=36, primary_key=True)
    uri: str = Field(max_length=512, index=True)
    state: str = Field(max_length=16, index=True)
    document: str = Field(sa_type=Text)
    email: str = Field(max_length=254)
    password: str = Field(max_length=200)
    applied_at: datetime = Field(sa_type=UtcTime)
    decided_at: datetime | None = Field(default=None, sa_type=UtcTime)
    decided_by: str | None = Field(default=None, max_length=600)
    reason: str | None = Field(default=None, max_length=500)


class IdentifierRow(SQLModel, table=True):
    """An identifier of an organisation, in the one spelling of its scheme: nobody else has it."""

    __tablename__ = "exchange_identifier"

    scheme: str = Field(max_length=32, primary_key=True)
    value: str = Field(max_length=128, primary_key=True)
    organisation: str = Field(max_length=512, index=True)


class SiteRow(SQLModel, table=True):
    """A site of an organisation: `country` (ISO 3166-1), `region` (ISO 3166-2), `grid` (as in factor releases)."""

    __tablename__ = "exchange_site"

    organisation: str = Field(max_length=512, primary_key=True)
    site: str = Field(max_length=64, primary_key=True)
    name: str = Field(max_length=200)
    country: str = Field(max_length=2)
    region: str | None = Field(default=None, max_length=16)
    grid: str | None = Field(default=None, max_length=32)


class MemberRow(SQLModel, table=True):
    """A person who acts for an organisation. `password` is an Argon2id hash; a disabled member's sessions end with it."""

    __tablename__ = "exchange_member"

    id: str = Field(max_length=36, primary_key=True)
    organisation: str = Field(max_length=512, index=True)
    email: str = Field(max_length=254, unique=True)
    name: str = Field(max_length=200)
    role: str = Field(max_length=16)
    password: str = Field(max_length=200)
    active: bool = True
    created_at: datetime = Field(sa_type=UtcTime)


class InvitationRow(SQLModel, table=True):
    """An invitation by its secret's SHA-256: the secret itself is with whom it was handed to."""

    __tablename__ = "exchange_invitation"

    digest: str = Field(max_length=64, primary_key=True)
    organisation: str = Field(max_length=512, index=True)
    email: str = Field(max_length=254)
    role: str = Field(max_length=16)
    invited_by: str = Field(max_length=600)
    expires_at: datetime = Field(sa_type=UtcTime)


class SessionRow(SQLModel, table=True):
    """A log-in by its secret's SHA-256. Deleting the row ends it."""

    __tablename__ = "exchange_session"

    digest: str = Field(max_length=64, primary_key=True)
    member: str = Field(max_length=36, index=True)
    began_at: datetime = Field(sa_type=UtcTime)
    seen_at: datetime = Field(sa_type=UtcTime)
    expires_at: datetime = Field(sa_type=UtcTime, index=True)


class ClientRow(SQLModel, table=True):
    """An API client of an organisation. Its secret (256 random bits) is kept as SHA-256; `scopes` are separated by blanks."""

    __tablename__ = "exchange_client"
    __table_args__ = (UniqueConstraint("organisation", "name"),)

    id: str = Field(max_length=36, primary_key=True)
    organisation: str = Field(max_length=512)
    name: str = Field(max_length=200)
    secret: str = Field(max_length=64)
    scopes: str = Field(max_length=400)
    created_by: str = Field(max_length=600)
    created_at: datetime = Field(sa_type=UtcTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcTime)

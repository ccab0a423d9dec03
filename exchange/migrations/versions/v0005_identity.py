"""Organisations apply, have identifiers, sites, members and API clients."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0005_identity"
down_revision = "0004_missing_and_retired"


def upgrade() -> None:
    time = exchange.database.UtcTime(length=32)
    with op.batch_alter_table("exchange_organisation") as table:
        table.add_column(sa.Column("roles_since", sa.Date(), nullable=True))
        table.add_column(sa.Column("roles_until", sa.Date(), nullable=True))
        table.add_column(sa.Column("country", sa.String(length=2), nullable=True))
        table.add_column(sa.Column("corporate_group", sa.String(length=200), nullable=True))
        table.create_index(op.f("ix_exchange_organisation_corporate_group"), ["corporate_group"], unique=False)
    op.create_table(
        "exchange_registration",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("uri", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=False),
        sa.Column("applied_at", time, nullable=False),
        sa.Column("decided_at", time, nullable=True),
        sa.Column("decided_by", sa.String(length=600), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_registration")),
    )
    op.create_index(op.f("ix_exchange_registration_state"), "exchange_registration", ["state"], unique=False)
    op.create_index(op.f("ix_exchange_registration_uri"), "exchange_registration", ["uri"], unique=False)
    op.create_table(
        "exchange_identifier",
        sa.Column("scheme", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=128), nullable=False),
        sa.Column("organisation", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("scheme", "value", name=op.f("pk_exchange_identifier")),
    )
    op.create_index(op.f("ix_exchange_identifier_organisation"), "exchange_identifier", ["organisation"], unique=False)
    op.create_table(
        "exchange_site",
        sa.Column("organisation", sa.String(length=512), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("region", sa.String(length=16), nullable=True),
        sa.Column("grid", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("organisation", "site", name=op.f("pk_exchange_site")),
    )
    op.create_table(
        "exchange_member",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=512), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_member")),
        sa.UniqueConstraint("email", name=op.f("uq_exchange_member_email")),
    )
    op.create_index(op.f("ix_exchange_member_organisation"), "exchange_member", ["organisation"], unique=False)
    op.create_table(
        "exchange_invitation",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("organisation", sa.String(length=512), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("invited_by", sa.String(length=600), nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_exchange_invitation")),
    )
    op.create_index(op.f("ix_exchange_invitation_organisation"), "exchange_invitation", ["organisation"], unique=False)
    op.create_table(
        "exchange_session",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("member", sa.String(length=36), nullable=False),
        sa.Column("began_at", time, nullable=False),
        sa.Column("seen_at", time, nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_exchange_session")),
    )
    op.create_index(op.f("ix_exchange_session_expires_at"), "exchange_session", ["expires_at"], unique=False)
    op.create_index(op.f("ix_exchange_session_member"), "exchange_session", ["member"], unique=False)
    op.create_table(
        "exchange_client",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=400), nullable=False),
        sa.Column("created_by", sa.String(length=600), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("revoked_at", time, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_client")),
        sa.UniqueConstraint("organisation", "name", name=op.f("uq_exchange_client_organisation_name")),
    )


def downgrade() -> None:
    for name in ("client", "session", "invitation", "member", "site", "identifier", "registration"):
        op.drop_table(f"exchange_{name}")
    with op.batch_alter_table("exchange_organisation") as table:
        table.drop_index(op.f("ix_exchange_organisation_corporate_group"))
        table.drop_column("corporate_group")
        table.drop_column("country")
        table.drop_column("roles_until")
        table.drop_column("roles_since")

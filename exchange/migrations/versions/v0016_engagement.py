"""Verification engagements with their statements and findings, and which recipes their verifiers asked to see."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0016_engagement"
down_revision = "0015_filing"

_TIME = exchange.database.UtcTime(length=32)
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "exchange_engagement",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("filing", sa.String(length=36), nullable=False),
        sa.Column("filer", sa.String(length=512), nullable=False),
        sa.Column("verifier", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("statement", sa.String(length=64), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("entered_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_engagement")),
        sa.UniqueConstraint("statement", name=op.f("uq_exchange_engagement_statement")),
    )
    for name in ("verifier", "filer", "filing"):
        op.create_index(f"ix_exchange_engagement_{name}", "exchange_engagement", [name, "id"], unique=False)
    op.create_table(
        "exchange_engagement_step",
        sa.Column("engagement", sa.String(length=64), nullable=False),
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("signer", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("concerned", sa.String(length=512), nullable=True),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("engagement", "index", name=op.f("pk_exchange_engagement_step")),
        sa.UniqueConstraint("index", name=op.f("uq_exchange_engagement_step_index")),
    )
    op.create_table(
        "exchange_engagement_finding",
        sa.Column("engagement", sa.String(length=64), nullable=False),
        sa.Column("finding", sa.String(length=64), nullable=False),
        sa.Column("index", _INDEX, nullable=False),
        sa.Column("concerned", sa.String(length=512), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("engagement", "finding", name=op.f("pk_exchange_engagement_finding")),
        sa.UniqueConstraint("index", name=op.f("uq_exchange_engagement_finding_index")),
    )
    op.create_index(
        "ix_exchange_engagement_finding_concerned",
        "exchange_engagement_finding",
        ["concerned", "index"],
        unique=False,
    )
    op.create_table(
        "exchange_engagement_sight",
        sa.Column("engagement", sa.String(length=64), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("request", sa.String(length=36), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("engagement", "leaf_hash", name=op.f("pk_exchange_engagement_sight")),
    )


def downgrade() -> None:
    for name in ("engagement_sight", "engagement_finding", "engagement_step", "engagement"):
        op.drop_table(f"exchange_{name}")

"""Proposed factor releases, reviews, remarks, and editions of averages."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0014_governance"
down_revision = "0013_grants_by_product"

_TIME = exchange.database.UtcTime(length=32)
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state IN ('proposed', 'published', 'withdrawn')")


def upgrade() -> None:
    op.create_table(
        "exchange_factor_proposal",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("release", sa.String(length=500), nullable=False),
        sa.Column("version", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("based_on", sa.String(length=64), nullable=True),
        sa.Column("proposer", sa.String(length=512), nullable=False),
        sa.Column("recorded_by", sa.String(length=600), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("panel", sa.Integer(), nullable=False),
        sa.Column("accept", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("proposed_at", _TIME, nullable=False),
        sa.Column("published", _INDEX, nullable=True),
        sa.Column("published_at", _TIME, nullable=True),
        sa.Column("withdrawn", _INDEX, nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_factor_proposal")),
    )
    op.create_index(
        "ix_exchange_factor_proposal_digest",
        "exchange_factor_proposal",
        ["digest"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_index("ix_exchange_factor_proposal_release", "exchange_factor_proposal", ["release", "state"])
    op.create_index(op.f("ix_exchange_factor_proposal_published"), "exchange_factor_proposal", ["published"])
    op.create_table(
        "exchange_factor_review",
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("proposal", sa.String(length=36), nullable=False),
        sa.Column("reviewer", sa.String(length=512), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_exchange_factor_review")),
    )
    op.create_index(op.f("ix_exchange_factor_review_proposal"), "exchange_factor_review", ["proposal"])
    op.create_table(
        "exchange_factor_remark",
        sa.Column("review", _INDEX, autoincrement=False, nullable=False),
        sa.Column("remark", sa.String(length=64), nullable=False),
        sa.Column("proposal", sa.String(length=36), nullable=False),
        sa.Column("answered", _INDEX, nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("review", "remark", name=op.f("pk_exchange_factor_remark")),
    )
    op.create_index(op.f("ix_exchange_factor_remark_proposal"), "exchange_factor_remark", ["proposal"])
    op.create_table(
        "exchange_average_edition",
        sa.Column("flow", sa.String(length=500), nullable=False),
        sa.Column("region", sa.String(length=100), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("rules", sa.String(length=200), nullable=False),
        sa.Column("recorded_by", sa.String(length=600), nullable=False),
        sa.Column("contributions", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("flow", "region", "year", name=op.f("pk_exchange_average_edition")),
    )


def downgrade() -> None:
    op.drop_table("exchange_average_edition")
    for name in ("remark", "review", "proposal"):
        op.drop_table(f"exchange_factor_{name}")

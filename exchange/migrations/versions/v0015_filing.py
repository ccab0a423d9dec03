"""Filings with their steps and remarks, the models that makers have stated, published statuses; holds are found by their reason."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0015_filing"
down_revision = "0014_governance"

_TIME = exchange.database.UtcTime(length=32)
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_RUNNING = sa.text("state <> 'withdrawn'")
_LIVE = sa.text("withdrawn_at IS NULL")


def upgrade() -> None:
    op.create_index(op.f("ix_exchange_hold_reason"), "exchange_hold", ["reason"], unique=False)
    op.create_table(
        "exchange_filing",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("filer", sa.String(length=512), nullable=False),
        sa.Column("product_key", sa.String(length=64), nullable=False),
        sa.Column("group_key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("verifier", sa.String(length=512), nullable=True),
        sa.Column("result", sa.String(length=64), nullable=True),
        sa.Column("export", sa.String(length=64), nullable=True),
        sa.Column("expires", sa.Date(), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("open_remarks", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("registered_at", _TIME, nullable=False),
        sa.Column("entered_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_filing")),
    )
    op.create_index("ix_exchange_filing_counts", "exchange_filing", ["state", "group_key", "filer"], unique=False)
    op.create_index("ix_exchange_filing_filer", "exchange_filing", ["filer", "id"], unique=False)
    op.create_index("ix_exchange_filing_group", "exchange_filing", ["group_key", "id"], unique=False)
    op.create_index(
        "ix_exchange_filing_running",
        "exchange_filing",
        ["product_key"],
        unique=True,
        sqlite_where=_RUNNING,
        postgresql_where=_RUNNING,
    )
    op.create_index("ix_exchange_filing_state", "exchange_filing", ["state", "id"], unique=False)
    op.create_index("ix_exchange_filing_verifier", "exchange_filing", ["verifier", "id"], unique=False)
    op.create_table(
        "exchange_filing_step",
        sa.Column("filing", sa.String(length=36), nullable=False),
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=False),
        sa.Column("signer", sa.String(length=512), nullable=False),
        sa.Column("before", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("seconds", sa.Integer(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("filing", "index", name=op.f("pk_exchange_filing_step")),
        sa.UniqueConstraint("index", name=op.f("uq_exchange_filing_step_index")),
    )
    op.create_index("ix_exchange_filing_step_time", "exchange_filing_step", ["before", "seconds"], unique=False)
    op.create_table(
        "exchange_filing_remark",
        sa.Column("id", sa.String(length=96), nullable=False),
        sa.Column("filing", sa.String(length=36), nullable=False),
        sa.Column("review", _INDEX, nullable=False),
        sa.Column("addressee", sa.String(length=24), nullable=False),
        sa.Column("step", sa.String(length=16), nullable=True),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("answered", _INDEX, nullable=True),
        sa.Column("answered_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_filing_remark")),
    )
    op.create_index("ix_exchange_filing_remark_filing", "exchange_filing_remark", ["filing"], unique=False)
    op.create_index(
        "ix_exchange_filing_remark_to", "exchange_filing_remark", ["addressee", "answered", "id"], unique=False
    )
    op.create_table(
        "exchange_battery_model",
        sa.Column("product_key", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("index", _INDEX, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("product_key", name=op.f("pk_exchange_battery_model")),
        sa.UniqueConstraint("index", name=op.f("uq_exchange_battery_model_index")),
    )
    op.create_index("ix_exchange_battery_model_owner", "exchange_battery_model", ["owner", "index"], unique=False)
    op.create_table(
        "exchange_publication",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("filing", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("figure", sa.Boolean(), nullable=False),
        sa.Column("published_by", sa.String(length=600), nullable=False),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("withdrawn_by", sa.String(length=600), nullable=True),
        sa.Column("withdrawn_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_publication")),
    )
    op.create_index(
        "ix_exchange_publication_filing",
        "exchange_publication",
        ["filing"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )


def downgrade() -> None:
    for name in ("publication", "battery_model", "filing_remark", "filing_step", "filing"):
        op.drop_table(f"exchange_{name}")
    op.drop_index(op.f("ix_exchange_hold_reason"), table_name="exchange_hold")

"""Cases between organisations, and which entries are about which trade."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0011_cases"
down_revision = "0010_recalculation"

_TIME = exchange.database.UtcTime(length=32)
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "exchange_case",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("about", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("closed_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_case")),
        sa.UniqueConstraint("key", name=op.f("uq_exchange_case_key")),
    )
    op.create_index(op.f("ix_exchange_case_subject"), "exchange_case", ["subject"], unique=False)
    op.create_table(
        "exchange_case_party",
        sa.Column("case", sa.String(length=36), nullable=False),
        sa.Column("organisation", sa.String(length=512), nullable=False),
        sa.Column("index", _INDEX, nullable=True),
        sa.Column("place", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("case", "organisation", name=op.f("pk_exchange_case_party")),
        sa.ForeignKeyConstraint(["case"], ["exchange_case.id"], name=op.f("fk_exchange_case_party_case_exchange_case")),
    )
    op.create_index(
        "ix_exchange_case_party_organisation", "exchange_case_party", ["organisation", "case"], unique=False
    )
    op.create_index(op.f("ix_exchange_case_party_index"), "exchange_case_party", ["index"], unique=False)
    op.create_table(
        "exchange_trade",
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("buyer", sa.String(length=64), nullable=False),
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("product", "buyer", "index", name=op.f("pk_exchange_trade")),
    )
    op.create_index(op.f("ix_exchange_trade_index"), "exchange_trade", ["index"], unique=False)
    op.create_table(
        "exchange_case_watch",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("position", _INDEX, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_exchange_case_watch")),
    )
    watch = sa.table("exchange_case_watch", sa.column("name", sa.String), sa.column("position", sa.BigInteger))
    op.bulk_insert(watch, [{"name": "entries", "position": -1}])


def downgrade() -> None:
    for name in ("case_watch", "trade", "case_party", "case"):
        op.drop_table(f"exchange_{name}")

"""How far the log is published, and orders to the worker: for processes without its keys."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0012_processes"
down_revision = "0011_cases"

_TIME = exchange.database.UtcTime(length=32)
_WAITING = sa.text("done_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "exchange_published",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_published")),
    )
    op.create_table(
        "exchange_order",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("placed_at", _TIME, nullable=False),
        sa.Column("done_at", _TIME, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_order")),
    )
    op.create_index(
        "ix_exchange_order_waiting",
        "exchange_order",
        ["id"],
        unique=False,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("ix_exchange_order_digest", "exchange_order", ["digest"], unique=False)


def downgrade() -> None:
    op.drop_table("exchange_order")
    op.drop_table("exchange_published")

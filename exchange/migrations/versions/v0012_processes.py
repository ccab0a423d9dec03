"""How far the log is published, orders to the worker, keys of webhooks, and which ends of grants were told."""

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
    op.create_table(
        "exchange_webhook_key",
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_exchange_webhook_key")),
    )
    op.create_table(
        "exchange_grants_told",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_grants_told")),
    )
    op.create_index("ix_exchange_delivery_event", "exchange_delivery", ["event"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_exchange_delivery_event", table_name="exchange_delivery")
    op.drop_table("exchange_grants_told")
    op.drop_table("exchange_webhook_key")
    op.drop_table("exchange_order")
    op.drop_table("exchange_published")

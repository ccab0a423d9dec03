"""Events, who wants them sent where, and how far the sending has come."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0006_events"
down_revision = "0005_identity"

_TIME = exchange.database.UtcTime(length=32)
_UNREAD = sa.text("read_at IS NULL")
_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_table(
        "exchange_event",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("recipient", sa.String(length=512), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("time", _TIME, nullable=False),
        sa.Column("read_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_event")),
    )
    op.create_index("ix_exchange_event_inbox", "exchange_event", ["recipient", "id"], unique=False)
    op.create_index(
        "ix_exchange_event_unread",
        "exchange_event",
        ["recipient", "id"],
        unique=False,
        sqlite_where=_UNREAD,
        postgresql_where=_UNREAD,
    )
    op.create_table(
        "exchange_subscription",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("target", sa.String(length=1024), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("not_before", _TIME, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", _TIME, nullable=True),
        sa.Column("trouble", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_subscription")),
        sa.UniqueConstraint("owner", "target", name=op.f("uq_exchange_subscription_owner_target")),
    )
    op.create_table(
        "exchange_delivery",
        sa.Column("subscription", sa.String(length=36), nullable=False),
        sa.Column("event", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("first_tried", _TIME, nullable=True),
        sa.Column("due", _TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription"],
            ["exchange_subscription.id"],
            name=op.f("fk_exchange_delivery_subscription_exchange_subscription"),
        ),
        sa.ForeignKeyConstraint(
            ["event"], ["exchange_event.id"], name=op.f("fk_exchange_delivery_event_exchange_event")
        ),
        sa.PrimaryKeyConstraint("subscription", "event", name=op.f("pk_exchange_delivery")),
    )
    op.create_index(
        "ix_exchange_delivery_due",
        "exchange_delivery",
        ["subscription", "due"],
        unique=False,
        sqlite_where=_PENDING,
        postgresql_where=_PENDING,
    )


def downgrade() -> None:
    for table in ("exchange_delivery", "exchange_subscription", "exchange_event"):
        op.drop_table(table)

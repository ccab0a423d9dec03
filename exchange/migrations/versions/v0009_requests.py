"""Products and part mappings, data requests and their answers."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0009_requests"
down_revision = "0008_sharing"

_TIME = exchange.database.UtcTime(length=32)
_PENDING = sa.text("closed_at IS NULL")
_UNTOLD = sa.text("closed_at IS NULL AND overdue_at IS NULL")
_PASSED_ON = sa.text("parent IS NOT NULL")
_LIVE = sa.text("ended_at IS NULL")
_CONFIRMED = sa.text("state = 'confirmed'")


def upgrade() -> None:
    op.create_table(
        "exchange_product",
        sa.Column("uri", sa.String(length=512), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("recorded_by", sa.String(length=600), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("uri", name=op.f("pk_exchange_product")),
    )
    op.create_index("ix_exchange_product_owner", "exchange_product", ["owner", "uri"], unique=False)
    _create_parts()
    _create_requests()
    op.create_table(
        "exchange_answer",
        sa.Column("request", sa.String(length=36), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("vct", sa.String(length=128), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("verification_paths", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("request", "leaf_hash", name=op.f("pk_exchange_answer")),
    )


def _create_parts() -> None:
    op.create_table(
        "exchange_part",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("customer", sa.String(length=512), nullable=False),
        sa.Column("part", sa.String(length=200), nullable=False),
        sa.Column("line", sa.String(length=200), nullable=True),
        sa.Column("supplier", sa.String(length=512), nullable=False),
        sa.Column("product", sa.String(length=512), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("proposed_by", sa.String(length=512), nullable=False),
        sa.Column("recorded_by", sa.String(length=600), nullable=False),
        sa.Column("proposed_at", _TIME, nullable=False),
        sa.Column("confirmed_at", _TIME, nullable=True),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.Column("ended_by", sa.String(length=600), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_part")),
    )
    for name, columns, where in (
        ("customer", ["customer", "id"], None),
        ("supplier", ["supplier", "id"], None),
        ("stated", ["customer", "part", "supplier", "product"], _LIVE),
        ("confirmed", ["customer", "part", "supplier"], _CONFIRMED),
    ):
        _index("exchange_part", name, columns, where, unique=where is not None)


def _create_requests() -> None:
    op.create_table(
        "exchange_request",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("asker", sa.String(length=512), nullable=False),
        sa.Column("asked", sa.String(length=512), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("product", sa.String(length=512), nullable=False),
        sa.Column("part", sa.String(length=200), nullable=True),
        sa.Column("needed_for", sa.String(length=512), nullable=True),
        sa.Column("wanted", sa.String(length=64), nullable=False),
        sa.Column("rule_sets", sa.String(length=1000), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("verifier", sa.String(length=512), nullable=True),
        sa.Column("deadline", _TIME, nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("asked_by", sa.String(length=600), nullable=False),
        sa.Column("asked_at", _TIME, nullable=False),
        sa.Column("reminded_at", _TIME, nullable=True),
        sa.Column("overdue_at", _TIME, nullable=True),
        sa.Column("closed_at", _TIME, nullable=True),
        sa.Column("closed_by", sa.String(length=600), nullable=True),
        sa.Column("parent", sa.String(length=36), nullable=True),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_request")),
        sa.UniqueConstraint("asker", "client_id", name=op.f("uq_exchange_request_asker_client_id")),
    )
    for name, columns, where in (
        ("outbox", ["asker", "id"], None),
        ("inbox", ["asked", "id"], None),
        ("owed", ["asker", "deadline", "id"], _PENDING),
        ("owing", ["asked", "deadline", "id"], _PENDING),
        ("needed", ["asker", "needed_for", "deadline", "id"], _PENDING),
        ("untold", ["deadline"], _UNTOLD),
        ("parent", ["parent"], _PASSED_ON),
    ):
        _index("exchange_request", name, columns, where)


def _index(table: str, name: str, columns: list[str], where: sa.TextClause | None, *, unique: bool = False) -> None:
    op.create_index(f"ix_{table}_{name}", table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in ("answer", "request", "part", "product"):
        op.drop_table(f"exchange_{name}")

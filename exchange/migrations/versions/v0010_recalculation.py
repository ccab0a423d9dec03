"""What counts no more; which results rest on what, which are stale; and calculations as work that is done step by step."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0010_recalculation"
down_revision = "0009_requests"

_TIME = exchange.database.UtcTime(length=32)
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_ACTIVE = sa.text("state IN ('waiting', 'running')")


def upgrade() -> None:
    op.create_table(
        "exchange_superseded",
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("by", _INDEX, nullable=False),
        sa.Column("replacement", _INDEX, nullable=True),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_exchange_superseded")),
        sa.UniqueConstraint("by", name=op.f("uq_exchange_superseded_by")),
    )
    # Two readers who see the same have the same result: each keeps it.
    with op.batch_alter_table("exchange_result") as table:
        table.drop_constraint(op.f("pk_exchange_result"), type_="primary")
        table.create_primary_key(op.f("pk_exchange_result"), ["digest", "reader"])
    op.create_table(
        "exchange_current_result",
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("product", sa.String(length=512), nullable=False),
        sa.Column("flow", sa.String(length=64), nullable=False),
        sa.Column("rule_set", sa.String(length=64), nullable=False),
        sa.Column("result", sa.String(length=64), nullable=False),
        sa.Column("computed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("reader", "product", "flow", "rule_set", name=op.f("pk_exchange_current_result")),
    )
    op.create_table(
        "exchange_rests_on",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("result", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "result", "reader", name=op.f("pk_exchange_rests_on")),
    )
    op.create_index(op.f("ix_exchange_rests_on_result"), "exchange_rests_on", ["result"], unique=False)
    op.create_table(
        "exchange_watch",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_exchange_watch")),
    )
    watch = sa.table("exchange_watch", sa.column("name", sa.String), sa.column("position", sa.Text))
    op.bulk_insert(watch, [{"name": "entries", "position": "-1"}, {"name": "results", "position": ""}])
    op.create_table(
        "exchange_stale",
        sa.Column("result", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("cause", sa.String(length=128), nullable=False),
        sa.Column("found_at", _TIME, nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.Column("successor", sa.String(length=64), nullable=True),
        sa.Column("decided_by", sa.String(length=600), nullable=True),
        sa.Column("decided_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("result", "reader", "cause", name=op.f("pk_exchange_stale")),
    )
    op.create_table(
        "exchange_stale_candidate",
        sa.Column("result", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("result", "reader", "index", name=op.f("pk_exchange_stale_candidate")),
    )
    op.create_table(
        "exchange_job",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("asked_by", sa.String(length=600), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("served_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_job")),
    )
    op.create_index("ix_exchange_job_reader", "exchange_job", ["reader", "id"], unique=False)
    op.create_index(
        "ix_exchange_job_active",
        "exchange_job",
        ["reader", "served_at"],
        unique=False,
        sqlite_where=_ACTIVE,
        postgresql_where=_ACTIVE,
    )
    op.create_table(
        "exchange_job_item",
        sa.Column("job", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product", sa.String(length=512), nullable=False),
        sa.Column("flow", sa.String(length=64), nullable=True),
        sa.Column("rule_set", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("job", "number", name=op.f("pk_exchange_job_item")),
        sa.ForeignKeyConstraint(["job"], ["exchange_job.id"], name=op.f("fk_exchange_job_item_job_exchange_job")),
    )


def downgrade() -> None:
    op.drop_table("exchange_job_item")
    op.drop_table("exchange_job")
    op.drop_table("exchange_stale_candidate")
    op.drop_table("exchange_stale")
    op.drop_table("exchange_watch")
    op.drop_table("exchange_rests_on")
    op.drop_table("exchange_current_result")
    with op.batch_alter_table("exchange_result") as table:
        table.drop_constraint(op.f("pk_exchange_result"), type_="primary")
        table.create_primary_key(op.f("pk_exchange_result"), ["digest"])
    op.drop_table("exchange_superseded")

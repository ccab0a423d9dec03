"""A row for each grant, with its end and what it may be passed on to; the owners' access log; the record of exports."""

import hashlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

import exchange.database
from signer import new_jti

revision = "0008_sharing"
down_revision = "0007_vault"

_TIME = exchange.database.UtcTime(length=32)


def upgrade() -> None:
    old = sa.table("exchange_grant", *(sa.column(one.name, one.type) for one in _old()))
    rows = [dict(row) for row in op.get_bind().execute(sa.select(old)).mappings()]
    op.drop_table("exchange_grant")
    made = op.create_table(
        "exchange_grant",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("grantor", sa.String(length=512), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=True),
        sa.Column("product", sa.String(length=512), nullable=True),
        sa.Column("product_key", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=128), nullable=True),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("onward", sa.String(length=16), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("source", sa.String(length=36), nullable=True),
        sa.Column("recorded_by", sa.String(length=600), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.Column("withdrawn_at", _TIME, nullable=True),
        sa.Column("withdrawn_by", sa.String(length=600), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_grant")),
    )
    for columns in (("owner", "id"), ("grantor", "id"), ("reader", "id"), ("reader", "leaf_hash"), ("source",)):
        op.create_index(op.f(f"ix_exchange_grant_{'_'.join(columns)}"), "exchange_grant", list(columns), unique=False)
    # Old grants had no id: one from what made them unique, the same wherever this runs.
    kept = [
        row
        | {
            "id": new_jti(row["recorded_at"], _digits(row["reader"], row["leaf_hash"])),
            "grantor": row["owner"],
            "onward": "none",
        }
        for row in rows
    ]
    if kept:
        op.bulk_insert(made, kept)
    op.create_table(
        "exchange_access",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("paths_digest", sa.String(length=64), nullable=False),
        sa.Column("first_at", _TIME, nullable=False),
        sa.Column("last_at", _TIME, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_access")),
        sa.UniqueConstraint(
            "reader",
            "leaf_hash",
            "act",
            "day",
            "paths_digest",
            name=op.f("uq_exchange_access_reader_leaf_hash_act_day_paths_digest"),
        ),
    )
    op.create_index(op.f("ix_exchange_access_owner_id"), "exchange_access", ["owner", "id"], unique=False)
    op.create_table(
        "exchange_export_record",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("grant_id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("grantor", sa.String(length=512), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("from_country", sa.String(length=2), nullable=False),
        sa.Column("to_country", sa.String(length=2), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=True),
        sa.Column("product", sa.String(length=512), nullable=True),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_export_record")),
    )
    index = op.f("ix_exchange_export_record_grantor_id")
    op.create_index(index, "exchange_export_record", ["grantor", "id"], unique=False)


def downgrade() -> None:
    """Back to one row for each reader and statement: what was passed on, ended or is about products goes."""
    op.drop_table("exchange_export_record")
    op.drop_table("exchange_access")
    new = sa.table(
        "exchange_grant",
        *(sa.column(one.name, one.type) for one in _old()),
        sa.column("source"),
        sa.column("valid_until"),
        sa.column("withdrawn_at"),
    )
    kept = (
        new.c.leaf_hash.is_not(None),
        new.c.source.is_(None),
        new.c.valid_until.is_(None),
        new.c.withdrawn_at.is_(None),
    )
    query = sa.select(*(new.c[one.name] for one in _old())).where(*kept).order_by(new.c.recorded_at)
    merged: dict[tuple[str, str], dict[str, object]] = {}
    for row in op.get_bind().execute(query).mappings():
        key = (row["reader"], row["leaf_hash"])
        before = str(merged[key]["paths"]).split() if key in merged else []
        merged[key] = dict(row) | {"paths": " ".join(sorted({*before, *row["paths"].split()}))}
    op.drop_table("exchange_grant")
    made = op.create_table(
        "exchange_grant",
        *_old(),
        sa.PrimaryKeyConstraint("reader", "leaf_hash", name=op.f("pk_exchange_grant")),
    )
    if merged:
        op.bulk_insert(made, list(merged.values()))


def _digits(*parts: str) -> Callable[[int], bytes]:
    return lambda size: hashlib.sha256("\n".join(parts).encode()).digest()[:size]


def _old() -> list[sa.Column[Any]]:
    return [
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("recorded_by", sa.String(length=600), nullable=False),
        sa.Column("recorded_at", _TIME, nullable=False),
    ]

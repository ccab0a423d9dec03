"""Files that statements name as evidence: which statement names which, whose they are, and what they hold, encrypted in parts."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0020_attachments"
down_revision = "0019_attested"

_TIME = exchange.database.UtcTime(length=32)
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "exchange_evidence",
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("index", "name", name=op.f("pk_exchange_evidence")),
    )
    op.create_index(op.f("ix_exchange_evidence_name"), "exchange_evidence", ["name"], unique=False)
    op.create_table(
        "exchange_attachment",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("said", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("stored_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_attachment")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_exchange_attachment_owner_name")),
    )
    op.create_index(op.f("ix_exchange_attachment_owner_id"), "exchange_attachment", ["owner", "id"], unique=False)
    op.create_index(op.f("ix_exchange_attachment_name"), "exchange_attachment", ["name"], unique=False)
    op.create_table(
        "exchange_sealed_part",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", "number", name=op.f("pk_exchange_sealed_part")),
    )


def downgrade() -> None:
    for name in ("sealed_part", "attachment", "evidence"):
        op.drop_table(f"exchange_{name}")

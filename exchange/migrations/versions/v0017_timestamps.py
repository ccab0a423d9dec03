"""Timestamps of checkpoints by RFC 3161 authorities."""

import sqlalchemy as sa
from alembic import op

revision = "0017_timestamps"
down_revision = "0016_engagement"


def upgrade() -> None:
    op.create_table(
        "ledger_timestamp",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "time", sa.BigInteger(), autoincrement=False, nullable=False, comment="Unix seconds, by the authority"
        ),
        sa.Column(
            "response",
            sa.LargeBinary(),
            nullable=False,
            comment="RFC 3161 TimeStampResp over the checkpoint's text, DER",
        ),
        sa.ForeignKeyConstraint(
            ["size"], ["ledger_checkpoint.size"], name=op.f("fk_ledger_timestamp_size_ledger_checkpoint")
        ),
        sa.PrimaryKeyConstraint("size", "time", name=op.f("pk_ledger_timestamp")),
    )


def downgrade() -> None:
    op.drop_table("ledger_timestamp")

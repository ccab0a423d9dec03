"""Witnesses' cosignatures of checkpoints, and how far each policy's quorum has come."""

import sqlalchemy as sa
from alembic import op

revision = "0002_cosignatures"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "ledger_cosignature",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.String(length=500), nullable=False, comment="verifier key"),
        sa.Column("time", sa.BigInteger(), nullable=False, comment="Unix seconds, on the witness's word"),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"], ["ledger_checkpoint.size"], name=op.f("fk_ledger_cosignature_size_ledger_checkpoint")
        ),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_ledger_cosignature")),
    )
    op.create_table(
        "ledger_witnessed",
        sa.Column("policy", sa.String(length=64), nullable=False, comment="digest of the witness policy"),
        sa.Column(
            "size",
            sa.BigInteger(),
            nullable=False,
            comment="largest checkpoint whose cosignatures made the quorum",
        ),
        sa.PrimaryKeyConstraint("policy", name=op.f("pk_ledger_witnessed")),
    )


def downgrade() -> None:
    op.drop_table("ledger_witnessed")
    op.drop_table("ledger_cosignature")

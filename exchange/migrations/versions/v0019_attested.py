"""Which verification-statements are of a supplier's own product-footprint."""

import sqlalchemy as sa
from alembic import op

revision = "0019_attested"
down_revision = "0018_releases"

_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "exchange_attested",
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_exchange_attested")),
    )
    op.create_index(op.f("ix_exchange_attested_target"), "exchange_attested", ["target"])


def downgrade() -> None:
    op.drop_table("exchange_attested")

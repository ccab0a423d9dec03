"""A result of nothing has no figure, and a retired certificate is found by its serial."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0004_missing_and_retired"
down_revision = "0003_inner_hashes"

_HEADLINE = exchange.database.DecimalText(length=64)


def upgrade() -> None:
    with op.batch_alter_table("exchange_result") as table:
        table.alter_column("headline", existing_type=_HEADLINE, nullable=True)
    op.create_table(
        "exchange_retired_certificate",
        sa.Column("index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("index", "line", name=op.f("pk_exchange_retired_certificate")),
    )
    index = op.f("ix_exchange_retired_certificate_series")
    op.create_index(index, "exchange_retired_certificate", ["series"], unique=False)
    # Loops of activity data are solved; only what bills of materials say is walked for cycles from here on.
    links = sa.table("exchange_product_link", sa.column("index", sa.BigInteger))
    statements = sa.table("exchange_statement", sa.column("index", sa.BigInteger), sa.column("vct", sa.String))
    activity = sa.select(statements.c.index).where(statements.c.vct == "urn:packtrace:activity-data:1")
    op.execute(sa.delete(links).where(links.c.index.in_(activity)))


def downgrade() -> None:
    op.drop_table("exchange_retired_certificate")
    with op.batch_alter_table("exchange_result") as table:
        table.alter_column("headline", existing_type=_HEADLINE, nullable=False)

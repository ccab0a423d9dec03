"""Grants of a product are found by their reader and product."""

from alembic import op

revision = "0013_grants_by_product"
down_revision = "0012_processes"


def upgrade() -> None:
    op.create_index(
        op.f("ix_exchange_grant_reader_product_key"), "exchange_grant", ["reader", "product_key"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_exchange_grant_reader_product_key"), table_name="exchange_grant")

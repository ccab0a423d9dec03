"""The spine's tables: the ledger's and the exchange's first ones."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "ledger_checkpoint",
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="0, 1, 2, ... without gaps",
        ),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False, comment="Unix seconds, on the operator's word"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_checkpoint")),
        sa.UniqueConstraint("size", name=op.f("uq_ledger_checkpoint_size")),
    )
    op.create_table(
        "ledger_entry",
        sa.Column("index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_ledger_entry")),
        sa.UniqueConstraint("leaf_hash", name=op.f("uq_ledger_entry_leaf_hash")),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(length=32), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False, comment="roots of the perfect subtrees, largest first"),
        sa.Column("checkpoints", sa.BigInteger(), nullable=False, comment="how many were signed; the signer's lock"),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_head_one_row")),
        sa.CheckConstraint("size >= 0", name=op.f("ck_ledger_head_size")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_head")),
    )
    op.create_table(
        "ledger_node",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_ledger_node")),
    )
    op.create_table(
        "exchange_disclosure",
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("disclosures", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_hash", name=op.f("pk_exchange_disclosure")),
    )
    op.create_table(
        "exchange_export",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("results", sa.Integer(), nullable=False),
        sa.Column("exported_at", exchange.database.UtcTime(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_export")),
    )
    op.create_table(
        "exchange_grant",
        sa.Column("owner", sa.String(length=512), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("paths", sa.Text(), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("recorded_by", sa.String(length=600), nullable=False),
        sa.Column("recorded_at", exchange.database.UtcTime(length=32), nullable=False),
        sa.PrimaryKeyConstraint("reader", "leaf_hash", name=op.f("pk_exchange_grant")),
    )
    op.create_table(
        "exchange_lease",
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", exchange.database.UtcTime(length=32), nullable=False),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_exchange_lease")),
    )
    op.create_table(
        "exchange_organisation",
        sa.Column("uri", sa.String(length=512), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("thumbprint", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("key_event", sa.Integer(), nullable=False),
        sa.Column("roles", sa.String(length=200), nullable=False),
        sa.Column("role_grant", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("uri", name=op.f("pk_exchange_organisation")),
    )
    op.create_table(
        "exchange_product_link",
        sa.Column("index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("product", sa.String(length=512), nullable=False),
        sa.Column("component", sa.String(length=512), nullable=False),
        sa.PrimaryKeyConstraint("index", "product", "component", name=op.f("pk_exchange_product_link")),
    )
    op.create_index(op.f("ix_exchange_product_link_product"), "exchange_product_link", ["product"], unique=False)
    op.create_table(
        "exchange_release",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("vct", sa.String(length=128), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_exchange_release")),
    )
    op.create_table(
        "exchange_result",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("reader", sa.String(length=512), nullable=False),
        sa.Column("product", sa.String(length=512), nullable=False),
        sa.Column("rule_set", sa.String(length=64), nullable=False),
        sa.Column("headline", exchange.database.DecimalText(length=64), nullable=False),
        sa.Column("unit", sa.String(length=64), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("computed_at", exchange.database.UtcTime(length=32), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_exchange_result")),
    )
    op.create_index(op.f("ix_exchange_result_product"), "exchange_result", ["product"], unique=False)
    op.create_index(op.f("ix_exchange_result_reader"), "exchange_result", ["reader"], unique=False)
    op.create_table(
        "exchange_statement",
        sa.Column("index", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("issuer", sa.String(length=512), nullable=False),
        sa.Column("jti", sa.String(length=64), nullable=False),
        sa.Column("vct", sa.String(length=128), nullable=False),
        sa.Column("product", sa.String(length=512), nullable=True),
        sa.Column("signing_input", sa.String(length=64), nullable=False),
        sa.Column("admitted_at", exchange.database.UtcTime(length=32), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_exchange_statement")),
        sa.UniqueConstraint("issuer", "jti", name=op.f("uq_exchange_statement_issuer_jti")),
        sa.UniqueConstraint("leaf_hash", name=op.f("uq_exchange_statement_leaf_hash")),
    )
    op.create_index(op.f("ix_exchange_statement_product"), "exchange_statement", ["product"], unique=False)
    op.create_index(op.f("ix_exchange_statement_vct"), "exchange_statement", ["vct"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_exchange_statement_vct"), table_name="exchange_statement")
    op.drop_index(op.f("ix_exchange_statement_product"), table_name="exchange_statement")
    op.drop_table("exchange_statement")
    op.drop_index(op.f("ix_exchange_result_reader"), table_name="exchange_result")
    op.drop_index(op.f("ix_exchange_result_product"), table_name="exchange_result")
    op.drop_table("exchange_result")
    op.drop_table("exchange_release")
    op.drop_index(op.f("ix_exchange_product_link_product"), table_name="exchange_product_link")
    op.drop_table("exchange_product_link")
    op.drop_table("exchange_organisation")
    op.drop_table("exchange_lease")
    op.drop_table("exchange_grant")
    op.drop_table("exchange_export")
    op.drop_table("exchange_disclosure")
    op.drop_table("ledger_node")
    op.drop_table("ledger_head")
    op.drop_table("ledger_entry")
    op.drop_table("ledger_checkpoint")

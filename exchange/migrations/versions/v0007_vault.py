"""What only a grant's readers may see rests encrypted. The keys aren't here: what was in the clear waits for the start that has them."""

import sqlalchemy as sa
from alembic import op

import exchange.database

revision = "0007_vault"
down_revision = "0006_events"

_TIME = exchange.database.UtcTime(length=32)
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "exchange_master_key",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_master_key")),
    )
    op.create_table(
        "exchange_data_key",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("master", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["master"], ["exchange_master_key.id"], name=op.f("fk_exchange_data_key_master_exchange_master_key")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exchange_data_key")),
    )
    op.create_index(op.f("ix_exchange_data_key_master"), "exchange_data_key", ["master"], unique=False)
    op.create_table(
        "exchange_sealed",
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("what", "subject", name=op.f("pk_exchange_sealed")),
    )
    op.create_table(
        "exchange_erasure",
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("index", _INDEX, nullable=False),
        sa.Column("erased_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("leaf_hash", name=op.f("pk_exchange_erasure")),
    )
    op.create_table(
        "exchange_hold",
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=128), nullable=False),
        sa.Column("until", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("leaf_hash", "reason", name=op.f("pk_exchange_hold")),
    )
    op.create_table(
        "exchange_result_input",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("digest", "leaf_hash", name=op.f("pk_exchange_result_input")),
    )
    op.create_index(op.f("ix_exchange_result_input_leaf_hash"), "exchange_result_input", ["leaf_hash"], unique=False)
    op.create_table(
        "exchange_plain",
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("what", "subject", name=op.f("pk_exchange_plain")),
    )
    with op.batch_alter_table("exchange_statement") as table:
        table.add_column(sa.Column("withheld", sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table("exchange_statement") as table:
        table.alter_column("withheld", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
    _set_aside()


def _set_aside() -> None:
    """Move what is to be encrypted to where the next start finds it, all in this transaction."""
    op.execute(
        "INSERT INTO exchange_plain (what, subject, text) "
        "SELECT 'disclosures', leaf_hash, disclosures FROM exchange_disclosure"
    )
    op.execute(
        "INSERT INTO exchange_plain (what, subject, text) SELECT 'result', digest, document FROM exchange_result"
    )
    op.drop_table("exchange_disclosure")
    with op.batch_alter_table("exchange_result") as table:
        table.drop_column("headline")
        table.drop_column("document")
    certificates = sa.table(
        "exchange_retired_certificate",
        *(sa.column(name) for name in ("index", "line", "name", "series", "first", "last")),
    )
    connection = op.get_bind()
    waiting = [
        {
            "what": "certificate",
            "subject": f"{row.index}/{row.line}",
            "text": f"{row.name}\n{row.series}\n{row.first}\n{row.last}",
        }
        for row in connection.execute(sa.select(certificates))
    ]
    if waiting:
        plain = sa.table("exchange_plain", *(sa.column(name) for name in ("what", "subject", "text")))
        connection.execute(sa.insert(plain), waiting)
    op.drop_table("exchange_retired_certificate")
    op.create_table(
        "exchange_retired_certificate",
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("span", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("index", "line", name=op.f("pk_exchange_retired_certificate")),
    )
    index = op.f("ix_exchange_retired_certificate_series")
    op.create_index(index, "exchange_retired_certificate", ["series"], unique=False)


def downgrade() -> None:
    """The tables of before, empty: what was encrypted isn't laid open again."""
    op.drop_table("exchange_retired_certificate")
    op.create_table(
        "exchange_retired_certificate",
        sa.Column("index", _INDEX, autoincrement=False, nullable=False),
        sa.Column("line", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=512), nullable=False),
        sa.Column("series", sa.String(length=64), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("index", "line", name=op.f("pk_exchange_retired_certificate")),
    )
    index = op.f("ix_exchange_retired_certificate_series")
    op.create_index(index, "exchange_retired_certificate", ["series"], unique=False)
    op.execute("DELETE FROM exchange_result")
    with op.batch_alter_table("exchange_result") as table:
        table.add_column(sa.Column("headline", exchange.database.DecimalText(length=64), nullable=True))
        table.add_column(sa.Column("document", sa.Text(), nullable=False))
    op.create_table(
        "exchange_disclosure",
        sa.Column("leaf_hash", sa.String(length=64), nullable=False),
        sa.Column("disclosures", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_hash", name=op.f("pk_exchange_disclosure")),
    )
    with op.batch_alter_table("exchange_statement") as table:
        table.drop_column("withheld")
    for name in ("plain", "result_input", "hold", "erasure", "sealed", "data_key", "master_key"):
        op.drop_table(f"exchange_{name}")

"""Full tiles keep the roots of their sixteens, so that a proof hashes little."""

import sqlalchemy as sa
from alembic import op

from ledger import inner_hashes

revision = "0003_inner_hashes"
down_revision = "0002_cosignatures"

_NODE = sa.table(
    "ledger_node",
    sa.column("level", sa.SmallInteger),
    sa.column("number", sa.BigInteger),
    sa.column("hashes", sa.LargeBinary),
    sa.column("inner_hashes", sa.LargeBinary),
)


def upgrade() -> None:
    comment = "of a full tile: the roots of its sixteens"
    op.add_column("ledger_node", sa.Column("inner_hashes", sa.LargeBinary(), nullable=True, comment=comment))
    connection = op.get_bind()
    full = sa.select(_NODE.c.level, _NODE.c.number).where(sa.func.length(_NODE.c.hashes) == 256 * 32)
    for level, number in connection.execute(full).all():
        here = (_NODE.c.level == level) & (_NODE.c.number == number)
        hashes = connection.scalars(sa.select(_NODE.c.hashes).where(here)).one()
        connection.execute(sa.update(_NODE).where(here).values(inner_hashes=inner_hashes(hashes)))


def downgrade() -> None:
    op.drop_column("ledger_node", "inner_hashes")

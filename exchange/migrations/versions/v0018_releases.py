"""Factor releases with their id, version and the bytes of their files; those that were published are copied from their proposals."""

import sqlalchemy as sa
from alembic import op

revision = "0018_releases"
down_revision = "0017_timestamps"

_RELEASE = sa.table(
    "exchange_release",
    sa.column("digest", sa.String()),
    sa.column("release", sa.String()),
    sa.column("version", sa.String()),
    sa.column("reviewed", sa.Boolean()),
    sa.column("document", sa.LargeBinary()),
)
_PROPOSAL = sa.table(
    "exchange_factor_proposal",
    sa.column("digest", sa.String()),
    sa.column("release", sa.String()),
    sa.column("version", sa.String()),
    sa.column("document", sa.Text()),
    sa.column("state", sa.String()),
)


def upgrade() -> None:
    with op.batch_alter_table("exchange_release") as table:
        table.add_column(sa.Column("release", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("version", sa.String(length=200), nullable=True))
        table.add_column(sa.Column("reviewed", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("document", sa.LargeBinary(), nullable=True))
    with op.batch_alter_table("exchange_release") as table:
        table.alter_column("reviewed", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
    connection = op.get_bind()
    published = sa.select(_PROPOSAL).where(_PROPOSAL.c.state.in_(("published", "withdrawn")))
    for row in connection.execute(published).all():
        kept = {"release": row.release, "version": row.version, "reviewed": True, "document": row.document.encode()}
        connection.execute(sa.update(_RELEASE).where(_RELEASE.c.digest == row.digest).values(kept))


def downgrade() -> None:
    with op.batch_alter_table("exchange_release") as table:
        for name in ("document", "reviewed", "version", "release"):
            table.drop_column(name)

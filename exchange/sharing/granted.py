"""The queries that find which grants count: what every reading of statements is cut by."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import cast

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from exchange.access import Grant, Purpose
from exchange.intake.tables import StatementRow
from exchange.sharing.tables import GrantRow

_ABOUT = and_(
    col(GrantRow.product_key) == col(StatementRow.product),
    col(GrantRow.kind) == col(StatementRow.vct),
    col(GrantRow.owner) == col(StatementRow.issuer),
)


def day_of(now: datetime) -> date:
    """Return the day (UTC) by which end dates are judged."""
    return now.astimezone(UTC).date()


def live(day: date) -> ColumnElement[bool]:
    """Return the condition that a row of grants counts on `day`."""
    return and_(
        col(GrantRow.withdrawn_at).is_(None), or_(col(GrantRow.valid_until).is_(None), col(GrantRow.valid_until) >= day)
    )


def granted_to(reader: str | Mapped[str], day: date) -> ColumnElement[bool]:
    """Return the condition that something of a statement, a row of the query's, is granted to `reader` on `day`."""
    aimed = or_(col(GrantRow.leaf_hash) == col(StatementRow.leaf_hash), _ABOUT)
    return exists().where(col(GrantRow.reader) == reader, aimed, live(day)).correlate_except(GrantRow)


def grants_of(session: Session, reader: str, day: date, *, leaf_hash: str | None = None) -> list[Grant]:
    """Return the grants to `reader` that count on `day`, one for each statement that they open; with `leaf_hash` those of it alone."""
    columns = (col(GrantRow.owner), col(GrantRow.paths), col(GrantRow.purpose), col(GrantRow.valid_until))
    to_reader = (col(GrantRow.reader) == reader, live(day))
    by_statement = select(col(GrantRow.leaf_hash), *columns).where(*to_reader, col(GrantRow.leaf_hash).is_not(None))
    by_product = select(col(StatementRow.leaf_hash), *columns).join(StatementRow, _ABOUT).where(*to_reader)
    if leaf_hash is not None:
        by_statement = by_statement.where(col(GrantRow.leaf_hash) == leaf_hash)
        by_product = by_product.where(col(StatementRow.leaf_hash) == leaf_hash)
    # Columns, not rows: a pack's reader has a grant for each of thousands of lines.
    connection = session.connection()
    return [
        Grant(owner, reader, str(leaf), frozenset(paths.split()), cast("Purpose", purpose), until)
        for query in (by_statement, by_product)
        for leaf, owner, paths, purpose, until in connection.execute(query)
    ]

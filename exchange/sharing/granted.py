"""The queries that find which grants count: what every reading of statements is cut by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Mapped
from sqlmodel import col

from exchange.access import Grant, Purpose, visible_paths
from exchange.intake.tables import StatementRow
from exchange.sharing.tables import GrantRow

MOST_AT_ONCE = 500
_ABOUT = and_(
    col(GrantRow.product_key) == col(StatementRow.product),
    col(GrantRow.kind) == col(StatementRow.vct),
    col(GrantRow.owner) == col(StatementRow.issuer),
)


def day_of(now: datetime) -> date:
    """Return the day (UTC) by which end dates are judged."""
    return now.astimezone(UTC).date()


def live(day: date | BindParameter[date]) -> ColumnElement[bool]:
    """Return the condition that a row of grants counts on `day`."""
    return and_(
        col(GrantRow.withdrawn_at).is_(None), or_(col(GrantRow.valid_until).is_(None), col(GrantRow.valid_until) >= day)
    )


def granted_to(reader: str | Mapped[str], day: date) -> ColumnElement[bool]:
    """Return the condition that something of a statement, a row of the query's, is granted to `reader` on `day`."""
    aimed = or_(col(GrantRow.leaf_hash) == col(StatementRow.leaf_hash), _ABOUT)
    return exists().where(col(GrantRow.reader) == reader, aimed, live(day)).correlate_except(GrantRow)


_COLUMNS = (col(GrantRow.owner), col(GrantRow.paths), col(GrantRow.purpose), col(GrantRow.valid_until))
_TO_READER = (col(GrantRow.reader) == bindparam("reader"), live(bindparam("day")))
# Columns, not rows: a pack's reader has a grant for each of thousands of lines.
_BY_STATEMENT = select(col(GrantRow.leaf_hash), *_COLUMNS).where(*_TO_READER, col(GrantRow.leaf_hash).is_not(None))
_BY_PRODUCT = select(col(StatementRow.leaf_hash), *_COLUMNS).join(StatementRow, _ABOUT).where(*_TO_READER)
_LEAVES: BindParameter[str] = bindparam("leaves", expanding=True)
_ALL = (_BY_STATEMENT, _BY_PRODUCT)
_SOME = (
    _BY_STATEMENT.where(col(GrantRow.leaf_hash).in_(_LEAVES)),
    _BY_PRODUCT.where(col(StatementRow.leaf_hash).in_(_LEAVES)),
)
_ISSUED = select(col(StatementRow.leaf_hash), col(StatementRow.issuer)).where(col(StatementRow.leaf_hash).in_(_LEAVES))


def grants_of(
    connection: Connection, reader: str, day: date, *, leaf_hashes: Sequence[str] | None = None
) -> list[Grant]:
    """Return the grants to `reader` that count on `day`, one for each statement that they open; with `leaf_hashes` those of these alone.

    Of at most MOST_AT_ONCE leaf hashes.
    """
    asked: dict[str, Any] = {"reader": reader, "day": day}
    if leaf_hashes is not None:
        asked["leaves"] = list(leaf_hashes)
    return [
        Grant(owner, reader, str(leaf), frozenset(paths.split()), cast("Purpose", purpose), until)
        for query in (_ALL if leaf_hashes is None else _SOME)
        for leaf, owner, paths, purpose, until in connection.execute(query, asked)
    ]


def paths_seen(
    connection: Connection, reader: str, leaf_hashes: Sequence[str], day: date
) -> Mapping[str, frozenset[str]]:
    """Return the claim paths of each of these statements that `reader` may see on `day`; those of which it sees nothing are left out."""
    found: dict[str, frozenset[str]] = {}
    for start in range(0, len(leaf_hashes), MOST_AT_ONCE):
        some = leaf_hashes[start : start + MOST_AT_ONCE]
        grants: dict[str, list[Grant]] = {}
        for grant in grants_of(connection, reader, day, leaf_hashes=some):
            grants.setdefault(grant.leaf_hash, []).append(grant)
        for leaf, issuer in connection.execute(_ISSUED, {"leaves": list(some)}):
            if paths := visible_paths(reader, issuer, leaf, grants.get(leaf, ()), day):
                found[leaf] = paths
    return found

"""Who took disclosures of whose statements, for the owners to read: one row for each reader, statement, act, day and set of paths."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, cast

import sqlalchemy
from sqlalchemy import Connection, Engine, func
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from exchange.access import ATTACHED, Grant, Principal, visible_paths
from exchange.errors import RightsError
from exchange.identity import spoken_for
from exchange.intake.tables import StatementRow
from exchange.sharing.granted import MOST_AT_ONCE, day_of, grants_of
from exchange.sharing.tables import AccessRow
from ledger.store import snapshot
from signer import new_jti

Act = Literal["result", "export", "read", "attachment"]
_KEY = ("reader", "leaf_hash", "act", "day", "paths_digest")
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Access:
    """Disclosures of a statement at `paths` went out to `reader` on `day`, `count` times by one act."""

    id: str
    owner: str
    reader: str
    leaf_hash: str
    act: Act
    day: date
    paths: tuple[str, ...]
    first_at: datetime
    last_at: datetime
    count: int


@dataclass(frozen=True, slots=True)
class Copies:
    """How often disclosures of a statement went out to `reader` by one act, up to when: copies that nobody can take back."""

    reader: str
    leaf_hash: str
    act: Act
    count: int
    last_at: datetime


def log_access(
    connection: Connection,
    reader: str,
    act: Act,
    leaf_hashes: Collection[str],
    *,
    now: datetime,
    random: Callable[[int], bytes],
    opened: Collection[str] = (),
) -> None:
    """Log in the caller's transaction that disclosures of these statements go out to `reader`; what is its own isn't logged.

    `opened` are paths that are open to it without a grant: to a party to a filing, what the others state in it.
    RightsError where nothing of one is granted (any more).
    """
    session, day = Session(connection), day_of(now)
    issuers = _issuers(session, leaf_hashes)
    others = sorted(leaf for leaf, issuer in issuers.items() if issuer != reader)
    if not others:
        return
    grants: dict[str, list[Grant]] = {}
    for grant in grants_of(
        session.connection(), reader, day, leaf_hashes=others if len(others) <= MOST_AT_ONCE else None
    ):
        grants.setdefault(grant.leaf_hash, []).append(grant)
    paths = {}
    for leaf in others:
        seen = visible_paths(reader, issuers[leaf], leaf, grants.get(leaf, ()), day)
        paths[leaf] = seen.union(opened)
        if not paths[leaf]:
            raise RightsError(
                f"{reader} may not see this any more: its grant was withdrawn or has ended",
                where=f"statement {leaf}",
                remedy="ask its owner, or compute the result again",
            )
    _write(connection, reader, act, issuers, paths, now=now, random=random)


def log_attachments(
    connection: Connection,
    reader: str,
    act: Act,
    places: Mapping[str, Collection[str]],
    *,
    now: datetime,
    random: Callable[[int], bytes],
) -> None:
    """Log in the caller's transaction that files go out to `reader` which these statements name as evidence at these paths.

    What is its own isn't logged.
    """
    issuers = _issuers(Session(connection), places)
    paths = {leaf: {f"{path}{ATTACHED}" for path in at} for leaf, at in places.items() if issuers[leaf] != reader}
    _write(connection, reader, act, issuers, paths, now=now, random=random)


def _write(
    connection: Connection,
    reader: str,
    act: Act,
    issuers: Mapping[str, str],
    paths_of: Mapping[str, Collection[str]],
    *,
    now: datetime,
    random: Callable[[int], bytes],
) -> None:
    rows = []
    for leaf in sorted(paths_of):
        paths = " ".join(sorted(paths_of[leaf]))
        rows.append(
            {
                "id": new_jti(now, random),
                "owner": issuers[leaf],
                "reader": reader,
                "leaf_hash": leaf,
                "act": act,
                "day": day_of(now),
                "paths": paths,
                "paths_digest": hashlib.sha256(paths.encode()).hexdigest(),
                "first_at": now,
                "last_at": now,
                "count": 1,
            }
        )
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(AccessRow)
    again = {"count": col(AccessRow.count) + 1, "last_at": insert.excluded.last_at}
    connection.execute(insert.on_conflict_do_update(index_elements=list(_KEY), set_=again), rows)


@dataclass(frozen=True, slots=True)
class AccessLog:
    """What owners read of the log."""

    engine: Engine

    def of(self, actor: Principal, after: str = "", limit: int = 100) -> list[Access]:
        """Return who took what of the actor's statements, in the order in which each was first taken that day."""
        actor.require("data:read")
        query = (
            select(AccessRow)
            .where(spoken_for(actor, col(AccessRow.owner)), col(AccessRow.id) > after)
            .order_by(col(AccessRow.id))
            .limit(limit)
        )
        with snapshot(self.engine) as connection, Session(connection) as session:
            return [_access(row) for row in session.exec(query).all()]


def copies_of(session: Session, owner: str, readers: Sequence[str], leaf_hashes: Sequence[str]) -> list[Copies]:
    """Return what these readers took of these statements of `owner`."""
    by, found = (col(AccessRow.reader), col(AccessRow.leaf_hash), col(AccessRow.act)), []
    for start in range(0, len(leaf_hashes), _BATCH):
        query = (
            sqlalchemy.select(*by, func.sum(col(AccessRow.count)), func.max(col(AccessRow.last_at)))
            .where(
                col(AccessRow.owner) == owner,
                col(AccessRow.reader).in_(readers),
                col(AccessRow.leaf_hash).in_(leaf_hashes[start : start + _BATCH]),
            )
            .group_by(*by)
            .order_by(*by)
        )
        rows = session.connection().execute(query).all()
        found += [Copies(reader, leaf, cast("Act", act), int(n), last) for reader, leaf, act, n, last in rows]
    return found


def _issuers(session: Session, leaf_hashes: Collection[str]) -> dict[str, str]:
    wanted = sorted(leaf_hashes)
    found: dict[str, str] = {}
    for start in range(0, len(wanted), _BATCH):
        query = select(StatementRow.leaf_hash, StatementRow.issuer).where(
            col(StatementRow.leaf_hash).in_(wanted[start : start + _BATCH])
        )
        found |= dict(session.exec(query).all())
    return found


def _access(row: AccessRow) -> Access:
    return Access(
        row.id,
        row.owner,
        row.reader,
        row.leaf_hash,
        cast("Act", row.act),
        row.day,
        tuple(row.paths.split()),
        row.first_at,
        row.last_at,
        row.count,
    )

"""Grants are recorded here, and evidence is cut to what one reader may see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from exchange.access import Grant, visible_paths
from exchange.errors import NotFoundError, RightsError
from exchange.evidence import Evidence
from exchange.intake.tables import StatementRow
from exchange.kinds import Policy
from exchange.sharing.tables import GrantRow
from exchange.sharing.verified import VerifiedEntries, disclosed_at, held_disclosures
from ledger.store import begin, entry, head, snapshot
from signer import Trust, disclose

Purpose = Literal["customer", "verification", "authority"]
_KEPT = 8


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a reader's evidence depends on."""

    reader: str
    size: int
    grants: frozenset[Grant]


class Sharing:
    """Records grants and gives readers their evidence."""

    def __init__(self, engine: Engine, trust: Trust, policy: Policy, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._trust = trust
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[_Seen, Evidence] = {}
        self._verified = VerifiedEntries(trust, policy)

    def grant(self, owner: str, reader: str, leaf_hash: str, paths: Collection[str], purpose: Purpose) -> None:
        """Record that `owner` lets `reader` see `paths` of its statement, besides those it may see already.

        Raises NotFoundError (no such statement of this owner), RightsError (a grant to oneself), UnknownPathError (no such claim).
        """
        if owner == reader:
            raise RightsError("a grant to oneself", where="reader", remedy="name another organisation")
        with begin(self._engine) as connection:
            session = Session(connection)
            row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == leaf_hash)).one_or_none()
            if row is None or row.issuer != owner:
                raise NotFoundError(
                    f"{owner} has no statement with this leaf hash",
                    where="leaf_hash",
                    remedy="take it from the statement's receipt",
                )
            disclose(entry(connection, row.index).data.decode("ascii"), held_disclosures(connection, leaf_hash), paths)
            there = session.get(GrantRow, (reader, leaf_hash))
            before = there.paths.split() if there is not None else []
            stated = " ".join(sorted({*before, *paths}))
            if there is not None and (there.paths, there.purpose) == (stated, purpose):
                return
            session.merge(
                GrantRow(
                    owner=owner,
                    reader=reader,
                    leaf_hash=leaf_hash,
                    paths=stated,
                    purpose=purpose,
                    recorded_by=f"the operator for {owner}",
                    recorded_at=self._clock(),
                )
            )
            session.flush()

    def evidence_for(self, reader: str) -> Evidence:
        """Return every entry of the ledger with the disclosures that `reader` may see, each verified as this reader sees it."""
        with snapshot(self._engine) as connection:
            session = Session(connection)
            seen = _Seen(reader, head(connection).size, frozenset(_grants(session, reader)))
            with self._lock:
                if seen in self._kept:
                    return self._kept[seen]
            found = self._verified.seen_by(connection, reader, seen.size, seen.grants)
        evidence = Evidence(self._trust.origin, seen.size, found)
        with self._lock:
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[seen] = evidence
        return evidence

    def disclosed(self, connection: Connection, reader: str, leaf_hash: str) -> tuple[str, ...]:
        """Return the disclosures of one statement that `reader` may see, as of the caller's transaction."""
        return disclosed_to(connection, reader, leaf_hash)


def disclosed_to(connection: Connection, reader: str, leaf_hash: str) -> tuple[str, ...]:
    """Return the disclosures of one statement that `reader` may see, as of the caller's transaction; NotFoundError for no statement."""
    session = Session(connection)
    row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == leaf_hash)).one_or_none()
    if row is None:
        raise NotFoundError("no such statement", where="leaf_hash", remedy="take it from the statement's receipt")
    paths = visible_paths(reader, row.issuer, leaf_hash, _grants(session, reader))
    return disclosed_at(connection, entry(connection, row.index).data.decode("ascii"), leaf_hash, paths)


def _grants(session: Session, reader: str) -> list[Grant]:
    rows = session.exec(select(GrantRow).where(col(GrantRow.reader) == reader)).all()
    return [Grant(row.owner, row.reader, row.leaf_hash, frozenset(row.paths.split())) for row in rows]

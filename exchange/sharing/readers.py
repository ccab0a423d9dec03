"""Grants are recorded here, and evidence is cut to what one reader may see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, select

from exchange.access import FULL, Grant, visible_paths
from exchange.admission import Admission
from exchange.errors import NotFoundError, RightsError
from exchange.evidence import Evidence
from exchange.intake.tables import DisclosureRow, StatementRow
from exchange.kinds import Policy
from exchange.sharing.tables import GrantRow
from ledger.store import begin, entries, entry, head, snapshot
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
            token, disclosures = _statement(connection, row)
            disclose(token, disclosures, paths)
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
        """Return every entry of the ledger with the disclosures that `reader` may see, verified again on the way."""
        with snapshot(self._engine) as connection:
            session = Session(connection)
            seen = _Seen(reader, head(connection).size, frozenset(_grants(session, reader)))
            with self._lock:
                if seen in self._kept:
                    return self._kept[seen]
            evidence = self._read(connection, session, seen)
        with self._lock:
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[seen] = evidence
        return evidence

    def disclosed(self, connection: Connection, reader: str, leaf_hash: str) -> tuple[str, ...]:
        """Return the disclosures of one statement that `reader` may see, as of the caller's transaction."""
        session = Session(connection)
        row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == leaf_hash)).one_or_none()
        if row is None:
            raise NotFoundError("no such statement", where="leaf_hash", remedy="take it from the statement's receipt")
        return _visible(connection, row, reader, _grants(session, reader))

    def _read(self, connection: Connection, session: Session, seen: _Seen) -> Evidence:
        admission = Admission(self._trust, self._policy)
        rows = {row.index: row for row in session.exec(select(StatementRow)).all()}
        found = []
        for stored in entries(connection, 0, seen.size):
            given = _visible(connection, rows[stored.index], seen.reader, seen.grants)
            found.append(admission.admit(stored.index, stored.data.decode("ascii"), given, at=None))
        return Evidence(self._trust.origin, seen.size, found)


def _grants(session: Session, reader: str) -> list[Grant]:
    rows = session.exec(select(GrantRow).where(col(GrantRow.reader) == reader)).all()
    return [Grant(row.owner, row.reader, row.leaf_hash, frozenset(row.paths.split())) for row in rows]


def _visible(connection: Connection, row: StatementRow, reader: str, grants: Collection[Grant]) -> tuple[str, ...]:
    paths = visible_paths(reader, row.issuer, row.leaf_hash, grants)
    if not paths:
        return ()
    token, disclosures = _statement(connection, row)
    return disclosures if FULL in paths else disclose(token, disclosures, paths)


def _statement(connection: Connection, row: StatementRow) -> tuple[str, tuple[str, ...]]:
    kept = Session(connection).get(DisclosureRow, row.leaf_hash)
    disclosures = tuple(kept.disclosures.split("~")) if kept is not None else ()
    return entry(connection, row.index).data.decode("ascii"), disclosures

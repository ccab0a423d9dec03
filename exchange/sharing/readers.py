"""Grants are recorded here, and evidence is cut to what one reader may see."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, Engine, exists, or_
from sqlmodel import Session, col, select

from exchange.access import Grant, Principal, visible_paths
from exchange.errors import CredentialsError, NotFoundError, RightsError
from exchange.evidence import Evidence
from exchange.identity import Accounts, sees_entries, spoken_for
from exchange.intake.tables import StatementRow
from exchange.kinds import KINDS, Policy
from exchange.sharing.tables import GrantRow
from exchange.sharing.verified import VerifiedEntries, disclosed_at, held_disclosures
from exchange.vault import Vault
from ledger import EntryUnknownError
from ledger.store import Entry, begin, entry, head, snapshot
from signer import Trust, disclose

Purpose = Literal["customer", "verification", "authority"]
_KEPT = 8
_OPEN = [vct for vct, kind in KINDS.items() if not kind.profile.selective]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a reader's evidence depends on."""

    reader: str
    size: int
    grants: frozenset[Grant]


class Sharing:
    """Records grants and gives readers their evidence."""

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        trust: Trust,
        policy: Policy,
        clock: Callable[[], datetime],
        *,
        vault: Vault,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._accounts = accounts
        self._trust = trust
        self._policy = policy
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[_Seen, Evidence] = {}
        self._verified = VerifiedEntries(vault, trust, policy)

    def grant(
        self, actor: Principal, owner: str, reader: str, leaf_hash: str, paths: Collection[str], *, purpose: Purpose
    ) -> str:
        """Record that `owner` lets `reader` see `paths` of its statement, besides those it may see already; return who did it.

        Raises NotFoundError (no such statement of this owner), RightsError (another's statement, or a grant to oneself),
        UnknownPathError (no such claim).
        """
        self._accounts.check_speaks_for(actor, owner, "grants:write")
        with begin(self._engine) as connection:
            return self.record(connection, actor, Grant(owner, reader, leaf_hash, frozenset(paths)), purpose)

    def record(self, connection: Connection, actor: Principal, grant: Grant, purpose: Purpose) -> str:
        """Record a grant in the transaction of a caller that checked that `actor` may grant for its owner. Raises what `grant` does."""
        recorded_by = actor.recorded_as(grant.owner)
        if grant.owner == grant.reader:
            raise RightsError("a grant to oneself", where="reader", remedy="name another organisation")
        leaf_hash = grant.leaf_hash
        session = Session(connection)
        row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == leaf_hash)).one_or_none()
        if row is None or row.issuer != grant.owner:
            raise NotFoundError(
                f"{grant.owner} has no statement with this leaf hash",
                where="leaf_hash",
                remedy="take it from the statement's receipt",
            )
        held = held_disclosures(connection, self._vault, leaf_hash)
        disclose(entry(connection, row.index).data.decode("ascii"), held, grant.paths)
        there = session.get(GrantRow, (grant.reader, leaf_hash))
        before = there.paths.split() if there is not None else []
        stated = " ".join(sorted({*before, *grant.paths}))
        if there is not None and (there.paths, there.purpose) == (stated, purpose):
            return there.recorded_by
        session.merge(
            GrantRow(
                owner=grant.owner,
                reader=grant.reader,
                leaf_hash=leaf_hash,
                paths=stated,
                purpose=purpose,
                recorded_by=recorded_by,
                recorded_at=self._clock(),
            )
        )
        session.flush()
        return recorded_by

    def entry(self, actor: Principal, *, index: int | None = None, leaf_hash: str | None = None) -> Entry:
        """Return an entry, by index or leaf hash (hex), that the actor may see; EntryUnknownError for any other.

        Everybody sees what is open altogether (keys, roles, releases). Of the rest an entry tells who does how much business at which
        time: it is for its issuer, whom it granted anything of it, verifiers and authorities.
        """
        actor.require("data:read")
        by_place = col(StatementRow.index) == index if leaf_hash is None else col(StatementRow.leaf_hash) == leaf_hash
        granted = exists().where(
            col(GrantRow.leaf_hash) == col(StatementRow.leaf_hash), col(GrantRow.reader) == actor.organisation
        )
        may_see = or_(col(StatementRow.vct).in_(_OPEN), spoken_for(actor, col(StatementRow.issuer)), granted)
        with snapshot(self._engine) as connection, Session(connection) as session:
            row = session.exec(select(StatementRow).where(by_place)).one_or_none()
            if row is not None and not sees_entries(session, actor, self._clock()):
                row = session.exec(select(StatementRow).where(by_place, may_see)).one_or_none()
            if row is None:
                where = "index" if leaf_hash is None else "leaf_hash"
                raise EntryUnknownError("no such entry", where=where, remedy="take it from the statement's receipt")
            return entry(connection, row.index)

    def check_sees_entries(self, actor: Principal | None) -> None:
        """Check that the actor may read the whole log; CredentialsError for nobody, RightsError for most."""
        if actor is None:
            raise CredentialsError(
                "bundles of entries are for auditors", where="Authorization", remedy="send an access token"
            )
        with snapshot(self._engine) as connection, Session(connection) as session:
            if not sees_entries(session, actor, self._clock()):
                raise RightsError(
                    "bundles of entries are for the operator, verifiers and authorities",
                    where="path",
                    remedy="read your own entries, or ask the operator for a role",
                )

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
            if any(kept.erased.keys() < evidence.erased.keys() for kept in self._kept.values()):
                self._kept.clear()  # what was erased since is not to stay in memory
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[seen] = evidence
        return evidence

    def disclosed(self, connection: Connection, reader: str, leaf_hash: str) -> tuple[str, ...]:
        """Return the disclosures of one statement that `reader` may see, as of the caller's transaction."""
        return disclosed_to(connection, self._vault, reader, leaf_hash)


def disclosed_to(connection: Connection, vault: Vault, reader: str, leaf_hash: str) -> tuple[str, ...]:
    """Return the disclosures of one statement that `reader` may see, as of the caller's transaction; NotFoundError for no statement."""
    session = Session(connection)
    row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == leaf_hash)).one_or_none()
    if row is None:
        raise NotFoundError("no such statement", where="leaf_hash", remedy="take it from the statement's receipt")
    paths = visible_paths(reader, row.issuer, leaf_hash, _grants(session, reader))
    return disclosed_at(connection, vault, entry(connection, row.index).data.decode("ascii"), leaf_hash, paths)


def _grants(session: Session, reader: str) -> list[Grant]:
    rows = session.exec(select(GrantRow).where(col(GrantRow.reader) == reader)).all()
    return [Grant(row.owner, row.reader, row.leaf_hash, frozenset(row.paths.split())) for row in rows]

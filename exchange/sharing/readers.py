"""Statements and evidence, cut to what one reader may see; whatever goes out to another than the owner is logged for the owner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, Connection, Engine, bindparam, or_
from sqlmodel import Session, col, select

from exchange.access import FULL, Grant, Principal, visible_paths
from exchange.errors import CredentialsError, NotFoundError, RightsError
from exchange.evidence import Evidence
from exchange.identity import Accounts, sees_entries, spoken_for
from exchange.intake.tables import StatementRow
from exchange.kinds import KINDS, Policy
from exchange.sharing.access_log import Act, log_access
from exchange.sharing.granted import day_of, granted_to, grants_of, paths_seen
from exchange.sharing.verified import VerifiedEntries, cut_to, disclosed_at, held_by_statement
from exchange.vault import Vault
from ledger import EntryUnknownError
from ledger.store import Entry, begin, entries_at, entry, head, snapshot
from signer import Trust, peek

_KEPT = 8
_STATED = select(col(StatementRow.index), col(StatementRow.issuer)).where(
    col(StatementRow.leaf_hash) == bindparam("leaf")
)
_OPEN = [vct for vct, kind in KINDS.items() if not kind.profile.selective]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a reader's evidence depends on."""

    reader: str
    size: int
    grants: frozenset[Grant]


class Sharing:
    """Gives readers their evidence, and single statements."""

    def __init__(
        self,
        engine: Engine,
        accounts: Accounts,
        trust: Trust,
        policy: Policy,
        clock: Callable[[], datetime],
        *,
        random: Callable[[int], bytes],
        vault: Vault,
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._accounts = accounts
        self._trust = trust
        self._policy = policy
        self._clock = clock
        self._random = random
        self._lock = threading.Lock()
        self._kept: dict[_Seen, Evidence] = {}
        self._verified = VerifiedEntries(vault, trust, policy)

    def entry(self, actor: Principal, *, index: int | None = None, leaf_hash: str | None = None) -> Entry:
        """Return an entry, by index or leaf hash (hex), that the actor may see; EntryUnknownError for any other.

        Everybody sees what is open altogether (keys, roles, releases). Of the rest an entry tells who does how much business at which
        time: it is for its issuer, whom it granted anything of it, verifiers and authorities.
        """
        actor.require("data:read")
        by_place = col(StatementRow.index) == index if leaf_hash is None else col(StatementRow.leaf_hash) == leaf_hash
        with snapshot(self._engine) as connection, Session(connection) as session:
            row = session.exec(select(StatementRow).where(by_place)).one_or_none()
            if row is not None and not sees_entries(session, actor, self._clock()):
                row = session.exec(select(StatementRow).where(by_place, self._may_see(actor))).one_or_none()
            if row is None:
                where = "index" if leaf_hash is None else "leaf_hash"
                raise EntryUnknownError("no such entry", where=where, remedy="take it from the statement's receipt")
            return entry(connection, row.index)

    def _may_see(self, actor: Principal) -> ColumnElement[bool]:
        granted = granted_to(actor.organisation, day_of(self._clock()))
        return or_(col(StatementRow.vct).in_(_OPEN), spoken_for(actor, col(StatementRow.issuer)), granted)

    def seen_of(self, actor: Principal, indices: Iterable[int]) -> frozenset[int]:
        """Return those of the entries that the actor may see, by index."""
        actor.require("data:read")
        with snapshot(self._engine) as connection, Session(connection) as session:
            query = select(StatementRow.index).where(col(StatementRow.index).in_(sorted(set(indices))))
            if not sees_entries(session, actor, self._clock()):
                query = query.where(self._may_see(actor))
            return frozenset(session.exec(query).all())

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
            day = day_of(self._clock())
            # Of the grants those that count today: one that is withdrawn or has ended changes the key.
            seen = _Seen(reader, head(connection).size, frozenset(grants_of(session.connection(), reader, day)))
            with self._lock:
                if seen in self._kept:
                    return self._kept[seen]
            found = self._verified.seen_by(connection, reader, seen.size, seen.grants, day)
        evidence = Evidence(self._trust.origin, seen.size, found)
        with self._lock:
            if any(kept.erased.keys() < evidence.erased.keys() for kept in self._kept.values()):
                self._kept.clear()  # what was erased since is not to stay in memory
            while len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[seen] = evidence
        return evidence

    def statement(self, actor: Principal, leaf_hash: str, reader: str | None = None) -> tuple[Entry, tuple[str, ...]]:
        """Return an entry with exactly the disclosures that `reader` (the actor's organisation unless stated) may see.

        Raises EntryUnknownError for an entry that the actor may not see, RightsError for another's reader.
        """
        reader = reader or actor.organisation
        self._accounts.check_speaks_for(actor, reader, "data:read")
        found = self.entry(actor, leaf_hash=leaf_hash)
        is_own = peek(found.data.decode("ascii")).issuer == reader
        # Only what goes out to another is written down, and the owner's reading takes no lock.
        with (snapshot if is_own else begin)(self._engine) as connection:
            disclosures = self.disclosed(connection, reader, leaf_hash)
            if disclosures and not is_own:
                self.took(connection, reader, "read", [leaf_hash])
            return found, disclosures

    def disclosed(self, connection: Connection, reader: str, leaf_hash: str) -> tuple[str, ...]:
        """Return the disclosures of one statement that `reader` may see, as of the caller's transaction."""
        return disclosed_to(connection, self._vault, reader, leaf_hash, day_of(self._clock()))

    def disclosed_each(
        self, connection: Connection, reader: str, leaf_hashes: Sequence[str]
    ) -> dict[str, tuple[str, ...]]:
        """Return what is `disclosed` of each of these statements, without those of which nothing is."""
        return disclosed_each(connection, self._vault, reader, leaf_hashes, day_of(self._clock()))

    def took(
        self,
        connection: Connection,
        reader: str,
        act: Act,
        leaf_hashes: Collection[str],
        *,
        opened: Collection[str] = (),
    ) -> None:
        """Log for their owners, in the caller's transaction, that disclosures of these statements go out to `reader`.

        `opened` are paths that are open to it without a grant. RightsError where a grant ended since they were read.
        """
        log_access(connection, reader, act, leaf_hashes, now=self._clock(), random=self._random, opened=opened)


def disclosed_to(connection: Connection, vault: Vault, reader: str, leaf_hash: str, day: date) -> tuple[str, ...]:
    """Return the disclosures of one statement that `reader` may see on `day`; NotFoundError for no statement."""
    row = connection.execute(_STATED, {"leaf": leaf_hash}).one_or_none()
    if row is None:
        raise NotFoundError("no such statement", where="leaf_hash", remedy="take it from the statement's receipt")
    index, issuer = row
    paths = visible_paths(reader, issuer, leaf_hash, grants_of(connection, reader, day, leaf_hashes=[leaf_hash]), day)
    return disclosed_at(connection, vault, entry(connection, index).data.decode("ascii"), leaf_hash, paths)


def disclosed_each(
    connection: Connection, vault: Vault, reader: str, leaf_hashes: Sequence[str], day: date
) -> dict[str, tuple[str, ...]]:
    """Return what `disclosed_to` does of each of these statements, without those of which it is nothing."""
    paths = paths_seen(connection, reader, leaf_hashes, day)
    held = held_by_statement(connection, vault, list(paths))
    tokens = dict[str, str]()
    if cut := [leaf for leaf in held if FULL not in paths[leaf]]:
        indices = [index for leaf in cut for index, _ in connection.execute(_STATED, {"leaf": leaf})]
        tokens = {one.leaf_hash.hex(): one.data.decode("ascii") for one in entries_at(connection, indices)}
    return {leaf: cut_to(tokens[leaf], given, paths[leaf]) if leaf in tokens else given for leaf, given in held.items()}

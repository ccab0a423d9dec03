"""The ledger's entries, verified once, and as each reader sees them.

Whether an entry counts depends on the entries before it alone (keys, roles, citations), and those never change: later key events judge
later entries. So an entry that was verified stays so, and a new one costs its own verification. The hash chain says whether the database
still holds the ledger that was read; where it doesn't (restored from a copy), all is read anew.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from datetime import date

from sqlalchemy import Connection

from exchange.access import CONTENTS, FULL, Grant, visible_paths
from exchange.admission import Admission
from exchange.evidence import Entry, erased_leaf
from exchange.kinds import Policy, kind_of
from exchange.vault import Vault
from ledger.store import entries, entry
from signer import JSON, Trust, UnknownPathError, disclose, peek, read_unverified


class VerifiedEntries:
    """Verified entries by index and, by what is seen of them, for readers; several threads may ask. Takes memory like the ledger."""

    def __init__(self, vault: Vault, trust: Trust, policy: Policy) -> None:
        self._vault = vault
        self._trust = trust
        self._policy = policy
        self._lock = threading.Lock()
        self._forget()

    def seen_by(
        self, connection: Connection, reader: str, size: int, grants: Collection[Grant], day: date
    ) -> list[Entry]:
        """Return the first `size` entries of the ledger that `connection` sees, with what the grants let `reader` see of each on `day`."""
        by_leaf: dict[str, list[Grant]] = {}
        for grant in grants:
            by_leaf.setdefault(grant.leaf_hash, []).append(grant)
        with self._lock:
            self._catch_up(connection, size)
            return [self._as_seen(connection, found, reader, by_leaf, day) for found in self._sealed[:size]]

    def _forget(self) -> None:
        self._admission = Admission(self._trust, self._policy)
        #: As somebody sees them who was granted nothing, in the order of the ledger.
        self._sealed: list[Entry] = []
        self._chain: list[bytes] = []
        #: By leaf hash and the paths that are seen.
        self._opened: dict[tuple[str, frozenset[str]], Entry] = {}

    def _catch_up(self, connection: Connection, size: int) -> None:
        last = min(len(self._chain), size) - 1
        if last >= 0 and entry(connection, last).chain != self._chain[last]:
            self._forget()
        for stored in entries(connection, len(self._sealed), size):
            self._sealed.append(self._admission.admit(stored.index, stored.data.decode("ascii"), (), at=None))
            self._chain.append(stored.chain)
            if (erased := erased_leaf(self._sealed[-1])) is not None:
                # From here on it is what is left in the vault: nothing. What was opened before isn't kept in memory either.
                self._opened = {key: found for key, found in self._opened.items() if key[0] != erased}

    def _as_seen(
        self, connection: Connection, found: Entry, reader: str, grants: Mapping[str, list[Grant]], day: date
    ) -> Entry:
        leaf, statement = found.leaf_hash, found.statement
        paths = visible_paths(reader, statement.issuer, leaf, grants.get(leaf, ()), day)
        if not paths:
            return found
        if (leaf, paths) not in self._opened:
            given = disclosed_at(connection, self._vault, statement.token, leaf, paths)
            self._opened[leaf, paths] = self._admission.seen_with(found, given)
        return self._opened[leaf, paths]


def disclosed_at(
    connection: Connection, vault: Vault, token: str, leaf_hash: str, paths: Collection[str]
) -> tuple[str, ...]:
    """Return the disclosures of a statement that lie at claim paths `paths`; none without paths, or for those that it doesn't have."""
    return cut_to(token, held_disclosures(connection, vault, leaf_hash), paths) if paths else ()


def cut_to(token: str, held: tuple[str, ...], paths: Collection[str]) -> tuple[str, ...]:
    """Return those of all disclosures of a statement, `held`, that lie at claim paths `paths`, which are some."""
    if FULL in paths:
        return held
    try:
        return disclose(token, held, paths)
    except UnknownPathError:
        # A grant of a product names paths that not every statement about it has.
        return disclose(token, held, frozenset(paths) & claims_by_path(token, held).keys())


def claims_by_path(token: str, disclosures: Collection[str]) -> dict[str, JSON]:
    """Return what the disclosures say, by every path that a grant may name but ``full``: claims, `contents`, and lines of lists."""
    seen = read_unverified(token, tuple(disclosures))
    found = dict(seen.disclosed)
    for name in kind_of(peek(token).vct).profile.lists & found.keys():
        lines = found[name]
        found |= (
            {f"{name}/{line['id']}": line for line in lines if isinstance(line, dict)}
            if isinstance(lines, list)
            else {}
        )
    return found if seen.contents is None else found | {CONTENTS: seen.contents}


def held_disclosures(connection: Connection, vault: Vault, leaf_hash: str) -> tuple[str, ...]:
    """Return all disclosures of a statement, none where they were erased or withheld; whoever calls asks `exchange.access` first."""
    kept = vault.open_(connection, "disclosures", leaf_hash)
    return _apart(kept) if kept is not None else ()


def held_by_statement(connection: Connection, vault: Vault, leaf_hashes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the `held_disclosures` of each of these statements, without those of which there are none."""
    return {leaf: _apart(kept) for leaf, kept in vault.open_all(connection, "disclosures", leaf_hashes).items()}


def _apart(kept: bytes) -> tuple[str, ...]:
    return tuple(kept.decode("ascii").split("~"))

"""Status snapshots: what counts no more at a size of the log, as its operator states it, and as anybody recomputes it from the entries.

Each states what came since the one before it, so that all of them together are the whole; a token holds no more than so many changes, and
a busy day has several. That certificates were retired once rests on the operator's word even so: the serials are hidden. What can be
recomputed is which retirements count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from exchange.errors import EvidenceError
from exchange.evidence import Entry
from exchange.kinds import CERTIFICATE_RETIREMENT, ERASURE, STATUS_SNAPSHOT, StatusSnapshot
from signer import KEY_EVENT, RETRACTIONS, Citation, peek, read_citation, read_unverified

#: Changes in one snapshot, so that its token stays within 65,535 bytes.
MAX_CHANGES = 600
_REMEDY = "ask the operator which of the two holds, and keep this log's checkpoint"


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """By the entry `by` something counts no more: the key with a thumbprint (`what`), or the statement at an index."""

    by: int
    what: str | int


def register_digest(counting: Iterable[tuple[int, str]]) -> str:
    """Return the hex SHA-256 of the register of retired certificates: a line ``index leaf_hash`` for each that counts, by index."""
    return hashlib.sha256("".join(f"{index} {leaf}\n" for index, leaf in sorted(counting)).encode()).hexdigest()


@dataclass
class Status:
    """What the entries of a log say of each other, taken in by index."""

    revoked: list[Change] = field(default_factory=list)
    retracted: list[Change] = field(default_factory=list)
    erased: list[Change] = field(default_factory=list)
    #: Leaf hashes (hex) of retirements of certificates by index.
    retirements: dict[int, str] = field(default_factory=dict)

    def full_after(self, size: int) -> int | None:
        """Return the size up to which a snapshot that follows one of `size` can tell all; None where it can tell all there is."""
        changes = sorted(one.by for one in (*self.revoked, *self.retracted, *self.erased) if one.by >= size)
        return changes[MAX_CHANGES] if len(changes) > MAX_CHANGES else None

    def claims(self, size: int, chain: str, previous: tuple[int, int] | None) -> dict[str, Any]:
        """Return the claims of the snapshot at `size`, with the chain's head (hex) there; `previous`: index and size of the one before."""
        since = 0 if previous is None else previous[1]

        def between(changes: Iterable[Change]) -> list[Change]:
            return sorted(one for one in changes if since <= one.by < size)

        gone = {one.what for one in self.retracted if one.by < size}
        counting = ((index, leaf) for index, leaf in self.retirements.items() if index < size and index not in gone)
        claims: dict[str, Any] = {
            "size": size,
            "chain": chain,
            "revoked": [{"thumbprint": one.what, "by": one.by} for one in between(self.revoked)],
            "retracted": [{"index": one.what, "by": one.by} for one in between(self.retracted)],
            "erased": [{"index": one.what, "by": one.by} for one in between(self.erased)],
            "retirements": register_digest(counting),
        }
        return claims if previous is None else claims | {"previous": previous[0]}


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry as the ledger holds it: index, token, leaf hash and chain value after it (both hex)."""

    index: int
    token: str
    leaf_hash: str
    chain: str


class Recomputed:
    """Status and snapshots read from the tokens of a log, in order; nothing that is stored beside them is believed.

    `entry` returns an entry that was taken in before, by its index.
    """

    def __init__(self, entry: Callable[[int], Placed]) -> None:
        self.status = Status()
        self.snapshots = 0
        self._entry = entry
        self._last: tuple[int, int] | None = None
        self._gone: set[int] = set()

    def take(self, placed: Placed) -> None:
        """Take in the next entry. Raises EvidenceError for a snapshot that says otherwise than the entries before it."""
        said = read_unverified(placed.token, ()).open_claims
        index, vct = placed.index, str(said["vct"])
        if vct == STATUS_SNAPSHOT.vct:
            self._compare(index, said)
        elif vct == KEY_EVENT.vct and (key := revoked_key(said)) is not None:
            self.status.revoked.append(Change(index, key))
        elif vct == ERASURE.vct:
            self.status.erased.append(Change(index, int(str(said["index"]))))
        elif vct == CERTIFICATE_RETIREMENT.vct:
            self.status.retirements[index] = placed.leaf_hash
        elif vct in RETRACTIONS:
            target = read_citation(said["target"], "target")
            if target.index not in self._gone and target.index < index and self._is_own(target, str(said["iss"])):
                self._gone.add(target.index)
                self.status.retracted.append(Change(index, target.index))

    def _is_own(self, target: Citation, issuer: str) -> bool:
        there = self._entry(target.index)
        return there.leaf_hash == target.leaf_hash and peek(there.token).issuer == issuer

    def _compare(self, index: int, said: Mapping[str, Any]) -> None:
        stated = read_snapshot(said)
        where = f"entry {index}"
        if not (0 if self._last is None else self._last[1]) < stated.size <= index:
            raise EvidenceError("the snapshot is of a size that it can't be of", where=where, remedy=_REMEDY)
        due = self.status.claims(stated.size, self._entry(stated.size - 1).chain, self._last)
        found = stated.model_dump(mode="json", exclude_none=True)
        for name in sorted(due.keys() | found.keys()):
            if due.get(name) != found.get(name):
                what = f"the snapshot says otherwise than the entries before it: {name}"
                raise EvidenceError(what, where=where, remedy=_REMEDY)
        self._last = (index, stated.size)
        self.snapshots += 1


def read_snapshot(said: Mapping[str, Any]) -> StatusSnapshot:
    """Return the open claims of a snapshot."""
    return StatusSnapshot.model_validate({name: said[name] for name in StatusSnapshot.model_fields if name in said})


def revoked_key(said: Mapping[str, Any]) -> str | None:
    """Return the thumbprint of the key that counts no more by a key event; None for an enrolment."""
    if said["action"] == "replace":
        return str(said["replaces"])
    return str(said["thumbprint"]) if said["action"] in {"revoke", "compromise"} else None


@dataclass(frozen=True, slots=True)
class LastSnapshot:
    """The newest snapshot of an evidence file: the size that it is of, and when its operator says that it signed it."""

    size: int
    signed: datetime


def check_snapshots(entries: Sequence[Entry]) -> LastSnapshot | None:
    """Check the snapshots among an evidence file's entries, which come by index: that none is missing between them, and that the file
    leaves out nothing that they say of its statements and keys. Return the newest, None where there is none.

    EvidenceError where a snapshot says of an entry in the file that another took it back, erased it or revoked its key which isn't there,
    or leaves out one that is there: then somebody cut the file, or the operator told two stories.
    """
    stated = [
        (entry, read_snapshot(entry.statement.claims))
        for entry in entries
        if entry.statement.vct == STATUS_SNAPSHOT.vct
    ]
    last: tuple[int, int] | None = None
    said: set[Change] = set()
    for entry, found in stated:
        previous, size = (None, 0) if last is None else last
        if found.previous != previous or not size < found.size <= entry.index:
            raise _told(
                entry.index, f"the status snapshot follows entry {found.previous}, which isn't the one before it here"
            )
        said |= {Change(one.by, one.thumbprint) for one in found.revoked}
        said |= {Change(one.by, one.index) for one in (*found.retracted, *found.erased)}
        last = (entry.index, found.size)
    if last is None:
        return None
    there = {entry.index: entry for entry in entries}
    keys = {entry.statement.certificate.thumbprint for entry in entries}
    for one in sorted(said, key=lambda change: change.by):
        concerns = one.what in there or one.what in keys
        if concerns and one.by not in there:
            raise _told(
                last[0],
                f"a status snapshot names entry {one.by}, by which {one.what} counts no more: it is left out here",
            )
    for change in _changes(entries):
        if change.by < last[1] and change not in said:
            raise _told(
                change.by, f"the status snapshot at entry {last[0]} leaves out that {change.what} counts no more"
            )
    return LastSnapshot(last[1], stated[-1][0].statement.issued_at)


def _changes(entries: Sequence[Entry]) -> Iterator[Change]:
    leaves = {entry.index: (entry.leaf_hash, entry.statement.issuer) for entry in entries}
    for entry in entries:
        claims, vct = entry.statement.claims, entry.statement.vct
        if vct == KEY_EVENT.vct and (key := revoked_key(claims)) is not None:
            yield Change(entry.index, key)
        elif vct == ERASURE.vct:
            yield Change(entry.index, int(str(claims["index"])))
        elif vct in RETRACTIONS:
            target = read_citation(claims["target"], "target")
            if leaves.get(target.index) == (target.leaf_hash, entry.statement.issuer):
                yield Change(entry.index, target.index)


def _told(index: int, what: str) -> EvidenceError:
    return EvidenceError(
        what,
        where=f"entry {index}",
        remedy="ask whoever made the file for a whole one, or the operator which of the two holds",
    )

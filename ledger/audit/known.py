"""Checkpoints that somebody else has kept or shows: the log must hold each of them, or be a prefix of what it shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.errors import AuditError, ForkError, LedgerError, RollbackError, StallError
from ledger.notes import LogKey
from ledger.reader import Fetch, PublishedLog
from ledger.store.signing import first_above
from ledger.tree import CompactRange

_KEEP: Final = "keep both checkpoints: together they are the evidence"


@dataclass(frozen=True)
class Known:
    """A checkpoint that was kept outside the database; `where` names its file or address."""

    where: str
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Shown(Known):
    """The checkpoint that a published log shows now, with the log that it stands in."""

    log: PublishedLog


def kept(note: bytes, keys: Sequence[LogKey], where: str) -> Known:
    """The checkpoint in a note that was kept. Raises AuditError when it is not signed by one of the log's `keys`."""
    try:
        return Known(where, open_checkpoint(note, *keys))
    except LedgerError as error:
        raise _unopened(where, error) from error


def shown(fetch: Fetch, keys: Sequence[LogKey], where: str) -> Shown:
    """The checkpoint of a published log. Raises AuditError when it is not signed by one of the log's `keys`."""
    try:
        log = PublishedLog(fetch, *keys)
    except LedgerError as error:
        raise _unopened(where, error) from error
    return Shown(where, log.checkpoint, log)


class KnownComparison:
    """Compares known checkpoints beside the growing tree."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._waiting = sorted(known, key=lambda one: one.checkpoint.size, reverse=True)

    @property
    def next_size(self) -> int | None:
        """The size of the next one to compare."""
        return self._waiting[-1].checkpoint.size if self._waiting else None

    def compare(self, edge: CompactRange) -> None:
        """Check those of the tree's present size. Raises ForkError."""
        while self._waiting and self._waiting[-1].checkpoint.size == edge.size:
            one = self._waiting.pop()
            if one.checkpoint.root != edge.root():
                raise _fork(one, edge.size)

    def finish(self, edge: CompactRange) -> None:
        """The rest speak of more entries than there are. Raises RollbackError, or ForkError where tiles show one."""
        while self._waiting:
            one = self._waiting.pop()
            if isinstance(one, Shown):
                require_extends(one, edge.size, edge.root())
            raise RollbackError(
                f"rollback: the log has {edge.size} entries, this checkpoint {one.checkpoint.size}",
                where=one.where,
                remedy=f"sign nothing and restore the newest copy; {_KEEP}",
            )


def require_extends(shown: Shown, size: int, root: bytes) -> None:
    """Check by its tiles that a shown log extends the tree of this size and root.

    Raises RollbackError, ForkError; AuditError where its tiles don't lead to its own checkpoint, which proves neither.
    """
    now = shown.checkpoint
    if now.size < size:
        raise RollbackError(
            f"rollback: the log shows {now.size} entries and had {size} before", where=shown.where, remedy=_KEEP
        )
    if size == 0:
        return
    if now.size == size:
        found = now.root
    else:
        try:
            found = shown.log.extension(size, now.size).old_root
        except LedgerError as error:
            raise AuditError(
                error.what, where=f"{shown.where}: {error.where}", remedy="see what it publishes"
            ) from error
    if found != root:
        raise _fork(shown, size)


def require_fresh(
    connection: Connection, shown: Shown, *, now: datetime, seconds: float, entries: int | None = None
) -> None:
    """Check that a shown log is not behind a checkpoint that was signed `seconds` ago, nor by more than `entries`.

    `connection` is a snapshot of the log's database. Raises StallError.
    """
    size = shown.checkpoint.size
    newer = first_above(connection, size)
    if newer is None:
        return
    since = newer.signed_at
    missing = newer.size - size
    if now - since > timedelta(seconds=seconds) or (entries is not None and missing > entries):
        raise StallError(
            f"stall: it shows {size} entries, while a checkpoint of {newer.size} was signed at {since:%Y-%m-%dT%H:%M:%SZ}",
            where=shown.where,
            remedy="see why it is not brought up to date",
        )


def _unopened(where: str, error: LedgerError) -> AuditError:
    return AuditError(
        f"the checkpoint does not open: {error.what}", where=where, remedy="check address, file and trust file"
    )


def _fork(known: Known, size: int) -> ForkError:
    return ForkError(
        f"fork: the first {size} entries are not those of this checkpoint", where=known.where, remedy=_KEEP
    )

"""Checkpoints that somebody else has kept or shows: the log must hold each of them, or be a prefix of what it shows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.errors import AuditError, BadProofError, ForkError, LedgerError, RollbackError, StallError
from ledger.layout import CHECKPOINT_PATH, TILE_HEIGHT, TILE_WIDTH, TilePlace
from ledger.notes import LogKey
from ledger.proofs import consistency_proof, verify_consistency
from ledger.store.signing import first_above
from ledger.tree import HASH_LENGTH, CompactRange, fold_perfect

Read = Callable[[str], bytes]
"""Gives a file of a published log by its path (`ledger.layout`). Raises LedgerError or its caller's own error."""

_KEEP: Final = "keep both checkpoints: together they are the evidence"


@dataclass(frozen=True)
class Known:
    """A checkpoint that was kept outside the database; `where` names its file or address."""

    where: str
    checkpoint: Checkpoint


@dataclass(frozen=True)
class Shown(Known):
    """The checkpoint that a published log shows now; `read` gives the files beside it."""

    read: Read


def kept(note: bytes, keys: Sequence[LogKey], where: str) -> Known:
    """The checkpoint in a note that was kept. Raises AuditError when it is not signed by one of the log's `keys`."""
    return Known(where, _opened(note, keys, where))


def shown(read: Read, keys: Sequence[LogKey], where: str) -> Shown:
    """The checkpoint of a published log. Raises AuditError when it is not signed by one of the log's `keys`."""
    return Shown(where, _opened(read(CHECKPOINT_PATH), keys, where), read)


def _opened(note: bytes, keys: Sequence[LogKey], where: str) -> Checkpoint:
    try:
        return open_checkpoint(note, *keys)
    except LedgerError as error:
        raise AuditError(
            f"the checkpoint does not open: {error.what}", where=where, remedy="check address, file and trust file"
        ) from error


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
    """Check by its tiles that a shown log extends the tree of this size and root. Raises RollbackError, ForkError."""
    now = shown.checkpoint
    if now.size < size:
        raise RollbackError(
            f"rollback: the log shows {now.size} entries and had {size} before", where=shown.where, remedy=_KEEP
        )
    if size == 0:
        return
    try:
        proof = consistency_proof(_Tiles(shown), size, now.size)
        verify_consistency(size, now.size, root, now.root, proof)
    except BadProofError as error:
        raise _fork(shown, size) from error


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


class _Tiles:
    """A node reader over the hash tiles of a shown log; keeps the few tiles that a proof touches."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._tiles: dict[tuple[int, int], bytes] = {}

    def __call__(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        number, position = divmod(index << inner, TILE_WIDTH)
        if (level, number) not in self._tiles:
            self._tiles[level, number] = self._tile(level, number)
        hashes = self._tiles[level, number][position * HASH_LENGTH : (position + (1 << inner)) * HASH_LENGTH]
        return fold_perfect([hashes[i : i + HASH_LENGTH] for i in range(0, len(hashes), HASH_LENGTH)])

    def _tile(self, level: int, number: int) -> bytes:
        width = min(TILE_WIDTH, (self._shown.checkpoint.size >> (TILE_HEIGHT * level)) - number * TILE_WIDTH)
        path = TilePlace(level, number, width).path
        data = self._shown.read(path)
        if len(data) != width * HASH_LENGTH:
            raise AuditError(
                "a tile has the wrong length", where=f"{self._shown.where}: {path}", remedy="see what it publishes"
            )
        return data


def _fork(known: Known, size: int) -> ForkError:
    return ForkError(
        f"fork: the first {size} entries are not those of this checkpoint", where=known.where, remedy=_KEEP
    )

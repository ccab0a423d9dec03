"""Signed checkpoints in the database: numbered without gaps, and signed for what the last one extends to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, Row, bindparam, func, insert, select, update

from ledger.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.cosignatures import add_lines
from ledger.errors import BadProofError, LedgerError, LogInconsistentError, PublicationBusyError, WrongOriginError
from ledger.layout import TILE_WIDTH
from ledger.notes import LogKey, NoteSigner
from ledger.proofs import verify_consistency
from ledger.store import tables
from ledger.store.reading import HeadState, consistency, root_at
from ledger.store.transactions import begin
from ledger.tree import MAX_SIZE

_SIZES = (
    select(tables.checkpoint.c.size)
    .where(tables.checkpoint.c.size > bindparam("above"), tables.checkpoint.c.size <= bindparam("up_to"))
    .order_by(tables.checkpoint.c.size)
    .execution_options(yield_per=1000)
)
_BY_NUMBER = select(tables.checkpoint).order_by(tables.checkpoint.c.number.desc()).limit(1)


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint that the log signed and stored. `signed_at` (UTC) is the operator's word, the note is signed.

    `lines` are the cosignature lines of witnesses that were kept when it was read.
    """

    size: int
    note: str
    signed_at: datetime
    lines: tuple[str, ...] = ()

    @property
    def cosigned(self) -> str:
        """The note with the witnesses' lines below the log's: what leaves the log."""
        return add_lines(self.note, self.lines)


def latest_checkpoint(connection: Connection) -> SignedCheckpoint | None:
    """The newest stored checkpoint, or None before the first."""
    row = connection.execute(_BY_NUMBER).one_or_none()
    return None if row is None else _signed(connection, row)


def checkpoint_at(connection: Connection, size: int) -> SignedCheckpoint | None:
    """The stored checkpoint of exactly this size."""
    if size > MAX_SIZE:
        return None  # no database takes such a number
    row = connection.execute(select(tables.checkpoint).where(tables.checkpoint.c.size == size)).one_or_none()
    return None if row is None else _signed(connection, row)


def first_above(connection: Connection, size: int) -> SignedCheckpoint | None:
    """The smallest stored checkpoint of more than `size` entries."""
    table = tables.checkpoint
    row = connection.execute(select(table).where(table.c.size > size).order_by(table.c.size).limit(1)).one_or_none()
    return None if row is None else _signed(connection, row)


def checkpoint_sizes(connection: Connection, above: int, up_to: int) -> Iterator[int]:
    """The sizes of the stored checkpoints in (above, up_to], ascending."""
    yield from connection.scalars(_SIZES, {"above": above, "up_to": up_to})


def checkpoint_widths(connection: Connection, level: int, above: int, up_to: int) -> Iterator[int]:
    """How many whole hashes a level had at the stored checkpoints in (above, up_to], each number once, ascending."""
    size = tables.checkpoint.c.size
    hashes = (size // TILE_WIDTH**level).label("hashes")
    yield from connection.scalars(select(hashes).where(size > above, size <= up_to).distinct().order_by(hashes))


def has_checkpoint_between(connection: Connection, start: int, stop: int) -> bool:
    """Whether a checkpoint of a size in [start, stop) is stored."""
    size = tables.checkpoint.c.size
    return bool(connection.scalar(select(func.count()).where(size >= start, size < stop)))


def open_stored(signed: SignedCheckpoint, keys: tuple[LogKey, ...]) -> Checkpoint:
    """The checkpoint in a stored note. Raises LogInconsistentError when the row is not what the log signed."""
    try:
        checkpoint = open_checkpoint(signed.note, *keys)
    except WrongOriginError:
        raise
    except LedgerError as error:
        raise _inconsistent(f"a stored checkpoint does not open: {error.what}", signed.size) from error
    if checkpoint.size != signed.size:
        raise _inconsistent("a stored checkpoint is of another size", signed.size)
    return checkpoint


def sign_next(
    engine: Engine,
    connection: Connection,
    state: HeadState,
    signer: NoteSigner,
    now: datetime,
    *,
    keep: Callable[[str], None],
) -> SignedCheckpoint:
    """Sign the head as `connection`, a snapshot, sees it, and persist the checkpoint; only then return it.

    `state` is that snapshot's head; it extends the newest checkpoint, or LogInconsistentError is raised and
    nothing signed. `keep` makes the note durable outside the database. PublicationBusyError when another signer was
    faster.
    """
    _require_extension(connection, state, signer.log_keys)
    head = state.head
    note = sign_checkpoint(Checkpoint(head.origin, head.size, head.root), signer)
    # First outside, then in the database: a row is read by others as soon as it is committed.
    keep(note)
    signed = SignedCheckpoint(head.size, note, now.astimezone(UTC).replace(microsecond=0))
    with begin(engine) as writing:
        _persist(writing, state.checkpoints, signed)
    return signed


def _require_extension(connection: Connection, state: HeadState, keys: tuple[LogKey, ...]) -> None:
    head = state.head
    if root_at(connection, head.size) != head.root:
        raise _inconsistent("the stored nodes do not lead to the head's root", head.size)
    latest = latest_checkpoint(connection)
    if latest is None or latest.size == 0:
        return
    old = open_stored(latest, keys)
    if old.size > head.size:
        raise _inconsistent("a stored checkpoint is ahead of the head", old.size)
    try:
        proof = consistency(connection, old.size, head.size)
        verify_consistency(old.size, head.size, old.root, head.root, proof)
    except BadProofError as error:
        raise _inconsistent("the head does not extend the newest checkpoint", head.size) from error


def _persist(connection: Connection, number: int, signed: SignedCheckpoint) -> None:
    """Compare-and-swap on the number of checkpoints: of two signers that read the same state, one gets here."""
    head = tables.head.c
    swap = update(tables.head).where(head.id == 1, head.checkpoints == number).values(checkpoints=number + 1)
    if connection.execute(swap).rowcount != 1:
        raise PublicationBusyError("another signer was faster", where=f"checkpoint {number}", remedy="publish again")
    seconds = int(signed.signed_at.timestamp())
    connection.execute(
        insert(tables.checkpoint).values(number=number, size=signed.size, note=signed.note, signed_at=seconds)
    )


def cosignature_lines(connection: Connection, size: int) -> tuple[str, ...]:
    """The kept lines of witnesses under the checkpoint of this size, in the order of their times."""
    table = tables.cosignature.c
    query = select(table.line).where(table.size == size).order_by(table.time, table.witness)
    return tuple(connection.scalars(query))


def _signed(connection: Connection, row: Row[tuple[object, ...]]) -> SignedCheckpoint:
    at = datetime.fromtimestamp(row.signed_at, UTC)
    return SignedCheckpoint(row.size, row.note, at, cosignature_lines(connection, row.size))


def _inconsistent(what: str, size: int) -> LogInconsistentError:
    return LogInconsistentError(what, where=f"checkpoint of size {size}", remedy="run the audit; do not sign")

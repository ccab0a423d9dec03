"""Signed checkpoints in the database: numbered without gaps, and signed for what the last one extends to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, Row, func, insert, select, update

from ledger.checkpoints import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.cosignatures import add_lines
from ledger.errors import BadProofError, LedgerError, LogInconsistentError, PublicationBusyError, WrongOriginError
from ledger.notes import LogKey, NoteSigner
from ledger.proofs import verify_consistency
from ledger.store import tables
from ledger.store.reading import HeadState, consistency, root_at
from ledger.store.transactions import begin

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
    row = connection.execute(select(tables.checkpoint).where(tables.checkpoint.c.size == size)).one_or_none()
    return None if row is None else _signed(connection, row)


def checkpoint_sizes(connection: Connection, above: int, up_to: int) -> Iterator[int]:
    """The sizes of the stored checkpoints in (above, up_to], ascending."""
    size = tables.checkpoint.c.size
    query = select(size).where(size > above, size <= up_to).order_by(size)
    yield from connection.scalars(query.execution_options(yield_per=1000))


def has_checkpoint_between(connection: Connection, start: int, stop: int) -> bool:
    """Whether a checkpoint of a size in [start, stop) is stored."""
    size = tables.checkpoint.c.size
    return bool(connection.scalar(select(func.count()).where(size >= start, size < stop)))


def open_stored(signed: SignedCheckpoint, key: LogKey) -> Checkpoint:
    """The checkpoint in a stored note. Raises LogInconsistentError when the row is not what the log signed."""
    try:
        checkpoint = open_checkpoint(signed.note, key)
    except WrongOriginError:
        raise
    except LedgerError as error:
        raise _inconsistent(f"a stored checkpoint does not open: {error.what}", signed.size) from error
    if checkpoint.size != signed.size:
        raise _inconsistent("a stored checkpoint is of another size", signed.size)
    return checkpoint


def sign_next(
    engine: Engine, connection: Connection, state: HeadState, signer: NoteSigner, now: datetime
) -> SignedCheckpoint:
    """Sign the head as `connection`, a snapshot, sees it, and persist the checkpoint; only then return it.

    `state` is that snapshot's head; it extends the newest checkpoint, or LogInconsistentError is raised and
    nothing signed. PublicationBusyError when another signer was faster.
    """
    _require_extension(connection, state, signer.log_key)
    head = state.head
    note = sign_checkpoint(Checkpoint(head.origin, head.size, head.root), signer)
    signed = SignedCheckpoint(head.size, note, now.astimezone(UTC).replace(microsecond=0))
    with begin(engine) as writing:
        _persist(writing, state.checkpoints, signed)
    return signed


def _require_extension(connection: Connection, state: HeadState, key: LogKey) -> None:
    head = state.head
    if root_at(connection, head.size) != head.root:
        raise _inconsistent("the stored nodes do not lead to the head's root", head.size)
    latest = latest_checkpoint(connection)
    if latest is None or latest.size == 0:
        return
    old = open_stored(latest, key)
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

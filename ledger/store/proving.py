"""Proofs to the sizes that were published: a checkpoint was signed for each, so that a reader can check them."""

from typing import NoReturn

from sqlalchemy import Connection

from ledger.errors import EntryUnknownError, OutOfRangeError, UnpublishedSizeError
from ledger.proof_file import format_proof
from ledger.store.reading import consistency, head_state, inclusion
from ledger.store.signing import SignedCheckpoint, checkpoint_at, latest_checkpoint


def published(connection: Connection, size: int | None = None) -> SignedCheckpoint:
    """The signed checkpoint of exactly this size, or the newest. Raises UnpublishedSizeError."""
    found = latest_checkpoint(connection) if size is None else checkpoint_at(connection, size)
    return found or _unpublished(connection, size, "size")


def proof_file(connection: Connection, index: int, size: int | None = None) -> str:
    """The `.tlog-proof` text of an entry, to the checkpoint of a published size or the newest.

    Raises EntryUnknownError where the log has no such entry, UnpublishedSizeError, also where the checkpoint does not cover the
    entry yet, OutOfRangeError (below 0).
    """
    if index >= head_state(connection).size:
        raise EntryUnknownError("the log has no such entry", where=f"entry {index}", remedy="check index and origin")
    checkpoint = published(connection, size)
    if index >= checkpoint.size:
        raise UnpublishedSizeError(
            f"the checkpoint of size {checkpoint.size} does not cover entry {index}",
            where="index",
            remedy=_newest(connection, "ask for a larger published size"),
        )
    return format_proof(index, inclusion(connection, index, checkpoint.size), checkpoint.cosigned)


def published_consistency(connection: Connection, old: int, new: int) -> list[bytes]:
    """The proof that the tree of one published size is a prefix of another's.

    Raises UnpublishedSizeError, of the new size before the old; OutOfRangeError where the sizes are reversed or `old` is 0.
    """
    if not 0 < old <= new:
        raise OutOfRangeError(
            f"no proof leads from size {old} to size {new}", where="sizes", remedy="give the smaller one first, above 0"
        )
    for size, where in ((new, "new size"), (old, "old size")):
        if checkpoint_at(connection, size) is None:
            _unpublished(connection, size, where)
    return consistency(connection, old, new)


def _unpublished(connection: Connection, size: int | None, where: str) -> NoReturn:
    what = "no checkpoint is published yet" if size is None else f"no checkpoint of size {size} was published"
    raise UnpublishedSizeError(what, where=where, remedy=_newest(connection, "ask for a published size"))


def _newest(connection: Connection, remedy: str) -> str:
    """The remedy with what is published, and whether there is more to come."""
    latest, size = latest_checkpoint(connection), head_state(connection).size
    if latest is not None:
        remedy = f"{remedy}, of which the newest is {latest.size}"
    return f"{remedy}; a new one comes within seconds" if latest is None or latest.size < size else remedy

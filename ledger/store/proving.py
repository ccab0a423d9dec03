"""Proofs to the sizes that were published: a checkpoint was signed for each, so that a reader can check them."""

from sqlalchemy import Connection

from ledger.errors import OutOfRangeError, UnpublishedSizeError
from ledger.proof_file import format_proof
from ledger.store.reading import consistency, inclusion
from ledger.store.signing import SignedCheckpoint, checkpoint_at, latest_checkpoint


def published(connection: Connection, size: int | None = None) -> SignedCheckpoint:
    """The signed checkpoint of exactly this size, or the newest. Raises UnpublishedSizeError."""
    found = latest_checkpoint(connection) if size is None else checkpoint_at(connection, size)
    if found is None:
        what = "no checkpoint is published yet" if size is None else f"no checkpoint of size {size} was published"
        raise UnpublishedSizeError(
            what, where="size", remedy="ask for a published size; a new one comes within seconds"
        )
    return found


def proof_file(connection: Connection, index: int, size: int | None = None) -> str:
    """The `.tlog-proof` text of an entry, to the checkpoint of a published size or the newest.

    Raises UnpublishedSizeError, also where the checkpoint does not cover the entry yet; OutOfRangeError (below 0).
    """
    checkpoint = published(connection, size)
    if index >= checkpoint.size:
        raise UnpublishedSizeError(
            f"the checkpoint of size {checkpoint.size} does not cover entry {index}",
            where="index",
            remedy="ask for a larger published size; a new one comes within seconds",
        )
    return format_proof(index, inclusion(connection, index, checkpoint.size), checkpoint.cosigned)


def published_consistency(connection: Connection, old: int, new: int) -> list[bytes]:
    """The proof that the tree of one published size is a prefix of another's.

    Raises UnpublishedSizeError; OutOfRangeError where the sizes are reversed or `old` is 0.
    """
    if not 0 < old <= new:
        raise OutOfRangeError(
            f"no proof leads from size {old} to size {new}", where="sizes", remedy="give the smaller one first, above 0"
        )
    for size in (old, new):
        published(connection, size)
    return consistency(connection, old, new)

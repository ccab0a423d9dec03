"""Attested time, offline: what timestamps and witnesses' cosignatures say of when a log had a size.

A timestamp counts for a log when the text that it is over is a checkpoint of that log, and a consistency proof shows that the checkpoint
at hand extends it: nobody's word is needed for that, not the log's own either. From what counts, `signer.interval_of` gives the interval of
an entry.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from exchange.errors import RejectedError
from ledger import Checkpoint, NamedCosignature, parse_checkpoint, verify_consistency
from signer import StampedCheckpoint, TimestampNotTrustedError, verify_timestamp

_REMEDY = "do not rely on it; leave the timestamp out, and times are the issuers' claims again"


@dataclass(frozen=True, slots=True)
class Stamp:
    """A timestamp as evidence carries it: the stamped text, the consistency proof to the checkpoint at hand, the response (DER)."""

    text: str
    proof: Sequence[bytes]
    response: bytes


@dataclass(frozen=True, slots=True)
class Attested:
    """The checkpoints that a trusted authority stamped, and why others count for nothing."""

    stamped: tuple[StampedCheckpoint, ...]
    unbelieved: tuple[str, ...]


def attested(stamps: Iterable[Stamp], checkpoint: Checkpoint, roots: Sequence[bytes]) -> Attested:
    """Return what `stamps` attest of the log whose verified checkpoint is at hand, by the authorities with these roots (DER).

    A timestamp by somebody else is set aside, with the reason. Raises RejectedError for one of another log or a larger size, and
    LedgerError or SignerError for one that is not what it says: form, digest, proof.
    """
    stamped, unbelieved = [], []
    for stamp in stamps:
        seen = parse_checkpoint(stamp.text)
        if seen.origin != checkpoint.origin:
            raise RejectedError(f"a timestamp of another log: {seen.origin}", where="timestamp", remedy=_REMEDY)
        if seen.size > checkpoint.size:
            what = f"a timestamp of size {seen.size}, beyond the checkpoint's {checkpoint.size}"
            raise RejectedError(what, where="timestamp", remedy=_REMEDY)
        verify_consistency(seen.size, checkpoint.size, seen.root, checkpoint.root, stamp.proof)
        try:
            timestamp = verify_timestamp(stamp.response, sha256(stamp.text.encode()).digest(), roots)
        except TimestampNotTrustedError as error:
            unbelieved.append(f"the timestamp of size {seen.size} counts for nothing: {error.what}")
        else:
            stamped.append(StampedCheckpoint.timestamped(seen.size, timestamp))
    return Attested(tuple(stamped), tuple(unbelieved))


def witnessed(size: int, cosignatures: Iterable[NamedCosignature]) -> tuple[StampedCheckpoint, ...]:
    """Return what verified cosignatures of a checkpoint of `size` say of its time; the operator's own witnesses count for nothing."""
    found = []
    for one in cosignatures:
        try:
            at = datetime.fromtimestamp(one.cosignature.time, UTC)
        except (ValueError, OverflowError, OSError):
            continue  # beyond the calendar: no time that anybody saw
        if not one.is_own:
            found.append(StampedCheckpoint.witnessed(size, at))
    return tuple(found)


def bounding(sizes: Sequence[int], indices: Iterable[int]) -> list[int]:
    """Return which of the timestamps bound the entries at `indices`, as ascending places in `sizes`, which are theirs in the order of time.

    For each entry the first timestamp that holds it and the last that doesn't: while each was given to the newest checkpoint, the
    others say nothing more.
    """
    places = {place for index in set(indices) for cut in [bisect_right(sizes, index)] for place in (cut - 1, cut)}
    return sorted(place for place in places if 0 <= place < len(sizes))

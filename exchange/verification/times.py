"""When the entries of an evidence file were logged, by checkpoints that somebody independent has seen. Rules: docs/formats/time.md."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exchange.errors import RejectedError
from exchange.trust import TrustFile
from ledger import Checkpoint, NamedCosignature, open_checkpoint, verify_consistency
from signer import Interval, StampedCheckpoint, interval_of, verify_timestamp

_REMEDY = "do not rely on it; ask its maker for the file again and report the place"
_CALENDAR_END = int(datetime.max.replace(tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class Times:
    """The checkpoints that count as seen, whose word that is, and how many timestamps nobody here can judge."""

    stamped: tuple[StampedCheckpoint, ...]
    by: tuple[str, ...]
    unjudged: int

    @classmethod
    def of(cls, size: int, read: Sequence[StampedCheckpoint | None], cosignatures: Iterable[NamedCosignature]) -> Times:
        """From the timestamps that were `read` (None: by an authority that isn't trusted) and the cosignatures of the checkpoint of `size`.

        The operator's own witness is not independent, and doesn't count.
        """
        others = [one for one in cosignatures if not one.is_own]
        witnessed = [
            StampedCheckpoint.witnessed(size, datetime.fromtimestamp(one.cosignature.time, UTC))
            for one in others
            if one.cosignature.time < _CALENDAR_END
        ]
        counted = [one for one in read if one is not None]
        by = [f"witness {name}" for name in sorted({one.name for one in others})]
        if counted:
            by.append(f"{len(counted)} timestamps (RFC 3161)")
        return cls((*counted, *witnessed), tuple(by), len(read) - len(counted))

    def of_entry(self, index: int) -> Interval:
        """When the entry at `index` was logged, as far as that is attested."""
        return interval_of(index, self.stamped)

    def evidence(self, indices: Sequence[int]) -> str:
        """What the step found."""
        unjudged = (
            f"; {self.unjudged} timestamps of authorities that the trust file doesn't name, which don't count"
            if self.unjudged
            else ""
        )
        if not self.stamped:
            return f"no independent time: when entries were logged is the issuers' claim{unjudged}"
        found = [self.of_entry(index) for index in indices]
        both = sum(one.earliest is not None and one.latest is not None for one in found)
        by = sum(one.latest is not None for one in found)
        return (
            f"{len(self.stamped)} checkpoints seen by {', '.join(self.by)}: {by} of {len(found)} entries were logged by a time that is "
            f"attested, {both} of them after one too{unjudged}"
        )

    def limit(self) -> str:
        """What it can't show."""
        if not self.stamped:
            return "times are the issuers' claims: no independent timestamp; a stolen key counts until its revocation is logged"
        latest = max(one.latest for one in self.stamped)
        return (
            f"that entries were logged by the times attested rests on {', '.join(self.by)}, the last at {latest:%Y-%m-%dT%H:%M:%SZ}; "
            f"other times are the issuers' claims; a stolen key counts until its revocation is logged"
        )


def read_stamped(
    size: int, files: Mapping[str, bytes], trust: TrustFile, checkpoint: Checkpoint
) -> StampedCheckpoint | None:
    """Return the stamped checkpoint of `size` in `files` (note, consistency, timestamp).

    None where the trust file names no timestamping authority.

    It has to be one of this log that the file's `checkpoint` extends, stamped by an authority of the trust file. Raises LedgerError,
    SignerError or RejectedError.
    """
    earlier = open_checkpoint(files["note"], *trust.keys)
    if earlier.size != size:
        raise RejectedError(f"the checkpoint is of {earlier.size} entries", where="note", remedy=_REMEDY)
    verify_consistency(size, checkpoint.size, earlier.root, checkpoint.root, _hashes(files["consistency"]))
    if not trust.timestamp_roots:
        return None
    text = files["note"].partition(b"\n\n")[0] + b"\n"
    stamp = verify_timestamp(files["timestamp"], hashlib.sha256(text).digest(), trust.timestamp_roots)
    return StampedCheckpoint.timestamped(size, stamp)


def consistency_lines(proof: Sequence[bytes]) -> bytes:
    """Return the bytes of a consistency proof in an evidence file: a hash on each line, base64."""
    return b"".join(base64.b64encode(one) + b"\n" for one in proof)


def _hashes(data: bytes) -> list[bytes]:
    try:
        found = [base64.b64decode(line, validate=True) for line in data.split(b"\n")[:-1]]
    except binascii.Error:
        found = []
    if consistency_lines(found) != data:
        raise RejectedError("not a hash in base64 on each line", where="consistency", remedy=_REMEDY)
    return found

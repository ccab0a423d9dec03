"""When the entries of an evidence file were logged, by checkpoints that somebody independent has seen. Rules: docs/formats/time.md."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from exchange.errors import RejectedError
from exchange.timing import Stamp, attested, witnessed
from exchange.trust import TrustFile
from ledger import Checkpoint, NamedCosignature
from signer import Interval, StampedCheckpoint, interval_of

_REMEDY = "do not rely on it; ask its maker for the file again and report the place"


@dataclass(frozen=True, slots=True)
class Times:
    """The checkpoints that count as seen, by whom, and why timestamps don't count."""

    stamped: tuple[StampedCheckpoint, ...]
    by: tuple[str, ...]
    unbelieved: tuple[str, ...]

    @classmethod
    def of(
        cls,
        stamps: Iterable[Stamp],
        cosignatures: Sequence[NamedCosignature],
        checkpoint: Checkpoint,
        trust: TrustFile,
    ) -> Times:
        """By timestamps of the trust file's authorities, and the cosignatures that its witness policy, or another one, asked for.

        Raises what `exchange.timing.attested` raises.
        """
        found = attested(stamps, checkpoint, trust.timestamp_roots)
        seen = witnessed(checkpoint.size, cosignatures)
        by = (
            [f"witness {name}" for name in sorted({one.name for one in cosignatures if not one.is_own})] if seen else []
        )
        if found.stamped:
            by.append(f"{len(found.stamped)} timestamps (RFC 3161)")
        return cls((*found.stamped, *seen), tuple(by), found.unbelieved)

    def of_entry(self, index: int) -> Interval:
        """When the entry at `index` was logged, as far as that is attested."""
        return interval_of(index, self.stamped)

    def of_checkpoint(self, size: int) -> datetime | None:
        """The first time at which somebody independent had seen the log at `size`; None where nobody had."""
        return min((one.latest for one in self.stamped if one.size >= size), default=None)

    def evidence(self, indices: Sequence[int]) -> str:
        """What the step found."""
        aside = "".join(f"; {one}" for one in self.unbelieved)
        if not self.stamped:
            return f"no independent time: when entries were logged is the issuers' claim{aside}"
        found = [self.of_entry(index) for index in indices]
        by = sum(one.latest is not None for one in found)
        both = sum(one.latest is not None and one.earliest is not None for one in found)
        return (
            f"by {', '.join(self.by)}: {by} of {len(found)} entries were logged by a time that is attested, {both} of them after "
            f"another one{aside}"
        )

    def limit(self) -> str:
        """What it can't show."""
        if not self.stamped:
            return "times are the issuers' claims: no independent timestamp; a stolen key counts until its revocation is logged"
        latest = max(one.latest for one in self.stamped)
        return (
            f"when entries were logged rests on {', '.join(self.by)}, the last at {latest:%Y-%m-%dT%H:%M:%SZ}; other times are the "
            "issuers' claims, and a stolen key counts until its revocation is logged"
        )


def stamp_files(stamp: Stamp) -> dict[str, bytes]:
    """Return the files of a timestamp in an evidence file: what was stamped, the proof that the log extends it, the response."""
    proof = b"".join(base64.b64encode(one) + b"\n" for one in stamp.proof)
    return {"consistency": proof, "text": stamp.text.encode(), "timestamp": stamp.response}


def read_stamp(files: Mapping[str, bytes]) -> Stamp:
    """Return the timestamp in its files; RejectedError where they aren't in their one written form."""
    try:
        proof = [base64.b64decode(line, validate=True) for line in files["consistency"].split(b"\n")[:-1]]
        found = Stamp(files["text"].decode(), proof, files["timestamp"])
    except (binascii.Error, UnicodeDecodeError):
        found = None
    if found is None or stamp_files(found) != dict(files):
        raise RejectedError("not a timestamp in its one written form", where="consistency", remedy=_REMEDY)
    return found

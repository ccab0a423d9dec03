"""Cosignatures: a witness's signed word that it has seen a checkpoint, and when (C2SP tlog-cosignature v1, Ed25519).

A cosignature is a line of the signed note (type 0x04): after the key id, the time as big-endian u64 and an Ed25519
signature over `cosignature/v1`, `time <seconds>` and the note text. It says: as of then, the checkpoint is the
largest that the witness has seen of this log, and it extends all it has seen before.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from ledger.errors import BadNoteError, BadSignatureError
from ledger.notes import Note, VerifierKey, open_note, private_ed25519, signature_line

MAX_TIME: Final = 2**63 - 1
_TIME = struct.Struct(">Q")


class WitnessKey(VerifierKey):
    """The key of a witness. The message does not hold the name, so that a key belongs to one witness alone."""

    signature_type = b"\x04"

    def verify(self, text: str, signature: bytes) -> None:
        """Check time and signature over the note text. Raises BadSignatureError."""
        time = cosignature_time(self, signature)
        self.verify_ed25519(_message(text, time), signature[_TIME.size :])


@dataclass(frozen=True)
class Cosignature:
    """A witness has seen the checkpoint; `time` in Unix seconds, on the witness's word."""

    key: WitnessKey
    time: int

    @property
    def at(self) -> str:
        """The time in UTC as ISO 8601, or as seconds where the calendar ends."""
        try:
            return datetime.fromtimestamp(self.time, UTC).isoformat().replace("+00:00", "Z")
        except (ValueError, OverflowError, OSError):
            return f"{self.time} s"


class WitnessSigner:
    """Cosigns note texts under a name with an Ed25519 private key of 32 bytes. Never shows the key."""

    def __init__(self, name: str, private_key: bytes) -> None:
        self._private_key = private_ed25519(private_key)
        self.witness_key = WitnessKey(name, self._private_key.public_key().public_bytes_raw())

    def __repr__(self) -> str:
        return f"WitnessSigner({str(self.witness_key)!r})"

    def sign(self, text: str, time: int) -> str:
        """The cosignature line over a note text at `time` (Unix seconds), with its newline."""
        signature = self._private_key.sign(_message(text, time))
        return signature_line(self.witness_key, _TIME.pack(time) + signature)


def cosignature_time(key: WitnessKey, signature: bytes) -> int:
    """The time in what stands after the key id, Unix seconds. Raises BadSignatureError for another form."""
    if len(signature) != _TIME.size + 64 or (time := _TIME.unpack_from(signature)[0]) > MAX_TIME:
        raise BadSignatureError(
            f"the cosignature of {key.name} is not a time and an Ed25519 signature",
            where="signed note",
            remedy="refuse the note",
        )
    return int(time)


def cosignatures(note: Note) -> tuple[Cosignature, ...]:
    """The cosignatures of an opened note, in the order of their lines."""
    return tuple(
        Cosignature(key, cosignature_time(key, signature))
        for key, signature in note.signatures
        if isinstance(key, WitnessKey)
    )


def read_cosignature(answer: bytes, text: str, key: WitnessKey) -> tuple[str, Cosignature]:
    """The line by `key` over the note text among signature lines that a witness sent, and what it says.

    Lines of other keys are ignored. Raises BadNoteError (malformed, or nothing by this key), BadSignatureError.
    """
    opened = open_note(text.encode() + b"\n" + answer, [key])
    if opened.text != text:
        # An answer with an empty line in it would move the border between text and signatures.
        raise BadNoteError("the answer is more than signature lines", where="cosignature", remedy="ignore the answer")
    (found,) = cosignatures(opened)
    return signature_line(key, opened.signatures[0][1]), found


def add_lines(note: str, lines: Iterable[str]) -> str:
    """A signed note with further signature lines after its own, each once. Nothing is verified."""
    present = set(note.splitlines(keepends=True))
    return note + "".join(line for line in dict.fromkeys(lines) if line not in present)


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()

"""A witness's rules, without clock, key or storage (C2SP tlog-witness v1, `add-checkpoint`).

1. `parse_request`: what was sent has the form of a request (else 400).
2. `authenticate`: its origin is known (404), a trusted key of that log signed it and none wrongly (403), the
   checkpoint is one and the old size not above its own (400).
3. `judge`: the old size is that of the last cosigned checkpoint (409), and the proof leads from it (422).

Whoever keeps the state runs `judge` and stores the new checkpoint under one lock, and signs after that is durable:
else of two requests that were both judged against size N the smaller could be stored last, and roll the log back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.encoding import decode_base64, decode_decimal, encode_base64
from ledger.errors import (
    BadCheckpointError,
    BadProofError,
    BadRequestError,
    SizeConflictError,
    UnknownLogError,
)
from ledger.notes import LogKey, note_text, open_note
from ledger.proof_file import MAX_PROOF
from ledger.proofs import verify_consistency
from ledger.tree import EMPTY_ROOT, HASH_LENGTH

MAX_REQUEST: Final = 131_072
SIZE_TYPE: Final = "text/x.tlog.size"


@dataclass(frozen=True)
class WitnessRequest:
    """A request to cosign: the size that the client takes for the last, a proof from there, and a signed checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: str


@dataclass(frozen=True)
class Seen:
    """A checkpoint of a log that a witness stands by."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Submitted:
    """A checkpoint that its log has signed; `text` is the note text, with extension lines if it has some."""

    seen: Seen
    text: str


def format_request(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """The body of an `add-checkpoint` request."""
    lines = [f"old {old}", *(encode_base64(value) for value in proof)]
    return ("\n".join(lines) + "\n\n" + note).encode()


def parse_request(data: bytes) -> WitnessRequest:
    """Read the body of a request. Raises BadRequestError; the note stays unopened."""
    if len(data) > MAX_REQUEST:
        raise _bad(f"it is longer than {MAX_REQUEST} bytes")
    try:
        head, separator, note = data.decode().partition("\n\n")
        first, *lines = head.split("\n")
        if not separator or not first.startswith("old "):
            raise ValueError("not an old size, proof lines and, after an empty line, a checkpoint")
        old, proof = decode_decimal(first[4:]), tuple(decode_base64(line) for line in lines)
    except UnicodeDecodeError:
        raise _bad("it is not UTF-8") from None
    except ValueError as error:
        raise _bad(f"a line is {error}") from None
    if len(proof) > MAX_PROOF or any(len(value) != HASH_LENGTH for value in proof):
        raise _bad("the proof holds too many hashes, or one that is not 32 bytes long")
    return WitnessRequest(old, proof, note)


def format_size(size: int) -> bytes:
    """The body of an answer 409: the size of the last cosigned checkpoint."""
    return f"{size}\n".encode()


def parse_size(data: bytes) -> int:
    """Read the body of an answer 409. Raises BadRequestError for anything but a decimal and a newline."""
    try:
        text = data.decode("ascii")
        if not text.endswith("\n"):
            raise ValueError("without its newline")
        return decode_decimal(text[:-1])
    except ValueError as error:
        raise BadRequestError(f"the size is {error}", where=SIZE_TYPE, remedy="ignore the answer") from None


def authenticate(request: WitnessRequest, logs: Collection[LogKey]) -> Submitted:
    """The checkpoint in a request that one of the logs signed.

    Raises BadNoteError and BadCheckpointError (malformed), UnknownLogError, UnknownSignerError and BadSignatureError
    (not signed by a trusted key, or wrongly), BadRequestError (the old size is above the checkpoint's), BadProofError
    (a root of an empty tree that is none).
    """
    origin = note_text(request.note).partition("\n")[0]
    keys = [key for key in logs if key.name == origin]
    if not keys:
        raise UnknownLogError("this log is not known here", where="origin", remedy="ask the witness to take it on")
    text = open_note(request.note, keys).text
    seen = _seen(text)
    if request.old > seen.size:
        raise _bad(f"the old size {request.old} is above that of the checkpoint, {seen.size}")
    return Submitted(seen, text)


def judge(request: WitnessRequest, submitted: Seen, last: Seen | None) -> None:
    """Check that the submitted checkpoint extends the last cosigned one (None: there is none, which is size 0).

    Raises SizeConflictError when the client proves from another size than the last, BadProofError.
    """
    size = 0 if last is None else last.size
    if request.old != size:
        raise SizeConflictError(size)
    if last is not None and size > 0:
        verify_consistency(size, submitted.size, last.root, submitted.root, request.proof)
    elif request.proof:
        raise _unproven("a proof from size 0 is empty")


def _seen(text: str) -> Seen:
    """The first three lines; a witness vouches for no others, though it signs them."""
    lines = text.split("\n")
    if len(lines) < 4 or "" in lines[:-1]:
        raise _not_a_checkpoint("it has not origin, size and root, a line each")
    try:
        seen = Seen(lines[0], decode_decimal(lines[1]), decode_base64(lines[2]))
    except ValueError as error:
        raise _not_a_checkpoint(f"the size or the root is {error}") from None
    if len(seen.root) != HASH_LENGTH:
        raise _not_a_checkpoint("the root is not 32 bytes long")
    if seen.size == 0 and seen.root != EMPTY_ROOT:
        raise _unproven("the root of an empty tree is the hash of nothing")
    return seen


def _not_a_checkpoint(what: str) -> BadCheckpointError:
    return BadCheckpointError(what, where="checkpoint", remedy="send a checkpoint")


def _bad(what: str) -> BadRequestError:
    return BadRequestError(f"the request is malformed: {what}", where="add-checkpoint", remedy="see C2SP tlog-witness")


def _unproven(what: str) -> BadProofError:
    return BadProofError(what, where="consistency proof", remedy="send the proof from the last cosigned size")

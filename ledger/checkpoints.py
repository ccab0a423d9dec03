"""Checkpoints: the log's signed word on its size and root (C2SP tlog-checkpoint v1.0.0, no extension lines)."""

from dataclasses import dataclass

from ledger.encoding import decode_base64, decode_decimal, encode_base64
from ledger.errors import BadCheckpointError, BadKeyError, WrongOriginError
from ledger.notes import LogKey, NoteSigner, open_note, require_key_name, sign_note
from ledger.tree import EMPTY_ROOT, HASH_LENGTH, MAX_SIZE


@dataclass(frozen=True)
class Checkpoint:
    """The tree of the log `origin` had `size` entries and this root (32 bytes). Raises BadCheckpointError.

    The origin is the name of the key that signs for it, so it obeys the rule for key names (BadKeyError).
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        require_key_name(self.origin)
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_LENGTH:
            raise _bad("the size or the root is out of range")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise _bad("the root of an empty tree is the hash of nothing")

    @property
    def text(self) -> str:
        """The note text: origin, size, root, a line each."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: NoteSigner) -> str:
    """The signed note over a checkpoint. Raises WrongOriginError when the signer speaks for another log."""
    _require_origin(checkpoint.origin, signer.name)
    return sign_note(checkpoint.text, [signer])


def open_checkpoint(note: str | bytes, key: LogKey) -> Checkpoint:
    """The checkpoint in a note that `key` signed for its own log.

    Raises BadNoteError, BadSignatureError, BadCheckpointError (form, extension lines), WrongOriginError.
    """
    checkpoint = parse_checkpoint(open_note(note, [key]).text)
    _require_origin(checkpoint.origin, key.name)
    return checkpoint


def parse_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note text, whoever signed it. Raises BadCheckpointError (form, extension lines)."""
    lines = text.split("\n")
    if len(lines) != 4:
        raise _bad("a checkpoint has exactly three lines: origin, size and root")
    try:
        return Checkpoint(lines[0], decode_decimal(lines[1]), decode_base64(lines[2]))
    except ValueError as error:
        raise _bad(f"the size or the root is {error}") from None
    except BadKeyError as error:
        raise _bad(f"the origin is none: {error.what}") from None


def _require_origin(origin: str, name: str) -> None:
    if origin != name:
        raise WrongOriginError(
            "the checkpoint's origin is not the key's name",
            where="checkpoint",
            remedy="open it with the key of its own log",
        )


def _bad(what: str) -> BadCheckpointError:
    return BadCheckpointError(what, where="checkpoint", remedy="refuse the checkpoint")

"""Proof files: one entry's inclusion, checkable offline with the log's key alone (C2SP tlog-proof)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.encoding import decode_base64, decode_decimal, encode_base64
from ledger.errors import BadProofFileError
from ledger.notes import MAX_NOTE, LogKey
from ledger.proofs import verify_inclusion
from ledger.tree import HASH_LENGTH

FIRST_LINE: Final = "c2sp.org/tlog-proof@v1"
MAX_PROOF: Final = 63  # hashes; a tree of 2^63 entries needs no more


@dataclass(frozen=True)
class ProofFile:
    """What a proof file says; nothing of it is checked yet. `extra` is never authenticated."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def format_proof(index: int, proof: Sequence[bytes], checkpoint_note: str) -> str:
    """The text of a `.tlog-proof` file, the checkpoint note verbatim at its end."""
    lines = [FIRST_LINE, f"index {index}", *(encode_base64(value) for value in proof)]
    return "\n".join(lines) + "\n\n" + checkpoint_note


def parse_proof(text: str | bytes) -> ProofFile:
    """Read a proof file. Raises BadProofFileError; the checkpoint inside stays unopened."""
    head, separator, checkpoint = _decode(text).partition("\n\n")
    lines = head.split("\n")
    if not separator or lines.pop(0) != FIRST_LINE:
        raise _bad("it does not begin like a proof file")
    try:
        extra = decode_base64(lines.pop(0)[6:]) if lines and lines[0].startswith("extra ") else None
        if not lines or not lines[0].startswith("index "):
            raise ValueError("without an index line")
        index = decode_decimal(lines.pop(0)[6:])
        proof = tuple(decode_base64(line) for line in lines)
    except ValueError as error:
        raise _bad(f"a line is {error}") from None
    if len(proof) > MAX_PROOF or any(len(value) != HASH_LENGTH for value in proof):
        raise _bad("it holds too many hashes, or one that is not 32 bytes long")
    return ProofFile(index, proof, checkpoint, extra)


def verify_proof(proof_file: ProofFile, leaf: bytes, key: LogKey, *others: LogKey) -> Checkpoint:
    """The checkpoint that commits to the leaf hash at the file's index, under `key` or `others` of the same log.

    Raises what `open_checkpoint` raises, and BadProofError.
    """
    checkpoint = open_checkpoint(proof_file.checkpoint, key, *others)
    verify_inclusion(leaf, proof_file.index, checkpoint.size, proof_file.proof, checkpoint.root)
    return checkpoint


def _decode(text: str | bytes) -> str:
    if len(text) > 2 * MAX_NOTE:
        raise _bad("it is too long")
    try:
        return text.decode() if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise _bad("it is not UTF-8") from None


def _bad(what: str) -> BadProofFileError:
    return BadProofFileError(
        f"the proof file is malformed: {what}", where="proof file", remedy="ask the log for it again"
    )

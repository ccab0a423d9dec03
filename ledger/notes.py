"""Signed notes: text, a blank line, and a signature line per key (C2SP signed-note v1.0.0, Ed25519 type 0x01).

A signature of an unknown key is ignored; a bad signature of a known key refuses the whole note. Beyond what the
specification demands, one spelling only is taken: canonical base64, no signature line twice, bounded length.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.encoding import decode_base64, encode_base64
from ledger.errors import BadKeyError, BadNoteError, BadSignatureError, UnknownSignerError

MAX_NOTE: Final = 1_000_000
MAX_SIGNATURES: Final = 100  # a verifier must take at least 16
SIGNATURE_START: Final = "\u2014 "


@dataclass(frozen=True)
class VerifierKey(ABC):
    """A public Ed25519 key under its name; `str()` is its vkey, `name+hex(key id)+base64(type || key)`.

    The signature type is part of the key: what a log's key signed, a witness's key of the same bytes did not.
    """

    signature_type: ClassVar[bytes]

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        require_key_name(self.name)
        if len(self.public_key) != 32:
            raise _bad_key("a public key has not 32 bytes")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || type || public key), the first four bytes."""
        return sha256(self.name.encode() + b"\n" + self.signature_type + self.public_key).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(self.signature_type + self.public_key)}"

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read a vkey. Raises BadKeyError, also for another signature type or a key id that does not belong."""
        parts = vkey.split("+", 2)  # base64 may hold further plus signs, a name may not
        if len(parts) != 3:
            raise _bad_key("a verifier key is not of the form name+id+key")
        try:
            key = decode_base64(parts[2])
        except ValueError:
            raise _bad_key("a verifier key is not canonical base64") from None
        if key[:1] != cls.signature_type:
            raise _bad_key(f"a verifier key is not of type 0x{cls.signature_type.hex()}")
        parsed = cls(parts[0], key[1:])
        if parsed.key_id.hex() != parts[1]:
            raise _bad_key("the key id does not belong to the key")
        return parsed

    @abstractmethod
    def verify(self, text: str, signature: bytes) -> None:
        """Check what stands after the key id in a signature line over the note text. Raises BadSignatureError."""

    def verify_ed25519(self, message: bytes, signature: bytes) -> None:
        """Check a bare Ed25519 signature (RFC 8032). Raises BadSignatureError."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            raise BadSignatureError(
                f"the signature of {self.name} does not verify",
                where="signed note",
                remedy="refuse the note; it was changed or signed with another key",
            ) from None


class LogKey(VerifierKey):
    """The key of a log: it signs the note text itself (type 0x01). Its name is the log's origin."""

    signature_type = b"\x01"

    def verify(self, text: str, signature: bytes) -> None:
        """Check an Ed25519 signature over the note text. Raises BadSignatureError."""
        self.verify_ed25519(text.encode(), signature)


class NoteSigner:
    """Signs notes under a name with an Ed25519 private key of 32 bytes (RFC 8032). Never shows the key."""

    def __init__(self, name: str, private_key: bytes) -> None:
        self._private_key = private_ed25519(private_key)
        self.log_key = LogKey(name, self._private_key.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The key name, for a log its origin."""
        return self.log_key.name

    def __repr__(self) -> str:
        return f"NoteSigner({str(self.log_key)!r})"

    def sign(self, text: str) -> str:
        """The signature line over a note text, with its newline."""
        return signature_line(self.log_key, self._private_key.sign(text.encode()))


@dataclass(frozen=True)
class Note:
    """A note whose text at least one trusted key has signed; `signatures` by those keys, in the order of their lines.

    A signature is what stands after the key id.
    """

    text: str
    signatures: tuple[tuple[VerifierKey, bytes], ...]

    @property
    def signers(self) -> tuple[VerifierKey, ...]:
        """The trusted keys that signed."""
        return tuple(key for key, _signature in self.signatures)


def private_ed25519(private_key: bytes) -> Ed25519PrivateKey:
    """A private key from its 32 bytes. Raises BadKeyError."""
    if len(private_key) != 32:
        raise _bad_key("a private key has not 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(private_key)


def signature_line(key: VerifierKey, signature: bytes) -> str:
    """The line `— name base64(key id || signature)`, with its newline."""
    return f"{SIGNATURE_START}{key.name} {encode_base64(key.key_id + signature)}\n"


def sign_note(text: str, signers: Sequence[NoteSigner]) -> str:
    """The signed note over a text that ends in a newline. Raises BadNoteError for a text no note can carry."""
    _require_characters(text)
    if not text.endswith("\n") or not signers:
        raise _bad_note("a note needs a text that ends in a newline, and a signer")
    return text + "\n" + "".join(signer.sign(text) for signer in signers)


def open_note(note: str | bytes, keys: Collection[VerifierKey]) -> Note:
    """The text of a note that at least one of the keys has signed, and none of them wrongly.

    Raises BadNoteError for a malformed note, UnknownSignerError (one of its kind) for one that none of the keys has
    signed, BadSignatureError for a known key's signature that does not verify.
    """
    text, lines = _split(_decode(note))
    known = {(key.name, key.key_id): key for key in keys}
    found = []
    for place, signature in _signatures(lines):
        if (key := known.get(place)) is not None:
            key.verify(text, signature)
            found.append((key, signature))
    if not found:
        raise UnknownSignerError(
            "no trusted key has signed the note", where="signed note", remedy="refuse the note, or get its signer's key"
        )
    return Note(text, tuple(found))


def note_text(note: str | bytes) -> str:
    """The text of a note, whoever signed it: nothing is verified. Raises BadNoteError for a malformed note."""
    text, lines = _split(_decode(note))
    _signatures(lines)
    return text


def require_key_name(name: str) -> str:
    """A key name: not empty, no Unicode space, plus or control character. Raises BadKeyError."""
    if not name or "+" in name or any(c.isspace() or c < " " for c in name) or not _is_unicode(name):
        raise _bad_key("a key name is empty or holds a space, a plus or a control character")
    return name


def _decode(note: str | bytes) -> str:
    if len(note) > MAX_NOTE:
        raise _bad_note("the note is too long")
    try:
        text = note.decode() if isinstance(note, bytes) else note
    except UnicodeDecodeError:
        raise _bad_note("the note is not UTF-8") from None
    _require_characters(text)
    return text


def _split(note: str) -> tuple[str, list[str]]:
    head, separator, tail = note.rpartition("\n\n")
    if not separator or not head or not tail.endswith("\n"):
        raise _bad_note("the note has no signature lines after a blank line")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _bad_note("the note has too many signatures")
    return head + "\n", lines


def _signatures(lines: list[str]) -> list[tuple[tuple[str, bytes], bytes]]:
    signatures = [_signature(line) for line in lines]
    if len({place for place, _ in signatures}) != len(signatures):
        raise _bad_note("a key has signed twice")
    return signatures


def _signature(line: str) -> tuple[tuple[str, bytes], bytes]:
    name, space, encoded = line.removeprefix(SIGNATURE_START).partition(" ")
    try:
        blob = decode_base64(encoded)
        require_key_name(name)
    except (ValueError, BadKeyError):
        raise _bad_note("a signature line is malformed") from None
    if not line.startswith(SIGNATURE_START) or not space or len(blob) < 5:
        raise _bad_note("a signature line is malformed")
    return (name, blob[:4]), blob[4:]


def _require_characters(text: str) -> None:
    if any(c < " " and c != "\n" for c in text) or not _is_unicode(text):
        raise _bad_note("the note holds a control character")


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def _bad_key(what: str) -> BadKeyError:
    return BadKeyError(what, where="note key", remedy="give an Ed25519 key in the C2SP signed-note form")


def _bad_note(what: str) -> BadNoteError:
    return BadNoteError(what, where="signed note", remedy="refuse the note")

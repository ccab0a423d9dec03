"""Files that figures rest on (a meter's bill, a test report): how a statement names one, and which are taken. Pure.

A line names a file by the SHA-256 of 32 random bytes, the salt, and the file behind it. Whoever is shown the line learns nothing of the
file, and can't try files that it guesses. Salt and file travel as one, the salt first, so that the digest is that of the whole:
``openssl dgst -sha256``. Form: docs/attachments.md.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from exchange.errors import AttachmentError

SALT_BYTES: Final = 32
#: What is taken where the operator sets no other limit: bytes of the file.
MAX_FILE_BYTES: Final = 20 * 1024 * 1024

PDF, PNG, JPEG, TEXT = "application/pdf", "image/png", "image/jpeg", "text/plain"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_EVIDENCE = "evidence"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_BEGINNINGS: Mapping[bytes, str] = {
    b"%PDF-": PDF,
    b"\x89PNG\r\n\x1a\n": PNG,
    b"\xff\xd8\xff": JPEG,
    b"PK\x03\x04": XLSX,
}
#: Texts that programs would run or draw: markup, scripts, PostScript, RTF.
_ACTIVE = re.compile(r"<[A-Za-z!?/]|#!|%!|\{\\rtf")
#: Control characters, U+0080 to U+009F included, but those that move within a text: tab, line feed, form feed, return, next line.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
#: The first character that tells: a letter, a digit, or ASCII that prints. Before it stands what nobody sees and programs skip: blanks,
#: marks of byte order and direction, zero widths; and Hangul fillers, which Unicode counts among the letters.
_TELLING = re.compile(r"(?![\u115f\u1160\u3164\uffa0])[\w!-~]")
_LOOKED_AT = 8
#: Of the end of a workbook: its table of contents.
_TAIL_BYTES = 256 * 1024
_END, _ENTRY = b"PK\x05\x06", b"PK\x01\x02"
_WORKBOOK = frozenset({b"[Content_Types].xml", b"xl/workbook.xml"})


def check_attachment(digest: str, data: bytes) -> None:
    """Check that `data`, salt and file, is what `digest` (hex) names. Raises AttachmentError."""
    reading = Reading()
    reading.read(data)
    reading.check_digest(digest)


def evidence_named(claims: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the digests that a statement's disclosed claims name as evidence, by the path of the line or claim that names them."""
    return {path: found for path, member in _members(claims) if (found := _digests(member))}


def _members(claims: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in claims.items():
        if isinstance(value, Mapping):
            yield name, value
        elif isinstance(value, list | tuple):
            yield from ((f"{name}/{one['id']}", one) for one in value if isinstance(one, Mapping) and "id" in one)


def _digests(member: Mapping[str, Any]) -> tuple[str, ...]:
    named = member.get(_EVIDENCE)
    if not isinstance(named, list | tuple):
        return ()
    return tuple(one for one in named if isinstance(one, str) and _DIGEST.fullmatch(one))


class Reading:
    """Salt and file as they come in, piece by piece: their digest, and what the file is. What it keeps is bounded, whatever their size."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._salt_left = SALT_BYTES
        self._head = bytearray()
        self._tail = bytearray()
        self._text: _Text | None = _Text()

    def read(self, piece: bytes) -> None:
        """Take the next piece."""
        self._hash.update(piece)
        piece, self._salt_left = piece[self._salt_left :], max(0, self._salt_left - len(piece))
        if not piece:
            return
        self._head += piece[: max(0, 8 - len(self._head))]
        self._tail += piece
        del self._tail[:-_TAIL_BYTES]
        if self._text is not None and not self._text.goes_on(piece):
            self._text = None

    @property
    def digest(self) -> str:
        """The SHA-256 (hex) of what came."""
        return self._hash.hexdigest()

    def check_digest(self, named: str) -> None:
        """Check that what came is what the digest `named` names. Raises AttachmentError."""
        if self.digest != named:
            raise AttachmentError(
                "salt and file are not what this digest names",
                where=named,
                remedy="take the very file and the salt that were made for the statement",
            )

    def media_type(self) -> str:
        """Return what the file is by its content. Raises AttachmentError for what isn't taken."""
        found = next((kind for start, kind in _BEGINNINGS.items() if self._head.startswith(start)), None)
        if found == XLSX:
            _check_workbook(bytes(self._tail))
        if found is not None:
            return found
        if self._text is None or not self._text.is_one():
            raise _not_taken("it is none of PDF, PNG, JPEG, XLSX, CSV and plain text")
        return TEXT


class _Text:
    """Plain text, in UTF-8 or GB 18030, as spreadsheets in China write it; without what programs would run.

    Bytes that are text in both are judged as both: nobody knows in which of them a program will read the file.
    """

    def __init__(self) -> None:
        self._readings = [_Read(name) for name in ("utf-8", "gb18030")]

    def goes_on(self, piece: bytes) -> bool:
        """Whether it may still be text with this piece."""
        return self._take(piece, final=False)

    def is_one(self) -> bool:
        """Whether it was text, to its end, and not empty."""
        return self._take(b"", final=True) and all(one.is_harmless for one in self._readings)

    def _take(self, piece: bytes, *, final: bool) -> bool:
        self._readings = [one for one in self._readings if one.goes_on(piece, final=final)]
        return bool(self._readings)


class _Read:
    """What comes in, read in one encoding: how it begins, and whether it prints."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._start = ""
        self._prints = True

    def goes_on(self, piece: bytes, *, final: bool) -> bool:
        """Whether it is in this encoding with this piece."""
        try:
            text = self._decoder.decode(piece, final)
        except UnicodeDecodeError:
            return False
        self._prints = self._prints and _UNPRINTABLE.search(text) is None
        if len(self._start) < _LOOKED_AT:
            self._start = _from_what_tells(self._start + text)
        return True

    @property
    def is_harmless(self) -> bool:
        """Whether it says something, prints, and begins like nothing that programs would run."""
        return bool(self._start) and self._prints and _ACTIVE.match(self._start) is None


def _from_what_tells(text: str) -> str:
    found = _TELLING.search(text)
    return "" if found is None else text[found.start() : found.start() + _LOOKED_AT]


def _check_workbook(tail: bytes) -> None:
    """Check that the end of a zip is that of a workbook without macros. Raises AttachmentError."""
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + 22:
        raise _not_taken("it begins like a workbook (XLSX), and has not its end")
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    if size > end:
        raise _not_taken("it holds too many files for a workbook (XLSX)")
    names = set(_names(tail[end - size : end]))
    if not names >= _WORKBOOK or any(name.lower().endswith(b"vbaproject.bin") for name in names):
        raise _not_taken("it is a zip, and no workbook (XLSX) without macros")


def _names(directory: bytes) -> Iterator[bytes]:
    """The names of a zip's table of contents (APPNOTE.TXT, 4.3.12)."""
    at = 0
    while directory[at : at + 4] == _ENTRY and len(directory) >= at + 46:
        name, extra, comment = (int.from_bytes(directory[at + n : at + n + 2], "little") for n in (28, 30, 32))
        yield directory[at + 46 : at + 46 + name]
        at += 46 + name + extra + comment


def _not_taken(what: str) -> AttachmentError:
    return AttachmentError(
        f"such a file is not taken: {what}", where="file", remedy="save it as PDF, PNG, JPEG, XLSX, CSV or plain text"
    )

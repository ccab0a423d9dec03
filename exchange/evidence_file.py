"""The evidence file (``.packtrace``): one zip that holds all that a reader needs to check results offline.

Stored, not compressed; sorted names; fixed times. The same content gives the same bytes: of an archive in this form nothing is free but
the names and the contents, so both are written and read here as streams, and a reader compares each byte with the one that belongs there.
Layout: docs/formats/evidence-file.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, Protocol

from exchange.errors import EvidenceError

FORMAT = "urn:packtrace:evidence-file:2"
MANIFEST = "manifest.json"
#: Below 4 GiB, so that no offset and no size needs zip64.
MAX_FILE_BYTES = 2 * 1024**3
MAX_MEMBERS = 400_000
#: A member is read whole. The largest are attachments and the manifest.
MAX_MEMBER_BYTES = 64 * 1024**2
#: What to read of a file at once: its members are small, and are asked for in their order.
READ_AHEAD = 256 * 1024
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*){0,3}", re.ASCII)
_MAX_NAME = 200
_MANIFEST_MEMBERS: dict[str, type] = {"format": str, "origin": str, "reader": str, "size": int, "files": dict}
_REMEDY = "ask its maker for the file again"

# PKWARE's APPNOTE 6.3.10: 4.3.7 local header, 4.3.12 central directory, 4.3.14 to 4.3.16 its end, for more than 65,534 members by zip64.
# 0x0021 is the first of January 1980; "made by" is Unix, for the mode 0644.
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_MODE = 0o644 << 16
_DAY = 0x0021
_MANY = 0xFFFF


class Sink(Protocol):
    """Where an evidence file is written to: a file, or what encrypts or sends it."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    crc: int
    size: int
    offset: int

    @property
    def start(self) -> int:
        """Where its content begins in the archive."""
        return self.offset + _LOCAL.size + len(self.name)

    def local(self) -> bytes:
        head = (b"PK\3\4", 20, 0, 0, 0, _DAY, self.crc, self.size, self.size, len(self.name), 0)
        return _LOCAL.pack(*head) + self.name.encode("ascii")

    def central(self) -> bytes:
        made = (b"PK\1\2", 20 | 3 << 8, 20, 0, 0, 0, _DAY, self.crc, self.size, self.size, len(self.name))
        return _CENTRAL.pack(*made, 0, 0, 0, 0, _MODE, self.offset) + self.name.encode("ascii")


def write_evidence(
    to: Sink, members: Iterable[tuple[str, bytes]], rest: Mapping[str, bytes], about: Mapping[str, Any]
) -> str:
    """Write an evidence file; return the hex SHA-256 of its bytes.

    `members` (name, content) are written as they come, sorted by name; `rest` are those whose names come after them all, each asked for
    twice: for its digest and to be written. Memory is that of the names and of one content. `about` is the rest of the manifest: `origin`
    of the log, `reader` that the file is made for, `size` of the checkpoint. Raises EvidenceError for a name out of order or there twice,
    and for too much content.
    """
    archive = _Archive(to)
    digests = {name: hashlib.sha256(rest[name]).hexdigest() for name in rest}
    for name, data in members:
        digests[name] = hashlib.sha256(data).hexdigest()
        archive.add(name, data)
    manifest = _manifest_bytes({"format": FORMAT, **about, "files": digests})
    del digests  # What comes now is large.
    for name in sorted([*rest, MANIFEST]):
        archive.add(name, manifest if name == MANIFEST else rest[name])
    return archive.close()


class EvidenceFile(Mapping[str, bytes]):
    """An evidence file that was read once from end to end: name -> content, and its manifest.

    Refuses, naming the place, whatever `write_evidence` would not have written: other compression, names, times, flags, order, trailing
    or hidden bytes, a member whose digest isn't the manifest's, a member that the manifest doesn't name. Contents are read again when they
    are asked for, and compared again, so that memory is that of the names. `file` has to stay open.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        size = file.seek(0, io.SEEK_END)
        if size > MAX_FILE_BYTES:
            raise EvidenceError(f"larger than {MAX_FILE_BYTES} bytes", where="file", remedy=_REMEDY)
        self.size = size
        self._members = {one.name: one for one in _directory(file, size)}
        found = _read_through(file, self._members.values())
        manifest = self._members.pop(MANIFEST, None)
        found.pop(MANIFEST, None)
        self.manifest = _manifest(None if manifest is None else _content(file, manifest))
        self._digests: dict[str, Any] = self.manifest["files"]
        for name in sorted(self._digests.keys() ^ found.keys()):
            raise EvidenceError("the manifest and the archive don't hold the same files", where=name, remedy=_REMEDY)
        for name, digest in found.items():
            self._check(name, digest.hex())

    def __getitem__(self, name: str) -> bytes:
        data = _content(self._file, self._members[name])
        self._check(name, hashlib.sha256(data).hexdigest())
        return data

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def below(self, folder: str) -> list[str]:
        """Return the names that begin with `folder`, sorted."""
        return [name for name in self._members if name.startswith(folder)]

    def _check(self, name: str, digest: str) -> None:
        if digest != self._digests[name]:
            raise EvidenceError("the file is not the one that the manifest names", where=name, remedy=_REMEDY)


class _Archive:
    """Writes the zip, member by member, hashing what it writes."""

    def __init__(self, to: Sink) -> None:
        self._to = to
        self._hash = hashlib.sha256()
        self._position = 0
        self._directory = bytearray()
        self._count = 0
        self._last = ""

    def add(self, name: str, data: bytes) -> None:
        if name <= self._last:
            raise EvidenceError("a file comes out of order, or twice", where=name, remedy="write them by name")
        if len(data) > MAX_MEMBER_BYTES or self._count == MAX_MEMBERS:
            raise _too_much(f"{len(data)} bytes, after {self._count} files", name)
        member = _Member(name, zlib.crc32(data), len(data), self._position)
        self._directory += member.central()
        self._count, self._last = self._count + 1, name
        self._write(member.local())
        self._write(data)
        if self._position > MAX_FILE_BYTES:
            raise _too_much(f"{self._position} bytes", name)

    def close(self) -> str:
        start = self._position
        self._write(bytes(self._directory))
        self._write(_end(self._count, start, self._position))
        return self._hash.hexdigest()

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._to.write(data)
        self._position += len(data)


def _end(count: int, start: int, end: int) -> bytes:
    """The end of an archive of `count` members whose central directory lies between `start` and `end`."""
    if count < _MANY:
        return _END.pack(b"PK\5\6", 0, 0, count, count, end - start, start, 0)
    record = _END64.pack(
        b"PK\6\6", _END64.size - 12, 45 | 3 << 8, 45, 0, 0, count, count, end - start, start
    ) + _LOCATOR64.pack(b"PK\6\7", 0, end, 1)
    return record + _END.pack(b"PK\5\6", 0, 0, _MANY, _MANY, end - start, start, 0)


def _directory(file: IO[bytes], size: int) -> list[_Member]:
    """The members by the central directory, which is in the one written form; nothing else is read yet."""
    count, start, end = _extent(file, size)
    if count > MAX_MEMBERS:
        raise EvidenceError(f"more than {MAX_MEMBERS} files", where="archive", remedy=_REMEDY)
    if not 0 <= start <= end <= size or end - start > count * (_CENTRAL.size + _MAX_NAME):
        raise EvidenceError("not an evidence file: no directory", where="archive", remedy=_REMEDY)
    data = _read(file, start, end - start)
    members: list[_Member] = []
    at = due = 0
    for _ in range(count):
        member = _record(data, at)
        if members and member.name <= members[-1].name:
            what = (
                "a file name occurs twice"
                if member.name in {one.name for one in members}
                else "the files aren't sorted"
            )
            raise EvidenceError(what, where=member.name, remedy=_REMEDY)
        if member.offset != due or member.start + member.size > start:
            raise EvidenceError("a file begins or ends elsewhere than it has to", where=member.name, remedy=_REMEDY)
        _check_same(data[at : at + len(member.central())], member.central(), start + at)
        members.append(member)
        at, due = at + len(member.central()), member.start + member.size
    if due != start or at != len(data):
        raise EvidenceError("there are bytes that no file holds", where=f"archive, byte {due}", remedy=_REMEDY)
    return members


def _extent(file: IO[bytes], size: int) -> tuple[int, int, int]:
    """How many members the archive has, and where its central directory begins and ends."""
    if size < _END.size:
        raise EvidenceError("not an evidence file: too short", where="archive", remedy=_REMEDY)
    mark, _, _, count, _, length, start, _ = _END.unpack(_read(file, size - _END.size, _END.size))
    if mark != b"PK\5\6":
        raise EvidenceError("not an evidence file: its end isn't that of one", where="archive", remedy=_REMEDY)
    end = start + length
    if count == _MANY and size >= end + (tail := _END64.size + _LOCATOR64.size + _END.size):
        count = _END64.unpack(_read(file, size - tail, _END64.size))[7]
        if count < _MANY:
            raise EvidenceError("not an evidence file: zip64 without need", where="archive", remedy=_REMEDY)
    due = _end(count, start, end) if count < 1 << 63 else b""
    _check_same(_read(file, end, size - end) if end <= size <= end + len(due) + 1024 else b"", due, end)
    return count, start, end


def _record(data: bytes, at: int) -> _Member:
    """The member that the central directory names at `at`; what it says besides is compared by whoever calls."""
    if len(data) < at + _CENTRAL.size:
        raise EvidenceError("not an evidence file: its directory is cut", where="archive", remedy=_REMEDY)
    fields = _CENTRAL.unpack_from(data, at)
    flags, compression, crc, stored, size, length, offset = (fields[n] for n in (3, 4, 7, 8, 9, 10, 16))
    raw = data[at + _CENTRAL.size : at + _CENTRAL.size + length]
    name = raw.decode("ascii", "backslashreplace")
    if not _is_allowed(name):
        raise EvidenceError("a file name is not allowed", where=repr(name), remedy=_REMEDY)
    if compression or flags & 0x41:
        raise EvidenceError("a file is compressed or encrypted", where=name, remedy=_REMEDY)
    if stored != size or size > MAX_MEMBER_BYTES:
        raise EvidenceError("a file's stated size is wrong", where=name, remedy=_REMEDY)
    return _Member(name, crc, size, offset)


def _read_through(file: IO[bytes], members: Iterable[_Member]) -> dict[str, bytes]:
    """Read the archive from its first byte; return each member's SHA-256."""
    found: dict[str, bytes] = {}
    file.seek(0)
    for member in members:
        _check_same(file.read(len(member.local())), member.local(), member.offset)
        data = file.read(member.size)
        if zlib.crc32(data) != member.crc:
            raise EvidenceError("the file was changed", where=member.name, remedy=_REMEDY)
        found[member.name] = hashlib.sha256(data).digest()
    return found


def _content(file: IO[bytes], member: _Member) -> bytes:
    return _read(file, member.start, member.size)


def _read(file: IO[bytes], at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)


def _check_same(found: bytes, due: bytes, at: int) -> None:
    if found != due:
        first = next((n for n, (a, b) in enumerate(zip(found, due, strict=False)) if a != b), min(len(found), len(due)))
        raise EvidenceError(
            "bytes outside the files' contents were changed", where=f"archive, byte {at + first}", remedy=_REMEDY
        )


def _is_allowed(name: str) -> bool:
    return len(name) <= _MAX_NAME and _NAME.fullmatch(name) is not None and ".." not in name


def _too_much(what: str, name: str) -> EvidenceError:
    return EvidenceError(
        f"too much for one evidence file: {what}",
        where=name,
        remedy="make files of fewer results, or without attachments",
    )


def _manifest(data: bytes | None) -> dict[str, Any]:
    if data is None:
        raise EvidenceError("there is no manifest", where=MANIFEST, remedy=_REMEDY)
    try:
        manifest = json.loads(data)
        is_written_so = _manifest_bytes(manifest) == data
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"the manifest can't be read: {error}", where=MANIFEST, remedy=_REMEDY) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise EvidenceError("the manifest is not of this format", where=MANIFEST, remedy="use a version that reads it")
    # Exact types (bool is a kind of int), exact members, one spelling: nobody reads another manifest than the next reader does.
    if not is_written_so or {name: type(value) for name, value in manifest.items()} != _MANIFEST_MEMBERS:
        raise EvidenceError("the manifest is not in its one written form", where=MANIFEST, remedy=_REMEDY)
    found: dict[str, Any] = manifest
    return found


def _manifest_bytes(manifest: Any) -> bytes:
    return (json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()

"""The evidence file (``.packtrace``): one zip that holds all that a reader needs to check results offline.

Stored, not compressed; sorted names; fixed times. The same content gives the same bytes, so a reader writes the archive again and
compares: not one byte of it is free. Layout: docs/formats/evidence-file.md.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

from exchange.errors import EvidenceError

FORMAT = "urn:packtrace:evidence-file:1"
MANIFEST = "manifest.json"
MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_MEMBERS = 400_000
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*){0,3}", re.ASCII)
_TIME = (1980, 1, 1, 0, 0, 0)
_MANIFEST_MEMBERS: dict[str, type] = {"format": str, "origin": str, "reader": str, "size": int, "files": dict}
#: What zipfile raises over an archive that it can't read; OverflowError for offsets beyond what can be addressed.
_ZIP_ERRORS = (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError, OverflowError, struct.error)
_REMEDY = "ask its maker for the file again"


def write_evidence(members: Mapping[str, bytes], about: Mapping[str, Any]) -> bytes:
    """Return the bytes of an evidence file with `members` (name -> content) and a manifest of their digests.

    `about` is the rest of the manifest: `origin` of the log, `reader` that the file is made for, `size` of the checkpoint.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    return _zip({**members, MANIFEST: _manifest_bytes({"format": FORMAT, **about, "files": digests})})


def read_evidence(data: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the manifest and the members of an evidence file.

    Refuses, naming the place, whatever `write_evidence` would not have written: other compression, names, times, flags, order, trailing
    or hidden bytes, a member whose digest isn't the manifest's, a member that the manifest doesn't name.
    """
    members = _unzip(data)
    manifest = _manifest(members.pop(MANIFEST, None))
    digests = manifest["files"]
    for name in sorted(digests.keys() ^ members.keys()):
        raise EvidenceError("the manifest and the archive don't hold the same files", where=name, remedy=_REMEDY)
    for name, content in members.items():
        if hashlib.sha256(content).hexdigest() != digests[name]:
            raise EvidenceError("the file is not the one that the manifest names", where=name, remedy=_REMEDY)
    return manifest, members


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _TIME)
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, members[name])
    return buffer.getvalue()


def _unzip(data: bytes) -> dict[str, bytes]:
    if len(data) > MAX_FILE_BYTES:
        raise EvidenceError(f"larger than {MAX_FILE_BYTES} bytes", where="file", remedy=_REMEDY)
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_directory(archive.infolist())
            for info in archive.infolist():
                members[info.filename] = _content(archive, info)
    except _ZIP_ERRORS as error:
        raise EvidenceError(f"not an evidence file: {error}", where="archive", remedy=_REMEDY) from None
    if (again := _zip(members)) != data:
        at = next((n for n, (a, b) in enumerate(zip(again, data, strict=False)) if a != b), min(len(again), len(data)))
        raise EvidenceError(
            "bytes outside the files' contents were changed", where=f"archive, byte {at}", remedy=_REMEDY
        )
    return members


def _check_directory(infos: list[zipfile.ZipInfo]) -> None:
    """Refuse by the directory alone, before anything is read: names, sizes, compression, doubles."""
    if len(infos) > MAX_MEMBERS:
        raise EvidenceError(f"more than {MAX_MEMBERS} files", where="archive", remedy=_REMEDY)
    seen: set[str] = set()
    total = 0
    for info in infos:
        total += info.file_size
        if not _NAME.fullmatch(info.filename) or ".." in info.filename:
            raise EvidenceError("a file name is not allowed", where=repr(info.filename), remedy=_REMEDY)
        if info.filename in seen:
            raise EvidenceError("a file name occurs twice", where=info.filename, remedy=_REMEDY)
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise EvidenceError("a file is compressed or encrypted", where=info.filename, remedy=_REMEDY)
        if info.file_size != info.compress_size or total > MAX_FILE_BYTES:
            raise EvidenceError("a file's stated size is wrong", where=info.filename, remedy=_REMEDY)
        seen.add(info.filename)


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(info)
    except _ZIP_ERRORS as error:
        raise EvidenceError(f"the file was changed: {error}", where=info.filename, remedy=_REMEDY) from None


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

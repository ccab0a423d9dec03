"""Trust files as commands are given them: a file, or a folder of accepted versions, of which the newest counts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.files import read_up_to

if TYPE_CHECKING:
    from exchange.trust import TrustFile


def read_trust(path: Path) -> TrustFile:
    """Return the trust file at `path`; in a folder of accepted ones, the newest. Raises EvidenceError, OSError."""
    from exchange.errors import EvidenceError
    from exchange.trust import MAX_TRUST_BYTES, TrustFile

    if not path.is_dir():
        return TrustFile.read(read_up_to(path, MAX_TRUST_BYTES), where=str(path))
    if (found := newest_accepted(path)) is None:
        remedy = "name a file that can be read, or take a first one with `packtrace trust accept`"
        raise EvidenceError("no trust file was accepted in this folder", where=str(path), remedy=remedy)
    return found


def newest_accepted(folder: Path) -> TrustFile | None:
    """Return the newest trust file that was accepted in `folder`; None where none was. Raises EvidenceError, OSError."""
    from exchange.errors import EvidenceError
    from exchange.trust import MAX_TRUST_BYTES, TrustFile

    versions = [
        int(path.stem)
        for path in folder.glob("*.json")
        if path.stem.isascii() and path.stem.isdecimal() and str(int(path.stem)) == path.stem
    ]
    if not versions:
        return None
    path = accepted_path(folder, max(versions))
    found = TrustFile.read(read_up_to(path, MAX_TRUST_BYTES), where=str(path))
    if found.version != max(versions):
        remedy = "put the file back that was accepted, or begin with another folder"
        raise EvidenceError(f"the file is of version {found.version}", where=str(path), remedy=remedy)
    return found


def accepted_path(folder: Path, version: int) -> Path:
    """Return where a version is kept."""
    return folder / f"{version}.json"

"""Durable files: whole or absent after any crash, and in the order in which they were written.

A file is written under a temporary name, synced, renamed to its place, and then its folder is synced. An error of any
of these is DurableWriteError: the kernel may have dropped the data and will not say so twice, so the process ends.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ledger.errors import DurableWriteError, LogInconsistentError, PublicationBusyError

TEMPORARY: Final = "publication.tmp"
"""The one temporary name in a published folder: what a cut publication leaves there, the next one finds and removes."""


@contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the folder alone (or with other readers). Raises PublicationBusyError when somebody else has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        try:
            yield
        finally:
            # Closing alone would leave it held for as long as a process that was just forked has a copy of the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    except BlockingIOError:
        raise PublicationBusyError(
            "another process publishes into the folder or audits it", where=str(folder), remedy="try again"
        ) from None
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, each durably named in the one above."""
    with _durably(folder):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            _sync_folder(path.parent)


def put_files(root: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files below `root` that are not there; when this returns, all of them and their names are durable.

    A file that is there with the same bytes stays as it is. Raises LogInconsistentError for one with other bytes:
    somebody may have read it, so it is never overwritten.
    """
    folders: dict[Path, None] = {}
    for name, data in files:
        path = root / name
        make_folder(path.parent)
        with _durably(path):
            found = path.read_bytes() if path.exists() else None
            if found is None:
                _write(path, data, root / TEMPORARY)
        if found not in (None, data):
            raise LogInconsistentError(
                "a published file has other bytes than the log",
                where=str(path),
                remedy="run the audit; if this file alone is wrong, move it away and publish again",
            )
        folders[path.parent] = None
    for folder in folders:
        with _durably(folder):
            _sync_folder(folder)


def replace_file(path: Path, data: bytes, temporary: Path) -> None:
    """Write a file over what was there; when this returns, it is durable. `temporary` is on the same file system."""
    with _durably(path):
        _write(path, data, temporary)
        _sync_folder(path.parent)


def remove_leftover(root: Path) -> None:
    """Remove what a publication that was cut left in a published folder."""
    with _durably(root):
        (root / TEMPORARY).unlink(missing_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder of files, if it is there. Not synced: what comes back after a crash is removed again."""
    with _durably(folder):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                path.unlink()
            folder.rmdir()


def _write(path: Path, data: bytes, temporary: Path) -> None:
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _durably(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DurableWriteError(
            f"a durable write failed: {error.strerror}", where=str(path), remedy="end the process, look at the disk"
        ) from error

"""Files that commands read and write: reading stops at a limit, writing never replaces and never leaves half a file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from exchange.errors import UsageError


def read_up_to(path: Path, limit: int) -> bytes:
    """Return the file's bytes, or one more than `limit`, which the parser refuses. Raises OSError."""
    with path.open("rb") as file:
        return file.read(limit + 1)


def check_new(path: Path) -> None:
    """Check that nothing has this name yet. Raises UsageError."""
    if os.path.lexists(path):
        raise _taken(path)


def write_new(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file that isn't there yet: temporary file, flush, and a hard link, which the system refuses if the name is taken.

    Raises UsageError or OSError.
    """
    with new_file(path, mode=mode) as file:
        file.write(data)


@contextmanager
def new_file(path: Path, *, mode: int) -> Iterator[BinaryIO]:
    """Yield what becomes a file that isn't there yet, as `write_new` does, when the block ends well; else nothing is left of it."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(name)
    except FileExistsError:
        raise _taken(path) from None
    finally:
        Path(name).unlink()


def _taken(path: Path) -> UsageError:
    return UsageError("there is a file of that name", where=str(path), remedy="move it away, or name another file")

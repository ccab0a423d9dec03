"""What tests make once and keep in the user's cache folder: programs compiled, packages installed."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def kept(name: str, content: bytes, make: Callable[[Path], None]) -> Path:
    """The folder that `make` filled for this content; made under another name and renamed, so that it is whole or absent."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "packtrace-tests"
    folder = cache / f"{name}-{hashlib.sha256(content).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as made:
        fresh = Path(made) / name
        fresh.mkdir()
        make(fresh)
        if not folder.is_dir():
            fresh.rename(folder)
    return folder

"""How commands speak: results on standard output, all else on standard error, an error in one line with its remedy."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

DONE, REJECTED, USAGE, UNDECIDABLE = 0, 1, 2, 3


def program() -> str:
    """Return how this program is called from here, for commands that are printed."""
    return os.path.relpath(sys.argv[0]) if os.sep in sys.argv[0] else "packtrace"


def say(text: str) -> None:
    """Write a line of the result."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(text: str) -> None:
    """Write a line about progress or trouble."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def say_json(found: Any) -> None:
    """Write one JSON object."""
    say(json.dumps(found, ensure_ascii=False, indent=1))


def fail(error: Any, code: int) -> int:
    """Write an error of ours in one line; return the exit code."""
    tell(f"error: {error}")
    return code

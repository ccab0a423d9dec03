"""How commands speak: results on standard output, all else on standard error, an error in one line with its remedy."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from exchange.screen import escaped, shown

DONE, REJECTED, USAGE, UNDECIDABLE = 0, 1, 2, 3
#: Whoever read the output went away: what a shell reports of a program that a closed pipe ended.
GONE = 141
#: As shells say it of a process that Ctrl-C ended: 128 and the number of the signal.
INTERRUPTED = 130


def program() -> str:
    """Return how this program is called from here, for commands that are printed."""
    if os.sep not in sys.argv[0]:
        return "packtrace"
    return min(os.path.relpath(sys.argv[0]), sys.argv[0], key=len)


def say(text: str) -> None:
    """Write a line of the result, or several."""
    _write(sys.stdout, "\n".join(map(shown, text.split("\n"))))


def tell(text: str) -> None:
    """Write a line about progress or trouble, or several."""
    _write(sys.stderr, "\n".join(map(shown, text.split("\n"))))


def say_bytes(data: bytes) -> None:
    """Write a file's bytes as they are, for a redirection."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def say_json(found: Any) -> None:
    """Write one JSON object; what doesn't print, which JSON may hold as it is, is escaped."""
    text = json.dumps(found, ensure_ascii=False, indent=1)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(found, indent=1)
    _write(sys.stdout, "\n".join("".join(map(escaped, line)) for line in text.split("\n")))


def _write(stream: TextIO, text: str) -> None:
    """Write, or end with a code that is no verdict: what couldn't be said was neither verified nor rejected."""
    try:
        stream.write(text.encode(stream.encoding, "backslashreplace").decode(stream.encoding) + "\n")
        stream.flush()
    except OSError as error:
        # What is left in the buffer would fail again at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(GONE)
        if stream is sys.stdout:
            tell(f"error: {error.strerror} (at standard output); make room, or write elsewhere")
        sys.exit(USAGE)


def fail(error: Any, code: int) -> int:
    """Write an error of ours in one line; return the exit code."""
    tell(shown(f"error: {error}"))
    return code


def interrupted(what: str) -> int:
    """Write in one line that Ctrl-C ended the command, and what that means; return the exit code."""
    tell(f"interrupted; {what}")
    return INTERRUPTED

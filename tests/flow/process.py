"""The command in a process of its own, as people and service managers start it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A process that was started in the background of a script ignores Ctrl-C, and so would those that it starts.
PACKTRACE = [
    sys.executable,
    "-c",
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from exchange.cli import main; main()",
]


def packtrace(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; `variables` are settings."""
    return subprocess.run(
        [*PACKTRACE, *arguments],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command, for the block to end it; whatever happens there, it is ended afterwards."""
    with subprocess.Popen(
        [*PACKTRACE, *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], moment: str) -> list[str]:
    """What a process told, up to the line with `moment` in it."""
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line.rstrip("\n"))
        if moment in line:
            break
    return told


def environment(**variables: str) -> dict[str, str]:
    """Our environment with these settings and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PACKTRACE_")}
    return clean | {f"PACKTRACE_{name.upper()}": value for name, value in variables.items()}

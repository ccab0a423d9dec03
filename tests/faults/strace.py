"""Runs a program under strace: to list its calls that change files, and to put a fault in the place of one of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("write", "pwrite64", "fsync", "fdatasync", "rename", "ftruncate", "mkdir", "unlink", "rmdir")
_TIMEOUT = 120


@dataclass(frozen=True)
class Call:
    """The `number`-th call (from 1) of this name in a run, and what strace shows of it."""

    name: str
    number: int
    shown: str


@dataclass(frozen=True)
class Run:
    """What a program printed, and strace's record of it."""

    lines: list[str]
    returned: int
    record: str


def require_strace() -> None:
    """Skip, and say why, where programs can't be traced."""
    if (reason := _missing()) is not None:
        pytest.skip(f"FAULTS NOT INJECTED: {reason}")


@cache
def _missing() -> str | None:
    try:
        tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "strace is not installed (Debian, Ubuntu: apt install strace)"
    return None if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


def run(program: Path, *arguments: str, inject: str | None = None) -> Run:
    """Run a Python program; `inject` is strace's expression for the fault."""
    options = ["-e", f"inject={inject}"] if inject else []
    with tempfile.TemporaryDirectory() as name:
        record = Path(name) / "record"
        # Without --seccomp-bpf, which would let calls pass that a signal is to meet.
        trace = ["strace", "-f", "-y", "-s", "0", "-o", str(record), "-e", f"trace={','.join(CALLS)}"]
        done = subprocess.run(
            [*trace, *options, sys.executable, "-B", str(program), *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        return Run(done.stdout.splitlines(), done.returncode, record.read_text())


def calls(record: str, folder: Path) -> list[Call]:
    """The calls of a run that touched something below `folder`, numbered among all of their name."""
    numbers: Counter[str] = Counter()
    found = []
    for line in record.splitlines():
        if match := re.match(r"\d+ +(\w+)\((.*)", line):
            numbers[match[1]] += 1
            if str(folder) in match[2]:
                found.append(Call(match[1], numbers[match[1]], match[2].replace(str(folder), "")))
    return found

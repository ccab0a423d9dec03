"""Many clients on a disk that takes its time: group commit against one commit per request.

`python -m benchmarks.slow_disk` is the process that is measured, with slow_fsync.c preloaded; `measured` starts it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from sqlalchemy import Engine

from ledger.store import GroupCommit, append, begin, create_log, metadata, sqlite_engine

CLIENTS = 64
ADDED_US = 4_000
ROUNDS = 5
_SOURCE = Path(__file__).with_name("slow_fsync.c")


def measured() -> list[tuple[float, float]] | None:
    """Pairs of rates, entries per second: by group commit, and with one commit per request. None, and a word why, without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        print("ledger: NOT MEASURED: a slow disk needs Linux and a C compiler (cc)", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as name:
        shim = Path(name) / "slow_fsync.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), str(_SOURCE), "-ldl"], check=True)
        slow = {"LD_PRELOAD": str(shim), "SLOW_FSYNC_US": str(ADDED_US)}
        command = [sys.executable, "-m", "benchmarks.slow_disk"]
        done = subprocess.run(command, env={**os.environ, **slow}, stdout=subprocess.PIPE, text=True, check=True)
    pairs: list[tuple[float, float]] = [(ours, reference) for ours, reference in json.loads(done.stdout)]
    return pairs


def _main() -> None:
    with tempfile.TemporaryDirectory() as name:
        grouped, single = _log(Path(name) / "grouped.sqlite"), _log(Path(name) / "single.sqlite")
        group, turn, contents = GroupCommit(grouped, capacity=CLIENTS), threading.Lock(), count()

        def ours() -> None:
            entry = _entry(next(contents))
            group.submit(lambda connection: append(connection, [entry]))

        def alone() -> None:
            # Turns by a lock of the process: SQLite's own way to wait for the head, by looking again and again, is slower.
            with turn, begin(single) as connection:
                append(connection, [_entry(next(contents))])

        fsync_us = _fsync_us(Path(name) / "probe")
        assert fsync_us >= ADDED_US, f"the shim was not loaded: an fsync takes {fsync_us:.0f} us"
        print(json.dumps([(_rate(ours, 40), _rate(alone, 3)) for _round in range(ROUNDS)]))


def _rate(request: Callable[[], None], requests: int) -> float:
    """Requests per second while each client makes so many, one after the other."""

    def client(_number: int) -> None:
        for _request in range(requests):
            request()

    with ThreadPoolExecutor(CLIENTS) as pool:
        start = time.perf_counter()
        list(pool.map(client, range(CLIENTS)))
        return CLIENTS * requests / (time.perf_counter() - start)


def _fsync_us(path: Path) -> float:
    with path.open("wb") as file:
        start = time.perf_counter()
        os.fsync(file.fileno())
        return (time.perf_counter() - start) * 1e6


def _log(path: Path) -> Engine:
    engine = sqlite_engine(path)
    metadata.create_all(engine)
    with begin(engine) as connection:
        create_log(connection, "bench.example")
    return engine


def _entry(number: int) -> bytes:
    return b"%d".ljust(1_000, b".") % number


if __name__ == "__main__":
    _main()

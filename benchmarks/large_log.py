"""A log of a million entries on SQLite, built in one transaction with room for its index in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine

from ledger.store import append, begin, create_log, metadata, sqlite_engine

SIZE = 1_000_000
_BATCH = 20_000
_CACHE_KIB = 400_000
"""SQLite's own 2 MB would write the index of leaf hashes, which come in no order, out over and over again."""


@contextmanager
def large_log() -> Iterator[Engine]:
    """The log, gone at the end of the block; its entries are the numbers from 0 on."""
    with TemporaryDirectory() as folder:
        engine = sqlite_engine(Path(folder) / "log.sqlite")
        metadata.create_all(engine)
        with begin(engine) as connection:
            connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
            create_log(connection, "bench.example")
            for start in range(0, SIZE, _BATCH):
                append(connection, [b"%d" % number for number in range(start, start + _BATCH)])
        engine.dispose()
        yield engine
        engine.dispose()

"""The ledger: durable appends against a bare INSERT, and the tree in memory against pymerkle and bare SHA-256."""

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import pymerkle
from sqlalchemy import Engine, insert

from benchmarks import slow_disk
from benchmarks.large_log import SIZE, large_log
from benchmarks.measure import Row, compare, limit
from ledger import (
    TILE_WIDTH,
    CompactRange,
    HashTile,
    TileNodes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    verify_consistency,
    verify_inclusion,
)
from ledger.store import append, begin, create_log, inclusion, metadata, snapshot, sqlite_engine
from ledger.store.nodes import read_tile

ENTRY_BYTES = 1_000
TREE_HEIGHT = 20


def rows() -> Iterator[Row]:
    """Measure each operation of the ledger that a service does often."""
    for batch in (1, 64, 256):
        with tempfile.TemporaryDirectory() as folder:
            yield _append(Path(folder), batch)
    yield from _group_commit()
    yield _tree()
    yield _inclusion()
    yield _consistency()
    with large_log() as engine:
        yield _warm_proof(engine)
        yield _cold_proof(engine)


def _append(folder: Path, batch: int) -> Row:
    """Both sides commit to a SQLite file of their own, in WAL mode with synchronous=FULL."""
    return compare(
        f"append through the store, batches of {batch}",
        _append_to_log(_database(folder / "log.sqlite"), batch),
        _insert_rows(_database(folder / "rows.sqlite"), batch),
        reference_name="INSERT of the same rows and tiles",
        goal=">=0.8",
        unit="entries per second",
        operations=batch,
        rounds=31,  # disks drift: many short pairs say more than few long ones
    )


def _group_commit() -> Iterator[Row]:
    """In a process of its own, in which each fsync takes 4 ms longer; no row where that can't be had."""
    pairs = slow_disk.measured()
    if pairs is not None:
        yield Row(
            name=f"append by {slow_disk.CLIENTS} clients, 4 ms added to fsync",
            ours=median(ours for ours, _ in pairs),
            reference=median(reference for _, reference in pairs),
            reference_name="one commit per request",
            ratio=median(ours / reference for ours, reference in pairs),
            goal=">=10",
            unit="entries per second",
        )


def _database(path: Path) -> Engine:
    engine = sqlite_engine(path)
    metadata.create_all(engine)
    with begin(engine) as connection:
        create_log(connection, "bench.example")
    return engine


def _append_to_log(engine: Engine, batch: int) -> Callable[[], object]:
    numbers = count()

    def run() -> None:
        with begin(engine) as connection:
            append(connection, [_entry(next(numbers)) for _ in range(batch)])

    return run


def _insert_rows(engine: Engine, batch: int) -> Callable[[], object]:
    """Rows and full tiles of the same sizes, without a look at what they hold."""
    insert_rows, numbers = insert(metadata.tables["ledger_entry"]), count()
    insert_tiles, tile = insert(metadata.tables["ledger_node"]), bytes(32 * TILE_WIDTH)

    def row(number: int) -> dict[str, object]:
        hashed = sha256(b"%d" % number).digest()  # unique, and as scattered over the index as a leaf hash
        return {"index": number, "leaf_hash": hashed, "chain": hashed, "data": _entry(number)}

    def run() -> None:
        batched = [next(numbers) for _ in range(batch)]
        full = [number for number in batched if number % TILE_WIDTH == TILE_WIDTH - 1]
        with begin(engine) as connection:
            connection.execute(insert_rows, [row(number) for number in batched])
            if full:
                connection.execute(insert_tiles, [{"level": 0, "number": n, "hashes": tile} for n in full])

    return run


def _entry(number: int) -> bytes:
    return b"%d".ljust(ENTRY_BYTES, b".") % number


def _tree() -> Row:
    ours, theirs = CompactRange(), pymerkle.InmemoryTree(algorithm="sha256")
    entry = bytes(ENTRY_BYTES)
    return compare(
        "append to a tree in memory",
        lambda: ours.append(leaf_hash(entry)),
        lambda: theirs.append_entry(entry),
        reference_name="pymerkle",
        goal=">=3",
        unit="entries per second",
    )


def _inclusion() -> Row:
    """A leaf of a tree of 2^20 entries: 20 hashes."""
    index, leaf = 0b1010_0110_1001_1100_0101, bytes(32)
    proof = [sha256(b"%d" % height).digest() for height in range(TREE_HEIGHT)]
    root = leaf
    for height, sibling in enumerate(proof):
        root = node_hash(sibling, root) if index >> height & 1 else node_hash(root, sibling)
    return compare(
        "verify an inclusion proof of 20 hashes",
        lambda: verify_inclusion(leaf, index, 1 << TREE_HEIGHT, proof, root),
        _bare_hashes(TREE_HEIGHT),
        reference_name="as many bare SHA-256",
        goal=">=0.5",
        unit="proofs per second",
    )


def _consistency() -> Row:
    """From 2^20 - 1 entries to 2^20, the longest way at this size: 21 hashes, 39 to compute."""
    old = (1 << TREE_HEIGHT) - 1
    leaves = [sha256(b"%d" % height).digest() for height in range(TREE_HEIGHT + 1)]
    # The last leaf is new; the perfect subtrees before it, smallest first, are the old tree.
    new_leaf, subtrees = leaves[0], leaves[1:]
    old_root, new_root = subtrees[0], node_hash(subtrees[0], new_leaf)
    for subtree in subtrees[1:]:
        old_root, new_root = node_hash(subtree, old_root), node_hash(subtree, new_root)
    proof = [subtrees[0], new_leaf, *subtrees[1:]]
    return compare(
        "verify a consistency proof of 21 hashes",
        lambda: verify_consistency(old, old + 1, old_root, new_root, proof),
        _bare_hashes(2 * TREE_HEIGHT - 1),
        reference_name="as many bare SHA-256",
        goal=">=0.5",
        unit="proofs per second",
    )


def _warm_proof(engine: Engine) -> Row:
    """Our own work on a proof: its tiles are read beforehand, as the driver's time is not ours."""
    tiles: dict[tuple[int, int], HashTile] = {}
    indices = _some_indices(2_000)
    with snapshot(engine) as connection:

        def read(level: int, number: int) -> HashTile:
            if (level, number) not in tiles:
                tiles[level, number] = read_tile(connection, level, number)
            return tiles[level, number]

        for index in indices:
            inclusion_proof(TileNodes(read), index, SIZE)
    times = [
        _milliseconds(time.thread_time_ns, partial(inclusion_proof, TileNodes(read), index, SIZE)) for index in indices
    ]
    return limit(f"make an inclusion proof of {SIZE:,} entries, warm: median of our CPU time", median(times), 0.1)


def _cold_proof(engine: Engine) -> Row:
    """With the driver, on connections that have read nothing yet; the file may be in the system's cache."""
    times = []
    for index in _some_indices(500):
        engine.dispose()
        with snapshot(engine) as connection:
            connection.exec_driver_sql("SELECT 1")
            times.append(_milliseconds(time.perf_counter_ns, partial(inclusion, connection, index, SIZE)))
    name = f"make an inclusion proof of {SIZE:,} entries, cold connection: 99th percentile"
    return limit(name, quantiles(times, n=100)[98], 3)


def _some_indices(number: int) -> list[int]:
    return random.Random(1).sample(range(SIZE), number)


def _milliseconds(clock: Callable[[], int], call: Callable[[], object]) -> float:
    start = clock()
    call()
    return (clock() - start) / 1e6


def _bare_hashes(number: int) -> Callable[[], object]:
    data = bytes(65)

    def run() -> None:
        for _ in range(number):
            sha256(data).digest()

    return run

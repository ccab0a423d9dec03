"""What the log holds: its head, its entries, and proofs over any of its sizes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from ledger import proofs
from ledger.errors import EntryUnknownError, LogInconsistentError, NoLogError, OutOfRangeError
from ledger.layout import TILE_WIDTH
from ledger.store import tables
from ledger.store.nodes import stored_nodes
from ledger.store.statements import Prepared
from ledger.tree import HASH_LENGTH, CompactRange

_HEAD_ROW = select(*(tables.head.c[name] for name in ("origin", "size", "chain", "frontier", "checkpoints")))
_HEAD = Prepared(_HEAD_ROW)
_LOCKED_HEAD = Prepared(_HEAD_ROW.with_for_update())
_ENTRIES = (
    select(tables.entry)
    .where(tables.entry.c.index >= bindparam("start"), tables.entry.c.index < bindparam("stop"))
    .order_by(tables.entry.c.index)
)


_LEAF_HASHES = select(tables.entry.c.index, tables.entry.c.leaf_hash).where(
    tables.entry.c.index.in_(bindparam("indices", expanding=True))
)
_ENTRIES_AT = (
    select(tables.entry)
    .where(tables.entry.c.index.in_(bindparam("indices", expanding=True)))
    .order_by(tables.entry.c.index)
)
_ASKED = 500  # indices per query, well below what either database takes as parameters


@dataclass(frozen=True)
class Head:
    """The log as it stands: number of entries, last chain value and tree root."""

    origin: str
    size: int
    chain: bytes
    root: bytes


@dataclass(frozen=True)
class Entry:
    """An entry, the hash of its leaf, and the chain value after it."""

    index: int
    leaf_hash: bytes
    chain: bytes
    data: bytes


@dataclass(frozen=True)
class HeadState:
    """The head row with what only the store needs: the growing edge and the number of signed checkpoints."""

    origin: str
    size: int
    chain: bytes
    edge: CompactRange
    checkpoints: int

    @property
    def head(self) -> Head:
        """The head as it was read, with its root; an append does without and so does not compute it."""
        return Head(self.origin, self.size, self.chain, self.edge.root())


def head(connection: Connection) -> Head:
    """The log's head. Raises NoLogError."""
    return head_state(connection).head


def head_state(connection: Connection, *, locked: bool = False) -> HeadState:
    """The head row, on PostgreSQL locked until the transaction ends if asked. Raises NoLogError."""
    row: Sequence[Any] | None = (_LOCKED_HEAD if locked else _HEAD).execute(connection).one_or_none()
    if row is None:
        raise NoLogError("there is no log", where="ledger head", remedy="create it with create_log")
    origin, size, value, frontier, checkpoints = row
    return HeadState(origin, size, value, _edge(size, frontier), checkpoints)


def _edge(size: int, frontier: bytes) -> CompactRange:
    hashes = [frontier[i : i + HASH_LENGTH] for i in range(0, len(frontier), HASH_LENGTH)]
    try:
        return CompactRange(size, hashes)
    except OutOfRangeError as error:
        raise LogInconsistentError(
            f"the head does not fit its size: {error.what}",
            where="ledger head",
            remedy="run the audit; do not sign",
        ) from None


def entry(connection: Connection, index: int) -> Entry:
    """The entry at an index. Raises EntryUnknownError."""
    row = connection.execute(_ENTRIES, {"start": index, "stop": index + 1}).one_or_none()
    return _known(row, f"entry {index}")


def find(connection: Connection, leaf_hash: bytes) -> Entry:
    """The entry with a leaf hash. Raises EntryUnknownError."""
    query = select(tables.entry).where(tables.entry.c.leaf_hash == leaf_hash)
    return _known(connection.execute(query).one_or_none(), f"leaf hash {leaf_hash.hex()}")


def leaf_hashes(connection: Connection, indices: Collection[int]) -> dict[int, bytes]:
    """The leaf hashes of those indices that the log has."""
    asked = sorted(indices)
    found: dict[int, bytes] = {}
    for start in range(0, len(asked), _ASKED):
        rows = connection.execute(_LEAF_HASHES, {"indices": asked[start : start + _ASKED]})
        found.update(map(tuple, rows))
    return found


def entries_at(connection: Connection, indices: Collection[int]) -> list[Entry]:
    """The entries at those indices that the log has, in order."""
    asked = sorted(indices)
    batches = [asked[start : start + _ASKED] for start in range(0, len(asked), _ASKED)]
    return [_entry(row) for some in batches for row in connection.execute(_ENTRIES_AT, {"indices": some})]


def entries(connection: Connection, start: int, stop: int) -> Iterator[Entry]:
    """The entries from `start` up to and without `stop`, in order, at most 256 in memory at a time.

    Ends early where the log ends. Raises OutOfRangeError for a negative start.
    """
    if start < 0:
        raise OutOfRangeError("a start is negative", where="entries", remedy="start at 0 or later")
    while start < stop:
        page = connection.execute(_ENTRIES, {"start": start, "stop": min(stop, start + TILE_WIDTH)}).all()
        for row in page:
            yield _entry(row)
        if len(page) < TILE_WIDTH:
            return
        start += TILE_WIDTH


def inclusion(connection: Connection, index: int, size: int) -> list[bytes]:
    """The inclusion proof of an entry in the tree of the log's first `size` entries. Raises OutOfRangeError."""
    _require_size(connection, size)
    return proofs.inclusion_proof(stored_nodes(connection), index, size)


def inclusions(connection: Connection, indices: Iterable[int], size: int) -> list[list[bytes]]:
    """The `inclusion` proof of each entry; what the proofs share is read once, and kept in memory meanwhile."""
    _require_size(connection, size)
    nodes = stored_nodes(connection)
    return [proofs.inclusion_proof(nodes, index, size) for index in indices]


def consistency(connection: Connection, old: int, new: int) -> list[bytes]:
    """The proof that the log's first `old` entries are a prefix of its first `new`. Raises OutOfRangeError."""
    _require_size(connection, new)
    return proofs.consistency_proof(stored_nodes(connection), old, new)


def root_at(connection: Connection, size: int) -> bytes:
    """The root of the log's first `size` entries, from the stored nodes. Raises OutOfRangeError."""
    _require_size(connection, size)
    return proofs.range_hash(stored_nodes(connection), 0, size)


def _require_size(connection: Connection, size: int) -> None:
    if not 0 <= size <= head_state(connection).size:
        raise OutOfRangeError(
            f"the log has no size {size}", where="ledger store", remedy="ask up to the size of the head"
        )


def _known(row: Sequence[Any] | None, where: str) -> Entry:
    if row is None:
        raise EntryUnknownError("the log has no such entry", where=where, remedy="check index and origin")
    return _entry(row)


def _entry(row: Sequence[Any]) -> Entry:
    index, leaf_hash, chain, data = row  # by place: `row.index` is the tuple's method
    return Entry(index, leaf_hash, chain, data)

"""Computes the log again from its entries alone, in order, holding at most 256 of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Connection, select

from ledger.audit.differences import difference
from ledger.chain import chain_next
from ledger.errors import EntryRefusedError
from ledger.layout import TILE_WIDTH, encode_bundle, require_entry
from ledger.store import tables
from ledger.store.reading import Entry
from ledger.tiles import inner_hashes, subtree_root
from ledger.tree import CompactRange, leaf_hash


@dataclass(frozen=True)
class RebuiltTile:
    """A tile as the entries give it: full, or the partial one at the right edge; level 0 with its entries."""

    level: int
    number: int
    hashes: bytes
    entries: tuple[bytes, ...] = ()

    @property
    def width(self) -> int:
        """Number of hashes."""
        return len(self.hashes) // 32

    @cached_property
    def inner(self) -> bytes:
        """Of a full tile the roots of its sixteens, else nothing."""
        return inner_hashes(self.hashes) if self.width == TILE_WIDTH else b""

    def bundle(self, width: int) -> bytes:
        """The entry bundle over the first `width` entries."""
        return encode_bundle(self.entries[:width])


@dataclass
class Rebuilder:
    """Takes entries in order, checks each against what is stored beside it, and gives tiles as they fill."""

    chain: bytes
    edge: CompactRange = field(default_factory=CompactRange)
    _levels: list[list[bytes]] = field(default_factory=lambda: [[]])
    _entries: list[bytes] = field(default_factory=list)

    def add(self, entry: Entry) -> Iterator[RebuiltTile]:
        """Check one entry and go on; the tiles that it completes. Raises AuditError naming the entry."""
        leaf = self._checked_leaf(entry)
        self.chain = entry.chain
        self.edge.append(leaf)
        self._levels[0].append(leaf)
        self._entries.append(entry.data)
        level = 0
        while len(self._levels[level]) == TILE_WIDTH:
            tile = self._tile(level, last=self.edge.size >> (8 * level))
            self._levels[level].clear()
            if level + 1 == len(self._levels):
                self._levels.append([])
            self._levels[level + 1].append(subtree_root(tile.inner))
            yield tile
            level += 1
            self._entries.clear()

    def rest(self) -> Iterator[RebuiltTile]:
        """The partial tiles at the right edge."""
        for level, hashes in enumerate(self._levels):
            if hashes:
                yield self._tile(level, last=self.edge.size >> (8 * level))

    def _tile(self, level: int, last: int) -> RebuiltTile:
        entries = tuple(self._entries) if level == 0 else ()
        return RebuiltTile(level, (last - 1) // TILE_WIDTH, b"".join(self._levels[level]), entries)

    def _checked_leaf(self, entry: Entry) -> bytes:
        """The leaf hash from the entry's bytes. Of bytes, leaf hash and chain, two that agree show up the third."""
        leaf = leaf_hash(entry.data)
        by_bytes = chain_next(self.chain, leaf) == entry.chain
        if leaf == entry.leaf_hash and by_bytes:
            _require_fit(entry)
            return leaf
        if leaf == entry.leaf_hash:
            raise difference("the chain value does not follow from the entry", f"chain at {entry.index}")
        if by_bytes:
            raise difference("the leaf hash is not that of the entry's bytes", f"leaf hash {entry.index}")
        raise difference("the entry's bytes are not those that were logged", f"entry {entry.index}")


def stored_entries(connection: Connection, size: int) -> Iterator[Entry]:
    """All rows of the entry table in order, which must be the entries 0 to size - 1. Raises AuditError."""
    count = 0
    for entry in _rows(connection):
        if count < size and entry.index > count:
            break
        if entry.index != count or count >= size:
            raise difference("an entry stands outside the log", f"entry {entry.index}")
        yield entry
        count += 1
    if count < size:
        raise difference("the entry is missing", f"entry {count}")


def _rows(connection: Connection) -> Iterator[Entry]:
    table, last = tables.entry, None
    query = select(table.c.index, table.c.leaf_hash, table.c.chain, table.c.data)
    query = query.order_by(table.c.index).limit(TILE_WIDTH)
    while True:
        page = connection.execute(query if last is None else query.where(table.c.index > last)).all()
        for index, leaf, chain, data in page:
            yield Entry(index, leaf, chain, data)
            last = index
        if len(page) < TILE_WIDTH:
            return


def _require_fit(entry: Entry) -> None:
    try:
        require_entry(entry.data)
    except EntryRefusedError as error:
        raise difference(error.what, f"entry {entry.index}") from None

"""Computes the log again from its entries alone, in order, holding the entries of one tile."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from sqlalchemy import Connection, Row, bindparam, select

from ledger.audit.differences import difference
from ledger.errors import AuditError
from ledger.layout import MAX_ENTRY, TILE_WIDTH, encode_bundle
from ledger.store import tables
from ledger.tiles import inner_hashes, subtree_root
from ledger.tree import CompactRange

EntryRow = Row[int, bytes, bytes, bytes]
"""Index, leaf hash, chain value and bytes of an entry, as they are stored."""

_FIRST = (
    select(tables.entry.c.index, tables.entry.c.leaf_hash, tables.entry.c.chain, tables.entry.c.data)
    .order_by(tables.entry.c.index)
    .limit(TILE_WIDTH)
)
_FOLLOWING = _FIRST.where(tables.entry.c.index > bindparam("last"))


@dataclass(frozen=True)
class RebuiltTile:
    """A tile as the entries give it: full, or the partial one at the right edge; level 0 with its entries."""

    level: int
    number: int
    hashes: bytes
    entries: Sequence[bytes] = ()

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


class Rebuilder:
    """Takes the entries a tile at a time, checks each against what is stored beside it, and gives tiles as they fill."""

    def __init__(self, chain: bytes) -> None:
        self.chain = chain
        self.size = 0
        self._entries: list[bytes] = []
        self._levels: list[list[bytes]] = [[]]  # the hashes of the tile at the right edge, by level
        self._filled: list[RebuiltTile] = []  # by the last page
        self._full = CompactRange()  # over the roots of full tiles, which has the subtrees that their entries have
        self._edge = CompactRange()

    def add(self, page: Sequence[EntryRow]) -> AuditError | None:
        """Take the rows of one tile, as many as there are; the first difference among them, where taking stopped."""
        self._let_go()
        leaves, entries, chain, found = self._levels[0], self._entries, self.chain, None
        for index, stored_leaf, stored_chain, data in page:
            leaf = sha256(b"\x00" + data).digest()
            following = sha256(chain + leaf).digest()
            if leaf != stored_leaf or following != stored_chain or not 0 < len(data) <= MAX_ENTRY:
                found = _named(index, data, leaf == stored_leaf, following == stored_chain)
                break
            chain = following
            leaves.append(leaf)
            entries.append(data)
        self.chain = chain
        self.size += len(entries)
        self._carry()
        return found

    def edge_at(self, size: int) -> CompactRange:
        """The tree's right edge at a size within the last page, or at the greatest that was asked for, if greater."""
        leaves = self._levels[0]
        start = self.size - len(leaves)
        for leaf in leaves[self._edge.size - start : max(0, size - start)]:
            self._edge.append(leaf)
        return self._edge

    def tiles(self) -> Iterator[RebuiltTile]:
        """The tiles that the last page made full."""
        return iter(self._filled)

    def rest(self) -> Iterator[RebuiltTile]:
        """The partial tiles at the right edge."""
        return (self._tile(level) for level, hashes in enumerate(self._levels) if 0 < len(hashes) < TILE_WIDTH)

    def _let_go(self) -> None:
        """Begin a tile in each level whose tile is full."""
        self._entries, self._filled = [], []
        self._levels = [[] if len(hashes) == TILE_WIDTH else hashes for hashes in self._levels]
        self._edge = CompactRange(self.size, self._full.hashes)

    def _carry(self) -> None:
        """Give the root of a tile that is full to the level above."""
        level = 0
        while len(self._levels[level]) == TILE_WIDTH:
            tile = self._tile(level)
            self._filled.append(tile)
            root = subtree_root(tile.inner)
            if level == 0:
                self._full.append(root)
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(root)

    def _tile(self, level: int) -> RebuiltTile:
        entries = self._entries if level == 0 else ()
        number = ((self.size >> (8 * level)) - 1) // TILE_WIDTH
        return RebuiltTile(level, number, b"".join(self._levels[level]), entries)


def stored_pages(connection: Connection, size: int) -> Iterator[Sequence[EntryRow]]:
    """All rows of the entry table in order, 256 at a time, which must be the entries 0 to size - 1. Raises AuditError."""
    page, count = connection.execute(_FIRST).all(), 0
    while page:
        first, last = count, page[-1][0]
        count += len(page)
        if page[0][0] == first and last == count - 1 < size:
            yield page
        else:
            # What comes before the gap is sound or names an earlier difference.
            sound = [row for place, row in enumerate(page, first) if row[0] == place < size]
            yield sound
            raise _out_of_order(page, first, size)
        page = connection.execute(_FOLLOWING, {"last": last}).all()
    if count < size:
        raise difference("the entry is missing", f"entry {count}")


def _out_of_order(page: Sequence[EntryRow], first: int, size: int) -> AuditError:
    place, index = next((place, row[0]) for place, row in enumerate(page, first) if not row[0] == place < size)
    if place < size and index > place:
        return difference("the entry is missing", f"entry {place}")
    return difference("an entry stands outside the log", f"entry {index}")


def _named(index: int, data: bytes, leaf_holds: bool, chain_holds: bool) -> AuditError:
    """Name what differs. Of bytes, leaf hash and chain value, two that agree show up the third."""
    if leaf_holds and chain_holds:
        return difference(f"an entry has {len(data)} bytes", f"entry {index}")
    if leaf_holds:
        return difference("the chain value does not follow from the entry", f"chain at {index}")
    if chain_holds:
        return difference("the leaf hash is not that of the entry's bytes", f"leaf hash {index}")
    return difference("the entry's bytes are not those that were logged", f"entry {index}")

"""The stored nodes of the tree: hash tiles, written once per 256 hashes and read a row or two per level."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger.layout import TILE_BYTES, TILE_WIDTH
from ledger.store import tables
from ledger.store.statements import Prepared
from ledger.tiles import HashTile, TileNodes, inner_hashes, missing_hashes, subtree_root

_AT = (tables.node.c.level == bindparam("at_level"), tables.node.c.number == bindparam("at_number"))
_TILE = Prepared(select(tables.node.c.hashes, tables.node.c.inner_hashes).where(*_AT))
_LEAVES = Prepared(
    select(tables.entry.c.leaf_hash)
    .where(tables.entry.c.index >= bindparam("start"), tables.entry.c.index < bindparam("stop"))
    .order_by(tables.entry.c.index)
)
_INSERT = Prepared(insert(tables.node))
_GROW = Prepared(update(tables.node).where(*_AT).values(hashes=bindparam("grown"), inner_hashes=bindparam("roots")))


def read_tile(connection: Connection, level: int, number: int) -> HashTile:
    """A tile as far as the log has it."""
    stored: Sequence[Any] | None = _TILE.execute(connection, (level, number)).one_or_none()
    if stored is not None:
        hashes, inner = stored
        return HashTile(hashes, inner or b"")
    if level > 0:
        return HashTile(b"")
    start = number * TILE_WIDTH
    return HashTile(b"".join([leaf for (leaf,) in _LEAVES.execute(connection, (start, start + TILE_WIDTH)).all()]))


def extend(connection: Connection, size: int, leaf_hashes: Sequence[bytes]) -> list[bytes]:
    """Store the nodes that a tree of `size` leaves gains by these; the roots of the tiles of level 0 that this fills.

    The new entries' rows may be written or not.
    """
    found = roots = _extend_level(connection, 0, size, b"".join(leaf_hashes))
    level = 1
    while roots:
        size //= TILE_WIDTH
        roots = _extend_level(connection, level, size, b"".join(roots))
        level += 1
    return found


def _extend_level(connection: Connection, level: int, start: int, new: bytes) -> list[bytes]:
    """Append hashes to a level that has `start` of them; the roots of the tiles that this fills."""
    number, width = divmod(start, TILE_WIDTH)
    if level == 0 and width * 32 + len(new) < TILE_BYTES:
        return []
    edge = read_tile(connection, level, number).hashes[: width * 32] if width else b""
    if len(edge) != width * 32:
        raise missing_hashes(level, number)
    hashes = edge + new
    tiles = [_tile(hashes[i : i + TILE_BYTES]) for i in range(0, len(hashes), TILE_BYTES)]
    full = [tile for tile in tiles if tile.inner]
    _write(connection, level, number, full if level == 0 else tiles, first_exists=level > 0 and width > 0)
    return [subtree_root(tile.inner) for tile in full]


def _tile(hashes: bytes) -> HashTile:
    return HashTile(hashes, inner_hashes(hashes) if len(hashes) == TILE_BYTES else b"")


def _write(connection: Connection, level: int, number: int, tiles: list[HashTile], *, first_exists: bool) -> None:
    if first_exists:
        _GROW.execute(connection, (tiles[0].hashes, tiles[0].inner or None, level, number))
        number, tiles = number + 1, tiles[1:]
    rows = [(level, number + i, tile.hashes, tile.inner or None) for i, tile in enumerate(tiles)]
    if rows:
        _INSERT.execute(connection, rows)


def stored_nodes(connection: Connection) -> TileNodes:
    """A node reader over the database, for one proof."""
    return TileNodes(lambda level, number: read_tile(connection, level, number))

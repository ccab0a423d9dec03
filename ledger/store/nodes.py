"""The stored nodes of the tree: hash tiles, written once per 256 hashes and read a row or two per level."""

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger import tree
from ledger.errors import LogInconsistentError
from ledger.layout import TILE_BYTES, TILE_HEIGHT, TILE_WIDTH
from ledger.store import tables
from ledger.store.statements import Prepared

_TILE = select(tables.node.c.hashes).where(
    tables.node.c.level == bindparam("at_level"), tables.node.c.number == bindparam("at_number")
)
_LEAVES = Prepared(
    select(tables.entry.c.leaf_hash)
    .where(tables.entry.c.index >= bindparam("start"), tables.entry.c.index < bindparam("stop"))
    .order_by(tables.entry.c.index)
)
_GROW = (
    update(tables.node)
    .where(tables.node.c.level == bindparam("at_level"), tables.node.c.number == bindparam("at_number"))
    .values(hashes=bindparam("grown"))
)


def read_tile(connection: Connection, level: int, number: int) -> bytes:
    """The hashes of a tile as far as the log has them: 0 to 8,192 bytes."""
    stored = connection.scalar(_TILE, {"at_level": level, "at_number": number})
    if stored is None and level == 0:
        start = number * TILE_WIDTH
        return b"".join([leaf for (leaf,) in _LEAVES.execute(connection, (start, start + TILE_WIDTH)).all()])
    return stored or b""


def tile_root(hashes: bytes) -> bytes:
    """The root over a tile's hashes, whose number is a power of two."""
    return tree.fold_perfect([hashes[i : i + 32] for i in range(0, len(hashes), 32)])


def extend(connection: Connection, size: int, leaf_hashes: Sequence[bytes]) -> None:
    """Store the nodes that a tree of `size` leaves gains by these. The new entries' rows may be written or not."""
    level, start, new = 0, size, b"".join(leaf_hashes)
    while new:
        roots = _extend_level(connection, level, start, new)
        level, start, new = level + 1, start // TILE_WIDTH, b"".join(roots)


def _extend_level(connection: Connection, level: int, start: int, new: bytes) -> list[bytes]:
    """Append hashes to a level that has `start` of them; the roots of the tiles that this fills."""
    number, width = divmod(start, TILE_WIDTH)
    if level == 0 and width * 32 + len(new) < TILE_BYTES:
        return []
    edge = read_tile(connection, level, number)[: width * 32] if width else b""
    if len(edge) != width * 32:
        raise missing_node(level, number)
    hashes = edge + new
    tiles = [hashes[i : i + TILE_BYTES] for i in range(0, len(hashes), TILE_BYTES)]
    full = [tile for tile in tiles if len(tile) == TILE_BYTES]
    _write(connection, level, number, full if level == 0 else tiles, first_exists=level > 0 and width > 0)
    return [tile_root(tile) for tile in full]


def _write(connection: Connection, level: int, number: int, tiles: list[bytes], *, first_exists: bool) -> None:
    if first_exists:
        connection.execute(_GROW, {"at_level": level, "at_number": number, "grown": tiles[0]})
        number, tiles = number + 1, tiles[1:]
    rows = [{"level": level, "number": number + i, "hashes": tile} for i, tile in enumerate(tiles)]
    if rows:
        connection.execute(insert(tables.node), rows)


class StoredNodes:
    """A node reader over the database for one proof; keeps the few tiles that a proof touches.

    Raises LogInconsistentError when a node that the log's size promises is not there.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tiles: dict[tuple[int, int], bytes] = {}

    def __call__(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        number, position = divmod(index << inner, TILE_WIDTH)
        if (level, number) not in self._tiles:
            self._tiles[level, number] = read_tile(self._connection, level, number)
        start, length = position * 32, (1 << inner) * 32
        hashes = self._tiles[level, number][start : start + length]
        if len(hashes) != length:
            raise missing_node(level, number)
        return tile_root(hashes)


def missing_node(level: int, number: int) -> LogInconsistentError:
    """The error for a tile that lacks hashes."""
    return LogInconsistentError(
        "stored hashes are missing", where=f"node {level}/{number}", remedy="run the audit; do not sign"
    )

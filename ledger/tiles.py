"""Nodes of the tree out of hash tiles, wherever the tiles rest.

A tile holds every eighth height of the tree; the heights between are hashed from it. A proof asks a full tile for the
roots of 128, 64, 32, ... of its hashes, 247 hashes' work; from the roots of its sixteens, kept beside it, it is 22.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ledger.errors import LogInconsistentError
from ledger.layout import TILE_HEIGHT, TILE_WIDTH
from ledger.tree import HASH_LENGTH, fold_perfect

INNER_HEIGHT: Final = 4
_INNER_BYTES: Final = HASH_LENGTH << INNER_HEIGHT


@dataclass(frozen=True, slots=True)
class HashTile:
    """The hashes of a tile as far as it has grown, and of a full one, where they are kept, the roots of its sixteens."""

    hashes: bytes
    inner: bytes = b""


TileReader = Callable[[int, int], HashTile]
"""`read(level, number)`: the tile, with no hashes where the log has none."""


def inner_hashes(hashes: bytes) -> bytes:
    """The roots over each 16 hashes of a full tile: 16 hashes, 512 bytes."""
    return b"".join(subtree_root(hashes[i : i + _INNER_BYTES]) for i in range(0, len(hashes), _INNER_BYTES))


def subtree_root(hashes: bytes) -> bytes:
    """The root over neighbouring hashes, side by side, whose number is a power of two."""
    return fold_perfect([hashes[i : i + HASH_LENGTH] for i in range(0, len(hashes), HASH_LENGTH)])


# What is longer than sixteen hashes lies in a partial tile at the right edge, which every proof to one size shares.
_edge_root = lru_cache(maxsize=256)(subtree_root)


class TileNodes:
    """A node reader over tiles; keeps those that one proof touches.

    Raises LogInconsistentError when a tile lacks a hash that the proof's size promises, and what the reader raises.
    """

    def __init__(self, read: TileReader) -> None:
        self._read = read
        self._tiles: dict[tuple[int, int], HashTile] = {}

    def __call__(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        number, position = divmod(index << inner, TILE_WIDTH)
        tile = self._tiles.get((level, number))
        if tile is None:
            tile = self._tiles[level, number] = self._read(level, number)
        hashes = tile.hashes
        if inner >= INNER_HEIGHT and tile.inner:
            hashes, inner, position = tile.inner, inner - INNER_HEIGHT, position >> INNER_HEIGHT
        start, length = position * HASH_LENGTH, HASH_LENGTH << inner
        hashes = hashes[start : start + length]
        if len(hashes) != length:
            raise missing_hashes(level, number)
        if inner == 0:
            return hashes
        return subtree_root(hashes) if inner <= INNER_HEIGHT else _edge_root(hashes)


def missing_hashes(level: int, number: int) -> LogInconsistentError:
    """The error for a tile that lacks hashes."""
    return LogInconsistentError(
        "hashes of the tree are missing", where=f"node {level}/{number}", remedy="run the audit; do not sign"
    )

"""The log that the tests keep: its name, its times, its entries, and what a naive tree says of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from ledger import TilePlace, tiles_of

ORIGIN = "ledger.example/packs"
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def entry_bytes(number: int) -> bytes:
    """Entry `number`, of varying length."""
    return f"entry {number} ".encode() + b"." * (number % 7)


def partial_tiles(size: int) -> list[TilePlace]:
    """The partial tiles and the partial bundle of a tree of this size."""
    edge = [(level, full, width) for level, full, width in tiles_of(size) if width]
    bundles = [TilePlace(None, full, width) for level, full, width in edge if level == 0]
    return [TilePlace(*place) for place in edge] + bundles


def split(size: int) -> int:
    """The largest power of two below `size`."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def naive_root(entries: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, as it is written there."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return sha256(b"\x01" + naive_root(entries[:k]) + naive_root(entries[k:])).digest()


def naive_path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if index < k:
        return [*naive_path(index, entries[:k]), naive_root(entries[k:])]
    return [*naive_path(index - k, entries[k:]), naive_root(entries[:k])]


def naive_proof(old: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2."""
    if old == len(entries):
        return [] if whole else [naive_root(entries)]
    k = split(len(entries))
    if old <= k:
        return [*naive_proof(old, entries[:k], whole=whole), naive_root(entries[k:])]
    return [*naive_proof(old - k, entries[k:], whole=False), naive_root(entries[:k])]

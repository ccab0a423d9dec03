"""Where the files of the log lie and what is in them (C2SP tlog-tiles v0.1.0).

A hash tile is 1 to 256 hashes of one level side by side; level 0 holds leaf hashes, each higher hash is the root
of a full tile below. An entry bundle holds the entries under a tile of level 0.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.encoding import decode_decimal
from ledger.errors import BadBundleError, BadTilePathError, EntryRefusedError, OutOfRangeError
from ledger.tree import HASH_LENGTH, MAX_SIZE

TILE_WIDTH: Final = 256
TILE_HEIGHT: Final = 8
TILE_BYTES: Final = TILE_WIDTH * HASH_LENGTH
MAX_ENTRY: Final = 65_535
CHECKPOINT_PATH: Final = "checkpoint"
_PATH = re.compile(r"tile/([0-9]+|entries)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]+))?")


@dataclass(frozen=True)
class TilePlace:
    """Which tile: level 0 to 63, or None for an entry bundle; number in the level; width 1 to 256."""

    level: int | None
    number: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        in_range = (self.level is None or 0 <= self.level <= 63) and 0 <= self.number <= MAX_SIZE
        if not in_range or not 1 <= self.width <= TILE_WIDTH:
            raise OutOfRangeError(
                f"there is no tile {self.level}/{self.number} of width {self.width}",
                where="tile place",
                remedy="give a level of 0 to 63, a number that is not negative and a width of 1 to 256",
            )

    @property
    def path(self) -> str:
        """The path below the log's prefix."""
        folder = "entries" if self.level is None else str(self.level)
        groups = _groups(self.number)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{folder}/{groups}{partial}"


def tile_path(level: int, number: int, width: int = TILE_WIDTH) -> str:
    """The path of a hash tile, e.g. `tile/1/x001/x234/067.p/17`. Raises OutOfRangeError."""
    return TilePlace(level, number, width).path


def entries_path(number: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle, e.g. `tile/entries/000`. Raises OutOfRangeError."""
    return TilePlace(None, number, width).path


def parse_path(path: str) -> TilePlace:
    """The tile that a path names, in its one right spelling. Raises BadTilePathError."""
    try:
        if (parts := _PATH.fullmatch(path)) is None:
            raise ValueError("no tile")
        level = None if parts[1] == "entries" else decode_decimal(parts[1])
        number = decode_decimal(re.sub("[x/]", "", parts[2]).lstrip("0") or "0")
        place = TilePlace(level, number, TILE_WIDTH if parts[3] is None else decode_decimal(parts[3]))
    except (ValueError, OutOfRangeError):
        raise _bad_path() from None
    if place.path != path:
        raise _bad_path()
    return place


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """For each level of a tree of this size: level, number of full tiles, width of the partial one (0: none)."""
    level = 0
    while count := size >> (TILE_HEIGHT * level):
        yield level, count // TILE_WIDTH, count % TILE_WIDTH
        level += 1


def full_tiles(start: int, stop: int) -> Iterator[TilePlace]:
    """The tiles and bundles that became full when the tree grew from `start` to `stop` entries."""
    for level, full, _ in tiles_of(stop):
        for number in range(start >> (TILE_HEIGHT * (level + 1)), full):
            yield TilePlace(level, number)
            if level == 0:
                yield TilePlace(None, number)


def is_full(place: TilePlace, size: int) -> bool:
    """Whether the tile is full in a tree of this size, whatever the width of `place`."""
    return place.number < size >> (TILE_HEIGHT * ((place.level or 0) + 1))


def require_entry(entry: bytes) -> bytes:
    """An entry that a bundle can carry: 1 to 65,535 bytes. Raises EntryRefusedError."""
    if not 0 < len(entry) <= MAX_ENTRY:
        raise EntryRefusedError(
            f"an entry has {len(entry)} bytes", where="entry", remedy=f"give 1 to {MAX_ENTRY} bytes"
        )
    return entry


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """The entries, each after its length as big-endian uint16. Raises EntryRefusedError."""
    for entry in entries:
        require_entry(entry)
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def decode_bundle(data: bytes, width: int = TILE_WIDTH) -> list[bytes]:
    """The `width` entries of a bundle. Raises BadBundleError."""
    entries: list[bytes] = []
    position = 0
    while position < len(data) and len(entries) < width:
        start = position + 2
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data) or position == start:
            raise _bad_bundle("an entry is cut or empty")
        entries.append(data[start:position])
    if position != len(data) or len(entries) != width:
        raise _bad_bundle(f"the bundle does not hold exactly {width} entries")
    return entries


def _groups(number: int) -> str:
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def _bad_path() -> BadTilePathError:
    return BadTilePathError("the path names no tile", where="tile path", remedy="see C2SP tlog-tiles")


def _bad_bundle(what: str) -> BadBundleError:
    return BadBundleError(what, where="entry bundle", remedy="fetch the bundle again from the log")

"""Compares the published files with the rebuilt log: each that must be there, and no other."""

import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from ledger.audit.differences import difference
from ledger.audit.rebuilding import RebuiltTile
from ledger.encoding import decode_decimal
from ledger.errors import AuditError, BadTilePathError
from ledger.layout import CHECKPOINT_PATH, TILE_WIDTH, TilePlace, is_full, parse_path
from ledger.store import files
from ledger.store.signing import (
    SignedCheckpoint,
    checkpoint_at,
    checkpoint_sizes,
    has_checkpoint_between,
    latest_checkpoint,
)


class PublishedFiles:
    """The folder of a log whose newest stored checkpoint it may not have reached, when a publication was cut.

    Up to the size of the folder's own checkpoint everything must be there; files of later stored checkpoints may.
    """

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder
        latest = latest_checkpoint(connection)
        self._signed = 0 if latest is None else latest.size
        self._published = self._checkpoint_size(required=latest is not None)
        self.compared = 0

    def compare(self, tile: RebuiltTile) -> None:
        """Check the files of a tile, and of the bundle under it at level 0. Raises AuditError naming the path."""
        # Of a tile that is full in the folder no partial one is called for.
        full = is_full(TilePlace(tile.level, tile.number), self._published)
        widths = {} if full else self._widths(tile.level, tile.number)
        for level in [tile.level, *([None] if tile.level == 0 else [])]:
            self._compare(TilePlace(level, tile.number), tile, widths)

    def finish(self) -> None:
        """No file stands in the folder that no stored checkpoint calls for."""
        for path in _walk(self._folder):
            # A leftover of a publication that was cut is no part of the log: the next publication removes it.
            if path not in (CHECKPOINT_PATH, files.TEMPORARY) and not self._belongs(path):
                raise self._difference("no checkpoint calls for this file", path)

    def _checkpoint_size(self, *, required: bool) -> int:
        found = self._read(CHECKPOINT_PATH)
        if found is None:
            if required:
                raise self._difference("the file is missing", CHECKPOINT_PATH)
            return 0
        note = found.decode(errors="replace").replace("\0", "\ufffd")
        stored = checkpoint_at(self._connection, _size(note))
        if stored is None or not _is_published_form(note, stored):
            raise self._difference("the published checkpoint is none that is stored", CHECKPOINT_PATH)
        return stored.size

    def _compare(self, place: TilePlace, tile: RebuiltTile, widths: dict[int, bool]) -> None:
        whole = tile.width == TILE_WIDTH and self._matches(place, tile)
        if is_full(place, self._published):
            if not whole:
                raise self._difference("the file is missing", place.path)
            return
        for width, required in widths.items():
            partial = TilePlace(place.level, place.number, width)
            if not self._matches(partial, tile) and required and not whole:
                raise self._difference("the file is missing", partial.path)

    def _matches(self, place: TilePlace, tile: RebuiltTile) -> bool:
        """Whether the file is there; if it is, its bytes are right."""
        found = self._read(place.path)
        if found is None:
            return False
        expected = tile.bundle(place.width) if place.level is None else tile.hashes[: place.width * 32]
        if found != expected:
            raise self._difference("the file's bytes are not those of the entries", place.path)
        self.compared += 1
        return True

    def _widths(self, level: int, number: int) -> dict[int, bool]:
        """The partial widths that stored checkpoints call for, and whether one that was published does."""
        shift = 8 * level
        start, stop = number * TILE_WIDTH << shift, (number + 1) * TILE_WIDTH << shift
        widths: dict[int, bool] = {}
        for size in checkpoint_sizes(self._connection, start - 1, stop - 1):
            if width := (size >> shift) % TILE_WIDTH:
                widths[width] = widths.get(width, False) or size <= self._published
        return widths

    def _belongs(self, path: str) -> bool:
        try:
            place = parse_path(path)
        except BadTilePathError:
            return False
        if place.width == TILE_WIDTH:
            return is_full(place, self._signed)
        shift, position = 8 * (place.level or 0), place.number * TILE_WIDTH + place.width
        called_for = has_checkpoint_between(self._connection, position << shift, (position + 1) << shift)
        return called_for and not is_full(place, self._published)

    def _difference(self, what: str, path: str) -> AuditError:
        return difference(what, str(self._folder / path))

    def _read(self, path: str) -> bytes | None:
        file = self._folder / path
        try:
            return file.read_bytes() if file.is_file() else None
        except OSError as error:
            raise self._difference(f"the file cannot be read: {error.strerror}", path) from error


def _size(note: str) -> int:
    """The size that a checkpoint states; -1, which no checkpoint has, where it states none."""
    try:
        return decode_decimal(note.split("\n", 2)[1])
    except (ValueError, IndexError):
        return -1


def _is_published_form(note: str, stored: SignedCheckpoint) -> bool:
    """The log's note with lines of witnesses below it: some may be stored and not published yet, none the other way."""
    lines = note.removeprefix(stored.note).splitlines(keepends=True)
    return note.startswith(stored.note) and len(set(lines)) == len(lines) and set(lines) <= set(stored.lines)


def _walk(folder: Path) -> Iterator[str]:
    """The paths of all that is not a folder, relative to the folder, in a fixed order."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted([*names, *links]):
            yield (Path(place) / name).relative_to(folder).as_posix()

"""Reads a log from its published files alone: checkpoint and hash tiles (C2SP tlog-tiles).

Nothing that was fetched is believed by itself. A proof made from tiles goes out only after it has led to the root that
the log signed, so a wrong tile can stop an answer and never change one.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ledger import layout
from ledger.checkpoints import open_checkpoint
from ledger.errors import (
    BadProofError,
    EntryUnknownError,
    LogInconsistentError,
    OutOfRangeError,
    PublishedFileError,
)
from ledger.layout import TILE_WIDTH, TilePlace
from ledger.notes import MAX_NOTE, LogKey
from ledger.proof_file import format_proof
from ledger.proofs import consistency_proof, inclusion_proof, range_hash, verify_consistency, verify_inclusion
from ledger.tiles import HashTile, TileNodes
from ledger.tree import HASH_LENGTH, leaf_hash

Fetch = Callable[[str, int], bytes | None]
"""`fetch(path, limit)`: a published file's bytes, or as many as one above the limit; None where there is none."""


@dataclass(frozen=True)
class Extension:
    """The tree of `old` entries, a prefix of that of `new`: both roots, and the consistency proof between them."""

    old: int
    new: int
    old_root: bytes
    new_root: bytes
    proof: tuple[bytes, ...]


class PublishedLog:
    """A log as it was published, up to the newest checkpoint at the time of opening, under `key` or `others` of the log.

    Raises PublishedFileError (a file is missing or has the wrong length), LogInconsistentError (the tiles do not lead
    to the signed root), and at opening what `open_checkpoint` raises.
    """

    def __init__(self, fetch: Fetch, key: LogKey, *others: LogKey) -> None:
        self._fetch = fetch
        self.note = self._file(layout.CHECKPOINT_PATH, MAX_NOTE)
        self.checkpoint = open_checkpoint(self.note, key, *others)

    def inclusion(self, index: int) -> tuple[bytes, list[bytes]]:
        """The leaf hash at `index` and its proof to the checkpoint. Raises OutOfRangeError."""
        size, nodes = self.checkpoint.size, TileNodes(self._tile)
        proof = inclusion_proof(nodes, index, size)
        leaf = nodes(0, index)
        try:
            verify_inclusion(leaf, index, size, proof, self.checkpoint.root)
        except BadProofError as error:
            raise _unproven(f"entry {index}") from error
        return leaf, proof

    def proof_file(self, index: int) -> str:
        """The text of the `.tlog-proof` file of an entry. Raises OutOfRangeError."""
        return format_proof(index, self.inclusion(index)[1], self.note.decode())

    def entry(self, index: int) -> bytes:
        """The entry at `index`, from its bundle. Raises OutOfRangeError, BadBundleError."""
        leaf, _ = self.inclusion(index)
        number, position = divmod(index, TILE_WIDTH)
        path, data, width = self._at(TilePlace(None, number), TILE_WIDTH * (layout.MAX_ENTRY + 2))
        entry = layout.decode_bundle(data, width)[position]
        if leaf_hash(entry) != leaf:
            raise _unproven(path)
        return entry

    def find(self, leaf: bytes) -> int:
        """The index of a leaf hash, read through the tiles of level 0 from the start. Raises EntryUnknownError."""
        for number in range(-(-self.checkpoint.size // TILE_WIDTH)):
            hashes = self._tile(0, number).hashes
            for start in range(0, len(hashes), HASH_LENGTH):
                if hashes[start : start + HASH_LENGTH] == leaf:
                    index = number * TILE_WIDTH + start // HASH_LENGTH
                    self.inclusion(index)
                    return index
        raise EntryUnknownError(
            "no published entry has this leaf hash",
            where=f"leaf hash {leaf.hex()}",
            remedy="check it; a new entry is published within seconds",
        )

    def extension(self, old: int, new: int) -> Extension:
        """That the first `old` entries are a prefix of the first `new`, of any size up to the checkpoint's.

        Both trees are shown to be prefixes of the checkpoint's. Raises OutOfRangeError: sizes reversed, 0, or not
        published.
        """
        if new > self.checkpoint.size:
            raise OutOfRangeError(
                f"size {new} is not published", where="new size", remedy=f"ask up to {self.checkpoint.size}"
            )
        nodes = TileNodes(self._tile)
        proof = consistency_proof(nodes, old, new)
        old_root, new_root = range_hash(nodes, 0, old), range_hash(nodes, 0, new)
        to_signed = consistency_proof(nodes, new, self.checkpoint.size)
        try:
            verify_consistency(old, new, old_root, new_root, proof)
            verify_consistency(new, self.checkpoint.size, new_root, self.checkpoint.root, to_signed)
        except BadProofError as error:
            raise _unproven(f"size {old} to {new}") from error
        return Extension(old, new, old_root, new_root, tuple(proof))

    def _tile(self, level: int, number: int) -> HashTile:
        path, data, width = self._at(TilePlace(level, number), layout.TILE_BYTES)
        if len(data) < width * HASH_LENGTH or len(data) % HASH_LENGTH:
            raise _bad_file("the tile is cut", path)
        return HashTile(data[: width * HASH_LENGTH])

    def _at(self, place: TilePlace, limit: int) -> tuple[str, bytes, int]:
        """Path, bytes and width of a tile or bundle as the checkpoint's size calls for it.

        A log may drop a partial tile once it is full, so the full one is asked for where the partial one is gone.
        """
        count = self.checkpoint.size >> (layout.TILE_HEIGHT * (place.level or 0))
        width = min(count - place.number * TILE_WIDTH, TILE_WIDTH)
        partial = TilePlace(place.level, place.number, width)
        if (data := self._fetched(partial.path, limit)) is not None:
            return partial.path, data, width
        return place.path, self._file(place.path, limit), TILE_WIDTH

    def _file(self, path: str, limit: int) -> bytes:
        if (data := self._fetched(path, limit)) is None:
            raise _bad_file("the file is missing", path)
        return data

    def _fetched(self, path: str, limit: int) -> bytes | None:
        data = self._fetch(path, limit)
        if data is not None and len(data) > limit:
            raise _bad_file(f"the file has more than {limit} bytes", path)
        return data


def _bad_file(what: str, path: str) -> PublishedFileError:
    return PublishedFileError(what, where=path, remedy="fetch it again from the log, or from a mirror of it")


def _unproven(where: str) -> LogInconsistentError:
    return LogInconsistentError(
        "the published tiles do not lead to the signed root",
        where=where,
        remedy="keep them, and tell the log's auditors",
    )

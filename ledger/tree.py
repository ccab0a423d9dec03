"""The Merkle tree of RFC 6962 over entries: hashing, and the right edge that an append needs.

Source: RFC 6962 section 2.1 (kept unchanged by RFC 9162 section 2.1.1).
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from ledger.errors import OutOfRangeError

HASH_LENGTH: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
MAX_SIZE: Final = 2**63 - 1


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256(0x00 || entry), 32 bytes."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes; both inputs are 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The roots of the perfect subtrees of a tree, largest first: all that appending and the root need.

    `hashes` holds one hash per set bit of `size`. Work and memory of an append are O(log size).
    Raises OutOfRangeError when the hashes cannot belong to the size.
    """

    __slots__ = ("hashes", "size")

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if not 0 <= size <= MAX_SIZE or len(self.hashes) != size.bit_count():
            raise OutOfRangeError(
                f"{len(self.hashes)} subtree roots cannot make a tree of size {size}",
                where="compact range",
                remedy="give one root for each set bit of the size",
            )
        for value in self.hashes:
            _require_hash(value)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash (32 bytes) at the right."""
        if len(leaf) != HASH_LENGTH:
            _require_hash(leaf)
        hashes, carry = self.hashes, self.size
        while carry & 1:
            leaf = sha256(b"\x01" + hashes.pop() + leaf).digest()
            carry >>= 1
        hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The tree's root hash; SHA-256 of nothing for the empty tree."""
        return fold_right(self.hashes)


def fold_right(subtrees: list[bytes]) -> bytes:
    """The hash over neighbouring perfect subtrees of falling size, joined from the right."""
    if not subtrees:
        return EMPTY_ROOT
    value = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        value = node_hash(left, value)
    return value


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """The root hash of the tree over these leaf hashes."""
    edge = CompactRange()
    for value in leaf_hashes:
        edge.append(value)
    return edge.root()


def fold_perfect(hashes: list[bytes]) -> bytes:
    """The root of a perfect subtree, from its 2^k nodes of one height."""
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def _require_hash(value: bytes) -> None:
    if len(value) != HASH_LENGTH:
        raise OutOfRangeError(
            f"a hash has {len(value)} bytes", where="Merkle tree", remedy="give SHA-256 values of 32 bytes"
        )

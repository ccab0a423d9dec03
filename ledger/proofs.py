"""Inclusion and consistency proofs: which hashes they hold, and whether they lead to a root.

Proofs list the hashes from the bottom up, as RFC 6962 section 2.1.1 and 2.1.2 give them. Making a proof asks
for nodes by place, so the tree may rest in memory, in tiles or in a database. Checking follows
RFC 9162 sections 2.1.3.2 and 2.1.4.2: iterative, and a proof has exactly one right length.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256

from ledger.errors import BadProofError, OutOfRangeError
from ledger.tree import HASH_LENGTH, MAX_SIZE, fold_perfect, fold_right

NodeReader = Callable[[int, int], bytes]
"""`node(height, index)`: the root of the perfect subtree over leaves [index << height, (index + 1) << height)."""


def nodes_of(leaf_hashes: Sequence[bytes]) -> NodeReader:
    """Nodes over leaf hashes held in memory; a node costs as many hashes as it has leaves."""

    def node(height: int, index: int) -> bytes:
        return fold_perfect(list(leaf_hashes[index << height : (index + 1) << height]))

    return node


def range_hash(node: NodeReader, start: int, stop: int) -> bytes:
    """MTH(D[start:stop]) for a range that a proof names: aligned at its start to its largest subtree."""
    subtrees = []
    while start < stop:
        height = (stop - start).bit_length() - 1
        subtrees.append(node(height, start >> height))
        start += 1 << height
    return fold_right(subtrees)


def inclusion_proof(node: NodeReader, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves. Raises OutOfRangeError."""
    _require_order(0 <= index < size <= MAX_SIZE, f"index {index} is not in a tree of size {size}")
    return [range_hash(node, *place) for place in _inclusion_ranges(index, size)]


def consistency_proof(node: NodeReader, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` leaves is a prefix of that of `new`. Raises OutOfRangeError.

    Every tree extends the empty one, so there is no proof from size 0 and asking for it is an error.
    """
    _require_order(0 < old <= new <= MAX_SIZE, f"no proof leads from size {old} to size {new}")
    return [range_hash(node, *place) for place in _consistency_ranges(old, new)]


def _inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    start, stop, siblings = 0, size, []
    while stop - start > 1:
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        if index < middle:
            siblings.append((middle, stop))
            stop = middle
        else:
            siblings.append((start, middle))
            start = middle
    return siblings[::-1]


def _consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    start, stop, siblings = 0, new, []
    while old != stop:
        middle = start + (1 << (stop - start - 1).bit_length() - 1)
        if old <= middle:
            siblings.append((middle, stop))
            stop = middle
        else:
            siblings.append((start, middle))
            start = middle
    if start > 0:  # else the old root itself is the first hash, and the verifier has it
        siblings.append((start, stop))
    return siblings[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash stands at `index` of the tree with this size and root. Raises BadProofError."""
    if not 0 <= index < size <= MAX_SIZE:
        raise _refused(f"index {index} is not in a tree of size {size}", "inclusion proof")
    # Up to `inner` the path lies below the point where it meets the right edge; above, all siblings are left.
    inner = (index ^ (size - 1)).bit_length()
    _require_hashes(proof, inner + (index >> inner).bit_count(), "inclusion proof")
    _require_hashes((leaf, root), 2, "inclusion proof")
    value, turns = leaf, index | (-1 << inner)
    for sibling in proof:
        value = sha256(b"\x01" + sibling + value if turns & 1 else b"\x01" + value + sibling).digest()
        turns >>= 1
    if value != root:
        raise _refused("the path does not lead to the root", "inclusion proof")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree (old, old_root) is a prefix of the tree (new, new_root). Raises BadProofError.

    `old` is at least 1: that any tree extends the empty one is the caller's special case.
    """
    if not 0 < old <= new <= MAX_SIZE:
        raise _refused(f"no proof leads from size {old} to size {new}", "consistency proof")
    _require_hashes(proof, len(_consistency_ranges(old, new)), "consistency proof")
    _require_hashes((old_root, new_root), 2, "consistency proof")
    if old == new:
        computed = (old_root, old_root)
    else:
        path = proof if old & (old - 1) else [old_root, *proof]
        computed = _climb(old, new, path)
    if computed != (old_root, new_root):
        raise _refused("the proof does not lead to both roots", "consistency proof")


def _climb(old: int, new: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a consistency path of the right length leads to (RFC 9162 section 2.1.4.2)."""
    turns, edge = old - 1, new - 1
    while turns & 1:
        turns, edge = turns >> 1, edge >> 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if turns & 1 or turns == edge:
            old_value = sha256(b"\x01" + sibling + old_value).digest()
            new_value = sha256(b"\x01" + sibling + new_value).digest()
            while turns and not turns & 1:
                turns, edge = turns >> 1, edge >> 1
        else:
            new_value = sha256(b"\x01" + new_value + sibling).digest()
        turns, edge = turns >> 1, edge >> 1
    return old_value, new_value


def _require_hashes(hashes: Sequence[bytes], count: int, where: str) -> None:
    if len(hashes) != count:
        raise _refused(f"the proof has {len(hashes)} hashes and must have {count}", where)
    if set(map(len, hashes)) - {HASH_LENGTH}:
        raise _refused("a hash is not 32 bytes long", where)


def _require_order(holds: bool, what: str) -> None:
    if not holds:
        raise OutOfRangeError(what, where="Merkle proof", remedy="ask within the size of the tree")


def _refused(what: str, where: str) -> BadProofError:
    return BadProofError(what, where=where, remedy="refuse the evidence and ask the log for a new proof")

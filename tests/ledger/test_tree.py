"""The tree against the definitions of RFC 6962, and against another library."""

from functools import cache
from hashlib import sha256

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    EMPTY_ROOT,
    BadProofError,
    CompactRange,
    OutOfRangeError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.logs import entry_bytes, naive_path, naive_proof, naive_root

LARGEST = 70
ENTRIES = [entry_bytes(n) for n in range(LARGEST)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
NODES = nodes_of(LEAVES)


@cache
def root_of(size: int) -> bytes:
    return naive_root(ENTRIES[:size])


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root([]) == EMPTY_ROOT == sha256(b"").digest()


@pytest.mark.parametrize("size", range(LARGEST + 1))
def test_root_is_that_of_the_definition(size: int) -> None:
    assert root(LEAVES[:size]) == root_of(size)


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_inclusion_proofs_are_those_of_the_definition_and_verify(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(NODES, index, size)
        assert proof == naive_path(index, ENTRIES[:size])
        verify_inclusion(LEAVES[index], index, size, proof, root_of(size))


@pytest.mark.parametrize("new", range(1, LARGEST + 1))
def test_consistency_proofs_are_those_of_the_definition_and_verify(new: int) -> None:
    for old in range(1, new + 1):
        proof = consistency_proof(NODES, old, new)
        assert proof == naive_proof(old, ENTRIES[:new])
        verify_consistency(old, new, root_of(old), root_of(new), proof)


@pytest.mark.parametrize("size", range(2, 20))
def test_a_proof_holds_at_no_other_place(size: int) -> None:
    for index in range(size):
        proof = inclusion_proof(NODES, index, size)
        for other in set(range(size)) - {index}:
            with pytest.raises(BadProofError):
                verify_inclusion(LEAVES[index], other, size, proof, root_of(size))


@given(st.lists(st.binary(max_size=40), max_size=300))
def test_root_of_any_entries(entries: list[bytes]) -> None:
    assert root(map(leaf_hash, entries)) == naive_root(entries)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=100))
def test_another_library_gives_the_same_root(entries: list[bytes]) -> None:
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in entries:
        theirs.append_entry(entry)
    assert not entries or root(map(leaf_hash, entries)) == theirs.get_root()


@given(st.data(), st.integers(2, LARGEST))
def test_no_changed_byte_of_a_proof_is_taken(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(NODES, index, size)
    which = data.draw(st.integers(0, len(proof) - 1))
    position, flip = data.draw(st.integers(0, 31)), data.draw(st.integers(1, 255))
    changed = bytearray(proof[which])
    changed[position] ^= flip
    proof[which] = bytes(changed)
    with pytest.raises(BadProofError):
        verify_inclusion(LEAVES[index], index, size, proof, root_of(size))


@given(st.data(), st.integers(2, LARGEST))
def test_no_changed_byte_of_a_consistency_proof_is_taken(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new - 1))
    proof = consistency_proof(NODES, old, new)
    which = data.draw(st.integers(0, len(proof) - 1))
    changed = bytearray(proof[which])
    changed[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
    proof[which] = bytes(changed)
    with pytest.raises(BadProofError):
        verify_consistency(old, new, root_of(old), root_of(new), proof)


@given(
    st.integers(-2, 40),
    st.integers(-2, 40),
    st.lists(st.binary(min_size=30, max_size=33), max_size=8),
    st.binary(max_size=33),
)
def test_proofs_from_anybody_raise_only_our_error(first: int, second: int, proof: list[bytes], value: bytes) -> None:
    if not (second == 1 and first == 0 and proof == []):
        with pytest.raises(BadProofError):
            verify_inclusion(value, first, second, proof, root_of(40))
    if first != second:
        with pytest.raises(BadProofError):
            verify_consistency(first, second, value, root_of(40), proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5), (6, 5)])
def test_no_inclusion_proof_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(OutOfRangeError):
        inclusion_proof(NODES, index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 0), (0, 5), (6, 5), (-1, 5)])
def test_no_consistency_proof_from_nothing_or_backwards(old: int, new: int) -> None:
    with pytest.raises(OutOfRangeError):
        consistency_proof(NODES, old, new)


@pytest.mark.parametrize(("size", "hashes"), [(3, [bytes(32)]), (1, []), (0, [bytes(32)]), (1, [bytes(31)]), (-1, [])])
def test_a_compact_range_fits_its_size(size: int, hashes: list[bytes]) -> None:
    with pytest.raises(OutOfRangeError):
        CompactRange(size, hashes)


def test_a_short_leaf_hash_is_not_appended() -> None:
    with pytest.raises(OutOfRangeError):
        CompactRange().append(bytes(31))

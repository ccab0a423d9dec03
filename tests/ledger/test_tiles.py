"""Nodes out of tiles are those of the leaves, whether or not a full tile's inner roots are kept beside it."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    HashTile,
    LogInconsistentError,
    TileNodes,
    consistency_proof,
    inclusion_proof,
    inner_hashes,
    nodes_of,
    root,
    tree,
)

SIZE = 3 * 256 + 77
LEAVES = [sha256(b"%d" % number).digest() for number in range(SIZE)]
NODES = nodes_of(LEAVES)


def read(level: int, number: int) -> HashTile:
    step = 256**level
    places = range(number * 256 * step, min((number + 1) * 256, SIZE // step) * step, step)
    hashes = b"".join(root(LEAVES[place : place + step]) for place in places)
    return HashTile(hashes, inner_hashes(hashes) if len(hashes) == 8192 else b"")


def bare(level: int, number: int) -> HashTile:
    return HashTile(read(level, number).hashes)


@pytest.mark.parametrize("height", range(10))
def test_each_node_is_that_of_the_leaves(height: int) -> None:
    for index in range(SIZE >> height):
        assert TileNodes(read)(height, index) == TileNodes(bare)(height, index) == NODES(height, index)


@given(st.integers(1, SIZE), st.data())
def test_proofs_are_those_over_the_leaves(size: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, size - 1))
    assert inclusion_proof(TileNodes(read), place, size) == inclusion_proof(NODES, place, size)
    assert consistency_proof(TileNodes(read), place + 1, size) == consistency_proof(NODES, place + 1, size)


def test_inner_roots_spare_most_of_the_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    def hashed(reader: TileNodes) -> int:
        """How many nodes the eight siblings in a full tile took."""
        count = 0
        whole = tree.node_hash

        def counted(left: bytes, right: bytes) -> bytes:
            nonlocal count
            count += 1
            return whole(left, right)

        with monkeypatch.context() as patched:
            patched.setattr(tree, "node_hash", counted)
            for height in range(8):
                reader(height, (5 >> height) ^ 1)
        return count

    tiles = {(0, 0): read(0, 0)}
    assert hashed(TileNodes(lambda level, number: tiles[level, number])) == 22


@pytest.mark.parametrize("tile", [HashTile(b""), HashTile(bytes(31)), HashTile(bytes(32 * 7))])
def test_a_tile_that_lacks_hashes_is_named(tile: HashTile) -> None:
    with pytest.raises(LogInconsistentError) as caught:
        TileNodes(lambda _level, _number: tile)(3, 0)
    assert caught.value.where == "node 0/0"

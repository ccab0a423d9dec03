"""Proofs with one named defect each: none is believed."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from ledger import (
    BadProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.ledger.logs import entry_bytes

LEAVES = [leaf_hash(entry_bytes(n)) for n in range(11)]
NODES = nodes_of(LEAVES)


@dataclass(frozen=True)
class Inclusion:
    leaf: bytes
    index: int
    size: int
    proof: tuple[bytes, ...]
    root: bytes


@dataclass(frozen=True)
class Consistency:
    old: int
    new: int
    old_root: bytes
    new_root: bytes
    proof: tuple[bytes, ...]


GOOD = Inclusion(LEAVES[6], 6, 11, tuple(inclusion_proof(NODES, 6, 11)), root(LEAVES))
GROWN = Consistency(6, 11, root(LEAVES[:6]), root(LEAVES), tuple(consistency_proof(NODES, 6, 11)))

INCLUSION_DEFECTS: dict[str, Callable[[Inclusion], Inclusion]] = {
    "another_leaf": lambda i: replace(i, leaf=LEAVES[7]),
    "short_leaf_hash": lambda i: replace(i, leaf=i.leaf[:31]),
    "the_entry_instead_of_its_hash": lambda i: replace(i, leaf=entry_bytes(6)),
    "neighbouring_index": lambda i: replace(i, index=7),
    "negative_index": lambda i: replace(i, index=-1),
    "index_at_the_size": lambda i: replace(i, index=11),
    "smaller_size": lambda i: replace(i, size=7),
    "larger_size_of_equal_length": lambda i: replace(i, size=17),
    "size_beyond_all_logs": lambda i: replace(i, size=2**64),
    "cut_proof": lambda i: replace(i, proof=i.proof[:-1]),
    "hash_too_many": lambda i: replace(i, proof=(*i.proof, bytes(32))),
    "empty_proof": lambda i: replace(i, proof=()),
    "swapped_hashes": lambda i: replace(i, proof=(i.proof[1], i.proof[0], *i.proof[2:])),
    "short_hash": lambda i: replace(i, proof=(i.proof[0][:31], *i.proof[1:])),
    "long_hash": lambda i: replace(i, proof=(i.proof[0] + b"\0", *i.proof[1:])),
    "another_root": lambda i: replace(i, root=root(LEAVES[:10])),
    "short_root": lambda i: replace(i, root=i.root[:31]),
    "proof_of_another_entry": lambda i: replace(i, proof=tuple(inclusion_proof(NODES, 5, 11))),
}

CONSISTENCY_DEFECTS: dict[str, Callable[[Consistency], Consistency]] = {
    "sizes_the_wrong_way_round": lambda c: replace(c, old=c.new, new=c.old),
    "from_the_empty_tree": lambda c: replace(c, old=0),
    "other_old_size": lambda c: replace(c, old=5),
    "new_size_of_another_shape": lambda c: replace(c, new=17),
    "another_old_root": lambda c: replace(c, old_root=root(LEAVES[:5])),
    "another_new_root": lambda c: replace(c, new_root=root(LEAVES[:10])),
    "roots_swapped": lambda c: replace(c, old_root=c.new_root, new_root=c.old_root),
    "cut_proof": lambda c: replace(c, proof=c.proof[:-1]),
    "hash_too_many": lambda c: replace(c, proof=(*c.proof, bytes(32))),
    "empty_proof": lambda c: replace(c, proof=()),
    "short_hash": lambda c: replace(c, proof=(c.proof[0][:31], *c.proof[1:])),
    "reversed_proof": lambda c: replace(c, proof=c.proof[::-1]),
    "equal_sizes_with_other_roots": lambda c: replace(c, old=11, proof=()),
    "equal_sizes_with_a_proof": lambda c: replace(c, old=11, old_root=c.new_root),
}


def check_inclusion(inclusion: Inclusion) -> None:
    verify_inclusion(inclusion.leaf, inclusion.index, inclusion.size, inclusion.proof, inclusion.root)


def check_consistency(grown: Consistency) -> None:
    verify_consistency(grown.old, grown.new, grown.old_root, grown.new_root, grown.proof)


def test_the_proofs_without_defect_hold() -> None:
    check_inclusion(GOOD)
    check_consistency(GROWN)


@pytest.mark.parametrize("defect", INCLUSION_DEFECTS)
def test_inclusion_refused(defect: str) -> None:
    with pytest.raises(BadProofError) as caught:
        check_inclusion(INCLUSION_DEFECTS[defect](GOOD))
    assert caught.value.code == "bad_proof"


@pytest.mark.parametrize("defect", CONSISTENCY_DEFECTS)
def test_consistency_refused(defect: str) -> None:
    with pytest.raises(BadProofError):
        check_consistency(CONSISTENCY_DEFECTS[defect](GROWN))

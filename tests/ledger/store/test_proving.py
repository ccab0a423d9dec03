"""Proofs to published sizes, on both databases: right to each of them, an error of its own for any other, nothing written."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, select

from ledger import (
    EntryUnknownError,
    LedgerError,
    NoteSigner,
    OutOfRangeError,
    UnpublishedSizeError,
    leaf_hash,
    open_checkpoint,
    parse_proof,
    verify_consistency,
    verify_proof,
)
from ledger.store import metadata, proof_file, publish, published, published_consistency, snapshot
from tests.ledger.logs import NOW, entry_bytes

Grow = Callable[[Engine, int], None]
SIZES = (3, 257, 300)


@pytest.fixture
def log(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> Engine:
    """Three checkpoints, and entries after the last."""
    for size in SIZES:
        grow(engine, size)
        publish(engine, signer, folder, NOW)
    grow(engine, 310)
    return engine


def test_each_published_size_has_its_proofs(log: Engine, signer: NoteSigner) -> None:
    with snapshot(log) as connection:
        for size in SIZES:
            for index in (0, size - 1):
                found = parse_proof(proof_file(connection, index, size))
                assert verify_proof(found, leaf_hash(entry_bytes(index)), signer.log_key).size == size
        assert published(connection) == published(connection, 300)
        assert proof_file(connection, 2) == proof_file(connection, 2, 300)
        for old, new in ((3, 257), (257, 300), (3, 3)):
            proof = published_consistency(connection, old, new)
            roots = [open_checkpoint(published(connection, size).note, signer.log_key).root for size in (old, new)]
            verify_consistency(old, new, roots[0], roots[1], proof)


REFUSED: dict[str, tuple[Callable[..., object], type[LedgerError]]] = {
    "size_never_published": (lambda c: proof_file(c, 0, 4), UnpublishedSizeError),
    "size_that_waits_for_its_checkpoint": (lambda c: proof_file(c, 0, 310), UnpublishedSizeError),
    "size_below_nothing": (lambda c: proof_file(c, 0, -1), UnpublishedSizeError),
    "entry_that_waits_for_a_checkpoint": (lambda c: proof_file(c, 305), UnpublishedSizeError),
    "entry_after_an_older_checkpoint": (lambda c: proof_file(c, 3, 3), UnpublishedSizeError),
    "entry_beyond_the_log": (lambda c: proof_file(c, 310), EntryUnknownError),
    "entry_far_beyond_the_log": (lambda c: proof_file(c, 10**30), EntryUnknownError),
    "entry_beyond_the_log_to_a_published_size": (lambda c: proof_file(c, 310, 300), EntryUnknownError),
    "size_beyond_what_databases_take": (lambda c: proof_file(c, 0, 10**30), UnpublishedSizeError),
    "negative_index": (lambda c: proof_file(c, -1), OutOfRangeError),
    "old_size_never_published": (lambda c: published_consistency(c, 4, 300), UnpublishedSizeError),
    "new_size_never_published": (lambda c: published_consistency(c, 3, 310), UnpublishedSizeError),
    "sizes_reversed": (lambda c: published_consistency(c, 300, 3), OutOfRangeError),
    "from_the_empty_log": (lambda c: published_consistency(c, 0, 300), OutOfRangeError),
}


@pytest.mark.parametrize("defect", REFUSED)
def test_what_no_checkpoint_covers_is_refused(log: Engine, defect: str) -> None:
    ask, error = REFUSED[defect]
    before = rows(log)
    with snapshot(log) as connection, pytest.raises(error) as caught:
        ask(connection)
    assert caught.value.where
    assert caught.value.remedy
    assert rows(log) == before


@pytest.mark.parametrize("new", [301, 311, 10**30])
@pytest.mark.parametrize("old", [3, 4])
def test_of_two_sizes_the_new_one_is_blamed_first(log: Engine, old: int, new: int) -> None:
    with snapshot(log) as connection, pytest.raises(UnpublishedSizeError, match=f"size {new} was") as caught:
        published_consistency(connection, old, new)
    assert caught.value.where == "new size"


def test_a_new_checkpoint_is_promised_where_one_will_come(log: Engine, signer: NoteSigner, folder: Path) -> None:
    """Ten entries wait for theirs; when they have it, nothing more is to come."""
    asked: list[Callable[[Connection], object]] = [
        lambda c: proof_file(c, 305),
        lambda c: proof_file(c, 0, 4),
        lambda c: published_consistency(c, 3, 999),
    ]
    for ask in asked:
        with snapshot(log) as connection, pytest.raises(UnpublishedSizeError) as caught:
            ask(connection)
        assert "newest is 300; a new one comes within seconds" in caught.value.remedy
    publish(log, signer, folder, NOW)
    for ask in (lambda c: proof_file(c, 305, 300), *asked[1:]):
        with snapshot(log) as connection, pytest.raises(UnpublishedSizeError) as caught:
            ask(connection)
        assert caught.value.remedy.endswith("newest is 310")


def test_before_the_first_checkpoint_nothing_is_published(engine: Engine, grow: Grow) -> None:
    grow(engine, 3)
    with snapshot(engine) as connection:
        for ask in (published, lambda c: proof_file(c, 0), lambda c: published_consistency(c, 1, 2)):
            with pytest.raises(UnpublishedSizeError):
                ask(connection)


def rows(log: Engine) -> list[int | None]:
    with snapshot(log) as connection:
        return [connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables]

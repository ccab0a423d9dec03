"""A log read from its published files alone: right answers, or an error that names the file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from ledger import (
    BadBundleError,
    BadNoteError,
    EntryUnknownError,
    LedgerError,
    LogInconsistentError,
    NoteSigner,
    OutOfRangeError,
    PublishedFileError,
    PublishedLog,
    entries_path,
    leaf_hash,
    parse_proof,
    tile_path,
    verify_proof,
)
from ledger.store import publish
from tests.ledger.cases import fetch_from
from tests.ledger.logs import NOW, entry_bytes, naive_path, naive_proof, naive_root

SIZE = 600
ENTRIES = [entry_bytes(number) for number in range(SIZE)]
Grow = Callable[[Engine, int], None]


@pytest.fixture
def published(sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> Path:
    grow(sqlite_log, SIZE)
    publish(sqlite_log, signer, folder, NOW)
    return folder


@pytest.fixture
def log(published: Path, signer: NoteSigner) -> PublishedLog:
    return PublishedLog(fetch_from(published), signer.log_key)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(index=st.integers(0, SIZE - 1), sizes=st.tuples(st.integers(1, SIZE), st.integers(1, SIZE)).map(sorted))
def test_proofs_from_tiles_are_those_of_the_definition(log: PublishedLog, index: int, sizes: list[int]) -> None:
    old, new = sizes
    leaf, proof = log.inclusion(index)
    assert (leaf, proof) == (leaf_hash(ENTRIES[index]), naive_path(index, ENTRIES))
    extension = log.extension(old, new)
    assert list(extension.proof) == naive_proof(old, ENTRIES[:new])
    assert (extension.old_root, extension.new_root) == (naive_root(ENTRIES[:old]), naive_root(ENTRIES[:new]))


@pytest.mark.parametrize("index", [0, 255, 256, 511, 512, 599])
def test_an_entry_comes_with_its_proof(log: PublishedLog, signer: NoteSigner, index: int) -> None:
    assert log.entry(index) == ENTRIES[index]
    assert log.find(leaf_hash(ENTRIES[index])) == index
    proof_file = parse_proof(log.proof_file(index))
    assert verify_proof(proof_file, leaf_hash(ENTRIES[index]), signer.log_key) == log.checkpoint


def test_few_files_are_read(published: Path, signer: NoteSigner) -> None:
    """Checkpoint, and a tile per level; the bundles, which not everybody may read, are not needed."""
    asked: list[str] = []

    def fetch(path: str, limit: int) -> bytes | None:
        asked.append(path)
        return fetch_from(published)(path, limit)

    PublishedLog(fetch, signer.log_key).proof_file(17)
    assert sorted(asked) == ["checkpoint", "tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"]


def test_a_partial_tile_that_is_gone_is_read_from_the_full_one(
    sqlite_log: Engine, signer: NoteSigner, published: Path, folder: Path, grow: Grow
) -> None:
    note = (published / "checkpoint").read_bytes()
    grow(sqlite_log, 800)
    publish(sqlite_log, signer, folder, NOW)
    assert not (folder / tile_path(0, 2, 88)).exists()

    def fetch(path: str, limit: int) -> bytes | None:
        return note if path == "checkpoint" else fetch_from(folder)(path, limit)

    log = PublishedLog(fetch, signer.log_key)
    assert log.checkpoint.size == SIZE
    assert log.entry(599) == ENTRIES[599]
    assert log.inclusion(599)[1] == naive_path(599, ENTRIES)


@pytest.mark.parametrize("index", [-1, SIZE, 10**9])
def test_no_proof_outside_the_log(log: PublishedLog, index: int) -> None:
    for ask in (log.inclusion, log.proof_file, log.entry):
        with pytest.raises(OutOfRangeError):
            ask(index)


@pytest.mark.parametrize(("old", "new"), [(5, 4), (0, 4), (-1, 4), (4, SIZE + 1), (SIZE + 1, SIZE + 1)])
def test_no_extension_reversed_from_nothing_or_beyond(log: PublishedLog, old: int, new: int) -> None:
    with pytest.raises(OutOfRangeError):
        log.extension(old, new)


def test_an_unknown_leaf_hash_is_not_found(log: PublishedLog) -> None:
    with pytest.raises(EntryUnknownError):
        log.find(leaf_hash(b"unknown"))


def changed(data: bytes) -> bytes:
    return data[:9] + bytes([data[9] ^ 1]) + data[10:]


BAD_FILES: dict[str, tuple[str, Callable[[bytes], bytes | None], type[LedgerError]]] = {
    "missing_checkpoint": ("checkpoint", lambda _: None, PublishedFileError),
    "endless_checkpoint": ("checkpoint", lambda _: bytes(2_000_000), PublishedFileError),
    "changed_checkpoint": ("checkpoint", lambda data: data.replace(b"\n", b"\r\n"), BadNoteError),
    "missing_tile": (tile_path(0, 0), lambda _: None, PublishedFileError),
    "empty_tile": (tile_path(0, 0), lambda _: b"", PublishedFileError),
    "cut_tile": (tile_path(0, 0), lambda data: data[:-1], PublishedFileError),
    "tile_a_hash_short": (tile_path(0, 0), lambda data: data[:-32], PublishedFileError),
    "endless_tile": (tile_path(0, 0), lambda data: data + b"\0", PublishedFileError),
    "changed_tile": (tile_path(0, 0), changed, LogInconsistentError),
    "changed_upper_tile": (tile_path(1, 0, 2), lambda data: data[:32] + changed(data[32:]), LogInconsistentError),
    "changed_edge": (tile_path(0, 2, 88), changed, LogInconsistentError),
    "missing_bundle": (entries_path(0), lambda _: None, PublishedFileError),
    "cut_bundle": (entries_path(0), lambda data: data[:-1], BadBundleError),
    "changed_entry": (entries_path(0), changed, LogInconsistentError),
}


@pytest.mark.parametrize("defect", BAD_FILES)
def test_a_bad_file_stops_the_answer(published: Path, signer: NoteSigner, defect: str) -> None:
    bad, change, error = BAD_FILES[defect]

    def fetch(path: str, limit: int) -> bytes | None:
        data = fetch_from(published)(path, 10**9)
        return change(data) if path == bad and data is not None else data

    with pytest.raises(error):
        PublishedLog(fetch, signer.log_key).entry(0)


def test_a_false_tile_stops_a_consistency_proof(published: Path, signer: NoteSigner) -> None:
    tile = published / tile_path(1, 0, 2)
    tile.write_bytes(changed(tile.read_bytes()))
    with pytest.raises(LogInconsistentError):
        PublishedLog(fetch_from(published), signer.log_key).extension(300, 500)

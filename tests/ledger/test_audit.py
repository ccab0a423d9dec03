"""The audit finds one changed byte, a lost row or file and an added one, wherever, and names the place."""

import shutil
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, delete, insert, select, update

from ledger import (
    CHECKPOINT_PATH,
    AuditError,
    ForkError,
    NoLogError,
    NoteSigner,
    PublicationBusyError,
    RollbackError,
    StallError,
    chain_next,
    chain_start,
    leaf_hash,
    parse_path,
    root,
    sign_checkpoint,
)
from ledger import Checkpoint as SignedText
from ledger.audit import AuditReport, Shown, audit, kept, require_extends, require_fresh, shown
from ledger.store import append, begin, create_log, head, metadata, publish, snapshot, sqlite_engine
from ledger.store import files as durable_files
from tests.ledger.logs import NOW, entry_bytes

Grow = Callable[[Engine, int], None]
HEAD, ENTRY, NODE, CHECKPOINT = (metadata.tables[f"ledger_{name}"] for name in ("head", "entry", "node", "checkpoint"))
SIZES = (3, 300, 530)


def published(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> Engine:
    """530 entries with three published checkpoints."""
    for size in SIZES:
        grow(engine, size)
        publish(engine, signer, folder, NOW)
    return engine


def checker(log: Engine, signer: NoteSigner, folder: Path) -> Callable[[], AuditReport]:
    def run() -> AuditReport:
        with snapshot(log) as connection:
            return audit(connection, signer.log_key, folder)

    return run


@pytest.fixture
def log(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> Engine:
    return published(engine, signer, folder, grow)


@pytest.fixture
def check(log: Engine, signer: NoteSigner, folder: Path) -> Callable[[], AuditReport]:
    return checker(log, signer, folder)


@pytest.fixture
def check_files(sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> Callable[[], AuditReport]:
    """For defects of the folder, which do not depend on the database."""
    return checker(published(sqlite_log, signer, folder, grow), signer, folder)


def flip(data: bytes, position: int = 0) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def change(connection: Connection, table: Any, column: str, where: Any) -> None:
    """Flip a bit of the first byte of a column's value."""
    value = connection.scalars(select(table.c[column]).where(where)).one()
    connection.execute(update(table).where(where).values({column: flip(value)}))


def test_a_sound_log_is_reported(check: Callable[[], AuditReport]) -> None:
    report = check()
    assert (report.size, report.checkpoints) == (530, 3)
    assert report.root == root([leaf_hash(entry_bytes(n)) for n in range(530)])
    assert report.tiles == len(PUBLISHED) - 1


def test_the_folder_need_not_be_there(log: Engine, signer: NoteSigner) -> None:
    with snapshot(log) as connection:
        assert audit(connection, signer.log_key).tiles == 0


def test_progress_is_told(log: Engine, signer: NoteSigner) -> None:
    told: list[tuple[int, int]] = []
    with snapshot(log) as connection:
        audit(connection, signer.log_key, None, lambda done, total: told.append((done, total)))
    assert told == [(256, 530), (512, 530), (530, 530)]


def test_an_empty_log_is_sound(engine: Engine, signer: NoteSigner, folder: Path) -> None:
    publish(engine, signer, folder, NOW)
    with snapshot(engine) as connection:
        assert audit(connection, signer.log_key, folder).size == 0


def test_entries_after_the_last_checkpoint_are_sound(log: Engine, check: Callable[[], AuditReport], grow: Grow) -> None:
    grow(log, 800)
    assert check().size == 800


def note_at(connection: Connection, size: int) -> str:
    return str(connection.scalar(select(CHECKPOINT.c.note).where(CHECKPOINT.c.size == size)))


CHANGES: dict[str, tuple[str, Callable[[Connection], object]]] = {
    "entry_byte": ("entry 17", lambda c: change(c, ENTRY, "data", ENTRY.c.index == 17)),
    "entry_byte_in_the_partial_tile": ("entry 529", lambda c: change(c, ENTRY, "data", ENTRY.c.index == 529)),
    "leaf_hash": ("leaf hash 17", lambda c: change(c, ENTRY, "leaf_hash", ENTRY.c.index == 17)),
    "chain_value": ("chain at 17", lambda c: change(c, ENTRY, "chain", ENTRY.c.index == 17)),
    "chain_value_at_the_end": ("chain at 529", lambda c: change(c, ENTRY, "chain", ENTRY.c.index == 529)),
    "entry_lost": ("entry 17", lambda c: c.execute(delete(ENTRY).where(ENTRY.c.index == 17))),
    "first_entry_lost": ("entry 0", lambda c: c.execute(delete(ENTRY).where(ENTRY.c.index == 0))),
    "last_entry_lost": ("entry 529", lambda c: c.execute(delete(ENTRY).where(ENTRY.c.index == 529))),
    "entry_added": (
        "entry 530",
        lambda c: c.execute(insert(ENTRY).values(index=530, leaf_hash=bytes(32), chain=bytes(32), data=b"x")),
    ),
    "entry_added_before_the_first": (
        "entry -1",
        lambda c: c.execute(insert(ENTRY).values(index=-1, leaf_hash=bytes(32), chain=bytes(32), data=b"x")),
    ),
    "node": ("node 0/1", lambda c: change(c, NODE, "hashes", (NODE.c.level == 0) & (NODE.c.number == 1))),
    "inner_root": ("node 0/1", lambda c: change(c, NODE, "inner_hashes", (NODE.c.level == 0) & (NODE.c.number == 1))),
    "inner_roots_lost": (
        "node 0/1",
        lambda c: c.execute(update(NODE).where(NODE.c.number == 1).values(inner_hashes=None)),
    ),
    "growing_node": ("node 1/0", lambda c: change(c, NODE, "hashes", NODE.c.level == 1)),
    "node_lost": ("node 0/0", lambda c: c.execute(delete(NODE).where(NODE.c.level == 0, NODE.c.number == 0))),
    "node_added": ("node 0/7", lambda c: c.execute(insert(NODE).values(level=0, number=7, hashes=bytes(32)))),
    "node_added_at_the_edge": (
        "node 0/2",
        lambda c: c.execute(insert(NODE).values(level=0, number=2, hashes=bytes(32))),
    ),
    "level_added": ("node 2/0", lambda c: c.execute(insert(NODE).values(level=2, number=0, hashes=bytes(32)))),
    "checkpoint_note": (
        "checkpoint of size 300",
        lambda c: c.execute(update(CHECKPOINT).where(CHECKPOINT.c.size == 300).values(note="x" + note_at(c, 300)[1:])),
    ),
    "checkpoint_size": (
        "checkpoint of size 301",
        lambda c: c.execute(update(CHECKPOINT).where(CHECKPOINT.c.size == 300).values(size=301)),
    ),
    "checkpoint_lost": (
        "checkpoint number 1",
        lambda c: c.execute(delete(CHECKPOINT).where(CHECKPOINT.c.size == 300)),
    ),
    "last_checkpoint_lost": (
        "checkpoint",
        lambda c: c.execute(delete(CHECKPOINT).where(CHECKPOINT.c.size == 530)),
    ),
    "checkpoint_renumbered": (
        "checkpoint number 2",
        lambda c: c.execute(update(CHECKPOINT).where(CHECKPOINT.c.size == 530).values(number=7)),
    ),
    "head_origin": ("head", lambda c: c.execute(update(HEAD).values(origin="other.example"))),
    "head_chain": ("head", lambda c: change(c, HEAD, "chain", HEAD.c.id == 1)),
    "head_edge": ("head", lambda c: change(c, HEAD, "frontier", HEAD.c.id == 1)),
    "head_edge_too_short": ("head", lambda c: c.execute(update(HEAD).values(frontier=b""))),
    "head_size": ("head", lambda c: c.execute(update(HEAD).values(size=531))),
    "head_size_of_an_edge_as_long": ("entry 522", lambda c: c.execute(update(HEAD).values(size=522))),
    "head_checkpoints": ("checkpoint number 3", lambda c: c.execute(update(HEAD).values(checkpoints=4))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_in_the_database_is_named(
    log: Engine, check: Callable[[], AuditReport], folder: Path, name: str
) -> None:
    where, tamper = CHANGES[name]
    with begin(log) as connection:
        tamper(connection)
    with pytest.raises(AuditError) as caught:
        check()
    assert caught.value.where == (str(folder / where) if where == CHECKPOINT_PATH else where)


def test_a_signed_checkpoint_of_another_tree_is_named(
    log: Engine, signer: NoteSigner, check: Callable[[], AuditReport]
) -> None:
    """The signature is right: the log itself lied at size 300."""
    note = sign_checkpoint(SignedText(signer.name, 300, leaf_hash(b"another tree")), signer)
    with begin(log) as connection:
        connection.execute(update(CHECKPOINT).where(CHECKPOINT.c.size == 300).values(note=note))
    with pytest.raises(AuditError) as caught:
        check()
    assert caught.value.where == "checkpoint of size 300"


def test_an_edited_entry_with_all_hashes_made_to_fit_is_found_by_the_signed_root(
    engine: Engine, signer: NoteSigner, grow: Grow, folder: Path
) -> None:
    grow(engine, 1)
    publish(engine, signer, folder, NOW)
    leaf = leaf_hash(b"edited")
    chain = chain_next(chain_start(signer.name), leaf)
    with begin(engine) as connection:
        connection.execute(update(ENTRY).values(data=b"edited", leaf_hash=leaf, chain=chain))
        connection.execute(update(HEAD).values(chain=chain, frontier=leaf))
    with snapshot(engine) as connection, pytest.raises(AuditError) as caught:
        audit(connection, signer.log_key)
    assert caught.value.where == "checkpoint of size 1"


PUBLISHED = [
    "checkpoint",
    "tile/0/000",
    "tile/0/001",
    "tile/0/002.p/18",
    "tile/1/000.p/1",
    "tile/1/000.p/2",
    "tile/entries/000",
    "tile/entries/001",
    "tile/entries/002.p/18",
]


@pytest.mark.parametrize("path", PUBLISHED)
@pytest.mark.parametrize("defect", ["flipped", "cut", "lengthened", "removed", "emptied"])
def test_a_changed_file_is_named(check_files: Callable[[], AuditReport], folder: Path, path: str, defect: str) -> None:
    file = folder / path
    data = file.read_bytes()
    file.unlink()
    if defect != "removed":
        made = {"flipped": flip(data, len(data) // 2), "cut": data[:-1], "lengthened": data + b"\0", "emptied": b""}
        file.write_bytes(made[defect])
    with pytest.raises(AuditError) as caught:
        check_files()
    assert caught.value.where == str(folder / path)


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "checkpoint.tmp",
        "tile/0/002",
        "tile/0/003",
        "tile/0/001.p/44",
        "tile/0/002.p/19",
        "tile/1/000.p/3",
        "tile/2/000.p/1",
        "tile/entries/003.p/1",
        "tile/entries/000.p/3",
    ],
)
def test_an_added_file_is_named(check_files: Callable[[], AuditReport], folder: Path, path: str) -> None:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(b"added")
    with pytest.raises(AuditError) as caught:
        check_files()
    assert caught.value.where == str(folder / path)


def test_a_lost_earlier_partial_tile_is_named(
    log: Engine, signer: NoteSigner, folder: Path, check: Callable[[], AuditReport], grow: Grow
) -> None:
    grow(log, 540)
    publish(log, signer, folder, NOW)
    assert check().checkpoints == 4
    (folder / "tile/entries/002.p/18").unlink()
    with pytest.raises(AuditError) as caught:
        check()
    assert caught.value.where == str(folder / "tile/entries/002.p/18")


def test_a_lost_folder_is_named(check_files: Callable[[], AuditReport], folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(AuditError) as caught:
        check_files()
    assert caught.value.where == str(folder)


def test_before_the_first_checkpoint_no_folder_is_called_for(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    grow(sqlite_log, 3)
    assert checker(sqlite_log, signer, folder)().tiles == 0


def test_a_leftover_of_a_cut_publication_is_harmless(check_files: Callable[[], AuditReport], folder: Path) -> None:
    (folder / "publication.tmp").write_bytes(b"half a tile")
    assert check_files().checkpoints == 3


def checkpoint_of(signer: NoteSigner, size: int, *, other: bool = False) -> SignedText:
    """What the log signed at a size, or what a log of other entries would have signed."""
    entries = [entry_bytes(n) for n in range(size)]
    return SignedText(signer.name, size, root(map(leaf_hash, [b"other", *entries[1:]] if other else entries)))


def shown_log(signer: NoteSigner, size: int, *, other: bool = False, cut: int = 0, wrong: bool = False) -> Shown:
    """A log elsewhere that shows so many entries, with its hash tiles, each `cut` bytes too short, or of wrong bytes."""
    leaves = [leaf_hash(entry_bytes(n)) for n in range(size)]
    if other:
        leaves[0] = leaf_hash(b"other")
    checkpoint = checkpoint_of(signer, size, other=other)

    def fetch(path: str, _limit: int) -> bytes:
        if path == "checkpoint":
            return sign_checkpoint(checkpoint, signer).encode()
        place = parse_path(path)
        assert place.level is not None
        span = 256**place.level
        first = place.number * 256 * span
        ends = range(first, first + place.width * span, span)
        data = b"".join(root(leaves[start : start + span]) for start in ends)
        return bytes(len(data)) if wrong else data[: len(data) - cut]

    return shown(fetch, [signer.log_key], "https://mirror.example/log")


@pytest.mark.parametrize("size", [0, 1, 3, 256, 299, 529, 530])
def test_a_log_extends_every_checkpoint_that_was_kept(log: Engine, signer: NoteSigner, size: int) -> None:
    note = sign_checkpoint(checkpoint_of(signer, size), signer).encode()
    with snapshot(log) as connection:
        known = [kept(note, [signer.log_key], "kept"), shown_log(signer, size)]
        assert audit(connection, signer.log_key, known=known).size == 530


@pytest.mark.parametrize(
    ("size", "other", "error"),
    [
        (1, True, ForkError),
        (300, True, ForkError),
        (530, True, ForkError),
        (531, False, RollbackError),
        (531, True, RollbackError),
    ],
)
def test_a_kept_checkpoint_names_fork_and_rollback(
    log: Engine, signer: NoteSigner, size: int, other: bool, error: type[AuditError]
) -> None:
    note = sign_checkpoint(checkpoint_of(signer, size, other=other), signer).encode()
    with snapshot(log) as connection, pytest.raises(error) as caught:
        audit(connection, signer.log_key, known=[kept(note, [signer.log_key], "my checkpoint")])
    assert caught.value.where == "my checkpoint"
    assert caught.value.what.startswith(caught.value.code)


@pytest.mark.parametrize(
    ("size", "other", "error"),
    [(512, True, ForkError), (531, False, RollbackError), (531, True, ForkError), (800, True, ForkError)],
)
def test_a_shown_log_names_fork_and_rollback_by_its_tiles(
    log: Engine, signer: NoteSigner, size: int, other: bool, error: type[AuditError]
) -> None:
    """Ahead of the database it is the database that went back, if the tiles lead from it to what is shown."""
    with snapshot(log) as connection, pytest.raises(error) as caught:
        audit(connection, signer.log_key, known=[shown_log(signer, size, other=other)])
    assert caught.value.where == "https://mirror.example/log"


def test_a_checkpoint_that_another_key_signed_is_none_of_this_log(signer: NoteSigner) -> None:
    note = sign_checkpoint(checkpoint_of(signer, 3), signer).encode()
    with pytest.raises(AuditError, match="does not open"):
        kept(note, [NoteSigner(signer.name, bytes(32)).log_key], "kept")


def test_an_auditor_without_the_database_compares_what_is_shown_with_what_was_kept(signer: NoteSigner) -> None:
    old = checkpoint_of(signer, 300)
    for size in (300, 301, 512, 700):
        require_extends(shown_log(signer, size), old.size, old.root)
    with pytest.raises(RollbackError):
        require_extends(shown_log(signer, 299), old.size, old.root)
    for size in (300, 301, 512):
        with pytest.raises(ForkError):
            require_extends(shown_log(signer, size, other=True), old.size, old.root)


def test_a_tile_of_the_wrong_length_is_named(signer: NoteSigner) -> None:
    old, cut = checkpoint_of(signer, 3), shown_log(signer, 5, cut=1)
    with pytest.raises(AuditError) as caught:
        require_extends(cut, old.size, old.root)
    assert caught.value.where.endswith("tile/0/000.p/5")


def test_tiles_that_do_not_lead_to_their_own_checkpoint_prove_no_fork(signer: NoteSigner) -> None:
    old = checkpoint_of(signer, 3)
    with pytest.raises(AuditError, match="do not lead to the signed root") as caught:
        require_extends(shown_log(signer, 5, wrong=True), old.size, old.root)
    assert type(caught.value) is AuditError
    assert caught.value.where.startswith("https://mirror.example/log: ")


def test_a_log_elsewhere_that_stands_still_is_a_stall(log: Engine, signer: NoteSigner) -> None:
    behind = shown_log(signer, 300)
    later = NOW + timedelta(seconds=60)
    with snapshot(log) as connection:
        require_fresh(connection, shown_log(signer, 530), now=later + timedelta(days=1), seconds=60, entries=0)
        require_fresh(connection, behind, now=later, seconds=60)
        require_fresh(connection, behind, now=later, seconds=60, entries=230)
        with pytest.raises(StallError, match="300 entries"):
            require_fresh(connection, behind, now=later + timedelta(seconds=1), seconds=60)
        with pytest.raises(StallError):
            require_fresh(connection, behind, now=NOW, seconds=60, entries=229)


def test_a_database_behind_the_folder_is_found(
    log: Engine, check: Callable[[], AuditReport], folder: Path, signer: NoteSigner, grow: Grow
) -> None:
    ahead = folder.with_name("ahead")
    shutil.copytree(folder, ahead)
    note = sign_checkpoint(SignedText(signer.name, 531, leaf_hash(b"lost")), signer)
    (folder / "checkpoint").write_text(note)
    with pytest.raises(AuditError) as caught:
        check()
    assert caught.value.where == str(folder / "checkpoint")


def test_audit_and_publication_do_not_meet(check_files: Callable[[], AuditReport], folder: Path) -> None:
    with durable_files.locked(folder), pytest.raises(PublicationBusyError):
        check_files()
    with durable_files.locked(folder, shared=True):
        check_files()


def test_another_logs_key_opens_nothing(log: Engine, folder: Path) -> None:
    with snapshot(log) as connection, pytest.raises(AuditError) as caught:
        audit(connection, NoteSigner("other.example", bytes(32)).log_key)
    assert caught.value.where == "head"


def test_memory_does_not_grow_with_the_log(sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    """Ten times the entries, and a checkpoint for each tile: what is held at once is a tile of each level."""
    peaks = []
    for size in (1_280, 12_800):
        with snapshot(sqlite_log) as connection:
            start = head(connection).size
        for step in range(start + 256, size + 1, 256):
            grow(sqlite_log, step)
            publish(sqlite_log, signer, folder, NOW)
        check = checker(sqlite_log, signer, folder)
        check()
        tracemalloc.start()
        check()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_no_log_is_no_audit(empty_engine: Engine, signer: NoteSigner) -> None:
    with snapshot(empty_engine) as connection, pytest.raises(NoLogError):
        audit(connection, signer.log_key)


@pytest.fixture(scope="module")
def kept_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, NoteSigner, Path]]:
    """A log that each example changes and puts right again."""
    place = tmp_path_factory.mktemp("kept")
    signer = NoteSigner("kept.example", bytes(32))
    made = sqlite_engine(place / "log.sqlite")
    metadata.create_all(made)
    with begin(made) as connection:
        create_log(connection, signer.name)
        append(connection, [entry_bytes(n) for n in range(260)])
    publish(made, signer, place / "published", NOW)
    yield made, signer, place / "published"
    made.dispose()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_byte_of_any_file_is_found(kept_log: tuple[Engine, NoteSigner, Path], data: st.DataObject) -> None:
    engine, signer, folder = kept_log
    file = data.draw(st.sampled_from(sorted(p for p in folder.rglob("*") if p.is_file())))
    sound = file.read_bytes()
    file.write_bytes(flip(sound, data.draw(st.integers(0, len(sound) - 1))))
    try:
        with snapshot(engine) as connection, pytest.raises(AuditError) as caught:
            audit(connection, signer.log_key, folder)
        assert caught.value.where == str(file)
    finally:
        file.write_bytes(sound)

"""What leaves the process: only persisted checkpoints, each with its tiles, and after any cut the same."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event

from ledger import (
    AuditError,
    BadKeyError,
    BadNoteError,
    BadSignatureError,
    Checkpoint,
    DurableWriteError,
    LogBehindError,
    LogInconsistentError,
    NoLogError,
    NoteSigner,
    PublicationBusyError,
    WitnessPolicy,
    WitnessSigner,
    WrongOriginError,
    decode_bundle,
    leaf_hash,
    note_text,
    open_checkpoint,
    parse_path,
    root,
    sign_checkpoint,
    tiles_of,
)
from ledger.audit import audit
from ledger.store import (
    SignedCheckpoint,
    append,
    begin,
    checkpoint_at,
    head,
    latest_checkpoint,
    publish,
    publish_copy,
    require_current,
    snapshot,
    sqlite_engine,
    store_cosignatures,
    witnessed_size,
)
from ledger.store import files as durable_files
from ledger.store.reading import head_state
from ledger.store.signing import sign_next
from tests.ledger.logs import NOW, entry_bytes

Grow = Callable[[Engine, int], None]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def published_size(folder: Path, signer: NoteSigner) -> int:
    return open_checkpoint((folder / "checkpoint").read_bytes(), signer.log_key).size


@contextmanager
def cut_at(engine: Engine, step: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Fail at the step-th durable operation, counted over files and commits; gives what was done before."""
    done: list[str] = []

    def count(name: str) -> None:
        if len(done) == step:
            raise OSError(5, f"cut before {name}")
        done.append(name)

    def counted(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            count(name)
            return real(*args, **kwargs)

        return call

    def commit(_connection: object) -> None:
        count("commit")

    event.listen(engine, "commit", commit)
    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "mkdir", "unlink", "rmdir"):
            patch.setattr(os, name, counted(name))
        yield done
    event.remove(engine, "commit", commit)


def test_a_published_log_is_what_was_appended(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    grow(engine, 600)
    signed = publish(engine, signer, folder, NOW)
    checkpoint = open_checkpoint((folder / "checkpoint").read_bytes(), signer.log_key)
    leaves = [leaf_hash(entry_bytes(n)) for n in range(600)]
    assert (checkpoint.size, checkpoint.root) == (600, root(leaves))
    assert (signed.note, signed.signed_at) == ((folder / "checkpoint").read_text(), NOW)
    files = contents(folder)
    assert b"".join(files[f"tile/0/{n}"] for n in ("000", "001", "002.p/88")) == b"".join(leaves)
    assert files["tile/1/000.p/2"] == root(leaves[:256]) + root(leaves[256:512])
    bundles = [decode_bundle(files["tile/entries/000"]), decode_bundle(files["tile/entries/002.p/88"], 88)]
    assert bundles[0] == [entry_bytes(n) for n in range(256)]
    assert bundles[1] == [entry_bytes(n) for n in range(512, 600)]
    assert len(files) == 1 + 2 * 3 + 1


def test_without_new_entries_nothing_happens(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    grow(engine, 10)
    first = publish(engine, signer, folder, NOW)
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert publish(engine, signer, folder, NOW + timedelta(hours=1)) == first
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == written


def test_an_empty_log_is_published(engine: Engine, signer: NoteSigner, folder: Path) -> None:
    assert publish(engine, signer, folder, NOW).size == 0
    assert set(contents(folder)) == {"checkpoint"}


def test_each_checkpoint_keeps_its_partial_tiles_until_they_are_full(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    for size in (10, 20, 255):
        grow(engine, size)
        publish(engine, signer, folder, NOW)
    assert {"tile/0/000.p/10", "tile/0/000.p/20", "tile/entries/000.p/255"} <= set(contents(folder))
    grow(engine, 256)
    publish(engine, signer, folder, NOW)
    assert set(contents(folder)) == {"checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000"}


def test_a_lost_folder_is_derived_from_the_database_again(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    for size in (10, 300, 310):
        grow(engine, size)
        publish(engine, signer, folder, NOW)
    copy = folder.with_name("copy")
    publish(engine, signer, copy, NOW)
    assert contents(copy) == contents(folder)


def test_checkpoints_are_stored(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    with snapshot(engine) as connection:
        assert latest_checkpoint(connection) is None
    signed = []
    for size in (3, 5):
        grow(engine, size)
        signed.append(publish(engine, signer, folder, NOW))
    with snapshot(engine) as connection:
        assert latest_checkpoint(connection) == signed[1]
        assert checkpoint_at(connection, 3) == signed[0]
        assert checkpoint_at(connection, 4) is None


@pytest.mark.long
def test_a_cut_at_any_durable_step_is_made_good(
    sqlite_log: Engine,
    signer: NoteSigner,
    folder: Path,
    grow: Grow,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From one checkpoint to the next over a tile border, cut before each fsync, rename, removal and commit; a witness cosigns."""
    witness = WitnessSigner("witness.example", bytes(32))
    policy = WitnessPolicy.parse(f"witness w {witness.witness_key}\nquorum w\n".encode()).for_log(signer.log_key)

    def cosign(signed: SignedCheckpoint) -> None:
        lines = {witness.witness_key: witness.sign(note_text(signed.note), 1)}
        with begin(sqlite_log) as connection:
            store_cosignatures(connection, signed, lines, policy)

    step, cut, last_signed = 0, True, folder.with_name("last-signed")
    while cut:
        size = 256 * step + 260
        grow(sqlite_log, size - 10)
        publish(sqlite_log, signer, folder, NOW, last_signed=last_signed, cosign=cosign)
        grow(sqlite_log, size)
        cut = False
        with cut_at(sqlite_log, step, monkeypatch) as done:
            try:
                publish(sqlite_log, signer, folder, NOW, last_signed=last_signed, cosign=cosign)
            except (OSError, DurableWriteError):
                cut = True
        # Whatever is in the database may have been read by others: the copy outside is as new, or newer.
        with snapshot(sqlite_log) as connection:
            newest = latest_checkpoint(connection)
        assert newest is not None
        assert open_checkpoint(last_signed.read_bytes(), signer.log_key).size >= newest.size
        assert not cut or len(done) == step
        # The old checkpoint stands or the new one does; the database has it, and its tiles are whole.
        assert published_size(folder, signer) in {size - 10, size}
        check(sqlite_log, signer, folder)
        assert publish(sqlite_log, signer, folder, NOW, last_signed=last_signed, cosign=cosign).size == size
        # What is kept is what the log signed; what is published has the witness's line below it.
        with snapshot(sqlite_log) as connection:
            newest = latest_checkpoint(connection)
        assert newest is not None
        assert last_signed.read_text() == newest.note
        assert (folder / "checkpoint").read_text() == newest.cosigned
        check(sqlite_log, signer, folder)
        assert policy.evaluate((folder / "checkpoint").read_bytes()).satisfied
        with snapshot(sqlite_log) as connection:
            assert witnessed_size(connection, policy) == size
        step += 1
    assert step > 15


def check(engine: Engine, signer: NoteSigner, folder: Path) -> None:
    with snapshot(engine) as connection:
        audit(connection, signer.log_key, folder)


def test_a_signed_checkpoint_that_was_cut_off_comes_out_before_the_next(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(engine, 3)
    with monkeypatch.context() as patch:
        patch.setattr(durable_files, "put_files", lambda *_arguments: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            publish(engine, signer, folder, NOW)
    with snapshot(engine) as connection:
        cut = latest_checkpoint(connection)
    assert cut is not None
    assert not (folder / "checkpoint").exists()
    grow(engine, 5)
    publish(engine, signer, folder, NOW)
    assert {"tile/0/000.p/3", "tile/0/000.p/5"} <= set(contents(folder))
    with snapshot(engine) as connection:
        assert checkpoint_at(connection, 3) == cut


def test_an_uncommitted_entry_is_not_signed(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    grow(engine, 2)
    publish(engine, signer, folder, NOW)
    with suppress(RuntimeError), begin(engine) as connection:
        connection.exec_driver_sql("UPDATE ledger_head SET checkpoints = checkpoints")
        raise RuntimeError("rolled back")
    assert publish(engine, signer, folder, NOW).size == 2


def test_a_database_behind_the_published_checkpoint_is_not_signed(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    """As after restoring yesterday's copy: the rows of the last checkpoint and entry are gone."""
    grow(engine, 2)
    publish(engine, signer, folder, NOW)
    with snapshot(engine) as connection:
        old = connection.exec_driver_sql("SELECT size, chain, frontier, checkpoints FROM ledger_head").one()
    grow(engine, 3)
    publish(engine, signer, folder, NOW)
    published = contents(folder)
    with begin(engine) as connection:
        connection.exec_driver_sql("DELETE FROM ledger_checkpoint WHERE size = 3")
        connection.exec_driver_sql('DELETE FROM ledger_entry WHERE "index" = 2')
        marks = "?" if engine.dialect.name == "sqlite" else "%s"
        connection.exec_driver_sql(
            f"UPDATE ledger_head SET size = {marks}, chain = {marks}, frontier = {marks}, checkpoints = {marks}",  # noqa: S608
            tuple(old),
        )
    with pytest.raises(LogBehindError) as caught:
        publish(engine, signer, folder, NOW)
    assert caught.value.code == "log_behind"
    grow(engine, 8)
    with pytest.raises(LogBehindError):
        publish(engine, signer, folder, NOW)
    assert contents(folder) == published
    with snapshot(engine) as connection:
        latest = latest_checkpoint(connection)
    assert latest is not None
    assert latest.size == 2


@pytest.mark.parametrize(
    "tampering",
    {
        "changed_leaf_hash": 'UPDATE ledger_entry SET leaf_hash = {other} WHERE "index" = 1',
        "lost_entry": 'DELETE FROM ledger_entry WHERE "index" = 1',
        "changed_note": "UPDATE ledger_checkpoint SET note = REPLACE(note, '=', 'A') WHERE size = 4",
        "changed_checkpoint_size": "UPDATE ledger_checkpoint SET size = 5 WHERE size = 4",
        "other_edge": "UPDATE ledger_head SET frontier = {other}",
    }.items(),
    ids=lambda item: item[0],
)
def test_an_inconsistent_database_is_not_signed(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow, tampering: tuple[str, str]
) -> None:
    grow(engine, 4)
    publish(engine, signer, folder, NOW)
    grow(engine, 8)
    zeros = f"x'{'00' * 32}'" if engine.dialect.name == "sqlite" else f"'\\x{'00' * 32}'"
    with begin(engine) as connection:
        connection.exec_driver_sql(tampering[1].format(other=zeros))
    before = contents(folder)
    with pytest.raises((LogInconsistentError, LogBehindError)):
        publish(engine, signer, folder, NOW)
    assert contents(folder) == before
    with snapshot(engine) as connection:
        assert checkpoint_at(connection, 8) is None


def test_a_foreign_checkpoint_in_the_folder_stops_publication(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    grow(engine, 4)
    publish(engine, signer, folder, NOW)
    file = folder / "checkpoint"
    file.write_text(file.read_text().replace("\n4\n", "\n3\n"))
    with pytest.raises(BadSignatureError):
        publish(engine, signer, folder, NOW)


def test_another_logs_key_signs_nothing(engine: Engine, folder: Path, grow: Grow) -> None:
    grow(engine, 4)
    with pytest.raises(WrongOriginError):
        publish(engine, NoteSigner("other.example", bytes(32)), folder, NOW)


def test_another_key_under_the_same_name_signs_nothing_on_top(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    grow(engine, 4)
    publish(engine, signer, folder, NOW)
    grow(engine, 5)
    with pytest.raises(LogInconsistentError):
        publish(engine, NoteSigner(signer.name, bytes(32)), folder.with_name("other"), NOW)


def test_two_publications_do_not_mix(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    grow(engine, 4)
    folder.mkdir()
    with durable_files.locked(folder), pytest.raises(PublicationBusyError):
        publish(engine, signer, folder, NOW)
    assert publish(engine, signer, folder, NOW).size == 4


def test_of_two_signers_of_one_state_one_wins(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second publishes in another folder between the first one's reading and its write."""
    grow(engine, 4)

    def overtaken(*args: object, **kwargs: object) -> object:
        monkeypatch.setattr("ledger.store.publication.sign_next", sign_next)
        publish(engine, signer, folder.with_name("other"), NOW)
        return sign_next(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("ledger.store.publication.sign_next", overtaken)
    with pytest.raises(PublicationBusyError):
        publish(engine, signer, folder, NOW)
    assert publish(engine, signer, folder, NOW).size == 4
    assert contents(folder) == contents(folder.with_name("other"))


def test_every_published_path_is_one_of_the_layout(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    grow(sqlite_log, 520)
    publish(sqlite_log, signer, folder, NOW)
    tiles = {parse_path(path) for path in contents(folder) if path != "checkpoint"}
    for level, full, width in tiles_of(520):
        assert sum(t.level == level for t in tiles) == full + (width > 0)
    with snapshot(sqlite_log) as connection:
        assert head(connection).size == 520


@pytest.fixture
def last_signed(tmp_path: Path) -> Path:
    """The copy of the last signed checkpoint, outside database and folder."""
    return tmp_path / "last-signed"


def test_the_copy_outside_alone_stops_a_database_that_is_behind(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, last_signed: Path, grow: Grow
) -> None:
    """The published folder is lost too; neither an old copy nor one that grew another way is signed."""
    old_file = folder.with_name("old.sqlite")
    grow(sqlite_log, 2)
    publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    with closing(sqlite3.connect(str(sqlite_log.url.database))) as live, closing(sqlite3.connect(old_file)) as copy:
        live.backup(copy)
    grow(sqlite_log, 3)
    publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    shutil.rmtree(folder)
    old = sqlite_engine(old_file)
    with pytest.raises(LogBehindError):
        publish(old, signer, folder, NOW, last_signed=last_signed)
    with begin(old) as connection:
        append(connection, [b"another third", b"and a fourth"])
    with pytest.raises(LogBehindError):
        publish(old, signer, folder, NOW, last_signed=last_signed)
    assert contents(folder) == {}
    old.dispose()
    assert publish(sqlite_log, signer, folder, NOW, last_signed=last_signed).size == 3


def test_a_tree_that_is_forked_from_the_copy_outside_is_not_signed(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, last_signed: Path, grow: Grow
) -> None:
    grow(sqlite_log, 3)
    publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    last_signed.write_text(sign_checkpoint(Checkpoint(signer.name, 3, leaf_hash(b"another")), signer))
    grow(sqlite_log, 4)
    with pytest.raises(LogInconsistentError):
        publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    assert published_size(folder, signer) == 3


def test_what_is_kept_outside_was_cut_before_it_was_stored(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, last_signed: Path, grow: Grow
) -> None:
    """It told nobody, and the database leads to it: the log goes on."""
    grow(sqlite_log, 3)
    with snapshot(sqlite_log) as connection:
        tree = Checkpoint(signer.name, 3, head(connection).root)
    last_signed.write_text(sign_checkpoint(tree, signer))
    grow(sqlite_log, 5)
    assert publish(sqlite_log, signer, folder, NOW, last_signed=last_signed).size == 5


def test_what_is_published_meanwhile_is_not_taken_for_a_loss(
    engine: Engine, signer: NoteSigner, folder: Path, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process starts while another one publishes, between its look at the files and its look at the database."""
    last_signed = folder.with_name("last-signed")

    def overtaken(connection: Connection) -> object:
        monkeypatch.setattr("ledger.store.publication.head_state", head_state)
        grow(engine, 9)
        publish(engine, signer, folder, NOW, last_signed=last_signed)
        return head_state(connection)

    grow(engine, 4)
    publish(engine, signer, folder, NOW, last_signed=last_signed)
    monkeypatch.setattr("ledger.store.publication.head_state", overtaken)
    with snapshot(engine) as connection:
        assert require_current(connection, signer.log_keys, folder, last_signed).size == 9


def test_a_lost_copy_outside_is_made_again_without_new_entries(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, last_signed: Path, grow: Grow
) -> None:
    grow(sqlite_log, 3)
    signed = publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    last_signed.unlink()
    publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    assert last_signed.read_text() == signed.note


def test_a_tile_with_other_bytes_is_never_overwritten(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    grow(sqlite_log, 3)
    publish(sqlite_log, signer, folder, NOW)
    (folder / "tile/0/000").write_bytes(b"another log's")
    grow(sqlite_log, 300)
    with pytest.raises(LogInconsistentError) as caught:
        publish(sqlite_log, signer, folder, NOW)
    assert caught.value.where == str(folder / "tile/0/000")
    assert (folder / "tile/0/000").read_bytes() == b"another log's"
    assert published_size(folder, signer) == 3


def test_the_next_publication_removes_a_leftover_even_without_new_entries(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow
) -> None:
    grow(sqlite_log, 3)
    publish(sqlite_log, signer, folder, NOW)
    before = contents(folder)
    (folder / "publication.tmp").write_bytes(b"half a tile")
    publish(sqlite_log, signer, folder, NOW)
    assert contents(folder) == before


def test_a_copy_is_the_published_log(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    copy = folder.with_name("copy")
    with pytest.raises(NoLogError, match="no checkpoint"):
        publish_copy(engine, signer.log_keys, copy)
    for size in (10, 300, 310):
        grow(engine, size)
        publish(engine, signer, folder, NOW)
    grow(engine, 320)
    assert publish_copy(engine, signer.log_keys, copy).size == 310, "nothing is signed for a copy"
    assert contents(copy) == contents(folder)
    publish(engine, signer, folder, NOW)
    publish_copy(engine, signer.log_keys, copy)
    assert contents(copy) == contents(folder)
    assert {path.stat().st_nlink for path in copy.rglob("*") if path.is_file()} == {1}


def test_a_copy_cut_at_any_durable_step_is_taken_up(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(sqlite_log, 300)
    publish(sqlite_log, signer, folder, NOW)
    step, cut = 0, True
    while cut:
        copy, cut = folder.with_name(f"copy-{step}"), False
        with cut_at(sqlite_log, step, monkeypatch):
            try:
                publish_copy(sqlite_log, signer.log_keys, copy)
            except (OSError, DurableWriteError):
                cut = True
        assert (copy / "checkpoint").exists() <= (contents(copy) == contents(folder))
        publish_copy(sqlite_log, signer.log_keys, copy)
        assert contents(copy) == contents(folder)
        step += 1
    assert step > 15


LOST = ["checkpoint", "tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001.p/54", "tile/entries/001.p/44"]


@pytest.fixture
def whole(engine: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> dict[str, bytes]:
    """The files of a log with three checkpoints, in the folder and in a copy of it."""
    for size in (10, 300, 310):
        grow(engine, size)
        publish(engine, signer, folder, NOW)
    publish_copy(engine, signer.log_keys, folder.with_name("copy"))
    return contents(folder)


@pytest.mark.parametrize("name", LOST)
def test_a_lost_file_of_a_copy_is_put_back(
    engine: Engine, signer: NoteSigner, folder: Path, whole: dict[str, bytes], name: str
) -> None:
    copy = folder.with_name("copy")
    (copy / name).unlink()
    publish_copy(engine, signer.log_keys, copy)
    assert contents(copy) == whole


@pytest.mark.parametrize("name", LOST)
def test_a_lost_file_of_the_published_log_is_put_back(
    engine: Engine, signer: NoteSigner, folder: Path, whole: dict[str, bytes], name: str
) -> None:
    """And nothing but that: a finished folder stays untouched."""
    (folder / name).unlink()
    publish(engine, signer, folder, NOW, put_back=True)
    assert contents(folder) == whole
    written = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    publish(engine, signer, folder, NOW, put_back=True)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == written


def test_lost_files_are_put_back_on_the_way_to_new_entries(
    engine: Engine, signer: NoteSigner, folder: Path, whole: dict[str, bytes], grow: Grow
) -> None:
    for name in LOST[1:]:
        (folder / name).unlink()
    grow(engine, 320)
    publish(engine, signer, folder, NOW, put_back=True)
    assert whole.items() - {("checkpoint", whole["checkpoint"])} <= contents(folder).items()
    check(engine, signer, folder)


@pytest.mark.parametrize("name", LOST[1:])
def test_a_changed_file_of_a_copy_is_named_and_stays(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow, name: str
) -> None:
    copy = folder.with_name("copy")
    for size in (10, 300, 310):
        grow(sqlite_log, size)
        publish(sqlite_log, signer, folder, NOW)
    publish_copy(sqlite_log, signer.log_keys, copy)
    changed = bytes([(copy / name).read_bytes()[0] ^ 1]) + (copy / name).read_bytes()[1:]
    (copy / name).write_bytes(changed)
    with pytest.raises(LogInconsistentError, match="other bytes") as caught:
        publish_copy(sqlite_log, signer.log_keys, copy)
    assert caught.value.where == str(copy / name)
    assert (copy / name).read_bytes() == changed


def test_a_copy_of_another_log_is_not_touched(sqlite_log: Engine, signer: NoteSigner, folder: Path, grow: Grow) -> None:
    grow(sqlite_log, 5)
    publish(sqlite_log, signer, folder, NOW)
    copy = folder.with_name("copy")
    copy.mkdir()
    ahead = sign_checkpoint(Checkpoint(signer.name, 9, leaf_hash(b"another")), signer)
    (copy / "checkpoint").write_text(ahead)
    with pytest.raises(LogBehindError):
        publish_copy(sqlite_log, signer.log_keys, copy)
    assert contents(copy) == {"checkpoint": ahead.encode()}


def test_a_copy_carries_the_cosignatures_that_are_kept(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, last_signed: Path, grow: Grow
) -> None:
    """Also those that came after it was made; what is kept outside, and what the database is held to, has none."""
    copy, names = folder.with_name("copy"), ("first", "second")
    witnesses = [WitnessSigner(f"{name}.example", bytes([n]) * 32) for n, name in enumerate(names, start=1)]
    policy = WitnessPolicy((), (), (), "none").for_log(signer.log_key)
    grow(sqlite_log, 3)
    signed = publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    for count, witness in enumerate(witnesses, start=1):
        with begin(sqlite_log) as connection:
            lines = {witness.witness_key: witness.sign(note_text(signed.note), count)}
            store_cosignatures(connection, signed, lines, policy)
        assert publish_copy(sqlite_log, signer.log_keys, copy).cosigned == (copy / "checkpoint").read_text()
        assert (copy / "checkpoint").read_text().count("\n\u2014 ") == 1 + count
    publish(sqlite_log, signer, folder, NOW, last_signed=last_signed)
    assert (folder / "checkpoint").read_text() == (copy / "checkpoint").read_text()
    assert last_signed.read_text() == signed.note
    with snapshot(sqlite_log) as connection:
        assert audit(connection, signer.log_key, copy).cosignatures == 2


def test_while_keys_overlap_a_checkpoint_opens_with_either(
    sqlite_log: Engine, signer: NoteSigner, folder: Path, last_signed: Path, grow: Grow
) -> None:
    old, new = signer, NoteSigner(signer.name, bytes(32))
    both = NoteSigner(signer.name, bytes(range(32)), successor=new)
    for size, present in ((3, old), (5, both), (7, new)):
        grow(sqlite_log, size)
        note = publish(sqlite_log, present, folder, NOW, last_signed=last_signed).note
        for key in (old.log_key, new.log_key):
            if key in present.log_keys:
                assert open_checkpoint(note, key).size == size
                assert open_checkpoint(note, old.log_key, new.log_key).size == size
            else:
                with pytest.raises(BadNoteError):
                    open_checkpoint(note, key)
    with snapshot(sqlite_log) as connection:
        audit(connection, new.log_key, folder, other_keys=[old.log_key])
        with pytest.raises(AuditError, match="no trusted key"):
            audit(connection, new.log_key, folder)


@pytest.mark.parametrize("line", [0, 1])
def test_of_two_signatures_a_bad_one_refuses_the_note(signer: NoteSigner, line: int) -> None:
    both = NoteSigner(signer.name, bytes(range(32)), successor=NoteSigner(signer.name, bytes(32)))
    other = sign_checkpoint(Checkpoint(signer.name, 1, leaf_hash(b"b")), both).splitlines(keepends=True)
    lines = sign_checkpoint(Checkpoint(signer.name, 1, leaf_hash(b"a")), both).splitlines(keepends=True)
    lines[-2 + line] = other[-2 + line]
    with pytest.raises(BadSignatureError):
        open_checkpoint("".join(lines), *both.log_keys)


def test_a_key_does_not_follow_itself_or_another_log_s(signer: NoteSigner) -> None:
    for successor in (signer, NoteSigner("other.example", bytes(32))):
        with pytest.raises(BadKeyError):
            NoteSigner(signer.name, bytes(range(32)), successor=successor)

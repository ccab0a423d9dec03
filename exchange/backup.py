"""Copies of an exchange, made while it runs, and back: the database and the data folder, in one folder.

A copy holds ``backup.json``, the database (``database.sqlite``, or ``database.pgdump`` in PostgreSQL's custom format) as one
transaction saw it, and ``data/``: keys, passphrase, token, trust file. The published log is not in it, for it is written again from the
database; nor is the last signed checkpoint, which is worth something only where it can't go back in time with the database.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, inspect, make_url

from exchange.database import engine_for, existing_engine_for, place
from exchange.errors import SetupError
from exchange.installation import LAST_SIGNED, PUBLISHED, flush_folder, make_private_folder, write_private
from ledger.store import head, latest_checkpoint, snapshot

FORMAT = "urn:packtrace:backup:1"
_MANIFEST = "backup.json"
_SQLITE, _POSTGRESQL = "database.sqlite", "database.pgdump"
_CHUNK = 1024 * 1024
MASTER_KEYS = "keys/vault.*"


@dataclass(frozen=True, slots=True)
class Backup:
    """What a copy holds: the log `origin` with `size` entries, `checkpoint` of them signed for, or more, as of `made_at`.

    `database` is the name of the copied database's file, `digest` the hexadecimal SHA-256 of its bytes.
    """

    origin: str
    size: int
    checkpoint: int
    made_at: str
    database: str
    digest: str
    format: str = FORMAT


def back_up(folder: Path, url: str, target: Path, now: datetime) -> Backup:
    """Copy database and data folder into `target`, which is there when it is whole. SetupError where that isn't possible."""
    if os.path.lexists(target):
        raise SetupError("there is something of that name", where=str(target), remedy="name a folder that isn't there")
    engine = existing_engine_for(url)
    with snapshot(engine) as connection:
        # Read before the copy is made, which may hold more.
        found, newest = head(connection), latest_checkpoint(connection)
    engine.dispose()
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_private_folder(partial)
    # The master keys before the database and with the rest again after it: a rotation meanwhile ends one and makes another.
    for key in sorted(folder.glob(MASTER_KEYS)):
        _copy_file(key, partial / "data" / key.relative_to(folder))
    database = _copy_database(make_url(url), partial)
    for path in _kept_files(folder, url):
        _copy_file(folder / path, partial / "data" / path)
    size, time = newest.size if newest else 0, now.isoformat(timespec="seconds")
    backup = Backup(found.origin, found.size, size, time, database, _digest(partial / database))
    write_private(partial / _MANIFEST, (json.dumps(asdict(backup), indent=1) + "\n").encode())
    partial.rename(target)
    flush_folder(target.parent)
    return backup


def put_back(source: Path, folder: Path, url: str) -> Backup:
    """Put a copy into an empty database, and into the data folder what is missing there; return what it holds.

    Files that are left stay as they are, the last signed checkpoint above all: by it a log sees that a copy is too old. Raises
    SetupError, and nothing is changed, for a damaged copy, one of the other kind of database, or a database that isn't empty.
    """
    backup = _manifest(source)
    parsed = make_url(url)
    if backup.database != (_SQLITE if parsed.get_backend_name() == "sqlite" else _POSTGRESQL):
        raise SetupError(
            f"the copy is {backup.database}, the setting names the other kind of database",
            where="PACKTRACE_DATABASE_URL",
            remedy="name an empty database of the copy's kind",
        )
    if _digest(source / backup.database) != backup.digest:
        raise SetupError("the copy is damaged", where=str(source / backup.database), remedy="take another copy")
    _require_empty(parsed)
    make_private_folder(folder)
    for path in _missing_files(source / "data", folder):
        _copy_file(source / "data" / path, folder / path)
    # The database last: while it is empty, a run that was cut can be made again.
    _restore_database(source / backup.database, parsed)
    return backup


def _copy_database(url: URL, folder: Path) -> str:
    if url.get_backend_name() != "sqlite":
        _run(["pg_dump", "--format=custom", f"--file={folder / _POSTGRESQL}"], url)
        _flush(folder / _POSTGRESQL)
        return _POSTGRESQL
    place = Path(str(url.database)).absolute().as_uri()
    with (
        closing(sqlite3.connect(f"{place}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(folder / _SQLITE)) as copy,
    ):
        live.backup(copy)  # all pages in one step, so of one state; writers go on in the write-ahead log
    (folder / _SQLITE).chmod(0o600)
    _flush(folder / _SQLITE)
    return _SQLITE


def _restore_database(copy: Path, url: URL) -> None:
    if url.get_backend_name() == "sqlite":
        _copy_file(copy, Path(str(url.database)))
        return
    _run(["pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", str(copy)], url)


def _run(command: list[str], url: URL) -> None:
    """Run one of PostgreSQL's programs on a database; the password goes by the environment, which other users can't read."""
    plain = url.set(drivername="postgresql", password=None).render_as_string()
    environment: Mapping[str, str] = os.environ | ({"PGPASSWORD": url.password} if url.password else {})
    try:
        subprocess.run([*command, f"--dbname={plain}"], env=environment, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise SetupError(
            f"there is no {command[0]}",
            where="PATH",
            remedy="install PostgreSQL's client programs, of the server's version or newer",
        ) from None
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["no message"])[0]
        raise SetupError(
            f"{command[0]} failed: {said}", where="PACKTRACE_DATABASE_URL", remedy="see its message"
        ) from None


def _require_empty(url: URL) -> None:
    if url.get_backend_name() == "sqlite":
        # A write-ahead log that is left would be read into the restored database, which it does not belong to.
        left = any(Path(f"{url.database}{rest}").exists() for rest in ("-wal", "-shm", "-journal"))
        filled = left or _has_tables(Path(str(url.database)))
    else:
        engine = engine_for(url.render_as_string(hide_password=False))
        filled = bool(inspect(engine).get_table_names())
        engine.dispose()
    if filled:
        raise SetupError(
            "the database is not empty",
            where=place(url),
            remedy="move it away for reading, or name an empty one",
        )


def _has_tables(file: Path) -> bool:
    """Whether a SQLite file has tables, or isn't one."""
    if not file.exists():
        return False
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?immutable=1", uri=True)) as found:
            return bool(found.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except sqlite3.DatabaseError:
        return True


def _kept_files(folder: Path, url: str) -> Iterator[Path]:
    """The files of the data folder that a copy holds, relative to it."""
    parsed = make_url(url)
    database = Path(str(parsed.database)).absolute() if parsed.get_backend_name() == "sqlite" else None
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        path = file.relative_to(folder)
        of_database = database is not None and file.absolute().as_posix().startswith(database.as_posix())
        # Nor what the publisher is writing at this moment, which lies beside the last signed checkpoint under its name and more.
        of_publisher = path.parts[0] == PUBLISHED or path.as_posix().startswith(LAST_SIGNED)
        if not of_database and not of_publisher:
            yield path


def _missing_files(copy: Path, folder: Path) -> Iterator[Path]:
    """The files of a copy to put back. Keys are all or none: those of two times don't fit together."""
    has_keys = (folder / "keys" / "log").exists()
    for file in sorted(path for path in copy.rglob("*") if path.is_file()):
        path = file.relative_to(copy)
        # A master key is named by its content, so that those of any time may lie side by side: the copy's data need theirs.
        fits = path.match(MASTER_KEYS) or not (has_keys and path.parts[0] == "keys")
        if fits and not (folder / path).exists():
            yield path


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file with its mode, whole or not at all."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.copy")
    shutil.copy2(source, temporary)
    _flush(temporary)
    temporary.replace(target)
    flush_folder(target.parent)


def _flush(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise SetupError(f"can't read it: {error.strerror}", where=str(file), remedy="take another copy") from None


def _manifest(source: Path) -> Backup:
    try:
        members = json.loads((source / _MANIFEST).read_bytes())
        if members["format"] != FORMAT or members["database"] not in (_SQLITE, _POSTGRESQL):
            raise ValueError("another format")
        return Backup(**members)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SetupError(
            f"not a copy: {error}", where=str(source / _MANIFEST), remedy="name a folder that `packtrace backup` made"
        ) from None

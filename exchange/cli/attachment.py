"""``packtrace attachment``: the files that figures rest on. Their digests are made and checked without network, by the base install."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.connection import Connection
from exchange.cli.files import check_new, new_file, read_up_to, write_new
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, say, say_json, tell

if TYPE_CHECKING:
    from exchange.attachment import Reading
    from exchange.client import Client

SUFFIX = ".salt"
_RECORD = ".digest"
_PIECE = 256 * 1024


def run_digest(files: Sequence[Path], *, as_json: bool) -> int:
    """Print the digest of each file; make its salt where there is none yet. A file that was changed since is refused."""

    def command() -> int:
        from exchange.attachment import SALT_BYTES

        found = []
        for file in files:
            beside = _salt_of(file)
            known = beside.exists()
            salt = _read_salt(file) if known else secrets.token_bytes(SALT_BYTES)
            reading = _read(salt, file)
            is_recorded = _check_unchanged(file, reading.digest)
            found.append({"file": str(file), "digest": reading.digest, "media_type": reading.media_type()})
            if not known:
                write_new(beside, salt, mode=0o600)
                tell(f"{beside} is made: keep it with the statement; without it nobody can prove that {file} is meant")
            elif not is_recorded:
                tell(f"{beside} was there before: if {file} was changed since, it needs a salt of its own")
            if not is_recorded:
                write_new(_record_of(file), f"{reading.digest}\n".encode(), mode=0o600)
        _answer({"files": found}, (f"{one['digest']}  {one['file']}" for one in found), as_json=as_json)
        return DONE

    return guarded(command)


def run_check(digest: str, file: Path, *, as_json: bool) -> int:
    """Check that a file, with the salt beside it or in front, is what a digest names."""

    def command() -> int:
        reading = _read(_read_salt(file) if _salt_of(file).exists() else b"", file)
        reading.check_digest(digest)
        members = {"digest": digest, "file": str(file), "verdict": "verified"}
        _answer(members, [f"{file} is the file that {digest} names"], as_json=as_json)
        return DONE

    return guarded(command)


def run_add(to: Connection, files: Sequence[Path], organisation: str | None) -> int:
    """Hand in files whose digests one's statements name."""

    def command(client: Client) -> int:
        found = []
        for file in files:
            salt = _read_salt(file)
            one = client.put_attachment(_read(salt, file).digest, salt, file, organisation=organisation)
            found.append(one | {"file": str(file)})
        _answer(
            {"attachments": found},
            (f"{one['file']} {'was there before' if one['existed'] else 'is stored'}: {_line(one)}" for one in found),
            as_json=to.as_json,
        )
        return DONE

    return to.run(command)


def run_get(to: Connection, digest: str, out: Path, reader: str | None) -> int:
    """Fetch a file and its salt, checked."""

    def command(client: Client) -> int:
        salt = _salt_of(out)
        check_new(salt)
        with new_file(out, mode=0o600) as file:
            found = client.fetch_attachment(digest, file, reader=reader)
            write_new(salt, found, mode=0o600)
        members = {"digest": digest, "file": str(out), "salt": str(salt), "verdict": "verified"}
        _answer(members, [f"{out} is the file that {digest} names; its salt is {salt}"], as_json=to.as_json)
        return DONE

    return to.run(command)


def run_list(to: Connection, statement: str | None, reader: str | None) -> int:
    """List the files that one handed in, or those that a statement names and one may have."""

    def command(client: Client) -> int:
        if statement is None:
            own = list(client.attachments(reader))
            _answer({"attachments": own}, map(_line, own) if own else ["no files"], as_json=to.as_json)
            return DONE
        named = client.statement_attachments(statement, reader)
        _answer({"files": named}, map(_named_line, named) if named else ["no files"], as_json=to.as_json)
        return DONE

    return to.run(command)


def run_remove(to: Connection, digest: str, organisation: str | None) -> int:
    """Erase a file that one handed in."""

    def command(client: Client) -> int:
        client.remove_attachment(digest, organisation)
        _answer({"digest": digest, "removed": True}, [f"{digest} is erased here; copies stay"], as_json=to.as_json)
        return DONE

    return to.run(command)


def _salt_of(file: Path) -> Path:
    return file.with_name(f"{file.name}{SUFFIX}")


def _record_of(file: Path) -> Path:
    return file.with_name(f"{file.name}{_RECORD}")


def _check_unchanged(file: Path, digest: str) -> bool:
    """Whether the digest that was made of `file` is recorded beside it. UsageError where that is another one.

    Two files under one salt: whoever is given the one can try guesses at the other.
    """
    from exchange.errors import UsageError

    record = _record_of(file)
    if not record.exists():
        return False
    if read_up_to(record, len(digest)).decode("ascii", "replace").rstrip() != digest:
        raise UsageError(
            "the file or its salt isn't the one that this digest was made of: a changed file needs a salt of its own",
            where=str(record),
            remedy=f"put back what was there; for a new statement, move {_salt_of(file)} and {record} away with the file that they "
            "are of, and run this again",
        )
    return True


def _read_salt(file: Path) -> bytes:
    from exchange.attachment import SALT_BYTES
    from exchange.errors import UsageError

    beside = _salt_of(file)
    salt = read_up_to(beside, SALT_BYTES) if beside.exists() else b""
    if len(salt) != SALT_BYTES:
        raise UsageError(
            "the file's salt isn't there" if not salt else f"not a salt: it hasn't {SALT_BYTES} bytes",
            where=str(beside),
            remedy=f"put it back beside the file; for a new statement: packtrace attachment digest {file}",
        )
    return salt


def _read(salt: bytes, file: Path) -> Reading:
    from exchange.attachment import Reading

    reading = Reading()
    reading.read(salt)
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            reading.read(piece)
    return reading


def _answer(members: Mapping[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    if as_json:
        say_json(dict(members))
        return
    for line in lines:
        say(line)


def _line(one: Mapping[str, Any]) -> str:
    return f"{one['digest']}  {one['media_type']}, {one['bytes']} bytes, since {one['stored_at'][:19]}"


def _named_line(one: Mapping[str, Any]) -> str:
    stored = one["attachment"]
    return f"{one['path']}: {_line(stored) if stored is not None else one['digest'] + '  not handed in'}"

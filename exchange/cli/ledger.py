"""``packtrace ledger proof|consistency``: proofs out of the database, or out of a published log and its tiles alone.

Whatever a proof was made from, it is verified against the trust file's log key before it is handed out.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from exchange.cli.anchors import read_trust
from exchange.cli.files import check_new, read_up_to, write_new
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, say, say_bytes, say_json, tell
from exchange.cli.server_commands import run_with_settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from exchange.settings import Settings
    from ledger import Extension, Fetch, LogKey, PublishedLog


@dataclass(frozen=True)
class Source:
    """Where proofs come from: a published log in a folder or at an address, else the database of the data folder."""

    published: str | None
    trust: Path | None
    data: Path | None


class _Proofs(Protocol):
    """A source that was opened."""

    @property
    def keys(self) -> tuple[LogKey, ...]:
        """The log's keys: of the trust file, and of a data folder also those that ended."""

    def inclusion(self, wanted: int | bytes, size: int | None) -> tuple[int, bytes, str]:
        """Index, leaf hash and proof file of an entry, to a published size or the newest."""

    def extension(self, old: int, new: int) -> Extension:
        """That the first `old` entries are a prefix of the first `new`, verified."""


def run_proof(source: Source, entry: str, size: int | None, out: Path | None, *, as_json: bool) -> int:
    """Make the proof file of an entry, given by index or leaf hash; print it or write it to a new file."""

    def command(proofs: _Proofs) -> int:
        from ledger import parse_proof, verify_proof

        if out is not None:
            check_new(out)
        index, leaf, text = proofs.inclusion(_wanted(entry), size)
        checkpoint = verify_proof(parse_proof(text), leaf, *proofs.keys)
        if out is not None:
            write_new(out, text.encode(), mode=0o644)
        told = f"entry {index}, leaf hash {leaf.hex()}, proven to the checkpoint of size {checkpoint.size}"
        members = {"origin": checkpoint.origin, "index": index, "leaf_hash": leaf.hex(), "size": checkpoint.size}
        if as_json:
            say_json({**members, "root": checkpoint.root.hex(), "proof": text})
        elif out is None:
            tell(told)
            say_bytes(text.encode())
        else:
            say(f"{out}: {told}")
        return DONE

    return _run(source, command)


def run_consistency(source: Source, old: int, new: int, *, as_json: bool) -> int:
    """Prove that the log's first `old` entries are a prefix of its first `new`."""

    def command(proofs: _Proofs) -> int:
        found, origin = proofs.extension(old, new), proofs.keys[0].name
        roots = {"old_root": _base64(found.old_root), "new_root": _base64(found.new_root)}
        proof = [_base64(value) for value in found.proof]
        if as_json:
            say_json({"origin": origin, "old": old, "new": new, **roots, "proof": proof})
        else:
            say(f"consistent: the first {old} entries of {origin} are a prefix of its first {new}")
            say("\n".join([f"old root {roots['old_root']}", f"new root {roots['new_root']}", *proof]))
        return DONE

    return _run(source, command)


def _run(source: Source, command: Callable[[_Proofs], int]) -> int:
    """To read a folder by a given trust file takes the base install; the rest needs settings."""
    folder, trust = source.published, source.trust
    if folder is not None and trust is not None and not _is_address(folder):

        def from_folder() -> int:
            with _naming(folder):
                return command(_in_folder(Path(folder), trust))

        return guarded(from_folder)

    def with_source(settings: Settings) -> int:
        with _naming(source.published), _opened(source, settings) as proofs:
            return command(proofs)

    return run_with_settings(source.data, None, with_source)


@contextmanager
def _naming(published: str | None) -> Iterator[None]:
    """Let an error about a published log's files name the folder or address too."""
    from ledger import BadNoteError, BadSignatureError, LogInconsistentError, PublishedFileError, WrongOriginError

    try:
        yield
    except (PublishedFileError, LogInconsistentError, BadNoteError, BadSignatureError, WrongOriginError) as error:
        if published is None:
            raise
        raise type(error)(error.what, where=f"{published}: {error.where}", remedy=error.remedy) from error


@contextmanager
def _opened(source: Source, settings: Settings) -> Iterator[_Proofs]:
    from exchange.errors import UsageError
    from exchange.installation import known_keys

    trust = source.trust or settings.data / "trust"
    if source.published is None:
        if source.trust is not None:
            remedy = "leave it out, the data folder has its own; or name with --from what to read"
            raise UsageError("a trust file goes with a published log", where="--trust", remedy=remedy)
        keys = known_keys(settings.data)
        with _database(settings) as connection:
            yield _Stored(connection, keys)
    elif _is_address(source.published):
        from exchange.log_client import fetching

        with fetching(source.published, settings.data / "token") as fetch:
            yield _read(fetch, trust)
    else:
        yield _in_folder(Path(source.published), trust)


@dataclass(frozen=True)
class _Stored:
    connection: Connection
    keys: tuple[LogKey, ...]

    def inclusion(self, wanted: int | bytes, size: int | None) -> tuple[int, bytes, str]:
        from ledger.store import entry, find, proof_file

        found = entry(self.connection, wanted) if isinstance(wanted, int) else find(self.connection, wanted)
        return found.index, found.leaf_hash, proof_file(self.connection, found.index, size)

    def extension(self, old: int, new: int) -> Extension:
        from ledger import Extension, open_checkpoint, verify_consistency
        from ledger.store import published, published_consistency

        proof = published_consistency(self.connection, old, new)
        notes = [published(self.connection, size).note for size in (old, new)]
        old_root, new_root = (open_checkpoint(note, *self.keys).root for note in notes)
        verify_consistency(old, new, old_root, new_root, proof)
        return Extension(old, new, old_root, new_root, tuple(proof))


@dataclass(frozen=True)
class _Published:
    log: PublishedLog
    keys: tuple[LogKey, ...]

    def inclusion(self, wanted: int | bytes, size: int | None) -> tuple[int, bytes, str]:
        from ledger import UnpublishedSizeError

        if size not in (None, self.log.checkpoint.size):
            raise UnpublishedSizeError(
                f"the published log has the checkpoint of size {self.log.checkpoint.size} alone",
                where="--size",
                remedy="leave the size out; proofs to older ones come from the exchange's database",
            )
        index = wanted if isinstance(wanted, int) else self.log.find(wanted)
        return index, self.log.inclusion(index)[0], self.log.proof_file(index)

    def extension(self, old: int, new: int) -> Extension:
        return self.log.extension(old, new)


def _in_folder(folder: Path, trust: Path) -> _Published:
    def fetch(path: str, limit: int) -> bytes | None:
        try:
            return read_up_to(folder / path, limit)
        except (FileNotFoundError, NotADirectoryError):
            return None

    return _read(fetch, trust)


def _read(fetch: Fetch, trust: Path) -> _Published:
    from ledger import PublishedLog

    keys = read_trust(trust).keys
    return _Published(PublishedLog(fetch, *keys), keys)


@contextmanager
def _database(settings: Settings) -> Iterator[Connection]:
    from exchange.database import existing_engine_for
    from ledger.store import snapshot

    engine = existing_engine_for(settings.url)
    try:
        with snapshot(engine) as connection:
            yield connection
    finally:
        engine.dispose()


def _wanted(entry: str) -> int | bytes:
    """The index, or the leaf hash (64 hex digits), that names an entry. Raises UsageError."""
    from exchange.errors import UsageError

    if re.fullmatch("[0-9a-f]{64}", entry):
        return bytes.fromhex(entry)
    if re.fullmatch("0|[1-9][0-9]{0,17}", entry):
        return int(entry)
    remedy = "give an index (0, 1, 2, ...), or a leaf hash of 64 hex digits in lower case"
    raise UsageError("neither an index nor a leaf hash", where="ENTRY", remedy=remedy)


def _is_address(published: str) -> bool:
    return published.startswith(("http://", "https://"))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

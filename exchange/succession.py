"""What ends and what follows: a log key that another key follows, and an origin that another origin succeeds.

A key goes in two steps, with an overlap in which both keys sign each checkpoint, so that verifiers with either trust file go on.
An origin ends when its database is lost: what it signed stays as it is, below ``frozen/``, and a log of another name begins.
Each step is a rename or a whole file; a run that was cut is taken up by the next.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine

from exchange.cosigning import load_policy
from exchange.database import has_log, place
from exchange.errors import SetupError, UsageError
from exchange.events import OVERLAP, public_keys
from exchange.installation import (
    FROZEN,
    LAST_SIGNED,
    NEXT,
    PREDECESSOR,
    PUBLISHED,
    RETIRED,
    TRUST,
    WEBHOOK,
    WEBHOOK_NEXT,
    alone,
    flush_folder,
    frozen_origins,
    kept_passphrase,
    make_private_folder,
    retired_keys,
    write_private,
)
from exchange.trust import TrustFile
from ledger import CHECKPOINT_PATH, BadKeyError, BadNoteError, Checkpoint, LogKey, open_checkpoint, require_origin
from ledger.store import head, latest_checkpoint, snapshot
from signer import KeyPair
from signer.keystore import load_key, save_key


def begin_rotation(folder: Path, *, passphrase: str | None, random: Callable[[int], bytes]) -> None:
    """Make the log's next key: from the next start both keys sign each checkpoint. Raises SetupError, KeyStoreError."""
    path = folder / "keys" / NEXT
    with alone(folder):
        secret = _secret(folder, passphrase, random)
        if path.exists():
            raise SetupError(
                "another key is following already", where=str(path), remedy="end that: `packtrace ledger key retire`"
            )
        save_key(path, KeyPair.generate("Ed25519"), secret)


def end_rotation(folder: Path, engine: Engine, witness_policy: Path | None = None) -> LogKey:
    """End the log's first key: from the next start only the one that followed signs. Return the key that ended.

    Raises SetupError unless everything signed last, in the database and outside, is signed by the follower too, and the witness
    policy, if there is one, is also for a log with that key.
    """
    path = folder / "keys" / NEXT
    with alone(folder):
        trust = _trust(folder)
        if not path.exists() or len(trust.keys) < 2:
            raise SetupError(
                "no key is following",
                where=str(path),
                remedy="begin with `packtrace ledger key rotate` and start the exchange",
            )
        _require_signed_by(folder, engine, trust.keys[1])
        load_policy(witness_policy, *trust.keys[1:])
        ended = [*retired_keys(folder), *([trust.key] if trust.key not in retired_keys(folder) else [])]
        write_private(folder / RETIRED, "".join(f"{key}\n" for key in ended).encode(), mode=0o644)
        path.replace(folder / "keys" / "log")
        flush_folder(folder / "keys")
        return trust.key


def begin_webhook_rotation(folder: Path, *, passphrase: str | None, random: Callable[[int], bytes]) -> None:
    """Make the next key of webhooks: from the next start of the worker both sign, and receivers are told. Raises SetupError."""
    path = folder / "keys" / WEBHOOK_NEXT
    with alone(folder):
        secret = _secret(folder, passphrase, random)
        if path.exists():
            raise SetupError(
                "another key is following already", where=str(path), remedy="end that: `packtrace webhook key retire`"
            )
        save_key(path, KeyPair.generate("Ed25519"), secret)


def end_webhook_rotation(folder: Path, engine: Engine, now: datetime) -> None:
    """End the present key of webhooks: from the next start of the worker its follower signs alone.

    Raises SetupError where none follows, or it was announced less than OVERLAP ago.
    """
    path = folder / "keys" / WEBHOOK_NEXT
    with alone(folder), snapshot(engine) as connection:
        known = public_keys(connection)
        if not path.exists() or len(known) < 2:
            raise SetupError(
                "no key is following",
                where=str(path),
                remedy="begin with `packtrace webhook key rotate` and restart the worker",
            )
        if now < (ready := known[1].since + OVERLAP):
            raise SetupError(
                "receivers have not had the time to take the next key up",
                where=str(path),
                remedy=f"wait until {ready:%Y-%m-%d %H:%M} UTC",
            )
        path.replace(folder / "keys" / WEBHOOK)
        flush_folder(folder / "keys")


def succeed(
    folder: Path,
    engine: Engine,
    old: str,
    new: str | None,
    *,
    passphrase: str | None,
    random: Callable[[int], bytes],
) -> Checkpoint:
    """Freeze the lost log `old`: the next start founds another one, named `new`, that names it as predecessor.

    The database must be empty. Return the last checkpoint that is known of `old`. Raises SetupError, UsageError, KeyStoreError, what
    `open_checkpoint` raises; then nothing was changed.
    """
    with alone(folder):
        _require_new_name(folder, old, new)
        secret = _secret(folder, passphrase, random)
        _require_no_log(engine)
        trust = _trust(folder)
        note, last = _last_known(folder, [*trust.keys, *retired_keys(folder)])
        if last.origin != old:
            raise UsageError(f"the log that signed here is {last.origin}, not {old}", where="ORIGIN", remedy="name it")
        # From here on nothing is refused.
        write_private(folder / LAST_SIGNED, note.encode(), mode=0o644)
        frozen = folder / FROZEN / old.replace("/", "-")
        make_private_folder(frozen)
        write_private(frozen / CHECKPOINT_PATH, note.encode(), mode=0o644)
        write_private(frozen / TRUST, trust.document(), mode=0o644)
        _move_keys(folder / "keys", frozen / "keys", secret)
        if (folder / PUBLISHED).exists():
            (folder / PUBLISHED).rename(frozen / PUBLISHED)
        write_private(folder / PREDECESSOR, note.encode(), mode=0o644)
        # Last: while this file is there, no log is founded.
        (folder / LAST_SIGNED).unlink(missing_ok=True)
        flush_folder(folder / "keys")
        return last


def _require_new_name(folder: Path, old: str, new: str | None) -> None:
    """Check that a log may be founded under this name, if one is given. Raises UsageError."""
    if new is None:
        return
    if new in {old, *frozen_origins(folder)}:
        raise UsageError(f"{new} has been the name of a log", where="--origin", remedy="give the new log another")
    try:
        require_origin(new)
    except BadKeyError as error:
        remedy = "give a name such as log.example/2027"
        raise UsageError(f"not a log's name: {error.what}", where="--origin", remedy=remedy) from None


def _secret(folder: Path, passphrase: str | None, random: Callable[[int], bytes]) -> str:
    """Return the passphrase of the folder's keys, having tried it: all keys are under one."""
    if not (folder / "keys").exists():
        raise _no_exchange("there are no keys", folder / "keys")
    secret = passphrase or kept_passphrase(folder, random)
    load_key(folder / "keys" / "log", secret)
    return secret


def _trust(folder: Path) -> TrustFile:
    """Return the folder's trust file, which names the log's public keys."""
    try:
        return TrustFile.read((folder / TRUST).read_bytes(), where=str(folder / TRUST))
    except FileNotFoundError:
        raise _no_exchange("there is no trust file", folder / TRUST) from None


def _no_exchange(what: str, where: Path) -> SetupError:
    return SetupError(what, where=str(where), remedy="name the data folder of an exchange that was started")


def _require_signed_by(folder: Path, engine: Engine, follower: LogKey) -> None:
    with snapshot(engine) as connection:
        newest = latest_checkpoint(connection)
    outside = [folder / PUBLISHED / CHECKPOINT_PATH, folder / LAST_SIGNED]
    try:
        for note in [newest.note if newest else "", *(file.read_text("utf-8") for file in outside)]:
            open_checkpoint(note, follower)
    except (BadNoteError, FileNotFoundError):
        raise SetupError(
            "the last checkpoint is not signed by the key that follows",
            where=str(folder / "keys" / NEXT),
            remedy="start the exchange, and end the first key when a checkpoint over a further entry is published",
        ) from None


def _require_no_log(engine: Engine) -> None:
    if not has_log(engine):
        return
    with snapshot(engine) as connection:
        found = head(connection)
    raise SetupError(
        f"the database has the log {found.origin}",
        where=place(engine.url),
        remedy="keep that database for reading, and name an empty one",
    )


def _last_known(folder: Path, keys: list[LogKey]) -> tuple[str, Checkpoint]:
    """Return the newest checkpoint outside the database."""
    found = []
    for file in (folder / LAST_SIGNED, folder / PUBLISHED / CHECKPOINT_PATH):
        if file.exists():
            note = file.read_text("utf-8")
            found.append((note, open_checkpoint(note, *keys)))
    if not found:
        raise SetupError(
            "no checkpoint of the lost log is left here",
            where=str(folder / LAST_SIGNED),
            remedy="put the newest one that others hold (a mirror, an auditor, a reader) there under this name; if the log never "
            "published one, begin in another data folder",
        )
    return max(found, key=lambda pair: pair[1].size)


def _move_keys(keys: Path, frozen: Path, secret: str) -> None:
    """Put the log's keys aside, and make another key for another log."""
    make_private_folder(frozen)
    names = ["log", NEXT, Path(RETIRED).name]
    for name in names:
        # What stands there from a run that was cut is the lost log's key; the one here may be the new log's.
        if (keys / name).exists() and not (frozen / name).exists():
            (frozen / name).hardlink_to(keys / name)
    flush_folder(frozen)
    save_key(keys / "log", KeyPair.generate("Ed25519"), secret)
    for name in names[1:]:
        (keys / name).unlink(missing_ok=True)

"""The operator's commands for bad days and for planned changes: backup, restore, succession of keys and of origins."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.output import DONE, REJECTED, fail, say, tell
from exchange.cli.server_commands import answer, run_with_settings

if TYPE_CHECKING:
    from exchange.settings import Settings


def run_backup(data: Path | None, folder: Path, *, as_json: bool) -> int:
    """Copy database and data folder."""

    def command(settings: Settings) -> int:
        from exchange.backup import back_up
        from exchange.services import utc_now

        made = back_up(settings.data, settings.url, folder, utc_now())
        members = {"folder": str(folder), "origin": made.origin, "size": made.size, "checkpoint": made.checkpoint}
        answer(members, f"{folder} holds {made.origin} with {made.size} entries or more", as_json=as_json)
        if (folder / "data" / "passphrase").exists():
            tell("it holds the keys and their passphrase: keep it as you keep the data folder")
        return DONE

    return run_with_settings(data, None, command)


def run_restore(data: Path | None, folder: Path, *, as_json: bool) -> int:
    """Put a copy back, audit it, and say whether it may sign."""

    def command(settings: Settings) -> int:
        from exchange.backup import put_back
        from exchange.database import engine_for
        from exchange.installation import LAST_SIGNED, PUBLISHED, known_keys
        from ledger import LogBehindError
        from ledger.audit import audit
        from ledger.store import require_current, snapshot

        put_back(folder, settings.data, settings.url)
        keys = known_keys(settings.data)
        published, last_signed = settings.data / PUBLISHED, settings.data / LAST_SIGNED
        with snapshot(engine_for(settings.url)) as connection:
            report = audit(connection, keys[0], None, other_keys=keys[1:])
            current = last_signed.exists()
            try:
                require_current(connection, keys, published, last_signed)
            except LogBehindError as error:
                return fail(f"the copy is whole, and too old to sign on from: {error}", REJECTED)
        answer(
            {"origin": keys[0].name, "size": report.size, "known_to_be_current": current},
            f"{keys[0].name} is back with {report.size} entries",
            as_json=as_json,
        )
        if not current:
            tell(_UNKNOWN)
        return DONE

    return run_with_settings(data, None, command)


_UNKNOWN = (
    "nothing here tells whether the log signed more after this copy was made: before you serve it, compare it with a copy of the "
    "published log that others hold (packtrace ledger audit --url ADDRESS, or --checkpoint FILE)"
)


def run_rotate(data: Path | None) -> int:
    """Begin to follow the log's key by another."""

    def command(settings: Settings) -> int:
        from exchange.database import existing_engine_for
        from exchange.installation import new_secret
        from exchange.succession import begin_rotation

        existing_engine_for(settings.url).dispose()
        begin_rotation(settings.data, passphrase=_passphrase(settings), random=new_secret)
        _open(settings)
        say("both keys sign from the next start of each process; hand out the new trust file")
        return DONE

    return run_with_settings(data, None, command)


def run_retire(data: Path | None) -> int:
    """End the log's old key."""

    def command(settings: Settings) -> int:
        from exchange.database import existing_engine_for
        from exchange.succession import end_rotation

        ended = end_rotation(settings.data, existing_engine_for(settings.url), settings.witness_policy)
        _open(settings)
        say(f"{ended} signs no more from the next start of each process; trust files that name it alone end here")
        return DONE

    return run_with_settings(data, None, command)


def run_webhook_rotate(data: Path | None) -> int:
    """Begin to follow the key of webhooks by another."""

    def command(settings: Settings) -> int:
        from exchange.database import existing_engine_for
        from exchange.installation import new_secret
        from exchange.succession import begin_webhook_rotation

        existing_engine_for(settings.url).dispose()
        begin_webhook_rotation(settings.data, passphrase=_passphrase(settings), random=new_secret)
        _open(settings)
        say("the next key is announced; both sign webhooks from the next start of each worker")
        return DONE

    return run_with_settings(data, None, command)


def run_webhook_retire(data: Path | None) -> int:
    """End the old key of webhooks."""

    def command(settings: Settings) -> int:
        from exchange.database import existing_engine_for
        from exchange.services import utc_now
        from exchange.succession import end_webhook_rotation

        end_webhook_rotation(settings.data, existing_engine_for(settings.url), utc_now())
        _open(settings)
        say("the old key signs no webhook from the next start of each worker")
        return DONE

    return run_with_settings(data, None, command)


def run_vault_rotate(data: Path | None, also: Sequence[Path], *, as_json: bool) -> int:
    """Let another master key of the vault follow."""

    def command(settings: Settings) -> int:
        from exchange.database import existing_engine_for
        from exchange.installation import new_secret, rotate_vault
        from exchange.services import utc_now

        engine = existing_engine_for(settings.url)
        try:
            current, done = rotate_vault(
                settings.data,
                engine,
                passphrase=_passphrase(settings),
                random=new_secret,
                now=utc_now(),
                also=also,
                progress=lambda done, of: tell(f"{done:,} of {of:,} data keys are wrapped anew"),
            )
        finally:
            engine.dispose()
        members = {"master_key": current, "wrapped": done}
        answer(members, f"the master key is {current}; {done:,} data keys are wrapped by it", as_json=as_json)
        tell("copies from before hold the old key: what it wraps can be read from them until they are deleted")
        return DONE

    return run_with_settings(data, None, command)


def run_split(data: Path | None, folder: Path, *, as_json: bool) -> int:
    """Make or bring up to date the data folder of web processes."""

    def command(settings: Settings) -> int:
        from exchange.installation import new_secret
        from exchange.web_process import split

        names = split(settings.data, _passphrase(settings), folder, new_secret)
        members = {"folder": str(folder), "keys": list(names)}
        answer(members, f"{folder} holds what web processes need: {', '.join(names)}", as_json=as_json)
        tell(
            "it holds none of the keys that sign; those of `keys/vault.*` are needed in the worker's folder to calculate only"
        )
        return DONE

    return run_with_settings(data, None, command)


def run_succeed(data: Path | None, old: str, new: str | None) -> int:
    """Freeze a lost log and found its successor."""

    def command(settings: Settings) -> int:
        from exchange.database import engine_for
        from exchange.installation import new_secret
        from exchange.succession import succeed

        setting = settings.origin if settings.origin != old else None
        name = setting if new is None else new
        secret = _passphrase(settings)
        last = succeed(settings.data, engine_for(settings.url), old, name, passphrase=secret, random=new_secret)
        # A witness policy with log lines can't name the new log's key yet.
        founded = _open(settings.model_copy(update={"origin": name, "witness_policy": None}))
        say(f"{old} is frozen at {last.size} entries; {founded} succeeds it: hand out the new trust file")
        return DONE

    return run_with_settings(data, None, command)


def _passphrase(settings: Settings) -> str | None:
    return settings.passphrase.get_secret_value() if settings.passphrase else None


def _open(settings: Settings) -> str:
    """Open the exchange once, which completes the data folder and writes the trust file; return the log's name."""
    from exchange.server import open_services

    # These commands are for the worker's folder, which may be without the master key.
    installation = open_services(settings.model_copy(update={"process": "worker"})).installation
    installation.engine.dispose()
    return installation.trust_file.origin

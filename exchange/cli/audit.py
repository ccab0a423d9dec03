"""``packtrace ledger audit`` and ``packtrace ledger publish``: the log against its entries, its copies, and what others keep of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exchange.cli.files import read_up_to
from exchange.cli.output import DONE, tell
from exchange.cli.server_commands import answer, run_with_settings

if TYPE_CHECKING:
    from exchange.settings import Settings
    from exchange.trust import TrustFile
    from ledger import LogKey
    from ledger.audit import AuditReport, Known, Shown

MAX_CHECKPOINT = 1_000_000
_TELL_EVERY = 256 * 100


@dataclass(frozen=True)
class AuditOrder:
    """What to compare the log with, beside its own database.

    `folder` is a published copy (else the data folder's own), `checkpoint` a file with one that was kept, `url` a published log
    elsewhere, which lacks nothing that was signed `stall_seconds` ago, and `stall_entries` entries at most. With `trust`, its file's
    keys are believed and no database is opened: `url` is compared with `checkpoint`.
    """

    folder: Path | None = None
    url: str | None = None
    checkpoint: Path | None = None
    trust: Path | None = None
    stall_seconds: float = 60
    stall_entries: int | None = None


def run_audit(data: Path | None, order: AuditOrder | None = None, *, as_json: bool) -> int:
    """Audit the log in the data folder, or with a trust file one that is elsewhere."""
    order = order or AuditOrder()

    def command(settings: Settings) -> int:
        if order.trust is not None:
            return _audit_elsewhere(order, order.trust, as_json=as_json)
        report = _audit_here(settings, order)
        members = {
            "verdict": "consistent",
            "size": report.size,
            "root": report.root.hex(),
            "chain": report.chain.hex(),
            "checkpoints": report.checkpoints,
            "files": report.tiles,
        }
        compared = f"{report.size} entries, {report.checkpoints} checkpoints, {report.tiles} published files"
        answer(members, f"consistent: {compared}, root {report.root.hex()}", as_json=as_json)
        return DONE

    return run_with_settings(data, None, command)


def run_publish(data: Path | None, folder: Path, *, as_json: bool) -> int:
    """Bring a folder of static files up to the newest signed checkpoint."""

    def command(settings: Settings) -> int:
        from exchange.database import engine_for
        from exchange.installation import retired_keys
        from ledger.store import publish_copy

        keys = (*_trust(settings.data / "trust").keys, *retired_keys(settings.data))
        signed = publish_copy(engine_for(settings.url), keys, folder)
        members = {"folder": str(folder), "size": signed.size}
        answer(members, f"{folder} holds the log up to its checkpoint of {signed.size} entries", as_json=as_json)
        return DONE

    return run_with_settings(data, None, command)


def _audit_here(settings: Settings, order: AuditOrder) -> AuditReport:
    from exchange.database import engine_for
    from exchange.installation import PUBLISHED, retired_keys
    from exchange.services import utc_now
    from ledger.audit import audit, require_extends, require_fresh
    from ledger.store import snapshot

    keys = (*_trust(settings.data / "trust").keys, *retired_keys(settings.data))
    folder = order.folder or settings.data / PUBLISHED
    # The log elsewhere is asked first, so that it isn't ahead of the snapshot by what is appended meanwhile.
    old = _kept(order.checkpoint, keys)
    now = None if order.url is None else _shown(order.url, keys, _token(order.url, settings.data))
    with snapshot(engine_for(settings.url)) as connection:
        known = [one for one in (old, now) if one is not None]
        report = audit(connection, keys[0], folder, _progress(), other_keys=keys[1:], known=known)
        if now is not None:
            if old is not None:
                require_extends(now, old.checkpoint.size, old.checkpoint.root)
            require_fresh(connection, now, now=utc_now(), seconds=order.stall_seconds, entries=order.stall_entries)
    return report


def _audit_elsewhere(order: AuditOrder, trust: Path, *, as_json: bool) -> int:
    """Compare what a log elsewhere shows with a checkpoint that was kept of it."""
    from exchange.errors import UsageError
    from ledger.audit import require_extends

    if order.url is None or order.folder is not None:
        raise UsageError("a trust file is for a log elsewhere", where="--trust", remedy="give --url, and no --folder")
    keys = _trust(trust).keys
    old, now = _kept(order.checkpoint, keys), _shown(order.url, keys, None)
    compared = "nothing; keep its checkpoint for the next time"
    if old is not None:
        require_extends(now, old.checkpoint.size, old.checkpoint.root)
        compared = f"the checkpoint of {old.checkpoint.size} entries"
    size, root = now.checkpoint.size, now.checkpoint.root.hex()
    members = {"verdict": "consistent", "size": size, "root": root, "compared_with": compared}
    answer(members, f"consistent: {size} entries, root {root}, compared with {compared}", as_json=as_json)
    return DONE


def _kept(file: Path | None, keys: Sequence[LogKey]) -> Known | None:
    from ledger.audit import kept

    return None if file is None else kept(read_up_to(file, MAX_CHECKPOINT), keys, str(file))


def _shown(url: str, keys: Sequence[LogKey], token: str | None) -> Shown:
    from exchange.client import PublishedLog
    from ledger.audit import shown

    log = PublishedLog(url, token)
    return shown(log.read, keys, log.address)


def _token(url: str, data: Path | None) -> str | None:
    """Return the data folder's token for an exchange on this machine, which answers to nobody else; None for any other address."""
    host = urlsplit(url).hostname or ""
    try:
        here = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        here = False
    if data is None or not here or not (data / "token").exists():
        return None
    return (data / "token").read_text("ascii").strip()


def _trust(path: Path) -> TrustFile:
    from exchange.trust import MAX_TRUST_BYTES, TrustFile

    return TrustFile.read(read_up_to(path, MAX_TRUST_BYTES), where=str(path))


def _progress() -> Callable[[int, int], None]:
    """Return what tells of a long audit, now and then."""

    def told(done: int, total: int) -> None:
        if done % _TELL_EVERY == 0 and 0 < done < total:
            tell(f"{done} of {total} entries ...")

    return told

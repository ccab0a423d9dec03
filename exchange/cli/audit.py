"""``packtrace ledger audit`` and ``packtrace ledger publish``: the log against its entries, its copies, and what others keep of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.anchors import read_trust
from exchange.cli.files import read_up_to
from exchange.cli.output import DONE, tell
from exchange.cli.server_commands import answer, run_with_settings, witnessing

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from exchange.settings import Settings
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
            return _audit_elsewhere(order, order.trust, settings.data / "token", as_json=as_json)
        from exchange.cosigning import load_policy
        from exchange.database import existing_engine_for
        from exchange.installation import known_keys

        keys, engine = known_keys(settings.data), existing_engine_for(settings.url)
        policy = load_policy(settings.witness_policy, *read_trust(settings.data / "trust").keys)
        report, snapshots = _audit_here(engine, settings.data, order, keys)
        members = {
            "verdict": "consistent",
            "size": report.size,
            "root": report.root.hex(),
            "chain": report.chain.hex(),
            "checkpoints": report.checkpoints,
            "files": report.tiles,
            "cosignatures": report.cosignatures,
            "snapshots": snapshots,
            "witnessing": witnessing(policy, engine),
        }
        signed = f"{report.checkpoints} checkpoints, {report.cosignatures} cosignatures"
        compared = f"{report.size} entries, {signed}, {report.tiles} published files, {snapshots} status snapshots"
        text = f"consistent: {compared}, root {report.root.hex()}\n{members['witnessing']}"
        answer(members, text, as_json=as_json)
        return DONE

    return run_with_settings(data, None, command)


def run_publish(data: Path | None, folder: Path, *, as_json: bool) -> int:
    """Bring a folder of static files up to the newest signed checkpoint."""

    def command(settings: Settings) -> int:
        from exchange.database import existing_engine_for
        from exchange.installation import known_keys
        from ledger.store import publish_copy

        keys, engine = known_keys(settings.data), existing_engine_for(settings.url)
        signed = publish_copy(engine, keys, folder)
        members = {"folder": str(folder), "size": signed.size}
        answer(members, f"{folder} holds the log up to its checkpoint of {signed.size} entries", as_json=as_json)
        return DONE

    return run_with_settings(data, None, command)


def _audit_here(engine: Engine, data: Path, order: AuditOrder, keys: Sequence[LogKey]) -> tuple[AuditReport, int]:
    """Return the report, and how many status snapshots were computed again."""
    from exchange.identity import recomputed_snapshots
    from exchange.installation import PUBLISHED
    from exchange.services import utc_now
    from ledger.audit import audit, require_extends, require_fresh
    from ledger.store import snapshot

    folder = order.folder or data / PUBLISHED
    # The log elsewhere is asked first, so that it isn't ahead of the snapshot by what is appended meanwhile.
    old = _kept(order.checkpoint, keys)
    with _shown(order.url, keys, data / "token") as now, snapshot(engine) as connection:
        known = [one for one in (old, now) if one is not None]
        report = audit(connection, keys[0], folder, _progress(), other_keys=keys[1:], known=known)
        snapshots = recomputed_snapshots(connection, report.size)
        if now is not None:
            if old is not None:
                require_extends(now, old.checkpoint.size, old.checkpoint.root)
            require_fresh(connection, now, now=utc_now(), seconds=order.stall_seconds, entries=order.stall_entries)
    return report, snapshots


def _audit_elsewhere(order: AuditOrder, trust: Path, token_file: Path, *, as_json: bool) -> int:
    """Compare what a log elsewhere shows with a checkpoint that was kept of it."""
    from exchange.errors import UsageError
    from ledger.audit import require_extends

    keys = read_trust(trust).keys
    old, compared = _kept(order.checkpoint, keys), "nothing; keep its checkpoint for the next time"
    with _shown(order.url, keys, token_file) as now:
        if now is None or order.folder is not None:
            remedy = "give --url, and no --folder"
            raise UsageError("a trust file is for a log elsewhere", where="--trust", remedy=remedy)
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


@contextmanager
def _shown(url: str | None, keys: Sequence[LogKey], token_file: Path | None) -> Iterator[Shown | None]:
    """The log at an address, if one is given, which is asked while the block runs."""
    from exchange.log_client import fetching
    from ledger.audit import shown

    if url is None:
        yield None
        return
    with fetching(url, token_file) as fetch:
        yield shown(fetch, keys, url)


def _progress() -> Callable[[int, int], None]:
    """Return what tells of a long audit, now and then."""

    def told(done: int, total: int) -> None:
        if done % _TELL_EVERY == 0 and 0 < done < total:
            tell(f"{done} of {total} entries ...")

    return told

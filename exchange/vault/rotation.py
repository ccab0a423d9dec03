"""A master key is followed by another, in steps that may be cut anywhere: what was done stays done, and the next run goes on.

Order: the new key's file, then its row as the current one (from then on new data keys are wrapped by it, in every process), then data
keys in batches, each in a transaction; when nothing is wrapped by the old key any more, its file is marked, its row deleted, which the
database refuses while a transaction under way has used it, and its file removed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from exchange.vault.keys import ENDED, MASTER, make_master
from exchange.vault.sealing import Vault
from exchange.vault.tables import DataKeyRow, MasterKeyRow
from ledger.store import begin, snapshot

_BATCH = 500


def rotate(
    vault: Vault,
    engine: Engine,
    folder: Path,
    *,
    passphrase: str,
    now: datetime,
    hand_out: Callable[[str], None],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[str, int]:
    """Let another master key follow the current one, or finish a rotation that was cut; return its id and how many keys were wrapped.

    `folder` is that of the keys. `hand_out` is given the new key's id before anything is wrapped by it. `progress` is told how many
    data keys are done and how many there are. Raises DamagedError.
    """
    _tidy(engine, folder)
    if not _old(engine):
        fresh = make_master(folder, passphrase)
        hand_out(fresh)
        with begin(engine) as connection, Session(connection) as session:
            connection.execute(update(MasterKeyRow).values(current=False))
            session.add(MasterKeyRow(id=fresh, current=True, made_at=now))
            session.flush()
    with snapshot(engine) as connection:
        vault.attach(connection)
        current = connection.scalars(select(col(MasterKeyRow.id)).where(col(MasterKeyRow.current))).one()
        left = connection.scalar(select(func.count()).where(col(DataKeyRow.master) != current)) or 0
    done = 0
    while _old(engine):
        while moved := _step(vault, engine, current):
            done += moved
            if progress is not None:
                progress(done, max(done, left))
        _end(engine, folder, current)
    return current, done


def _old(engine: Engine) -> list[str]:
    with snapshot(engine) as connection:
        return list(connection.scalars(select(col(MasterKeyRow.id)).where(~col(MasterKeyRow.current))))


def _step(vault: Vault, engine: Engine, current: str) -> int:
    """Wrap a batch of data keys by the current master key; return how many."""
    waiting = select(col(DataKeyRow.id), col(DataKeyRow.master), col(DataKeyRow.wrapped))
    with begin(engine) as connection:
        rows = connection.execute(waiting.where(col(DataKeyRow.master) != current).limit(_BATCH)).all()
        for row in rows:
            master, wrapped = vault.rewrapped(row.id, row.master, bytes(row.wrapped))
            # Where it was erased meanwhile, it stays erased.
            connection.execute(
                update(DataKeyRow).where(col(DataKeyRow.id) == row.id).values(master=master, wrapped=wrapped)
            )
        return len(rows)


def _end(engine: Engine, folder: Path, current: str) -> None:
    """Remove the keys that wrap nothing; one that a late writer used stays for another round."""
    for name in _old(engine):
        file = folder / f"{MASTER}{name}"
        if file.exists():
            file.rename(file.with_name(file.name + ENDED))
        try:
            with begin(engine) as connection:
                row = (col(MasterKeyRow.id) == name, col(MasterKeyRow.id) != current)
                connection.execute(delete(MasterKeyRow).where(*row))
        except IntegrityError:
            continue
    _tidy(engine, folder)


def _tidy(engine: Engine, folder: Path) -> None:
    """Remove the marked files of keys whose rows are gone, and unmark the rest."""
    kept = _old(engine)
    for file in folder.glob(f"{MASTER}*{ENDED}"):
        if file.name.removeprefix(MASTER).removesuffix(ENDED) in kept:
            file.rename(file.with_name(file.name.removesuffix(ENDED)))
        else:
            file.unlink()

"""The vault of a database: its first master key is named there, and every one that it names has to be at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import Engine, select
from sqlmodel import Session, col

from exchange.errors import SetupError
from exchange.vault.sealing import Vault
from exchange.vault.tables import MasterKeyRow
from ledger.store import begin


def open_vault(
    engine: Engine, load: Callable[[], Mapping[str, bytes]], random: Callable[[int], bytes], now: datetime
) -> Vault:
    """Return the vault of a migrated database; `load` returns the master keys by id, as `load_masters` does.

    Raises SetupError where a master key is missing, DamagedError where the database's own keys don't open.
    """
    vault = Vault(load, random)
    with begin(engine) as connection, Session(connection) as session:
        if connection.execute(select(col(MasterKeyRow.id)).limit(1)).first() is None:
            first = min(load(), default=None)
            if first is None:
                raise SetupError("there is no master key", where="keys/vault.*", remedy="restore it from a backup")
            session.add(MasterKeyRow(id=first, current=True, made_at=now))
            session.flush()
        vault.attach(connection)
    return vault

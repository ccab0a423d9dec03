"""Keeps a log in SQLite or PostgreSQL, and publishes its checkpoints and tiles.

`metadata` names the tables (prefix `ledger_`); migrations create them. Every write runs in a transaction of
`begin`, those of many callers together by `GroupCommit`; every answer that spans several queries in one of `snapshot`.
"""

from ledger.store.appending import Appended, append, create_log
from ledger.store.cosigning import store_cosignatures, witnessed_size, witnesses_of
from ledger.store.grouping import GroupCommit
from ledger.store.proving import proof_file, published, published_consistency
from ledger.store.publication import publish, publish_copy, published_checkpoint, published_tile, require_current
from ledger.store.reading import (
    Entry,
    Head,
    consistency,
    entries,
    entries_at,
    entry,
    find,
    head,
    inclusion,
    inclusions,
    leaf_hashes,
    root_at,
)
from ledger.store.signing import SignedCheckpoint, checkpoint_at, latest_checkpoint
from ledger.store.statements import attempt
from ledger.store.tables import metadata
from ledger.store.timestamps import last_stamped, stamped_checkpoints, store_timestamp
from ledger.store.transactions import begin, engine_for, snapshot, sqlite_engine

__all__ = [
    "Appended",
    "Entry",
    "GroupCommit",
    "Head",
    "SignedCheckpoint",
    "append",
    "attempt",
    "begin",
    "checkpoint_at",
    "consistency",
    "create_log",
    "engine_for",
    "entries",
    "entries_at",
    "entry",
    "find",
    "head",
    "inclusion",
    "inclusions",
    "last_stamped",
    "latest_checkpoint",
    "leaf_hashes",
    "metadata",
    "proof_file",
    "publish",
    "publish_copy",
    "published",
    "published_checkpoint",
    "published_consistency",
    "published_tile",
    "require_current",
    "root_at",
    "snapshot",
    "sqlite_engine",
    "stamped_checkpoints",
    "store_cosignatures",
    "store_timestamp",
    "witnessed_size",
    "witnesses_of",
]

"""Rebuilds a whole log from its entries and names the first difference.

A public tool in the manner of Tessera's `fsck`: it trusts the log's key and the entries' bytes, nothing that was
stored beside them. Memory does not grow with the log.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from ledger.audit.differences import difference
from ledger.audit.known import Known, KnownComparison, Shown, kept, require_extends, require_fresh, shown
from ledger.audit.published import PublishedFiles
from ledger.audit.rebuilding import Rebuilder, RebuiltTile, stored_pages
from ledger.audit.stored import CheckpointComparison, compare_cosignatures, compare_node, compare_node_count
from ledger.chain import chain_start
from ledger.errors import AuditError, LogInconsistentError
from ledger.notes import LogKey
from ledger.store import files
from ledger.store.reading import HeadState, head_state
from ledger.store.signing import latest_checkpoint
from ledger.tree import CompactRange

__all__ = [
    "AuditError",
    "AuditReport",
    "Known",
    "Shown",
    "audit",
    "kept",
    "require_extends",
    "require_fresh",
    "shown",
]


@dataclass(frozen=True)
class AuditReport:
    """A log without differences: its size, root and last chain value, and how much was compared.

    `checkpoints` counts stored checkpoints, `tiles` published tiles and bundles (0 without a folder), `cosignatures`
    those of witnesses, each verified with the key that it is kept under.
    """

    size: int
    root: bytes
    chain: bytes
    checkpoints: int
    tiles: int
    cosignatures: int


def _silent(_done: int, _total: int) -> None:
    pass


def audit(
    connection: Connection,
    log_key: LogKey,
    folder: Path | None = None,
    progress: Callable[[int, int], None] = _silent,
    *,
    other_keys: Sequence[LogKey] = (),
    known: Iterable[Known] = (),
) -> AuditReport:
    """Check every entry, leaf hash, chain value, stored node and checkpoint, every published file, and what is `known`.

    `connection` is a fresh `ledger.store.snapshot`. With a folder, publication into it waits until the audit ends
    (PublicationBusyError there, or here when one is under way); audit a copy where that is too long. A folder may be
    absent only before the first checkpoint. `progress(entries done, entries in all)` is called every 256 entries and at
    the last. `other_keys` are the log's further keys: those that signed before, and the one that signs beside.

    Raises AuditError, whose `where` is the place: `entry 17`, `leaf hash 17`, `chain at 17`, `node 1/0`,
    `checkpoint of size 20`, `checkpoint number 3`, `cosignature of size 20 by NAME`, `head`, a published file, or what is
    known: then it is ForkError or RollbackError. Raises NoLogError.
    The time stored beside a checkpoint is the operator's word and not checked.
    """
    if folder is not None and not folder.is_dir():
        if latest_checkpoint(connection) is not None:
            raise difference("the folder of the published log is missing", str(folder))
        folder = None
    with nullcontext() if folder is None else files.locked(folder, shared=True):
        # 1. The head, and that it is this log's.
        state = _head(connection, log_key)
        published = None if folder is None else PublishedFiles(connection, folder)
        checkpoints = CheckpointComparison(connection, [log_key, *other_keys])
        outside = KnownComparison(known)
        # 2. Every entry in order; nodes, checkpoints and files as the rebuilt tree reaches them.
        rebuilt = Rebuilder(chain_start(log_key.name))
        _compare_roots(rebuilt, checkpoints, outside)
        for page in stored_pages(connection, state.size):
            found = rebuilt.add(page)
            _compare_roots(rebuilt, checkpoints, outside)
            if found is not None:
                raise found
            for tile in rebuilt.tiles():
                _compare_tile(connection, published, tile)
            progress(rebuilt.size, state.size)
        for tile in rebuilt.rest():
            _compare_tile(connection, published, tile)
        edge = rebuilt.edge_at(rebuilt.size)
        # 3. The head's own values, and that nothing is left over.
        _compare_head(state, rebuilt.chain, edge)
        checkpoints.finish(state)
        cosigned = compare_cosignatures(connection)
        compare_node_count(connection, state.size)
        if published is not None:
            published.finish()
        outside.finish(edge)
    tiles = 0 if published is None else published.compared
    return AuditReport(edge.size, edge.root(), rebuilt.chain, checkpoints.count, tiles, cosigned)


def _head(connection: Connection, log_key: LogKey) -> HeadState:
    try:
        state = head_state(connection)
    except LogInconsistentError as error:
        raise difference(error.what, "head") from error
    if state.origin != log_key.name:
        raise difference("the log's origin is not the key's name", "head")
    return state


def _compare_tile(connection: Connection, published: PublishedFiles | None, tile: RebuiltTile) -> None:
    compare_node(connection, tile)
    if published is not None:
        published.compare(tile)


def _compare_roots(rebuilt: Rebuilder, *signed: CheckpointComparison | KnownComparison) -> None:
    """Compare the checkpoints whose size the rebuilt tree has reached, in the order of their sizes."""
    while sizes := [one.next_size for one in signed if one.next_size is not None and one.next_size <= rebuilt.size]:
        edge = rebuilt.edge_at(min(sizes))
        for one in signed:
            one.compare(edge)


def _compare_head(state: HeadState, chain: bytes, edge: CompactRange) -> None:
    if state.chain != chain:
        raise difference("the chain value is not that of the last entry", "head")
    if state.edge.hashes != edge.hashes:
        raise difference("the growing edge is not that of the entries", "head")

"""How entries get in: under the lock on the head, numbered without gaps, each content once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ledger import chain
from ledger.errors import LogExistsError
from ledger.layout import TILE_WIDTH, require_entry
from ledger.store import nodes, tables
from ledger.store.reading import HeadState, head_state
from ledger.store.statements import Prepared
from ledger.store.transactions import require_writing
from ledger.tree import CompactRange, leaf_hash

_KNOWN = select(tables.entry.c.leaf_hash, tables.entry.c.index, tables.entry.c.chain).where(
    tables.entry.c.leaf_hash.in_(bindparam("leaves", expanding=True))
)
# Parameters by place: those of a row in the order of the table's columns.
_INSERT_UNLESS_KNOWN = Prepared(
    {
        name: dialect.insert(tables.entry).on_conflict_do_nothing(index_elements=[tables.entry.c.leaf_hash])
        for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
    }
)
_DELETE = Prepared(
    delete(tables.entry).where(tables.entry.c.index >= bindparam("start"), tables.entry.c.index < bindparam("stop"))
)
_ADVANCE = Prepared(
    update(tables.head)
    .where(tables.head.c.id == bindparam("row"))
    .values(size=bindparam("new_size"), chain=bindparam("new_chain"), frontier=bindparam("new_frontier"))
)
_LOOKUP = 500  # leaf hashes per query, well below what either database takes as parameters


@dataclass(slots=True)  # not frozen: that takes longer than the entry's own hash
class Appended:
    """Where an entry stands; `existed` when the same bytes were in the log before."""

    origin: str
    index: int
    leaf_hash: bytes
    chain: bytes
    existed: bool


def create_log(connection: Connection, origin: str) -> None:
    """Begin an empty log with this origin. Raises LogExistsError, BadKeyError for an unfit origin."""
    require_writing(connection)
    start = chain.chain_start(chain.require_origin(origin))
    if connection.scalar(select(tables.head.c.id)) is not None:
        raise LogExistsError(
            "the database has a log already", where="ledger head", remedy="use it, or another database"
        )
    connection.execute(
        insert(tables.head).values(id=1, origin=origin, size=0, chain=start, frontier=b"", checkpoints=0)
    )


def append(
    connection: Connection,
    entries: Sequence[bytes],
    companions: Callable[[list[Appended]], None] | None = None,
) -> list[Appended]:
    """Append entries in the caller's transaction; one result for each, in order.

    Bytes that the log has, or that stand earlier in the batch, get their first index and `existed`; they do not
    stop the others. `companions` writes rows that belong to the entries in the same transaction; when it raises
    and the transaction rolls back, nothing of either remains. Nothing is durable before the caller's commit.

    Raises EntryRefusedError (an entry is empty or above 65,535 bytes; nothing is appended), NotWritingError,
    NoLogError, LogInconsistentError.
    """
    require_writing(connection)
    for entry in entries:
        require_entry(entry)
    # The lock comes before the insert that finds duplicates, or what it finds could change.
    state = head_state(connection, locked=True)
    leaves = [leaf_hash(entry) for entry in entries]
    appended = _place(state, leaves, {})
    if not _insert(connection, state, appended, entries):
        appended = _place(state, leaves, _known(connection, state.origin, leaves))
        _insert(connection, state, appended, entries)
    if companions is not None:
        companions(appended)
    return appended


def _insert(connection: Connection, state: HeadState, appended: Sequence[Appended], entries: Sequence[bytes]) -> bool:
    """Write the entries that are new; when the log has one of them after all, undo that and return False.

    Few entries come twice, so the insert itself looks for them: a query beforehand would cost every batch.
    """
    fresh = [(place, entry) for place, entry in zip(appended, entries, strict=True) if not place.existed]
    if not fresh:
        return True
    rows = [(place.index, place.leaf_hash, place.chain, entry) for place, entry in fresh]
    if _INSERT_UNLESS_KNOWN.execute(connection, rows).rowcount != len(rows):
        # A savepoint would do this too, and cost every batch a copy of each page that it touches.
        _DELETE.execute(connection, (state.size, state.size + len(rows)))
        return False
    _advance(connection, state, [place for place, _ in fresh])
    return True


def _known(connection: Connection, origin: str, leaves: Sequence[bytes]) -> dict[bytes, Appended]:
    """The leaf hashes that the log has."""
    known = {}
    for start in range(0, len(leaves), _LOOKUP):
        for leaf, index, value in connection.execute(_KNOWN, {"leaves": leaves[start : start + _LOOKUP]}):
            known[leaf] = Appended(origin, index, leaf, value, existed=True)
    return known


def _place(state: HeadState, leaves: Sequence[bytes], known: dict[bytes, Appended]) -> list[Appended]:
    """Where each leaf stands: at its old index, or at the next free one."""
    origin, index, value = state.origin, state.size, state.chain
    appended = []
    for leaf in leaves:
        if leaf in known:
            appended.append(replace(known[leaf], existed=True))
            continue
        value = chain.chain_next(value, leaf)
        appended.append(Appended(origin, index, leaf, value, existed=False))
        known[leaf] = appended[-1]
        index += 1
    return appended


def _advance(connection: Connection, state: HeadState, fresh: Sequence[Appended]) -> None:
    """Store the nodes that the new entries complete, and move the head over them."""
    leaves = [place.leaf_hash for place in fresh]
    roots = nodes.extend(connection, state.size, leaves)
    edge = _grown(state.edge, leaves, roots)
    _ADVANCE.execute(connection, (edge.size, fresh[-1].chain, b"".join(edge.hashes), 1))


def _grown(edge: CompactRange, leaves: Sequence[bytes], roots: Sequence[bytes]) -> CompactRange:
    """The edge after these leaves; `roots` are those of the tiles that they fill, whose nodes needn't be hashed twice."""
    size = edge.size
    if roots:
        full = size // TILE_WIDTH
        over_tiles = CompactRange(full, edge.hashes[: full.bit_count()])
        for root in roots:
            over_tiles.append(root)
        edge = CompactRange(over_tiles.size * TILE_WIDTH, over_tiles.hashes)
    for leaf in leaves[max(0, edge.size - size) :]:
        edge.append(leaf)
    return edge

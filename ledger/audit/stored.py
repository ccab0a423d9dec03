"""Compares the stored nodes and checkpoints with the rebuilt log."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, bindparam, or_, select

from ledger.audit.differences import difference
from ledger.audit.rebuilding import RebuiltTile
from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.cosignatures import WitnessKey, read_cosignature
from ledger.errors import LedgerError
from ledger.layout import TILE_WIDTH, tiles_of
from ledger.notes import LogKey, note_text
from ledger.store import tables
from ledger.store.reading import HeadState
from ledger.store.statements import Prepared
from ledger.tree import CompactRange

_NODE = Prepared(
    select(tables.node.c.hashes, tables.node.c.inner_hashes).where(
        tables.node.c.level == bindparam("at_level"), tables.node.c.number == bindparam("at_number")
    )
)


def compare_node(connection: Connection, tile: RebuiltTile) -> None:
    """The stored row of a tile holds exactly its hashes and inner roots; a partial tile of level 0 has none."""
    row = _NODE.execute(connection, (tile.level, tile.number)).one_or_none()
    stored = None if row is None else tuple(row)
    expected = None if tile.level == 0 and tile.width < TILE_WIDTH else (tile.hashes, tile.inner or None)
    if stored != expected:
        what = "the stored hashes are missing" if stored is None else "the stored hashes are not those of the entries"
        raise difference(what, f"node {tile.level}/{tile.number}")


def compare_node_count(connection: Connection, size: int) -> None:
    """No stored row stands outside the tree of this size."""
    table = tables.node.c
    outside = [table.level < 0, table.number < 0]
    level = 0
    for level, full, width in tiles_of(size):
        rows = full + (1 if width and level else 0)
        outside.append((table.level == level) & (table.number >= rows))
    outside.append(table.level > level if size else table.level >= 0)
    query = select(table.level, table.number).where(or_(*outside)).order_by(table.level, table.number).limit(1)
    for extra_level, number in connection.execute(query):
        raise difference("stored hashes stand outside the tree", f"node {extra_level}/{number}")


class CheckpointComparison:
    """Walks the stored checkpoints beside the growing tree; each must be signed, in order, and have its root."""

    def __init__(self, connection: Connection, keys: Sequence[LogKey]) -> None:
        self._checkpoints = _opened(connection, keys)
        self._next = next(self._checkpoints, None)
        self.count = 0

    @property
    def next_size(self) -> int | None:
        """The size of the next checkpoint, if there is one."""
        return None if self._next is None else self._next.size

    def compare(self, edge: CompactRange) -> None:
        """Check the checkpoint of the tree's present size, if there is one."""
        if self._next is None or self._next.size > edge.size:
            return
        if self._next.size < edge.size:
            raise difference("a checkpoint is out of order", f"checkpoint of size {self._next.size}")
        if self._next.root != edge.root():
            raise difference("the signed root is not that of the entries", f"checkpoint of size {edge.size}")
        self.count += 1
        self._next = next(self._checkpoints, None)

    def finish(self, state: HeadState) -> None:
        """All stored checkpoints were met, and as many as the head says were signed."""
        if self._next is not None:
            raise difference(
                "a checkpoint is out of order or ahead of the log", f"checkpoint of size {self._next.size}"
            )
        if self.count != state.checkpoints:
            raise difference("the last signed checkpoints are missing", f"checkpoint number {self.count}")


def compare_cosignatures(connection: Connection) -> int:
    """Every kept cosignature is one of its checkpoint by the key that it is kept under; how many there are."""
    count, table = 0, tables.cosignature.c
    query = select(table.size, table.witness, table.time, table.line, tables.checkpoint.c.note)
    query = query.join_from(tables.cosignature, tables.checkpoint).order_by(table.size, table.witness)
    for size, witness, time, line, note in connection.execute(query.execution_options(yield_per=TILE_WIDTH)):
        place = f"cosignature of size {size} by {witness.partition('+')[0]}"
        try:
            kept, found = read_cosignature(line.encode(), note_text(note), WitnessKey.parse(witness))
        except LedgerError as error:
            raise difference(f"the cosignature does not verify: {error.what}", place) from error
        if (kept, found.time) != (line, time):
            raise difference("the cosignature is not kept as it was given", place)
        count += 1
    return count


def _opened(connection: Connection, keys: Sequence[LogKey]) -> Iterator[Checkpoint]:
    for position, (number, size, note) in enumerate(_rows(connection)):
        if number != position:
            raise difference("a checkpoint is missing or added", f"checkpoint number {min(number, position)}")
        try:
            checkpoint = open_checkpoint(note, *keys)
        except LedgerError as error:
            raise difference(f"the note does not open: {error.what}", f"checkpoint of size {size}") from error
        if checkpoint.size != size:
            raise difference("the note speaks of another size", f"checkpoint of size {size}")
        yield checkpoint


def _rows(connection: Connection) -> Iterator[tuple[int, int, str]]:
    table, last = tables.checkpoint, None
    query = select(table.c.number, table.c.size, table.c.note).order_by(table.c.number).limit(TILE_WIDTH)
    while True:
        page = connection.execute(query if last is None else query.where(table.c.number > last)).all()
        for number, size, note in page:
            yield number, size, note
            last = number
        if len(page) < TILE_WIDTH:
            return

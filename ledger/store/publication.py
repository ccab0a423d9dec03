"""How a checkpoint leaves the process, so that none ever contradicts another.

The order of durable writes, each done before the next begins:

1. entries, chain, nodes and head: one commit of `append`;
2. the signed checkpoint in a file outside the database (`last_signed`);
3. the signed checkpoint in the database: one commit, by compare-and-swap on the number of checkpoints (signing.py);
4. the witnesses' cosignatures of it, as many as came in time: one commit of the caller's `cosign`;
5. the full tiles and bundles of its tree, then the partial ones: written where absent, never over others;
6. partial tiles whose full tile is there now are removed;
7. the file `checkpoint`, with the cosignatures below the log's signature.

Who reads `checkpoint` therefore finds every tile it needs. A process that is cut after 3 has signed but told
nobody; the next publication derives the files of that checkpoint from the database again before it signs another.
`last_signed` and the published `checkpoint` are what is known outside the database of the last signed state: when the
database does not lead to them, it was lost or restored, and nothing is signed on top.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

from sqlalchemy import Connection, Engine

from ledger import layout
from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.errors import LedgerError, LogBehindError, LogInconsistentError, NoLogError, WrongOriginError
from ledger.layout import TILE_HEIGHT, TILE_WIDTH, TilePlace
from ledger.notes import LogKey, NoteSigner
from ledger.store import files
from ledger.store.nodes import read_tile
from ledger.store.reading import HeadState, entries, head_state, root_at
from ledger.store.signing import (
    SignedCheckpoint,
    checkpoint_at,
    checkpoint_widths,
    cosignature_lines,
    latest_checkpoint,
    open_stored,
    sign_next,
)
from ledger.store.transactions import snapshot
from ledger.tiles import missing_hashes

_ASIDE = ".tmp"


def publish(
    engine: Engine,
    note_signer: NoteSigner,
    folder: Path,
    now: datetime,
    *,
    last_signed: Path | None = None,
    cosign: Callable[[SignedCheckpoint], None] | None = None,
    put_back: bool = False,
) -> SignedCheckpoint:
    """Sign what was committed since the last checkpoint, and bring the folder up to it; return the newest.

    Without new entries nothing is signed and a finished folder stays untouched. The first call signs also an empty
    log. `now` (aware) is stored beside the checkpoint. `last_signed` is the file, outside database and folder, that
    keeps the last signed checkpoint; it is made on first use. `cosign` is given each checkpoint that is or stays the
    newest, before it is published; it may store cosignatures of it, and it should soon return: publication goes on with
    or without them. With `put_back` the files are looked for that the folder's checkpoint calls for, each by its name,
    and those that were lost are written again.

    Raises LogBehindError, LogInconsistentError (the operator looks before anything is signed again),
    DurableWriteError (the process ends), PublicationBusyError (try again), WrongOriginError, NoLogError, and what
    `open_checkpoint` raises for `last_signed` and the folder's `checkpoint`.
    """
    files.make_folder(folder)
    with files.locked(folder):
        files.remove_leftover(folder)
        keys = note_signer.log_keys
        with snapshot(engine) as connection:
            state = require_current(connection, keys, folder, last_signed)
            latest = latest_checkpoint(connection)
            if latest is not None:
                _require_stored(connection, latest, keys)
                _keep(last_signed, latest.note, keys)
                if put_back:
                    _put_back(connection, folder, keys)
                _bring_up(connection, folder, keys, latest)
            if latest is not None and latest.size == state.size:
                signed = latest
            else:
                signed = sign_next(
                    engine, connection, state, note_signer, now, keep=lambda note: _keep(last_signed, note, keys)
                )
        if cosign is not None:
            cosign(signed)
        with snapshot(engine) as connection:
            signed = replace(signed, lines=cosignature_lines(connection, signed.size))
            _bring_up(connection, folder, keys, signed)
    return signed


def publish_copy(engine: Engine, keys: tuple[LogKey, ...], folder: Path) -> SignedCheckpoint:
    """Bring a folder up to the newest checkpoint that was signed, and sign nothing; return that checkpoint.

    All that must be in the folder is compared with the database: what is missing is written, and one file with other bytes stops it
    (LogInconsistentError names the first). A call that was cut is taken up by the next. `keys` are the log's. Raises what `publish`
    raises, and NoLogError also before the first checkpoint.
    """
    files.make_folder(folder)
    with files.locked(folder), snapshot(engine) as connection:
        files.remove_leftover(folder)
        require_current(connection, keys, folder)
        latest = latest_checkpoint(connection)
        if latest is None:
            raise NoLogError("no checkpoint was signed yet", where="publication", remedy="let the exchange sign one")
        _require_stored(connection, latest, keys)
        _write_tiles(connection, folder, 0, latest.size)
        _write_checkpoint(folder, latest)
    return latest


def published_checkpoint(folder: Path, keys: tuple[LogKey, ...]) -> Checkpoint | None:
    """The checkpoint in the folder, whose tiles are all there; None before the first. Raises what `open_checkpoint` does."""
    return _opened(folder / layout.CHECKPOINT_PATH, keys)


def published_tile(connection: Connection, path: str, size: int) -> bytes | None:
    """The tile or bundle that a path names, as published up to `size`; None beyond it. Raises BadTilePathError."""
    place = layout.parse_path(path)
    end = (place.number * TILE_WIDTH + place.width) << TILE_HEIGHT * (place.level or 0)
    return tile_contents(connection, place) if end <= size else None


def require_current(
    connection: Connection, keys: tuple[LogKey, ...], folder: Path, last_signed: Path | None = None
) -> HeadState:
    """The head of the log, which leads to all that was signed: the file `last_signed` and the folder's `checkpoint`.

    `keys` are the log's, `connection` is a fresh snapshot. Raises LogBehindError when the database lacks entries that
    were signed for, LogInconsistentError when it holds others, WrongOriginError, NoLogError, and what `open_checkpoint`
    raises.
    """
    # The files before the snapshot's first query: what another process publishes in between is in the snapshot.
    published = published_checkpoint(folder, keys)
    kept = None if last_signed is None else _opened(last_signed, keys)
    state = head_state(connection)
    if state.origin != keys[0].name:
        raise WrongOriginError(
            "the signer's name is not the log's origin", where="publication", remedy="give the log's own key"
        )
    # What was published was stored before; what was only kept may have been cut before it was stored.
    for outside, was_stored in ((published, True), (kept, False)):
        if outside is not None:
            _require_held(connection, state, outside, keys, was_stored=was_stored)
    return state


def _opened(file: Path, keys: tuple[LogKey, ...]) -> Checkpoint | None:
    try:
        note = file.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return open_checkpoint(note, *keys)
    except LedgerError as error:
        remedy = "restore the file, or take the newest checkpoint that others hold"
        raise type(error)(error.what, where=str(file), remedy=remedy) from error


def _require_held(
    connection: Connection, state: HeadState, outside: Checkpoint, keys: tuple[LogKey, ...], *, was_stored: bool
) -> None:
    stored = None if outside.size > state.size else checkpoint_at(connection, outside.size)
    same_tree = outside.size <= state.size and root_at(connection, outside.size) == outside.root
    if stored is None and (was_stored or not same_tree):
        raise LogBehindError(
            "the database lacks a checkpoint that was signed: it was lost or restored from an older copy",
            where=f"checkpoint of size {outside.size}",
            remedy="restore the newest copy, or freeze this origin and begin a new one",
        )
    if not same_tree or (stored is not None and open_stored(stored, keys) != outside):
        raise LogInconsistentError(
            "the database holds another tree than a checkpoint that was signed",
            where=f"checkpoint of size {outside.size}",
            remedy="run the audit; do not sign",
        )


def _require_stored(connection: Connection, latest: SignedCheckpoint, keys: tuple[LogKey, ...]) -> None:
    """Only a checkpoint that this log signed and the stored nodes bear out goes into the folder."""
    checkpoint = open_stored(latest, keys)
    if latest.size > head_state(connection).size or root_at(connection, latest.size) != checkpoint.root:
        raise LogInconsistentError(
            "the stored nodes do not lead to the newest checkpoint's root",
            where=f"checkpoint of size {latest.size}",
            remedy="run the audit; do not sign",
        )


def _keep(last_signed: Path | None, note: str, keys: tuple[LogKey, ...]) -> None:
    """Write the copy outside the database, unless a newer one, or the same, is there."""
    if last_signed is None:
        return
    kept = _opened(last_signed, keys)
    if kept is None or kept.size < open_checkpoint(note, *keys).size:
        files.replace_file(last_signed, note.encode(), last_signed.with_name(last_signed.name + _ASIDE))


def _bring_up(connection: Connection, folder: Path, keys: tuple[LogKey, ...], signed: SignedCheckpoint) -> None:
    """Steps 5 to 7. The folder may be behind because a publication was cut, or lack cosignatures that came late."""
    published = published_checkpoint(folder, keys)
    if published is None or published.size < signed.size:
        _write_tiles(connection, folder, 0 if published is None else published.size, signed.size)
    _write_checkpoint(folder, signed)


def _write_tiles(connection: Connection, folder: Path, start: int, size: int) -> None:
    """Steps 5 and 6 for a folder that holds the tiles of the first `start` entries."""
    files.put_files(folder, _contents(connection, layout.full_tiles(start, size)))
    files.put_files(folder, _contents(connection, _partial_tiles(connection, start, size)))
    for place in layout.full_tiles(start, size):
        files.remove_folder(folder / f"{place.path}.p")


def _write_checkpoint(folder: Path, signed: SignedCheckpoint) -> None:
    path, note = folder / layout.CHECKPOINT_PATH, signed.cosigned.encode()
    if not path.exists() or path.read_bytes() != note:
        files.replace_file(path, note, folder / files.TEMPORARY)


def _put_back(connection: Connection, folder: Path, keys: tuple[LogKey, ...]) -> None:
    """Write the files again that the folder's checkpoint calls for and that are gone."""
    published = published_checkpoint(folder, keys)
    if published is not None:
        places = chain(layout.full_tiles(0, published.size), _partial_tiles(connection, 0, published.size))
        lost = [place for place in places if not (folder / place.path).exists()]
        files.put_files(folder, _contents(connection, lost))


def _partial_tiles(connection: Connection, start: int, size: int) -> Iterator[TilePlace]:
    """Those of every checkpoint in (start, size] that are not full at `size`: the log serves each it signed."""
    for level, full, _width in layout.tiles_of(size):
        for hashes in checkpoint_widths(connection, level, max(start, full * TILE_WIDTH << TILE_HEIGHT * level), size):
            if width := hashes - full * TILE_WIDTH:
                yield TilePlace(level, full, width)
                if level == 0:
                    yield TilePlace(None, full, width)


def _contents(connection: Connection, places: Iterable[TilePlace]) -> Iterator[tuple[str, bytes]]:
    for place in places:
        yield place.path, tile_contents(connection, place)


def tile_contents(connection: Connection, place: TilePlace) -> bytes:
    """The bytes of a published tile or bundle. Raises LogInconsistentError when the database lacks some."""
    if place.level is None:
        start = place.number * layout.TILE_WIDTH
        found = [entry.data for entry in entries(connection, start, start + place.width)]
        if len(found) != place.width:
            raise missing_hashes(0, place.number)
        return layout.encode_bundle(found)
    hashes = read_tile(connection, place.level, place.number).hashes[: place.width * 32]
    if len(hashes) != place.width * 32:
        raise missing_hashes(place.level, place.number)
    return hashes

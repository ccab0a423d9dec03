"""How a checkpoint leaves the process, so that none ever contradicts another.

The order of durable writes, each done before the next begins:

1. entries, chain, nodes and head: one commit of `append`;
2. the signed checkpoint: one commit, by compare-and-swap on the number of checkpoints (signing.py);
3. the witnesses' cosignatures of it, as many as came in time: one commit of the caller's `cosign`;
4. the full tiles and bundles of its tree, then the partial ones;
5. partial tiles whose full tile is there now are removed;
6. the file `checkpoint`, with the cosignatures below the log's signature.

Who reads `checkpoint` therefore finds every tile it needs. A process that is cut after 2 has signed but told
nobody; the next publication derives the files of that checkpoint from the database again before it signs another.
The file `checkpoint` is also the copy outside the database of the last signed state: when the database lacks it,
the database was lost or restored, and nothing is signed on top.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine

from ledger import layout
from ledger.checkpoints import Checkpoint, open_checkpoint
from ledger.errors import LogBehindError, LogInconsistentError, WrongOriginError
from ledger.layout import TilePlace
from ledger.notes import LogKey, NoteSigner
from ledger.store import files
from ledger.store.nodes import read_tile
from ledger.store.reading import HeadState, entries, head_state, root_at
from ledger.store.signing import (
    SignedCheckpoint,
    checkpoint_at,
    checkpoint_sizes,
    cosignature_lines,
    latest_checkpoint,
    open_stored,
    sign_next,
)
from ledger.store.transactions import snapshot
from ledger.tiles import missing_hashes


def publish(
    engine: Engine,
    note_signer: NoteSigner,
    folder: Path,
    now: datetime,
    cosign: Callable[[SignedCheckpoint], None] | None = None,
) -> SignedCheckpoint:
    """Sign what was committed since the last checkpoint, and bring the folder up to it; return the newest.

    Without new entries nothing is signed and a finished folder stays untouched. The first call signs also an empty
    log. `now` (aware) is stored beside the checkpoint. `cosign` is given each checkpoint that is or stays the newest,
    before it is published; it may store cosignatures of it, and it should soon return: publication goes on with or
    without them.

    Raises LogBehindError, LogInconsistentError (the operator looks before anything is signed again),
    DurableWriteError (the process ends), PublicationBusyError (try again), WrongOriginError, NoLogError, and what
    `open_checkpoint` raises for the folder's `checkpoint`.
    """
    files.make_folder(folder)
    with files.locked(folder):
        published = published_checkpoint(folder, note_signer.log_key)
        with snapshot(engine) as connection:
            state = head_state(connection)
            _require_same_log(state, note_signer.log_key)
            _require_not_behind(connection, state, published, note_signer.log_key)
            latest = latest_checkpoint(connection)
            if latest is not None:
                _require_stored(connection, latest, note_signer.log_key)
                _bring_up(connection, folder, None if published is None else published.size, latest)
            current = latest if latest is not None and latest.size == state.size else None
            signed = current or sign_next(engine, connection, state, note_signer, now)
        if cosign is not None:
            cosign(signed)
        with snapshot(engine) as connection:
            signed = replace(signed, lines=cosignature_lines(connection, signed.size))
            _bring_up(connection, folder, None if latest is None else latest.size, signed)
    return signed


def published_checkpoint(folder: Path, key: LogKey) -> Checkpoint | None:
    """The checkpoint in the folder, whose tiles are all there; None before the first. Raises what `open_checkpoint` does."""
    try:
        note = (folder / layout.CHECKPOINT_PATH).read_bytes()
    except FileNotFoundError:
        return None
    return open_checkpoint(note, key)


def _require_same_log(state: HeadState, key: LogKey) -> None:
    if state.origin != key.name:
        raise WrongOriginError(
            "the signer's name is not the log's origin", where="publication", remedy="give the log's own key"
        )


def _require_not_behind(connection: Connection, state: HeadState, published: Checkpoint | None, key: LogKey) -> None:
    """The folder's checkpoint is one that the database has, and the stored nodes lead to its root."""
    if published is None:
        return
    stored = checkpoint_at(connection, published.size)
    if stored is None or published.size > state.size:
        raise LogBehindError(
            "the database lacks the published checkpoint: it was lost or restored from an older copy",
            where=f"checkpoint of size {published.size}",
            remedy="restore the newest copy, or freeze this origin and begin a new one",
        )
    if open_stored(stored, key) != published or root_at(connection, published.size) != published.root:
        raise LogInconsistentError(
            "the database holds another tree than the published checkpoint",
            where=f"checkpoint of size {published.size}",
            remedy="run the audit; do not sign",
        )


def _require_stored(connection: Connection, latest: SignedCheckpoint, key: LogKey) -> None:
    """Only a checkpoint that this key signed and the stored nodes bear out goes into the folder."""
    checkpoint = open_stored(latest, key)
    if latest.size > head_state(connection).size or root_at(connection, latest.size) != checkpoint.root:
        raise LogInconsistentError(
            "the stored nodes do not lead to the newest checkpoint's root",
            where=f"checkpoint of size {latest.size}",
            remedy="run the audit; do not sign",
        )


def _bring_up(connection: Connection, folder: Path, start: int | None, signed: SignedCheckpoint) -> None:
    """Steps 4 to 6 for a folder whose own checkpoint is of size `start` (None: it has none).

    It may be behind because a publication was cut after its checkpoint was stored, or lack cosignatures that came late.
    """
    if start is None or start < signed.size:
        _write_folder(connection, folder, start or 0, signed)
    elif (folder / layout.CHECKPOINT_PATH).read_bytes() != signed.cosigned.encode():
        _write_checkpoint(folder, signed)


def _write_folder(connection: Connection, folder: Path, start: int, signed: SignedCheckpoint) -> None:
    """Steps 4 to 6 for a folder that holds the tiles of the first `start` entries."""
    files.write_files(_contents(connection, folder, layout.full_tiles(start, signed.size)))
    files.write_files(_contents(connection, folder, _partial_tiles(connection, start, signed.size)))
    for place in layout.full_tiles(start, signed.size):
        files.remove_folder(folder / f"{place.path}.p")
    _write_checkpoint(folder, signed)


def _write_checkpoint(folder: Path, signed: SignedCheckpoint) -> None:
    files.write_files([(folder / layout.CHECKPOINT_PATH, signed.cosigned.encode())])


def _partial_tiles(connection: Connection, start: int, size: int) -> list[TilePlace]:
    """Those of every checkpoint on the way that are not full at its end: the log serves each it signed."""
    places = {
        place: None
        for step in checkpoint_sizes(connection, start, size)
        for place in layout.partial_tiles(step)
        if not layout.is_full(place, size)
    }
    return list(places)


def _contents(connection: Connection, folder: Path, places: Iterable[TilePlace]) -> Iterator[tuple[Path, bytes]]:
    for place in places:
        yield folder / place.path, tile_contents(connection, place)


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

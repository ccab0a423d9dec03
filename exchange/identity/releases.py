"""Factor releases as the ledger has them: what came with the software, and what was published through governance.

Each is kept by digest with the bytes of its file, which never change and are held against digest and entry whenever they are read. Of one
id the newest reviewed one counts, else the newest that the operator stated; what was withdrawn counts no more. All of it as of a size of
the ledger, so that a result's releases are those of the ledger that it was computed from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from sqlalchemy import BigInteger, Connection, Executable, bindparam, sql
from sqlmodel import Session, col

from bom_graph import Background, FactorRelease
from exchange.errors import DamagedError, NotFoundError
from exchange.identity.tables import ReleaseRow
from exchange.intake.tables import SupersededRow
from exchange.kinds import FACTOR_RELEASE
from ledger.store import entry
from signer import read_unverified

#: Parsed releases that are kept in memory, by their bytes.
_PARSED: Final = 8
_EVERY: Final = 2**62
# Built once: intake asks for each batch.
_TAKEN_BACK = sql.exists().where(
    col(SupersededRow.index) == col(ReleaseRow.index), col(SupersededRow.by) < bindparam("size", type_=BigInteger)
)
_COUNTING: Executable = (
    sql.select(
        col(ReleaseRow.release),
        col(ReleaseRow.version),
        col(ReleaseRow.digest),
        col(ReleaseRow.index).label("number"),
        col(ReleaseRow.reviewed),
    )
    .where(
        col(ReleaseRow.vct) == FACTOR_RELEASE.vct,
        col(ReleaseRow.release).is_not(None),
        col(ReleaseRow.index) < bindparam("size", type_=BigInteger),
        ~_TAKEN_BACK,
    )
    .order_by(col(ReleaseRow.reviewed), col(ReleaseRow.index))
)


@dataclass(frozen=True, slots=True)
class StatedRelease:
    """A factor release as its entry at `index` states it; `reviewed`: published through governance."""

    id: str
    version: str
    digest: str
    index: int
    reviewed: bool


def releases_in_use(connection: Connection, size: int | None = None) -> dict[str, StatedRelease]:
    """Return the release of each id that counts at a ledger of `size` entries (None: now)."""
    # The last one of an id is the one that counts.
    return {one.id: one for one in _counting(connection, size)}


def accepted_releases(connection: Connection, size: int | None = None) -> frozenset[str]:
    """Return the digests of all releases that weren't withdrawn, older versions among them: results rest on these too.

    Raises DamagedError for one that the ledger doesn't state.
    """
    found = _counting(connection, size)
    for one in found:
        _check_stated(connection, one)
    return frozenset(one.digest for one in found)


def stated_release(connection: Connection, digest: str) -> StatedRelease | None:
    """Return what the ledger states of the release with a digest; None where it knows none."""
    row = Session(connection).get(ReleaseRow, digest)
    return _stated(row) if row is not None and row.release is not None else None


def release_file(connection: Connection, digest: str) -> bytes:
    """Return the bytes of the release with a digest, whatever became of it.

    Raises NotFoundError where they aren't kept, DamagedError where they were changed.
    """
    row = Session(connection).get(ReleaseRow, digest)
    if row is None or row.document is None:
        raise NotFoundError(
            f"the factor release with digest {digest} isn't kept here",
            where="factor release",
            remedy="it came with an earlier version of the software: take its file from there",
        )
    _check_stated(connection, _stated(row))
    data = bytes(row.document)
    if hashlib.sha256(data).hexdigest() != digest:
        raise _damaged(digest, "the stored bytes of this factor release don't have its digest")
    return data


def read_release(connection: Connection, digest: str) -> FactorRelease:
    """Return the release with a digest. Raises what `release_file` does."""
    return _parsed(release_file(connection, digest))


class BackgroundInUse:
    """The rule sets that come with the software, with the releases that count: one object for as long as these stay the same."""

    def __init__(self) -> None:
        self._kept = Background.shipped()

    def __call__(self, connection: Connection) -> Background:
        """Return the background of now."""
        digests = [one.digest for _id, one in sorted(releases_in_use(connection).items())]
        for known in (self._kept, Background.shipped()):
            if digests == [release.digest for release in known.releases]:
                self._kept = known
                return known
        self._kept = replace(self._kept, releases=tuple(read_release(connection, one) for one in digests))
        return self._kept


def _counting(connection: Connection, size: int | None) -> list[StatedRelease]:
    """What counts, of one id in the order in which one takes the other's place."""
    rows = connection.execute(_COUNTING, {"size": _EVERY if size is None else size})
    return [StatedRelease(*row) for row in rows]


def _stated(row: ReleaseRow) -> StatedRelease:
    return StatedRelease(row.release or "", row.version or "", row.digest, row.index, row.reviewed)


def _check_stated(connection: Connection, row: StatedRelease) -> None:
    """Hold a row against its entry: who can write to the database alone publishes nothing. Raises DamagedError."""
    said = read_unverified(entry(connection, row.index).data.decode("ascii"), ()).open_claims
    stated = (said["vct"], said.get("id"), said.get("version"), said.get("digest"), bool(said.get("reviews")))
    if stated != (FACTOR_RELEASE.vct, row.id, row.version, row.digest, row.reviewed):
        raise _damaged(row.digest, f"entry {row.index} doesn't state this factor release")


def _damaged(digest: str, what: str) -> DamagedError:
    return DamagedError(
        f"{what}: the database was changed",
        where=f"exchange_release {digest}",
        remedy="restore that row from a backup; find out who wrote to the database",
    )


@lru_cache(maxsize=_PARSED)
def _parsed(data: bytes) -> FactorRelease:
    return FactorRelease.read(data)

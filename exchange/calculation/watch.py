"""Which stored results something newer makes stale, found without computing: by an index of what each result in use rests on.

In use is the current result of each demand, and an older one as long as somebody relies on it: a filing, for instance.

A new entry is looked up by its products, a supersession or withdrawal by the entry that it takes back, rule sets and releases by the
digests that they had. A reader is told only of what it can see: an entry that it can't read waits as a candidate until it is granted.
Whether and how far the figure moves is told when the result is recalculated.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, delete, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from bom_graph import Background, Lines
from exchange.calculation.choosing import overtaken
from exchange.calculation.tables import CandidateRow, CurrentRow, RestsOnRow, ResultRow, StaleRow, WatchRow
from exchange.errors import DamagedError, ErasedError
from exchange.events import emit
from exchange.evidence import Evidence
from exchange.identity import ReleaseRow
from exchange.intake.tables import StatementRow, SupersededRow
from exchange.kinds import ACTIVITY_DATA, FACTOR_RELEASE
from exchange.lease import release_lease, take_lease
from exchange.report import Document
from exchange.sharing import Sharing, day_of, granted_to, held_by_statement
from exchange.vault import Vault
from ledger import LedgerError
from ledger.store import begin, entries_at, entry
from signer import RETRACTIONS, read_unverified

log = logging.getLogger("packtrace.jobs")
WATCH = "watch-results"
_BATCH = 500
_STALE = "packtrace.result.stale"
#: Whether `reader` relies on its result of a product (blinded), whatever newer one there is.
ReliedOn = Callable[[Session, str, str, str], bool]


class Watch:
    """Marks results as stale, in whichever process holds the lease; `read` returns the document of a result."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        sharing: Sharing,
        read: Callable[[Connection, Vault, str], Document],
        relied_on: ReliedOn,
        *,
        holder: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._sharing = sharing
        self._read = read
        self._relied_on = relied_on
        self._holder = holder
        self._clock = clock
        self._looked_at_rules = False
        self._looked_at = ("", "", -1)

    def tick(self) -> None:
        """Take in what came since the last tick, batch by batch, if this process holds the lease."""
        for step in (self._results, self._rules, self._entries, self._granted):
            while self._holds_lease() and step():
                pass

    def stop(self) -> None:
        """Give the lease back; where the database is out of reach, it ends by itself."""
        try:
            with begin(self._engine) as connection:
                release_lease(connection, WATCH, self._holder, self._clock())
        except (LedgerError, SQLAlchemyError) as error:
            log.warning("lease not given back: %s", type(error).__name__)

    def _holds_lease(self) -> bool:
        with begin(self._engine) as connection:
            return take_lease(connection, WATCH, self._holder, self._clock())

    def _results(self) -> bool:
        """Index results that were stored before there was an index; whether there are more."""
        with begin(self._engine) as connection, Session(connection) as session:
            watch = session.get_one(WatchRow, "results")
            if watch.position == "done":
                return False
            behind = select(ResultRow).where(col(ResultRow.digest) > watch.position).order_by(col(ResultRow.digest))
            rows = session.exec(behind.limit(_BATCH)).all()
            for row in rows:
                try:
                    found = self._read(connection, self._vault, row.digest)
                    index_result(session, self._vault, self._sharing, row, found, None, self._relied_on)
                except ErasedError:
                    continue
                except DamagedError as error:
                    log.error("result not watched: %s", error)  # noqa: TRY400
            watch.position = rows[-1].digest if rows else "done"
            session.flush()
            return bool(rows)

    def _rules(self) -> bool:
        """Mark what was computed by rule sets and releases that ship with another text today; once per process."""
        if self._looked_at_rules:
            return False
        background = Background.shipped()
        now = {f"rule_set:{one.id}": one.digest for one in background.rule_sets}
        now |= {f"release:{one.id}": one.digest for one in background.releases}
        with begin(self._engine) as connection, Session(connection) as session:
            watch = session.get(WatchRow, "rules") or WatchRow(name="rules", position="{}")
            for cause, digest in json.loads(watch.position).items():
                if now.get(cause) != digest:
                    for row in session.exec(select(RestsOnRow).where(col(RestsOnRow.key) == digest)).all():
                        _mark(session, row.result, row.reader, cause, self._clock())
            watch.position = json.dumps(now)
            session.add(watch)
            session.flush()
        self._looked_at_rules = True
        return False

    def _entries(self) -> bool:
        """Take in the entries that follow the last one that was; whether there may be more."""
        with begin(self._engine) as connection, Session(connection) as session:
            # Locked: a result that is being stored now looks after these entries itself, or is in the index already.
            watch = session.exec(select(WatchRow).where(col(WatchRow.name) == "entries").with_for_update()).one()
            behind = select(StatementRow).where(col(StatementRow.index) > int(watch.position))
            rows = session.exec(behind.order_by(col(StatementRow.index)).limit(_BATCH)).all()
            made = _made(connection, self._vault, rows)
            for row in rows:
                _touch(session, self._vault, self._sharing, row, made.get(row.index, ()), self._clock())
            if rows:
                watch.position = str(rows[-1].index)
                session.flush()
            return len(rows) == _BATCH

    def _granted(self) -> bool:
        """Mark what waited for its reader to see the entry. A tick looks at so many that were granted anything, and goes round."""
        place = (col(CandidateRow.result), col(CandidateRow.reader), col(CandidateRow.index))
        granted = (
            select(CandidateRow, StatementRow)
            .where(col(StatementRow.index) == place[2], tuple_(*place) > self._looked_at)
            .where(granted_to(col(CandidateRow.reader), day_of(self._clock())))
            .order_by(*place)
        )
        with begin(self._engine) as connection, Session(connection) as session:
            found = session.exec(granted.limit(_BATCH)).all()
            for candidate, row in found:
                self._looked_at = (candidate.result, candidate.reader, candidate.index)
                seen = _products(connection, self._vault, self._sharing, candidate.reader, row)
                if _rests_on_any(session, candidate, seen):
                    _mark(session, candidate.result, candidate.reader, f"entry:{row.index}", self._clock())
                    session.delete(candidate)
            session.flush()
        if len(found) < _BATCH:
            self._looked_at = ("", "", -1)
        return False


def index_result(  # noqa: PLR0917 - a result and all that it is indexed by
    session: Session,
    vault: Vault,
    sharing: Sharing,
    row: ResultRow,
    found: Document,
    evidence: Evidence | None,
    relied_on: ReliedOn,
) -> None:
    """Make a stored result the current one of its demand, unless a newer one is, and write what it rests on.

    With `evidence` it was computed just now. Of one that isn't current it is written, and kept, as long as it is relied on.
    """
    flow = found["demand"]["flow"] or ""
    place = (row.reader, vault.blind(found["demand"]["product"]), flow, found["rule_set"]["id"])
    # Locked: who begins to rely on the current result now is seen here, or sees that it isn't current any more.
    current = session.get(CurrentRow, place, with_for_update=True)
    other = None if current is None or current.result == row.digest else current
    if other is None or _is_newer(row, other, just_now=evidence is not None):
        if other is not None and not relied_on(session, row.reader, place[1], other.result):
            _forget(session, row.reader, other.result)
        session.merge(
            CurrentRow(
                reader=row.reader,
                product=place[1],
                flow=flow,
                rule_set=place[3],
                result=row.digest,
                computed_at=row.computed_at,
            )
        )
    elif not relied_on(session, row.reader, place[1], row.digest):
        return
    size = found["snapshot"]["size"]
    for key in sorted(set(_keys(session, vault, found, evidence))):
        session.merge(RestsOnRow(key=key, result=row.digest, reader=row.reader, size=size))
    session.flush()
    # What the watch has taken in already and this result doesn't know yet. Shared lock: it takes in no more until this is stored.
    shared = select(WatchRow).where(col(WatchRow.name) == "entries").with_for_update(read=True)
    position = int(session.exec(shared).one().position)
    for newer in overtaken(session.connection(), found["releases"], size):
        # Whoever named an older version is told so at once: what was published before the result makes nothing stale later.
        _mark(session, row.digest, row.reader, f"release-published:{newer.index}", row.computed_at)
    missed = select(StatementRow).where(col(StatementRow.index) >= size, col(StatementRow.index) <= position)
    statements = session.exec(missed.order_by(col(StatementRow.index))).all()
    made = _made(session.connection(), vault, statements)
    for one in statements:
        _touch(session, vault, sharing, one, made.get(one.index, ()), row.computed_at, only=row.digest)


def is_current(session: Session, reader: str, product: str, rule_set: str, result: str) -> bool:
    """Whether a result is the current one of a product (blinded); locked, so that it stays watched for who relies on it from now on."""
    current = session.get(CurrentRow, (reader, product, "", rule_set), with_for_update={"read": True})
    return current is not None and current.result == result


def let_go(session: Session, reader: str, product: str, result: str) -> None:
    """Watch a result of a product (blinded) no more that nobody relies on any longer, unless it is current."""
    current = select(CurrentRow.result).where(
        col(CurrentRow.reader) == reader, col(CurrentRow.product) == product, col(CurrentRow.result) == result
    )
    if session.exec(current.limit(1)).first() is None:
        _forget(session, reader, result)


def _is_newer(row: ResultRow, current: CurrentRow, *, just_now: bool) -> bool:
    """Whether a result is newer than the current one. Of two of one instant it is the one that was computed just now."""
    return current.computed_at < row.computed_at or (just_now and current.computed_at == row.computed_at)


def _forget(session: Session, reader: str, result: str) -> None:
    for table in (RestsOnRow, CandidateRow):
        session.execute(delete(table).where(col(table.result) == result, col(table.reader) == reader))


def _keys(session: Session, vault: Vault, found: Document, evidence: Evidence | None) -> Iterator[str]:
    """Yield what a result rests on. Products that a line names and nothing is known of are in it: a statement would fill the gap."""
    yield found["rule_set"]["digest"]
    for release in found["releases"]:
        yield release["digest"]
    if found["demand"]["flow"] is not None:
        return
    leaves = [one["leaf_hash"] for one in found["inputs"]]
    yield from leaves
    for start in range(0, len(leaves), _BATCH):
        some = col(StatementRow.leaf_hash).in_(leaves[start : start + _BATCH])
        yield from (one for one in session.exec(select(StatementRow.product).where(some)).all() if one is not None)
    products = {found["demand"]["product"]}
    products |= {link[end] for link in found["links"] for end in ("consumer", "supplier")}
    for leaf in leaves if evidence is not None else ():
        record: Any = evidence[leaf].record if evidence is not None else None
        for name in record.lists if record is not None else ():
            lines = getattr(record, name)
            products |= (
                {str(one) for line in lines if (one := getattr(line, "product", None))}
                if isinstance(lines, Lines)
                else set()
            )
    yield from map(vault.blind, products)


def _touch(  # noqa: PLR0917 - what a batch has at hand
    session: Session,
    vault: Vault,
    sharing: Sharing,
    row: StatementRow,
    made: Collection[str],
    at: datetime,
    only: str | None = None,
) -> None:
    """Mark the results (`only` this one) that an entry makes stale, where their readers can see that it does.

    `made` are all products that come out of the entry's process.
    """
    if row.vct in RETRACTIONS:
        taken_back = select(SupersededRow, StatementRow).where(
            col(SupersededRow.by) == row.index, col(StatementRow.index) == col(SupersededRow.index)
        )
        for _gone, target in session.exec(taken_back).all():
            if target.vct == FACTOR_RELEASE.vct:
                for result, reader in _made_with(session, {target.index}, row.index, only):
                    _mark(session, result, reader, f"release-withdrawn:{row.index}", at)
                continue
            for result, reader in _resting_on(session, target.leaf_hash, row.index, only):
                _mark(session, result, reader, f"entry:{row.index}", at)
    if row.vct == FACTOR_RELEASE.vct:
        for result, reader in _made_with(session, _releases_before(session, row), row.index, only):
            _mark(session, result, reader, f"release-published:{row.index}", at)
    if row.product is None:
        return
    connection = session.connection()
    for key in sorted({row.product, *made}):
        for result, reader in _resting_on(session, key, row.index, only):
            if reader == row.issuer or key in _products(connection, vault, sharing, reader, row):
                _mark(session, result, reader, f"entry:{row.index}", at)
            else:
                session.merge(CandidateRow(result=result, reader=reader, index=row.index, leaf_hash=row.leaf_hash))
    session.flush()


def _releases_before(session: Session, row: StatementRow) -> set[int]:
    """The entries that stated earlier releases of the id of a reviewed one; what comes with the software is told apart by `_rules`."""
    connection = session.connection()
    own = _release_at(connection, row.index)
    if not own.get("reviews"):
        return set()
    stated = select(ReleaseRow.index).where(col(ReleaseRow.vct) == row.vct, col(ReleaseRow.index) < row.index)
    return {one for one in session.exec(stated).all() if _release_at(connection, one)["id"] == own["id"]}


def _release_at(connection: Connection, index: int) -> Mapping[str, Any]:
    """What an entry states of a release."""
    return read_unverified(entry(connection, index).data.decode("ascii"), ()).open_claims


def _made_with(session: Session, releases: Collection[int], index: int, only: str | None) -> list[tuple[str, str]]:
    """Result and reader of what was made with the releases that these entries state, before the entry at `index`."""
    digests = session.exec(select(ReleaseRow.digest).where(col(ReleaseRow.index).in_(releases))).all()
    return [found for digest in digests for found in _resting_on(session, digest, index, only)]


def _rests_on_any(session: Session, candidate: CandidateRow, keys: Collection[str]) -> bool:
    """Whether the result that waits for its reader to see an entry rests on one of these products."""
    query = select(RestsOnRow.key).where(
        col(RestsOnRow.key).in_(sorted(keys)),
        RestsOnRow.result == candidate.result,
        RestsOnRow.reader == candidate.reader,
    )
    return session.exec(query.limit(1)).first() is not None


def _resting_on(session: Session, key: str, index: int, only: str | None) -> list[tuple[str, str]]:
    """Result and reader of what rests on `key` and was computed from a ledger without the entry at `index`."""
    query = select(RestsOnRow).where(col(RestsOnRow.key) == key, col(RestsOnRow.size) <= index)
    if only is not None:
        query = query.where(col(RestsOnRow.result) == only)
    return [(row.result, row.reader) for row in session.exec(query).all()]


def _made(connection: Connection, vault: Vault, rows: Collection[StatementRow]) -> dict[int, frozenset[str]]:
    """Return by entry what comes out of the processes that activity data states, opened together: every new statement comes by here."""
    leaves = {row.index: row.leaf_hash for row in rows if row.vct == ACTIVITY_DATA.vct}
    held = held_by_statement(connection, vault, list(leaves.values()))
    return {
        found.index: products_of(vault, found.data.decode("ascii"), held.get(leaves[found.index], ()))
        for found in entries_at(connection, leaves.keys())
    }


def _products(connection: Connection, vault: Vault, sharing: Sharing, reader: str, row: StatementRow) -> frozenset[str]:
    seen = sharing.disclosed(connection, reader, row.leaf_hash)
    return products_of(vault, entry(connection, row.index).data.decode("ascii"), seen)


def unwatched(session: Session, size: int) -> Sequence[StatementRow]:
    """Return the statements from index `size` on that the watch hasn't taken in yet, in order: a few, unless it is down."""
    position = int(session.exec(select(WatchRow).where(col(WatchRow.name) == "entries")).one().position)
    behind = select(StatementRow).where(col(StatementRow.index) > max(position, size - 1))
    return session.exec(behind.order_by(col(StatementRow.index))).all()


def products_of(vault: Vault, token: str, given: Collection[str]) -> frozenset[str]:
    """Return the products (blinded) that a statement is about to who holds these disclosures: what it names and what comes out of it."""
    disclosed = read_unverified(token, tuple(given)).disclosed if given else {}
    outputs = disclosed.get("outputs")
    named = [disclosed.get("sub")]
    named += [one.get("product") for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    return frozenset(vault.blind(one) for one in named if isinstance(one, str))


def _mark(session: Session, result: str, reader: str, cause: str, at: datetime) -> None:
    """Mark a result as stale, and tell its reader once until it decides."""
    if session.get(StaleRow, (result, reader, cause)) is not None:
        return
    undecided = select(StaleRow).where(
        col(StaleRow.result) == result, col(StaleRow.reader) == reader, col(StaleRow.decision).is_(None)
    )
    known = session.exec(undecided.limit(1)).first() is not None
    session.add(StaleRow(result=result, reader=reader, cause=cause, found_at=at))
    session.flush()
    if not known:
        path = f"/api/v1/footprints/{result}/stale"
        emit(session, recipient=reader, type=_STALE, subject=path, data={"result": result, "cause": cause}, at=at)

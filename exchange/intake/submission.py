"""One statement's way in.

Order, and why: all that needs no lock comes first (signature, claims, stated sums). Then, under the lock on the ledger's head and in one
transaction with whatever else queued (`ledger.store.GroupCommit`): is it here already; append; whatever depends on what others appended
meanwhile (keys, cited entries, cycles); and the companion rows. Anything that fails undoes all of it. The answer comes after the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Executable, bindparam, sql
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from bom_graph import CycleError, Lines, Record
from exchange.admission import citations
from exchange.errors import JtiReusedError, StatementError
from exchange.evidence import Entry
from exchange.intake.admitting import Admissions
from exchange.intake.tables import DisclosureRow, ProductLinkRow, StatementRow
from ledger import EntryUnknownError, leaf_hash
from ledger.store import Appended, GroupCommit, append, entry, head
from signer import Statement, check_cited, leaf_bytes

MAX_DISCLOSURES = 20_000
MAX_DISCLOSURE_BYTES = 4 * 1024 * 1024
MAX_WAITING = 128
_QUERY = 500  # products asked for at once, well below what either database takes as parameters


#: Writes rows of a domain's own in the transaction of a fresh entry, given its index.
Companion = Callable[[Session, int], None]


# Built once: every statement asks them.
_BY_LEAF: Executable = (
    sql.select(col(StatementRow.index).label("number"), col(DisclosureRow.disclosures))
    .outerjoin(DisclosureRow, col(DisclosureRow.leaf_hash) == col(StatementRow.leaf_hash))
    .where(col(StatementRow.leaf_hash) == bindparam("leaf"))
)
_BY_JTI: Executable = sql.select(
    col(StatementRow.index).label("number"), col(StatementRow.leaf_hash), col(StatementRow.signing_input)
).where(col(StatementRow.issuer) == bindparam("issuer"), col(StatementRow.jti) == bindparam("jti"))
_ADD_STATEMENT = sql.insert(StatementRow)
_ADD_DISCLOSURES = sql.insert(DisclosureRow)
_ADD_LINKS = sql.insert(ProductLinkRow)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a statement stands: its citation, and whether it was here before."""

    origin: str
    index: int
    leaf_hash: str
    existed: bool


class Intake:
    """Admits statements into one log."""

    def __init__(
        self, engine: Engine, admissions: Admissions, clock: Callable[[], datetime], *, max_waiting: int = MAX_WAITING
    ) -> None:
        self._engine = engine
        self.max_waiting = max_waiting
        self._commits = GroupCommit(engine, capacity=max_waiting)
        self._admissions = admissions
        self._clock = clock

    def submit(self, token: str, disclosures: Sequence[str], companion: Companion | None = None) -> Receipt:
        """Admit a statement with all its disclosures; return its receipt once it is durable.

        The same signing input again returns the entry it already has; the same bytes do so even after their key was revoked.
        Raises what `Admission.check` raises, StatementError (not whole), JtiReusedError, CitationError, CycleError; then nothing
        was written. And what `GroupCommit.submit` raises: QueueFullError, for instance.
        """
        _check_size(disclosures)
        with self._engine.connect() as connection:
            if (known := _repeated(connection, token, disclosures)) is not None:
                return known
            admission, seen = self._admissions.current(connection)
            size = head(connection).size
        now = self._clock()
        checked = admission.check(size, token, disclosures, at=now)
        _check_whole(checked.statement, checked.record)
        submission = _Submission(checked, tuple(disclosures), now, seen, companion)
        return self._commits.submit(lambda connection: self._append(connection, submission))

    def _append(self, connection: Connection, submission: _Submission) -> Receipt:
        statement = submission.checked.statement
        if (known := _known(connection, statement)) is not None:
            return known

        def under_lock(appended: list[Appended]) -> None:
            if not appended[0].existed:
                self._check_meanwhile(connection, appended[0].index, submission)
                _write_rows(connection, appended[0].index, submission)
                if submission.companion is not None:
                    # A session of its own savepoint: another kind would, where a flush fails, undo also what others wrote.
                    with Session(connection, join_transaction_mode="create_savepoint") as session:
                        submission.companion(session, appended[0].index)
                        session.commit()

        placed = append(connection, [leaf_bytes(statement.token)], under_lock)[0]
        return Receipt(placed.origin, placed.index, placed.leaf_hash.hex(), placed.existed)

    def _check_meanwhile(self, connection: Connection, index: int, submission: _Submission) -> None:
        """Check what depends on entries that others may have appended since the first check."""
        checked = submission.checked
        if Admissions.last(connection) != submission.governed_by:
            admission, _seen = self._admissions.current(connection)
            admission.check(index, checked.statement.token, submission.disclosures, at=submission.now)
        _check_cited(connection, checked.statement)
        if checked.record is not None:
            _check_cycle(Session(connection), checked.record)


@dataclass(frozen=True, slots=True)
class _Submission:
    """A statement that passed the first check, when, and under which last governing entry."""

    checked: Entry
    disclosures: tuple[str, ...]
    now: datetime
    governed_by: int
    companion: Companion | None


def _check_size(disclosures: Sequence[str]) -> None:
    if len(disclosures) > MAX_DISCLOSURES or sum(map(len, disclosures)) > MAX_DISCLOSURE_BYTES:
        raise StatementError(
            f"more than {MAX_DISCLOSURES} disclosures or {MAX_DISCLOSURE_BYTES} bytes of them",
            where="disclosures",
            remedy="split the statement by site or period",
        )


def _check_whole(statement: Statement, record: Record | None) -> None:
    """Check that the sender handed over every disclosure: what the exchange doesn't hold, it can't grant or compute."""
    if record is None:
        return
    named: Any = statement.contents["claims"] if statement.contents is not None else None
    if named is None or not statement.claims.keys() >= set(named) or not record.is_whole:
        raise StatementError(
            "not all disclosures were handed over",
            where="disclosures",
            remedy="send the statement with `contents` and all the rest",
        )


def _repeated(connection: Connection, token: str, disclosures: Sequence[str]) -> Receipt | None:
    """Return the receipt of exactly these bytes, if they were admitted: whoever lost the answer may ask again at any time."""
    leaf = leaf_hash(leaf_bytes(token)).hex()
    row = connection.execute(_BY_LEAF, {"leaf": leaf}).one_or_none()
    if row is None or sorted(disclosures) != sorted(row.disclosures.split("~") if row.disclosures else []):
        return None
    return Receipt(head(connection).origin, row.number, leaf, existed=True)


def _known(connection: Connection, statement: Statement) -> Receipt | None:
    """Return the receipt that (iss, jti) has already; JtiReusedError where it was for other content."""
    row = connection.execute(_BY_JTI, {"issuer": statement.issuer, "jti": statement.jti}).one_or_none()
    if row is None:
        return None
    if row.signing_input != _signing_input(statement):
        raise JtiReusedError(
            f"jti {statement.jti} was used for entry {row.number} with other content",
            where="jti",
            remedy="sign again with a new jti",
        )
    return Receipt(head(connection).origin, row.number, row.leaf_hash, existed=True)


def _check_cited(connection: Connection, statement: Statement) -> None:
    """Check that the cited entries of this log are there; a predecessor's are not at hand here."""
    for path, citation in citations(statement):
        if citation.origin == statement.audience:
            try:
                found = entry(connection, citation.index).leaf_hash.hex()
            except EntryUnknownError:
                found = ""
            check_cited(citation, index=citation.index, leaf_hash=found, where=path)


def _check_cycle(session: Session, record: Record) -> None:
    """Refuse a record by which its product would be made from itself. Who else is on the way is not told."""
    seen: set[str] = set()
    waiting = {component: component for component in _components(record)}
    while waiting:
        if record.sub in waiting:
            raise CycleError(
                f"{record.sub} would be made from itself, by way of {waiting[str(record.sub)]}",
                where="components",
                remedy="correct this bill of materials, or ask the maker of that component to correct its own",
            )
        seen |= waiting.keys()
        rows = [row for some in _batches(sorted(waiting)) for row in session.exec(_links(some)).all()]
        waiting = {row.component: waiting[row.product] for row in rows if row.component not in seen}


def _links(products: Sequence[str]) -> SelectOfScalar[ProductLinkRow]:
    return select(ProductLinkRow).where(col(ProductLinkRow.product).in_(products))


def _components(record: Record) -> set[str]:
    lists = [getattr(record, name) for name in ("inputs", "components", "supplier_shares") if name in record.lists]
    lines = [line for found in lists if isinstance(found, Lines) for line in found]
    return {line.product for line in lines if getattr(line, "product", None) is not None}


def _batches(products: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(products), _QUERY):
        yield products[start : start + _QUERY]


def _write_rows(connection: Connection, index: int, submission: _Submission) -> None:
    checked = submission.checked
    statement, record = checked.statement, checked.record
    product = record.sub if record is not None and isinstance(record.sub, str) else None
    row = {
        "index": index,
        "leaf_hash": checked.leaf_hash,
        "issuer": statement.issuer,
        "jti": statement.jti,
        "vct": statement.vct,
        "product": product,
        "signing_input": _signing_input(statement),
        "admitted_at": submission.now,
    }
    connection.execute(_ADD_STATEMENT, row)
    if submission.disclosures:
        kept = {"leaf_hash": checked.leaf_hash, "disclosures": "~".join(submission.disclosures)}
        connection.execute(_ADD_DISCLOSURES, kept)
    components = sorted(_components(record)) if record is not None and product is not None else []
    if components:
        links = [{"index": index, "product": product, "component": component} for component in components]
        connection.execute(_ADD_LINKS, links)


def _signing_input(statement: Statement) -> str:
    return hashlib.sha256(statement.signing_input).hexdigest()

"""One statement's way in.

Order, and why: all that needs no lock comes first (signature, claims, stated sums; and, asked of new statements alone, whether all
disclosures came and whether flows, grids and stages are in use). Then, under the lock on the ledger's head and in one transaction with
whatever else queued (`ledger.store.GroupCommit`): is it here already; append; whatever depends on what others appended meanwhile (keys,
cited entries, retired certificates, cycles); and the companion rows. Anything that fails undoes all of it. The answer comes after
the commit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, Executable, bindparam, sql
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from bom_graph import (
    Background,
    BillOfMaterials,
    BomGraphError,
    CertificateRetirement,
    CycleError,
    Lines,
    ProductFootprint,
    Record,
)
from exchange.admission import citations
from exchange.assembly import Annotation, annotate
from exchange.errors import DamagedError, DoubleClaimError, JtiReusedError, StatementError
from exchange.events import emit
from exchange.evidence import Entry
from exchange.intake.admitting import Admissions
from exchange.intake.retracting import check_retraction, write_retraction
from exchange.intake.tables import ProductLinkRow, RetiredCertificateRow, StatementRow
from exchange.vault import Vault, erased_at
from ledger import EntryUnknownError, leaf_hash
from ledger.store import Appended, GroupCommit, append, entry, head, snapshot
from signer import KEY_EVENT, RETRACTIONS, Statement, check_cited, leaf_bytes, read_key_event

MAX_DISCLOSURES = 20_000
MAX_DISCLOSURE_BYTES = 4 * 1024 * 1024
MAX_WAITING = 128
_QUERY = 500  # products asked for at once, well below what either database takes as parameters


#: Writes rows of a domain's own in the transaction of a fresh entry, given its index.
Companion = Callable[[Session, int], None]
#: Takes a fresh entry of its kind into a domain's tables in the entry's transaction, or refuses it; `Entry.index` is its place.
Take = Callable[[Session, Entry], None]
#: Returns the disclosures that an organisation may see of the statement with this leaf hash (hex).
Disclosed = Callable[[Connection, str, str], Sequence[str]]
#: Checks that a footprint says what the result that it names says, where it is a stored one of this issuer. StatementError.
Attested = Callable[[Connection, str, ProductFootprint], None]
#: Opens the case of certificates that an issuer states, at a place, and the entry with this index retired; returns its id, or None.
Clash = Callable[[str, str, int], str | None]


# Built once: every statement asks them.
_FOUND: Any = sql.select(col(StatementRow.index).label("number"), col(StatementRow.withheld)).where(
    col(StatementRow.leaf_hash) == bindparam("leaf")
)
_BY_LEAF: Executable = _FOUND
_BY_LEAF_LOCKED: Executable = _FOUND.with_for_update(read=True)
_BY_JTI: Executable = sql.select(
    col(StatementRow.index).label("number"),
    col(StatementRow.leaf_hash),
    col(StatementRow.signing_input),
    col(StatementRow.withheld),
).where(col(StatementRow.issuer) == bindparam("issuer"), col(StatementRow.jti) == bindparam("jti"))
_ADD_STATEMENT = sql.insert(StatementRow)
_ADD_LINKS = sql.insert(ProductLinkRow)
_ADD_RETIRED = sql.insert(RetiredCertificateRow)
_RETIRED: Executable = sql.select(
    col(RetiredCertificateRow.index).label("number"), col(RetiredCertificateRow.line), col(RetiredCertificateRow.span)
).where(col(RetiredCertificateRow.series) == bindparam("of"), col(RetiredCertificateRow.name) != bindparam("own"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a statement stands: its citation, whether it was here before, and what the gates find in a new one by itself."""

    origin: str
    index: int
    leaf_hash: str
    existed: bool
    findings: tuple[Annotation, ...] = ()


class _RetiredError(DoubleClaimError):
    """Certificates that another entry retired: which, only its owner and the exchange know."""

    def __init__(self, index: int, where: str) -> None:
        super().__init__(
            "certificates of this range are retired in this log already",
            where=where,
            remedy="state certificates that nobody has claimed; ask the operator where you hold them",
        )
        self.index = index


class _JudgedError(Exception):
    """Ends a dry run under the lock, so that its savepoint is undone: all was checked, nothing stays."""

    def __init__(self, receipt: Receipt) -> None:
        super().__init__()
        self.receipt = receipt


class Intake:
    """Admits statements into one log."""

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        admissions: Admissions,
        background: Background,
        clock: Callable[[], datetime],
        *,
        max_waiting: int = MAX_WAITING,
        disclosed: Disclosed = lambda _connection, _reader, _leaf_hash: (),
        attested: Attested = lambda _connection, _issuer, _record: None,
        clash: Clash = lambda _issuer, _place, _index: None,
        takes: Mapping[str, Take] = MappingProxyType({}),
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._disclosed = disclosed
        self._attested = attested
        self._clash = clash
        self._takes = takes
        self.max_waiting = max_waiting
        self._commits = GroupCommit(engine, capacity=max_waiting)
        self._admissions = admissions
        self._background = background
        self._clock = clock

    def submit(
        self,
        token: str,
        disclosures: Sequence[str],
        companion: Companion | None = None,
        *,
        sealed: bool = False,
        dry_run: bool = False,
    ) -> Receipt:
        """Admit a statement with all its disclosures; return its receipt once it is durable.

        `sealed`: its owner withholds them. Then it comes with none or with `contents` alone, which is checked; nothing of it is kept,
        now or when it is sent again, and to everybody it is an entry whose claims are sealed.

        With `dry_run` nothing is written: the statement is checked as if it were to come in now, those checks too that need the lock
        on the head. The index is then where it would have come; of a statement that is here, where it is.

        The same signing input again returns the entry it already has, with or without its disclosures; the same bytes do so even after
        their key was revoked. Where the exchange lost the disclosures meanwhile, or holds others than the statement's, those that are
        handed over take their place.
        Raises what `Admission.check` and `Background.check` raise, StatementError (not whole, or citing what is seen to be about
        another product), JtiReusedError, DoubleClaimError, CitationError, CycleError, and what `check_retraction` raises; then nothing
        was written. And what `GroupCommit.submit` raises: QueueFullError, for instance.
        """
        _check_size(disclosures)
        with snapshot(self._engine) as connection:
            admitted = self._admitted(connection, token)
            if admitted is not None and (admitted.keeps_none or admitted.disclosures >= frozenset(disclosures)):
                return admitted.receipt
            admission, seen = self._admissions.current(connection)
            size = head(connection).size
        now = self._clock()
        if admitted is None:
            checked = admission.check(size, token, disclosures, at=now)
        else:
            checked = admission.reread(admitted.receipt.index, token, disclosures)
            _check_whole(checked)
        if sealed:
            _check_withheld(checked)
        submission = _Submission(checked, () if sealed else tuple(disclosures), now, seen, companion, sealed, dry_run)
        try:
            if admitted is None and not sealed:
                self._check_new(checked)
            receipt = self._commits.submit(lambda connection: self._append(connection, submission))
        except _JudgedError as judged:
            receipt = judged.receipt
        except _RetiredError as error:
            case = None if dry_run else self._clash(checked.statement.issuer, error.where, error.index)
            if case is None:
                raise
            what = f"{error.what}: conflict, case {case}"
            raise DoubleClaimError(what, where=error.where, remedy=error.remedy) from None
        except (StatementError, BomGraphError):
            # The same statement may be here, signed again and sent without its disclosures. Then that decides.
            with snapshot(self._engine) as connection:
                if (known := _known(connection, checked.statement)) is not None:
                    return known
            raise
        if receipt.existed or sealed or checked.record is None:
            return receipt
        signed = checked.statement.issued_at.astimezone(UTC).date()
        return replace(receipt, findings=annotate(checked.record, self._background, signed=signed))

    def _check_new(self, checked: Entry) -> None:
        """Check what is asked of a statement that isn't here yet; what is here came in by the rules and factors of its time."""
        _check_whole(checked)
        if checked.record is not None:
            self._background.check(checked.record)
            self._check_products(checked)
        if isinstance(checked.record, ProductFootprint):
            with snapshot(self._engine) as connection:
                self._attested(connection, checked.statement.issuer, checked.record)

    def _append(self, connection: Connection, submission: _Submission) -> Receipt:
        statement = submission.checked.statement
        if (known := _known(connection, statement)) is not None:
            if not submission.dry_run:
                self._keep_disclosures(connection, known.leaf_hash, submission.disclosures)
            return known

        def under_lock(appended: list[Appended]) -> None:
            if not appended[0].existed:
                self._check_meanwhile(connection, appended[0].index, submission)
                self._write_rows(connection, appended[0].index, submission)
                if (take := self._takes.get(statement.vct)) is not None:
                    with Session(connection, join_transaction_mode="create_savepoint") as session:
                        take(session, replace(submission.checked, index=appended[0].index))
                        session.commit()
                if submission.companion is not None:
                    # A session of its own savepoint: another kind would, where a flush fails, undo also what others wrote.
                    with Session(connection, join_transaction_mode="create_savepoint") as session:
                        submission.companion(session, appended[0].index)
                        session.commit()

        placed = append(connection, [leaf_bytes(statement.token)], under_lock)[0]
        receipt = Receipt(placed.origin, placed.index, placed.leaf_hash.hex(), placed.existed)
        if submission.dry_run:
            raise _JudgedError(receipt)
        return receipt

    def _check_meanwhile(self, connection: Connection, index: int, submission: _Submission) -> None:
        """Check what depends on entries that others may have appended since the first check."""
        checked = submission.checked
        if Admissions.last(connection) != submission.governed_by:
            admission, _seen = self._admissions.current(connection)
            admission.check(index, checked.statement.token, submission.disclosures, at=submission.now)
        _check_cited(connection, checked.statement)
        if checked.statement.vct in RETRACTIONS:
            check_retraction(Session(connection), checked.statement)
        if isinstance(checked.record, CertificateRetirement):
            self._check_retired_once(connection, checked.record)
        if checked.record is not None:
            self._check_cycle(Session(connection), checked.record)

    def _check_products(self, checked: Entry) -> None:
        """Check that each line's cited entry is about the line's product, as far as the citer may see what it is about.

        Of an entry that it was granted nothing of, nothing is checked, and the answer is the same whatever it is about: else a rival
        could ask, product by product, which entry is about which. A calculation for a reader who sees both refuses it.
        """
        lines = [(path, one, _product_at(checked.record, path)) for path, one in citations(checked.statement)]
        cited = [line for line in lines if line[1].origin == checked.statement.audience and line[2] is not None]
        if not cited:
            return
        with snapshot(self._engine) as connection:
            admission, _seen = self._admissions.current(connection)
            for path, citation, product in cited:
                # Of an entry that isn't there, or is another, `check_cited` tells.
                there = connection.execute(_BY_LEAF, {"leaf": citation.leaf_hash}).one_or_none()
                if there is None:
                    continue
                seen = self._disclosed(connection, checked.statement.issuer, citation.leaf_hash)
                token = entry(connection, there.number).data.decode("ascii")
                record = admission.reread(there.number, token, seen).record if seen else None
                if record is not None and record.is_about_others_than(str(product)):
                    raise StatementError(
                        f"the cited entry {citation.index} is about another product",
                        where=path,
                        remedy="cite the entry of this line's product, or name the product of that entry",
                    )

    def _admitted(self, connection: Connection, token: str) -> _Admitted | None:
        """Return what is here of exactly these bytes, if they were admitted: whoever lost the answer may ask again at any time."""
        leaf = leaf_hash(leaf_bytes(token)).hex()
        row = connection.execute(_BY_LEAF, {"leaf": leaf}).one_or_none()
        if row is None:
            return None
        try:
            held = self._vault.open_(connection, "disclosures", leaf)
        except DamagedError:
            held = None  # what was lost comes back with the statement
        receipt = Receipt(head(connection).origin, row.number, leaf, existed=True)
        keeps_none = row.withheld or erased_at(connection, leaf) is not None
        return _Admitted(receipt, frozenset(held.decode("ascii").split("~") if held else ()), keeps_none)

    def _keep_disclosures(self, connection: Connection, leaf: str, disclosures: Sequence[str]) -> None:
        """Keep the disclosures of an admitted statement, which were checked against it: the only whole set there is."""
        if not disclosures:
            return
        # Locked, so that who erases it meanwhile comes before or after.
        withheld = connection.execute(_BY_LEAF_LOCKED, {"leaf": leaf}).one().withheld
        if not withheld and erased_at(connection, leaf) is None:
            self._vault.erase(connection, "disclosures", [leaf])
            self._vault.seal(connection, "disclosures", leaf, "~".join(disclosures).encode("ascii"))

    def _check_cycle(self, session: Session, record: Record) -> None:
        """Refuse a record by which its product would be made from itself. Who else is on the way is not told."""
        lines = _components(record)
        product = self._vault.blind(str(record.sub)) if lines else ""
        seen: set[str] = set()
        waiting = {self._vault.blind(component): component for component in lines}
        while waiting:
            if product in waiting:
                component = waiting[product]
                raise CycleError(
                    f"{record.sub} would be made from itself, by way of {component}",
                    where=f"{lines[component]}/product",
                    remedy="correct this line, or ask the maker of that component to correct its own bill of materials",
                )
            seen |= waiting.keys()
            rows = [row for some in _batches(sorted(waiting)) for row in session.exec(_links(some)).all()]
            waiting = {row.component: waiting[row.product] for row in rows if row.component not in seen}

    def _check_retired_once(self, connection: Connection, record: CertificateRetirement) -> None:
        """Refuse certificates that were retired under another name; under its own, a retirement corrects itself. Whose is not told."""
        own = self._vault.blind(str(record.sub))
        for line in _ranges(record):
            series = blinded_series(self._vault, line["series"])
            found = connection.execute(_RETIRED, {"of": series, "own": own})
            for row in found:
                if self._overlaps(row, line):
                    raise _RetiredError(row.number, f"serials/{line['line']}")

    def _overlaps(self, row: Any, line: Mapping[str, Any]) -> bool:
        first, last = map(int, self._vault.shown(bytes(row.span), *_place(row.number, row.line)).split())
        return bool(first <= line["last"] and last >= line["first"])

    def _write_rows(self, connection: Connection, index: int, submission: _Submission) -> None:
        checked = submission.checked
        statement, record = checked.statement, checked.record
        # What speaks of another's product, as a step of a filing does, is no statement about it that results could rest on.
        product = record.sub if record is not None and isinstance(record.sub, str) and record.products else None
        row = {
            "index": index,
            "leaf_hash": checked.leaf_hash,
            "issuer": statement.issuer,
            "jti": statement.jti,
            "vct": statement.vct,
            "product": None if product is None else self._vault.blind(product),
            "signing_input": statement.signing_digest,
            "admitted_at": submission.now,
            "withheld": submission.withheld,
        }
        connection.execute(_ADD_STATEMENT, row)
        if submission.disclosures:
            kept = "~".join(submission.disclosures).encode("ascii")
            self._vault.seal(connection, "disclosures", checked.leaf_hash, kept)
        if statement.vct in RETRACTIONS:
            write_retraction(connection, index, statement)
        if statement.vct == KEY_EVENT.vct:
            _tell_owner(connection, index, submission)
        components = sorted(_components(record)) if record is not None and product is not None else []
        if components:
            blind = self._vault.blind
            links = [{"index": index, "product": row["product"], "component": blind(one)} for one in components]
            connection.execute(_ADD_LINKS, links)
        if isinstance(record, CertificateRetirement) and (ranges := _ranges(record)):
            connection.execute(_ADD_RETIRED, [self._retired(index, line) for line in ranges])

    def _retired(self, index: int, line: Mapping[str, Any]) -> dict[str, Any]:
        """Return the row of a range."""
        return {
            "index": index,
            "line": line["line"],
            "name": self._vault.blind(line["name"]),
            "series": blinded_series(self._vault, line["series"]),
            "span": self._vault.hide(f"{line['first']} {line['last']}", *_place(index, line["line"])),
        }


@dataclass(frozen=True, slots=True)
class _Submission:
    """A statement that passed the first check, when, and under which last governing entry."""

    checked: Entry
    disclosures: tuple[str, ...]
    now: datetime
    governed_by: int
    companion: Companion | None
    withheld: bool
    dry_run: bool


def _check_size(disclosures: Sequence[str]) -> None:
    if len(disclosures) > MAX_DISCLOSURES or sum(map(len, disclosures)) > MAX_DISCLOSURE_BYTES:
        raise StatementError(
            f"more than {MAX_DISCLOSURES} disclosures or {MAX_DISCLOSURE_BYTES} bytes of them",
            where="disclosures",
            remedy="split the statement by site or period",
        )


def _check_whole(checked: Entry) -> None:
    """Check that the sender handed over every disclosure: what the exchange doesn't hold, it can't grant or compute."""
    statement, record = checked.statement, checked.record
    if record is None and statement.vct not in RETRACTIONS:
        return
    named: Any = statement.contents["claims"] if statement.contents is not None else None
    if named is None or not statement.claims.keys() >= set(named) or not (record is None or record.is_whole):
        raise StatementError(
            "not all disclosures were handed over",
            where="disclosures",
            remedy="send the statement with `contents` and all the rest",
        )


def _check_withheld(checked: Entry) -> None:
    """Check that nothing came that isn't to be kept, and that there is something to withhold."""
    given = len(checked.statement.disclosure_digests)
    if checked.record is None:
        what = "all claims of this kind are open: nothing can be withheld"
    elif given > (checked.statement.contents is not None):
        what = "a sealed statement comes without disclosures, or with `contents` alone"
    else:
        return
    remedy = "leave the disclosures out, or send it as one that isn't sealed"
    raise StatementError(what, where="sealed", remedy=remedy)


def _place(index: int, line: str) -> tuple[str, str, str]:
    return "exchange_retired_certificate", str(index), line


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A token that was admitted before, with the disclosures that the exchange still has."""

    receipt: Receipt
    disclosures: frozenset[str]
    #: Withheld by its owner, or erased: whatever is sent of it, nothing is kept.
    keeps_none: bool


def blinded_series(vault: Vault, series: str) -> str:
    """Return a series of certificates (hex SHA-256 of registry and prefix, which can be guessed) as it is looked up."""
    return vault.blind(f"series {series}")


def forget_statement(connection: Connection, vault: Vault, index: int, leaf_hash: str) -> None:
    """Erase what is kept of a statement beside the ledger, derived rows included."""
    vault.erase(connection, "disclosures", [leaf_hash])
    connection.execute(sql.delete(ProductLinkRow).where(col(ProductLinkRow.index) == index))
    connection.execute(sql.delete(RetiredCertificateRow).where(col(RetiredCertificateRow.index) == index))
    connection.execute(sql.update(StatementRow).where(col(StatementRow.index) == index).values(product=None))


def _known(connection: Connection, statement: Statement) -> Receipt | None:
    """Return the receipt that (iss, jti) has already; JtiReusedError where it was for other content."""
    row = connection.execute(_BY_JTI, {"issuer": statement.issuer, "jti": statement.jti}).one_or_none()
    if row is None:
        return None
    if row.signing_input != statement.signing_digest:
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


def _links(products: Sequence[str]) -> SelectOfScalar[ProductLinkRow]:
    return select(ProductLinkRow).where(col(ProductLinkRow.product).in_(products))


def _product_at(record: Record | None, path: str) -> str | None:
    """Return the product that the line at the start of `path` (``inputs/<id>``...) names."""
    name, _, rest = path.partition("/")
    lines = getattr(record, name, None)
    found = (line for line in lines if line.id == rest.partition("/")[0]) if isinstance(lines, Lines) else iter(())
    return getattr(next(found, None), "product", None)


def _ranges(record: CertificateRetirement) -> list[dict[str, Any]]:
    found = []
    for line in record.serials if isinstance(record.serials, Lines) else ():
        prefix, first, last = line.span
        series = hashlib.sha256(f"{record.registry_key}\n{prefix}".encode()).hexdigest()
        found.append({"line": line.id, "name": str(record.sub), "series": series, "first": first, "last": last})
    return found


def _components(record: Record) -> dict[str, str]:
    """Return what a bill of materials says its product holds, each with the path of the first line that says so.

    What activity data says isn't walked: a loop of processes (scrap that returns) is solved.
    """
    found: dict[str, str] = {}
    for name in ("components", "supplier_shares") if isinstance(record, BillOfMaterials) else ():
        lines = getattr(record, name)
        for line in lines if isinstance(lines, Lines) else ():
            if line.product is not None:
                found.setdefault(line.product, f"{name}/{line.id}")
    return found


def _batches(products: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(products), _QUERY):
        yield products[start : start + _QUERY]


def _tell_owner(connection: Connection, index: int, submission: _Submission) -> None:
    """Tell an organisation of every event about a key in its name, whoever signed it: it may not have asked for it."""
    event = read_key_event(index, submission.checked.statement)
    type_ = "packtrace.key.revoked" if event.action in {"revoke", "compromise"} else "packtrace.key.enrolled"
    with Session(connection, join_transaction_mode="create_savepoint") as session:
        emit(
            session,
            recipient=event.organisation,
            type=type_,
            subject=f"/api/v1/entries/{index}",
            data={"index": index, "thumbprint": event.thumbprint, "signed_by": submission.checked.statement.issuer},
            at=submission.now,
        )
        session.commit()

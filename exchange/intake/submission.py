"""Statements' way in, many at a time.

Order, and why: all that needs no lock comes first (signature, claims, stated sums; and, asked of new statements alone, whether all
disclosures came and whether flows, grids and stages are in use), under one look at the keys and roles. Then, under the lock on the
ledger's head and in one transaction (`ledger.store.GroupCommit`): is it here already; append; whatever depends on what others appended
meanwhile (keys, cited entries, retired certificates, cycles); and the companion rows. Anything that fails undoes all of its own. The
answer comes after the commit.

Statements that no other one's rows can refuse are written together. Where that fails, the two halves are tried, down to the
one that is refused: it costs the others nothing but time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine, Executable, bindparam, sql
from sqlmodel import Session, col

from bom_graph import Background, BomGraphError, CertificateRetirement, ProductFootprint
from exchange.access import covers
from exchange.admission import Admission, citations
from exchange.assembly import Annotation, annotate
from exchange.errors import DamagedError, DoubleClaimError, JtiReusedError, StatementError
from exchange.evidence import Entry
from exchange.intake.admitting import Admissions
from exchange.intake.checking import (
    RetiredError,
    check_all_cited,
    check_begun,
    check_cycle,
    check_retired_once,
    check_size,
    check_whole,
    check_withheld,
    products_by_line,
    tells_product,
)
from exchange.intake.retracting import check_retraction
from exchange.intake.tables import StatementRow
from exchange.intake.writing import Checked, Companion, Take, components, write_rows
from exchange.vault import Vault, erased_at
from ledger import leaf_hash
from ledger.store import Appended, GroupCommit, append, attempt, entry, head, snapshot
from signer import RETRACTIONS, Statement, leaf_bytes

MAX_WAITING = 128


#: Returns the claim paths that an organisation may see of each of these statements (leaf hashes), of which it may see any.
Visible = Callable[[Connection, str, Sequence[str]], Mapping[str, frozenset[str]]]
#: Returns the disclosures that an organisation may see of the statement with this leaf hash (hex).
Disclosed = Callable[[Connection, str, str], Sequence[str]]
#: Checks that a footprint says what the result that it names says, where it is a stored one of this issuer. StatementError.
Attested = Callable[[Connection, str, ProductFootprint], None]
#: Opens the case of certificates that an issuer states, at a place, and the entry with this index retired; returns its id, or None.
Clash = Callable[[str, str, int], str | None]


# Built once: every statement asks them.
_NUMBER: Any = col(StatementRow.index).label("number")
_BY_LEAVES: Executable = sql.select(
    _NUMBER, col(StatementRow.leaf_hash), col(StatementRow.withheld), col(StatementRow.product)
).where(col(StatementRow.leaf_hash).in_(bindparam("leaves", expanding=True)))
_QUERY = 500  # leaf hashes asked for at once, well below what either database takes as parameters
_BY_LEAF_LOCKED: Executable = (
    sql.select(col(StatementRow.withheld))
    .where(col(StatementRow.leaf_hash) == bindparam("leaf"))
    .with_for_update(read=True)
)
_BY_JTI: Executable = sql.select(_NUMBER, col(StatementRow.leaf_hash), col(StatementRow.signing_input)).where(
    col(StatementRow.issuer) == bindparam("issuer"), col(StatementRow.jti) == bindparam("jti")
)
_TAKEN: Executable = sql.select(col(StatementRow.issuer), col(StatementRow.jti)).where(
    sql.tuple_(col(StatementRow.issuer), col(StatementRow.jti)).in_(bindparam("identities", expanding=True))
)


@dataclass(frozen=True, slots=True)
class Submission:
    """A statement that is handed in with all its disclosures.

    `sealed`: its owner withholds them. Then it comes with none or with `contents` alone, which is checked; nothing of it is kept,
    now or when it is sent again, and to everybody it is an entry whose claims are sealed.

    With `dry_run` nothing is written: the statement is checked as if it were to come in now, those checks too that need the lock
    on the head. The index is then where it would have come; of a statement that is here, where it is.
    """

    token: str
    disclosures: Sequence[str]
    companion: Companion | None = None
    sealed: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where a statement stands: its citation, whether it was here before, and what the gates find in a new one by itself."""

    origin: str
    index: int
    leaf_hash: str
    existed: bool
    findings: tuple[Annotation, ...] = ()


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
        background: Callable[[Connection], Background],
        clock: Callable[[], datetime],
        *,
        max_waiting: int = MAX_WAITING,
        visible: Visible = lambda _connection, _reader, _leaf_hashes: {},
        disclosed: Disclosed = lambda _connection, _reader, _leaf_hash: (),
        attested: Attested = lambda _connection, _issuer, _record: None,
        clash: Clash = lambda _issuer, _place, _index: None,
        takes: Mapping[str, Take] = MappingProxyType({}),
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._visible = visible
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
        """Admit one statement (`Submission`); return its receipt once it is durable.

        The same signing input again returns the entry it already has, with or without its disclosures; the same bytes do so even after
        their key was revoked. Where the exchange lost the disclosures meanwhile, or holds others than the statement's, those that are
        handed over take their place.
        Raises what `Admission.check` and `Background.check` raise, StatementError (not whole, or citing what is seen to be about
        another product), JtiReusedError, DoubleClaimError, CitationError, CycleError, and what `check_retraction` raises; then nothing
        was written. And what `GroupCommit.submit` raises: QueueFullError, for instance.
        """
        (outcome,) = self.submit_all([Submission(token, disclosures, companion, sealed, dry_run)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def submit_all(self, submissions: Sequence[Submission]) -> list[Receipt | Exception]:
        """Admit statements in one transaction; return for each what `submit` would return or raise, once all are durable.

        One that is refused stops none of the others.
        """
        look = self._look(submissions)
        now = self._clock()
        outcomes: dict[int, Receipt | Exception] = {}
        checked: dict[int, Checked] = {}
        for place, submission in enumerate(submissions):
            try:
                found = self._check(submission, look, now)
            except Exception as error:  # noqa: BLE001 - it is this one's answer, whatever it is; the others go on
                outcomes[place] = error
                continue
            if isinstance(found, Receipt):
                outcomes[place] = found
            else:
                checked[place] = found
        if checked:
            appended = self._append_all(list(checked.values()))
            for (place, one), outcome in zip(checked.items(), appended, strict=True):
                outcomes[place] = self._answer(one, outcome, look.background)
        return [outcomes[place] for place in range(len(submissions))]

    def _look(self, submissions: Sequence[Submission]) -> _Look:
        """Look once, for all of them, at what is here and at the keys and roles that count."""
        leaves = {one.token: leaf_hash(one.token.encode("ascii", "replace")).hex() for one in submissions}
        with snapshot(self._engine) as connection:
            rows = _rows_of(connection, list(leaves.values()))
            state = head(connection)
            admitted = {row.leaf_hash: self._admitted(connection, state.origin, row) for row in rows}
            admission, seen = self._admissions.current(connection)
        here = {token: admitted[leaf] for token, leaf in leaves.items() if leaf in admitted}
        return _Look(here, admission, seen, state.size, cache(self._background_now))

    def _check(self, submission: Submission, look: _Look, now: datetime) -> Receipt | Checked:
        """Check what needs no lock. A receipt where it is here and nothing is left to do."""
        token, disclosures = submission.token, submission.disclosures
        check_size(disclosures)
        admitted = look.here.get(token)
        if admitted is None:
            entry_ = look.admission.check(look.size, token, disclosures, at=now)
        elif admitted.keeps_none or admitted.disclosures >= frozenset(disclosures):
            return admitted.receipt
        else:
            entry_ = look.admission.reread(admitted.receipt.index, token, disclosures)
            check_whole(entry_)
        if submission.sealed:
            check_withheld(entry_)
        elif admitted is None:
            try:
                self._check_new(entry_, look.background, now)
            except (StatementError, BomGraphError):
                # The same statement may be here, signed again and sent without its disclosures. Then that decides.
                with snapshot(self._engine) as connection:
                    if (known := _known(connection, entry_.statement)) is not None:
                        return known
                raise
        kept = () if submission.sealed else tuple(disclosures)
        return Checked(entry_, kept, now, look.seen, submission.companion, submission.sealed, submission.dry_run)

    def _background_now(self) -> Background:
        with snapshot(self._engine) as connection:
            return self._background(connection)

    def _check_new(self, checked: Entry, background: Callable[[], Background], now: datetime) -> None:
        """Check what is asked of a statement that isn't here yet; what is here came in by the rules and factors of its time."""
        check_whole(checked)
        if checked.record is not None:
            background().check(checked.record)
            self._check_products(checked)
        if isinstance(checked.record, CertificateRetirement):
            check_begun(checked.record, now.astimezone(UTC).date())
        if isinstance(checked.record, ProductFootprint):
            with snapshot(self._engine) as connection:
                self._attested(connection, checked.statement.issuer, checked.record)

    def _answer(
        self, one: Checked, outcome: Receipt | Exception, background: Callable[[], Background]
    ) -> Receipt | Exception:
        """What is told of a statement that came under the lock: with what the gates find, where it is new and to be seen."""
        record = one.checked.record
        if isinstance(outcome, _JudgedError):
            outcome = outcome.receipt
        if isinstance(outcome, RetiredError) and not one.dry_run:
            return self._in_conflict(one, outcome)
        if isinstance(outcome, Exception) or outcome.existed or one.withheld or record is None:
            return outcome
        signed = one.checked.statement.issued_at.astimezone(UTC).date()
        return replace(outcome, findings=annotate(record, background(), signed=signed))

    def _in_conflict(self, one: Checked, error: RetiredError) -> Exception:
        """Open the case between the two owners, and name it to the one who is here."""
        try:
            case = self._clash(one.checked.statement.issuer, error.where, error.index)
        except Exception as other:  # noqa: BLE001 - as if it had been raised to its sender
            return other
        if case is None:
            return error
        return DoubleClaimError(f"{error.what}: conflict, case {case}", where=error.where, remedy=error.remedy)

    def _append_all(self, batch: Sequence[Checked]) -> list[Receipt | Exception]:
        """Append under the lock, in order; the errors of a transaction that was lost are everybody's."""
        try:
            return self._commits.submit(
                lambda connection: [
                    outcome
                    for together in _runs(batch, _taken(connection, batch), self._takes.keys())
                    for outcome in self._append_run(connection, together)
                ]
            )
        except Exception as error:  # noqa: BLE001 - nobody's statement is stored, and each is told so
            return [error] * len(batch)

    def _append_run(self, connection: Connection, run: Sequence[Checked]) -> list[Receipt | Exception]:
        """Append together; where that fails, half of it and the other half."""
        if len(run) == 1:
            return [attempt(connection, lambda: self._append(connection, run[0]))]
        appended = attempt(connection, lambda: self._append_together(connection, run))
        if isinstance(appended, list):
            return [*appended]
        middle = len(run) // 2
        return [*self._append_run(connection, run[:middle]), *self._append_run(connection, run[middle:])]

    def _append_together(self, connection: Connection, run: Sequence[Checked]) -> list[Receipt]:
        """Append statements that none of the others can refuse, each of them new."""
        if Admissions.last(connection) != run[0].governed_by:
            raise _GovernedAnewError
        check_all_cited(connection, [one.checked.statement for one in run])

        def under_lock(appended: list[Appended]) -> None:
            fresh = [(placed.index, one) for placed, one in zip(appended, run, strict=True) if not placed.existed]
            write_rows(connection, self._vault, fresh)

        placed = append(connection, [leaf_bytes(one.checked.statement.token) for one in run], under_lock)
        return [_receipt(one) for one in placed]

    def _append(self, connection: Connection, one: Checked) -> Receipt:
        """Append one statement, whatever it is."""
        statement = one.checked.statement
        if (known := _known(connection, statement)) is not None:
            if not one.dry_run:
                self._keep_disclosures(connection, known.leaf_hash, one.disclosures)
            return known

        def under_lock(appended: list[Appended]) -> None:
            (placed,) = appended
            if placed.existed:
                return
            self._check_meanwhile(connection, placed.index, one)
            write_rows(connection, self._vault, [(placed.index, one)])
            take, companion = self._takes.get(statement.vct), one.companion
            if take is None and companion is None:
                return
            # A session of its own savepoint: another kind would, where a flush fails, undo also what others wrote.
            with Session(connection, join_transaction_mode="create_savepoint") as session:
                if take is not None:
                    take(session, replace(one.checked, index=placed.index))
                if companion is not None:
                    companion(session, placed.index)
                session.commit()

        receipt = _receipt(append(connection, [leaf_bytes(statement.token)], under_lock)[0])
        if one.dry_run:
            raise _JudgedError(receipt)
        return receipt

    def _check_meanwhile(self, connection: Connection, index: int, one: Checked) -> None:
        """Check what depends on entries that others may have appended since the first check."""
        checked = one.checked
        if Admissions.last(connection) != one.governed_by:
            admission, _seen = self._admissions.current(connection)
            admission.check(index, checked.statement.token, one.disclosures, at=one.now)
        check_all_cited(connection, [checked.statement])
        if checked.statement.vct in RETRACTIONS:
            check_retraction(Session(connection), checked.statement)
        if isinstance(checked.record, CertificateRetirement):
            by_issuer = checked.statement.issuer if one.dry_run else None
            check_retired_once(connection, self._vault, checked.record, by_issuer=by_issuer)
        if checked.record is not None:
            check_cycle(connection, self._vault, checked.record)

    def _check_products(self, checked: Entry) -> None:
        """Check that each line's cited entry is about the line's product, as far as the citer may see what it is about.

        Of an entry that it was granted nothing of, nothing is checked, and the answer is the same whatever it is about: else a rival
        could ask, product by product, which entry is about which. A calculation for a reader who sees both refuses it.
        """
        products = products_by_line(checked.record)
        lines = [
            (path, one, products.get(path.removesuffix("/citation"))) for path, one in citations(checked.statement)
        ]
        cited = [line for line in lines if line[1].origin == checked.statement.audience and line[2] is not None]
        if not cited:
            return
        with snapshot(self._engine) as connection:
            admission, _seen = self._admissions.current(connection)
            leaves = sorted({citation.leaf_hash for _path, citation, _product in cited})
            # Of an entry that isn't there, or is another, `check_all_cited` tells.
            visible = self._visible(connection, checked.statement.issuer, leaves)
            there = {row.leaf_hash: row for row in _rows_of(connection, leaves)}
            for path, citation, product in cited:
                leaf = citation.leaf_hash
                # A bill of materials has thousands of lines, of which few are to be opened: what the citer sees of the entry may not tell
                # its product, and who may see that is told by the row alone.
                if leaf not in there or not tells_product(visible.get(leaf, ())):
                    continue
                if covers(visible[leaf], "sub") and there[leaf].product == self._vault.blind(str(product)):
                    continue
                seen = self._disclosed(connection, checked.statement.issuer, leaf)
                token = entry(connection, there[leaf].number).data.decode("ascii")
                record = admission.reread(there[leaf].number, token, seen).record if seen else None
                if record is not None and record.is_about_others_than(str(product)):
                    raise StatementError(
                        f"the cited entry {citation.index} is about another product",
                        where=path,
                        remedy="cite the entry of this line's product, or name the product of that entry",
                    )

    def _admitted(self, connection: Connection, origin: str, row: Any) -> _Admitted:
        """Return what is here of exactly these bytes, which were admitted: whoever lost the answer may ask again at any time."""
        try:
            held = self._vault.open_(connection, "disclosures", row.leaf_hash)
        except DamagedError:
            held = None  # what was lost comes back with the statement
        receipt = Receipt(origin, row.number, row.leaf_hash, existed=True)
        keeps_none = row.withheld or erased_at(connection, row.leaf_hash) is not None
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


class _GovernedAnewError(Exception):
    """Keys or roles have changed since the first check: each statement is checked again by itself."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What was here when a batch came.

    What is admitted already, by token; keys and roles, the last entry about them; the log's size. `background` reads the rule sets and
    releases in use, once, for whoever needs them: keys come in whatever is wrong with those.
    """

    here: dict[str, _Admitted]
    admission: Admission
    seen: int
    size: int
    background: Callable[[], Background]


@dataclass(frozen=True, slots=True)
class _Admitted:
    """A token that was admitted before, with the disclosures that the exchange still has."""

    receipt: Receipt
    disclosures: frozenset[str]
    #: Withheld by its owner, or erased: whatever is sent of it, nothing is kept.
    keeps_none: bool


def _runs(batch: Sequence[Checked], taken: set[tuple[str, str]], alone: Collection[str]) -> Iterator[list[Checked]]:
    """Cut a batch into what may be appended together, in order; kinds in `alone` never are.

    `taken` are identities that are here; those of the batch join them.
    """
    run: list[Checked] = []
    for one in batch:
        identity = one.checked.statement.identity
        if identity not in taken and one.checked.statement.vct not in alone and _stands_alone(one):
            run.append(one)
        else:
            if run:
                yield run
            yield [one]
            run = []
        taken.add(identity)
    if run:
        yield run


def _stands_alone(one: Checked) -> bool:
    """Whether nothing that others append can refuse it but keys, roles and its identity, and it refuses nobody."""
    record = one.checked.record
    if record is None or isinstance(record, CertificateRetirement) or components(record):
        return False
    return one.companion is None and not one.dry_run


def _taken(connection: Connection, batch: Sequence[Checked]) -> set[tuple[str, str]]:
    """Return the identities (issuer, jti) of a batch that have an entry; one statement alone asks for itself."""
    if len(batch) == 1:
        return set()
    identities = [one.checked.statement.identity for one in batch]
    return {(row.issuer, row.jti) for row in connection.execute(_TAKEN, {"identities": identities})}


def _rows_of(connection: Connection, leaves: Sequence[str]) -> list[Any]:
    """Return the rows of those statements (leaf hashes) that are here."""
    return [
        row
        for start in range(0, len(leaves), _QUERY)
        for row in connection.execute(_BY_LEAVES, {"leaves": leaves[start : start + _QUERY]})
    ]


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


def _receipt(placed: Appended) -> Receipt:
    return Receipt(placed.origin, placed.index, placed.leaf_hash.hex(), placed.existed)

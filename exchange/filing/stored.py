"""Reading filings and what they rest on back from the database, in a transaction of the caller's."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final, cast

from sqlalchemy import Connection
from sqlmodel import Session, col, select

from bom_graph import BatteryModel, Citation, Lines, Period, Record, load_rule_set
from exchange.calculation import products_of, unwatched
from exchange.calculation.tables import RestsOnRow, ResultInputRow, ResultRow, StaleRow
from exchange.evidence import Entry
from exchange.filing.chain import DataFacts, Filing, Link, ModelFacts, ResultFacts, State, Step
from exchange.filing.hidden import model_of, show_told
from exchange.filing.reconciling import TOTAL
from exchange.filing.tables import FilingRow, FilingStepRow
from exchange.identity import ReleaseRow, releases_in_use
from exchange.intake import Admissions
from exchange.intake.tables import StatementRow, SupersededRow
from exchange.kinds import ACTIVITY_DATA, VERIFICATION_STATEMENT
from exchange.kinds.filing import PlanFigure, QualityPlan
from exchange.report import Document
from exchange.sharing import day_of, disclosed_to
from exchange.vault import HoldRow, Vault, erased_at
from ledger.store import entry
from signer import doubts, signers_in_doubt

_QUERY = 500
#: Before a filing's id: for what its statements and data are held.
HELD_FOR: Final = "filing "
#: Before a filing's id: for what else is held that it once was accepted with, until the years of the rules are over.
KEPT_FOR: Final = "accepted filing "


@dataclass(frozen=True, slots=True)
class Stored:
    """What filings are read with."""

    vault: Vault
    admissions: Admissions

    # -- filings -----------------------------------------------------------------------------------------------------------

    def filing(self, session: Session, row: FilingRow) -> Filing:
        """Return the filing of a row, its chain and plan included."""
        steps = session.exec(
            select(FilingStepRow).where(col(FilingStepRow.filing) == row.id).order_by(col(FilingStepRow.index))
        ).all()
        chain = tuple(
            Link(one.index, one.leaf_hash, cast("Step", one.step), one.signer, cast("State", one.state))
            for one in steps
        )
        filing = Filing(
            id=row.id,
            filer=row.filer,
            # As it was registered: the row keeps it, whatever became of the statement.
            product=show_told(self.vault, row.id, row.sealed).product,
            state=cast("State", row.state),
            chain=chain,
            data=frozenset(row.data.split()),
            result=row.result,
            export=row.export,
            verifier=row.verifier,
            expires=row.expires,
            open_remarks=frozenset(row.open_remarks.split()),
        )
        return self._with_plan(session, filing)

    def _with_plan(self, session: Session, filing: Filing) -> Filing:
        """Return the filing with the plan that counts: its newest, unless it was sent back behind that."""
        if filing.state in ("registered", "withdrawn"):
            return filing
        link = filing.newest("plan")
        plan = self.record(session.connection(), link.index, link.leaf_hash, link.signer)
        if not isinstance(plan, QualityPlan):
            return filing
        figures = cast("tuple[PlanFigure, ...]", plan.figures.items if isinstance(plan.figures, Lines) else ())
        period = plan.period if isinstance(plan.period, Period) else None
        return replace(filing, plan_period=period, figures=figures)

    def erased(self, session: Session, filing: Filing) -> tuple[Link, ...]:
        """Return the statements that a filing stands on and that were erased: before they were held, or on a filing withdrawn since."""
        connection = session.connection()
        return tuple(link for link in filing.stands_on if erased_at(connection, link.leaf_hash) is not None)

    def doubted(self, session: Session, filing: Filing) -> tuple[tuple[Link, str], ...]:
        """Return the statements that a filing stands on and that are in doubt, each with why."""
        why = self.in_doubt(session, [link.index for link in filing.stands_on])
        return tuple((link, why[link.index]) for link in filing.stands_on if link.index in why)

    def doubted_at(self, session: Session, row: FilingRow) -> tuple[tuple[Link, str], ...]:
        """Return the same of the filing of a row, which isn't read where no key was compromised."""
        return self.doubted(session, self.filing(session, row)) if self._signers_in_doubt(session) else ()

    def _signers_in_doubt(self, session: Session) -> frozenset[str]:
        admission, _seen = self.admissions.current(session.connection())
        return signers_in_doubt(admission.keys)

    def in_doubt(self, session: Session, indices: Collection[int]) -> dict[int, str]:
        """Return which of these entries are suspect by the ledger's key events, as `packtrace verify` judges them, each with why."""
        connection, found = session.connection(), dict[int, str]()
        admission, _seen = self.admissions.current(connection)
        signers = signers_in_doubt(admission.keys)
        some = sorted(indices) if signers else []
        for start in range(0, len(some), _QUERY):
            query = select(StatementRow.index, StatementRow.issuer).where(
                col(StatementRow.index).in_(some[start : start + _QUERY])
            )
            for index, issuer in session.exec(query).all():
                if issuer in signers:
                    token = entry(connection, index).data.decode("ascii")
                    certificate = admission.reread(index, token, ()).statement.certificate
                    if why := doubts(admission.keys, certificate, index):
                        found[index] = why[0].what
        return found

    # -- entries -----------------------------------------------------------------------------------------------------------

    def entry(self, connection: Connection, index: int, leaf_hash: str, reader: str, day: date | None = None) -> Entry:
        """Return an entry with what `reader` may see of it; its issuer sees all. EntryUnknownError for no such entry."""
        given = disclosed_to(connection, self.vault, reader, leaf_hash, day or date.max)
        admission, _seen = self.admissions.current(connection)
        return admission.reread(index, entry(connection, index).data.decode("ascii"), given)

    def record(self, connection: Connection, index: int, leaf_hash: str, issuer: str) -> Record | None:
        """Return the record of a statement as its issuer sees it; None where nothing of it is kept any more."""
        return self.entry(connection, index, leaf_hash, issuer).record

    def counts(self, session: Session, row: StatementRow) -> bool:
        """Whether a statement was neither erased nor taken back."""
        taken_back = session.get(SupersededRow, row.index) is not None
        return not taken_back and erased_at(session.connection(), row.leaf_hash) is None

    def cited(self, session: Session, citation: Citation) -> StatementRow | None:
        """Return the row of a cited entry of this log."""
        row = session.get(StatementRow, citation.index)
        return row if row is not None and row.leaf_hash == citation.leaf_hash else None

    # -- facts -------------------------------------------------------------------------------------------------------------

    def model(self, session: Session, citation: Citation, filer: str) -> tuple[ModelFacts, BatteryModel] | None:
        """Return what a battery-model statement of `filer` says, wholly disclosed; None for anything else."""
        row = self.cited(session, citation)
        if row is None or row.issuer != filer:
            return None
        record = self.record(session.connection(), row.index, row.leaf_hash, row.issuer)
        if not isinstance(record, BatteryModel):
            return None
        found = model_of(record, day_of(row.admitted_at))
        if found is None:
            return None
        counts = self.counts(session, row)
        return ModelFacts(row.issuer, found.product, found.rated_kwh, counts), record

    def data(self, session: Session, citation: Citation, filer: str, now: datetime) -> DataFacts | None:
        """Return what the filer may know of an entry that a figure is cited from."""
        row = self.cited(session, citation)
        if row is None:
            return None
        record = self.entry(session.connection(), row.index, row.leaf_hash, filer, day_of(now)).record
        period = getattr(record, "period", None)
        visible = record is not None and (record.is_whole or isinstance(record.sub, str))
        return DataFacts(
            row.vct, period if isinstance(period, Period) else None, visible=visible, counts=self.counts(session, row)
        )

    def document(self, connection: Connection, digest: str) -> Document | None:
        """Return a stored result; None where there is none (any more)."""
        data = self.vault.open_(connection, "result", digest)
        return None if data is None else cast("Document", json.loads(data))

    def result(self, session: Session, digest: str, filer: str, day: date) -> ResultFacts | None:
        """Return what steps ask of a stored result as its filer sees the ledger on `day`; None where there is none (any more)."""
        row, found = session.get(ResultRow, (digest, filer)), self.document(session.connection(), digest)
        if row is None or found is None:
            return None
        leaves = [one["leaf_hash"] for one in found["inputs"]]
        lines = {one["id"]: Decimal(one["value"]) for one in found["stages"] if one["value"] is not None}
        if found["headline"]["value"] is not None:
            lines[TOTAL] = Decimal(found["headline"]["value"])
        return ResultFacts(
            reader=row.reader,
            product=found["demand"]["product"],
            rule_set=found["rule_set"]["id"],
            complete=found["complete"],
            heading=found["heading"],
            unit=found["headline"]["unit"],
            lines=lines,
            inputs=frozenset(leaves),
            own_activity=frozenset(self._own_activity(session, leaves, filer)),
            stale=(
                *self.taken_back(session, found),
                *(self._marked(session, digest, row.reader) or self._newer(session, digest, row.reader, day)),
                *_outdated(session, found),
            ),
        )

    def taken_back(self, session: Session, found: Document) -> tuple[str, ...]:
        """Return what a stored result was made from and counts no more: entries taken back or in doubt, and releases withdrawn."""
        return (
            *self._inputs_taken_back(session, found),
            *self._inputs_in_doubt(session, found),
            *self._releases_withdrawn(session, found),
        )

    def any_taken_back(self, session: Session, leaves: Collection[str]) -> bool:
        """Whether one of these statements counts no more by an entry that took it back."""
        query = (
            select(SupersededRow.index)
            .join(StatementRow, col(StatementRow.index) == col(SupersededRow.index))
            .where(col(StatementRow.leaf_hash).in_(sorted(leaves)))
        )
        return session.exec(query.limit(1)).first() is not None

    def stale_among(self, session: Session, filings: Sequence[str] | None = None) -> frozenset[str]:
        """Return which filings rest on what was taken back, releases included, or is in doubt, or on what the watch found stale.

        Of some or of all. For lists: nothing is opened for it but where a key was compromised. What is held for a filing is what it rests
        on, and its result is watched.
        """
        # Nested, not joined: without statistics a database would go through all that is held. What a filing that was verified anew holds
        # too is the opinion that was withdrawn.
        taken_back = col(StatementRow.index).in_(select(SupersededRow.index))
        leaves = select(StatementRow.leaf_hash).where(taken_back, col(StatementRow.vct) != VERIFICATION_STATEMENT.vct)
        reason = col(HoldRow.reason)
        held = select(HoldRow.reason).where(reason.startswith(HELD_FOR), col(HoldRow.leaf_hash).in_(leaves))
        marked = select(FilingRow.id).join(
            StaleRow, (col(StaleRow.result) == col(FilingRow.result)) & (col(StaleRow.reader) == col(FilingRow.filer))
        )
        gone = select(ReleaseRow.digest).where(col(ReleaseRow.index).in_(select(SupersededRow.index)))
        made_with = (
            select(FilingRow.id)
            .join(
                RestsOnRow,
                (col(RestsOnRow.result) == col(FilingRow.result)) & (col(RestsOnRow.reader) == col(FilingRow.filer)),
            )
            .where(col(RestsOnRow.key).in_(gone))
        )
        if filings is not None:
            made_with = made_with.where(col(FilingRow.id).in_(filings))
            held = held.where(reason.in_([HELD_FOR + one for one in filings]))
            marked = marked.where(col(FilingRow.id).in_(filings))
        found = (one.removeprefix(HELD_FOR) for one in session.exec(held.distinct()).all())
        doubted = self._doubted_among(session, filings)
        watched = (*session.exec(marked.distinct()).all(), *session.exec(made_with.distinct()).all())
        return frozenset((*found, *watched, *doubted))

    def _own_activity(self, session: Session, leaves: list[str], filer: str) -> list[str]:
        found: list[str] = []
        for start in range(0, len(leaves), _QUERY):
            query = select(StatementRow.leaf_hash).where(
                col(StatementRow.leaf_hash).in_(leaves[start : start + _QUERY]),
                col(StatementRow.issuer) == filer,
                col(StatementRow.vct) == ACTIVITY_DATA.vct,
            )
            found.extend(session.exec(query).all())
        return found

    def _inputs_taken_back(self, session: Session, found: Document) -> Iterator[str]:
        """Yield which inputs of a result count no more, by the entries that took them back."""
        indices = [one["index"] for one in found["inputs"]]
        for start in range(0, len(indices), _QUERY):
            query = select(SupersededRow).where(col(SupersededRow.index).in_(indices[start : start + _QUERY]))
            for row in session.exec(query.order_by(col(SupersededRow.index))).all():
                yield f"entry {row.index} was taken back by entry {row.by}"

    def _inputs_in_doubt(self, session: Session, found: Document) -> Iterator[str]:
        """Yield which inputs of a result are in doubt, and why."""
        for index, why in self.in_doubt(session, [one["index"] for one in found["inputs"]]).items():
            yield f"entry {index} is in doubt: {why}"

    def _doubted_among(self, session: Session, filings: Sequence[str] | None) -> Iterator[str]:
        """Yield which filings stand on a statement, or on a result made from one, that is in doubt."""
        signers = sorted(self._signers_in_doubt(session))
        if not signers:
            return
        some = () if filings is None else (col(FilingRow.id).in_(filings),)
        rows: set[str] = set()
        inputs: dict[str, set[int]] = {}
        for start in range(0, len(signers), _QUERY):
            by = signers[start : start + _QUERY]
            rows.update(
                session.exec(
                    select(FilingRow.id)
                    .join(FilingStepRow, col(FilingStepRow.filing) == col(FilingRow.id))
                    .where(col(FilingStepRow.signer).in_(by), *some)
                ).all()
            )
            made_from = (
                select(FilingRow.id, StatementRow.index)
                .join(ResultInputRow, col(ResultInputRow.digest) == col(FilingRow.result))
                .join(StatementRow, col(StatementRow.leaf_hash) == col(ResultInputRow.leaf_hash))
                .where(col(StatementRow.issuer).in_(by), *some)
            )
            for filing, index in session.exec(made_from).all():
                inputs.setdefault(filing, set()).add(index)
        why = self.in_doubt(session, set().union(*inputs.values()))
        for filing in sorted(rows | inputs.keys()):
            if not why.keys().isdisjoint(inputs.get(filing, ())) or (
                filing in rows and self.doubted_at(session, session.get_one(FilingRow, filing))
            ):
                yield filing

    def _releases_withdrawn(self, session: Session, found: Document) -> Iterator[str]:
        """Yield which releases that a result was made with were withdrawn: at once, not when the watch comes to it."""
        named = {one["digest"]: one["id"] for one in (found["rule_set"], *found["releases"])}
        query = (
            select(ReleaseRow, SupersededRow)
            .where(col(ReleaseRow.digest).in_(named), col(SupersededRow.index) == col(ReleaseRow.index))
            .order_by(col(ReleaseRow.index))
        )
        for release, gone in session.exec(query).all():
            yield f"the release {named[release.digest]}, entry {release.index}, was withdrawn by entry {gone.by}"

    def _marked(self, session: Session, digest: str, reader: str) -> tuple[str, ...]:
        """Return what the watch over results found, whatever its reader decided: to be filed it is computed again."""
        query = select(StaleRow.cause).where(col(StaleRow.result) == digest, col(StaleRow.reader) == reader)
        causes = session.exec(query.order_by(col(StaleRow.cause))).all()
        return tuple(_is_newer(cause.replace(":", " ")) for cause in causes)

    def _newer(self, session: Session, digest: str, reader: str, day: date) -> tuple[str, ...]:
        """Return the first statement that the reader sees, about a product that its result rests on, and that the result doesn't know.

        At once: the watch, which tells of it, comes later, and a step isn't taken in between. What was taken back is newer than nothing.
        """
        query = (
            select(StatementRow)
            .join(RestsOnRow, col(RestsOnRow.key) == col(StatementRow.product))
            .outerjoin(SupersededRow, col(SupersededRow.index) == col(StatementRow.index))
            .where(
                col(RestsOnRow.result) == digest,
                col(RestsOnRow.reader) == reader,
                col(StatementRow.index) >= col(RestsOnRow.size),
                col(SupersededRow.index).is_(None),
            )
            .order_by(col(StatementRow.index))
        )
        connection = session.connection()
        for row in session.exec(query).all():
            if row.issuer == reader or row.product in self._products(connection, row, reader, day):
                return (_is_newer(f"entry {row.index}"),)
        return self._newer_outputs(session, digest, reader, day)

    def _newer_outputs(self, session: Session, digest: str, reader: str, day: date) -> tuple[str, ...]:
        """Return the same of what comes out of a process beside the product that its statement names, as far as the watch is behind."""
        query = select(RestsOnRow).where(RestsOnRow.result == digest, RestsOnRow.reader == reader)
        rests_on = {one.key: one.size for one in session.exec(query).all()}
        for row in unwatched(session, max(rests_on.values(), default=0)) if rests_on else ():
            is_about_more = row.vct == ACTIVITY_DATA.vct and session.get(SupersededRow, row.index) is None
            if is_about_more and not rests_on.keys().isdisjoint(self._products(session.connection(), row, reader, day)):
                return (_is_newer(f"entry {row.index}"),)
        return ()

    def _products(self, connection: Connection, row: StatementRow, reader: str, day: date) -> frozenset[str]:
        given = disclosed_to(connection, self.vault, reader, row.leaf_hash, day)
        return products_of(self.vault, entry(connection, row.index).data.decode("ascii"), given)


def _is_newer(what: str) -> str:
    return f"{what} is newer than what it was made from"


def is_filed(session: Session, reader: str, product: str, result: str) -> bool:
    """Whether a filing of `reader`'s for a product (blinded) stands on a result, so that it is watched whatever newer one there is."""
    query = select(FilingRow.id).where(
        FilingRow.product_key == product,
        FilingRow.filer == reader,
        FilingRow.result == result,
        col(FilingRow.state) != "withdrawn",
    )
    return session.exec(query).first() is not None


def _outdated(session: Session, found: Document) -> Iterator[str]:
    """Yield which rules and releases that a result was made with have another text by now."""
    rules = load_rule_set(found["rule_set"]["id"])
    if rules.digest != found["rule_set"]["digest"]:
        yield f"the rule set {rules.id} has the version {rules.version} by now"
    in_use = releases_in_use(session.connection())
    for named in found["releases"]:
        release = in_use.get(named["id"])
        if release is not None and release.digest != named["digest"]:
            yield f"the factor release {release.id} has the version {release.version} by now"

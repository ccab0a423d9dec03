"""Statements of filings on their way in: the step is taken, and its rows are written, in the transaction of the entry, or nothing stays.

Called by intake under the lock on the ledger's head, so that of two statements on one state the second finds that state gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import delete
from sqlmodel import Session, col, select

from bom_graph import BatteryModel, Citation, Lines
from exchange.calculation import is_current, let_go
from exchange.errors import FilingError, IndependenceError, NotFoundError, RightsError
from exchange.events import emit
from exchange.evidence import Entry
from exchange.filing.chain import HELD, Facts, Filing, ModelFacts, Signed, Step
from exchange.filing.duty import DutyRules, Model
from exchange.filing.exporting import digest_of, platform_export
from exchange.filing.hidden import (
    Told,
    group_key,
    hide_model,
    hide_told,
    model_of,
    product_key,
    show_model,
    show_told,
    told_of,
)
from exchange.filing.reconciling import TOTAL
from exchange.filing.steps import advance, remark_id, step_of, take_back
from exchange.filing.stored import HELD_FOR, KEPT_FOR, Stored
from exchange.filing.tables import FilingRemarkRow, FilingRow, FilingStepRow, ModelRow
from exchange.identity import corporate_group
from exchange.intake import Take
from exchange.intake.tables import AttestedRow, StatementRow
from exchange.kinds import (
    BATTERY_MODEL,
    FILING_EVENT,
    PLATFORM_RESULT,
    PRODUCT_FOOTPRINT,
    QUALITY_PLAN,
    REVIEW,
    SUPERSESSIONS,
    VERIFICATION_STATEMENT,
    WITHDRAWALS,
)
from exchange.kinds.filing import AnswerLine, FilingEvent, FilingRecord, VerificationStatement
from exchange.kinds.review import Conflict, Remark, Review
from exchange.sharing import day_of
from exchange.vault import end_holds, hold, release_holds
from signer import read_retraction

_ANSWERS = {"factor_maintainer": "factor_maintainer", "rule_maintainer": "operator"}


@dataclass(frozen=True, slots=True)
class Taking:
    """Takes statements of filings, and battery models, in."""

    stored: Stored
    rules: DutyRules
    clock: Callable[[], datetime]

    def takes(self) -> dict[str, Take]:
        """Return what intake calls, by the type of statement."""
        kinds = (FILING_EVENT, QUALITY_PLAN, PLATFORM_RESULT, VERIFICATION_STATEMENT, REVIEW)
        return {
            **{kind.vct: self.take for kind in kinds},
            BATTERY_MODEL.vct: self.take_model,
            SUPERSESSIONS.vct: self.take_retraction,
            WITHDRAWALS.vct: self.take_retraction,
        }

    # -- models ------------------------------------------------------------------------------------------------------------

    def take_model(self, session: Session, entry: Entry) -> None:
        """Note a maker's model, which its newest statement describes; one that is withheld can't be noted."""
        if not isinstance(entry.record, BatteryModel):
            return
        self._note(session, entry.record, entry.statement.issuer, entry.index, day_of(self.clock()))

    def _note(self, session: Session, record: BatteryModel, owner: str, index: int, day: date) -> bool:
        """Note a model; whether its statement discloses what that takes."""
        model = model_of(record, day)
        if model is not None:
            vault = self.stored.vault
            key = product_key(vault, model.product)
            model = replace(model, restated_from=self._restated_from(session, model, key, owner, index))
            sealed = hide_model(vault, key, model)
            session.merge(ModelRow(product_key=key, owner=owner, index=index, sealed=sealed))
            session.flush()
        return model is not None

    def _restated_from(self, session: Session, model: Model, key: str, owner: str, index: int) -> int | None:
        """Return the newest entry before `index` that states a model otherwise; of it nothing else is kept, so that it can be erased."""
        if (noted := session.get(ModelRow, key)) is not None:
            older = show_model(self.stored.vault, key, noted.sealed)
            return noted.index if self.rules.restates(model, older) else older.restated_from
        # None is noted once it was taken back: that hides nothing.
        query = _battery_models(key, owner).where(col(StatementRow.index) < index).limit(1)
        row = session.exec(query).one_or_none()
        record = None if row is None else self.stored.record(session.connection(), row.index, row.leaf_hash, row.issuer)
        before = model_of(record, model.stated_on) if isinstance(record, BatteryModel) else None
        return row.index if row is not None and before is not None and self.rules.restates(model, before) else None

    def take_retraction(self, session: Session, entry: Entry) -> None:
        """Drop a model whose statement was taken back; an older statement of it that still counts describes it again."""
        target = read_retraction(entry.statement).target
        gone = session.exec(select(ModelRow).where(ModelRow.index == target.index)).one_or_none()
        if gone is None:
            return
        session.delete(gone)
        session.flush()
        for row in session.exec(_battery_models(gone.product_key, gone.owner)).all():
            if self.stored.counts(session, row):
                record = self.stored.record(session.connection(), row.index, row.leaf_hash, row.issuer)
                day = day_of(row.admitted_at)
                if isinstance(record, BatteryModel) and self._note(session, record, row.issuer, row.index, day):
                    return

    # -- steps -------------------------------------------------------------------------------------------------------------

    def take(self, session: Session, entry: Entry) -> None:
        """Take the step that a statement states. Raises what `advance` raises."""
        record = entry.record
        if not isinstance(record, FilingRecord) or not record.is_whole:
            raise FilingError(
                "a statement of a filing is for its parties: it can't be withheld",
                where="disclosures",
                remedy="send it with all its disclosures",
            )
        if isinstance(record, Review) and record.outcome == "answered":
            self._answer(session, entry, record)
            return
        if record.filing is None:
            if isinstance(record, Review):
                return  # of another domain: a review of a release, for instance
            if isinstance(record, VerificationStatement):
                self._take_footprint_opinion(session, entry, record)
                return
            raise FilingError("it names no filing", where="filing", remedy="name the filing's id")
        row = session.exec(select(FilingRow).where(FilingRow.id == str(record.filing)).with_for_update()).one_or_none()
        filing = None if row is None else self.stored.filing(session, row)
        signed = Signed(entry.index, entry.leaf_hash, entry.statement.issuer, day_of(self.clock()), record)
        facts, told = self._facts(session, signed, filing, row)
        after = advance(filing, signed, facts, self.rules)
        if row is None:
            self._add(session, after, told)
        else:
            self._update(session, row, after, facts)
        self._write_step(session, filing, after)
        self._write_remarks(session, after, signed)
        self._hold(session, filing, after, facts)
        self._tell(session, filing, after, signed)
        session.flush()

    def _take_footprint_opinion(self, session: Session, entry: Entry, record: VerificationStatement) -> None:
        """Take a verifier's opinion on a supplier's own product-footprint.

        Raises FilingError where its target is none, or names another result than the opinion; IndependenceError where verifier and supplier
        are one or of one corporate group.
        """
        target = record.target
        row = None if target is None else session.get(StatementRow, target.index)
        if target is None or row is None or (row.vct, row.leaf_hash) != (PRODUCT_FOOTPRINT.vct, target.leaf_hash):
            raise FilingError(
                "it names no filing, and its target is no product-footprint",
                where="target",
                remedy="name the filing's id, or cite the footprint that was verified",
            )
        signer = entry.statement.issuer
        if corporate_group(session, signer) == corporate_group(session, row.issuer):
            raise IndependenceError(
                "the verifier is the footprint's signer, or of its corporate group",
                where="target",
                remedy="have it verified by an organisation that is independent of its signer",
            )
        footprint = self.stored.record(session.connection(), row.index, row.leaf_hash, row.issuer)
        named = getattr(footprint, "result_digest", None)
        # What its signer withholds isn't seen here; whoever rests on the footprint holds the two against each other.
        if isinstance(named, str) and record.result != named:
            raise FilingError(
                "the footprint rests on another result",
                where="result",
                remedy="name the result that its signer showed you, which the footprint names as result_digest",
            )
        session.add(AttestedRow(index=entry.index, target=target.leaf_hash))
        session.flush()

    def take_back(self, session: Session, entry: Entry, filing: str, step: Literal["decline", "revoke"]) -> None:
        """Take back, by a statement of its verifier's, that a filing is verified, or to be. Raises what `take_back` of steps raises."""
        row = session.exec(select(FilingRow).where(FilingRow.id == filing).with_for_update()).one()
        before = self.stored.filing(session, row)
        after = take_back(before, step, entry.index, entry.leaf_hash, entry.statement.issuer)
        self._update(session, row, after, Facts())
        self._write_step(session, before, after)
        self._hold(session, before, after, Facts())
        said = "declined" if step == "decline" else "revoked"
        self._emit(session, before.filer, f"packtrace.filing.{said}", before.id)
        if before.state in ("filed", "accepted"):
            for authority in self._with_role(session, "authority", None):
                self._emit(session, authority, "packtrace.filing.revoked", before.id)
        session.flush()

    def _facts(
        self, session: Session, signed: Signed, filing: Filing | None, row: FilingRow | None
    ) -> tuple[Facts, Told | None]:
        """Gather what the step asks for, and what a registration discloses."""
        step, record = step_of(signed.record), signed.record
        roles = self._roles(session, signed.signer, signed)
        model: ModelFacts | None = None
        told, running, result, export, is_newest = None, None, None, None, True
        data = {}
        if isinstance(record, FilingEvent) and step == "register" and isinstance(record.model, Citation):
            found = self.stored.model(session, record.model, signed.signer)
            if found is not None:
                model = found[0]
                described = model_of(found[1], signed.day)
                told = None if described is None else told_of(self.rules, found[1], described)
                running = self._running(session, model.product)
        if isinstance(record, FilingEvent) and step == "complete" and filing is not None:
            lines = record.data if isinstance(record.data, Lines) else ()
            for line in lines:
                if line.citation is not None:
                    seen = self.stored.data(session, line.citation, filing.filer, self.clock())
                    if seen is not None:
                        data[line.citation.leaf_hash] = seen
        if filing is not None:
            digest = getattr(record, "result", None) if step == "calculate" else filing.result
            if isinstance(digest, str):
                if step == "calculate":
                    # Before it is looked at: from here on it stays watched.
                    key = product_key(self.stored.vault, filing.product)
                    is_newest = is_current(session, filing.filer, key, self.rules.rule_set, digest)
                result = self.stored.result(session, digest, filing.filer, signed.day)
            if step == "export" and row is not None and filing.result is not None:
                export = self._export(session, filing, row)
        verifier = str(record.verifier) if isinstance(record, FilingEvent) and step == "submit" else signed.signer
        return (
            Facts(
                roles=roles,
                running=running,
                model=model,
                data=data,
                erased=() if filing is None else self.stored.erased(session, filing),
                doubted=() if filing is None else self.stored.doubted(session, filing),
                result=result,
                is_newest=is_newest,
                export=export,
                verifier_roles=self._roles(session, verifier, signed),
                groups={uri: corporate_group(session, uri) for uri in _concerned(signed, filing, verifier)},
            ),
            told,
        )

    def _roles(self, session: Session, organisation: str, signed: Signed) -> frozenset[str]:
        """Return the roles that an organisation has by the ledger on the day of admission."""
        admission, _seen = self.stored.admissions.current(session.connection())
        grant = admission.roles.get(organisation)
        return frozenset[str]() if grant is None else grant.on(signed.day)

    def _running(self, session: Session, product: str) -> str | None:
        key = product_key(self.stored.vault, product)
        query = select(FilingRow.id).where(FilingRow.product_key == key, col(FilingRow.state) != "withdrawn")
        return session.exec(query).first()

    def _export(self, session: Session, filing: Filing, row: FilingRow) -> str | None:
        found = self.stored.document(session.connection(), str(filing.result))
        told = show_told(self.stored.vault, row.id, row.sealed)
        return None if found is None else digest_of(platform_export(filing, told, found, self.rules))

    # -- rows --------------------------------------------------------------------------------------------------------------

    def _add(self, session: Session, filing: Filing, told: Told | None) -> None:
        if told is None:
            raise FilingError("the model isn't disclosed", where="model", remedy="send the battery model whole")
        vault, now = self.stored.vault, self.clock()
        session.add(
            FilingRow(
                id=filing.id,
                filer=filing.filer,
                product_key=product_key(vault, told.product),
                group_key=group_key(vault, told.group),
                state=filing.state,
                sealed=hide_told(vault, filing.id, told),
                registered_at=now,
                entered_at=now,
            )
        )
        session.flush()

    def _update(self, session: Session, row: FilingRow, after: Filing, facts: Facts) -> None:
        vault = self.stored.vault
        if after.result != row.result:
            told = show_told(vault, row.id, row.sealed)
            total = None if facts.result is None or after.result is None else facts.result.lines.get(TOTAL)
            unit = facts.result.unit if facts.result is not None and total is not None else None
            row.sealed = hide_told(vault, row.id, told.with_figure(None if total is None else str(total), unit))
        before = row.result
        row.verifier, row.result, row.export = after.verifier, after.result, after.export
        row.expires, row.data = after.expires, " ".join(sorted(after.data))
        row.open_remarks = " ".join(sorted(after.open_remarks))
        session.add(row)
        if before is not None and (after.result != before or after.state == "withdrawn"):
            let_go(session, row.filer, row.product_key, before)

    def _write_step(self, session: Session, before: Filing | None, after: Filing) -> None:
        link, now = after.last, self.clock()
        row = session.get_one(FilingRow, after.id)
        moved = before is not None and before.state != after.state
        session.add(
            FilingStepRow(
                filing=after.id,
                index=link.index,
                leaf_hash=link.leaf_hash,
                step=link.step,
                signer=link.signer,
                before=before.state if before is not None and moved else "",
                state=after.state,
                seconds=int((now - row.entered_at).total_seconds()) if moved else 0,
                at=now,
            )
        )
        if moved:
            row.state, row.entered_at = after.state, now
            session.add(row)

    def _write_remarks(self, session: Session, after: Filing, signed: Signed) -> None:
        record, now = signed.record, self.clock()
        if isinstance(record, Review):
            for remark in _remarks(record):
                session.add(
                    FilingRemarkRow(
                        id=remark_id(signed.index, remark),
                        filing=after.id,
                        review=signed.index,
                        addressee=remark.to,
                        step=remark.step,
                        made_at=now,
                    )
                )
                if remark.to != "filer":
                    self._tell_maintainers(session, remark, after.id)
        for answer in _answers(record):
            self._close(session, session.get_one(FilingRemarkRow, answer.remark), signed.index)

    def _close(self, session: Session, row: FilingRemarkRow, index: int) -> None:
        row.answered, row.answered_at = index, self.clock()
        session.add(row)
        review = session.exec(select(FilingStepRow).where(FilingStepRow.index == row.review)).one()
        self._emit(session, review.signer, "packtrace.remark.answered", row.filing, {"remark": row.id})

    def _answer(self, session: Session, entry: Entry, review: Review) -> None:
        """Take a maintainer's answer to remarks of a review, which it names as its target."""
        signer, day = entry.statement.issuer, day_of(self.clock())
        signed = Signed(entry.index, entry.leaf_hash, signer, day, review)
        roles = self._roles(session, signer, signed)
        answers = _answers(review)
        if not answers:
            raise FilingError("it answers nothing", where="answers", remedy="answer a remark by its id")
        for one in answers:
            row = session.get(FilingRemarkRow, one.remark)
            target = review.target if isinstance(review.target, Citation) else None
            if row is None or target is None or row.review != target.index or row.addressee not in _ANSWERS:
                raise NotFoundError(
                    "no such remark to a maintainer in that review",
                    where=f"answers/{one.id}",
                    remedy="take its id from the list of remarks",
                )
            if _ANSWERS[row.addressee] not in roles:
                raise RightsError(
                    f"the remark is for who has the role {_ANSWERS[row.addressee]}",
                    where=f"answers/{one.id}",
                    remedy="let that organisation answer it",
                )
            if row.answered is not None:
                raise FilingError(
                    f"answered already, by entry {row.answered}", where=f"answers/{one.id}", remedy="leave it out"
                )
            self._close(session, row, entry.index)
        session.flush()

    # -- holds -------------------------------------------------------------------------------------------------------------

    def _hold(self, session: Session, before: Filing | None, after: Filing, facts: Facts) -> None:
        """Hold the filing's statements from erasure until it is withdrawn, and while it is verified and filed its result's inputs too.

        From acceptance on all of it is held for the years of the rules, whatever is done with the filing afterwards.
        """
        reason = HELD_FOR + after.id
        was_held = before is not None and before.state in HELD
        let_go = after.state == "withdrawn" or (was_held and after.state not in HELD)
        if let_go:
            release_holds(session, reason, KEPT_FOR + after.id)
        if after.state == "withdrawn":
            return
        now, until = self.clock(), None
        if after.state == "accepted":
            until = now.replace(year=now.year + self.rules.retention_years, day=min(now.day, 28))
        all_of_it = after.state in HELD and (not was_held or until is not None)
        leaves = {link.leaf_hash for link in (after.chain if let_go or all_of_it else (after.last,))}
        if all_of_it:
            leaves |= facts.result.inputs if facts.result is not None else frozenset()
        for leaf in sorted(leaves):
            hold(session, leaf, reason, until)
        if until is not None:
            # The statements of its verification too, which are held by the same reason.
            end_holds(session, reason, until)

    # -- telling -----------------------------------------------------------------------------------------------------------

    def _tell(self, session: Session, before: Filing | None, after: Filing, signed: Signed) -> None:
        step: Step = after.last.step
        if step == "submit" and after.verifier is not None:
            self._emit(session, after.verifier, "packtrace.filing.submitted", after.id)
        elif step == "verify":
            said = "verified" if after.state == "verified" else "not_verified"
            self._emit(session, after.filer, f"packtrace.filing.{said}", after.id)
        elif step == "file":
            for authority in self._with_role(session, "authority", signed):
                self._emit(session, authority, "packtrace.filing.filed", after.id)
        elif step == "review":
            said = "accepted" if after.state == "accepted" else "returned"
            self._emit(session, after.filer, f"packtrace.filing.{said}", after.id)
        elif step in ("amend", "withdraw") and before is not None and before.verifier is not None:
            self._emit(session, before.verifier, "packtrace.filing.reopened", after.id)

    def _tell_maintainers(self, session: Session, remark: Remark, filing: str) -> None:
        role = _ANSWERS[remark.to]
        for one in self._with_role(session, role, None):
            self._emit(session, one, "packtrace.remark.made", filing)

    def _with_role(self, session: Session, role: str, signed: Signed | None) -> Iterator[str]:
        day = signed.day if signed is not None else day_of(self.clock())
        admission, _seen = self.stored.admissions.current(session.connection())
        return (uri for uri, grant in sorted(admission.roles.items()) if role in grant.on(day))

    def _emit(
        self, session: Session, recipient: str, type_: str, filing: str, more: dict[str, str] | None = None
    ) -> None:
        emit(
            session,
            recipient=recipient,
            type=type_,
            subject=f"/api/v1/filings/{filing}",
            data={"filing": filing, **(more or {})},
            at=self.clock(),
        )


def _battery_models(product: str, owner: str) -> Any:
    """Select the battery-model statements of a product (blinded) by its owner, the newest first, taken back or not."""
    of_it = (
        col(StatementRow.product) == product,
        col(StatementRow.issuer) == owner,
        col(StatementRow.vct) == BATTERY_MODEL.vct,
    )
    return select(StatementRow).where(*of_it).order_by(col(StatementRow.index).desc())


def forget_models(session: Session, index: int) -> None:
    """Erase what is kept of the model that the battery-model statement at `index` describes."""
    session.connection().execute(delete(ModelRow).where(col(ModelRow.index) == index))


def _concerned(signed: Signed, filing: Filing | None, verifier: str) -> Iterator[str]:
    """Yield whose corporate groups matter to a step: filer, verifiers, who signs, and with whom a review declares conflicts."""
    yield from (signed.signer, verifier)
    if filing is not None:
        yield filing.filer
        if filing.verifier is not None:
            yield filing.verifier
    if isinstance(signed.record, Review):
        yield from (one.organisation for one in _conflicts(signed.record) if one.organisation is not None)


def _conflicts(review: Review) -> tuple[Conflict, ...]:
    return review.conflicts.items if isinstance(review.conflicts, Lines) else ()


def _remarks(review: Review) -> tuple[Remark, ...]:
    return review.remarks.items if isinstance(review.remarks, Lines) else ()


def _answers(record: FilingRecord) -> tuple[AnswerLine, ...]:
    found = getattr(record, "answers", None)
    return found.items if isinstance(found, Lines) else ()

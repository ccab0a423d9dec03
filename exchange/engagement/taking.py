"""Statements of engagements on their way in: the step and its rows are written in the transaction of the entry, or nothing stays.

An engagement begins with the filing's step `submit`, and tells the filing what binds it: an opinion, a refusal, a withdrawal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from sqlmodel import Session, col, select

from exchange.engagement.chain import AT_WORK, Engagement
from exchange.engagement.known import Known
from exchange.engagement.rules import VerificationRules
from exchange.engagement.steps import advance, conclude, ended, withdrawn
from exchange.engagement.tables import EngagementRow, EngagementStepRow, FindingRow
from exchange.errors import EngagementError, NotFoundError
from exchange.events import emit
from exchange.evidence import Entry
from exchange.filing import HELD, HELD_FOR, FilingRow, FilingStepRow
from exchange.filing import STEPS as FILING_STEPS
from exchange.filing import Taking as FilingTaking
from exchange.intake import Take
from exchange.intake.tables import StatementRow
from exchange.kinds import ENGAGEMENT_EVENT, FILING_EVENT, VERIFICATION_STATEMENT, WITHDRAWALS
from exchange.kinds.engagement import EngagementEvent
from exchange.kinds.filing import FilingEvent, VerificationStatement
from exchange.sharing import day_of
from exchange.vault import Vault, hold
from signer import read_retraction

_PLACE = "exchange_engagement"
_OPEN = frozenset({"asked", *AT_WORK})


@dataclass(frozen=True, slots=True)
class Taking:
    """Takes statements of engagements in, and those of filings by `filings`."""

    filings: FilingTaking
    known: Known
    rules: VerificationRules
    clock: Callable[[], datetime]

    @property
    def _vault(self) -> Vault:
        return self.known.stored.vault

    def takes(self) -> dict[str, Take]:
        """Return what intake calls, by the type of statement."""
        return {
            **self.filings.takes(),
            FILING_EVENT.vct: self.take_filing_event,
            ENGAGEMENT_EVENT.vct: self.take,
            VERIFICATION_STATEMENT.vct: self.take_opinion,
            WITHDRAWALS.vct: self.take_withdrawal,
        }

    def take_filing_event(self, session: Session, entry: Entry) -> None:
        """Take a step of a filing; by `submit` an engagement begins, and one whose filing goes another way ends."""
        self.filings.take(session, entry)
        record = cast("FilingEvent", entry.record)
        filing = session.get_one(FilingRow, str(record.filing))
        running = select(EngagementRow).where(
            EngagementRow.filing == filing.id, col(EngagementRow.state).in_(sorted(_OPEN))
        )
        for row in session.exec(running.with_for_update()).all():
            if filing.verifier is None:
                self._write(session, row, ended(self.read(row)))
                self._emit(session, row.verifier, "packtrace.engagement.ended", row.id)
        if record.event == "submit":
            self._begin(session, entry, filing, record)
        session.flush()

    def _begin(self, session: Session, entry: Entry, filing: FilingRow, record: FilingEvent) -> None:
        now = self.clock()
        engagement = Engagement(
            id=entry.leaf_hash,
            asked=entry.index,
            filing=filing.id,
            filer=filing.filer,
            verifier=str(filing.verifier),
            product=str(record.sub),
            result=str(filing.result),
            last=(entry.index, entry.leaf_hash),
        )
        session.add(
            EngagementRow(
                id=engagement.id,
                filing=filing.id,
                filer=filing.filer,
                verifier=engagement.verifier,
                state=engagement.state,
                sealed=self._hidden(engagement),
                asked_at=now,
                entered_at=now,
            )
        )

    def take(self, session: Session, entry: Entry) -> None:
        """Take a step of an engagement. Raises what `advance` raises."""
        event = entry.record
        if not isinstance(event, EngagementEvent) or not event.is_whole:
            raise EngagementError(
                "a statement of an engagement is for its parties: it can't be withheld",
                where="disclosures",
                remedy="send it with all its disclosures",
            )
        row, before = self._row(session, str(event.engagement))
        signer, now = entry.statement.issuer, self.clock()
        facts = self.known.facts(session, before, signer, now)
        signed = (entry.index, entry.leaf_hash)
        after = advance(before, signed, signer, event, facts, rules=self.rules, day=day_of(now))
        finding = next((one for one in after.findings if one.id == event.finding), None)
        self._write(session, row, after)
        self._write_step(session, entry, after, str(event.event), finding.concerned if finding is not None else None)
        if finding is not None:
            session.merge(
                FindingRow(
                    engagement=after.id,
                    finding=finding.id,
                    index=finding.index,
                    concerned=finding.concerned,
                    severity=finding.severity,
                    state=finding.state,
                )
            )
        if after.state == "declined":
            self.filings.take_back(session, entry, after.filing, "decline")
        self._tell(session, after, event)
        session.flush()

    def take_opinion(self, session: Session, entry: Entry) -> None:
        """Take a verification-statement: the engagement is concluded, and the filing is verified or not."""
        statement = entry.record
        if isinstance(statement, VerificationStatement) and statement.is_whole:
            row = self._running(session, statement)
            if row is not None:
                now = self.clock()
                before = self.read(row)
                facts = self.known.facts(session, before, entry.statement.issuer, now)
                after = conclude(
                    before,
                    entry.leaf_hash,
                    entry.statement.issuer,
                    statement,
                    facts,
                    rules=self.rules,
                    day=day_of(now),
                )
                after = after.model_copy(update={"last": (entry.index, entry.leaf_hash)})
                row.statement = entry.leaf_hash
                self._write(session, row, after)
                self._write_step(session, entry, after, "conclude", None)
        # What belongs to no engagement belongs to no filing under verification either: the filing says so.
        self.filings.take(session, entry)

    def take_withdrawal(self, session: Session, entry: Entry) -> None:
        """Take a withdrawal: of a verification-statement it reaches engagement and filing; of anything else it is the filings' matter."""
        self.filings.take_retraction(session, entry)
        target = read_retraction(entry.statement).target
        stated = session.get(StatementRow, target.index)
        if stated is None or stated.vct != VERIFICATION_STATEMENT.vct:
            return
        row = session.exec(
            select(EngagementRow).where(EngagementRow.statement == target.leaf_hash).with_for_update()
        ).one_or_none()
        if row is None:
            return
        before = self.read(row)
        after = withdrawn(before).model_copy(update={"last": (entry.index, entry.leaf_hash)})
        self._write(session, row, after)
        self._write_step(session, entry, after, "withdraw", None)
        if self._stands_on(session, after.filing, target.leaf_hash):
            self.filings.take_back(session, entry, after.filing, "revoke")
        session.flush()

    def _stands_on(self, session: Session, filing: str, statement: str) -> bool:
        """Whether a filing is verified, or further, by this verification-statement."""
        newest = (
            select(FilingStepRow.leaf_hash)
            .where(FilingStepRow.filing == filing, col(FilingStepRow.step) == "verify")
            .order_by(col(FilingStepRow.index).desc())
            .limit(1)
        )
        stands = session.get_one(FilingRow, filing).state in FILING_STEPS["revoke"].states
        return stands and session.exec(newest).first() == statement

    # -- rows --------------------------------------------------------------------------------------------------------------

    def read(self, row: EngagementRow) -> Engagement:
        """Return the engagement that a row keeps. NotFoundError where one of its statements was erased."""
        if not row.sealed:
            raise NotFoundError(
                "a statement of the engagement was erased", where="engagement", remedy="read the filing's statements"
            )
        return Engagement.model_validate_json(self._vault.shown(row.sealed, _PLACE, row.id))

    def _hidden(self, engagement: Engagement) -> bytes:
        return self._vault.hide(engagement.model_dump_json(), _PLACE, engagement.id)

    def _row(self, session: Session, identity: str) -> tuple[EngagementRow, Engagement]:
        row = session.exec(select(EngagementRow).where(EngagementRow.id == identity).with_for_update()).one_or_none()
        if row is None:
            raise NotFoundError(
                "no such engagement", where="engagement", remedy="take the id from the list of engagements"
            )
        return row, self.read(row)

    def _running(self, session: Session, statement: VerificationStatement) -> EngagementRow | None:
        """Return the engagement of the filing that a statement is about, while there is one to conclude."""
        query = select(EngagementRow).where(
            EngagementRow.filing == str(statement.filing), col(EngagementRow.state).in_(sorted(_OPEN))
        )
        return session.exec(query.with_for_update()).one_or_none()

    def _write(self, session: Session, row: EngagementRow, after: Engagement) -> None:
        if row.state != after.state:
            row.state, row.entered_at = after.state, self.clock()
        row.sealed = self._hidden(after)
        session.add(row)

    def _write_step(self, session: Session, entry: Entry, after: Engagement, step: str, concerned: str | None) -> None:
        session.add(
            EngagementStepRow(
                engagement=after.id,
                index=entry.index,
                leaf_hash=entry.leaf_hash,
                step=step,
                signer=entry.statement.issuer,
                state=after.state,
                concerned=concerned,
                at=self.clock(),
            )
        )
        if session.get_one(FilingRow, after.filing).state in HELD:
            # Let go with everything else that is held for the filing.
            hold(session, entry.leaf_hash, HELD_FOR + after.filing, None)

    # -- telling -----------------------------------------------------------------------------------------------------------

    def _tell(self, session: Session, after: Engagement, event: EngagementEvent) -> None:
        finding = next((one for one in after.findings if one.id == event.finding), None)
        if event.event == "accept":
            self._emit(session, after.filer, "packtrace.engagement.accepted", after.id)
        elif event.event in ("find", "close") and finding is not None:
            said = "made" if event.event == "find" else "closed"
            self._emit(session, finding.concerned, f"packtrace.finding.{said}", after.id)
        elif event.event == "answer":
            self._emit(session, after.verifier, "packtrace.finding.answered", after.id)

    def _emit(self, session: Session, recipient: str, type_: str, engagement: str) -> None:
        emit(
            session,
            recipient=recipient,
            type=type_,
            subject=f"/api/v1/engagements/{engagement}",
            data={"engagement": engagement},
            at=self.clock(),
        )


def forget_engagements(session: Session, index: int) -> None:
    """Erase what is kept of the engagement that the statement at `index` belongs to: its rows hold what that disclosed."""
    step = session.exec(select(EngagementStepRow).where(EngagementStepRow.index == index)).one_or_none()
    if step is None:
        return
    row = session.get_one(EngagementRow, step.engagement)
    row.sealed = b""
    session.add(row)
    session.flush()

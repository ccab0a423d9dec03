"""What governance takes in of signed statements: reviews, publications and withdrawals of factor releases.

Runs in intake's transaction, under the lock on the ledger's head: what counts is what stands in the ledger before the entry.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from bom_graph import Lines
from exchange.errors import ConflictError, RightsError, StatementError
from exchange.events import emit
from exchange.evidence import Entry
from exchange.governance.rules import ReviewRules
from exchange.governance.standing import newest_published, standing_of
from exchange.governance.tables import HOLD, FactorRemarkRow, ProposalRow, ReviewRow
from exchange.identity import ReleaseRow, roles_today
from exchange.intake import Take
from exchange.kinds import FACTOR_RELEASE, REVIEW, WITHDRAWALS, ReviewedRelease, read_open
from exchange.kinds.review import Review
from exchange.vault import Vault, hold
from signer import read_retraction


@dataclass(frozen=True, slots=True)
class GovernedKinds:
    """Takes entries of the kinds that govern factors. `operator` states without review what comes with the software."""

    vault: Vault
    rules: ReviewRules
    operator: str
    clock: Callable[[], datetime]

    def takes(self) -> Mapping[str, Take]:
        """Return what intake asks, by kind."""
        return {
            REVIEW.vct: self.take_review,
            FACTOR_RELEASE.vct: self.publish_release,
            WITHDRAWALS.vct: self.withdraw_release,
        }

    def take_review(self, session: Session, entry: Entry) -> None:
        """Take in a review of a proposed release, or its maintainer's answers; reviews of something else pass.

        Raises RightsError for whoever is no expert, ConflictError where nothing is to be reviewed any more.
        """
        record: Any = entry.record
        if not isinstance(record, Review) or not isinstance(record.digest, str) or not record.is_whole:
            return
        query = select(ProposalRow).where(col(ProposalRow.digest) == record.digest, col(ProposalRow.state) != "dropped")
        row = session.exec(query).one_or_none()
        if row is None:
            raise StatementError(
                "no proposed factor release has this digest",
                where="digest",
                remedy="take it from the list of proposals",
            )
        if row.state != "proposed":
            raise ConflictError(f"the release is {row.state}", where="digest", remedy="review what is still proposed")
        hold(session, entry.leaf_hash, HOLD, None)
        if record.outcome == "answered":
            self._take_answers(session, entry, row)
            return
        issuer = entry.statement.issuer
        if "expert" not in roles_today(session, issuer, self.clock()):
            raise RightsError(
                f"{issuer} is no expert of this exchange",
                where="iss",
                remedy="ask the operator for the role, or an expert",
            )
        remarks = [_members(line) for line in record.remarks] if isinstance(record.remarks, Lines) else []
        content = {
            "outcome": record.outcome,
            "reason": record.reason,
            "conflicts": [_members(line) for line in record.conflicts] if isinstance(record.conflicts, Lines) else [],
            "remarks": remarks,
        }
        hidden = self.vault.hide(json.dumps(content), "exchange_factor_review", str(entry.index))
        session.add(
            ReviewRow(index=entry.index, leaf_hash=entry.leaf_hash, proposal=row.id, reviewer=issuer, content=hidden)
        )
        for remark in remarks:
            session.add(FactorRemarkRow(review=entry.index, remark=remark["id"], proposal=row.id))
        session.flush()
        _tell(session, row.proposer, "reviewed", row, self.clock())

    def publish_release(self, session: Session, entry: Entry) -> None:
        """Publish a proposed release: its digest is the proposal's, signed by its proposer, resting on exactly the reviews that count.

        Raises StatementError (another digest, id, version or other reviews), RightsError, ConflictError naming what is missing.
        """
        stated: ReviewedRelease = read_open(entry.statement, ReviewedRelease)
        issuer = entry.statement.issuer
        query = select(ProposalRow).where(col(ProposalRow.digest) == stated.digest, col(ProposalRow.state) != "dropped")
        row = session.exec(query).one_or_none()
        if row is None:
            if issuer == self.operator and not stated.reviews:
                return
            raise StatementError(
                "no proposed factor release has this digest",
                where="digest",
                remedy="propose the file first: the digest is the SHA-256 of its bytes",
            )
        if row.proposer != issuer:
            raise RightsError(
                "another organisation proposed this release", where="iss", remedy="let its proposer sign it"
            )
        if row.state != "proposed":
            raise ConflictError(f"the release is {row.state}", where="digest", remedy="propose another version")
        if (stated.id, stated.version) != (row.release, row.version):
            raise StatementError(
                f"the file with this digest is {row.release} {row.version}",
                where="version" if stated.id == row.release else "id",
                remedy="state the id and version that stand in the file",
            )
        _check_next(session, row)
        found = standing_of(session, self.vault, row, self.rules)
        if found.missing:
            raise ConflictError(
                f"the release lacks {'; '.join(found.missing)}",
                where="reviews",
                remedy="publish it when these are there",
            )
        origin, cited = entry.statement.audience, {(one.origin, one.index, one.leaf_hash) for one in stated.reviews}
        leaves = {one.index: one.leaf_hash for one in session.exec(_reviews_of(row)).all()}
        if cited != {(origin, one.index, leaves[one.index]) for one in found.counted}:
            counted = ", ".join(str(one.index) for one in found.counted)
            raise StatementError(
                f"the reviews that count are the entries {counted}; others are cited, or not all",
                where="reviews",
                remedy="take the claims to sign from the proposal's publication",
            )
        row.state, row.published, row.published_at = "published", entry.index, self.clock()
        session.add(row)
        session.merge(
            ReleaseRow(
                digest=stated.digest,
                vct=FACTOR_RELEASE.vct,
                index=entry.index,
                release=row.release,
                version=row.version,
                reviewed=True,
                document=row.document.encode(),
            )
        )
        session.flush()
        for recipient in sorted({row.proposer, *(one.reviewer for one in found.counted)}):
            _tell(session, recipient, "published", row, self.clock())

    def withdraw_release(self, session: Session, entry: Entry) -> None:
        """Note that a published release was withdrawn, and why. Intake has checked that its issuer withdraws it, and once."""
        retraction = read_retraction(entry.statement)
        query = select(ProposalRow).where(col(ProposalRow.published) == retraction.target.index)
        row = session.exec(query).one_or_none()
        if row is None:
            return
        hold(session, entry.leaf_hash, HOLD, None)
        row.state, row.withdrawn = "withdrawn", entry.index
        if retraction.reason is not None:
            row.reason = self.vault.hide(retraction.reason, "exchange_factor_proposal", row.id, "reason")
        session.add(row)
        session.flush()
        reviewers = {one.reviewer for one in session.exec(_reviews_of(row)).all()}
        for recipient in sorted({row.proposer, *reviewers}):
            _tell(session, recipient, "withdrawn", row, self.clock())

    def _take_answers(self, session: Session, entry: Entry, row: ProposalRow) -> None:
        record: Any = entry.record
        if row.proposer != entry.statement.issuer:
            raise RightsError(
                "remarks on a proposal are answered by its proposer", where="iss", remedy="let the proposer answer"
            )
        lines = list(record.answers) if isinstance(record.answers, Lines) else []
        open_ = select(FactorRemarkRow).where(
            col(FactorRemarkRow.proposal) == row.id, col(FactorRemarkRow.answered).is_(None)
        )
        waiting = {one.remark: one for one in session.exec(open_).all()}
        reviews = set()
        for line in lines:
            remark = waiting.pop(line.remark, None)
            if remark is None:
                what = f"no remark {line.remark} waits for an answer"
                raise StatementError(what, where=f"answers/{line.id}", remedy="take its id from the proposal")
            place = ("exchange_factor_remark", str(remark.review), remark.remark)
            remark.answered, remark.answer = entry.index, self.vault.hide(line.text, *place)
            session.add(remark)
            reviews.add(remark.review)
        if not lines:
            raise StatementError(
                "no remark is answered", where="answers", remedy="state an answer to a remark, by its id"
            )
        session.flush()
        for review in session.exec(_reviews_of(row)).all():
            if review.index in reviews:
                _tell(session, review.reviewer, "answered", row, self.clock())


def _check_next(session: Session, row: ProposalRow) -> None:
    """Another release of the same id may have been published since this one was compared with what was there."""
    if newest_published(session, row.release) not in (row.based_on, None):
        raise ConflictError(
            "another release of this id was published since this one was proposed",
            where="digest",
            remedy="propose it again, compared with that one",
        )


def _reviews_of(row: ProposalRow) -> Any:
    return select(ReviewRow).where(col(ReviewRow.proposal) == row.id).order_by(col(ReviewRow.index))


def _members(line: Any) -> dict[str, Any]:
    return dict(line.model_dump(mode="json", exclude_none=True))


def _tell(session: Session, recipient: str, step: str, row: ProposalRow, at: datetime) -> None:
    emit(
        session,
        recipient=recipient,
        type=f"packtrace.release.{step}",
        subject=f"/api/v1/factor-proposals/{row.id}",
        data={"proposal": row.id},
        at=at,
    )

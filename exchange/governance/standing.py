"""How a stored proposal stands: its reviews read back, and held against the rules."""

from __future__ import annotations

import json
from typing import Any

from sqlmodel import Session, col, select

from exchange.governance.rules import Given, ReviewRules, Standing, standing
from exchange.governance.tables import FactorRemarkRow, ProposalRow, ReviewRow
from exchange.identity import corporate_group
from exchange.vault import Vault


def standing_of(session: Session, vault: Vault, row: ProposalRow, rules: ReviewRules) -> Standing:
    """Return how a proposal stands now."""
    remarks = session.exec(select(FactorRemarkRow).where(col(FactorRemarkRow.proposal) == row.id)).all()
    given = []
    for review in reviews_of(session, row.id):
        content = content_of(vault, review)
        open_ = (one.remark for one in remarks if one.review == review.index and one.answered is None)
        ties = tuple(one["relation"] for one in content["conflicts"])
        group = corporate_group(session, review.reviewer)
        given.append(Given(review.index, review.reviewer, group, content["outcome"], ties, tuple(sorted(open_))))
    group = corporate_group(session, row.proposer)
    return standing(given, proposer_group=group, panel=row.panel, accept=row.accept, rules=rules)


def reviews_of(session: Session, proposal: str) -> list[ReviewRow]:
    """Return the reviews of a proposal, the oldest first."""
    query = select(ReviewRow).where(col(ReviewRow.proposal) == proposal).order_by(col(ReviewRow.index))
    return list(session.exec(query).all())


def content_of(vault: Vault, review: ReviewRow) -> dict[str, Any]:
    """Return what a review says. Raises DamagedError."""
    found: dict[str, Any] = json.loads(vault.shown(bytes(review.content), "exchange_factor_review", str(review.index)))
    return found


def newest_published(session: Session, release: str) -> str | None:
    """Return the digest of the newest published proposal of a release id that wasn't withdrawn, None where there is none."""
    query = (
        select(ProposalRow.digest)
        .where(col(ProposalRow.release) == release, col(ProposalRow.state) == "published")
        .order_by(col(ProposalRow.published).desc())
    )
    return session.exec(query.limit(1)).first()

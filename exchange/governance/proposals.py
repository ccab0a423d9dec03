"""Factor releases on their way: proposed by their maintainer, compared with the release before, reviewed, published, withdrawn.

What binds is signed and comes in through intake (`exchange.governance.admitting`); here a file is proposed, taken back, and looked at.
Everybody on the exchange sees proposals and differences. What reviews say is for the proposer, experts, authorities and the operator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from bom_graph import FactorRelease, ReleaseDifference, compare_releases
from exchange.access import Principal
from exchange.database import begin
from exchange.errors import ConflictError, NotFoundError, RightsError, StatementError
from exchange.events import emit
from exchange.governance.rules import ReviewRules, Standing
from exchange.governance.standing import content_of, reviews_of, standing_of
from exchange.governance.tables import HOLD, FactorRemarkRow, ProposalRow, State
from exchange.identity import (
    Accounts,
    OrganisationRow,
    ReleaseRow,
    corporate_group,
    read_release,
    releases_in_use,
    roles_today,
)
from exchange.intake.tables import StatementRow
from exchange.vault import Vault, release_hold
from ledger.store import snapshot
from signer import new_jti

_INSIDERS = frozenset({"expert", "authority", "operator"})


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed release as everybody sees it; `reason` says why it was withdrawn."""

    id: str
    release: str
    version: str
    digest: str
    based_on: str | None
    proposer: str
    state: State
    panel: int
    accept: int
    proposed_at: datetime
    published: int | None
    withdrawn: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Review:
    """A review as insiders see it: what it says, why it doesn't count (`uncounted`), and the answers to its remarks by their id."""

    index: int
    leaf_hash: str
    reviewer: str
    content: dict[str, Any]
    uncounted: str | None
    answers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal with how it stands; `reviews` is None for whoever isn't an insider."""

    proposal: Proposal
    standing: Standing
    reviews: tuple[Review, ...] | None


@dataclass(frozen=True, slots=True)
class FactorReleases:
    """Proposed factor releases."""

    engine: Engine
    vault: Vault
    accounts: Accounts
    rules: ReviewRules
    operator: str
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    def propose(
        self, actor: Principal, organisation: str, data: bytes, digest: str, *, panel: int = 0, accept: int = 0
    ) -> Proposal:
        """Propose the release in `data`, whose SHA-256 is `digest`; `panel` and `accept` ask for more reviews than the rules.

        Raises RightsError (no factor maintainer), FactorError, StatementError (the digest isn't the content's; the same figures as the
        release before; fewer reviews than the rules ask for), ConflictError (proposed already; a version that was used).
        """
        self.accounts.check_speaks_for(actor, organisation, "statements:write")
        release = FactorRelease.read(data)
        if release.digest != digest:
            raise StatementError(
                f"the content's SHA-256 is {release.digest}, {digest} is stated",
                where="digest",
                remedy="send the bytes that were digested, and state their SHA-256",
            )
        for what, number, least in (("panel", panel, self.rules.panel), ("accept", accept, self.rules.accept)):
            if 0 < number < least:
                raise StatementError(
                    f"{number} is fewer than the rules ask for, {least}",
                    where=what,
                    remedy="ask for more, or leave it out",
                )
        wanted = max(panel, self.rules.panel), max(accept, self.rules.accept)
        if wanted[1] > wanted[0]:
            raise StatementError(
                "more have to accept than have to review", where="accept", remedy="ask for more reviews"
            )
        try:
            with begin(self.engine) as connection, Session(connection) as session:
                return self._propose(session, actor, organisation, release, data, wanted)
        except IntegrityError:
            raise _proposed() from None

    def _propose(  # noqa: PLR0917 - one row's columns
        self,
        session: Session,
        actor: Principal,
        organisation: str,
        release: FactorRelease,
        data: bytes,
        wanted: tuple[int, int],
    ) -> Proposal:
        now = self.clock()
        if organisation != self.operator and "factor_maintainer" not in roles_today(session, organisation, now):
            raise RightsError(
                f"{organisation} maintains no factors here",
                where="organisation",
                remedy="ask the operator for the role",
            )
        in_use = releases_in_use(session.connection()).get(release.id)
        before = None if in_use is None else read_release(session.connection(), in_use.digest)
        _check_new(session, release, before)
        row = ProposalRow(
            id=new_jti(now, self.random),
            release=release.id,
            version=release.version,
            digest=release.digest,
            based_on=None if before is None else before.digest,
            proposer=organisation,
            recorded_by=actor.recorded_as(organisation),
            document=data.decode(),
            panel=wanted[0],
            accept=wanted[1],
            proposed_at=now,
        )
        session.add(row)
        session.flush()
        experts = select(OrganisationRow.uri).where(col(OrganisationRow.roles).contains("expert"))
        for recipient in sorted(session.exec(experts).all()):
            emit(
                session,
                recipient=recipient,
                type="packtrace.release.proposed",
                subject=f"/api/v1/factor-proposals/{row.id}",
                data={"proposal": row.id},
                at=now,
            )
        return self._seen(row)

    def drop(self, actor: Principal, proposal: str) -> Proposal:
        """Take a proposal back; its reviews may be erased again. ConflictError where it was published."""
        with begin(self.engine) as connection, Session(connection) as session:
            row = _found(session, proposal, lock=True)
            self.accounts.check_speaks_for(actor, row.proposer, "statements:write")
            if row.state not in {"proposed", "dropped"}:
                raise ConflictError(f"the release is {row.state}", where="proposal", remedy="withdraw it, signed")
            row.state = "dropped"
            session.add(row)
            for review in reviews_of(session, row.id):
                release_hold(session, review.leaf_hash, HOLD)
            session.flush()
            return self._seen(row)

    def page(self, actor: Principal, after: str = "", limit: int = 100) -> list[Proposal]:
        """Return proposals, newest first; those that are older than `after`."""
        actor.require("data:read")
        query = select(ProposalRow).order_by(col(ProposalRow.id).desc()).limit(limit)
        if after:
            query = query.where(col(ProposalRow.id) < after)
        with snapshot(self.engine) as connection, Session(connection) as session:
            return [self._seen(row) for row in session.exec(query).all()]

    def show(self, actor: Principal, proposal: str) -> Shown:
        """Return a proposal with its reviews, as far as the actor may see them."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = _found(session, proposal)
            found = standing_of(session, self.vault, row, self.rules)
            reviews = self._reviews(session, row, found) if self._is_inside(session, actor, row) else None
            return Shown(self._seen(row), found, reviews)

    def is_inside(self, actor: Principal, proposal: str) -> bool:
        """Whether the actor proposes, judges or oversees a proposal: the proposer, experts, authorities, the operator."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            return self._is_inside(session, actor, _found(session, proposal))

    def _is_inside(self, session: Session, actor: Principal, row: ProposalRow) -> bool:
        roles = roles_today(session, actor.organisation, self.clock())
        return "operator" in actor.scopes or actor.organisation == row.proposer or not _INSIDERS.isdisjoint(roles)

    def publication(self, actor: Principal, proposal: str) -> dict[str, Any]:
        """Return the claims by whose signature the proposer publishes. ConflictError naming what is missing."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = _found(session, proposal)
            found = standing_of(session, self.vault, row, self.rules)
            if found.missing:
                raise ConflictError(
                    f"the release lacks {'; '.join(found.missing)}",
                    where="reviews",
                    remedy="publish it when these are there",
                )
            counted = {one.index for one in found.counted}
            reviews = [(one.index, one.leaf_hash) for one in reviews_of(session, row.id) if one.index in counted]
            return {"id": row.release, "version": row.version, "digest": row.digest, "reviews": reviews}

    def withdrawal(self, actor: Principal, proposal: str) -> tuple[int, str]:
        """Return index and leaf hash of the entry that a withdrawal of a published release cites. ConflictError for any other."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = _found(session, proposal)
            if row.state != "published":
                raise ConflictError(
                    f"the release is {row.state}", where="proposal", remedy="withdraw what is published"
                )
            entry = session.exec(select(StatementRow).where(col(StatementRow.index) == row.published)).one()
            return entry.index, entry.leaf_hash

    def file(self, actor: Principal, proposal: str) -> bytes:
        """Return the bytes of a proposed release."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            return _found(session, proposal).document.encode()

    def difference(self, actor: Principal, proposal: str) -> tuple[FactorRelease, FactorRelease, ReleaseDifference]:
        """Return the release that a proposed one follows (an empty one where there is none), the proposed one, and how they differ."""
        actor.require("data:read")
        old, new = self.pair(proposal)
        before = old or new.model_copy(update={"rows": (), "proxies": ()})
        return before, new, compare_releases(before, new)

    def pair(self, proposal: str) -> tuple[FactorRelease | None, FactorRelease]:
        """Return the release that a proposed one follows, and the proposed one."""
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = _found(session, proposal)
            new, based_on = FactorRelease.read(row.document.encode()), row.based_on
            return (None if based_on is None else read_release(connection, based_on)), new

    def effect_group(self, proposal: str) -> str | None:
        """Return the proposer's corporate group while the rules let others' results be told of that the proposal moves.

        None once its group had proposed so often on the same release: who changes row after row and sees how far others move would
        narrow their figures down, whatever is told of each.
        """
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = _found(session, proposal)
            group = corporate_group(session, row.proposer)
            before = select(ProposalRow.proposer).where(
                col(ProposalRow.release) == row.release,
                col(ProposalRow.based_on) == row.based_on,
                col(ProposalRow.id) < row.id,
            )
            earlier = sum(corporate_group(session, one) == group for one in session.exec(before).all())
            return group if earlier < self.rules.effect.proposals_told else None

    def _reviews(self, session: Session, row: ProposalRow, found: Standing) -> tuple[Review, ...]:
        uncounted = {one.index: why for one, why in found.uncounted}
        answered = select(FactorRemarkRow).where(
            col(FactorRemarkRow.proposal) == row.id, col(FactorRemarkRow.answered).is_not(None)
        )
        answers: dict[int, dict[str, str]] = {}
        for one in session.exec(answered).all():
            text = self.vault.shown(bytes(one.answer or b""), "exchange_factor_remark", str(one.review), one.remark)
            answers.setdefault(one.review, {})[one.remark] = text
        return tuple(
            Review(
                review.index,
                review.leaf_hash,
                review.reviewer,
                content_of(self.vault, review),
                uncounted.get(review.index),
                answers.get(review.index, {}),
            )
            for review in reviews_of(session, row.id)
        )

    def _seen(self, row: ProposalRow) -> Proposal:
        reason = None
        if row.reason is not None:
            reason = self.vault.shown(bytes(row.reason), "exchange_factor_proposal", row.id, "reason")
        state: Any = row.state
        return Proposal(
            row.id,
            row.release,
            row.version,
            row.digest,
            row.based_on,
            row.proposer,
            state,
            row.panel,
            row.accept,
            row.proposed_at,
            row.published,
            row.withdrawn,
            reason,
        )


def _check_new(session: Session, release: FactorRelease, before: FactorRelease | None) -> None:
    """A file is proposed once, and a version of a release used once."""
    query = select(ProposalRow).where(col(ProposalRow.release) == release.id, col(ProposalRow.state) != "dropped")
    rows = session.exec(query).all()
    if any(row.digest == release.digest for row in rows):
        raise _proposed()
    stated = select(ReleaseRow.version).where(col(ReleaseRow.release) == release.id)
    if release.version in {*session.exec(stated).all(), *(row.version for row in rows)}:
        raise ConflictError(
            f"version {release.version} of {release.id} is there already",
            where="version",
            remedy="give the release another version: what was published never changes",
        )
    if before is not None and before.rows == release.rows and before.proxies == release.proxies:
        raise StatementError(
            "no row differs from the release before", where="rows", remedy="nothing has to be published"
        )


def _found(session: Session, proposal: str, *, lock: bool = False) -> ProposalRow:
    query = select(ProposalRow).where(col(ProposalRow.id) == proposal)
    row = session.exec(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFoundError("no such proposal", where="proposal", remedy="take its id from the list of proposals")
    return row


def _proposed() -> ConflictError:
    return ConflictError("this file is proposed already", where="digest", remedy="take it from the list of proposals")

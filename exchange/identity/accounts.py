"""Members: invitations, log-in, sessions that the server can end, and who may speak for an organisation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Engine, delete, exists, func, or_
from sqlmodel import Session, col, select

from exchange.access import MEMBER_SCOPES, MemberRole, Principal, Scope
from exchange.database import begin
from exchange.errors import ConflictError, CredentialsError, NotFoundError, RightsError
from exchange.identity.passwords import fingerprint, hashed, matches
from exchange.identity.registration import has_accounts
from exchange.identity.tables import InvitationRow, MemberRow, OrganisationRow, SessionRow
from ledger.store import snapshot
from signer import new_jti

security = logging.getLogger("packtrace.security")
INVITATION_LIFE = timedelta(days=7)
SESSION_LIFE = timedelta(days=7)
SESSION_IDLE = timedelta(hours=12)
_AUDITING = frozenset({"verifier", "authority"})
_SEEN_STEP = timedelta(minutes=5)  # how often a session in use is written to


@dataclass(frozen=True, slots=True)
class Member:
    """A member as its organisation sees it."""

    id: str
    email: str
    name: str
    role: MemberRole
    active: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """The members of organisations and their sessions."""

    engine: Engine
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    def check_speaks_for(self, actor: Principal, organisation: str, scope: Scope) -> None:
        """Check that `actor` may use `scope` for `organisation`; RightsError otherwise.

        Everybody speaks for its own organisation. The operator on its own machine stands in for those that have no accounts here.
        """
        actor.require(scope)
        if actor.organisation == organisation:
            return
        if actor.stands_in:
            with snapshot(self.engine) as connection, Session(connection) as session:
                if not has_accounts(session, organisation):
                    return
        raise RightsError(
            "you don't speak for this organisation", where="organisation", remedy=f"let {organisation} do it itself"
        )

    def invite(self, actor: Principal, email: str, role: MemberRole) -> str:
        """Return the secret by which `email` may join the actor's organisation within seven days."""
        actor.require("organisation:write")
        secret = self.random(32).hex()
        with begin(self.engine) as connection, Session(connection) as session:
            _check_unused(session, email)
            session.add(
                InvitationRow(
                    digest=fingerprint(secret),
                    organisation=actor.organisation,
                    email=email,
                    role=role,
                    invited_by=actor.name,
                    expires_at=self.clock() + INVITATION_LIFE,
                )
            )
            session.flush()
        security.info("invitation by=%s organisation=%s role=%s", actor.name, actor.organisation, role)
        return secret

    def accept(self, secret: str, name: str, password: str) -> Member:
        """Make a member of whoever holds an invitation's secret. CredentialsError where it is unknown, used or expired."""
        stored = hashed(password)
        now = self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            invitation = session.get(InvitationRow, fingerprint(secret))
            if invitation is None or invitation.expires_at <= now:
                raise CredentialsError(
                    "the invitation is unknown, used or expired", where="secret", remedy="ask for a new invitation"
                )
            _check_unused(session, invitation.email)
            row = MemberRow(
                id=new_jti(now, self.random),
                organisation=invitation.organisation,
                email=invitation.email,
                name=name,
                role=invitation.role,
                password=stored,
                created_at=now,
            )
            session.add(row)
            session.delete(invitation)
            session.flush()
            security.info("joined member=%s organisation=%s role=%s", row.id, row.organisation, row.role)
            return _member(row)

    def log_in(self, email: str, password: str) -> str:
        """Return the secret of a new session. CredentialsError, the same and after the same work, for whatever is wrong."""
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = session.exec(select(MemberRow).where(col(MemberRow.email) == email)).one_or_none()
            stored, member = (row.password, row.id) if row is not None and row.active else (None, "")
        # Outside of any transaction: the hash takes a tenth of a second.
        if not matches(stored, password):
            security.warning("log-in refused")
            raise CredentialsError("wrong e-mail address or password", where="password", remedy="try again")
        secret, now = self.random(32).hex(), self.clock()
        with begin(self.engine) as connection, Session(connection) as session:
            session.exec(delete(SessionRow).where(col(SessionRow.expires_at) <= now))
            session.add(
                SessionRow(
                    digest=fingerprint(secret), member=member, began_at=now, seen_at=now, expires_at=now + SESSION_LIFE
                )
            )
            session.flush()
        security.info("log-in member=%s", member)
        return secret

    def log_out(self, secret: str) -> None:
        """End a session; nothing happens where there is none."""
        with begin(self.engine) as connection, Session(connection) as session:
            session.exec(delete(SessionRow).where(col(SessionRow.digest) == fingerprint(secret)))

    def of_session(self, secret: str) -> Principal | None:
        """Return who is logged in by this session's secret; None where it has ended or its member is disabled."""
        now, digest = self.clock(), fingerprint(secret)
        with snapshot(self.engine) as connection, Session(connection) as session:
            found = session.exec(
                select(SessionRow, MemberRow)
                .join(MemberRow, col(MemberRow.id) == col(SessionRow.member))
                .where(col(SessionRow.digest) == digest)
            ).one_or_none()
            if found is None:
                return None
            row, member = found
            if not member.active or row.expires_at <= now or row.seen_at + SESSION_IDLE <= now:
                return None
            principal = Principal(
                member.organisation, f"member:{member.id}", MEMBER_SCOPES[cast("MemberRole", member.role)]
            )
            stale = row.seen_at + _SEEN_STEP <= now
        if stale:
            with begin(self.engine) as connection, Session(connection) as session:
                there = session.get(SessionRow, digest)
                if there is not None:
                    there.seen_at = now
                    session.add(there)
                    session.flush()
        return principal

    def members(self, actor: Principal) -> list[Member]:
        """Return the members of the actor's organisation."""
        actor.require("data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(
                select(MemberRow).where(col(MemberRow.organisation) == actor.organisation).order_by(col(MemberRow.id))
            ).all()
            return [_member(row) for row in rows]

    def change(
        self, actor: Principal, member: str, *, role: MemberRole | None = None, active: bool | None = None
    ) -> Member:
        """Give a member of the actor's organisation another role, disable or enable it. Its sessions end, where anything changes.

        Raises NotFoundError; ConflictError where no active admin would be left.
        """
        actor.require("organisation:write")
        with begin(self.engine) as connection, Session(connection) as session:
            row = session.get(MemberRow, member)
            if row is None or row.organisation != actor.organisation:
                raise NotFoundError("no such member", where="member", remedy="take it from the list of members")
            before = row.role, row.active
            row.role = role or row.role
            row.active = row.active if active is None else active
            if (row.role, row.active) == before:
                return _member(row)
            session.add(row)
            session.flush()
            admins = select(func.count()).where(
                col(MemberRow.organisation) == actor.organisation,
                col(MemberRow.role) == "admin",
                col(MemberRow.active).is_(True),
            )
            if session.exec(admins).one() == 0:
                raise ConflictError("no admin would be left", where="member", remedy="make another member admin first")
            session.exec(delete(SessionRow).where(col(SessionRow.member) == member))
            security.info("member changed by=%s member=%s role=%s active=%s", actor.name, member, row.role, row.active)
            return _member(row)

    def change_password(self, actor: Principal, old: str, new: str) -> None:
        """Change the password of the member who asks; all its sessions end. CredentialsError where `old` is wrong."""
        member = actor.name.removeprefix("member:")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = session.get(MemberRow, member)
            stored = row.password if row is not None else None
        if not matches(stored, old):
            raise CredentialsError("wrong password", where="old", remedy="try again")
        fresh = hashed(new)
        with begin(self.engine) as connection, Session(connection) as session:
            changed = session.get(MemberRow, member)
            if changed is None or changed.password != stored:
                raise ConflictError("the password was changed meanwhile", where="old", remedy="log in again")
            changed.password = fresh
            session.add(changed)
            session.exec(delete(SessionRow).where(col(SessionRow.member) == member))
            session.flush()
        security.info("password changed member=%s", member)


def spoken_for(actor: Principal, organisation: Any) -> ColumnElement[bool]:
    """Return the condition that `organisation`, a column, is one that the actor speaks for: what every list is cut by."""
    own: ColumnElement[bool] = organisation == actor.organisation
    if not actor.stands_in:
        return own
    return or_(own, ~exists().where(col(MemberRow.organisation) == organisation))


def sees_entries(session: Session, actor: Principal, now: datetime) -> bool:
    """Whether the actor's organisation sees every entry of the ledger (never its disclosures): operators, verifiers and authorities."""
    if "operator" in actor.scopes:
        return True
    return not _AUDITING.isdisjoint(roles_today(session, actor.organisation, now))


def roles_today(session: Session, organisation: str, now: datetime) -> frozenset[str]:
    """Return the roles that an organisation has on the day of `now`; none for one that isn't here."""
    row = session.get(OrganisationRow, organisation)
    if row is None:
        return frozenset()
    day = now.astimezone(UTC).date()
    begun, over = (
        row.roles_since is None or row.roles_since <= day,
        row.roles_until is not None and row.roles_until < day,
    )
    return frozenset(row.roles.split()) if begun and not over else frozenset()


def _check_unused(session: Session, email: str) -> None:
    if session.exec(select(MemberRow.id).where(col(MemberRow.email) == email)).first() is not None:
        raise ConflictError("this e-mail address has an account", where="email", remedy="use another address")


def _member(row: MemberRow) -> Member:
    return Member(row.id, row.email, row.name, cast("MemberRole", row.role), row.active)

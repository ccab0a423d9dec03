"""How an organisation joins: it applies, the operator decides, the worker enrols its key, and its first admin can log in.

Each step is a row's state, and each can be repeated: what was cut short is completed by the next try.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, func
from sqlmodel import Session, col, select

from exchange.access import Principal
from exchange.database import begin
from exchange.errors import ConflictError, NotFoundError, RightsError
from exchange.events import emit
from exchange.identity.enrolment import Application
from exchange.identity.identifiers import spelled
from exchange.identity.passwords import hashed, matches
from exchange.identity.tables import IdentifierRow, MemberRow, OrganisationRow, RegistrationRow, ReleaseRow, SiteRow
from exchange.kinds import check_spelling
from exchange.lease import take_lease
from ledger.store import snapshot
from signer import SignerError, check_application, new_jti

log = logging.getLogger("packtrace.identity")
ENROL = "enrol-approved"
MAX_OPEN = 1_000  # applications that wait for a decision; beyond it nobody reads them anyway


@dataclass(frozen=True, slots=True)
class Site:
    """A plant or office: `country` ISO 3166-1 alpha-2, `region` ISO 3166-2, `grid` as factor releases name it."""

    site: str
    name: str
    country: str
    region: str | None = None
    grid: str | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """What an organisation states when it applies. `identifiers` by scheme; `application` is what its key's enrolment needs."""

    application: Application
    country: str
    identifiers: Mapping[str, str]
    admin: str
    corporate_group: str | None = None
    sites: tuple[Site, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """An application as the operator sees it; `document` is what was handed in."""

    id: str
    state: str
    applied_at: datetime
    document: Mapping[str, Any]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Registrations:
    """Takes applications in, decides them, and lets in whom the operator approved. `operator` is its URI; `enrol` is the worker's."""

    engine: Engine
    operator: str
    origin: str
    enrol: Callable[[Application], object] = field(repr=False)
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)
    holder: str

    def apply(self, registration: Registration, email: str, password: str) -> str:
        """Take an application in; return its id. The same sent again, while the first waits, is the first.

        Raises SignerError (CSR or possession), StatementError (URI, identifier, password), ConflictError (the organisation, an
        identifier or the e-mail address is here already; one of the same organisation and key that states something else waits).
        An organisation whose key the operator enrolled for it applies with that key.
        """
        application = registration.application
        check_spelling(application.uri)
        thumbprint = check_application(application.csr, application.uri, application.possession, self.origin)
        identifiers = {scheme: spelled(scheme, value) for scheme, value in registration.identifiers.items()}
        now = self.clock()
        row = RegistrationRow(
            id=new_jti(now, self.random),
            uri=application.uri,
            state="applied",
            document=json.dumps(_document(registration, identifiers, thumbprint)),
            email=email,
            password=hashed(password),
            applied_at=now,
        )
        with begin(self.engine) as connection, Session(connection) as session:
            # One after the other, or the same one sent twice at once would be two: a row that is always there is the turnstile.
            session.exec(select(ReleaseRow.digest).order_by(col(ReleaseRow.index)).limit(1).with_for_update()).all()
            _check_free(session, application.uri, identifiers, email, thumbprint)
            first = _undecided(session, application.uri, thumbprint)
            if first is not None:
                session.expunge(first)
            else:
                self._take_in(session, row)
        # Outside of any transaction: comparing passwords takes a tenth of a second.
        if first is not None and not (_states_the_same(first, row) and matches(first.password, password)):
            raise ConflictError(
                "an application of this organisation with this key waits already, and states something else",
                where="uri",
                remedy="wait until the operator decides, or ask it to refuse that one, then apply anew",
            )
        return row.id if first is None else first.id

    def _take_in(self, session: Session, row: RegistrationRow) -> None:
        waiting = session.exec(select(func.count()).where(col(RegistrationRow.state) == "applied")).one()
        if waiting >= MAX_OPEN:
            raise ConflictError("too many applications wait", where="registrations", remedy="try again tomorrow")
        session.add(row)
        found = row.id
        emit(
            session,
            recipient=self.operator,
            type="packtrace.organisation.applied",
            subject=f"/api/v1/registrations/{found}",
            data={"registration": found},
            at=row.applied_at,
        )

    def waiting(self, actor: Principal, after: str = "", limit: int = 100) -> list[Applied]:
        """Return applications that wait for the operator, the oldest first; `after` is the last id seen."""
        actor.require("operator")
        with snapshot(self.engine) as connection, Session(connection) as session:
            rows = session.exec(
                select(RegistrationRow)
                .where(col(RegistrationRow.state) == "applied", col(RegistrationRow.id) > after)
                .order_by(col(RegistrationRow.id))
                .limit(limit)
            ).all()
            return [_applied(row) for row in rows]

    def decide(self, actor: Principal, registration: str, *, approve: bool, reason: str = "") -> str:
        """Approve or refuse an application; return its state. Raises NotFoundError, ConflictError (decided otherwise
        already; approved, and the organisation, an identifier or the e-mail address is somebody's by now)."""
        actor.require("operator")
        state = "approved" if approve else "refused"
        with begin(self.engine) as connection, Session(connection) as session:
            row = session.get(RegistrationRow, registration)
            if row is None:
                raise NotFoundError("no such application", where="id", remedy="take it from the list of applications")
            if row.state in {state, "enrolled"} and approve == (row.state != "refused"):
                return row.state
            if row.state != "applied":
                raise ConflictError(f"the application is {row.state}", where="id", remedy="let it apply again")
            if approve:
                _check_still_free(session, row)
            row.state, row.decided_at, row.decided_by, row.reason = state, self.clock(), actor.name, reason
            session.add(row)
            session.flush()
        return state

    def tick(self) -> int:
        """Enrol whom the operator approved, if this process holds the lease; return how many."""
        with begin(self.engine) as connection:
            if not take_lease(connection, ENROL, self.holder, self.clock()):
                return 0
        return self.enrol_approved()

    def enrol_approved(self) -> int:
        """Enrol the keys of approved applications and open their accounts; return how many. The worker's job, which signs."""
        with snapshot(self.engine) as connection, Session(connection, expire_on_commit=False) as session:
            rows = session.exec(
                select(RegistrationRow)
                .where(col(RegistrationRow.state) == "approved")
                .order_by(col(RegistrationRow.id))
                .limit(100)
            ).all()
            session.expunge_all()
        return sum(self._enrol(row) for row in rows)

    def _enrol(self, row: RegistrationRow) -> bool:
        document = json.loads(row.document)
        application = Application(
            row.uri,
            document["name"],
            bytes.fromhex(document["csr"]),
            document["possession"],
            tuple(document["roles"]),
        )
        try:
            with snapshot(self.engine) as connection, Session(connection) as session:
                _check_free(session, row.uri, document["identifiers"], row.email, document["thumbprint"])
            self.enrol(application)
        except (SignerError, RightsError, ConflictError) as error:
            # What was in order when it was approved isn't any more: a key revoked meanwhile, for instance. It stays out, and says
            # why; those approved beside it come in.
            with begin(self.engine) as connection, Session(connection) as session:
                session.merge(row.model_copy(update={"state": "refused", "reason": error.what[:500]}))
                session.flush()
            log.warning("application %s refused: %s", row.id, error.what)
            return False
        with begin(self.engine) as connection:
            self._open_account(connection, row, document)
        return True

    def _open_account(self, connection: Connection, row: RegistrationRow, document: Mapping[str, Any]) -> None:
        with Session(connection) as session:
            organisation = session.get(OrganisationRow, row.uri)
            fresh = session.get(RegistrationRow, row.id)
            if organisation is None or fresh is None or fresh.state == "enrolled":
                return
            organisation.country, organisation.corporate_group = document["country"], document["corporate_group"]
            for scheme, value in document["identifiers"].items():
                session.add(IdentifierRow(scheme=scheme, value=value, organisation=row.uri))
            for site in document["sites"]:
                session.merge(SiteRow(organisation=row.uri, **site))
            session.add(
                MemberRow(
                    id=new_jti(self.clock(), self.random),
                    organisation=row.uri,
                    email=row.email,
                    name=document["admin"],
                    role="admin",
                    password=row.password,
                    created_at=self.clock(),
                )
            )
            fresh.state, fresh.password = "enrolled", ""
            session.add(fresh)
            emit(
                session,
                recipient=row.uri,
                type="packtrace.organisation.approved",
                subject="/api/v1/me",
                data={"registration": row.id},
                at=self.clock(),
            )


def _document(registration: Registration, identifiers: Mapping[str, str], thumbprint: str) -> dict[str, Any]:
    application = registration.application
    return {
        "uri": application.uri,
        "name": application.name,
        "country": registration.country,
        "corporate_group": registration.corporate_group,
        "identifiers": dict(identifiers),
        "sites": [
            {"site": one.site, "name": one.name, "country": one.country, "region": one.region, "grid": one.grid}
            for one in registration.sites
        ],
        "roles": list(application.roles),
        "admin": registration.admin,
        "thumbprint": thumbprint,
        "csr": application.csr.hex(),
        "possession": application.possession,
    }


def _applied(row: RegistrationRow) -> Applied:
    return Applied(row.id, row.state, row.applied_at, _stated(row), row.reason)


def _undecided(session: Session, uri: str, thumbprint: str) -> RegistrationRow | None:
    """Return the application of this organisation with this key that isn't decided, or approved and about to come in."""
    rows = session.exec(
        select(RegistrationRow)
        .where(col(RegistrationRow.uri) == uri, col(RegistrationRow.state).in_(("applied", "approved")))
        .order_by(col(RegistrationRow.id))
    )
    return next((row for row in rows if json.loads(row.document)["thumbprint"] == thumbprint), None)


def _states_the_same(one: RegistrationRow, other: RegistrationRow) -> bool:
    """Whether two applications state the same; a key signs each of its requests anew."""
    return one.email == other.email and _stated(one) == _stated(other)


def _stated(row: RegistrationRow) -> dict[str, Any]:
    return {name: value for name, value in json.loads(row.document).items() if name not in {"csr", "possession"}}


def _check_free(session: Session, uri: str, identifiers: Mapping[str, str], email: str, thumbprint: str) -> None:
    """Check that nothing of the application is somebody's already. What waits for a decision isn't: else a stranger could block it."""
    organisation = session.get(OrganisationRow, uri)
    if organisation is not None and (organisation.thumbprint != thumbprint or has_accounts(session, uri)):
        raise ConflictError(
            f"{uri} is registered already", where="uri", remedy="ask one of its admins for an invitation"
        )
    for scheme, value in identifiers.items():
        holder = session.get(IdentifierRow, (scheme, value))
        if holder is not None and holder.organisation != uri:
            raise ConflictError(
                f"another organisation is registered with this {scheme.upper()}",
                where=f"identifiers/{scheme}",
                remedy="compare the number; ask the operator if it is yours",
            )
    if session.exec(select(MemberRow.id).where(col(MemberRow.email) == email)).first() is not None:
        raise ConflictError("this e-mail address has an account", where="email", remedy="use another, or log in")


def _check_still_free(session: Session, row: RegistrationRow) -> None:
    """Check that nothing of the application is somebody's by now, nor of one that was approved and is about to come in."""
    document = json.loads(row.document)
    _check_free(session, row.uri, document["identifiers"], row.email, document["thumbprint"])
    for other in session.exec(select(RegistrationRow).where(col(RegistrationRow.state) == "approved")):
        shared = document["identifiers"].items() & json.loads(other.document)["identifiers"].items()
        if other.uri == row.uri or other.email == row.email or shared:
            raise ConflictError(
                f"the application {other.id}, which was approved, is for the same organisation, identifier or e-mail address",
                where="id",
                remedy="wait until it is in, or refuse this one",
            )


def has_accounts(session: Session, uri: str) -> bool:
    """Whether an organisation acts for itself here: it has a member."""
    return session.exec(select(MemberRow.id).where(col(MemberRow.organisation) == uri).limit(1)).first() is not None

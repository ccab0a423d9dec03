"""What the operator signs: the log's first entry, an organisation's key and roles, and which rules and factors are in use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from exchange.errors import NotFoundError, RightsError
from exchange.identity.tables import OrganisationRow, ReleaseRow
from exchange.intake import Admissions, Companion, Intake, Receipt
from exchange.kinds import (
    ERASURE,
    KEY_EVENTS,
    ROLE_GRANT,
    STATUS_SNAPSHOT,
    Accreditation,
    Kind,
    RoleGrant,
)
from ledger.store import begin, head, snapshot
from signer import CertificateAuthority, KeyPair, Profile, enrolment_claims, issue, new_jti, proof_of_possession

CERTIFICATE_LIFE = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class Application:
    """What an organisation hands in to be enrolled: a CSR (DER) for its URI, and its key's signature over origin, URI and thumbprint.

    `since` and `until` bound its roles, first and last day (UTC).
    """

    uri: str
    name: str
    csr: bytes
    possession: str
    roles: tuple[str, ...]
    since: date | None = None
    until: date | None = None

    def document(self) -> dict[str, Any]:
        """As members of a JSON object."""
        days = {
            name: None if day is None else day.isoformat()
            for name, day in (("since", self.since), ("until", self.until))
        }
        return {**asdict(self), "csr": self.csr.hex(), **days}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Application:
        """Return the application that `document` wrote."""
        days = {name: document[name] and date.fromisoformat(document[name]) for name in ("since", "until")}
        return cls(**{**document, "csr": bytes.fromhex(document["csr"]), "roles": tuple(document["roles"]), **days})


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The certificate (DER), the entries that enrolled it and granted the roles, and whether both were there before.

    `had_keys` (thumbprints, in the order of their enrolment) and `had_roles` are what counted for the organisation until now. Keys
    add up; a grant of roles takes the place of the one before.
    """

    certificate: bytes
    key_event: int
    role_grant: int
    existed: bool
    had_keys: tuple[str, ...]
    had_roles: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As members of a JSON object."""
        return {**asdict(self), "certificate": self.certificate.hex()}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Enrolled:
        """Return what `document` wrote."""
        had = {name: tuple(document[name]) for name in ("had_keys", "had_roles")}
        return cls(**{**document, "certificate": bytes.fromhex(document["certificate"]), **had})


@dataclass(frozen=True, slots=True)
class Operator:
    """The operator's hand: its key, the certificate authority, and the intake that everyone else uses too."""

    uri: str
    key: KeyPair
    authority: CertificateAuthority
    origin: str
    intake: Intake
    admissions: Admissions
    engine: Engine
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def found(self) -> None:
        """Submit entry 0, which enrols the operator itself, unless the log has it."""
        with snapshot(self.engine) as connection:
            if head(connection).size > 0:
                return
        possession = proof_of_possession(self.key, self.origin, self.uri)
        self._state(KEY_EVENTS, enrolment_claims(self.key.certificate, possession, self.authority.chain))

    def enrol(self, application: Application) -> Enrolled:
        """Certify the applicant's key, enrol it and grant its roles; a call that was cut short is completed by the next.

        Raises SignerError for a bad request (CSR, possession), StatementError for an unknown role, and RightsError where it would
        make a second operator or take the operator's role away.
        """
        if application.uri.rstrip("/") == self.uri or "operator" in application.roles:
            raise RightsError(
                "the log has one operator, named by entry 0",
                where="uri" if "operator" not in application.roles else "roles",
                remedy="apply for another organisation and another role",
            )
        # One at a time: two of the same would look before either is there, and enrol the key twice under two certificates.
        with self._turn:
            with snapshot(self.engine) as connection:
                admission, _seen = self.admissions.current(connection)
            admission.check_alone(application.uri)
            return self._enrol(application)

    def _enrol(self, application: Application) -> Enrolled:
        now = self.clock()
        had_keys, had_roles = self._standing(application.uri)
        certificate = self.authority.issue(
            application.csr, application.uri, now - timedelta(minutes=5), now + CERTIFICATE_LIFE
        )
        claims = enrolment_claims(certificate, application.possession, self.authority.chain)
        row = self._organisation(application.uri)
        existed = row is not None and row.thumbprint == claims["thumbprint"]
        if row is None or not existed:
            registered = row
            row = OrganisationRow(
                uri=application.uri,
                name=application.name,
                thumbprint=str(claims["thumbprint"]),
                certificate=certificate,
                key_event=-1,
                country=None if registered is None else registered.country,
                corporate_group=None if registered is None else registered.corporate_group,
            )
            self._state(KEY_EVENTS, claims, _saving(row, "key_event"))
        roles, dates = " ".join(application.roles), (application.since, application.until)
        if row.role_grant is None or row.roles != roles or (row.roles_since, row.roles_until) != dates:
            existed = False
            granted: dict[str, Any] = {"organisation": application.uri, "roles": list(application.roles)}
            granted |= {
                name: day.isoformat() for name, day in zip(("since", "until"), dates, strict=True) if day is not None
            }
            row.roles, row.roles_since, row.roles_until = roles, *dates
            granted |= _accreditations(self._granted(application.uri))
            self._state(ROLE_GRANT, granted, _saving(row, "role_grant"))
        return Enrolled(row.certificate, row.key_event, row.role_grant or 0, existed, had_keys, had_roles)

    def accredit(self, verifier: str, accreditations: Sequence[Accreditation]) -> int:
        """State what a verifier is accredited for, beside the roles and days that it has; return the entry's index.

        All of it: what isn't named any more ends. Raises NotFoundError for an organisation without roles, RightsError for no verifier.
        """
        with self._turn:
            row, had = self._organisation(verifier), self._granted(verifier)
            if row is None or had is None:
                raise NotFoundError("no such organisation", where="verifier", remedy="enrol it first")
            if "verifier" not in had.roles:
                raise RightsError(
                    "the organisation is no verifier", where="verifier", remedy="grant it the role of verifier first"
                )
            stated = had.model_copy(update={"accreditations": tuple(accreditations)})
            if stated == had and row.role_grant is not None:
                return row.role_grant
            claims = {**stated.model_dump(mode="json", exclude_none=True), **_accreditations(stated)}
            return self._state(ROLE_GRANT, claims, _saving(row, "role_grant")).index

    def _granted(self, uri: str) -> RoleGrant | None:
        with snapshot(self.engine) as connection:
            admission, _seen = self.admissions.current(connection)
        return admission.roles.get(uri)

    def publish_release(self, kind: Kind, release: Mapping[str, str], document: bytes | None = None) -> None:
        """State id, version and digest of a rule set, factor release or policy, unless the ledger has that digest.

        The bytes of a factor release (`document`) are kept, also where it was stated before they were.
        """
        row = ReleaseRow(digest=release["digest"], vct=kind.vct, index=-1, document=document)
        if document is not None:
            row.release, row.version = release["id"], release["version"]
        with snapshot(self.engine) as connection:
            there = Session(connection).get(ReleaseRow, row.digest)
        if there is None:
            self._state(kind, release, _saving(row, "index"))
        elif there.document is None and document is not None:
            row.index = there.index
            with begin(self.engine) as connection, Session(connection) as session:
                session.merge(row)
                session.flush()

    def state_erasure(self, erasure: Mapping[str, Any], companion: Companion) -> Receipt:
        """State what is erased; `companion` erases it in the transaction of the entry, or undoes all by an error."""
        return self._state(ERASURE, erasure, companion)

    def state_snapshot(self, claims: Mapping[str, Any]) -> Receipt:
        """State what counts no more at a size of the log."""
        return self._state(STATUS_SNAPSHOT, claims)

    def vouch(self, profile: Profile, claims: Mapping[str, Any]) -> str:
        """Return open claims signed by the operator's key for whoever asks. Its type is none of the ledger's: it is never admitted."""
        now = self.clock()
        return issue(
            self.key,
            profile,
            issuer=self.uri,
            audience=self.origin,
            jti=new_jti(now, self.random),
            issued_at=now,
            claims=dict(claims),
            random=self.random,
        ).token

    def _standing(self, uri: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The thumbprints of the keys that count for an organisation now, and its roles."""
        with snapshot(self.engine) as connection:
            admission, _seen = self.admissions.current(connection)
        keys = dict.fromkeys(one.thumbprint for one in admission.keys.keys_of(uri) if one.revoked is None)
        grant = admission.roles.get(uri)
        roles = frozenset[str]() if grant is None else grant.on(self.clock().astimezone(UTC).date())
        return tuple(keys), tuple(sorted(roles))

    def _organisation(self, uri: str) -> OrganisationRow | None:
        with snapshot(self.engine) as connection, Session(connection, expire_on_commit=False) as session:
            row = session.get(OrganisationRow, uri)
            if row is not None:
                session.expunge(row)
            return row

    def _state(self, kind: Kind, claims: Mapping[str, Any], companion: Companion | None = None) -> Receipt:
        """Sign a statement of an open kind and submit it, with a row that is written in the same transaction."""
        now = self.clock()
        issued = issue(
            self.key,
            kind.profile,
            issuer=self.uri,
            audience=self.origin,
            jti=new_jti(now, self.random),
            issued_at=now,
            claims=dict(claims),
            random=self.random,
        )
        return self.intake.submit(issued.token, issued.disclosures, companion)


def _accreditations(grant: RoleGrant | None) -> dict[str, Any]:
    """Return the claim `accreditations` of a grant of roles, where it has any."""
    found = () if grant is None else grant.accreditations
    return {"accreditations": [one.model_dump(mode="json") for one in found]} if found else {}


def _saving(row: SQLModel, index_field: str) -> Companion:
    """Return the companion that writes `row` with the entry's index in `index_field`."""

    def save(session: Session, index: int) -> None:
        setattr(row, index_field, index)
        session.merge(row)

    return save

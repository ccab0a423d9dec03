"""Which key spoke for whom, and from which entry to which: key events and the register they add up to.

Entry 0 of a log enrols its operator, signed by the key it enrols and anchored by the trust file. From then on keys are
enrolled and revoked by the operator, or by an organisation for keys of its own. A key counts from the entry after its
enrolment and no longer at the entry of its revocation; nothing here looks at a clock.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from signer import base64url
from signer.certificates import Certificate, read_leaf
from signer.errors import (
    AlreadyEnrolledError,
    BadKeyEventError,
    BadPossessionError,
    BadSignatureError,
    KeyNotEnrolledError,
    KeyRevokedError,
    NotAuthorisedError,
    OrganisationMismatchError,
    WrongKindError,
)
from signer.keys import Signer, verify_signature
from signer.statements import Profile, Statement
from signer.strict_json import JSON

KEY_EVENT = Profile(
    vct="urn:packtrace:key-event:1",
    open_claims=frozenset(
        {
            "action",
            "organisation",
            "thumbprint",
            "certificate_sha256",
            "certificate",
            "proof_of_possession",
            "reason",
        }
    ),
    selective=False,
    lists=frozenset(),
)


def proof_of_possession(signer: Signer, origin: str, organisation: str) -> str:
    """The signature, in base64url, by which a new key's holder agrees to its enrolment in this log."""
    return base64url.encode(signer.sign(_possession_message(origin, organisation, signer.thumbprint)))


def enrolment_claims(certificate_der: bytes, possession: str) -> dict[str, JSON]:
    """The claims of the event that enrols the certificate's key for its organisation."""
    certificate = read_leaf(certificate_der)
    return {
        "action": "enrol",
        "organisation": certificate.organisation,
        "thumbprint": certificate.thumbprint,
        "certificate_sha256": certificate.digest,
        "certificate": base64url.encode_padded(certificate_der),
        "proof_of_possession": possession,
    }


def revocation_claims(organisation: str, thumbprint: str, reason: str) -> dict[str, JSON]:
    """The claims of the event that revokes a key."""
    return {"action": "revoke", "organisation": organisation, "thumbprint": thumbprint, "reason": reason}


@dataclasses.dataclass(frozen=True)
class Enrolment:
    """One certificate's life in a log. Indices are ledger entries; `revoked` is None while it lasts."""

    organisation: str
    thumbprint: str
    certificate_digest: str
    enrolled: int
    enrolled_by: str
    revoked: int | None = None
    reason: str | None = None


@dataclasses.dataclass(frozen=True)
class KeyRegister:
    """The keys of a log after the key events up to entry `last`. Applying an event gives a new register.

    `enrolments` holds, by thumbprint, the certificates enrolled for the key, oldest first.
    """

    operator: str | None
    last: int
    enrolments: Mapping[str, tuple[Enrolment, ...]]

    @classmethod
    def empty(cls) -> Self:
        """The register before entry 0."""
        return cls(None, -1, MappingProxyType({}))

    def apply(self, index: int, statement: Statement, certificate_der: bytes | None = None) -> Self:
        """The register after the key event at entry `index`; the statement must be a verified one.

        `certificate_der` is the enrolled certificate where the caller has it at hand; it must be the one in the event.
        Whether an authority vouches for it is asked when its statements are verified, not here.
        Raises BadKeyEventError or a kind of it, KeyNotEnrolledError, KeyRevokedError, WrongKindError.
        """
        if statement.vct != KEY_EVENT.vct:
            raise WrongKindError("not a key event", where="vct", remedy="apply key events only")
        if index <= self.last:
            raise _bad_event("out of order", index, "apply events in the order of the log")
        match _text(statement, "action", index):
            case "enrol":
                return self._enrol(index, statement, certificate_der)
            case "revoke":
                return self._revoke(index, statement)
            case _:
                raise _bad_event("neither enrol nor revoke", index, "set action to one of them")

    def admit(self, index: int, statement: Statement) -> None:
        """Raises KeyNotEnrolledError or KeyRevokedError unless the statement's key and certificate count at entry `index`.

        The entries before `index` must have been applied. Entry 0 counts as signed by an enrolled key: its own.
        """
        certificate = statement.certificate
        for enrolment in self.enrolments.get(certificate.thumbprint, ()):
            # The digest stands for the organisation too: verification made iss and certificate agree.
            if enrolment.certificate_digest != certificate.digest or not _counts(enrolment, index):
                continue
            if enrolment.revoked is not None and index >= enrolment.revoked:
                what = f"the key was revoked at entry {enrolment.revoked}"
                raise KeyRevokedError(what, where=f"entry {index}", remedy="sign with another enrolled key")
            return
        remedy = "let the operator enrol the key with this certificate first"
        raise KeyNotEnrolledError("key and certificate were not enrolled before", where=f"entry {index}", remedy=remedy)

    def _enrol(self, index: int, statement: Statement, certificate_der: bytes | None) -> Self:
        certificate = _enrolled_certificate(statement, certificate_der, index)
        _check_possession(statement, certificate, index)
        operator = self._check_authority(index, statement, certificate)
        earlier = self.enrolments.get(certificate.thumbprint, ())
        _check_new(certificate, earlier, index)
        enrolment = Enrolment(
            certificate.organisation, certificate.thumbprint, certificate.digest, index, statement.issuer
        )
        return self._with(index, operator, (*earlier, enrolment))

    def _revoke(self, index: int, statement: Statement) -> Self:
        organisation = _text(statement, "organisation", index)
        reason = _text(statement, "reason", index)
        self.admit(index, statement)
        self._check_speaks_for(index, statement.issuer, organisation)
        enrolments = self.enrolments.get(_text(statement, "thumbprint", index), ())
        if not enrolments or enrolments[0].organisation != organisation:
            remedy = "name an enrolled key and its organisation"
            raise KeyNotEnrolledError("no such key of this organisation", where=f"entry {index}", remedy=remedy)
        if enrolments[0].revoked is not None:
            raise KeyRevokedError("revoked already", where=f"entry {index}", remedy="nothing is left to revoke")
        revoked = (dataclasses.replace(one, revoked=index, reason=reason) for one in enrolments)
        return self._with(index, self.operator, tuple(revoked))

    def _check_authority(self, index: int, statement: Statement, certificate: Certificate) -> str:
        """The operator's URI, once the signer of an enrolment may make it."""
        if index == 0:
            if statement.certificate.digest != certificate.digest:
                raise _not_authorised("entry 0 is signed by the key that it enrols", index)
            return statement.issuer
        self.admit(index, statement)
        return self._check_speaks_for(index, statement.issuer, certificate.organisation)

    def _check_speaks_for(self, index: int, issuer: str, organisation: str) -> str:
        if self.operator is None or issuer not in (self.operator, organisation):
            raise _not_authorised("neither the operator nor the key's organisation", index)
        return self.operator

    def _with(self, index: int, operator: str | None, enrolments: tuple[Enrolment, ...]) -> Self:
        changed = {**self.enrolments, enrolments[0].thumbprint: enrolments}
        return type(self)(operator, index, MappingProxyType(changed))


def _counts(enrolment: Enrolment, index: int) -> bool:
    return enrolment.enrolled < index or enrolment.enrolled == index == 0


def _enrolled_certificate(statement: Statement, certificate_der: bytes | None, index: int) -> Certificate:
    """The certificate that the event carries, once all that the event says about it is so."""
    where = f"entry {index} certificate"
    der = base64url.decode_padded(_text(statement, "certificate", index), where)
    if certificate_der is not None and certificate_der != der:
        raise _bad_event("carries another certificate than expected", index, "check the certificate")
    certificate = read_leaf(der)
    if _text(statement, "organisation", index) != certificate.organisation:
        remedy = "enrol a certificate of the organisation"
        raise OrganisationMismatchError("the certificate names another organisation", where=where, remedy=remedy)
    said = _text(statement, "thumbprint", index), _text(statement, "certificate_sha256", index)
    if said != (certificate.thumbprint, certificate.digest):
        raise _bad_event("thumbprint or digest of another certificate", index, "take both from the certificate")
    return certificate


def _check_possession(statement: Statement, certificate: Certificate, index: int) -> None:
    where = f"entry {index} proof_of_possession"
    signature = base64url.decode(_text(statement, "proof_of_possession", index), where)
    message = _possession_message(statement.audience, certificate.organisation, certificate.thumbprint)
    try:
        verify_signature(certificate.public_key, signature, message, where)
    except BadSignatureError as error:
        remedy = "let the new key's holder sign for this log and organisation"
        raise BadPossessionError("the new key did not sign this enrolment", where=where, remedy=remedy) from error


def _possession_message(origin: str, organisation: str, thumbprint: str) -> bytes:
    for name in (origin, organisation):
        if not name.isascii() or not name.isprintable():
            remedy = "use printable ASCII"
            raise BadKeyEventError("not one line of ASCII", where="proof of possession", remedy=remedy)
    return f"packtrace-key-possession:1\n{origin}\n{organisation}\n{thumbprint}\n".encode("ascii")


def _check_new(certificate: Certificate, earlier: tuple[Enrolment, ...], index: int) -> None:
    for enrolment in earlier:
        if enrolment.revoked is not None:
            remedy = "enrol a new key"
            raise KeyRevokedError("a revoked key does not come back", where=f"entry {index}", remedy=remedy)
        if enrolment.organisation != certificate.organisation:
            remedy = "generate a key of its own"
            raise AlreadyEnrolledError("the key is another organisation's", where=f"entry {index}", remedy=remedy)
        if enrolment.certificate_digest == certificate.digest:
            remedy = "nothing is left to enrol"
            raise AlreadyEnrolledError("the certificate is enrolled", where=f"entry {index}", remedy=remedy)


def _text(statement: Statement, name: str, index: int) -> str:
    value = statement.claims.get(name)
    if not isinstance(value, str):
        raise _bad_event(f"{name} is absent or no text", index, f"state {name}")
    return value


def _bad_event(what: str, index: int, remedy: str) -> BadKeyEventError:
    return BadKeyEventError(what, where=f"entry {index}", remedy=remedy)


def _not_authorised(what: str, index: int) -> NotAuthorisedError:
    return NotAuthorisedError(what, where=f"entry {index}", remedy="let the operator sign the event")

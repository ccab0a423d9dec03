"""The register of keys: which key spoke for whom, and from which entry to which.

Entry 0 of a log enrols its operator, signed by the key it enrols and anchored by the trust file. From then on the
operator enrols and revokes; an organisation replaces its key, signed by the old one, and declares its own keys
compromised. A key counts from the entry after the one that brought it in, and no longer at the entry that ends it;
nothing here looks at a clock.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

from signer.certificates import Certificate, Trust
from signer.errors import (
    AlreadyEnrolledError,
    BadKeyEventError,
    KeyNotEnrolledError,
    KeyRevokedError,
    NotAuthorisedError,
)
from signer.key_events import KeyEvent, read_key_event
from signer.statements import Statement

_ANOTHER_KEY = "sign with another enrolled key; where there is none, let the operator enrol a new one"


@dataclasses.dataclass(frozen=True)
class Enrolment:
    """One certificate's life in a log. Indices are ledger entries.

    `enrolled_by` is the organisation, `enrolled_with` the key and `enrolled_under` the digest of the certificate that
    signed the event. `re_enrolled` is the entry at which the operator alone brought in this key, or one that it goes
    back to, for an organisation that had a key. `revoked` is the entry that ended the key, None while it lasts; entries
    from `compromised_since` on are in doubt. `chain` are intermediates (DER).
    """

    organisation: str
    thumbprint: str
    certificate_digest: str
    enrolled: int
    enrolled_by: str
    enrolled_with: str
    enrolled_under: str
    re_enrolled: int | None = None
    revoked: int | None = None
    reason: str | None = None
    compromised_since: int | None = None
    chain: tuple[bytes, ...] = dataclasses.field(default=(), repr=False)


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

        `certificate_der` is the new certificate where the caller has it at hand; it must be the one in the event.
        Whether an authority vouches for it is asked when its statements are verified, not here.
        Raises what `read_key_event` raises, BadKeyEventError or a kind of it, KeyNotEnrolledError, KeyRevokedError.
        """
        event = read_key_event(index, statement)
        if index <= self.last:
            raise _bad_event("out of order", index, "apply events in the order of the log")
        if certificate_der is not None and (event.certificate is None or event.certificate.der != certificate_der):
            raise _bad_event("carries another certificate than expected", index, "check the certificate")
        match event.action:
            case "enrol":
                return self._enrol(event, statement)
            case "replace":
                return self._replace(event, statement)
            case "revoke":
                self._check_operator(event, statement)
                return self._end(event)
            case "compromise":
                self._check_own(event, statement)
                return self._end(event)

    def admit(self, index: int, statement: Statement) -> None:
        """Raises KeyNotEnrolledError or KeyRevokedError unless the statement's key and certificate count at entry `index`.

        The entries before `index` must have been applied. Entry 0 counts as signed by an enrolled key: its own.
        """
        enrolment = self.enrolment(index, statement.certificate)
        if enrolment.revoked is not None and index >= enrolment.revoked:
            what = f"the key was revoked at entry {enrolment.revoked}: {enrolment.reason}"
            raise KeyRevokedError(what, where=f"entry {index}", remedy=_ANOTHER_KEY)

    def enrolment(self, index: int, certificate: Certificate) -> Enrolment:
        """The enrolment before entry `index` of a certificate's key with this certificate; raises KeyNotEnrolledError."""
        for enrolment in self.enrolments.get(certificate.thumbprint, ()):
            # The digest stands for the organisation too: verification made iss and certificate agree.
            if enrolment.certificate_digest == certificate.digest and _counts(enrolment, index):
                return enrolment
        remedy = "let the operator enrol the key with this certificate first"
        raise KeyNotEnrolledError("key and certificate were not enrolled before", where=f"entry {index}", remedy=remedy)

    def keys_of(self, organisation: str, *, after: int = -1) -> tuple[Enrolment, ...]:
        """All that was enrolled in the organisation's name at entries above `after`, in the order of the log.

        What an organisation watches: a key here that it did not ask for is the operator's doing, or a thief's.
        """
        found = (one for enrolments in self.enrolments.values() for one in enrolments)
        own = (one for one in found if one.organisation == organisation and one.enrolled > after)
        return tuple(sorted(own, key=lambda one: one.enrolled))

    def trusting(self, trust: Trust, thumbprint: str) -> Trust:
        """The same trust, with the intermediates that came with the key's enrolments. They are believed for nothing."""
        enrolments = self.enrolments.get(thumbprint, ())
        return trust.with_intermediates(tuple(der for one in enrolments for der in one.chain))

    def _enrol(self, event: KeyEvent, statement: Statement) -> Self:
        operator = self._check_operator(event, statement)
        earlier = self.enrolments.get(event.thumbprint, ())
        return self._bring_in(event, statement, operator, self._re_enrolled(event, operator, earlier))

    def _replace(self, event: KeyEvent, statement: Statement) -> Self:
        self._check_own(event, statement)
        if statement.certificate.thumbprint != event.replaces:
            raise _not_authorised("not signed by the key that it replaces", event.index, "sign with the old key")
        if event.thumbprint == event.replaces or event.thumbprint in self.enrolments:
            what = "a key is replaced by one that was never enrolled"
            raise AlreadyEnrolledError(what, where=f"entry {event.index}", remedy="generate a new key")
        origin = self.enrolment(event.index, statement.certificate).re_enrolled
        ending = dataclasses.replace(event, thumbprint=event.replaces, reason=f"replaced by {event.thumbprint}")
        return self._end(ending)._bring_in(event, statement, self.operator, origin)  # noqa: SLF001 - its own class

    def _bring_in(self, event: KeyEvent, statement: Statement, operator: str | None, re_enrolled: int | None) -> Self:
        certificate = _required(event)
        earlier = self.enrolments.get(certificate.thumbprint, ())
        _check_new(certificate, earlier, event.index)
        enrolment = Enrolment(
            certificate.organisation,
            certificate.thumbprint,
            certificate.digest,
            event.index,
            enrolled_by=statement.issuer,
            enrolled_with=statement.certificate.thumbprint,
            enrolled_under=statement.certificate.digest,
            re_enrolled=re_enrolled,
            chain=event.chain,
        )
        return self._with(event.index, operator, (*earlier, enrolment))

    def _end(self, event: KeyEvent) -> Self:
        """The register in which the event's key counts no longer; what was said about it before stays."""
        enrolments = self.enrolments.get(event.thumbprint, ())
        if not enrolments or enrolments[0].organisation != event.organisation:
            remedy = "name an enrolled key and its organisation"
            raise KeyNotEnrolledError("no such key of this organisation", where=f"entry {event.index}", remedy=remedy)
        if enrolments[0].revoked is not None and event.since is None:
            raise KeyRevokedError("ended already", where=f"entry {event.index}", remedy="nothing is left to revoke")
        return self._with(event.index, self.operator, tuple(_ended(one, event) for one in enrolments))

    def _re_enrolled(self, event: KeyEvent, operator: str, earlier: tuple[Enrolment, ...]) -> int | None:
        """Where the operator brought in this key in the place of another; a renewed certificate changes nothing."""
        if earlier:
            return earlier[0].re_enrolled
        if event.organisation == operator:
            return None
        had_a_key = any(known[0].organisation == event.organisation for known in self.enrolments.values())
        return event.index if had_a_key else None

    def _check_operator(self, event: KeyEvent, statement: Statement) -> str:
        """The operator's URI, once it is the signer; entry 0 makes its signer the operator."""
        if event.index == 0 and event.certificate is not None:
            if statement.certificate.digest != event.certificate.digest:
                raise _not_authorised("entry 0 is signed by the key that it enrols", 0, "sign it with that key")
            return statement.issuer
        self.admit(event.index, statement)
        if self.operator is None or statement.issuer != self.operator:
            what = f"not signed by the operator, who alone may {event.action}"
            raise _not_authorised(what, event.index, "let the operator sign it; replace a key with the old one")
        return self.operator

    def _check_own(self, event: KeyEvent, statement: Statement) -> None:
        self.admit(event.index, statement)
        if statement.issuer != event.organisation:
            what = f"not signed by the key's organisation, which alone may say {event.action}"
            raise _not_authorised(what, event.index, "let the organisation sign it; the operator may revoke")

    def _with(self, index: int, operator: str | None, enrolments: tuple[Enrolment, ...]) -> Self:
        changed = {**self.enrolments, enrolments[0].thumbprint: enrolments}
        return type(self)(operator, index, MappingProxyType(changed))


def _counts(enrolment: Enrolment, index: int) -> bool:
    return enrolment.enrolled < index or enrolment.enrolled == index == 0


def _ended(enrolment: Enrolment, event: KeyEvent) -> Enrolment:
    """The first ending stays the ending; of several declarations of compromise the earliest `since` counts."""
    if enrolment.revoked is None:
        enrolment = dataclasses.replace(enrolment, revoked=event.index, reason=event.reason)
    known = [since for since in (enrolment.compromised_since, event.since) if since is not None]
    return dataclasses.replace(enrolment, compromised_since=min(known, default=None))


def _required(event: KeyEvent) -> Certificate:
    if event.certificate is None:
        raise _bad_event("brings in no certificate", event.index, "state the certificate")
    return event.certificate


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


def _bad_event(what: str, index: int, remedy: str) -> BadKeyEventError:
    return BadKeyEventError(what, where=f"entry {index}", remedy=remedy)


def _not_authorised(what: str, index: int, remedy: str) -> NotAuthorisedError:
    return NotAuthorisedError(what, where=f"entry {index}", remedy=remedy)

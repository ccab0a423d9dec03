"""Key events: what a statement of this kind says about a signing key, read and checked for itself.

Whether its signer may say so, and what follows from it, is the register's matter (signer.key_register). The format is
in docs/formats/key-event.md.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias, cast

from cryptography import x509

from signer import base64url
from signer.authority import requested_key
from signer.certificates import Certificate, Trust, read_leaf, verify_certificate
from signer.chains import UNREADABLE
from signer.errors import (
    BadCertificateError,
    BadKeyEventError,
    BadPossessionError,
    BadSignatureError,
    CompromiseInFutureError,
    OrganisationMismatchError,
    WrongKindError,
)
from signer.jws import open_envelope
from signer.keys import PublicKey, Signer, thumbprint_of, verify_signature
from signer.open_claims import read_open_claims
from signer.statements import ALWAYS_OPEN, Profile, Statement
from signer.strict_json import JSON, quote_names

Action: TypeAlias = Literal["enrol", "replace", "revoke", "compromise"]

_NAMES = frozenset({"action", "organisation", "thumbprint"})
_NEW_KEY = _NAMES | {"certificate", "certificate_sha256", "proof_of_possession"}
_REQUIRED: Mapping[str, frozenset[str]] = {
    "enrol": _NEW_KEY,
    "replace": _NEW_KEY | {"replaces"},
    "revoke": _NAMES | {"reason"},
    "compromise": _NAMES | {"reason", "since"},
}
_OPTIONAL: Mapping[str, frozenset[str]] = {"enrol": frozenset({"chain"}), "replace": frozenset({"chain"})}
_MAX_CHAIN = 4
_MAX_INTERMEDIATE = 4096

KEY_EVENT = Profile(
    vct="urn:packtrace:key-event:1",
    open_claims=frozenset().union(*_REQUIRED.values(), *_OPTIONAL.values()),
    selective=False,
    lists=frozenset(),
)


@dataclasses.dataclass(frozen=True)
class KeyEvent:
    """What one event says. `certificate` and `chain` (DER of intermediates) belong to the key that it brings in."""

    index: int
    action: Action
    organisation: str
    thumbprint: str
    certificate: Certificate | None = None
    chain: tuple[bytes, ...] = dataclasses.field(default=(), repr=False)
    replaces: str | None = None
    reason: str | None = None
    since: int | None = None


def proof_of_possession(signer: Signer, origin: str, organisation: str) -> str:
    """The signature, in base64url, by which a new key's holder agrees to its enrolment in this log."""
    return base64url.encode(signer.sign(_possession_message(origin, organisation, signer.thumbprint)))


def check_application(csr_der: bytes, organisation: str, possession: str, origin: str) -> str:
    """Check a request for enrolment before anybody certifies it; return the thumbprint of its key.

    Raises BadCertificateError, OrganisationMismatchError or AlgorithmNotAllowedError for the CSR (DER), BadPossessionError where its key
    did not sign for this log and organisation.
    """
    key = requested_key(csr_der, organisation)
    thumbprint = thumbprint_of(key)
    _check_signed(key, possession, _possession_message(origin, organisation, thumbprint), "possession")
    return thumbprint


def enrolment_claims(certificate_der: bytes, possession: str, chain: Sequence[bytes] = ()) -> dict[str, JSON]:
    """The claims of the operator's event that enrols the certificate's key for its organisation.

    `chain` are the intermediates (DER) that lead from the certificate to an authority: with them in the log, the
    certificate verifies with a trust file that lacks them too.
    """
    certificate = read_leaf(certificate_der)
    claims: dict[str, JSON] = {
        "action": "enrol",
        "organisation": certificate.organisation,
        "thumbprint": certificate.thumbprint,
        "certificate_sha256": certificate.digest,
        "certificate": base64url.encode_padded(certificate_der),
        "proof_of_possession": possession,
    }
    if chain:
        claims["chain"] = [base64url.encode_padded(der) for der in chain]
    return claims


def replacement_claims(
    certificate_der: bytes, possession: str, replaces: str, chain: Sequence[bytes] = ()
) -> dict[str, JSON]:
    """The claims of the event by which the key of thumbprint `replaces`, which signs it, hands over to a new one."""
    return enrolment_claims(certificate_der, possession, chain) | {"action": "replace", "replaces": replaces}


def revocation_claims(organisation: str, thumbprint: str, reason: str) -> dict[str, JSON]:
    """The claims of the operator's event that revokes a key."""
    return {"action": "revoke", "organisation": organisation, "thumbprint": thumbprint, "reason": reason}


def compromise_claims(organisation: str, thumbprint: str, since: int, reason: str) -> dict[str, JSON]:
    """The claims of the event by which an organisation says that others may have had its key from entry `since` on."""
    claims = revocation_claims(organisation, thumbprint, reason)
    return claims | {"action": "compromise", "since": since}


def read_key_event(index: int, statement: Statement) -> KeyEvent:
    """What the verified statement at entry `index` says about a key.

    Raises WrongKindError, BadKeyEventError or a kind of it, BadCertificateError, BadKeyError, BadBase64Error or
    OrganisationMismatchError. Whether an authority vouches for the certificate is not asked here.
    """
    if statement.vct != KEY_EVENT.vct:
        raise WrongKindError("not a key event", where="vct", remedy="apply key events only")
    action = _action(statement, index)
    event = KeyEvent(index, action, _text(statement, "organisation", index), _text(statement, "thumbprint", index))
    if action in ("revoke", "compromise"):
        since = _since(statement, index) if action == "compromise" else None
        return dataclasses.replace(event, reason=_text(statement, "reason", index), since=since)
    certificate = _certificate(statement, index)
    _check_possession(statement, certificate, index)
    replaces = _text(statement, "replaces", index) if action == "replace" else None
    return dataclasses.replace(
        event, certificate=certificate, chain=_chain(statement.claims.get("chain", []), index), replaces=replaces
    )


def check_vouched(event: KeyEvent, trust: Trust, at: datetime) -> None:
    """Raises what `verify_certificate` raises unless, at the time, a trusted authority vouches for the key brought in."""
    if event.certificate is not None:
        verify_certificate(event.certificate.der, trust.with_intermediates(event.chain), at)


def carried_chain(token: str, index: int) -> tuple[bytes, ...]:
    """The intermediates (DER) in the open claim `chain` of the token at entry `index`; none where it has no such claim.

    UNVERIFIED: they may lead to an authority, and vouch for nothing. So entry 0 can be verified, whose key, and with it its
    intermediates, no earlier entry brought in. Raises what `peek` raises, BadKeyEventError or BadCertificateError.
    """
    return _chain(read_open_claims(open_envelope(token)).members.get("chain", []), index)


def _action(statement: Statement, index: int) -> Action:
    action = _text(statement, "action", index)
    if action not in _REQUIRED:
        raise _bad_event(f"not one of {', '.join(_REQUIRED)}", index, "action", "set action to one of them")
    claims = statement.claims.keys() - ALWAYS_OPEN
    if missing := _REQUIRED[action] - claims:
        raise _bad_event(f"missing: {quote_names(missing)}", index, action, "state it")
    if unknown := claims - _REQUIRED[action] - _OPTIONAL.get(action, frozenset()):
        raise _bad_event(f"not part of this action: {quote_names(unknown)}", index, action, "leave it out")
    return cast("Action", action)


def _since(statement: Statement, index: int) -> int:
    since = statement.claims.get("since")
    if type(since) is not int or since < 0:  # bool is a kind of int in Python
        raise _bad_event("not the index of an entry", index, "since", "state the first entry in doubt")
    if since > index:
        what = f"the compromise begins at entry {since}, which is not there yet"
        remedy = "state the first entry in doubt, at most the event's own"
        raise CompromiseInFutureError(what, where=f"entry {index} since", remedy=remedy)
    return since


def _certificate(statement: Statement, index: int) -> Certificate:
    """The certificate that the event carries, once all that the event says about it is so."""
    where = f"entry {index} certificate"
    certificate = read_leaf(base64url.decode_padded(_text(statement, "certificate", index), where))
    if _text(statement, "organisation", index) != certificate.organisation:
        remedy = "enrol a certificate of the organisation"
        raise OrganisationMismatchError("the certificate names another organisation", where=where, remedy=remedy)
    said = _text(statement, "thumbprint", index), _text(statement, "certificate_sha256", index)
    if said != (certificate.thumbprint, certificate.digest):
        what = "thumbprint or digest of another certificate"
        raise _bad_event(what, index, "certificate", "take both from the certificate")
    return certificate


def _chain(given: JSON, index: int) -> tuple[bytes, ...]:
    if not isinstance(given, list) or len(given) > _MAX_CHAIN:
        raise _bad_event(f"not a list of at most {_MAX_CHAIN}", index, "chain", "list the intermediates")
    return tuple(_intermediate(value, f"entry {index} chain/{place}") for place, value in enumerate(given))


def _intermediate(value: JSON, where: str) -> bytes:
    der = base64url.decode_padded(value, where) if isinstance(value, str) else b""
    try:
        if not 0 < len(der) <= _MAX_INTERMEDIATE:
            raise ValueError("absent or too long")
        extensions = x509.load_der_x509_certificate(der).extensions
        is_authority = extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except UNREADABLE:
        is_authority = False
    if not is_authority:
        remedy = "list authorities' certificates in DER"
        raise BadCertificateError("not an authority's certificate", where=where, remedy=remedy)
    return der


def _check_possession(statement: Statement, certificate: Certificate, index: int) -> None:
    message = _possession_message(statement.audience, certificate.organisation, certificate.thumbprint)
    signature = _text(statement, "proof_of_possession", index)
    _check_signed(certificate.public_key, signature, message, f"entry {index} proof_of_possession")


def _check_signed(key: PublicKey, possession: str, message: bytes, where: str) -> None:
    try:
        verify_signature(key, base64url.decode(possession, where), message, where)
    except BadSignatureError as error:
        remedy = "let the new key's holder sign for this log and organisation"
        raise BadPossessionError("the new key did not sign this enrolment", where=where, remedy=remedy) from error


def _possession_message(origin: str, organisation: str, thumbprint: str) -> bytes:
    for name in (origin, organisation):
        if not name.isascii() or not name.isprintable():
            remedy = "use printable ASCII"
            raise BadKeyEventError("not one line of ASCII", where="proof of possession", remedy=remedy)
    return f"packtrace-key-possession:1\n{origin}\n{organisation}\n{thumbprint}\n".encode("ascii")


def _text(statement: Statement, name: str, index: int) -> str:
    value = statement.claims.get(name)
    if not isinstance(value, str):
        raise _bad_event(f"{name} is absent or no text", index, name, f"state {name}")
    return value


def _bad_event(what: str, index: int, place: str, remedy: str) -> BadKeyEventError:
    return BadKeyEventError(what, where=f"entry {index} {place}", remedy=remedy)

"""Certificates: which organisation a key belongs to, and who vouches for that.

A leaf names exactly one organisation, as the only entry of its subject alternative name, a URI. Its chain is checked
by the path validation of pyca/cryptography (RFC 5280) with the rules of the web PKI left out: there are no host names
and no extended key usages here. Authorities have ECDSA or RSA keys, since that validation refuses Ed25519 issuers.
"""

import dataclasses
import functools
import hashlib
import re
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import verification

from signer.errors import BadCertificateError, CertificateNotTrustedError, CertificateNotValidError, NaiveTimeError
from signer.keys import PublicKey, thumbprint_of, usable_key

# A scheme and printable ASCII: what RFC 5280 allows in a URI name, without white space.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_MAX_LEAF = 4096
_MAX_URI = 512


@dataclasses.dataclass(frozen=True)
class Trust:
    """Whom a verifier believes about keys, and for which ledger.

    `authorities` (DER) speak for every organisation, `pinned` ones only for the organisation whose URI is their key.
    `origin` is the ledger's name, which statements carry as `aud`.
    """

    authorities: tuple[bytes, ...]
    pinned: Mapping[str, tuple[bytes, ...]]
    origin: str

    def authorities_for(self, organisation: str) -> tuple[bytes, ...]:
        return self.authorities + tuple(self.pinned.get(organisation, ()))


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What a leaf certificate says. `digest` is the hexadecimal SHA-256 of its DER; times are UTC."""

    organisation: str
    thumbprint: str
    digest: str
    not_before: datetime
    not_after: datetime
    public_key: PublicKey = dataclasses.field(repr=False, compare=False)


def verify_certificate(leaf_der: bytes, trust: Trust, at: datetime) -> Certificate:
    """The certificate, once it is valid at `at` and a trusted authority vouches for it.

    Raises BadCertificateError, BadKeyError, CertificateNotValidError, CertificateNotTrustedError or NaiveTimeError.
    """
    require_aware(at, "at")
    certificate = read_leaf(leaf_der)
    if not certificate.not_before <= at <= certificate.not_after:
        what = f"valid from {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d} only"
        raise CertificateNotValidError(what, where="certificate", remedy="renew the certificate and enrol it")
    authorities = trust.authorities_for(certificate.organisation)
    _CHAINS.verify(leaf_der, authorities, at)
    return certificate


@functools.lru_cache(maxsize=512)
def read_leaf(der: bytes) -> Certificate:
    """What a leaf certificate says, without believing it. Raises BadCertificateError or BadKeyError."""
    if len(der) > _MAX_LEAF:
        raise _bad(f"longer than {_MAX_LEAF} bytes")
    try:
        leaf = x509.load_der_x509_certificate(der)
        _check_use(leaf)
        public_key = usable_key(leaf.public_key())
        organisation = organisation_of(leaf.extensions)
        period = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    except (ValueError, TypeError, x509.ExtensionNotFound, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
        raise _bad("cannot be read, or lacks an extension") from error
    digest = hashlib.sha256(der).hexdigest()
    return Certificate(organisation, thumbprint_of(public_key), digest, *period, public_key)


def organisation_of(extensions: x509.Extensions) -> str:
    """The one URI that the subject alternative name consists of; raises BadCertificateError."""
    names = list(extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    match names:
        case [x509.UniformResourceIdentifier(value=uri)] if len(uri) <= _MAX_URI and _URI.fullmatch(uri):
            return uri
        case _:
            raise _bad("the subject alternative name is not exactly one URI")


def require_aware(time: datetime, where: str) -> datetime:
    """The time itself; raises NaiveTimeError if it has no time zone."""
    if time.tzinfo is None or time.utcoffset() is None:
        raise NaiveTimeError("a time without a time zone", where=where, remedy="pass an aware datetime")
    return time


def _check_use(leaf: x509.Certificate) -> None:
    if leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
        raise _bad("an authority's certificate signs no statements")
    if not leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
        raise _bad("its key may not sign")


def _bad(what: str) -> BadCertificateError:
    return BadCertificateError(what, where="certificate", remedy="ask the authority for another certificate")


_Period: TypeAlias = tuple[datetime, datetime]


class _VerifiedChains:
    """Chains that verified, with the period in which all their certificates are valid.

    Bounded: the oldest entry gives way. A time outside the period is verified afresh, since another path may exist.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._periods: dict[tuple[bytes, tuple[bytes, ...]], _Period] = {}

    def verify(self, leaf_der: bytes, authorities: tuple[bytes, ...], at: datetime) -> None:
        key = (leaf_der, authorities)
        known = self._periods.get(key)
        if known is None or not known[0] <= at <= known[1]:
            self._remember(key, _verify_chain(leaf_der, authorities, at))

    def _remember(self, key: tuple[bytes, tuple[bytes, ...]], period: _Period) -> None:
        with self._lock:
            self._periods.pop(key, None)
            if len(self._periods) >= self._limit:
                del self._periods[next(iter(self._periods))]
            self._periods[key] = period


_CHAINS = _VerifiedChains(limit=1024)

# Anything that is not listed here may be present; unknown critical extensions are refused by the validation itself.
_CA_RULES = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, verification.Criticality.CRITICAL, None)
    .require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, None)
)
_LEAF_RULES = verification.ExtensionPolicy.permit_all().require_present(
    x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
)


def _verify_chain(leaf_der: bytes, authorities: tuple[bytes, ...], at: datetime) -> _Period:
    leaf = x509.load_der_x509_certificate(leaf_der)
    try:
        anchors = [x509.load_der_x509_certificate(der) for der in authorities]
        policy = verification.PolicyBuilder().store(verification.Store(anchors)).time(at)
        policy = policy.extension_policies(ca_policy=_CA_RULES, ee_policy=_LEAF_RULES)
        chain = policy.build_client_verifier().verify(leaf, []).chain
    except (verification.VerificationError, ValueError, TypeError) as error:
        raise _not_trusted("no trusted authority vouches for it at that time") from error
    # An authority's list may by mistake hold a leaf; it would be its own anchor.
    if len(chain) < 2:
        raise _not_trusted("it stands among the authorities itself")
    starts = [certificate.not_valid_before_utc for certificate in chain]
    ends = [certificate.not_valid_after_utc for certificate in chain]
    return max(starts), min(ends)


def _not_trusted(what: str) -> CertificateNotTrustedError:
    return CertificateNotTrustedError(what, where="certificate", remedy="check the trust file and the issuer")

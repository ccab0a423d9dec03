"""Certificates: which organisation a key belongs to, and who vouches for that.

A leaf names exactly one organisation, as the only entry of its subject alternative name, a URI. How its chain is
checked is signer.chains; the rules in words are in docs/formats/certificates.md.
"""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Self

from cryptography import x509

from signer.chains import UNREADABLE, Anchors, VerifiedChains, check_purpose, first_line
from signer.errors import BadCertificateError, CertificateNotValidError, NaiveTimeError
from signer.keys import PublicKey, thumbprint_of, usable_key

# A scheme and printable ASCII: what RFC 5280 allows in a URI name, without white space.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+")
_MAX_LEAF = 4096
_MAX_URI = 512

_CHAINS = VerifiedChains(limit=1024)


@dataclasses.dataclass(frozen=True)
class Trust:
    """Whom a verifier believes about keys, and for which ledger.

    `authorities` (DER) speak for every organisation, `pinned` ones only for the organisation whose URI is their key.
    `origin` is the ledger's name, which statements carry as `aud`. `intermediates` (DER) are believed for nothing: they
    only lead from a leaf to an authority.
    """

    authorities: tuple[bytes, ...]
    pinned: Mapping[str, tuple[bytes, ...]]
    origin: str
    intermediates: tuple[bytes, ...] = ()

    def anchors_for(self, organisation: str) -> Anchors:
        """What a chain for the organisation may consist of and end in."""
        return Anchors(self.authorities + tuple(self.pinned.get(organisation, ())), self.intermediates)

    def with_intermediates(self, ders: tuple[bytes, ...]) -> Self:
        """The same trust, with further intermediates to choose from."""
        further = tuple(der for der in ders if der not in self.intermediates)
        return dataclasses.replace(self, intermediates=self.intermediates + further) if further else self


@dataclasses.dataclass(frozen=True)
class Certificate:
    """What a leaf certificate says. `digest` is the hexadecimal SHA-256 of `der`; times are UTC."""

    organisation: str
    thumbprint: str
    digest: str
    not_before: datetime
    not_after: datetime
    public_key: PublicKey = dataclasses.field(repr=False, compare=False)
    der: bytes = dataclasses.field(repr=False, compare=False)


def verify_certificate(leaf_der: bytes, trust: Trust, at: datetime) -> Certificate:
    """The certificate, once it is valid at `at` and a trusted authority vouches for it.

    Raises BadCertificateError, BadKeyError, CertificateNotValidError, CertificateNotTrustedError or NaiveTimeError.
    """
    require_aware(at, "at")
    certificate = read_leaf(leaf_der)
    if not certificate.not_before <= at <= certificate.not_after:
        what = f"valid from {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d} only"
        raise CertificateNotValidError(what, where="certificate", remedy="renew the certificate and enrol it")
    _CHAINS.verify(leaf_der, trust.anchors_for(certificate.organisation), at)
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
    except UNREADABLE as error:
        raise _bad(f"cannot be read, or lacks an extension: {first_line(error)}") from error
    digest = hashlib.sha256(der).hexdigest()
    return Certificate(organisation, thumbprint_of(public_key), digest, *period, public_key, der)


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
    check_purpose(_purposes(leaf))


def _purposes(leaf: x509.Certificate) -> x509.ExtendedKeyUsage | None:
    try:
        return leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return None


def _bad(what: str) -> BadCertificateError:
    return BadCertificateError(what, where="certificate", remedy="ask the authority for another certificate")

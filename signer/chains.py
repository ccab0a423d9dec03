"""Chains of certificates: from a leaf over at most one intermediate to an authority that is trusted.

The path validation is that of pyca/cryptography (RFC 5280) with the rules of the web PKI left out: there are no host
names here. Authorities have ECDSA keys on the NIST curves or RSA keys, since that validation refuses all others.
"""

import threading
from datetime import datetime
from typing import NamedTuple, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from signer.errors import CertificateNotTrustedError

#: What pyca/cryptography raises over a certificate or a request that it can't read, or that lacks what is asked for.
UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
)
#: Intermediates between root and leaf.
PATH_LENGTH = 1

# RFC 9336: the purpose of keys that sign documents.
_DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")
_PURPOSES = frozenset({_DOCUMENT_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})

_Period: TypeAlias = tuple[datetime, datetime]
_Policy: TypeAlias = verification.Policy


class Anchors(NamedTuple):
    """DER certificates: `authorities` are believed, `intermediates` only lead to them."""

    authorities: tuple[bytes, ...]
    intermediates: tuple[bytes, ...] = ()


def check_purpose(usage: x509.ExtendedKeyUsage | None) -> None:
    """Raises ValueError if the key was certified for other purposes only (RFC 5280, 4.2.1.12), such as a web server's."""
    if usage is not None and _PURPOSES.isdisjoint(usage):
        raise ValueError("the extended key usage names neither document signing nor any purpose")


class VerifiedChains:
    """Chains that verified, with the period in which all their certificates are valid.

    Bounded: the oldest entry gives way. A time outside the period is verified afresh, since another path may exist.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._periods: dict[tuple[bytes, Anchors], _Period] = {}

    def verify(self, leaf_der: bytes, anchors: Anchors, at: datetime) -> None:
        """Raises CertificateNotTrustedError unless a chain leads from the leaf to an authority, all valid at `at`."""
        key = (leaf_der, anchors)
        known = self._periods.get(key)
        if known is None or not known[0] <= at <= known[1]:
            self._remember(key, _verify_chain(leaf_der, anchors, at))

    def _remember(self, key: tuple[bytes, Anchors], period: _Period) -> None:
        with self._lock:
            self._periods.pop(key, None)
            if len(self._periods) >= self._limit:
                del self._periods[next(iter(self._periods))]
            self._periods[key] = period


def _verify_chain(leaf_der: bytes, anchors: Anchors, at: datetime) -> _Period:
    leaf = x509.load_der_x509_certificate(leaf_der)
    try:
        roots, between = ([x509.load_der_x509_certificate(der) for der in ders] for ders in anchors)
        policy = verification.PolicyBuilder().store(verification.Store(roots)).time(at).max_chain_depth(PATH_LENGTH)
        policy = policy.extension_policies(ca_policy=_CA_RULES, ee_policy=_LEAF_RULES)
        chain = policy.build_client_verifier().verify(leaf, between).chain
    except (verification.VerificationError, *UNREADABLE) as error:
        raise _not_trusted(f"no trusted authority vouches for it at that time: {first_line(error)}") from error
    # An authority's list may by mistake hold a leaf; it would be its own anchor.
    if len(chain) < 2:
        raise _not_trusted("it stands among the authorities itself")
    starts = [certificate.not_valid_before_utc for certificate in chain]
    ends = [certificate.not_valid_after_utc for certificate in chain]
    return max(starts), min(ends)


def _signs_certificates(_policy: _Policy, _certificate: x509.Certificate, usage: x509.KeyUsage) -> None:
    if not usage.key_cert_sign:
        raise ValueError("an authority's key may not sign certificates")


def _for_any_purpose(_policy: _Policy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None) -> None:
    check_purpose(usage)


# Anything that is not listed here may be present; unknown critical extensions are refused by the validation itself,
# and so is an authority without the CA flag, or one whose path length is exceeded.
_CA_RULES = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, verification.Criticality.CRITICAL, None)
    .require_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _signs_certificates)
    .may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _for_any_purpose)
)
_LEAF_RULES = verification.ExtensionPolicy.permit_all().require_present(
    x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None
)


def first_line(error: Exception) -> str:
    """The start of what a library says about a certificate: one line, at most 160 characters."""
    return (str(error).splitlines() or [""])[0].removeprefix("validation failed: ")[:160]


def _not_trusted(what: str) -> CertificateNotTrustedError:
    return CertificateNotTrustedError(what, where="certificate", remedy="check the trust file and the issuer")

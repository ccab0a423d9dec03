"""A certificate authority: binds an organisation's URI to a key.

Two tiers: a root, whose key can be kept offline since it signs nothing but intermediates, and an intermediate, which
issues the leaves. A root may issue leaves itself where one tier is enough. The leaf certificates have an empty subject,
so that no natural person appears in them; all they say is the URI.
"""

import dataclasses
import hashlib
from datetime import datetime
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from signer.certificates import organisation_of, require_aware
from signer.chains import PATH_LENGTH, UNREADABLE
from signer.errors import AlgorithmNotAllowedError, BadCertificateError, OrganisationMismatchError
from signer.keys import KeyPair, PublicKey, algorithm_of, uri_name, usable_key


@dataclasses.dataclass(frozen=True, eq=False)
class CertificateAuthority:
    """An authority: a key pair with the authority's own certificate, self-signed or by a root."""

    key_pair: KeyPair

    @classmethod
    def create(cls, name: str, key_pair: KeyPair, not_before: datetime, not_after: datetime) -> Self:
        """A root for the given period (aware datetimes). The key must be ES256: path validation refuses others."""
        _check_period(not_before, not_after)
        _require_es256(key_pair)
        subject = _subject(name)
        builder = _builder(key_pair, key_pair.public_key, name, not_before, not_after)
        builder = builder.subject_name(subject).issuer_name(subject)
        return cls(key_pair.with_certificate(_sign(_as_authority(builder, PATH_LENGTH), key_pair)))

    @staticmethod
    def request(name: str, key_pair: KeyPair) -> bytes:
        """The request (PKCS #10, DER) that an intermediate-to-be takes to a root; its key stays where it is."""
        _require_es256(key_pair)
        request = x509.CertificateSigningRequestBuilder().subject_name(_subject(name))
        signed = request.sign(key_pair.private_key, key_pair.x509_hash)
        return signed.public_bytes(serialization.Encoding.DER)

    @property
    def certificate(self) -> bytes:
        """The authority's certificate in DER: a trust file lists a root's as authority, an intermediate's as intermediate."""
        return self.key_pair.certificate

    @property
    def chain(self) -> tuple[bytes, ...]:
        """What leads from its leaves to a root (DER): an intermediate's own certificate, nothing where it is a root itself."""
        own = x509.load_der_x509_certificate(self.certificate)
        return () if own.subject == own.issuer else (self.certificate,)

    def certify(self, csr_der: bytes, name: str, not_before: datetime, not_after: datetime) -> bytes:
        """The certificate (DER) of an intermediate, which issues leaves and no further intermediates.

        The request must bear the name and prove possession of its ES256 key. Raises BadCertificateError, BadKeyError or
        AlgorithmNotAllowedError.
        """
        authority = self._issuer(not_before, not_after)
        if authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0:
            raise BadCertificateError(
                "an intermediate certifies no further one", where="authority", remedy="take the request to the root"
            )
        request = _read_request(csr_der)
        if request.subject != _subject(name):
            raise _bad_request("the request bears another name")
        public_key = _proven_key(request)
        _require_es256(public_key)
        builder = _builder(self.key_pair, public_key, name, not_before, not_after)
        builder = builder.subject_name(request.subject).issuer_name(authority.subject)
        return _sign(_as_authority(builder, PATH_LENGTH - 1), self.key_pair)

    def issue(self, csr_der: bytes, organisation_uri: str, not_before: datetime, not_after: datetime) -> bytes:
        """A leaf certificate (DER) for the requested key and organisation.

        Who may speak for the organisation is checked before this call; here the request must name the same
        organisation, prove possession of its key and lie within the authority's own period.
        Raises BadCertificateError, BadKeyError or OrganisationMismatchError.
        """
        authority = self._issuer(not_before, not_after)
        public_key = requested_key(csr_der, organisation_uri)
        builder = _builder(self.key_pair, public_key, organisation_uri, not_before, not_after)
        builder = builder.subject_name(x509.Name([])).issuer_name(authority.subject)
        # RFC 5280, 4.2.1.6: critical, because the subject is empty.
        san = x509.SubjectAlternativeName([uri_name(organisation_uri)])
        builder = builder.add_extension(san, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(authority=False), critical=True)
        return _sign(builder, self.key_pair)

    def _issuer(self, not_before: datetime, not_after: datetime) -> x509.Certificate:
        """The authority's own certificate, once it is one and the period to certify lies within its own."""
        try:
            own = x509.load_der_x509_certificate(self.certificate)
            is_authority = own.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except UNREADABLE:
            is_authority = False
        if not is_authority:
            remedy = "use the key pair of a root or an intermediate"
            raise BadCertificateError("this key has no authority's certificate", where="authority", remedy=remedy)
        _check_within(own, not_before, not_after)
        return own


def requested_key(csr_der: bytes, organisation_uri: str) -> PublicKey:
    """Return the key that a CSR (PKCS #10, DER) asks to be certified for the organisation; SignerError where it can't be.

    The request is signed by that key and names that organisation.
    """
    request = _read_request(csr_der)
    try:
        organisation = organisation_of(request.extensions)
    except UNREADABLE as error:
        raise _bad_request("the request names no organisation") from error
    public_key = _proven_key(request)
    if organisation != organisation_uri:
        remedy = "let the organisation ask for its own URI"
        raise OrganisationMismatchError("the request names another organisation", where="request", remedy=remedy)
    return public_key


def _read_request(csr_der: bytes) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_der_x509_csr(csr_der)
        _ = request.subject, request.extensions
    except UNREADABLE as error:
        raise _bad_request("the request cannot be read") from error
    return request


def _proven_key(request: x509.CertificateSigningRequest) -> PublicKey:
    """The request's key, once it signed the request."""
    try:
        proven = request.is_signature_valid
        public_key: object = request.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise _bad_request("the request's key cannot be read") from error
    if not proven:
        raise _bad_request("the request is not signed by the key that it names")
    return usable_key(public_key)


def _require_es256(key: KeyPair | PublicKey) -> None:
    algorithm = key.algorithm if isinstance(key, KeyPair) else algorithm_of(key)
    if algorithm != "ES256":
        remedy = "generate an ES256 key for it"
        raise AlgorithmNotAllowedError("an authority signs with ES256", where="key pair", remedy=remedy)


def _as_authority(builder: x509.CertificateBuilder, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_key_usage(authority=True), critical=True)


def _builder(
    issuer: KeyPair, subject_key: PublicKey, name: str, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(subject_key)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key)
    builder = x509.CertificateBuilder().public_key(subject_key)
    builder = builder.not_valid_before(not_before).not_valid_after(not_after)
    builder = builder.serial_number(_serial(identifier.digest, name, not_before, not_after))
    return builder.add_extension(identifier, critical=False).add_extension(authority, critical=False)


def _serial(key_identifier: bytes, name: str, not_before: datetime, not_after: datetime) -> int:
    """126 bits that follow from what is certified, so that issuing needs no randomness. Never zero."""
    content = f"{key_identifier.hex()} {not_before.timestamp()} {not_after.timestamp()} {name}"
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:16], "big") >> 2 | 1 << 126


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name: str) -> x509.Name:
    try:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    except ValueError as error:
        raise BadCertificateError("not a usable name", where="name", remedy="use 1 to 64 characters") from error


def _sign(builder: x509.CertificateBuilder, key_pair: KeyPair) -> bytes:
    certificate = builder.sign(key_pair.private_key, key_pair.x509_hash)
    return certificate.public_bytes(serialization.Encoding.DER)


def _check_period(not_before: datetime, not_after: datetime) -> None:
    if require_aware(not_before, "not_before") >= require_aware(not_after, "not_after"):
        raise BadCertificateError("the period ends before it starts", where="validity", remedy="swap the times")


def _check_within(authority: x509.Certificate, not_before: datetime, not_after: datetime) -> None:
    _check_period(not_before, not_after)
    if not_before < authority.not_valid_before_utc or not_after > authority.not_valid_after_utc:
        remedy = "choose a period within the authority's own"
        raise BadCertificateError("the period lies outside the authority's", where="validity", remedy=remedy)


def _bad_request(what: str) -> BadCertificateError:
    return BadCertificateError(what, where="request", remedy="make a new certificate signing request")

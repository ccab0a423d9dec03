"""Signing keys: ES256 (RFC 7518, section 3.4) and Ed25519 (RFC 8037, named as in RFC 9864).

A key is named by its thumbprint (RFC 7638). Signatures are 64 bytes for both algorithms; the DER form that X.509
tools use for ECDSA does not leave this module.
"""

import dataclasses
import hashlib
from typing import Literal, Protocol, Self, TypeAlias, get_args

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from signer import base64url
from signer.chains import UNREADABLE
from signer.errors import (
    AlgorithmNotAllowedError,
    BadCertificateError,
    BadKeyError,
    BadSignatureError,
    KeyMismatchError,
)

Algorithm: TypeAlias = Literal["ES256", "Ed25519"]
PublicKey: TypeAlias = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
_ECDSA_SHA256 = ec.ECDSA(hashes.SHA256())


class Signer(Protocol):
    """Whatever can sign for an organisation: a key in memory, a token of hardware, a service."""

    @property
    def algorithm(self) -> Algorithm: ...

    @property
    def thumbprint(self) -> str:
        """RFC 7638: base64url of the SHA-256 of the public JWK."""

    @property
    def certificate(self) -> bytes:
        """The leaf certificate in DER; empty while none was issued."""

    def sign(self, message: bytes) -> bytes:
        """64 bytes: R || S, or the Ed25519 signature."""


def usable_key(public_key: object) -> PublicKey:
    """The key itself if we use its algorithm and curve; else raises BadKeyError."""
    match public_key:
        case ec.EllipticCurvePublicKey(curve=ec.SECP256R1()) | ed25519.Ed25519PublicKey():
            return public_key
        case _:
            raise BadKeyError("not a P-256 or Ed25519 key", where="public key", remedy="use ES256 or Ed25519")


def algorithm_of(public_key: PublicKey) -> Algorithm:
    """The one algorithm that a key may be used with."""
    return "Ed25519" if isinstance(public_key, ed25519.Ed25519PublicKey) else "ES256"


def thumbprint_of(public_key: PublicKey) -> str:
    """RFC 7638: SHA-256 over the required JWK members in lexicographic order, as base64url."""
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        x = base64url.encode(public_key.public_bytes_raw())
        jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    else:
        point = public_key.public_numbers()
        x, y = (base64url.encode(n.to_bytes(32, "big")) for n in (point.x, point.y))
        jwk = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    return base64url.encode(hashlib.sha256(jwk.encode("ascii")).digest())


def verify_signature(public_key: PublicKey, signature: bytes, message: bytes, where: str) -> None:
    """Raises BadSignatureError unless `signature` (64 bytes) was made over `message` by the key."""
    if len(signature) != 64:
        raise BadSignatureError("a signature has 64 bytes", where=where, remedy="sign with ES256 or Ed25519")
    try:
        if isinstance(public_key, ed25519.Ed25519PublicKey):
            public_key.verify(signature, message)
        else:
            public_key.verify(_der(signature), message, _ECDSA_SHA256)
    except InvalidSignature as error:
        remedy = "ask the issuer for the original bytes"
        raise BadSignatureError("the signature does not verify", where=where, remedy=remedy) from error


@dataclasses.dataclass(frozen=True, eq=False)
class KeyPair:
    """A private key in memory, with the certificate issued for it. Its repr shows the thumbprint only."""

    private_key: PrivateKey = dataclasses.field(repr=False)
    certificate: bytes = dataclasses.field(default=b"", repr=False)
    public_key: PublicKey = dataclasses.field(init=False, repr=False)
    algorithm: Algorithm = dataclasses.field(init=False)
    thumbprint: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        public_key = usable_key(self.private_key.public_key())
        object.__setattr__(self, "public_key", public_key)
        object.__setattr__(self, "algorithm", algorithm_of(public_key))
        object.__setattr__(self, "thumbprint", thumbprint_of(public_key))

    @classmethod
    def generate(cls, algorithm: Algorithm) -> Self:
        """A new key from the operating system's randomness."""
        if algorithm not in ALGORITHMS:
            remedy = "use ES256 or Ed25519"
            raise AlgorithmNotAllowedError("no such algorithm here", where="algorithm", remedy=remedy)
        if algorithm == "ES256":
            return cls(ec.generate_private_key(ec.SECP256R1()))
        return cls(ed25519.Ed25519PrivateKey.generate())

    def with_certificate(self, der: bytes) -> Self:
        """The same key with the certificate issued for it; raises BadCertificateError or KeyMismatchError."""
        if certified_thumbprint(der) != self.thumbprint:
            remedy = "use the certificate issued for this key"
            raise KeyMismatchError("the certificate is for another key", where="certificate", remedy=remedy)
        return type(self)(self.private_key, der)

    def sign(self, message: bytes) -> bytes:
        """64 bytes: R || S for ES256, else the Ed25519 signature."""
        if isinstance(self.private_key, ed25519.Ed25519PrivateKey):
            return self.private_key.sign(message)
        return _raw(self.private_key.sign(message, _ECDSA_SHA256))

    def csr(self, organisation_uri: str) -> bytes:
        """A certificate signing request (PKCS #10, DER) that asks for the organisation's URI as the only SAN."""
        san = x509.SubjectAlternativeName([uri_name(organisation_uri)])
        request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        signed = request.add_extension(san, critical=True).sign(self.private_key, self.x509_hash)
        return signed.public_bytes(serialization.Encoding.DER)

    @property
    def x509_hash(self) -> hashes.SHA256 | None:
        """The hash that X.509 builders want to be told: none for Ed25519, which has its own."""
        return hashes.SHA256() if self.algorithm == "ES256" else None


def certified_thumbprint(der: bytes) -> str:
    """The thumbprint of the key in a DER certificate, whatever else it says; raises BadCertificateError or BadKeyError."""
    try:
        public_key: object = x509.load_der_x509_certificate(der).public_key()
    except UNREADABLE as error:
        remedy = "pass one certificate in DER"
        raise BadCertificateError("not a certificate", where="certificate", remedy=remedy) from error
    return thumbprint_of(usable_key(public_key))


def uri_name(uri: str) -> x509.UniformResourceIdentifier:
    """The SAN form of a URI; raises BadCertificateError for text that is not ASCII."""
    try:
        return x509.UniformResourceIdentifier(uri)
    except ValueError as error:
        raise BadCertificateError("not an ASCII URI", where="organisation", remedy="use an ASCII URI") from error


def _der(signature: bytes) -> bytes:
    return encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))


def _raw(der: bytes) -> bytes:
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")

"""Disclosures handed over beside the exchange: a statement encrypted to one reader's enrolled ES256 key. Pure.

A JWE in compact form (RFC 7516): ECDH-ES with the P-256 key of the reader's certificate, A256GCM, the statement with its disclosures as
content. It says nothing of who sealed it, and needs not: whoever opens it verifies the statement inside against its own trust file. Whoever
steals the reader's key later reads what was sealed to it. Form: docs/formats/handover.md.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_der_x509_certificate
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from exchange.errors import StatementError
from signer import KeyPair, split_presentation

TYPE = "packtrace-handover+jwe"
MAX_BYTES = 16 * 1024 * 1024
_ALGORITHMS = ["ECDH-ES", "A256GCM"]


class _Registry(jwe.JWERegistry):
    """Statements are larger than what the library allows by itself."""

    max_ciphertext_length = MAX_BYTES


def seal_for(statement: str, certificate: bytes) -> str:
    """Return `statement` (``<JWT>~<disclosure>~...~``) encrypted to the key of `certificate` (DER).

    Raises StatementError where nothing is disclosed, or the key isn't ES256.
    """
    _token, disclosures = split_presentation(statement)
    if not disclosures:
        raise StatementError(
            "the statement has no disclosures: there is nothing to hand over",
            where="statement",
            remedy="seal the file that was signed, with its disclosures",
        )
    public = load_der_x509_certificate(certificate).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise StatementError(
            "nothing can be encrypted to this key",
            where="certificate",
            remedy="ask the reader to enrol an ES256 key",
        )
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key = ECKey.import_key(pem)
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "typ": TYPE, "kid": key.thumbprint()}
    return jwe.encrypt_compact(header, statement.encode("ascii"), key, registry=_Registry(algorithms=_ALGORITHMS))


def open_sealed(sealed: str, key: KeyPair) -> str:
    """Return the statement that was sealed to `key`. Raises StatementError for another key's, or anything that was changed."""
    private = key.private_key
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise StatementError("nothing is sealed to such a key", where="key", remedy="use your ES256 key")
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    own = ECKey.import_key(pem)
    try:
        found = jwe.decrypt_compact(sealed.strip(), own, registry=_Registry(algorithms=_ALGORITHMS))
        if found.protected.get("typ") != TYPE:
            raise ValueError("another type")
        return (found.plaintext or b"").decode("ascii")
    except (JoseError, ValueError) as error:
        raise StatementError(
            f"not a statement that was sealed to this key: {error}",
            where="sealed statement",
            remedy="take the key that it was sealed to, or ask its owner to seal it again",
        ) from None

"""Encryption to one reader's enrolled ES256 key: short content as a JWE, files of any length as a stream of chunks. Pure.

A JWE in compact form (RFC 7516): ECDH-ES with the P-256 key of the reader's certificate, A256GCM. A sealed file is such a JWE around a
fresh key, a line feed, and the content in chunks of 64 KiB under that key (AES-256-GCM), each with its number and whether it is the last
in the nonce: the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar: Online Authenticated-Encryption, 2015), as age uses it, so that
chunks can't be cut, doubled or moved. Neither says who sealed it. Form: docs/formats/handover.md.
"""

from __future__ import annotations

import secrets
from typing import IO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509 import load_der_x509_certificate
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from exchange.errors import StatementError
from exchange.evidence_file import Sink
from signer import KeyPair

FILE_TYPE = "packtrace-evidence+jwe"
MAX_CONTENT = 16 * 1024 * 1024
CHUNK = 64 * 1024
_KEY = 32
_TAG = 16
_MAX_HEADER = 4096
_ALGORITHMS = ["ECDH-ES", "A256GCM"]
_OTHER_KEY = "take the key that it was sealed to, or ask whoever sealed it to do so again"


class _Registry(jwe.JWERegistry):
    """What is sealed is larger than what the library allows by itself."""

    max_ciphertext_length = MAX_CONTENT


def seal_to(certificate: bytes, content: bytes, kind: str) -> str:
    """Return `content` encrypted to the key of `certificate` (DER), as a JWE of type `kind`. StatementError for a key that isn't ES256."""
    public = load_der_x509_certificate(certificate).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise StatementError(
            "nothing can be encrypted to this key",
            where="certificate",
            remedy="ask the reader to enrol an ES256 key",
        )
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    key = ECKey.import_key(pem)
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "typ": kind, "kid": key.thumbprint()}
    return jwe.encrypt_compact(header, content, key, registry=_Registry(algorithms=_ALGORITHMS))


def open_with(key: KeyPair, sealed: str, kind: str) -> bytes:
    """Return what was sealed to `key` as `kind`. StatementError for another key's, another kind, or anything that was changed."""
    private = key.private_key
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise StatementError("nothing is sealed to such a key", where="key", remedy="use your ES256 key")
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    own = ECKey.import_key(pem)
    try:
        found = jwe.decrypt_compact(sealed.strip(), own, registry=_Registry(algorithms=_ALGORITHMS))
    except (JoseError, ValueError):
        # What the library says of it are names of its own.
        raise StatementError(
            "it was not sealed to this key, or was changed", where="sealed", remedy=_OTHER_KEY
        ) from None
    if (of := found.protected.get("typ")) != kind:
        raise StatementError(f"what was sealed is no {kind}, but {of!r}", where="sealed", remedy="take the other file")
    return found.plaintext or b""


class SealedFile:
    """Encrypts what is written to it to the key of `certificate` (DER); whole once it was closed."""

    def __init__(self, to: Sink, certificate: bytes) -> None:
        key = secrets.token_bytes(_KEY)
        self._to = to
        self._cipher = AESGCM(key)
        self._number = 0
        self._held = bytearray()
        to.write(f"{seal_to(certificate, key, FILE_TYPE)}\n".encode("ascii"))

    def write(self, data: bytes, /) -> None:
        """Take the next bytes."""
        self._held += data
        # The last chunk says so, and which is the last is known at the end: one is always held back.
        while len(self._held) > CHUNK:
            self._seal(bytes(self._held[:CHUNK]), is_last=False)
            del self._held[:CHUNK]

    def close(self) -> None:
        """Write what is left. Without it the file is cut, and nobody opens it."""
        self._seal(bytes(self._held), is_last=True)

    def _seal(self, chunk: bytes, *, is_last: bool) -> None:
        self._to.write(self._cipher.encrypt(_nonce(self._number, is_last=is_last), chunk, None))
        self._number += 1


def open_file(file: IO[bytes], key: KeyPair, to: Sink) -> None:
    """Write to `to` what a `SealedFile` was given. StatementError as for `open_with`; what was written till then is not to be used."""
    header = file.readline(_MAX_HEADER)
    content_key = open_with(key, header.decode("ascii", "replace"), FILE_TYPE)
    if len(content_key) != _KEY:
        raise StatementError("what was sealed is no key of a file", where="sealed", remedy=_OTHER_KEY)
    cipher = AESGCM(content_key)
    number, chunk = 0, file.read(CHUNK + _TAG)
    while True:
        following = file.read(CHUNK + _TAG)
        try:
            to.write(cipher.decrypt(_nonce(number, is_last=not following), chunk, None))
        except InvalidTag:
            raise StatementError(
                "the sealed file was changed or cut", where=f"chunk {number}", remedy="fetch it again"
            ) from None
        if not following:
            return
        number, chunk = number + 1, following


def is_sealed(start: bytes) -> bool:
    """Whether a file that begins with these bytes is a sealed one: a JOSE header in base64url, no archive."""
    return start.startswith(b"eyJ")


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([is_last])

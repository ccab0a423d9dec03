"""The signed envelope: a JWS in compact form (RFC 7515) with a header that leaves no choices.

The header is exactly `alg`, `typ`, `kid` and `x5c` with the leaf certificate alone. Everything that could make a
verifier fetch a key, or pick another one, is refused by name.
"""

import functools
from typing import NamedTuple

from signer import base64url
from signer.errors import (
    AlgorithmNotAllowedError,
    BadHeaderError,
    MalformedTokenError,
    TokenTooLargeError,
    UnknownHeaderMemberError,
    WrongTypeError,
)
from signer.keys import ALGORITHMS, Algorithm, Signer
from signer.strict_json import JSON, parse_object, quote_names, serialise

MAX_TOKEN = 65_535
TYPE = "dc+sd-jwt"

_MAX_HEADER = 8192
_MEMBERS = frozenset({"alg", "typ", "kid", "x5c"})


class Header(NamedTuple):
    """The protected header. `leaf` is the certificate in DER; nothing here is verified yet."""

    algorithm: Algorithm
    thumbprint: str
    leaf: bytes


class Envelope(NamedTuple):
    """A token taken apart. `signing_input` is what the signature covers."""

    header: Header
    payload: bytes
    signature: bytes
    signing_input: bytes


def leaf_bytes(token: str) -> bytes:
    """The bytes that the ledger hashes: the token in ASCII, without disclosures. Raises MalformedTokenError."""
    token_parts(token)
    return token.encode("ascii")


def token_parts(token: str) -> list[str]:
    """Header, payload and signature as they are spelt; raises MalformedTokenError."""
    if not isinstance(token, str) or not token.isascii():
        raise _malformed("not ASCII text")
    if len(token) > MAX_TOKEN:
        raise TokenTooLargeError(f"more than {MAX_TOKEN} bytes", where="token", remedy="disclose less in the open")
    parts = token.split(".")
    if len(parts) != 3 or "~" in token:
        raise _malformed("not three parts separated by dots")
    return parts


def open_envelope(token: str) -> Envelope:
    """The parts of a token, each in canonical base64url, with a header as above. Verifies no signature."""
    header, payload, signature = token_parts(token)
    return Envelope(
        read_header(header),
        base64url.decode(payload, "payload"),
        base64url.decode(signature, "signature"),
        token[: -len(signature) - 1].encode("ascii"),
    )


# An organisation's tokens all have the same header, so that reading it once is enough.
@functools.lru_cache(maxsize=512)
def read_header(segment: str) -> Header:
    """The header that a base64url segment spells; raises BadHeaderError or one of its kinds."""
    if len(segment) > _MAX_HEADER:
        raise TokenTooLargeError(f"more than {_MAX_HEADER} bytes", where="header", remedy="send the leaf only")
    members = parse_object(base64url.decode(segment, "header"), "header")
    if unknown := members.keys() - _MEMBERS:
        remedy = "send alg, typ, kid and x5c only"
        raise UnknownHeaderMemberError(f"unknown: {quote_names(unknown)}", where="header", remedy=remedy)
    if members.get("typ") != TYPE:
        raise WrongTypeError(f"typ is not {TYPE}", where="header typ", remedy=f"set it to {TYPE}")
    return Header(_algorithm(members), _thumbprint(members), _leaf(members))


def seal(signer: Signer, payload: bytes) -> str:
    """The signed token over `payload`; raises TokenTooLargeError."""
    header = _header(signer.algorithm, signer.thumbprint, signer.certificate)
    signing_input = f"{header}.{base64url.encode(payload)}"
    token = f"{signing_input}.{base64url.encode(signer.sign(signing_input.encode('ascii')))}"
    leaf_bytes(token)
    return token


@functools.lru_cache(maxsize=64)
def _header(algorithm: Algorithm, thumbprint: str, certificate: bytes) -> str:
    members: JSON = {
        "alg": algorithm,
        "typ": TYPE,
        "kid": thumbprint,
        "x5c": [base64url.encode_padded(certificate)],
    }
    return base64url.encode(serialise(members, "header"))


def _algorithm(members: dict[str, JSON]) -> Algorithm:
    for algorithm in ALGORITHMS:
        if members.get("alg") == algorithm:
            return algorithm
    remedy = "sign with ES256 or Ed25519"
    raise AlgorithmNotAllowedError("alg is neither ES256 nor Ed25519", where="header alg", remedy=remedy)


def _thumbprint(members: dict[str, JSON]) -> str:
    kid = members.get("kid")
    if not isinstance(kid, str):
        raise BadHeaderError("kid is no text", where="header kid", remedy="name the key by its RFC 7638 thumbprint")
    return kid


def _leaf(members: dict[str, JSON]) -> bytes:
    match members.get("x5c"):
        case [str(leaf)]:
            return base64url.decode_padded(leaf, "header x5c")
        case _:
            remedy = "send the leaf certificate alone"
            raise BadHeaderError("x5c is not a list of one certificate", where="header x5c", remedy=remedy)


def _malformed(what: str) -> MalformedTokenError:
    return MalformedTokenError(what, where="token", remedy="send the issuer-signed token as it was issued")

"""The claims that stand in the open: those of every statement, and those of its kind."""

import re
from datetime import UTC, datetime
from typing import NamedTuple

from signer.errors import (
    BadClaimError,
    ClaimNotOpenError,
    MissingClaimError,
    UnknownDigestAlgorithmError,
    WrongKindError,
)
from signer.jws import Envelope, open_envelope
from signer.rfc9901 import DIGEST_ALGORITHM
from signer.sdjwt import refuse_reserved
from signer.statements import ALWAYS_OPEN, WITH_DIGESTS, Peek, Profile
from signer.strict_json import JSON, parse_object, quote_names

# RFC 9562, 5.7: version 7, variant 10, in its one lower-case spelling.
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_LAST_SECOND = 253_402_300_799  # 9999-12-31T23:59:59Z, the last that datetime can say


class OpenClaims(NamedTuple):
    """The claims of every statement, with all open members as they were read."""

    vct: str
    issuer: str
    audience: str
    jti: str
    issued_at: datetime
    members: dict[str, JSON]


def peek(token: str) -> Peek:
    """What a token claims in the open, UNVERIFIED: good for choosing profile and trust only.

    Parsed as strictly as `verify` does; raises MalformedTokenError, BadHeaderError, BadClaimError or a kind of them.
    """
    envelope = open_envelope(token)
    vct, issuer, audience, jti, issued_at, _ = read_open_claims(envelope)
    return Peek(vct, issuer, audience, jti, issued_at, envelope.header.thumbprint)


def read_open_claims(envelope: Envelope) -> OpenClaims:
    """The open claims of a token, each in its form; raises BadJsonError, MissingClaimError or BadClaimError."""
    return check_open_claims(parse_object(envelope.payload, "payload"))


def check_open_claims(members: dict[str, JSON]) -> OpenClaims:
    """The open claims among the members of a payload, each in its form; raises MissingClaimError or BadClaimError."""
    if missing := ALWAYS_OPEN - members.keys():
        raise _missing(missing)
    return OpenClaims(
        _text(members, "vct"),
        _text(members, "iss"),
        _text(members, "aud"),
        check_jti(members["jti"]),
        _time(members["iat"]),
        members,
    )


def check_profile(claims: OpenClaims, profile: Profile) -> None:
    """Raises WrongKindError, ClaimNotOpenError, MissingClaimError, UnknownDigestAlgorithmError unless the kind allows these claims."""
    members = claims.members
    if claims.vct != profile.vct:
        raise WrongKindError(f"not a statement of the kind {profile.vct}", where="vct", remedy="choose by peek")
    if not members.keys() <= profile.allowed:
        what = f"may not stand in the open: {quote_names(members.keys() - profile.allowed)}"
        raise ClaimNotOpenError(what, where="payload", remedy="disclose selectively, or leave it out")
    if missing := profile.required - members.keys():
        raise _missing(missing)
    if profile.selective and members["_sd_alg"] != DIGEST_ALGORITHM:
        remedy = f"use {DIGEST_ALGORITHM}"
        raise UnknownDigestAlgorithmError("unknown digest algorithm", where="_sd_alg", remedy=remedy)
    for name in members.keys() - WITH_DIGESTS:
        refuse_reserved(members[name], f"claim {name}")


def check_jti(value: JSON) -> str:
    """A UUIDv7 in lower case, itself; raises BadClaimError."""
    if not isinstance(value, str) or not _UUID7.fullmatch(value):
        raise BadClaimError("not a UUIDv7 in lower case", where="jti", remedy="draw one per statement")
    return value


def _text(members: dict[str, JSON], name: str) -> str:
    value = members[name]
    if not isinstance(value, str) or not value:
        raise BadClaimError("not text", where=name, remedy="use a text that is not empty")
    return value


def _time(value: JSON) -> datetime:
    # bool is a kind of int in Python, and 1.0 equals 1.
    if type(value) is not int or not 0 <= value <= _LAST_SECOND:
        raise BadClaimError("not whole seconds since 1970", where="iat", remedy="use an integer")
    return datetime.fromtimestamp(value, UTC)


def _missing(names: frozenset[str]) -> MissingClaimError:
    return MissingClaimError(f"missing: {', '.join(sorted(names))}", where="payload", remedy="add the claim")

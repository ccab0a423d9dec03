"""The values that pass in and out: what a kind allows, what was issued, what was verified."""

import dataclasses
import functools
import hashlib
from collections.abc import Mapping
from datetime import datetime

from signer.certificates import Certificate
from signer.strict_json import JSON

ALWAYS_OPEN = frozenset({"iss", "aud", "jti", "iat", "vct"})
#: The open claim that holds the digest of the one `contents` disclosure.
CONTENTS_DIGEST = "contents_digest"
#: What selective disclosure adds to the open claims; nothing that a statement says.
DIGEST_CLAIMS = frozenset({"_sd_alg", "_sd", CONTENTS_DIGEST})
WITH_DIGESTS = ALWAYS_OPEN | DIGEST_CLAIMS


@dataclasses.dataclass(frozen=True)
class Profile:
    """What a kind of statement allows.

    `open_claims` are further claims that may stand in the open. With `selective`, every other claim is a disclosure and
    those named in `lists` are lists of lines; without it nothing is hidden and no digests are allowed.
    """

    vct: str
    open_claims: frozenset[str]
    selective: bool
    lists: frozenset[str]

    @functools.cached_property
    def required(self) -> frozenset[str]:
        """The open claims that every statement of the kind has."""
        return WITH_DIGESTS if self.selective else ALWAYS_OPEN

    @functools.cached_property
    def allowed(self) -> frozenset[str]:
        """The open claims that a statement of the kind may have."""
        return self.required | self.open_claims


@dataclasses.dataclass(frozen=True)
class Issued:
    """A new statement: the issuer-signed token (no `~`), and its disclosures, which are secret."""

    token: str
    disclosures: tuple[str, ...] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Peek:
    """The open claims of a token that nobody has verified yet: good for choosing profile and trust only."""

    vct: str
    issuer: str
    audience: str
    jti: str
    issued_at: datetime
    thumbprint: str


@dataclasses.dataclass(frozen=True)
class Statement:
    """A verified statement.

    `claims` holds the open claims and the disclosed ones (lists with the disclosed lines only), without `_sd`,
    `_sd_alg`, `contents_digest` and `contents`. A claim that was not disclosed is absent; only `contents`, where it was
    disclosed, tells whether there is one: `claims`, the names of all hidden ones, sorted, and `lists`, the number of lines
    of each list. `signing_input` is what was signed: equal for two tokens that differ in their signatures.

    An ES256 signature can be changed into another that verifies, and signing again gives other bytes too. So a log tells
    statements apart by two values: `identity` is unique in it, and what has the same `identity` and `signing_digest` as
    an entry is that entry.
    """

    token: str
    vct: str
    issuer: str
    audience: str
    jti: str
    issued_at: datetime
    claims: Mapping[str, JSON] = dataclasses.field(repr=False)
    contents: Mapping[str, JSON] | None = dataclasses.field(repr=False)
    certificate: Certificate
    signing_input: bytes = dataclasses.field(repr=False)
    disclosure_digests: tuple[str, ...]

    @property
    def identity(self) -> tuple[str, str]:
        """Issuer and `jti`."""
        return self.issuer, self.jti

    @functools.cached_property
    def signing_digest(self) -> str:
        """The hexadecimal SHA-256 of `signing_input`."""
        return hashlib.sha256(self.signing_input).hexdigest()

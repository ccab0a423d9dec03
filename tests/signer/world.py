"""A small world for the tests of signer: one authority, certified keys, kinds of statements, and a forger."""

import base64
import contextlib
import dataclasses
import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from signer import (
    JSON,
    Algorithm,
    CertificateAuthority,
    Issued,
    KeyPair,
    Profile,
    Statement,
    Trust,
    digest_of,
    issue,
    verify,
)
from signer.base64url import decode, encode, encode_padded

ORIGIN = "ledger.example/2026"
MAKER = "https://cells.example"
OPERATOR = "https://exchange.example"
START = datetime(2026, 1, 1, tzinfo=UTC)
END = START + timedelta(days=365)
AT = START + timedelta(days=100)
JTI = "01890a5d-ac96-774b-bcce-b302099a8057"

PROFILE = Profile(
    "urn:packtrace:activity-data:1", frozenset({"target"}), selective=True, lists=frozenset({"inputs", "stages"})
)
OPEN_PROFILE = Profile("urn:packtrace:role-grant:1", frozenset({"role", "holder"}), selective=False, lists=frozenset())
CLAIMS: dict[str, JSON] = {
    "sub": "urn:product:cathode",
    "period": {"start": "2026-01-01", "end": "2026-03-31"},
    "inputs": [
        {"id": "li", "name": "氢氧化锂", "amount": "560"},
        {"id": "ni", "name": "nickel sulphate", "amount": "1200.5"},
        {"name": "oxygen", "amount": "3"},
    ],
    "stages": [],
}


@dataclasses.dataclass(frozen=True)
class World:
    """Keys, certificates and trust, with short ways to issue, verify and forge."""

    authority: CertificateAuthority
    trust: Trust

    def certified(
        self, algorithm: Algorithm = "ES256", organisation: str = MAKER, *, start: datetime = START, end: datetime = END
    ) -> KeyPair:
        key_pair = KeyPair.generate(algorithm)
        return self.renewed(key_pair, organisation, start=start, end=end)

    def renewed(
        self, key_pair: KeyPair, organisation: str = MAKER, *, start: datetime = START, end: datetime = END
    ) -> KeyPair:
        return key_pair.with_certificate(self.authority.issue(key_pair.csr(organisation), organisation, start, end))

    def issue(
        self,
        key_pair: KeyPair,
        claims: Mapping[str, JSON] = CLAIMS,
        profile: Profile = PROFILE,
        issuer: str = MAKER,
        random_bytes: Callable[[int], bytes] | None = None,
    ) -> Issued:
        return issue(
            key_pair,
            profile,
            issuer=issuer,
            audience=ORIGIN,
            jti=JTI,
            issued_at=AT,
            claims=claims,
            random=random_bytes or random.Random(1).randbytes,
        )

    def verify(
        self, token: str, disclosures: Sequence[str] = (), profile: Profile = PROFILE, at: datetime = AT
    ) -> Statement:
        return verify(token, disclosures, profile=profile, trust=self.trust, at=at)


@dataclasses.dataclass(frozen=True)
class TwoTier(World):
    """A world whose `authority` is an intermediate, certified by a root that is known to the trust."""

    root: CertificateAuthority

    @property
    def root_only(self) -> World:
        """The same for somebody who was not given the intermediate."""
        return World(self.authority, dataclasses.replace(self.trust, intermediates=()))


class Forger:
    """Signs whatever it is told, with a certified key: what a careless or hostile member could send."""

    def __init__(self, key_pair: KeyPair) -> None:
        self.key_pair = key_pair

    def payload(self, **changes: object) -> dict[str, Any]:
        """A good payload with some members changed; the value `None` leaves one out.

        Nobody holds the `contents` that it commits to, unless `contents_digest` says so.
        """
        digests = changes.get("_sd") or self.decoys(16)
        members: dict[str, object] = {
            "iss": MAKER,
            "aud": ORIGIN,
            "jti": JTI,
            "iat": int(AT.timestamp()),
            "vct": PROFILE.vct,
            "_sd_alg": "sha-256",
            "_sd": digests,
            "contents_digest": digests[0] if isinstance(digests, list) else "",
        }
        return {name: value for name, value in (members | changes).items() if value is not None}

    def header(self, **changes: object) -> dict[str, Any]:
        """A good header with some members changed; the value `None` leaves one out."""
        members: dict[str, object] = {
            "alg": self.key_pair.algorithm,
            "typ": "dc+sd-jwt",
            "kid": self.key_pair.thumbprint,
            "x5c": [encode_padded(self.key_pair.certificate)],
        }
        return {name: value for name, value in (members | changes).items() if value is not None}

    def token(self, payload: object = None, header: object = None) -> str:
        """A signed token; payload and header may be objects, or raw bytes."""
        parts = (self.header() if header is None else header, self.payload() if payload is None else payload)
        signing_input = ".".join(encode(part if isinstance(part, bytes) else to_json(part)) for part in parts)
        return f"{signing_input}.{encode(self.key_pair.sign(signing_input.encode('ascii')))}"

    def token_for(self, *disclosures: str, **changes: object) -> str:
        """A signed token whose `_sd` holds the digests of these disclosures, committed to the first `contents` among them."""
        real, decoys = list(map(digest_of, disclosures)), self.decoys(16 - len(disclosures))
        told = [digest for digest, one in zip(real, disclosures, strict=True) if name_of(one) == "contents"]
        committed = [*told, *decoys, *real][0]
        return self.token(self.payload(**{"_sd": sorted([*real, *decoys]), "contents_digest": committed, **changes}))

    @classmethod
    def contents(cls, *claims: str, lists: Mapping[str, list[int]] | None = None, **more: object) -> str:
        """The disclosure `contents` of these claims, with the places of the lines of their lists."""
        named = {name_of(one): digest_of(one) for one in claims}
        return cls.disclosure("contents", {"claims": named, "lists": lists or {}, **more})

    @staticmethod
    def disclosure(*parts: object, salt: str | None = None) -> str:
        return encode(to_json([salt or encode(random.randbytes(16)), *parts]))

    @staticmethod
    def decoys(count: int) -> list[str]:
        return sorted(encode(random.randbytes(32)) for _ in range(count))

    @classmethod
    def digests(cls, size: int, *disclosures: str) -> list[str]:
        """The digests of these disclosures with decoys up to `size`, sorted."""
        real = [digest_of(one) for one in disclosures]
        return sorted([*real, *cls.decoys(size - len(real))])

    @classmethod
    def slots(cls, *elements: str, size: int = 8) -> list[dict[str, str]]:
        """The value of a list claim with these elements."""
        return [{"...": digest} for digest in cls.digests(size, *elements)]


def to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def name_of(disclosure: str) -> object:
    """The name that a disclosure of a claim bears; None for all else, ill-formed text too."""
    with contextlib.suppress(ValueError):
        parts = json.loads(base64.urlsafe_b64decode(f"{disclosure}=="))
        return parts[1] if isinstance(parts, list) and len(parts) == 3 else None
    return None


def members_of(token: str) -> dict[str, Any]:
    """The payload of a token, read without checks."""
    members: dict[str, Any] = json.loads(decode(token.split(".")[1], "payload"))
    return members

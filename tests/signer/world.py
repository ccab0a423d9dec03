"""A small world for the tests of signer: one authority, certified keys, kinds of statements, and a forger."""

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
        """A good payload with some members changed; the value `None` leaves one out."""
        members: dict[str, object] = {
            "iss": MAKER,
            "aud": ORIGIN,
            "jti": JTI,
            "iat": int(AT.timestamp()),
            "vct": PROFILE.vct,
            "_sd_alg": "sha-256",
            "_sd": self.decoys(16),
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
        """A signed token whose `_sd` holds the digests of these disclosures."""
        return self.token(self.payload(_sd=self.digests(16, *disclosures), **changes))

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


def members_of(token: str) -> dict[str, Any]:
    """The payload of a token, read without checks."""
    members: dict[str, Any] = json.loads(decode(token.split(".")[1], "payload"))
    return members

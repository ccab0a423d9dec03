"""Statements: strict verification and issuing, each against the bare signature that it cannot do without."""

import base64
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from benchmarks.measure import Row, compare
from signer import (
    JSON,
    Algorithm,
    CertificateAuthority,
    Issued,
    KeyPair,
    Profile,
    Trust,
    issue,
    leaf_bytes,
    verify,
)

ORIGIN = "ledger.example/2026"
MAKER = "https://id.cells-and-modules.example/organisations/91350900587527783P"
START = datetime(2026, 1, 1, tzinfo=UTC)
AT = START + timedelta(days=100)
PROFILE = Profile("urn:packtrace:activity-data:1", frozenset(), selective=True, lists=frozenset({"inputs"}))
# With `contents` these are nine disclosures: six claims, a list, and one line of it.
CLAIMS: dict[str, JSON] = {
    "sub": "urn:product:cathode-nmc811",
    "site": "urn:site:plant-7",
    "period": {"start": "2026-01-01", "end": "2026-03-31"},
    "output": {"amount": "1250000", "unit": "kg", "obtained": "measured"},
    "electricity": [{"amount": "8100000", "unit": "kWh", "supply": "grid", "geography": "CN-EC"}],
    "direct_emissions": [{"gas": "CO2", "amount": "15200", "unit": "kg", "obtained": "calculated"}],
    "inputs": [{"id": "a1", "name": "lithium hydroxide", "basis": "monohydrate", "amount": "560000", "unit": "kg"}],
}


def rows() -> Iterator[Row]:
    """Rates per second; the ratio says how much of the bare signature's speed is left."""
    authority_key = KeyPair.generate("ES256")
    authority = CertificateAuthority.create("Root", authority_key, START, START + timedelta(days=3650))
    trust = Trust((authority.certificate,), {}, ORIGIN)
    goals: dict[Algorithm, str] = {"ES256": ">=0.55", "Ed25519": ">=0.6"}
    for algorithm, goal in goals.items():
        key_pair = _certified(authority, algorithm)
        yield from _verification(key_pair, trust, goal)
        yield _issuing(key_pair)


def _certified(authority: CertificateAuthority, algorithm: Algorithm) -> KeyPair:
    key_pair = KeyPair.generate(algorithm)
    leaf = authority.issue(key_pair.csr(MAKER), MAKER, START, START + timedelta(days=365))
    return key_pair.with_certificate(leaf)


def _issue(key_pair: KeyPair, random: Callable[[int], bytes]) -> Issued:
    jti = "01890a5d-ac96-774b-bcce-b302099a8057"
    return issue(key_pair, PROFILE, issuer=MAKER, audience=ORIGIN, jti=jti, issued_at=AT, claims=CLAIMS, random=random)


def _verification(key_pair: KeyPair, trust: Trust, goal: str) -> Iterator[Row]:
    issued = _issue(key_pair, os.urandom)
    bare = _bare_verification(key_pair, issued.token)
    for disclosures, asked in (((), goal), (issued.disclosures, "for information")):
        yield compare(
            f"strict verify {key_pair.algorithm}, {len(issued.token)} bytes, {len(disclosures)} disclosures",
            partial(verify, issued.token, disclosures, profile=PROFILE, trust=trust, at=AT),
            bare,
            reference_name="cryptography verify",
            goal=asked,
        )


def _bare_verification(key_pair: KeyPair, token: str) -> Callable[[], object]:
    signed, _, text = leaf_bytes(token).rpartition(b".")
    signature = base64.urlsafe_b64decode(text + b"==")
    public_key = key_pair.public_key
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return lambda: public_key.verify(signature, signed)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    algorithm = ec.ECDSA(hashes.SHA256())
    return lambda: public_key.verify(der, signed, algorithm)


def _issuing(key_pair: KeyPair) -> Row:
    signed = leaf_bytes(_issue(key_pair, os.urandom).token).rpartition(b".")[0]
    return compare(
        f"issue {key_pair.algorithm}, 9 disclosures",
        lambda: _issue(key_pair, os.urandom),
        lambda: key_pair.sign(signed),
        reference_name="bare signature",
        goal="for information",
    )

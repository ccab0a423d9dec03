"""Statements: strict verification and issuing, against the bare signature and against the PyPI package sd-jwt.

That package checks less than we do: no certificate, no form of header and claims, and defects that RFC 9901 forbids.
"""

import base64
import gc
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jwcrypto.jwk import JWK  # type: ignore[import-untyped]
from sd_jwt.common import SDObj  # type: ignore[import-untyped]
from sd_jwt.issuer import SDJWTIssuer  # type: ignore[import-untyped]
from sd_jwt.verifier import SDJWTVerifier  # type: ignore[import-untyped]

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
    join_presentation,
    leaf_bytes,
    verify,
)

ORIGIN = "ledger.example/2026"
JTI = "01890a5d-ac96-774b-bcce-b302099a8057"
MAKER = "https://id.cells-and-modules.example/organisations/91350900587527783P"
START = datetime(2026, 1, 1, tzinfo=UTC)
AT = START + timedelta(days=100)
PROFILE = Profile("urn:packtrace:activity-data:1", frozenset(), selective=True, lists=frozenset({"inputs"}))
LINES: list[JSON] = [
    {"id": "a1", "name": "lithium hydroxide", "basis": "monohydrate", "amount": "560000", "unit": "kg"}
]
# With `contents` these are nine disclosures: six claims, a list, and one line of it.
CLAIMS: dict[str, JSON] = {
    "sub": "urn:product:cathode-nmc811",
    "site": "urn:site:plant-7",
    "period": {"start": "2026-01-01", "end": "2026-03-31"},
    "output": {"amount": "1250000", "unit": "kg", "obtained": "measured"},
    "electricity": [{"amount": "8100000", "unit": "kWh", "supply": "grid", "geography": "CN-EC"}],
    "direct_emissions": [{"gas": "CO2", "amount": "15200", "unit": "kg", "obtained": "calculated"}],
    "inputs": LINES,
}


def rows() -> Iterator[Row]:
    """Rates per second; the ratio says how much of the bare signature's speed is left, or how far ahead of sd-jwt we are."""
    authority_key = KeyPair.generate("ES256")
    authority = CertificateAuthority.create("Root", authority_key, START, START + timedelta(days=3650))
    trust = Trust((authority.certificate,), {}, ORIGIN)
    goals: dict[Algorithm, tuple[str, str]] = {"ES256": (">=0.55", ">=0.38"), "Ed25519": (">=0.6", ">=0.45")}
    for algorithm, (bare_goal, disclosed_goal) in goals.items():
        key_pair = _certified(authority, algorithm)
        issued = _issue(key_pair, os.urandom)
        for disclosures, goal in (((), bare_goal), (issued.disclosures, disclosed_goal)):
            yield from _verification(key_pair, issued.token, disclosures, trust, goal)
        yield from _issuing(key_pair)
    yield _memory(_certified(authority, "ES256"), trust)


def _certified(authority: CertificateAuthority, algorithm: Algorithm) -> KeyPair:
    key_pair = KeyPair.generate(algorithm)
    leaf = authority.issue(key_pair.csr(MAKER), MAKER, START, START + timedelta(days=365))
    return key_pair.with_certificate(leaf)


def _issue(key_pair: KeyPair, random: Callable[[int], bytes]) -> Issued:
    return issue(key_pair, PROFILE, issuer=MAKER, audience=ORIGIN, jti=JTI, issued_at=AT, claims=CLAIMS, random=random)


def _verification(
    key_pair: KeyPair, token: str, disclosures: tuple[str, ...], trust: Trust, goal: str
) -> Iterator[Row]:
    name = f"strict verify {key_pair.algorithm}, {len(token)} bytes, {len(disclosures)} disclosures"
    ours = partial(verify, token, disclosures, profile=PROFILE, trust=trust, at=AT)
    yield compare(name, ours, _bare_verification(key_pair, token), reference_name="cryptography verify", goal=goal)
    if key_pair.algorithm == "ES256":
        presentation = join_presentation(token, disclosures)
        theirs = _package_verification(_package_key(key_pair), presentation)
        yield compare(name, ours, theirs, reference_name="sd-jwt", goal=">=1.5")


def _bare_verification(key_pair: KeyPair, token: str) -> Callable[[], object]:
    signed, _, text = leaf_bytes(token).rpartition(b".")
    signature = base64.urlsafe_b64decode(text + b"==")
    public_key = key_pair.public_key
    if isinstance(public_key, ed25519.Ed25519PublicKey):
        return lambda: public_key.verify(signature, signed)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    algorithm = ec.ECDSA(hashes.SHA256())
    return lambda: public_key.verify(der, signed, algorithm)


def _issuing(key_pair: KeyPair) -> Iterator[Row]:
    name = f"issue {key_pair.algorithm}, 9 disclosures"
    ours = partial(_issue, key_pair, os.urandom)
    signed = leaf_bytes(ours().token).rpartition(b".")[0]
    yield compare(name, ours, partial(key_pair.sign, signed), reference_name="bare signature", goal="for information")
    if key_pair.algorithm == "ES256":
        key = _package_key(key_pair)
        # We pad with 15 decoys; the package makes none unless it is told to, and then two to five for each object.
        for decoys, goal in ((False, ">=2"), (True, "for information")):
            theirs = _package_issuing(key_pair, key, decoys=decoys)
            reference_name = "sd-jwt with decoys" if decoys else "sd-jwt"
            yield compare(name, ours, theirs, reference_name=reference_name, goal=goal)


# --- The package sd-jwt -------------------------------------------------------------------------------------------


def _package_key(key_pair: KeyPair) -> JWK:
    """The private key, read once: the package is not to pay for that."""
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return JWK.from_pem(key_pair.private_key.private_bytes(encoding, form, serialization.NoEncryption()))


def _package_verification(key: JWK, presentation: str) -> Callable[[], object]:
    public_key = JWK.from_json(key.export_public())
    return lambda: SDJWTVerifier(presentation, lambda _issuer, _header: public_key).get_verified_payload()


def _package_issuing(key_pair: KeyPair, key: JWK, *, decoys: bool) -> Callable[[], object]:
    """The same claims under the same header, hidden in the same places; its digests are not padded to a size."""
    certificate = base64.b64encode(key_pair.certificate).decode()
    header = {"typ": "dc+sd-jwt", "kid": key_pair.thumbprint, "x5c": [certificate]}
    opened = {"iss": MAKER, "aud": ORIGIN, "jti": JTI, "iat": int(AT.timestamp()), "vct": PROFILE.vct}
    contents: JSON = {"claims": sorted(CLAIMS), "lists": {"inputs": 1}}

    def issue_like_us() -> object:
        hidden = {SDObj(name): value for name, value in {"contents": contents, **CLAIMS}.items() if name != "inputs"}
        lines = [SDObj(line) for line in LINES]
        claims = {**opened, **hidden, SDObj("inputs"): lines}
        return SDJWTIssuer(claims, key, add_decoy_claims=decoys, extra_header_parameters=header)

    return issue_like_us


# --- Memory -------------------------------------------------------------------------------------------------------


def _memory(key_pair: KeyPair, trust: Trust) -> Row:
    """How much the process grows while it verifies 990,000 tokens after the first 10,000."""
    issued = [_issue(key_pair, os.urandom) for _ in range(100)]

    def verify_tokens(count: int) -> float:
        start = time.perf_counter()
        for n in range(count):
            one = issued[n % len(issued)]
            verify(one.token, one.disclosures, profile=PROFILE, trust=trust, at=AT)
        return count / (time.perf_counter() - start)

    tokens = int(os.environ.get("TOKENS", "1000000"))
    verify_tokens(10_000)
    before = resident_megabytes()
    rate = verify_tokens(tokens - 10_000)
    growth = resident_megabytes() - before
    return Row(
        f"memory from token 10,000 to {tokens:,}, in MB",
        growth,
        1.0,
        f"1 MB; {rate:,.0f} tokens/s",
        growth,
        "<=20",
        "MB",
    )


def resident_megabytes() -> float:
    """The memory that the process holds now, garbage collected."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

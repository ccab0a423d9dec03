"""The layer of RFC 9901: its published examples, its rules, and that our profile is a narrow form of it."""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey
from joserfc.jws import deserialize_compact

from signer import (
    AlgorithmNotAllowedError,
    BadClaimError,
    BadDigestListError,
    BadDisclosureError,
    BadHeaderError,
    BadJsonError,
    BadSignatureError,
    ClaimNotOpenError,
    DuplicateMemberError,
    KeyPair,
    MalformedTokenError,
    MissingClaimError,
    NaiveTimeError,
    OverwritingDisclosureError,
    Profile,
    RepeatedDigestError,
    RepeatedDisclosureError,
    ReservedClaimNameError,
    SignerError,
    TokenNotValidError,
    UnknownDigestAlgorithmError,
    UnknownHeaderMemberError,
    UnreferencedDisclosureError,
    WrongTypeError,
    digest_of,
    disclose,
    join_presentation,
    verify_sd_jwt,
)
from signer.base64url import decode, encode
from signer.rfc9901 import process
from tests.signer.world import AT, JTI, MAKER, ORIGIN, PROFILE, Forger, World, members_of, to_json

VECTORS = Path(__file__).parents[1] / "vectors" / "sdjwt" / "rfc9901.json"
RFC: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
EXAMPLES: list[dict[str, Any]] = RFC["examples"]
SIGNED = [example for example in EXAMPLES if "token" in example]
NAMES = [example["name"] for example in EXAMPLES]
#: Within `iat` and `exp` of the examples.
THEN = datetime(2024, 1, 1, tzinfo=UTC)


def issuer_key() -> ec.EllipticCurvePublicKey:
    key = ECKey.import_key(RFC["issuer_key"]).public_key
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return key


def presented(example: Mapping[str, Any]) -> str:
    return join_presentation(example["token"], example["disclosures"]) + str(example.get("key_binding", ""))


def payload_of(example: Mapping[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = example.get("payload") or json.loads(decode(example["token"].split(".")[1], "payload"))
    return payload


# --- The published examples ---------------------------------------------------------------------------------------


def digests_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from inner if name == "_sd" else [inner] if name == "..." else digests_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from digests_in(inner)


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_the_vectors_are_what_was_published(example: dict[str, Any]) -> None:
    """By other code than ours: signatures by joserfc, digests by hashlib."""
    disclosed = [json.loads(decode(text, "disclosure")) for text in example["disclosures"]]
    digests = {digest for value in (payload_of(example), *disclosed) for digest in digests_in(value)}
    for text in example["disclosures"]:
        assert encode(hashlib.sha256(text.encode()).digest()) in digests
    if "token" in example:
        assert deserialize_compact(example["token"], ECKey.import_key(RFC["issuer_key"]), algorithms=["ES256"])
    if "key_binding" in example:
        bound = deserialize_compact(
            example["key_binding"], ECKey.import_key(RFC["holder_key"]), algorithms=["ES256"]
        ).payload
        shown = join_presentation(example["token"], example["disclosures"])
        assert json.loads(bound)["sd_hash"] == encode(hashlib.sha256(shown.encode()).digest())


@pytest.mark.parametrize("example", SIGNED, ids=[example["name"] for example in SIGNED])
def test_a_published_example_verifies(example: dict[str, Any]) -> None:
    sd_jwt = verify_sd_jwt(presented(example), issuer_key(), THEN)
    assert sd_jwt.claims == example["processed"]
    assert sd_jwt.key_binding == example.get("key_binding", "")


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_a_published_payload_is_processed(example: dict[str, Any]) -> None:
    payload = payload_of(example)
    before = json.dumps(payload)
    assert process(payload, example["disclosures"]) == example["processed"]
    assert json.dumps(payload) == before


@pytest.mark.parametrize("example", SIGNED, ids=[example["name"] for example in SIGNED])
def test_our_profile_refuses_a_published_example(world: World, example: dict[str, Any]) -> None:
    """None has our `typ` and header."""
    error = BadHeaderError if "dc+sd-jwt" in str(decode(example["token"].split(".")[0], "")) else WrongTypeError
    with pytest.raises(error):
        world.verify(example["token"], example["disclosures"])


REFUSED_BY_PROFILE: dict[str, type[SignerError]] = {
    "issuance": ClaimNotOpenError,
    "presentation": ClaimNotOpenError,
    "flat": BadDigestListError,
    "structured": ClaimNotOpenError,
    "structured_with_an_open_member": ClaimNotOpenError,
    "recursive": BadDigestListError,
    "simple_structured": ClaimNotOpenError,
    "simple_structured_all_disclosures": ClaimNotOpenError,
    "complex_structured": ClaimNotOpenError,
    "credential_issued": BadDigestListError,
    "credential_presented": BadDigestListError,
    "w3c_credential": ClaimNotOpenError,
}


@pytest.mark.parametrize("example", EXAMPLES, ids=NAMES)
def test_our_profile_refuses_a_published_payload_under_our_own_signature(
    world: World, forger: Forger, example: dict[str, Any]
) -> None:
    """With the claims of every statement and without `exp`, `cnf`, `sub`: what is left decides."""
    payload = {name: value for name, value in payload_of(example).items() if name not in ("exp", "cnf", "sub")}
    ours = {"iss": MAKER, "aud": ORIGIN, "jti": JTI, "iat": int(AT.timestamp()), "vct": PROFILE.vct}
    token = forger.token({"_sd": [], "contents_digest": "", **payload, **ours})
    with pytest.raises(REFUSED_BY_PROFILE[example["name"]]):
        world.verify(token, example["disclosures"])


def test_our_profile_refuses_a_published_payload_as_it_is(world: World, forger: Forger) -> None:
    with pytest.raises(MissingClaimError):
        world.verify(forger.token(payload_of(EXAMPLES[0])))


def test_our_profile_refuses_digests_in_a_hidden_object(world: World, forger: Forger) -> None:
    """Section 6.3's address: an object that hides members of its own."""
    disclosures = next(example["disclosures"] for example in EXAMPLES if example["name"] == "recursive")
    with pytest.raises(ReservedClaimNameError):
        world.verify(forger.token_for(disclosures[-1]), disclosures)


# --- The rules of section 7.1 -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Issuer:
    """Signs any payload under any header."""

    key_pair: KeyPair

    def present(self, payload: object, *disclosures: str, **header: object) -> str:
        members = {"alg": self.key_pair.algorithm, **header}
        signing_input = ".".join(
            encode(part if isinstance(part, bytes) else to_json(part)) for part in (members, payload)
        )
        signature = encode(self.key_pair.sign(signing_input.encode("ascii")))
        return join_presentation(f"{signing_input}.{signature}", disclosures)

    def verify(self, payload: object, *disclosures: str, **header: object) -> dict[str, Any]:
        return dict(verify_sd_jwt(self.present(payload, *disclosures, **header), self.key_pair.public_key, AT).claims)


@pytest.fixture(scope="module", params=["ES256", "Ed25519"])
def issuer(request: pytest.FixtureRequest) -> Issuer:
    return Issuer(KeyPair.generate(request.param))


hidden = Forger.disclosure


def slot(text: str) -> dict[str, str]:
    return {"...": digest_of(text)}


def test_digests_nest_as_deep_as_they_like(issuer: Issuer) -> None:
    """Far deeper than the stack: a claim in a claim in a claim, each hidden."""
    disclosures = [hidden("end", True)]
    for _ in range(3000):
        disclosures.append(hidden("a", {"_sd": [digest_of(disclosures[-1])]}))
    claims = issuer.verify({"_sd": [digest_of(disclosures[-1])]}, *disclosures)
    for _ in range(3000):
        claims = claims["a"]
    assert claims == {"end": True}


def test_elements_stay_in_order_and_decoys_leave_no_trace(issuer: Issuer) -> None:
    b, d, e = (hidden(value) for value in ("b", [{"_sd": []}, "x"], {"y": 1}))
    decoy = {"...": digest_of("nothing")}
    claims = issuer.verify({"list": ["a", slot(b), decoy, "c", slot(d), [slot(e)]], "_sd": [digest_of("no")]}, b, d, e)
    assert claims == {"list": ["a", "b", "c", [{}, "x"], [{"y": 1}]]}


def test_no_digest_algorithm_means_sha_256(issuer: Issuer) -> None:
    text = hidden("a", 1)
    assert issuer.verify({"_sd": [digest_of(text)]}, text) == {"a": 1}
    assert issuer.verify({"_sd": [digest_of(text)], "_sd_alg": "sha-256"}, text) == {"a": 1}


ONE, ELEMENT = hidden("a", 1), hidden(1)
OTHER_ONE = hidden("a", 2)
Case = tuple[object, list[str], type[SignerError]]
DEFECTS: dict[str, Case] = {
    "02_unreferenced_disclosure": ({"_sd": []}, [ONE], UnreferencedDisclosureError),
    "03_altered_disclosure": ({"_sd": [digest_of(ONE)]}, [OTHER_ONE], UnreferencedDisclosureError),
    "04_repeated_disclosure": ({"_sd": [digest_of(ONE)]}, [ONE, ONE], RepeatedDisclosureError),
    "05_repeated_digest": ({"_sd": [digest_of(ONE)] * 2}, [ONE], RepeatedDigestError),
    "05_repeated_decoy": ({"_sd": ["decoy"], "x": [{"...": "decoy"}]}, [], RepeatedDigestError),
    "06_overwrites_an_open_claim": ({"_sd": [digest_of(ONE)], "a": 0}, [ONE], OverwritingDisclosureError),
    "06_overwrites_a_hidden_claim": (
        {"_sd": [digest_of(ONE), digest_of(OTHER_ONE)]},
        [ONE, OTHER_ONE],
        OverwritingDisclosureError,
    ),
    "07_claim_named_sd": (
        {"_sd": [digest_of(named_sd := hidden("_sd", ["x"]))]},
        [named_sd],
        ReservedClaimNameError,
    ),
    "08_claim_named_dots": (
        {"_sd": [digest_of(named_dots := hidden("...", "x"))]},
        [named_dots],
        ReservedClaimNameError,
    ),
    "08_dots_where_no_digest_is_due": ({"a": {"...": "x"}}, [], ReservedClaimNameError),
    "08_dots_among_others": ({"a": [{"...": "x", "b": 1}]}, [], ReservedClaimNameError),
    "10_unknown_digest_algorithm": ({"_sd_alg": "sha-512"}, [], UnknownDigestAlgorithmError),
    "13_expired": ({"exp": int(AT.timestamp())}, [], TokenNotValidError),
    "13_expired_in_secret": (
        {"_sd": [digest_of(expired := hidden("exp", 1.5))]},
        [expired],
        TokenNotValidError,
    ),
    "14_not_yet_valid": ({"nbf": int(AT.timestamp()) + 1}, [], TokenNotValidError),
    "time_in_words": ({"exp": "tomorrow"}, [], BadClaimError),
    "element_where_a_claim_is_due": ({"_sd": [digest_of(ELEMENT)]}, [ELEMENT], BadDisclosureError),
    "claim_where_an_element_is_due": ({"a": [slot(ONE)]}, [ONE], BadDisclosureError),
    "digests_no_list": ({"_sd": "x"}, [], BadDigestListError),
    "digests_no_text": ({"_sd": [1]}, [], BadDigestListError),
    "element_digest_no_text": ({"a": [{"...": 1}]}, [], BadDigestListError),
    "member_twice": (b'{"iss":"a","iss":"b"}', [], DuplicateMemberError),
    "disclosure_of_four": ({}, [encode(b'["s","a",1,2]')], BadDisclosureError),
}


@pytest.mark.parametrize(("payload", "disclosures", "error"), DEFECTS.values(), ids=DEFECTS)
def test_a_defect_is_refused_by_name(
    issuer: Issuer, payload: object, disclosures: list[str], error: type[SignerError]
) -> None:
    with pytest.raises(error):
        issuer.verify(payload, *disclosures)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda text: text.rstrip("~"), MalformedTokenError),
        (lambda text: text.replace("~", "~~"), BadJsonError),
        (lambda text: text[5:], SignerError),
        (lambda text: text.replace(".", "", 1), MalformedTokenError),
        (lambda _: None, MalformedTokenError),
    ],
    ids=["11_no_tilde", "empty_disclosure", "cut", "two_parts", "none"],
)
def test_a_malformed_presentation(issuer: Issuer, change: Callable[[str], Any], error: type[SignerError]) -> None:
    with pytest.raises(error):
        verify_sd_jwt(change(issuer.present({"iss": "x"})), issuer.key_pair.public_key, AT)


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ({"alg": "none"}, AlgorithmNotAllowedError),
        ({"alg": "HS256"}, AlgorithmNotAllowedError),
        ({"alg": None}, AlgorithmNotAllowedError),
        ({"crit": ["b64"], "b64": False}, UnknownHeaderMemberError),
    ],
    ids=["09_none", "hmac", "null", "crit"],
)
def test_a_header_that_asks_for_something_else(
    issuer: Issuer, header: dict[str, object], error: type[SignerError]
) -> None:
    with pytest.raises(error):
        issuer.verify({}, **header)


def test_12_a_bit_flipped_in_the_payload(issuer: Issuer) -> None:
    header, payload, rest = issuer.present({"iss": "x"}).split(".")
    other = encode(decode(payload, "payload").replace(b"x", b"y"))
    with pytest.raises(BadSignatureError):
        verify_sd_jwt(f"{header}.{other}.{rest}", issuer.key_pair.public_key, AT)


def test_a_key_of_another_issuer(issuer: Issuer) -> None:
    other = KeyPair.generate(issuer.key_pair.algorithm).public_key
    with pytest.raises(BadSignatureError):
        verify_sd_jwt(issuer.present({}), other, AT)


def test_a_time_without_zone(issuer: Issuer) -> None:
    with pytest.raises(NaiveTimeError):
        verify_sd_jwt(issuer.present({}), issuer.key_pair.public_key, AT.replace(tzinfo=None))


# --- The two layers agree -----------------------------------------------------------------------------------------

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8"), max_size=9)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=6,
)
claim_names = st.text("abcdefgh", min_size=1, max_size=4)
lines = st.lists(st.dictionaries(st.text("abc", max_size=2), values, max_size=3), max_size=9)
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@fuzz
@given(claims=st.dictionaries(claim_names, values, max_size=9), inputs=lines, data=st.data())
def test_what_our_profile_accepts_the_standard_reads_alike(
    world: World, maker: KeyPair, claims: dict[str, Any], inputs: list[dict[str, Any]], data: st.DataObject
) -> None:
    issued = world.issue(maker, {**claims, "inputs": inputs}, random_bytes=os.urandom)
    paths = data.draw(st.sets(st.sampled_from([*claims, "inputs", "contents"])))
    shown = disclose(issued.token, issued.disclosures, paths)
    statement = world.verify(issued.token, shown)
    seen = dict(verify_sd_jwt(join_presentation(issued.token, shown), maker.public_key, AT).claims)
    assert seen.pop("contents_digest") in members_of(issued.token)["_sd"]
    assert ("contents" in seen) == (statement.contents is not None)
    seen.pop("contents", None)
    assert seen == statement.claims


@fuzz
@given(payload=st.dictionaries(st.sampled_from(["_sd", "...", "a", "exp", "_sd_alg"]), values), texts=st.data())
def test_any_payload_ends_in_claims_or_our_error(payload: dict[str, Any], texts: st.DataObject) -> None:
    parts = texts.draw(st.lists(st.lists(values, max_size=4), max_size=3))
    with contextlib.suppress(SignerError):
        process(payload, [encode(to_json(one)) for one in parts])


@fuzz
@given(payload=st.binary(max_size=80), header=st.dictionaries(st.sampled_from(["alg", "crit", "typ"]), values))
def test_any_signed_bytes_end_in_claims_or_our_error(issuer: Issuer, payload: bytes, header: dict[str, object]) -> None:
    with contextlib.suppress(SignerError):
        issuer.verify(payload, **header)


@fuzz
@given(text=st.text(max_size=60) | st.text("aA0-_.~=", max_size=60))
def test_any_text_for_a_presentation(issuer: Issuer, text: str) -> None:
    with pytest.raises(SignerError):
        verify_sd_jwt(text, issuer.key_pair.public_key, AT)


def test_a_profile_without_hidden_claims_is_a_plain_token(world: World, maker: KeyPair) -> None:
    profile = Profile("urn:packtrace:role-grant:1", frozenset({"role"}), selective=False, lists=frozenset())
    token = world.issue(maker, {"role": "verifier"}, profile).token
    claims = verify_sd_jwt(join_presentation(token, ()), maker.public_key, AT).claims
    assert claims == world.verify(token, profile=profile).claims

"""Statements that are well made: what goes in comes out, to each reader what was disclosed."""

import itertools
import json
import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer import (
    JSON,
    BadCertificateError,
    BadClaimError,
    KeyMismatchError,
    KeyPair,
    NaiveTimeError,
    OrganisationMismatchError,
    RepeatedLineError,
    ReservedClaimNameError,
    SignerError,
    TokenTooLargeError,
    UnknownPathError,
    WeakRandomnessError,
    digest_of,
    disclose,
    issue,
    join_presentation,
    leaf_bytes,
    peek,
    split_presentation,
)
from signer.base64url import decode
from tests.signer.world import AT, CLAIMS, JTI, MAKER, OPEN_PROFILE, ORIGIN, PROFILE, World, members_of

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
names = st.text(st.characters(codec="utf-8"), max_size=8).filter(lambda name: name not in ("_sd", "..."))
values = st.recursive(
    scalars | st.text(st.characters(codec="utf-8"), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
kept = {
    "full",
    "contents",
    "_sd_alg",
    "contents_digest",
    "iss",
    "aud",
    "jti",
    "iat",
    "vct",
    "exp",
    "nbf",
    "cnf",
    "target",
    "inputs",
    "stages",
}
claim_names = names.filter(lambda name: name and "/" not in name and name not in kept)
lines = st.lists(st.dictionaries(names.filter(lambda name: name != "id"), values, max_size=3), max_size=10)


def disclosed_value(text: str) -> Any:
    return json.loads(decode(text, "disclosure"))


def without_ids(claim: JSON) -> list[str]:
    """The lines of a list in an order of their own, as text, since lists are shuffled."""
    assert isinstance(claim, list)
    return sorted(
        json.dumps({name: value for name, value in line.items() if name != "id"}, sort_keys=True) for line in claim
    )


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(claims=st.dictionaries(claim_names, values, max_size=20), inputs=lines)
def test_claims_survive(
    world: World, key_pair: KeyPair, claims: dict[str, JSON], inputs: list[dict[str, JSON]]
) -> None:
    issued = world.issue(key_pair, {**claims, "inputs": inputs}, random_bytes=os.urandom)
    statement = world.verify(issued.token, issued.disclosures)
    assert {name: statement.claims[name] for name in claims} == claims
    assert without_ids(statement.claims["inputs"]) == without_ids(inputs)
    assert statement.contents == {"claims": sorted([*claims, "inputs"]), "lists": {"inputs": len(inputs)}}


def test_a_statement_says_who_when_and_what(world: World, key_pair: KeyPair) -> None:
    issued = world.issue(key_pair)
    statement = world.verify(issued.token, issued.disclosures)
    assert (statement.issuer, statement.audience, statement.jti, statement.vct) == (MAKER, ORIGIN, JTI, PROFILE.vct)
    assert statement.issued_at == AT
    assert statement.certificate.organisation == MAKER
    assert statement.claims["iss"] == MAKER
    assert not {"_sd", "_sd_alg", "contents_digest", "contents"} & statement.claims.keys()
    assert statement.disclosure_digests == tuple(map(digest_of, issued.disclosures))


def test_only_the_open_claims_stand_in_the_token(world: World, maker: KeyPair) -> None:
    token = world.issue(maker, {**CLAIMS, "target": {"index": 3}}).token
    members = members_of(token)
    assert members.keys() == {"iss", "aud", "jti", "iat", "vct", "_sd_alg", "_sd", "contents_digest", "target"}
    assert members["contents_digest"] in members["_sd"]
    assert world.verify(token).claims["target"] == {"index": 3}


def test_a_kind_without_hidden_claims_has_no_digests(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker, {"role": "verifier", "holder": "https://v.example"}, OPEN_PROFILE)
    assert issued.disclosures == ()
    assert members_of(issued.token).keys() == {"iss", "aud", "jti", "iat", "vct", "role", "holder"}
    assert world.verify(issued.token, profile=OPEN_PROFILE).claims["role"] == "verifier"


@pytest.mark.parametrize(("claims", "digests"), [(0, 16), (15, 16), (16, 32), (31, 32), (32, 64)])
def test_the_number_of_claims_is_hidden(world: World, maker: KeyPair, claims: int, digests: int) -> None:
    """`contents` is one of them."""
    members = members_of(world.issue(maker, {f"claim{n}": n for n in range(claims)}).token)
    assert len(members["_sd"]) == digests
    assert members["_sd"] == sorted(members["_sd"])


@pytest.mark.parametrize(("count", "slots"), [(0, 8), (8, 8), (9, 16), (17, 32)])
def test_the_number_of_lines_is_hidden(world: World, maker: KeyPair, count: int, slots: int) -> None:
    issued = world.issue(maker, {"inputs": [{"n": n} for n in range(count)]})
    assert len(disclosed_value(named(issued.disclosures, "inputs"))[2]) == slots
    assert world.verify(issued.token, issued.disclosures).contents == {"claims": ["inputs"], "lists": {"inputs": count}}


def named(disclosures: Sequence[str], name: str) -> str:
    return next(one for one in disclosures if disclosed_value(one)[1:2] == [name] and len(disclosed_value(one)) == 3)


def test_lines_are_shuffled(world: World, maker: KeyPair) -> None:
    """Among eight lines, the order of issue comes out of every seed with a chance of one in 40,320 each."""
    claims: dict[str, JSON] = {"inputs": [{"id": str(n)} for n in range(8)]}
    orders = set()
    for seed in range(6):
        issued = world.issue(maker, claims, random_bytes=random.Random(seed).randbytes)
        orders.add(json.dumps(world.verify(issued.token, issued.disclosures).claims["inputs"]))
    assert len(orders) > 1


def test_lines_get_random_ids(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    inputs = world.verify(issued.token, issued.disclosures).claims["inputs"]
    assert isinstance(inputs, list)
    ids = {line["name"]: line["id"] for line in inputs}
    assert ids["nickel sulphate"] == "ni"
    assert len(ids["oxygen"]) == 22


def test_salts_have_128_bits_and_differ(world: World, maker: KeyPair) -> None:
    salts = [disclosed_value(one)[0] for one in world.issue(maker).disclosures]
    assert {len(decode(salt, "salt")) for salt in salts} == {16}
    assert len(set(salts)) == len(salts)


def test_two_issues_share_no_digest(world: World, maker: KeyPair) -> None:
    tokens = [world.issue(maker, random_bytes=os.urandom).token for _ in range(2)]
    first, second = (set(members_of(token)["_sd"]) for token in tokens)
    assert first.isdisjoint(second)


# --- Partial disclosure -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "claims", "inputs"),
    [
        ([], set(), None),
        (["sub"], {"sub"}, None),
        (["contents"], set(), None),
        (["inputs/ni"], {"inputs"}, ["ni"]),
        (["inputs/ni", "inputs/li", "sub"], {"inputs", "sub"}, ["li", "ni"]),
        (["stages"], {"stages"}, None),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_a_reader_sees_what_was_granted(
    world: World, key_pair: KeyPair, paths: list[str], claims: set[str], inputs: list[str] | None
) -> None:
    issued = world.issue(key_pair)
    shown = disclose(issued.token, issued.disclosures, paths)
    statement = world.verify(issued.token, shown)
    assert statement.claims.keys() - {"iss", "aud", "jti", "iat", "vct"} == claims
    assert (statement.contents is not None) == ("contents" in paths)
    if inputs is not None:
        seen = statement.claims["inputs"]
        assert isinstance(seen, list)
        assert sorted(line["id"] for line in seen) == inputs


def test_a_list_comes_with_its_lines_and_full_with_everything(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    assert len(disclose(issued.token, issued.disclosures, ["inputs"])) == 4
    assert disclose(issued.token, issued.disclosures, ["full"]) == issued.disclosures


def test_every_subset_of_disclosures_keeps_the_contents_true(world: World, maker: KeyPair) -> None:
    """A line without its list is unreferenced; every other subset verifies."""
    issued = world.issue(maker, {"sub": "x", "inputs": [{"id": "a"}]})
    listed, line = named(issued.disclosures, "inputs"), issued.disclosures[-1]
    for size in range(len(issued.disclosures) + 1):
        for subset in itertools.combinations(issued.disclosures, size):
            if line in subset and listed not in subset:
                continue
            assert len(world.verify(issued.token, subset).disclosure_digests) == size


@pytest.mark.parametrize("path", ["price", "inputs/zz", "inputs/", "sub/x", "", "FULL"])
def test_an_unknown_path_is_refused(world: World, maker: KeyPair, path: str) -> None:
    issued = world.issue(maker)
    with pytest.raises(UnknownPathError):
        disclose(issued.token, issued.disclosures, [path])


def test_what_is_not_at_hand_cannot_be_disclosed(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    less = disclose(issued.token, issued.disclosures, ["inputs/li"])
    with pytest.raises(UnknownPathError):
        disclose(issued.token, less, ["inputs/ni"])


# --- Token and presentation ---------------------------------------------------------------------------------------


def test_peek_reads_the_open_claims(world: World, key_pair: KeyPair) -> None:
    seen = peek(world.issue(key_pair).token)
    assert (seen.vct, seen.issuer, seen.audience, seen.jti) == (PROFILE.vct, MAKER, ORIGIN, JTI)
    assert (seen.issued_at, seen.thumbprint) == (AT, key_pair.thumbprint)


def test_a_presentation_splits_as_it_was_joined(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    text = join_presentation(issued.token, issued.disclosures)
    assert text.endswith("~")
    assert split_presentation(text) == (issued.token, issued.disclosures)
    assert split_presentation(join_presentation(issued.token, ())) == (issued.token, ())


def test_the_ledger_hashes_the_token_alone(world: World, maker: KeyPair) -> None:
    token = world.issue(maker).token
    assert leaf_bytes(token) == token.encode("ascii")


def test_the_digest_of_the_published_example() -> None:
    """RFC 9901, section 4.2.3."""
    text = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"
    assert digest_of(text) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"


# --- What is not issued -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "error"),
    [
        ({"_sd": []}, BadClaimError),
        ({"iss": "https://evil.example"}, BadClaimError),
        ({"contents": {}}, BadClaimError),
        ({"contents_digest": "x"}, BadClaimError),
        ({"full": 1}, BadClaimError),
        ({"a/b": 1}, BadClaimError),
        ({"": 1}, BadClaimError),
        ({"...": 1}, ReservedClaimNameError),
        ({"exp": 1}, ReservedClaimNameError),
        ({"x": {"y": [{"_sd": []}]}}, ReservedClaimNameError),
        ({"x": [{"...": "a"}, 1]}, ReservedClaimNameError),
        ({"x": [{"...": "a"}]}, SignerError),
        ({"target": {"_sd": []}}, ReservedClaimNameError),
        ({"inputs": {"id": "a"}}, BadClaimError),
        ({"inputs": ["oxygen"]}, BadClaimError),
        ({"inputs": [{"id": 7}]}, BadClaimError),
        ({"inputs": [{"id": ""}]}, BadClaimError),
        ({"inputs": [{"id": "a"}, {"id": "a"}]}, RepeatedLineError),
        ({"x": float("nan")}, BadClaimError),
        ({"x": "\ud800"}, BadClaimError),
        ({"x": {1: "a", "1": "b"}}, BadClaimError),
        ({"target": "x" * 70_000}, TokenTooLargeError),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_claims_are_not_issued(
    world: World, maker: KeyPair, claims: dict[str, JSON], error: type[SignerError]
) -> None:
    with pytest.raises(error):
        world.issue(maker, claims)


def test_a_claim_that_an_open_kind_does_not_have_is_not_issued(world: World, maker: KeyPair) -> None:
    with pytest.raises(BadClaimError):
        world.issue(maker, {"role": "verifier", "salary": 1}, OPEN_PROFILE)


def test_nobody_issues_for_another_organisation(world: World, maker: KeyPair) -> None:
    with pytest.raises(OrganisationMismatchError):
        world.issue(maker, issuer="https://victim.example")


def test_nobody_issues_without_certificate(world: World, maker: KeyPair) -> None:
    with pytest.raises(BadCertificateError):
        world.issue(KeyPair.generate("ES256"))
    with pytest.raises(KeyMismatchError):
        world.issue(KeyPair(KeyPair.generate("ES256").private_key, maker.certificate))


@pytest.mark.parametrize("jti", ["", "1", "01890a5d-ac96-474b-bcce-b302099a8057", JTI.upper(), JTI + "\n"])
def test_another_jti_than_a_uuid7_is_not_issued(maker: KeyPair, jti: str) -> None:
    with pytest.raises(BadClaimError):
        issue(maker, PROFILE, issuer=MAKER, audience=ORIGIN, jti=jti, issued_at=AT, claims={}, random=os.urandom)


def test_a_time_without_zone_is_not_issued(maker: KeyPair) -> None:
    naive = datetime(2026, 5, 1)  # noqa: DTZ001
    with pytest.raises(NaiveTimeError):
        issue(maker, PROFILE, issuer=MAKER, audience=ORIGIN, jti=JTI, issued_at=naive, claims={}, random=os.urandom)


def test_a_time_is_cut_to_seconds(world: World, maker: KeyPair) -> None:
    at = AT + timedelta(microseconds=999_999)
    issued = issue(maker, PROFILE, issuer=MAKER, audience=ORIGIN, jti=JTI, issued_at=at, claims={}, random=os.urandom)
    assert world.verify(issued.token).issued_at == AT.astimezone(UTC)


@pytest.mark.parametrize("source", [bytes, lambda count: bytes(count - 1), lambda count: b"x" * (count + 1)])
def test_poor_randomness_is_refused(world: World, maker: KeyPair, source: Any) -> None:
    with pytest.raises(WeakRandomnessError):
        world.issue(maker, random_bytes=source)


def test_one_draw_of_random_bytes_serves_a_statement(world: World, maker: KeyPair) -> None:
    """For 16 digests; for two lists of 8, with three lines that each may need an id."""
    drawn: list[int] = []

    def source(count: int) -> bytes:
        drawn.append(count)
        return os.urandom(count)

    world.issue(maker, random_bytes=source)
    assert drawn == [16 * (16 + 8 + 8 + 3)]


def test_disclosures_are_not_shown(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    statement = world.verify(issued.token, issued.disclosures)
    for value in (issued, statement):
        assert "nickel" not in repr(value)
        assert issued.disclosures[1] not in repr(value)

"""Statements that are badly made, each named after its defect, each refused by name.

The thirteen that other SD-JWT libraries were seen to accept are in test_thirteen.py.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer import (
    BadBase64Error,
    BadCertificateError,
    BadClaimError,
    BadDigestListError,
    BadDisclosureError,
    BadHeaderError,
    BadJsonError,
    BadKeyError,
    BadSignatureError,
    CertificateAuthority,
    CertificateNotTrustedError,
    ClaimNotOpenError,
    ContentsMismatchError,
    DuplicateMemberError,
    KeyMismatchError,
    KeyPair,
    MalformedTokenError,
    MissingClaimError,
    NaiveTimeError,
    OrganisationMismatchError,
    RepeatedLineError,
    RepeatedSaltError,
    ReservedClaimNameError,
    SignerError,
    Statement,
    TokenTooLargeError,
    TooDeepError,
    UnknownHeaderMemberError,
    UnreferencedDisclosureError,
    WrongAudienceError,
    WrongKindError,
    WrongTypeError,
    digest_of,
    disclose,
    leaf_bytes,
    peek,
    verify,
)
from signer.base64url import decode, encode, encode_padded
from tests.signer.test_certificates import forged_leaf
from tests.signer.world import AT, END, JTI, OPEN_PROFILE, ORIGIN, PROFILE, START, Forger, World, to_json


def test_a_good_forgery_passes(world: World, forger: Forger) -> None:
    """Else the cases below would show nothing."""
    disclosure = forger.disclosure("sub", "x")
    assert world.verify(forger.token_for(disclosure), [disclosure]).claims["sub"] == "x"


# --- Envelope -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crit", "jku", "jwk", "x5u", "x5t", "b64", "cty", "unheard_of"])
def test_unknown_header_member(world: World, forger: Forger, name: str) -> None:
    with pytest.raises(UnknownHeaderMemberError, match=name):
        world.verify(forger.token(header=forger.header(**{name: "x"})))


@pytest.mark.parametrize("typ", [None, "JWT", "vc+sd-jwt", "DC+SD-JWT", 1])
def test_wrong_type(world: World, forger: Forger, typ: object) -> None:
    with pytest.raises(WrongTypeError):
        world.verify(forger.token(header=forger.header(typ=typ)))


def test_kid_of_another_key(world: World, forger: Forger) -> None:
    with pytest.raises(KeyMismatchError):
        world.verify(forger.token(header=forger.header(kid=KeyPair.generate("ES256").thumbprint)))


@pytest.mark.parametrize(
    "changes", [{"kid": None}, {"kid": 1}, {"x5c": None}, {"x5c": []}, {"x5c": "x"}, {"x5c": [1]}, {"x5c": ["", ""]}]
)
def test_bad_header(world: World, forger: Forger, changes: dict[str, object]) -> None:
    with pytest.raises(BadHeaderError):
        world.verify(forger.token(header=forger.header(**changes)))


def test_x5c_with_intermediates(world: World, forger: Forger) -> None:
    chain = [encode_padded(der) for der in (forger.key_pair.certificate, world.authority.certificate)]
    with pytest.raises(BadHeaderError):
        world.verify(forger.token(header=forger.header(x5c=chain)))


def test_x5c_in_base64url(world: World, forger: Forger) -> None:
    with pytest.raises(BadBase64Error):
        world.verify(forger.token(header=forger.header(x5c=[encode(forger.key_pair.certificate + b"\xff\xff")])))


@pytest.mark.parametrize("leaf", [b"", b"x", b"0" * 4200])
def test_x5c_that_is_no_certificate(world: World, forger: Forger, leaf: bytes) -> None:
    with pytest.raises(BadCertificateError):
        world.verify(forger.token(header=forger.header(x5c=[encode_padded(leaf)])))


def test_certificate_of_a_stranger(world: World) -> None:
    forger = Forger(world.certified())
    root = CertificateAuthority.create("Exchange root", KeyPair.generate("ES256"), START, END)
    stranger = Forger(World(root, world.trust).certified())
    assert world.verify(forger.token())
    with pytest.raises(CertificateNotTrustedError):
        world.verify(stranger.token())


def test_signature_of_another_key(world: World, forger: Forger) -> None:
    other = Forger(world.certified())
    with pytest.raises(BadSignatureError):
        world.verify(other.token(header=forger.header()))


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"x" * 63, b"x" * 65, b"\xff" * 64])
def test_bad_signature(world: World, key_pair: KeyPair, signature: bytes) -> None:
    signed = Forger(key_pair).token().rpartition(".")[0]
    with pytest.raises(BadSignatureError):
        world.verify(f"{signed}.{encode(signature)}")


def test_signature_in_der(world: World, forger: Forger) -> None:
    signed, _, text = forger.token().rpartition(".")
    raw = decode(text, "signature")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    with pytest.raises(BadSignatureError):
        world.verify(f"{signed}.{encode(der)}")


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token + "~",
        lambda token: token + ".x",
        lambda token: token.replace(".", "", 1),
        lambda token: token + "é",
        lambda token: token + "\n",
        lambda token: token + "=",
        lambda token: " " + token,
        lambda token: token.replace(".", ".=", 1),
        lambda _: "",
        lambda _: "..",
        lambda token: token.encode(),
        lambda _: None,
    ],
    ids=["tilde", "four_parts", "two_parts", "not_ascii", "newline", "padding", "space", "inner_padding", "empty", "dots",
         "bytes", "none"],
)  # fmt: skip
def test_malformed_token(world: World, forger: Forger, change: Callable[[str], Any]) -> None:
    with pytest.raises(MalformedTokenError):
        world.verify(change(forger.token()))


def test_spare_bits_in_the_signature(world: World, forger: Forger) -> None:
    """86 characters hold four bits too many: sixteen spellings of one signature, one of which is allowed."""
    token = forger.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = alphabet[alphabet.index(token[-1]) ^ 1]
    with pytest.raises(BadBase64Error):
        world.verify(token[:-1] + spare)


def test_token_too_large(world: World, forger: Forger) -> None:
    with pytest.raises(TokenTooLargeError):
        world.verify(forger.token(forger.payload(target="x" * 65_535)))


def test_the_largest_token_passes() -> None:
    assert len(leaf_bytes("a.b." + "c" * 65_531)) == 65_535
    with pytest.raises(TokenTooLargeError):
        leaf_bytes("a.b." + "c" * 65_532)


def test_header_too_large(world: World, forger: Forger) -> None:
    with pytest.raises(TokenTooLargeError):
        world.verify(forger.token(header=forger.header(kid="x" * 9000)))


# --- Open claims --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iss", "aud", "jti", "iat", "vct", "_sd_alg", "_sd", "contents_digest"])
def test_missing_claim(world: World, forger: Forger, name: str) -> None:
    with pytest.raises(MissingClaimError, match=name):
        world.verify(forger.token(forger.payload(**{name: None})))


@pytest.mark.parametrize(
    "changes",
    [
        *({"iat": value} for value in (1.0, "1", True, -1, 10**12, 10**4000)),
        *({"jti": value} for value in (1, "", JTI.upper(), JTI.replace("-", ""), JTI + "\n", JTI.replace("-7", "-4"))),
        *({"iss": value} for value in (1, "", ["a"])),
        *({"aud": value} for value in (1, "", [ORIGIN])),
        *({"vct": value} for value in (1, "")),
    ],
    ids=lambda changes: ascii(changes)[:30],
)
def test_bad_claim(world: World, forger: Forger, changes: dict[str, object]) -> None:
    with pytest.raises(BadClaimError):
        world.verify(forger.token(forger.payload(**changes)))
    with pytest.raises(BadClaimError):
        peek(forger.token(forger.payload(**changes)))


def test_duplicate_claim(world: World, forger: Forger) -> None:
    payload = to_json(forger.payload())[:-1] + b', "iss": "https://evil.example"}'
    with pytest.raises(DuplicateMemberError):
        world.verify(forger.token(payload))


def test_duplicate_header_member(world: World, forger: Forger) -> None:
    header = to_json(forger.header())[:-1] + b', "alg": "none"}'
    with pytest.raises(DuplicateMemberError):
        world.verify(forger.token(header=header))


def test_wrong_kind(world: World, forger: Forger) -> None:
    with pytest.raises(WrongKindError):
        world.verify(forger.token(forger.payload(vct="urn:packtrace:delivery:1")))


def test_wrong_audience(world: World, forger: Forger) -> None:
    with pytest.raises(WrongAudienceError):
        world.verify(forger.token(forger.payload(aud="ledger.example/2025")))


def test_issuer_is_another_organisation(world: World, forger: Forger) -> None:
    with pytest.raises(OrganisationMismatchError):
        world.verify(forger.token(forger.payload(iss="https://victim.example")))


def test_digests_in_a_kind_without_hidden_claims(world: World, forger: Forger) -> None:
    payload = forger.payload(vct=OPEN_PROFILE.vct, role="x", holder="y")
    with pytest.raises(ClaimNotOpenError, match="_sd"):
        world.verify(forger.token(payload), profile=OPEN_PROFILE)


def test_disclosure_for_a_kind_without_hidden_claims(world: World, maker: KeyPair) -> None:
    token = world.issue(maker, {"role": "verifier"}, OPEN_PROFILE).token
    with pytest.raises(UnreferencedDisclosureError):
        world.verify(token, [Forger.disclosure("sub", "x")], profile=OPEN_PROFILE)


@pytest.mark.parametrize(
    "change",
    [
        lambda digests: digests[:15],
        lambda digests: digests[::-1],
        lambda digests: [*digests[:15], 7],
        lambda digests: [*digests[:15], digests[15][:-1]],
        lambda digests: [*digests[:15], "~" * 43],
        lambda digests: [*digests[:15], None],
        lambda _: [],
        lambda _: {},
        lambda _: "x" * 16,
    ],
    ids=["not_padded", "not_sorted", "number", "short", "not_base64url", "null", "empty", "object", "text"],
)
def test_bad_digest_list(world: World, forger: Forger, change: Callable[[list[str]], object]) -> None:
    with pytest.raises(BadDigestListError):
        world.verify(forger.token(forger.payload(_sd=change(forger.decoys(16)))))


@pytest.mark.parametrize("size", [24, 17, 48])
def test_digest_list_of_an_odd_size(world: World, forger: Forger, size: int) -> None:
    with pytest.raises(BadDigestListError):
        world.verify(forger.token(forger.payload(_sd=forger.decoys(size))))


def test_time_without_zone(world: World, forger: Forger) -> None:
    with pytest.raises(NaiveTimeError):
        world.verify(forger.token(), at=AT.replace(tzinfo=None))


# --- Disclosures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        (b"{}", BadDisclosureError),
        (b'"x"', BadDisclosureError),
        (b"[]", BadDisclosureError),
        (b'["AAAAAAAAAAAAAAAAAAAAAA"]', BadDisclosureError),
        (b'["AAAAAAAAAAAAAAAAAAAAAA","a",1,2]', BadDisclosureError),
        (b'["AAAAAAAAAAAAAAAAAAAAAA",1,2]', BadDisclosureError),
        (b'[1,"a",2]', BadDisclosureError),
        (b'["AAAAAAAAAAAAAAAAAAAAA","a",1]', BadDisclosureError),
        (b'["AAAAAAAAAAAAAAAAAAAAA.","a",1]', BadDisclosureError),
        (b'["","a",1]', BadDisclosureError),
        (b'["AAAAAAAAAAAAAAAAAAAAAA","a",NaN]', BadJsonError),
        (b'["AAAAAAAAAAAAAAAAAAAAAA","a",{"b":1,"b":2}]', DuplicateMemberError),
        (b'["AAAAAAAAAAAAAAAAAAAAAA","a","\xff"]', BadJsonError),
    ],
    ids=["object", "text", "empty", "salt_only", "four_parts", "name_not_text", "salt_not_text", "short_salt",
         "salt_not_base64url", "no_salt", "nan", "duplicate_member", "not_utf8"],
)  # fmt: skip
def test_bad_disclosure(world: World, forger: Forger, parts: bytes, error: type[SignerError]) -> None:
    disclosure = encode(parts)
    with pytest.raises(error):
        world.verify(forger.token_for(disclosure), [disclosure])


@pytest.mark.parametrize("disclosure", ["=", "é", "a b", "", 7, None, b"x"])
def test_disclosure_that_is_no_base64url_text(world: World, forger: Forger, disclosure: Any) -> None:
    with pytest.raises(SignerError):
        world.verify(forger.token(), [disclosure])


def test_disclosure_too_large(world: World, forger: Forger) -> None:
    disclosure = forger.disclosure("x", "y" * 800_000)
    with pytest.raises(TokenTooLargeError):
        world.verify(forger.token_for(disclosure), [disclosure])


def test_repeated_salt(world: World, forger: Forger) -> None:
    disclosures = [forger.disclosure(name, 1, salt="A" * 22) for name in ("a", "b")]
    with pytest.raises(RepeatedSaltError):
        world.verify(forger.token_for(*disclosures), disclosures)


def test_element_where_a_claim_is_due(world: World, forger: Forger) -> None:
    element = forger.disclosure({"id": "a"})
    with pytest.raises(BadDisclosureError):
        world.verify(forger.token_for(element), [element])


def test_claim_where_an_element_is_due(world: World, forger: Forger) -> None:
    claim = forger.disclosure("sub", "x")
    listed = forger.disclosure("inputs", forger.slots(claim))
    with pytest.raises(BadDisclosureError):
        world.verify(forger.token_for(listed), [listed, claim])


def test_line_without_its_list(world: World, forger: Forger) -> None:
    line = forger.disclosure({"id": "a"})
    listed = forger.disclosure("inputs", forger.slots(line))
    with pytest.raises(UnreferencedDisclosureError):
        world.verify(forger.token_for(listed), [line])


@pytest.mark.parametrize("value", [[], [{"id": "a"}], None, "x", {"...": "x" * 43}])
def test_list_in_plain_values(world: World, forger: Forger, value: object) -> None:
    listed = forger.disclosure("inputs", value)
    with pytest.raises(BadDisclosureError):
        world.verify(forger.token_for(listed), [listed])


def test_list_of_digests_where_the_kind_has_no_list(world: World, forger: Forger) -> None:
    listed = forger.disclosure("components", forger.slots())
    with pytest.raises(BadDisclosureError):
        world.verify(forger.token_for(listed), [listed])


@pytest.mark.parametrize("size", [1, 7, 9, 12])
def test_list_not_padded(world: World, forger: Forger, size: int) -> None:
    listed = forger.disclosure("inputs", forger.slots(size=size))
    with pytest.raises(BadDigestListError):
        world.verify(forger.token_for(listed), [listed])


@pytest.mark.parametrize("digest", [1, None, "short", ["x"], {"...": "x"}])
def test_list_of_something_else_than_digests(world: World, forger: Forger, digest: object) -> None:
    listed = forger.disclosure("inputs", [*forger.slots(size=7), {"...": digest}])
    with pytest.raises(BadDigestListError):
        world.verify(forger.token_for(listed), [listed])


@pytest.mark.parametrize("line", ["oxygen", {}, {"id": 1}, {"id": ""}, [], None])
def test_line_without_id(world: World, forger: Forger, line: object) -> None:
    element = forger.disclosure(line)
    listed = forger.disclosure("inputs", forger.slots(element))
    with pytest.raises(BadDisclosureError):
        world.verify(forger.token_for(listed), [listed, element])


def test_repeated_line(world: World, forger: Forger) -> None:
    elements = [forger.disclosure({"id": "a", "n": n}) for n in range(2)]
    listed = forger.disclosure("inputs", forger.slots(*elements))
    with pytest.raises(RepeatedLineError):
        world.verify(forger.token_for(listed), [listed, *elements])


# --- Contents -----------------------------------------------------------------------------------------------------


class Told:
    """A claim, and a list with two lines, a third that stands where a decoy would, and what `contents` may say of them."""

    def __init__(self, forger: Forger) -> None:
        self.forger = forger
        self.lines = [forger.disclosure({"id": str(n)}) for n in range(2)]
        self.other_line = forger.disclosure({"id": "0", "amount": "other"})
        slots = forger.slots(*self.lines, self.other_line)
        self.listed, self.sub = forger.disclosure("inputs", slots), forger.disclosure("sub", "x")
        self.claims = {"inputs": digest_of(self.listed), "sub": digest_of(self.sub)}
        at = [slot["..."] for slot in slots]
        self.places = sorted(at.index(digest_of(line)) for line in self.lines)
        self.other_place = at.index(digest_of(self.other_line))

    def contents(self, *, without: str = "", lists: Any = None, **claims: object) -> dict[str, object]:
        """What is true but for the changes."""
        named = {name: digest for name, digest in (self.claims | claims).items() if name != without}
        return {"claims": named, "lists": {"inputs": self.places} if lists is None else lists}

    def verify(self, world: World, contents: object) -> Statement:
        told = self.forger.disclosure("contents", contents)
        token = self.forger.token_for(told, self.listed, self.sub)
        return world.verify(token, [told, self.listed, self.sub, *self.lines])


FALSE_CONTENTS: dict[str, Callable[[Told], object]] = {
    "claim_not_named": lambda true: true.contents(without="sub"),
    "list_not_named": lambda true: true.contents(without="inputs"),
    "another_claim_of_that_name": lambda true: true.contents(sub=true.claims["inputs"], inputs=true.claims["sub"]),
    "two_names_for_one_digest": lambda true: true.contents(site=true.claims["sub"]),
    "digest_that_is_not_there": lambda true: true.contents(site=digest_of("x")),
    "digest_that_is_no_text": lambda true: true.contents(site=7),
    "names_itself": lambda true: true.contents(contents=digest_of("x")),
    "lines_not_named": lambda true: true.contents(lists={}),
    "a_line_not_named": lambda true: true.contents(lists={"inputs": true.places[:1]}),
    "another_line_named": lambda true: true.contents(lists={"inputs": sorted([true.places[0], true.other_place])}),
    "lines_of_no_list": lambda true: true.contents(lists={"inputs": true.places, "sub": []}),
    "lines_of_what_it_does_not_name": lambda true: true.contents(lists={"inputs": true.places, "stages": []}),
    "place_beyond_the_list": lambda true: true.contents(lists={"inputs": [*true.places, 8]}),
    "places_not_rising": lambda true: true.contents(lists={"inputs": true.places[::-1]}),
    "a_place_twice": lambda true: true.contents(lists={"inputs": [true.places[0], *true.places]}),
    "place_before_the_list": lambda true: true.contents(lists={"inputs": [-1, *true.places]}),
    "place_with_a_fraction": lambda true: true.contents(lists={"inputs": [float(place) for place in true.places]}),
    "place_that_is_a_truth": lambda true: true.contents(lists={"inputs": [False, True]}),
    "places_that_are_a_number": lambda true: true.contents(lists={"inputs": 2}),
    "lists_that_are_a_list": lambda true: true.contents(lists=["inputs"]),
    "claims_that_are_a_list": lambda true: {"claims": sorted(true.claims), "lists": {"inputs": true.places}},
    "no_lists": lambda true: {"claims": true.claims},
    "no_claims": lambda _true: {"lists": {}},
    "a_list": lambda _true: [],
    "null": lambda _true: None,
}


@pytest.mark.parametrize("name", FALSE_CONTENTS)
def test_contents_mismatch(world: World, forger: Forger, name: str) -> None:
    true = Told(forger)
    assert true.verify(world, true.contents()).contents == {"claims": ["inputs", "sub"], "lists": {"inputs": 2}}
    with pytest.raises(ContentsMismatchError):
        true.verify(world, FALSE_CONTENTS[name](true))


def test_contents_that_match_pass_with_further_members(world: World, forger: Forger) -> None:
    sub = forger.disclosure("sub", "x")
    told = forger.contents(sub, note="x")
    assert world.verify(forger.token_for(told, sub), [told, sub]).contents == {"claims": ["sub"], "lists": {}}


def test_a_line_where_a_decoy_would_stand_is_never_shown_beside_contents(world: World, forger: Forger) -> None:
    """Else one reader would see one line, another the other, and both a whole list."""
    one, other = (forger.disclosure({"id": "cu", "amount": amount}) for amount in ("50", "0.5"))
    listed = forger.disclosure("inputs", slots := forger.slots(one, other))
    told = forger.contents(listed, lists={"inputs": [slots.index({"...": digest_of(one)})]})
    token = forger.token_for(told, listed)
    assert world.verify(token, [told, listed, one]).contents == {"claims": ["inputs"], "lists": {"inputs": 1}}
    with pytest.raises(ContentsMismatchError, match="line"):
        world.verify(token, [told, listed, other])
    # Without `contents` nobody takes the list for whole: it may be a line, and it may be one that nobody else sees.
    assert world.verify(token, [listed, other]).contents is None


@pytest.mark.parametrize("committed", [0, 1])
def test_a_token_has_one_contents(world: World, forger: Forger, committed: int) -> None:
    """Two sets of claims, each with a `contents` of its own, fit into one token; only one of them is ever whole."""
    claims = [forger.disclosure("sub", amount) for amount in ("50", "0.5")]
    told = [forger.contents(claim) for claim in claims]
    token = forger.token_for(*told, *claims, contents_digest=digest_of(told[committed]))
    whole, refused = (told[n] for n in (committed, 1 - committed))
    assert world.verify(token, [whole, claims[committed]]).contents == {"claims": ["sub"], "lists": {}}
    for shown in ([refused], [refused, claims[1 - committed]], [whole, claims[1 - committed]]):
        with pytest.raises(ContentsMismatchError):
            world.verify(token, shown)


@pytest.mark.parametrize("committed", ["x", "A" * 43, 7, [], {}])
def test_contents_that_no_digest_stands_for(world: World, forger: Forger, committed: object) -> None:
    sub = forger.disclosure("sub", "x")
    with pytest.raises(ContentsMismatchError):
        world.verify(forger.token_for(sub, contents_digest=committed), [])


def test_another_claim_in_the_place_of_contents(world: World, forger: Forger) -> None:
    sub = forger.disclosure("sub", "x")
    with pytest.raises(ContentsMismatchError):
        world.verify(forger.token_for(sub, contents_digest=digest_of(sub)), [sub])


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None, max_examples=20
)
@given(data=st.data())
def test_whoever_holds_contents_is_never_contradicted(world: World, forger: Forger, data: st.DataObject) -> None:
    """An issuer hides rivals of each claim, each line and of `contents` itself; every reader that it could find is asked."""
    subs = [forger.disclosure("sub", n) for n in range(2)]
    lines = [[forger.disclosure({"id": name, "n": n}) for n in range(2)] for name in "ab"]
    slots = [forger.slots(*itertools.chain(*lines)) for _ in range(2)]
    lists = [forger.disclosure("inputs", value) for value in slots]

    def contents() -> str:
        at, sub = data.draw(st.integers(0, 1)), data.draw(st.sampled_from(subs))
        real = data.draw(st.sets(st.sampled_from([digest_of(line) for line in itertools.chain(*lines)])))
        places = [place for place, slot in enumerate(slots[at]) if slot["..."] in real]
        return forger.contents(sub, lists[at], lists={"inputs": places})

    told = [contents() for _ in range(2)]
    committed = data.draw(st.sampled_from([digest_of(one) for one in told]))
    token = forger.token_for(*told, *subs, *lists, contents_digest=committed)
    some: list[Sequence[str | None]] = [told, [None, *subs], [None, *lists], *([None, *rivals] for rivals in lines)]
    seen: list[tuple[Mapping[str, Any], Any]] = []
    for chosen in itertools.product(*some):
        with contextlib.suppress(ContentsMismatchError, UnreferencedDisclosureError):
            statement = world.verify(token, [one for one in chosen if one is not None])
            seen.append((statement.claims, statement.contents))
    assert len(seen) > 1
    assert all(counted == seen[0][1] for _, counted in seen)
    assert len({claims["sub"] for claims, _ in seen if "sub" in claims}) == 1
    # All lines that anybody sees are, together, as many as each of them was told.
    shown = {(line["id"], line["n"]) for claims, _ in seen for line in claims.get("inputs", [])}
    assert len(shown) == seen[0][1]["lists"]["inputs"]


# --- Whatever comes in --------------------------------------------------------------------------------------------

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


@fuzz
@given(token=st.text(max_size=200) | st.text(alphabet="abcXYZ019-_.~=", max_size=200))
def test_any_text_for_a_token(world: World, token: str) -> None:
    for reading in (lambda: world.verify(token), lambda: peek(token), lambda: disclose(token, [], ["full"])):
        with pytest.raises(SignerError):
            reading()


@fuzz
@given(header=st.binary(max_size=80) | anything.map(to_json), payload=st.binary(max_size=80) | anything.map(to_json))
def test_any_signed_structure(world: World, forger: Forger, header: bytes, payload: bytes) -> None:
    for token in (forger.token(payload, header), forger.token(payload)):
        with pytest.raises(SignerError):
            world.verify(token)
        with pytest.raises(SignerError):
            peek(token)


@fuzz
@given(name=st.sampled_from(["iss", "aud", "jti", "iat", "vct", "_sd_alg", "_sd", "contents_digest"]), value=anything)
def test_any_value_of_an_open_claim(world: World, forger: Forger, name: str, value: object) -> None:
    with pytest.raises(SignerError):
        world.verify(forger.token(forger.payload(**{name: value})))


@fuzz
@given(name=st.sampled_from(["alg", "typ", "kid", "x5c"]), value=anything)
def test_any_value_of_a_header_member(world: World, forger: Forger, name: str, value: object) -> None:
    with pytest.raises(SignerError):
        world.verify(forger.token(header=forger.header(**{name: value})))


@fuzz
@given(parts=st.binary(max_size=60) | st.lists(anything, max_size=4).map(to_json))
def test_any_disclosure(world: World, forger: Forger, parts: bytes) -> None:
    disclosure = encode(parts)
    token = forger.token_for(disclosure)
    for reading in (lambda: world.verify(token, [disclosure]), lambda: disclose(token, [disclosure], ["full"])):
        with contextlib.suppress(SignerError):
            reading()


@fuzz
@given(value=anything)
def test_any_contents_and_any_list(world: World, forger: Forger, value: object) -> None:
    told, listed = forger.disclosure("contents", value), forger.disclosure("inputs", value)
    for disclosure in (told, listed):
        with pytest.raises(SignerError):
            world.verify(forger.token_for(disclosure), [disclosure])


def test_profile_and_trust_are_asked_not_the_token(world: World, forger: Forger) -> None:
    token = forger.token()
    other = dataclasses.replace(PROFILE, vct="urn:packtrace:delivery:1")
    with pytest.raises(WrongKindError):
        verify(token, (), profile=other, trust=world.trust, at=AT)
    with pytest.raises(WrongAudienceError):
        verify(token, (), profile=PROFILE, trust=dataclasses.replace(world.trust, origin="other"), at=AT)


# --- Malleable signatures -----------------------------------------------------------------------------------------

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def mirrored(token: str) -> str:
    """The token under the other ES256 signature that verifies: s becomes n - s."""
    signed, _, text = token.rpartition(".")
    raw = decode(text, "signature")
    return f"{signed}.{encode(raw[:32] + (ORDER - int.from_bytes(raw[32:], 'big')).to_bytes(32, 'big'))}"


def test_a_mirrored_signature_makes_no_other_statement(world: World, maker: KeyPair) -> None:
    token = world.issue(maker).token
    first, second = world.verify(token), world.verify(mirrored(token))
    assert first.token != second.token
    assert (first.identity, first.signing_digest) == (second.identity, second.signing_digest)


def test_signing_again_makes_no_other_statement(world: World, forger: Forger) -> None:
    payload = forger.payload()
    first, second = (world.verify(forger.token(payload)) for _ in range(2))
    assert first.token != second.token
    assert (first.identity, first.signing_digest) == (second.identity, second.signing_digest)


def test_a_reused_jti_is_another_statement_of_the_same_identity(world: World, maker: KeyPair) -> None:
    first, second = (world.verify(world.issue(maker, {"sub": name}).token) for name in ("a", "b"))
    assert first.identity == second.identity
    assert first.signing_digest != second.signing_digest


# --- Keys of other curves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "private_key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
    ],
    ids=["P-384", "secp256k1", "Ed448"],
)
def test_certificate_for_another_curve(world: World, forger: Forger, private_key: Any) -> None:
    """Vouched for by the authority, as a careless one might."""
    leaf = forged_leaf(world.authority, private_key.public_key())
    with pytest.raises(BadKeyError):
        world.verify(forger.token(header=forger.header(x5c=[encode_padded(leaf)])))


# --- Truncated, oversized, deep, foreign bytes --------------------------------------------------------------------


def test_truncated_anywhere(world: World, key_pair: KeyPair) -> None:
    token = world.issue(key_pair).token
    for length in range(0, len(token), 13):
        with pytest.raises(SignerError):
            world.verify(token[:length])


def test_truncated_disclosure(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    for length in range(len(issued.disclosures[1])):
        with pytest.raises(SignerError):
            world.verify(issued.token, [issued.disclosures[1][:length]])


def test_deeply_nested(world: World, forger: Forger) -> None:
    deep: Any = "x"
    for _ in range(33):
        deep = [deep]
    with pytest.raises(TooDeepError):
        world.verify(forger.token(forger.payload(target=deep)))
    disclosure = forger.disclosure("sub", deep)
    with pytest.raises(TooDeepError):
        world.verify(forger.token_for(disclosure), [disclosure])
    with pytest.raises(SignerError):
        world.verify(forger.token(b"[" * 40_000))


def test_not_utf8(world: World, forger: Forger) -> None:
    payload = to_json(forger.payload(target="x")).replace(b'"x"', b'"\xff"')
    with pytest.raises(BadJsonError, match="UTF-8"):
        world.verify(forger.token(payload))


def test_claim_open_that_must_be_hidden(world: World, forger: Forger) -> None:
    with pytest.raises(ClaimNotOpenError, match="sub"):
        world.verify(forger.token(forger.payload(sub="urn:product:cathode")))


def test_an_error_says_what_where_and_what_to_do(world: World, forger: Forger) -> None:
    with pytest.raises(ClaimNotOpenError) as caught:
        world.verify(forger.token(forger.payload(sub="x")))
    assert caught.value.code == "claim_not_open"
    assert (caught.value.where, bool(caught.value.what), bool(caught.value.remedy)) == ("payload", True, True)


@pytest.mark.parametrize(
    ("bad", "error"),
    [(("exp", 1, None), ReservedClaimNameError), (("b", 1, "A" * 21), BadDisclosureError), (("b", 1, "é" * 22), BadDisclosureError)],
    ids=["name", "short_salt", "foreign_salt"],
)  # fmt: skip
def test_an_error_names_the_disclosure(
    world: World, forger: Forger, bad: tuple[str, int, str | None], error: type[SignerError]
) -> None:
    name, value, salt = bad
    disclosures = [forger.disclosure("a", 1), forger.disclosure(name, value, salt=salt)]
    with pytest.raises(error) as caught:
        world.verify(forger.token_for(*disclosures), disclosures)
    assert caught.value.where == "disclosure 1"

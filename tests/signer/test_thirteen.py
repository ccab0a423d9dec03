"""Thirteen defects of SD-JWTs, each of which some other library was seen to accept, refused by name.

| case | refused as |
|---|---|
| 02 unreferenced, 03 altered disclosure | `unreferenced_disclosure` |
| 04 repeated disclosure | `repeated_disclosure` |
| 05 repeated digest | `repeated_digest` |
| 06 disclosure that overwrites a claim | `overwriting_disclosure` |
| 07 claim named `_sd`, 08 claim named `...` | `reserved_claim_name` |
| 09 `alg` none | `algorithm_not_allowed` |
| 10 unknown `_sd_alg` | `unknown_digest_algorithm` |
| 11 no final tilde | `malformed_token` |
| 12 flipped bit | any of ours: `bad_signature` unless the form breaks first |
| 13 expired, 14 not yet valid | `claim_not_open` (there are no `exp` and `nbf`), `certificate_not_valid`, `issued_outside_validity` |

The same thirteen under the standard alone are in test_rfc9901.py. Rules: RFC 9901, sections 4.2 and 7.1.
"""

import random
from datetime import timedelta
from typing import Any

import pytest

from signer import (
    AlgorithmNotAllowedError,
    BadSignatureError,
    CertificateNotValidError,
    ClaimNotOpenError,
    IssuedOutsideValidityError,
    KeyPair,
    MalformedTokenError,
    OverwritingDisclosureError,
    RepeatedDigestError,
    RepeatedDisclosureError,
    ReservedClaimNameError,
    SignerError,
    UnknownDigestAlgorithmError,
    UnreferencedDisclosureError,
    split_presentation,
)
from signer.base64url import decode, encode
from tests.signer.world import AT, END, START, Forger, World


def test_01_a_good_forgery_passes(world: World, forger: Forger) -> None:
    """Else the cases below would show nothing."""
    disclosure = forger.disclosure("sub", "x")
    assert world.verify(forger.token_for(disclosure), [disclosure]).claims["sub"] == "x"


def test_02_unreferenced_disclosure(world: World, forger: Forger) -> None:
    with pytest.raises(UnreferencedDisclosureError):
        world.verify(forger.token(), [forger.disclosure("sub", "x")])


def test_03_altered_disclosure(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    altered = encode(decode(issued.disclosures[1], "disclosure").replace(b"cathode", b"anode"))
    assert altered != issued.disclosures[1]
    with pytest.raises(UnreferencedDisclosureError):
        world.verify(issued.token, [altered])


def test_04_repeated_disclosure(world: World, maker: KeyPair) -> None:
    issued = world.issue(maker)
    with pytest.raises(RepeatedDisclosureError):
        world.verify(issued.token, [issued.disclosures[0], issued.disclosures[0]])


def test_05_repeated_digest(world: World, forger: Forger) -> None:
    decoys = forger.decoys(15)
    with pytest.raises(RepeatedDigestError):
        world.verify(forger.token(forger.payload(_sd=sorted([*decoys, decoys[3]]))))


def test_05_digest_repeated_in_a_list(world: World, forger: Forger) -> None:
    line = forger.disclosure({"id": "a"})
    slots = forger.slots(line, size=8)
    listed = forger.disclosure("inputs", [*slots[:7], slots[0]])
    with pytest.raises(RepeatedDigestError):
        world.verify(forger.token_for(listed), [listed])


def test_05_line_in_two_lists(world: World, forger: Forger) -> None:
    line = forger.disclosure({"id": "a"})
    lists = [forger.disclosure(name, forger.slots(line)) for name in ("inputs", "stages")]
    with pytest.raises(RepeatedDigestError):
        world.verify(forger.token_for(*lists), [*lists, line])


@pytest.mark.parametrize("name", ["iss", "aud", "jti", "iat", "vct", "_sd_alg", "target"])
def test_06_disclosure_overwrites_an_open_claim(world: World, forger: Forger, name: str) -> None:
    disclosure = forger.disclosure(name, "https://evil.example")
    with pytest.raises(OverwritingDisclosureError):
        world.verify(forger.token_for(disclosure), [disclosure])


def test_06_two_disclosures_of_one_claim(world: World, forger: Forger) -> None:
    disclosures = [forger.disclosure("sub", value) for value in ("a", "b")]
    with pytest.raises(OverwritingDisclosureError):
        world.verify(forger.token_for(*disclosures), disclosures)


@pytest.mark.parametrize("name", ["_sd", "...", "exp", "nbf", "cnf"])
def test_07_and_08_claim_with_a_reserved_name(world: World, forger: Forger, name: str) -> None:
    disclosure = forger.disclosure(name, ["x"])
    with pytest.raises(ReservedClaimNameError):
        world.verify(forger.token_for(disclosure), [disclosure])


@pytest.mark.parametrize(
    "json_text",
    ['{"a":{"_sd":["x"]}}', '[[{"...":"x"}]]', '[{"...":"x"},{"a":1}]', '{"\\u005fsd":[]}', '{"a":{".\\u002e.":1}}'],
)
def test_07_and_08_reserved_name_inside_a_claim(world: World, forger: Forger, json_text: str) -> None:
    disclosure = encode(f'["{encode(random.randbytes(16))}","x",{json_text}]'.encode())
    with pytest.raises(ReservedClaimNameError):
        world.verify(forger.token_for(disclosure), [disclosure])


def test_07_reserved_name_inside_a_line(world: World, forger: Forger) -> None:
    line = forger.disclosure({"id": "a", "_sd": []})
    listed = forger.disclosure("inputs", forger.slots(line))
    with pytest.raises(ReservedClaimNameError):
        world.verify(forger.token_for(listed), [listed, line])


def test_07_reserved_name_inside_an_open_claim(world: World, forger: Forger) -> None:
    with pytest.raises(ReservedClaimNameError):
        world.verify(forger.token(forger.payload(target={"a": [{"_sd": []}]})))


@pytest.mark.parametrize("algorithm", ["none", "None", "", "EdDSA", "HS256", "ES384", 1, ["ES256"]])
def test_09_algorithm_not_allowed(world: World, forger: Forger, algorithm: object) -> None:
    with pytest.raises(AlgorithmNotAllowedError):
        world.verify(forger.token(header=forger.header(alg=algorithm)))


def test_09_algorithm_none_without_signature(world: World, forger: Forger) -> None:
    token = forger.token(header=forger.header(alg="none")).rpartition(".")[0] + "."
    with pytest.raises(AlgorithmNotAllowedError):
        world.verify(token)


@pytest.mark.parametrize(("own", "claimed"), [("ES256", "Ed25519"), ("Ed25519", "ES256")])
def test_09_algorithm_of_another_key(world: World, own: Any, claimed: str) -> None:
    forger = Forger(world.certified(own))
    with pytest.raises(AlgorithmNotAllowedError):
        world.verify(forger.token(header=forger.header(alg=claimed)))


@pytest.mark.parametrize("algorithm", ["sha-512", "SHA-256", "", 1, []])
def test_10_unknown_digest_algorithm(world: World, forger: Forger, algorithm: object) -> None:
    with pytest.raises(UnknownDigestAlgorithmError):
        world.verify(forger.token(forger.payload(_sd_alg=algorithm)))


@pytest.mark.parametrize("text", ["a.b.c", "", "a.b.c~d", "a.b.c~d~a.b.c"], ids=["bare", "empty", "cut", "key_binding"])
def test_11_no_final_tilde(text: str) -> None:
    with pytest.raises(MalformedTokenError):
        split_presentation(text)


def test_12_bit_flip_anywhere(world: World, key_pair: KeyPair) -> None:
    token = world.issue(key_pair).token
    for position in range(0, len(token), 11):
        flipped = token[:position] + chr(ord(token[position]) ^ 1) + token[position + 1 :]
        with pytest.raises(SignerError):
            world.verify(flipped)


def test_12_bit_flip_in_the_signed_bytes(world: World, key_pair: KeyPair) -> None:
    """A change that keeps the form: the last digit of `iat`."""
    header, payload, signature = world.issue(key_pair).token.split(".")
    text = decode(payload, "payload")
    at = text.index(b'"iat":') + len(b'"iat":') + 9
    flipped = encode(text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :])
    with pytest.raises(BadSignatureError):
        world.verify(f"{header}.{flipped}.{signature}")


@pytest.mark.parametrize("name", ["exp", "nbf", "sub", "cnf", "status"])
def test_13_and_14_claim_that_the_kind_does_not_open(world: World, forger: Forger, name: str) -> None:
    """Expired or not: a claim that we would have to judge by is not let in."""
    with pytest.raises(ClaimNotOpenError, match=name):
        world.verify(forger.token(forger.payload(**{name: 1})))


@pytest.mark.parametrize("at", [START - timedelta(seconds=1), END + timedelta(seconds=1)])
def test_13_and_14_certificate_not_valid(world: World, forger: Forger, at: Any) -> None:
    with pytest.raises(CertificateNotValidError):
        world.verify(forger.token(), at=at)


@pytest.mark.parametrize("offset", [START - AT - timedelta(seconds=1), timedelta(minutes=5, seconds=1)])
def test_14_issued_outside_validity(world: World, forger: Forger, offset: timedelta) -> None:
    with pytest.raises(IssuedOutsideValidityError):
        world.verify(forger.token(forger.payload(iat=int((AT + offset).timestamp()))))


@pytest.mark.parametrize("offset", [START - AT, timedelta(minutes=5)])
def test_the_edges_of_validity_pass(world: World, forger: Forger, offset: timedelta) -> None:
    issued_at = AT + offset
    assert world.verify(forger.token(forger.payload(iat=int(issued_at.timestamp())))).issued_at == issued_at

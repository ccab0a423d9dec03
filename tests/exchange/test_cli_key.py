"""``packtrace key``: a key that only its owner can use, and nothing else on the machine gets to see."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_csr

from exchange.kinds import KEY_EVENTS
from signer import enrolment_claims
from signer.keystore import load_key
from tests.exchange.desk import CATHODES, SECRET, Desk
from tests.simulator import OPERATOR, ORIGIN


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_a_new_key_and_its_request(desk: Desk, algorithm: str) -> None:
    ran = desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES, "--algorithm", algorithm)
    assert ran.code == 0
    pair = load_key(desk.folder / "k", SECRET)
    assert pair.algorithm == algorithm
    assert pair.thumbprint in ran.out
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in desk.folder.iterdir()} == {"k": 0o600, "k.csr": 0o644}
    assert load_pem_x509_csr((desk.folder / "k.csr").read_bytes()).is_signature_valid


@pytest.mark.parametrize("taken", ["k", "k.csr", "k.crt"])
def test_a_new_key_never_overwrites(desk: Desk, taken: str) -> None:
    (desk.folder / taken).write_bytes(b"precious")
    ran = desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES)
    assert ran.code == 2
    assert taken in ran.error
    assert [(one.name, one.read_bytes()) for one in desk.folder.iterdir()] == [(taken, b"precious")]


@pytest.mark.parametrize(
    "organisation",
    [
        *("", "cathodes.example", "https://電池.example", "https://a b", "https://"),
        *(
            "https://a.example/",
            "https://A.example",
            "https://you@a.example",
            "https://a.example/../b",
            "https://a.example?b",
        ),
    ],
)
def test_an_organisation_is_named_by_a_uri_as_enrolment_wants_it(desk: Desk, organisation: str) -> None:
    ran = desk.run("key", "new", desk.folder / "k", "--organisation", organisation)
    assert ran.code == 2
    assert ran.error
    assert list(desk.folder.iterdir()) == []


def test_an_unknown_algorithm_is_a_usage_error(desk: Desk) -> None:
    assert desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES, "--algorithm", "RS256").code == 2
    assert list(desk.folder.iterdir()) == []


def test_the_passphrase_is_no_argument(desk: Desk) -> None:
    """Every user of a machine sees the arguments of its commands."""
    for command in (("key", "new"), ("key", "csr"), ("key", "show"), ("attest",)):
        shown = desk.run(*command, "--help", env={"COLUMNS": "200"}).out
        assert "--passphrase-fd" in shown
        assert "--passphrase " not in shown


def test_the_passphrase_from_a_descriptor_beats_the_environment(desk: Desk) -> None:
    (desk.folder / "secret").write_text("another horse\n")
    number = os.open(desk.folder / "secret", os.O_RDONLY)
    try:
        ran = desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES, "--passphrase-fd", number)
    finally:
        os.close(number)
    assert ran.code == 0
    assert load_key(desk.folder / "k", "another horse")
    assert "horse" not in ran.out + ran.err


def test_a_short_passphrase_protects_no_new_key(desk: Desk) -> None:
    ran = desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES, env={"PACKTRACE_PASSPHRASE": "horse"})
    assert ran.code == 2
    assert "shorter than 8 characters" in ran.error
    assert list(desk.folder.iterdir()) == []


def test_on_a_terminal_the_passphrase_is_asked_twice_and_not_shown(desk: Desk) -> None:
    answers = {"Passphrase of the key: ": SECRET, "The same again: ": SECRET}
    code, shown = desk.on_terminal(answers, "key", "new", desk.folder / "k", "--organisation", CATHODES)
    assert code == 0, shown
    assert load_key(desk.folder / "k", SECRET)
    assert "horse" not in shown


def test_without_terminal_nobody_is_asked(desk: Desk) -> None:
    ran = desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES, env={"PACKTRACE_PASSPHRASE": None})
    assert ran.code == 2
    assert "--passphrase-fd" in ran.error
    assert list(desk.folder.iterdir()) == []


def test_show_tells_what_is_public(desk: Desk) -> None:
    path = desk.key()
    pair = load_key(path, SECRET)
    ran = desk.run("key", "show", path, "--json")
    assert ran.code == 0
    assert ran.json == {
        "algorithm": "ES256",
        "thumbprint": pair.thumbprint,
        "organisation": CATHODES,
        "certificate_sha256": enrolment_claims(pair.certificate, "")["certificate_sha256"],
        "not_before": ran.json["not_before"],
        "not_after": ran.json["not_after"],
    }
    assert pair.thumbprint in desk.run("key", "show", path).out


def test_show_says_where_the_certificate_belongs(desk: Desk) -> None:
    path = desk.folder / "k"
    desk.run("key", "new", path, "--organisation", CATHODES)
    assert f"{path}.crt" in desk.run("key", "show", path).out
    assert desk.run("key", "show", path, "--json").json["organisation"] is None


def bad_mode(path: Path) -> None:
    path.chmod(0o644)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [bad_mode, cut_short, gone])
@pytest.mark.parametrize("command", ["show", "csr"])
def test_a_key_that_cannot_be_used_is_named(desk: Desk, command: str, damage: object) -> None:
    path = desk.key()
    assert callable(damage)
    damage(path)
    more = ("--organisation", CATHODES) if command == "csr" else ()
    ran = desk.run("key", command, path, *more)
    assert ran.code == 2
    assert str(path) in ran.error
    assert ran.out == ""


def test_a_wrong_passphrase_is_refused_and_not_repeated(desk: Desk) -> None:
    ran = desk.run("key", "show", desk.key(), env={"PACKTRACE_PASSPHRASE": "incorrect donkey"})
    assert ran.code == 2
    assert "donkey" not in ran.error


def test_a_certificate_of_another_key_is_refused(desk: Desk) -> None:
    desk.key("mine"), desk.key("other")
    (desk.folder / "other.crt").replace(desk.folder / "mine.crt")
    ran = desk.run("key", "show", desk.folder / "mine")
    assert ran.code == 1
    assert "another key" in ran.error


def test_the_request_can_be_made_again(desk: Desk) -> None:
    path, out = desk.key(), desk.folder / "again.csr"
    assert desk.run("key", "csr", path, "--organisation", CATHODES, "--out", out).code == 0
    again, first = (load_pem_x509_csr(one.read_bytes()) for one in (out, desk.folder / "key.csr"))
    assert again.public_key() == first.public_key()
    assert desk.run("key", "csr", path, "--organisation", CATHODES, "--out", out).code == 2
    printed = desk.run("key", "csr", path, "--organisation", CATHODES).out
    assert load_pem_x509_csr(printed.encode()).is_signature_valid


def test_the_proof_of_possession_enrols_the_key(desk: Desk) -> None:
    """What `key csr --audience` prints is what the operator's enrolment needs."""
    path = desk.key()
    printed = desk.run("key", "csr", path, "--organisation", CATHODES, "--audience", ORIGIN).out
    possession = printed.rpartition(f"proof of possession for {ORIGIN}: ")[2].strip()
    pair = load_key(path, SECRET)
    assert desk.ledger.state(OPERATOR, KEY_EVENTS, enrolment_claims(pair.certificate, possession)).index == 1
    assert desk.ledger.admission.keys.enrolments[pair.thumbprint]


def test_a_request_names_the_organisation(desk: Desk) -> None:
    desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES)
    request = load_pem_x509_csr((desk.folder / "k.csr").read_bytes()).public_bytes(Encoding.DER)
    assert CATHODES.encode() in request

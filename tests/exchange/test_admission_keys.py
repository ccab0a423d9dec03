"""Admission of key events, and of statements under keys whose chain came with them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from exchange.admission import Admission
from exchange.kinds import KEY_EVENTS
from signer import (
    CertificateAuthority,
    CertificateNotTrustedError,
    CertificateNotValidError,
    Issued,
    KeyNotEnrolledError,
    KeyPair,
    KeyRevokedError,
    NotAuthorisedError,
    enrolment_claims,
    proof_of_possession,
    replacement_claims,
    revocation_claims,
)
from tests.simulator import OPERATOR, ORIGIN, START, Simulator

MAKER = "https://maker.example"
END = START + timedelta(days=900)


@pytest.fixture
def world() -> Simulator:
    return Simulator()


def intermediate(root: CertificateAuthority) -> CertificateAuthority:
    pair = KeyPair.generate("ES256")
    request = CertificateAuthority.request("Issuing", pair)
    return CertificateAuthority(pair.with_certificate(root.certify(request, "Issuing", START, END)))


def certified(authority: CertificateAuthority, *, days: int = 300) -> KeyPair:
    pair = KeyPair.generate("ES256")
    return pair.with_certificate(authority.issue(pair.csr(MAKER), MAKER, START, START + timedelta(days=days)))


def enrolment(pair: KeyPair, *chain: bytes) -> dict[str, object]:
    return dict(enrolment_claims(pair.certificate, proof_of_possession(pair, ORIGIN, MAKER), chain))


def replacement(new: KeyPair, old: KeyPair) -> dict[str, object]:
    possession = proof_of_possession(new, ORIGIN, MAKER)
    return dict(replacement_claims(new.certificate, possession, old.thumbprint))


def test_a_chain_that_came_with_the_key_is_used_later(world: Simulator) -> None:
    """At admission, and by who reads the ledger back; the trust knows the root alone."""
    issuing = intermediate(world.authority)
    old = world.keys[MAKER] = certified(issuing)
    world.state(OPERATOR, KEY_EVENTS, enrolment(old, issuing.certificate))
    world.state(MAKER, KEY_EVENTS, replacement(certified(world.authority), old))
    assert len(world.evidence()) == 3


def first_entry(world: Simulator, *, carried: bool) -> Issued:
    """An entry 0 of an operator whose certificate is an intermediate's, with or without that intermediate in it."""
    issuing, pair = intermediate(world.authority), KeyPair.generate("ES256")
    world.trust = world.trust.with_intermediates(() if carried else (issuing.certificate,))
    leaf = issuing.issue(pair.csr(OPERATOR), OPERATOR, START, START + timedelta(days=300))
    world.keys[OPERATOR] = pair.with_certificate(leaf)
    possession = proof_of_possession(pair, ORIGIN, OPERATOR)
    chain = [issuing.certificate] if carried else []
    return world.sign(OPERATOR, KEY_EVENTS, enrolment_claims(leaf, possession, chain))


@pytest.mark.parametrize("carried", [True, False], ids=["in entry 0", "in the trust file"])
def test_the_operator_s_intermediate_is_found(world: Simulator, *, carried: bool) -> None:
    issued = first_entry(world, carried=carried)
    admission = Admission(world.trust, world.policy)
    entry = admission.admit(0, issued.token, (), at=world.now)
    assert admission.seen_with(entry, ()).statement.certificate == entry.statement.certificate
    assert Admission(world.trust, world.policy).admit(0, issued.token, (), at=None).index == 0


def test_what_entry_0_carries_vouches_for_nothing(world: Simulator) -> None:
    issued = first_entry(world, carried=True)
    stranger = CertificateAuthority.create("Stranger", KeyPair.generate("ES256"), START - timedelta(days=1), END)
    trust = dataclasses.replace(world.trust, authorities=(stranger.certificate,))
    with pytest.raises(CertificateNotTrustedError):
        Admission(trust, world.policy).admit(0, issued.token, (), at=None)


def test_a_renewed_certificate_need_not_repeat_its_chain(world: Simulator) -> None:
    issuing = intermediate(world.authority)
    pair = certified(issuing)
    world.state(OPERATOR, KEY_EVENTS, enrolment(pair, issuing.certificate))
    renewed = issuing.issue(pair.csr(MAKER), MAKER, START, START + timedelta(days=800))
    assert world.state(OPERATOR, KEY_EVENTS, enrolment(pair.with_certificate(renewed))).index == 2


def test_a_key_that_nobody_vouches_for_is_not_enrolled(world: Simulator) -> None:
    foreign = CertificateAuthority.create("Foreign", KeyPair.generate("ES256"), START - timedelta(days=1), END)
    below = intermediate(foreign)
    for claims in (enrolment(certified(foreign)), enrolment(certified(below), below.certificate)):
        with pytest.raises(CertificateNotTrustedError):
            world.state(OPERATOR, KEY_EVENTS, claims)
    assert world.admission.keys.keys_of(MAKER) == ()


def test_a_key_whose_certificate_expired_is_not_enrolled(world: Simulator) -> None:
    pair = certified(world.authority, days=1)
    world.now = START + timedelta(days=2)
    with pytest.raises(CertificateNotValidError):
        world.state(OPERATOR, KEY_EVENTS, enrolment(pair))


def test_a_replacement_is_the_old_keys_and_ends_it(world: Simulator) -> None:
    world.join(MAKER, "supplier")
    old, new = world.keys[MAKER], certified(world.authority)
    with pytest.raises(NotAuthorisedError):
        world.state(OPERATOR, KEY_EVENTS, replacement(new, old))
    world.state(MAKER, KEY_EVENTS, replacement(new, old))
    with pytest.raises(KeyRevokedError):
        world.state(MAKER, KEY_EVENTS, replacement(certified(world.authority), old))
    world.keys[MAKER] = new
    world.state(MAKER, KEY_EVENTS, replacement(certified(world.authority), new))
    assert [one.enrolled for one in world.admission.keys.keys_of(MAKER)] == [1, 3, 4]


def test_a_revocation_is_the_operators(world: Simulator) -> None:
    world.join(MAKER, "supplier")
    claims = dict(revocation_claims(MAKER, world.keys[MAKER].thumbprint, "lost"))
    with pytest.raises(NotAuthorisedError):
        world.state(MAKER, KEY_EVENTS, claims)
    world.state(OPERATOR, KEY_EVENTS, claims)
    world.keys[MAKER] = certified(world.authority)
    with pytest.raises(KeyNotEnrolledError):
        world.state(MAKER, KEY_EVENTS, replacement(certified(world.authority), world.keys[MAKER]))

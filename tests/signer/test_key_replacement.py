"""Replacement, compromise and what an organisation sees of its keys."""

import pytest

from signer import (
    JSON,
    KEY_EVENT,
    AlreadyEnrolledError,
    BadCertificateError,
    BadKeyEventError,
    CertificateNotTrustedError,
    CompromiseInFutureError,
    KeyNotEnrolledError,
    KeyPair,
    KeyRevokedError,
    NotAuthorisedError,
    OrganisationMismatchError,
    SignerError,
    check_vouched,
    compromise_claims,
    read_key_event,
)
from signer.base64url import encode_padded
from tests.signer.log import OTHER, Log, enrolment, replacement
from tests.signer.world import AT, MAKER, OPERATOR, START, TwoTier, World


@pytest.fixture
def successor(world: World) -> KeyPair:
    return world.certified("Ed25519")


def test_a_replacement_hands_over_from_one_entry_to_the_next(log: Log, maker: KeyPair, successor: KeyPair) -> None:
    log.enrol(1, maker)
    log.replace(5, maker, successor)
    log.register.admit(6, log.statement(successor))
    with pytest.raises(KeyRevokedError, match=f"replaced by {successor.thumbprint}"):
        log.register.admit(6, log.statement(maker))
    with pytest.raises(KeyNotEnrolledError):
        log.register.admit(5, log.statement(successor))
    (enrolled,) = log.register.enrolments[successor.thumbprint]
    assert (enrolled.enrolled_by, enrolled.enrolled_with) == (MAKER, maker.thumbprint)
    assert enrolled.re_enrolled is None


def test_the_operator_replaces_its_own_key(log: Log, world: World, maker: KeyPair) -> None:
    new = world.certified(organisation=OPERATOR)
    log.replace(1, log.operator, new, OPERATOR)
    log.take(2, new, enrolment(maker))
    with pytest.raises(KeyRevokedError):
        log.enrol(3, world.certified())


def test_a_replacement_is_signed_by_the_old_key(log: Log, world: World, maker: KeyPair, successor: KeyPair) -> None:
    second, stranger = world.certified(), world.certified(organisation=OTHER)
    log.enrol(1, maker)
    log.enrol(2, second)
    log.enrol(3, stranger, OTHER)
    claims = replacement(successor, maker)
    for signer, issuer in ((log.operator, OPERATOR), (second, MAKER), (stranger, OTHER)):
        with pytest.raises(NotAuthorisedError) as caught:
            log.register.apply(4, log.event(signer, claims, issuer))
        assert caught.value.where == "entry 4"


def test_a_key_is_replaced_for_its_own_organisation(log: Log, world: World, maker: KeyPair) -> None:
    log.enrol(1, maker)
    foreign = world.certified(organisation=OTHER)
    with pytest.raises(NotAuthorisedError):
        log.register.apply(2, log.event(maker, replacement(foreign, maker, OTHER), MAKER))
    claims = replacement(foreign, maker, OTHER) | {"organisation": MAKER}
    with pytest.raises(OrganisationMismatchError):
        log.register.apply(2, log.event(maker, claims, MAKER))


def test_a_key_is_not_replaced_by_one_that_was_there(log: Log, world: World, maker: KeyPair) -> None:
    second = world.certified()
    log.enrol(1, maker)
    log.enrol(2, second)
    for known in (second, world.renewed(maker, start=START.replace(day=2))):
        with pytest.raises(AlreadyEnrolledError):
            log.replace(3, maker, known)


def test_an_ended_key_replaces_nothing(log: Log, maker: KeyPair, successor: KeyPair) -> None:
    log.enrol(1, maker)
    log.revoke(2, maker)
    with pytest.raises(KeyRevokedError):
        log.replace(3, maker, successor)


# --- Compromise ---------------------------------------------------------------------------------------------------


def test_a_compromised_key_is_ended_where_it_is_said(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    log.compromise(9, maker, since=4)
    log.register.admit(8, log.statement(maker))
    with pytest.raises(KeyRevokedError, match="laptop stolen"):
        log.register.admit(9, log.statement(maker))
    assert [one.compromised_since for one in log.register.keys_of(MAKER)] == [4]


def test_a_further_key_of_the_organisation_says_so_too(log: Log, maker: KeyPair, world: World) -> None:
    second = world.certified()
    log.enrol(1, maker)
    log.enrol(2, second)
    log.compromise(3, maker, since=2, signer=second)
    log.register.admit(4, log.statement(second))
    with pytest.raises(KeyRevokedError):
        log.register.admit(4, log.statement(maker))


def test_a_revoked_key_may_turn_out_to_have_been_compromised(log: Log, maker: KeyPair, world: World) -> None:
    second = world.certified()
    log.enrol(1, maker)
    log.revoke(6, maker)
    log.enrol(7, second)
    log.compromise(8, maker, since=3, signer=second)
    (first, _) = log.register.keys_of(MAKER)
    assert (first.revoked, first.reason, first.compromised_since) == (6, "lost", 3)


def test_the_earliest_since_counts(log: Log, maker: KeyPair, world: World) -> None:
    """A later declaration takes nothing back."""
    second = world.certified()
    log.enrol(1, maker)
    log.enrol(2, second)
    for index, since in ((5, 4), (6, 3), (7, 5)):
        log.compromise(index, maker, since, signer=second)
    assert [one.compromised_since for one in log.register.enrolments[maker.thumbprint]] == [3]


def test_the_operator_declares_nobody_elses_key_compromised(log: Log, maker: KeyPair, world: World) -> None:
    stranger = world.certified(organisation=OTHER)
    log.enrol(1, maker)
    log.enrol(2, stranger, OTHER)
    claims = compromise_claims(MAKER, maker.thumbprint, 1, "rivalry")
    for signer, issuer in ((log.operator, OPERATOR), (stranger, OTHER)):
        with pytest.raises(NotAuthorisedError) as caught:
            log.register.apply(3, log.event(signer, claims, issuer))
        assert caught.value.where == "entry 3"
    claims = compromise_claims(OTHER, maker.thumbprint, 1, "rivalry")
    with pytest.raises(KeyNotEnrolledError):
        log.register.apply(3, log.event(stranger, claims, OTHER))


def test_a_compromise_does_not_begin_in_the_future(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    with pytest.raises(CompromiseInFutureError) as caught:
        log.compromise(4, maker, since=5)
    assert caught.value.where == "entry 4 since"
    log.compromise(4, maker, since=4)


@pytest.mark.parametrize("since", [-1, True, "3", 3.0, None])
def test_since_is_the_index_of_an_entry(log: Log, maker: KeyPair, since: JSON) -> None:
    log.enrol(1, maker)
    claims = compromise_claims(MAKER, maker.thumbprint, 1, "lost") | {"since": since}
    with pytest.raises(BadKeyEventError):
        log.register.apply(4, log.event(maker, claims, MAKER))


@pytest.mark.parametrize(
    ("action", "changes"),
    [
        ("enrol", {"since": 1}),
        ("enrol", {"replaces": "x"}),
        ("enrol", {"reason": "x"}),
        ("compromise", {"certificate": "AAAA"}),
        ("compromise", {"chain": []}),
    ],
)
def test_an_event_says_nothing_that_its_action_does_not_have(
    log: Log, maker: KeyPair, action: str, changes: dict[str, JSON]
) -> None:
    claims = enrolment(maker) if action == "enrol" else compromise_claims(MAKER, maker.thumbprint, 0, "lost")
    with pytest.raises(BadKeyEventError, match=next(iter(changes))):
        log.register.apply(1, log.event(log.operator, claims | changes))


# --- What an organisation watches ---------------------------------------------------------------------------------


def test_an_organisation_lists_the_keys_in_its_name(log: Log, world: World, maker: KeyPair, successor: KeyPair) -> None:
    log.enrol(1, maker)
    log.enrol(2, world.certified(organisation=OTHER), OTHER)
    log.replace(3, maker, successor)
    log.enrol(4, world.certified())
    found = log.register.keys_of(MAKER)
    assert [(one.enrolled, one.enrolled_by) for one in found] == [(1, OPERATOR), (3, MAKER), (4, OPERATOR)]
    assert [one.enrolled for one in log.register.keys_of(MAKER, after=3)] == [4]
    assert log.register.keys_of("https://nobody.example") == ()


def test_a_key_that_the_operator_brought_in_for_another_is_marked(
    log: Log, world: World, maker: KeyPair, successor: KeyPair
) -> None:
    second = world.certified()
    log.enrol(1, maker)
    log.enrol(17, second)
    log.replace(20, second, successor)
    log.enrol(21, world.renewed(successor, start=START.replace(day=2)))
    assert [one.re_enrolled for one in log.register.keys_of(MAKER)] == [None, 17, 17, 17]


def test_a_renewed_certificate_is_no_re_enrolment(log: Log, world: World, maker: KeyPair) -> None:
    log.enrol(1, maker)
    log.enrol(2, world.renewed(maker, start=START.replace(day=2)))
    assert [one.re_enrolled for one in log.register.keys_of(MAKER)] == [None, None]


# --- Intermediates in the event -----------------------------------------------------------------------------------


def test_intermediates_travel_in_the_enrolment(log: Log, two_tier: TwoTier) -> None:
    """The log's trust knows the root alone."""
    member = two_tier.certified()
    bare = two_tier.root_only
    with pytest.raises(CertificateNotTrustedError):
        bare.verify(bare.issue(member).token)
    log.take(1, log.operator, enrolment(member, chain=(two_tier.authority.certificate,)))
    trust = log.register.trusting(bare.trust, member.thumbprint)
    assert World(two_tier.authority, trust).verify(bare.issue(member).token).issuer == MAKER
    assert log.register.trusting(bare.trust, "another") is bare.trust


def test_an_intermediate_of_a_foreign_root_vouches_for_nobody(log: Log, two_tier: TwoTier, world: World) -> None:
    member = two_tier.certified()
    event = log.event(log.operator, enrolment(member, chain=(two_tier.authority.certificate,)))
    check_vouched(read_key_event(1, event), two_tier.root_only.trust, AT)
    with pytest.raises(CertificateNotTrustedError) as caught:
        check_vouched(read_key_event(1, event), world.trust, AT)
    assert caught.value.where == "certificate"
    log.register = log.register.apply(1, event)
    trust = log.register.trusting(world.trust, member.thumbprint)
    with pytest.raises(CertificateNotTrustedError):
        World(world.authority, trust).verify(world.issue(member).token)


def test_a_chain_is_of_authorities(log: Log, maker: KeyPair, two_tier: TwoTier) -> None:
    good = encode_padded(two_tier.authority.certificate)
    for chain, error in (
        ([encode_padded(maker.certificate)], BadCertificateError),
        (["AAAA"], BadCertificateError),
        ([7], BadCertificateError),
        (["="], SignerError),
        ("AAAA", BadKeyEventError),
        ([good] * 5, BadKeyEventError),
    ):
        with pytest.raises(error, match="entry 1 chain"):
            log.register.apply(1, log.event(log.operator, enrolment(maker) | {"chain": chain}))


def test_the_profile_opens_what_the_claims_have(log: Log, maker: KeyPair, successor: KeyPair) -> None:
    claims = replacement(successor, maker) | compromise_claims(MAKER, maker.thumbprint, 0, "x") | {"chain": []}
    assert claims.keys() == KEY_EVENT.open_claims

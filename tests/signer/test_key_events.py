"""The register of keys: who was enrolled when, by whom, and until which entry."""

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signer import (
    JSON,
    KEY_EVENT,
    AlreadyEnrolledError,
    BadCertificateError,
    BadKeyEventError,
    BadPossessionError,
    KeyNotEnrolledError,
    KeyPair,
    KeyRegister,
    KeyRevokedError,
    NotAuthorisedError,
    OrganisationMismatchError,
    SignerError,
    WrongKindError,
    proof_of_possession,
    revocation_claims,
)
from signer.base64url import decode
from signer.keys import verify_signature
from tests.signer.log import OTHER, Log, enrolment
from tests.signer.world import MAKER, OPERATOR, ORIGIN, START, World


def test_an_enrolled_key_counts_from_the_next_entry(log: Log, maker: KeyPair) -> None:
    log.enrol(5, maker)
    log.register.admit(6, log.statement(maker))
    for index in (4, 5):
        with pytest.raises(KeyNotEnrolledError):
            log.register.admit(index, log.statement(maker))


def test_a_key_that_was_never_enrolled_is_refused(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    with pytest.raises(KeyNotEnrolledError):
        log.register.admit(9, log.statement(world.certified()))


def test_another_certificate_of_an_enrolled_key_is_refused(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    renewed = world.renewed(maker, start=START.replace(day=2))
    with pytest.raises(KeyNotEnrolledError):
        log.register.admit(9, log.statement(renewed))


def test_a_renewed_certificate_counts_beside_the_old_one(log: Log, maker: KeyPair, world: World) -> None:
    renewed = world.renewed(maker, start=START.replace(day=2))
    log.enrol(1, maker)
    log.enrol(4, renewed)
    for key_pair in (maker, renewed):
        log.register.admit(5, log.statement(key_pair))
    with pytest.raises(KeyNotEnrolledError):
        log.register.admit(4, log.statement(renewed))
    log.revoke(6, maker)
    for key_pair in (maker, renewed):
        with pytest.raises(KeyRevokedError):
            log.register.admit(6, log.statement(key_pair))


def test_a_revoked_key_counts_up_to_the_entry_before(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    log.revoke(7, maker)
    log.register.admit(6, log.statement(maker))
    for index in (7, 8, 700):
        with pytest.raises(KeyRevokedError):
            log.register.admit(index, log.statement(maker))


def test_a_revoked_key_does_not_come_back(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    log.revoke(2, maker)
    with pytest.raises(KeyRevokedError):
        log.enrol(3, world.renewed(maker, start=START.replace(day=2)))


def test_a_key_is_revoked_once(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    log.revoke(2, maker)
    with pytest.raises(KeyRevokedError):
        log.revoke(3, maker)


def test_the_register_does_not_change_behind_its_holder(log: Log, maker: KeyPair) -> None:
    before = log.register
    log.enrol(1, maker)
    with pytest.raises(KeyNotEnrolledError):
        before.admit(9, log.statement(maker))
    with pytest.raises(TypeError):
        log.register.enrolments["x"] = ()  # type: ignore[index]


# --- Entry 0 ------------------------------------------------------------------------------------------------------


def test_entry_0_is_signed_by_the_key_that_it_enrols(log: Log, world: World, maker: KeyPair) -> None:
    event = log.event(log.operator, enrolment(maker))
    with pytest.raises(NotAuthorisedError):
        KeyRegister.empty().apply(0, event)


def test_entry_0_counts_for_the_operator_alone(log: Log, maker: KeyPair) -> None:
    assert log.register.operator == OPERATOR
    log.register.admit(0, log.statement(log.operator, OPERATOR))
    with pytest.raises(KeyNotEnrolledError):
        log.register.admit(0, log.statement(maker))


def test_nothing_comes_before_the_operator(log: Log, maker: KeyPair) -> None:
    event = log.event(log.operator, enrolment(log.operator, OPERATOR))
    with pytest.raises(KeyNotEnrolledError):
        KeyRegister.empty().apply(1, event)
    with pytest.raises(KeyNotEnrolledError):
        KeyRegister.empty().admit(0, log.statement(maker))


def test_a_revocation_is_no_entry_0(log: Log) -> None:
    event = log.event(log.operator, revocation_claims(OPERATOR, log.operator.thumbprint, "lost"))
    with pytest.raises(KeyNotEnrolledError):
        KeyRegister.empty().apply(0, event)


@pytest.mark.parametrize("index", [0, 3, -1])
def test_events_come_in_order(log: Log, maker: KeyPair, world: World, index: int) -> None:
    log.enrol(3, maker)
    with pytest.raises(BadKeyEventError, match="out of order"):
        log.enrol(index, world.certified())


# --- Who may ------------------------------------------------------------------------------------------------------


def test_a_stranger_enrols_nobody(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    stranger = world.certified(organisation=OTHER)
    with pytest.raises(NotAuthorisedError):
        log.register.apply(2, log.event(maker, enrolment(stranger, OTHER), MAKER))


def test_a_stranger_revokes_nobody(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    stranger = world.certified(organisation=OTHER)
    log.enrol(2, stranger, OTHER)
    claims = revocation_claims(MAKER, maker.thumbprint, "rivalry")
    with pytest.raises(NotAuthorisedError):
        log.register.apply(3, log.event(stranger, claims, OTHER))


def test_no_key_is_revoked_under_the_name_of_another_organisation(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    log.enrol(2, world.certified(organisation=OTHER), OTHER)
    with pytest.raises(KeyNotEnrolledError):
        log.revoke(3, maker, OTHER)


@pytest.mark.parametrize("claims", ["enrolment", "revocation"])
def test_an_organisation_neither_enrols_nor_revokes(log: Log, maker: KeyPair, world: World, claims: str) -> None:
    """It replaces its key with the old one, and declares a key compromised; all else is the operator's."""
    log.enrol(1, maker)
    said = {
        "enrolment": enrolment(world.certified()),
        "revocation": revocation_claims(MAKER, maker.thumbprint, "no longer used"),
    }[claims]
    with pytest.raises(NotAuthorisedError) as caught:
        log.register.apply(2, log.event(maker, said, MAKER))
    assert "operator" in caught.value.what
    assert caught.value.where == "entry 2"


def test_an_organisation_does_not_enrol_its_first_key(log: Log, maker: KeyPair) -> None:
    with pytest.raises(KeyNotEnrolledError):
        log.register.apply(1, log.event(maker, enrolment(maker), MAKER))


def test_a_revoked_key_enrols_no_other(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    log.revoke(2, maker)
    with pytest.raises(KeyRevokedError):
        log.register.apply(3, log.event(maker, enrolment(world.certified()), MAKER))


def test_a_key_is_not_shared_between_organisations(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(1, maker)
    with pytest.raises(AlreadyEnrolledError):
        log.enrol(2, world.renewed(maker, OTHER), OTHER)


def test_a_certificate_is_enrolled_once(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    with pytest.raises(AlreadyEnrolledError):
        log.enrol(2, maker)


# --- What an event says -------------------------------------------------------------------------------------------


def test_proof_of_possession_is_over_the_documented_lines(maker: KeyPair) -> None:
    message = f"packtrace-key-possession:1\n{ORIGIN}\n{MAKER}\n{maker.thumbprint}\n".encode("ascii")
    signature = decode(proof_of_possession(maker, ORIGIN, MAKER), "proof")
    verify_signature(maker.public_key, signature, message, "proof")


def test_proof_for_another_log_organisation_or_key_is_refused(log: Log, maker: KeyPair, world: World) -> None:
    other = world.certified()
    proofs = [
        proof_of_possession(maker, "ledger.example/2025", MAKER),
        proof_of_possession(maker, ORIGIN, OTHER),
        proof_of_possession(other, ORIGIN, MAKER),
        "AAAA",
        "",
    ]
    for proof in proofs:
        claims = enrolment(maker) | {"proof_of_possession": proof}
        with pytest.raises(BadPossessionError):
            log.register.apply(1, log.event(log.operator, claims))


@pytest.mark.parametrize("name", ["a\nb", "a\rb", "é", "a\x7fb"])
def test_a_name_that_is_not_one_line_is_not_proven(maker: KeyPair, name: str) -> None:
    with pytest.raises(BadKeyEventError):
        proof_of_possession(maker, name, MAKER)
    with pytest.raises(BadKeyEventError):
        proof_of_possession(maker, ORIGIN, name)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"action": "rotate"}, BadKeyEventError),
        ({"action": 1}, BadKeyEventError),
        ({"organisation": OTHER}, OrganisationMismatchError),
        ({"thumbprint": "x"}, BadKeyEventError),
        ({"certificate_sha256": "00" * 32}, BadKeyEventError),
        ({"certificate": "AAAA"}, BadCertificateError),
        ({"certificate": None}, BadKeyEventError),
    ],
    ids=["unknown_action", "action_not_text", "other_organisation", "other_thumbprint", "other_digest",
         "no_certificate_in_it", "certificate_missing"],
)  # fmt: skip
def test_an_enrolment_that_contradicts_itself(
    log: Log, maker: KeyPair, changes: dict[str, JSON], error: type[SignerError]
) -> None:
    with pytest.raises(error):
        log.register.apply(1, log.event(log.operator, enrolment(maker) | changes))


def test_the_expected_certificate_is_compared(log: Log, maker: KeyPair) -> None:
    event = log.event(log.operator, enrolment(maker))
    assert log.register.apply(1, event, maker.certificate).last == 1
    with pytest.raises(BadKeyEventError):
        log.register.apply(1, event, log.operator.certificate)


def test_a_revocation_needs_a_reason(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    claims = revocation_claims(MAKER, maker.thumbprint, "lost")
    del claims["reason"]
    with pytest.raises(BadKeyEventError, match="reason"):
        log.register.apply(2, log.event(log.operator, claims))


def test_other_statements_are_no_key_events(log: Log, maker: KeyPair) -> None:
    with pytest.raises(WrongKindError):
        log.register.apply(1, log.statement(maker))


texts = (
    st.text(max_size=9)
    | st.none()
    | st.integers()
    | st.sampled_from(["enrol", "replace", "revoke", "compromise", MAKER, OPERATOR])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(KEY_EVENT.open_claims)), texts))
def test_any_claims_end_in_our_error(log: Log, claims: dict[str, JSON]) -> None:
    event = log.event(log.operator, {})
    with pytest.raises(SignerError):
        log.register.apply(1, dataclasses.replace(event, claims=claims))

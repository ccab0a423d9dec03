"""Verdicts: what later key events and attested times say about a statement that was admitted once."""

import dataclasses
from datetime import datetime, timedelta

import pytest

from signer import (
    UNDATED,
    BadPolicyDigestError,
    CertificateAuthority,
    Interval,
    KeyNotEnrolledError,
    KeyPair,
    Statement,
    Trust,
    Verdict,
    doubts,
    judge,
    signers_in_doubt,
)
from tests.signer.log import Log, enrolment
from tests.signer.world import AT, END, MAKER, OPERATOR, ORIGIN, START, TwoTier, World

POLICY = "ab" * 32
HOUR = timedelta(hours=1)
#: Around the time at which the statements of these tests say that they were issued.
THEN = Interval(AT - HOUR, AT + HOUR)


def verdict(log: Log, statement: Statement, index: int, at: Interval = THEN, trust: Trust | None = None) -> Verdict:
    return judge(statement, trust or log.world.trust, at, log.register, index=index, policy=POLICY)


def word_at(log: Log, key_pair: KeyPair, index: int) -> str:
    return verdict(log, log.statement(key_pair), index).word


def codes(found: Verdict) -> list[str]:
    return [reason.code for reason in found.reasons]


@pytest.fixture
def successor(world: World) -> KeyPair:
    return world.certified("Ed25519")


def test_a_statement_against_which_nothing_is_known_is_valid(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    found = verdict(log, log.statement(maker), 4)
    assert (found.word, found.reasons, found.notes) == ("valid", (), ())
    assert (found.index, found.organisation, found.thumbprint) == (4, MAKER, maker.thumbprint)
    assert (found.policy, found.known_to, found.interval) == (POLICY, 1, THEN)
    assert str(found) == f"valid\npolicy {POLICY}"


def test_a_verdict_is_a_frozen_value(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    statement = log.statement(maker)
    assert verdict(log, statement, 4) == verdict(log, statement, 4)
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict(log, statement, 4).word = "invalid"  # type: ignore[misc]


def test_a_statement_that_never_was_admissible_has_no_verdict(log: Log, maker: KeyPair, world: World) -> None:
    log.enrol(5, maker)
    for statement, index in ((log.statement(maker), 5), (log.statement(world.certified()), 9)):
        with pytest.raises(KeyNotEnrolledError) as caught:
            verdict(log, statement, index)
        assert caught.value.where == f"entry {index}"


@pytest.mark.parametrize("policy", ["", "ab" * 31, "AB" * 32, "sha256:" + "ab" * 32])
def test_a_verdict_names_its_policy(log: Log, maker: KeyPair, policy: str) -> None:
    log.enrol(1, maker)
    with pytest.raises(BadPolicyDigestError):
        judge(log.statement(maker), log.world.trust, THEN, log.register, index=2, policy=policy)


# --- Revocation ---------------------------------------------------------------------------------------------------


def test_entries_from_the_revocation_on_are_invalid(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    log.revoke(7, maker)
    assert [word_at(log, maker, index) for index in (2, 6, 7, 8, 700)] == ["valid"] * 2 + ["invalid"] * 3
    (reason,) = verdict(log, log.statement(maker), 8).reasons
    assert (reason.code, reason.where) == ("key_revoked", "entry 8")
    assert reason.what == "the key was revoked at entry 7: lost"


def test_entries_of_a_replaced_key_are_invalid_from_there_on(log: Log, maker: KeyPair, successor: KeyPair) -> None:
    log.enrol(1, maker)
    event = log.replace(7, maker, successor)
    assert [word_at(log, maker, index) for index in (6, 8)] == ["valid", "invalid"]
    assert word_at(log, successor, 8) == "valid"
    # The replacement itself is the last that the old key signs.
    assert verdict(log, event, 7).word == "valid"


def test_a_key_of_the_operator_that_was_revoked_stays_good_for_what_came_before(log: Log, world: World) -> None:
    spare = world.certified(organisation=OPERATOR)
    log.enrol(1, spare, OPERATOR)
    maker = world.certified()
    event = log.take(2, log.operator, enrolment(maker))
    log.revoke(3, log.operator, OPERATOR)
    assert verdict(log, event, 2).word == "valid"
    assert word_at(log, maker, 4) == "valid"


def test_a_key_event_after_the_end_of_its_key_is_invalid(log: Log, maker: KeyPair, successor: KeyPair) -> None:
    """Only the event that ends the key is the key's own."""
    log.enrol(1, maker)
    event = log.replace(7, maker, successor)
    assert [verdict(log, event, index).word for index in (7, 8)] == ["valid", "invalid"]


# --- Compromise ---------------------------------------------------------------------------------------------------


def test_entries_from_since_on_are_suspect_and_then_invalid(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    event = log.compromise(9, maker, since=4)
    words = [word_at(log, maker, index) for index in (2, 3, 4, 8, 9, 10)]
    assert words[:4] == ["valid", "valid", "suspect", "suspect"]
    assert words[5] == "invalid"
    # Nor is the declaration above doubt, made with the key in question; it counts all the same.
    assert verdict(log, event, 9).word == "suspect"
    (reason,) = verdict(log, log.statement(maker), 4).reasons
    assert (reason.code, reason.where) == ("key_compromised", "entry 4")


def test_what_is_invalid_and_suspect_is_invalid_with_both_reasons(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    log.compromise(9, maker, since=4)
    assert codes(verdict(log, log.statement(maker), 12)) == ["key_revoked", "key_compromised"]


def test_a_key_that_a_thief_put_in_place_is_suspect(log: Log, world: World, maker: KeyPair) -> None:
    """The old key was in other hands from entry 4 on; it was replaced, and the new one again, before anybody knew."""
    stolen, next_one, rescue = world.certified(), world.certified(), world.certified()
    log.enrol(1, maker)
    log.replace(5, maker, stolen)
    log.replace(7, stolen, next_one)
    assert word_at(log, next_one, 8) == "valid"
    log.enrol(9, rescue)
    log.compromise(10, maker, since=4, signer=rescue)
    for key_pair, index in ((stolen, 6), (next_one, 8), (next_one, 12)):
        found = verdict(log, log.statement(key_pair), index)
        assert (found.word, codes(found)) == ("suspect", ["enrolled_by_compromised_key"])
        assert found.reasons[0].where == "entry 5"
    assert word_at(log, rescue, 11) == "valid"


def test_a_renewed_certificate_does_not_clear_a_suspect_key(log: Log, world: World, maker: KeyPair) -> None:
    stolen = world.certified()
    log.enrol(1, maker)
    log.replace(5, maker, stolen)
    renewed = world.renewed(stolen, start=START.replace(day=2))
    log.enrol(6, renewed)
    rescue = world.certified()
    log.enrol(8, rescue)
    log.compromise(9, maker, since=4, signer=rescue)
    assert word_at(log, renewed, 7) == "suspect"


def test_a_replacement_before_the_compromise_is_above_doubt(
    log: Log, world: World, maker: KeyPair, successor: KeyPair
) -> None:
    log.enrol(1, maker)
    log.replace(5, maker, successor)
    log.compromise(9, maker, since=6, signer=successor)
    assert word_at(log, successor, 10) == "valid"
    assert word_at(log, maker, 4) == "valid"


def test_keys_that_a_compromised_operator_enrolled_are_suspect(log: Log, world: World, maker: KeyPair) -> None:
    early = world.certified(organisation="https://early.example")
    log.enrol(1, early, "https://early.example")
    log.enrol(5, maker)
    log.compromise(9, log.operator, since=3, organisation=OPERATOR)
    assert verdict(log, log.statement(early, "https://early.example"), 7).word == "valid"
    assert codes(verdict(log, log.statement(maker), 7)) == ["enrolled_by_compromised_key"]
    # Who is looked at, and why, without a verdict on the whole statement.
    assert signers_in_doubt(log.register) == {MAKER, OPERATOR}
    assert [one.code for one in doubts(log.register, log.statement(maker).certificate, 7)] == [
        "enrolled_by_compromised_key"
    ]
    assert doubts(log.register, log.statement(early, "https://early.example").certificate, 7) == ()


def test_a_replacement_at_since_itself_is_in_doubt(log: Log, maker: KeyPair, successor: KeyPair) -> None:
    log.enrol(1, maker)
    log.replace(5, maker, successor)
    log.compromise(9, maker, since=5, signer=successor)
    assert word_at(log, successor, 6) == "suspect"


# --- Re-enrolment -------------------------------------------------------------------------------------------------


def test_a_key_that_the_old_one_did_not_sign_for_is_noted(
    log: Log, world: World, maker: KeyPair, successor: KeyPair
) -> None:
    second = world.certified()
    log.enrol(1, maker)
    log.enrol(17, second)
    log.replace(20, second, successor)
    assert verdict(log, log.statement(maker), 18).notes == ()
    for key_pair, index in ((second, 18), (successor, 21)):
        found = verdict(log, log.statement(key_pair), index)
        assert (found.word, found.notes) == ("valid", ("re-enrolled by the operator at 17",))
        assert "re-enrolled by the operator at 17" in str(found)


# --- Time ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("earliest", "latest", "word"),
    [
        (AT, END, "valid"),
        (None, END, "valid"),
        (START - HOUR, END, "valid"),
        (AT, None, "time not decidable"),
        (None, None, "time not decidable"),
        (AT, END + HOUR, "time not decidable"),
        (END + HOUR, END + 2 * HOUR, "invalid"),
        (END + HOUR, None, "invalid"),
        (START - 2 * HOUR, START - HOUR, "invalid"),
        (None, START - HOUR, "invalid"),
    ],
)
def test_a_certificate_has_to_be_valid_for_certain(
    log: Log, maker: KeyPair, earliest: datetime | None, latest: datetime | None, word: str
) -> None:
    log.enrol(1, maker)
    found = verdict(log, log.statement(maker), 4, Interval(earliest, latest))
    assert found.word == word
    undated = word != "invalid" and (earliest is None or earliest < START)
    assert (UNDATED in found.notes) >= undated
    if word == "time not decidable":
        assert (codes(found), found.reasons[0].where) == (["time_not_decidable"], "entry 4 certificate")


def test_an_entry_that_was_there_before_it_says_it_was_issued_is_invalid(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    tolerated = Interval(START, AT - timedelta(minutes=5))
    assert verdict(log, log.statement(maker), 4, tolerated).word == "valid"
    found = verdict(log, log.statement(maker), 4, Interval(START, AT - timedelta(minutes=5, seconds=1)))
    assert (found.word, codes(found)) == ("invalid", ["issued_outside_validity"])
    assert found.reasons[0].where == "entry 4 iat"


def test_suspect_outweighs_an_open_time(log: Log, maker: KeyPair) -> None:
    log.enrol(1, maker)
    log.compromise(9, maker, since=2)
    found = verdict(log, log.statement(maker), 3, Interval())
    assert (found.word, codes(found)) == ("suspect", ["key_compromised", "time_not_decidable"])


def test_an_authority_that_ends_before_its_leaf_decides(log: Log) -> None:
    """An authority of an organisation's own, which issued for longer than it lasts."""
    root = CertificateAuthority.create("Own root", KeyPair.generate("ES256"), START, START + timedelta(days=3650))
    key_pair, name = KeyPair.generate("ES256"), "Own intermediate"
    request = CertificateAuthority.request(name, key_pair)
    short, long = (root.certify(request, name, START, AT + timedelta(days=days)) for days in (10, 900))
    leaf = KeyPair.generate("ES256")
    issuing = CertificateAuthority(key_pair.with_certificate(long))
    member = leaf.with_certificate(issuing.issue(leaf.csr(MAKER), MAKER, START, END))
    authorities = (*log.world.trust.authorities, root.certificate)
    trust, renewed = (Trust(authorities, {}, ORIGIN, (intermediate,)) for intermediate in (short, long))
    statement = World(issuing, trust).verify(log.world.issue(member).token)
    log.enrol(1, member)
    for after, before, word in ((1, 9, "valid"), (1, 11, "time not decidable"), (11, 12, "invalid")):
        at = Interval(AT + timedelta(days=after), AT + timedelta(days=before))
        assert verdict(log, statement, 4, at, trust).word == word
        assert verdict(log, statement, 4, at, renewed).word == "valid"


def test_the_intermediates_of_the_enrolment_count(log: Log, two_tier: TwoTier) -> None:
    member = two_tier.certified()
    log.take(1, log.operator, enrolment(member, chain=(two_tier.authority.certificate,)))
    statement = two_tier.verify(two_tier.issue(member).token)
    assert verdict(log, statement, 2, trust=two_tier.root_only.trust).word == "valid"

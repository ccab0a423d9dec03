"""Admission: who may say what, about which product, citing what; nothing is taken in otherwise."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bom_graph import RecordError, UnitError
from exchange.admission import Admission
from exchange.errors import RightsError, StatementError
from exchange.kinds import (
    ACTIVITY_DATA,
    BATTERY_MODEL,
    BILL_OF_MATERIALS,
    KEY_EVENTS,
    ROLE_GRANT,
    RULE_SET_RELEASE,
    Kind,
    RoleGrant,
    check_spelling,
)
from signer import CitationError, Issued, Profile, SignerError, enrolment_claims, proof_of_possession
from tests.simulator import OPERATOR, ORIGIN, Simulator

MAKER = "https://maker.example"
Claims = dict[str, Any]


@pytest.fixture
def world() -> Simulator:
    """A log with one supplier and its first statement, entry 3."""
    simulator = Simulator()
    simulator.join(MAKER, "supplier")
    simulator.state(MAKER, ACTIVITY_DATA, activity())
    return simulator


def activity(product: str = f"{MAKER}/cell", **more: Any) -> Claims:
    return {
        "sub": product,
        "process_class": "cell_manufacturing",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [{"product": product, "amount": "1", "unit": "kg", "obtained": "measured"}],
        **more,
    }


def citing(index: int, leaf_hash: str = "ab" * 32, origin: str = ORIGIN) -> Claims:
    """Activity data with an input that cites an entry."""
    source = {
        "id": "a",
        "name": "part",
        "product": f"{MAKER}/part",
        "citation": {"origin": origin, "index": index, "leaf_hash": leaf_hash},
    }
    return activity(inputs=[{**source, "amount": "1", "unit": "kg", "obtained": "measured"}])


def refuse(world: Simulator, issued: Issued, *, index: int | None = None) -> Exception:
    """The error that admission raises; nothing of the statement may stay behind."""
    keys, roles = world.admission.keys, dict(world.admission.roles)
    with pytest.raises((SignerError, StatementError, RecordError, UnitError)) as caught:
        world.admission.admit(
            len(world.entries) if index is None else index, issued.token, issued.disclosures, at=world.now
        )
    assert (world.admission.keys, dict(world.admission.roles)) == (keys, roles)
    return caught.value


def test_a_statement_becomes_an_entry(world: Simulator) -> None:
    entry = world.state(MAKER, ACTIVITY_DATA, activity())
    assert entry.index == 4
    assert entry.statement.issuer == MAKER
    assert entry.record is not None
    assert entry.record.is_whole
    assert not entry.is_sealed


def test_check_alone_changes_nothing(world: Simulator) -> None:
    issued = world.sign(OPERATOR, ROLE_GRANT, {"organisation": MAKER, "roles": ["pack_maker"]})
    checked = world.admission.check(4, issued.token, issued.disclosures, at=world.now)
    assert world.admission.roles[MAKER].roles == ("supplier",)
    world.admission.take(checked)
    assert world.admission.roles[MAKER].roles == ("pack_maker",)


def test_entry_0_has_to_enrol_the_operator(world: Simulator) -> None:
    fresh = Admission(world.trust, world.policy)
    grant = world.sign(OPERATOR, ROLE_GRANT, {"organisation": MAKER, "roles": ["supplier"]})
    with pytest.raises(StatementError, match="entry 0"):
        fresh.admit(0, grant.token, grant.disclosures, at=world.now)
    assert dict(fresh.roles) == {}


def test_entry_0_makes_its_signer_the_operator(world: Simulator) -> None:
    assert world.admission.roles[OPERATOR].roles == ("operator",)


def test_an_organisation_that_is_not_enrolled_is_refused(world: Simulator) -> None:
    stranger = "https://stranger.example"
    error = refuse(world, world.sign(stranger, ACTIVITY_DATA, activity(f"{stranger}/cell")))
    assert isinstance(error, SignerError)
    assert error.code == "key_not_enrolled"


def test_an_enrolled_organisation_without_role_is_refused(world: Simulator) -> None:
    guest = "https://guest.example"
    pair = world.key(guest)
    world.state(OPERATOR, KEY_EVENTS, enrolment_claims(pair.certificate, proof_of_possession(pair, ORIGIN, guest)))
    error = refuse(world, world.sign(guest, ACTIVITY_DATA, activity(f"{guest}/cell")))
    assert isinstance(error, StatementError)
    assert "roles none" in str(error)
    assert error.where == "iss"


@pytest.mark.parametrize(
    ("kind", "claims", "needed"),
    [
        (BATTERY_MODEL, {"sub": f"{MAKER}/pack"}, "pack_maker"),
        (ROLE_GRANT, {"organisation": MAKER, "roles": ["operator"]}, "operator"),
        (RULE_SET_RELEASE, {"id": "x", "version": "1", "digest": "00" * 32}, "operator"),
    ],
    ids=["a battery model by a supplier", "a role granted to oneself", "a rule set by a supplier"],
)
def test_a_kind_is_signed_by_its_role_only(world: Simulator, kind: Kind, claims: Claims, needed: str) -> None:
    error = refuse(world, world.sign(MAKER, kind, claims))
    assert isinstance(error, StatementError)
    assert needed in error.what


def test_the_operator_states_no_products(world: Simulator) -> None:
    assert isinstance(refuse(world, world.sign(OPERATOR, ACTIVITY_DATA, activity(f"{OPERATOR}/cell"))), StatementError)


@pytest.mark.parametrize("product", ["https://other.example/cell", f"{MAKER}x/cell", MAKER, "urn:product:cell"])
def test_a_product_of_another_organisation_is_refused(world: Simulator, product: str) -> None:
    error = refuse(world, world.sign(MAKER, ACTIVITY_DATA, activity(product)))
    assert isinstance(error, StatementError)
    assert error.where == "sub"
    assert product in error.what


@pytest.mark.parametrize("ahead", [0, 1, 100], ids=["its own index", "the next entry", "far ahead"])
def test_a_citation_points_back(world: Simulator, ahead: int) -> None:
    index = len(world.entries)
    error = refuse(world, world.sign(MAKER, ACTIVITY_DATA, citing(index + ahead)))
    assert isinstance(error, CitationError)
    assert error.where == "inputs/a/citation"
    assert f"cites entry {index + ahead}" in error.what


def test_a_citation_of_another_log_is_refused(world: Simulator) -> None:
    error = refuse(world, world.sign(MAKER, ACTIVITY_DATA, citing(0, origin="other.example/log")))
    assert isinstance(error, CitationError)
    assert "other.example/log" in error.what


def test_a_citation_of_an_earlier_entry_is_taken(world: Simulator) -> None:
    earlier = world.entries[3]
    assert world.state(MAKER, ACTIVITY_DATA, citing(3, earlier.leaf_hash)).index == 4


def test_an_unknown_kind_is_refused(world: Simulator) -> None:
    unknown = Kind(Profile("urn:packtrace:horoscope:1", frozenset(), selective=True, lists=frozenset()))
    error = refuse(world, world.sign(MAKER, unknown, {"sub": f"{MAKER}/cell"}))
    assert isinstance(error, StatementError)
    assert error.where == "vct"
    assert "urn:packtrace:activity-data:1" in error.remedy


def test_an_unknown_claim_in_an_open_kind_is_refused(world: Simulator) -> None:
    claims = {"organisation": MAKER, "roles": ["supplier"], "comment": "hello"}
    wider = Profile(ROLE_GRANT.vct, frozenset(claims), selective=False, lists=frozenset())
    error = refuse(world, world.sign(OPERATOR, Kind(wider), claims))
    assert isinstance(error, SignerError)
    assert error.code == "claim_not_open"


def test_a_hidden_claim_left_open_is_refused(world: Simulator) -> None:
    """Issuer plus product in the open would tell the world who buys from whom."""
    open_sub = Profile(ACTIVITY_DATA.vct, frozenset({"sub"}), selective=True, lists=ACTIVITY_DATA.profile.lists)
    error = refuse(world, world.sign(MAKER, Kind(open_sub), activity()))
    assert isinstance(error, SignerError)
    assert error.code == "claim_not_open"


@pytest.mark.parametrize(
    "claims",
    [
        {"organisation": MAKER, "roles": ["emperor"]},
        {"organisation": MAKER, "roles": "supplier"},
        {"organisation": 7, "roles": ["supplier"]},
        {"roles": ["supplier"]},
    ],
    ids=["an unknown role", "roles as text", "an organisation as a number", "no organisation"],
)
def test_open_claims_of_the_wrong_shape_are_refused(world: Simulator, claims: Claims) -> None:
    assert isinstance(refuse(world, world.sign(OPERATOR, ROLE_GRANT, claims)), StatementError)


def test_a_wrong_unit_and_a_wrong_sum_are_refused(world: Simulator) -> None:
    power = {"id": "e", "amount": "1", "unit": "kg", "obtained": "measured", "supply": "grid", "geography": "CN"}
    error = refuse(world, world.sign(MAKER, ACTIVITY_DATA, activity(electricity=[power])))
    assert isinstance(error, UnitError)
    assert error.where == "electricity/e/unit"
    assert refuse(world, world.sign(MAKER, BILL_OF_MATERIALS, {"sub": f"{MAKER}/cell"}))


def test_one_changed_byte_of_the_signature_is_refused(world: Simulator) -> None:
    issued = world.sign(MAKER, ACTIVITY_DATA, activity())
    head, _, signature = issued.token.rpartition(".")
    swapped = ("B" if signature[10] == "A" else "A").join((signature[:10], signature[11:]))
    error = refuse(world, Issued(f"{head}.{swapped}", issued.disclosures))
    assert isinstance(error, SignerError)
    assert error.code == "bad_signature"


def test_reading_back_gives_the_same_entries(world: Simulator) -> None:
    assert [entry.leaf_hash for entry in world.evidence().values()] == [entry.leaf_hash for entry in world.entries]


@pytest.mark.parametrize(
    ("dates", "allowed"),
    [
        ({}, True),
        ({"since": "2026-01-05"}, True),
        ({"since": "2026-01-06"}, False),
        ({"until": "2026-01-05"}, True),
        ({"until": "2026-01-04"}, False),
        ({"since": "2026-01-01", "until": "2026-12-31"}, True),
    ],
)
def test_roles_count_on_their_days(dates: dict[str, str], allowed: bool) -> None:
    grant = RoleGrant.model_validate({"organisation": "https://maker.example", "roles": ["supplier"], **dates})
    assert (grant.on(date(2026, 1, 5)) == {"supplier"}) is allowed


def test_a_grant_ends_after_it_began() -> None:
    with pytest.raises(ValueError, match="before the first"):
        RoleGrant.model_validate(
            {"organisation": "https://a.example", "roles": [], "since": "2026-01-02", "until": "2026-01-01"}
        )


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "https:",
            "http:",
            "https:/",
            "https://",
            "https://lithium.example/",
            "https:/lithium.example",
            "https:x",
            "https:..",
        ),
        *(
            "urn:",
            "urn",
            " https://lithium.example",
            "https://lithium.example ",
            "https://Lithium.example",
            "HTTPS://a.example",
        ),
        *(
            "https://a@b.example",
            "https://a.example:443",
            "http://a.example:80/b",
            "https://a.example:08",
            "https://:80",
            "https://-",
            "https://a.example/..",
            "https://a.example?b",
            "https://a.example#b",
        ),
    ],
)
def test_an_organisation_has_the_one_spelling(uri: str) -> None:
    """The log's operator can't bring in one that has another, whatever the exchange asks before."""
    with pytest.raises(StatementError):
        check_spelling(uri)
    world = Simulator()
    with pytest.raises((StatementError, SignerError)):
        world.join(uri, "supplier")


@pytest.mark.parametrize(
    "uri", ["https://a.example", "http://localhost:8080/b", "urn:example:maker", "did:web:a.example"]
)
def test_the_one_spelling_is_good(uri: str) -> None:
    check_spelling(uri)
    assert Simulator().join(uri, "supplier") == uri


@pytest.mark.parametrize("other", [MAKER, f"{MAKER}/group/plant", f"{MAKER}/group/a/b"])
def test_no_organisation_lies_above_or_below_another(other: str) -> None:
    for first, second in ((f"{MAKER}/group", other), (other, f"{MAKER}/group")):
        world = Simulator()
        world.join(first, "supplier")
        with pytest.raises(RightsError, match="above or below"):
            world.join(second, "supplier")
        # Another key, and another end of the name, are no other place.
        world.join(f"{first}-x", "supplier")

"""Who verified a supplier's sealed footprint: signed, taken in, carried in the evidence of who rests on it, said in the verdict."""

from __future__ import annotations

from typing import Any

import pytest
from sqlmodel import Session

from bom_graph import load_rule_set
from exchange.assembly import Demand
from exchange.identity import OrganisationRow
from exchange.kinds import PRODUCT_FOOTPRINT, VERIFICATION_STATEMENT
from exchange.verification import Verdict, verify_evidence
from tests.exchange.dossier import EVERBATT, Dossier, one_row_release
from tests.exchange.test_drafting import drafted
from tests.exchange.test_retractions import stated
from tests.flow.world import Exchange, Member


@pytest.fixture
def supplier(sqlite_exchange: Exchange) -> Member:
    return sqlite_exchange.member("maker")


@pytest.fixture
def footprint(sqlite_exchange: Exchange, supplier: Member) -> dict[str, Any]:
    """The supplier's signed footprint, granted to a customer that sees nothing else of it."""
    stated(supplier, "2")
    claims = drafted(sqlite_exchange, supplier)
    answer = supplier.state(PRODUCT_FOOTPRINT, {name: claims[name] for name in claims if name != "kind"})
    assert supplier.grant(answer, sqlite_exchange.member("customer")).status_code == 201
    return answer | {"result": claims["result_digest"]}


def opinion(supplier: Member | None, footprint: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        **({} if supplier is None else {"sub": supplier.product("part")}),
        "target": {name: footprint[name] for name in ("origin", "index", "leaf_hash")},
        "result": footprint["result"],
        "opinion": "unmodified",
        "scope": "one kilogram at the gate",
        "assurance": "reasonable",
        "materiality_percent": "5",
        "expires": "2027-12-31",
        **more,
    }


def verified(exchange: Exchange, supplier: Member) -> Verdict:
    """The verdict on the evidence file of the customer's result."""
    customer = exchange.member("customer")
    digest = exchange.footprint(supplier.product("part"), customer.uri).json()["digest"]
    exchange.publish()
    answer = exchange.http.post("/api/v1/evidence", json={"reader": customer.uri, "results": [digest]})
    assert answer.status_code == 200, answer.text
    verdict = verify_evidence(answer.content, exchange.services.installation.trust_file, at=exchange.clock())
    assert verdict.code == "verified_except_sealed", (verdict.text, verdict.where)
    return verdict


def test_a_sealed_branch_is_unverified_until_somebody_verifies_it(
    sqlite_exchange: Exchange, supplier: Member, footprint: dict[str, Any]
) -> None:
    (branch,) = verified(sqlite_exchange, supplier).sealed
    assert (branch.signer, branch.entry, branch.verification) == (supplier.uri, footprint["index"], "unverified")
    verifier = sqlite_exchange.member("verifier", "verifier")
    stated_by = verifier.state(VERIFICATION_STATEMENT, opinion(supplier, footprint))
    verdict = verified(sqlite_exchange, supplier)
    by = f"by {verifier.uri} at entry {stated_by['index']}"
    assert verdict.sealed[0].verification == f"unverified: the opinion {by} isn't disclosed"
    assert verifier.grant(stated_by, sqlite_exchange.member("customer")).status_code == 201
    verdict = verified(sqlite_exchange, supplier)
    assert verdict.sealed[0].verification == f"opinion unmodified {by}, to 2027-12-31"
    assert verdict.sealed[0].is_verified
    assert not any("no opinion that counts" in limit for limit in verdict.limits)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sub": "https://maker.example/other"}, "is about another product"),
        ({"expires": "2020-01-01"}, "counted to 2020-01-01"),
        ({"opinion": "adverse"}, "opinion adverse"),
    ],
)
def test_an_opinion_that_doesnt_count_is_told_as_such(
    sqlite_exchange: Exchange, supplier: Member, footprint: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    verifier, customer = sqlite_exchange.member("verifier", "verifier"), sqlite_exchange.member("customer")
    stated_by = verifier.state(VERIFICATION_STATEMENT, opinion(supplier, footprint, **change))
    assert verifier.grant(stated_by, customer).status_code == 201
    verdict = verified(sqlite_exchange, supplier)
    (branch,) = verdict.sealed
    assert (said in branch.verification, branch.is_verified) == (True, False)
    assert "1 of 1 sealed branches have no opinion that counts" in verdict.limits


SIGNER, VERIFIER = "https://maker.example", "https://verifier.example"
ALL_OF_IT = ("contents", "sub", "rule_set", "declared_unit", "total", "stages", "complete", "obtained", "period")
OPINION = ("contents", "scope", "assurance", "materiality_percent")


@pytest.mark.parametrize(
    ("result", "footprint_shows", "opinion_shows", "said"),
    [
        ("a" * 64, (*ALL_OF_IT, "result_digest"), (*OPINION, "sub", "result", "opinion", "expires"), "to 2027-12-31"),
        ("b" * 64, ALL_OF_IT, (*OPINION, "sub", "opinion", "expires"), "the result that the opinion by"),
        (
            "a" * 64,
            ALL_OF_IT,
            (*OPINION, "sub", "result", "opinion", "expires"),
            "the result that this footprint names",
        ),
        ("a" * 64, (*ALL_OF_IT, "result_digest"), (*OPINION, "result", "opinion", "expires"), "the product that"),
        ("a" * 64, (*ALL_OF_IT, "result_digest"), (*OPINION, "sub", "result", "opinion"), "the end of the opinion by"),
    ],
)
def test_an_opinion_counts_by_what_is_disclosed(
    result: str, footprint_shows: tuple[str, ...], opinion_shows: tuple[str, ...], said: str
) -> None:
    made = Dossier(release=one_row_release())
    world, rules, product = made.simulator, load_rule_set(EVERBATT), f"{SIGNER}/part"
    world.join(SIGNER, "supplier")
    world.join(VERIFIER, "verifier")
    line = {"amount": "1", "unit": "kg", "obtained": "calculated"}
    footprint = world.state(
        SIGNER,
        PRODUCT_FOOTPRINT,
        {
            "sub": product,
            "rule_set": {"id": rules.id, "version": rules.version, "digest": rules.digest},
            "declared_unit": line,
            "total": "2",
            "stages": [{"stage": "material_acquisition", "kg_co2e": "2"}],
            "complete": True,
            "obtained": "calculated",
            "period": {"start": "2026-01-01", "end": "2026-01-31"},
            "result_digest": "a" * 64,
        },
    )
    claims = opinion(None, {**world.cite(footprint), "result": result}, sub=product)
    about = world.state(VERIFIER, VERIFICATION_STATEMENT, claims)
    made.sealed = {footprint.index: footprint_shows, about.index: opinion_shows}
    found = made.compute(Demand(product), EVERBATT)
    verdict = verify_evidence(made.file([found], range(len(world.issued))), made.trust(), at=world.now)
    (branch,) = verdict.sealed
    assert said in branch.verification
    assert branch.is_verified == (said == "to 2027-12-31")
    assert ("isn't disclosed" in branch.verification) != branch.is_verified


def refused(exchange: Exchange, signer: Member, claims: dict[str, Any]) -> tuple[int, str]:
    size = exchange.size
    answer = exchange.post(signer.sign(VERIFICATION_STATEMENT, claims))
    assert exchange.size == size
    return answer.status_code, answer.json()["code"]


def test_an_opinion_on_another_result_than_the_footprint_s_is_refused(
    sqlite_exchange: Exchange, supplier: Member, footprint: dict[str, Any]
) -> None:
    verifier = sqlite_exchange.member("verifier", "verifier")
    claims = opinion(supplier, footprint, result="0" * 64)
    assert refused(sqlite_exchange, verifier, claims) == (400, "filing")


def test_an_opinion_on_a_footprint_that_names_no_result_is_told_as_such(
    sqlite_exchange: Exchange, supplier: Member
) -> None:
    stated(supplier, "2")
    claims = drafted(sqlite_exchange, supplier)
    kept = {name: claims[name] for name in claims if name not in ("kind", "result_digest")}
    footprint = supplier.state(PRODUCT_FOOTPRINT, kept)
    verifier, customer = sqlite_exchange.member("verifier", "verifier"), sqlite_exchange.member("customer")
    assert supplier.grant(footprint, customer).status_code == 201
    named = opinion(supplier, footprint | {"result": claims["result_digest"]})
    assert verifier.grant(verifier.state(VERIFICATION_STATEMENT, named), customer).status_code == 201
    (branch,) = verified(sqlite_exchange, supplier).sealed
    assert "isn't on the result that this footprint names" in branch.verification
    assert not branch.is_verified


def test_only_a_verifier_verifies_and_only_a_footprint(
    sqlite_exchange: Exchange, supplier: Member, footprint: dict[str, Any]
) -> None:
    claims = opinion(supplier, footprint)
    assert refused(sqlite_exchange, supplier, claims) == (400, "statement")
    first = sqlite_exchange.http.get("/api/v1/entries/0").json()
    other = {**claims, "target": {**claims["target"], "index": 0, "leaf_hash": first["leaf_hash"]}}
    assert refused(sqlite_exchange, sqlite_exchange.member("verifier", "verifier"), other) == (400, "filing")


def test_nobody_verifies_a_footprint_of_its_own_group(
    sqlite_exchange: Exchange, supplier: Member, footprint: dict[str, Any]
) -> None:
    verifier = sqlite_exchange.member("verifier", "verifier")
    with Session(sqlite_exchange.services.installation.engine) as session:
        for uri, group in ((verifier.uri, "The  Group"), (supplier.uri, "the group")):
            session.get_one(OrganisationRow, uri).corporate_group = group
        session.commit()
    assert refused(sqlite_exchange, verifier, opinion(supplier, footprint)) == (403, "independence")

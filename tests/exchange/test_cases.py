"""Statements of two organisations that contradict each other: both are told that they do, and neither what the other says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange.access import Principal
from exchange.kinds import ACTIVITY_DATA, CERTIFICATE_RETIREMENT, DELIVERY
from signer import join_presentation
from tests.exchange.test_intake import retirement
from tests.exchange.test_retractions import supersedes, withdraws
from tests.flow.world import Exchange, Member, activity, line


@pytest.fixture
def seller(exchange: Exchange) -> Member:
    return exchange.member("seller")


@pytest.fixture
def buyer(exchange: Exchange) -> Member:
    return exchange.member("buyer")


def delivers(seller: Member, buyer: Member, kg: str, batch: str = "1") -> dict[str, Any]:
    claims = {"sub": seller.product("salt"), "batch": batch, "quantity": {**line(), "amount": kg}, "buyer": buyer.uri}
    return seller.state(DELIVERY, claims | {"date": "2025-01-17"})


def consumption(buyer: Member, seller: Member, kg: str) -> dict[str, Any]:
    bought = {**line(name="salt", product=seller.product("salt")), "amount": kg}
    period = {"start": "2025-01-01", "end": "2025-12-31"}
    return activity(buyer.product("part"), bought, period=period)


def consumes(buyer: Member, seller: Member, kg: str) -> dict[str, Any]:
    return buyer.state(ACTIVITY_DATA, consumption(buyer, seller, kg))


def cases(exchange: Exchange, *parties: Member) -> list[dict[str, Any]]:
    """The cases, a second later, as the operator sees them who stands in for all: those whose sides are exactly the parties'."""
    exchange.clock.advance(1)
    exchange.services.balances.tick()
    found: list[dict[str, Any]] = exchange.http.get("/api/v1/cases").json()["cases"]
    return [one for one in found if {side["organisation"] for side in one["sides"]} == {one.uri for one in parties}]


def told(exchange: Exchange, member: Member) -> list[str]:
    found = exchange.http.get(f"/api/v1/inbox?organisation={member.uri}").json()["events"]
    return [one["type"].removeprefix("packtrace.conflict.") for one in reversed(found) if "conflict" in one["type"]]


def test_more_was_consumed_than_delivered(exchange: Exchange, seller: Member, buyer: Member) -> None:
    delivers(seller, buyer, "60")
    delivers(seller, buyer, "40", "2")
    stated = consumes(buyer, seller, "150")
    (case,) = cases(exchange, seller, buyer)
    assert (case["about"], case["state"], case["closed_at"]) == ("deliveries", "open", None)
    sides = {side["organisation"]: side for side in case["sides"]}
    assert (sides[buyer.uri]["index"], sides[buyer.uri]["where"]) == (stated["index"], "inputs")
    assert sides[seller.uri]["where"] == "quantity"
    assert (told(exchange, seller), told(exchange, buyer)) == (["opened"], ["opened"])
    # Another of the same is the same case.
    delivers(seller, buyer, "1", "3")
    (again,) = cases(exchange, seller, buyer)
    assert (again["id"], told(exchange, buyer)) == (case["id"], ["opened"])
    assert supersedes(buyer, stated, consumes(buyer, seller, "101")).status_code == 201
    (settled,) = cases(exchange, seller, buyer)
    assert (settled["state"], settled["closed_at"] is None) == ("closed", False)
    assert (told(exchange, seller), told(exchange, buyer)) == (["opened", "closed"],) * 2
    # And if it is contradicted once more, the case is open again.
    delivers(seller, buyer, "100", "4")
    (reopened,) = cases(exchange, seller, buyer)
    assert (reopened["id"], reopened["state"]) == (case["id"], "open")
    assert told(exchange, seller) == ["opened", "closed", "opened"]


@pytest.mark.parametrize("kg", ["100", "105", "108"])
def test_what_agrees_within_the_hard_limit_is_no_case(
    exchange: Exchange, seller: Member, buyer: Member, kg: str
) -> None:
    delivers(seller, buyer, "100")
    consumes(buyer, seller, kg)
    assert cases(exchange, seller, buyer) == []


def test_what_was_bought_elsewhere_or_by_others_is_not_counted(
    exchange: Exchange, seller: Member, buyer: Member
) -> None:
    delivers(seller, buyer, "100")
    delivers(seller, exchange.member("other"), "900", "2")
    consumes(buyer, seller, "100")
    assert cases(exchange, seller, buyer) == []


def test_consumption_without_any_delivery_is_no_case(exchange: Exchange, seller: Member, buyer: Member) -> None:
    """Not everybody states deliveries here."""
    consumes(buyer, seller, "100")
    assert cases(exchange, seller, buyer) == []


def test_what_is_withheld_may_be_the_rest(exchange: Exchange, seller: Member, buyer: Member) -> None:
    delivers(seller, buyer, "100")
    issued = seller.sign(DELIVERY, {"sub": seller.product("salt"), "quantity": line(), "buyer": buyer.uri})
    body = {"statement": join_presentation(issued.token, ()), "sealed": True}
    assert exchange.http.post("/api/v1/statements", json=body).status_code == 201
    consumes(buyer, seller, "150")
    assert cases(exchange, seller, buyer) == []


def test_a_tick_that_is_cut_short_is_done_again(
    exchange: Exchange, seller: Member, buyer: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivers(seller, buyer, "100")
    consumes(buyer, seller, "150")

    def killed(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(type(exchange.services.balances), "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            exchange.services.balances.tick()
    assert len(cases(exchange, seller, buyer)) == 1


def test_certificates_claimed_twice_are_a_case_of_both(exchange: Exchange) -> None:
    first, second = exchange.member("first"), exchange.member("second")
    retired = first.state(CERTIFICATE_RETIREMENT, retirement(first, "one", 1, 100))
    dry = second.sign(CERTIFICATE_RETIREMENT, retirement(second, "other", 100, 200))
    body = {"statement": join_presentation(dry.token, dry.disclosures)}
    tried = exchange.http.post("/api/v1/statements?dry_run=true", json=body)
    assert tried.status_code == 200, "a dry run, of which the owner hears nothing, doesn't tell what others retired"
    assert cases(exchange, first, second) == []
    refused = exchange.post(dry)
    assert (refused.status_code, refused.json()["code"]) == (409, "double_claim")
    (case,) = cases(exchange, first, second)
    assert refused.json()["detail"].endswith(f"conflict, case {case['id']}")
    assert case["about"] == "certificates"
    sides = {side["organisation"]: (side["index"], side["where"]) for side in case["sides"]}
    assert sides == {first.uri: (retired["index"], "serials"), second.uri: (None, "serials/s")}
    assert exchange.post(dry).json() == refused.json()
    assert (told(exchange, first), told(exchange, second)) == (["opened"], ["opened"])
    # Taken back, they bar nobody any more.
    assert withdraws(first, retired).status_code == 201
    assert cases(exchange, first, second)[0]["state"] == "closed"
    assert (told(exchange, first), told(exchange, second)) == (["opened", "closed"],) * 2
    assert exchange.post(second.sign(CERTIFICATE_RETIREMENT, retirement(second, "other", 100, 200))).status_code == 201


def test_who_claims_its_own_twice_is_refused_without_a_case(exchange: Exchange) -> None:
    first = exchange.member("first")
    first.state(CERTIFICATE_RETIREMENT, retirement(first, "one", 1, 100))
    again = first.sign(CERTIFICATE_RETIREMENT, retirement(first, "other", 100, 200))
    body = {"statement": join_presentation(again.token, again.disclosures)}
    assert exchange.http.post("/api/v1/statements?dry_run=true", json=body).status_code == 409
    refused = exchange.post(again)
    assert (refused.status_code, "case" in refused.json()["detail"]) == (409, False)
    assert told(exchange, first) == []


def test_what_was_erased_is_in_no_case_and_leaves_no_trade(exchange: Exchange, seller: Member, buyer: Member) -> None:
    delivered = delivers(seller, buyer, "100")
    consumes(buyer, seller, "150")
    assert len(cases(exchange, seller, buyer)) == 1
    body = {"leaf_hash": delivered["leaf_hash"], "reason": "owner_request"}
    assert exchange.http.post("/api/v1/erasures", json=body).status_code == 201
    delivers(seller, buyer, "150", "2")
    assert [one["state"] for one in cases(exchange, seller, buyer)] == ["closed"]


def test_a_party_sees_its_own_side_alone(exchange: Exchange, seller: Member, buyer: Member) -> None:
    """Through accounts of their own, in tests/exchange/test_matrix.py too: a stranger gets nothing."""
    delivers(seller, buyer, "100")
    consumes(buyer, seller, "123456789")
    exchange.services.balances.tick()
    said = json.dumps(exchange.http.get("/api/v1/cases").json())
    assert "123456789" not in said
    ours = Principal(seller.uri, "member", frozenset({"data:read"}))
    (case,) = exchange.services.cases.cases(ours)
    assert [side.organisation for side in case.sides] == [seller.uri]
    stranger = Principal(exchange.member("stranger").uri, "member", frozenset({"data:read"}))
    assert exchange.services.cases.cases(stranger) == []


def test_lists_go_page_by_page(exchange: Exchange, seller: Member, buyer: Member) -> None:
    for number in range(3):
        other = exchange.member(f"buyer-{number}")
        delivers(seller, other, "100")
        consumes(other, seller, "200")
    exchange.services.balances.tick()
    first = exchange.http.get("/api/v1/cases?limit=2").json()
    rest = exchange.http.get(f"/api/v1/cases?limit=2&after={first['after']}").json()
    assert (len(first["cases"]), len(rest["cases"]), rest["after"]) == (2, 1, None)
    assert len({one["id"] for one in (*first["cases"], *rest["cases"])}) == 3

"""A tier's own footprint: drafted from its result, signed, and held against that result when it comes in."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from exchange.attestation import draft
from exchange.form import read_form
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT
from tests.exchange.test_retractions import stated
from tests.flow.world import Exchange, Member, activity, line


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


def drafted(exchange: Exchange, maker: Member, name: str = "part") -> dict[str, Any]:
    digest = exchange.footprint(maker.product(name), maker.uri).json()["digest"]
    answer = exchange.http.post(f"/api/v1/footprints/{digest}/draft", json={})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["result_digest"] == digest
    return found


def signed(exchange: Exchange, maker: Member, claims: dict[str, Any]) -> Any:
    return exchange.post(maker.sign(PRODUCT_FOOTPRINT, {name: claims[name] for name in claims if name != "kind"}))


def test_a_draft_is_a_form_that_is_signed_as_it_is_and_counts_for_a_customer(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2.37")
    claims = drafted(exchange, maker)
    assert draft(read_form(json.dumps(claims).encode(), "draft.json"), kind=None, random=random.randbytes).unknown == []
    answer = signed(exchange, maker, claims)
    assert answer.status_code == 201, answer.text
    customer = exchange.member("customer")
    assert maker.grant(answer.json(), customer).status_code == 201
    result = exchange.footprint(maker.product("part"), customer.uri).json()["result"]
    own = exchange.footprint(maker.product("part"), maker.uri).json()["result"]
    assert float(result["total"]["value"]) == pytest.approx(float(own["total"]["value"]), rel=1e-9)


def _stage(claims: dict[str, Any], **changes: str) -> dict[str, Any]:
    return {**claims, "stages": [{**claims["stages"][0], **changes}, *claims["stages"][1:]]}


@pytest.mark.parametrize(
    ("forged", "where"),
    [
        (lambda claims: {**_stage(claims, kg_co2e="0.001"), "total": "0.001"}, "total"),
        (lambda claims: {**claims, "declared_unit": {**claims["declared_unit"], "amount": "2"}}, "total"),
        (lambda claims: {**claims, "declared_unit": {**claims["declared_unit"], "unit": "t"}}, "declared_unit"),
        (lambda claims: _stage(claims, stage="manufacturing"), "stages/"),
    ],
    ids=["smaller", "of two units", "of another unit", "another stage"],
)
def test_what_says_otherwise_than_the_result_it_names_is_refused(
    exchange: Exchange, maker: Member, forged: Callable[[dict[str, Any]], dict[str, Any]], where: str
) -> None:
    stated(maker, "2")
    claims, size = drafted(exchange, maker), exchange.size
    answer = signed(exchange, maker, forged(claims))
    assert (answer.status_code, answer.json()["code"]) == (400, "statement"), answer.text
    assert answer.json()["where"].startswith(where)
    assert exchange.size == size


def test_what_has_gaps_is_not_signed_as_complete(exchange: Exchange, maker: Member) -> None:
    part = [line(name="salt", flow="nickel-sulfate"), line(name="gap", product=maker.product("unknown"))]
    maker.state(ACTIVITY_DATA, activity(maker.product("part"), *part))
    claims = drafted(exchange, maker)
    assert claims["complete"] is False
    answer = signed(exchange, maker, {**claims, "complete": True})
    assert (answer.status_code, answer.json()["where"]) == (400, "complete")
    assert signed(exchange, maker, claims).status_code == 201


def test_figures_may_be_stated_with_fewer_digits(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2")
    claims = drafted(exchange, maker)
    rounded = f"{float(claims['total']):.3f}"
    assert signed(exchange, maker, {**_stage(claims, kg_co2e=rounded), "total": rounded}).status_code == 201


def test_nobody_drafts_for_anothers_product(exchange: Exchange, maker: Member) -> None:
    customer = exchange.member("customer")
    maker.grant(stated(maker, "2"), customer)
    digest = exchange.footprint(maker.product("part"), customer.uri).json()["digest"]
    answer = exchange.http.post(f"/api/v1/footprints/{digest}/draft", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "rights")


@pytest.mark.parametrize(
    ("factor", "level"), [("1.01", None), ("1.05", "soft"), ("0.5", "hard")], ids=["agrees", "soft", "hard"]
)
def test_a_signed_total_has_to_agree_with_the_disclosed_branch(
    exchange: Exchange, maker: Member, factor: str, level: str | None
) -> None:
    """Only a reader who sees both is told; the signed total alone stands as it is."""
    receipt = stated(maker, "2.37")
    claims = drafted(exchange, maker)
    claims.pop("result_digest")
    for stage in claims["stages"]:
        stage["kg_co2e"] = str(Decimal(stage["kg_co2e"]) * Decimal(factor))
    claims["total"] = str(sum(Decimal(stage["kg_co2e"]) for stage in claims["stages"]))
    answer = signed(exchange, maker, claims)
    assert answer.status_code == 201, answer.text
    customer = exchange.member("customer")
    maker.grant(answer.json(), customer)

    def found() -> list[dict[str, Any]]:
        result = exchange.footprint(maker.product("part"), customer.uri).json()["result"]
        return [one for one in result["findings"] if one["gate"] == "attested_total"]

    assert found() == []
    maker.grant(receipt, customer)
    assert [one["level"] for one in found()] == ([] if level is None else [level])
    assert all(maker.product("part") == one["where"] for one in found())

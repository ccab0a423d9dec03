"""Supersession and withdrawal: who may, once, and what counts no more: in results, for readers, and offline."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, SUPERSESSIONS, WITHDRAWALS, Kind
from exchange.verification import verify_evidence
from tests.evidence import read_evidence
from tests.flow.world import Exchange, Member, activity, bill, line

FORMATS = Path(__file__).parents[2] / "docs" / "formats"


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


def stated(member: Member, amount: str, name: str = "part", **changes: Any) -> dict[str, Any]:
    """State that a product takes so much nickel sulfate; the statement's citation."""
    salt = {**line(name="salt", flow="nickel-sulfate"), "amount": amount}
    return member.state(ACTIVITY_DATA, activity(member.product(name), salt, **changes))


def withdraws(member: Member, cited: dict[str, Any], **changes: Any) -> httpx2.Response:
    claims = {"target": cited, "reason": "read wrongly"} | changes
    return member.exchange.post(member.sign(WITHDRAWALS, claims))


def supersedes(member: Member, target: dict[str, Any], by: dict[str, Any]) -> httpx2.Response:
    claims = {"target": target, "replacement": by, "reason": "read wrongly"}
    return member.exchange.post(member.sign(SUPERSESSIONS, claims))


def total(exchange: Exchange, reader: Member, product: str) -> float:
    answer = exchange.footprint(product, reader.uri)
    assert answer.status_code == 201, answer.text
    return float(answer.json()["result"]["total"]["value"])


def test_what_is_superseded_counts_no_more_and_what_takes_its_place_does(exchange: Exchange, maker: Member) -> None:
    product = maker.product("part")
    first = stated(maker, "2")
    two = total(exchange, maker, product)
    # The newest of all is the mistaken one: it goes, and the one before it counts again.
    mistaken = stated(maker, "9")
    assert total(exchange, maker, product) == pytest.approx(two * 9 / 2, rel=1e-9)
    assert supersedes(maker, mistaken, first).status_code == 201
    assert total(exchange, maker, product) == pytest.approx(two, rel=1e-9)


def test_what_is_withdrawn_is_a_gap_that_names_both_entries(exchange: Exchange, maker: Member) -> None:
    cited = stated(maker, "2")
    customer = exchange.member("customer")
    maker.grant(cited, customer)
    inputs = [line(product=maker.product("part"), name="part", citation=cited)]
    customer.state(ACTIVITY_DATA, activity(customer.product("whole"), *inputs))
    answer = withdraws(maker, cited)
    result = exchange.footprint(customer.product("whole"), customer.uri).json()["result"]
    assert result["complete"] is False
    (gap,) = [one for one in result["gaps"] if "nothing is known" in one["what"]]
    by = answer.json()["index"]
    assert gap["what"].endswith(f": entry {cited['index']} was withdrawn by entry {by}")
    assert {cited["index"], by} <= {one["index"] for one in result["inputs"]}
    refused = exchange.footprint(maker.product("part"), maker.uri)
    assert refused.status_code == 422
    assert f"entry {cited['index']} was withdrawn by entry {by}" in refused.text


def test_only_the_issuer_takes_a_statement_back_and_the_answer_tells_nothing(exchange: Exchange, maker: Member) -> None:
    rival = exchange.member("rival")
    cited = stated(maker, "2")
    answers = [withdraws(rival, cited), withdraws(rival, {**cited, "index": 0, "leaf_hash": _leaf(exchange, 0)})]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json() == answers[1].json()


def _leaf(exchange: Exchange, index: int) -> str:
    found: str = exchange.http.get(f"/api/v1/entries/{index}").json()["leaf_hash"]
    return found


def test_a_statement_is_taken_back_once_by_many_at_once(exchange: Exchange, maker: Member) -> None:
    cited, other = stated(maker, "2"), stated(maker, "3")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _number: withdraws(maker, cited), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"conflict"}
    assert supersedes(maker, cited, other).status_code == 409
    assert supersedes(maker, other, cited).status_code == 409


def test_the_same_withdrawal_again_is_the_same_entry(exchange: Exchange, maker: Member) -> None:
    issued = maker.sign(WITHDRAWALS, {"target": stated(maker, "2"), "reason": "read wrongly"})
    first, again = exchange.post(issued), exchange.post(issued)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["index"] == first.json()["index"]


def test_what_takes_the_place_is_of_the_same_kind_and_product(exchange: Exchange, maker: Member) -> None:
    part, other = stated(maker, "2"), stated(maker, "2", "other")
    parts = maker.state(BILL_OF_MATERIALS, bill(maker.product("part"), maker.product("other")))
    for replacement in (other, parts):
        answer = supersedes(maker, part, replacement)
        assert (answer.status_code, answer.json()["where"]) == (400, "replacement")


@pytest.mark.parametrize("claims", [{"reason": ""}, {"target": "entry 3"}], ids=["no reason", "no citation"])
def test_claims_that_say_nothing_are_refused(exchange: Exchange, maker: Member, claims: dict[str, Any]) -> None:
    size = exchange.size
    assert withdraws(maker, {"origin": exchange.origin, "index": 0, "leaf_hash": "0" * 64}, **claims).status_code == 400
    assert exchange.size == size


def test_keys_and_withdrawals_are_not_withdrawn(exchange: Exchange, maker: Member) -> None:
    gone = withdraws(maker, stated(maker, "2")).json()
    again = withdraws(maker, {name: gone[name] for name in ("origin", "index", "leaf_hash")})
    assert (again.status_code, again.json()["code"]) == (400, "statement")


def test_a_withdrawn_bill_of_materials_bars_nobody_from_theirs(exchange: Exchange, maker: Member) -> None:
    a, b = maker.product("a"), maker.product("b")
    mistaken = maker.state(BILL_OF_MATERIALS, bill(a, b))
    assert exchange.post(maker.sign(BILL_OF_MATERIALS, bill(b, a))).status_code == 400
    assert withdraws(maker, mistaken).status_code == 201
    assert exchange.post(maker.sign(BILL_OF_MATERIALS, bill(b, a))).status_code == 201


def test_the_reason_is_hidden_and_the_target_is_open(exchange: Exchange, maker: Member) -> None:
    cited = stated(maker, "2")
    answer = withdraws(maker, cited)
    seen = exchange.services.sharing.evidence_for("https://stranger.example")
    by = seen[answer.json()["leaf_hash"]]
    assert by.statement.claims["target"] == cited
    assert "reason" not in by.statement.claims
    assert seen.retracted[cited["leaf_hash"]] is by


def _file(exchange: Exchange, reader: Member, *digests: str) -> bytes:
    exchange.publish()
    answer = exchange.http.post("/api/v1/evidence", json={"reader": reader.uri, "results": list(digests)})
    assert answer.status_code == 200, answer.text
    return bytes(answer.content)


def test_offline_it_is_shown_what_was_taken_back_since(exchange: Exchange, maker: Member) -> None:
    cited = stated(maker, "2")
    digest = exchange.footprint(maker.product("part"), maker.uri).json()["digest"]
    by = withdraws(maker, cited).json()["index"]
    data = _file(exchange, maker, digest)
    verdict = verify_evidence(data, exchange.services.installation.trust_file)
    assert verdict.code == "verified", verdict
    said = (
        f"entry {cited['index']} was withdrawn by its issuer at entry {by}: it counts in no result of a larger ledger"
    )
    assert said in verdict.limits
    assert any(f"none known at size {exchange.size}" in one for one in verdict.limits)
    assert f"entries/{by:012d}/token" in read_evidence(data)[1]


def test_offline_a_result_that_leans_on_a_superseded_citation_verifies(exchange: Exchange, maker: Member) -> None:
    first = stated(maker, "2")
    customer = exchange.member("customer")
    second = stated(maker, "3")
    for one in (first, second):
        maker.grant(one, customer)
    inputs = [line(product=maker.product("part"), name="part", citation=first)]
    customer.state(ACTIVITY_DATA, activity(customer.product("whole"), *inputs))
    assert supersedes(maker, first, second).status_code == 201
    found = exchange.footprint(customer.product("whole"), customer.uri).json()
    assert any(f"the cited entry {first['index']} was superseded" in one["what"] for one in found["result"]["findings"])
    verdict = verify_evidence(_file(exchange, customer, found["digest"]), exchange.services.installation.trust_file)
    assert verdict.code == "verified", verdict


@pytest.mark.parametrize("kind", [SUPERSESSIONS, WITHDRAWALS], ids=["supersession", "withdrawal"])
def test_the_page_has_every_claim(kind: Kind) -> None:
    page = (FORMATS / f"{kind.vct.split(':')[2]}.md").read_text(encoding="utf-8")
    example = json.loads(page.partition("```json")[2].partition("```")[0])
    assert set(example) == {"target", "reason"} | ({"replacement"} if kind is SUPERSESSIONS else set())
    assert all(f"| `{name}` |" in page for name in example)

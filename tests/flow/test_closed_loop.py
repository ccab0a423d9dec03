"""Verified filings of several corporate groups give an industry average, and few of them give none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bom_graph import VerifiedFootprint
from tests.flow.accounts import Company
from tests.flow.filing import Desk, Pack
from tests.flow.world import Exchange

FLOW = "traction-battery-LFP"
PLANT = {"name": "Ningde", "country": "CN"}


def verified(exchange: Exchange) -> list[VerifiedFootprint]:
    services = exchange.services
    return list(services.averages.footprints(FLOW, "CN", 2025, exchange.clock.now.date()))


def average(exchange: Exchange) -> dict[str, Any]:
    body = {"flow": FLOW, "region": "CN", "year": 2025, "unit": "kWh"}
    answer = exchange.http.post("/api/v1/industry-averages", json=body)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_verified_filings_become_an_average_once_nobody_is_told_by_it(sqlite_exchange: Exchange) -> None:
    exchange = sqlite_exchange
    verifier = Company.join(exchange, "verifier", roles=["verifier"], corporate_group="Independent")
    authority = Company.join(exchange, "authority", roles=["authority"])

    def files(number: int) -> None:
        name = f"maker-{number}"
        maker = Company.join(exchange, name, roles=["supplier", "pack_maker"], corporate_group=f"Group {number}")
        Desk(Pack(maker).state(copper=str(480 + 10 * number)), verifier, authority).reach("verified")

    files(0)
    (first,) = verified(exchange)
    assert (first.group, first.organisation) == ("Group 0", "https://maker-0.example")
    # One pack of 100 kWh over 1,000 cycles at a mean retention of 0.9: 90,000 kWh delivered.
    assert first.production == Decimal(90_000)
    assert 0 < first.value < 1
    for number in range(1, 6):
        files(number)
    exchange.clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    found = verified(exchange)
    assert len({one.group for one in found}) == 6
    shown = average(exchange)
    mean = sum((one.value for one in found), Decimal(0)) / len(found)
    assert Decimal(shown["value"]) == round(mean, 2 - mean.adjusted())
    # Nobody's own figure is in what everybody sees.
    listed = exchange.http.get("/api/v1/industry-averages").text
    assert not any(str(one.value) in listed or one.organisation in listed for one in found)


def test_few_groups_give_none(sqlite_exchange: Exchange) -> None:
    exchange = sqlite_exchange
    verifier = Company.join(exchange, "verifier", roles=["verifier"], corporate_group="Independent")
    authority = Company.join(exchange, "authority", roles=["authority"])
    maker = Company.join(exchange, "maker", roles=["supplier", "pack_maker"], corporate_group="Group")
    desk = Desk(Pack(maker).state(), verifier, authority)
    desk.reach("under_verification")
    assert verified(exchange) == [], "not verified yet"
    desk.take("verify")
    assert len(verified(exchange)) == 1
    exchange.clock.now = datetime(2026, 12, 1, tzinfo=UTC)
    shown = average(exchange)
    assert shown["withheld"] == [
        "fewer than 5 corporate groups contribute",
        "one corporate group makes more than 50%",
        "two corporate groups make more than 80%",
    ]
    exchange.clock.now = datetime(2029, 12, 1, tzinfo=UTC)
    assert verified(exchange) == [], "its verification has lapsed"

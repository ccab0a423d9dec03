"""Verified filings of several corporate groups give an industry average, and few of them give none."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from bom_graph import VerifiedFootprint, release_bytes
from exchange.explaining import trace
from exchange.kinds import FACTOR_RELEASE
from exchange.verification import verify_evidence
from tests.exchange.test_governance import Panel
from tests.flow.accounts import Company
from tests.flow.filing import Desk, Pack
from tests.flow.world import Exchange, line

FLOW = "traction-battery-LFP"
PLANT = {"name": "Ningde", "country": "CN"}
#: What the trial's rules name first.
RELEASE = "authorities-2026"


def verified(exchange: Exchange) -> list[VerifiedFootprint]:
    services = exchange.services
    return list(services.averages.footprints(FLOW, "CN", 2025, exchange.clock.now.date()))


def average(exchange: Exchange) -> dict[str, Any]:
    body = {"flow": FLOW, "region": "CN", "year": 2025}
    answer = exchange.http.post("/api/v1/industry-averages", json=body)
    assert answer.status_code in {200, 201}, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_verified_filings_become_an_average_that_others_compute_with(sqlite_exchange: Exchange) -> None:
    exchange = sqlite_exchange
    verifier = Company.join(exchange, "verifier", roles=["verifier"], corporate_group="Independent")
    authority = Company.join(exchange, "authority", roles=["authority"])

    def files(number: int) -> None:
        name = f"maker-{number}"
        maker = Company.join(exchange, name, roles=["supplier", "pack_maker"], corporate_group=f"Group {number}")
        Desk(Pack(maker).state(copper=str(480 + 10 * number)), verifier, authority).reach("verified")

    files(0)
    (first,) = verified(exchange)
    assert (first.group, first.organisation) == ("group-0", "https://maker-0.example")
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
    assert (shown["unit"], shown["row"]["per"]) == ("kWh delivered", "kWh")
    assert Decimal(shown["value"]) == round(mean, 2 - mean.adjusted())
    # Nobody's own figure is in what everybody sees.
    listed = exchange.http.get("/api/v1/industry-averages").text
    assert not any(str(one.value) in listed or one.organisation in listed for one in found)
    entry = published(exchange, shown["row"])
    used(exchange, entry, shown["value"])


def published(exchange: Exchange, row: dict[str, Any]) -> int:
    """Let the average go into the next version of a release that the trial's rules name, be reviewed and published; return the entry."""
    panel = Panel(exchange)
    # Materials state no place: who reviews the row says that it may stand in for them.
    row = row | {"elsewhere": "packs of unknown make, sold in China"}
    file = json.loads(release_bytes(RELEASE))
    file |= {"version": "2", "rows": [*file["rows"], row]}
    proposal = panel.proposed(json.dumps(file).encode())
    panel.accepted(proposal)
    index: int = panel.publish(proposal).json()["index"]
    return index


def used(exchange: Exchange, entry: int, average: str) -> None:
    """Another maker builds with a bought battery of which it knows nothing but the average."""
    buyer = Company.join(exchange, "buyer", roles=["supplier", "pack_maker"], corporate_group="Buyer")
    bought = line(amount="900", unit="kWh", name="a bought battery", flow=FLOW, obtained="measured")
    found = Pack(buyer, "p-bought").state("500", bought).result()
    result = found["result"]
    (part,) = [one for one in result["contributions"] if one["name"] == "a bought battery"]
    assert (part["factor"]["release"], part["factor"]["value"]) == (RELEASE, average)
    assert part["factor"]["reason"].startswith("proxy: CN for any place: packs of unknown make")
    assert float(part["kg_co2e"]) == pytest.approx(900 * float(average), rel=1e-9)
    # Where from: the release, the entry that published it after its reviews, and who signed that.
    (release,) = [one for one in result["releases"] if one["id"] == RELEASE]
    assert (release["version"], release["entry"]) == ("2", entry)
    assert entry in [one["index"] for one in result["inputs"]]
    facts = dict(trace(result, f"contributions/{result['contributions'].index(part)}").facts)
    assert facts["factor"].endswith(f"2, {release['digest']}, published at entry {entry}")
    said = exchange.http.get(f"/api/v1/entries/{entry}").json()
    assert (said["issuer"], said["vct"]) == ("https://factors.example", FACTOR_RELEASE.vct)
    page = buyer.admin.get(f"/results/{found['digest']}").text
    assert f'published at entry <a href="/entries/{entry}">{entry}</a>' in page
    exchange.publish()
    body = {"reader": buyer.uri, "results": [found["digest"]]}
    answer = buyer.admin.post("/api/v1/evidence", json=body)
    assert answer.status_code == 200, answer.text
    verdict = verify_evidence(answer.content, exchange.services.installation.trust_file)
    assert verdict.code == "verified", verdict
    assert next(iter(verdict.results.values()))["headline"] == result["headline"]


def test_a_corporate_group_counts_once_however_it_is_spelt(sqlite_exchange: Exchange) -> None:
    """Else its own companies could make up the number behind which another's figure is hidden."""
    exchange = sqlite_exchange
    verifier = Company.join(exchange, "verifier", roles=["verifier"])
    authority = Company.join(exchange, "authority", roles=["authority"])
    for number, group in enumerate(("Big Co", "BIG  co")):
        maker = Company.join(exchange, f"maker-{number}", roles=["supplier", "pack_maker"], corporate_group=group)
        Desk(Pack(maker).state(), verifier, authority).reach("verified")
    found = verified(exchange)
    assert len(found) == 2
    assert {one.group for one in found} == {"big-co"}


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

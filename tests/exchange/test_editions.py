"""The closed loop: verified footprints, candidate averages, editions, and a row of a proposed release."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from bom_graph import AverageError, VerifiedFootprint, release_bytes
from exchange.errors import RightsError
from exchange.governance import ShownEdition
from exchange.services import Services
from tests.flow.accounts import Company
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange

FLOW, REGION = "nickel-sulfate", "CN"


class Verified:
    """Verified footprints, as verification statements will give them."""

    def __init__(self) -> None:
        self.known: list[VerifiedFootprint] = []
        self.unit = "kg"

    def __call__(self, _flow: str, _region: str, _year: int, _day: date) -> Iterator[VerifiedFootprint]:
        return iter(self.known)

    def add(self, group: str, value: str, production: str = "20", year: int = 2025) -> None:
        made = VerifiedFootprint(
            f"https://{group}.example", group, FLOW, REGION, year, Decimal(value), Decimal(production), self.unit
        )
        self.known.append(made)


@pytest.fixture
def verified(exchange: Exchange) -> Verified:
    found = Verified()
    object.__setattr__(exchange.services, "averages", replace(exchange.services.averages, footprints=found))
    exchange.clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    return found


def make(exchange: Exchange, year: int = 2025) -> ShownEdition | tuple[str, ...]:
    services: Services = exchange.services
    return services.averages.make(services.standing_in, FLOW, REGION, year)


def six(verified: Verified, year: int = 2025) -> None:
    for n in range(6):
        verified.add(f"group-{n}", str(8 + n), year=year)


def test_an_edition_is_made_once_and_says_the_same_whatever_is_verified_later(
    exchange: Exchange, verified: Verified
) -> None:
    six(verified)
    first = make(exchange)
    assert isinstance(first, ShownEdition)
    assert first.value == "10.5"
    verified.add("group-9", "40", "90")
    assert make(exchange) == first
    assert exchange.services.averages.page(exchange.services.standing_in, FLOW) == [first]


def test_an_edition_is_per_the_unit_of_its_footprints(exchange: Exchange, verified: Verified) -> None:
    verified.unit = "kWh delivered"
    six(verified)
    body = {"flow": FLOW, "region": REGION, "year": 2025}
    for _before_and_after in range(2):
        refused = exchange.http.post("/api/v1/industry-averages", json=body | {"unit": "kg"})
        assert (refused.status_code, refused.json()["code"]) == (400, "unit")
        made = exchange.http.post("/api/v1/industry-averages", json=body)
        assert made.status_code == 200, made.text
        row = made.json()["row"]
        assert (row["per"], row["source_unit"], row["name"].split(", ")[1]) == (
            "kWh",
            "kg CO2e/kWh delivered",
            "per kWh delivered",
        )


def test_footprints_per_several_units_have_no_average(exchange: Exchange, verified: Verified) -> None:
    six(verified)
    verified.unit = "kWh"
    verified.add("group-6", "9")
    with pytest.raises(AverageError, match="per kWh, kg"):
        make(exchange)
    assert exchange.services.averages.page(exchange.services.standing_in) == []


def test_what_an_edition_was_made_of_rests_hidden(exchange: Exchange, verified: Verified) -> None:
    six(verified)
    make(exchange)
    with exchange.services.installation.engine.connect() as connection:
        (row,) = connection.execute(text("SELECT * FROM exchange_average_edition")).all()
    assert "group-3" not in str(row)
    assert b"group-3" not in b"".join(bytes(one) for one in row if isinstance(one, bytes | memoryview))


def test_who_joins_is_not_told_between_editions(exchange: Exchange, verified: Verified) -> None:
    six(verified)
    six(verified, 2026)
    verified.add("joins", "14", "40", year=2026)
    assert isinstance(make(exchange), ShownEdition)
    exchange.clock.now = datetime(2027, 3, 1, tzinfo=UTC)
    withheld = make(exchange, 2026)
    assert isinstance(withheld, tuple)
    (reason,) = withheld
    assert "could bound another's value within 10%" in reason
    assert len(exchange.services.averages.page(exchange.services.standing_in)) == 1


def test_an_edition_is_held_against_those_of_before_however_groups_were_spelt(
    exchange: Exchange, verified: Verified
) -> None:
    for n in range(6):
        verified.add(f"Group  {n}", str(8 + n))
    six(verified, 2026)
    verified.add("joins", "14", "40", year=2026)
    assert isinstance(make(exchange), ShownEdition)
    exchange.clock.now = datetime(2027, 3, 1, tzinfo=UTC)
    assert isinstance(make(exchange, 2026), tuple), "who joined would be told"


def test_what_is_withheld_says_why_by_http_and_no_figure(exchange: Exchange, verified: Verified) -> None:
    for n in range(4):
        verified.add(f"group-{n}", "7731.25")
    body = {"flow": FLOW, "region": REGION, "year": 2025}
    answer = exchange.http.post("/api/v1/industry-averages", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["withheld"] == ["fewer than 5 corporate groups contribute"]
    assert "773" not in answer.text
    assert exchange.http.get("/api/v1/industry-averages").json() == []


def test_the_operator_makes_editions_and_everybody_reads_them(exchange: Exchange, verified: Verified) -> None:
    six(verified)
    rival = Company.join(exchange, "rival")
    assert (
        rival.admin.post("/api/v1/industry-averages", json={"flow": FLOW, "region": REGION, "year": 2025}).status_code
        == 403
    )
    services = exchange.services
    with pytest.raises(RightsError):
        services.averages.make(replace(services.standing_in, scopes=frozenset({"data:read"})), FLOW, REGION, 2025, "kg")
    make(exchange)
    (seen,) = rival.admin.get("/api/v1/industry-averages", params={"flow": FLOW}).json()
    assert (seen["value"], seen["row"]["nature"]) == ("10.5", "statistical")
    assert "group" not in json.dumps(seen)


def test_an_edition_becomes_a_row_of_a_proposed_release(exchange: Exchange, verified: Verified) -> None:
    six(verified)
    make(exchange)
    (edition,) = exchange.http.get("/api/v1/industry-averages").json()
    file: dict[str, Any] = json.loads(release_bytes("everbatt-2023")) | {"version": "2"}
    file["rows"].append(edition["row"])
    data = json.dumps(file)
    maintainer = exchange.member("factors", "factor_maintainer")
    body = {"file": data, "digest": hashlib.sha256(data.encode()).hexdigest(), "organisation": maintainer.uri}
    proposed = exchange.http.post("/api/v1/factor-proposals", json=body)
    assert proposed.status_code == 201, proposed.text
    found = exchange.http.get(f"/api/v1/factor-proposals/{proposed.json()['id']}/difference").json()
    assert [one["id"] for one in found["added"]] == ["average-nickel-sulfate-CN-2025"]


def test_without_verification_statements_every_average_is_withheld(sqlite_exchange: Exchange) -> None:
    sqlite_exchange.clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    body = {"flow": "traction-battery-LFP", "region": REGION, "year": 2025}

    def asked(flow: str) -> Any:
        return sqlite_exchange.http.post("/api/v1/industry-averages", json=body | {"flow": flow})

    assert asked("traction-battery-LFP").json()["withheld"] == ["fewer than 5 corporate groups contribute"]
    # Of these there never is any: what is withheld for a slip in the name would be taken for a rule.
    for flow, remedy in (
        (FLOW, "traction-battery-<chemistry group>"),
        ("traction-battery-lfp", "traction-battery-LFP"),
    ):
        problem = check_problem(asked(flow), 400, "average")
        assert (problem["where"], problem["remedy"]) == ("flow", f"ask for {remedy}")

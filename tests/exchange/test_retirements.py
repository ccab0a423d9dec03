"""The register of retired certificates: listed to its owner, held against grid purchases, digested."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange.kinds import ACTIVITY_DATA, CERTIFICATE_RETIREMENT, STATUS_SNAPSHOT, WITHDRAWALS
from signer import read_unverified
from tests.flow.accounts import Company
from tests.flow.test_bad_input import check_problem
from tests.flow.world import SITE, Exchange, Member, activity

MONTH = "2026-01"


def retired(member: Member, name: str = "a", first: int = 1, last: int = 1, **changes: Any) -> dict[str, Any]:
    """The claims of a retirement of serials `first` to `last`."""
    claims = {
        "sub": f"{member.uri}/retirements/{name}",
        "registry": "GEC",
        "serials": [{"first": f"GEC-{first:06}", "last": f"GEC-{last:06}"}],
        "energy": {"amount": str(last - first + 1), "unit": "MWh", "obtained": "measured"},
        "month": MONTH,
        "generation": "wind",
        "region": "CN-NM",
        "site": SITE,
    }
    return claims | changes


def metered(member: Member, mwh: str, month: str = MONTH, name: str = "salt", supply: str = "grid") -> dict[str, Any]:
    """Activity data of a month with so much electricity."""
    kind = {} if supply == "grid" else {"generation": "solar"}
    power = {"amount": mwh, "unit": "MWh", "obtained": "measured", "supply": supply, "geography": "CN", **kind}
    period = {"start": f"{month}-01", "end": f"{month}-28"}
    return activity(member.product(name), period=period, electricity=[power])


def cover(exchange: Exchange, member: Member) -> list[dict[str, Any]]:
    answer = exchange.http.get("/api/v1/certificates/cover", params={"organisation": member.uri})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


@pytest.fixture
def cells(exchange: Exchange) -> Member:
    return exchange.member("cells")


def test_its_owner_sees_its_retirements_and_how_they_stand(exchange: Exchange, cells: Member) -> None:
    first = cells.state(CERTIFICATE_RETIREMENT, retired(cells, "a", 1, 10))
    second = cells.state(CERTIFICATE_RETIREMENT, retired(cells, "a", 1, 12))
    third = cells.state(CERTIFICATE_RETIREMENT, retired(cells, "b", 100, 100))
    gone = cells.state(WITHDRAWALS, {"target": third, "reason": "sold after all"})
    found = exchange.http.get("/api/v1/certificates").json()
    assert [(one["index"], one["state"], one["by"]) for one in found] == [
        (third["index"], "withdrawn", gone["index"]),
        (second["index"], "counts", None),
        (first["index"], "corrected", second["index"]),
    ]
    assert (found[1]["mwh"], found[1]["month"], found[1]["serials"]) == (
        "12",
        MONTH,
        [{"first": "GEC-000001", "last": "GEC-000012"}],
    )
    page = exchange.http.get("/api/v1/certificates", params={"after": second["index"], "limit": 1}).json()
    assert [one["index"] for one in page] == [first["index"]]


def test_a_rival_sees_none_of_it(exchange: Exchange, cells: Member) -> None:
    cells.state(CERTIFICATE_RETIREMENT, retired(cells))
    rival = Company.join(exchange, "rival")
    assert rival.admin.get("/api/v1/certificates").json() == []
    refused = rival.admin.get("/api/v1/certificates/cover", params={"organisation": cells.uri})
    assert (refused.status_code, refused.json()["code"]) == (403, "rights")


def test_one_serial_once_across_organisations_in_ranges_too(exchange: Exchange, cells: Member) -> None:
    cells.state(CERTIFICATE_RETIREMENT, retired(cells, "a", 1, 10))
    other = exchange.member("other")
    before = exchange.http.get("/api/v1/retirement-register").json()
    for first, last in ((10, 10), (5, 6), (0, 99)):
        refused = exchange.post(other.sign(CERTIFICATE_RETIREMENT, retired(other, f"x{first}", first, last)))
        assert (refused.status_code, refused.json()["code"]) == (409, "double_claim")
        assert cells.uri not in refused.text
    assert exchange.http.get("/api/v1/retirement-register").json()["digest"] == before["digest"]
    assert exchange.post(other.sign(CERTIFICATE_RETIREMENT, retired(other, "y", 11, 20))).status_code == 201


def test_a_month_that_hasn_t_begun_is_refused(exchange: Exchange, cells: Member) -> None:
    exchange.clock.now = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)
    for month in ("2026-04", "2099-01"):
        refused = check_problem(
            exchange.post(cells.sign(CERTIFICATE_RETIREMENT, retired(cells, month=month))), 400, "statement"
        )
        assert refused["where"] == "month"
        assert month in refused["detail"]
    exchange.clock.advance(60)
    assert exchange.post(cells.sign(CERTIFICATE_RETIREMENT, retired(cells, month="2026-04"))).status_code == 201


def test_no_more_is_covered_than_the_site_took_from_the_grid_in_the_month(exchange: Exchange, cells: Member) -> None:
    cells.state(ACTIVITY_DATA, metered(cells, "10"))
    cells.state(CERTIFICATE_RETIREMENT, retired(cells, "a", 1, 6))
    (one,) = cover(exchange, cells)
    assert (one["retired_mwh"], one["bought_mwh"], one["covered"]) == ("6", "10", True)
    more = cells.state(CERTIFICATE_RETIREMENT, retired(cells, "b", 7, 12))
    (one,) = cover(exchange, cells)
    assert (one["retired_mwh"], one["covered"]) == ("12", False)
    assert "2 MWh above grid purchases of 10 MWh" in one["what"]
    cells.state(WITHDRAWALS, {"target": more, "reason": "too many"})
    assert cover(exchange, cells)[0]["covered"]


@pytest.mark.parametrize(
    ("power", "what"),
    [
        ({"mwh": "10", "month": "2026-02"}, "nothing was taken from the grid in that month"),
        ({"mwh": "10", "supply": "on_site"}, "nothing was taken from the grid in that month"),
    ],
)
def test_another_month_and_power_of_its_own_are_no_cover(
    exchange: Exchange, cells: Member, power: Mapping[str, str], what: str
) -> None:
    cells.state(ACTIVITY_DATA, metered(cells, **power))
    cells.state(CERTIFICATE_RETIREMENT, retired(cells))
    (one,) = cover(exchange, cells)
    assert not one["covered"]
    assert what in one["what"]


def test_a_restated_month_is_no_second_month(exchange: Exchange, cells: Member) -> None:
    cells.state(ACTIVITY_DATA, metered(cells, "10"))
    cells.state(ACTIVITY_DATA, metered(cells, "8"))
    cells.state(ACTIVITY_DATA, metered(cells, "5", name="other"))
    cells.state(CERTIFICATE_RETIREMENT, retired(cells, "a", 1, 14))
    (one,) = cover(exchange, cells)
    assert (one["bought_mwh"], one["covered"]) == ("13", False)


def test_the_digest_is_recomputed_from_the_entries_alone(exchange: Exchange, cells: Member) -> None:
    """By whoever has the tokens: kinds and targets stand in the open."""
    other = exchange.member("other")
    stated = [
        cells.state(CERTIFICATE_RETIREMENT, retired(cells, "a", 1, 3)),
        other.state(CERTIFICATE_RETIREMENT, retired(other, "b", 4, 9)),
        cells.state(CERTIFICATE_RETIREMENT, retired(cells, "c", 10, 10)),
    ]
    size = exchange.size
    cells.state(WITHDRAWALS, {"target": stated[0], "reason": "sold after all"})

    def digest(*counting: Mapping[str, Any]) -> str:
        lines = "".join(f"{one['index']} {one['leaf_hash']}\n" for one in counting)
        return hashlib.sha256(lines.encode()).hexdigest()

    def register(**query: int) -> dict[str, Any]:
        found: dict[str, Any] = exchange.http.get("/api/v1/retirement-register", params=query).json()
        return found

    assert register() == {"size": exchange.size, "retirements": 2, "digest": digest(*stated[1:])}
    assert register(size=size) == {"size": size, "retirements": 3, "digest": digest(*stated)}
    assert register(size=stated[1]["index"])["digest"] == digest(stated[0])
    assert register(size=0)["digest"] == hashlib.sha256(b"").hexdigest()
    assert exchange.http.get("/api/v1/retirement-register", params={"size": 10**6}).status_code == 400


def test_status_snapshots_state_the_same_digest(exchange: Exchange, cells: Member) -> None:
    cells.state(CERTIFICATE_RETIREMENT, retired(cells, "a", 1, 3))
    gone = cells.state(CERTIFICATE_RETIREMENT, retired(cells, "b", 4, 4))
    cells.state(WITHDRAWALS, {"target": gone, "reason": "sold after all"})
    exchange.clock.advance(86_400)
    exchange.services.snapshots.tick()
    entry = exchange.http.get(f"/api/v1/entries/{exchange.size - 1}").json()
    said = read_unverified(entry["token"], ()).open_claims
    assert entry["vct"] == STATUS_SNAPSHOT.vct
    register = exchange.http.get("/api/v1/retirement-register", params={"size": str(said["size"])}).json()
    assert (register["digest"], register["retirements"]) == (said["retirements"], 1)

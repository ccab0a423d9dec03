"""Stale results: marked for who can see why, recalculated, accepted once or kept with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from bom_graph import Background, FactorRelease, release_bytes
from exchange import installation
from exchange.calculation.tables import CurrentRow, RestsOnRow, StaleRow, WatchRow
from exchange.database import begin
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT
from ledger.store import snapshot
from signer import join_presentation
from tests.exchange.test_retractions import stated, supersedes
from tests.flow.accounts import Company
from tests.flow.world import EVERBATT, Exchange, Member, activity, citation, line, open_services, signed_footprint

STAGE = EVERBATT.stages[0].id


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


def computed(exchange: Exchange, reader: Member, product: str) -> str:
    answer = exchange.footprint(product, reader.uri)
    assert answer.status_code == 201, answer.text
    exchange.clock.advance(1)
    found: str = answer.json()["digest"]
    return found


def causes(exchange: Exchange, digest: str) -> list[str]:
    answer = exchange.http.get(f"/api/v1/footprints/{digest}/stale")
    assert answer.status_code == 200, answer.text
    return [one["cause"] for one in answer.json()["causes"]]


def effect(exchange: Exchange, digest: str) -> dict[str, Any]:
    found: dict[str, Any] = exchange.http.get(f"/api/v1/footprints/{digest}/stale").json()["effect"]
    return found


def events(exchange: Exchange, reader: Member, kind: str = "packtrace.result.stale") -> list[dict[str, Any]]:
    found = exchange.http.get(f"/api/v1/inbox?organisation={reader.uri}").json()["events"]
    return [one for one in found if kind in json.dumps(one)]


def stated_by(company: Company, amount: str) -> dict[str, Any]:
    """A company with accounts states by its own hand that its part takes so much nickel sulfate."""
    salt = {**line(name="salt", flow="nickel-sulfate"), "amount": amount}
    issued = company.member.sign(ACTIVITY_DATA, activity(company.member.product("part"), salt))
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    answer = company.admin.post("/api/v1/statements", json=body)
    assert answer.status_code == 201, answer.text
    return citation(answer.json())


def test_a_new_statement_marks_the_result_and_tells_its_reader_once(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2")
    digest = computed(exchange, maker, maker.product("part"))
    stated(maker, "9", "something-else")
    exchange.services.watch.tick()
    assert causes(exchange, digest) == []
    newer = [stated(maker, "3")["index"], stated(maker, "4")["index"]]
    exchange.services.watch.tick()
    assert causes(exchange, digest) == [f"entry:{index}" for index in newer]
    (told,) = events(exchange, maker)
    assert "kg" not in json.dumps(told)
    found = effect(exchange, digest)
    assert (found["changed"], found["percent"], found["ask"]) == (True, "100.00", [])
    assert float(found["difference"]["value"]) == pytest.approx(float(found["before"]["value"]), rel=1e-5)
    assert [(bar["cause"], bar["before"], bar["after"]) for bar in found["bars"]] == [("line", "2", "4")]


def test_a_reader_hears_of_an_entry_once_it_may_see_what_it_is_about(exchange: Exchange, maker: Member) -> None:
    customer = exchange.member("customer")
    maker.grant(stated(maker, "2"), customer)
    digest = computed(exchange, customer, maker.product("part"))
    newer = stated(maker, "3")
    exchange.services.watch.tick()
    assert (causes(exchange, digest), events(exchange, customer)) == ([], [])
    maker.grant(newer, customer)
    exchange.services.watch.tick()
    assert causes(exchange, digest) == [f"entry:{newer['index']}"]
    exchange.services.watch.tick()
    assert len(events(exchange, customer)) == 1


def test_what_fills_a_gap_makes_stale(exchange: Exchange, maker: Member) -> None:
    part = {**line(product=maker.product("part"), name="part")}
    salt = {**line(name="salt", flow="nickel-sulfate")}
    maker.state(ACTIVITY_DATA, activity(maker.product("whole"), part, salt))
    digest = computed(exchange, maker, maker.product("whole"))
    filled = stated(maker, "2")
    exchange.services.watch.tick()
    assert causes(exchange, digest) == [f"entry:{filled['index']}"]


def test_a_withdrawal_makes_stale_and_a_missing_figure_asks_the_owner(exchange: Exchange, maker: Member) -> None:
    """The customer holds the supplier's signed figure; what is behind it is sealed, and so is what takes its place."""
    customer = exchange.member("customer")
    cited = maker.state(PRODUCT_FOOTPRINT, signed_footprint(maker.product("part"), STAGE))
    maker.grant(cited, customer)
    inputs = [line(product=maker.product("part"), name="part"), line(name="salt", flow="nickel-sulfate")]
    customer.state(ACTIVITY_DATA, activity(customer.product("whole"), *inputs))
    digest = computed(exchange, customer, customer.product("whole"))
    other = maker.state(PRODUCT_FOOTPRINT, signed_footprint(maker.product("part"), STAGE))
    by = supersedes(maker, cited, other).json()["index"]
    exchange.services.watch.tick()
    assert causes(exchange, digest) == [f"entry:{by}"]
    found = effect(exchange, digest)
    assert (found["difference"], found["percent"], found["bars"]) == (None, None, None)
    assert len(found["ask"]) == 1


def test_a_release_of_another_text_makes_stale(
    exchange: Exchange, maker: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated(maker, "2")
    digest = computed(exchange, maker, maker.product("part"))
    exchange.services.watch.tick()
    members = json.loads(release_bytes("everbatt-2023"))
    for row in members["rows"]:
        if row["flow"] == "nickel-sulfate":
            row["value"] = str(2 * float(row["value"]))
    file = json.dumps({**members, "version": "2"}).encode()
    newer = FactorRelease.read(file)
    shipped = Background.shipped()
    releases = tuple(newer if one.id == newer.id else one for one in shipped.releases)
    monkeypatch.setattr(installation, "release_bytes", lambda name: file if name == newer.id else release_bytes(name))
    monkeypatch.setattr(Background, "shipped", lambda: replace(shipped, releases=releases))
    started_anew = open_services(
        exchange.services.installation.folder, exchange.url, clock=exchange.clock, holder="first"
    )
    started_anew.watch.tick()
    started_anew.installation.engine.dispose()
    assert causes(exchange, digest) == ["release:everbatt-2023"]
    assert effect(exchange, digest)["percent"] == "100.00"


def test_an_accepted_result_takes_the_place_of_the_stale_one(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2")
    digest = computed(exchange, maker, maker.product("part"))
    stated(maker, "3")
    exchange.services.watch.tick()
    seen = effect(exchange, digest)
    path = f"/api/v1/footprints/{digest}"
    successor = exchange.http.post(f"{path}/accept", json={"effect": seen["id"]}).json()["digest"]
    said = exchange.http.get(f"{path}/stale").json()
    assert (said["stale"], said["effect"]) == (False, None)
    assert [(one["decision"], one["successor"]) for one in said["causes"]] == [("accepted", successor)]
    (listed,) = exchange.http.get("/api/v1/footprints").json()
    assert listed["digest"] == successor
    # The product is the maker's own: the new result waits to be signed.
    (drafted,) = events(exchange, maker, "packtrace.footprint.drafted")
    assert drafted["subject"] == f"/api/v1/footprints/{successor}/draft"
    with snapshot(exchange.services.installation.engine) as connection:
        session = Session(connection)
        assert session.exec(select(CurrentRow.result)).all() == [successor]
        assert set(session.exec(select(RestsOnRow.result)).all()) == {successor}
    # What comes next makes the new one stale, and no more the old one.
    stated(maker, "5")
    exchange.services.watch.tick()
    assert (len(causes(exchange, digest)), len(causes(exchange, successor))) == (1, 1)


def test_what_was_not_looked_at_is_not_accepted(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2")
    digest = computed(exchange, maker, maker.product("part"))
    stated(maker, "3")
    exchange.services.watch.tick()
    seen = effect(exchange, digest)
    stated(maker, "4")
    answer = exchange.http.post(f"/api/v1/footprints/{digest}/accept", json={"effect": seen["id"]})
    assert (answer.status_code, answer.json()["where"]) == (409, "effect")


def test_of_two_acceptances_at_once_one_wins(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2")
    digest = computed(exchange, maker, maker.product("part"))
    stated(maker, "3")
    exchange.services.watch.tick()
    body = {"effect": effect(exchange, digest)["id"]}
    path = f"/api/v1/footprints/{digest}"
    asks: list[Callable[[], Any]] = [
        lambda: exchange.http.post(f"{path}/accept", json=body),
        lambda: exchange.http.post(f"{path}/accept", json=body),
        lambda: exchange.http.post(f"{path}/keep", json={"reason": "audited already"}),
    ]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda ask: ask(), asks))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] in {200, 204}
    assert statuses[1:] == [409, 409]
    with snapshot(exchange.services.installation.engine) as connection:
        (row,) = Session(connection).exec(select(StaleRow)).all()
        assert row.decision in {"accepted", "kept"}


def test_a_kept_result_is_kept_with_a_reason_until_something_else_comes(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2")
    digest = computed(exchange, maker, maker.product("part"))
    path = f"/api/v1/footprints/{digest}"
    assert exchange.http.post(f"{path}/keep", json={"reason": "filed already"}).status_code == 409
    stated(maker, "3")
    exchange.services.watch.tick()
    assert exchange.http.post(f"{path}/keep", json={"reason": "filed already"}).status_code == 204
    said = exchange.http.get(f"{path}/stale").json()
    assert (said["stale"], said["causes"][0]["reason"]) == (False, "filed already")
    stated(maker, "4")
    exchange.services.watch.tick()
    assert exchange.http.get(f"{path}/stale").json()["stale"] is True
    assert len(events(exchange, maker)) == 2


def test_a_result_that_was_stored_after_the_watch_had_passed_is_marked_all_the_same(
    exchange: Exchange, maker: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    stated(maker, "2")
    compute = exchange.services.calculation.computed
    newer: list[int] = []

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        found = compute(*arguments, **named)
        newer.append(stated(maker, "3")["index"])
        exchange.services.watch.tick()
        return found

    monkeypatch.setattr(
        type(exchange.services.calculation),
        "computed",
        lambda _self, *arguments, **named: meanwhile(*arguments, **named),
    )
    digest = computed(exchange, maker, maker.product("part"))
    monkeypatch.undo()
    assert causes(exchange, digest) == [f"entry:{newer[0]}"]


def test_results_of_before_the_index_are_indexed(exchange: Exchange, maker: Member) -> None:
    stated(maker, "2")
    digest = computed(exchange, maker, maker.product("part"))
    newer = stated(maker, "3")
    with begin(exchange.services.installation.engine) as connection:
        for table in (RestsOnRow, CurrentRow):
            connection.execute(delete(table))
        connection.execute(update(WatchRow).where(col(WatchRow.name) == "results").values(position=""))
    exchange.services.watch.tick()
    assert causes(exchange, digest) == [f"entry:{newer['index']}"]


def test_of_results_of_one_instant_the_last_one_stays_current(exchange: Exchange, maker: Member) -> None:
    """Results of before the index are looked at by digest, which is no order."""
    digests: list[str] = []
    while not digests or digests[-1] == max(digests):
        stated(maker, "2")
        digests.append(exchange.footprint(maker.product("part"), maker.uri).json()["digest"])
    exchange.services.watch.tick()
    with snapshot(exchange.services.installation.engine) as connection:
        session = Session(connection)
        assert session.exec(select(CurrentRow.result)).all() == [digests[-1]]
        assert set(session.exec(select(RestsOnRow.result)).all()) == {digests[-1]}


def test_two_readers_who_see_the_same_each_have_the_result(exchange: Exchange, maker: Member) -> None:
    """A document names no reader, so their digests are one."""
    seller, buyer = Company.join(exchange, "seller"), Company.join(exchange, "buyer")
    cited = stated_by(seller, "2")
    granted = seller.admin.post(
        "/api/v1/grants",
        json={
            "owner": seller.uri,
            "reader": buyer.uri,
            "leaf_hash": cited["leaf_hash"],
            "paths": ["full"],
            "purpose": "customer",
        },
    )
    assert granted.status_code == 201
    for company in (seller, buyer):
        body = {
            "product": seller.member.product("part"),
            "rule_set": "everbatt-2023-cradle-to-gate",
            "reader": company.uri,
            "flow": None,
        }
        digest = company.admin.post("/api/v1/footprints", json=body).json()["digest"]
        assert company.admin.get(f"/api/v1/footprints/{digest}").status_code == 200


def test_notices_go_from_tier_to_tier(exchange: Exchange, maker: Member) -> None:
    """An accepted result of the supplier's tells its customer nothing; its signed and granted statement does."""
    customer = exchange.member("customer")
    first = maker.state(PRODUCT_FOOTPRINT, signed_footprint(maker.product("part"), STAGE))
    maker.grant(first, customer)
    inputs = [line(product=maker.product("part"), name="part"), line(name="salt", flow="nickel-sulfate")]
    customer.state(ACTIVITY_DATA, activity(customer.product("whole"), *inputs))
    mine = computed(exchange, customer, customer.product("whole"))
    stated(maker, "2")
    own = computed(exchange, maker, maker.product("part"))
    stated(maker, "3")
    exchange.services.watch.tick()
    body = {"effect": effect(exchange, own)["id"]}
    assert exchange.http.post(f"/api/v1/footprints/{own}/accept", json=body).status_code == 200
    exchange.services.watch.tick()
    assert (causes(exchange, mine), events(exchange, customer)) == ([], [])
    second = maker.state(PRODUCT_FOOTPRINT, signed_footprint(maker.product("part"), STAGE))
    maker.grant(second, customer)
    exchange.services.watch.tick()
    assert causes(exchange, mine) == [f"entry:{second['index']}"]


def test_anothers_stale_result_is_not_there(exchange: Exchange, maker: Member) -> None:
    company, rival = Company.join(exchange, "company"), Company.join(exchange, "rival")
    stated_by(company, "2")
    body = {
        "product": company.member.product("part"),
        "rule_set": "everbatt-2023-cradle-to-gate",
        "reader": company.uri,
    }
    digest = company.admin.post("/api/v1/footprints", json=body).json()["digest"]
    stated_by(company, "3")
    exchange.services.watch.tick()
    path = f"/api/v1/footprints/{digest}"
    assert company.admin.get(f"{path}/stale").json()["stale"] is True
    asks = [
        rival.admin.get(f"{path}/stale"),
        rival.admin.post(f"{path}/accept", json={"effect": "0" * 64}),
        rival.admin.post(f"{path}/keep", json={"reason": "mine now"}),
    ]
    assert [answer.status_code for answer in asks] == [404, 404, 404]
    assert company.colleague("viewer").post(f"{path}/keep", json={"reason": "no"}).status_code == 403

"""Calculations of many demands: in steps, in turns, after a kill, cancelled, ended by a fault."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session, select

from bom_graph.rules import rule_set_ids
from exchange.calculation import Batches, Calculation, batches
from exchange.calculation.tables import JobItemRow, JobRow, ResultRow
from ledger.store import snapshot
from tests.exchange.test_retractions import stated
from tests.flow.accounts import Company
from tests.flow.process import PACKTRACE, ROOT, environment
from tests.flow.world import EVERBATT, PASSPHRASE, Exchange, Member, open_services


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_STEP", 2)


class Killed(BaseException):
    """What nothing catches: the process is gone."""


def ask(exchange: Exchange, reader: Member, *names: str) -> str:
    body = {
        "reader": reader.uri,
        "demands": [{"product": reader.product(name)} for name in names],
        "rule_sets": [EVERBATT.id],
    }
    answer = exchange.http.post("/api/v1/calculations", json=body)
    assert answer.status_code == 202, answer.text
    # Ids and turns follow the clock.
    exchange.clock.advance(1)
    found: str = answer.json()["id"]
    return found


def shown(exchange: Exchange, job: str, query: str = "") -> dict[str, Any]:
    answer = exchange.http.get(f"/api/v1/calculations/{job}{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(exchange: Exchange, reader: Member) -> list[str]:
    found = exchange.http.get(f"/api/v1/inbox?organisation={reader.uri}").json()["events"]
    return [one["type"] for one in found if "result" in one["type"]]


@pytest.fixture
def parts(maker: Member) -> list[str]:
    names = [f"part-{number}" for number in range(5)]
    for number, name in enumerate(names, 1):
        stated(maker, str(number), name)
    return names


def test_every_demand_ends_with_its_result_or_with_what_refuses_it(
    exchange: Exchange, maker: Member, parts: list[str]
) -> None:
    job = ask(exchange, maker, *parts, "unknown")
    before = shown(exchange, job)
    assert (before["state"], before["done"], before["total"]) == ("waiting", 0, 6)
    exchange.services.batches.tick()
    found = shown(exchange, job)
    assert (found["state"], found["done"], found["refused"]) == ("done", 6, 1)
    *done, refused = found["items"]
    assert [one["state"] for one in done] == ["done"] * 5
    for one in done:
        result = exchange.http.get(f"/api/v1/footprints/{one['result']}").json()
        assert result["demand"]["product"] == one["product"]
    assert (refused["state"], refused["result"]) == ("refused", None)
    assert "no statement about this product" in refused["findings"][0]["what"]
    assert told(exchange, maker) == ["packtrace.result.done"]


def test_the_demands_come_page_by_page(exchange: Exchange, maker: Member, parts: list[str]) -> None:
    job = ask(exchange, maker, *parts)
    first = shown(exchange, job, "?limit=3")
    rest = shown(exchange, job, f"?limit=3&after={first['after']}")
    assert [one["number"] for one in (*first["items"], *rest["items"])] == [0, 1, 2, 3, 4]
    assert rest["after"] is None


@pytest.mark.usefixtures("small_steps")
def test_a_killed_calculation_is_resumed_by_another_process(
    exchange: Exchange, maker: Member, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after a result was stored and before it was ticked off: nothing is lost, and no result is there twice."""
    job = ask(exchange, maker, *parts)
    ticked_off = Batches._ticked_off

    def killed(self: Batches, item: JobItemRow, *rest: Any) -> bool:
        if item.number == 3:
            raise Killed
        return ticked_off(self, item, *rest)

    monkeypatch.setattr(Batches, "_ticked_off", killed)
    with pytest.raises(Killed):
        exchange.services.batches.tick()
    monkeypatch.undo()
    assert (shown(exchange, job)["state"], shown(exchange, job)["done"]) == ("running", 3)
    second = open_services(exchange.services.installation.folder, exchange.url, clock=exchange.clock, holder="second")
    try:
        second.batches.tick()
        # The first one's lease stands until it ends.
        assert shown(exchange, job)["done"] == 3
        exchange.clock.advance(20)
        second.batches.tick()
    finally:
        second.installation.engine.dispose()
    found = shown(exchange, job)
    assert (found["state"], found["done"]) == ("done", 5)
    with snapshot(exchange.services.installation.engine) as connection:
        stored = Session(connection).exec(select(ResultRow.digest)).all()
    assert sorted(stored) == sorted(one["result"] for one in found["items"])


def test_a_server_that_is_killed_in_the_middle_loses_nothing(exchange: Exchange, maker: Member) -> None:
    """A real process, ended by SIGKILL; its lease ends by itself, and another goes on."""
    names = [f"part-{number}" for number in range(12)]
    for number, name in enumerate(names, 1):
        stated(maker, str(number), name)
    body = {
        "reader": maker.uri,
        "demands": [{"product": maker.product(name)} for name in names],
        "rule_sets": list(rule_set_ids()),
    }
    job = exchange.http.post("/api/v1/calculations", json=body).json()["id"]
    folder = str(exchange.services.installation.folder)
    variables = environment(database_url=exchange.url, passphrase=PASSPHRASE)
    with subprocess.Popen(
        [*PACKTRACE, "serve", "--data", folder, "--port", "0"],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while shown(exchange, job)["done"] < 3 and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            process.kill()
    cut = shown(exchange, job)
    assert cut["state"] == "running"
    assert 3 <= cut["done"] < cut["total"]
    exchange.clock.now = datetime.now(UTC) + timedelta(seconds=20)
    exchange.services.batches.tick()
    found = shown(exchange, job)
    assert (found["state"], found["done"]) == ("done", found["total"])
    items = [
        one
        for start in range(-1, found["total"], 200)
        for one in shown(exchange, job, f"?limit=200&after={start}")["items"]
    ]
    done = [one["result"] for one in items if one["state"] == "done"]
    assert len(items) == found["total"] == len(done) + found["refused"]
    with snapshot(exchange.services.installation.engine) as connection:
        assert set(done) <= set(Session(connection).exec(select(ResultRow.digest)).all())


def test_what_kills_the_process_again_and_again_ends_failed(
    exchange: Exchange, maker: Member, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(exchange, maker, *parts)
    compute = Calculation.computed

    def kills(self: Calculation, evidence: Any, demand: Any, rule_set: str) -> Any:
        if demand.product.endswith("part-2"):
            raise Killed
        return compute(self, evidence, demand, rule_set)

    monkeypatch.setattr(Calculation, "computed", kills)
    # The first one still ends two demands.
    for _start in range(4):
        with pytest.raises(Killed):
            exchange.services.batches.tick()
    exchange.services.batches.tick()
    found = shown(exchange, job)
    assert (found["state"], found["done"]) == ("failed", 2)
    assert "demand 2" in found["reason"]
    assert told(exchange, maker) == ["packtrace.result.failed"]


def test_a_fault_of_ours_ends_it_failed_without_telling_what_is_inside(
    exchange: Exchange, maker: Member, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(exchange, maker, *parts)

    def broken(*_arguments: Any) -> Any:
        raise KeyError("a secret figure")

    monkeypatch.setattr(Calculation, "computed", broken)
    exchange.services.batches.tick()
    found = shown(exchange, job)
    assert found["state"] == "failed"
    assert "secret" not in found["reason"]


@pytest.mark.usefixtures("small_steps")
def test_organisations_take_turns(exchange: Exchange, maker: Member, parts: list[str]) -> None:
    other = exchange.member("other")
    stated(other, "1")
    large, small = [ask(exchange, maker, *parts) for _time in range(2)], ask(exchange, other, "part")
    order: list[str] = []

    def seen(session: Any, *_rest: Any) -> None:
        order.extend(row.id for row in session.dirty if isinstance(row, JobRow))

    event.listen(Session, "before_flush", seen)
    try:
        exchange.services.batches.tick()
    finally:
        event.remove(Session, "before_flush", seen)
    # One step of the large one, then the small one of the other organisation, then the rest.
    assert order == [large[0], small, *[large[0]] * 2, *[large[1]] * 3]


@pytest.mark.usefixtures("small_steps")
def test_a_cancelled_calculation_keeps_what_it_has_and_goes_no_further(
    exchange: Exchange, maker: Member, parts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(exchange, maker, *parts)
    ticked_off = Batches._ticked_off

    def cancelled(self: Batches, item: JobItemRow, *rest: Any) -> bool:
        if item.number == 1:
            assert exchange.http.post(f"/api/v1/calculations/{job}/cancel", json={}).status_code == 200
        return ticked_off(self, item, *rest)

    monkeypatch.setattr(Batches, "_ticked_off", cancelled)
    exchange.services.batches.tick()
    found = shown(exchange, job)
    assert (found["state"], [one["state"] for one in found["items"]][2:]) == ("cancelled", ["waiting"] * 3)
    assert exchange.http.post(f"/api/v1/calculations/{job}/cancel", json={}).status_code == 409
    assert told(exchange, maker) == []


def test_two_processes_do_a_calculation_once(exchange: Exchange, maker: Member, parts: list[str]) -> None:
    job = ask(exchange, maker, *parts)
    second = open_services(exchange.services.installation.folder, exchange.url, clock=exchange.clock, holder="second")
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda services: services.batches.tick(), (exchange.services, second)))
    finally:
        second.installation.engine.dispose()
    found = shown(exchange, job)
    assert (found["state"], found["done"]) == ("done", 5)
    assert told(exchange, maker) == ["packtrace.result.done"]


@pytest.mark.parametrize(
    "changes",
    [{"demands": []}, {"rule_sets": ["none-such"]}, {"demands": [{"product": "urn:p:1"}] * 10_001}],
    ids=["none", "unknown rules", "too many"],
)
def test_what_can_t_be_calculated_is_refused_at_once(sqlite_exchange: Exchange, changes: dict[str, Any]) -> None:
    maker = sqlite_exchange.member("maker")
    body = {"reader": maker.uri, "demands": [{"product": maker.product("part")}], "rule_sets": [EVERBATT.id], **changes}
    assert sqlite_exchange.http.post("/api/v1/calculations", json=body).status_code in {400, 422}


def test_anothers_calculation_is_not_there(sqlite_exchange: Exchange) -> None:
    company, rival = Company.join(sqlite_exchange, "company"), Company.join(sqlite_exchange, "rival")
    body = {"reader": company.uri, "demands": [{"product": f"{company.uri}/products/x"}], "rule_sets": [EVERBATT.id]}
    job = company.admin.post("/api/v1/calculations", json=body).json()["id"]
    path = f"/api/v1/calculations/{job}"
    assert [rival.admin.get(path).status_code, rival.admin.post(f"{path}/cancel", json={}).status_code] == [404, 404]
    assert rival.admin.post("/api/v1/calculations", json=body).status_code == 403
    assert (rival.admin.get("/api/v1/calculations").json(), len(company.admin.get("/api/v1/calculations").json())) == (
        [],
        1,
    )
    assert company.admin.get(path).status_code == 200

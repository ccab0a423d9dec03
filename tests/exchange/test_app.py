"""The door: how a browser gets in, what the application does at its start and end, and how it is served."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from exchange.api import RequestLimits
from exchange.app import COOKIE, create_app
from exchange.client import Client
from exchange.errors import SetupError
from exchange.jobs import PUBLISH
from exchange.lease import LeaseRow
from exchange.server import bind, serving
from exchange.settings import Settings
from ledger.store import latest_checkpoint, snapshot
from tests.flow.accounts import Company
from tests.flow.world import BASE, Exchange, salt


def visitor(exchange: Exchange) -> TestClient:
    """A browser that has no token."""
    return TestClient(create_app(exchange.services, checkpoint_seconds=60), base_url=BASE, follow_redirects=False)


def test_the_printed_address_lets_a_browser_read(sqlite_exchange: Exchange) -> None:
    token, browser = sqlite_exchange.services.installation.token, visitor(sqlite_exchange)
    answer = browser.get(f"/?token={token}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    asked = browser.get("/filings", params={"organisation": "https://a.example/?x&y", "token": token})
    assert asked.headers["location"] == "/filings?organisation=https%3A%2F%2Fa.example%2F%3Fx%26y"
    cookie = answer.headers["set-cookie"].lower()
    assert {"httponly", "samesite=strict", "path=/"} <= {part.strip() for part in cookie.split(";")}
    assert browser.cookies[COOKIE] == token
    assert browser.get("/").status_code == 200
    assert browser.get("/api/v1/log").status_code == 200


def test_the_cookie_writes_nothing(sqlite_exchange: Exchange) -> None:
    browser = visitor(sqlite_exchange)
    browser.get(f"/?token={sqlite_exchange.services.installation.token}")
    for path in ("/api/v1/statements", "/api/v1/grants", "/api/v1/organisations", "/api/v1/footprints"):
        assert browser.post(path, json={}).status_code == 401


@pytest.mark.parametrize("path", ["//evil.example/", "///evil.example", "/\\evil.example"])
def test_the_printed_address_leads_to_no_other_host(sqlite_exchange: Exchange, path: str) -> None:
    token = sqlite_exchange.services.installation.token
    answer = visitor(sqlite_exchange).get(f"{BASE}{path}?token={token}")
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith("/")
    assert location[1:2] not in ("/", "\\")


def test_the_clock_publishes_while_the_application_runs(sqlite_exchange: Exchange) -> None:
    salt(sqlite_exchange.member("maker"))
    engine = sqlite_exchange.services.installation.engine
    with TestClient(create_app(sqlite_exchange.services, checkpoint_seconds=0.1), base_url=BASE):
        for _attempt in range(100):
            with snapshot(engine) as connection:
                newest = latest_checkpoint(connection)
            if newest is not None:
                break
            threading.Event().wait(0.05)
    assert newest is not None
    assert newest.size == sqlite_exchange.size
    with snapshot(engine) as connection:
        until = Session(connection).get_one(LeaseRow, PUBLISH).until
    assert until == sqlite_exchange.clock(), "the lease was given back at the end"


def test_a_served_exchange_answers_at_once(tmp_path: Path) -> None:
    """Without TCP_NODELAY each answer would wait some 40 ms for the client's delayed acknowledgement."""
    with (
        serving(Settings(data=tmp_path / "data", port=0)) as running,
        Client(running.address, running.services.installation.token) as client,
    ):
        client.log()
        times = []
        for _request in range(15):
            start = time.perf_counter()
            client.log()
            times.append(time.perf_counter() - start)
        assert min(times) < 0.03
        assert running.page == f"{running.address}/?token={running.services.installation.token}"


def test_of_two_that_start_at_once_the_second_takes_a_free_port() -> None:
    with bind("127.0.0.1", 0, or_free=False) as first:
        port = first.getsockname()[1]
        with bind("127.0.0.1", port, or_free=True) as second:
            assert second.getsockname()[1] != port
        with pytest.raises(SetupError, match="can't listen"):
            bind("127.0.0.1", port, or_free=False)


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 on this machine")
def test_the_other_loopback_address_is_served(tmp_path: Path) -> None:
    try:
        bind("::1", 0, or_free=False).close()
    except SetupError as error:
        pytest.skip(f"no IPv6 loopback on this machine: {error.what}")
    with serving(Settings(data=tmp_path / "data", host="::1", port=0)) as running:
        assert running.address.startswith("http://[::1]:")
        assert httpx2.get(f"{running.address}/healthz", trust_env=False).status_code == 200


def limited(exchange: Exchange, limits: RequestLimits, **headers: str) -> TestClient:
    """A client of an application that answers so many requests."""
    app = create_app(exchange.services, checkpoint_seconds=60, limits=limits)
    return TestClient(app, base_url=BASE, headers=headers)


def test_more_requests_of_a_principal_than_the_limit_are_refused(sqlite_exchange: Exchange) -> None:
    """Of each by itself; and what is public is answered on."""
    company = Company.join(sqlite_exchange, "busy")
    ours = limited(sqlite_exchange, RequestLimits(principal=3))
    ours.cookies = company.admin.cookies
    assert [ours.get("/api/v1/grants").status_code for _time in range(4)] == [200, 200, 200, 429]
    refused = ours.get("/api/v1/grants")
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert ours.get("/healthz").status_code == 200
    assert ours.get("/api/v1/log").status_code == 200
    operator = {"Authorization": f"Bearer {sqlite_exchange.services.installation.token}"}
    assert ours.get("/api/v1/organisations", headers=operator).status_code == 200


def test_more_requests_from_an_address_than_the_limit_are_refused_whoever_asks(sqlite_exchange: Exchange) -> None:
    strangers = limited(sqlite_exchange, RequestLimits(address=2, public=4))
    assert [strangers.get("/api/v1/me").status_code for _time in range(3)] == [401, 401, 429]
    operator = {"Authorization": f"Bearer {sqlite_exchange.services.installation.token}"}
    assert strangers.get("/api/v1/organisations", headers=operator).status_code == 429
    assert [strangers.get("/healthz").status_code for _time in range(5)] == [200, 200, 200, 200, 429]

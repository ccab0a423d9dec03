"""Inbox and subscriptions over HTTP and from the command line, and the exchange that sends while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session
from typer.testing import CliRunner

from exchange.cli.main import command_line
from exchange.client import AnswerError, Client
from exchange.events import PING, emit
from exchange.server import Running, serving
from exchange.services import utc_now
from exchange.settings import Settings
from ledger.store import begin
from tests.exchange.receivers import CREATED, MAKER, SUPPLIER, Receiver, receiving, until
from tests.exchange.test_event_dispatch import verify
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange

ID = "019b8d6e-2a00-7c3e-9d1f-3b0a5c7e9f10"


def written(exchange: Exchange, recipient: str = SUPPLIER) -> str:
    exchange.clock.advance(1)
    with begin(exchange.services.installation.engine) as connection:
        session = Session(connection)
        data = {"request": ID}
        return emit(session, recipient=recipient, type=CREATED, subject="/x", data=data, at=exchange.clock())


def test_the_inbox_over_http(exchange: Exchange) -> None:
    events = [written(exchange) for _number in range(3)]
    written(exchange, MAKER)
    whose = {"organisation": SUPPLIER}
    page = exchange.http.get("/api/v1/inbox", params=whose | {"limit": "2"}).json()
    assert [one["id"] for one in page["events"]] == events[:0:-1]
    assert (page["unread"], page["after"]) == (3, events[1])
    first = page["events"][0]
    assert (first["type"], first["source"], first["read_at"]) == (CREATED, exchange.origin, None)
    rest = exchange.http.get("/api/v1/inbox", params=whose | {"after": page["after"]}).json()
    assert ([one["id"] for one in rest["events"]], rest["after"]) == (events[:1], None)
    for marked in (1, 0):
        answer = exchange.http.post("/api/v1/inbox/read", json=whose | {"events": [events[0]]})
        assert answer.json() == {"marked": marked}
    unread = exchange.http.get("/api/v1/inbox", params=whose | {"unread": "true"}).json()
    assert [one["id"] for one in unread["events"]] == events[:0:-1]


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("http://hooks.example/", "target"),
        ("https://127.0.0.1/", "target"),
        ("https://[::ffff:10.0.0.1]/", "target"),
        ("https://2130706433/", "target"),
        ("https://user:hunter2@hooks.example/", "target"),
        ("https://hooks.example:8443/", "target"),
        ("https://localhost.localdomain/?key=hunter2", "target"),
        ("mailto:desk@supplier.example", "target"),
        ("", "target"),
    ],
)
def test_a_target_that_is_not_allowed_is_refused(sqlite_exchange: Exchange, target: str, code: str) -> None:
    body = {"organisation": SUPPLIER, "target": target}
    answer = sqlite_exchange.http.post("/api/v1/subscriptions", json=body)
    check_problem(answer, 400, code)
    assert "hunter2" not in answer.text
    listed = sqlite_exchange.http.get("/api/v1/subscriptions", params={"organisation": SUPPLIER})
    assert listed.json() == []


def test_another_s_subscription_is_not_there(sqlite_exchange: Exchange) -> None:
    path = f"/api/v1/subscriptions/{ID}"
    whose = {"organisation": MAKER}
    check_problem(sqlite_exchange.http.delete(path, params=whose), 404, "not_found")
    check_problem(sqlite_exchange.http.post(f"{path}/test", json=whose), 404, "not_found")
    check_problem(sqlite_exchange.http.patch(path, json=whose | {"active": False}), 404, "not_found")


@pytest.mark.parametrize("query", ["?organisation=x", f"?organisation={SUPPLIER}&limit=201", "?organisation=x:y%0a"])
def test_a_question_of_another_form_is_refused(sqlite_exchange: Exchange, query: str) -> None:
    check_problem(sqlite_exchange.http.get(f"/api/v1/inbox{query}"), 422, "request")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as made:
        yield made


@pytest.fixture
def running(tmp_path: Path, receiver: Receiver) -> Iterator[Running]:
    """A served exchange whose clock runs, which may post to the receiver."""
    settings = Settings(data=tmp_path / "data", port=0, webhook_hosts=(receiver.address,))
    with serving(settings) as made:
        yield made


def packtrace(running: Running, *arguments: str) -> Any:
    data = str(running.services.installation.folder)
    options = ["--server", running.address, "--data", data, "--organisation", SUPPLIER]
    result = CliRunner().invoke(command_line(), [*arguments, *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_exchange_sends_while_it_runs(running: Running, receiver: Receiver) -> None:
    added = packtrace(running, "webhook", "add", f"{receiver.address}/hook?key=1", "--json")
    assert added.exit_code == 0, added.output
    found = json.loads(added.stdout)
    assert packtrace(running, "webhook", "test", found["subscription"]["id"]).exit_code == 0
    until(lambda: len(receiver.got) == 1)
    ((path, headers, body),) = receiver.got
    assert path == "/hook?key=1"
    verify(headers, body, found["public_key"])
    assert json.loads(body)["type"] == PING
    until(lambda: "failing" not in packtrace(running, "webhook", "list").stdout)
    engine = running.services.installation.engine
    with begin(engine) as connection:
        now = utc_now()
        emit(Session(connection), recipient=SUPPLIER, type=CREATED, subject="/api/v1/x", data={}, at=now)
    until(lambda: len(receiver.got) == 2)
    listed = packtrace(running, "inbox", "list")
    assert [line[0] for line in listed.stdout.splitlines()] == ["*", " "]
    assert "1 unread" in listed.stderr
    event = listed.stdout.split()[1]
    assert packtrace(running, "inbox", "read", event).stdout == "1 marked as read\n"
    assert json.loads(packtrace(running, "inbox", "list", "--unread", "--json").stdout)["events"] == []
    assert packtrace(running, "webhook", "remove", found["subscription"]["id"]).exit_code == 0
    assert packtrace(running, "webhook", "list").stdout == ""


def test_the_command_tells_why_a_target_is_refused(running: Running) -> None:
    refused = packtrace(running, "webhook", "add", "https://127.0.0.1/")
    assert refused.exit_code == 1
    assert "not of the public Internet" in refused.stderr
    unknown = packtrace(running, "webhook", "add", "https://hooks.example/", "--type", "packtrace.nothing")
    assert "no such type: packtrace.nothing" in unknown.stderr
    assert packtrace(running, "webhook", "test", ID).exit_code == 1


def test_the_client_passes_on_what_the_exchange_refuses(running: Running) -> None:
    with Client(running.address, running.services.installation.token) as client:
        with pytest.raises(AnswerError, match="no such subscription"):
            client.unsubscribe(SUPPLIER, ID)
        with pytest.raises(AnswerError):
            client.unsubscribe(SUPPLIER, "../log")
        assert client.inbox(SUPPLIER) == {"events": [], "after": None, "unread": 0}


def test_the_key_stays_the_same_over_a_restart(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", port=0)
    keys = []
    for _start in range(2):
        with serving(settings) as running, Client(running.address, running.services.installation.token) as client:
            keys.append(client.webhook_key())
    assert keys[0] == keys[1]
    assert keys[0].startswith("whpk_")

"""Sending: signed, at least once, never twice at a time, tried again for three days, and no receiver at the cost of another."""

from __future__ import annotations

import base64
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine

from exchange.database import engine_for
from exchange.events import PING
from exchange.events.dispatcher import CLAIM, LIFE, LONGEST_WAIT, PER_OWNER
from exchange.lease import LEASE
from tests.exchange.receivers import MAKER, SOURCE, SUPPLIER, Mailroom, Receiver, free_port, receiving, until
from tests.flow.process import ROOT
from tests.flow.world import Clock

GAVE_UP = "packtrace.subscription.gave_up"


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    made = engine_for(migrated_url)
    yield made
    made.dispose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as made:
        yield made


@pytest.fixture
def room(engine: Engine, receiver: Receiver) -> Iterator[Mailroom]:
    made = Mailroom(engine, hosts=[receiver.address])
    yield made
    made.close()


def verify(headers: dict[str, str], body: bytes, public_key: str) -> None:
    """As a receiver does, and as docs/formats/events.md says; raises InvalidSignature."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    scheme, signature = headers["webhook-signature"].split(",")
    assert scheme == "v1a"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key.verify(base64.b64decode(signature, validate=True), signed)


def test_an_event_arrives_whole_and_signed(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, f"{receiver.address}/hook?key=1")
    event = room.emit(request="019b")
    sent_at = int(room.clock().timestamp())
    assert room.run() == 1
    ((path, headers, body),) = receiver.got
    assert path == "/hook?key=1"
    assert headers["content-type"] == "application/cloudevents+json"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (event, str(sent_at))
    verify(headers, body, room.key.public_key)
    for altered in (body + b" ", body.replace(b"019b", b"019c")):
        with pytest.raises(InvalidSignature):
            verify(headers, altered, room.key.public_key)
    with pytest.raises(InvalidSignature):
        verify(headers | {"webhook-timestamp": str(sent_at + 1)}, body, room.key.public_key)
    told = json.loads(body)
    assert told | {"time": ""} == {
        "specversion": "1.0",
        "id": event,
        "source": SOURCE,
        "type": "packtrace.request.created",
        "subject": "/api/v1/requests/1",
        "time": "",
        "datacontenttype": "application/json",
        "recipient": SUPPLIER,
        "data": {"request": "019b"},
    }
    assert room.states(found.id) == ["delivered"]
    assert room.run() == 0
    assert len(receiver.got) == 1


def test_events_arrive_in_order_in_one_turn(room: Mailroom, receiver: Receiver) -> None:
    room.subscriptions.add(SUPPLIER, receiver.address)
    events = [room.emit() for _number in range(12)]
    room.run()
    assert receiver.ids == events


def test_a_ping_goes_to_one_subscription_and_is_no_news(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, f"{receiver.address}/one", [PING])
    room.subscriptions.add(SUPPLIER, f"{receiver.address}/two")
    event = room.subscriptions.test(SUPPLIER, found.id)
    room.run()
    assert [(path, headers["webhook-id"]) for path, headers, _body in receiver.got] == [("/one", event)]
    page = room.inbox.page(SUPPLIER)
    assert ([one.type for one in page.events], page.unread) == ([PING], 0)


def test_a_failure_is_tried_again_at_growing_intervals_for_three_days(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    tried: list[datetime] = []
    receiver.answer = lambda _event: tried.append(room.clock()) or 500  # type: ignore[func-returns-value]
    event, began = room.emit(), room.clock()
    while room.states(found.id) == ["pending"]:
        room.run()
        due = room.deliveries(found.id)[event].due
        if due > room.clock():
            room.clock.now = due - timedelta(seconds=1)
            assert room.run() == 0, "not before its time"
            room.clock.now = due
        assert room.clock() < began + 2 * LIFE
    assert room.states(found.id) == ["failed"]
    waits = [(after - before).total_seconds() for before, after in pairwise(tried)]
    wanted = [min(10 * 3**number, 8 * 3600) for number in range(len(waits))]
    assert all(0.8 * ideal <= wait <= 1.2 * ideal + 1 for wait, ideal in zip(waits, wanted, strict=True)), waits
    assert len({round(wait / ideal, 3) for wait, ideal in zip(waits, wanted, strict=True)}) > 3, "jitter"
    assert LIFE <= tried[-1] - tried[0] < LIFE + timedelta(hours=10)
    assert len(tried) > 10
    assert {*receiver.ids} == {event}
    told = room.inbox.page(SUPPLIER).events[0]
    assert (told.type, told.subject) == (GAVE_UP, f"/api/v1/subscriptions/{found.id}")
    assert json.loads(told.data) == {"subscription": found.id, "count": 1, "events": [event]}
    room.clock.advance(30 * 86400)
    assert room.run() == 0, "what was given up is over, and the news of it goes nowhere else"


def test_one_success_ends_the_trouble(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    answers = iter([503, 503, 200])
    receiver.answer = lambda _event: next(answers)
    room.emit()
    for _attempt in range(2):
        room.run()
        row = room.subscription(found.id)
        assert row.trouble == "it answered 503"
        assert row.failing_since is not None
        room.clock.advance(60)
    room.run()
    row = room.subscription(found.id)
    assert (row.failures, row.failing_since, row.trouble) == (0, None, "")
    assert room.states(found.id) == ["delivered"]


def test_one_event_that_is_refused_keeps_no_other_back_for_long(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    bad = room.emit(request="bad")
    receiver.answer = lambda event: 400 if event["id"] == bad else 204
    good = []
    hours = int((LIFE + 1.2 * LONGEST_WAIT) / timedelta(hours=1)) + 2  # the last try may come so late
    for _hour in range(hours):
        good.append(room.emit())
        room.run()
        room.clock.advance(3600)
    rows = room.deliveries(found.id)
    assert rows.pop(bad).state == "failed"
    assert Counter(row.state for row in rows.values())["delivered"] >= hours - 1
    assert [json.loads(one.data)["events"] for one in room.inbox.page(SUPPLIER).events if one.type == GAVE_UP] == [
        [bad]
    ]


def test_of_a_receiver_that_is_dead_all_is_given_up_at_once(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    receiver.answer = lambda _event: 500
    for _hour in range(120):
        room.emit()
        room.run()
        if {*room.states(found.id)} == {"failed"}:
            break
        room.clock.advance(3600)
    count = len(room.deliveries(found.id))
    assert {*room.states(found.id)} == {"failed"}
    assert count > 70
    (told,) = [one for one in room.inbox.page(SUPPLIER, limit=200).events if one.type == GAVE_UP]
    data = json.loads(told.data)
    assert (data["count"], len(data["events"])) == (count, min(count, 100))
    receiver.answer = lambda _event: 204
    room.clock.advance(3600)
    room.emit()
    room.run()
    assert min(room.states(found.id)) == "delivered", "it isn't cut off for ever"


def test_a_slow_receiver_holds_up_no_other(engine: Engine, receiver: Receiver) -> None:
    over = threading.Event()

    def slow(_event: Any) -> int:
        over.wait(30)
        return 204

    with receiving(Receiver(slow)) as sleeper:
        room = Mailroom(engine, hosts=[receiver.address, sleeper.address], seconds=20)
        for number in range(8):
            room.subscriptions.add(SUPPLIER, f"{sleeper.address}/{number}")
            room.clock.advance(0.001)
        own, _ = room.subscriptions.add(SUPPLIER, f"{receiver.address}/the-slow-one-s-own")
        room.subscriptions.add(MAKER, receiver.address)
        room.emit(SUPPLIER)
        room.emit(MAKER)
        began = time.monotonic()
        room.dispatcher.tick()
        until(lambda: len(receiver.got) == 1)
        room.emit(MAKER)
        room.clock.advance(1)
        room.dispatcher.tick()
        until(lambda: len(receiver.got) == 2)
        assert time.monotonic() - began < 10
        until(lambda: len(sleeper.got) >= PER_OWNER)
        assert len(sleeper.got) == PER_OWNER, "nor does one organisation take all the threads"
        assert room.states(own.id) == ["pending"]
        over.set()
        until(lambda: not room.dispatcher._in_flight.owners)
        while room.run():
            pass
        assert len(sleeper.got) == 8
        assert room.states(own.id) == ["delivered"]
        room.close()


def test_of_two_processes_one_sends(room: Mailroom, receiver: Receiver) -> None:
    room.subscriptions.add(SUPPLIER, receiver.address)
    second = room.another("second")
    room.run()
    room.emit()
    assert room.run(second) == 0
    assert room.run() == 1
    room.emit()
    room.clock.advance(LEASE.total_seconds())
    assert room.run(second) == 1
    assert room.run() == 0
    assert len(receiver.got) == 2
    second.stop()
    room.emit()
    assert room.run() == 1, "a lease given back is free at once"


def test_many_at_once_never_send_the_same(room: Mailroom, receiver: Receiver) -> None:
    """Each believes that it holds the lease, as processes do that stood still: the rows decide."""
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    events = [room.emit() for _number in range(30)]
    many = [room.another(f"process {number}") for number in range(5)]
    ready = threading.Barrier(len(many))

    def work(dispatcher: Any) -> None:
        ready.wait()
        dispatcher._work(found.id)

    threads = [threading.Thread(target=work, args=(one,)) for one in many]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while room.run():
        pass
    assert sorted(receiver.ids) == sorted(events), "each once"
    assert {*room.states(found.id)} == {"delivered"}


def test_a_process_that_stood_still_sends_nothing_that_may_be_another_s(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    room.emit()
    slow = room.another("slow")
    claim = slow._claim(found.id)
    assert claim is not None
    room.clock.advance(CLAIM.total_seconds())
    assert not slow._send(claim)
    assert receiver.got == []
    room.run()
    assert len(receiver.got) == 1


def test_what_another_took_over_is_not_marked_by_the_first(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    event = room.emit()
    slow, fast = room.another("slow"), room.another("fast")
    first = slow._claim(found.id)
    assert first is not None
    room.clock.advance(CLAIM.total_seconds())
    second = fast._claim(found.id)
    assert second is not None
    slow._note_failure(first, "it answered 500")
    assert room.deliveries(found.id)[event].due == second.until
    fast._note_success(second)
    assert room.states(found.id) == ["delivered"]


_CHILD = """
import random, sys, time
from datetime import UTC, datetime
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from exchange.database import engine_for
from exchange.events import Channels, Dispatcher, WebhookKey
engine = engine_for(sys.argv[1])
channels = Channels(WebhookKey(Ed25519PrivateKey.from_private_bytes(bytes(32))), [sys.argv[2]])
clock = lambda: datetime.now(UTC)
dispatcher = Dispatcher(engine, channels, "x.example", holder="child", clock=clock, random=random.randbytes)
while True:
    dispatcher.tick()
    time.sleep(0.05)
"""


def test_a_kill_in_the_middle_loses_nothing(room: Mailroom, receiver: Receiver) -> None:
    """The sender is killed while the receiver has the event and hasn't answered; another one sends it again under the same id."""
    room.clock.now = datetime.now().astimezone()
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    events = [room.emit() for _number in range(3)]
    second, hold = threading.Event(), threading.Event()

    def answer(event: dict[str, Any]) -> int:
        if event["id"] == events[1] and not second.is_set():
            second.set()
            hold.wait(30)
        return 204

    receiver.answer = answer
    url = room.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", textwrap.dedent(_CHILD), url, receiver.address]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as child:
        try:
            assert second.wait(60)
        finally:
            child.send_signal(signal.SIGKILL)
    hold.set()
    assert room.states(found.id) == ["delivered", "pending", "pending"]
    after = Clock(datetime.now().astimezone() + LEASE)
    heir = room.another("heir", after)
    while room.run(heir):
        pass
    assert receiver.ids == [events[0], events[1], events[2]], "what the dead one was sending is its own for a while yet"
    assert room.states(found.id) == ["delivered", "pending", "delivered"]
    after.advance(CLAIM.total_seconds())
    room.run(heir)
    assert receiver.ids == [*events, events[1]]
    assert {*room.states(found.id)} == {"delivered"}


def test_a_sender_that_dies_before_it_noted_the_answer_sends_again(
    room: Mailroom, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    event = room.emit()

    def cut(*_arguments: object) -> None:
        raise RuntimeError("hunter2")

    with monkeypatch.context() as patched:
        patched.setattr(room.dispatcher, "_note_success", cut)
        room.run()
    assert "hunter2" not in caplog.text
    assert "RuntimeError" in caplog.text
    assert room.states(found.id) == ["pending"]
    room.clock.advance(CLAIM.total_seconds())
    room.run()
    assert receiver.ids == [event, event]
    assert room.states(found.id) == ["delivered"]


def test_a_subscription_that_is_stopped_waits_and_goes_on(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    receiver.answer = lambda _event: 500
    before = room.emit()
    room.run()
    room.subscriptions.set_active(SUPPLIER, found.id, active=False)
    room.emit()
    room.clock.advance(5 * 86400)
    assert room.run() == 0
    assert room.states(found.id) == ["pending"]
    room.subscriptions.set_active(SUPPLIER, found.id, active=True)
    room.run()
    assert room.states(found.id) == ["pending"], "five days of its own silence aren't the receiver's"
    receiver.answer = lambda _event: 204
    room.clock.advance(60)
    room.run()
    assert (receiver.ids, room.states(found.id)) == ([before] * 3, ["delivered"])


def test_what_was_removed_is_sent_no_more(room: Mailroom, receiver: Receiver) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, receiver.address)
    receiver.answer = lambda _event: room.subscriptions.remove(SUPPLIER, found.id) or 500  # type: ignore[func-returns-value]
    room.emit()
    room.emit()
    room.run()
    assert len(receiver.got) == 1
    assert room.subscriptions.of(SUPPLIER) == []


def test_the_log_names_neither_url_nor_secret(
    engine: Engine, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gone = f"http://127.0.0.1:{free_port()}"
    room = Mailroom(engine, hosts=[gone, receiver.address])
    receiver.answer = lambda _event: 500
    for url in (f"{gone}/path-secret?key=query-secret", f"{receiver.address}/path-secret?key=query-secret"):
        room.subscriptions.add(SUPPLIER, url)
    room.emit()
    room.run()
    room.close()
    lines = [record.getMessage() for record in caplog.records if record.name == "packtrace.events"]
    assert len(lines) == 2
    assert all("not delivered" in line and "secret" not in line and "\n" not in line for line in lines)
    assert "secret" not in caplog.text, "nor in what libraries log"
    assert "Traceback" not in caplog.text


def test_a_url_that_the_operator_no_longer_allows_is_not_connected_to(engine: Engine, receiver: Receiver) -> None:
    before = Mailroom(engine, hosts=[receiver.address])
    found, _ = before.subscriptions.add(SUPPLIER, receiver.address)
    before.emit()
    after = Mailroom(engine, clock=before.clock)
    after.run()
    assert receiver.got == []
    assert "only https" in after.subscription(found.id).trouble
    before.close()
    after.close()

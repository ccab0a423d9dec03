"""The outbox and inbox: written with what they tell or not at all, listed newest first, read by whom they are for."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from exchange.database import engine_for
from exchange.errors import NotFoundError, RightsError, UsageError
from exchange.events import PING, TYPES, EventRow, TargetError, cloudevent, emit
from exchange.events.outbox import MAX_UNREAD
from exchange.events.subscriptions import MAX_SUBSCRIPTIONS
from ledger.store import begin, snapshot
from tests.exchange.receivers import CREATED, MAKER, SOURCE, SUPPLIER, Mailroom
from tests.flow.world import START

PAGE = Path(__file__).resolve().parents[2] / "docs" / "formats" / "events.md"
HOST = "http://127.0.0.1:9"


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    made = engine_for(migrated_url)
    yield made
    made.dispose()


@pytest.fixture
def room(engine: Engine) -> Iterator[Mailroom]:
    made = Mailroom(engine, hosts=[HOST])
    yield made
    made.close()


def test_an_event_is_there_with_what_it_tells_or_not_at_all(room: Mailroom) -> None:
    found, _existed = room.subscriptions.add(SUPPLIER, f"{HOST}/a")
    with suppress(InterruptedError), begin(room.engine) as connection:
        emit(Session(connection), recipient=SUPPLIER, type=CREATED, subject="/x", data={}, at=START)
        raise InterruptedError
    assert room.inbox.page(SUPPLIER).events == ()
    assert room.states(found.id) == []
    event = room.emit(request="1")
    assert [one.id for one in room.inbox.page(SUPPLIER).events] == [event]
    assert room.states(found.id) == ["pending"]


def test_the_inbox_is_paged_newest_first(room: Mailroom) -> None:
    events = [room.emit() for _number in range(7)]
    room.emit(MAKER)
    seen, after = [], None
    while True:
        page = room.inbox.page(SUPPLIER, after=after, limit=3)
        seen.append([one.id for one in page.events])
        if (after := page.after) is None:
            break
    newest = events[::-1]
    assert seen == [newest[:3], newest[3:6], newest[6:]]
    assert room.inbox.page(SUPPLIER, limit=7).after is None


def test_what_was_read_is_read_once_and_by_its_recipient_alone(room: Mailroom) -> None:
    one, two, three = (room.emit() for _number in range(3))
    assert room.inbox.page(SUPPLIER).unread == 3
    assert room.inbox.read(MAKER, [one]) == 0
    assert room.inbox.read(SUPPLIER, [one, three]) == 2
    assert room.inbox.read(SUPPLIER, [one]) == 0
    page = room.inbox.page(SUPPLIER, unread_only=True)
    assert ([event.id for event in page.events], page.unread) == ([two], 1)
    assert [bool(event.read_at) for event in room.inbox.page(SUPPLIER).events] == [True, False, True]


def test_counting_has_an_end_and_lists_use_their_index(room: Mailroom) -> None:
    rows = [
        {
            "id": f"{number:036}",
            "recipient": SUPPLIER,
            "time": START.isoformat(),
            "read": None if number % 2 else START.isoformat(),
        }
        for number in range(3 * MAX_UNREAD)
    ]
    with begin(room.engine) as connection:
        into = "INSERT INTO exchange_event (id, recipient, type, subject, data, time, read_at)"
        connection.execute(text(f"{into} VALUES (:id, :recipient, 't', 's', '{{}}', :time, :read)"), rows)
    assert room.inbox.page(SUPPLIER).unread == MAX_UNREAD
    if room.engine.dialect.name != "sqlite":
        return
    asked = "SELECT * FROM exchange_event WHERE recipient = 'x' AND id < '9' {} ORDER BY id DESC LIMIT 9"
    with snapshot(room.engine) as connection:
        for more, index in (("", "inbox"), ("AND read_at IS NULL", "unread")):
            plan = str(connection.execute(text(f"EXPLAIN QUERY PLAN {asked.format(more)}")).all())
            assert "SEARCH exchange_event USING INDEX ix_exchange_event_" in plan
            assert "TEMP B-TREE" not in plan
            assert not more or index in plan


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"type": "packtrace.request.creatd"}, "catalogue"),
        ({"subject": ""}, "subject"),
        ({"subject": "/x\r\nBcc: y@z.example"}, "subject"),
        ({"subject": "x" * 513}, "subject"),
        ({"data": {"total": 1.5}}, "total"),
        ({"data": {"total": Decimal("1.5")}}, "total"),
        ({"data": {"of": {"total": "1"}}}, "of"),
        ({"data": {"ids": ["a", 1.5]}}, "ids"),
        ({"data": {"id": "x" * 513}}, "id"),
    ],
)
def test_an_event_of_another_form_is_never_written(room: Mailroom, changes: dict[str, Any], named: str) -> None:
    given: dict[str, Any] = {"type": CREATED, "subject": "/x", "data": {}}
    with pytest.raises(ValueError, match=named), begin(room.engine) as connection:
        emit(Session(connection), recipient=SUPPLIER, at=START, **(given | changes))
    assert room.inbox.page(SUPPLIER).events == ()


def test_only_those_who_asked_for_a_type_get_it(room: Mailroom) -> None:
    every, _ = room.subscriptions.add(SUPPLIER, f"{HOST}/all")
    some, _ = room.subscriptions.add(SUPPLIER, f"{HOST}/some", [CREATED])
    others, _ = room.subscriptions.add(MAKER, f"{HOST}/all")
    stopped, _ = room.subscriptions.add(SUPPLIER, f"{HOST}/stopped")
    room.subscriptions.set_active(SUPPLIER, stopped.id, active=False)
    created, overdue = room.emit(), room.emit(type_="packtrace.request.overdue")
    assert set(room.deliveries(every.id)) == {created, overdue}
    assert set(room.deliveries(some.id)) == {created}
    assert room.deliveries(others.id) == room.deliveries(stopped.id) == {}


def test_the_same_target_again_changes_its_types(room: Mailroom) -> None:
    first, existed = room.subscriptions.add(SUPPLIER, f"{HOST}/a")
    again, again_existed = room.subscriptions.add(SUPPLIER, f"{HOST}/a", [CREATED, PING])
    assert (existed, again_existed) == (False, True)
    assert (again.id, again.types.split()) == (first.id, sorted([CREATED, PING]))
    assert [one.id for one in room.subscriptions.of(SUPPLIER)] == [first.id]


def test_subscriptions_have_a_number_and_an_owner(room: Mailroom) -> None:
    rows = [room.subscriptions.add(SUPPLIER, f"{HOST}/{number}")[0] for number in range(MAX_SUBSCRIPTIONS)]
    with pytest.raises(RightsError, match="20"):
        room.subscriptions.add(SUPPLIER, f"{HOST}/more")
    assert room.subscriptions.add(SUPPLIER, f"{HOST}/1")[1], "one that is there is no more"
    room.subscriptions.add(MAKER, f"{HOST}/more")
    for act in (room.subscriptions.remove, room.subscriptions.test):
        with pytest.raises(NotFoundError):
            act(MAKER, rows[0].id)
        with pytest.raises(NotFoundError):
            act(SUPPLIER, "0" * 36)
    with pytest.raises(NotFoundError):
        room.subscriptions.set_active(MAKER, rows[0].id, active=False)
    room.emit()
    room.subscriptions.remove(SUPPLIER, rows[0].id)
    assert len(room.subscriptions.of(SUPPLIER)) == MAX_SUBSCRIPTIONS - 1
    assert room.deliveries(rows[0].id) == {}


def test_a_subscription_that_goes_while_an_event_is_written_for_it_harms_nothing(room: Mailroom) -> None:
    found, _ = room.subscriptions.add(SUPPLIER, f"{HOST}/a")
    going = threading.Thread(target=room.subscriptions.remove, args=(SUPPLIER, found.id))
    with begin(room.engine) as connection:
        event = emit(Session(connection), recipient=SUPPLIER, type=CREATED, subject="/x", data={}, at=START)
        going.start()
        going.join(0.3)
        assert going.is_alive(), "it waits for the event"
    going.join(20)
    assert room.subscriptions.of(SUPPLIER) == []
    assert room.deliveries(found.id) == {}
    assert [one.id for one in room.inbox.page(SUPPLIER).events] == [event]


def test_a_type_that_does_not_exist_and_mail_without_a_server_are_refused(room: Mailroom) -> None:
    with pytest.raises(UsageError, match=r"packtrace\.nothing"):
        room.subscriptions.add(SUPPLIER, f"{HOST}/a", ["packtrace.nothing"])
    with pytest.raises(TargetError, match="no mail"):
        room.subscriptions.add(SUPPLIER, "mailto:desk@supplier.example")
    assert room.subscriptions.of(SUPPLIER) == []


def test_the_page_lists_every_type_with_its_sentence_and_nothing_else() -> None:
    rows = re.findall(r"^\| `(packtrace\.[a-z_.]+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert dict(rows) == dict(TYPES)


def test_the_example_on_the_page_is_what_is_made() -> None:
    (example,) = re.findall(r"```json\n(.+?)```", PAGE.read_text("utf-8"), re.DOTALL)
    wanted = json.loads(example)
    row = EventRow(
        id=wanted["id"],
        recipient=SUPPLIER,
        type=CREATED,
        subject="/api/v1/requests/019b8d6e-2a00-7c3e-9d1f-3b0a5c7e9f10",
        data=json.dumps({"request": "019b8d6e-2a00-7c3e-9d1f-3b0a5c7e9f10"}),
        time=START,
    )
    assert cloudevent(row, SOURCE) == wanted
    assert list(cloudevent(row, SOURCE)) == list(wanted)


def test_a_log_s_name_of_any_letters_is_a_reference() -> None:
    row = EventRow(id="1", recipient=SUPPLIER, type=CREATED, subject="/x", data="{}", time=START)
    assert cloudevent(row, "电池.example/日志")["source"] == "%E7%94%B5%E6%B1%A0.example/%E6%97%A5%E5%BF%97"

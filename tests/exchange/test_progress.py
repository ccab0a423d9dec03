"""How far a submission's entry has come when it is answered, how long that may take, and what happens when the queue is full."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

import exchange.progress
from exchange.errors import NoWitnessesError
from exchange.kinds import ACTIVITY_DATA
from exchange.progress import Progress, Reached
from ledger import CHECKPOINT_PATH, leaf_hash, parse_proof, verify_proof
from ledger.store import begin
from signer import join_presentation, leaf_bytes
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange, activity, salt


def sent(exchange: Exchange, name: str = "x") -> dict[str, str]:
    maker = exchange.member("maker")
    issued = maker.sign(ACTIVITY_DATA, activity(maker.product(name)))
    return {"statement": join_presentation(issued.token, issued.disclosures)}


@contextmanager
def publishing(exchange: Exchange) -> Iterator[None]:
    """The clock at work, in another thread."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            exchange.publish()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def test_a_client_waits_until_its_entry_is_published(exchange: Exchange) -> None:
    body = sent(exchange)
    with publishing(exchange):
        answer = exchange.http.post("/api/v1/statements?wait=published", json=body)
    assert answer.status_code == 201
    receipt = answer.json()
    assert receipt["state"] == "published"
    leaf = leaf_hash(leaf_bytes(body["statement"].partition("~")[0]))
    proven = verify_proof(parse_proof(receipt["proof"].encode()), leaf, exchange.services.installation.trust_file.key)
    assert proven.size > receipt["index"]


def test_a_wait_ends_and_says_what_was_reached(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange.progress, "PATIENCE", {"sequenced": 0, "published": 0.3, "witnessed": 0.3})
    body, start = sent(sqlite_exchange), time.monotonic()
    answer = sqlite_exchange.http.post("/api/v1/statements?wait=published", json=body)
    assert 0.3 <= time.monotonic() - start < 5
    assert (answer.status_code, answer.json()["state"]) == (201, "sequenced")
    assert "proof" not in answer.json()


def test_a_statement_that_is_published_already_says_so(sqlite_exchange: Exchange) -> None:
    body = sent(sqlite_exchange)
    first = sqlite_exchange.http.post("/api/v1/statements", json=body).json()
    assert first["state"] == "sequenced"
    sqlite_exchange.publish()
    time.sleep(exchange.progress._PAUSE)
    again = sqlite_exchange.http.post("/api/v1/statements", json=body)
    assert (again.status_code, again.json()["state"]) == (200, "published")
    assert sqlite_exchange.http.get(f"/api/v1/entries/{first['index']}").json()["state"] == "published"


def test_a_log_without_witnesses_refuses_the_wait_before_it_writes(sqlite_exchange: Exchange) -> None:
    body, size = sent(sqlite_exchange), sqlite_exchange.size
    answer = sqlite_exchange.http.post("/api/v1/statements?wait=witnessed", json=body)
    check_problem(answer, 409, "no_witnesses")
    assert sqlite_exchange.size == size


def test_there_is_no_other_state(sqlite_exchange: Exchange) -> None:
    check_problem(
        sqlite_exchange.http.post("/api/v1/statements?wait=carved", json=sent(sqlite_exchange)), 422, "request"
    )


def test_a_damaged_published_checkpoint_spoils_no_answer(sqlite_exchange: Exchange) -> None:
    body = sent(sqlite_exchange)
    sqlite_exchange.publish()
    (sqlite_exchange.services.installation.published / CHECKPOINT_PATH).write_text("damaged")
    answer = sqlite_exchange.http.post("/api/v1/statements", json=body)
    assert (answer.status_code, answer.json()["state"]) == (201, "sequenced")


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, Reached("witnessed", 3)),
        (2, Reached("witnessed", 3)),
        (4, Reached("published", 5)),
        (5, Reached("sequenced", 0)),
    ],
)
def test_the_furthest_state_counts(index: int, expected: Reached) -> None:
    progress = Progress(lambda: 5, lambda: 3)
    progress.check("witnessed")
    assert progress.reached(index) == expected


def test_only_a_log_with_witnesses_has_witnessed_entries() -> None:
    with pytest.raises(NoWitnessesError):
        Progress(lambda: 5).check("witnessed")
    assert Progress(lambda: 5).reached(4).state == "published"


def test_many_who_wait_ask_no_more_than_one() -> None:
    asked: list[int] = []

    def published() -> int:
        asked.append(1)
        return 0

    progress = Progress(published)
    for _ in range(1000):
        progress.reached(0)
    assert len(asked) < 20


def test_who_waits_for_nothing_more_has_nobody_asked(
    sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new entry is sequenced at least; only one that was there before may have come further by now."""
    asked: list[int] = []
    monkeypatch.setattr(sqlite_exchange.services.progress, "_ask", lambda: asked.append(1))
    body = sent(sqlite_exchange)
    assert sqlite_exchange.http.post("/api/v1/statements", json=body).json()["state"] == "sequenced"
    assert asked == []
    assert sqlite_exchange.http.post("/api/v1/statements", json=body).json()["existed"]
    assert asked == [1]


@pytest.fixture
def narrow(exchange: Exchange) -> Exchange:
    """An exchange whose queue takes two."""
    exchange.http.app.state.admitting.capacity = 2  # type: ignore[attr-defined]
    return exchange


def test_a_full_queue_is_a_problem_with_a_hint_and_reading_goes_on(narrow: Exchange) -> None:
    salt(narrow.member("maker"))
    bodies = [sent(narrow, f"p{number}") for number in range(3)]
    queue = narrow.http.app.state.admitting  # type: ignore[attr-defined]

    def post(body: dict[str, str]) -> int:
        return narrow.http.post("/api/v1/statements", json=body).status_code

    with ThreadPoolExecutor(2) as pool:
        with begin(narrow.services.installation.engine) as connection:
            connection.exec_driver_sql("UPDATE ledger_head SET size = size")  # somebody else holds the head
            waiting = [pool.submit(post, body) for body in bodies[:2]]
            while queue.unanswered < 2:
                time.sleep(0.01)
            size = narrow.size
            answer = narrow.http.post("/api/v1/statements", json=bodies[2])
            check_problem(answer, 503, "queue_full")
            assert int(answer.headers["retry-after"]) > 0
            assert narrow.http.get("/api/v1/entries/0").status_code == 200
            assert narrow.size == size
        assert [one.result() for one in waiting] == [201, 201]
    assert post(bodies[2]) == 201

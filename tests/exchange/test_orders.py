"""Orders to the worker: what is asked for once is done once and answered to whoever asks, refusals as they were raised."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from exchange.errors import HeldError, SetupError, WaitingError
from exchange.orders import KEPT, SEATS, OrderRow, Orders
from exchange.vault import SealedRow, Vault
from ledger import NotCommittedError
from ledger.store import begin, snapshot
from signer import WrongKindError
from tests.flow.world import Exchange, salt


def orders(exchange: Exchange, holder: str = "worker", patience: float = 0.2) -> Orders:
    return Orders(exchange.services.installation.engine, exchange.clock, random.randbytes, holder, patience)


def waiting(exchange: Exchange) -> list[str]:
    with Session(exchange.services.installation.engine) as session:
        return [row.id for row in session.exec(select(OrderRow)).all() if row.done_at is None]


def test_an_order_is_done_by_the_worker_and_answered_to_all_who_placed_it(exchange: Exchange) -> None:
    with pytest.raises(WaitingError, match="stays ordered"):
        orders(exchange, "web").place("double", {"n": 21})
    with pytest.raises(WaitingError):
        orders(exchange, "other").place("double", {"n": 21})
    assert len(waiting(exchange)) == 1, "the same twice is one order"
    done: list[Any] = []

    def double(document: Mapping[str, Any]) -> Mapping[str, Any]:
        done.append(document)
        return {"n": document["n"] * 2}

    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            orders(exchange).tick({"double": double})

    with ThreadPoolExecutor(3) as pool:
        pool.submit(work)
        places = [pool.submit(orders(exchange, name, 20).place, "double", {"n": 4}) for name in ("web", "other")]
        assert [one.result() for one in places] == [{"n": 8}, {"n": 8}]
        ended.set()
    assert {"n": 21} in done
    assert waiting(exchange) == []


def test_those_who_wait_take_few_of_the_threads(exchange: Exchange) -> None:
    """While the worker is away: the rest is told at once, and ordered all the same."""
    ours = orders(exchange, "web", patience=3)

    def placed(number: int) -> float:
        began = time.monotonic()
        with pytest.raises(WaitingError):
            ours.place("late", {"n": number})
        return time.monotonic() - began

    with ThreadPoolExecutor(2 * SEATS) as pool:
        took = list(pool.map(placed, range(2 * SEATS)))
    assert sum(one < 2 for one in took) == SEATS
    assert len(waiting(exchange)) == 2 * SEATS


def test_a_refusal_is_raised_where_it_was_ordered_as_it_was_by_the_deed(exchange: Exchange) -> None:
    def refuse(document: Mapping[str, Any]) -> Mapping[str, Any]:
        raise {"held": HeldError, "signer": WrongKindError}[document["by"]]("no", where="here", remedy="wait")

    for by, error in (("held", HeldError), ("signer", WrongKindError)):
        with ThreadPoolExecutor(1) as pool:
            placed = pool.submit(orders(exchange, "web", 20).place, "refuse", {"by": by})
            while not placed.done():
                orders(exchange).tick({"refuse": refuse})
            with pytest.raises(error, match=r"no \(at here\); wait"):
                placed.result()


def test_what_the_database_gives_up_is_tried_again_and_what_is_long_done_forgotten(exchange: Exchange) -> None:
    with pytest.raises(WaitingError):
        orders(exchange, "web").place("fail", {})

    def fail(_document: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotCommittedError("given up", where="database", remedy="again")

    with pytest.raises(NotCommittedError):
        orders(exchange).tick({"fail": fail})
    assert len(waiting(exchange)) == 1
    assert orders(exchange, "another").tick({"fail": dict}) == 0, "the lease is held"
    assert orders(exchange).tick({"fail": dict}) == 1
    exchange.clock.now += KEPT + timedelta(seconds=1)
    with pytest.raises(WaitingError):
        orders(exchange, "web").place("fail", {"later": 1})
    orders(exchange).tick({"fail": dict})
    with Session(exchange.services.installation.engine) as session:
        assert len(session.exec(select(OrderRow)).all()) == 1


def test_a_closed_vault_erases_and_says_of_the_rest_what_is_missing(exchange: Exchange) -> None:
    ours = exchange.services.installation
    leaf = salt(exchange.member("maker"))["leaf_hash"]
    closed = Vault.closed()
    assert not closed.is_open
    with begin(ours.engine) as connection:
        assert closed.open_(connection, "disclosures", "0" * 64) is None
        for tried in (
            lambda: closed.open_(connection, "disclosures", leaf),
            lambda: closed.seal(connection, "disclosures", "1" * 64, b"x"),
            lambda: closed.blind("x"),
            lambda: closed.hide("x", "place"),
            lambda: closed.shown(b"x" * 40, "place"),
        ):
            with pytest.raises(SetupError, match="holds no master key"):
                tried()
        closed.erase(connection, "disclosures", [leaf])
    with snapshot(ours.engine) as connection:
        assert connection.execute(select(SealedRow.subject).where(SealedRow.subject == leaf)).first() is None


def test_the_keys_of_the_worker_are_missing_in_a_web_process_with_a_clear_word(sqlite_exchange: Exchange) -> None:
    web = replace(sqlite_exchange.services.installation, hand=None)
    for name in ("operator", "note_signer", "webhook_key"):
        with pytest.raises(SetupError, match="none of the worker's keys"):
            getattr(web, name)
    services = replace(sqlite_exchange.services, worker=None)
    for name in ("publisher", "dispatcher", "witnesses", "snapshots"):
        with pytest.raises(SetupError, match="no worker"):
            getattr(services, name)

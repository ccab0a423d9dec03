"""Another key for webhooks, events that are removed in time, and what both sides of a grant are told."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session, select

from exchange.errors import SetupError
from exchange.events import OVERLAP, DeliveryRow, EventRow, Retention, make_known, public_keys
from exchange.services import Worker
from exchange.succession import begin_webhook_rotation, end_webhook_rotation
from ledger.store import begin, snapshot
from tests.exchange.receivers import Receiver, receiving
from tests.flow.accounts import Company
from tests.flow.asking import later, state_activity
from tests.flow.world import PASSPHRASE, Clock, Exchange, open_services

DAY = timedelta(days=1)


def worker(exchange: Exchange) -> Worker:
    assert exchange.services.worker is not None
    return exchange.services.worker


def known(exchange: Exchange) -> list[str]:
    with snapshot(exchange.services.installation.engine) as connection:
        return [row.public_key for row in public_keys(connection)]


def verifies(public_key: str, headers: dict[str, str], body: bytes) -> list[bool]:
    """Which of the signatures that came this key made."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    found = []
    for one in headers["webhook-signature"].split(" "):
        try:
            key.verify(base64.b64decode(one.removeprefix("v1a,")), signed)
        except InvalidSignature:
            found.append(False)
        else:
            found.append(True)
    return found


def told(exchange: Exchange, recipient: str, kind: str) -> list[dict[str, str]]:
    with Session(exchange.services.installation.engine) as session:
        rows = session.exec(select(EventRow).where(EventRow.recipient == recipient)).all()
        return [json.loads(row.data) for row in rows if row.type == f"packtrace.{kind}"]


def test_a_key_of_webhooks_is_followed_by_another_that_receivers_learn_of_before(
    sqlite_exchange: Exchange, tmp_path: Path
) -> None:
    folder, clock = sqlite_exchange.services.installation.folder, sqlite_exchange.clock
    maker, mailed = Company.join(sqlite_exchange, "maker"), Company.join(sqlite_exchange, "mailed")
    (old,) = known(sqlite_exchange)
    shown = maker.admin.get("/api/v1/webhook-key").json()
    assert shown == {"algorithm": "Ed25519", "public_key": old, "next_public_key": None}
    with pytest.raises(SetupError, match="no key is following"):
        end_webhook_rotation(folder, sqlite_exchange.services.installation.engine, clock())
    with receiving(Receiver()) as receiver:

        def restarted() -> Callable[[], None]:
            services = open_services(folder, sqlite_exchange.url, clock=clock, webhook_hosts=[receiver.address])
            delivered = services.subscriptions

            def deliver() -> None:
                services.dispatcher.tick()
                services.dispatcher.stop()
                services.installation.engine.dispose()

            if not delivered.of(maker.uri):
                delivered.add(maker.uri, f"{receiver.address}/hook")
            return deliver

        deliver = restarted()
        begin_webhook_rotation(folder, passphrase=PASSPHRASE, random=bytes)
        with pytest.raises(SetupError, match="following already"):
            begin_webhook_rotation(folder, passphrase=PASSPHRASE, random=bytes)
        both = restarted()
        assert known(sqlite_exchange)[0] == old
        new = known(sqlite_exchange)[1]
        assert maker.admin.get("/api/v1/webhook-key").json()["next_public_key"] == new
        deliver()  # the process that was running signs by the old key alone, and brings the announcement
        ((_path, headers, body),) = receiver.got
        assert json.loads(body)["type"] == "packtrace.subscription.key_announced"
        assert json.loads(body)["data"]["public_key"] == new
        assert verifies(old, headers, body) == [True]
        assert told(sqlite_exchange, mailed.uri, "subscription.key_announced") == [], "it has no webhook"

        sqlite_exchange.services.subscriptions.test(
            maker.uri, sqlite_exchange.services.subscriptions.of(maker.uri)[0].id
        )
        both()
        _path, headers, body = receiver.got[-1]
        assert (verifies(old, headers, body), verifies(new, headers, body)) == ([True, False], [False, True])

        engine = sqlite_exchange.services.installation.engine
        with pytest.raises(SetupError, match="have not had the time"):
            end_webhook_rotation(folder, engine, clock() + OVERLAP - timedelta(seconds=1))
        end_webhook_rotation(folder, engine, clock() + OVERLAP)
        clock.advance(60)
        alone = restarted()
        assert known(sqlite_exchange) == [new]
        assert not (folder / "keys" / "webhook.next").exists()
        sqlite_exchange.services.subscriptions.test(
            maker.uri, sqlite_exchange.services.subscriptions.of(maker.uri)[0].id
        )
        alone()
        _path, headers, body = receiver.got[-1]
        assert verifies(new, headers, body) == [True]


def test_two_workers_that_start_at_once_make_the_same_keys_known_once(exchange: Exchange) -> None:
    engine, now = exchange.services.installation.engine, exchange.clock()
    maker = Company.join(exchange, "maker")
    exchange.services.subscriptions.add(maker.uri, "https://93.184.215.14/x")

    def start(keys: tuple[str, ...]) -> list[str]:
        with begin(engine) as connection:
            return [row.public_key for row in make_known(connection, keys, now, os.urandom)]

    keys = ("whpk_one", "whpk_two")
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(start, [keys] * 6)) == [list(keys)] * 6
    assert len(told(exchange, maker.uri, "subscription.key_announced")) == 1


def test_events_that_were_seen_are_removed_after_their_days_and_others_stay(exchange: Exchange) -> None:
    engine, clock = exchange.services.installation.engine, Clock(exchange.clock())
    company = Company.join(exchange, "maker")
    with receiving(Receiver()) as receiver:
        services = open_services(
            exchange.services.installation.folder, exchange.url, clock=clock, webhook_hosts=[receiver.address]
        )
        subscription, _existed = services.subscriptions.add(company.uri, f"{receiver.address}/hook")
        sent = services.subscriptions.test(company.uri, subscription.id)
        services.dispatcher.tick()
        services.dispatcher.stop()
        services.installation.engine.dispose()
    waits = exchange.services.subscriptions.test(company.uri, subscription.id)
    events = exchange.services.inbox.page(company.uri).events
    seen, unseen = [one.id for one in events if one.id not in (sent, waits)][:2]
    exchange.services.inbox.read(company.uri, [seen])
    retention = Retention(engine, 30, holder="one", clock=clock)

    def left() -> set[str]:
        with Session(engine) as session:
            return {row.id for row in session.exec(select(EventRow)).all() if row.recipient == company.uri}

    before = left()
    clock.now += 29 * DAY
    assert retention.tick() == 0
    clock.now += 2 * DAY
    other = Retention(engine, 30, holder="two", clock=clock)
    assert retention.tick() == 2
    assert other.tick() == 0, "the lease is the first one's"
    assert left() == before - {seen, sent}
    assert {waits, unseen} <= left()
    with Session(engine) as session:
        assert [row.event for row in session.exec(select(DeliveryRow)).all()] == [waits]


def test_both_sides_of_a_grant_are_told_when_it_is_given_withdrawn_and_over(exchange: Exchange) -> None:
    owner, reader = Company.join(exchange, "owner"), Company.join(exchange, "reader")
    leaf = state_activity(owner)
    day = (exchange.clock() + 3 * DAY).date().isoformat()

    def grant(**more: str) -> str:
        body = {"owner": owner.uri, "reader": reader.uri, "leaf_hash": leaf, "purpose": "customer", "paths": ["full"]}
        answer = owner.admin.post("/api/v1/grants", json={**body, **more})
        assert answer.status_code in {200, 201}, answer.text
        return str(answer.json()["id"])

    worker(exchange).endings.tick()
    kept = grant()
    exchange.clock.advance(1)
    ended = grant(valid_until=day, purpose="authority")
    assert grant() == kept, "given once"
    for company in (owner, reader):
        assert told(exchange, company.uri, "grant.created") == [{"grant": kept}, {"grant": ended}]
    assert owner.admin.delete(f"/api/v1/grants/{kept}").status_code == 200
    assert owner.admin.delete(f"/api/v1/grants/{kept}").status_code == 200
    for company in (owner, reader):
        assert told(exchange, company.uri, "grant.withdrawn") == [{"grant": kept}]
    for days, expected in ((3, 0), (1, 1), (1, 1)):
        later(days, owner, reader)
        worker(exchange).endings.tick()
        for company in (owner, reader):
            assert told(exchange, company.uri, "grant.ended") == [{"grant": ended}] * expected

"""Enrolment: a key and roles for each organisation, finished when it was cut short, and never a second operator."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from exchange.identity import Application
from exchange.kinds import FACTOR_RELEASE, KEY_EVENTS, ROLE_GRANT
from ledger.store import snapshot
from signer import KeyPair, peek
from signer.certificates import read_leaf
from tests.flow.world import Exchange, Member


@pytest.fixture
def newcomer(exchange: Exchange) -> Member:
    return Member(exchange, "https://new.example", KeyPair.generate("ES256"))


def kinds(exchange: Exchange, start: int) -> list[str]:
    """The kinds of the entries from `start` on."""
    tokens = [exchange.http.get(f"/api/v1/entries/{index}").json()["token"] for index in range(start, exchange.size)]
    return [peek(token).vct for token in tokens]


def test_a_newcomer_gets_a_certificate_a_key_event_and_a_role(exchange: Exchange, newcomer: Member) -> None:
    start = exchange.size
    answer = exchange.http.post("/api/v1/organisations", json=newcomer.application("supplier"))
    assert answer.status_code == 201
    body = answer.json()
    certificate = read_leaf(base64.b64decode(body["certificate"]))
    assert (certificate.organisation, certificate.thumbprint) == (newcomer.uri, newcomer.key.thumbprint)
    assert (body["key_event"], body["role_grant"], body["existed"]) == (start, start + 1, False)
    assert kinds(exchange, start) == [KEY_EVENTS.vct, ROLE_GRANT.vct]


def test_the_same_application_again_finds_it_there(exchange: Exchange, newcomer: Member) -> None:
    first = exchange.http.post("/api/v1/organisations", json=newcomer.application("supplier")).json()
    size = exchange.size
    again = exchange.http.post("/api/v1/organisations", json=newcomer.application("supplier"))
    assert (again.status_code, exchange.size) == (200, size)
    had = {"keys": [newcomer.key.thumbprint], "roles": ["supplier"]}
    assert first["had"] == {"keys": [], "roles": []}
    assert again.json() == {**first, "existed": True, "had": had}


def test_the_same_application_many_times_at_once_is_enrolled_once(exchange: Exchange, newcomer: Member) -> None:
    start, body = exchange.size, newcomer.application("supplier")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _time: exchange.http.post("/api/v1/organisations", json=body), range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["certificate"] for answer in answers}) == 1
    assert kinds(exchange, start) == [KEY_EVENTS.vct, ROLE_GRANT.vct]


def test_another_role_is_granted_without_another_key(exchange: Exchange, newcomer: Member) -> None:
    first = exchange.http.post("/api/v1/organisations", json=newcomer.application("supplier")).json()
    size = exchange.size
    again = exchange.http.post("/api/v1/organisations", json=newcomer.application("supplier", "pack_maker"))
    assert again.json()["certificate"] == first["certificate"]
    assert kinds(exchange, size) == [ROLE_GRANT.vct]
    assert (again.json()["role_grant"], again.json()["existed"]) == (size, False)
    assert again.json()["had"] == {"keys": [newcomer.key.thumbprint], "roles": ["supplier"]}


@pytest.fixture
def cut_after_key_event(exchange: Exchange) -> Iterator[None]:
    """The commit of the role grant fails."""
    commits: list[object] = []
    engine = exchange.services.installation.engine

    def commit(connection: object) -> None:
        if connection.get_execution_options().get("ledger_writing"):  # type: ignore[attr-defined]
            commits.append(connection)
            if len(commits) == 2:
                raise RuntimeError("cut")

    event.listen(engine, "commit", commit)
    yield
    event.remove(engine, "commit", commit)


@pytest.mark.usefixtures("cut_after_key_event")
def test_an_enrolment_that_was_cut_short_is_completed(exchange: Exchange, newcomer: Member) -> None:
    start, body = exchange.size, newcomer.application("supplier")
    assert exchange.http.post("/api/v1/organisations", json=body).status_code == 503
    assert kinds(exchange, start) == [KEY_EVENTS.vct]
    answer = exchange.http.post("/api/v1/organisations", json=body)
    assert (answer.status_code, answer.json()["key_event"], answer.json()["role_grant"]) == (201, start, start + 1)
    assert kinds(exchange, start) == [KEY_EVENTS.vct, ROLE_GRANT.vct]


def test_a_second_key_is_enrolled_beside_the_first(exchange: Exchange, newcomer: Member) -> None:
    exchange.http.post("/api/v1/organisations", json=newcomer.application("supplier"))
    second = Member(exchange, newcomer.uri, KeyPair.generate("Ed25519"))
    answer = exchange.http.post("/api/v1/organisations", json=second.application("pack_maker"))
    assert answer.status_code == 201
    assert answer.json()["had"] == {"keys": [newcomer.key.thumbprint], "roles": ["supplier"]}
    again = exchange.http.post("/api/v1/organisations", json=second.application("pack_maker")).json()
    assert again["had"] == {"keys": [newcomer.key.thumbprint, second.key.thumbprint], "roles": ["pack_maker"]}
    register = exchange.services.installation.intake._admissions
    with snapshot(exchange.services.installation.engine) as connection:
        keys = register.current(connection)[0].keys.enrolments
    assert {newcomer.key.thumbprint, second.key.thumbprint} <= set(keys)


def test_a_release_is_stated_once(exchange: Exchange) -> None:
    operator, size = exchange.services.installation.operator, exchange.size
    release = {"id": "r", "version": "1", "digest": "ab" * 32}
    for _time in range(2):
        operator.publish_release(FACTOR_RELEASE, release)
    assert exchange.size == size + 1


def test_the_operator_keeps_its_role_whoever_applies(exchange: Exchange, newcomer: Member) -> None:
    operator = exchange.services.installation.operator
    for changes in ({"uri": operator.uri}, {"uri": f"{operator.uri}/"}, {"roles": ["operator"]}):
        answer = exchange.http.post("/api/v1/organisations", json=newcomer.application("supplier") | changes)
        assert answer.status_code == 403
    good = Application(
        newcomer.uri,
        "New",
        newcomer.key.csr(newcomer.uri),
        newcomer.application("supplier")["possession"],
        ("supplier",),
    )
    assert not operator.enrol(good).existed

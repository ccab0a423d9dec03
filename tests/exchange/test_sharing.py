"""Who sees what, inside the queries: nothing without a grant, a grant adds, and nobody is served what another may see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bom_graph import ActivityData, Lines, Sealed
from exchange import admission
from exchange.evidence import Entry
from exchange.kinds import ACTIVITY_DATA, KEY_EVENTS, ROLE_GRANT
from ledger.store import entries, snapshot
from signer import Statement, compromise_claims, verify
from tests.flow.world import Exchange, Member, activity, line


@pytest.fixture
def owner(exchange: Exchange) -> Member:
    return exchange.member("owner")


@pytest.fixture
def stated(owner: Member) -> dict[str, Any]:
    """A statement with two inputs, of which one line is recognisable."""
    lines = [line(id="one", name="salt", flow="nickel-sulfate"), line(id="two", name="secret", flow="cobalt-sulfate")]
    return owner.state(ACTIVITY_DATA, activity(owner.product("x"), *lines, note="for friends"))


def record(exchange: Exchange, reader: Member, cited: dict[str, Any]) -> ActivityData:
    """The record as `reader` holds it."""
    found = exchange.services.sharing.evidence_for(reader.uri)[cited["leaf_hash"]].record
    assert isinstance(found, ActivityData)
    return found


def line_ids(found: ActivityData) -> list[str]:
    return sorted(one.id for one in found.inputs) if isinstance(found.inputs, Lines) else []


def test_without_a_grant_all_is_sealed(exchange: Exchange, stated: dict[str, Any]) -> None:
    found = record(exchange, exchange.member("reader"), stated)
    assert all(isinstance(getattr(found, name), Sealed) for name in ("sub", "site", "inputs", "note"))


def test_the_owner_sees_all(exchange: Exchange, owner: Member, stated: dict[str, Any]) -> None:
    found = record(exchange, owner, stated)
    assert (found.note, line_ids(found)) == ("for friends", ["one", "two"])


def test_a_grant_opens_its_paths_and_no_more(exchange: Exchange, owner: Member, stated: dict[str, Any]) -> None:
    reader, other = exchange.member("reader"), exchange.member("other")
    assert owner.grant(stated, reader, "sub", "inputs/one").status_code == 201
    found = record(exchange, reader, stated)
    assert (found.sub, line_ids(found)) == (owner.product("x"), ["one"])
    assert isinstance(found.note, Sealed)
    assert isinstance(found.inputs, Lines)
    assert not found.inputs.complete, "without `contents` nobody knows how many lines there are"
    assert isinstance(record(exchange, other, stated).sub, Sealed)


def test_a_further_grant_is_seen_at_once_and_takes_nothing_back(
    exchange: Exchange, owner: Member, stated: dict[str, Any]
) -> None:
    """The evidence of a reader is kept between requests; a grant has to reach it although the ledger didn't grow."""
    reader = exchange.member("reader")
    owner.grant(stated, reader, "inputs/one")
    assert line_ids(record(exchange, reader, stated)) == ["one"]
    owner.grant(stated, reader, "inputs/two")
    assert line_ids(record(exchange, reader, stated)) == ["one", "two"]
    owner.grant(stated, reader)
    assert record(exchange, reader, stated).note == "for friends"
    owner.grant(stated, reader, "sub")
    assert record(exchange, reader, stated).note == "for friends"


def test_the_same_grant_again_changes_nothing(exchange: Exchange, owner: Member, stated: dict[str, Any]) -> None:
    reader = exchange.member("reader")
    answers = [owner.grant(stated, reader, "sub") for _again in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert [answer.json()["existed"] for answer in answers] == [False, True]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert answers[0].json()["recorded_by"] == f"the operator for {owner.uri}"


def test_evidence_is_kept_while_nothing_changes(exchange: Exchange, owner: Member, stated: dict[str, Any]) -> None:
    sharing = exchange.services.sharing
    first = sharing.evidence_for(owner.uri)
    assert sharing.evidence_for(owner.uri) is first
    owner.state(ACTIVITY_DATA, activity(owner.product("y")))
    grown = sharing.evidence_for(owner.uri)
    assert grown is not first
    assert (grown.size, stated["leaf_hash"] in grown) == (first.size + 1, True)


def test_a_refused_grant_opens_nothing(exchange: Exchange, owner: Member, stated: dict[str, Any]) -> None:
    reader = exchange.member("reader")
    assert owner.grant(stated, reader, "sub", "no-such-claim").status_code == 400
    assert reader.grant(stated, exchange.member("other"), "sub").status_code == 404
    assert isinstance(record(exchange, reader, stated).sub, Sealed)


def test_a_new_entry_costs_its_own_verification_alone(
    exchange: Exchange, owner: Member, stated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, sharing = exchange.member("reader"), exchange.services.sharing
    owner.grant(stated, reader)
    everybody = (owner.uri, reader.uri)
    before = [sharing.evidence_for(uri) for uri in everybody]
    verified: list[str] = []

    def counted(token: str, *more: Any, **named: Any) -> Statement:
        verified.append(token)
        return verify(token, *more, **named)

    monkeypatch.setattr(admission, "verify", counted)
    new = owner.state(ACTIVITY_DATA, activity(owner.product("y")))
    verified.clear()
    after = [sharing.evidence_for(uri) for uri in everybody]
    assert len(set(verified)) == 1
    for old, grown in zip(before, after, strict=True):
        assert all(grown[leaf] is old[leaf] for leaf in old)
    assert record(exchange, owner, new).sub == owner.product("y")
    assert isinstance(record(exchange, reader, new).sub, Sealed)


def test_what_was_verified_before_is_what_would_be_verified_now(
    exchange: Exchange, owner: Member, stated: dict[str, Any]
) -> None:
    """Whatever happens in between: grants, a further key, a compromise that reaches back, a role that is taken."""
    reader, installation = exchange.member("reader"), exchange.services.installation
    operator = Member(exchange, installation.operator.uri, installation.operator.key)
    second = owner.state(ACTIVITY_DATA, activity(owner.product("y")))
    happenings: list[Callable[[], object]] = [
        lambda: owner.grant(stated, reader, "sub"),
        lambda: owner.grant(stated, reader, "inputs/one"),
        lambda: owner.grant(second, reader),
        lambda: exchange.member("newcomer"),
        lambda: owner.state(KEY_EVENTS, compromise_claims(owner.uri, owner.key.thumbprint, stated["index"], "stolen")),
        lambda: operator.state(ROLE_GRANT, {"organisation": owner.uri, "roles": ["verifier"]}),
    ]
    for happens in happenings:
        happens()
        for uri in (owner.uri, reader.uri, "https://nobody.example"):
            kept = exchange.services.sharing.evidence_for(uri)
            assert [told(one) for one in kept.values()] == [told(one) for one in read_anew(exchange, uri)]


def told(found: Entry) -> tuple[int, Statement, str]:
    return found.index, found.statement, repr(found.record)


def read_anew(exchange: Exchange, reader: str) -> list[Entry]:
    """The ledger read back from entry 0, with what the reader may see of each entry."""
    ours = exchange.services.installation
    reading = admission.Admission(ours.trust, ours.policy)
    with snapshot(ours.engine) as connection:
        stored = [
            (one, exchange.services.sharing.disclosed(connection, reader, one.leaf_hash.hex()))
            for one in entries(connection, 0, exchange.size)
        ]
    return [reading.admit(one.index, one.data.decode(), given, at=None) for one, given in stored]


def test_a_database_restored_from_a_copy_is_read_anew(sqlite_exchange: Exchange, tmp_path: Path) -> None:
    exchange, owner = sqlite_exchange, sqlite_exchange.member("owner")
    engine, database = exchange.services.installation.engine, tmp_path / "exchange.sqlite"
    engine.dispose()
    copy = database.read_bytes()
    lost = owner.state(ACTIVITY_DATA, activity(owner.product("x")))
    assert lost["leaf_hash"] in exchange.services.sharing.evidence_for(owner.uri)
    engine.dispose()
    database.write_bytes(copy)
    others = [owner.state(ACTIVITY_DATA, activity(owner.product(name))) for name in "yz"]
    assert others[0]["index"] == lost["index"]
    found = exchange.services.sharing.evidence_for(owner.uri)
    assert lost["leaf_hash"] not in found
    assert [record(exchange, owner, one).sub for one in others] == [owner.product(name) for name in "yz"]

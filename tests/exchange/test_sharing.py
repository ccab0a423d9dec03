"""Who sees what, inside the queries: nothing without a grant, a grant adds, and nobody is served what another may see."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import ActivityData, Lines, Sealed
from exchange.kinds import ACTIVITY_DATA
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
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == {"recorded_by": f"the operator for {owner.uri}"}


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

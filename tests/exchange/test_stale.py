"""Stale results: a newer statement, a new factor release, a withdrawn possibility; told to the result's reader alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from bom_graph import FactorRelease, release_bytes
from exchange.calculation import StaleResult
from exchange.cli.stale import run_stale
from exchange.kinds import ACTIVITY_DATA, FACTOR_RELEASE
from tests.flow.world import PASSPHRASE, Exchange, Member, activity, line


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


def ship(exchange: Exchange, members: dict[str, Any]) -> None:
    """State a release as a new version of the software does that comes with it."""
    file = json.dumps(members).encode()
    release = FactorRelease.read(file)
    named = {"id": release.id, "version": release.version, "digest": release.digest}
    exchange.services.installation.operator.publish_release(FACTOR_RELEASE, named, file)


def made_of(maker: Member, amount: str, name: str = "part") -> dict[str, Any]:
    """State that a product takes so much nickel sulfate; the statement's citation."""
    return maker.state(
        ACTIVITY_DATA, activity(maker.product(name), {**line(name="salt", flow="nickel-sulfate"), "amount": amount})
    )


def computed(exchange: Exchange, reader: Member, product: str) -> dict[str, Any]:
    answer = exchange.footprint(product, reader.uri)
    assert answer.status_code == 201, answer.text
    exchange.clock.advance(1)
    found: dict[str, Any] = answer.json()
    return found


def stale(exchange: Exchange, reader: Member) -> list[StaleResult]:
    return list(exchange.services.calculation.stale(reader.uri))


def test_a_result_is_fresh_while_nothing_of_it_changes(exchange: Exchange, maker: Member) -> None:
    made_of(maker, "2")
    computed(exchange, maker, maker.product("part"))
    made_of(maker, "9", "something-else")
    assert stale(exchange, maker) == []


def test_a_newer_statement_makes_stale_and_says_by_how_much(exchange: Exchange, maker: Member) -> None:
    first = made_of(maker, "2")
    old = computed(exchange, maker, maker.product("part"))
    second = made_of(maker, "3")
    told: list[tuple[int, int]] = []
    (found,) = exchange.services.calculation.stale(maker.uri, lambda done, of: told.append((done, of)))
    assert found.digest == old["digest"]
    assert found.reasons == (
        f"entry {first['index']}, activity-data of {maker.product('part')}, has a newer one: entry {second['index']}",
    )
    assert found.waterfall is not None
    assert [(bar.cause, bar.what) for bar in found.waterfall.bars] == [("line", "salt")]
    value = float(old["result"]["headline"]["value"])
    assert math.fsum(bar.amount for bar in found.waterfall.bars) == pytest.approx(value / 2, rel=1e-9)
    assert told == [(1, 1)]


def test_a_new_factor_release_makes_stale(exchange: Exchange, maker: Member) -> None:
    made_of(maker, "2")
    computed(exchange, maker, maker.product("part"))
    members = json.loads(release_bytes("everbatt-2023"))
    for row in members["rows"]:
        if row["flow"] == "nickel-sulfate":
            row["value"] = str(2 * float(row["value"]))
    ship(exchange, {**members, "version": "2"})
    (found,) = stale(exchange, maker)
    assert found.waterfall is not None
    assert found.waterfall.after == pytest.approx(2 * found.waterfall.before, rel=1e-9)
    assert [bar.cause for bar in found.waterfall.bars] == ["factor"]
    assert any(reason.startswith("factor release everbatt-2023: 2 (") for reason in found.reasons)


def test_what_is_refused_today_is_told(exchange: Exchange, maker: Member) -> None:
    made_of(maker, "2")
    computed(exchange, maker, maker.product("part"))
    members = json.loads(release_bytes("everbatt-2023"))
    rows = [row for row in members["rows"] if row["flow"] != "nickel-sulfate"]
    ship(exchange, {**members, "rows": rows})
    (found,) = stale(exchange, maker)
    assert found.after is None
    assert "no factor for flow 'nickel-sulfate'" in str(found.refused)


def test_a_reader_learns_only_of_its_own_results_and_what_it_may_see(exchange: Exchange, maker: Member) -> None:
    customer = exchange.member("customer")
    cited = made_of(maker, "2")
    maker.grant(cited, customer, "full")
    computed(exchange, customer, maker.product("part"))
    made_of(maker, "3")
    # The maker computed nothing; the customer was not granted the new statement, whose product it can't even tell.
    assert stale(exchange, maker) == []
    assert stale(exchange, customer) == []


def test_the_command_prints_reasons_and_bars(
    exchange: Exchange, maker: Member, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made_of(maker, "2")
    old = computed(exchange, maker, maker.product("part"))
    installation = exchange.services.installation
    monkeypatch.setenv("PACKTRACE_DATABASE_URL", installation.engine.url.render_as_string(hide_password=False))
    monkeypatch.setenv("PACKTRACE_PASSPHRASE", PASSPHRASE)
    assert run_stale(maker.uri, Path(installation.folder), as_json=False) == 0
    assert capsys.readouterr().out == f"no result of {maker.uri} is stale\n"
    made_of(maker, "3")
    assert run_stale(maker.uri, installation.folder, as_json=True) == 0
    (one,) = json.loads(capsys.readouterr().out)["stale"]
    assert one["digest"] == old["digest"]
    assert (one["bars"][0]["before"], one["bars"][0]["after"]) == ("2", "3")
    assert run_stale(maker.uri, installation.folder, as_json=False) == 0
    shown = capsys.readouterr().out
    assert "has a newer one: entry " in shown
    assert "line: salt, in " in shown

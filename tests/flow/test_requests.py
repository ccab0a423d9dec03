"""Three tiers: the pack maker asks the cell maker, who asks the cathode supplier; each sees its neighbours alone."""

from __future__ import annotations

from bom_graph import Sealed
from tests.flow.accounts import Company
from tests.flow.asking import (
    TOTAL,
    act,
    ask,
    later,
    named,
    record,
    show,
    state_activity,
    state_footprint,
    told,
    told_data,
)
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange


def test_a_request_goes_down_three_tiers_and_the_answers_come_up(exchange: Exchange) -> None:
    maker, cells, cathodes = (Company.join(exchange, slug) for slug in ("maker", "cells", "cathodes"))
    pack = maker.member.product("pack")
    first = ask(maker, cells, needed_for=pack, message="For the declaration.\nPlease.")
    assert act(cells, first, "accept").json()["state"] == "accepted"
    passed_on = {
        "asked": cathodes.uri,
        "product": cathodes.member.product("lfp"),
        "wanted": ["activity-data"],
        "rule_sets": [],
    }
    answer = act(cells, first, "delegate", passed_on)
    assert answer.status_code == 201, answer.text
    second = answer.json()
    assert (second["period"], second["deadline"]) == (first["period"], first["deadline"])

    # The asker sees that it was passed on, not to whom; the supplier sees that it was, not from whom.
    seen = show(maker, first)
    assert (seen["state"], seen["delegations"], seen["delegates"]) == ("delegated", 1, [])
    assert cathodes.uri not in str(seen)
    below = show(cathodes, second)
    assert below["delegated"]
    assert maker.uri not in str(below)
    assert "parent" not in below
    for stranger, request in ((maker, second), (cathodes, first)):
        check_problem(stranger.admin.get(f"/api/v1/requests/{request['id']}"), 404, "not_found")

    # It lets itself be named, and takes that back.
    for allowed, delegates in ((True, [cathodes.uri]), (False, [])):
        path = f"/api/v1/requests/{second['id']}/naming"
        assert cathodes.admin.put(path, json={"named": allowed}).status_code == 200
        assert show(maker, first)["delegates"] == delegates

    recipe = state_activity(cathodes, "lfp")
    assert act(cathodes, second, "answer", named(recipe)).status_code == 200
    assert not isinstance(record(cells, recipe).inputs, Sealed)
    assert isinstance(record(maker, recipe).sub, Sealed), "what the cathode maker answered is for the cell maker alone"
    assert show(maker, first)["state"] == "delegated", "the first request is still the cell maker's to answer"

    footprint = state_footprint(cells)
    assert act(cells, first, "answer", named(footprint, *TOTAL)).status_code == 200
    held = record(maker, footprint)
    assert (held.sub, str(held.total)) == (cells.member.product("cell"), "1")
    assert isinstance(held.stages, Sealed)
    answered = show(maker, first)
    assert answered["answer"] == {
        "statements": [{"leaf_hash": footprint, "paths": sorted(TOTAL)}],
        "verification": False,
    }
    assert (answered["needed_for"], answered["days_left"]) == (pack, None)
    assert sorted(told(exchange)) == sorted(
        [
            ("cells", "request.created"),
            ("maker", "request.accepted"),
            ("maker", "request.passed_on"),
            ("cathodes", "request.delegated"),
            ("cells", "request.answered"),
            ("maker", "request.answered"),
        ]
    )
    assert all(data.keys() == {"request"} for data in told_data(exchange))


def test_the_board_shows_who_owes_what(exchange: Exchange) -> None:
    maker, cells, other = (Company.join(exchange, slug) for slug in ("maker", "cells", "other"))
    pack = maker.member.product("pack")
    late = ask(maker, cells, "a", needed_for=pack, deadline="2026-01-07T00:00:00Z")
    soon = ask(maker, cells, "b", deadline="2026-01-12T00:00:00Z")
    far = ask(maker, other, "c", needed_for=pack, deadline="2026-06-01T00:00:00Z")
    done = ask(maker, cells, "d", deadline="2026-01-06T12:00:00Z")
    ask(other, cells, "e", deadline="2026-01-08T00:00:00Z")
    act(cells, done, "decline", {"reason": "We don't make it."})
    act(maker, late, "remind")
    later(3, maker, cells, other)
    mine = maker.admin.get("/api/v1/board?side=asker").json()
    assert [one["id"] for one in mine["requests"]] == [late["id"], soon["id"], far["id"]]
    assert [one["overdue"] for one in mine["requests"]] == [True, False, False]
    assert [one["days_left"] for one in mine["requests"]] == [-2, 3, 143]
    assert mine["requests"][0]["reminded_at"] is not None
    assert mine["counts"] == {"pending": 3, "overdue": 1, "due_soon": 1}
    packs = maker.admin.get("/api/v1/board", params={"side": "asker", "needed_for": pack}).json()
    assert [one["id"] for one in packs["requests"]] == [late["id"], far["id"]]
    assert packs["counts"]["pending"] == 2
    owed = cells.admin.get("/api/v1/board?side=asked").json()
    assert owed["counts"] == {"pending": 3, "overdue": 2, "due_soon": 1}
    assert {one["asked"] for one in owed["requests"]} == {cells.uri}
    assert pack not in str(owed), "what it is needed for is the asker's own"
    page = maker.admin.get("/api/v1/board", params={"side": "asker", "after": late["id"], "limit": 1}).json()
    assert [one["id"] for one in page["requests"]] == [soon["id"]]
    strange = other.admin.get("/api/v1/board", params={"side": "asker", "after": late["id"]})
    check_problem(strange, 404, "not_found")

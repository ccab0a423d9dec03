"""Products, part mappings and data requests: each defect is refused and changes nothing, and of two at once one wins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import event, func, insert, text
from sqlmodel import Session, select

from bom_graph import Period, Sealed
from exchange.access import MEMBER_SCOPES, Principal
from exchange.errors import ConflictError
from exchange.requests import Ask, Named, PartRow, RequestRow
from exchange.sharing import GrantRow
from ledger.store import begin, snapshot
from tests.flow.accounts import Company
from tests.flow.asking import (
    TOTAL,
    act,
    ask,
    deadline,
    later,
    named,
    record,
    show,
    state_activity,
    state_footprint,
    told,
    wish,
)
from tests.flow.test_bad_input import NOBODYS_HASH, check_problem
from tests.flow.world import EVERBATT, Exchange

CN = "cn-miit-551-trial"


@pytest.fixture
def maker(exchange: Exchange) -> Company:
    return Company.join(exchange, "maker")


@pytest.fixture
def cells(exchange: Exchange, maker: Company) -> Company:
    return Company.join(maker.exchange, "cells")


@pytest.fixture
def lone(sqlite_exchange: Exchange) -> tuple[Company, Company]:
    """Maker and cell maker on SQLite, for what doesn't depend on the database."""
    return Company.join(sqlite_exchange, "maker"), Company.join(sqlite_exchange, "cells")


def principal(company: Company) -> Principal:
    """The company's admin, as the use cases know it."""
    return Principal(company.uri, "member:admin", MEMBER_SCOPES["admin"])


def rows(exchange: Exchange, table: type[Any]) -> int:
    with snapshot(exchange.services.installation.engine) as connection, Session(connection) as session:
        return session.exec(select(func.count()).select_from(table)).one()


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each does when all begin together: its answer, or what it raises of ours."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return work()
        except ConflictError as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


# -- asking ------------------------------------------------------------------------------------------------------------

BAD_ASKS: dict[str, tuple[dict[str, Any], int, str]] = {
    "oneself": ({"asked": "https://maker.example", "product": "https://maker.example/products/x"}, 400, "asked"),
    "nobody": ({"asked": "https://nobody.example"}, 404, "asked"),
    "a product of another's": ({"product": "https://other.example/products/cell"}, 400, "product"),
    "a product beside the organisation's": ({"product": "https://cells.example.org/cell"}, 400, "product"),
    "product and part": ({"part": "4711"}, 400, "product"),
    "neither product nor part": ({"product": None}, 400, "product"),
    "a part that isn't mapped": ({"product": None, "part": "4711"}, 404, "part"),
    "a deadline that is past": ({"deadline": "2026-01-05T07:59:59Z"}, 400, "deadline"),
    "a deadline years ahead": ({"deadline": "2062-01-05T08:00:00Z"}, 400, "deadline"),
    "a deadline at the end of time": ({"deadline": "9999-12-31T23:59:59-23:59"}, 400, "deadline"),
    "a deadline without time zone": ({"deadline": "2026-02-05T08:00:00"}, 422, "body/deadline"),
    "a deadline that is a number": ({"deadline": 1_800_000_000}, 422, "body/deadline"),
    "a period that ends before it starts": (
        {"period": {"start": "2025-02-01", "end": "2025-01-01"}},
        422,
        "body/period",
    ),
    "an unknown rule set": ({"rule_sets": ["iso-9001"]}, 400, "rule_sets"),
    "a footprint under no rule set": ({"rule_sets": []}, 400, "rule_sets"),
    "a rule set for activity data": ({"wanted": ["activity-data"]}, 400, "rule_sets"),
    "nothing wanted": ({"wanted": []}, 422, "body/wanted"),
    "a verifier without that role": ({"verifier": "https://other.example"}, 400, "verifier"),
    "an unknown verifier": ({"verifier": "https://nobody.example"}, 404, "verifier"),
    "needed for another's product": ({"needed_for": "https://cells.example/products/x"}, 400, "needed_for"),
    "a message that moves the cursor": ({"message": "\x1b[2J"}, 422, "body/message"),
    "a message without end": ({"message": "x" * 2001}, 422, "body/message"),
    "for another organisation": ({"organisation": "https://cells.example"}, 403, "organisation"),
    "an id with blanks": ({"id": "a b"}, 422, "body/id"),
}


def test_a_bad_request_is_refused_and_nobody_is_told(lone: tuple[Company, Company], subtests: pytest.Subtests) -> None:
    maker, cells = lone
    Company.join(maker.exchange, "other")
    for name, (changes, status, where) in BAD_ASKS.items():
        with subtests.test(name):
            answer = maker.admin.post("/api/v1/requests", json=wish(cells, **changes))
            assert check_problem(answer, status)["where"] == where
    assert (rows(maker.exchange, RequestRow), told(maker.exchange)) == (0, [])


def test_the_same_request_is_asked_once(exchange: Exchange, maker: Company, cells: Company) -> None:
    body = wish(cells, id="nightly-1")
    first, again = (maker.admin.post("/api/v1/requests", json=body) for _time in range(2))
    assert [first.status_code, again.status_code] == [201, 200]
    assert first.json() == again.json()
    by_header = maker.admin.post("/api/v1/requests", json=wish(cells), headers={"Idempotency-Key": "nightly-1"})
    assert by_header.json()["id"] == first.json()["id"]
    check_problem(maker.admin.post("/api/v1/requests", json=body | {"message": "other"}), 409, "conflict")
    two = maker.admin.post("/api/v1/requests", json=body, headers={"Idempotency-Key": "nightly-2"})
    check_problem(two, 400, "data_request")
    # An hour before the deadline, and after it: what was asked is found, although it couldn't be asked any more.
    later(40, maker)
    assert maker.admin.post("/api/v1/requests", json=body).status_code == 200
    other = Company.join(exchange, "other")
    assert other.admin.post("/api/v1/requests", json=body | {"deadline": deadline(exchange)}).status_code == 201


def test_the_same_request_sent_twice_at_once_is_asked_once(exchange: Exchange, maker: Company, cells: Company) -> None:
    wanted = Ask(
        asked=cells.uri,
        period=Period(start=date(2025, 1, 1), end=date(2025, 12, 31)),
        wanted=("activity-data",),
        deadline=exchange.clock() + timedelta(days=3),
        product=cells.member.product("cell"),
    )
    requests = exchange.services.requests
    existed = at_once(*[lambda: requests.ask(principal(maker), maker.uri, wanted, "one")[1]] * 4)
    assert sorted(map(bool, existed)) == [False, True, True, True]
    assert rows(exchange, RequestRow) == 1


def test_only_the_two_sides_see_a_request(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    rival = Company.join(maker.exchange, "rival")
    request = ask(maker, cells)
    for company, box, count in ((maker, "outbox", 1), (maker, "inbox", 0), (cells, "inbox", 1), (rival, "inbox", 0)):
        assert len(company.admin.get(f"/api/v1/requests?box={box}").json()) == count
    check_problem(rival.admin.get(f"/api/v1/requests/{request['id']}"), 404)
    for verb, body in (
        ("accept", None),
        ("answer", named(NOBODYS_HASH)),
        ("decline", {"reason": "no"}),
        ("delegate", {"asked": cells.uri, "product": cells.member.product("x")}),
        ("remind", None),
        ("withdraw", None),
    ):
        check_problem(act(rival, request, verb, body), 404)
        wrong_side = maker if verb in {"accept", "answer", "decline", "delegate"} else cells
        check_problem(act(wrong_side, request, verb, body), 403, "rights")
    assert show(cells, request)["state"] == "open"
    for box in ("outbox", "inbox"):
        params = {"box": box, "organisation": maker.uri}
        check_problem(rival.admin.get("/api/v1/requests", params=params), 403)


def test_lists_go_on_where_they_ended(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    made = [ask(maker, cells, f"cell-{number}")["id"] for number in range(5)]
    pages, after = [], ""
    for _page in range(3):
        page = cells.admin.get(f"/api/v1/requests?box=inbox&limit=2{after}").json()
        pages += [one["id"] for one in page]
        after = f"&after={page[-1]['id']}"
    assert sorted(pages) == sorted(made)
    assert pages == sorted(pages, reverse=True)


def test_a_viewer_asks_nothing_and_a_contributor_grants_nothing(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    request = ask(maker, cells)
    stated = state_footprint(cells)
    assert maker.colleague("viewer").post("/api/v1/requests", json=wish(cells)).status_code == 403
    contributor = cells.colleague("contributor")
    answered = contributor.post(f"/api/v1/requests/{request['id']}/answer", json=named(stated, *TOTAL))
    check_problem(answered, 403, "rights")
    assert contributor.post(f"/api/v1/requests/{request['id']}/accept").status_code == 200
    signatory = cells.colleague("signatory")
    answered = signatory.post(f"/api/v1/requests/{request['id']}/answer", json=named(stated, *TOTAL))
    assert answered.status_code == 200


# -- answering ---------------------------------------------------------------------------------------------------------


def test_a_bad_answer_is_refused_and_opens_nothing(lone: tuple[Company, Company], subtests: pytest.Subtests) -> None:
    maker, cells = lone
    other = Company.join(maker.exchange, "other")
    request = ask(maker, cells)
    good = state_footprint(cells)
    next_year: dict[str, Any] = {"period": {"start": "2026-01-01", "end": "2026-01-04"}}
    rule_set: dict[str, Any] = {"rule_set": {"id": CN, "version": "1", "digest": "00" * 32}}
    bad = {
        "another's statement": (named(state_footprint(other)), 404, "statements/0"),
        "no statement": (named(NOBODYS_HASH), 404, "statements/0"),
        "another product": (named(state_footprint(cells, "other")), 400, "statements/0"),
        "another period": (named(state_footprint(cells, **next_year)), 400, "statements/0"),
        "another kind": (named(state_activity(cells)), 400, "statements/0"),
        "another rule set": (named(state_footprint(cells, **rule_set)), 400, "statements/0"),
        "no such path": (named(good, "sub", "margin"), 400, "'margin'"),
        "a verifier that nobody asked for": (named(good, verification_paths=["full"]), 400, "verification_paths"),
        "no statements": ({"statements": []}, 422, "body/statements"),
        "no paths": ({"statements": [{"leaf_hash": good, "paths": []}]}, 422, "body/statements/0/paths"),
        "one twice": ({"statements": named(good)["statements"] * 2}, 400, "statements"),
    }
    for name, (body, status, where) in bad.items():
        with subtests.test(name):
            assert check_problem(act(cells, request, "answer", body), status)["where"] == where
    assert show(cells, request)["state"] == "open"
    assert (rows(maker.exchange, GrantRow), len(told(maker.exchange))) == (0, 1)
    assert act(cells, request, "answer", named(good, *TOTAL)).status_code == 200


def test_a_footprint_under_each_rule_set_or_the_activity_data(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    both: dict[str, Any] = {"rule_sets": [EVERBATT.id, CN], "wanted": ["activity-data", "product-footprint"]}
    first, second = (ask(maker, cells, message=text, **both) for text in ("one", "two"))
    footprint = state_footprint(cells)
    refused = check_problem(act(cells, first, "answer", named(footprint)), 400, "data_request")
    assert CN in refused["detail"]
    under_cn = state_footprint(cells, rule_set={"id": CN, "version": "1", "digest": "00" * 32})
    pair = {"statements": [*named(footprint)["statements"], *named(under_cn)["statements"]]}
    assert act(cells, first, "answer", pair).status_code == 200
    assert act(cells, second, "answer", named(state_activity(cells), "outputs")).status_code == 200


def test_an_answer_grants_what_it_names_and_never_more(maker: Company, cells: Company) -> None:
    request = ask(maker, cells)
    before = state_footprint(cells)
    assert isinstance(record(maker, before).sub, Sealed)
    answers = [act(cells, request, "answer", named(before, *TOTAL)) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    check_problem(act(cells, request, "answer", named(before)), 409, "conflict")
    after = state_footprint(cells)
    check_problem(act(cells, request, "answer", named(after)), 409, "conflict")
    assert isinstance(record(maker, before).stages, Sealed)
    assert isinstance(record(maker, after).sub, Sealed)
    assert rows(maker.exchange, GrantRow) == 1


@pytest.mark.parametrize("agreed", [True, False])
def test_a_verifier_is_granted_what_was_asked_for_and_agreed(lone: tuple[Company, Company], agreed: bool) -> None:
    maker, cells = lone
    verifier = Company.join(maker.exchange, "verifier", roles=["verifier"])
    request = ask(maker, cells, verifier=verifier.uri)
    stated = state_footprint(cells)
    more = {"verification_paths": ["full"]} if agreed else {}
    assert act(cells, request, "answer", named(stated, *TOTAL, **more)).status_code == 200
    assert isinstance(record(verifier, stated).stages, Sealed) is not agreed
    assert isinstance(record(maker, stated).stages, Sealed)
    seen = show(maker, request)["answer"]
    assert (seen["verification"], "verification_paths" in str(seen)) == (agreed, False)
    check_problem(verifier.admin.get(f"/api/v1/requests/{request['id']}"), 404)


def test_of_two_answers_at_once_one_wins(exchange: Exchange, maker: Company, cells: Company) -> None:
    request = ask(maker, cells)["id"]
    stated = [state_footprint(cells), state_footprint(cells)]
    requests = exchange.services.requests

    def answer(leaf_hash: str) -> Callable[[], object]:
        return lambda: requests.answer(principal(cells), request, [Named(leaf_hash, ("full",))])

    outcomes = at_once(*map(answer, stated))
    assert sorted(type(one).__name__ for one in outcomes) == ["ConflictError", "tuple"]
    won = stated[[isinstance(one, tuple) for one in outcomes].index(True)]
    assert [isinstance(record(maker, one).sub, Sealed) for one in stated] == [one != won for one in stated]


def test_an_answer_and_a_withdrawal_at_once_leave_one(exchange: Exchange, maker: Company, cells: Company) -> None:
    request, stated = ask(maker, cells)["id"], state_footprint(cells)
    requests = exchange.services.requests
    outcomes = at_once(
        lambda: requests.answer(principal(cells), request, [Named(stated, ("full",))]),
        lambda: requests.withdraw(principal(maker), request),
    )
    assert sum(isinstance(one, ConflictError) for one in outcomes) == 1
    withdrawn = isinstance(outcomes[0], ConflictError)
    assert isinstance(record(maker, stated).sub, Sealed) is withdrawn


# -- the other steps ---------------------------------------------------------------------------------------------------


def test_declined_is_declined(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    request = ask(maker, cells)
    for _time in range(2):
        assert act(cells, request, "decline", {"reason": "We stopped making it."}).status_code == 200
    seen = show(maker, request)
    assert (seen["state"], seen["reason"]) == ("declined", "We stopped making it.")
    for company, verb, body in (
        (cells, "accept", None),
        (cells, "answer", named(state_footprint(cells))),
        (cells, "delegate", {"asked": "https://other.example", "product": "https://other.example/p"}),
        (maker, "remind", None),
        (maker, "withdraw", None),
    ):
        assert act(company, request, verb, body).status_code in (404, 409), verb
    assert sorted(told(maker.exchange)) == [("cells", "request.created"), ("maker", "request.declined")]


def test_reminders_come_once_a_day(maker: Company, cells: Company) -> None:
    request = ask(maker, cells)
    assert act(maker, request, "remind").status_code == 200
    refused = act(maker, request, "remind")
    check_problem(refused, 429, "too_many")
    later(1, maker)
    assert act(maker, request, "remind").status_code == 200
    assert sorted(kind for _to, kind in told(maker.exchange)) == [
        "request.created",
        "request.reminded",
        "request.reminded",
    ]


def test_an_overdue_request_is_told_of_once_and_may_still_be_answered(maker: Company, cells: Company) -> None:
    exchange = maker.exchange
    request = ask(maker, cells, deadline=deadline(exchange, 2))
    assert exchange.services.requests.tell_overdue() == 0
    later(3, maker, cells)
    assert at_once(*[exchange.services.requests.tell_overdue] * 3).count(1) == 1
    assert exchange.services.requests.tell_overdue() == 0
    late = [to for to, kind in told(exchange) if kind == "request.overdue"]
    assert sorted(late) == ["cells", "maker"]
    assert show(maker, request)["overdue"]
    assert act(cells, request, "answer", named(state_footprint(cells), *TOTAL)).status_code == 200
    assert not show(maker, request)["overdue"]


def test_no_request_goes_round_in_a_circle(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    mine = Company.join(maker.exchange, "mine")
    first = ask(maker, cells)
    to_oneself = {"asked": cells.uri, "product": cells.member.product("x")}
    check_problem(act(cells, first, "delegate", to_oneself), 400, "data_request")
    back = {"asked": maker.uri, "product": maker.member.product("scrap")}
    check_problem(act(cells, first, "delegate", back), 409, "conflict")
    assert show(maker, first)["state"] == "open"
    second = act(cells, first, "delegate", {"asked": mine.uri, "product": mine.member.product("ore")}).json()
    # Who stands above the cell maker the mine doesn't know, and isn't told by a refusal.
    third = act(mine, second, "delegate", back)
    assert third.status_code == 201
    round_it_goes = {"asked": cells.uri, "product": cells.member.product("cell")}
    check_problem(act(maker, third.json(), "delegate", round_it_goes), 409, "conflict")
    assert [show(maker, first)["delegations"], show(cells, second)["delegations"]] == [1, 1]


def test_a_delegation_sent_again_is_found(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    mine = Company.join(maker.exchange, "mine")
    first = ask(maker, cells)
    body = {"id": "one", "asked": mine.uri, "product": mine.member.product("ore")}
    answers = [act(cells, first, "delegate", body) for _time in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert show(maker, first)["delegations"] == 1
    check_problem(cells.admin.put(f"/api/v1/requests/{first['id']}/naming", json={"named": True}), 400)


def test_the_operator_stands_in_for_those_without_accounts(sqlite_exchange: Exchange) -> None:
    maker, cells = sqlite_exchange.member("maker"), sqlite_exchange.member("cells")
    joined = Company.join(sqlite_exchange, "joined")
    body = wish(joined) | {"organisation": maker.uri, "asked": cells.uri, "product": cells.product("cell")}
    made = sqlite_exchange.http.post("/api/v1/requests", json=body)
    assert made.status_code == 201, made.text
    listed = sqlite_exchange.http.get("/api/v1/requests", params={"box": "inbox", "organisation": cells.uri})
    assert [one["id"] for one in listed.json()] == [made.json()["id"]]
    check_problem(sqlite_exchange.http.post("/api/v1/requests", json=body | {"organisation": joined.uri}), 403)


# -- products and parts ------------------------------------------------------------------------------------------------


def put(company: Company, name: str, **changes: Any) -> Any:
    body = {"uri": company.member.product(name), "name": name.title(), "unit": "kg", "kind": "cell", **changes}
    return company.admin.put("/api/v1/products", json=body)


def propose(company: Company, maker: Company, cells: Company, name: str, **changes: Any) -> Any:
    body = {"customer": maker.uri, "part": "4711", "supplier": cells.uri, "product": cells.member.product(name)}
    return company.admin.post("/api/v1/parts", json=body | changes)


def decide(company: Company, part: str, *, confirm: bool = True) -> Any:
    return company.admin.post(f"/api/v1/parts/{part}/decision", json={"confirm": confirm})


def test_a_catalogue_is_its_owner_s(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    assert [put(cells, "b").status_code, put(cells, "a").status_code, put(cells, "b").status_code] == [201, 201, 200]
    assert [one["name"] for one in cells.admin.get("/api/v1/products?limit=1").json()] == ["A"]
    after = cells.admin.get("/api/v1/products", params={"after": cells.member.product("a")}).json()
    assert [one["name"] for one in after] == ["B"]
    assert maker.admin.get("/api/v1/products").json() == []
    check_problem(maker.admin.get("/api/v1/products", params={"organisation": cells.uri}), 403)
    check_problem(put(maker, "x", uri=cells.member.product("x")), 400, "data_request")
    check_problem(put(maker, "x", unit="stone"), 400, "unit")
    check_problem(put(maker, "x", kind="car"), 422)


def test_a_part_is_mapped_by_both_sides(exchange: Exchange, maker: Company, cells: Company) -> None:
    rival = Company.join(exchange, "rival")
    made = propose(maker, maker, cells, "cell", line="Series 3")
    assert made.status_code == 201, made.text
    part = made.json()["id"]
    assert propose(maker, maker, cells, "cell").status_code == 200
    check_problem(decide(maker, part), 403, "rights")
    check_problem(decide(rival, part), 404)
    check_problem(decide(cells, part), 404)  # not in the catalogue yet
    put(cells, "cell")
    assert decide(cells, part).json()["state"] == "confirmed"
    assert decide(cells, part).status_code == 200
    check_problem(decide(cells, part, confirm=False), 409, "conflict")
    for company, side in ((maker, "customer"), (cells, "supplier")):
        (seen,) = company.admin.get(f"/api/v1/parts?side={side}").json()
        assert (seen["part"], seen["line"], seen["called"]) == ("4711", "Series 3", "Cell")
    assert rival.admin.get("/api/v1/parts?side=supplier").json() == []
    body = wish(cells, product=None, part="4711")
    asked = maker.admin.post("/api/v1/requests", json=body).json()
    assert (asked["product"], asked["part"]) == (cells.member.product("cell"), "4711")
    check_problem(rival.admin.post("/api/v1/requests", json=body), 404, "not_found")
    assert sorted(told(exchange)) == [
        ("cells", "part.proposed"),
        ("cells", "request.created"),
        ("maker", "part.confirmed"),
    ]


def test_a_part_is_one_product_at_a_time(exchange: Exchange, maker: Company, cells: Company) -> None:
    for name in ("cell", "cell-2"):
        assert put(cells, name).status_code == 201
    parts = [propose(cells, maker, cells, name).json()["id"] for name in ("cell", "cell-2")]
    catalogue = exchange.services.catalogue

    def confirm(part: str) -> Callable[[], object]:
        return lambda: catalogue.decide(principal(maker), part, confirm=True)

    outcomes = at_once(*map(confirm, parts))
    assert sorted(type(one).__name__ for one in outcomes) == ["ConflictError", "StatedMapping"]
    if isinstance(outcomes[0], ConflictError):
        parts.reverse()
    check_problem(decide(maker, parts[1]), 409, "conflict")
    assert cells.admin.post(f"/api/v1/parts/{parts[0]}/end").json()["state"] == "ended"
    assert decide(maker, parts[1]).json()["state"] == "confirmed"
    check_problem(decide(maker, parts[0]), 409, "conflict")


def test_a_refused_or_taken_back_mapping_may_be_proposed_again(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    put(cells, "cell")
    refused = propose(cells, maker, cells, "cell").json()["id"]
    check_problem(maker.admin.post(f"/api/v1/parts/{refused}/end"), 403, "rights")
    assert decide(maker, refused, confirm=False).json()["state"] == "refused"
    again = propose(maker, maker, cells, "cell")
    assert again.status_code == 201
    assert maker.admin.post(f"/api/v1/parts/{again.json()['id']}/end").json()["state"] == "ended"
    assert rows(maker.exchange, PartRow) == 2


def test_a_bad_mapping_is_refused(lone: tuple[Company, Company]) -> None:
    maker, cells = lone
    other = Company.join(maker.exchange, "other")
    check_problem(propose(other, maker, cells, "cell"), 403, "rights")
    check_problem(propose(maker, maker, cells, "cell", supplier="https://nobody.example"), 400, "data_request")
    nobody = {"supplier": "https://nobody.example", "product": "https://nobody.example/products/x"}
    check_problem(propose(maker, maker, cells, "cell", **nobody), 404)
    oneself = {"supplier": maker.uri, "product": maker.member.product("x")}
    check_problem(propose(maker, maker, cells, "cell", **oneself), 400, "data_request")
    check_problem(propose(cells, maker, cells, "unlisted"), 404)
    assert rows(maker.exchange, PartRow) == 0


# -- how long it takes -------------------------------------------------------------------------------------------------


@pytest.fixture
def crowded(exchange: Exchange, maker: Company, cells: Company) -> Exchange:
    """An exchange with twenty thousand requests, a tenth of each of these two, a third of all answered."""
    first = ask(maker, cells)["id"]
    engine = exchange.services.installation.engine
    with begin(engine) as connection:
        pattern = connection.execute(select(RequestRow.__table__)).mappings().one()  # type: ignore[attr-defined]
        many = [
            {
                **pattern,
                "id": f"{number:08d}{first[8:]}",
                "client_id": str(number),
                "asker": maker.uri if number % 10 == 1 else f"https://a{number % 99}.example",
                "asked": cells.uri if number % 10 == 2 else f"https://b{number % 99}.example",
                "needed_for": maker.member.product(f"pack-{number % 4}"),
                "deadline": exchange.clock() + timedelta(hours=number % 5000),
                "closed_at": exchange.clock() if number % 3 == 0 else None,
            }
            for number in range(20_000)
        ]
        connection.execute(insert(RequestRow), many)
    with begin(engine) as connection:
        connection.execute(text("ANALYZE"))
    return exchange


@pytest.fixture
def plans(crowded: Exchange) -> Iterator[list[tuple[str, str]]]:
    """Every query about requests that is made from here on, with the database's plan of it."""
    engine, found = crowded.services.installation.engine, list[tuple[str, str]]()
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"

    def explained(connection: Any, cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith("SELECT") and "FROM exchange_request" in statement:
            with closing(connection.connection.cursor()) as other:
                other.execute(f"{explain} {statement}", parameters)
                found.append((statement, "\n".join(str(row) for row in other.fetchall())))

    event.listen(engine, "before_cursor_execute", explained)
    yield found
    event.remove(engine, "before_cursor_execute", explained)


def test_lists_and_boards_walk_their_indexes(crowded: Exchange, plans: list[tuple[str, str]]) -> None:
    requests, boards = crowded.services.requests, crowded.services.boards
    maker, cells = (Principal(f"https://{one}.example", "x", MEMBER_SCOPES["viewer"]) for one in ("maker", "cells"))
    for page in (
        requests.page(maker, maker.organisation, "outbox"),
        requests.page(cells, cells.organisation, "inbox"),
        requests.page(cells, cells.organisation, "inbox", after="00009"),
    ):
        assert len(page) == 100
    for actor, side in ((maker, "asker"), (cells, "asked")):
        board = boards.board(actor, actor.organisation, side)  # type: ignore[arg-type]
        assert (len(board.requests), board.pending) == (100, 1000)
        following = boards.board(actor, actor.organisation, side, after=board.requests[-1].id)  # type: ignore[arg-type]
        assert following.requests[0].deadline >= board.requests[-1].deadline
    pack = "https://maker.example/products/pack-1"
    assert boards.board(maker, maker.organisation, "asker", needed_for=pack).requests
    requests.show(maker, requests.page(maker, maker.organisation, "outbox")[0].id)
    assert len(plans) > 20
    for statement, plan in plans:
        assert "SCAN exchange_request" not in plan, statement
        assert "Seq Scan" not in plan, statement
        if "ORDER BY" in statement and "count(" not in statement:
            assert "TEMP B-TREE" not in plan, (statement, plan)
            assert "Sort" not in plan, (statement, plan)

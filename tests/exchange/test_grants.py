"""Grants from the first preview to the withdrawal: who may give what to whom, how long it counts, and what the owner is told."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text
from sqlmodel import Session, select

from bom_graph import ActivityData, Lines, Sealed
from exchange import database
from exchange.database import engine_for, migrate
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT
from exchange.sharing import AccessRow, GrantRow
from ledger.store import begin, snapshot
from tests.flow.accounts import Company
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange, activity, line, signed_footprint

DAY = 24 * 3600.0
LINES = (line(id="one", name="salt", flow="nickel-sulfate"), line(id="two", name="secret", flow="cobalt-sulfate"))


class Chain:
    """A supplier, its customer and a verifier, each with accounts; and a statement of the supplier's."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.owner = Company.join(exchange, "owner")
        self.customer = Company.join(exchange, "customer", roles=["pack_maker"])
        self.verifier = Company.join(exchange, "verifier", roles=["verifier"])
        self.product = self.owner.member.product("x")
        self.stated = self.state()

    def state(self, **claims: Any) -> dict[str, Any]:
        """Submit activity data of the supplier."""
        answer = self.owner.admin.post("/api/v1/statements", json={"statement": self.signed(**claims)})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def signed(self, **claims: Any) -> str:
        issued = self.owner.member.sign(
            ACTIVITY_DATA, activity(self.product, *LINES, **{"note": "for friends"} | claims)
        )
        return "~".join([issued.token, *issued.disclosures, ""])

    def body(self, reader: Company, *paths: str, **terms: Any) -> dict[str, Any]:
        """A grant of the statement to `reader`, as it is posted."""
        good = {"owner": self.owner.uri, "reader": reader.uri, "paths": list(paths), "purpose": "customer"}
        target = {} if "product" in terms else {"leaf_hash": self.stated["leaf_hash"]}
        return good | target | terms

    def grant(self, reader: Company, *paths: str, by: Company | None = None, **terms: Any) -> dict[str, Any]:
        """Record a grant, by the owner unless stated."""
        answer = (by or self.owner).admin.post("/api/v1/grants", json=self.body(reader, *paths, **terms))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def seen(self, reader: Company, stated: dict[str, Any] | None = None) -> int:
        """How many disclosures of the statement the reader gets; none where it doesn't even find it."""
        answer = reader.admin.get(f"/api/v1/statements/{(stated or self.stated)['leaf_hash']}")
        return len(answer.json()["disclosures"]) if answer.status_code == 200 else 0


@pytest.fixture
def chain(exchange: Exchange) -> Chain:
    return Chain(exchange)


@pytest.fixture
def small(sqlite_exchange: Exchange) -> Chain:
    return Chain(sqlite_exchange)


def record(chain: Chain, reader: Company) -> ActivityData:
    found = chain.exchange.services.sharing.evidence_for(reader.uri)[chain.stated["leaf_hash"]].record
    assert isinstance(found, ActivityData)
    return found


def test_a_grant_ends_with_its_last_day(small: Chain) -> None:
    small.grant(small.customer, "sub", valid_until="2026-01-06")
    assert record(small, small.customer).sub == small.product
    for seen in (1, 0):
        small.exchange.clock.advance(DAY)
        with snapshot(small.exchange.services.installation.engine) as connection:
            disclosed = small.exchange.services.sharing.disclosed
            assert len(disclosed(connection, small.customer.uri, small.stated["leaf_hash"])) == seen
    assert isinstance(record(small, small.customer).sub, Sealed), "the kept evidence knows the day"


def test_a_statement_is_read_as_granted_and_no_further(chain: Chain) -> None:
    assert chain.seen(chain.customer) == 0
    check_problem(chain.customer.admin.get(f"/api/v1/statements/{chain.stated['leaf_hash']}"), 404, "entry_unknown")
    chain.grant(chain.customer, "note")
    answer = chain.customer.admin.get(f"/api/v1/statements/{chain.stated['leaf_hash']}").json()
    assert (answer["index"], len(answer["disclosures"])) == (chain.stated["index"], 1)
    chain.grant(chain.customer, "inputs/one")
    assert chain.seen(chain.customer) == 3, "with its list's disclosure"
    assert chain.seen(chain.owner) == len(chain.signed().split("~")) - 2
    # A verifier finds every entry, and sees nothing of it without a grant.
    assert chain.verifier.admin.get(f"/api/v1/statements/{chain.stated['leaf_hash']}").json()["disclosures"] == []


def test_verification_includes_the_contents(small: Chain) -> None:
    small.grant(small.customer, "inputs")
    assert isinstance(found := record(small, small.customer).inputs, Lines)
    assert not found.complete
    small.grant(small.verifier, "inputs", purpose="verification")
    assert isinstance(found := record(small, small.verifier).inputs, Lines)
    assert found.complete


def test_a_withdrawn_grant_is_gone_at_once_and_says_what_was_taken(chain: Chain) -> None:
    made = chain.grant(chain.customer, "full")
    assert chain.seen(chain.customer) > 0
    assert record(chain, chain.customer).note == "for friends"
    path = f"/api/v1/grants/{made['id']}"
    for other in (chain.customer, chain.verifier):
        check_problem(other.admin.delete(path), 404, "not_found")
    answers = [chain.owner.admin.delete(path).json() for _again in range(2)]
    assert answers[0] == answers[1]
    assert [(one["reader"], one["act"], one["count"]) for one in answers[0]["copies"]] == [
        (chain.customer.uri, "read", 1)
    ]
    assert isinstance(record(chain, chain.customer).note, Sealed)
    assert chain.seen(chain.customer) == 0
    check_problem(chain.customer.admin.get(f"/api/v1/entries/{chain.stated['index']}"), 404, "entry_unknown")


def test_results_stay_after_a_withdrawal_but_are_not_exported_anew(chain: Chain) -> None:
    whole = [chain.grant(reader, "full") for reader in (chain.customer, chain.verifier)]
    demand = {"product": chain.product, "rule_set": "everbatt-2023-cradle-to-gate", "reader": chain.customer.uri}
    made = chain.customer.admin.post("/api/v1/footprints", json=demand)
    assert made.status_code == 201, made.text
    chain.exchange.publish()

    def export(reader: Company) -> int:
        body = {"reader": reader.uri, "results": [made.json()["digest"]]}
        return chain.customer.admin.post("/api/v1/evidence", json=body).status_code

    assert [export(chain.customer), export(chain.verifier)] == [200, 200]
    copies = chain.owner.admin.delete(f"/api/v1/grants/{whole[0]['id']}").json()["copies"]
    # The file for the verifier went through the customer's hands.
    assert [(one["act"], one["count"]) for one in copies] == [("export", 2), ("result", 1)]
    assert [export(chain.customer), export(chain.verifier)] == [403, 403], "nor in another's name"
    kept = chain.customer.admin.get(f"/api/v1/footprints/{made.json()['digest']}")
    assert kept.json() == made.json()["result"]


def test_a_grant_of_a_product_reaches_the_statements_to_come(chain: Chain) -> None:
    about: dict[str, Any] = {"product": chain.product, "kind": ACTIVITY_DATA.vct}
    made = chain.grant(chain.customer, "note", "waste", **about, valid_until="2026-01-20")
    later, other = (
        chain.state(),
        chain.owner.member.sign(ACTIVITY_DATA, activity(chain.owner.member.product("y"), note="!")),
    )
    answer = chain.owner.admin.post(
        "/api/v1/statements", json={"statement": "~".join([other.token, *other.disclosures, ""])}
    )
    # A path that a statement doesn't have opens nothing of it.
    assert [chain.seen(chain.customer, one) for one in (chain.stated, later, answer.json())] == [1, 1, 0]
    chain.owner.admin.delete(f"/api/v1/grants/{made['id']}")
    assert [chain.seen(chain.customer, one) for one in (chain.stated, later)] == [0, 0]


def test_onward_lies_within_the_grant_and_ends_with_it(chain: Chain) -> None:
    source = chain.grant(chain.customer, "inputs", "note", onward="verifier", valid_until="2026-02-01")
    rival = Company.join(chain.exchange, "rival")
    for reader, paths, terms, where in (
        (rival, ["note"], {}, "reader"),
        (chain.verifier, ["site"], {}, "paths"),
        (chain.verifier, ["full"], {}, "paths"),
        (chain.verifier, ["note"], {"purpose": "verification"}, "paths"),
        (chain.verifier, ["note"], {"onward": "any"}, "onward"),
        (chain.verifier, ["note"], {"valid_until": "2026-02-02"}, "valid_until"),
        (chain.customer, ["note"], {}, "reader"),
        (chain.owner, ["note"], {}, "reader"),
    ):
        body = chain.body(reader, *paths, source=source["id"], **terms)
        assert check_problem(chain.customer.admin.post("/api/v1/grants", json=body), 403, "rights")["where"] == where
    foreign = chain.body(chain.verifier, "note", source=source["id"])
    check_problem(rival.admin.post("/api/v1/grants", json=foreign), 404, "not_found")
    passed = chain.grant(chain.verifier, "inputs/one", by=chain.customer, source=source["id"])
    assert (passed["grantor"], passed["owner"], passed["valid_until"]) == (
        chain.customer.uri,
        chain.owner.uri,
        "2026-02-01",
    )
    assert chain.seen(chain.verifier) == 2
    given = chain.owner.admin.get("/api/v1/grants").json()
    # Made in one millisecond of the test's clock, their ids stand in any order.
    told = {one["id"]: one["recorded_by"] is None for one in given}
    assert told == {source["id"]: False, passed["id"]: True}
    ended = chain.owner.admin.delete(f"/api/v1/grants/{source['id']}").json()
    assert ended["ended"] == [passed["id"]]
    assert chain.seen(chain.verifier) == 0
    again = chain.body(chain.verifier, "note", source=source["id"])
    check_problem(chain.customer.admin.post("/api/v1/grants", json=again), 404, "not_found")


def test_what_may_not_be_passed_on_stays(small: Chain) -> None:
    source = small.grant(small.customer, "note")
    body = small.body(small.verifier, "note", source=source["id"])
    assert check_problem(small.customer.admin.post("/api/v1/grants", json=body), 403, "rights")["where"] == "source"


def test_what_anybody_may_have_travels_on_and_comes_back_in_one(small: Chain) -> None:
    rival = Company.join(small.exchange, "rival")
    first = small.grant(small.customer, "note", "site", onward="any")
    second = small.grant(rival, "note", "site", by=small.customer, source=first["id"], onward="any")
    third = small.grant(small.verifier, "site", by=rival, source=second["id"])
    assert [small.seen(one) for one in (rival, small.verifier)] == [2, 1]
    # Who passed it on may end that; what others took is the owner's to know.
    ended = small.customer.admin.delete(f"/api/v1/grants/{second['id']}").json()
    assert (ended["ended"], ended["copies"]) == ([third["id"]], [])
    assert [small.seen(one) for one in (small.customer, rival, small.verifier)] == [2, 0, 0]


def test_a_preview_tells_what_follows_and_records_nothing(small: Chain) -> None:
    body = small.body(small.customer, "inputs/one", "contents")
    found = small.owner.admin.post("/api/v1/grants/preview", json=body).json()
    (statement,) = found["statements"]
    assert {one["path"]: one["had"] for one in statement["sees"]} == {"contents": False, "inputs/one": False}
    assert "salt" in [one["value"].get("name") for one in statement["sees"]]
    assert {"inputs/two", "note", "site"} <= set(statement["sealed"])
    assert "inputs: not complete, 1 of 2 lines are sealed" in statement["derives"]
    bare = small.owner.admin.post("/api/v1/grants/preview", json=small.body(small.customer, "inputs/one")).json()
    assert any("takes `contents`" in one for one in bare["statements"][0]["derives"])
    assert not any("takes `contents`" in one for one in statement["derives"])
    assert (found["copies"], found["border"], found["onward"]) == ([], None, "none")
    assert small.owner.admin.get("/api/v1/grants").json() == []
    small.grant(small.customer, "inputs/two")
    small.seen(small.customer)
    found = small.owner.admin.post("/api/v1/grants/preview", json=body).json()
    (statement,) = found["statements"]
    assert "inputs: complete" in statement["derives"], "with what the reader has already"
    assert ("inputs/two", True) in [(one["path"], one["had"]) for one in statement["sees"]]
    assert [one["act"] for one in found["copies"]] == ["read"]


def test_a_preview_of_what_is_passed_on_shows_no_more_than_one_has(small: Chain) -> None:
    source = small.grant(small.customer, "note", onward="any")
    small.grant(small.verifier, "site")
    body = small.body(small.verifier, "note", source=source["id"])
    found = small.customer.admin.post("/api/v1/grants/preview", json=body)
    (statement,) = found.json()["statements"]
    assert [one["path"] for one in statement["sees"]] == ["note"]
    assert statement["sealed"] == []
    assert "Plant 1" not in found.text


@pytest.mark.parametrize(
    ("paths", "derives"),
    [
        (["stages"], "total: the sum of the stages"),
        (["total", "stages/a", "stages/b"], "stages/c: the total less the other stages"),
        (["total", "stages/a"], "stages: the sum of the 2 that are sealed, the total less the others"),
    ],
)
def test_a_total_and_its_stages_tell_of_each_other(small: Chain, paths: list[str], derives: str) -> None:
    stages = [{"id": name, "stage": stage, "kg_co2e": "1"} for name, stage in zip("abc", STAGES, strict=True)]
    claims = signed_footprint(small.product) | {"stages": stages, "total": "3"}
    issued = small.owner.member.sign(PRODUCT_FOOTPRINT, claims)
    answer = small.owner.admin.post(
        "/api/v1/statements", json={"statement": "~".join([issued.token, *issued.disclosures, ""])}
    )
    assert answer.status_code == 201, answer.text
    body = small.body(small.customer, *paths) | {"leaf_hash": answer.json()["leaf_hash"]}
    (statement,) = small.owner.admin.post("/api/v1/grants/preview", json=body).json()["statements"]
    assert derives in statement["derives"]


STAGES = ("material_acquisition", "manufacturing", "distribution")


def test_a_grant_across_a_border_needs_a_reason_and_is_recorded(chain: Chain) -> None:
    abroad = Company.join(chain.exchange, "abroad", country="DE")
    body = chain.body(abroad, "note")
    assert chain.owner.admin.post("/api/v1/grants/preview", json=body).json()["border"] == {"from": "CN", "to": "DE"}
    assert check_problem(chain.owner.admin.post("/api/v1/grants", json=body), 400, "grant")["where"] == "reason"
    assert chain.owner.admin.get("/api/v1/export-records").json() == []
    made = chain.grant(abroad, "note", reason="battery passport of the importer")
    (record,) = chain.owner.admin.get("/api/v1/export-records").json()
    assert {name: record[name] for name in ("grant", "from", "to", "paths", "purpose", "reason")} == {
        "grant": made["id"],
        "from": "CN",
        "to": "DE",
        "paths": ["note"],
        "purpose": "customer",
        "reason": "battery passport of the importer",
    }
    assert abroad.admin.get("/api/v1/export-records").json() == []
    chain.grant(chain.customer, "note")
    assert len(chain.owner.admin.get("/api/v1/export-records").json()) == 1


def test_the_access_log_is_the_owners_and_counts_by_day(chain: Chain) -> None:
    chain.grant(chain.customer, "note")
    for _time in range(3):
        chain.seen(chain.customer)
    chain.grant(chain.customer, "site")
    chain.seen(chain.customer)
    chain.seen(chain.owner)
    chain.seen(chain.verifier)
    rows = chain.owner.admin.get("/api/v1/access-log").json()
    assert sorted((one["reader"], one["act"], one["paths"], one["count"]) for one in rows) == [
        (chain.customer.uri, "read", ["note"], 3),
        (chain.customer.uri, "read", ["note", "site"], 1),
    ]
    assert chain.customer.admin.get("/api/v1/access-log").json() == []
    first = chain.owner.admin.get("/api/v1/access-log?limit=1").json()
    assert chain.owner.admin.get(f"/api/v1/access-log?after={first[0]['id']}").json() == [
        one for one in rows if one["id"] != first[0]["id"]
    ]


def test_what_was_not_stored_was_not_taken(small: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is written with what it tells of: a result that isn't kept leaves no row."""
    small.grant(small.customer, "full")
    monkeypatch.setattr("exchange.calculation.results.Calculation._row", lambda *_arguments: 1 / 0)
    demand = {"product": small.product, "rule_set": "everbatt-2023-cradle-to-gate", "reader": small.customer.uri}
    assert small.customer.admin.post("/api/v1/footprints", json=demand).status_code == 500
    with snapshot(small.exchange.services.installation.engine) as connection:
        assert Session(connection).exec(select(AccessRow)).all() == []


def test_a_grant_withdrawn_while_a_result_is_computed_gives_none(small: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    made = small.grant(small.customer, "full")
    calculation = small.exchange.services.calculation
    computed = calculation.computed

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        assert small.owner.admin.delete(f"/api/v1/grants/{made['id']}").status_code == 200
        return computed(*arguments, **named)

    monkeypatch.setattr(calculation, "computed", meanwhile)
    demand = {"product": small.product, "rule_set": "everbatt-2023-cradle-to-gate", "reader": small.customer.uri}
    check_problem(small.customer.admin.post("/api/v1/footprints", json=demand), 403, "rights")


def test_lists_of_grants_are_paged_by_direction(small: Chain) -> None:
    made = [small.grant(small.customer, path)["id"] for path in ("note", "site", "period")]
    small.exchange.clock.advance(1)
    got, after = [], ""
    while page := small.owner.admin.get(f"/api/v1/grants?limit=1&after={after}").json():
        got += [one["id"] for one in page]
        after = got[-1]
    assert sorted(made) == got
    received = small.customer.admin.get("/api/v1/grants?direction=received").json()
    assert [(one["id"], one["recorded_by"]) for one in received] == [(name, None) for name in sorted(made)]
    assert small.verifier.admin.get("/api/v1/grants?direction=received").json() == []


def test_old_grants_are_carried_over(database_url: str) -> None:
    engine = engine_for(database_url)
    _migrated(engine, "0005_identity")
    with begin(engine) as connection:
        for reader, paths in (("https://a.example", "note site"), ("https://b.example", "full")):
            connection.execute(
                text("INSERT INTO exchange_grant VALUES (:owner, :reader, :leaf, :paths, 'customer', 'somebody', :at)"),
                {
                    "owner": "https://o.example",
                    "reader": reader,
                    "leaf": "ab" * 32,
                    "paths": paths,
                    "at": "2026-01-01T00:00:00.000000Z",
                },
            )
    migrate(engine)
    with snapshot(engine) as connection:
        rows = Session(connection).exec(select(GrantRow)).all()
        assert sorted((row.reader, row.grantor, row.paths, row.onward, row.recorded_by) for row in rows) == [
            ("https://a.example", "https://o.example", "note site", "none", "somebody"),
            ("https://b.example", "https://o.example", "full", "none", "somebody"),
        ]
        assert len({row.id for row in rows}) == 2
        assert {row.recorded_at for row in rows} == {datetime(2026, 1, 1, tzinfo=UTC)}
    engine.dispose()


def _migrated(engine: Engine, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with begin(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

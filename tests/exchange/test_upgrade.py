"""A database of every version there was, with data in it, comes out at today's, and today's use cases read what was put in.

One exchange of today is filled by the interface. For each version that Alembic finds, what it holds is written into a database of that
version, as far as its tables go (what rests encrypted today lay in the clear before), and an exchange is opened on it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi.testclient import TestClient
from sqlalchemy import Connection, Engine, MetaData, Table, delete, event, insert, select

from exchange import database
from exchange.access import Principal
from exchange.database import engine_for
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, CERTIFICATE_RETIREMENT
from ledger.audit import audit
from ledger.store import begin, snapshot
from tests.exchange.test_intake import retirement
from tests.flow.accounts import Company
from tests.flow.asking import act, ask, named, state, state_footprint
from tests.flow.attachments import File, put
from tests.flow.readers import paths_to_get
from tests.flow.world import Clock, Exchange, Member, activity, bill

Row = dict[str, Any]
RULE_SET = "everbatt-2023-cradle-to-gate"


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    return config


VERSIONS = [one.revision for one in reversed(list(ScriptDirectory.from_config(alembic()).walk_revisions()))]
#: Made from others at the first start, where a version had none.
DERIVED = {"exchange_sealed", "exchange_data_key", "exchange_master_key", "exchange_result_input", "exchange_plain"}
#: Of the processes that ran.
PASSING = {"exchange_lease", "alembic_version"}


@dataclass
class Filled:
    """An exchange of today and all that it holds: `clear` are tables as they were while nothing rested encrypted."""

    exchange: Exchange
    companies: list[Company]
    tables: Mapping[str, Table]
    rows: dict[str, list[Row]]
    clear: dict[str, list[Row]]
    answers: dict[tuple[str, str], tuple[Any, set[str]]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("today")
    exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
    maker, buyer = Company.join(exchange, "maker"), Company.join(exchange, "buyer")
    fill(exchange, maker, buyer)
    found = held(exchange, [maker, buyer])
    yield found
    exchange.close()


def fill(exchange: Exchange, maker: Company, buyer: Company) -> None:
    """A supplier's statements, grants, results, programs, events, requests; an erasure and a hold."""
    member = maker.member
    bill_of_power = File()
    cell = activity(member.product("cell"))
    cell["inputs"][0]["evidence"] = [bill_of_power.digest]
    cited = state(maker, ACTIVITY_DATA, cell)
    assert put(maker.admin, bill_of_power).status_code == 201
    state(maker, CERTIFICATE_RETIREMENT, retirement(member, "retirement", 1, 100))
    state(buyer, BILL_OF_MATERIALS, bill(buyer.member.product("pack"), member.product("cell")))
    gone = state(maker, ACTIVITY_DATA, activity(member.product("gone")))
    exchange.publish()
    grant = {"owner": maker.uri, "reader": buyer.uri, "leaf_hash": cited, "paths": ["full"], "purpose": "customer"}
    assert maker.admin.post("/api/v1/grants", json=grant).status_code in {200, 201}
    subscribed = {"organisation": buyer.uri, "target": "https://93.184.215.14/x"}
    assert buyer.admin.post("/api/v1/subscriptions", json=subscribed).status_code == 201
    erased = maker.admin.post("/api/v1/erasures", json={"leaf_hash": gone})
    assert erased.status_code == 201, erased.text
    for company in (maker, buyer):
        demand = {"product": member.product("cell"), "rule_set": RULE_SET, "reader": company.uri}
        answer = company.admin.post("/api/v1/footprints", json=demand)
        assert answer.status_code == 201, answer.text
    maker.colleague("viewer")
    maker.admin.post("/api/v1/invitations", json={"email": "late@maker.example", "role": "viewer"})
    maker.program("data:read")
    product = {"uri": member.product("cell"), "name": "Cell", "unit": "kg", "kind": "material"}
    assert maker.admin.put("/api/v1/products", json=product).status_code in {200, 201, 204}
    request = ask(buyer, maker)
    assert act(maker, request, "answer", named(state_footprint(maker))).status_code in {200, 201}
    ask(buyer, maker, "another")
    demands = {"reader": maker.uri, "demands": [{"product": member.product("cell")}], "rule_sets": [RULE_SET]}
    assert maker.admin.post("/api/v1/calculations", json=demands).status_code == 202
    exchange.clock.advance(1)
    tick(exchange)


def tick(exchange: Exchange) -> None:
    """What the clock does in the first second."""
    exchange.publish()
    for job in (exchange.services.batches, exchange.services.balances, exchange.services.watch):
        job.tick()


def held(exchange: Exchange, companies: list[Company]) -> Filled:
    """Everything in the database, in the clear too, and what today's interface answers from which tables."""
    engine, vault = exchange.services.installation.engine, exchange.services.installation.vault
    tables = reflected(engine)
    with snapshot(engine) as connection:
        rows = {
            name: [dict(row) for row in connection.execute(select(table)).mappings()] for name, table in tables.items()
        }
        opened = {
            (row["what"], row["subject"]): (vault.open_(connection, row["what"], row["subject"]) or b"").decode()
            for row in rows["exchange_sealed"]
        }
    products = products_of(exchange)
    clear = {
        "exchange_disclosure": [
            {"leaf_hash": leaf, "disclosures": text} for (what, leaf), text in opened.items() if what == "disclosures"
        ],
        "exchange_result": [
            row
            | {"document": opened["result", row["digest"]]}
            | {"product": json.loads(opened["result", row["digest"]])["demand"]["product"]}
            | {"headline": json.loads(opened["result", row["digest"]])["headline"]["value"]}
            for row in rows["exchange_result"]
            if ("result", row["digest"]) in opened
        ],
        "exchange_statement": [row | {"product": products.get(row["product"])} for row in rows["exchange_statement"]],
        "exchange_product_link": [
            row | {name: products[row[name]] for name in ("product", "component")}
            for row in rows["exchange_product_link"]
        ],
        "exchange_retired_certificate": [
            row | {"name": companies[0].member.product("retirement"), "series": "cd" * 32} | {"first": 1, "last": 100}
            for row in rows["exchange_retired_certificate"]
        ],
    }
    answers = {}
    for who, client in clients(exchange, companies):
        for path in reads(exchange, companies, rows):
            with asked(engine) as read:
                answer = client.get(path)
            answers[who, path] = (seen(answer), read)
    return Filled(exchange, companies, tables, rows, clear, answers)


def products_of(exchange: Exchange) -> dict[str, str]:
    """Products by their blinded names."""
    blind = exchange.services.installation.vault.blind
    uris = [f"https://{slug}.example/products/{name}" for slug in ("maker", "buyer") for name in PRODUCTS]
    return {blind(uri): uri for uri in uris}


PRODUCTS = ("cell", "pack", "gone", "retirement", "another", "part")


def clients(exchange: Exchange, companies: list[Company]) -> list[tuple[str, TestClient]]:
    """The operator's client, and those of the admins, who logged in with their passwords."""
    return [("operator", exchange.http), *((one.uri, one.admin) for one in companies)]


def reads(exchange: Exchange, companies: list[Company], rows: Mapping[str, list[Row]]) -> list[str]:
    """Every path that can be read, pages and lists too; a new route joins by itself."""
    known = {
        "index": [str(row["index"]) for row in rows["ledger_entry"]],
        "leaf_hash": [row["leaf_hash"] for row in rows["exchange_statement"]],
        "digest": [row["digest"] for row in rows["exchange_result"]],
        "other": [row["digest"] for row in rows["exchange_result"]],
        "identity": [row["id"] for row in rows["exchange_request"]],
        "path": ["checkpoint"],
        "calculation": [row["id"] for row in rows["exchange_job"]],
        "case": [row["id"] for row in rows["exchange_case"]],
        "proposal": [row["id"] for row in rows["exchange_factor_proposal"]],
        "filing": [row["id"] for row in rows["exchange_filing"]],
        "publication": [row["id"] for row in rows["exchange_publication"]],
        "engagement": [row["id"] for row in rows["exchange_engagement"]],
        "number": ["0"],
        "attachment": [File().digest],
    }
    anew = {"/api/v1/openapi.json", "/api/v1/public/status-list"}  # written or signed whenever they are asked for
    paths = [path for path in paths_to_get(exchange, known) if path not in anew]
    queries = {
        "/api/v1/grants": ["?direction=given", "?direction=received"],
        "/api/v1/requests": ["?box=received", "?box=sent"],
        "/api/v1/parts": ["?side=supplier", "?side=customer"],
        "/api/v1/board": ["?side=supplier", "?side=customer"],
        "/api/v1/inbox": [f"?organisation={one.uri}" for one in companies],
        "/api/v1/subscriptions": [f"?organisation={one.uri}" for one in companies],
        "/api/v1/proofs/inclusion": ["?index=1"],
        "/api/v1/proofs/consistency": ["?old=1&new=2"],
        "/api/v1/entries": [f"?leaf_hash={rows['exchange_statement'][0]['leaf_hash']}"],
    }
    return [f"{path}{query}" for path in paths for query in ["", *queries.get(path, [])]]


def seen(answer: Any) -> Any:
    """What counts of an answer."""
    return answer.status_code, answer.headers.get("content-type"), answer.text


class asked:  # noqa: N801 - reads as a word
    """The tables that are read in the block."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.read = engine, set[str]()

    def _note(self, _connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        self.read |= set(re.findall(r"\b(?:exchange|ledger)_\w+", statement))

    def __enter__(self) -> set[str]:
        event.listen(self.engine, "before_cursor_execute", self._note)
        return self.read

    def __exit__(self, *_error: object) -> None:
        event.remove(self.engine, "before_cursor_execute", self._note)


def reflected(engine: Engine) -> Mapping[str, Table]:
    """The tables of a database as they are, in the order in which they can be filled."""
    metadata = MetaData()
    metadata.reflect(engine)
    return {table.name: table for table in metadata.sorted_tables}


def put_in(connection: Connection, tables: Mapping[str, Table], filled: Filled) -> dict[str, int]:
    """Write what these tables can hold; return how many rows of each. A column that nothing is known of fails."""
    in_clear = "exchange_sealed" not in tables
    counts = {}
    for name, table in reversed(list(tables.items())):
        if name not in PASSING:
            connection.execute(delete(table))  # what the migrations themselves put in
    for name, table in tables.items():
        if name in PASSING:
            continue
        rows = filled.clear.get(name, filled.rows.get(name)) if in_clear else filled.rows.get(name)
        assert rows is not None, f"say in `clear` what {name} held"
        unknown = {one.name for one in table.columns if not one.nullable} - (rows[0].keys() if rows else set())
        assert not (rows and unknown), f"say in `clear` what {name} held in {sorted(unknown)}"
        needed = [one.name for one in table.columns if not one.nullable]
        fit = [{one.name: row[one.name] for one in table.columns if one.name in row} for row in rows]
        fit = [row for row in fit if all(row[one] is not None for one in needed)]
        once = list({tuple(row[key.name] for key in table.primary_key): row for row in fit}.values())
        if once:
            connection.execute(insert(table), once)
        counts[name] = len(once)
    return counts


def _cases() -> Iterator[tuple[str, str]]:
    """The first version and the newest on both databases, those between on one of the two in turn: a migration is the same on both."""
    for number, version in enumerate(VERSIONS):
        for place, kind in enumerate(("sqlite", "postgresql")):
            if number in {0, len(VERSIONS) - 1} or number % 2 == place:
                yield version, kind


@pytest.mark.parametrize(("version", "database_url"), [*_cases()], indirect=["database_url"])
def test_what_a_version_held_is_read_by_todays_use_cases(
    filled: Filled, version: str, database_url: str, tmp_path: Path
) -> None:
    engine = engine_for(database_url)
    config = alembic()
    with begin(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    old = reflected(engine)
    with begin(engine) as connection:
        counts = put_in(connection, old, filled)
    assert all(counts[name] for name in ("ledger_entry", "exchange_statement", "exchange_result", "exchange_grant"))
    engine.dispose()
    source = filled.exchange
    folder = tmp_path / "data"
    shutil.copytree(source.services.installation.folder, folder)
    if "exchange_sealed" not in old:
        for key in (folder / "keys").glob("vault.*"):
            key.unlink()  # as in a folder from before there were any

    again = Exchange.open(folder, database_url, clock=Clock(source.clock.now))
    try:
        again.publish()  # what the clock does first; the rest may have news to tell
        check_all_is_there(again, filled, old, counts)
        check_answers(again, filled, old, counts)
        check_it_goes_on(again, filled)
    finally:
        again.close()


def check_all_is_there(again: Exchange, filled: Filled, old: Mapping[str, Table], counts: Mapping[str, int]) -> None:
    """As many rows as were put in, wherever the table is still there; nothing waits in the clear; the log is whole."""
    installation = again.services.installation
    now = reflected(installation.engine)
    assert now.keys() == filled.tables.keys()
    with snapshot(installation.engine) as connection:
        found = {name: len(connection.execute(select(table)).all()) for name, table in now.items()}
        audit(connection, installation.trust_file.key, installation.published)
        products = connection.scalars(select(now["exchange_statement"].c.product)).all()
        sealed = {(row.what, row.subject) for row in connection.execute(select(now["exchange_sealed"]))}
    kept = {name: count for name, count in counts.items() if name in now and name not in DERIVED}
    # Loops of activity data are solved since 0004; what it removed of their links is meant.
    kept.pop("exchange_product_link")
    assert {name: found[name] for name in kept} == kept
    assert found["exchange_plain"] == 0
    assert not [one for one in products if one is not None and ":" in one]
    assert sealed == {(row["what"], row["subject"]) for row in filled.rows["exchange_sealed"]}


def check_answers(again: Exchange, filled: Filled, old: Mapping[str, Table], counts: Mapping[str, int]) -> None:
    """Every path answers as it did, byte for byte, where all that it is made of was there."""
    partial = {
        name
        for name, rows in filled.rows.items()
        if rows
        and name not in DERIVED | PASSING
        and (counts.get(name, 0) < len(rows) or not whole(old.get(name), rows, filled.clear.get(name)))
    }
    compared = 0
    has_accounts = "exchange_session" in old
    companies = [one for one in filled.companies if has_accounts]
    for who, client in clients(again, [at(again, one) for one in companies]):
        for path in reads(again, filled.companies, filled.rows):
            expected, read = filled.answers[who, path]
            answer = client.get(path)
            assert answer.status_code < 500, (path, answer.text)
            if not read & partial:
                assert seen(answer) == expected, (who, path)
                compared += 1
    assert compared > 20, "of each version something could be compared"


def whole(table: Table | None, rows: list[Row], clear: list[Row] | None) -> bool:
    """Whether a version could hold all of these rows: each column that says something."""
    if table is None:
        return False
    saying = {name for row in rows for name, value in row.items() if value not in (None, False)}
    return saying <= {one.name for one in table.columns} or clear is not None


def at(again: Exchange, company: Company) -> Company:
    """The company with its browser at another exchange: the session goes on there."""
    admin = TestClient(
        again.http.app,
        base_url="http://127.0.0.1",
        headers={"Sec-Fetch-Site": "same-origin"},
        cookies=company.admin.cookies,
    )
    return Company(again, company.member, admin)


def check_it_goes_on(again: Exchange, filled: Filled) -> None:
    """A grant is still sight of the same claims, the same inputs give the same result, and what is sent comes in."""
    source, (maker, buyer) = filled.exchange, filled.companies
    ours, before = again.services, source.services
    for company in (maker, buyer):
        then, now = (one.sharing.evidence_for(company.uri) for one in (before, ours))
        granted = {leaf: entry.statement.claims for leaf, entry in then.items() if leaf not in request_grants(filled)}
        assert {leaf: now[leaf].statement.claims for leaf in granted} == granted
    results = reflected(ours.installation.engine)["exchange_result"]
    with snapshot(ours.installation.engine) as connection:
        carried = connection.execute(select(results.c.digest, results.c.reader)).mappings().all()
    assert carried, "a result without a figure could not be held at first; the other could"
    for row in carried:
        actor = Principal(row["reader"], "test", frozenset({"data:read"}))
        assert ours.calculation.result(actor, row["digest"]) == before.calculation.result(actor, row["digest"])
    tick(again)
    member = Member(again, maker.uri, maker.member.key)
    issued = member.sign(ACTIVITY_DATA, activity(member.product("fresh")))
    size = again.size
    assert ours.installation.intake.submit(issued.token, issued.disclosures).index == size
    again.publish()


def request_grants(filled: Filled) -> set[str]:
    """The statements that are seen by more than a plain grant of a whole statement."""
    return {
        row["leaf_hash"]
        for row in filled.rows["exchange_grant"]
        if row["leaf_hash"] is not None and (row["source"] or row["valid_until"] or row["withdrawn_at"])
    }

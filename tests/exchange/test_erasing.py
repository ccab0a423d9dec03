"""Erasure with its entry, holds, and statements whose disclosures their owner withholds."""

from __future__ import annotations

import base64
import itertools
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from sqlmodel import Session, col

from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, CERTIFICATE_RETIREMENT, ERASURE, ROLE_GRANT
from exchange.vault import DataKeyRow, ErasureRow, SealedRow, hold, release_hold
from exchange.verification import verify_evidence
from ledger import LedgerError
from ledger.store import begin, snapshot
from signer import Issued
from tests.evidence import read_evidence, write_evidence
from tests.exchange.test_intake import CutError, failing, held, operator, retirement, rows
from tests.exchange.test_vault import everything_in
from tests.flow.world import Exchange, Member, activity, bill, citation, line


@pytest.fixture
def supplier(exchange: Exchange) -> Member:
    return exchange.member("supplier")


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


@pytest.fixture
def salt_statement(supplier: Member) -> Issued:
    return supplier.sign(ACTIVITY_DATA, activity(supplier.product("salt"), aside="odd"))


@pytest.fixture
def cited(exchange: Exchange, supplier: Member, maker: Member, salt_statement: Issued) -> dict[str, Any]:
    """The supplier's salt, granted to the maker, whose part holds it by citation."""
    found = citation(exchange.post(salt_statement).json())
    assert supplier.grant(found, maker).status_code == 201
    component = {**line(name="salt", product=supplier.product("salt")), "citation": found}
    maker.state(BILL_OF_MATERIALS, bill(maker.product("part"), components=[component]))
    return found


def erase(exchange: Exchange, cited: dict[str, Any], reason: str = "owner_request") -> httpx2.Response:
    return exchange.http.post("/api/v1/erasures", json={"leaf_hash": cited["leaf_hash"], "reason": reason})


def result(exchange: Exchange, reader: Member, product: str) -> dict[str, Any]:
    answer = exchange.footprint(product, reader.uri)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_what_was_erased_is_sealed_for_all_and_named_as_the_gap(
    exchange: Exchange, supplier: Member, maker: Member, cited: dict[str, Any]
) -> None:
    before = result(exchange, maker, maker.product("part"))
    assert before["result"]["headline"]["value"] is not None
    answer = erase(exchange, cited)
    assert (answer.status_code, answer.json()["existed"]) == (201, False)
    index = answer.json()["index"]
    entry = exchange.http.get(f"/api/v1/entries/{index}").json()
    assert entry["vct"] == ERASURE.vct
    # Both had it in memory.
    for reader in (maker, supplier):
        found = exchange.services.sharing.evidence_for(reader.uri)[cited["leaf_hash"]]
        assert found.is_sealed
    after = result(exchange, maker, maker.product("part"))["result"]
    assert after["headline"]["value"] is None
    assert any(f"inputs erased at {index}" in gap["what"] for gap in after["gaps"])
    assert index in [one["index"] for one in after["inputs"]], "named, so that replay meets the same gap"
    again = erase(exchange, cited)
    assert (again.status_code, again.json()) == (200, {"index": index, "existed": True})


def test_results_that_rest_on_it_are_gone_and_say_why(exchange: Exchange, maker: Member, cited: dict[str, Any]) -> None:
    name = result(exchange, maker, maker.product("part"))["digest"]
    other = result(exchange, maker, maker.product("part"))["digest"]
    assert name == other
    index = erase(exchange, cited).json()["index"]
    gone = exchange.http.get(f"/api/v1/footprints/{name}")
    body = gone.json()
    assert (gone.status_code, body["code"], body["detail"]) == (
        410,
        "erased",
        f"not decidable: inputs erased at {index}",
    )
    assert exchange.http.get("/api/v1/footprints").json() == []
    assert exchange.http.get("/").status_code == 200
    export = exchange.http.post("/api/v1/evidence", json={"reader": maker.uri, "results": [name]})
    assert export.json()["code"] == "erased"


def test_nothing_of_it_is_left_in_the_files(
    exchange: Exchange, maker: Member, cited: dict[str, Any], tmp_path: Path
) -> None:
    """Neither key nor ciphertext: with the master key and the raw database nothing can be had back."""
    result(exchange, maker, maker.product("part"))
    with snapshot(exchange.services.installation.engine) as connection:
        sealed = connection.execute(
            select(col(SealedRow.data), col(DataKeyRow.wrapped))
            .join(DataKeyRow, col(DataKeyRow.id) == col(SealedRow.key))
            .where((col(SealedRow.subject) == cited["leaf_hash"]) | (col(SealedRow.what) == "result"))
        ).all()
    assert len(sealed) == 2
    pieces = [bytes(row.data)[:64] for row in sealed] + [bytes(row.wrapped) for row in sealed]
    before = everything_in(exchange, tmp_path)
    assert all(piece in before for piece in pieces)
    assert erase(exchange, cited).status_code == 201
    after = everything_in(exchange, tmp_path)
    assert not [piece for piece in pieces if piece in after]


def test_an_erasure_that_is_cut_at_any_write_leaves_all_as_it_was(
    exchange: Exchange, maker: Member, cited: dict[str, Any]
) -> None:
    """Entry, key, ciphertext and results go together or not at all."""
    name = result(exchange, maker, maker.product("part"))["digest"]
    engine, erasures = exchange.services.installation.engine, exchange.services.erasures
    before = rows(engine)
    for number in itertools.count(0):
        kind, place = ("statement", number) if number else ("commit", 1)
        with failing(engine, kind, place) as executed:
            try:
                erasures.erase(exchange.services.standing_in, cited["leaf_hash"], "owner_request")
            except (CutError, LedgerError):
                pass
            else:
                break
        assert rows(engine) == before, executed[-1]
        assert exchange.http.get(f"/api/v1/footprints/{name}").status_code == 200
        assert held(exchange, cited["leaf_hash"]) is not None
    assert number > 10
    assert held(exchange, cited["leaf_hash"]) is None
    with snapshot(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(ErasureRow)) == 1


def test_what_was_erased_does_not_come_back_by_sending_it_again(
    exchange: Exchange, supplier: Member, cited: dict[str, Any], salt_statement: Issued
) -> None:
    index = erase(exchange, cited).json()["index"]
    for issued in (salt_statement, supplier.sign_again(salt_statement)):
        answer = exchange.post(issued)
        assert (answer.status_code, answer.json()["index"]) == (200, cited["index"])
        assert held(exchange, cited["leaf_hash"]) is None
    assert exchange.size == index + 1


def test_what_is_held_is_not_erased(exchange: Exchange, cited: dict[str, Any]) -> None:
    engine = exchange.services.installation.engine
    with begin(engine) as connection:
        session = Session(connection)
        hold(session, cited["leaf_hash"], "filing 7", None)
        hold(session, cited["leaf_hash"], "verification 3", exchange.clock() + timedelta(days=1))
    size = exchange.size
    for _reason in range(2):
        refused = erase(exchange, cited)
        assert (refused.status_code, refused.json()["code"]) == (409, "held")
        with begin(engine) as connection:
            release_hold(Session(connection), cited["leaf_hash"], "filing 7")
    assert exchange.size == size, "no entry says what didn't happen"
    exchange.clock.advance(86_400)
    assert erase(exchange, cited).status_code == 201


def test_only_its_owner_or_the_operator_erases(exchange: Exchange, supplier: Member, cited: dict[str, Any]) -> None:
    erasures = exchange.services.erasures
    standing = exchange.services.standing_in
    rival = type(standing)("https://rival.example", "member:1", frozenset({"statements:write", "data:read"}))
    with pytest.raises(Exception, match="no such statement of yours"):
        erasures.erase(rival, cited["leaf_hash"], "owner_request")
    owner = type(standing)(supplier.uri, "member:2", frozenset({"statements:write"}))
    with pytest.raises(Exception, match="needs the scope operator"):
        erasures.erase(owner, cited["leaf_hash"], "unlawful_content")
    done = erasures.erase(owner, cited["leaf_hash"], "owner_request")
    token = exchange.http.get(f"/api/v1/entries/{done.index}").json()["token"]
    evidence = exchange.services.sharing.evidence_for(supplier.uri)
    claims = evidence.erased[cited["leaf_hash"]].statement.claims
    assert (claims["asked_by"], claims["reason"], claims["index"]) == (supplier.uri, "owner_request", cited["index"])
    assert token


def test_an_entry_whose_claims_are_all_open_is_not_erased(exchange: Exchange, cited: dict[str, Any]) -> None:
    first = exchange.http.get("/api/v1/entries/0").json()
    refused = erase(exchange, first, "unlawful_content")
    assert (refused.status_code, refused.json()["code"]) == (400, "statement")


def test_nobody_else_signs_an_erasure_and_none_of_what_is_to_come(
    exchange: Exchange, supplier: Member, cited: dict[str, Any]
) -> None:
    claims = {
        "index": cited["index"],
        "leaf_hash": cited["leaf_hash"],
        "reason": "owner_request",
        "asked_by": supplier.uri,
    }
    assert "signed by operator" in exchange.post(supplier.sign(ERASURE, claims)).json()["detail"]
    later = exchange.post(operator(exchange).sign(ERASURE, {**claims, "index": exchange.size}))
    assert "doesn't come before it" in later.json()["detail"]


def test_derived_rows_go_with_it(exchange: Exchange, supplier: Member, maker: Member) -> None:
    retired = supplier.state(CERTIFICATE_RETIREMENT, retirement(supplier, "one", 1, 100))
    held_by = maker.state(BILL_OF_MATERIALS, bill(maker.product("x"), supplier.product("y")))
    for one in (retired, held_by):
        assert erase(exchange, one).status_code == 201
    found = rows(exchange.services.installation.engine)
    assert (found["exchange_retired_certificate"], found["exchange_product_link"]) == (0, 0)


def test_offline_a_result_without_what_was_erased_is_not_decidable(
    exchange: Exchange, maker: Member, cited: dict[str, Any]
) -> None:
    """Somebody kept the result's document and asks with what the exchange has left."""
    old = result(exchange, maker, maker.product("part"))
    exchange.publish()
    full = exchange.http.post("/api/v1/evidence", json={"reader": maker.uri, "results": [old["digest"]]}).content
    trust_file = exchange.services.installation.trust_file
    assert verify_evidence(full, trust_file).exit_code == 0
    index = erase(exchange, cited).json()["index"]
    new = result(exchange, maker, maker.product("part"))
    exchange.publish()
    answer = exchange.http.post("/api/v1/evidence", json={"reader": maker.uri, "results": [new["digest"]]})
    assert answer.status_code == 200, answer.text
    assert verify_evidence(answer.content, trust_file).exit_code == 0, "the new one is replayed with its gap"
    manifest, left = read_evidence(answer.content)
    _manifest, before = read_evidence(full)
    (name,) = (member for member in before if member.startswith("results/"))
    about = {member: manifest[member] for member in ("origin", "reader", "size")}
    mixed = {member: data for member, data in left.items() if not member.startswith("results/")}
    verdict = verify_evidence(write_evidence({**mixed, name: before[name]}, about), trust_file)
    assert (verdict.code, verdict.exit_code) == ("not_decidable", 3)
    assert f"inputs erased at {index}" in verdict.text


# -- withheld --------------------------------------------------------------------------------------------------------


def seal(exchange: Exchange, issued: Issued, *disclosures: str) -> httpx2.Response:
    statement = "~".join((issued.token, *disclosures, ""))
    return exchange.http.post("/api/v1/statements", json={"statement": statement, "sealed": True})


def contents_of(issued: Issued) -> str:
    """The one disclosure that says what there is."""
    for text in issued.disclosures:
        decoded = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if len(decoded) == 3 and decoded[1] == "contents":
            return text
    raise AssertionError("no contents")


@pytest.mark.parametrize("given", ["nothing", "contents"])
def test_a_withheld_statement_is_an_entry_that_nobody_reads_here(
    exchange: Exchange, supplier: Member, salt_statement: Issued, given: str
) -> None:
    disclosures = () if given == "nothing" else (contents_of(salt_statement),)
    answer = seal(exchange, salt_statement, *disclosures)
    assert answer.status_code == 201, answer.text
    leaf = answer.json()["leaf_hash"]
    assert held(exchange, leaf) is None
    assert exchange.services.sharing.evidence_for(supplier.uri)[leaf].is_sealed
    again = exchange.post(salt_statement)
    assert (again.status_code, again.json()["index"]) == (200, answer.json()["index"])
    assert held(exchange, leaf) is None, "it stays withheld"
    signed_again = exchange.post(supplier.sign_again(salt_statement))
    assert (signed_again.status_code, held(exchange, leaf)) == (200, None)


def test_a_withheld_statement_comes_without_what_is_withheld(exchange: Exchange, salt_statement: Issued) -> None:
    for disclosures in (salt_statement.disclosures, salt_statement.disclosures[:2]):
        refused = seal(exchange, salt_statement, *disclosures)
        assert (refused.status_code, refused.json()["where"]) == (400, "sealed")


def test_nothing_can_be_withheld_of_an_open_kind(exchange: Exchange, supplier: Member) -> None:
    issued = operator(exchange).sign(ROLE_GRANT, {"organisation": supplier.uri, "roles": ["supplier"]})
    assert "nothing can be withheld" in seal(exchange, issued).json()["detail"]

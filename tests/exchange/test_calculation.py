"""Results that never change, and evidence files for those who may see what a result rests on."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby, pairwise
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from exchange.calculation import ExportRow, ResultRow
from exchange.cosigning import Witnesses
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS
from exchange.vault import SealedRow
from exchange.verification import Verdict, verify_evidence
from ledger import WitnessPolicy
from ledger.store import begin, publish, snapshot
from tests.evidence import read_evidence
from tests.flow.accounts import Company
from tests.flow.test_bad_input import check_problem
from tests.flow.world import EVERBATT, Exchange, Member, activity, bill, line
from tests.witnesses import agree, puppet

#: Of materials both can tell a footprint.
RULE_SETS = (EVERBATT.id, "iso-14067-cradle-to-gate")
#: Claims of activity data without which nothing can be computed from it.
ENOUGH = ("contents", "sub", "outputs", "process_class", "inputs", "electricity", "site", "period")


@pytest.fixture
def maker(exchange: Exchange) -> Member:
    return exchange.member("maker")


@pytest.fixture
def supplied(exchange: Exchange, maker: Member) -> dict[str, Any]:
    """A supplier's statement that the maker's product holds; its citation."""
    supplier = exchange.member("supplier")
    cited = supplier.state(
        ACTIVITY_DATA,
        activity(
            supplier.product("salt"),
            line(name="ore", flow="nickel-sulfate"),
            aside="another one",
            remark="a claim that this version doesn't know",
        ),
    )
    maker.state(BILL_OF_MATERIALS, bill(maker.product("part"), supplier.product("salt")))
    return cited


def evidence(exchange: Exchange, reader: Member, *digests: str) -> httpx2.Response:
    return exchange.http.post("/api/v1/evidence", json={"reader": reader.uri, "results": list(digests)})


def result(exchange: Exchange, reader: Member, product: str) -> dict[str, Any]:
    answer = exchange.footprint(product, reader.uri)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def verified(exchange: Exchange, answer: httpx2.Response) -> Verdict:
    assert answer.status_code == 200, answer.text
    return verify_evidence(answer.content, exchange.services.installation.trust_file)


def test_the_same_inputs_find_the_stored_result(exchange: Exchange, maker: Member, supplied: dict[str, Any]) -> None:
    first, again = (result(exchange, maker, maker.product("part")) for _time in range(2))
    assert first == again
    assert exchange.http.get(f"/api/v1/footprints/{first['digest']}").json() == first["result"]
    with snapshot(exchange.services.installation.engine) as connection:
        assert len(Session(connection).exec(select(ResultRow)).all()) == 1


def test_a_result_of_nothing_is_kept_and_shown_as_missing(
    exchange: Exchange, maker: Member, supplied: dict[str, Any]
) -> None:
    """The supplier granted nothing: its branch is all there is, and a gap is never zero."""
    found = result(exchange, maker, maker.product("part"))
    assert (found["result"]["total"]["value"], found["result"]["headline"]["value"]) == (None, None)
    page, overview = (exchange.http.get(path).text for path in (f"/results/{found['digest']}", "/"))
    for text in (page, overview):
        assert '<span class="figure">missing</span>' in text
        assert "0.000000" not in text
    assert exchange.http.get(f"/api/v1/footprints/{found['digest']}").json()["headline"]["value"] is None


def test_a_new_statement_gives_a_new_result_beside_the_old_one(
    exchange: Exchange, maker: Member, supplied: dict[str, Any]
) -> None:
    old = result(exchange, maker, maker.product("part"))
    maker.state(BILL_OF_MATERIALS, bill(maker.product("part"), maker.product("nothing-known")))
    exchange.clock.advance(1)
    new = result(exchange, maker, maker.product("part"))
    assert new["digest"] != old["digest"]
    assert exchange.http.get(f"/api/v1/footprints/{old['digest']}").json() == old["result"]
    (listed,) = exchange.http.get("/api/v1/footprints").json()
    assert listed["digest"] == new["digest"]


def test_a_headline_of_any_size_is_stored(exchange: Exchange, maker: Member) -> None:
    much = {"amount": "1" + "0" * 40}
    names = [maker.product(name) for name in "abc"]
    maker.state(ACTIVITY_DATA, activity(names[0], {**line(name="salt", flow="nickel-sulfate"), **much}))
    for part, whole in pairwise(names):
        maker.state(BILL_OF_MATERIALS, bill(whole, components=[{**line(name="part", product=part), **much}]))
    found = result(exchange, maker, names[-1])
    value = float(found["result"]["headline"]["value"])
    assert value > 1e120
    kept = exchange.http.get(f"/api/v1/footprints/{found['digest']}").json()
    assert float(kept["headline"]["value"]) == value


@pytest.mark.parametrize("changed", ["data", "digest"])
def test_a_stored_result_that_was_changed_is_neither_shown_nor_exported(
    exchange: Exchange, maker: Member, supplied: dict[str, Any], changed: str
) -> None:
    found = result(exchange, maker, maker.product("part"))
    exchange.publish()
    name = found["digest"]
    with begin(exchange.services.installation.engine) as connection:
        sealed = col(SealedRow.subject) == name
        data = bytes(connection.scalars(select(SealedRow.data).where(sealed)).one())
        forged = {"data": data[:-1] + bytes([data[-1] ^ 1]), "digest": "ab" * 32}[changed]
        connection.execute(update(SealedRow).where(sealed).values({changed: forged}))
    shown = name
    answers = [exchange.http.get(path) for path in ("/", "/api/v1/footprints")]
    answers += [exchange.http.get(f"/{place}/{shown}") for place in ("results", "api/v1/footprints")]
    answers.append(evidence(exchange, maker, shown))
    for answer in answers:
        body = answer.json()
        assert (answer.status_code, body["code"], body["where"]) == (500, "damaged", f"exchange_sealed, result {shown}")
        assert "restore that row" in body["remedy"]


def test_a_result_that_was_lost_is_computed_again(exchange: Exchange, maker: Member, supplied: dict[str, Any]) -> None:
    """The remedy that the error names."""
    found = result(exchange, maker, maker.product("part"))
    with begin(exchange.services.installation.engine) as connection:
        connection.execute(delete(SealedRow).where(col(SealedRow.what) == "result"))
    assert exchange.http.get(f"/api/v1/footprints/{found['digest']}").json()["code"] == "damaged"
    assert result(exchange, maker, maker.product("part")) == found
    assert exchange.http.get(f"/api/v1/footprints/{found['digest']}").json() == found["result"]


def test_the_list_goes_by_what_the_digest_covers(exchange: Exchange, maker: Member, supplied: dict[str, Any]) -> None:
    found = result(exchange, maker, maker.product("part"))
    with begin(exchange.services.installation.engine) as connection:
        connection.execute(update(ResultRow).values(product="urn:another", complete=True))
    (listed,) = exchange.http.get("/api/v1/footprints").json()
    assert (listed["product"], listed["headline"]) == (maker.product("part"), found["result"]["headline"])


def test_the_list_of_results_has_pages(exchange: Exchange, maker: Member, supplied: dict[str, Any]) -> None:
    """Each result once, whoever asks, the newest of each demand; a product's together, and those of one alone where it is named."""
    company = Company.join(exchange, "company")
    names = [company.member.product(f"p{number}") for number in range(4)]
    wanted = set()
    for name in names:
        issued = company.member.sign(ACTIVITY_DATA, activity(name))
        exchange.services.installation.intake.submit(issued.token, issued.disclosures)
        for rule_set in RULE_SETS:
            body = {"product": name, "rule_set": rule_set, "reader": company.uri}
            wanted.add(company.admin.post("/api/v1/footprints", json=body).json()["digest"])
    by_factor = {"product": names[0], "rule_set": RULE_SETS[0], "reader": company.uri, "flow": "nickel-sulfate"}
    wanted.add(company.admin.post("/api/v1/footprints", json=by_factor).json()["digest"])
    stranger = result(exchange, maker, maker.product("part"))["digest"]

    def pages(limit: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["digest"] if found else ""
            page = company.admin.get("/api/v1/footprints", params={"limit": limit, "after": after}).json()
            assert len(page) <= limit
            found += page
            if len(page) < limit:
                return found

    for limit in (1, 2, 7, 200):
        found = pages(limit)
        assert len(found) == len(wanted) == len(names) * len(RULE_SETS) + 1
        assert {one["digest"] for one in found} == wanted
        assert len(list(groupby(one["product"] for one in found))) == len(names)
    alone = company.admin.get("/api/v1/footprints", params={"product": names[0]}).json()
    assert [one["flow"] for one in alone].count("nickel-sulfate") == 1
    assert {one["product"] for one in alone} == {names[0]}
    # The operator stands in for the maker alone, which has no accounts; and a place in the list is nobody's but its reader's.
    assert [one["digest"] for one in exchange.http.get("/api/v1/footprints").json()] == [stranger]
    check_problem(company.admin.get(f"/api/v1/footprints?after={stranger}"), 404, "not_found")


def test_two_readers_results_are_all_listed_for_who_stands_in(exchange: Exchange, maker: Member) -> None:
    """Where two have the same result it is one, where they have different ones it is two; at every cut of the pages."""
    name, other = maker.product("salt"), exchange.member("other")
    maker.grant(maker.state(ACTIVITY_DATA, activity(name)), other)
    digests = []
    for reader, flow in ((maker, "nickel-sulfate"), (other, "nickel-sulfate"), (maker, None), (other, None)):
        body = {"product": name, "rule_set": RULE_SETS[0], "reader": reader.uri, "flow": flow}
        answer = exchange.http.post("/api/v1/footprints", json=body)
        assert answer.status_code == 201, answer.text
        digests.append(answer.json()["digest"])
        if reader is maker and flow is None:
            maker.state(ACTIVITY_DATA, activity(maker.product("another")))
    assert digests[0] == digests[1]
    assert digests[2] != digests[3]
    whole = [one["digest"] for one in exchange.http.get("/api/v1/footprints").json()]
    assert sorted(whole) == sorted(set(digests))
    for cut in range(1, 3):
        rest = exchange.http.get(f"/api/v1/footprints?after={whole[cut - 1]}").json()
        assert [one["digest"] for one in rest] == whole[cut:]


def test_an_evidence_file_waits_for_the_checkpoint(exchange: Exchange, maker: Member, supplied: dict[str, Any]) -> None:
    digest = result(exchange, maker, maker.product("part"))["digest"]
    early = evidence(exchange, maker, digest)
    assert (early.status_code, early.headers["retry-after"], early.json()["code"]) == (409, "1", "not_published")
    exchange.publish()
    answer = evidence(exchange, maker, digest)
    assert verified(exchange, answer).code == "verified"
    assert answer.headers["content-type"] == "application/zip"


def test_each_export_is_logged(exchange: Exchange, maker: Member, supplied: dict[str, Any]) -> None:
    digest = result(exchange, maker, maker.product("part"))["digest"]
    exchange.publish()
    for _time in range(2):
        evidence(exchange, maker, digest)
    evidence(exchange, exchange.member("stranger"), digest)
    with snapshot(exchange.services.installation.engine) as connection:
        rows = Session(connection).exec(select(ExportRow)).all()
        assert [(row.reader, row.results, row.exported_at) for row in rows] == [(maker.uri, 1, exchange.clock())] * 2


def test_the_holder_of_other_parts_of_a_statement_gets_no_evidence(
    exchange: Exchange, maker: Member, supplied: dict[str, Any]
) -> None:
    """As many disclosures, but others: a count would let it pass."""
    supplier, other = exchange.member("supplier"), exchange.member("other")
    supplier.grant(supplied, maker, *ENOUGH, "aside")
    supplier.grant(supplied, other, *ENOUGH, "remark")
    digest = result(exchange, maker, maker.product("part"))["digest"]
    exchange.publish()
    own = evidence(exchange, maker, digest)
    assert own.status_code == 200
    answer = evidence(exchange, other, digest)
    assert (answer.status_code, answer.json()["code"]) == (403, "rights")


def test_evidence_holds_what_the_result_used_though_more_was_granted_since(
    exchange: Exchange, maker: Member, supplied: dict[str, Any]
) -> None:
    supplier = exchange.member("supplier")
    supplier.grant(supplied, maker, *ENOUGH)
    old = result(exchange, maker, maker.product("part"))
    assert supplied["index"] in [item["index"] for item in old["result"]["inputs"]]
    supplier.grant(supplied, maker)
    new = result(exchange, maker, maker.product("part"))
    assert old["digest"] != new["digest"]
    exchange.publish()
    given: list[list[bytes]] = []
    for digest in (old["digest"], new["digest"]):
        answer = evidence(exchange, maker, digest)
        assert verified(exchange, answer).code == "verified"
        _manifest, members = read_evidence(answer.content)
        given.append(members[f"entries/{supplied['index']:012d}/disclosures"].split())
    assert set(given[0]) < set(given[1])
    both = evidence(exchange, maker, old["digest"], new["digest"])
    assert verified(exchange, both).code == "verified", "each result is replayed from its own disclosures"


def test_nothing_of_other_entries_is_in_the_file(exchange: Exchange, maker: Member, supplied: dict[str, Any]) -> None:
    secret = maker.state(ACTIVITY_DATA, activity(maker.product("other"), note="nobody's business"))
    digest = result(exchange, maker, maker.product("part"))["digest"]
    exchange.publish()
    manifest, members = read_evidence(evidence(exchange, maker, digest).content)
    assert f"entries/{secret['index']:012d}/token" not in members
    assert f"entries/{supplied['index']:012d}/token" not in members, "not granted, so not used"
    assert manifest["reader"] == maker.uri


def test_evidence_carries_the_cosignatures_that_its_reader_may_require(
    exchange: Exchange, maker: Member, supplied: dict[str, Any]
) -> None:
    found, installation = result(exchange, maker, maker.product("part")), exchange.services.installation
    # A witness that had seen the entries before they were signed would prove them wrong.
    seen = exchange.clock() + timedelta(minutes=1)
    with puppet(1) as witness:
        witness.play = agree(witness.signer, int(seen.timestamp()))
        policy = WitnessPolicy.parse(f"{witness.line('w')}quorum w\n".encode()).for_log(
            installation.note_signer.log_key
        )
        asked = Witnesses(installation.engine, policy, seconds=5, clock=exchange.clock)
        publish(
            installation.engine,
            installation.note_signer,
            installation.published,
            exchange.clock(),
            cosign=asked.collect,
        )
    answer = evidence(exchange, maker, found["digest"])
    assert verified(exchange, answer).code == "verified"
    assert verify_evidence(answer.content, installation.trust_file, policy=policy).code == "verified"
    assert verify_evidence(answer.content, installation.trust_file, policy=policy).witnesses == (
        f"witnessed by w (puppet1.example/w) at {seen:%Y-%m-%dT%H:%M:%SZ}",
    )

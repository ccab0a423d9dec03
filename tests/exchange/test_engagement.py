"""Engagements by the interface: what the verifier sees of a result, recipes that pass the pack maker by, refusals, and how they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from bom_graph import load_rule_set
from exchange.engagement import EngagementRow, EngagementStepRow
from exchange.events import EventRow
from exchange.filing import FilingStepRow
from exchange.sharing import GrantRow
from exchange.vault import HoldRow
from ledger.store import snapshot
from tests.flow.accounts import Company
from tests.flow.engagement import BASIS, Work, accreditation, accredited
from tests.flow.filing import CHINA, Desk, Pack, stated
from tests.flow.signing import hand_in
from tests.flow.test_bad_input import check_problem
from tests.flow.world import PERIOD, Exchange, activity, line, signed_footprint


@dataclass
class Supplied(Desk):
    """A filing whose result rests on a supplier's footprint too."""

    supplier: Company = field(kw_only=True)


def desk_of(exchange: Exchange, **verifier: Any) -> Supplied:
    """A filing of a pack whose cathode is a supplier's, by a sealed footprint; its recipe is nobody else's."""
    maker = Company.join(exchange, "maker", roles=["supplier", "pack_maker"], corporate_group="Maker Group")
    supplier = Company.join(exchange, "cathodes", corporate_group="Cathode Group")
    company = Company.join(exchange, "verifier", roles=["verifier"], **{"corporate_group": "Independent"} | verifier)
    authority = Company.join(exchange, "authority", roles=["authority"])
    cathode, rules = supplier.member.product("cathode"), load_rule_set(CHINA)
    recipe = stated(supplier, "activity-data", activity(cathode))
    named = {"id": rules.id, "version": rules.version, "digest": rules.digest}
    sealed = stated(
        supplier, "product-footprint", signed_footprint(cathode, "material_acquisition", rule_set=named, period=PERIOD)
    )
    body = {
        "owner": supplier.uri,
        "reader": maker.uri,
        "leaf_hash": sealed["leaf_hash"],
        "paths": ["sub", "contents", "rule_set", "declared_unit", "total", "complete", "obtained", "period"],
        "purpose": "customer",
    }
    granted = supplier.admin.post("/api/v1/grants", json=body)
    assert granted.status_code == 201, granted.text
    supplied = line(amount="300", name="cathode", product=cathode, citation=sealed, obtained="measured")
    pack = Pack(maker).state("500", supplied)
    pack.cited |= {"recipe": recipe, "sealed": sealed}
    return Supplied(pack, company, authority, supplier=supplier)


@pytest.fixture
def desk(sqlite_exchange: Exchange) -> Supplied:
    return desk_of(sqlite_exchange)


def at_work(desk: Supplied, state: str = "accepted") -> Work:
    desk.reach("under_verification")
    accredited(desk.verifier)
    return desk.work.reach(state) if state != "asked" else desk.work


def rows(exchange: Exchange, table: type[Any]) -> list[Any]:
    with snapshot(exchange.services.installation.engine) as connection, Session(connection) as session:
        found = session.exec(select(table)).all()
        session.expunge_all()
    return list(found)


def told(exchange: Exchange, about: str) -> list[tuple[str, str]]:
    named = [
        (row.recipient.split("/")[2].split(".")[0], row.type.removeprefix("packtrace."))
        for row in rows(exchange, EventRow)
    ]
    return [one for one in named if one[1].startswith(about)]


def given(work: Work, supplier: Company, pack: Pack) -> None:
    """The supplier answers the verifier's request with its recipe and its sealed footprint, whole."""
    (request,) = supplier.admin.get("/api/v1/requests?box=inbox").json()
    body = {
        "statements": [{"leaf_hash": pack.cited[name]["leaf_hash"], "paths": ["full"]} for name in ("recipe", "sealed")]
    }
    answer = supplier.admin.post(f"/api/v1/requests/{request['id']}/answer", json=body)
    assert answer.status_code == 200, answer.text
    assert work.show()["sights"][0]["given"]


def ask(work: Work, leaf_hash: str, days: int = 14) -> Any:
    deadline = (work.verifier.exchange.clock() + timedelta(days=days)).isoformat()
    body = {"leaf_hash": leaf_hash, "deadline": deadline, "period": {"start": "2025-01-01", "end": "2025-12-31"}}
    return work.verifier.admin.post(f"/api/v1/engagements/{work.id}/sights", json=body)


def test_a_recipe_reaches_the_verifier_and_passes_the_pack_maker_by(desk: Supplied) -> None:
    work, supplier, pack = at_work(desk), desk.supplier, desk.pack
    before = work.get("/lines").json()
    assert pack.cited["sealed"]["leaf_hash"] in [one["leaf_hash"] for one in before["to_ask"]]
    assert {one["signer"] for one in before["lines"]} == {desk.maker.uri}, "no line of the supplier's is told"
    assert before["unseen_kg_co2e"] == "300", "of the rest only how much it is in all"
    asked = ask(work, pack.cited["sealed"]["leaf_hash"])
    assert asked.status_code == 201, asked.text
    assert ask(work, pack.cited["sealed"]["leaf_hash"]).json()["existed"]
    request = supplier.admin.get("/api/v1/requests?box=inbox").json()[0]
    assert desk.maker.uri not in str(request), "whose result it is in isn't told"
    given(work, supplier, pack)
    after = work.get("/lines").json()
    assert after["unseen_kg_co2e"] == "0"
    assert supplier.uri in {one["signer"] for one in after["lines"]}
    assert after["population"] != before["population"]
    recipe = pack.cited["recipe"]["leaf_hash"]
    assert work.verifier.admin.get(f"/api/v1/statements/{recipe}").json()["disclosures"]
    # The maker learns that it was asked for and given: neither what, nor which of it.
    seen = work.show(desk.maker)
    assert seen["sights"] == [
        {"leaf_hash": pack.cited["sealed"]["leaf_hash"], "asked_at": seen["sights"][0]["asked_at"], "given": True}
    ]
    assert recipe not in str(seen)
    assert desk.maker.admin.get(f"/api/v1/statements/{recipe}").status_code == 404
    grants = [row for row in rows(desk.maker.exchange, GrantRow) if row.reader == work.verifier.uri]
    assert {(row.owner, row.purpose, row.onward) for row in grants} == {(supplier.uri, "verification", "none")}


def test_an_answer_that_opens_no_line_says_so_and_the_same_is_asked_for_again(desk: Supplied) -> None:
    work, supplier, sealed = at_work(desk), desk.supplier, desk.pack.cited["sealed"]

    def to_ask() -> tuple[bool, bool]:
        (found,) = (one for one in work.get("/lines").json()["to_ask"] if one["leaf_hash"] == sealed["leaf_hash"])
        return found["given"], found["opened"]

    first = ask(work, sealed["leaf_hash"]).json()["request"]
    message = supplier.admin.get(f"/api/v1/requests/{first}").json()["message"]
    assert f"your product-footprint at entry {sealed['index']}, {sealed['leaf_hash']}" in message
    # Another one while this one waits is told about that one, and not about an id that nobody gave.
    waits = check_problem(ask(work, sealed["leaf_hash"], days=20), 409, "conflict")
    assert (waits["where"], first in waits["detail"]) == ("leaf_hash", True)
    recipe = {"statements": [{"leaf_hash": desk.pack.cited["recipe"]["leaf_hash"], "paths": ["full"]}]}
    assert supplier.admin.post(f"/api/v1/requests/{first}/answer", json=recipe).status_code == 200
    assert to_ask() == (True, False)
    page = work.verifier.admin.get(f"/engagements/{work.id}").text
    assert "answered, and this statement not opened: ask for it again" in page
    second = ask(work, sealed["leaf_hash"], days=20).json()
    assert (second["existed"], second["request"] == first) == (False, False)
    assert ask(work, sealed["leaf_hash"], days=20).json()["request"] == second["request"]
    assert to_ask() == (False, False)
    whole = {"statements": [{"leaf_hash": sealed["leaf_hash"], "paths": ["full"]}]}
    assert supplier.admin.post(f"/api/v1/requests/{second['request']}/answer", json=whole).status_code == 200
    assert to_ask() == (True, True)
    assert work.get("/lines").json()["unseen_kg_co2e"] == "0"


def test_a_line_stands_side_by_side_with_what_was_stated(desk: Supplied) -> None:
    work = at_work(desk)
    lines = {one["name"]: one for one in work.get("/lines").json()["lines"]}
    number = lines["electricity"]["item"].partition("/")[2]
    found = work.get(f"/lines/{number}").json()
    assert (found["stated"]["amount"], found["stated"]["unit"]) == ("5", "kWh")
    assert (found["factor"]["value"], found["factor"]["unit"]) == ("0.5777", "kg CO2e/kWh")
    assert found["recalculation"] == {
        "formula": "amount per unit x factor x units in demand = 5 x 0.5777 x 1",
        "kg_co2e": "2.8885",
        "result_kg_co2e": "2.8885",
        "agrees": True,
    }
    assert all(one["agrees"] for one in lines.values())
    check_problem(work.get("/lines/99"), 404, "not_found")
    taken = desk.maker.admin.get("/api/v1/access-log").json()
    assert {one["reader"] for one in taken} == {work.verifier.uri}, "what went out is logged for its owner"


def test_a_supplier_answers_for_its_own_line_and_the_filer_reads_nothing_of_it(exchange: Exchange) -> None:
    """From acceptance to the signed opinion, on each database."""
    desk = desk_of(exchange)
    work, supplier, pack = at_work(desk, "accepted"), desk.supplier, desk.pack
    ask(work, pack.cited["sealed"]["leaf_hash"])
    given(work, supplier, pack)
    for step in ("plan", "sample", "examine"):
        work.take(step)
    item = next(one["item"] for one in work.get("/lines").json()["lines"] if one["signer"] == supplier.uri)
    finding = {"finding": "F1", "severity": "major", "text": "the salt is of another grade", "item": item}
    check_problem(work.get("/statements", supplier), 404, "not_found")
    work.take("find", None, **finding, concerned=supplier.uri)
    (signed,) = work.get("/statements", supplier).json()
    assert (signed["step"], signed["signer"]) == ("find", work.verifier.uri)
    (seen,) = supplier.admin.get("/api/v1/engagements/findings").json()
    assert seen["said"][0]["text"] == finding["text"]
    assert not [name for name in (desk.maker.uri, desk.id, pack.product) if name in str(seen)]
    check_problem(supplier.admin.get(f"/api/v1/engagements/{work.id}"), 404, "not_found")
    assert work.show(desk.maker)["findings"] == [{"finding": "F1", "severity": "major", "state": "open"}]
    assert "another grade" not in work.get("/statements", desk.maker).text
    kind, claims = (
        "engagement-event",
        {
            "engagement": work.id,
            "event": "answer",
            "previous": seen["previous"],
            "finding": "F1",
            "text": "the certificate of the lot is attached",
        },
    )
    check_problem(hand_in(desk.maker, kind, claims), 403, "rights")
    assert hand_in(supplier, kind, claims).status_code == 201
    work.take("close", finding="F1", closing="uncorrected", text="the certificate is of another lot")
    check_problem(work.try_("assess"), 400, "engagement")
    work.take("assess", opinion="modified", basis="one line of the supplier's stays qualified")
    work.take("review")
    assert desk.take("verify")["state"] == "verified"
    exchange = desk.maker.exchange
    assert told(exchange, "finding.") == [
        ("cathodes", "finding.made"),
        ("verifier", "finding.answered"),
        ("cathodes", "finding.closed"),
    ]


def test_what_isn_t_granted_limits_the_opinion(desk: Supplied) -> None:
    work = at_work(desk, "sampled")
    weighing = work.get("/weighing").json()
    assert not weighing["opinions"]["unmodified"]["allowed"]
    assert weighing["opinions"]["modified"]["allowed"]
    assert check_problem(work.try_("assess"), 400, "engagement")["where"] == "opinion"
    check_problem(work.try_("assess", opinion="modified"), 400, "engagement")
    work.take("assess", opinion="modified", basis=BASIS)
    work.take("review")
    assert desk.take("verify")["state"] == "verified"


def test_a_withdrawn_statement_reaches_the_filing(desk: Supplied) -> None:
    work = at_work(desk, "sampled")
    work.take("assess", opinion="modified", basis=BASIS)
    work.take("review")
    receipt = desk.try_("verify")
    assert receipt.status_code == 201, receipt.text
    desk.take("file")
    cited = {name: receipt.json()[name] for name in ("origin", "index", "leaf_hash")}
    withdrawal = {"target": cited, "reason": "a document turned out to be forged"}
    assert hand_in(desk.maker, "withdrawal", withdrawal).status_code == 403
    answer = hand_in(desk.verifier, "withdrawal", withdrawal)
    assert answer.status_code == 201, answer.text
    found = desk.show(desk.authority)
    assert (found["state"], found["verifier"], found["steps"][-1]["step"]) == ("reconciled", None, "revoke")
    assert work.show()["state"] == "withdrawn"
    assert ("maker", "filing.revoked") in told(desk.maker.exchange, "filing.")
    assert ("authority", "filing.revoked") in told(desk.maker.exchange, "filing.")
    assert desk.take("submit")["state"] == "under_verification", "and it is verified anew"


def test_an_adverse_opinion_sends_the_filing_back_and_its_withdrawal_moves_nothing(desk: Supplied) -> None:
    work = at_work(desk, "sampled")
    wrong = {"finding": "F1", "severity": "critical", "text": "the meter is another plant's", "error_kg": "-900"}
    work.take("find", None, **wrong, concerned=desk.maker.uri)
    assert check_problem(work.try_("assess", opinion="modified", basis=BASIS), 400, "engagement")["where"] == "opinion"
    work.take("assess", opinion="adverse")
    check_problem(work.try_("review"), 400, "engagement")
    work.take("answer", desk.maker, finding="F1", text="it is")
    work.take("review")
    receipt = desk.try_("verify").json()
    assert (desk.show(desk.maker)["state"], work.show()["state"]) == ("data_complete", "concluded")
    cited = {name: receipt[name] for name in ("origin", "index", "leaf_hash")}
    assert hand_in(desk.verifier, "withdrawal", {"target": cited, "reason": "a slip"}).status_code == 201
    assert (desk.show(desk.maker)["state"], work.show()["state"]) == ("data_complete", "withdrawn")
    own = {one["leaf_hash"] for one in desk.show(desk.maker)["steps"]}
    assert {one.leaf_hash for one in rows(desk.maker.exchange, HoldRow)} == own, (
        "what isn't verified holds its own steps alone"
    )
    found = next(one["leaf_hash"] for one in work.show()["steps"] if one["step"] == "find")
    erased = desk.verifier.admin.post("/api/v1/erasures", json={"leaf_hash": found, "reason": "owner_request"})
    assert erased.status_code == 201, erased.text
    assert [row.sealed for row in rows(desk.maker.exchange, EngagementRow)] == [b""], "what it said goes with it"
    assert "was erased" in check_problem(work.get(), 404, "not_found")["detail"]
    assert desk.maker.admin.get("/api/v1/engagements/findings").json() == []


def test_an_engagement_is_kept_as_long_as_its_filing(desk: Supplied) -> None:
    work = at_work(desk, "sampled")
    work.take("assess", opinion="modified", basis=BASIS)
    work.take("review")
    for step in ("verify", "file", "review"):
        desk.take(step)
    held = {row.leaf_hash: row.until for row in rows(desk.maker.exchange, HoldRow)}
    assert {one["leaf_hash"] for one in work.show()["steps"]} <= held.keys()
    assert None not in held.values(), "for the years of the rules from the acceptance on"


def test_a_declined_engagement_leaves_the_filing_reconciled(desk: Supplied) -> None:
    work = at_work(desk, "asked")
    work.take("decline")
    found = desk.show(desk.maker)
    assert (found["state"], found["verifier"]) == ("reconciled", None)
    assert work.show(desk.maker)["state"] == "declined"
    assert ("maker", "filing.declined") in told(desk.maker.exchange, "filing.")
    check_problem(work.get("/lines"), 403, "rights")
    desk.take("submit")
    again = desk.work
    assert again.id != work.id
    desk.take("amend")
    assert again.show()["state"] == "ended"
    assert ("verifier", "engagement.ended") in told(desk.maker.exchange, "engagement.")


def test_who_isn_t_a_party_finds_nothing(desk: Supplied) -> None:
    work = at_work(desk)
    rival = Company.join(desk.maker.exchange, "rival", roles=["verifier"])
    for path in ("", "/statements", "/lines", "/lines/0", "/weighing", "/draft?step=plan"):
        check_problem(work.get(path, rival), 404, "not_found")
    for path in ("/lines", "/lines/0", "/weighing"):
        check_problem(work.get(path, desk.maker), 404, "not_found")
    assert rival.admin.get("/api/v1/engagements").json() == []
    assert [one["id"] for one in desk.maker.admin.get("/api/v1/engagements?box=filer").json()] == [work.id]
    assert work.show(desk.authority)["terms"]["reviewer"] == "B-7"
    for who in (desk.verifier, desk.maker, desk.authority):
        assert who.admin.get(f"/engagements/{work.id}").status_code == 200
    kind, claims = work.draft("plan")
    check_problem(hand_in(rival, kind, claims), 404, "not_found")
    check_problem(ask(Work(rival, work.id), desk.pack.cited["sealed"]["leaf_hash"]), 404, "not_found")
    check_problem(ask(work, desk.pack.cited["activity"]["leaf_hash"]), 404, "not_found")


#: What the operator recorded -> code, where.
UNACCREDITED: dict[str, tuple[dict[str, Any], str]] = {
    "lapsed": ({"until": "2026-01-04"}, "doesn't count on"),
    "of another chemistry": ({"chemistry_groups": ["NMC"]}, "out of scope"),
    "for other rules": ({"rule_sets": ["eu-cfb-draft-2024-partial"]}, "out of scope"),
    "of another number": ({"number": "L-1"}, "is registered"),
}


def test_a_verifier_is_accredited_in_scope(desk: Supplied) -> None:
    desk.reach("under_verification")
    exchange, work = desk.maker.exchange, desk.work
    assert check_problem(work.try_("accept"), 403, "accreditation")["where"] == "accreditation"
    for changes, what in UNACCREDITED.values():
        accredited(desk.verifier, **changes)
        size = exchange.size
        assert what in check_problem(work.try_("accept"), 403, "accreditation")["detail"]
        assert exchange.size == size
        assert not rows(exchange, EngagementStepRow)
    accredited(desk.verifier)
    work.take("accept")
    body = {"verifier": desk.verifier.uri, "accreditations": [accreditation(desk.verifier)]}
    for wrong, where in (
        ({"chemistry_groups": ["LFP", "NMC622"]}, "chemistry_groups"),
        ({"rule_sets": ["x"]}, "rule_sets"),
    ):
        named = {**body, "accreditations": [accreditation(desk.verifier, **wrong)]}
        refused = check_problem(exchange.http.put("/api/v1/accreditations", json=named), 400, "engagement")
        assert refused["where"] == f"accreditations/0/{where}"
    assert desk.verifier.admin.put("/api/v1/accreditations", json=body).status_code == 403
    supplier = {**body, "verifier": desk.supplier.uri}
    check_problem(exchange.http.put("/api/v1/accreditations", json=supplier), 403, "rights")
    check_problem(
        exchange.http.put("/api/v1/accreditations", json={**body, "verifier": "https://x.example"}), 404, "not_found"
    )


def test_a_verifier_of_the_supplier_s_group_is_refused(sqlite_exchange: Exchange) -> None:
    desk = desk_of(sqlite_exchange, corporate_group="cathode  GROUP")
    desk.reach("under_verification")
    accredited(desk.verifier)
    problem = check_problem(desk.work.try_("accept"), 403, "independence")
    assert "of its corporate group" in problem["detail"]
    assert desk.supplier.uri not in problem["detail"], "who is in the chain isn't told"
    assert [row.state for row in rows(sqlite_exchange, EngagementRow)] == ["asked"]


def test_what_a_supplier_states_anew_counts_once_the_filer_may_see_it(desk: Supplied) -> None:
    work = at_work(desk, "sampled")
    cathode = desk.supplier.member.product("cathode")
    newer = stated(desk.supplier, "activity-data", activity(cathode))
    assert desk.show(desk.maker)["stale"] == []
    body = {
        "owner": desk.supplier.uri,
        "reader": desk.maker.uri,
        "leaf_hash": newer["leaf_hash"],
        "paths": ["sub"],
        "purpose": "customer",
    }
    assert desk.supplier.admin.post("/api/v1/grants", json=body).status_code == 201
    # The watch over results hasn't come to it.
    assert desk.show(desk.maker)["stale"] == [f"entry {newer['index']} is newer than what it was made from"]
    check_problem(work.try_("assess"), 409, "stale")


def test_a_verifier_that_trades_with_the_chain_is_refused(desk: Supplied) -> None:
    desk.reach("under_verification")
    accredited(desk.verifier)
    supplier = desk.supplier
    body = {
        "asked": supplier.uri,
        "product": supplier.member.product("cathode"),
        "period": {"start": "2025-01-01", "end": "2025-12-31"},
        "wanted": ["activity-data"],
        "deadline": (desk.maker.exchange.clock() + timedelta(days=9)).isoformat(),
    }
    assert desk.verifier.admin.post("/api/v1/requests", json=body).status_code == 201
    problem = check_problem(desk.work.try_("accept"), 403, "independence")
    assert "isn't for verification" in problem["detail"]


def test_what_others_merely_ask_or_propose_is_no_veto(desk: Supplied) -> None:
    """What the verifier itself accepts is a relation, until it declines."""
    desk.reach("under_verification")
    accredited(desk.verifier)
    supplier, verifier, deadline = desk.supplier.admin, desk.verifier.admin, desk.maker.exchange.clock()
    asked = {
        "asked": desk.verifier.uri,
        "product": desk.verifier.member.product("advice"),
        "period": {"start": "2025-01-01", "end": "2025-12-31"},
        "wanted": ["activity-data"],
        "deadline": (deadline + timedelta(days=9)).isoformat(),
    }
    part = {
        "customer": desk.supplier.uri,
        "part": "A-1",
        "supplier": desk.verifier.uri,
        "product": asked["product"],
    }
    assert supplier.post("/api/v1/parts", json=part).status_code == 201
    other = asked | {"product": desk.verifier.member.product("more-advice")}
    open_, accepted = (supplier.post("/api/v1/requests", json=one) for one in (other, asked))
    assert (open_.status_code, accepted.status_code) == (201, 201), accepted.text
    path = f"/api/v1/requests/{accepted.json()['id']}"
    assert verifier.post(f"{path}/accept").status_code == 200
    assert "isn't for verification" in check_problem(desk.work.try_("accept"), 403, "independence")["detail"]
    assert verifier.post(f"{path}/decline", json={"reason": "we verify this chain"}).status_code == 200
    desk.work.take("accept")


def test_an_opinion_on_another_result_is_refused_and_nothing_stays(desk: Supplied) -> None:
    work = at_work(desk, "sampled")
    work.take("assess", opinion="modified", basis=BASIS)
    work.take("review")
    exchange = desk.maker.exchange
    size, before = exchange.size, work.show()
    for name, value in (("result", "0" * 64), ("opinion", "unmodified")):
        answer = desk.try_("verify", None, **{name: value})
        assert (answer.status_code // 100, answer.json()["where"]) == (4, name), answer.text
    assert (exchange.size, work.show()) == (size, before)
    assert len(rows(exchange, FilingStepRow)) == 7


def test_statements_of_an_engagement_are_whole_and_stay(desk: Supplied) -> None:
    work = at_work(desk, "accepted")
    kind, claims = work.draft("plan")
    cited = work.show()["next"]
    answer = hand_in(desk.verifier, "withdrawal", {"target": cited, "reason": "a slip"})
    assert answer.status_code == 400
    assert "isn't taken back" in answer.json()["detail"]
    held = desk.verifier.admin.post(
        "/api/v1/erasures", json={"leaf_hash": cited["leaf_hash"], "reason": "owner_request"}
    )
    assert held.status_code == 409, held.text
    assert kind == "engagement-event"
    assert claims["per_stratum"] == 3

"""Filings by the interface: from registration to review, each step signed; what is refused, held, shown, published and counted."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import Session, select

from bom_graph import read_json
from exchange.access import Principal
from exchange.calculation.tables import RestsOnRow
from exchange.engagement import EngagementStepRow
from exchange.errors import ExchangeError, RejectedError, StaleError, StepError, UndecidableError
from exchange.events import EventRow
from exchange.filing import FLOW, HELD, FilingRow, FilingStepRow, load_duty
from exchange.identity import OrganisationRow, ReleaseRow
from exchange.kinds import WITHDRAWALS
from exchange.public_status import STATUS, STATUS_LIST, check_status
from exchange.vault import HoldRow, is_held
from ledger.store import begin, snapshot
from signer import (
    BadSignatureError,
    Issued,
    KeyPair,
    SignerError,
    compromise_claims,
    join_presentation,
    peek,
    verify,
)
from tests.flow.accounts import Company, browser
from tests.flow.filing import WAY, Desk, Pack, hand_in, kind_named, model_claims, pack_claims, stated
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange, Member

RULES = load_duty()


@pytest.fixture
def desk(exchange: Exchange) -> Desk:
    return opened(exchange)


@pytest.fixture
def lone(sqlite_exchange: Exchange) -> Desk:
    return opened(sqlite_exchange)


def opened(exchange: Exchange) -> Desk:
    maker = Company.join(exchange, "maker", roles=["supplier", "pack_maker"], corporate_group="Maker Group")
    verifier = Company.join(exchange, "verifier", roles=["verifier"], corporate_group="Independent")
    authority = Company.join(exchange, "authority", roles=["authority"])
    return Desk(Pack(maker).state(), verifier, authority)


def rows(exchange: Exchange, table: type[Any]) -> list[Any]:
    with snapshot(exchange.services.installation.engine) as connection, Session(connection) as session:
        found = session.exec(select(table)).all()
        session.expunge_all()
    return list(found)


def told(exchange: Exchange) -> list[tuple[str, str]]:
    """Who was told what about filings and remarks."""
    named = [
        (row.recipient.split("/")[2].split(".")[0], row.type.removeprefix("packtrace."))
        for row in rows(exchange, EventRow)
    ]
    return [one for one in named if one[1].startswith(("filing.", "remark."))]


def test_a_filing_goes_from_registration_to_acceptance(desk: Desk) -> None:
    states = [desk.take(step)["state"] for step in WAY]
    assert states == [
        "registered",
        "planned",
        "data_complete",
        "calculated",
        "exported",
        "reconciled",
        "under_verification",
        "verified",
        "filed",
        "accepted",
    ]
    found = desk.show(desk.authority)
    assert [one["step"] for one in found["steps"]] == list(WAY)
    assert [one["signer"] for one in found["steps"]] == [desk.party(step).uri for step in WAY]
    assert found["figure"] == desk.computed["headline"]["value"]
    assert told(desk.maker.exchange) == [
        ("verifier", "filing.submitted"),
        ("maker", "filing.verified"),
        ("authority", "filing.filed"),
        ("maker", "filing.accepted"),
    ]


def test_the_chain_of_statements_is_checked_offline(lone: Desk) -> None:
    lone.reach("accepted")
    exchange = lone.maker.exchange
    answer = lone.verifier.admin.get(f"/api/v1/filings/{lone.id}/statements")
    assert answer.status_code == 200, answer.text
    before: str | None = None
    trust = exchange.services.installation.trust
    for one in answer.json():
        profile = kind_named(peek(one["token"]).vct.split(":")[2]).profile
        statement = verify(one["token"], tuple(one["disclosures"]), profile=profile, trust=trust, at=exchange.clock())
        cited = statement.claims.get("previous", statement.claims.get("target"))
        assert (cited["leaf_hash"] if isinstance(cited, Mapping) else None) == before
        before = one["leaf_hash"]
    taken = lone.maker.admin.get("/api/v1/access-log").json()
    assert {one["reader"] for one in taken} == {lone.verifier.uri}, "what goes out is logged for its signer"


def test_what_is_stated_elsewhere_isn_t_drafted_here(lone: Desk) -> None:
    lone.reach("registered")
    for step in ("verify", "decline", "revoke"):
        answer = lone.maker.admin.get(f"/api/v1/filings/{lone.id}/draft?step={step}")
        assert check_problem(answer, 400, "filing")["where"] == "step"
    for step in WAY[1:7]:
        lone.take(step)
    for who in (lone.maker, lone.verifier):
        answer = who.admin.get(f"/api/v1/filings/{lone.id}/draft?step=verify")
        remedy = check_problem(answer, 400, "filing")["remedy"]
        assert remedy == f"conclude the engagement {lone.work.id}: /api/v1/engagements/{lone.work.id}"


def test_who_isn_t_a_party_finds_nothing(lone: Desk) -> None:
    lone.reach("reconciled")
    rival = Company.join(lone.maker.exchange, "rival", roles=["pack_maker"])
    for who in (rival, lone.verifier):
        for path in ("", "/statements", "/export", "/reconciliation", "/draft?step=plan"):
            check_problem(who.admin.get(f"/api/v1/filings/{lone.id}{path}"), 404, "not_found")
        assert who.admin.get("/api/v1/filings").json() == []
    assert lone.authority.admin.get(f"/api/v1/filings/{lone.id}").status_code == 200
    for path in ("overview", "filings", "coverage", "remarks", "trial-summary", "trial-summary.md"):
        check_problem(rival.admin.get(f"/api/v1/authority/{path}"), 404, "not_found")
    lone.take("submit")
    assert [one["id"] for one in lone.verifier.admin.get("/api/v1/filings?box=verifier").json()] == [lone.id]
    kind, claims = lone.draft("withdraw")
    check_problem(hand_in(rival, kind, claims), 404, "not_found")


#: state, step, who, changes, status, code, where.
REFUSED: dict[str, tuple[str, str, str, dict[str, Any], int, str, str]] = {
    "a skipped step": (
        "registered",
        "withdraw",
        "maker",
        {"event": "calculate", "result": "0" * 64},
        409,
        "filing_step",
        "filing",
    ),
    "the verifier files": ("verified", "file", "verifier", {}, 403, "statement", "iss"),
    "another result": ("verified", "file", "maker", {"result": "0" * 64}, 409, "stale", "result"),
    "an older state": (
        "registered",
        "plan",
        "maker",
        {"previous": None},
        400,
        "record",
        "previous",
    ),
    "an export that isn't ours": ("calculated", "export", "maker", {"export": "0" * 64}, 409, "stale", "export"),
    "no such result": ("data_complete", "calculate", "maker", {"result": "0" * 64}, 400, "filing", "result"),
    "an opinion on another result": (
        "under_verification",
        "verify",
        "verifier",
        {"result": "0" * 64},
        409,
        "stale",
        "result",
    ),
    "the maker as verifier": (
        "reconciled",
        "submit",
        "maker",
        {"verifier": "https://maker.example"},
        403,
        "rights",
        "verifier",
    ),
    "an authority as verifier": (
        "reconciled",
        "submit",
        "maker",
        {"verifier": "https://authority.example"},
        403,
        "rights",
        "verifier",
    ),
    "a citation of nothing": (
        "registered",
        "plan",
        "maker",
        {"previous": {"origin": "x", "index": 0, "leaf_hash": "0" * 64}},
        400,
        "citation",
        "previous",
    ),
}


def test_an_authority_that_is_bound_to_the_filer_reviews_nothing_of_it(lone: Desk) -> None:
    """By what it declares, or by its corporate group, which it needn't declare."""
    lone.reach("filed")
    bound = {"id": "c1", "relation": "ownership", "text": "it holds a tenth of the shares"}
    remarks = [{"id": "r1", "to": "filer", "text": "again", "step": "plan"}]
    for conflict in (bound, bound | {"organisation": lone.maker.uri}):
        for said in ({"outcome": "accepted"}, {"outcome": "returned", "remarks": remarks}):
            problem = check_problem(lone.try_("review", conflicts=[conflict], **said), 403, "rights")
            assert problem["where"] == "conflicts/c1"
    kin = Company.join(lone.maker.exchange, "kin", roles=["authority"], corporate_group="maker  GROUP")
    check_problem(lone.try_("review", kin), 403, "rights")
    of_verifier = Company.join(lone.maker.exchange, "of-verifier", roles=["authority"], corporate_group="INDEPENDENT")
    assert "verifier's corporate group" in check_problem(lone.try_("review", of_verifier), 403, "rights")["detail"]
    # Tied to one of the filer's group, it is tied to the filer; in another spelling nobody would be meant.
    sister = bound | {"organisation": kin.uri}
    assert check_problem(lone.try_("review", conflicts=[sister]), 403, "rights")["where"] == "conflicts/c1"
    for uri in (f"{lone.maker.uri}/", lone.maker.uri.replace("maker", "MAKER")):
        problem = check_problem(lone.try_("review", conflicts=[bound | {"organisation": uri}]), 400, "statement")
        assert problem["where"] == "conflicts/c1/organisation"
    assert lone.show(lone.maker)["state"] == "filed"
    others = bound | {"organisation": lone.verifier.uri}
    mild = bound | {"id": "c2", "relation": "other"}
    assert lone.take("review", conflicts=[others, mild])["state"] == "accepted"


@pytest.mark.parametrize("name", REFUSED)
def test_a_step_is_refused_and_nothing_stays(lone: Desk, name: str) -> None:
    state, step, who, changes, status, code, where = REFUSED[name]
    lone.reach(state)
    if step == "verify":
        lone.engaged()
    exchange = lone.maker.exchange
    if "previous" in changes and changes["previous"] is not None:
        changes = {"previous": changes["previous"] | {"origin": exchange.origin}}
    company = {"maker": lone.maker, "verifier": lone.verifier, "authority": lone.authority}[who]
    before, size = lone.show(lone.maker), exchange.size
    answer = lone.try_(step, company, **changes)
    assert (answer.status_code // 100, answer.json()["where"]) == (4, where), answer.text
    assert answer.json()["remedy"]
    assert lone.show(lone.maker) == before
    assert exchange.size == size
    assert len(rows(exchange, FilingStepRow)) == len(before["steps"])
    if code != "statement":
        assert answer.json()["code"] == code or code in ("record", "citation"), answer.text
        assert answer.status_code == status, answer.text


def test_a_verifier_of_the_same_group_is_refused(lone: Desk) -> None:
    lone.reach("reconciled")
    kin = Company.join(lone.maker.exchange, "kin", roles=["verifier"], corporate_group="maker  GROUP")
    check_problem(lone.try_("submit", verifier=kin.uri), 403, "rights")


def test_a_step_can_t_be_withheld_from_its_parties(lone: Desk) -> None:
    lone.reach("registered")
    kind, claims = lone.draft("plan")
    issued = lone.maker.member.sign(kind_named(kind), claims)
    answer = lone.maker.admin.post("/api/v1/statements", json={"statement": f"{issued.token}~", "sealed": True})
    check_problem(answer, 400, "filing")
    assert lone.show(lone.maker)["state"] == "registered"


def test_the_same_statement_again_is_one_step(lone: Desk) -> None:
    lone.reach("registered")
    kind, claims = lone.draft("plan")
    issued = lone.maker.member.sign(kind_named(kind), claims)
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    dry = lone.maker.admin.post("/api/v1/statements?dry_run=true", json=body)
    assert dry.status_code == 200, dry.text
    assert lone.show(lone.maker)["state"] == "registered"
    answers = [lone.maker.admin.post("/api/v1/statements", json=body).status_code for _ in range(2)]
    assert answers == [201, 200]
    assert [one["step"] for one in lone.show(lone.maker)["steps"]] == ["register", "plan"]


def test_the_use_case_refuses_what_no_route_looked_at(lone: Desk) -> None:
    """Straight to intake: without its signature, with another's, out of order."""
    lone.reach("registered")
    exchange, kind = lone.maker.exchange, kind_named("filing-event")
    take, (_kind, claims) = exchange.services.installation.intake.submit, lone.draft("withdraw")
    signed = lone.maker.member.sign(kind, claims)
    head, payload, signature = signed.token.split(".")
    other = lone.verifier.member.sign(kind, claims)
    wrong = {name: value for name, value in claims.items() if name != "reason"}
    early = lone.maker.member.sign(kind, wrong | {"event": "calculate", "result": "0" * 64})
    before, size = lone.show(lone.maker), exchange.size
    refused: dict[str, tuple[str, Any, type[Exception]]] = {
        "no signature": (f"{head}.{payload}.", signed.disclosures, SignerError),
        "another's signature": (f"{head}.{payload}.{other.token.split('.')[2]}", signed.disclosures, BadSignatureError),
        "another's statement": (other.token, other.disclosures, ExchangeError),
        "out of order": (early.token, early.disclosures, StepError),
    }
    for name, (token, disclosures, error) in refused.items():
        with pytest.raises(error):
            take(token, disclosures)
        assert (lone.show(lone.maker), exchange.size) == (before, size), name
    assert len(signature) > 80
    take(signed.token, signed.disclosures)
    assert lone.show(lone.maker)["state"] == "withdrawn"


def test_of_two_steps_at_once_one_wins(desk: Desk) -> None:
    desk.reach("registered")
    kind, claims = desk.draft("plan")
    signed = [desk.maker.member.sign(kind_named(kind), claims) for _ in range(4)]
    size, together = desk.maker.exchange.size, threading.Barrier(len(signed))

    def take(one: Issued) -> str:
        together.wait()
        try:
            desk.maker.exchange.services.installation.intake.submit(one.token, one.disclosures)
        except StaleError:
            return "stale"
        return "taken"

    with ThreadPoolExecutor(len(signed)) as threads:
        assert sorted(threads.map(take, signed)) == ["stale"] * 3 + ["taken"]
    assert [one["step"] for one in desk.show(desk.maker)["steps"]] == ["register", "plan"]
    assert desk.maker.exchange.size == size + 1


def test_2_kwh_is_out_of_scope_and_2_001_in(lone: Desk) -> None:
    for rated, status in (("2.0", 400), ("2.001", 201)):
        pack = Pack(lone.maker, f"small-{rated.replace('.', '-')}")
        energy = {"amount": rated, "unit": "kWh", "obtained": "measured"}
        stated(lone.maker, "battery-model", model_claims(pack.product, rated_energy=energy))
        answer = Desk(pack, lone.verifier, lone.authority).try_("register")
        assert answer.status_code == status, answer.text
        assert ("out of scope" in answer.text) == (status == 400)


def test_a_model_has_one_filing_until_it_is_withdrawn(lone: Desk) -> None:
    lone.reach("planned")
    again = Desk(lone.pack, lone.verifier, lone.authority)
    check_problem(again.try_("register"), 409, "conflict")
    lone.take("withdraw")
    assert again.try_("register").status_code == 201


# -- stale, held, erased -----------------------------------------------------------------------------------------------------


def test_data_that_is_taken_back_makes_the_filing_stale(lone: Desk) -> None:
    lone.reach("reconciled")
    activity = lone.pack.cited["activity"]
    stated(lone.maker, "withdrawal", {"target": activity, "reason": "the meter was wrong"})
    check_problem(lone.try_("submit"), 409, "stale")
    lone.pack.state(copper="501")
    for step in ("complete", "calculate", "export", "platform", "submit"):
        assert lone.try_(step).status_code == 201, step


def withdraw_release(desk: Desk) -> tuple[int, int]:
    """Withdraw the first release that the filing's result was made with, as the operator; return its entry's index and by which."""
    exchange = desk.maker.exchange
    operator = exchange.services.installation.operator
    (release,) = [row for row in rows(exchange, ReleaseRow) if row.digest == desk.computed["releases"][0]["digest"]]
    entry = exchange.http.get(f"/api/v1/entries/{release.index}").json()
    target = {"origin": exchange.origin, "index": release.index, "leaf_hash": entry["leaf_hash"]}
    claims = {"target": target, "reason": "the source erred"}
    gone = exchange.post(Member(exchange, operator.uri, operator.key).sign(WITHDRAWALS, claims))
    assert gone.status_code == 201, gone.text
    return release.index, gone.json()["index"]


def test_a_release_that_is_withdrawn_stops_what_was_made_with_it_at_once(lone: Desk) -> None:
    exchange = lone.maker.exchange
    lone.reach("reconciled")
    assert lone.show(lone.maker)["stale"] == []
    release, by = withdraw_release(lone)
    size = exchange.size
    # The watch over results hasn't come to it.
    problem = check_problem(lone.try_("submit"), 409, "stale")
    said = f"the release {lone.computed['releases'][0]['id']}, entry {release}, was withdrawn by entry {by}"
    assert said in problem["detail"]
    found = lone.show(lone.maker)
    assert (found["state"], found["stale"], exchange.size) == ("reconciled", [said], size)


def test_a_newer_model_makes_the_filing_stale(lone: Desk) -> None:
    lone.reach("reconciled")
    heavier(lone)
    lone.maker.exchange.services.watch.tick()
    check_problem(lone.try_("submit"), 409, "stale")


def heavier(desk: Desk) -> None:
    mass = {"amount": "505", "unit": "kg", "obtained": "measured"}
    stated(desk.maker, "battery-model", model_claims(desk.pack.product, mass=mass))


def watched(desk: Desk) -> set[str]:
    """The results that the watch looks after, of those that `desk` filed."""
    return {row.result for row in rows(desk.maker.exchange, RestsOnRow)}


def test_the_result_of_a_filing_is_watched_whatever_is_computed_since(lone: Desk) -> None:
    lone.reach("reconciled")
    exchange, filed = lone.maker.exchange, lone.digest
    heavier(lone)
    exchange.clock.advance(1)
    newer = lone.pack.result()["digest"]
    assert watched(lone) == {filed, newer}
    exchange.services.watch.tick()
    check_problem(lone.try_("submit"), 409, "stale")
    problem = check_problem(lone.try_("calculate", result=filed), 409, "stale")
    assert problem["detail"] == "a newer result of this model was computed"
    lone.take("calculate")
    assert watched(lone) == {lone.digest}, "the older one is let go"


def test_a_withdrawn_filing_lets_go_of_its_result(lone: Desk) -> None:
    lone.reach("reconciled")
    lone.maker.exchange.clock.advance(1)
    newer = lone.pack.result()["digest"]
    assert watched(lone) == {lone.digest, newer}
    lone.take("withdraw")
    assert watched(lone) == {newer}


def test_an_entry_that_is_cited_for_several_figures_is_told(lone: Desk) -> None:
    lone.take("register")
    said = {"function": "metering_engineer", "frequency": "monthly", "gap_treatment": "same month of last year"}
    metered = {"source": "meter", "calibrated": "2024-06-01", "calibration_due": "2026-06-01", **said}
    names = {"power": "electricity of the plant", "gas": "gas of the plant", "model": "what a pack holds"}
    lone.take("plan", figures=[{"id": id_, "name": name, "meter": id_, **metered} for id_, name in names.items()])
    cited = lone.pack.cited
    data = [
        {"id": "d1", "figure": "power", "citation": cited["activity"]},
        {"id": "d2", "figure": "gas", "citation": cited["activity"]},
        {"id": "d3", "figure": "model", "citation": cited["model"]},
    ]
    expected = [{"index": cited["activity"]["index"], "figures": [names["power"], names["gas"]]}]
    assert lone.take("complete", data=data)["shared_data"] == expected
    assert lone.show(lone.authority)["shared_data"] == expected
    page = lone.maker.admin.get(f"/filings/{lone.id}").text
    assert f"entry {cited['activity']['index']}: <bdi>electricity of the plant, gas of the plant</bdi>" in page
    data[1]["citation"] = cited["scenario"]
    assert lone.take("complete", data=data)["shared_data"] == []


def test_newer_data_stops_the_next_step_before_the_watch_has_come(lone: Desk) -> None:
    lone.reach("verified")
    claims = pack_claims(lone.pack.product, copper="501")["activity-data"]
    newer = stated(lone.maker, "activity-data", claims)
    said = f"entry {newer['index']} is newer than what it was made from"
    assert said in check_problem(lone.try_("file"), 409, "stale")["detail"]
    assert lone.show(lone.maker)["stale"] == [said]
    stated(lone.maker, "withdrawal", {"target": newer, "reason": "stated for the wrong pack"})
    lone.take("file")
    newer = stated(lone.maker, "activity-data", claims)
    problem = check_problem(lone.try_("review"), 409, "stale")
    assert f"entry {newer['index']} " in problem["detail"]
    lone.maker.exchange.services.watch.tick()
    assert f"entry {newer['index']} is newer than what it was made from" in lone.show(lone.maker)["stale"]


def test_newer_data_that_names_another_product_first_is_seen_by_what_comes_out_of_it(lone: Desk) -> None:
    """Of several outputs a statement names any one; the step, then the watch, see the others."""
    lone.reach("verified")
    claims = pack_claims(lone.pack.product, copper="501")["activity-data"]
    beside = f"{lone.pack.product}-beside"
    outputs = [claims["outputs"][0] | {"product": beside}, *claims["outputs"]]
    claims |= {"sub": beside, "outputs": outputs, "allocation": {"key": "pieces", "reason": "two packs of one line"}}
    newer = stated(lone.maker, "activity-data", claims)
    said = f"entry {newer['index']} is newer than what it was made from"
    assert said in check_problem(lone.try_("file"), 409, "stale")["detail"]
    lone.maker.exchange.services.watch.tick()
    assert said in lone.show(lone.maker)["stale"]
    stated(lone.maker, "activity-data", claims | {"sub": beside, "outputs": [claims["outputs"][0]]})
    lone.maker.exchange.services.watch.tick()
    assert lone.show(lone.maker)["stale"] == [said], "what comes from elsewhere alone changes nothing"


def test_newer_data_stops_an_opinion_before_the_watch_has_come(lone: Desk) -> None:
    lone.reach("under_verification")
    lone.engaged()
    stated(lone.maker, "activity-data", pack_claims(lone.pack.product, copper="501")["activity-data"])
    check_problem(lone.try_("verify"), 409, "stale")


def test_steps_of_a_filing_don_t_make_its_result_stale(lone: Desk) -> None:
    lone.reach("reconciled")
    lone.maker.exchange.services.watch.tick()
    assert lone.try_("submit").status_code == 201


def test_what_a_filing_rests_on_is_held_from_erasure(lone: Desk) -> None:
    exchange = lone.maker.exchange
    leaf = lone.pack.cited["activity"]["leaf_hash"]
    lone.reach("under_verification")

    def erase(leaf_hash: str) -> Any:
        return lone.maker.admin.post("/api/v1/erasures", json={"leaf_hash": leaf_hash})

    steps = lone.show(lone.maker)["steps"]
    for held in (leaf, steps[1]["leaf_hash"], steps[-1]["leaf_hash"]):
        check_problem(erase(held), 409, "held")
    lone.take("withdraw")
    assert rows(exchange, HoldRow) == []
    assert erase(leaf).status_code in (200, 201)


def erase(desk: Desk, leaf_hash: str) -> Any:
    return desk.maker.admin.post("/api/v1/erasures", json={"leaf_hash": leaf_hash})


def test_the_statements_of_a_filing_are_held_from_its_registration_on(lone: Desk) -> None:
    """What its verifier and the authority are to read can't be gone when they come; what it was made from can, and stops it."""
    lone.reach("reconciled")
    for one in lone.show(lone.maker)["steps"]:
        check_problem(erase(lone, one["leaf_hash"]), 409, "held")
    for step in ("submit", "withdraw"):
        lone.take(step)
    assert rows(lone.maker.exchange, HoldRow) == []


def test_a_filing_that_is_sent_back_keeps_its_statements_and_lets_go_of_its_data(lone: Desk) -> None:
    lone.reach("under_verification")
    plan, activity = lone.show(lone.maker)["steps"][1]["leaf_hash"], lone.pack.cited["activity"]["leaf_hash"]
    check_problem(erase(lone, activity), 409, "held")
    assert lone.take("amend")["state"] == "planned"
    check_problem(erase(lone, plan), 409, "held")
    assert erase(lone, activity).status_code in (200, 201)


def forgotten(desk: Desk, step: str) -> None:
    """Erase a statement as it could be before filings held theirs."""
    exchange = desk.maker.exchange
    with begin(exchange.services.installation.engine) as connection:
        connection.execute(delete(HoldRow))
    (leaf,) = [one["leaf_hash"] for one in desk.show(desk.maker)["steps"] if one["step"] == step]
    assert erase(desk, leaf).status_code in (200, 201)


@pytest.mark.parametrize("step", ["register", "plan", "complete", "platform"])
def test_a_filing_with_an_erased_statement_is_shown_and_goes_no_further(lone: Desk, step: str) -> None:
    lone.reach("reconciled")
    forgotten(lone, step)
    for who in (lone.maker, lone.authority):
        found = lone.show(who)
        assert found["stale"] == [
            f"entry {found['steps'][WAY.index(step)]['index']}, the statement of the step {step}, was erased"
        ]
        assert found["product"] == lone.pack.product
        assert who.admin.get(f"/filings/{lone.id}").status_code == 200
        answer = who.admin.get(f"/api/v1/filings/{lone.id}/reconciliation")
        assert answer.status_code == (404 if step == "platform" else 200), answer.text
    check_problem(lone.try_("submit"), 409, "stale")
    assert lone.take("withdraw")["state"] == "withdrawn"
    assert Desk(lone.pack, lone.verifier, lone.authority).try_("register").status_code == 201


def test_a_statement_that_is_erased_under_verification_stops_the_opinion(lone: Desk) -> None:
    lone.reach("under_verification")
    lone.engaged()
    forgotten(lone, "plan")
    check_problem(lone.try_("verify"), 409, "stale")


def test_a_filing_whose_data_is_erased_is_shown_without_its_result(lone: Desk) -> None:
    lone.reach("reconciled")
    assert erase(lone, lone.pack.cited["activity"]["leaf_hash"]).status_code in (200, 201)
    assert lone.show(lone.authority)["stale"] == ["the filing's result is gone"]
    check_problem(lone.maker.admin.get(f"/api/v1/filings/{lone.id}/reconciliation"), 404, "not_found")
    assert lone.authority.admin.get(f"/filings/{lone.id}").status_code == 200
    check_problem(lone.try_("submit"), 409, "stale")


def test_an_accepted_filing_is_held_for_the_years_of_the_rules(lone: Desk) -> None:
    lone.reach("accepted")
    held = rows(lone.maker.exchange, HoldRow)
    now = lone.maker.exchange.clock()
    assert {row.until.year for row in held} == {now.year + RULES.retention_years}
    assert {step["leaf_hash"] for step in lone.show(lone.maker)["steps"]} <= {row.leaf_hash for row in held}
    assert "accepted" in HELD


def held_for_years(desk: Desk) -> set[str]:
    """What is held on until a day."""
    return {row.leaf_hash for row in rows(desk.maker.exchange, HoldRow) if row.until is not None}


def test_what_was_accepted_stays_held_whatever_its_filer_does_then(lone: Desk) -> None:
    lone.reach("accepted")
    exchange, activity = lone.maker.exchange, lone.pack.cited["activity"]["leaf_hash"]
    steps, held = lone.show(lone.maker)["steps"], held_for_years(lone)
    work = {one.leaf_hash for one in rows(exchange, EngagementStepRow)}
    assert {activity, *(one["leaf_hash"] for one in steps)} | work <= held
    lone.take("amend")
    lone.take("withdraw")
    check_problem(erase(lone, activity), 409, "held")
    check_problem(erase(lone, steps[0]["leaf_hash"]), 409, "held")
    check_problem(lone.verifier.admin.post("/api/v1/erasures", json={"leaf_hash": min(work)}), 409, "held")
    assert held_for_years(lone) == held
    exchange.clock.advance((366 * RULES.retention_years) * 24 * 3600)
    with begin(exchange.services.installation.engine) as connection:
        assert not is_held(connection, activity, exchange.clock())


def test_what_was_accepted_stays_held_when_its_opinion_is_withdrawn_and_once_it_is_accepted_anew(lone: Desk) -> None:
    lone.reach("accepted")
    held = held_for_years(lone)
    stated(lone.verifier, "withdrawal", {"target": opinion_of(lone), "reason": "an error was found"})
    assert held_for_years(lone) == held
    assert not lone.show(lone.maker)["is_stale"]
    assert not lone.maker.admin.get("/api/v1/filings").json()[0]["is_stale"]
    for step in ("submit", "verify", "file", "review"):
        lone.take(step)
    assert held < held_for_years(lone)
    # Data that it rests on no more is kept, and makes nothing stale.
    lone.take("amend")
    stated(lone.maker, "withdrawal", {"target": lone.pack.cited["activity"], "reason": "the meter was wrong"})
    assert not lone.maker.admin.get("/api/v1/filings").json()[0]["is_stale"]
    assert held < held_for_years(lone)


def test_a_step_of_a_filing_isn_t_taken_back_by_itself(lone: Desk) -> None:
    lone.reach("planned")
    last = lone.show(lone.maker)["steps"][-1]
    target = {"origin": lone.maker.exchange.origin, "index": last["index"], "leaf_hash": last["leaf_hash"]}
    answer = hand_in(lone.maker, "withdrawal", {"target": target, "reason": "a slip"})
    check_problem(answer, 400, "statement")


def taken_back(desk: Desk) -> None:
    stated(desk.maker, "withdrawal", {"target": desk.pack.cited["activity"], "reason": "the meter was wrong"})


def test_what_comes_next_is_what_isn_t_refused(lone: Desk) -> None:
    lone.reach("reconciled")
    assert lone.show(lone.maker)["next"][0] == {"step": "submit", "party": "filer"}
    check_problem(lone.maker.admin.get(f"/api/v1/filings/{lone.id}/draft?step=file"), 409, "filing_step")
    taken_back(lone)
    found = lone.show(lone.maker)["next"]
    assert found[0] == {"step": "complete", "party": "filer"}, "its data has to be stated anew"
    assert not {"export", "submit"} & {one["step"] for one in found}
    assert "Next: complete, by the filer." in " ".join(
        re.sub("<[^>]+>", "", lone.maker.admin.get(f"/filings/{lone.id}").text).split()
    )
    lone.pack.state(copper="501")
    for step in ("complete", "calculate", "export", "platform", "submit"):
        lone.take(step)
    taken_back(lone)
    found = lone.show(lone.maker)["next"]
    assert (found[0]["step"], "verify" in {one["step"] for one in found}) == ("amend", False)


def test_a_stale_filing_is_returned_and_not_accepted(lone: Desk) -> None:
    lone.reach("filed")
    taken_back(lone)
    problem = check_problem(lone.try_("review"), 409, "stale")
    assert problem["remedy"] == "return the filing to the step that it concerns"
    (listed,) = lone.authority.admin.get("/api/v1/authority/filings").json()
    assert (listed["state"], listed["is_stale"], listed["fileable"]) == ("filed", True, False)
    remarks = [{"id": "r1", "to": "filer", "text": "its data was withdrawn", "step": "complete"}]
    assert lone.take("review", outcome="returned", remarks=remarks)["state"] == "planned"


def test_what_goes_stale_after_acceptance_is_told_and_not_averaged(lone: Desk) -> None:
    lone.reach("accepted")
    exchange, admin = lone.maker.exchange, lone.authority.admin
    published = lone.maker.admin.put(f"/api/v1/filings/{lone.id}/publication", json={"figure": True}).json()

    def averaged() -> int:
        day = exchange.clock().date()
        return len(list(exchange.services.averages.footprints(f"{FLOW}LFP", "CN", 2025, day)))

    def seen() -> tuple[bool, int, bool, int]:
        (listed,) = admin.get("/api/v1/authority/filings").json()
        spread = admin.get("/api/v1/authority/overview").json()["results"]["LFP"]
        told = browser(exchange).get(published["status"]).json()
        return listed["is_stale"], spread["stale"], told.get("stale", False), averaged()

    assert seen() == (False, 0, False, 1)
    taken_back(lone)
    assert seen() == (True, 1, True, 0)
    assert "| LFP | 1 | 1 |" in admin.get("/api/v1/authority/trial-summary.md").text
    status = browser(exchange).get(published["status"]).json()
    assert status["meaning"].endswith("what it was made from has changed since, and it is to be amended")
    assert "its result is stale" in browser(exchange).get(published["page"]).text
    assert lone.show(lone.maker)["is_stale"]
    for admin_of, path in ((admin, "/authority"), (lone.maker.admin, "/filings")):
        assert 'accepted</span> <span class="badge hard">stale</span>' in admin_of.get(path).text
    assert "LFP" in (page := admin.get("/authority").text)
    assert ">Stale</th>" in page


# -- keys that were declared compromised ------------------------------------------------------------------------------------


def compromised(company: Company, since: int, thumbprint: str | None = None) -> None:
    """Declare a key of a company compromised from an entry on; the one that it signs with unless another is named."""
    named = thumbprint or company.member.key.thumbprint
    stated(company, "key-event", compromise_claims(company.uri, named, since, "the laptop was stolen"))


def given_a_key(company: Company, *roles: str) -> None:
    """Have the operator enrol a new key of a company."""
    exchange = company.exchange
    member = Member(exchange, company.uri, KeyPair.generate("ES256"))
    answer = exchange.http.post("/api/v1/organisations", json=member.application(*roles))
    assert answer.status_code == 201, answer.text
    with snapshot(exchange.services.installation.engine) as connection:
        row = Session(connection).get_one(OrganisationRow, company.uri)
        assert (row.country, bool(row.corporate_group)) == ("CN", True), "as it stated them when it registered"
    member.key = member.key.with_certificate(base64.b64decode(answer.json()["certificate"]))
    company.member = member


def opinion_of(desk: Desk) -> dict[str, Any]:
    (step,) = [one for one in desk.show(desk.maker)["steps"] if one["step"] == "verify"]
    return {"origin": desk.maker.exchange.origin, "index": step["index"], "leaf_hash": step["leaf_hash"]}


def test_an_opinion_that_a_compromised_key_signed_counts_no_more(lone: Desk) -> None:
    lone.reach("verified")
    opinion = opinion_of(lone)
    first = lone.verifier.member.key.thumbprint
    with pytest.raises(AssertionError, match="you don't speak for this organisation"):
        given_a_key(lone.verifier, "verifier")
    compromised(lone.verifier, opinion["index"] + 1)
    assert lone.show(lone.maker)["stale"] == [], "its key was good when it was signed"
    published = lone.maker.admin.put(f"/api/v1/filings/{lone.id}/publication", json={}).json()["status"]
    copy, names = fetched(lone, published), "/api/v1/public/status-list"
    assert verdict(lone, copy, fetched(lone, names)) == "current"
    # Of several declarations the earliest counts; who declares it needs a key that counts.
    given_a_key(lone.verifier, "verifier")
    compromised(lone.verifier, opinion["index"], first)
    why = f"the key was declared compromised from entry {opinion['index']} on"
    found = lone.show(lone.maker)
    assert found["stale"] == [f"entry {opinion['index']}, the statement of the step verify, is in doubt: {why}"]
    assert [one["step"] for one in found["next"][:2]] == ["amend", "revoke"]
    (listed,) = lone.maker.admin.get("/api/v1/filings").json()
    assert (listed["is_stale"], listed["fileable"]) == (True, False)
    problem = check_problem(lone.try_("file"), 409, "stale")
    assert "the operator enrolled since" in problem["remedy"]
    status = fetched(lone, published)
    assert verdict(lone, status) == "stale"
    assert verdict(lone, copy, fetched(lone, names)) == "stale"
    assert "a key that signed a statement of the filing was declared compromised" in json.loads(status)["meaning"]
    # The verifier withdraws it, with the key that it has now.
    stated(lone.verifier, "withdrawal", {"target": opinion, "reason": "the key was stolen"})
    found = lone.show(lone.maker)
    assert (found["state"], found["stale"], found["is_stale"]) == ("reconciled", [], False)
    assert lone.maker.admin.get("/api/v1/filings").json()[0]["is_stale"] is False
    lone.take("submit")
    assert lone.take("verify")["state"] == "verified"
    assert lone.take("file")["stale"] == []


def test_what_was_filed_on_an_opinion_in_doubt_isn_t_accepted_or_averaged(lone: Desk) -> None:
    exchange = lone.maker.exchange

    def averaged() -> int:
        day = exchange.clock().date()
        return len(list(exchange.services.averages.footprints(f"{FLOW}LFP", "CN", 2025, day)))

    lone.reach("filed")
    assert averaged() == 1
    compromised(lone.verifier, opinion_of(lone)["index"])
    assert averaged() == 0
    check_problem(lone.try_("review"), 409, "stale")
    (listed,) = lone.authority.admin.get("/api/v1/authority/filings").json()
    assert (listed["is_stale"], lone.show(lone.authority)["next"][0]["step"]) == (True, "revoke")


def test_an_input_that_a_compromised_key_signed_makes_the_filing_stale(lone: Desk) -> None:
    lone.reach("calculated")
    activity = lone.pack.cited["activity"]["index"]
    compromised(lone.maker, activity)
    given_a_key(lone.maker, "supplier", "pack_maker")
    said = f"entry {activity} is in doubt: the key was declared compromised from entry {activity} on"
    assert said in lone.show(lone.authority)["stale"]
    assert lone.maker.admin.get("/api/v1/filings").json()[0]["is_stale"]
    for step in ("plan", "complete"):
        lone.take(step)
    problem = check_problem(lone.try_("calculate"), 409, "stale")
    assert said in problem["detail"]


# -- platform, review, remarks -------------------------------------------------------------------------------------------------


def test_the_export_is_what_the_step_states(lone: Desk) -> None:
    lone.reach("exported")
    answer = lone.maker.admin.get(f"/api/v1/filings/{lone.id}/export")
    assert hashlib.sha256(answer.content).hexdigest() == answer.headers["x-content-sha256"]
    found = read_json(answer.content)
    assert isinstance(found, dict)
    assert (found["result"], found["headline"]) == (lone.digest, lone.computed["headline"])
    assert lone.maker.admin.get(f"/api/v1/filings/{lone.id}/export").content == answer.content


def test_differences_are_listed_by_line_and_explained(lone: Desk) -> None:
    lone.reach("exported")
    _kind, claims = lone.draft("platform")
    lines = [*claims["lines"], {"id": "use", "line": "use", "value": "0.5"}]
    total = next(line for line in lines if line["line"] == "total")
    total["value"] = str(Decimal(total["value"]) + Decimal("0.5"))
    assert lone.take("platform", lines=lines)["state"] == "unreconciled"
    found = lone.maker.admin.get(f"/api/v1/filings/{lone.id}/reconciliation").json()
    assert (found["fileable"], found["unexplained"], found["database_version"]) == (False, ["use", "total"], "2026.1")
    assert [one["line"] for one in found["lines"] if not one["agrees"]] == ["use", "total"]
    assert {one["difference"] for one in found["lines"] if one["agrees"]} == {"0"}
    draft = lone.maker.admin.get(f"/api/v1/filings/{lone.id}/draft?step=submit")
    assert check_problem(draft, 409, "filing_step")["remedy"] == "next is platform, by the filer"
    last = lone.show(lone.maker)["steps"][-1]
    previous = {"origin": lone.maker.exchange.origin, "index": last["index"], "leaf_hash": last["leaf_hash"]}
    said = {"sub": lone.pack.product, "filing": lone.id, "event": "submit", "previous": previous}
    early = hand_in(lone.maker, "filing-event", {**said, "result": lone.digest, "verifier": lone.verifier.uri})
    check_problem(early, 409, "filing_step")
    why = [
        {"id": name, "line": name, "cause": "boundary", "text": "another year of the grid"} for name in ("use", "total")
    ]
    own = [{**why[0], "cause": "own_defect"}, why[1]]
    assert lone.take("platform", lines=lines, explanations=own)["state"] == "unreconciled"
    found = lone.maker.admin.get(f"/api/v1/filings/{lone.id}/reconciliation").json()
    assert (found["fileable"], found["unexplained"], found["own_defects"]) == (False, [], ["use"])
    assert "to be calculated anew" in lone.maker.admin.get(f"/filings/{lone.id}").text
    assert lone.take("platform", lines=lines, explanations=why)["state"] == "reconciled"
    found = lone.maker.admin.get(f"/api/v1/filings/{lone.id}/reconciliation").json()
    assert (found["fileable"], found["lines"][-1]["explanation"]) == (True, "another year of the grid")


def test_a_return_names_the_step_and_remarks_are_tracked_to_their_answers(lone: Desk) -> None:
    exchange = lone.maker.exchange
    factors = Company.join(exchange, "factors", roles=["factor_maintainer"])
    lone.reach("filed")
    remarks = [
        {"id": "r1", "to": "filer", "text": "which meter", "step": "plan"},
        {"id": "r2", "to": "factor_maintainer", "text": "this factor is of 2015"},
        {"id": "r3", "to": "rule_maintainer", "text": "say what a typical model is"},
    ]
    lone.take("review", outcome="returned", remarks=remarks)
    found = lone.show(lone.maker)
    review = found["steps"][-1]
    assert found["state"] == "registered"
    assert {one["id"]: (one["to"], one["text"], one["answer"]) for one in found["remarks"]} == {
        f"{review['index']}.r1": ("filer", "which meter", None),
        f"{review['index']}.r2": ("factor_maintainer", "this factor is of 2015", None),
        f"{review['index']}.r3": ("rule_maintainer", "say what a typical model is", None),
    }
    assert [one["id"] for one in factors.admin.get("/api/v1/remarks").json()] == [f"{review['index']}.r2"]
    # The operator maintains the rules, and reads what is for it; standing in for another it reads what is for that one.
    assert [one["id"] for one in exchange.http.get("/api/v1/remarks").json()] == [f"{review['index']}.r3"]
    other = exchange.http.get("/api/v1/remarks", params={"organisation": "https://nobody.example"})
    assert other.json() == []
    target = {"origin": exchange.origin, "index": review["index"], "leaf_hash": review["leaf_hash"]}
    answered = {"target": target, "outcome": "answered", "conflicts": []}

    def answer(who: Company, remark: str) -> Any:
        line = {"id": "a1", "remark": f"{review['index']}.{remark}", "text": "replaced in the next release"}
        return hand_in(who, "review", {**answered, "answers": [line]})

    check_problem(answer(factors, "r3"), 403, "rights")
    check_problem(answer(lone.authority, "r2"), 403, "rights")
    check_problem(answer(factors, "r9"), 404, "not_found")
    assert answer(factors, "r2").status_code == 201
    check_problem(answer(factors, "r2"), 400, "filing")
    for step in WAY[1:-2]:
        lone.take(step)
    check_problem(lone.try_("file"), 400, "filing")
    own = [{"id": "a1", "remark": f"{review['index']}.r1", "text": "EM-7, see the new plan"}]
    lone.take("file", answers=own)
    open_ones = lone.authority.admin.get("/api/v1/authority/remarks?open=true").json()
    assert [one["id"] for one in open_ones] == [f"{review['index']}.r3"]
    every = {
        one["id"].split(".")[1]: one["answer"] for one in lone.authority.admin.get("/api/v1/authority/remarks").json()
    }
    assert every == {"r1": "EM-7, see the new plan", "r2": "replaced in the next release", "r3": None}
    assert ("factors", "remark.made") in told(exchange)
    assert told(exchange).count(("authority", "remark.answered")) == 2


# -- duties and coverage -------------------------------------------------------------------------------------------------------


def test_duties_say_what_is_missing(lone: Desk) -> None:
    second = Pack(lone.maker, "n622", "NMC622")
    stated(lone.maker, "battery-model", model_claims(second.product, "NMC622", variants=["N622-A", "N622-B"]))
    tiny = {"amount": "1.9", "unit": "kWh", "obtained": "measured"}
    stated(lone.maker, "battery-model", model_claims(lone.maker.member.product("tiny"), rated_energy=tiny))
    lone.reach("filed")
    found = lone.maker.admin.get("/api/v1/duties").json()
    assert {one["model"]: (one["in_scope"], one["filed"], one["chemistry_group"]) for one in found["models"]} == {
        "P100": (True, True, "LFP"),
        "N622": (True, False, "NMC"),
        "TINY": (False, False, "LFP"),
    }
    assert found["models"][1]["variants"] == ["N622-A", "N622-B"]
    assert found["coverage"]["missing"] == [
        "1 more to be filed: 1 of all 2 models are",
        "chemistry group NMC is not represented: file one of N622",
    ]
    assert {one["id"] for one in found["unstated"]} == {one.id for one in RULES.unstated}
    (of_maker,) = lone.authority.admin.get("/api/v1/authority/coverage").json()
    assert (of_maker["maker"], of_maker["covered"], of_maker["missing"]) == (
        lone.maker.uri,
        False,
        found["coverage"]["missing"],
    )


def test_from_2027_on_a_model_on_sale_without_a_filing_is_listed(lone: Desk) -> None:
    exchange, product = lone.maker.exchange, lone.maker.member.product
    since = {"since": "2026-03-01"}
    stated(lone.maker, "battery-model", model_claims(product("sold"), on_sale=since))
    stated(lone.maker, "battery-model", model_claims(product("ended"), on_sale=since | {"until": "2026-12-31"}))
    stated(lone.maker, "battery-model", model_claims(product("planned"), on_sale={"since": "2027-06-01"}))
    lone.reach("accepted")
    reader = Principal(lone.maker.uri, "member:reader", frozenset({"data:read"}))
    for day, unfiled in ((date(2026, 12, 31), []), (date(2027, 1, 1), [product("sold")])):
        exchange.clock.now = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        found = exchange.services.filings.duties(reader, lone.maker.uri)
        assert found["coverage"]["on_sale_without_filing"] == unfiled


def test_a_model_that_is_stated_anew_is_told(lone: Desk) -> None:
    lone.reach("filed")
    stated(lone.maker, "battery-model", model_claims(lone.pack.product, "NMC622"))
    found = lone.maker.admin.get("/api/v1/duties").json()
    said = "P100 is filed as LFP, 100 kWh, and stated as NMC, 100 kWh, since: amend its filing, or withdraw it"
    assert found["coverage"]["stated_otherwise_than_filed"] == [said]
    assert found["coverage"]["chemistry_groups_filed"] == ["LFP"]
    assert found["models"][0]["why"].endswith(said)
    assert said in lone.maker.admin.get("/filings").text
    (of_maker,) = lone.authority.admin.get("/api/v1/authority/coverage").json()
    assert of_maker["stated_otherwise_than_filed"] == [said]


def test_a_model_without_a_filing_that_is_stated_anew_is_told(lone: Desk) -> None:
    product = lone.maker.member.product("n622")

    def told_of() -> list[str]:
        found = lone.maker.admin.get("/api/v1/duties").json()
        (of_maker,) = lone.authority.admin.get("/api/v1/authority/coverage").json()
        said: list[str] = found["coverage"]["restated_without_filing"]
        assert of_maker["restated_without_filing"] == said
        for page in (lone.maker.admin.get("/filings"), lone.authority.admin.get("/authority")):
            assert all(one in page.text for one in said)
        return said

    stated(lone.maker, "battery-model", model_claims(product, "NMC622"))
    heavier_one = {"amount": "505", "unit": "kg", "obtained": "measured"}
    stated(lone.maker, "battery-model", model_claims(product, "NMC811", mass=heavier_one))
    assert told_of() == [], "of one group and energy: no duty asks for the mass"
    tiny = {"amount": "1.9", "unit": "kWh", "obtained": "measured"}
    small = stated(lone.maker, "battery-model", model_claims(product, "NMC811", rated_energy=tiny))
    said = "N622 was stated with another chemistry or rated energy by entry {}, and has no filing"
    assert told_of() == [said.format(small["index"] - 1)]
    stated(
        lone.maker, "battery-model", model_claims(product, "NMC811", rated_energy=tiny, on_sale={"since": "2026-03-01"})
    )
    assert told_of() == [said.format(small["index"] - 1)], "stating it once more hides nothing"
    other = lone.maker.member.product("other")
    gone = stated(lone.maker, "battery-model", model_claims(other, "NMC622"))
    stated(lone.maker, "withdrawal", {"target": gone, "reason": "a slip"})
    stated(lone.maker, "battery-model", model_claims(other, "LFP"))
    assert said.format(gone["index"]).replace("N622", "OTHER") in told_of(), "and neither does taking it back first"


def test_a_model_whose_statement_is_withdrawn_drops_out(lone: Desk) -> None:
    product = lone.maker.member.product("n622")
    first = stated(lone.maker, "battery-model", model_claims(product, "NMC622"))
    second = stated(lone.maker, "battery-model", model_claims(product, "NMC811"))

    def listed() -> dict[str, str]:
        return {one["product"]: one["chemistry"] for one in lone.maker.admin.get("/api/v1/duties").json()["models"]}

    assert listed() == {lone.pack.product: "LFP", product: "NMC811"}
    stated(lone.maker, "withdrawal", {"target": second, "reason": "a slip"})
    assert listed() == {lone.pack.product: "LFP", product: "NMC622"}, "the older one counts again"
    stated(lone.maker, "withdrawal", {"target": first, "reason": "it isn't made"})
    assert listed() == {lone.pack.product: "LFP"}
    answer = lone.maker.admin.get("/api/v1/filings/draft", params={"product": product})
    check_problem(answer, 404, "not_found")


# -- the authority -------------------------------------------------------------------------------------------------------------


def test_the_authority_sees_counts_times_and_spread(lone: Desk) -> None:
    exchange = lone.maker.exchange
    for step in WAY:
        exchange.clock.advance(3600)
        lone.take(step)
    other = Desk(Pack(lone.maker, "n811", "NMC811").state(), lone.verifier, lone.authority).reach("planned")
    found = lone.authority.admin.get("/api/v1/authority/overview").json()
    assert (found["filings"], found["makers"]) == (2, 1)
    assert {state: count for state, count in found["by_state"].items() if count} == {"planned": 1, "accepted": 1}
    assert found["by_chemistry_group"] == {"LFP": {"filings": 1, "filed": 1}, "NMC": {"filings": 1, "filed": 0}}
    assert found["by_maker"] == {lone.maker.uri: {"filings": 2, "filed": 1}}
    assert found["time_at_step"]["under_verification"] == {"left": 1, "mean_days": 0.04, "longest_days": 0.04}
    assert found["results"]["LFP"]["median"] == lone.computed["headline"]["value"]
    listed = lone.authority.admin.get("/api/v1/authority/filings", params={"chemistry_group": "NMC"}).json()
    assert [one["id"] for one in listed] == [other.id]
    params = {"state": "accepted", "maker": lone.maker.uri}
    assert [one["id"] for one in lone.authority.admin.get("/api/v1/authority/filings", params=params).json()] == [
        lone.id
    ]
    first = lone.authority.admin.get("/api/v1/authority/filings?limit=1").json()
    rest = lone.authority.admin.get("/api/v1/authority/filings", params={"limit": 1, "after": first[0]["id"]}).json()
    assert {first[0]["id"], rest[0]["id"]} == {lone.id, other.id}


def test_the_trial_summary_is_data_and_text(lone: Desk) -> None:
    lone.reach("accepted")
    found = lone.authority.admin.get("/api/v1/authority/trial-summary").json()
    assert (found["filings"], found["coverage"]["makers"], found["coverage"]["covered"]) == (1, 1, 1)
    assert found["duty"]["digest"] == RULES.digest
    text = lone.authority.admin.get("/api/v1/authority/trial-summary.md").text
    assert f"| {lone.maker.uri} | 1 | 1 | nothing |" in text
    assert all(one.assumption in text for one in RULES.unstated)


# -- the public status -----------------------------------------------------------------------------------------------------------


def test_a_status_is_public_only_while_its_owner_publishes_it(lone: Desk) -> None:
    exchange = lone.maker.exchange
    lone.reach("accepted")
    path = f"/api/v1/filings/{lone.id}/publication"
    for who in (lone.verifier, lone.authority):
        check_problem(who.admin.put(path, json={"figure": True}), 404, "not_found")
    published = lone.maker.admin.put(path, json={"figure": True}).json()
    anybody = browser(exchange)
    answer = anybody.get(published["status"]).json()
    assert (answer["state"], answer["model"], answer["figure"]) == (
        "accepted",
        "P100",
        lone.computed["headline"]["value"],
    )
    verification = [answer[name] for name in ("opinion", "assurance", "materiality_percent")]
    assert verification == ["unmodified", "reasonable", "5"]
    token = answer.pop("token")
    statement = verify(token, (), profile=STATUS, trust=exchange.services.installation.trust, at=exchange.clock())
    assert statement.issuer == exchange.services.installation.operator.uri
    assert {name: statement.claims[name] for name in answer} == answer
    assert datetime.fromisoformat(answer["expires"]) - exchange.clock() <= timedelta(hours=24)
    page = anybody.get(published["page"])
    assert page.status_code == 200
    assert "P100" in page.text
    assert "unmodified opinion, reasonable assurance, materiality 5 %" in page.text
    assert "Next:" not in lone.maker.admin.get(f"/filings/{lone.id}").text, "accepted, it waits for nobody"
    assert lone.maker.admin.put(path, json={"figure": False}).json()["publication"] == published["publication"]
    assert "figure" not in anybody.get(published["status"]).json()
    withdrawn = lone.maker.admin.delete(path)
    assert withdrawn.status_code == 200, withdrawn.text
    gone = anybody.get(published["status"]).json()
    assert (gone["status"], "model" in gone, "state" in gone) == ("withdrawn", False, False)
    assert "P100" not in anybody.get(published["page"]).text
    listed = anybody.get("/api/v1/public/status-list").json()
    assert listed["withdrawn"] == [published["publication"]]
    verify(listed["token"], (), profile=STATUS_LIST, trust=exchange.services.installation.trust, at=exchange.clock())
    check_problem(lone.maker.admin.delete(path), 409, "conflict")
    assert anybody.get(f"/public/models/{lone.id}").status_code == 404
    check_problem(anybody.get(f"/api/v1/public/models/{lone.id}"), 404, "not_found")


def fetched(desk: Desk, path: str) -> bytes:
    return browser(desk.maker.exchange).get(path).content


def verdict(desk: Desk, status: bytes, listed: bytes | None = None) -> str:
    exchange = desk.maker.exchange
    found = check_status(status, exchange.services.installation.trust, exchange.clock(), listed)
    return str(found["verdict"])


def test_what_a_verifier_withdraws_reaches_who_fetched_a_status(lone: Desk) -> None:
    lone.reach("accepted")
    path = lone.maker.admin.put(f"/api/v1/filings/{lone.id}/publication", json={"figure": True}).json()["status"]
    copy, names = fetched(lone, path), "/api/v1/public/status-list"
    assert verdict(lone, copy, fetched(lone, names)) == "current"
    (opinion,) = [one for one in lone.show(lone.maker)["steps"] if one["step"] == "verify"]
    target = {"origin": lone.maker.exchange.origin, "index": opinion["index"], "leaf_hash": opinion["leaf_hash"]}
    stated(lone.verifier, "withdrawal", {"target": target, "reason": "an error was found"})
    listed = fetched(lone, names)
    back = lone.show(lone.maker)["steps"][-1]["index"]
    assert json.loads(listed)["outdated"] == {json.loads(copy)["publication"]: back}
    assert verdict(lone, copy, listed) == "outdated"
    assert verdict(lone, copy) == "current", "offline it isn't known"
    assert verdict(lone, fetched(lone, path), listed) == "not_verified", "it tells what is so now"
    lone.maker.exchange.clock.advance(49 * 3600)
    with pytest.raises(UndecidableError):
        verdict(lone, fetched(lone, path), listed)
    assert json.loads(fetched(lone, names))["outdated"] == {}


def test_a_status_counts_only_where_it_is_verified_and_not_stale(lone: Desk) -> None:
    lone.reach("reconciled")
    path = lone.maker.admin.put(f"/api/v1/filings/{lone.id}/publication", json={}).json()["status"]
    assert verdict(lone, fetched(lone, path)) == "not_verified"
    lone.take("submit")
    lone.take("verify")
    copy = fetched(lone, path)
    assert verdict(lone, copy) == "current"
    taken_back(lone)
    assert verdict(lone, fetched(lone, path)) == "stale"
    listed = fetched(lone, "/api/v1/public/status-list")
    assert json.loads(listed)["stale"] == {json.loads(copy)["publication"]: json.loads(copy)["entry"]["index"]}
    assert (verdict(lone, copy, listed), verdict(lone, copy)) == ("stale", "current"), "offline it isn't known"
    lone.maker.exchange.clock.advance(25 * 3600)
    assert verdict(lone, copy) == "ended"
    # Signed by another than whose status it is: somebody's list takes nothing from it.
    maker, now = lone.maker.member, lone.maker.exchange.clock()
    said = {"withdrawn": [], "outdated": {}, "since": now.isoformat(), "as_of": now.isoformat()}
    said["expires"] = (now + timedelta(hours=1)).isoformat()
    token = maker.sign(kind_named("filing-event"), said, profile=STATUS_LIST).token
    with pytest.raises(RejectedError, match="signed by"):
        verdict(lone, copy, json.dumps({"token": token}).encode())


def test_the_status_list_tells_what_is_stale_at_once(lone: Desk) -> None:
    lone.reach("verified")
    exchange, names = lone.maker.exchange, "/api/v1/public/status-list"
    path = lone.maker.admin.put(f"/api/v1/filings/{lone.id}/publication", json={}).json()["status"]
    copy = fetched(lone, path)
    assert verdict(lone, copy, fetched(lone, names)) == "current"
    withdraw_release(lone)
    listed = fetched(lone, names)
    assert verdict(lone, copy, listed) == "stale", "before the watch over results has come to it"
    lone.take("amend", trigger="factors_replaced")
    assert json.loads(fetched(lone, names))["stale"] == {}
    # A list of before it could name what is stale.
    operator = exchange.services.installation.operator
    old = {name: one for name, one in json.loads(listed).items() if name not in {"token", "stale"}}
    token = Member(exchange, operator.uri, operator.key).sign(kind_named("filing-event"), old, profile=STATUS_LIST)
    assert verdict(lone, copy, json.dumps({"token": token.token}).encode()) == "current"


def test_a_status_can_t_be_put_into_the_ledger(lone: Desk) -> None:
    lone.reach("registered")
    published = lone.maker.admin.put(f"/api/v1/filings/{lone.id}/publication", json={}).json()
    token = browser(lone.maker.exchange).get(published["status"]).json()["token"]
    check_problem(
        lone.maker.exchange.http.post("/api/v1/statements", json={"statement": f"{token}~"}), 400, "statement"
    )


def test_nothing_disclosed_rests_in_the_clear(lone: Desk) -> None:
    lone.reach("accepted")
    (row,) = rows(lone.maker.exchange, FilingRow)
    held = json.dumps({name: str(getattr(row, name)) for name in row.__class__.model_fields})
    for secret in (lone.pack.product, "P100", "LFP", lone.computed["headline"]["value"]):
        assert secret not in held

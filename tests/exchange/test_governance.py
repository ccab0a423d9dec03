"""Factor releases on their way: proposed, compared, reviewed, published, withdrawn; and what they move in stored results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from bom_graph import load_release, release_bytes
from exchange.access import Principal
from exchange.governance import Moved, Tally, load_review_rules
from exchange.governance.effect import Others, _Groups
from exchange.identity import OrganisationRow
from exchange.kinds import ACTIVITY_DATA, FACTOR_RELEASE, REVIEW, WITHDRAWALS
from signer import join_presentation, read_unverified
from tests.flow.accounts import Company
from tests.flow.world import Exchange, Member, activity, line

EVERBATT = "everbatt-2023"
RULES = "everbatt-2023-cradle-to-gate"


def release_file(
    version: str = "2", *, factor: str = "1.1", rows: tuple[str, ...] = ("nickel-sulfate",), **more: Any
) -> bytes:
    """EverBatt's release with the values of `rows` times `factor`."""
    found = json.loads(release_bytes(EVERBATT)) | {"version": version}
    for row in found["rows"]:
        if row["id"] in rows:
            row["value"] = str(Decimal(row["value"]) * Decimal(factor))
    found["rows"] += more.get("added", [])
    found["rows"] = [row for row in found["rows"] if row["id"] not in more.get("removed", ())]
    return json.dumps(found).encode()


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Panel:
    """A maintainer, four experts, and a maker whose result rests on the release."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.maintainer = exchange.member("factors", "factor_maintainer")
        self.experts = [exchange.member(f"expert-{n}", "expert") for n in range(4)]

    def propose(self, data: bytes | None = None, **members: Any) -> Any:
        data = data or release_file()
        body = {"file": data.decode(), "digest": digest_of(data), "organisation": self.maintainer.uri, **members}
        return self.exchange.http.post("/api/v1/factor-proposals", json=body)

    def proposed(self, data: bytes | None = None, **members: Any) -> dict[str, Any]:
        answer = self.propose(data, **members)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def review(self, expert: Member, proposal: Mapping[str, Any], outcome: str = "accepted", **claims: Any) -> Any:
        said = {"digest": proposal["digest"], "outcome": outcome, "conflicts": [], **claims}
        return self.exchange.post(expert.sign(REVIEW, said))

    def accepted(self, proposal: Mapping[str, Any], count: int = 3) -> None:
        for expert in self.experts[:count]:
            assert self.review(expert, proposal).status_code == 201

    def show(self, proposal: Mapping[str, Any], who: TestClient | None = None) -> dict[str, Any]:
        found: dict[str, Any] = (who or self.exchange.http).get(f"/api/v1/factor-proposals/{proposal['id']}").json()
        return found

    def claims(self, proposal: Mapping[str, Any]) -> Any:
        return self.exchange.http.get(f"/api/v1/factor-proposals/{proposal['id']}/publication")

    def publish(self, proposal: Mapping[str, Any], **changes: Any) -> Any:
        claims = self.claims(proposal)
        said = (
            claims.json()
            if claims.status_code == 200
            else {n: proposal[n] for n in ("version", "digest")} | {"id": proposal["release"], "reviews": []}
        )
        return self.exchange.post(self.maintainer.sign(FACTOR_RELEASE, said | changes))

    def withdraw(self, proposal: Mapping[str, Any], by: Member | None = None) -> Any:
        target = self.exchange.http.get(f"/api/v1/factor-proposals/{proposal['id']}/withdrawal").json()
        return self.exchange.post((by or self.maintainer).sign(WITHDRAWALS, target | {"reason": "the source erred"}))

    def result(self, slug: str = "maker", name: str = "salt") -> tuple[Member, dict[str, Any]]:
        """A result of a maker's, made from nickel sulphate of the release."""
        maker = self.exchange.member(slug)
        maker.state(ACTIVITY_DATA, activity(maker.product(name)))
        answer = self.exchange.footprint(maker.product(name), maker.uri)
        assert answer.status_code == 201, answer.text
        return maker, answer.json()

    def effect(self, proposal: Mapping[str, Any], who: TestClient | None = None) -> list[dict[str, Any]]:
        answer = (who or self.exchange.http).get(f"/api/v1/factor-proposals/{proposal['id']}/effect")
        assert answer.status_code == 200, answer.text
        return [json.loads(one) for one in answer.text.splitlines()]


@pytest.fixture
def panel(sqlite_exchange: Exchange) -> Panel:
    return Panel(sqlite_exchange)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# -- the way of a release --------------------------------------------------------------------------------------------


def test_a_release_is_proposed_reviewed_and_published_by_signed_statements(exchange: Exchange) -> None:
    panel = Panel(exchange)
    proposal = panel.proposed()
    assert proposal["state"] == "proposed"
    assert proposal["based_on"] == load_release(EVERBATT).digest
    assert panel.show(proposal)["missing"] == [
        "3 more of 3 reviews that count: there are 0",
        "2 more of 2 reviews that accept it: there are 0",
    ]
    panel.accepted(proposal)
    published = panel.publish(proposal)
    assert published.status_code == 201, published.text
    found = panel.show(proposal)
    assert (found["state"], found["published"]) == ("published", published.json()["index"])
    entry = exchange.http.get(f"/api/v1/entries/{found['published']}").json()
    assert entry["vct"] == FACTOR_RELEASE.vct
    assert [one["reviewer"] for one in found["reviews"]] == [one.uri for one in panel.experts[:3]]


def test_the_digest_is_held_against_the_content(panel: Panel) -> None:
    data = release_file()
    answer = panel.propose(data, digest=digest_of(data + b" "))
    assert code(answer) == (400, "statement")
    assert answer.json()["where"] == "digest"
    assert digest_of(data) in answer.json()["detail"]


def test_a_release_that_cant_be_read_or_says_nothing_new_is_refused(panel: Panel) -> None:
    broken = release_file(removed=[row.id for row in load_release(EVERBATT).rows])
    assert code(panel.propose(broken)) == (400, "factor")
    assert code(panel.propose(release_file(rows=()))) == (400, "statement")
    assert code(panel.propose(release_file("1"))) == (409, "conflict")


def test_only_a_maintainer_proposes_and_a_file_is_proposed_once(panel: Panel) -> None:
    supplier = panel.exchange.member("supplier")
    assert code(panel.propose(organisation=supplier.uri)) == (403, "rights")
    proposal = panel.proposed()
    assert code(panel.propose()) == (409, "conflict")
    assert panel.exchange.http.post(f"/api/v1/factor-proposals/{proposal['id']}/drop").json()["state"] == "dropped"
    assert panel.propose().status_code == 201


def test_it_isnt_published_without_its_reviews(panel: Panel) -> None:
    proposal = panel.proposed()
    panel.accepted(proposal, 2)
    assert code(panel.claims(proposal)) == (409, "conflict")
    refused = panel.publish(proposal)
    assert code(refused) == (409, "conflict")
    assert "1 more of 3 reviews that count: there are 2" in refused.json()["detail"]
    size = panel.exchange.size
    assert panel.review(panel.experts[2], proposal, "rejected", reason="another source is better").status_code == 201
    assert panel.exchange.size == size + 1, "the refused one left nothing"
    assert panel.publish(proposal).status_code == 201, "two of three accept it"


def test_a_maintainer_may_ask_for_more_reviews_and_never_for_fewer(panel: Panel) -> None:
    more = panel.proposed(panel=4, accept=4)
    panel.accepted(more)
    assert panel.show(more)["missing"] == [
        "1 more of 4 reviews that count: there are 3",
        "1 more of 4 reviews that accept it: there are 3",
    ]
    for fewer in ({"panel": 1}, {"accept": 1}, {"panel": 2, "accept": 2}):
        assert code(panel.propose(release_file("3"), **fewer)) == (400, "statement")
    as_ruled = panel.proposed(release_file("3"))
    assert (as_ruled["panel"], as_ruled["accept"]) == (3, 2)
    assert code(panel.propose(release_file("4"), panel=3, accept=4)) == (400, "statement")


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"digest": "0" * 64}, "digest"),
        ({"version": "9"}, "version"),
        ({"id": "other"}, "id"),
        ({"reviews": []}, "reviews"),
    ],
)
def test_what_is_signed_is_what_was_reviewed(panel: Panel, changes: dict[str, Any], where: str) -> None:
    proposal = panel.proposed()
    panel.accepted(proposal)
    refused = panel.publish(proposal, **changes)
    assert code(refused) == (400, "statement")
    assert refused.json()["where"] == where
    assert panel.show(proposal)["state"] == "proposed"


def test_another_maintainer_publishes_nothing_of_it(panel: Panel) -> None:
    proposal = panel.proposed()
    panel.accepted(proposal)
    other = panel.exchange.member("other-factors", "factor_maintainer")
    assert code(panel.exchange.post(other.sign(FACTOR_RELEASE, panel.claims(proposal).json()))) == (403, "rights")


def test_a_release_that_was_overtaken_is_proposed_again(panel: Panel) -> None:
    first, second = panel.proposed(), panel.proposed(release_file("3", factor="1.2"))
    for proposal in (first, second):
        panel.accepted(proposal)
    assert panel.publish(first).status_code == 201
    refused = panel.publish(second)
    assert code(refused) == (409, "conflict")
    assert "since this one was proposed" in refused.json()["detail"]


# -- reviews ---------------------------------------------------------------------------------------------------------


def test_reviews_of_the_proposers_group_or_with_a_barring_conflict_dont_count(panel: Panel) -> None:
    own = Company.join(panel.exchange, "own-expert", roles=["expert"], corporate_group="Factor Group")
    proposing = Company.join(panel.exchange, "proposing", roles=["factor_maintainer"], corporate_group=" factor  group")
    panel.maintainer = proposing.member
    data = release_file()
    body = {"file": data.decode(), "digest": digest_of(data)}
    proposal = proposing.admin.post("/api/v1/factor-proposals", json=body).json()
    said = {"digest": proposal["digest"], "outcome": "accepted", "conflicts": []}
    issued = own.member.sign(REVIEW, said)
    sent = own.admin.post("/api/v1/statements", json={"statement": join_presentation(issued.token, issued.disclosures)})
    assert sent.status_code == 201, sent.text
    tied = [{"relation": "authorship", "text": "wrote the source"}]
    assert panel.review(panel.experts[0], proposal, conflicts=tied).status_code == 201
    harmless = [{"relation": "contract", "text": "advised them in 2020"}]
    assert panel.review(panel.experts[1], proposal, conflicts=harmless).status_code == 201
    found = panel.show(proposal)
    assert [one["uncounted"] for one in found["reviews"]] == [
        "the reviewer is the proposer or of its corporate group",
        "a conflict of interest is declared: authorship",
        None,
    ]
    assert found["counted"] == 1


def test_only_experts_review_and_conflicts_have_to_be_declared(panel: Panel) -> None:
    proposal = panel.proposed()
    authority = panel.exchange.member("authority-of-others", "factor_maintainer")
    assert code(panel.review(authority, proposal)) == (403, "rights")
    unsaid = {"digest": proposal["digest"], "outcome": "accepted"}
    assert code(panel.exchange.post(panel.experts[0].sign(REVIEW, unsaid))) == (400, "record")
    unreasoned = panel.review(panel.experts[0], proposal, "returned")
    assert code(unreasoned) == (400, "record")
    assert code(panel.review(panel.experts[0], {"digest": "f" * 64})) == (400, "statement")


def test_a_newer_review_takes_the_place_of_the_experts_older_one(panel: Panel) -> None:
    proposal = panel.proposed()
    panel.review(panel.experts[0], proposal, "rejected", reason="the unit is wrong")
    panel.review(panel.experts[0], proposal)
    found = panel.show(proposal)
    assert found["counted"] == 1
    assert "newer" in found["reviews"][0]["uncounted"]


def test_remarks_are_tracked_to_an_answer(panel: Panel) -> None:
    proposal = panel.proposed()
    panel.accepted(proposal, 2)
    remark = {"id": "r1", "to": "factor_maintainer", "text": "which year is it?", "about": "nickel-sulfate"}
    assert panel.review(panel.experts[2], proposal, remarks=[remark]).status_code == 201
    refused = panel.publish(proposal)
    assert "answers to the remarks r1 of entry" in refused.json()["detail"]
    answers = {
        "digest": proposal["digest"],
        "outcome": "answered",
        "conflicts": [],
        "answers": [{"id": "a", "remark": "r1", "text": "2022"}],
    }
    other = panel.exchange.member("other-factors", "factor_maintainer")
    assert code(panel.exchange.post(other.sign(REVIEW, answers))) == (403, "rights")
    assert panel.exchange.post(panel.maintainer.sign(REVIEW, answers)).status_code == 201
    assert panel.show(proposal)["reviews"][2]["answers"] == {"r1": "2022"}
    assert code(panel.exchange.post(panel.maintainer.sign(REVIEW, answers))) == (400, "statement"), "answered already"
    assert panel.publish(proposal).status_code == 201


def test_what_reviews_say_is_for_insiders(panel: Panel) -> None:
    proposal = panel.proposed()
    panel.review(panel.experts[0], proposal, "rejected", reason="an opinion")
    rival = Company.join(panel.exchange, "rival")
    seen = rival.admin.get(f"/api/v1/factor-proposals/{proposal['id']}")
    assert seen.status_code == 200
    assert seen.json()["reviews"] is None
    assert "an opinion" not in seen.text
    assert "an opinion" in json.dumps(panel.show(proposal))


def test_a_review_that_a_release_rests_on_is_kept(panel: Panel) -> None:
    proposal = panel.proposed()
    expert = panel.experts[0]
    leaf = panel.review(expert, proposal).json()["leaf_hash"]
    body = {"leaf_hash": leaf, "reason": "owner_request"}
    assert code(panel.exchange.http.post("/api/v1/erasures", json=body)) == (409, "held")


# -- withdrawal ------------------------------------------------------------------------------------------------------


def test_a_published_release_is_withdrawn_with_its_reason(panel: Panel) -> None:
    proposal = panel.proposed()
    panel.accepted(proposal)
    panel.publish(proposal)
    assert code(panel.withdraw(proposal, panel.exchange.member("other-factors", "factor_maintainer"))) == (
        403,
        "rights",
    )
    assert panel.withdraw(proposal).status_code == 201
    found = panel.show(proposal)
    assert (found["state"], found["reason"]) == ("withdrawn", "the source erred")
    assert code(panel.publish(proposal)) == (409, "conflict")
    assert code(panel.propose()) == (409, "conflict"), "it never comes again"


def test_results_in_use_are_flagged(panel: Panel) -> None:
    maker, result = panel.result()
    watch = panel.exchange.services.watch
    watch.tick()
    proposal = panel.proposed()
    panel.accepted(proposal)
    published = panel.publish(proposal).json()["index"]
    watch.tick()

    def causes() -> set[str]:
        found = panel.exchange.http.get(f"/api/v1/footprints/{result['digest']}/stale").json()
        return {one["cause"] for one in found["causes"]}

    assert causes() == {f"release-published:{published}"}
    events = panel.exchange.http.get("/api/v1/inbox", params={"organisation": maker.uri}).json()["events"]
    assert "packtrace.result.stale" in [one["type"] for one in events]


def test_results_made_with_a_withdrawn_release_are_flagged(panel: Panel) -> None:
    """The operator withdraws what came with the software, by its own key."""
    _maker, result = panel.result()
    operator = panel.exchange.services.installation.operator
    index = next(one for one in range(20) if _states(panel.exchange, one, load_release(EVERBATT).digest))
    entry = panel.exchange.http.get(f"/api/v1/entries/{index}").json()
    target = {"origin": panel.exchange.origin, "index": index, "leaf_hash": entry["leaf_hash"]}
    hand = Member(panel.exchange, operator.uri, operator.key)
    answer = panel.exchange.post(hand.sign(WITHDRAWALS, {"target": target, "reason": "the source erred"}))
    assert answer.status_code == 201, answer.text
    panel.exchange.services.watch.tick()
    found = panel.exchange.http.get(f"/api/v1/footprints/{result['digest']}/stale").json()
    assert [one["cause"] for one in found["causes"]] == [f"release-withdrawn:{answer.json()['index']}"]


def _states(exchange: Exchange, index: int, digest: str) -> bool:
    entry = exchange.http.get(f"/api/v1/entries/{index}").json()
    return read_unverified(entry["token"], ()).open_claims.get("digest") == digest


# -- what a proposal moves -------------------------------------------------------------------------------------------


def test_the_difference_is_by_row(panel: Panel) -> None:
    added = json.loads(release_bytes(EVERBATT))["rows"][0] | {"id": "new-row", "flow": "new-flow"}
    proposal = panel.proposed(release_file(added=[added], removed=["copper"]))
    found = panel.exchange.http.get(f"/api/v1/factor-proposals/{proposal['id']}/difference").json()
    assert [one["id"] for one in found["added"]] == ["new-row"]
    assert [one["id"] for one in found["removed"]] == ["copper"]
    (changed,) = found["changed"]
    assert (changed["id"], changed["members"]) == ("nickel-sulfate", ["value"])
    assert float(changed["relative"]) == pytest.approx(0.1)
    assert Decimal(changed["new"]["value"]) == Decimal(changed["old"]["value"]) * Decimal("1.1")


def test_the_effect_names_the_results_that_move_and_their_new_figure(panel: Panel) -> None:
    maker, result = panel.result()
    untouched = panel.exchange.member("other-maker")
    lines = line(name="copper", flow="copper")
    untouched.state(
        ACTIVITY_DATA, activity(untouched.product("wire"), lines, outputs=[line(product=untouched.product("wire"))])
    )
    assert panel.exchange.footprint(untouched.product("wire"), untouched.uri).status_code == 201
    proposal = panel.proposed()
    moved, tally = panel.effect(proposal)
    assert (moved["result"], moved["reader"], moved["rows"]) == (result["digest"], maker.uri, ["nickel-sulfate"])
    assert moved["before"] == result["result"]["headline"]["value"]
    assert float(moved["relative"]) == pytest.approx(0.1)
    assert tally == {"done": 2, "total": 2, "moved": 1, "refused": 0, "others": None}


@pytest.mark.parametrize("factor", ["0.5", "1.0001", "3"])
def test_moved_figures_are_those_of_the_calculation(panel: Panel, factor: str) -> None:
    """The linear way and computing again agree to the last stored digits."""
    panel.result()
    fast, _ = panel.effect(panel.proposed(release_file("2", factor=factor)))
    # Another unit of words alone would do; a year makes it look the row up anew.
    data = json.loads(release_file("3", factor=factor))
    for row in data["rows"]:
        if row["id"] == "nickel-sulfate":
            row["valid_from"] = 2000
    slow, _ = panel.effect(panel.proposed(json.dumps(data).encode()))
    assert (fast["recalculated"], slow["recalculated"]) == (False, True)
    assert float(fast["after"]) == pytest.approx(float(slow["after"]), rel=1e-9)
    assert float(fast["after"]) != float(fast["before"])


def test_a_row_that_is_gone_refuses_or_gaps_and_is_said(panel: Panel) -> None:
    panel.result()
    moved, tally = panel.effect(panel.proposed(release_file(rows=(), removed=["nickel-sulfate"])))
    assert moved["recalculated"]
    assert moved["rows"] == ["nickel-sulfate"]
    assert moved["after"] is None
    assert "nickel-sulfate" in moved["refused"]
    assert tally["refused"] == 1


def test_a_row_that_was_added_is_taken_where_it_fits_better(panel: Panel) -> None:
    panel.result()
    row = next(one for one in json.loads(release_bytes(EVERBATT))["rows"] if one["id"] == "nickel-sulfate")
    newer = row | {"id": "nickel-sulfate-2025", "year": 2025, "value": str(2 * Decimal(row["value"]))}
    moved, _tally = panel.effect(panel.proposed(release_file(rows=(), added=[newer])))
    assert moved["recalculated"]
    assert float(moved["relative"]) == pytest.approx(1.0)


NOTHING = {"done": 0, "total": 0, "moved": 0, "refused": 0, "others": None}


def grouped(exchange: Exchange, slug: str, group: str) -> None:
    """State the corporate group of an organisation."""
    with exchange.services.installation.engine.begin() as connection, Session(connection) as session:
        session.get_one(OrganisationRow, f"https://{slug}.example").corporate_group = group
        session.commit()


def test_others_effects_are_told_of_five_corporate_groups_in_steps_and_only_to_who_judges(panel: Panel) -> None:
    """Groups in whatever spelling; neither the proposer's own nor the asker's is among them."""
    expert = Company.join(panel.exchange, "judging", roles=["expert"], corporate_group="Judges")
    rival = Company.join(panel.exchange, "rival")
    proposal = panel.proposed()
    grouped(panel.exchange, "factors", "Factor Group")
    # One and one in another spelling, one of the proposer's, one of the asker's: four groups of others in all.
    for slug, group in (
        ("maker-1", "Big Co"),
        ("maker-2", "BIG  co"),
        ("maker-3", "factor  group"),
        ("maker-4", "judges"),
    ):
        panel.result(slug)
        grouped(panel.exchange, slug, group)
    for count in range(5, 8):
        panel.result(f"maker-{count}")
    assert panel.effect(proposal, expert.admin) == [NOTHING], "of four groups not even a number"
    _maker, result = panel.result("maker-8")
    answer = expert.admin.get(f"/api/v1/factor-proposals/{proposal['id']}/effect")
    assert result["digest"] not in answer.text
    (tally,) = [json.loads(one) for one in answer.text.splitlines()]
    # Each of them rises by a tenth: "5 % or more" and no figure of anybody's.
    others = {"groups_at_least": 5, "refused_at_least": None, "rise_at_least": "0.05", "fall_at_least": None}
    assert tally == {"done": 8, "total": 8, "moved": 0, "refused": 0, "others": others}
    # What held for three results, and then for six, would tell of the three between.
    effects = replace(panel.exchange.services.effects, step=3)
    told = effects.of(Principal(expert.uri, "member:judging", frozenset({"data:read"})), proposal["id"])
    assert [(one.done, one.others is None) for one in told if isinstance(one, Tally)] == [
        (3, True),
        (6, True),
        (8, False),
    ]
    assert panel.effect(proposal, rival.admin) == [NOTHING], "no more than its own"
    # Row after row, or by halves, each answer would narrow somebody's figure down a little more.
    later = []
    for version in ("3", "4"):
        panel.exchange.clock.now += timedelta(seconds=1)
        later.append(panel.proposed(release_file(version, factor="1.6")))
    assert panel.effect(later[0], expert.admin)[-1]["others"] == others | {"rise_at_least": "0.5"}
    assert panel.effect(later[1], expert.admin) == [NOTHING]
    assert panel.effect(proposal, expert.admin)[-1]["others"] == others, "the first two stay told"


def test_of_others_nothing_is_told_that_holds_for_fewer_than_five_groups() -> None:
    rules = load_review_rules().effect
    groups = _Groups(frozenset({"own"}))
    moved = Moved("r", "o", "p", "s", (), "1", "1.3", "kg", recalculated=False)
    for n in range(4):
        groups.take(moved, f"group-{n}")
        groups.take(moved, "own")
    assert groups.told(rules) is None
    for n in range(4, 12):
        groups.take(replace(moved, after="0.97", why="no row" if n > 7 else None), f"group-{n}")
    told = groups.told(rules)
    assert told == Others(10, None, None, Decimal("0.01")), "four rise, four are refused: of neither anything"


def test_the_effect_tells_how_far_it_is(panel: Panel) -> None:
    for count in range(3):
        panel.result("maker", f"salt-{count}")
    proposal, services = panel.proposed(), panel.exchange.services
    told = replace(services.effects, step=2).of(services.standing_in, proposal["id"])
    assert [one.done if isinstance(one, Tally) else "moved" for one in told] == ["moved", "moved", 2, "moved", 3]


def test_other_proxies_are_a_difference_and_computed(panel: Panel) -> None:
    panel.result()
    file = json.loads(release_bytes(EVERBATT)) | {"version": "2", "proxies": []}
    proposal = panel.proposed(json.dumps(file).encode())
    found = panel.exchange.http.get(f"/api/v1/factor-proposals/{proposal['id']}/difference").json()
    assert found["changed"] == found["added"] == []
    assert found["proxies"]["new"] == []
    assert found["proxies"]["old"]
    (tally,) = panel.effect(proposal)
    assert (tally["total"], tally["moved"]) == (1, 0), "computed again, this one comes out the same"

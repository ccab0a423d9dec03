"""The steps of an engagement: random parties in random orders, each refusal by name, and which opinion is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bom_graph import BomGraphError, misstatement
from exchange.engagement import AT_WORK, STEPS, Engagement, Weighed, allowed, load_rules, objections, weigh
from exchange.errors import (
    AccreditationError,
    ConflictError,
    EngagementError,
    ExchangeError,
    IndependenceError,
    NotFoundError,
    RightsError,
    StaleError,
    StepError,
)
from exchange.kinds.filing import Opinion
from tests.exchange.engagements import ACCREDITED, LINES, SUPPLIER, Desk, asked, facts
from tests.exchange.filings import AUTHORITY, FILER, OTHER_RESULT, RIVAL, VERIFIER, citation

RULES = load_rules()
#: The way forward, written anew.
FORWARD = {
    "accept": ("asked", "accepted"),
    "plan": ("accepted", "planned"),
    "sample": ("planned", "sampled"),
    "assess": ("sampled", "assessed"),
    "review": ("assessed", "reviewed"),
    "conclude": ("reviewed", "concluded"),
}
DEFECTS: Mapping[str, dict[str, Any]] = {
    "nothing": {},
    "an older state": {"previous": citation(3)},
    "another result": {"result": OTHER_RESULT},
    "another opinion": {"opinion": "adverse"},
    "the reviewer in the team": {"reviewer": {"function": "internal_independent", "mark": "A-1"}},
    "another's finding": {"concerned": RIVAL},
    "a supplier's finding": {"concerned": SUPPLIER, "finding": "F2"},
    "other lines": {"items": [{"item": "contributions/3"}]},
    "sent back": {"outcome": "returned"},
}
FACTS: Mapping[str, dict[str, Any]] = {
    "as they should be": {},
    "one group": {"same_group": True},
    "a supplier too": {"relations": ("it signed what the result rests on",)},
    "no accreditation": {"accreditations": ()},
    "stale": {"stale": ("entry 7 was taken back",)},
    "no roles": {"roles": frozenset()},
}


class Parties(RuleBasedStateMachine):
    """Whoever tries whatever, whenever: an engagement moves by the right party's statement, in order, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.history: list[tuple[str, str, str, str]] = []

    @rule(
        step=st.sampled_from([*STEPS, "conclude"]),
        signer=st.sampled_from([VERIFIER, FILER, SUPPLIER, RIVAL, AUTHORITY]),
        defect=st.sampled_from(["nothing"] * len(DEFECTS) + sorted(DEFECTS)),
        known=st.sampled_from(["as they should be"] * 3 * len(FACTS) + sorted(FACTS)),
    )
    def try_(self, step: str, signer: str, defect: str, known: str) -> None:
        self._try(step, signer, DEFECTS[defect], FACTS[known])

    @rule(extra=st.sampled_from(["", "", "find", "answer", "close", "visit", "examine"]))
    def go_on(self, extra: str) -> None:
        """The verifier does what comes next, so that the far states are reached."""
        ahead = {before: step for step, (before, _after) in FORWARD.items()}
        step = extra or ahead.get(self.desk.now.state)
        if step == "assess" and not extra and not self.desk.now.examined:
            step = "examine"
        if step is not None:
            self._try(step, FILER if step == "answer" else VERIFIER, {}, {})

    def _try(self, step: str, signer: str, changes: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        before = self.desk.now
        claims = {} if step == "conclude" else self.desk.claims(step)
        named = {"result", "opinion"} if step == "conclude" else claims.keys()
        fitting = {name: value for name, value in changes.items() if name in named}
        try:
            if step == "conclude":
                after = self.desk.conclude(signer, facts(signer, **known), **fitting)
            else:
                after = self.desk.take(step, signer, facts(signer, **known), **fitting)
        except (ExchangeError, BomGraphError):
            assert self.desk.now == before, "what is refused changes nothing"
            return
        assert known.get("roles") is None or step in ("answer", "conclude"), "nobody acts without a role"
        if step in ("accept", "conclude"):
            assert not {"same_group", "relations", "accreditations", "stale"} & known.keys()
        self.history.append((step, before.state, after.state, signer))

    @invariant()
    def each_move_is_of_the_table(self) -> None:
        for step, before, after, signer in self.history:
            assert signer == VERIFIER or step == "answer"
            if before != after:
                back = {"plan": "planned", "review": "sampled", "sample": "sampled"}
                assert (before, after) == FORWARD.get(step) or step == "decline" or back.get(step) == after

    @invariant()
    def what_is_concluded_was_reviewed(self) -> None:
        now = self.desk.now
        if now.state not in ("reviewed", "concluded"):
            return
        steps = [step for step, *_rest in self.history]
        for one in ("accept", "plan", "sample", "assess", "review"):
            assert one in steps
        assert {*now.certain, *now.drawn} <= now.examined.keys()
        assert now.assessed is not None
        assert all(one.state != "open" for one in now.findings if one.severity != "observation")
        if now.assessed.opinion == "unmodified":
            assert not [one for one in now.findings if one.stands and one.severity in ("major", "critical")]
        if now.state == "concluded":
            assert steps[-1] == "conclude"

    @invariant()
    def the_reviewer_isn_t_in_the_team(self) -> None:
        if self.desk.now.terms is not None:
            assert self.desk.now.terms.reviewer not in self.desk.now.terms.team


TestParties = Parties.TestCase
TestParties.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_straight_way_leads_to_a_conclusion() -> None:
    desk = Desk()
    for step in ("accept", "plan", "visit", "sample", "examine", "find", "visit"):
        desk.take(step)
    desk.take("answer", FILER)
    desk.take("close")
    desk.take("assess")
    assert desk.take("review").state == "reviewed"
    found = desk.conclude()
    assert (found.state, found.visits, found.expires) == ("concluded", 2, date(2028, 6, 30))
    assert found.assessed is not None
    assert found.assessed.opinion == "unmodified"


# -- refusals, by name -----------------------------------------------------------------------------------------------------

_TEAM = [{"function": "lead_verifier", "mark": "A-1"}, {"function": "data_analyst", "mark": "A-2"}]
Defect = tuple[str, str, str, dict[str, Any], dict[str, Any], type[Exception], str]
#: name -> state, step, signer, changed claims, changed facts, error, where.
REFUSED: Mapping[str, Defect] = {
    "the filer accepts": ("asked", "accept", FILER, {}, {}, RightsError, "iss"),
    "a rival accepts": ("asked", "accept", RIVAL, {}, {}, NotFoundError, "engagement"),
    "a materiality of nearly all": (
        "asked",
        "accept",
        VERIFIER,
        {"materiality_percent": "10.1"},
        {},
        EngagementError,
        "materiality_percent",
    ),
    "a verifier that lost its role": ("asked", "accept", VERIFIER, {}, {"roles": frozenset()}, RightsError, "iss"),
    "a verifier of the filer's group": (
        "asked",
        "accept",
        VERIFIER,
        {},
        {"same_group": True},
        IndependenceError,
        "iss",
    ),
    "a verifier that supplies the filer": (
        "asked",
        "accept",
        VERIFIER,
        {},
        {"relations": ("it signed what the result rests on",)},
        IndependenceError,
        "iss",
    ),
    "no declaration of independence": (
        "asked",
        "accept",
        VERIFIER,
        {"independence": None},
        {},
        BomGraphError,
        "independence",
    ),
    "an accreditation that isn't registered": (
        "asked",
        "accept",
        VERIFIER,
        {"accreditation": "X-1"},
        {},
        AccreditationError,
        "accreditation",
    ),
    "a lapsed accreditation": (
        "asked",
        "accept",
        VERIFIER,
        {},
        {"accreditations": (ACCREDITED.model_copy(update={"until": date(2026, 6, 30)}),)},
        AccreditationError,
        "accreditation",
    ),
    "an accreditation that is yet to begin": (
        "asked",
        "accept",
        VERIFIER,
        {},
        {"accreditations": (ACCREDITED.model_copy(update={"since": date(2026, 7, 2)}),)},
        AccreditationError,
        "accreditation",
    ),
    "a chemistry out of scope": (
        "asked",
        "accept",
        VERIFIER,
        {},
        {"chemistry_group": "NMC"},
        AccreditationError,
        "accreditation",
    ),
    "a rule set out of scope": (
        "asked",
        "accept",
        VERIFIER,
        {},
        {"rule_set": "eu-cfb-draft-2024-partial"},
        AccreditationError,
        "accreditation",
    ),
    "a reviewer of the team": (
        "asked",
        "accept",
        VERIFIER,
        {"reviewer": {"function": "internal_independent", "mark": "A-2"}},
        {},
        EngagementError,
        "reviewer",
    ),
    "a team without a lead": ("asked", "accept", VERIFIER, {"team": _TEAM[1:]}, {}, EngagementError, "team"),
    "one person twice": ("asked", "accept", VERIFIER, {"team": [*_TEAM, _TEAM[0]]}, {}, EngagementError, "team"),
    "a person by name": (
        "asked",
        "accept",
        VERIFIER,
        {"team": [{"id": "x", "function": "lead_verifier", "mark": "Ada Example"}]},
        {},
        BomGraphError,
        "team/x/mark",
    ),
    "a stale result": ("asked", "accept", VERIFIER, {}, {"stale": ("newer",)}, StaleError, "result"),
    "a result of nothing": (
        "asked",
        "accept",
        VERIFIER,
        {},
        {"lines": replace(LINES, total_kg=Decimal(0))},
        EngagementError,
        "result",
    ),
    "work before acceptance": ("asked", "plan", VERIFIER, {}, {}, StepError, "engagement"),
    "a sample before the plan": (
        "accepted",
        "sample",
        VERIFIER,
        {"population": "0" * 64, "items": []},
        {},
        StepError,
        "engagement",
    ),
    "a second acceptance": ("accepted", "accept", VERIFIER, {}, {}, StepError, "engagement"),
    "an older state": ("accepted", "plan", VERIFIER, {"previous": citation(3)}, {}, StaleError, "previous"),
    "a stage without risk": (
        "accepted",
        "plan",
        VERIFIER,
        {"risks": [{"stage": "manufacturing", "risk": "low", "why": "-", "response": "-"}]},
        {},
        EngagementError,
        "risks",
    ),
    "a sample of one's choice": (
        "planned",
        "sample",
        VERIFIER,
        {"items": [{"item": "contributions/0"}]},
        {},
        EngagementError,
        "items",
    ),
    "a sample of other lines": ("planned", "sample", VERIFIER, {"population": "0" * 64}, {}, StaleError, "population"),
    "examination before the sample": (
        "planned",
        "examine",
        VERIFIER,
        {"examined": [{"item": "contributions/0", "conclusion": "verified", "error_kg": "0"}]},
        {},
        StepError,
        "engagement",
    ),
    "a line that wasn't drawn": (
        "sampled",
        "examine",
        VERIFIER,
        {"examined": [{"id": "x", "item": "contributions/99", "conclusion": "verified", "error_kg": "0"}]},
        {},
        EngagementError,
        "examined/x",
    ),
    "a forecast that is verified": (
        "sampled",
        "examine",
        VERIFIER,
        {"examined": [{"id": "x", "item": "contributions/12", "conclusion": "verified", "error_kg": "0"}]},
        {},
        EngagementError,
        "examined/x",
    ),
    "history that is validated": (
        "sampled",
        "examine",
        VERIFIER,
        {"examined": [{"id": "x", "item": "contributions/0", "conclusion": "validated", "error_kg": "0"}]},
        {},
        EngagementError,
        "examined/x",
    ),
    "a visit by somebody else": (
        "planned",
        "visit",
        VERIFIER,
        {"visitors": [{"id": "v", "mark": "C-1"}]},
        {},
        EngagementError,
        "visitors/v",
    ),
    "a visit to come": (
        "planned",
        "visit",
        VERIFIER,
        {"period": {"start": "2026-07-01", "end": "2026-07-02"}},
        {},
        EngagementError,
        "period",
    ),
    "a finding about nobody": ("sampled", "find", VERIFIER, {"concerned": RIVAL}, {}, EngagementError, "concerned"),
    "a finding about a line that isn't seen": (
        "sampled",
        "find",
        VERIFIER,
        {"item": "contributions/99"},
        {},
        EngagementError,
        "item",
    ),
    "a supplier's line laid to the filer": (
        "sampled",
        "find",
        VERIFIER,
        {"item": "contributions/1"},
        {},
        EngagementError,
        "concerned",
    ),
    "an answer to no finding": ("sampled", "answer", FILER, {}, {}, NotFoundError, "finding"),
    "closing no finding": ("sampled", "close", VERIFIER, {}, {}, NotFoundError, "finding"),
    "an opinion before the examination": ("sampled", "assess", VERIFIER, {}, {}, EngagementError, "engagement"),
    "another net misstatement": (
        "examined",
        "assess",
        VERIFIER,
        {"net_percent": "1.00"},
        {},
        EngagementError,
        "net_percent",
    ),
    "an adverse opinion on nothing": (
        "examined",
        "assess",
        VERIFIER,
        {"opinion": "adverse"},
        {},
        EngagementError,
        "opinion",
    ),
    "a disclaimer with everything seen": (
        "examined",
        "assess",
        VERIFIER,
        {"opinion": "disclaimed"},
        {},
        EngagementError,
        "opinion",
    ),
    "lines that were granted since": (
        "examined",
        "assess",
        VERIFIER,
        {},
        {"lines": replace(LINES, units=LINES.units[:-1])},
        StaleError,
        "engagement",
    ),
    "a review by the team": (
        "assessed",
        "review",
        VERIFIER,
        {"reviewer": {"function": "internal_independent", "mark": "A-1"}},
        {},
        EngagementError,
        "reviewer",
    ),
    "a review before an opinion": ("examined", "review", VERIFIER, {}, {}, StepError, "engagement"),
    "anything after the conclusion": ("concluded", "plan", VERIFIER, {}, {}, StepError, "engagement"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_step_is_refused_and_nothing_changes(name: str) -> None:
    state, step, signer, claims, known, error, where = REFUSED[name]
    desk = Desk().reach(state)
    before = desk.now
    with pytest.raises(error) as caught:
        desk.take(step, signer, facts(signer, **known), **claims)
    assert caught.value.where == where  # type: ignore[attr-defined]
    assert caught.value.remedy  # type: ignore[attr-defined]
    assert desk.now == before


Conclusion = tuple[str, str, dict[str, Any], dict[str, Any], type[Exception], str]
REFUSED_CONCLUSIONS: Mapping[str, Conclusion] = {
    "before its review": ("assessed", VERIFIER, {}, {}, StepError, "engagement"),
    "by the filer": ("reviewed", FILER, {}, {}, NotFoundError, "engagement"),
    "on another result": ("reviewed", VERIFIER, {"result": OTHER_RESULT}, {}, StaleError, "result"),
    "on a stale result": ("reviewed", VERIFIER, {}, {"stale": ("newer",)}, StaleError, "result"),
    "another opinion than reviewed": ("reviewed", VERIFIER, {"opinion": "modified"}, {}, EngagementError, "opinion"),
    "another materiality": (
        "reviewed",
        VERIFIER,
        {"materiality_percent": "10"},
        {},
        EngagementError,
        "materiality_percent",
    ),
    "without the seed": ("reviewed", VERIFIER, {"sampling_seed": None}, {}, EngagementError, "sampling_seed"),
    "another engagement": ("reviewed", VERIFIER, {"engagement": "x"}, {}, EngagementError, "engagement"),
    "forecasts that nobody validated": ("reviewed", VERIFIER, {"validated": None}, {}, EngagementError, "validated"),
    "beyond three years": ("reviewed", VERIFIER, {"expires": "2029-07-02"}, {}, EngagementError, "expires"),
    "beyond the accreditation": ("reviewed", VERIFIER, {"expires": "2029-01-01"}, {}, EngagementError, "expires"),
    "an accreditation that lapsed meanwhile": (
        "reviewed",
        VERIFIER,
        {},
        {"accreditations": (ACCREDITED.model_copy(update={"until": date(2026, 6, 1)}),)},
        AccreditationError,
        "accreditation",
    ),
    "a group joined meanwhile": ("reviewed", VERIFIER, {}, {"same_group": True}, IndependenceError, "iss"),
    "a contract won meanwhile": ("reviewed", VERIFIER, {}, {"relations": ("x",)}, IndependenceError, "iss"),
}


@pytest.mark.parametrize("name", REFUSED_CONCLUSIONS)
def test_a_conclusion_is_refused(name: str) -> None:
    state, signer, claims, known, error, where = REFUSED_CONCLUSIONS[name]
    desk = Desk().reach(state)
    before = desk.now
    with pytest.raises(error) as caught:
        desk.conclude(signer, facts(signer, **known), **claims)
    assert caught.value.where == where  # type: ignore[attr-defined]
    assert desk.now == before


def test_the_filer_can_t_be_its_own_verifier() -> None:
    desk = Desk(asked().model_copy(update={"verifier": FILER}))
    with pytest.raises(IndependenceError, match="itself"):
        desk.take("accept", FILER)


@pytest.mark.parametrize("state", sorted({"asked", *AT_WORK}))
def test_an_engagement_is_declined_until_it_is_concluded(state: str) -> None:
    assert Desk().reach(state).take("decline").state == "declined"


# -- findings --------------------------------------------------------------------------------------------------------------


def test_a_review_waits_for_the_answers() -> None:
    desk = Desk().reach("examined")
    desk.take("find", severity="minor")
    desk.take("assess")
    with pytest.raises(EngagementError, match="aren't answered: F1"):
        desk.take("review")
    with pytest.raises(RightsError):
        desk.take("answer", VERIFIER)
    desk.take("answer", FILER)
    assert desk.take("review").state == "reviewed"


def test_a_finding_about_a_supplier_s_line_is_the_supplier_s_to_answer() -> None:
    desk = Desk().reach("sampled")
    desk.take("find", concerned=SUPPLIER, item="contributions/1")
    with pytest.raises(RightsError):
        desk.take("answer", FILER)
    with pytest.raises(EngagementError, match="isn't answered"):
        desk.take("close")
    assert desk.take("answer", SUPPLIER).findings[0].state == "answered"
    assert desk.take("close", closing="uncorrected").findings[0].stands
    with pytest.raises(EngagementError, match="uncorrected"):
        desk.take("answer", SUPPLIER)


def test_a_supplier_that_no_finding_concerns_is_no_party() -> None:
    with pytest.raises(NotFoundError):
        Desk().reach("sampled").take("answer", SUPPLIER)


def test_two_findings_have_two_ids() -> None:
    desk = Desk().reach("sampled")
    desk.take("find")
    with pytest.raises(ConflictError):
        desk.take("find")


def test_a_returned_assessment_is_made_again() -> None:
    desk = Desk().reach("assessed")
    back = desk.take("review", outcome="returned")
    assert (back.state, back.assessed) == ("sampled", None)
    assert desk.take("assess").state == "assessed"


# -- weighing --------------------------------------------------------------------------------------------------------------


def weighed(desk: Desk, **changes: Any) -> Weighed:
    return weigh(desk.now, replace(LINES, **changes))


def test_worked_example_l_comes_out_of_findings_and_a_projection() -> None:
    """+180 and -120 found, +150 projected: net 210 (2.77 %), absolute 450 (5.94 %) of 7,580.908 kg."""
    desk = Desk().reach("sampled")
    # Four of ten lines of 100 kg are drawn of the first stage: 100 kg too low in them is 150 of the 600 that weren't drawn.
    small = [item for item in desk.now.drawn if item not in ("contributions/11", "contributions/12")]
    assert len(small) == 4
    errors = dict.fromkeys(desk.sample, "0") | dict.fromkeys(small, "25") | {"contributions/0": "80"}
    desk.take("examine", examined=[desk.examined(item, error) for item, error in errors.items()])
    desk.take("find", severity="minor", error_kg="-120")
    found = weighed(desk).misstatement
    assert (found.net, found.absolute) == (Decimal(210), Decimal(450))
    assert (f"{found.net_share:.2%}", f"{found.absolute_share:.2%}") == ("2.77%", "5.94%")
    assert (found.net_is_material, found.absolute_is_material) == (False, True)
    with pytest.raises(EngagementError, match="no basis says why"):
        desk.take("assess")
    assert desk.take("assess", basis="both are of one meter, read a day late").state == "assessed"


def test_a_finding_of_a_line_that_was_examined_counts_once() -> None:
    desk = Desk().reach("sampled")
    errors = dict.fromkeys(desk.sample, "0") | {"contributions/0": "40"}
    desk.take("examine", examined=[desk.examined(item, error) for item, error in errors.items()])
    desk.take("find", item="contributions/0", error_kg="40")
    assert weighed(desk).misstatement.net == Decimal(40)


def test_an_error_is_resolved_by_saying_what_remains_of_it() -> None:
    """The result is what it was: what isn't said to be none after all weighs on."""
    desk = Desk().reach("examined")
    desk.take("find", error_kg="500")
    assert weighed(desk).misstatement.net_is_material
    desk.take("answer", FILER)
    with pytest.raises(EngagementError, match="the result is what it was") as refused:
        desk.take("close")
    assert refused.value.where == "error_kg"
    half = replace(desk)
    half.take("close", error_kg="450", text="a bill of 50 kg was found")
    assert (weighed(half).misstatement.net, weighed(half).standing) == (Decimal(450), frozenset())
    desk.take("close", error_kg="0", text="the bill was of another year")
    assert weighed(desk).misstatement.net == 0
    assert weighed(desk).standing == frozenset()


def test_a_finding_without_an_error_is_resolved_by_its_answer() -> None:
    desk = Desk().reach("examined")
    desk.take("find")
    desk.take("answer", FILER)
    desk.take("close")
    assert weighed(desk).standing == frozenset()


@pytest.mark.parametrize(("examined", "net"), [("0", 500), ("200", 500), ("500", 500), ("600", 600), ("-100", 400)])
def test_a_line_examined_as_right_hides_no_finding_about_it(examined: str, net: int) -> None:
    desk = Desk().reach("sampled")
    errors = dict.fromkeys(desk.sample, "0") | {"contributions/0": examined}
    desk.take("examine", examined=[desk.examined(item, error) for item, error in errors.items()])
    desk.take("find", item="contributions/0", error_kg="500")
    assert weighed(desk).misstatement.net == net


def test_what_nobody_may_see_limits_the_opinion() -> None:
    desk = Desk().reach("examined")
    lines = replace(LINES, unseen_kg=Decimal(1000))
    with pytest.raises(EngagementError, match="couldn't be looked at"):
        desk.take("assess", known=facts(VERIFIER, lines=lines))
    found = desk.take("assess", known=facts(VERIFIER, lines=lines), opinion="modified", basis="the cathode isn't seen")
    assert found.assessed is not None
    assert found.assessed.unseen_percent == Decimal("13.19")


def test_what_was_drawn_and_not_examined_counts_as_unseen() -> None:
    desk = Desk().reach("sampled")
    assert weighed(desk).unseen_share > Decimal("0.8")
    assert desk.take("assess", opinion="disclaimed").state == "assessed"


OPINIONS: Mapping[str, tuple[str, str, frozenset[str], set[Opinion]]] = {
    # net kg of 1,000, unseen share, findings that stand -> opinions
    "nothing": ("0", "0", frozenset(), {"unmodified", "modified"}),
    "at materiality": ("50", "0", frozenset(), {"unmodified", "modified"}),
    "above materiality": ("50.01", "0", frozenset(), {"adverse"}),
    "too high by as much": ("-50.01", "0", frozenset(), {"adverse"}),
    "a minor finding": ("0", "0", frozenset({"minor", "observation"}), {"unmodified", "modified"}),
    "a major finding": ("0", "0", frozenset({"major"}), {"modified"}),
    "a critical finding": ("0", "0", frozenset({"critical"}), {"adverse"}),
    "a twentieth unseen": ("0", "0.05", frozenset(), {"unmodified", "modified"}),
    "more unseen": ("0", "0.0501", frozenset(), {"modified", "disclaimed"}),
    "most unseen": ("0", "0.51", frozenset(), {"disclaimed"}),
    "misstated and unseen": ("60", "0.2", frozenset(), {"adverse", "disclaimed"}),
}


@pytest.mark.parametrize("name", OPINIONS)
def test_which_opinion_is_allowed(name: str) -> None:
    net, unseen, standing, opinions = OPINIONS[name]
    found = Weighed(misstatement(Decimal(1000), [Decimal(net)]), Decimal(unseen), Decimal("0.05"), standing)  # type: ignore[arg-type]
    assert {opinion for opinion, against in allowed(found, RULES).items() if not against} == opinions


def test_an_absolute_sum_above_materiality_asks_for_a_reason() -> None:
    both = misstatement(Decimal(1000), [Decimal(40), Decimal(-40)])
    found = Weighed(both, Decimal(0), Decimal("0.05"), frozenset())
    assert list(objections("unmodified", found, RULES, has_basis=False))
    assert not list(objections("unmodified", found, RULES, has_basis=True))
    assert not list(objections("adverse", found, RULES, has_basis=False)), "the verifier decides"


def test_an_engagement_is_kept_as_it_is() -> None:
    found = Desk().reach("concluded").now
    assert Engagement.model_validate_json(found.model_dump_json()) == found

"""The steps of a filing: random parties in random orders, each refusal by name, and the platform's result held against ours."""

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

from bom_graph import BomGraphError, Period
from exchange.errors import (
    ConflictError,
    ExchangeError,
    FilingError,
    NotFoundError,
    RightsError,
    StaleError,
    StepError,
)
from exchange.filing import DataFacts, ModelFacts, next_steps
from tests.exchange.filings import (
    AUTHORITY,
    EXPORT,
    FILER,
    FILING,
    GROUPS,
    KIN,
    LINES,
    METER,
    OTHER_RESULT,
    PARTS,
    PRODUCT,
    RESULT,
    RIVAL,
    RULES,
    VERIFIER,
    YEAR,
    Office,
    citation,
    claims_of,
    facts,
    result,
)

#: The way forward, written anew: each state reached by this step from the one before it.
FORWARD = (
    ("register", None, "registered"),
    ("plan", "registered", "planned"),
    ("complete", "planned", "data_complete"),
    ("calculate", "data_complete", "calculated"),
    ("export", "calculated", "exported"),
    ("platform", "exported", "reconciled"),
    ("submit", "reconciled", "under_verification"),
    ("verify", "under_verification", "verified"),
    ("file", "verified", "filed"),
    ("review", "filed", "accepted"),
)
SIGNERS = (FILER, RIVAL, VERIFIER, KIN, AUTHORITY)
#: What can be wrong with a statement, beside who signs it and when.
DEFECTS: Mapping[str, dict[str, Any]] = {
    "nothing": {},
    "another result": {"result": OTHER_RESULT},
    "an older state": {"previous": citation(3), "target": citation(3)},
    "another filing's model": {"sub": f"{FILER}/packs/other"},
    "an adverse opinion": {"opinion": "adverse"},
    "returned": {"outcome": "returned", "remarks": [{"id": "r1", "to": "filer", "text": "again", "step": "calculate"}]},
    "a difference": {"lines": [{"id": "total", "line": "total", "value": "0.09"}]},
    "the filer verifies": {"verifier": FILER},
    "its kin verifies": {"verifier": KIN},
}
FACTS: Mapping[str, dict[str, Any]] = {
    "as they should be": {},
    "stale": {"result": result(stale=("entry 7 was taken back",))},
    "partial": {"result": result(complete=False, heading="partial: 2 of 4 stages")},
    "no roles": {"roles": frozenset(), "verifier_roles": frozenset()},
}


class Parties(RuleBasedStateMachine):
    """Whoever tries whatever, whenever: a filing moves by the right party's statement, in order, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.office = Office()
        self.history: list[tuple[str, str | None, str, str]] = []

    @rule(
        step=st.sampled_from([step for step, _before, _after in FORWARD] + ["answer", "amend", "withdraw"]),
        signer=st.sampled_from(SIGNERS),
        defect=st.sampled_from(["nothing"] * len(DEFECTS) + sorted(DEFECTS)),
        known=st.sampled_from(["as they should be"] * 3 * len(FACTS) + sorted(FACTS)),
    )
    def try_(self, step: str, signer: str, defect: str, known: str) -> None:
        self._try(step, signer, DEFECTS[defect], FACTS[known])

    @rule(defect=st.sampled_from(["nothing"] * 6 + ["returned", "a difference", "an adverse opinion"]))
    def go_on(self, defect: str) -> None:
        """The party whose turn it is does what comes next, so that the far states are reached."""
        if self.office.filing is None:
            self._try("register", FILER, {}, {})
        elif self.office.filing.state != "withdrawn":
            step, party = next_steps(self.office.filing)[0]
            signer = {"filer": FILER, "verifier": VERIFIER, "authority": AUTHORITY}[party]
            self._try(step, signer, DEFECTS[defect], {})

    def _try(self, step: str, signer: str, changes: Mapping[str, Any], known: Mapping[str, Any]) -> None:
        _kind, claims = self.office.claims(step)
        fitting = {name: value for name, value in changes.items() if name in claims or name == "remarks"}
        if "remarks" in fitting and "outcome" not in claims:
            del fitting["remarks"]
        before = self.office.filing
        verifier = {**claims, **fitting}.get("verifier") if step == "submit" else None
        try:
            after = self.office.take(step, signer, facts(signer, verifier, **known), **fitting)
        except (ExchangeError, BomGraphError):
            assert self.office.filing == before, "what is refused changes nothing"
            return
        assert known.get("roles") is None, "nobody acts without a role"
        self.history.append((step, None if before is None else before.state, after.state, signer))

    @invariant()
    def every_state_has_its_chain(self) -> None:
        filing = self.office.filing
        if filing is None:
            assert not self.history
            return
        links = filing.chain
        assert [(link.step, link.state, link.signer) for link in links] == [
            (step, after, signer) for step, _before, after, signer in self.history
        ]
        assert [link.index for link in links] == sorted({link.index for link in links})
        for link in links:
            party = {"verify": VERIFIER, "review": AUTHORITY}.get(link.step, FILER)
            assert link.signer == party, f"{link.step} by {link.signer}"
        # What the state rests on: the newest statement of each step up to it, in order, none left out.
        if filing.state != "withdrawn":
            reached = "reconciled" if filing.state == "unreconciled" else filing.state
            needed = []
            for step, _before, after in FORWARD:
                needed.append(step)
                if after == reached:
                    break
            at: dict[str, int] = {link.step: link.index for link in links}
            assert all(step in at for step in needed), (filing.state, sorted(at))
            rests_on = [at[step] for step in needed]
            assert rests_on == sorted(rests_on), (filing.state, at)

    @invariant()
    def what_is_verified_is_the_result(self) -> None:
        filing = self.office.filing
        if filing is not None and filing.state in ("verified", "filed", "accepted"):
            assert filing.result == RESULT
            assert filing.verifier == VERIFIER
            assert filing.expires is not None

    @invariant()
    def each_move_is_of_the_table(self) -> None:
        order = [after for _step, _before, after in FORWARD]
        order.insert(order.index("reconciled"), "unreconciled")
        for step, before, after, _signer in self.history:
            if before is None:
                assert (step, after) == ("register", "registered")
            elif step == "answer":
                assert before == after
            elif step == "withdraw":
                assert (after, before in ("filed", "accepted")) == ("withdrawn", False)
            elif order.index(after) > order.index(before):
                # Forward by one, or from one side of the reconciliation to the other.
                assert (step, before, after) in FORWARD or before in ("exported", "unreconciled"), (step, before, after)


TestParties = Parties.TestCase
TestParties.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_straight_way_leads_to_acceptance() -> None:
    office = Office()
    for step, _before, after in FORWARD:
        signer = {"verify": VERIFIER, "review": AUTHORITY}.get(step, FILER)
        assert office.take(step, signer).state == after
    assert office.filing is not None
    assert [link.step for link in office.filing.chain] == [step for step, _before, _after in FORWARD]


# -- refusals, by name -----------------------------------------------------------------------------------------------------

Defect = tuple[str, str, str, dict[str, Any], dict[str, Any], type[Exception], str]
SPRING = Period.model_validate({"start": "2025-03-01", "end": "2025-05-31"})
_METERED = {"id": "power", "name": "power", "source": "meter", "function": "metering_engineer"}
_SAID = {"frequency": "monthly", "gap_treatment": "last year's"}
#: name -> state, step, signer, changed claims, changed facts, error, where.
REFUSED: Mapping[str, Defect] = {
    "a skipped step": ("registered", "calculate", FILER, {}, {}, StepError, "filing"),
    "a step of before while it is verified": ("under_verification", "plan", FILER, {}, {}, StepError, "filing"),
    "verification before the platform": ("exported", "submit", FILER, {}, {}, StepError, "filing"),
    "verification before it is asked for": ("reconciled", "verify", VERIFIER, {}, {}, NotFoundError, "filing"),
    "filing before verification": ("under_verification", "file", FILER, {}, {}, StepError, "filing"),
    "a review before filing": ("verified", "review", AUTHORITY, {}, {}, StepError, "filing"),
    "a rival's step": ("registered", "plan", RIVAL, {}, {}, NotFoundError, "filing"),
    "the filer reviews": ("filed", "review", FILER, {}, {}, RightsError, "iss"),
    "the verifier files": ("verified", "file", VERIFIER, {}, {}, RightsError, "iss"),
    "the authority files": ("verified", "file", AUTHORITY, {}, {}, RightsError, "iss"),
    "a filer that lost its role": ("planned", "complete", FILER, {}, {"roles": frozenset()}, RightsError, "iss"),
    "a verifier that lost its role": (
        "under_verification",
        "verify",
        VERIFIER,
        {},
        {"roles": frozenset()},
        RightsError,
        "iss",
    ),
    "another verifier": ("under_verification", "verify", KIN, {}, {}, NotFoundError, "filing"),
    "the filer as verifier": ("reconciled", "submit", FILER, {"verifier": FILER}, {}, RightsError, "verifier"),
    "a verifier of its group": ("reconciled", "submit", FILER, {"verifier": KIN}, {}, RightsError, "verifier"),
    "a verifier that joined the group since": (
        "under_verification",
        "verify",
        VERIFIER,
        {},
        {"groups": {**GROUPS, VERIFIER: GROUPS[FILER]}},
        RightsError,
        "verifier",
    ),
    "no verifier": ("reconciled", "submit", FILER, {"verifier": RIVAL}, {}, RightsError, "verifier"),
    "an older state": ("planned", "complete", FILER, {"previous": citation(10)}, {}, StaleError, "previous"),
    "a verification of something older": (
        "under_verification",
        "verify",
        VERIFIER,
        {"target": citation(12)},
        {},
        StaleError,
        "target",
    ),
    "a verification of another result": (
        "under_verification",
        "verify",
        VERIFIER,
        {"result": OTHER_RESULT},
        {},
        StaleError,
        "result",
    ),
    "filing another result": ("verified", "file", FILER, {"result": OTHER_RESULT}, {}, StaleError, "result"),
    "a partial result": (
        "data_complete",
        "calculate",
        FILER,
        {},
        {"result": result(complete=False)},
        FilingError,
        "result",
    ),
    "another's result": (
        "data_complete",
        "calculate",
        FILER,
        {},
        {"result": result(reader=RIVAL)},
        FilingError,
        "result",
    ),
    "no result": ("data_complete", "calculate", FILER, {}, {"result": None}, FilingError, "result"),
    "a result of another product": (
        "data_complete",
        "calculate",
        FILER,
        {},
        {"result": result(product=f"{FILER}/x")},
        FilingError,
        "result",
    ),
    "a result under other rules": (
        "data_complete",
        "calculate",
        FILER,
        {},
        {"result": result(rule_set="eu-cfb-draft-2024-partial")},
        FilingError,
        "result",
    ),
    "a result without the complete data": (
        "data_complete",
        "calculate",
        FILER,
        {},
        {"result": result(inputs=frozenset({METER}))},
        FilingError,
        "result",
    ),
    "a result from data that wasn't planned": (
        "data_complete",
        "calculate",
        FILER,
        {},
        {"result": result(own_activity=frozenset({METER, "9" * 64}))},
        FilingError,
        "result",
    ),
    **{
        f"a stale result: {step}": (state, step, signer, {}, {"result": result(stale=("newer",))}, StaleError, "result")
        for state, step, signer in (
            ("data_complete", "calculate", FILER),
            ("calculated", "export", FILER),
            ("reconciled", "submit", FILER),
            ("under_verification", "verify", VERIFIER),
            ("verified", "file", FILER),
        )
    },
    "an export of something else": ("calculated", "export", FILER, {"export": "d" * 64}, {}, StaleError, "export"),
    "a lapsed verification": ("verified", "file", FILER, {}, {"day": date(2028, 7, 1)}, StaleError, "filing"),
    "a verification that has lapsed already": (
        "under_verification",
        "verify",
        VERIFIER,
        {"expires": "2026-06-30"},
        {},
        FilingError,
        "expires",
    ),
    "a review that returns to nowhere": (
        "filed",
        "review",
        AUTHORITY,
        {"outcome": "returned", "reason": "again"},
        {},
        FilingError,
        "remarks",
    ),
    "a review that rejects": (
        "filed",
        "review",
        AUTHORITY,
        {"outcome": "rejected", "reason": "no"},
        {},
        FilingError,
        "outcome",
    ),
    "an unknown trigger": ("accepted", "amend", FILER, {"trigger": "whim"}, {}, FilingError, "trigger"),
    "a verification that hasn't lapsed": (
        "accepted",
        "amend",
        FILER,
        {"trigger": "verification_lapsed"},
        {},
        FilingError,
        "trigger",
    ),
    "an amendment before verification": ("planned", "amend", FILER, {}, {}, StepError, "filing"),
    "withdrawal of what is filed": ("filed", "withdraw", FILER, {}, {}, StepError, "filing"),
    "anything after withdrawal": ("withdrawn", "plan", FILER, {}, {}, StepError, "filing"),
    "an answer to no remark": (
        "planned",
        "answer",
        FILER,
        {"answers": [{"id": "a", "remark": "1.r1", "text": "x"}]},
        {},
        FilingError,
        "answers/a",
    ),
    "another model": ("planned", "complete", FILER, {"sub": f"{FILER}/x"}, {}, FilingError, "sub"),
    "a meter without calibration": (
        "registered",
        "plan",
        FILER,
        {"figures": [{**_METERED, **_SAID, "meter": "EM-7"}]},
        {},
        BomGraphError,
        "figures/power",
    ),
    "calibration due before it was done": (
        "registered",
        "plan",
        FILER,
        {"figures": [{**_METERED, **_SAID, "meter": "M", "calibrated": "2026-01-01", "calibration_due": "2025-01-01"}]},
        {},
        BomGraphError,
        "figures/power/calibration_due",
    ),
    "a person by name": (
        "registered",
        "plan",
        FILER,
        {"figures": [{**_SAID, "id": "x", "name": "x", "source": "invoice", "function": "Ada Example"}]},
        {},
        BomGraphError,
        "figures/x/function",
    ),
    "an empty plan": ("registered", "plan", FILER, {"figures": []}, {}, BomGraphError, "figures"),
    "a planned figure without data": (
        "planned",
        "complete",
        FILER,
        {"data": [{"id": "d1", "figure": "power", "citation": citation(1, METER)}]},
        {},
        FilingError,
        "data",
    ),
    "data that isn't planned": (
        "planned",
        "complete",
        FILER,
        {"data": [{"id": "d1", "figure": "steam", "citation": citation(1, METER)}]},
        {},
        FilingError,
        "data/d1",
    ),
    "neither data nor gap": (
        "planned",
        "complete",
        FILER,
        {"data": [{"id": "d1", "figure": "power"}]},
        {},
        FilingError,
        "data/d1",
    ),
    "data that the filer may not see": (
        "planned",
        "complete",
        FILER,
        {},
        {"data": {METER: DataFacts("activity-data", None, visible=False, counts=True)}},
        FilingError,
        "data/d1/citation",
    ),
    "data that was taken back": (
        "planned",
        "complete",
        FILER,
        {},
        {"data": {METER: DataFacts("activity-data", None, visible=True, counts=False)}},
        StaleError,
        "data/d1/citation",
    ),
    "data of another year": (
        "planned",
        "complete",
        FILER,
        {},
        {
            "data": {
                METER: DataFacts(
                    "activity-data",
                    Period.model_validate({"start": "2024-01-01", "end": "2024-12-31"}),
                    visible=True,
                    counts=True,
                )
            }
        },
        FilingError,
        "data/d1/citation",
    ),
    "another period than the plan's": (
        "planned",
        "complete",
        FILER,
        {"period": {"start": "1990-01-01", "end": "1990-12-31"}},
        {},
        FilingError,
        "period",
    ),
    "a plan that data covers in part": (
        "planned",
        "complete",
        FILER,
        {},
        {"data": {**facts(FILER).data, METER: DataFacts("activity-data", SPRING, visible=True, counts=True)}},
        FilingError,
        "data/d1",
    ),
    "a platform's result without total": (
        "exported",
        "platform",
        FILER,
        {"lines": [{"id": "a", "line": "recycling", "value": "0.1"}]},
        {},
        FilingError,
        "lines",
    ),
    "a platform's result in another unit": (
        "exported",
        "platform",
        FILER,
        {"unit": "kg CO2e"},
        {},
        FilingError,
        "unit",
    ),
    "a platform's result of tomorrow": (
        "exported",
        "platform",
        FILER,
        {"calculated": "2026-07-02"},
        {},
        FilingError,
        "calculated",
    ),
}
REFUSED_REGISTRATIONS: Mapping[str, tuple[str, dict[str, Any], dict[str, Any], type[Exception], str]] = {
    "a supplier": (VERIFIER, {}, {}, RightsError, "iss"),
    "another's model": (RIVAL, {}, {}, FilingError, "model"),
    "no such model": (FILER, {}, {"model": None}, FilingError, "model"),
    "a model that was taken back": (
        FILER,
        {},
        {"model": ModelFacts(FILER, PRODUCT, Decimal(100), counts=False)},
        FilingError,
        "model",
    ),
    "2 kWh": (FILER, {}, {"model": ModelFacts(FILER, PRODUCT, Decimal("2.0"), counts=True)}, FilingError, "model"),
    "another product": (FILER, {"sub": f"{FILER}/x"}, {}, FilingError, "sub"),
    "other rules": (FILER, {"rules": {"id": "x", "version": "1", "digest": "0" * 64}}, {}, FilingError, "rules"),
    "a model that is filed already": (FILER, {}, {"running": FILING}, ConflictError, "sub"),
    "no model": (FILER, {"model": None}, {}, BomGraphError, "model"),
}


def at(state: str) -> Office:
    office = Office()
    if state == "withdrawn":
        office.reach("planned").take("withdraw", FILER)
        return office
    return office.reach(state)


@pytest.mark.parametrize("name", REFUSED)
def test_a_step_is_refused_and_nothing_changes(name: str) -> None:
    state, step, signer, claims, known, error, where = REFUSED[name]
    office = at(state)
    before = office.filing
    known = dict(known)
    day = known.pop("day", date(2026, 7, 1))
    verifier = claims.get("verifier", VERIFIER) if step == "submit" else None
    with pytest.raises(error) as caught:
        office.take(step, signer, facts(signer, verifier, **known), day, **claims)
    assert caught.value.where == where  # type: ignore[attr-defined]
    assert caught.value.remedy  # type: ignore[attr-defined]
    assert office.filing == before


@pytest.mark.parametrize("name", REFUSED_REGISTRATIONS)
def test_a_registration_is_refused(name: str) -> None:
    signer, claims, known, error, where = REFUSED_REGISTRATIONS[name]
    office = Office()
    with pytest.raises(error) as caught:
        office.take("register", signer, facts(signer, **known), **claims)
    assert caught.value.where == where  # type: ignore[attr-defined]
    assert office.filing is None


def test_an_id_is_one_filing_s() -> None:
    office = Office().reach("planned")
    with pytest.raises(ConflictError, match="another filing's"):
        office.take("register", FILER)


@pytest.mark.parametrize(
    ("state", "first"),
    [
        ("calculated", ("calculate", "filer")),
        ("reconciled", ("calculate", "filer")),
        ("under_verification", ("amend", "filer")),
        ("verified", ("amend", "filer")),
        ("filed", ("review", "authority")),
    ],
)
def test_a_stale_filing_s_next_step_is_one_that_is_taken(state: str, first: tuple[str, str]) -> None:
    filing = at(state).filing
    assert filing is not None
    found = next_steps(filing, "calculate")
    assert found[0] == first
    assert not {"export", "submit", "verify", "file"} & {step for step, _party in found}


def test_to_answer_is_next_where_a_remark_is_open() -> None:
    office = Office().reach("filed")
    filing = office.take("review", AUTHORITY, remarks=[{"id": "r1", "to": "filer", "text": "which meter?"}])
    assert next_steps(filing)[0] == ("answer", "filer")
    answered = office.take(
        "answer", FILER, answers=[{"id": "a1", "remark": next(iter(filing.open_remarks)), "text": "EM-7"}]
    )
    assert [step for step, _party in next_steps(answered)] == ["amend", "revoke"]


def test_just_above_2_kwh_is_in_scope() -> None:
    model = ModelFacts(FILER, PRODUCT, Decimal("2.001"), counts=True)
    assert Office().take("register", FILER, facts(FILER, model=model)).state == "registered"


# -- going back ------------------------------------------------------------------------------------------------------------


def test_a_returned_filing_goes_back_to_the_earliest_step_and_answers_first() -> None:
    office = Office().reach("filed")
    remarks = [
        {"id": "r1", "to": "filer", "text": "the total", "step": "calculate"},
        {"id": "r2", "to": "filer", "text": "the meter", "step": "complete"},
        {"id": "r3", "to": "factor_maintainer", "text": "an old factor"},
    ]
    back = office.take("review", AUTHORITY, outcome="returned", remarks=remarks)
    review = back.last.index
    assert (back.state, back.data, back.result, back.verifier) == ("planned", frozenset(), None, None)
    assert back.figures, "the plan stays"
    assert back.open_remarks == {f"{review}.r1", f"{review}.r2"}
    office.reach("verified")
    with pytest.raises(FilingError, match=r"not answered"):
        office.take("file", FILER)
    office.take("answer", FILER, answers=[{"id": "a1", "remark": f"{review}.r1", "text": "corrected"}])
    filed = office.take("file", FILER, answers=[{"id": "a2", "remark": f"{review}.r2", "text": "calibrated"}])
    assert (filed.state, filed.open_remarks) == ("filed", frozenset())


@pytest.mark.parametrize(
    ("opinion", "state"), [("modified", "verified"), ("adverse", "data_complete"), ("disclaimed", "data_complete")]
)
def test_an_opinion_decides(opinion: str, state: str) -> None:
    found = Office().reach("under_verification").take("verify", VERIFIER, opinion=opinion)
    assert found.state == state
    assert (found.result is None) == (state == "data_complete")


@pytest.mark.parametrize("trigger", [one.id for one in RULES.triggers])
def test_a_trigger_leads_back_to_its_state(trigger: str) -> None:
    rule = RULES.trigger(trigger)
    assert rule is not None
    # The day after the opinion's last one.
    found = Office().reach("accepted").take("amend", FILER, day=date(2028, 7, 1), trigger=trigger)
    assert found.state == rule.back_to
    assert (found.result is None) == rule.recalculated
    assert (found.expires is None) == rule.verified_again


def test_a_verification_lapses_after_its_last_day_or_where_it_is_in_doubt() -> None:
    last = date(2028, 6, 30)
    assert Office().reach("under_verification").take("amend", FILER, trigger="verification_lapsed").expires is None
    with pytest.raises(FilingError, match="counts to 2028-06-30"):
        Office().reach("verified").take("amend", FILER, day=last, trigger="verification_lapsed")
    office = Office().reach("accepted")
    assert office.filing is not None
    doubted = facts(FILER, doubted=((office.filing.newest("verify"), "the key was declared compromised"),))
    assert office.take("amend", FILER, doubted, trigger="verification_lapsed").state == "reconciled"


def test_a_verification_that_lapsed_since_it_was_filed_isn_t_accepted() -> None:
    office = Office().reach("filed")
    with pytest.raises(StaleError, match="counted to 2028-06-30"):
        office.take("review", AUTHORITY, day=date(2028, 7, 1))
    remarks = [{"id": "r1", "to": "filer", "text": "it has lapsed", "step": "submit"}]
    returned = office.take("review", AUTHORITY, day=date(2028, 7, 1), outcome="returned", remarks=remarks)
    assert returned.state == "reconciled"
    assert Office().reach("filed").take("review", AUTHORITY, day=date(2028, 6, 30)).state == "accepted"


def test_an_earlier_step_anew_takes_what_was_built_on_it() -> None:
    office = Office().reach("reconciled")
    again = office.take("complete", FILER)
    assert (again.state, again.result, again.export) == ("data_complete", None, None)


def test_a_gap_that_is_stated_stands_for_data_and_for_a_late_calibration() -> None:
    office = Office().reach("registered")
    _kind, plan = office.claims("plan")
    late = [{**plan["figures"][0], "calibration_due": "2025-06-30"}, plan["figures"][1]]
    office.take("plan", FILER, figures=late)
    data: list[dict[str, Any]] = [
        {"id": "d1", "figure": "power", "citation": citation(1, METER)},
        {"id": "d2", "figure": "cells", "gap": "counted by hand in May"},
    ]
    with pytest.raises(FilingError, match="due for calibration on 2025-06-30"):
        office.take("complete", FILER, data=data)
    data[0]["gap"] = "from July on held against the grid's bills"
    assert office.take("complete", FILER, data=data).data == {METER}
    assert PARTS not in office.take("complete", FILER, data=data).data


# -- the platform's result -------------------------------------------------------------------------------------------------


HALVES = [{"start": "2025-01-01", "end": "2025-06-30"}, {"start": "2025-07-01", "end": "2025-12-31"}]
OTHER = "4" * 64


@pytest.mark.parametrize(("second", "gap", "goes"), [(1, None, True), (0, None, False), (0, "as last year", True)])
def test_entries_of_a_figure_cover_the_plan_together(second: int, gap: str | None, goes: bool) -> None:
    office = Office().reach("planned")
    first, then = (
        DataFacts("activity-data", Period.model_validate(HALVES[n]), visible=True, counts=True) for n in (0, second)
    )
    known = facts(FILER, data={**facts(FILER).data, METER: first, OTHER: then})
    more = {"id": "d3", "figure": "power", "citation": citation(3, OTHER)} | ({} if gap is None else {"gap": gap})
    data = [*claims_of("complete")[1]["data"], more]
    if goes:
        assert office.take("complete", FILER, known, data=data).state == "data_complete"
        return
    with pytest.raises(FilingError, match="for 2025-07-01"):
        office.take("complete", FILER, known, data=data)


def test_data_isnt_complete_before_its_period_is_over_or_of_a_meter_that_was_calibrated_later() -> None:
    office = Office().reach("registered")
    year = {"start": "2026-01-01", "end": "2026-12-31"}
    office.take("plan", FILER, period=year)
    with pytest.raises(FilingError, match="isn't complete yet"):
        office.take("complete", FILER, period=year)
    figures = claims_of("plan")[1]["figures"]
    later = figures[0] | {"calibrated": "2031-01-01", "calibration_due": "2032-01-01"}
    office.take("plan", FILER, figures=[later, *figures[1:]])
    with pytest.raises(FilingError, match="after the data begins"):
        office.take("complete", FILER)


def platform(**values: str) -> list[dict[str, str]]:
    stated = {name: str(value) for name, value in LINES.items()} | values
    return [{"id": name, "line": name, "value": value} for name, value in stated.items()]


def test_a_difference_has_to_be_explained_by_line() -> None:
    office = Office().reach("exported")
    lines = platform(manufacturing="0.0160", total="0.0815")
    assert office.take("platform", FILER, lines=lines).state == "unreconciled"
    with pytest.raises(StepError):
        office.take("submit", FILER)
    one = {"id": "e1", "line": "manufacturing", "cause": "electricity", "text": "the platform takes another year"}
    assert office.take("platform", FILER, lines=lines, explanations=[one]).state == "unreconciled"
    both = [one, {"id": "e2", "line": "total", "cause": "electricity", "text": "by the same"}]
    # That ours is wrong is no reason to file it.
    own = [{**one, "cause": "own_defect"}, both[1]]
    assert office.take("platform", FILER, lines=lines, explanations=own).state == "unreconciled"
    assert office.take("platform", FILER, lines=lines, explanations=both).state == "reconciled"
    assert office.take("platform", FILER, explanations=own).state == "reconciled", "what agrees has no defect"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (".", False),
        ("- - - - - - - - -", False),
        ("12345678", False),
        ("not much", False),
        ("其他", False),
        ("rounding", True),
        ("平台按两位小数四舍五入", True),
        ("другая база", True),
    ],
)
def test_an_explanation_says_something(text: str, says: bool) -> None:
    office = Office().reach("exported")
    explained = {"id": "e1", "line": "total", "cause": "rounding", "text": text}
    changes: dict[str, Any] = {"lines": platform(total="0.0811"), "explanations": [explained]}
    if says:
        assert office.take("platform", FILER, **changes).state == "reconciled"
        return
    with pytest.raises(FilingError) as caught:
        office.take("platform", FILER, **changes)
    assert caught.value.where == "explanations/e1/text"


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("0.081", "reconciled"),
        ("0.08", "unreconciled"),
        ("0.0810", "reconciled"),
        ("0.0811", "unreconciled"),
        ("0.0812", "unreconciled"),
    ],
)
def test_a_line_agrees_to_the_decimals_that_the_platform_prints(value: str, state: str) -> None:
    assert Office().reach("exported").take("platform", FILER, lines=platform(total=value)).state == state


@pytest.mark.parametrize("nothing", ["0", "-0", "0.0000"])
def test_zero_agrees_with_zero_alone(nothing: str) -> None:
    office = Office().reach("exported")
    zeros = [{"id": name, "line": name, "value": nothing} for name in LINES]
    assert office.take("platform", FILER, lines=zeros).state == "unreconciled"
    # A stage that is zero on both sides is the same.
    known = facts(FILER, result=result(lines={**LINES, "use": Decimal("0E-15")}))
    assert office.take("platform", FILER, known, lines=platform(use=nothing)).state == "reconciled"


def test_a_line_on_one_side_alone_is_a_difference() -> None:
    lines = [line for line in platform(use="0.0021") if line["line"] != "recycling"]
    office = Office().reach("exported")
    assert office.take("platform", FILER, lines=lines).state == "unreconciled"
    explained = [
        {"id": name, "line": name, "cause": "boundary", "text": "not asked for"} for name in ("use", "recycling")
    ]
    assert office.take("platform", FILER, lines=lines, explanations=explained).state == "reconciled"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"lines": [*platform(), {"id": "again", "line": "total", "value": "1"}]}, "lines/again"),
        ({"lines": platform(total="99")}, "lines"),
        ({"lines": platform(manufacturing="0.0160")}, "lines"),
        ({"calculated": "2025-12-30"}, "calculated"),
        ({"explanations": [{"id": "e", "line": "nothing", "cause": "other", "text": "x"}]}, "explanations"),
        (
            {"explanations": [{"id": e, "line": "total", "cause": "other", "text": "x"} for e in ("e1", "e2")]},
            "explanations/e2",
        ),
    ],
)
def test_a_platform_s_result_that_contradicts_itself_is_refused(changes: dict[str, Any], where: str) -> None:
    office = Office().reach("exported")
    with pytest.raises(FilingError) as caught:
        office.take("platform", FILER, **changes)
    assert caught.value.where == where


def test_facts_are_not_shared() -> None:
    """A filing is a value: who holds an older one holds what it was."""
    office = Office().reach("calculated")
    assert office.filing is not None
    kept = replace(office.filing)
    office.take("export", FILER, export=EXPORT)
    assert kept.state == "calculated"
    assert YEAR["end"] == str(kept.plan_period.end if kept.plan_period else None)

"""The steps of a filing: which party may take which from where, and what it has to state. Pure; no database, no clock.

    registered -> planned -> data_complete -> calculated -> exported -> (unreconciled ->) reconciled
        -> under_verification -> verified -> filed -> accepted

Invariants, whoever tries whatever in which order:
1. A filing is its chain of signed statements. Each follows the one before it in the ledger and names it; nothing else moves a filing.
2. A step is taken from the states of its row in STEPS alone, by the party of that row, with the role it needs on that day.
3. No step is skipped. The filer may take an earlier one anew as long as nobody verifies; what was built on it falls.
4. The verifier is neither the filer nor of its group, and speaks of the very result that the filing stands on.
5. A result that isn't complete, isn't the filer's own for this model under the duty's rule set, or has gone stale, goes no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Final, Literal, cast

from bom_graph import Citation, Lines, Period, name_key
from exchange.errors import ConflictError, FilingError, NotFoundError, RightsError, StaleError, StepError
from exchange.filing.chain import BEFORE, ORDER, STEPS, Facts, Filing, Link, Party, ResultFacts, Signed, State, Step
from exchange.filing.duty import DutyRules
from exchange.filing.reconciling import Compared, check_explanations, check_sum, open_differences, reconcile
from exchange.kinds import check_spelling
from exchange.kinds.filing import (
    AnswerLine,
    DataLine,
    FilingEvent,
    FilingRecord,
    PlanFigure,
    PlatformResult,
    QualityPlan,
    VerificationStatement,
)
from exchange.kinds.review import Conflict, Remark, Review

_REFUSED_WHEN_STALE: Final[frozenset[Step]] = frozenset({"export", "submit", "verify", "file"})


#: What to do about a statement whose key was declared compromised.
_SIGNED_ANEW_BY_FILER: Final = (
    "take the step anew with a key that counts; amend the filing where it is verified, to before that step"
)
_SIGNED_ANEW: Final[Mapping[Step, str]] = {
    "register": "withdraw the filing and register anew with a key that counts",
    "verify": "have the verifier withdraw its opinion, with a key that the operator enrolled since, or amend the filing by "
    "verification_lapsed; and have it verified anew",
}


def step_of(record: FilingRecord) -> Step:
    """Return the step that a statement of a filing takes."""
    match record:
        case QualityPlan():
            return "plan"
        case PlatformResult():
            return "platform"
        case VerificationStatement():
            return "verify"
        case Review():
            return "review"
        case FilingEvent(event=str() as event):
            return cast("Step", event)
        case _:
            raise FilingError(
                "the step isn't disclosed", where="event", remedy="send the statement with all disclosures"
            )


def named_before(record: FilingRecord) -> Citation | None:
    """Return the citation of the statement that this one follows."""
    found = getattr(record, "target" if isinstance(record, VerificationStatement | Review) else "previous")
    return found if isinstance(found, Citation) else None


def advance(filing: Filing | None, signed: Signed, facts: Facts, rules: DutyRules) -> Filing:
    """Return the filing after `signed`, or raise and nothing has happened.

    Raises NotFoundError (no such filing, for who isn't a party to it), StepError (not from this state), RightsError (not by this party),
    StaleError (signed on an older state, or on a stale result), ConflictError (already filed), FilingError (what it states).
    """
    step = step_of(signed.record)
    if step == "register":
        return _register(filing, signed, facts, rules)
    if filing is None or not _is_party(filing, signed, facts):
        raise NotFoundError("no such filing", where="filing", remedy="take the id from the list of your filings")
    _check_party(filing, step, signed, facts, rules)
    check_from(filing, step)
    _check_follows(filing, step, signed)
    if isinstance(signed.record.sub, str) and signed.record.sub != filing.product:
        raise FilingError("it is about another model", where="sub", remedy=f"name {filing.product}")
    after = _TAKE[step](filing, signed, facts, rules)
    return replace(after, chain=(*filing.chain, _link(signed, step, after.state)))


def take_back(filing: Filing, step: Literal["decline", "revoke"], index: int, leaf_hash: str, signer: str) -> Filing:
    """Return the filing after its verifier declined to verify it, or withdrew its opinion, by the entry at `index`: reconciled again.

    Raises NotFoundError (by another than its verifier), StepError (there is nothing to take back).
    """
    if signer != filing.verifier:
        raise NotFoundError("no such filing", where="filing", remedy="take the id from the list of your filings")
    check_from(filing, step)
    after = _back_to(filing, "reconciled")
    return replace(after, chain=(*filing.chain, Link(index, leaf_hash, step, signer, after.state)))


def check_from(filing: Filing, step: Step) -> None:
    """Check that a step is taken from where the filing stands; StepError otherwise."""
    if filing.state not in STEPS[step].states:
        raise StepError(
            f"the filing is {filing.state}: {_in_words(step)} is taken from {_listed(step)}",
            where="filing",
            remedy=_next(filing),
        )


def next_steps(filing: Filing, redo: Step | None = None) -> tuple[tuple[Step, Party], ...]:
    """Return the steps that can be taken now, each with its party; what goes forward comes first.

    `redo`: what has to be done anew because the filing is stale. That comes first then, or, where somebody verifies already, its
    amendment; what would be refused isn't among them. `answer` is where a remark to the filer waits for one.
    """
    found = [(step, row.party) for step, row in STEPS.items() if filing.state in row.states]
    if not filing.open_remarks:
        found = [pair for pair in found if pair[0] != "answer"]
    ordered = sorted(found, key=lambda pair: _ahead(filing, pair[0]))
    if redo is not None:
        ordered = [pair for pair in ordered if pair[0] not in _REFUSED_WHEN_STALE or pair[0] == redo]
        ordered.sort(key=lambda pair: pair[0] not in (redo, "amend"))
    return tuple(ordered)


def _ahead(filing: Filing, step: Step) -> tuple[int, int]:
    """Order: the step that leads on from here, then those that repeat an earlier one, then the rest."""
    leads_on = {before: name for name, before in BEFORE.items()} | {
        "unreconciled": "platform",
        "under_verification": "verify",
        "filed": "review",
    }
    if leads_on.get(filing.state) == step:
        return 0, 0
    return (2, 0) if step in ("answer", "amend", "withdraw", "decline", "revoke") else (1, -list(STEPS).index(step))


def _link(signed: Signed, step: Step, state: State) -> Link:
    return Link(signed.index, signed.leaf_hash, step, signed.signer, state)


# -- who, and in which order ---------------------------------------------------------------------------------------------


def _is_party(filing: Filing, signed: Signed, facts: Facts) -> bool:
    return signed.signer in (filing.filer, filing.verifier) or "authority" in facts.roles


def _check_party(filing: Filing, step: Step, signed: Signed, facts: Facts, rules: DutyRules) -> None:
    party = STEPS[step].party
    right = {
        "filer": signed.signer == filing.filer,
        "verifier": signed.signer == filing.verifier,
        "authority": signed.signer not in (filing.filer, filing.verifier),
    }[party]
    needed = frozenset(rules.obliged_roles.roles) if party == "filer" else frozenset({party})
    if not right or facts.roles.isdisjoint(needed):
        raise RightsError(
            f"{_in_words(step)} is the {party}'s, with the role {' or '.join(sorted(needed))} on that day",
            where="iss",
            remedy=f"let the {party} sign it",
        )


def _check_follows(filing: Filing, step: Step, signed: Signed) -> None:
    """A statement names the one before it; a verification names the one that asked for it."""
    before = named_before(signed.record)
    wanted = filing.newest("submit") if step == "verify" else filing.last
    if before is None or (before.index, before.leaf_hash) != (wanted.index, wanted.leaf_hash):
        raise StaleError(
            f"it doesn't follow the filing's newest statement, entry {wanted.index}",
            where="target" if isinstance(signed.record, VerificationStatement | Review) else "previous",
            remedy="read the filing as it is now, and sign anew",
        )


# -- the steps -----------------------------------------------------------------------------------------------------------


def _register(there: Filing | None, signed: Signed, facts: Facts, rules: DutyRules) -> Filing:
    event = cast("FilingEvent", signed.record)
    if there is not None:
        raise ConflictError("this id is another filing's", where="filing", remedy="choose a new one")
    if facts.roles.isdisjoint(rules.obliged_roles.roles):
        raise RightsError(
            f"only {rules.obliged_roles.what} file", where="iss", remedy="ask the operator for the role that you have"
        )
    model = facts.model
    if model is None or model.owner != signed.signer or not model.counts:
        raise FilingError(
            "the model isn't a battery-model statement of this filer that counts",
            where="model",
            remedy="cite your own newest battery-model statement of this model and plant",
        )
    if model.product != event.sub:
        raise FilingError("the battery model is of another product", where="sub", remedy=f"name {model.product}")
    if not rules.in_scope(model.rated_kwh):
        limit = rules.scope.rated_energy_above_kwh
        raise FilingError(
            f"out of scope: the rated energy, {model.rated_kwh} kWh, is not above {limit} kWh",
            where="model",
            remedy="nothing has to be filed for this model",
        )
    if event.rules is None or getattr(event.rules, "digest", None) != rules.digest:
        raise FilingError(
            "these aren't the rules in use",
            where="rules",
            remedy=f"name {rules.id} {rules.version} with the digest {rules.digest}",
        )
    if facts.running is not None:
        raise ConflictError(
            f"this model has a filing already: {facts.running}", where="sub", remedy="go on with that one, or amend it"
        )
    state: State = "registered"
    return Filing(str(event.filing), signed.signer, model.product, state, (_link(signed, "register", state),))


def _plan(filing: Filing, signed: Signed, _facts: Facts, _rules: DutyRules) -> Filing:
    plan = cast("QualityPlan", signed.record)
    period = plan.period if isinstance(plan.period, Period) else None
    figures = cast("tuple[PlanFigure, ...]", _lines(plan.figures))
    if len({name_key(one.name) for one in figures}) < len(figures):
        raise FilingError("two figures have one name", where="figures", remedy="give each figure a name of its own")
    return replace(_back_to(filing, "planned"), plan_period=period, figures=figures)


def _complete(filing: Filing, signed: Signed, facts: Facts, _rules: DutyRules) -> Filing:
    event = cast("FilingEvent", signed.record)
    planned, lines = {one.id: one for one in filing.figures}, cast("tuple[DataLine, ...]", _lines(event.data))
    _check_period(filing, event, signed.day)
    for line in lines:
        where = f"data/{line.id}"
        if line.figure not in planned:
            raise FilingError(
                f"the quality-control plan has no figure {line.figure}", where=where, remedy="plan it, or leave it out"
            )
        _check_datum(filing, line, planned[line.figure], facts, where)
    if lacking := sorted(planned.keys() - {line.figure for line in lines}):
        raise FilingError(
            f"figures of the quality-control plan without data: {', '.join(planned[one].name for one in lacking)}",
            where="data",
            remedy="cite the entry of each figure, or state why there is a gap",
        )
    for figure in filing.figures:
        _check_covered(filing, figure, [line for line in lines if line.figure == figure.id], facts)
    data = frozenset(line.citation.leaf_hash for line in lines if line.citation is not None)
    return replace(_back_to(filing, "data_complete"), data=data)


def _check_period(filing: Filing, event: FilingEvent, day: date) -> None:
    """The data is complete for the period that was planned, and that is over."""
    planned = filing.plan_period
    if planned is None or not isinstance(event.period, Period):
        return
    if event.period != planned:
        raise FilingError(
            f"it states data of {event.period.start} to {event.period.end}, the plan is of {planned.start} to {planned.end}",
            where="period",
            remedy="state the plan's period, or plan anew",
        )
    if planned.end > day:
        raise FilingError(
            f"the period ends on {planned.end}: its data isn't complete yet",
            where="period",
            remedy="wait, or plan anew",
        )


def _check_covered(filing: Filing, figure: PlanFigure, lines: Sequence[DataLine], facts: Facts) -> None:
    """The entries of a figure that have a period cover the plan's without a hole, unless a gap is said."""
    cited = [facts.data[line.citation.leaf_hash].period for line in lines if line.citation is not None]
    periods = [one for one in cited if one is not None]
    planned = filing.plan_period
    if planned is None or not periods or len(periods) < len(cited) or any(line.gap is not None for line in lines):
        return
    open_since = planned.start
    for one in sorted(periods, key=lambda period: period.start):
        if one.start > open_since:
            break
        open_since = max(open_since, one.end + timedelta(days=1))
    if open_since <= planned.end:
        raise FilingError(
            f"there is no data of {figure.name} for {open_since}, in the plan's period to {planned.end}",
            where=f"data/{lines[0].id}",
            remedy=f"cite the entries of the rest too, or say by `gap` how it was treated: {figure.gap_treatment}",
        )


def _check_datum(filing: Filing, line: DataLine, figure: PlanFigure, facts: Facts, where: str) -> None:
    """Hold one figure's data against the plan: its period, and the meter's calibration over that period."""
    if line.citation is None:
        if line.gap is None:
            raise FilingError(
                f"neither an entry nor a gap for {figure.name}",
                where=where,
                remedy=f"cite the entry, or say why there is none: {figure.gap_treatment}",
            )
        return
    found = facts.data.get(line.citation.leaf_hash)
    if found is None or not found.visible:
        raise FilingError(
            "the filer isn't granted the entry that it cites",
            where=f"{where}/citation",
            remedy="ask its owner for a grant, or state a gap",
        )
    if not found.counts:
        raise StaleError(
            f"entry {line.citation.index} counts no more: it was taken back or erased",
            where=f"{where}/citation",
            remedy="cite the statement in its place",
        )
    period, planned = found.period, filing.plan_period
    if period is None:
        return
    if planned is not None and not planned.start <= period.start <= period.end <= planned.end:
        raise FilingError(
            f"the data is of {period.start} to {period.end}, the plan of {planned.start} to {planned.end}",
            where=f"{where}/citation",
            remedy="cite data of the plan's period, or plan anew",
        )
    if figure.calibrated is not None and figure.calibrated > period.start and line.gap is None:
        raise FilingError(
            f"the meter of {figure.name} was calibrated on {figure.calibrated}, after the data begins on {period.start}",
            where=where,
            remedy="state the calibration that counts in a new plan, or say by `gap` how what was before it was treated",
        )
    due = figure.calibration_due
    if due is not None and due < period.end and line.gap is None:
        raise FilingError(
            f"the meter of {figure.name} was due for calibration on {due}, before the data ends on {period.end}",
            where=where,
            remedy="state the calibration that counts in a new plan, or say by `gap` how the rest was treated",
        )


def _calculate(filing: Filing, signed: Signed, facts: Facts, rules: DutyRules) -> Filing:
    event, result = cast("FilingEvent", signed.record), facts.result
    if result is None or result.reader != filing.filer:
        raise FilingError("the filer has no such result", where="result", remedy="compute it, and name its digest")
    if result.product != filing.product:
        raise FilingError("the result is of another product", where="result", remedy=f"compute {filing.product}")
    if result.rule_set != rules.rule_set:
        raise FilingError(
            f"the result is under {result.rule_set}", where="result", remedy=f"compute it under {rules.rule_set}"
        )
    if not result.complete:
        raise FilingError(
            f"a partial result can't be filed: {result.heading}",
            where="result",
            remedy="close its gaps (they are listed in the result) and compute it again",
        )
    if not facts.is_newest:
        raise StaleError(
            "a newer result of this model was computed", where="result", remedy="name the newest, or compute it again"
        )
    _check_fresh(result)
    if unused := sorted(filing.data - result.inputs):
        raise FilingError(
            f"{len(unused)} of the entries that were stated as complete data are not in the result, {unused[0]} for one",
            where="result",
            remedy="compute the result again, or state the data that it is made from",
        )
    if unplanned := sorted(result.own_activity - filing.data):
        raise FilingError(
            f"the result rests on {len(unplanned)} statements of your own that the plan doesn't cover, {unplanned[0]} for one",
            where="result",
            remedy="plan their figures, and state the data complete again",
        )
    return replace(_back_to(filing, "calculated"), result=str(event.result))


def _export(filing: Filing, signed: Signed, facts: Facts, _rules: DutyRules) -> Filing:
    event = cast("FilingEvent", signed.record)
    _check_fresh(facts.result)
    if facts.export is None or event.export != facts.export:
        raise StaleError(
            "the export isn't that of the filing's result", where="export", remedy="export again, and name its digest"
        )
    return replace(_back_to(filing, "exported"), export=str(event.export))


def _platform(filing: Filing, signed: Signed, facts: Facts, rules: DutyRules) -> Filing:
    stated = cast("PlatformResult", signed.record)
    period = filing.plan_period
    if period is not None and isinstance(stated.calculated, date) and stated.calculated < period.end:
        raise FilingError(
            f"the platform's result is of {stated.calculated}, before the data ends on {period.end}",
            where="calculated",
            remedy="correct the day",
        )
    check_sum(stated)
    compared = compare_with(stated, facts, signed.day, rules)
    check_explanations(stated, rules.explanation_letters)
    return _back_to(filing, "unreconciled" if open_differences(compared) else "reconciled")


def compare_with(stated: PlatformResult, facts: Facts, day: date, rules: DutyRules) -> tuple[Compared, ...]:
    """Return the platform's result held against the filing's. FilingError where they can't be compared."""
    if facts.result is None:
        raise StaleError("the filing's result is gone", where="result", remedy="calculate again")
    if stated.unit != facts.result.unit:
        raise FilingError(
            f"the platform's result is in {stated.unit}, ours in {facts.result.unit}",
            where="unit",
            remedy="state it in the unit of the functional unit",
        )
    if isinstance(stated.calculated, date) and stated.calculated > day:
        raise FilingError("the platform's result is of a day to come", where="calculated", remedy="correct the day")
    return reconcile(facts.result.lines, stated, rules.platform_digits)


def _submit(filing: Filing, signed: Signed, facts: Facts, _rules: DutyRules) -> Filing:
    event = cast("FilingEvent", signed.record)
    _check_whole(facts)
    _check_result(filing, event.result, facts)
    verifier = str(event.verifier)
    _check_independent(filing, verifier, facts)
    return replace(filing, state="under_verification", verifier=verifier)


def _verify(filing: Filing, signed: Signed, facts: Facts, rules: DutyRules) -> Filing:
    statement = cast("VerificationStatement", signed.record)
    _check_independent(filing, signed.signer, facts)
    _check_whole(facts)
    _check_result(filing, statement.result, facts)
    if not isinstance(statement.expires, date) or statement.expires < signed.day:
        raise FilingError("it has expired", where="expires", remedy="state the last day on which it counts")
    if statement.opinion not in rules.opinions_that_can_be_filed:
        return _back_to(filing, "data_complete")
    return replace(filing, state="verified", expires=statement.expires)


def _file(filing: Filing, signed: Signed, facts: Facts, _rules: DutyRules) -> Filing:
    event = cast("FilingEvent", signed.record)
    _check_whole(facts)
    _check_result(filing, event.result, facts)
    if filing.expires is None or filing.expires < signed.day:
        raise StaleError(
            f"the verification counted to {filing.expires}", where="filing", remedy="amend it by verification_lapsed"
        )
    left = _answered(filing, event)
    if left:
        raise FilingError(
            f"remarks of the review are not answered: {', '.join(sorted(left))}",
            where="answers",
            remedy="answer them in this statement, or by one of its own before",
        )
    return replace(filing, state="filed", open_remarks=left)


def _review(filing: Filing, signed: Signed, facts: Facts, rules: DutyRules) -> Filing:
    review = cast("Review", signed.record)
    _check_impartial(filing, review, signed.signer, facts, rules)
    remarks = cast("tuple[Remark, ...]", _lines(review.remarks))
    to_filer = frozenset(remark_id(signed.index, one) for one in remarks if one.to == "filer")
    if review.outcome == "accepted":
        _check_whole(facts)
        if not _is_verified(filing, facts, signed.day):
            raise StaleError(
                f"the verification counted to {filing.expires}",
                where="filing",
                remedy="return the filing to the step submit: it is verified anew",
            )
        _check_fresh(facts.result, remedy="return the filing to the step that it concerns")
        return replace(filing, state="accepted", open_remarks=filing.open_remarks | to_filer)
    if review.outcome != "returned":
        raise FilingError(
            f"a filing isn't {review.outcome} by a review", where="outcome", remedy="state accepted or returned"
        )
    concerned = [BEFORE[one.step] for one in remarks if one.to == "filer" and one.step is not None]
    if not concerned:
        raise FilingError(
            "a filing is returned to a step", where="remarks", remedy="remark to the filer which step is concerned"
        )
    back = _back_to(filing, min(concerned, key=ORDER.index))
    return replace(back, open_remarks=filing.open_remarks | to_filer)


def _answer(filing: Filing, signed: Signed, _facts: Facts, _rules: DutyRules) -> Filing:
    return replace(filing, open_remarks=_answered(filing, cast("FilingEvent", signed.record)))


def _amend(filing: Filing, signed: Signed, facts: Facts, rules: DutyRules) -> Filing:
    event = cast("FilingEvent", signed.record)
    trigger = rules.trigger(str(event.trigger))
    if trigger is None:
        raise FilingError(
            f"no such trigger: {event.trigger}",
            where="trigger",
            remedy=f"use one of {', '.join(one.id for one in rules.triggers)}",
        )
    if trigger.id == "verification_lapsed" and _is_verified(filing, facts, signed.day):
        raise FilingError(
            f"the verification hasn't lapsed: it counts to {filing.expires}",
            where="trigger",
            remedy="name the trigger that it is; where the opinion is wrong, its verifier withdraws it",
        )
    return _back_to(filing, trigger.back_to)


def _is_verified(filing: Filing, facts: Facts, day: date) -> bool:
    """Whether an opinion stands behind a filing that counts on `day`."""
    doubted = any(link.step == "verify" for link, _why in facts.doubted)
    return filing.expires is not None and filing.expires >= day and not doubted


def _withdraw(filing: Filing, _signed: Signed, _facts: Facts, _rules: DutyRules) -> Filing:
    return replace(filing, state="withdrawn", verifier=None, expires=None)


_TAKE: Final[Mapping[Step, Callable[[Filing, Signed, Facts, DutyRules], Filing]]] = {
    "plan": _plan,
    "complete": _complete,
    "calculate": _calculate,
    "export": _export,
    "platform": _platform,
    "submit": _submit,
    "verify": _verify,
    "file": _file,
    "review": _review,
    "answer": _answer,
    "amend": _amend,
    "withdraw": _withdraw,
}


# -- what several steps ask ----------------------------------------------------------------------------------------------


def _back_to(filing: Filing, state: State) -> Filing:
    """Return the filing at `state`, without what only later steps made."""
    at = ORDER.index(state)

    def keeps(first: State) -> bool:
        return at >= ORDER.index(first)

    return replace(
        filing,
        state=state,
        plan_period=filing.plan_period if keeps("planned") else None,
        figures=filing.figures if keeps("planned") else (),
        data=filing.data if keeps("data_complete") else frozenset(),
        result=filing.result if keeps("calculated") else None,
        export=filing.export if keeps("exported") else None,
        verifier=filing.verifier if keeps("under_verification") else None,
        expires=filing.expires if keeps("verified") else None,
    )


def _check_whole(facts: Facts) -> None:
    """Every statement that the filing stands on is there to be read by who verifies and reviews it."""
    for link in facts.erased:
        raise StaleError(
            erased_said(link),
            where="filing",
            remedy="withdraw the filing and register anew"
            if link.step == "register"
            else f"take {_in_words(link.step)} anew; amend the filing where it is verified",
        )
    for link, why in facts.doubted:
        raise StaleError(
            doubted_said(link, why), where="filing", remedy=_SIGNED_ANEW.get(link.step, _SIGNED_ANEW_BY_FILER)
        )


def doubted_said(link: Link, why: str) -> str:
    """Return that a statement of a filing is in doubt, in words."""
    return f"entry {link.index}, the statement of {_in_words(link.step)}, is in doubt: {why}"


def erased_said(link: Link) -> str:
    """Return that a statement of a filing was erased, in words."""
    return f"entry {link.index}, the statement of {_in_words(link.step)}, was erased"


def _check_result(filing: Filing, stated: object, facts: Facts) -> None:
    """The statement is about the result that the filing stands on, and that would come out so today."""
    if stated != filing.result or filing.result is None:
        raise StaleError(
            "it is about another result than the filing's", where="result", remedy=f"name the digest {filing.result}"
        )
    _check_fresh(facts.result)


def _check_fresh(
    result: ResultFacts | None,
    remedy: str = "compute it again and take the step calculate anew; amend the filing where it is verified",
) -> None:
    if result is None:
        raise StaleError("the filing's result is gone", where="result", remedy="calculate again")
    if result.stale:
        raise StaleError(f"the result is stale: {result.stale[0]}", where="result", remedy=remedy)


def _check_impartial(filing: Filing, review: Review, authority: str, facts: Facts, rules: DutyRules) -> None:
    """An authority that is bound to the filer, by what it declares or by its corporate group, decides nothing about it.

    Nor does one of the verifier's group, whose opinion it would judge. Who is tied to one of the filer's group is tied to the filer.
    """
    for party, organisation in (("filer", filing.filer), ("verifier", filing.verifier)):
        if organisation is not None and facts.same_group(authority, organisation):
            raise RightsError(
                f"the authority is of the {party}'s corporate group",
                where="iss",
                remedy="let another authority review it",
            )
    for one in cast("tuple[Conflict, ...]", _lines(review.conflicts)):
        if one.organisation is not None:
            # In another spelling it would be nobody, and tied to nobody.
            check_spelling(one.organisation, where=f"conflicts/{one.id}/organisation")
        bound = one.organisation is None or facts.same_group(one.organisation, filing.filer)
        if bound and one.relation in rules.conflicts_that_bar_a_review.relations:
            raise RightsError(
                f"a conflict of interest with the filer or its corporate group is declared: {one.relation}",
                where=f"conflicts/{one.id}",
                remedy="let another authority review it",
            )


def _check_independent(filing: Filing, verifier: str, facts: Facts) -> None:
    if verifier == filing.filer:
        raise RightsError("the filer can't verify itself", where="verifier", remedy="engage another organisation")
    if facts.same_group(verifier, filing.filer):
        raise RightsError(
            "the verifier is of the filer's corporate group",
            where="verifier",
            remedy="engage an independent organisation",
        )
    if "verifier" not in facts.verifier_roles:
        raise RightsError(
            f"{verifier} is no verifier on that day", where="verifier", remedy="take one from the list of organisations"
        )


def _answered(filing: Filing, event: FilingEvent) -> frozenset[str]:
    """Return the remarks that stay open after what `event` answers."""
    answers = cast("tuple[AnswerLine, ...]", _lines(event.answers))
    for one in answers:
        if one.remark not in filing.open_remarks:
            raise FilingError(
                f"no open remark {one.remark}",
                where=f"answers/{one.id}",
                remedy=f"open are: {', '.join(sorted(filing.open_remarks)) or 'none'}",
            )
    return filing.open_remarks - {one.remark for one in answers}


def remark_id(review: int, remark: Remark) -> str:
    """Return how a remark is named: by its review's index and its own id."""
    return f"{review}.{remark.id}"


def _lines(found: object) -> tuple[object, ...]:
    return found.items if isinstance(found, Lines) else ()


def _listed(step: Step) -> str:
    states = STEPS[step].states
    return " or ".join(state for state in ORDER if state in states)


def _in_words(step: Step) -> str:
    return f"the step {step}"


def _next(filing: Filing) -> str:
    if filing.state == "withdrawn":
        return "register the model anew: a withdrawn filing is over"
    step, party = next_steps(filing)[0]
    return f"next is {step}, by the {party}"

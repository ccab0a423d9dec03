"""The steps of a verification engagement: who may state what in which state, and what it has to agree with. Pure; no database, no clock.

    asked -> accepted -> planned -> sampled -> assessed -> reviewed -> concluded (-> withdrawn)
    asked ... reviewed -> declined

Invariants, whoever tries whatever in which order:
1. An engagement is its chain of signed statements. Each names the one before it; the first one the filing's step `submit`.
2. The verifier is independent of the filer and of the supply chain, and accredited in scope, when it accepts and when it concludes.
3. The technical reviewer isn't in the team, and reviews once every finding is answered.
4. The sample is what seed and result draw; every line of it is examined before an opinion, forecasts validated and all else verified.
5. The opinion is one that misstatements and findings allow, and what is signed at last is what was reviewed, about the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final, cast

from bom_graph import (
    Citation,
    Misstatement,
    Sample,
    draw_sample,
    misstatement,
    population_digest,
    project_errors,
)
from bom_graph import Lines as ListOf
from exchange.engagement.chain import (
    STEPS,
    Assessed,
    Engagement,
    Examined,
    Facts,
    Finding,
    Lines,
    Plan,
    State,
    Terms,
)
from exchange.engagement.rules import VerificationRules, Weighed, objections
from exchange.errors import (
    AccreditationError,
    ConflictError,
    EngagementError,
    IndependenceError,
    NotFoundError,
    RightsError,
    StaleError,
    StepError,
)
from exchange.kinds.engagement import EngagementEvent, EngagementStep
from exchange.kinds.filing import VerificationStatement

_CENT: Final = Decimal("0.01")


def advance(
    engagement: Engagement,
    signed: tuple[int, str],
    signer: str,
    event: EngagementEvent,
    facts: Facts,
    *,
    rules: VerificationRules,
    day: date,
) -> Engagement:
    """Return the engagement after `event`, entry `signed` (index, leaf hash) of `signer`'s on `day`, or raise and nothing has happened.

    Raises NotFoundError (for who isn't a party), RightsError (not by this party), StepError (not in this state), StaleError (doesn't
    follow the newest statement, or on a stale result), IndependenceError, AccreditationError, EngagementError (what it states).
    """
    step = cast("EngagementStep", event.event)
    _check_party(engagement, step, signer, event, facts)
    if engagement.state not in STEPS[step].states:
        states = " or ".join(sorted(STEPS[step].states))
        raise StepError(
            f"the engagement is {engagement.state}: {step} is stated while it is {states}",
            where="engagement",
            remedy=_next(engagement),
        )
    before = event.previous
    if not isinstance(before, Citation) or (before.index, before.leaf_hash) != engagement.last:
        raise StaleError(
            f"it doesn't follow the engagement's newest statement, entry {engagement.last[0]}",
            where="previous",
            remedy="read the engagement as it is now, and sign anew",
        )
    after = _TAKE[step](engagement, event, facts, _Now(signed[0], day, rules))
    return after.model_copy(update={"last": signed})


def conclude(
    engagement: Engagement,
    leaf_hash: str,
    signer: str,
    statement: VerificationStatement,
    facts: Facts,
    *,
    rules: VerificationRules,
    day: date,
) -> Engagement:
    """Return the engagement that the verification-statement with this leaf hash concludes. Raises what `advance` raises."""
    if signer != engagement.verifier:
        raise NotFoundError("no such engagement", where="engagement", remedy=_LIST)
    if engagement.state != "reviewed":
        raise StepError(
            f"the engagement is {engagement.state}: an opinion is signed once it is reviewed",
            where="engagement",
            remedy=_next(engagement),
        )
    if statement.result != engagement.result:
        raise StaleError(
            "the statement is about another result than the engagement's",
            where="result",
            remedy=f"name the digest {engagement.result}",
        )
    _check_fresh(facts)
    _check_independent(engagement, facts)
    terms = cast("Terms", engagement.terms)
    found = _accredited(terms.accreditation, facts, day)
    for name, wanted in concluding_claims(engagement).items():
        stated = getattr(statement, name)
        if (Decimal(str(wanted)) if isinstance(stated, Decimal) else wanted) != stated:
            raise EngagementError(
                f"{name} isn't what was reviewed: {wanted}",
                where=name,
                remedy="state what the technical review confirmed",
            )
    if facts.lines.forecasts and not isinstance(statement.validated, str):
        raise EngagementError(
            "the result holds forecasts, which are validated and not verified",
            where="validated",
            remedy="say what was validated",
        )
    expires = statement.expires
    last = min(found, day + timedelta(days=rules.longest_validity_days))
    if not isinstance(expires, date) or expires > last:
        raise EngagementError(
            f"it counts beyond {last}: the end of the accreditation, or of the longest validity",
            where="expires",
            remedy=f"state a day up to {last}",
        )
    return engagement.model_copy(update={"state": "concluded", "statement": leaf_hash, "expires": expires})


def concluding_claims(engagement: Engagement) -> dict[str, str]:
    """Return the claims of the verification-statement that the engagement settles."""
    terms, found = engagement.terms, engagement.assessed
    if terms is None or found is None or engagement.plan is None:
        return {}
    return {
        "engagement": engagement.id,
        "opinion": found.opinion,
        "assurance": terms.assurance,
        "materiality_percent": str(terms.materiality_percent),
        "net_percent": str(found.net_percent),
        "absolute_percent": str(found.absolute_percent),
        "sampling_seed": engagement.plan.seed,
        "technical_reviewer": terms.reviewer_function,
    }


def withdrawn(engagement: Engagement) -> Engagement:
    """Return the engagement whose verification-statement its verifier has withdrawn."""
    return engagement.model_copy(update={"state": "withdrawn"})


def ended(engagement: Engagement) -> Engagement:
    """Return the engagement whose filing went another way: amended, withdrawn, or submitted anew."""
    return engagement.model_copy(update={"state": "ended"})


# -- what an opinion rests on ----------------------------------------------------------------------------------------------


def sample_of(engagement: Engagement, lines: Lines) -> Sample:
    """Return the sample that the plan draws from the lines that the verifier sees. EngagementError without a plan."""
    plan = engagement.plan
    if plan is None:
        raise EngagementError("nothing is planned yet", where="engagement", remedy="state the plan first")
    certain = plan.certain_percent / 100 * abs(lines.total_kg)
    return draw_sample(lines.units, seed=plan.seed, population=engagement.result, certain=certain, counts=plan.counts)


def weigh(engagement: Engagement, lines: Lines) -> Weighed:
    """Return what is misstated, net and absolute with the samples' errors projected, what nobody could look at, and what stands.

    A finding's error counts as far as no examined line says it already; once it is resolved, what its closing states to remain: the result
    itself is what it was.
    """
    terms = cast("Terms", engagement.terms)
    sample = Sample(engagement.certain, engagement.drawn)
    errors = {item: found.error_kg for item, found in engagement.examined.items()}
    known = list(errors.values())
    stated: dict[str | None, Decimal] = {}
    for one in engagement.findings:
        if one.error_kg is not None and one.item in errors:
            stated[one.item] = stated.get(one.item, Decimal(0)) + one.error_kg
        elif one.error_kg is not None:
            known.append(one.error_kg)
    known += [_beyond(error, errors[str(item)]) for item, error in stated.items()]
    strata = project_errors(lines.units, sample, errors)
    projected = [share for one in strata for share in (one.too_low, one.too_high) if share]
    unknown = sum((one.rest for one in strata if one.too_low is None), Decimal(0))
    unknown += sum((unit.size for unit in lines.units if unit.id in sample.units - errors.keys()), Decimal(0))
    materiality = terms.materiality_percent / 100
    found: Misstatement = misstatement(lines.total_kg, known, projected, materiality=materiality)
    standing = frozenset(one.severity for one in engagement.findings if one.stands)
    return Weighed(found, (lines.unseen_kg + unknown) / abs(lines.total_kg), materiality, standing)


def _beyond(stated: Decimal, examined: Decimal) -> Decimal:
    """Return how much of the error that findings state of a line isn't in what examining it came to."""
    if stated * examined <= 0:
        return stated
    return max(abs(stated) - abs(examined), Decimal(0)).copy_sign(stated)


def percentages(weighed: Weighed) -> dict[str, Decimal]:
    """Return net, absolute and unseen in percent of the total, to two decimals (half to even)."""
    found = weighed.misstatement
    shares = {"net": found.net_share, "absolute": found.absolute_share, "unseen": weighed.unseen_share}
    return {
        f"{name}_percent": (100 * share).quantize(_CENT, rounding=ROUND_HALF_EVEN) for name, share in shares.items()
    }


# -- who -------------------------------------------------------------------------------------------------------------------


def _check_party(
    engagement: Engagement, step: EngagementStep, signer: str, event: EngagementEvent, facts: Facts
) -> None:
    parties = {engagement.verifier, engagement.filer, *(one.concerned for one in engagement.findings)}
    if signer not in parties:
        raise NotFoundError("no such engagement", where="engagement", remedy=_LIST)
    if STEPS[step].party == "concerned":
        if signer != _finding(engagement, event, signer).concerned:
            raise RightsError(
                "the finding is another's to answer", where="iss", remedy="let whom it concerns answer it"
            )
    elif signer != engagement.verifier or "verifier" not in facts.roles:
        raise RightsError(
            f"{step} is the verifier's, with that role on that day", where="iss", remedy="let the verifier sign it"
        )


def _check_independent(engagement: Engagement, facts: Facts) -> None:
    if engagement.verifier == engagement.filer:
        raise IndependenceError("the filer can't verify itself", where="iss", remedy="engage another organisation")
    if facts.same_group:
        raise IndependenceError(
            "the verifier is of the filer's corporate group", where="iss", remedy="engage an independent organisation"
        )
    if facts.relations:
        raise IndependenceError(
            f"the verifier has another commercial role in this supply chain: {'; '.join(facts.relations)}",
            where="iss",
            remedy="decline, and let the filer engage another organisation",
        )


def _accredited(number: str, facts: Facts, day: date) -> date:
    """Return the last day of the accreditation of that number, which is in scope on `day`. AccreditationError otherwise."""
    held = [one for one in facts.accreditations if one.number == number]
    if not held:
        raise AccreditationError(
            f"no accreditation {number} of this verifier is registered",
            where="accreditation",
            remedy="ask the operator to record it, or state another",
        )
    counting = [one for one in held if one.on(day)]
    if not counting:
        raise AccreditationError(
            f"the accreditation {number} doesn't count on {day}: it is of {held[-1].since} to {held[-1].until}",
            where="accreditation",
            remedy="have it renewed and recorded, or decline",
        )
    for one in counting:
        if facts.chemistry_group in one.chemistry_groups and facts.rule_set in one.rule_sets:
            return one.until
    one = counting[-1]
    raise AccreditationError(
        f"out of scope: {facts.chemistry_group} under {facts.rule_set}; the accreditation {number} is for "
        f"{', '.join(one.chemistry_groups)} under {', '.join(one.rule_sets)}",
        where="accreditation",
        remedy="state an accreditation for this, or decline",
    )


def _check_fresh(facts: Facts) -> None:
    if facts.stale:
        raise StaleError(
            f"the result is stale: {facts.stale[0]}",
            where="result",
            remedy="let the filer amend the filing; it asks for verification anew",
        )


# -- the steps -------------------------------------------------------------------------------------------------------------


class _Now:
    """When and under which rules a step is taken."""

    def __init__(self, index: int, day: date, rules: VerificationRules) -> None:
        self.index, self.day, self.rules = index, day, rules


def _to(engagement: Engagement, state: State, **changes: Any) -> Engagement:
    return engagement.model_copy(update={"state": state, **changes})


def _accept(engagement: Engagement, event: EngagementEvent, facts: Facts, now: _Now) -> Engagement:
    _check_independent(engagement, facts)
    _check_fresh(facts)
    _accredited(str(event.accreditation), facts, now.day)
    if facts.lines.total_kg == 0:
        raise EngagementError(
            "the result's total is zero: nothing is material to it", where="result", remedy="decline the engagement"
        )
    materiality, most = cast("Decimal", event.materiality_percent), now.rules.most_materiality_percent
    if materiality > most:
        raise EngagementError(
            f"a materiality of {materiality} % is above {most} %, the most that is taken as verified",
            where="materiality_percent",
            remedy=f"agree on {most} % at most; the default is {now.rules.materiality_percent} %",
        )
    team = tuple(one.mark for one in _lines(event.team))
    reviewer = cast("Any", event.reviewer)
    if len(set(team)) < len(team):
        raise EngagementError("the team names one person twice", where="team", remedy="give each a mark of its own")
    if reviewer.mark in team:
        raise EngagementError(
            "the technical reviewer is in the team", where="reviewer", remedy="let somebody review who doesn't verify"
        )
    if not any(one.function == "lead_verifier" for one in _lines(event.team)):
        raise EngagementError("the team has no lead verifier", where="team", remedy="name who leads it, by function")
    terms = Terms(
        accreditation=str(event.accreditation),
        assurance=cast("Any", event.assurance),
        materiality_percent=materiality,
        team=team,
        reviewer=reviewer.mark,
        reviewer_function=reviewer.function,
    )
    return _to(engagement, "accepted", terms=terms)


def _decline(engagement: Engagement, _event: EngagementEvent, _facts: Facts, _now: _Now) -> Engagement:
    return _to(engagement, "declined")


def _plan(engagement: Engagement, event: EngagementEvent, facts: Facts, now: _Now) -> Engagement:
    strata = {unit.stratum for unit in facts.lines.units}
    counts: dict[str, int] = {}
    for one in _lines(event.risks):
        if one.stage in counts:
            raise EngagementError(
                f"{one.stage} is judged twice", where=f"risks/{one.id}", remedy="judge each stage once"
            )
        counts[one.stage] = int(cast("int", event.per_stratum)) * now.rules.counts_by_risk[one.risk]
    if missing := sorted(strata - counts.keys()):
        raise EngagementError(
            f"no risk is stated of {', '.join(missing)}", where="risks", remedy="judge each stage that has lines"
        )
    plan = Plan(seed=str(event.seed), certain_percent=cast("Decimal", event.certain_percent), counts=counts)
    return _to(engagement, "planned", plan=plan, certain=(), drawn=(), examined={})


def _sample(engagement: Engagement, event: EngagementEvent, facts: Facts, _now: _Now) -> Engagement:
    lines = facts.lines
    if event.population != population_digest(lines.units):
        raise StaleError(
            "it was drawn from other lines than the verifier sees now", where="population", remedy="draw again"
        )
    drawn = sample_of(engagement, lines)
    stated = [one.item for one in _lines(event.items)]
    if len(set(stated)) < len(stated) or set(stated) != drawn.units:
        raise EngagementError(
            "these lines aren't what the seed draws from this result",
            where="items",
            remedy="draw the sample by the plan's seed, and state it whole",
        )
    kept = {item: found for item, found in engagement.examined.items() if item in drawn.units}
    return _to(engagement, "sampled", certain=drawn.certain, drawn=drawn.drawn, examined=kept)


def _visit(engagement: Engagement, event: EngagementEvent, _facts: Facts, now: _Now) -> Engagement:
    for one in _lines(event.visitors):
        if one.mark not in cast("Terms", engagement.terms).team:
            raise EngagementError(
                f"{one.mark} isn't in the team", where=f"visitors/{one.id}", remedy="name members of the team"
            )
    if cast("Any", event.period).end > now.day:
        raise EngagementError("the visit is yet to come", where="period", remedy="state it when it was made")
    return _to(engagement, engagement.state, visits=engagement.visits + 1)


def _examine(engagement: Engagement, event: EngagementEvent, facts: Facts, _now: _Now) -> Engagement:
    sample, examined = {*engagement.certain, *engagement.drawn}, dict(engagement.examined)
    for one in _lines(event.examined):
        where = f"examined/{one.id}"
        if one.item not in sample:
            raise EngagementError(
                f"{one.item} isn't in the sample", where=where, remedy="state what you found there as a finding"
            )
        wanted = "validated" if one.item in facts.lines.forecasts else "verified"
        if one.conclusion != wanted:
            what = "a forecast: it is validated" if wanted == "validated" else "history: it is verified"
            raise EngagementError(f"{one.item} is {what}", where=where, remedy=f"conclude {wanted}")
        examined[one.item] = Examined(conclusion=one.conclusion, error_kg=one.error_kg)
    return _to(engagement, engagement.state, examined=examined)


def _find(engagement: Engagement, event: EngagementEvent, facts: Facts, now: _Now) -> Engagement:
    if any(one.id == event.finding for one in engagement.findings):
        raise ConflictError("this id is another finding's", where="finding", remedy="choose a new one")
    concerned = str(event.concerned)
    if concerned != engagement.filer and concerned not in facts.suppliers:
        raise EngagementError(
            "it concerns neither the filer nor who signed what the result rests on",
            where="concerned",
            remedy="name one of them",
        )
    item = event.item if isinstance(event.item, str) else None
    if item is not None and item not in facts.lines.signers:
        raise EngagementError(
            f"no line {item} that you see", where="item", remedy="take it from the lines of the engagement"
        )
    if item is not None and concerned != facts.lines.signers[item]:
        raise EngagementError(
            "the line is another's, who answers for it", where="concerned", remedy=f"name {facts.lines.signers[item]}"
        )
    finding = Finding(
        id=str(event.finding),
        index=now.index,
        severity=cast("Any", event.severity),
        concerned=concerned,
        item=item,
        error_kg=event.error_kg if isinstance(event.error_kg, Decimal) else None,
    )
    return _to(engagement, engagement.state, findings=(*engagement.findings, finding))


def _answer(engagement: Engagement, event: EngagementEvent, _facts: Facts, _now: _Now) -> Engagement:
    found = _finding(engagement, event, None)
    if found.state not in ("open", "answered"):
        raise EngagementError(f"the finding is {found.state}", where="finding", remedy="there is nothing to answer")
    return _with(engagement, found, state="answered")


def _close(engagement: Engagement, event: EngagementEvent, _facts: Facts, _now: _Now) -> Engagement:
    found = _finding(engagement, event, None)
    if found.state == "open" and found.severity != "observation":
        raise EngagementError(
            "it isn't answered yet", where="finding", remedy="let whom it concerns answer it before it is closed"
        )
    left = event.error_kg if isinstance(event.error_kg, Decimal) else None
    if event.closing == "resolved" and found.error_kg is not None and left is None:
        raise EngagementError(
            f"it stated an error of {found.error_kg} kg CO2e, and the result is what it was",
            where="error_kg",
            remedy="state the error that remains in the result, 0 where there was none after all, and in `text` why",
        )
    return _with(engagement, found, state=str(event.closing), error_kg=found.error_kg if left is None else left)


def _assess(engagement: Engagement, event: EngagementEvent, facts: Facts, now: _Now) -> Engagement:
    _check_fresh(facts)
    drawn = sample_of(engagement, facts.lines)
    if (drawn.certain, drawn.drawn) != (engagement.certain, engagement.drawn):
        raise StaleError(
            "the verifier sees other lines now than when the sample was drawn",
            where="engagement",
            remedy="draw the sample again",
        )
    opinion = cast("Any", event.opinion)
    left = sorted(drawn.units - engagement.examined.keys())
    if left and opinion != "disclaimed":
        raise EngagementError(
            f"{len(left)} lines of the sample aren't examined, {left[0]} for one",
            where="engagement",
            remedy="examine them, or disclaim an opinion",
        )
    weighed = weigh(engagement, facts.lines)
    for name, wanted in percentages(weighed).items():
        if getattr(event, name) != wanted:
            raise EngagementError(
                f"{name} is {wanted} by what was found", where=name, remedy="state what examined lines and findings say"
            )
    against = next(objections(opinion, weighed, now.rules, has_basis=isinstance(event.basis, str)), None)
    if against is not None:
        raise EngagementError(
            f"the opinion can't be {opinion}: {against}", where="opinion", remedy=now.rules.opinions[opinion]
        )
    assessed = Assessed(opinion=opinion, **percentages(weighed))
    return _to(engagement, "assessed", assessed=assessed)


def _review(engagement: Engagement, event: EngagementEvent, _facts: Facts, _now: _Now) -> Engagement:
    terms, reviewer = cast("Terms", engagement.terms), cast("Any", event.reviewer)
    if reviewer.mark != terms.reviewer or reviewer.function != terms.reviewer_function:
        raise EngagementError(
            "it isn't by the technical reviewer whom the acceptance names",
            where="reviewer",
            remedy=f"let {terms.reviewer} review",
        )
    unanswered = [one.id for one in engagement.findings if one.state == "open" and one.severity != "observation"]
    if unanswered:
        raise EngagementError(
            f"findings aren't answered: {', '.join(unanswered)}",
            where="engagement",
            remedy="wait for the answers of whom they concern",
        )
    if event.outcome == "returned":
        return _to(engagement, "sampled", assessed=None)
    return _to(engagement, "reviewed")


_TAKE: Final[Mapping[EngagementStep, Callable[[Engagement, EngagementEvent, Facts, _Now], Engagement]]] = {
    "accept": _accept,
    "decline": _decline,
    "plan": _plan,
    "sample": _sample,
    "visit": _visit,
    "examine": _examine,
    "find": _find,
    "answer": _answer,
    "close": _close,
    "assess": _assess,
    "review": _review,
}
_LIST = "take the id from the list of engagements"
_AHEAD: Final[Mapping[State, str]] = {
    "asked": "accept or decline it",
    "accepted": "state the plan",
    "planned": "draw the sample",
    "sampled": "examine the sample, settle the findings, and assess",
    "assessed": "let the technical reviewer review it",
    "reviewed": "sign the verification-statement",
}


def _next(engagement: Engagement) -> str:
    return _AHEAD.get(engagement.state, "it is over: the filer asks anew by the filing's step submit")


def _finding(engagement: Engagement, event: EngagementEvent, signer: str | None) -> Finding:
    """Return the finding that is meant; for a signer whom it doesn't concern there is none, but for the parties."""
    found = next((one for one in engagement.findings if one.id == event.finding), None)
    if found is None or signer not in (None, found.concerned, engagement.filer, engagement.verifier):
        raise NotFoundError("no such finding", where="finding", remedy="take its id from the engagement")
    return found


def _with(engagement: Engagement, finding: Finding, **changes: Any) -> Engagement:
    changed = finding.model_copy(update=changes)
    findings = tuple(changed if one.id == finding.id else one for one in engagement.findings)
    return _to(engagement, engagement.state, findings=findings)


def _lines(found: object) -> tuple[Any, ...]:
    return found.items if isinstance(found, ListOf) else ()

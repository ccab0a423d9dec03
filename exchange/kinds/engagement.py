"""What is stated in a verification engagement: by the verifier from acceptance to technical review, and by whoever answers its findings.

Each statement names the one before it; the first one the filing's step `submit`, by which the filer asked. Persons appear by function and
by the verifier's own mark (``A-7``), never by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints

from bom_graph import Amount, Citation, Identifier, Line, Lines, ListOf, Maybe, Part, Period, RecordError, Text, Uri
from exchange.kinds.filing import Digest, FilingRecord, Opinion

EngagementStep = Literal[
    "accept", "decline", "plan", "sample", "visit", "examine", "find", "answer", "close", "assess", "review"
]
#: An engagement's id: the leaf hash of the filing's step `submit` that asked for it.
EngagementId = Digest
#: What a person does in an engagement, never who that is.
TeamFunction = Literal["lead_verifier", "verifier", "sector_expert", "data_analyst", "trainee"]
ReviewerFunction = Literal["internal_independent", "outside_independent"]
#: A verifier's own mark for a person: letters and a number, so that no name fits in.
Mark = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3}-[0-9]{1,4}$", strict=True)]
Technique = Literal[
    "inspection", "observation", "inquiry", "recalculation", "reconciliation", "confirmation", "analytical_test"
]
Risk = Literal["low", "medium", "high"]
Severity = Literal["observation", "minor", "major", "critical"]
Conclusion = Literal["verified", "validated"]
Closing = Literal["resolved", "uncorrected"]
Percent = Annotated[Amount, Field(ge=0, le=Decimal(100))]
_NEEDS: Mapping[str, frozenset[str]] = {
    "accept": frozenset({"independence", "accreditation", "assurance", "materiality_percent", "team", "reviewer"}),
    "decline": frozenset({"reason"}),
    "plan": frozenset({"strategy", "risks", "evidence", "seed", "certain_percent", "per_stratum"}),
    "sample": frozenset({"population", "items"}),
    "visit": frozenset({"site", "period", "visitors", "text"}),
    "examine": frozenset({"examined"}),
    "find": frozenset({"finding", "severity", "concerned", "text"}),
    "answer": frozenset({"finding", "text"}),
    "close": frozenset({"finding", "closing", "text"}),
    "assess": frozenset({"opinion", "net_percent", "absolute_percent", "unseen_percent"}),
    "review": frozenset({"reviewer", "outcome"}),
}


class TeamLine(Line):
    """A member of the team, by function and mark."""

    function: TeamFunction
    mark: Mark


class Reviewer(Part):
    """The technical reviewer, by function and mark."""

    function: ReviewerFunction
    mark: Mark


class ThreatLine(Line):
    """A threat to independence that the verifier declares, and what it does about it."""

    threat: Text
    safeguard: Text


class RiskLine(Line):
    """The risk of a misstatement in a stage (a stratum of the sample), and the answer to it."""

    stage: Identifier
    risk: Risk
    why: Text
    response: Text


class EvidenceLine(Line):
    """What is to be looked at, and how."""

    what: Text
    technique: Technique


class ItemLine(Line):
    """A line of the result that is to be examined: ``contributions/N``."""

    item: Text


class VisitorLine(Line):
    """A member of the team that was at a site."""

    mark: Mark


class ExaminedLine(Line):
    """What came of examining a line of the result: what it should be, less what it is, in kg CO2e of the declared unit.

    A forecast is validated, all else is verified. `evidence` is the SHA-256 of what was seen.
    """

    item: Text
    conclusion: Conclusion
    error_kg: Amount
    evidence: Digest | None = None
    text: Text | None = None


class EngagementEvent(FilingRecord):
    """A statement in an engagement; which claims it needs depends on `event`.

    It names no filing and no model: who answers a finding about its own lines learns nothing of whose result they are in.
    """

    required = frozenset({"engagement", "event", "previous"})
    cites: ClassVar[frozenset[str]] = frozenset({"previous"})
    lists: ClassVar[Mapping[str, type[Line]]] = {
        "team": TeamLine,
        "threats": ThreatLine,
        "risks": RiskLine,
        "evidence": EvidenceLine,
        "items": ItemLine,
        "visitors": VisitorLine,
        "examined": ExaminedLine,
    }

    engagement: Maybe[EngagementId] = None
    event: Maybe[EngagementStep] = None
    previous: Maybe[Citation] = None
    independence: Maybe[Text] = None
    threats: ListOf = None
    accreditation: Maybe[Text] = None
    assurance: Maybe[Literal["limited", "reasonable"]] = None
    materiality_percent: Maybe[Annotated[Amount, Field(gt=0, le=Decimal(100))]] = None
    team: ListOf = None
    reviewer: Maybe[Reviewer] = None
    strategy: Maybe[Text] = None
    risks: ListOf = None
    evidence: ListOf = None
    seed: Maybe[Digest] = None
    certain_percent: Maybe[Percent] = None
    per_stratum: Maybe[Annotated[int, Field(ge=1, le=1000, strict=True)]] = None
    population: Maybe[Digest] = None
    items: ListOf = None
    site: Maybe[Text] = None
    period: Maybe[Period] = None
    visitors: ListOf = None
    examined: ListOf = None
    finding: Maybe[Identifier] = None
    severity: Maybe[Severity] = None
    concerned: Maybe[Uri] = None
    item: Maybe[Text] = None
    error_kg: Maybe[Amount] = None
    closing: Maybe[Closing] = None
    opinion: Maybe[Opinion] = None
    net_percent: Maybe[Amount] = None
    absolute_percent: Maybe[Annotated[Amount, Field(ge=0)]] = None
    unseen_percent: Maybe[Annotated[Amount, Field(ge=0)]] = None
    basis: Maybe[Text] = None
    outcome: Maybe[Literal["confirmed", "returned"]] = None
    reason: Maybe[Text] = None
    text: Maybe[Text] = None

    def check(self) -> None:
        """The claims that its event needs are there, and a list that it needs has lines."""
        if not isinstance(self.event, str):
            return
        missing = sorted(name for name in _NEEDS[self.event] if self._is_empty(name))
        if missing:
            raise RecordError(
                f"{', '.join(missing)} is missing", where=missing[0], remedy=f"the event {self.event} states it"
            )

    def _is_empty(self, name: str) -> bool:
        found = getattr(self, name)
        # A sample may be of nothing: there, what it was drawn from says so.
        return found is None or (isinstance(found, Lines) and found.complete and not found.items and name != "items")


ENGAGEMENT_STEPS: tuple[str, ...] = get_args(EngagementStep)

"""An engagement as the chain of its signed statements: its states, who may state what in which, and what is known beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from bom_graph import SampleUnit
from exchange.kinds import Accreditation
from exchange.kinds.engagement import Conclusion, EngagementStep, Severity
from exchange.kinds.filing import Opinion

State = Literal[
    "asked", "accepted", "planned", "sampled", "assessed", "reviewed", "concluded", "declined", "ended", "withdrawn"
]
Party = Literal["verifier", "concerned"]
FindingState = Literal["open", "answered", "resolved", "uncorrected"]
#: In these states the verifier is at work, and the lines of the result are open to it.
AT_WORK: Final[frozenset[State]] = frozenset({"accepted", "planned", "sampled", "assessed", "reviewed"})
_FIELDWORK: Final[frozenset[State]] = frozenset({"planned", "sampled"})


@dataclass(frozen=True, slots=True)
class Row:
    """Who may state something, and in which states."""

    party: Party
    states: frozenset[State]


STEPS: Final[Mapping[EngagementStep, Row]] = {
    "accept": Row("verifier", frozenset({"asked"})),
    "decline": Row("verifier", AT_WORK | {"asked"}),
    "plan": Row("verifier", _FIELDWORK | {"accepted"}),
    "sample": Row("verifier", _FIELDWORK),
    "visit": Row("verifier", _FIELDWORK),
    "examine": Row("verifier", frozenset({"sampled"})),
    "find": Row("verifier", _FIELDWORK),
    "answer": Row("concerned", _FIELDWORK | {"assessed"}),
    "close": Row("verifier", _FIELDWORK),
    "assess": Row("verifier", frozenset({"sampled"})),
    "review": Row("verifier", frozenset({"assessed"})),
}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(_Value):
    """A finding at `index`; `error_kg` is what the result should be less what it is, where that can be said; once closed, what remains."""

    id: str
    index: int
    severity: Severity
    concerned: str
    item: str | None = None
    error_kg: Decimal | None = None
    state: FindingState = "open"

    @property
    def stands(self) -> bool:
        """Whether it counts against the result: all but those that were resolved."""
        return self.state != "resolved"


class Examined(_Value):
    """What came of examining a line."""

    conclusion: Conclusion
    error_kg: Decimal


class Terms(_Value):
    """On which terms the engagement was accepted."""

    accreditation: str
    assurance: Literal["limited", "reasonable"]
    materiality_percent: Decimal
    team: tuple[str, ...]
    reviewer: str
    reviewer_function: str


class Plan(_Value):
    """How the sample is drawn: by which seed, from which share of the total on for certain, and how many of each stage beside."""

    seed: str
    certain_percent: Decimal
    counts: dict[str, int]


class Assessed(_Value):
    """The opinion before its review, and what it rests on, in percent of the total."""

    opinion: Opinion
    net_percent: Decimal
    absolute_percent: Decimal
    unseen_percent: Decimal


class Engagement(_Value):
    """An engagement as its statements made it. `id` is the leaf hash of the step `submit` that asked for it, at index `asked`.

    `sample`: None until one was drawn. `statement`: leaf hash of the verification-statement.
    """

    id: str
    asked: int
    filing: str
    filer: str
    verifier: str
    product: str
    result: str
    state: State = "asked"
    last: tuple[int, str]
    terms: Terms | None = None
    plan: Plan | None = None
    certain: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    examined: dict[str, Examined] = {}
    findings: tuple[Finding, ...] = ()
    visits: int = 0
    assessed: Assessed | None = None
    statement: str | None = None
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of the result that the verifier may see, and how much of it, in kg CO2e, it may not."""

    units: tuple[SampleUnit, ...]
    forecasts: frozenset[str]
    signers: Mapping[str, str]
    unseen_kg: Decimal
    total_kg: Decimal


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the chain when a statement comes in.

    `relations`: the commercial roles in the result's supply chain that the verifier has beside this one. `suppliers`: who signed what the
    result rests on. `stale`: why the result wouldn't come out so today.
    """

    roles: frozenset[str]
    same_group: bool
    relations: tuple[str, ...]
    accreditations: tuple[Accreditation, ...]
    chemistry_group: str
    rule_set: str
    suppliers: frozenset[str]
    lines: Lines
    stale: tuple[str, ...] = field(default=())

"""A filing as the chain of its signed statements: its states, who may take which step from where, and what a step is told beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final, Literal

from bom_graph import Period
from exchange.kinds.filing import FilingRecord, PlanFigure, StepName

State = Literal[
    "registered",
    "planned",
    "data_complete",
    "calculated",
    "exported",
    "unreconciled",
    "reconciled",
    "under_verification",
    "verified",
    "filed",
    "accepted",
    "withdrawn",
]
Step = Literal[
    "register",
    "plan",
    "complete",
    "calculate",
    "export",
    "platform",
    "submit",
    "verify",
    "file",
    "review",
    "answer",
    "amend",
    "withdraw",
    "decline",
    "revoke",
]
Party = Literal["filer", "verifier", "authority"]
#: States in their order; a withdrawn filing is over.
ORDER: Final[tuple[State, ...]] = (
    "registered",
    "planned",
    "data_complete",
    "calculated",
    "exported",
    "unreconciled",
    "reconciled",
    "under_verification",
    "verified",
    "filed",
    "accepted",
)
#: In these states all that a filing rests on is held from erasure; its own statements are from registration to withdrawal.
HELD: Final[frozenset[State]] = frozenset({"under_verification", "verified", "filed", "accepted"})
_BEFORE_VERIFICATION = ORDER[: ORDER.index("under_verification")]


@dataclass(frozen=True, slots=True)
class Row:
    """Who may take a step, and from which states."""

    party: Party
    states: frozenset[State]


def _from(first: State) -> frozenset[State]:
    """From a state on, as long as nobody verifies."""
    return frozenset(_BEFORE_VERIFICATION[_BEFORE_VERIFICATION.index(first) :])


STEPS: Final[Mapping[Step, Row]] = {
    "register": Row("filer", frozenset()),
    "plan": Row("filer", _from("registered")),
    "complete": Row("filer", _from("planned")),
    "calculate": Row("filer", _from("data_complete")),
    "export": Row("filer", _from("calculated")),
    "platform": Row("filer", _from("exported")),
    "submit": Row("filer", frozenset({"reconciled"})),
    "verify": Row("verifier", frozenset({"under_verification"})),
    "file": Row("filer", frozenset({"verified"})),
    "review": Row("authority", frozenset({"filed"})),
    "answer": Row("filer", frozenset(ORDER)),
    "amend": Row("filer", frozenset({"under_verification", "verified", "accepted"})),
    "withdraw": Row("filer", frozenset(ORDER) - {"filed", "accepted"}),
    "decline": Row("verifier", frozenset({"under_verification"})),
    "revoke": Row("verifier", frozenset({"verified", "filed", "accepted"})),
}
#: Where a filing stands when the step that a review names is to be taken anew.
BEFORE: Final[Mapping[StepName, State]] = {
    "plan": "registered",
    "complete": "planned",
    "calculate": "data_complete",
    "export": "calculated",
    "platform": "exported",
    "submit": "reconciled",
    "file": "verified",
}
#: Where the steps of those lead to who judge a filing, and where it doesn't stand without them.
_JUDGED: Final[Mapping[Step, State]] = {"verify": "verified", "review": "accepted"}


@dataclass(frozen=True, slots=True)
class Link:
    """A statement of a filing's chain: the step, who signed it, and the state that it led to."""

    index: int
    leaf_hash: str
    step: Step
    signer: str
    state: State


@dataclass(frozen=True, slots=True)
class Filing:
    """A filing as its statements made it. `data`: the leaf hashes of what its figures are cited from.

    `open_remarks`: remarks to the filer that wait for an answer, as ``<index of the review>.<id>``.
    """

    id: str
    filer: str
    product: str
    state: State
    chain: tuple[Link, ...]
    plan_period: Period | None = None
    figures: tuple[PlanFigure, ...] = ()
    data: frozenset[str] = frozenset()
    result: str | None = None
    export: str | None = None
    verifier: str | None = None
    expires: date | None = None
    open_remarks: frozenset[str] = frozenset()

    @property
    def last(self) -> Link:
        """The newest statement, which the next one names."""
        return self.chain[-1]

    def newest(self, step: Step) -> Link:
        """The newest statement of a step that was taken."""
        return next(link for link in reversed(self.chain) if link.step == step)

    @property
    def stands_on(self) -> tuple[Link, ...]:
        """The statements that the filing's state rests on: the newest of each step that led to it."""
        if self.state == "withdrawn":
            return ()
        at = ORDER.index(self.state)
        led = {"register", *(step for step, before in BEFORE.items() if ORDER.index(before) < at)}
        led |= {step for step, led_to in _JUDGED.items() if ORDER.index(led_to) <= at}
        newest = {link.step: link for link in self.chain if link.step in led}
        return tuple(sorted(newest.values(), key=lambda link: link.index))


@dataclass(frozen=True, slots=True)
class Signed:
    """A statement as it comes in: its place, who signed it, on which day (UTC), and what it says, wholly disclosed."""

    index: int
    leaf_hash: str
    signer: str
    day: date
    record: FilingRecord


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The battery-model statement that is registered."""

    owner: str
    product: str
    rated_kwh: Decimal
    counts: bool


@dataclass(frozen=True, slots=True)
class DataFacts:
    """An entry that a figure is cited from; `period` is None where it has none or the filer may not see it."""

    kind: str
    period: Period | None
    visible: bool
    counts: bool


@dataclass(frozen=True, slots=True)
class ResultFacts:
    """A stored result: `lines` are its stages and ``total`` per functional unit, `stale` why it wouldn't come out so today.

    `own_activity`: leaf hashes of the filer's own activity data among `inputs`.
    """

    reader: str
    product: str
    rule_set: str
    complete: bool
    heading: str
    unit: str
    lines: Mapping[str, Decimal]
    inputs: frozenset[str]
    own_activity: frozenset[str]
    stale: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the chain when a statement comes in, as far as its step asks: None or empty where it doesn't.

    `is_newest`: the result that a calculation names is the newest that the filer computed. `erased`: statements that the filing stands on
    and that were erased; `doubted`: those that a key signed that was declared compromised, each with why. `groups`: the corporate groups
    of filer, verifier, who signs and whom a review names, as they are compared.
    """

    roles: frozenset[str] = frozenset()
    running: str | None = None
    model: ModelFacts | None = None
    data: Mapping[str, DataFacts] = field(default_factory=dict)
    erased: tuple[Link, ...] = ()
    doubted: tuple[tuple[Link, str], ...] = ()
    result: ResultFacts | None = None
    is_newest: bool = True
    export: str | None = None
    verifier_roles: frozenset[str] = frozenset()
    groups: Mapping[str, str] = field(default_factory=dict)

    def same_group(self, one: str, other: str) -> bool:
        """Whether two organisations are one, or of one corporate group."""
        return self.groups.get(one, one) == self.groups.get(other, other)

"""What the parties to a filing sign: quality-control plan, steps, the platform's result, verification, review.

Each statement but the first names the one before it (`previous`, or `target` of a verification), so that the signed statements of a filing
are one chain, and one that was signed on an older state fits nowhere. Persons appear by function alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field, StringConstraints

from bom_graph import (
    Amount,
    Citation,
    Day,
    Identifier,
    Line,
    Lines,
    ListOf,
    Maybe,
    Part,
    Period,
    Record,
    RecordError,
    Text,
    Uri,
)

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]
#: A filing's id: a UUID that the filer chooses.
FilingId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", strict=True)]
#: What a filer states by a `filing-event`.
Event = Literal["register", "complete", "calculate", "export", "submit", "file", "answer", "amend", "withdraw"]
#: The steps that a review can send a filing back to.
StepName = Literal["plan", "complete", "calculate", "export", "platform", "submit", "file"]
#: Who does something, never by name.
Function = Literal[
    "environment_officer",
    "quality_manager",
    "data_controller",
    "metering_engineer",
    "production_manager",
    "laboratory",
    "purchasing",
    "logistics",
    "internal_auditor",
    "outside_contractor",
]
Source = Literal["meter", "weighing", "invoice", "production_record", "supplier_statement", "calculation", "estimate"]
Opinion = Literal["unmodified", "modified", "adverse", "disclaimed"]
Cause = Literal[
    "background_database",
    "factor_release",
    "activity_data",
    "allocation",
    "boundary",
    "electricity",
    "rounding",
    "platform_defect",
    "own_defect",
    "other",
]
Addressee = Literal["filer", "factor_maintainer", "rule_maintainer"]
_NEEDS: Mapping[str, frozenset[str]] = {
    "register": frozenset({"model", "rules"}),
    "complete": frozenset({"data", "period"}),
    "calculate": frozenset({"result"}),
    "export": frozenset({"export"}),
    "submit": frozenset({"result", "verifier"}),
    "file": frozenset({"result"}),
    "answer": frozenset({"answers"}),
    "amend": frozenset({"trigger", "reason"}),
    "withdraw": frozenset({"reason"}),
}


class FilingRecord(Record):
    """Base of what parties to a filing sign. Its `sub` is the filer's model, whoever signs."""

    cites: ClassVar[frozenset[str]] = frozenset({"previous"})

    filing: Maybe[FilingId] = None

    @property
    def products(self) -> tuple[str, ...]:
        """None: it speaks of a filing, and whose product that is about is held against the filing."""
        return ()


class PlanFigure(Line):
    """Where one figure of the activity data comes from, and how it is kept right.

    A `meter` that counts is calibrated on a day, and not later than it is due again.
    """

    name: Text
    source: Source
    function: Function
    frequency: Text
    gap_treatment: Text
    meter: Text | None = None
    calibrated: Day | None = None
    calibration_due: Day | None = None
    sampling: Text | None = None
    cross_check: Text | None = None


class QualityPlan(FilingRecord):
    """The data quality-control plan of one filing: source of each activity figure, meters, functions, sampling, checks, gaps."""

    required = frozenset({"sub", "filing", "previous", "period", "figures"})
    lists: ClassVar[Mapping[str, type[Line]]] = {"figures": PlanFigure}

    previous: Maybe[Citation] = None
    period: Maybe[Period] = None
    figures: ListOf = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """A plan names figures; each that is metered names its meter and when that is calibrated."""
        figures: tuple[PlanFigure, ...] = self.figures.items if isinstance(self.figures, Lines) else ()
        if isinstance(self.figures, Lines) and self.figures.complete and not figures:
            raise RecordError("the plan names no figure", where="figures", remedy="name each figure with its source")
        for one in figures:
            where = f"figures/{one.id}"
            if one.source in ("meter", "weighing") and None in (one.meter, one.calibrated, one.calibration_due):
                raise RecordError(
                    "a figure that is metered needs its meter, and when that was and is next calibrated",
                    where=where,
                    remedy="state meter, calibrated and calibration_due",
                )
            if one.calibrated is not None and one.calibration_due is not None and one.calibration_due < one.calibrated:
                raise RecordError(
                    "calibration is due before it was done", where=f"{where}/calibration_due", remedy="correct the days"
                )


class DataLine(Line):
    """The entry that holds a figure of the plan, or why there is none: a gap, treated as the plan says."""

    figure: Identifier
    citation: Citation | None = None
    gap: Text | None = None


class AnswerLine(Line):
    """The filer's answer to a remark of a review, by the remark's id."""

    remark: Identifier
    text: Text


class NamedRules(Part):
    """Rules by id, version and digest."""

    id: Text
    version: Text
    digest: Digest


class FilingEvent(FilingRecord):
    """A step of a filing that the filer takes; which claims it needs depends on `event`."""

    required = frozenset({"sub", "filing", "event"})
    cites: ClassVar[frozenset[str]] = frozenset({"previous", "model"})
    lists: ClassVar[Mapping[str, type[Line]]] = {"data": DataLine, "answers": AnswerLine}

    event: Maybe[Event] = None
    previous: Maybe[Citation] = None
    rules: Maybe[NamedRules] = None
    model: Maybe[Citation] = None
    period: Maybe[Period] = None
    data: ListOf = None
    result: Maybe[Digest] = None
    export: Maybe[Digest] = None
    verifier: Maybe[Uri] = None
    trigger: Maybe[Identifier] = None
    reason: Maybe[Text] = None
    answers: ListOf = None

    def check(self) -> None:
        """The claims are those of its event: what a step needs is there, and only a registration has no `previous`."""
        if not isinstance(self.event, str):
            return
        needed = _NEEDS[self.event] | (frozenset() if self.event == "register" else {"previous"})
        if missing := sorted(name for name in needed if getattr(self, name) is None):
            raise RecordError(
                f"{', '.join(missing)} is missing", where=missing[0], remedy=f"the step {self.event} states it"
            )


class PlatformLine(Line):
    """A figure of the platform's result: `line` is a stage of the rule set, or ``total``; kg CO2e per functional unit."""

    line: Identifier
    value: Amount


class Explanation(Line):
    """Why the platform's figure of a line is another than ours, or there on one side alone."""

    line: Identifier
    cause: Cause
    text: Text


class PlatformResult(FilingRecord):
    """What the designated platform calculated, by which version of its database, and the filer's account of the differences."""

    required = frozenset(
        {"sub", "filing", "previous", "platform", "database", "database_version", "calculated", "unit", "lines"}
    )
    lists: ClassVar[Mapping[str, type[Line]]] = {"lines": PlatformLine, "explanations": Explanation}

    previous: Maybe[Citation] = None
    platform: Maybe[Text] = None
    database: Maybe[Text] = None
    database_version: Maybe[Text] = None
    calculated: Maybe[Day] = None
    unit: Maybe[Text] = None
    report: Maybe[Digest] = None
    lines: ListOf = None
    explanations: ListOf = None


class VerificationStatement(FilingRecord):
    """A verifier's opinion on a result, by its digest. `target`, in the open, is the entry that asked for it.

    Without a `filing` it is of a supplier's own product-footprint, which `target` names: then those whose results rest on that sealed
    footprint can show who verified it. `validated`: what of it is a forecast, and was validated rather than verified.
    """

    required = frozenset({"sub", "result", "opinion", "scope", "assurance", "materiality_percent", "expires"})
    cites: ClassVar[frozenset[str]] = frozenset({"target"})

    target: Citation | None = None
    result: Maybe[Digest] = None
    opinion: Maybe[Opinion] = None
    scope: Maybe[Text] = None
    assurance: Maybe[Literal["limited", "reasonable"]] = None
    materiality_percent: Maybe[Annotated[Amount, Field(gt=0, le=Decimal(100))]] = None
    net_percent: Maybe[Amount] = None
    absolute_percent: Maybe[Annotated[Amount, Field(ge=0)]] = None
    sampling_seed: Maybe[Digest] = None
    independence: Maybe[Text] = None
    technical_reviewer: Maybe[Literal["internal_independent", "outside_independent"]] = None
    validated: Maybe[Text] = None
    engagement: Maybe[Identifier] = None
    expires: Maybe[Day] = None
    note: Maybe[Text] = None


EVENTS: tuple[str, ...] = get_args(Event)
STEPS_TO_RETURN_TO: tuple[str, ...] = get_args(StepName)


def cited_claims(record: type[Any] | None) -> frozenset[str]:
    """Return which claims of a record's kind are citations by themselves, beside those of lines."""
    return record.cites if record is not None and issubclass(record, FilingRecord) else frozenset()

"""Rule sets: what a regulation or method asks for, as a versioned file.

A rule set names its stages, which lines count towards which stage, the denominator, the electricity basis, the gates and
their levels, rounding, and what its source leaves unstated with the assumption made here. Statements are kept once; each rule set
gives a result of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bom_graph.errors import RuleSetError
from bom_graph.quantities import Amount
from bom_graph.wording import why_unreadable

MAX_RULE_SET_BYTES = 1024 * 1024
#: Stage of a sealed branch of which only the total is known: of no rule set, and in a footprint under any.
SEALED_STAGE = "sealed"
LINE_CLASSES = ("material", "energy", "direct_emission")
PROCESS_CLASSES = ("material_production", "cell_manufacturing", "pack_assembly")
_DATA = resources.files("bom_graph") / "data" / "rules"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Stage(_Frozen):
    """A life-cycle stage by its id, with the names that people read."""

    id: str
    name: str
    name_zh: str


class StageRule(_Frozen):
    """Lines of `line` class in processes of `process` class count towards `stage`."""

    process: str
    line: str
    stage: str


class Denominator(_Frozen):
    """What the footprint is divided by. The formula's inputs come from the battery model."""

    kind: Literal["tested_delivered_energy", "service_life_energy", "rated_energy"]
    unit: str
    full_cycles_per_year: dict[str, Annotated[Amount, Field(gt=0)]] = {}


class Electricity(_Frozen):
    """Which electricity factor a metered kWh takes."""

    basis: Literal["national_average", "as_stated"]
    family: Literal["co2e_life_cycle", "co2_generation"]
    certificates: Literal["allowed", "rejected", "not_covered"]


Fraction = Annotated[Amount, Field(ge=0, le=1)]


class EndOfLife(_Frozen):
    """How what follows the battery's life counts, towards `stage`; the other members stand in where the pack maker's scenario has none.

    Symbols of the circular footprint formula: `allocation` A, `recycled_content` R1, `quality_in` Qsin/Qp, `quality_out` Qsout/Qp;
    R2 is `collection_rate` x `recovery_yield`.
    """

    method: Literal["recycled_content", "recycling_burden_no_credit", "cff"]
    stage: str
    collection_rate: Fraction | None = None
    recovery_yield: Fraction | None = None
    recycled_content: Fraction | None = None
    allocation: Fraction | None = None
    quality_in: Annotated[Amount, Field(ge=0)] | None = None
    quality_out: Annotated[Amount, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _divided(self) -> EndOfLife:
        if self.method == "cff" and None in (self.allocation, self.quality_in, self.quality_out):
            raise ValueError("the circular footprint formula needs allocation, quality_in and quality_out")
        return self


class ElementGate(_Frozen):
    """Element balance: beyond `soft` a finding, beyond `hard` a hard one, which refuses the result or is only reported."""

    soft: Annotated[float, Field(gt=0)]
    hard: Annotated[float, Field(gt=0)]
    hard_effect: Literal["refuse", "report"]

    @model_validator(mode="after")
    def _ordered(self) -> ElementGate:
        if self.hard < self.soft:
            raise ValueError("the hard limit is below the soft one")
        return self


class Gates(_Frozen):
    """The gates of this version."""

    element_balance: ElementGate


class Rounding(_Frozen):
    """How the headline is printed: GB/T 8170 half-even to so many decimals, once, at the end."""

    method: Literal["half_even"]
    decimals: Annotated[int, Field(ge=0, le=12)]


class Unstated(_Frozen):
    """Something that the source does not state, and what is assumed here instead."""

    what: str
    assumption: str


class RuleSet(_Frozen):
    """A rule-set file; `digest` is the hex SHA-256 of its bytes."""

    format: Literal["urn:packtrace:rule-set-file:1"]
    id: str
    version: str
    title: str
    source: str
    functional_unit: str
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    outside_boundary: tuple[str, ...] = ()
    stage_rules: tuple[StageRule, ...]
    denominator: Denominator
    electricity: Electricity
    #: Stage of the distribution legs; with None, and without `end_of_life`, that part of a scenario isn't counted.
    distribution: str | None = None
    end_of_life: EndOfLife | None = None
    factor_releases: Annotated[tuple[str, ...], Field(min_length=1)]
    gates: Gates
    rounding: Rounding
    assumptions: tuple[str, ...] = ()
    unstated: tuple[Unstated, ...] = ()
    not_implemented: tuple[str, ...] = ()
    digest: str = ""

    @model_validator(mode="after")
    def _whole(self) -> RuleSet:
        known = {stage.id for stage in self.stages}
        if len(known) != len(self.stages):
            raise ValueError("two stages have one id")
        pairs = {(rule.process, rule.line) for rule in self.stage_rules}
        missing = [(p, c) for p in PROCESS_CLASSES for c in LINE_CLASSES if (p, c) not in pairs]
        if missing or len(pairs) != len(self.stage_rules):
            raise ValueError(f"stage_rules must map each (process, line) class exactly once; missing {missing}")
        unknown = sorted(({rule.stage for rule in self.stage_rules} | set(self.outside_boundary)) - known)
        if unknown:
            raise ValueError(f"stage_rules or outside_boundary name unknown stages {unknown}")
        forecast = {self.distribution, self.end_of_life.stage if self.end_of_life else None} - {None}
        if forecast - known or forecast & set(self.outside_boundary):
            raise ValueError("distribution or end_of_life name a stage that is unknown or outside the boundary")
        return self

    @classmethod
    def read(cls, data: bytes) -> RuleSet:
        """Return the rule set in the file's bytes; RuleSetError for anything else."""
        try:
            if len(data) > MAX_RULE_SET_BYTES:
                raise ValueError(f"larger than {MAX_RULE_SET_BYTES} bytes")
            rule_set = cls.model_validate(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise RuleSetError(
                f"the rule set can't be read: {why_unreadable(error)}",
                where="rule-set file",
                remedy="take the published file",
            ) from None
        return rule_set.model_copy(update={"digest": hashlib.sha256(data).hexdigest()})

    def unknown_stages(self, stages: Iterable[str]) -> list[str]:
        """Return those of `stages` that a footprint under this rule set can't have, sorted."""
        return sorted(set(stages) - {SEALED_STAGE, *(stage.id for stage in self.stages)})

    def stage_of(self, process_class: str, line_class: str) -> str:
        """Return the stage id that a line of this class in a process of this class counts towards."""
        for rule in self.stage_rules:
            if (rule.process, rule.line) == (process_class, line_class):
                return rule.stage
        raise RuleSetError(
            f"no stage for {line_class} lines in {process_class} processes",
            where=f"{self.id}/stage_rules",
            remedy="use a rule set that covers this process class",
        )


def rule_set_ids() -> tuple[str, ...]:
    """Return the ids of the rule sets that ship with the package, sorted."""
    return tuple(sorted(path.name.removesuffix(".json") for path in _DATA.iterdir() if path.name.endswith(".json")))


def load_rule_set(rule_set_id: str) -> RuleSet:
    """Return a rule set that ships with the package; RuleSetError for an unknown one."""
    return RuleSet.read(rule_set_bytes(rule_set_id))


def rule_set_bytes(rule_set_id: str) -> bytes:
    """Return the bytes of a rule set that ships with the package."""
    if rule_set_id not in rule_set_ids():
        raise RuleSetError(
            f"no rule set {rule_set_id!r}",
            where="rule sets",
            remedy=f"name one of {', '.join(rule_set_ids())}",
        )
    return (_DATA / f"{rule_set_id}.json").read_bytes()

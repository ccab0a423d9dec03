"""Rule sets: what a regulation or method asks for, as a versioned file.

A rule set names its stages, which lines count towards which stage, the denominator, the electricity basis, the gates and
their levels, rounding, and what its source leaves unstated with the assumption made here. Statements are kept once; each rule set
gives a result of its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from bom_graph.errors import RuleSetError
from bom_graph.factors import Family
from bom_graph.gases import Column, GwpSet
from bom_graph.quantities import Amount
from bom_graph.strict_json import read_json
from bom_graph.wording import why_unreadable

MAX_RULE_SET_BYTES = 1024 * 1024
#: Stage of a sealed branch of which only the total is known: of no rule set, and in a footprint under any.
SEALED_STAGE = "sealed"
#: A gate with a wider limit would let anything pass.
MOST_LIMIT = 1000
LINE_CLASSES = ("material", "energy", "direct_emission", "packaging", "waste")
PROCESS_CLASSES = ("material_production", "cell_manufacturing", "pack_assembly")
#: What a gate does: a finding of that level, or a hard one that refuses the result.
Effect = Literal["note", "soft", "hard", "refuse"]
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

    kind: Literal["tested_delivered_energy", "service_life_energy", "rated_energy", "declared_unit"]
    unit: str
    full_cycles_per_year: dict[str, Annotated[Amount, Field(ge=1, le=10_000)]] = {}
    #: By vehicle class: what turns the kilometres of a warranty into years. Without one, the battery model's own figure does.
    km_per_year: dict[str, Annotated[Amount, Field(ge=1, le=1_000_000)]] = {}

    @model_validator(mode="after")
    def _divided(self) -> Denominator:
        if self.kind == "service_life_energy" and not self.full_cycles_per_year:
            raise ValueError("service_life_energy needs full_cycles_per_year of at least one vehicle class")
        return self


class ElectricityBasis(_Frozen):
    """Which factor a metered kWh takes: of the nation's average or of the place as stated, and of which family."""

    basis: Literal["national_average", "as_stated"]
    family: Family


class Alternative(ElectricityBasis):
    """A second figure with another electricity basis, labelled; never the headline and never mixed with it."""

    id: str
    label: str


class Electricity(ElectricityBasis):
    """The electricity of the headline, whether certificates count (`assignment`: for the outputs that a claim names), and alternatives."""

    certificates: Literal["allowed", "rejected", "not_covered"]
    assignment: bool = False
    alternatives: tuple[Alternative, ...] = ()


class Gases(_Frozen):
    """How emissions of gases count: the GWP set, and which columns are stated apart instead of being part of the total.

    Biogenic CO2 is `counted` (1 emitted, -1 taken up) or `apart` (0 and 0); other biogenic gases always count.
    """

    gwp_set: GwpSet
    biogenic_co2: Literal["counted", "apart"]
    land_use_change: Literal["counted", "apart"]
    aircraft: Literal["counted", "apart"]

    def counts(self, gas: str, column: Column) -> bool:
        """Whether kilograms of `gas` in `column` are part of the total."""
        if column in ("biogenic_emission", "biogenic_removal"):
            return gas != "CO2" or self.biogenic_co2 == "counted"
        return {"land_use_change": self.land_use_change, "aircraft": self.aircraft}.get(column) != "apart"


Fraction = Annotated[Amount, Field(ge=0, le=1)]


class EndOfLife(_Frozen):
    """How what follows the battery's life counts, towards `stage`; the other members stand in where the pack maker's scenario has none.

    Symbols of the circular footprint formula: `allocation` A, `energy_allocation` B, `recycled_content` R1, `quality_in` Qsin/Qp,
    `quality_out` Qsout/Qp; R2 is `collection_rate` x `recovery_yield`.
    """

    method: Literal["recycled_content", "recycling_burden_no_credit", "cff"]
    stage: str
    collection_rate: Fraction | None = None
    recovery_yield: Fraction | None = None
    recycled_content: Fraction | None = None
    allocation: Fraction | None = None
    quality_in: Fraction | None = None
    quality_out: Fraction | None = None
    energy_allocation: Fraction | None = None
    #: Share of the pack's mass that the scenario's materials have to speak of; below it the stage is a gap.
    least_mass_covered: Fraction

    @model_validator(mode="after")
    def _divided(self) -> EndOfLife:
        if self.method == "cff" and None in (self.allocation, self.quality_in, self.quality_out):
            raise ValueError("the circular footprint formula needs allocation, quality_in and quality_out")
        return self


class AllocationRule(_Frozen):
    """The keys by which several outputs may share the lines of their process, the preferred one first."""

    keys: Annotated[tuple[Literal["mass", "energy", "pieces", "economic", "stated"], ...], Field(min_length=1)]


class Limits(_Frozen):
    """A gate with figures: beyond `soft` a finding, beyond `hard` a hard one, which refuses the result or is only reported.

    Limits are fractions, or multiples where the gate compares by ratio.
    """

    soft: Annotated[float, Field(gt=0, le=MOST_LIMIT)]
    hard: Annotated[float, Field(gt=0, le=MOST_LIMIT)]
    hard_effect: Literal["refuse", "report"]

    @model_validator(mode="after")
    def _ordered(self) -> Limits:
        if self.hard < self.soft:
            raise ValueError("the hard limit is below the soft one")
        return self


class Periods(_Frozen):
    """What follows where a line's period leaves its statement's, or its days had yet to come (`line`), where a supplier's doesn't meet
    its consumer's or covers less than a tenth of it (`supplier`), and where two statements of one process overlap (`overlap`)."""

    line: Effect
    supplier: Effect
    overlap: Effect


class DenominatorGate(_Frozen):
    """What follows where a battery model contradicts itself over the energy that the pack delivers, and where its figures are unusual."""

    contradiction: Effect
    unusual: Effect


class Gates(_Frozen):
    """The gates of this version. `consumption` is that of record against content by the bill of materials, `deliveries` what was
    consumed against what suppliers delivered; the limits of `plausible_range` are multiples of the background's value, either way,
    those of `pack_mass` the share by which the mass in a scenario may differ from the battery model's."""

    element_balance: Limits
    consumption: Limits
    deliveries: Limits
    plausible_range: Limits
    pack_mass: Limits
    periods: Periods
    denominator: DenominatorGate

    @model_validator(mode="after")
    def _multiples(self) -> Gates:
        if self.plausible_range.soft < 1:
            raise ValueError(
                "plausible_range: its limits are multiples, and no figure is within less than once the background's"
            )
        return self


class Rounding(_Frozen):
    """How the headline is printed: GB/T 8170 half-even to so many decimals, once, at the end."""

    method: Literal["half_even"]
    decimals: Annotated[int, Field(ge=0, le=12)]


class Scope(_Frozen):
    """Which packs the rule set speaks of: those whose rated energy is above so many kWh."""

    rated_energy_above_kwh: Annotated[Amount, Field(ge=0)]


class Unstated(_Frozen):
    """Something that the source does not state, and what is assumed here instead."""

    what: str
    assumption: str


class RuleSet(_Frozen):
    """A rule-set file; `digest` is the hex SHA-256 of its bytes."""

    format: Literal["urn:packtrace:rule-set-file:1"]
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]+([._-][A-Za-z0-9]+)*$", max_length=64)]
    version: Annotated[str, Field(min_length=1)]
    title: str
    source: str
    functional_unit: str
    scope: Scope | None = None
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    outside_boundary: tuple[str, ...] = ()
    stage_rules: tuple[StageRule, ...]
    denominator: Denominator
    electricity: Electricity
    allocation: AllocationRule
    #: Stage of the distribution legs; with None, and without `end_of_life`, that part of a scenario isn't counted.
    distribution: str | None = None
    end_of_life: EndOfLife | None = None
    factor_releases: Annotated[tuple[str, ...], Field(min_length=1)]
    proxy_releases: tuple[str, ...] = ()
    gases: Gases
    gates: Gates
    rounding: Rounding
    assumptions: tuple[str, ...] = ()
    unstated: tuple[Unstated, ...] = ()
    not_implemented: tuple[str, ...] = ()
    digest: SkipJsonSchema[str] = ""

    @model_validator(mode="after")
    def _whole(self) -> RuleSet:
        known = {stage.id for stage in self.stages}
        if len(known) != len(self.stages):
            raise ValueError("two stages have one id")
        pairs = {(rule.process, rule.line) for rule in self.stage_rules}
        missing = [(p, c) for p in PROCESS_CLASSES for c in LINE_CLASSES if (p, c) not in pairs]
        if missing:
            raise ValueError(f"stage_rules must map each (process, line) class exactly once; missing {missing}")
        lists: dict[str, Sequence[object]] = {
            "stage_rules (process, line)": [(rule.process, rule.line) for rule in self.stage_rules],
            "factor_releases": self.factor_releases,
            "proxy_releases": self.proxy_releases,
            "allocation/keys": self.allocation.keys,
            "outside_boundary": self.outside_boundary,
        }
        for name, found in lists.items():
            if twice := [one for one, count in Counter(found).items() if count > 1]:
                raise ValueError(f"{name}: {twice[0]} stands twice")
        unknown = sorted(({rule.stage for rule in self.stage_rules} | set(self.outside_boundary)) - known)
        if unknown:
            raise ValueError(f"stage_rules or outside_boundary name unknown stages {unknown}")
        if strange := sorted(set(self.proxy_releases) - set(self.factor_releases)):
            raise ValueError(f"proxy_releases name {strange}, which factor_releases lack")
        labels = [alternative.id for alternative in self.electricity.alternatives]
        if len(set(labels)) != len(labels):
            raise ValueError("two alternatives have one id")
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
            rule_set = cls.model_validate(read_json(data))
        except ValueError as error:
            why = why_unreadable(error)
            raise RuleSetError(
                f"the rule set can't be read: {why}",
                where="rule-set file",
                remedy="correct the file there, or take the published one; `packtrace rules schema` prints the form",
            ) from None
        return rule_set.model_copy(update={"digest": hashlib.sha256(data).hexdigest()})

    @classmethod
    def file_schema(cls) -> dict[str, Any]:
        """Return the JSON schema (2020-12) of the file."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **cls.model_json_schema()}

    def unknown_stages(self, stages: Iterable[str]) -> list[str]:
        """Return those of `stages` that a footprint under this rule set can't have, sorted."""
        return sorted(set(stages) - {SEALED_STAGE, *(stage.id for stage in self.stages)})

    def allowing(self, key: str) -> RuleSet:
        """Return this rule set with `key` among the allocation keys, for a comparison that is no result of it."""
        keys = tuple(dict.fromkeys((*self.allocation.keys, key)))
        return self.model_copy(update={"allocation": self.allocation.model_copy(update={"keys": keys})})

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

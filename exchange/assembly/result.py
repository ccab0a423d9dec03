"""What is asked of a calculation, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bom_graph import BatteryModel, FactorRelease, Finding, Footprint, ProductSystem, RuleSet
from exchange.evidence import Entry, published_digest

#: Names the arithmetic: a change that can move a stored digit gets a new name.
ENGINE = "packtrace-engine-3"
#: Where the gap of a pack without readable battery model is: its footprint can't be divided by anything.
BATTERY_MODEL_GAP = "battery_model"


class RefusedError(Exception):
    """The rule set refuses a result: at least one finding is hard. Nothing was computed."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(f"{finding.what} (at {finding.where})" for finding in findings))
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class Demand:
    """What a footprint is wanted for: one declared unit of `product`.

    With `flow`, the product is represented by that background flow's published factor and none of the maker's own data is in the figure.
    """

    product: str
    flow: str | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is missing. `where` is a product or a stage, whose emissions are unknown and not zero, or BATTERY_MODEL_GAP."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class AlternativeTotal:
    """A second figure, with another electricity basis or allocation key: kg CO2e per declared unit. For comparison, never the headline.

    None, and `what` says why, where there is none.
    """

    id: str
    label: str
    total: float | None
    what: str


@dataclass(frozen=True, slots=True)
class Result:
    """A footprint with all that explains it. kg CO2e per declared unit; `document()` in exchange.report gives its stored form.

    `is_pack` says whether the rule set asks for kWh of it; without `model` there are none to divide by, which is a gap.
    """

    demand: Demand
    rule_set: RuleSet
    releases: tuple[FactorRelease, ...]
    policy_digest: str
    origin: str
    snapshot: int
    inputs: tuple[Entry, ...]
    unit: str
    system: ProductSystem
    footprint: Footprint
    denominator_kwh: Decimal | None
    denominator_formula: str
    is_pack: bool
    model: BatteryModel | None
    gaps: tuple[Gap, ...]
    findings: tuple[Finding, ...]
    assumptions: tuple[str, ...]
    alternatives: tuple[AlternativeTotal, ...] = ()

    @property
    def published(self) -> Mapping[str, int]:
        """The index of the entry that published it, by digest of a factor release; what came with the software isn't in it."""
        return {digest: entry.index for entry in self.inputs if (digest := published_digest(entry)) is not None}

    @property
    def total(self) -> float | None:
        """kg CO2e per declared unit; None where nothing at all was computed, since a gap is never zero."""
        return self.footprint.total if self.footprint.contributions else None

    @property
    def complete(self) -> bool:
        """Whether nothing is missing: no gap in any branch and, for a pack, every stage of the rule set."""
        return not self.gaps

"""A footprint as the tier that computed it signs it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Literal

from pydantic import (
    Field,
    StringConstraints,
)

from bom_graph.errors import (
    RecordError,
)
from bom_graph.quantities import Amount
from bom_graph.records.base import (
    Composition,
    Identifier,
    Line,
    Lines,
    ListOf,
    Maybe,
    Measure,
    Obtained,
    Part,
    Period,
    Record,
    Text,
    check_sum,
)
from bom_graph.rules import RuleSet


class StageAmount(Line):
    """Emissions of one stage per declared unit (kg CO2e)."""

    stage: Identifier
    kg_co2e: Amount


class StatedFinding(Line):
    """A finding of the maker's own calculation that it chose to pass on."""

    gate: Identifier
    level: Literal["note", "soft", "hard"]
    what: Text


class RuleSetName(Part):
    """A rule set by id, version and digest (hex SHA-256 of the file)."""

    id: Identifier
    version: Text
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]

    def names(self, rule_set: RuleSet) -> bool:
        """Whether this is `rule_set`, in its version."""
        return (self.id, self.version, self.digest) == (rule_set.id, rule_set.version, rule_set.digest)


class ProductFootprint(Record):
    """The footprint of a declared unit under one rule set, signed by the tier that computed it."""

    required = frozenset({"sub", "rule_set", "declared_unit", "total", "stages", "complete", "obtained"})
    lists: ClassVar[Mapping[str, type[Line]]] = {"stages": StageAmount, "findings": StatedFinding}

    rule_set: Maybe[RuleSetName] = None
    period: Maybe[Period] = None
    declared_unit: Maybe[Measure] = None
    total: Maybe[Amount] = None
    stages: ListOf = None
    complete: Maybe[Annotated[bool, Field(strict=True)]] = None
    primary_data_share: Maybe[Annotated[Amount, Field(ge=0, le=100)]] = None
    obtained: Maybe[Obtained] = None
    basis: Maybe[Literal["activity_data", "published_factor"]] = None
    composition: Maybe[Composition] = None
    findings: ListOf = None
    result_digest: Maybe[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]] = None
    note: Maybe[Text] = None

    def check(self) -> None:
        """The total is the sum of the stages (kg CO2e per declared unit)."""
        if isinstance(self.total, Decimal) and isinstance(self.stages, Lines) and self.stages.complete:
            check_sum(self.total, [line.kg_co2e for line in self.stages], where="total", unit="kg CO2e")
        if isinstance(self.declared_unit, Measure) and self.declared_unit.amount <= 0:
            raise RecordError("the declared unit is zero", where="declared_unit", remedy='state for instance "1" kg')

"""The footprint of a demand: totals, stages and one contribution per burden, summed in a fixed order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bom_graph.gases import Column
from bom_graph.graph import Link, compile_system


@dataclass(frozen=True, slots=True)
class Burden:
    """What one line of a process emits per unit of its product: `kg_co2e` kg CO2e, counted towards `stage`.

    `activity_primary` is the share (0 to 1) whose amount was measured or calculated at the source, `factor_primary` likewise
    for the factor. `column` is what ISO 14067 states it as. `origin` is whatever explains the line (formula, inputs, factor, signer,
    ledger index); the engine carries it through.
    """

    process: int
    stage: str
    kg_co2e: float
    activity_primary: float
    factor_primary: float
    origin: Mapping[str, object] = field(default_factory=dict)
    column: Column = "not_split"


@dataclass(frozen=True, slots=True)
class ProductSystem:
    """Processes by name, what they take from each other, and what they emit.

    `apart` are emissions and removals that the rule set states beside the total and not in it.
    """

    processes: tuple[str, ...]
    links: tuple[Link, ...]
    burdens: tuple[Burden, ...]
    apart: tuple[Burden, ...] = ()


@dataclass(frozen=True, slots=True)
class Contribution:
    """kg CO2e that one burden adds to the demand's total; `scaling` is how much of its process's product the demand takes."""

    burden: Burden
    scaling: float
    kg_co2e: float


@dataclass(frozen=True, slots=True)
class Footprint:
    """kg CO2e of a demand. `stages` holds every stage that has a burden; shares are fractions of the sum of absolute contributions.

    `columns` holds every ISO 14067 column that has a burden, those of `apart` included, which the total and the stages leave out.
    """

    total: float
    stages: Mapping[str, float]
    activity_primary_share: float
    factor_primary_share: float
    contributions: tuple[Contribution, ...]
    columns: Mapping[Column, float] = field(default_factory=dict)
    apart: tuple[Contribution, ...] = ()


def solve(system: ProductSystem, demand: Mapping[int, float]) -> Footprint:
    """Return the footprint of `demand` (process index -> amount in product units).

    Raises LoopError where a loop takes as much as it makes. Sums are exact, rounded once: a huge burden and a huge credit that cancel
    take nothing else with them. The total is infinite or NaN where the amounts are too large for a double.
    """
    wanted = np.zeros(len(system.processes))
    for process, amount in demand.items():
        wanted[process] = amount
    # Amounts beyond all bounds end in an infinite total, which the caller has to refuse.
    with np.errstate(over="ignore", invalid="ignore"):
        scaling = compile_system(system.processes, system.links).scale(wanted)
    contributions, apart = (
        tuple(
            Contribution(burden, float(scaling[burden.process]), float(scaling[burden.process]) * burden.kg_co2e)
            for burden in burdens
        )
        for burdens in (system.burdens, system.apart)
    )
    stages: dict[str, list[float]] = {}
    for part in contributions:
        stages.setdefault(part.burden.stage, []).append(part.kg_co2e)
    columns: dict[Column, list[float]] = {}
    for part in (*contributions, *apart):
        columns.setdefault(part.burden.column, []).append(part.kg_co2e)
    return Footprint(
        total=_sum([part.kg_co2e for part in contributions]),
        stages={stage: _sum(kilograms) for stage, kilograms in stages.items()},
        activity_primary_share=_share(contributions, [part.burden.activity_primary for part in contributions]),
        factor_primary_share=_share(contributions, [part.burden.factor_primary for part in contributions]),
        contributions=contributions,
        columns={column: _sum(kilograms) for column, kilograms in columns.items()},
        apart=apart,
    )


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        return math.nan


def _share(contributions: Sequence[Contribution], primary: Sequence[float]) -> float:
    weight = sum(abs(part.kg_co2e) for part in contributions)
    if weight == 0:
        return 0.0
    return sum(abs(part.kg_co2e) * share for part, share in zip(contributions, primary, strict=True)) / weight

"""`compute`: from evidence to a result."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bom_graph import FactorRelease, Finding, ProductSystem, RuleSet, solve
from exchange.assembly.draft import ProductSystemDraft
from exchange.assembly.result import Demand, Gap, RefusedError, Result
from exchange.evidence import Evidence
from exchange.kinds import Policy

_OUTSIDE = "outside the boundary of this method: not known here, not zero"


def compute(
    evidence: Evidence, demand: Demand, rule_set: RuleSet, releases: Sequence[FactorRelease], policy: Policy
) -> Result:
    """Return the result of `demand` under `rule_set`, from what `evidence` holds.

    `releases` are tried in order and must be among those the rule set names. Raises RefusedError with every refusing finding, and
    LoopError where a loop of products takes as much as it makes.
    """
    assembly = ProductSystemDraft(evidence, rule_set, tuple(releases))
    assembly.check_releases()
    if demand.flow is not None:
        assembly.published_factor(demand.product, demand.flow)
    else:
        assembly.walk(demand.product)
    model = assembly.battery_model(demand.product)
    kwh, formula = assembly.denominator(model)
    assembly.check_unit(demand.product, model)
    if refusing := [finding for finding in assembly.findings if finding.refuses]:
        raise RefusedError(refusing)
    system = ProductSystem(tuple(assembly.names), tuple(assembly.links), tuple(assembly.burdens))
    footprint = solve(system, {0: 1.0})
    if not math.isfinite(footprint.total):
        what, remedy = "the amounts are too large to be added up", "correct the amounts"
        raise RefusedError([Finding("units", "hard", demand.product, what, remedy, refuses=True)])
    gaps = list(assembly.gaps)
    if model is not None:
        gaps += [
            Gap(stage.id, _OUTSIDE if stage.id in rule_set.outside_boundary else "no statement covers this stage")
            for stage in rule_set.stages
            if stage.id not in footprint.stages
        ]
    return Result(
        demand=demand,
        rule_set=rule_set,
        releases=tuple(releases),
        policy_digest=policy.digest,
        origin=evidence.origin,
        snapshot=evidence.size,
        inputs=tuple(sorted(assembly.used.values(), key=lambda entry: entry.index)),
        unit=assembly.units[0],
        footprint=footprint,
        denominator_kwh=kwh,
        denominator_formula=formula,
        model=model,
        gaps=tuple(gaps),
        findings=tuple(assembly.findings),
        assumptions=tuple(dict.fromkeys([*rule_set.assumptions, *sorted(assembly.assumptions)])),
    )

"""`compute`: from evidence to a result."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bom_graph import FactorRelease, Finding, Footprint, RuleSet, solve
from exchange.assembly.draft import ProductSystemDraft
from exchange.assembly.result import BATTERY_MODEL_GAP, Demand, Gap, RefusedError, Result
from exchange.evidence import Evidence
from exchange.kinds import Policy

_UNDIVIDED = {True: "not divided: no battery model is readable", False: "per declared unit"}
_OUTSIDE = "outside the boundary of this method: not known here, not zero"
_SUPPLIERS_ONLY = "only signed footprints of suppliers speak of this stage: the pack's own share is not known, not zero"


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
    assembly.check_sealed_totals()
    model = assembly.battery_model(demand.product)
    is_pack = model is not None or assembly.is_pack
    if is_pack and demand.flow is None:
        assembly.add_scenario(demand.product, model)
    kwh, formula = assembly.denominator(model) if model is not None else (None, _UNDIVIDED[is_pack])
    assembly.check_unit(demand.product, model)
    if refusing := [finding for finding in assembly.findings if finding.refuses]:
        raise RefusedError(refusing)
    system = assembly.system()
    footprint = solve(system, {0: 1.0})
    # The absolute sum: shares are of it, and where it is finite so is the total.
    if not math.isfinite(sum(abs(part.kg_co2e) for part in footprint.contributions)):
        what, remedy = "the amounts are too large to be added up", "correct the amounts"
        raise RefusedError([Finding("units", "hard", demand.product, what, remedy, refuses=True)])
    gaps = list(assembly.gaps)
    if is_pack and model is None:
        what = (
            f"no battery model is readable: the figure is per {assembly.units[0]}, not per {rule_set.functional_unit}"
        )
        gaps.append(Gap(BATTERY_MODEL_GAP, what))
    if is_pack:
        covered = {
            burden.stage for burden in assembly.burdens if burden.process not in assembly.sealed or burden.process == 0
        }
        gaps += [
            Gap(stage.id, _missing(stage.id, rule_set, footprint))
            for stage in rule_set.stages
            if stage.id not in covered
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
        system=system,
        footprint=footprint,
        denominator_kwh=kwh,
        denominator_formula=formula,
        is_pack=is_pack,
        model=model,
        gaps=tuple(gaps),
        findings=tuple(assembly.findings),
        assumptions=tuple(dict.fromkeys([*rule_set.assumptions, *sorted(assembly.assumptions)])),
    )


def _missing(stage: str, rule_set: RuleSet, footprint: Footprint) -> str:
    """Why a stage is a gap. What a supplier signs about its own product, zero for instance, doesn't cover the pack."""
    if stage in footprint.stages:
        return _SUPPLIERS_ONLY
    return _OUTSIDE if stage in rule_set.outside_boundary else "no statement covers this stage"

"""`compute`: from evidence to a result."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bom_graph import FactorRelease, Finding, Footprint, LoopError, ProductSystem, RuleSet, solve
from exchange.assembly.draft import ProductSystemDraft
from exchange.assembly.result import BATTERY_MODEL_GAP, Alternative, Demand, Gap, RefusedError, Result
from exchange.evidence import Evidence
from exchange.kinds import Policy

_UNDIVIDED = {True: "not divided: no battery model is readable", False: "per declared unit"}
_OUTSIDE = "outside the boundary of this method: not known here, not zero"
_SUPPLIERS_ONLY = "only signed footprints of suppliers speak of this stage: the pack's own share is not known, not zero"


def compute(
    evidence: Evidence, demand: Demand, rule_set: RuleSet, releases: Sequence[FactorRelease], policy: Policy
) -> Result:
    """Return the result of `demand` under `rule_set`, from what `evidence` holds.

    `releases` are tried in order and must be among those the rule set names. Raises RefusedError with every refusing finding; a loop of
    products that takes as much as it makes is one.
    """
    assembly = _assembled(evidence, demand, rule_set, tuple(releases))
    assembly.check_sealed_totals()
    model = assembly.battery_model(demand.product)
    is_pack = model is not None or assembly.is_pack
    kwh, formula = assembly.denominator(model) if model is not None else (None, _UNDIVIDED[is_pack])
    assembly.check_unit(demand.product, model)
    footprint = _solved(assembly)
    assembly.check_plausible_range()
    _raise_refusing(assembly)
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
        footprint=footprint,
        denominator_kwh=kwh,
        denominator_formula=formula,
        is_pack=is_pack,
        model=model,
        gaps=tuple(gaps),
        findings=tuple(assembly.findings),
        alternatives=tuple(
            _by_key(evidence, demand, rule_set, tuple(releases), key) for key in sorted(assembly.other_keys)
        ),
        assumptions=tuple(dict.fromkeys([*rule_set.assumptions, *sorted(assembly.assumptions)])),
    )


def _assembled(
    evidence: Evidence,
    demand: Demand,
    rule_set: RuleSet,
    releases: tuple[FactorRelease, ...],
    *,
    instead: str | None = None,
) -> ProductSystemDraft:
    assembly = ProductSystemDraft(evidence, rule_set, releases, instead)
    assembly.check_releases()
    if demand.flow is not None:
        assembly.published_factor(demand.product, demand.flow)
    else:
        assembly.walk(demand.product)
    return assembly


def _solved(assembly: ProductSystemDraft) -> Footprint:
    """Return the footprint of the first product. Raises RefusedError with what the assembly refuses, or with the loop or overflow."""
    _raise_refusing(assembly)
    try:
        footprint = solve(assembly.system(), {0: 1.0})
    except LoopError as error:
        where = _loop(assembly.system(), error.where)
        raise RefusedError([Finding("loop", "hard", where, error.what, error.remedy, refuses=True)]) from error
    # The absolute sum: shares are of it, and where it is finite so is the total.
    if not math.isfinite(sum(abs(part.kg_co2e) for part in footprint.contributions)):
        what, remedy = "the amounts are too large to be added up", "correct the amounts"
        raise RefusedError([Finding("units", "hard", assembly.names[0], what, remedy, refuses=True)])
    return footprint


def _loop(system: ProductSystem, product: str) -> str:
    """Return the shortest way by which `product` is made from itself: ``a > b > a``."""
    start = system.processes.index(product)
    suppliers: dict[int, list[int]] = {}
    for link in system.links:
        suppliers.setdefault(link.consumer, []).append(link.supplier)
    ways: dict[int, list[int]] = {start: [start]}
    waiting = [start]
    for consumer in waiting:
        for supplier in sorted(suppliers.get(consumer, [])):
            way = [*ways[consumer], supplier]
            if supplier == start:
                return " > ".join(system.processes[number] for number in way)
            if supplier not in ways:
                ways[supplier] = way
                waiting.append(supplier)
    return product


def _raise_refusing(assembly: ProductSystemDraft) -> None:
    if refusing := [finding for finding in assembly.findings if finding.refuses]:
        raise RefusedError(refusing)


def _by_key(
    evidence: Evidence, demand: Demand, rule_set: RuleSet, releases: tuple[FactorRelease, ...], key: str
) -> Alternative:
    """Return what the demand comes to where all lines of several outputs are split by `key`, as far as it can be done."""
    label = f"allocation by {key}"
    if key not in rule_set.allocation.keys:
        label += ", which the rule set doesn't allow"
    try:
        assembly = _assembled(evidence, demand, rule_set.allowing(key), releases, instead=key)
        return Alternative(label, _solved(assembly).total)
    except RefusedError:
        return Alternative(label, None)


def _missing(stage: str, rule_set: RuleSet, footprint: Footprint) -> str:
    """Why a stage is a gap. What a supplier signs about its own product, zero for instance, doesn't cover the pack."""
    if stage in footprint.stages:
        return _SUPPLIERS_ONLY
    return _OUTSIDE if stage in rule_set.outside_boundary else "no statement covers this stage"

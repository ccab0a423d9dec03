"""`compute`: from evidence to a result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from bom_graph import (
    ElectricityBasis,
    FactorRelease,
    Finding,
    Footprint,
    LoopError,
    ProductSystem,
    RuleSet,
    credit_finding,
    out_of_scope,
    overstated,
    size_findings,
    solve,
    total_finding,
    unknown_members,
)
from exchange.assembly.checks import Assembly
from exchange.assembly.result import BATTERY_MODEL_GAP, AlternativeTotal, Demand, Gap, RefusedError, Result
from exchange.evidence import Entry, Evidence
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
    assembly.check_factors()
    model = assembly.battery_model(demand.product)
    divided = rule_set.denominator.kind != "declared_unit"
    is_pack = divided and (model is not None or assembly.is_pack)
    kwh, formula = assembly.denominator(model) if model is not None and divided else (None, _UNDIVIDED[is_pack])
    if divided:
        assembly.check_unit(demand.product, model)
    if model is not None:
        assembly.findings += out_of_scope(model, rule_set, where=demand.product)
        assembly.check_mass(demand.product, model)
    if divided and not is_pack and demand.flow is None:
        assembly.check_pack(demand.product)
    footprint = _solved(assembly)
    assembly.findings += _sizes(assembly, footprint, 1.0 if kwh is None else float(kwh))
    assembly.findings += _claims(footprint)
    assembly.findings += _unknown(assembly)
    if footprint.total < 0:
        assembly.findings += total_finding(footprint.total, rule_set, where=demand.product)
    assembly.check_plausible_range()
    assembly.check_attested()
    assembly.check_recovered(footprint)
    assembly.findings += credit_finding(footprint, rule_set, where=demand.product)
    _raise_refusing(assembly)
    gaps = list(assembly.gaps)
    if not footprint.contributions and not gaps:
        gaps.append(Gap(demand.product, "no line of its statements counts: nothing was computed, which isn't zero"))
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
        inputs=_inputs(assembly),
        unit=assembly.units[0],
        system=assembly.system(),
        footprint=footprint,
        denominator_kwh=kwh,
        denominator_formula=formula,
        is_pack=is_pack,
        model=model,
        gaps=tuple(gaps),
        findings=tuple(assembly.findings),
        assumptions=tuple(dict.fromkeys([*rule_set.assumptions, *sorted(assembly.assumptions)])),
        alternatives=(*_by_electricity(assembly, demand), *_by_key(assembly, demand)),
    )


def _assembled(
    evidence: Evidence,
    demand: Demand,
    rule_set: RuleSet,
    releases: tuple[FactorRelease, ...],
    *,
    alternative: ElectricityBasis | None = None,
    instead: str | None = None,
) -> Assembly:
    assembly = Assembly(evidence, rule_set, releases, alternative, instead=instead)
    assembly.check_releases()
    if demand.flow is not None:
        assembly.published_factor(demand.product, demand.flow)
    else:
        assembly.walk(demand.product)
        assembly.add_scenario(demand.product)
    return assembly


def _inputs(assembly: Assembly) -> tuple[Entry, ...]:
    """Return the entries that the result rests on, by index. With what counts no more stands what took it back."""
    retracted = assembly.evidence.retracted
    used = list(assembly.used.values())
    used += [retracted[entry.leaf_hash] for entry in used if entry.leaf_hash in retracted]
    return tuple(sorted({entry.index: entry for entry in used}.values(), key=lambda entry: entry.index))


def _solved(assembly: Assembly) -> Footprint:
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


def _sizes(assembly: Assembly, footprint: Footprint, kwh: float) -> list[Finding]:
    """Return a hard finding where a size per unit is one that nothing has: a slipped power of ten, whatever it was meant to be."""
    # In floats a tiny energy divides by zero; then the energy itself is what is found.
    shown = {"the total": footprint.total, "the energy delivered": kwh}
    shown["the figure per unit"] = footprint.total / kwh if kwh else math.inf
    shown |= {f"the amount of {assembly.names[link.supplier]}": link.amount for link in assembly.links}
    return size_findings(shown, where=assembly.names[0])


def _claims(footprint: Footprint) -> list[Finding]:
    """Return a note for each line that claims a better quality than its data allow."""
    found = []
    for part in footprint.contributions:
        origin = part.burden.origin
        if over := overstated(origin):
            where = f"{origin.get('product')} {origin.get('line')}"
            what = "its data allow " + ", ".join(f"{name} {score}, not {said}" for name, (said, score) in over.items())
            remedy = "leave the claim out, or use data of that quality"
            found.append(Finding("quality", "note", where, what, remedy))
    return list(dict.fromkeys(found))


def _unknown(assembly: Assembly) -> list[Finding]:
    """Return a finding for each statement that was used and has members that its kind doesn't know: they count for nothing."""
    return [
        finding
        for entry in sorted(assembly.used.values(), key=lambda entry: entry.index)
        if entry.record is not None
        for finding in unknown_members(entry.record, where=f"{entry.statement.issuer} (entry {entry.index})")
    ]


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


def _raise_refusing(assembly: Assembly) -> None:
    if refusing := [finding for finding in assembly.findings if finding.refuses]:
        raise RefusedError(refusing)


def _by_electricity(assembly: Assembly, demand: Demand) -> Iterator[AlternativeTotal]:
    """Yield the rule set's alternative figures, each of a product system of its own: nothing of one gets into the other."""
    if demand.flow is not None:
        return
    for alternative in assembly.rule_set.electricity.alternatives:
        other = _assembled(assembly.evidence, demand, assembly.rule_set, assembly.releases, alternative=alternative)
        taken = other.alternative_lines
        what = f"{taken} of {other.electricity_lines} lines of electricity have such a factor"
        if assembly.sealed:
            what += "; signed footprints keep the basis that they were made with"
        total = solve(other.system(), {0: 1.0}).total if taken else None
        yield AlternativeTotal(alternative.id, alternative.label, total, what)


def _by_key(assembly: Assembly, demand: Demand) -> Iterator[AlternativeTotal]:
    """Yield what the demand comes to where all lines of several outputs are split by another key that has a basis."""
    rule_set = assembly.rule_set
    for key in sorted(assembly.other_keys):
        what = "for comparison" if key in rule_set.allocation.keys else "the rule set doesn't allow it"
        total = None
        try:
            other = _assembled(assembly.evidence, demand, rule_set.allowing(key), assembly.releases, instead=key)
            total = _solved(other).total
        except RefusedError as error:
            what = f"refused: {error.findings[0].what}"
        yield AlternativeTotal(f"allocation_by_{key}", f"allocation by {key}", total, what)


def _missing(stage: str, rule_set: RuleSet, footprint: Footprint) -> str:
    """Why a stage is a gap. What a supplier signs about its own product, zero for instance, doesn't cover the pack."""
    if stage in footprint.stages:
        return _SUPPLIERS_ONLY
    return _OUTSIDE if stage in rule_set.outside_boundary else "no statement covers this stage"

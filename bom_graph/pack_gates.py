"""Gates of a pack: what its battery model says of energy, and its scenario of mass, against each other. Pure.

Limits and levels are the rule set's. The figures called unusual here are ours: no source states any.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from typing import Final

from bom_graph.footprint import Footprint
from bom_graph.gates import Finding
from bom_graph.records import BatteryModel, CyclePoint, Lines, Measure, Vehicle, Warranty
from bom_graph.rules import SEALED_STAGE, Denominator, RuleSet

#: A retention above it is more than the scatter of a test and of a rated value.
MOST_RETENTION: Final = Decimal("1.05")
MOST_CYCLES: Final = Decimal(20_000)
MOST_WARRANTY_YEARS: Final = Decimal(20)
_TEST = "state what the test report says, and sign the battery model again"


def energy_findings(model: BatteryModel, rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return what is contradictory or unusual in the figures that the rule set's denominator is made of; `where` names the model.

    Usable energy above the rated one; more energy discharged than rated energy x tested cycles; retention above 105 % or rising; more
    than 20,000 cycles; a warranty of more than 20 years.
    """
    effects = rule_set.gates.denominator
    kind = rule_set.denominator.kind
    found: list[tuple[bool, str, str, str]] = []
    if kind == "service_life_energy":
        found += _of_service_life(model, rule_set.denominator)
    elif kind == "tested_delivered_energy":
        found += _of_test(model)
    return [
        Finding.by_effect(
            "delivered_energy",
            effects.contradiction if contradicts else effects.unusual,
            f"{where} {place}",
            what,
            remedy,
        )
        for contradicts, place, what, remedy in found
    ]


def mass_finding(stated_kg: Decimal, pack_kg: Decimal, rule_set: RuleSet, *, of: str, where: str) -> list[Finding]:
    """Return the finding that `of` is heavier or lighter than the pack beyond the rule set's gate; both in kg per pack."""
    gate = rule_set.gates.pack_mass
    share = float(abs(stated_kg / pack_kg - 1))
    if share <= gate.soft:
        return []
    is_hard = share > gate.hard
    what = f"{of} has {stated_kg:.6g} kg, the battery model states {pack_kg:.6g} kg (soft limit {gate.soft:.0%}, hard {gate.hard:.0%})"
    remedy = "correct the scenario, or the mass in the battery model"
    refuses = is_hard and gate.hard_effect == "refuse"
    return [Finding("pack_mass", "hard" if is_hard else "soft", where, what, remedy, refuses)]


def credit_finding(footprint: Footprint, rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return the finding that a scenario's credits are above all that making the pack's materials emits: they can't replace more."""
    materials = {rule_set.stage_of("pack_assembly", "material"), SEALED_STAGE}
    credited = -math.fsum(
        p.kg_co2e for p in footprint.contributions if p.burden.origin.get("forecast") and p.kg_co2e < 0
    )
    emitted = math.fsum(p.kg_co2e for p in footprint.contributions if p.burden.stage in materials and p.kg_co2e > 0)
    if not credited > emitted:
        return []
    what = (
        f"the scenario's credits are {credited:.6g} kg CO2e, and the materials of the pack emit {emitted:.6g} kg CO2e"
    )
    remedy = "correct the scenario's amounts and factors: what is recovered can't replace more than the pack holds"
    return [Finding("end_of_life", "hard", where, what, remedy)]


def _of_service_life(model: BatteryModel, denominator: Denominator) -> Iterator[tuple[bool, str, str, str]]:
    usable, rated = _kwh(model, "usable_energy"), _kwh(model, "rated_energy")
    if usable is not None and rated is not None and usable > rated:
        what = f"the usable energy is {usable:f} kWh, above the rated energy of {rated:f} kWh"
        yield True, "usable_energy", what, "state the energy of one pack that is available to the vehicle"
    yield from _of_distance(model, denominator)
    if isinstance(model.warranty, Warranty) and model.warranty.years > MOST_WARRANTY_YEARS:
        what = f"a warranty of {model.warranty.years:f} years is unusual: above {MOST_WARRANTY_YEARS} years"
        yield False, "warranty/years", what, "state the years that the warranty's text grants"


def _of_distance(model: BatteryModel, denominator: Denominator) -> Iterator[tuple[bool, str, str, str]]:
    """Kilometres a year: the maker's own word where the rule set gives none, or another figure than the rule set's."""
    warranty = model.warranty
    if not isinstance(warranty, Warranty) or warranty.km is None or warranty.km_per_year is None:
        return
    category = model.vehicle.category if isinstance(model.vehicle, Vehicle) else None
    given, place = denominator.km_per_year.get(str(category)), "warranty/km_per_year"
    if given is None:
        what = f"{warranty.km_per_year:f} km a year is the pack maker's own figure: the rule set gives none for class {category}"
        yield False, place, what, "ask for what the figure rests on"
    elif given != warranty.km_per_year:
        what = f"{warranty.km_per_year:f} km a year is stated; the rule set's {given:f} for class {category} was taken"
        yield False, place, what, "leave the figure out, or state the rule set's"


def _of_test(model: BatteryModel) -> Iterator[tuple[bool, str, str, str]]:
    whole = isinstance(model.cycle_points, Lines) and model.cycle_points.complete
    points: list[CyclePoint] = sorted(model.cycle_points, key=lambda one: one.cycles) if whole else []  # type: ignore[arg-type]
    yield from _of_discharge(model, points)
    if points and points[-1].cycles > MOST_CYCLES:
        what = f"{points[-1].cycles:f} tested cycles are unusual: above {MOST_CYCLES}"
        yield False, "cycle_points", what, _TEST
    highest = max((point.retention for point in points), default=Decimal(0))
    if highest > MOST_RETENTION:
        yield False, "cycle_points", f"a retention of {highest:f} is unusual: above {MOST_RETENTION}", _TEST
    for before, after in pairwise(points):
        if after.retention > before.retention:
            what = f"retention rises from {before.retention:f} to {after.retention:f} between cycles {before.cycles:f} and {after.cycles:f}"
            yield False, "cycle_points", what, _TEST
            return


def _of_discharge(model: BatteryModel, points: list[CyclePoint]) -> Iterator[tuple[bool, str, str, str]]:
    """A cumulative discharge energy: measured, on a named test, and not above what so many cycles can give."""
    kwh, rated = _kwh(model, "cumulative_discharge_energy"), _kwh(model, "rated_energy")
    if kwh is None:
        return
    place = "cumulative_discharge_energy"
    assert isinstance(model.cumulative_discharge_energy, Measure)  # noqa: S101 - `_kwh` says so
    if (obtained := model.cumulative_discharge_energy.obtained) != "measured":
        yield False, place, f"the cumulative discharge energy is {obtained}, not measured", _TEST
    if model.cycle_life is None:
        yield False, place, "no cycle-life test is stated that the cumulative discharge energy was measured in", _TEST
    if not points or rated is None:
        what = (
            "the cumulative discharge energy can't be checked: without cycle points its last tested cycle isn't known"
        )
        yield False, place, what, _TEST
        return
    most = rated * points[-1].cycles * MOST_RETENTION
    if kwh > most:
        what = (
            f"{kwh:f} kWh were discharged in {points[-1].cycles:f} cycles of {rated:f} kWh: at most {most:f} kWh can be"
        )
        yield True, place, what, _TEST


def _kwh(model: BatteryModel, name: str) -> Decimal | None:
    measure = getattr(model, name)
    return measure.to("kWh", where=name) if isinstance(measure, Measure) else None

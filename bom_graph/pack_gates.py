"""Gates of a pack: what its battery model says of energy, and its scenario of mass, against each other. Pure.

Limits and levels are the rule set's. The figures called unusual here are ours: no source states any.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from bom_graph.composition import mass_fractions
from bom_graph.footprint import Footprint
from bom_graph.gates import Finding, Level
from bom_graph.records import BatteryModel, CyclePoint, Lines, Measure, Vehicle, Warranty
from bom_graph.rules import SEALED_STAGE, Denominator, RuleSet

#: A retention above it is more than the scatter of a test and of a rated value.
MOST_RETENTION: Final = Decimal("1.05")
MOST_CYCLES: Final = Decimal(20_000)
MOST_WARRANTY_YEARS: Final = Decimal(20)
#: Full cycles that no traction battery was tested for: a slipped power of ten.
NO_CYCLES: Final = Decimal(100_000)
#: kWh per kg of a pack: above the first it is unusual, above the second there is no such battery.
MOST_KWH_PER_KG: Final = Decimal("0.5")
NO_KWH_PER_KG: Final = Decimal(1)
#: kWh of one pack: above the first it is unusual, above the second it is another thing than a pack.
MOST_KWH: Final = Decimal(10_000)
NO_KWH: Final = Decimal(100_000)
#: What goes in may be process water or a solvent: so many times the pack's mass is remarkable. A bill of materials has none of it.
MOST_INTAKE: Final = 1.5
#: Metals by the words that people use for them.
METALS: Final = MappingProxyType({
    "nickel": "Ni", "cobalt": "Co", "lithium": "Li", "manganese": "Mn", "copper": "Cu", "aluminium": "Al", "aluminum": "Al",
    "iron": "Fe", "镍": "Ni", "钴": "Co", "锂": "Li", "锰": "Mn", "铜": "Cu", "铝": "Al", "铁": "Fe",
})  # fmt: skip
_WORDS = re.compile(r"[^\W\d_]+")
_TEST = "state what the test report says, and sign the battery model again"


def energy_findings(model: BatteryModel, rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return what is contradictory or unusual in the figures that the rule set's denominator is made of; `where` names the model.

    Usable energy above the rated one; more energy discharged than rated energy x tested cycles; retention above 105 % or rising; more
    than 20,000 cycles, or than 100,000; a warranty of more than 20 years; a pack of more than 10,000 kWh,
    or than 100,000, or of more than 0.5 kWh per kg, or than 1.
    """
    effects = rule_set.gates.denominator
    kind = rule_set.denominator.kind
    found: list[tuple[bool, str, str, str]] = []
    if kind == "service_life_energy":
        found += _of_service_life(model, rule_set.denominator)
    elif kind == "tested_delivered_energy":
        found += _of_test(model)
    if kind != "declared_unit":
        found += _of_size(model)
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


def content_finding(
    content_kg: float, pack_kg: Decimal, rule_set: RuleSet, *, by_bill: bool, where: str
) -> list[Finding]:
    """Return the finding that the pack is made of more than it weighs, both in kg per pack.

    Of a content by bills of materials alone (`by_bill`) by the rule set's gate; of what goes in soft, above one and a half times.
    """
    gate, ratio = rule_set.gates.pack_mass, content_kg / float(pack_kg)
    if not ratio > (1 + gate.soft if by_bill else MOST_INTAKE):
        return []
    is_hard = by_bill and ratio > 1 + gate.hard
    said = f"(soft limit {gate.soft:.0%}, hard {gate.hard:.0%} more)" if by_bill else f"(limit {MOST_INTAKE:g} times)"
    whose = "its bill of materials" if by_bill else "what goes into it, waste taken off,"
    what = f"{whose} has {content_kg:.6g} kg, the battery model states {pack_kg:.6g} kg {said}"
    remedy = "correct the mass in the battery model, or the amounts"
    refuses = is_hard and gate.hard_effect == "refuse"
    return [Finding("pack_mass", "hard" if is_hard else "soft", where, what, remedy, refuses)]


def credit_finding(footprint: Footprint, rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return the finding that a scenario's credits are above all that making the pack's materials emits: they can't replace more."""
    materials = {rule_set.stage_of("pack_assembly", "material"), SEALED_STAGE}
    credited = -math.fsum(
        p.kg_co2e for p in footprint.contributions if p.burden.origin.get("forecast") and p.kg_co2e < 0
    )
    emitted = math.fsum(
        p.kg_co2e
        for p in footprint.contributions
        if p.burden.stage in materials and p.kg_co2e > 0 and not p.burden.origin.get("forecast")
    )
    if not credited > emitted:
        return []
    what = (
        f"the scenario's credits are {credited:.6g} kg CO2e, and the materials of the pack emit {emitted:.6g} kg CO2e"
    )
    remedy = "correct the scenario's amounts and factors: what is recovered can't replace more than the pack holds"
    return [Finding("end_of_life", "hard", where, what, remedy)]


@dataclass(frozen=True, slots=True)
class Held:
    """What a product system takes of one material: kg per pack, its name and flow, and the formula where one is known.

    `name` is None where its mass or what it holds isn't known: then it may hold anything.
    """

    kg: float
    name: str | None = None
    formula: str | None = None


def recovered_finding(name: str, kg: float, held: Sequence[Held], rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return the finding that more of a material is credited than can be in the pack: `kg` of `name` per pack.

    At most there is all of what goes by its name, its element's share of what has a formula, and all of what has none and isn't a metal of
    another name. Never refuses: what a system takes doesn't say what a pack holds.
    """
    element = _element(name)
    most = math.fsum(_at_most(name, element, one) for one in held)
    ratio = kg / most if most else math.inf
    gate = rule_set.gates.pack_mass
    if not ratio > 1 + gate.soft:
        return []
    what = f"{kg:.6g} kg of {name} are credited as recovered, and at most {most:.6g} kg go into the pack by the statements at hand"
    level: Level = "hard" if ratio > 1 + gate.hard else "soft"
    return [Finding("end_of_life", level, where, what, "correct the scenario, or state what the pack holds")]


def _at_most(name: str, element: str | None, held: Held) -> float:
    """kg of the material that `held` may hold."""
    if held.name is None:
        return math.inf
    if element is not None and held.formula is not None:
        return held.kg * mass_fractions(held.formula).get(element, 0.0)
    if set(_WORDS.findall(name.casefold())) & set(_WORDS.findall(held.name.casefold())):
        return held.kg
    # "copper" is no nickel; of "copper foil" nobody knows, and "black mass" may be from anything.
    other = METALS.get(held.name.casefold().strip())
    return held.kg if element is None or other in (None, element) else 0.0


def _element(name: str) -> str | None:
    """The element that a name speaks of, where it is one alone."""
    found = {symbol for word, symbol in METALS.items() if word in name.casefold()}
    return found.pop() if len(found) == 1 else None


def _of_size(model: BatteryModel) -> Iterator[tuple[bool, str, str, str]]:
    """Rated energy by itself and against the mass."""
    rated, place = _kwh(model, "rated_energy"), "rated_energy"
    remedy = "state energy and mass of one pack, and sign the battery model again"
    if rated is None:
        return
    if rated > MOST_KWH:
        is_none = rated > NO_KWH
        said = f"no pack has above {NO_KWH:f} kWh" if is_none else f"above {MOST_KWH:f} kWh is unusual"
        yield is_none, place, f"a rated energy of {rated:f} kWh is stated for one pack: {said}", remedy
    kg = model.mass.to("kg", where="mass") if isinstance(model.mass, Measure) else None
    if kg is not None and rated > kg * MOST_KWH_PER_KG:
        is_none = rated > kg * NO_KWH_PER_KG
        usual, none = (
            f"above {MOST_KWH_PER_KG:f} kWh per kg is unusual",
            f"no battery has above {NO_KWH_PER_KG:f} kWh per kg",
        )
        yield is_none, place, f"{rated:f} kWh in a pack of {kg:f} kg: {none if is_none else usual}", remedy


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
    if points and (cycles := points[-1].cycles) > MOST_CYCLES:
        is_none = cycles > NO_CYCLES
        said = f"nobody tests above {NO_CYCLES}" if is_none else f"above {MOST_CYCLES} are unusual"
        yield is_none, "cycle_points", f"{cycles:f} tested cycles are stated: {said}", _TEST
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
        if rated is not None and kwh > rated * MOST_CYCLES:
            is_none = kwh > rated * NO_CYCLES
            said = f"nobody tests above {NO_CYCLES}" if is_none else f"above {MOST_CYCLES} are unusual"
            cycles = f"{kwh / rated:.6g} full cycles of {rated:f} kWh"
            yield is_none, place, f"{kwh:f} kWh were discharged, {cycles}: {said}", _TEST
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

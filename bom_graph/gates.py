"""Gates: checks of plausibility whose level the rule set states. A finding says what, where and by how much."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from bom_graph.composition import BALANCED_ELEMENTS, Basis, mass_fractions
from bom_graph.factors import Factor, FactorRow
from bom_graph.quantities import UNITS, convert
from bom_graph.records import ActivityData, BatteryModel, Lines, Measure, Record, Site
from bom_graph.rules import Effect, ElectricityBasis, Limits, RuleSet

Level = Literal["note", "soft", "hard"]
#: Of two names that are as alike as this, one may be a misspelling of the other.
_ALIKE = 0.75
_MOST_NAMED = 10
_LONG = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate found. `refuses` says whether the rule set refuses a result over it."""

    gate: str
    level: Level
    where: str
    what: str
    remedy: str
    refuses: bool = False

    @classmethod
    def by_effect(cls, gate: str, effect: Effect, where: str, what: str, remedy: str) -> Finding:
        """Return the finding that a rule set's `effect` makes of it."""
        return cls(gate, "hard" if effect == "refuse" else effect, where, what, remedy, refuses=effect == "refuse")


def out_of_scope(model: BatteryModel, rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return a note where the rule set doesn't speak of this pack: its rated energy is not above the stated kWh."""
    rated = model.rated_energy
    if rule_set.scope is None or not isinstance(rated, Measure):
        return []
    kwh, limit = rated.to("kWh", where="rated_energy"), rule_set.scope.rated_energy_above_kwh
    if kwh > limit:
        return []
    what = f"the rated energy is {kwh:f} kWh, and {rule_set.id} speaks of packs above {limit:f} kWh"
    return [
        Finding("scope", "note", where, what, "nothing is to be filed for this pack; the figure is for information")
    ]


def element_balance(record: ActivityData, gate: Limits, *, where: str) -> list[Finding]:
    """Return a finding where an element that the product holds does not come in within the gate's limits.

    Elements Li, Ni, Co, Mn, P, Fe; in (as consumed) and out, over all outputs, as kg by stated formula. Needs the formula of each
    product and of the inputs; where they are sealed or a product states none, nothing can be said and nothing is found.
    """
    inputs, outputs = record.inputs, record.outputs
    if not (isinstance(inputs, Lines) and inputs.complete and isinstance(outputs, Lines) and outputs.complete):
        return []
    held: dict[str, float] = {}
    for product in outputs:
        if product.composition is None or UNITS[product.unit][0] != "mass":
            return []
        for element, kg in _elements(product.composition.basis, product.amount, product.unit, where).items():
            held[element] = held.get(element, 0.0) + kg
    brought: dict[str, float] = dict.fromkeys(held, 0.0)
    for line in inputs:
        if line.composition is not None and UNITS[line.unit][0] == "mass":
            for element, kg in _elements(line.composition.basis, line.consumed, line.unit, where).items():
                brought[element] = brought.get(element, 0.0) + kg
    ratios = {element: brought[element] / kg for element, kg in held.items()}
    beyond = {element: ratio for element, ratio in ratios.items() if abs(ratio - 1) > gate.soft}
    if not beyond:
        return []
    is_hard = any(abs(ratio - 1) > gate.hard for ratio in beyond.values())
    shown = ", ".join(f"{element} {ratio:.1%}" for element, ratio in beyond.items())
    return [
        Finding(
            gate="element_balance",
            level="hard" if is_hard else "soft",
            where=where,
            what=f"elements brought in against what the product holds: {shown} (soft limit {gate.soft:.0%}, hard {gate.hard:.0%})",
            remedy="check amounts, hydrate water and the product's formula, then sign a corrected statement",
            refuses=is_hard and gate.hard_effect == "refuse",
        )
    ]


def carbon_balance(record: ActivityData, gate: Limits, *, counted: bool, where: str) -> list[Finding]:
    """Return a finding where more biogenic CO2 is taken up than the products can hold and the process gives off again.

    A product holds the carbon of its formula; without one it may be carbon altogether, 44/12 kg CO2 per kg. Levels as `carbon_kept` says.
    """
    lines = [line for _, line in record.lines("direct_emissions") if line.gas == "CO2" and line.origin == "biogenic"]
    signed = [(convert(line.consumed, line.unit, "kg", where=where), line.removal) for line in lines]
    kept = float(sum((kg if removal else -kg for kg, removal in signed), Decimal(0)))
    if not isinstance(record.outputs, Lines):
        return []
    held = 0.0
    for product in record.outputs:
        kg = product.quantity("mass")
        if kg is None:
            return carbon_kept(kept, None, gate, counted=counted, what=str(product.product), where=where)
        carbon = 1.0
        if product.composition is not None:
            basis = product.composition.basis
            carbon = basis.dry(where=where) * mass_fractions(basis.formula).get("C", 0.0)
        held += float(kg) * carbon / mass_fractions("CO2")["C"]
    return carbon_kept(kept, held, gate, counted=counted, what="the products", where=where)


def unbalanced(record: ActivityData, formulas: Mapping[str, str], *, where: str) -> list[Finding]:
    """Return a soft finding where the element balance can't be made: what comes in has a formula, and a product has none.

    `formulas` are those of background flows. Asked of what is made as a material, or weighed; a cell in pieces is neither.
    """
    inputs, outputs = record.inputs, record.outputs
    if not (isinstance(inputs, Lines) and isinstance(outputs, Lines)):
        return []
    known = {
        line.composition.formula if line.composition is not None else formulas.get(str(line.flow)) for line in inputs
    } - {None}
    elements = {element for formula in known for element in mass_fractions(str(formula))} & set(BALANCED_ELEMENTS)
    weighed = [line for line in outputs if UNITS[line.unit][0] == "mass"]
    if not elements or not (weighed or record.process_class == "material_production"):
        return []
    why = [f"{line.product} states no composition" for line in outputs if line.composition is None]
    why += [f"{line.product} is stated in {line.unit}" for line in outputs if line.composition and line not in weighed]
    if not why:
        return []
    shown = ", ".join(element for element in BALANCED_ELEMENTS if element in elements)
    what = f"the element balance can't be checked, and {shown} comes in: {'; '.join(why)}"
    remedy = "state the composition of each product, and of each input, by mass"
    return [Finding("element_balance", "soft", where, what, remedy)]


def taken_at_word(formula: str, why: str, *, where: str) -> Finding:
    """Return the soft finding that a formula, which an element balance rests on, is its consumer's word alone."""
    what = f"{formula} is the consumer's word alone: {why}"
    return Finding("composition", "soft", where, what, "ask for the composition to be stated by whoever knows it")


def grid_elsewhere(record: ActivityData, plant: object, electricity: ElectricityBasis, *, where: str) -> list[Finding]:
    """Return a finding for each grid outside the country of the site, else of the `plant` that a battery model names.

    Hard where the national average of the place is what counts. It never refuses: a site near a border may hang on the other country's
    grid, which its operator has to show.
    """
    site = record.site or plant
    if not isinstance(site, Site):
        return []
    level: Level = "hard" if electricity.basis == "national_average" else "soft"
    found = []
    for path, line in record.lines("electricity"):
        if line.consumed and line.geography.partition("-")[0] != site.country:
            supply = line.supply.replace("_", " ")
            what = f"the site is in {site.country}, its {supply} electricity is stated as of {line.geography}"
            remedy = "state the grid of the site's country, or show the connection to the other"
            found.append(Finding("electricity", level, f"{where} {path}", what, remedy))
    return found


def consumption(name: str, of_record: float, by_bill: float, unit: str, gate: Limits, *, where: str) -> Finding:
    """Return the finding that activity data comes before the bill of materials for `name`, by how much the two differ.

    Both in `unit` per declared unit of the product, losses included. Within the soft limit it is a note.
    """
    share = (of_record - by_bill) / by_bill if by_bill else float("inf") if of_record else 0.0
    what = (
        f"{name} is taken from the activity data, not from the bill of materials: "
        f"{of_record:.6g} {unit} against {by_bill:.6g} {unit} ({100 * share:+.1f} %)"
    )
    if abs(share) <= gate.soft:
        return Finding("precedence", "note", where, what, "nothing to do: the rule set asks for it")
    is_hard = abs(share) > gate.hard
    remedy = "correct the amounts, the yield or the change of stock, and sign again"
    level: Level = "hard" if is_hard else "soft"
    limits = f" (soft limit {gate.soft:.0%}, hard {gate.hard:.0%})"
    return Finding("consumption", level, where, what + limits, remedy, is_hard and gate.hard_effect == "refuse")


def plausible_range(
    kg_co2e: float, unit: str, background: Sequence[FactorRow], gate: Limits, *, where: str
) -> list[Finding]:
    """Return a finding where what activity data comes to lies beyond the background of the same flow, either way.

    `kg_co2e` is per `unit`; the gate's limits are multiples of the lowest and the highest of the background's rows.
    """
    values = _per(unit, background)
    if not values:
        return []
    beyond = max(kg_co2e / max(values), min(values) / kg_co2e if kg_co2e > 0 else float("inf"))
    if beyond <= gate.soft:
        return []
    is_hard = beyond > gate.hard
    known = " to ".join(dict.fromkeys(f"{value:.4g}" for value in (min(values), max(values))))
    what = (
        f"{kg_co2e:.6g} kg CO2e/{unit} is calculated, the background of the same flow has {known} "
        f"(soft limit {gate.soft:g} times, hard {gate.hard:g} times)"
    )
    remedy = "check units and amounts of its lines, and that nothing is left out"
    refuses = is_hard and gate.hard_effect == "refuse"
    return [Finding("plausible_range", "hard" if is_hard else "soft", where, what, remedy, refuses)]


def stated_factor(
    kg_co2e: float, unit: str, background: Sequence[FactorRow], gate: Limits, *, where: str
) -> list[Finding]:
    """Return a finding where a factor that a statement brings along lies beyond the background of the same flow, either way.

    As `plausible_range`. A factor of zero is beyond any background; where there is none to compare with, it is soft.
    """
    values = _per(unit, background)
    remedy = "correct the factor, leave it out for the release's, or show what it rests on"
    if not values:
        what = "a factor of zero is stated: nothing is done without emissions"
        return [Finding("plausible_range", "soft", where, what, remedy)] if kg_co2e == 0 else []
    found = plausible_range(kg_co2e, unit, background, gate, where=where)
    said = f"{kg_co2e:.6g} kg CO2e/{unit} is"
    return [replace(one, what=one.what.replace(f"{said} calculated", f"{said} stated"), remedy=remedy) for one in found]


def sealed_total(
    kg_co2e: float, unit: str, background: Sequence[FactorRow], gate: Limits, *, where: str
) -> list[Finding]:
    """Return a finding where a signed footprint of which only the figures are known is zero, negative or implausible.

    Beyond the gate's limits, multiples of the lowest and highest background value, it is soft or hard; zero and less are
    beyond all of them, soft where there is nothing to compare with. It never refuses: whoever rests on
    another's footprint can't correct it. `kg_co2e` is per `unit`; `background` are the rows to compare with, of which those in the unit's
    dimension count. Where there are none, a figure above zero can't be judged.
    """
    values = _per(unit, background)
    level: Level = "hard" if values else "soft"
    beyond = max(kg_co2e / max(values), min(values) / kg_co2e) if values and kg_co2e > 0 else 0.0
    if kg_co2e == 0:
        what = "a total of zero is stated: nothing is made without emissions"
    elif kg_co2e < 0:
        what = f"a total below zero is stated, {kg_co2e:.6g} kg CO2e/{unit}: it is taken off what others emit"
    elif beyond > gate.soft:
        level = "hard" if beyond > gate.hard else "soft"
        about = "comparable material" if len(values) == 1 else "materials"
        known = " to ".join(dict.fromkeys(f"{value:.4g}" for value in (min(values), max(values))))
        what = f"{kg_co2e:.6g} kg CO2e/{unit} is stated, background data of {about} has {known}"
        what += f" (soft limit {gate.soft:g} times, hard {gate.hard:g} times)"
    else:
        return []
    remedy = "ask the maker of this product for its activity data, or for a corrected footprint"
    return [Finding("sealed_total", level, where, what, remedy)]


def mixed_families(factors: Sequence[Factor], *, where: str) -> list[Finding]:
    """Return a hard finding, which refuses, where one result would add up factors of several families."""
    found: dict[str, str] = {}
    for factor in factors:
        found.setdefault(factor.row.family, f"{factor.release}/{factor.row.id}")
    if len(found) < 2:
        return []
    shown = ", ".join(f"{family} ({row})" for family, row in found.items())
    what = f"factors of several families would be added up: {shown}"
    remedy = "use factors of one family; another basis of electricity is a labelled alternative beside the headline"
    return [Finding("factor_family", "hard", where, what, remedy, refuses=True)]


def mixed_gwp_sets(factors: Sequence[Factor], *, where: str) -> list[Finding]:
    """Return a note where one result adds up factors that count gases by several GWP sets; CO2 alone fits every set."""
    found: dict[str, dict[str, None]] = {}
    for factor in factors:
        if factor.gwp_set != "CO2":
            found.setdefault(factor.gwp_set, {})[factor.release] = None
    if len(found) < 2:
        return []
    shown = ", ".join(f"{gwp_set} ({', '.join(sorted(found[gwp_set]))})" for gwp_set in sorted(found))
    what = f"factors that count gases by different GWP sets are added up: {shown}"
    return [Finding("gwp_sets", "note", where, what, "nothing to do, unless a release with one GWP set is at hand")]


def unknown_members(record: Record, *, where: str) -> list[Finding]:
    """Return what a record holds that its kind doesn't know and nothing is calculated with: a note, soft where it may be a misspelling.

    A misspelled list or share is otherwise left out without a word: `fuel` instead of `fuels`, `yeild` instead of `yield`.
    """
    notes: list[str] = []
    slips: list[str] = []
    for path, known in record.unknown_members.items():
        name = path.rpartition("/")[2]
        near = difflib.get_close_matches(name.casefold(), known, 1, cutoff=_ALIKE)
        told = path if len(path) <= _LONG else f"{path[:_LONG]}..."
        (slips if near else notes).append(f"{told} (is {near[0]} meant?)" if near else told)
    remedy = "correct its name and sign again, or leave it where it is meant for others"
    levels: tuple[tuple[Level, list[str]], ...] = (("soft", slips), ("note", notes))
    return [
        Finding("unknown_member", level, where, f"no name of its kind, and not counted: {_shortened(found)}", remedy)
        for level, found in levels
        if found
    ]


def _shortened(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"


def _per(unit: str, rows: Sequence[FactorRow]) -> list[float]:
    """The values of those rows that are in the dimension of `unit`, per `unit`."""
    return [
        float(row.value) / float(convert(Decimal(1), row.per, unit, where=row.id))
        for row in rows
        if UNITS[row.per][0] == UNITS[unit][0]
    ]


def _elements(basis: Basis, amount: Decimal, unit: str, where: str) -> dict[str, float]:
    kg = float(convert(amount, unit, "kg", where=where)) * basis.dry(where=where)
    fractions = mass_fractions(basis.formula)
    return {element: kg * fractions[element] for element in BALANCED_ELEMENTS if element in fractions}


def carbon_kept(
    kept: float, held: float | None, gate: Limits, *, counted: bool, what: str, where: str
) -> list[Finding]:
    """Return a finding where more biogenic CO2 is taken up than the products can hold and the process gives off again.

    `kept` is kg CO2 taken up less what is given off again, `held` what the products' carbon accounts for, None where nobody knows their
    mass, `what` names them. Beyond the gate's soft and hard limit the finding is soft and hard; it refuses only where the removal is
    `counted` in the total.
    """
    if kept <= 0:
        return []
    remedy = "state as removal what stays in the product, and what the process gives off again as biogenic emission"
    if held is None:
        said = f"{kept:.6g} kg CO2 are taken up, and {what} states no mass: whether it can hold it isn't known"
        return [Finding("element_balance", "soft", where, said, remedy)]
    if kept <= held * (1 + gate.soft):
        return []
    is_hard = kept > held * (1 + gate.hard)
    said = f"{kept:.6g} kg biogenic CO2 stay in {what} as stated, which can hold the carbon of {held:.6g} kg"
    refuses = is_hard and counted and gate.hard_effect == "refuse"
    return [Finding("element_balance", "hard" if is_hard else "soft", where, said, remedy, refuses)]


def total_finding(kg_co2e: float, rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return a finding, which doesn't refuse, where a total is zero or below.

    Below zero it is soft where the rule set counts biogenic CO2, since what a product took up may outweigh what it made emit; else hard, as
    zero is: nothing is made without emissions.
    """
    if kg_co2e > 0:
        return []
    may_be = kg_co2e < 0 and rule_set.gases.biogenic_co2 == "counted"
    what = "the total is zero: nothing is made without emissions"
    if kg_co2e < 0:
        what = f"the total is below zero, {kg_co2e:.6g} kg CO2e: more is taken up or credited than emitted"
    remedy = "check removals and credits, and lines or factors of zero"
    return [Finding("total", "soft" if may_be else "hard", where, what, remedy)]

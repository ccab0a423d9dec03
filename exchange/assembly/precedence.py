"""What activity data and a bill of materials both state: the consumption of record counts, and how the two compare is said.

Compared is by material: all components and all lines of one product or flow together, a component of several suppliers with the lines
of all of them. What one side names by a supplier's product and the other by its background flow is the same material.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bom_graph import Basis, Component, CompositionError, Finding, Limits, consumption, restate


@dataclass(frozen=True, slots=True)
class Stated:
    """What one side states of a product or flow, in `unit` per declared unit: losses included; what a kilogram of it is, where it says."""

    amount: float
    unit: str
    basis: Basis | None


@dataclass(frozen=True, slots=True)
class BillLine:
    """A component with the products or flow that bring it, the share of each (adding up to 1), and what it comes to."""

    component: Component
    shares: Mapping[str, float]
    stated: Stated

    @property
    def material(self) -> str | None:
        """Its background flow."""
        return self.component.flow or self.component.comparable_flow


@dataclass
class Consumed:
    """What activity data states of one product or flow, line by line, and the background flow of the material, where it says."""

    material: str | None = None
    stated: list[Stated] = field(default_factory=list)


@dataclass
class Matched:
    """Components and consumption of one material: by name of product or flow; `consumed` is empty where the bill alone states it."""

    lines: list[BillLine] = field(default_factory=list)
    consumed: dict[str, Consumed] = field(default_factory=dict)

    def findings(self, gate: Limits, *, where: str) -> Iterator[Finding]:
        """Yield by how much the two sides differ, and where the suppliers' shares do; `where` is the bill's place."""
        name = ", ".join(dict.fromkeys(line.component.name for line in self.lines))
        place = f"{where} " + ", ".join(f"components/{line.component.id}" for line in self.lines)
        by_bill = [line.stated for line in self.lines]
        of_record = _of_record(self)
        if len(units := {one.unit for one in (*by_bill, *of_record)}) > 1:
            text = f"{name} is taken from the activity data, not from the bill of materials"
            what = (
                f"{text}; they state it in different dimensions ({', '.join(sorted(units))}): the two can't be compared"
            )
            remedy = "state both in one unit, or the mass of the product in its maker's output"
            yield Finding("consumption", "soft", place, what, remedy)
            return
        (unit,) = units
        wanted, how = None, ""
        try:
            wanted, how = self._compared_as([*by_bill, *of_record], place)
        except CompositionError as error:
            what = f"bill of materials and activity data are compared by mass as stated: {error.what}"
            yield Finding("composition", "soft", place, what, "state the same substance on both sides, and sign again")
        record, bill = (math.fsum(_as(one, wanted, place) for one in side) for side in (of_record, by_bill))
        yield consumption(f"{name}{how}", record, bill, unit, gate, where=place)
        yield from self._other_shares(wanted, gate, place)

    def _compared_as(self, stated: Sequence[Stated], place: str) -> tuple[str | None, str]:
        """The formula that all amounts are compared as, and what to say of it; None where they are compared as stated.

        Raises CompositionError for different substances.
        """
        bases = list(dict.fromkeys(one.basis for one in stated))
        if len(bases) == 1 and (bases[0] is None or bases[0] == Basis(bases[0].formula)):
            return None, ""
        formulas = [basis.formula for basis in bases if basis is not None]
        for basis in bases:
            if basis is not None:
                restate(basis, formulas[0], where=place)
        missing = ", which amounts without stated composition are taken for" if None in bases else ""
        return formulas[0], f" (as {formulas[0]}{missing})"

    def _other_shares(self, wanted: str | None, gate: Limits, place: str) -> Iterator[Finding]:
        """Yield a soft finding where the suppliers' shares in the activity data aren't those of the bill of materials."""
        names = {name for line in self.lines for name in line.shares}
        of_bill = dict.fromkeys(sorted(names | self.consumed.keys()), 0.0)
        of_record = dict(of_bill)
        for line in self.lines:
            for name, share in line.shares.items():
                of_bill[name] += share * _as(line.stated, wanted, place)
        for name, found in self.consumed.items():
            of_record[name] += math.fsum(_as(one, wanted, place) for one in found.stated)
        bill, record = math.fsum(of_bill.values()), math.fsum(of_record.values())
        if all(len(line.shares) == 1 for line in self.lines) or bill <= 0 or record <= 0:
            return
        other = [name for name in of_bill if abs(of_bill[name] / bill - of_record[name] / record) > gate.soft]
        if other:
            shown = ", ".join(
                f"{name} {of_record[name] / record:.1%} against {of_bill[name] / bill:.1%}" for name in other
            )
            what = f"the suppliers' shares of the activity data, which are counted, aren't those of the bill of materials: {shown}"
            yield Finding("supplier_shares", "soft", place, what, "correct the shares or the amounts, and sign again")


def weighed(found: Matched, kg_per_unit: Callable[[str, str], float | None]) -> Matched:
    """Return `found` in kg where its sides state it in different dimensions and `kg_per_unit(product, unit)` knows each one's mass."""
    if len({one.unit for one in (*(line.stated for line in found.lines), *_of_record(found))}) < 2:
        return found

    def in_kg(stated: Stated, names: Iterable[str]) -> Stated:
        masses = {kg_per_unit(name, stated.unit) for name in names} if stated.unit != "kg" else set()
        # Suppliers whose pieces weigh otherwise leave nothing to compare by.
        mass = next(iter(masses)) if len(masses) == 1 else None
        return stated if mass is None else Stated(stated.amount * mass, "kg", None)

    return Matched(
        [replace(line, stated=in_kg(line.stated, line.shares)) for line in found.lines],
        {
            name: Consumed(taken.material, [in_kg(one, [name]) for one in taken.stated])
            for name, taken in found.consumed.items()
        },
    )


def _of_record(found: Matched) -> list[Stated]:
    return [one for taken in found.consumed.values() for one in taken.stated]


def matched(lines: Sequence[BillLine], consumed: Mapping[str, Consumed]) -> list[Matched]:
    """Return the components by material, in their order, each with the consumption of the same.

    First by product or flow. What then is left on either side is the same where its background flow is.
    """
    found: list[Matched] = []
    by_name: dict[str, Matched] = {}
    for line in lines:
        joined = list({id(one): one for name in line.shares if (one := by_name.get(name)) is not None}.values())
        group = joined[0] if joined else Matched()
        if not joined:
            found.append(group)
        for other in joined[1:]:
            group.lines += other.lines
            found.remove(other)
        group.lines.append(line)
        by_name.update({name: group for one in group.lines for name in one.shares})
    for name, taken in consumed.items():
        if name in by_name:
            by_name[name].consumed[name] = taken
    for name, taken in consumed.items():
        if name in by_name or taken.material is None:
            continue
        same = [group for group in found if any(line.material == taken.material for line in group.lines)]
        # A component that nothing else stands for comes first; beside what stands for it already, it is more of the same.
        if same:
            min(same, key=lambda group: bool(group.consumed)).consumed[name] = taken
    return found


def _as(stated: Stated, formula: str | None, where: str) -> float:
    if formula is None or stated.basis is None:
        return stated.amount
    return stated.amount * restate(stated.basis, formula, where=where).factor

"""What of each line of a statement its outputs bear, by the statement's key and the rule set's order of keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from bom_graph import (
    ActivityData,
    Allocation,
    AllocationError,
    Finding,
    Level,
    Lines,
    RuleSet,
    allocate,
    convert,
    dimension,
    possible_keys,
)

_REMEDY = "state `allocation` with a key that the outputs have a basis for, or the outputs that each line belongs to"

#: An output that bears less of the lines than this share of what the preferred key would give it is remarkable.
LEAST_OF_PREFERRED = Fraction(1, 10)


@dataclass(frozen=True, slots=True)
class Split:
    """How the lines of one statement are split. `allocation` is None where there is nothing to split by."""

    outputs: tuple[Any, ...]
    allocation: Allocation | None
    where: str

    @classmethod
    def of(cls, record: ActivityData, where: str, *, instead: str | None = None) -> Split:
        """Return the split of `record` by its own key; by `instead` where the outputs have a basis for that one."""
        outputs = record.outputs.items if isinstance(record.outputs, Lines) else ()
        stated = record.allocation if isinstance(record.allocation, Allocation) else None
        if instead is not None and instead in possible_keys(outputs):
            stated = Allocation.model_validate({"key": instead})
        return cls(outputs, stated, where)

    @property
    def is_needed(self) -> bool:
        """Whether there is more than one output."""
        return len(self.outputs) > 1

    @property
    def other_keys(self) -> tuple[str, ...]:
        """The keys that the lines might be split by instead."""
        if self.allocation is None or not self.is_needed:
            return ()
        return tuple(key for key in possible_keys(self.outputs) if key != self.allocation.key)

    def share(self, product: str, line: Any) -> Fraction:
        """Return what of `line` the output `product` bears; AllocationError where there is no basis to say."""
        among = getattr(line, "for_outputs", None)
        bearing = {output.product for output in self.outputs if among is None or output.product in among}
        if product not in bearing:
            return Fraction(0)
        if len(bearing) == 1:
            return Fraction(1)
        if self.allocation is None:
            raise AllocationError(
                f"{len(bearing)} outputs share a line, and no allocation key is stated",
                where="allocation",
                remedy=_REMEDY,
            )
        return allocate(self.outputs, self.allocation, among=bearing)[product]

    def judged(self, rule_set: RuleSet) -> list[Finding]:
        """Return what the rule set says of the key: refused where it isn't among its keys, noted where it prefers another."""
        if self.allocation is None or not self.is_needed:
            return []
        key, allowed = self.allocation.key, rule_set.allocation.keys
        if key not in allowed:
            what = f"rule set {rule_set.id} doesn't allow allocation by {key}"
            remedy = f"state a key that it allows: {', '.join(allowed)}"
            return [Finding("allocation", "hard", f"{self.where} allocation/key", what, remedy, refuses=True)]
        before = [other for other in allowed[: allowed.index(key)] if other in possible_keys(self.outputs)]
        if not before:
            return []
        what = f"allocated by {key}; rule set {rule_set.id} prefers {before[0]}, which the outputs have a basis for"
        level: Level = "note"
        if self.allocation.reason is None:
            level, what = "soft", f"{what}; no reason is stated"
        place = f"{self.where} allocation/key"
        return [
            Finding("allocation", level, place, what, "say why in the allocation's reason"),
            *self._far_from(self.allocation, before[0], place),
        ]

    def one_sided(self, record: ActivityData, rule_set: RuleSet) -> list[Finding]:
        """Return a finding for each output that bears none, or next to none, of the inputs or of the energy that others bear.

        Next to none is less than a tenth of what the rule set's preferred key would give it.
        """
        if not self.is_needed:
            return []
        keys = [key for key in rule_set.allocation.keys if key in possible_keys(self.outputs)]
        preferred = allocate(self.outputs, Allocation.model_validate({"key": keys[0]})) if keys else {}
        found = []
        for said, lists in (("inputs", ("inputs",)), ("energy", ("electricity", "fuels"))):
            lines = [(_weight(line), line) for _, line in record.lines(*lists) if line.consumed]
            weighed = [(weight, line) for weight, line in lines if weight is not None]
            try:
                found += self._bearing_little(weighed or [(Fraction(1), line) for _, line in lines], said, preferred)
            except AllocationError:
                # Refused where the line is added.
                return []
        return found

    def worthless(self) -> list[Finding]:
        """Return a finding for each output that bears much by its mass or number, and isn't known to be worth anything.

        Much is ten times of what its price would give it; without prices of all, ten times of what another output bears. Who dumps a
        heavy residue among its products takes their lines off them. Outputs that state energy are of one kind.
        """
        if self.allocation is None or not self.is_needed or self.allocation.key not in ("mass", "pieces"):
            return []
        keys = possible_keys(self.outputs)
        if "energy" in keys:
            return []
        try:
            taken = allocate(self.outputs, self.allocation)
        except AllocationError:
            return []
        if "economic" in keys:
            worth = allocate(self.outputs, Allocation.model_validate({"key": "economic"}))
            said = "by price it would bear {}"
        else:
            worth = dict.fromkeys(taken, min(taken.values()))
            said = "another output bears {}, and no prices say what they are worth"
        return [
            Finding(
                "allocation",
                "soft",
                f"{self.where} outputs/{output.id}",
                f"by {self.allocation.key} {output.product} bears {_percent(taken[output.product])} of the lines; "
                + said.format(_percent(worth[output.product])),
                "state the price of each output, or what is worth nothing as waste, which bears none of the lines",
            )
            for output in self.outputs
            if taken[output.product] * LEAST_OF_PREFERRED >= worth[output.product]
        ]

    def _bearing_little(
        self, lines: list[tuple[Fraction, Any]], said: str, preferred: Mapping[str, Fraction]
    ) -> list[Finding]:
        total = sum((weight for weight, _ in lines), Fraction(0))
        found = []
        for output in self.outputs if total else ():
            borne = sum((weight * self.share(output.product, line) for weight, line in lines), Fraction(0)) / total
            wanted = preferred.get(output.product)
            if borne and (wanted is None or borne >= wanted * LEAST_OF_PREFERRED):
                continue
            what = f"{output.product} bears {_percent(borne)} of the {said}, and other outputs the rest"
            if wanted is not None:
                what += f"; by the rule set's preferred key it would bear {_percent(wanted)}"
            remedy = "correct for_outputs and the allocation, or say in a note why this output takes so little"
            found.append(Finding("allocation", "soft", f"{self.where} outputs/{output.id}", what, remedy))
        return found

    def _far_from(self, allocation: Allocation, preferred: str, place: str) -> list[Finding]:
        """A finding for each output that bears less than half, or more than twice, of what the preferred key would give it."""
        try:
            taken = allocate(self.outputs, allocation)
        except AllocationError:
            return []
        other = allocate(self.outputs, Allocation.model_validate({"key": preferred}))
        return [
            Finding(
                "allocation",
                "soft",
                place,
                f"by {allocation.key} {name} bears {_percent(share)} of the lines, by {preferred} it would bear {_percent(other[name])}",
                f"allocate by {preferred}, or show what makes the difference",
            )
            for name, share in taken.items()
            if share * 2 < other[name] or share > other[name] * 2
        ]


def _weight(line: Any) -> Fraction | None:
    """What a line weighs among its like, in kg or kWh; None in another dimension."""
    unit = {"mass": "kg", "energy": "kWh"}.get(dimension(line.unit, where=line.id))
    return None if unit is None else Fraction(convert(line.consumed, line.unit, unit, where=line.id))


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.3g} %"

"""What of each line of a statement its outputs bear, by the statement's key and the rule set's order of keys."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from bom_graph import ActivityData, Allocation, AllocationError, Finding, Lines, RuleSet, allocate, possible_keys

_REMEDY = "state `allocation` with a key that the outputs have a basis for, or the outputs that each line belongs to"


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
        return [
            Finding("allocation", "note", f"{self.where} allocation/key", what, "say why in the allocation's reason")
        ]

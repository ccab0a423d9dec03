"""Several outputs of one process: how much of each line an output bears.

A line is split among the outputs that it belongs to (all, or those that it names) by one key: mass, energy, pieces, the proceeds at stated
prices, or the operator's own signed table. ISO 14044, 4.3.4.2 (physical relations before economic ones); ISO 14067, 6.4.6. What is
split adds up again: the shares of a line sum to 1 exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Final

from bom_graph.errors import AllocationError, UnitError
from bom_graph.quantities import UNITS, convert
from bom_graph.records import Allocation, Output

PHYSICAL: Final = ("mass", "energy", "pieces")
KEYS: Final = (*PHYSICAL, "economic", "stated")


def allocate(
    outputs: Sequence[Output], allocation: Allocation, *, among: Collection[str] | None = None
) -> Mapping[str, Fraction]:
    """Return each output's share of a line that belongs to the outputs `among` (all without); the others' share is 0.

    Raises AllocationError where the key has no basis: an output doesn't state its mass, energy, pieces or price, or all are zero.
    """
    bearing = [output for output in outputs if among is None or output.product in among]
    if len(bearing) == 1:
        weights = {bearing[0].product: Fraction(1)}
    elif allocation.key == "stated":
        weights = {line.product: Fraction(line.share) for line in allocation.shares}
        weights = {output.product: weights[output.product] for output in bearing}
    elif allocation.key == "economic":
        weights = _proceeds(bearing)
    else:
        weights = {output.product: _quantity(output, allocation.key) for output in bearing}
    total = sum(weights.values())
    if not total:
        raise AllocationError(
            f"by {allocation.key} none of the outputs bears anything",
            where="allocation/key",
            remedy="state a key by which the outputs weigh something",
        )
    return {output.product: weights.get(output.product, Fraction(0)) / total for output in outputs}


def possible_keys(outputs: Sequence[Output]) -> tuple[str, ...]:
    """Return the keys, but for a stated table, that the outputs have a basis for, physical ones first."""
    found = []
    for key in KEYS[:-1]:
        try:
            allocate(outputs, Allocation.model_validate({"key": key}))
        except AllocationError:
            continue
        found.append(key)
    return tuple(found)


def _quantity(output: Output, key: str) -> Fraction:
    found = output.quantity(key)
    if found is None:
        raise AllocationError(
            f"{output.product} has no {key} to be allocated by",
            where=f"outputs/{output.id}",
            remedy=f"state its {key}, or another allocation key",
        )
    return Fraction(found)


def _proceeds(outputs: Sequence[Output]) -> dict[str, Fraction]:
    currencies = {output.price.currency for output in outputs if output.price is not None}
    if len(currencies) > 1:
        raise AllocationError(
            f"prices are stated in {' and '.join(sorted(currencies))}",
            where="outputs",
            remedy="state all prices in one currency",
        )
    found = {}
    for output in outputs:
        sold = None if output.price is None else _in_unit(output, output.price.per)
        if output.price is None or sold is None:
            raise AllocationError(
                f"{output.product} has no price to be allocated by",
                where=f"outputs/{output.id}/price",
                remedy="state a price per unit of its amount, mass, energy or pieces, or another allocation key",
            )
        found[output.product] = Fraction(output.price.amount) * Fraction(sold)
    return found


def _in_unit(output: Output, unit: str) -> Fraction | None:
    of = UNITS[unit][0]
    try:
        if of in PHYSICAL:
            base = output.quantity(of)
            return None if base is None else Fraction(base) / (UNITS[unit][1])
        return Fraction(convert(output.amount, output.unit, unit, where=f"outputs/{output.id}"))
    except UnitError:
        return None

"""Deliveries against consumption: what a product's seller delivered to its consumer in a period, and what the consumer says it used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal

from bom_graph.composition import Basis, restate
from bom_graph.errors import CompositionError, UnitError
from bom_graph.gates import Finding
from bom_graph.periods import shown
from bom_graph.quantities import convert
from bom_graph.records import Composition, Delivery, Input, Measure, Period
from bom_graph.rules import Limits


def deliveries_against_consumption(
    deliveries: Sequence[tuple[int, Delivery]],
    consumed: Sequence[Input],
    period: Period,
    gate: Limits,
    *,
    more_delivered: int | None,
    more_consumed: int | None,
    where: str,
) -> Iterator[Finding]:
    """Yield a finding where consumption differs by more than the gate's limits from deliveries and what was taken from stock.

    `deliveries` are whole records of one product to one buyer in `period`, each with its entry's index; `consumed` the lines of that
    product. Both are compared in the first delivery's unit, masses of stated composition in its formula. `more_delivered` and
    `more_consumed` are entries that may hold more of either: what is missing may be in there, and then the difference is a note.
    """
    if not deliveries or not consumed:
        return
    unit, wanted = _common_basis([record for _, record in deliveries], consumed)
    product = consumed[0].product
    try:
        delivered = math.fsum(
            float(record.quantity.to(unit, where="quantity")) * _restating(record.composition, wanted)
            for _, record in deliveries
            if isinstance(record.quantity, Measure)
        )
        scales = [
            float(convert(Decimal(1), line.unit, unit, where=where)) * _restating(line.composition, wanted)
            for line in consumed
        ]
    except (UnitError, CompositionError) as error:
        what = f"deliveries of {product} can't be compared with what was consumed: {error.what}"
        remedy = "let seller and consumer state the product in one dimension and as one substance"
        yield Finding("deliveries", "soft", where, what, remedy)
        return
    used = math.fsum(float(line.consumed) * scale for line, scale in zip(consumed, scales, strict=True))
    # What a line says it received is `amount`: the rest of what was consumed came out of stock.
    stock = math.fsum(float(line.consumed - line.amount) * scale for line, scale in zip(consumed, scales, strict=True))
    available = delivered + stock
    share = (used - available) / available if available > 0 else math.inf if used > available else 0.0
    if abs(share) <= gate.soft:
        return
    what = (
        f"{used:.6g} {unit} of {product} are consumed from {shown(period)}; {delivered:.6g} {unit} were delivered "
        f"({_named([index for index, _ in deliveries])}) and {stock:.6g} {unit} taken from stock ({100 * share:+.1f} %; "
        f"soft limit {gate.soft:.0%}, hard {gate.hard:.0%})"
    )
    hidden = more_delivered if share > 0 else more_consumed
    if hidden is not None:
        missing = "another delivery of it" if share > 0 else "more of what was consumed"
        what += f"; entry {hidden}, which isn't wholly disclosed or is of other days, may hold {missing}"
        yield Finding("deliveries", "note", where, what, "ask for that entry, to have the two compared")
        return
    is_hard = abs(share) > gate.hard
    remedy = "correct the consumption, the change of stock or the delivery, and sign again"
    refuses = is_hard and gate.hard_effect == "refuse"
    yield Finding("deliveries", "hard" if is_hard else "soft", where, what, remedy, refuses)


def _common_basis(deliveries: Sequence[Delivery], consumed: Sequence[Input]) -> tuple[str, str | None]:
    """The unit to compare in, and the formula that masses are restated as; None where not both sides state a composition."""
    unit = next(record.quantity.unit for record in deliveries if isinstance(record.quantity, Measure))
    sold = [record.composition.formula for record in deliveries if isinstance(record.composition, Composition)]
    bought = [line.composition for line in consumed if line.composition is not None]
    is_stated = len(sold) == len(deliveries) and len(bought) == len(consumed)
    return unit, sold[0] if is_stated else None


def _restating(stated: object, wanted: str | None) -> float:
    """What a kilogram of that composition is of `wanted`; 1 where masses are compared as they are stated. Raises CompositionError."""
    if wanted is None or not isinstance(stated, Composition) or stated.basis == Basis(wanted):
        return 1.0
    return restate(stated.basis, wanted, where="composition").factor


def _named(indices: Sequence[int]) -> str:
    if len(indices) == 1:
        return f"entry {indices[0]}"
    return f"{len(indices)} deliveries, entries {min(indices)} to {max(indices)}"

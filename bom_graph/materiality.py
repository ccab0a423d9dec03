"""What a verifier's findings weigh against the total: net and absolute, both against the materiality threshold (ISO 14064-3, 5.1.7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

#: Share of the total above which misstatements are material, where an engagement sets none.
DEFAULT_MATERIALITY = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Misstatement:
    """Misstatements of a footprint, in its unit (kg CO2e); shares are fractions of the total.

    Errors of opposite sign cancel in `net` and not in `absolute`. Which of the two decides is the verifier's judgement, so that
    neither is left out.
    """

    threshold: Decimal
    net: Decimal
    absolute: Decimal
    net_share: Decimal
    absolute_share: Decimal

    @property
    def net_is_material(self) -> bool:
        """Whether what remains after cancelling is above the threshold."""
        return abs(self.net) > self.threshold

    @property
    def absolute_is_material(self) -> bool:
        """Whether the sum of the sizes is above the threshold."""
        return self.absolute > self.threshold


def misstatement(
    total: Decimal,
    findings: Iterable[Decimal],
    projected: Iterable[Decimal] = (),
    *,
    materiality: Decimal = DEFAULT_MATERIALITY,
) -> Misstatement:
    """Return what `findings` and errors `projected` from samples, each signed and in the unit of `total`, weigh against it.

    Raises ValueError for a total of zero, of which nothing is a share.
    """
    if total == 0:
        raise ValueError("a total of zero has no materiality: nothing is a share of it")
    parts = [*findings, *projected]
    net, absolute, size = sum(parts, Decimal(0)), sum(map(abs, parts), Decimal(0)), abs(total)
    return Misstatement(size * materiality, net, absolute, net / size, absolute / size)

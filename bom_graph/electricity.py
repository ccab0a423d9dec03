"""Electricity certificates against what a site took from the grid.

The cap is grid purchases: consumption less what was made on site or came by a direct line, in the month of the certificates. Certified
kWh carry the factor of their generation type plus transmission and distribution; they are spread pro rata over all that the site took
from the grid in that month, unless the rule set lets a claim be assigned to certain outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from bom_graph.errors import CertificateError

#: Flow of the factor that certified kWh carry beside their generation's: transmission and distribution with losses.
TRANSMISSION = "electricity-transmission"


@dataclass(frozen=True, slots=True)
class GridPurchase:
    """A metered amount from the grid: its `place` (for messages and as key), kWh, first and last day, and the outputs it belongs to."""

    place: str
    kwh: Fraction
    start: date
    end: date
    outputs: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """Certificates that are claimed: their `place`, kWh, ``2026-01``, generation type, and the outputs that they are assigned to."""

    place: str
    kwh: Fraction
    month: str
    generation: str
    outputs: frozenset[str] | None = None


def certified_shares(
    purchases: Sequence[GridPurchase], claims: Sequence[Claimed]
) -> Mapping[str, Mapping[str, Fraction]]:
    """Return, by place of each purchase, the share of it that is certified, by generation type.

    A purchase metered within one month is matched with that month's certificates. Assigned claims come first. Raises CertificateError
    where more is claimed than was bought, and where a purchase of the claimed month was metered over other months too: what of it was
    taken in that month nobody knows.
    """
    left = {purchase.place: purchase.kwh for purchase in purchases}
    certified: dict[str, dict[str, Fraction]] = {purchase.place: {} for purchase in purchases}
    for pool, claimed in _pools(purchases, claims):
        for claim in sorted(claimed, key=lambda claim: claim.outputs is None):
            eligible = [purchase for purchase in pool if _assigned(purchase, claim)]
            available = sum((left[purchase.place] for purchase in eligible), Fraction(0))
            if claim.kwh > available:
                raise _above(claim, claimed, eligible)
            for purchase in eligible if claim.kwh else ():
                taken = claim.kwh * left[purchase.place] / available
                found = certified[purchase.place]
                found[claim.generation] = found.get(claim.generation, Fraction(0)) + taken
            part = claim.kwh / available if available else Fraction(0)
            left.update({purchase.place: left[purchase.place] * (1 - part) for purchase in eligible})
    bought = {purchase.place: purchase.kwh for purchase in purchases}
    return {
        place: {name: kwh / bought[place] for name, kwh in found.items() if kwh} for place, found in certified.items()
    }


def _pools(
    purchases: Sequence[GridPurchase], claims: Sequence[Claimed]
) -> list[tuple[list[GridPurchase], list[Claimed]]]:
    """Pair the purchases of a month with the claims on them."""
    months: dict[str, list[GridPurchase]] = {}
    for purchase in purchases:
        if f"{purchase.start:%Y-%m}" == f"{purchase.end:%Y-%m}":
            months.setdefault(f"{purchase.start:%Y-%m}", []).append(purchase)
    claimed: dict[str, list[Claimed]] = {}
    for claim in claims:
        for purchase in purchases:
            if f"{purchase.start:%Y-%m}" <= claim.month <= f"{purchase.end:%Y-%m}" and purchase not in months.get(
                claim.month, []
            ):
                raise CertificateError(
                    f"certificates of {claim.month} are claimed, and {purchase.place} was metered from {purchase.start} to {purchase.end}: "
                    "what of it was taken in that month isn't stated",
                    where=claim.place,
                    remedy="state the grid's electricity of each month by itself, in monthly statements",
                )
        if claim.month not in months:
            raise CertificateError(
                f"certificates of {claim.month} are claimed, and nothing was taken from the grid in that month",
                where=claim.place,
                remedy="claim certificates of the months of the metered amounts",
            )
        claimed.setdefault(claim.month, []).append(claim)
    return [(months[month], found) for month, found in sorted(claimed.items())]


def _assigned(purchase: GridPurchase, claim: Claimed) -> bool:
    return claim.outputs is None or (purchase.outputs is not None and purchase.outputs <= claim.outputs)


def _above(claim: Claimed, claimed: Sequence[Claimed], eligible: Sequence[GridPurchase]) -> CertificateError:
    claims = claimed if claim.outputs is None else [one for one in claimed if one.outputs is not None]
    total = sum((one.kwh for one in claims), Fraction(0))
    bought = sum((purchase.kwh for purchase in eligible), Fraction(0))
    months = " to ".join(dict.fromkeys((min(one.month for one in claims), max(one.month for one in claims))))
    return CertificateError(
        f"certificates of {_mwh(total)} MWh are claimed for {months}, {_mwh(total - bought)} MWh above grid purchases of "
        f"{_mwh(bought)} MWh (consumption less on-site less direct line)",
        where=claim.place,
        remedy="claim at most what was taken from the grid in that month",
    )


def _mwh(kwh: Fraction) -> str:
    return f"{float(kwh / 1000):.6g}"

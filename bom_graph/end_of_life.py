"""What becomes of a material after the battery's life, and who carries it: three ways of counting, per kilogram. Pure.

The circular footprint formula is that of the Product Environmental Footprint (Zampori & Pant 2019, equation 3). A product system already
holds what its inputs emitted, recycled ones at their own burden, `(1 - R1) Ev + R1 Erecycled`; the terms here are what comes to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bom_graph.errors import EndOfLifeError

Method = Literal["recycled_content", "recycling_burden_no_credit", "cff"]
#: Shares are products of what people state, in floats.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Circularity:
    """Shares of a material, 0 to 1, and the ratios of quality, in the formula's symbols.

    `recycled_content` R1, `recycled` R2 (of what the battery holds: collected x recovered), `energy_recovered` R3, `allocation` A,
    `energy_allocation` B, `quality_in` Qsin/Qp, `quality_out` Qsout/Qp. kWh that a burned kilogram gives: `heat` LHV x XER,heat,
    `electricity` LHV x XER,elec.
    """

    recycled_content: float = 0.0
    recycled: float = 0.0
    energy_recovered: float = 0.0
    allocation: float = 1.0
    energy_allocation: float = 0.0
    quality_in: float = 1.0
    quality_out: float = 1.0
    heat: float = 0.0
    electricity: float = 0.0

    @property
    def disposed(self) -> float:
        """The share that is left, 1 - R2 - R3; what rounding leaves of nothing is nothing."""
        left = 1 - (self.recycled + self.energy_recovered)
        return 0.0 if abs(left) < _ROUNDING else left

    def check(self, *, where: str) -> None:
        """Check that shares lie between 0 and 1 and that not more leaves than there is. Raises EndOfLifeError."""
        shares = ("recycled_content", "recycled", "energy_recovered", "allocation", "energy_allocation")
        if bad := [name for name in shares if not 0 <= getattr(self, name) <= 1]:
            raise EndOfLifeError(f"{bad[0]} is no share", where=where, remedy="state it between 0 and 1")
        if self.disposed < 0:
            what = "more is recycled and burned than the battery holds"
            raise EndOfLifeError(what, where=where, remedy="let both shares add up to 1 at most")
        if self.quality_in < 0 or self.quality_out < 0:
            raise EndOfLifeError("a ratio of qualities is below zero", where=where, remedy="state it above zero")


@dataclass(frozen=True, slots=True)
class Burdens:
    """kg CO2e per kg: `virgin` Ev, `recycled` Erecycled, `recycling` ErecyclingEoL, `substituted` E*v, `disposal` ED,
    `energy_recovery` EER. kg CO2e per kWh: `heat_replaced` ESE,heat, `electricity_replaced` ESE,elec.
    """

    virgin: float = 0.0
    recycled: float = 0.0
    recycling: float = 0.0
    substituted: float = 0.0
    disposal: float = 0.0
    energy_recovery: float = 0.0
    heat_replaced: float = 0.0
    electricity_replaced: float = 0.0


@dataclass(frozen=True, slots=True)
class CircularFootprint:
    """The formula's terms, kg CO2e per kg. `end_of_life` may be below zero: what is recovered then replaces more than recovery emits."""

    virgin: float
    recycled_content: float
    recycling: float
    energy: float
    disposal: float

    @property
    def production(self) -> float:
        """What counts where the material is made."""
        return self.virgin + self.recycled_content

    @property
    def end_of_life(self) -> float:
        """What counts at the end of life."""
        return self.recycling + self.energy + self.disposal

    @property
    def total(self) -> float:
        """The whole formula."""
        return self.production + self.end_of_life


@dataclass(frozen=True, slots=True)
class Term:
    """What a method adds for one kilogram of a material: a share times a factor, at production or at the end of life.

    `factor` names the member of `Burdens` that it is taken from, `per` its unit: of heat and electricity the share is kWh.
    """

    name: str
    factor: str
    share: float
    at_production: bool = False
    per: Literal["kg", "kWh"] = "kg"


def circular_footprint(shares: Circularity, burdens: Burdens) -> CircularFootprint:
    """Return the circular footprint formula of one kilogram of material, energy and disposal included."""
    r1, r2, r3, a = shares.recycled_content, shares.recycled, shares.energy_recovered, shares.allocation
    replaced = shares.heat * burdens.heat_replaced + shares.electricity * burdens.electricity_replaced
    return CircularFootprint(
        virgin=(1 - r1) * burdens.virgin,
        recycled_content=r1 * (a * burdens.recycled + (1 - a) * burdens.virgin * shares.quality_in),
        recycling=(1 - a) * r2 * (burdens.recycling - burdens.substituted * shares.quality_out),
        energy=(1 - shares.energy_allocation) * r3 * (burdens.energy_recovery - replaced),
        disposal=shares.disposed * burdens.disposal,
    )


def terms(method: Method, shares: Circularity) -> Iterator[Term]:
    """Yield what `method` adds to a product system for one kilogram of a material; terms of share zero are left out.

    `recycled_content` (cut-off) leaves the burden of recycling to whoever uses what is recovered; `recycling_burden_no_credit` counts
    it here and gives nothing for what is recovered; `cff` divides both by A, and the advantage of recycled content with it. What is burned
    counts here with all three; `cff` divides it by B, and alone takes off what its heat and electricity replace.
    """
    r1, r2, r3, a = shares.recycled_content, shares.recycled, shares.energy_recovered, shares.allocation
    own, burned = 1 - a, (1 - shares.energy_allocation if method == "cff" else 1) * r3
    found = [
        Term("disposal", "disposal", shares.disposed),
        Term("energy recovery", "energy_recovery", burned),
    ]
    if method == "recycling_burden_no_credit":
        found.append(Term("recycling", "recycling", r2))
    if method == "cff":
        found += [
            Term("recycling", "recycling", own * r2),
            Term("credit for recovered material", "substituted", -own * r2 * shares.quality_out),
            Term("credit for heat", "heat_replaced", -burned * shares.heat, per="kWh"),
            Term("credit for electricity", "electricity_replaced", -burned * shares.electricity, per="kWh"),
            Term("recycled content, as virgin", "virgin", own * r1 * shares.quality_in, at_production=True),
            Term("recycled content, taken off", "recycled", -own * r1, at_production=True),
        ]
    yield from (term for term in found if term.share)

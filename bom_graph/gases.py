"""Gases that a process emits, in kg CO2e per kg: 100-year GWP of IPCC AR6, WG I, table 7.15 and table 7.SM.7 (2021)."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

Gas = Literal["CO2", "CH4", "N2O", "HFC-134a", "SF6", "NF3", "CF4"]

#: Methane from fossil sources counts the CO2 it becomes; that from living carbon does not.
GWP100_AR6: Final[dict[tuple[str, str], Decimal]] = {
    ("CO2", "fossil"): Decimal(1),
    ("CH4", "fossil"): Decimal("29.8"),
    ("CH4", "biogenic"): Decimal("27.0"),
    ("N2O", "fossil"): Decimal(273),
    ("HFC-134a", "fossil"): Decimal(1530),
    ("SF6", "fossil"): Decimal(25200),
    ("NF3", "fossil"): Decimal(17400),
    ("CF4", "fossil"): Decimal(7380),
}

"""Gases that a process emits, in kg CO2e per kg: 100-year GWP by IPCC assessment report, and the columns that ISO 14067 keeps apart.

AR5: WG I, table 8.A.1 (2013), without climate-carbon feedback. AR6: WG I, tables 7.15 and 7.SM.7 (2021). The same figures stand in
examples/authorities/gwp100.csv with their source. AR5 has one figure for methane; AR6 counts, for fossil methane, the CO2 it becomes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

from bom_graph.errors import GasError

Gas = Literal[
    "CO2",
    "CH4",
    "N2O",
    "SF6",
    "NF3",
    "HFC-23",
    "HFC-32",
    "HFC-41",
    "HFC-125",
    "HFC-134",
    "HFC-134a",
    "HFC-143",
    "HFC-143a",
    "HFC-152",
    "HFC-152a",
    "HFC-161",
    "HFC-227ea",
    "HFC-236cb",
    "HFC-236ea",
    "HFC-236fa",
    "HFC-245ca",
    "HFC-245fa",
    "HFC-365mfc",
    "HFC-43-10mee",
    "SO2F2",
    "CF4",
    "C2F6",
    "C3F8",
    "c-C4F8",
    "C4F10",
    "C5F12",
    "C6F14",
]
GwpSet = Literal["AR5", "AR6"]
#: Where the gas comes from. Aircraft: burned in flight.
Origin = Literal["fossil", "biogenic", "land_use_change", "aircraft"]
#: ISO 14067:2018: what a report states apart. A factor's CO2e comes without a split.
Column = Literal["fossil", "biogenic_emission", "biogenic_removal", "land_use_change", "aircraft", "not_split"]
COLUMNS: Final[dict[Column, str]] = {
    "fossil": "fossil emissions",
    "biogenic_emission": "biogenic emissions",
    "biogenic_removal": "biogenic removals",
    "land_use_change": "emissions from direct land use change",
    "aircraft": "emissions of aircraft",
    "not_split": "by factors that state no split",
}
_LIVING: Final = ("CO2", "CH4", "N2O")
#: gas -> (AR5, AR6)
_GWP100: Final[dict[str, tuple[str, str]]] = {
    "CO2": ("1", "1"),
    "N2O": ("265", "273"),
    "SF6": ("23500", "25200"),
    "NF3": ("16100", "17400"),
    "HFC-23": ("12400", "14600"),
    "HFC-32": ("677", "771"),
    "HFC-41": ("116", "135"),
    "HFC-125": ("3170", "3740"),
    "HFC-134": ("1120", "1260"),
    "HFC-134a": ("1300", "1530"),
    "HFC-143": ("328", "364"),
    "HFC-143a": ("4800", "5810"),
    "HFC-152": ("16", "21.5"),
    "HFC-152a": ("138", "164"),
    "HFC-161": ("4", "4.84"),
    "HFC-227ea": ("3350", "3600"),
    "HFC-236cb": ("1210", "1350"),
    "HFC-236ea": ("1330", "1500"),
    "HFC-236fa": ("8060", "8690"),
    "HFC-245ca": ("716", "787"),
    "HFC-245fa": ("858", "962"),
    "HFC-365mfc": ("804", "914"),
    "HFC-43-10mee": ("1650", "1600"),
    "SO2F2": ("4090", "4630"),
    "CF4": ("6630", "7380"),
    "C2F6": ("11100", "12400"),
    "C3F8": ("8900", "9290"),
    "c-C4F8": ("9540", "10200"),
    "C4F10": ("9200", "10000"),
    "C5F12": ("8550", "9220"),
    "C6F14": ("7910", "8620"),
}
_METHANE: Final[dict[tuple[GwpSet, Origin], str]] = {
    ("AR5", "fossil"): "28",
    ("AR5", "biogenic"): "28",
    ("AR5", "land_use_change"): "28",
    ("AR5", "aircraft"): "28",
    ("AR6", "fossil"): "29.8",
    ("AR6", "biogenic"): "27.0",
    ("AR6", "land_use_change"): "27.0",
    ("AR6", "aircraft"): "29.8",
}


def gwp100(gas: Gas, origin: Origin, gwp_set: GwpSet) -> Decimal:
    """Return kg CO2e per kg of `gas` over 100 years."""
    if gas == "CH4":
        return Decimal(_METHANE[gwp_set, origin])
    return Decimal(_GWP100[gas][gwp_set == "AR6"])


def check_gas(gas: Gas, origin: Origin, *, removal: bool, where: str) -> None:
    """Check that a gas can have its origin, and be removed. Raises GasError."""
    if origin in ("biogenic", "land_use_change") and gas not in _LIVING:
        raise GasError(
            f"{gas} is never of {origin.replace('_', ' ')} origin",
            where=where,
            remedy=f"state it as fossil; of such origin are {', '.join(_LIVING)}",
        )
    if removal and (gas, origin) != ("CO2", "biogenic"):
        raise GasError(
            f"a removal of {origin} {gas} is no line of a footprint",
            where=where,
            remedy="state what is emitted; only CO2 that living things take up is a removal, and offsets don't count at all",
        )


def column_of(origin: Origin, *, removal: bool) -> Column:
    """Return the column that a line of this origin counts towards."""
    if origin == "biogenic":
        return "biogenic_removal" if removal else "biogenic_emission"
    return origin

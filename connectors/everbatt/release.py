"""The factor release `everbatt-2023` from the factor table, byte for byte the same for the same table."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext

from bom_graph import UnitError, convert
from bom_graph.units import read_unit
from connectors.everbatt.tables import CITATION, Tables, TablesError

_FORMULAS = {
    "lithium-carbonate": "Li2CO3",
    "lithium-hydroxide": "LiOH",
    "nickel-sulfate": "NiSO4",
    "cobalt-sulfate": "CoSO4",
    "manganese-sulfate": "MnSO4",
    "sodium-hydroxide": "NaOH",
    "ammonium-hydroxide": "NH4OH",
    "phosphoric-acid": "H3PO4",
}
#: What of the elements that recipes balance a flow without one formula is made of; of all others by mass, none.
_ELEMENTS = {
    "cathode-nmc622": ["Li", "Ni", "Co", "Mn"],
    "cathode-nmc811": ["Li", "Ni", "Co", "Mn"],
    "cathode-lfp": ["Li", "P", "Fe"],
    "cathode-nca": ["Li", "Ni", "Co"],
    "cathode-lmo": ["Li", "Mn"],
    "lithium-hexafluorophosphate": ["Li", "P"],
    "steel": ["Fe"],
    "iron": ["Fe"],
}
#: An assembly of whatever it takes: nobody says of which elements.
_UNSAID = {"electronic-part"}
_PROXIES = (
    {"flow": "carbon-black", "stands_in": "graphite", "reason": "EverBatt counts carbon black as graphite"},
    {"flow": "anode-binder", "stands_in": "pvdf", "reason": "EverBatt counts both binders as PVDF"},
)


def factor_release(tables: Tables) -> bytes:
    """Return the release file (JSON, UTF-8) that `tables` give. Values are kg CO2e per kg, kWh or MJ, to 15 significant digits."""
    rows = [_row(row, tables.parameters["short_ton"]) for row in tables.factors]
    release = {
        "format": "urn:packtrace:factor-release-file:1",
        "id": "everbatt-2023",
        "version": "1",
        "title": "EverBatt 2023 factors",
        "citation": CITATION,
        "licence": "public research figures; keep the citation wherever they are shown",
        "gwp_set": "AR6 GWP100, CH4 29.8, N2O 273",
        "boundary": "cradle to gate; electricity at the outlet, life cycle",
        "rows": rows,
        "proxies": list(_PROXIES),
    }
    return (json.dumps(release, ensure_ascii=False, indent=1) + "\n").encode()


def _row(row: dict[str, str], short_ton_kg: Decimal) -> dict[str, object]:
    flow, geography, unit = row["flow"], row["geography"], row["source_unit"]
    place = "" if geography == "GLO" else f"-{geography.lower()}"
    value, per = _value(Decimal(row["source_value"]), unit, short_ton_kg, where=f"factors.csv, row {flow!r}")
    found: dict[str, object] = {
        "id": f"{flow}{place}",
        "flow": flow,
        "name": row["name"],
        "geography": geography,
        "year": 2022,
        "value": value,
        "per": per,
        "family": "co2e_life_cycle",
        "nature": "modelled",
    }
    if per == "kg" and flow not in _FORMULAS and flow not in _UNSAID:
        found["elements"] = _ELEMENTS.get(flow, [])
    found |= {
        "source_value": row["source_value"],
        "source_unit": f"{unit} of {short_ton_kg} kg" if "short" in unit.lower() else unit,
        "source": f"EverBatt 2023, {row['source_cells']}",
    }
    if flow in _FORMULAS:
        found["composition"] = _FORMULAS[flow]
    return found


def _value(published: Decimal, unit: str, short_ton_kg: Decimal, *, where: str) -> tuple[str, str]:
    """Return kg CO2e per unit of ours, and that unit. The table's own short ton stands for the exact one, as in the published totals."""
    mass, _, per = unit.partition(" CO2e/")
    try:
        emitted, of = read_unit(mass, where=where), read_unit(per, where=where)
        kg = convert(emitted.restate(published), emitted.unit, "kg", where=where)
    except UnitError as error:
        raise TablesError(str(error)) from None
    if of.factor != 1:
        raise TablesError(f"{where}: {per!r} is no unit of packtrace; state the factor per {of.unit}")
    if of.unit != "short_ton":
        return format(kg, "f"), of.unit
    with localcontext() as context:
        context.prec = 15
        return format((kg / short_ton_kg).normalize(), "f"), "kg"

"""The factor release `everbatt-2023` from the factor table, byte for byte the same for the same table."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext

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
    found: dict[str, object] = {
        "id": f"{flow}{place}",
        "flow": flow,
        "name": row["name"],
        "geography": geography,
        "year": 2022,
        "value": _value(Decimal(row["source_value"]), unit, short_ton_kg),
        "per": {"g CO2e/short ton": "kg", "kg CO2e/kg": "kg", "kg CO2e/kWh": "kWh", "kg CO2e/MJ": "MJ"}[unit],
        "family": "co2e_life_cycle",
        "nature": "modelled",
        "source_value": row["source_value"],
        "source_unit": unit if unit != "g CO2e/short ton" else f"{unit} of {short_ton_kg} kg",
        "source": f"EverBatt 2023, {row['source_cells']}",
    }
    if flow in _FORMULAS:
        found["composition"] = _FORMULAS[flow]
    return found


def _value(published: Decimal, unit: str, short_ton_kg: Decimal) -> str:
    if unit.startswith("kg CO2e/"):
        return format(published, "f")
    if unit != "g CO2e/short ton":
        raise TablesError(f"factors.csv: unknown unit {unit!r}")
    with localcontext() as context:
        context.prec = 15
        return format((published / 1000 / short_ton_kg).normalize(), "f")

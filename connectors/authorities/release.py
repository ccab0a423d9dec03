"""The factor release `authorities-2026` from the table of published figures, byte for byte the same for the same table."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

from bom_graph import UnitError, convert
from bom_graph.units import read_unit

Row = dict[str, str]
_COLUMNS = {
    *("id", "name", "category", "geography", "year"),
    *("value", "unit", "gas_basis", "source_title", "source_address"),
}
#: ISO 3166-1, three letters to two, of the nations in the table.
_CODES = (
    "ARG:AR AUS:AU AUT:AT BEL:BE BRA:BR CAN:CA CHE:CH CHL:CL COD:CD CZE:CZ DEU:DE ESP:ES FIN:FI FRA:FR GBR:GB "
    "HUN:HU IDN:ID IND:IN ITA:IT JPN:JP KOR:KR MAR:MA MEX:MX MYS:MY NLD:NL NOR:NO PHL:PH POL:PL PRT:PT RUS:RU "
    "SVK:SK SWE:SE THA:TH TUR:TR TWN:TW USA:US VNM:VN ZAF:ZA ZMB:ZM"
)
_NATIONS = dict(pair.split(":") for pair in _CODES.split())
#: End of a Chinese row's id -> flow.
_CHINESE_CO2 = {"nat-exmkt": "electricity-without-traded-non-fossil", "nat-fossil": "electricity-fossil"}
_CHINESE_FOOTPRINT = {
    "nat": "electricity",
    "td-loss": "electricity-transmission",
    "td-noloss": "electricity-transmission-without-losses",
}
#: How the notices name a generation -> how statements do; the others are named alike.
_GENERATION = {"pv": "solar"}
#: Number of a means of transport in the British table -> flow. A leg that states its mode alone takes ``freight-<mode>``: by road the
#: average of all lorries, by sea a container ship, by air a long-haul flight without forcing. Of inland waterways the table has nothing.
_FREIGHT = {
    "3112": "freight-truck-rigid-3.5-7.5t",
    "3116": "freight-truck-rigid-7.5-17t",
    "3120": "freight-truck-rigid-over-17t",
    "3124": "freight-truck-rigid",
    "3128": "freight-truck-articulated-3.5-33t",
    "3132": "freight-truck",
    "3136": "freight-truck-articulated",
    "3140": "freight-road",
    "3151": "freight-rail",
    "3152": "freight-air-domestic-with-forcing",
    "3153": "freight-air-domestic",
    "3154": "freight-air-short-haul-with-forcing",
    "3155": "freight-air-short-haul",
    "3156": "freight-air-with-forcing",
    "3157": "freight-air",
    "3158": "freight-air-international-with-forcing",
    "3159": "freight-air-international",
    "3215": "freight-sea-bulk-over-200000dwt",
    "3216": "freight-sea-bulk-100000-199999dwt",
    "3217": "freight-sea-bulk-60000-99999dwt",
    "3218": "freight-sea-bulk-35000-59999dwt",
    "3219": "freight-sea-bulk-10000-34999dwt",
    "3220": "freight-sea-bulk-under-10000dwt",
    "3221": "freight-sea-bulk",
    "3222": "freight-sea-general-over-10000dwt",
    "3223": "freight-sea-general-5000-9999dwt",
    "3224": "freight-sea-general-under-5000dwt",
    "3225": "freight-sea-general-over-10000dwt-100teu",
    "3226": "freight-sea-general-5000-9999dwt-100teu",
    "3227": "freight-sea-general-under-5000dwt-100teu",
    "3228": "freight-sea-general",
    "3229": "freight-sea-container-over-8000teu",
    "3230": "freight-sea-container-5000-7999teu",
    "3231": "freight-sea-container-3000-4999teu",
    "3232": "freight-sea-container-2000-2999teu",
    "3233": "freight-sea-container-1000-1999teu",
    "3234": "freight-sea-container-under-1000teu",
    "3235": "freight-sea",
    "3239": "freight-sea-roro-over-2000lm",
    "3240": "freight-sea-roro-under-2000lm",
    "3241": "freight-sea-roro",
}
#: Combustion -> flow, upstream row of the same unit or of a tonne, if there is one.
_FUELS = {
    "defra2024-ng-m3": ("natural-gas-volume", "defra2025-11_100_1004_1_1"),
    "defra2024-ng-kwh-net": ("natural-gas", "defra2025-11_100_1004_7_1"),
    "defra2024-diesel-l": ("diesel", "defra2025-11_101_1011_8_1"),
    "defra2024-lpg-l": ("lpg-volume", "defra2025-11_100_1003_8_1"),
    "defra2024-lpg-kg": ("lpg", "defra2025-11_100_1003_15_1"),
    "defra2024-coal-ind-kg": ("coal-industrial", "defra2025-11_102_1025_15_1"),
    "defra2024-fueloil-l": ("fuel-oil", "defra2025-11_101_1013_8_1"),
    "defra2024-petrol-l": ("petrol", None),
    "defra2024-cng-kg": ("cng", None),
    "defra2024-lng-l": ("lng", None),
    "defra2024-steam-kwh": ("heat-steam", "defra2025-16_919_4002_5_1"),
}
_FUELS_CO2 = {
    "ipcc2006-ng": "natural-gas",
    "ipcc2006-lpg": "lpg-energy",
    "ipcc2006-diesel": "diesel-energy",
    "ipcc2006-bitcoal": "coal-bituminous",
}
_NOTICE = "public notice of the authority; no licence stated, cited"
_CC_BY = "CC BY 4.0"
_OPEN_GOVERNMENT = "Open Government Licence v3.0"
_BRITISH = "the British factor stands in, no factor of the place is at hand"


class AuthoritiesError(Exception):
    """The table is missing, or a row of it can't be read; the message names the row and the remedy."""


def factor_release(table: Path) -> bytes:
    """Return the release file (JSON, UTF-8) that the table of published figures gives; AuthoritiesError names what is wrong."""
    published = _read(table)
    rows = sorted(_rows(published), key=lambda row: str(row["id"]))
    release = {
        "format": "urn:packtrace:factor-release-file:1",
        "id": "authorities-2026",
        "version": "1",
        "title": "Factors of authorities: MEE/NBS/NEA, Ember, DESNZ, IPCC",
        "citation": "as each row's source says",
        "licence": "as each row says; keep the citation wherever a figure is shown",
        "gwp_set": "unstated where a row has none",
        "boundary": "as each row says",
        "rows": rows,
    }
    return (json.dumps(release, ensure_ascii=False, indent=1) + "\n").encode()


def _rows(published: dict[str, Row]) -> Iterator[dict[str, object]]:
    for row in published.values():
        make = _MAKERS.get(row["category"])
        if make is None:
            raise AuthoritiesError(f"row {row['id']}: unknown category {row['category']!r}; restore the table")
        yield from make(row, published)


def _chinese_co2(row: Row, _published: dict[str, Row]) -> Iterator[dict[str, object]]:
    end = row["id"].split("-", 4)[4]
    yield _made(
        row,
        flow=_CHINESE_CO2.get(end, "electricity"),
        family="co2_generation",
        side="busbar",
        boundary="CO2 of generation",
        gwp_set="CO2",
        licence=_NOTICE,
    )


def _chinese_footprint(row: Row, _published: dict[str, Row]) -> Iterator[dict[str, object]]:
    end = row["id"].split("-", 4)[4]
    at_meter = end == "nat"
    yield _made(
        row,
        flow=_CHINESE_FOOTPRINT.get(end, f"electricity-{_GENERATION.get(end, end)}"),
        side=None if end.startswith("td-") else ("meter" if at_meter else "busbar"),
        boundary="life cycle, transmission included" if at_meter else "life cycle",
        gwp_set="unstated",
        licence=_NOTICE,
    )


def _ember(row: Row, _published: dict[str, Row]) -> Iterator[dict[str, object]]:
    yield _made(
        row,
        flow="electricity",
        geography=_nation(row),
        side="busbar",
        boundary="life cycle, production mix without imports, before transmission",
        gwp_set=f"unstated: {row['gas_basis']}",
        licence=_CC_BY,
    )


def _freight(row: Row, published: dict[str, Row]) -> Iterator[dict[str, object]]:
    """One row for each means of transport: in use and upstream. The upstream rows are read with theirs."""
    if not row["name"].endswith("[TTW]"):
        return
    code = row["id"].split("_")[2]
    upstream = [
        one for one in published.values() if one["name"].startswith("WTT- ") and one["id"].split("_")[2] == code
    ]
    if code not in _FREIGHT or len(upstream) != 1:
        raise AuthoritiesError(f"row {row['id']}: no flow, or not one upstream row; restore the table")
    yield _made(
        row,
        flow=_FREIGHT[code],
        geography="GB",
        value=_sum(row, upstream[0]),
        name=row["name"].removesuffix(" [TTW]"),
        boundary="well to wheel",
        gwp_set="AR5",
        elsewhere=_BRITISH,
        licence=_OPEN_GOVERNMENT,
        source_value=f"{row['value']} + {upstream[0]['value']}",
    )


def _combustion(row: Row, published: dict[str, Row]) -> Iterator[dict[str, object]]:
    """What burning the fuel emits, and with its supply where that is published: its life cycle."""
    if row["id"] in _FUELS_CO2:
        yield _made(
            row, flow=_FUELS_CO2[row["id"]], family="co2_combustion", boundary="combustion", gwp_set="CO2",
            licence="cited figure of the guidelines",
        )  # fmt: skip
        return
    flow, named = _FUELS[row["id"]]
    common = {"flow": flow, "geography": "GB", "elsewhere": _BRITISH, "licence": _OPEN_GOVERNMENT}
    yield _made(row, family="co2e_combustion", boundary="combustion", gwp_set="AR5", **common)
    if named is not None:
        upstream = published[named]
        yield _made(
            row,
            id=f"{row['id']}+upstream",
            value=_sum(row, upstream),
            boundary="combustion and supply",
            gwp_set="AR5",
            source_value=f"{row['value']} + {upstream['value']} {upstream['unit']}",
            source=f"{row['source_title']}; {upstream['source_title']}",
            note=f"{row['name']} of {row['year']} with {upstream['name']} of {upstream['year']}",
            **common,
        )


def _upstream(_row: Row, _published: dict[str, Row]) -> Iterator[dict[str, object]]:
    """The supply of a fuel alone is no factor: it is read with the combustion."""
    return iter(())


_MAKERS: dict[str, Callable[[Row, dict[str, Row]], Iterator[dict[str, object]]]] = {
    "electricity_grid_co2": _chinese_co2,
    "electricity_lifecycle": _chinese_footprint,
    "electricity_grid_intl": _ember,
    "freight_tkm": _freight,
    "fuel_combustion": _combustion,
    "fuel_upstream": _upstream,
}


def _made(row: Row, **members: object) -> dict[str, object]:
    per = _per(row)
    found: dict[str, object] = {
        "id": row["id"],
        "flow": "",
        "name": row["name"],
        "geography": row["geography"],
        "year": int(row["year"]),
        "value": row["value"],
        "per": per,
        "family": "co2e_life_cycle",
        "nature": "statistical",
        # What is weighed here are fuels.
        "elements": [] if per == "kg" else None,
        "source_value": row["value"],
        "source_unit": row["unit"],
        "source": row["source_title"],
        "address": row["source_address"],
    }
    found |= members
    return {name: value for name, value in found.items() if value is not None}


def _nation(row: Row) -> str:
    try:
        return _NATIONS[row["geography"]]
    except KeyError:
        raise AuthoritiesError(f"row {row['id']}: unknown nation {row['geography']!r}; correct its code") from None


def _per(row: Row) -> str:
    """Return our unit that the figure is per, of what the row says in words: kgCO2e/tonne.km, kgCO2e/kWh (Net CV)."""
    where = f"row {row['id']}"
    stated, _, per = row["unit"].partition("/")
    try:
        unit = read_unit(per.partition(" (")[0], where=where)
    except UnitError as error:
        raise AuthoritiesError(str(error)) from None
    if stated not in {"kgCO2", "kgCO2e"} or unit.factor != 1:
        raise AuthoritiesError(f"{where}: {row['unit']!r} is no kgCO2 or kgCO2e per unit of packtrace; correct it")
    return unit.unit


def _sum(row: Row, upstream: Row) -> str:
    """In use and upstream together, in the unit of the first; upstream figures are per tonne where the first are per kilogram."""
    try:
        share = convert(Decimal(1), _per(row), _per(upstream), where=f"row {upstream['id']}")
    except UnitError as error:
        raise AuthoritiesError(str(error)) from None
    return format(Decimal(row["value"]) + Decimal(upstream["value"]) * share, "f")


def _read(table: Path) -> dict[str, Row]:
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AuthoritiesError(f"{table.name} can't be read: {error}; restore it from the repository") from None
    for number, row in enumerate(rows, 2):
        if set(row) != _COLUMNS or None in row.values():
            raise AuthoritiesError(f"{table.name}, line {number}: not its columns; restore it from the repository")
        try:
            finite = Decimal(row["value"]).is_finite()
        except InvalidOperation:
            finite = False
        if not finite or not row["year"].isdecimal():
            raise AuthoritiesError(f"{table.name}, line {number}: value or year is no number; correct it")
    if not rows or len({row["id"] for row in rows}) != len(rows):
        raise AuthoritiesError(f"{table.name} has no rows, or two of one id; restore it from the repository")
    return {row["id"]: row for row in rows}

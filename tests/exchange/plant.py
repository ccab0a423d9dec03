"""A plant of the maker's, stated month by month, and factors of electricity that are told by heart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bom_graph import FactorRelease, Finding, RuleSet, release_bytes
from exchange.assembly import Demand, RefusedError, Result, compute
from exchange.evidence import Entry
from exchange.kinds import ACTIVITY_DATA, CERTIFICATE_RETIREMENT, load_policy
from tests.exchange.three import (
    CELL,
    CHINA,
    MAKER,
    World,
    line,
)

Claims = dict[str, Any]
LFP, NMC = f"{MAKER}/lfp-cell", f"{MAKER}/nmc622-cell"
JANUARY = {"start": "2026-01-01", "end": "2026-01-31"}
FEBRUARY = {"start": "2026-02-01", "end": "2026-02-28"}
SITE = {"name": "plant 1", "country": "CN", "grid": "CN"}
#: kg CO2e per kWh of worked example D: factors of 2024.
GRID, WIND, PV, TRANSMISSION = 0.5777, 0.0324, 0.0520, 0.0327
POWER = {
    "electricity": GRID,
    "electricity-wind": WIND,
    "electricity-solar": PV,
    "electricity-transmission": TRANSMISSION,
}


def power_release() -> FactorRelease:
    """A release of nothing but the four factors of worked example D."""
    release = json.loads(release_bytes("everbatt-2023"))
    pattern = next(row for row in release["rows"] if row["flow"] == "electricity")
    rows = [
        {**pattern, "id": flow, "flow": flow, "geography": "CN", "per": "kWh", "value": str(value)}
        for flow, value in POWER.items()
    ]
    return FactorRelease.read(json.dumps({**release, "rows": rows, "proxies": []}).encode())


def plant(world: World, *outputs: Claims, inputs: tuple[Claims, ...] = (), **more: Any) -> Entry:
    """State one month of a plant of the maker's."""
    claims = {
        "sub": outputs[0]["product"],
        "process_class": "cell_manufacturing",
        "period": JANUARY,
        "site": SITE,
        "outputs": list(outputs),
        "inputs": list(inputs),
        "electricity": [],
        **more,
    }
    return world.state(MAKER, ACTIVITY_DATA, claims)


def measure(amount: str, unit: str) -> Claims:
    return {"amount": amount, "unit": unit, "obtained": "measured"}


def made(product: str, amount: str, unit: str = "kg", **members: Any) -> Claims:
    return line(amount, unit, product=product, **members)


def with_power(world: World, product: str, rule_set: RuleSet = CHINA, **more: Any) -> Result:
    """The result of `product` by the factors of worked example D."""
    evidence = world.evidence(**more)
    return compute(evidence, Demand(product), rule_set, [power_release()], load_policy())


def found(result: Result, gate: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.gate == gate]


def refusing(world: World, product: str, rule_set: RuleSet = CHINA) -> Finding:
    """The one finding that refuses the result."""
    with pytest.raises(RefusedError) as caught:
        with_power(world, product, rule_set)
    (finding,) = caught.value.findings
    assert (finding.level, finding.refuses) == ("hard", True)
    assert finding.remedy
    return finding


def site_month(
    world: World, *claimed: tuple[str, str], product: str = CELL, grid: str = "9000", pv: str = "1000", **more: Any
) -> Entry:
    """Worked example D: a month in which one product took 10,000 MWh, 1,000 of them made on site; certificates by generation and MWh."""
    certificates = []
    for generation, mwh in claimed:
        retired = retirement(world, generation, int(mwh))
        stated = line(mwh, "MWh", generation=generation, month="2026-01", citation=world.cite(retired), id=generation)
        certificates.append(stated)
    own = [line(pv, "MWh", supply="on_site", geography="CN", generation="solar")] if pv != "0" else []
    return plant(
        world,
        made(product, "1"),
        electricity=[line(grid, "MWh", supply="grid", geography="CN", id="grid"), *own],
        certificates=certificates,
        **more,
    )


def retirement(world: World, generation: str, mwh: int, *, name: str = "a", **changes: Any) -> Entry:
    claims = {
        "sub": f"{MAKER}/retirements/{generation}-{name}",
        "registry": "GEC",
        "serials": [{"first": f"{generation}-00001", "last": f"{generation}-{mwh:05}"}],
        "energy": measure(str(mwh), "MWh"),
        "month": "2026-01",
        "generation": generation,
        "region": "CN",
        "site": SITE,
        **changes,
    }
    return world.state(MAKER, CERTIFICATE_RETIREMENT, claims)


def cells(world: World, key: str | None = "energy", *, electricity: tuple[Claims, ...] = (), **more: Any) -> Entry:
    """Worked example H: 3 GWh of LFP and 2 GWh of NMC622 cells from 41.52 GWh."""
    used = electricity or (line("41.52", "GWh", supply="grid", geography="CN"),)
    stated: Claims = {} if key is None else {"allocation": {"key": key, "reason": "one line of machines"}}
    return plant(
        world,
        made(LFP, "3", "GWh", mass=measure("12714.522", "t")),
        made(NMC, "2", "GWh", mass=measure("6385.282", "t")),
        electricity=list(used),
        **stated,
        **more,
    )

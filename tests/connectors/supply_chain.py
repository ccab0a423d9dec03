"""The EverBatt supply chain, played through signing and admission: cathode maker, cell maker, pack maker."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bom_graph import load_release, load_rule_set
from connectors.everbatt import (
    CellPlant,
    Source,
    Tables,
    battery_model,
    cathode_activity,
    cell_activity,
    cell_bill,
    pack_activity,
    pack_bill,
)
from exchange.assembly import Demand, Result, compute
from exchange.evidence import Entry, Evidence
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, BILL_OF_MATERIALS, load_policy
from tests.simulator import Simulator

FOLDER = Path(__file__).parents[2] / "examples" / "everbatt"
CATHODES, CELLS, PACKS = "https://cathodes.example", "https://cells.example", "https://packs.example"
#: Place of the table of totals -> country and grid of the cell plant.
PLACES = {"US": ("US", "US"), "California": ("US", "US-CA"), "China": ("CN", "CN"), "Korea": ("KR", "KR")}
SITE = {"name": "plant 1", "country": "US", "grid": "US"}


@cache
def tables() -> Tables:
    """The tables of examples/everbatt."""
    return Tables.read(FOLDER)


@dataclass
class SupplyChain:
    """A log with the three makers. `cathode` is one of "published_factor" and "recipe"."""

    tables: Tables = field(default_factory=tables)
    simulator: Simulator = field(default_factory=Simulator)
    _cathodes: dict[str, Entry] = field(default_factory=dict)
    _evidence: Evidence | None = None

    def __post_init__(self) -> None:
        self.simulator.join(CATHODES, "supplier")
        self.simulator.join(CELLS, "supplier")
        self.simulator.join(PACKS, "pack_maker")

    def cathode(self, chemistry: str) -> Entry:
        """The cathode maker's recipe, stated on first use."""
        if chemistry not in self._cathodes:
            claims = cathode_activity(self.tables, chemistry, f"{CATHODES}/{chemistry}", SITE, {})
            self._cathodes[chemistry] = self.simulator.state(CATHODES, ACTIVITY_DATA, claims)
        return self._cathodes[chemistry]

    def pack(self, chemistry: str, place: str, cathode: str) -> str:
        """State the cell's and the pack's data, with the cell plant in `place`; return the pack's product URI."""
        state, cite = self.simulator.state, self.simulator.cite
        country, grid = PLACES[place]
        cell, pack = (f"{maker}/{chemistry}-{place}-{cathode}" for maker in (CELLS, PACKS))
        source = Source()
        if cathode == "recipe":
            source = Source(f"{CATHODES}/{chemistry}", cite(self.cathode(chemistry)))
        cells = state(CELLS, BILL_OF_MATERIALS, cell_bill(self.tables, chemistry, cell, source))
        state(CELLS, ACTIVITY_DATA, cell_activity(self.tables, chemistry, cell, CellPlant("cells", country, grid)))
        state(PACKS, BILL_OF_MATERIALS, pack_bill(self.tables, chemistry, pack, Source(cell, cite(cells))))
        state(PACKS, ACTIVITY_DATA, pack_activity(self.tables, pack, SITE))
        mass = next(row["pack_mass_kg"] for row in self.tables.expected if row["chemistry"] == chemistry)
        model = battery_model(self.tables, chemistry, pack, model=chemistry, plant=SITE, mass_kg=mass)
        state(PACKS, BATTERY_MODEL, model)
        self._evidence = None
        return pack

    def result(self, pack: str, rule_set: str = "everbatt-2023-cradle-to-gate") -> Result:
        """The pack's result for a reader of everything."""
        self._evidence = self._evidence or self.simulator.evidence()
        rules = load_rule_set(rule_set)
        releases = [load_release(name) for name in rules.factor_releases]
        return compute(self._evidence, Demand(pack), rules, releases, load_policy())

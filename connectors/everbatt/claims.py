"""The claims that each tier of the EverBatt supply chain states, from the tables.

Contents stay as published (kg per kg of cell) with their yields beside them; the engine divides. Everything is `modelled`, per declared
unit and not per plant-year, since that is what the source gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.everbatt.tables import CITATION, Tables

Claims = dict[str, Any]
MODELLED = "modelled"
#: The year in which the model plants are taken to run; the tables state none.
PERIOD = {"start": "2025-01-01", "end": "2025-12-31"}
#: Cathode chemistry -> formula of the product.
CATHODE_FORMULA = {
    "NMC622": "LiNi0.6Mn0.2Co0.2O2",
    "NMC811": "LiNi0.8Mn0.1Co0.1O2",
    "LFP": "LiFePO4",
}
#: (bill item, flow, parameter that holds the material yield)
_CELL_COMPONENTS = (
    ("Graphite", "graphite", "electrode_material_yield"),
    ("Carbon black", "carbon-black", "electrode_material_yield"),
    ("Binder: PVDF", "pvdf", "electrode_material_yield"),
    ("Binder: anode", "anode-binder", "electrode_material_yield"),
    ("Copper", "copper", "foil_yield"),
    ("Aluminum", "aluminium", "foil_yield"),
    ("Electrolyte: LiPF6", "lithium-hexafluorophosphate", "electrolyte_yield"),
    ("Electrolyte: EC", "ethylene-carbonate", "electrolyte_yield"),
    ("Electrolyte: DMC", "dimethyl-carbonate", "electrolyte_yield"),
    ("Plastic: PP", "polypropylene", "separator_yield"),
    ("Plastic: PE", "polyethylene", "separator_yield"),
    ("Plastic: PET", "polyethylene-terephthalate", "pet_yield"),
)
#: flow -> [(level, item, multiplier)]; "module" items are grams for each of 20 modules, "pack" items kilograms.
_PACK_COMPONENTS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "copper": (
        ("module", "Cell interconnect", "1"),
        ("module", "Module terminals", "1"),
        ("pack", "Module inter-connect", "1"),
        ("pack", "Bus bar", "1"),
        ("pack", "Battery pack terminals", "0.9"),
    ),
    "aluminium-pack-sheet": (
        ("module", "Module conductors/thermal enclosure", "1"),
        ("pack", "Battery jacket, Al", "1"),
        ("pack", "Battery pack heaters", "1"),
    ),
    "polypropylene": (("module", "Interconnect panel", "1"),),
    "insulation": (
        ("pack", "Polymer pads btw modules", "1"),
        ("pack", "Battery jacket, insulation", "1"),
        ("pack", "Battery pack terminals", "0.1"),
    ),
    "electronic-part": (("module", "Module management system", "1"), ("pack", "BMS and disconnects", "1")),
    "steel": (
        ("module", "Module enclosure", "1"),
        ("pack", "Row rack", "1"),
        ("pack", "Cooling system panel and manifold", "1"),
        ("pack", "Battery jacket, steel", "1"),
    ),
    "iron": (("pack", "Battery jacket, iron", "1"),),
    "battery-coolant": (("pack", "Battery coolant", "1"),),
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where an input comes from: a supplier's product, cited if its entry is known, or the background flow of that name."""

    product: str | None = None
    citation: Mapping[str, Any] | None = None

    def claims(self, flow: str) -> Claims:
        """Return the members that an input line states about its source."""
        if self.product is None:
            return {"flow": flow}
        return {"product": self.product, **({"citation": dict(self.citation)} if self.citation else {})}


@dataclass(frozen=True, slots=True)
class CellPlant:
    """Where cells are made: `geography` is the code of the grid (US, US-CA, CN, KR)."""

    name: str
    country: str
    geography: str


def salt_activity(product: str, flow: str, name: str, formula: str, site: Claims) -> Claims:
    """Return a refiner's activity data: one kilogram of salt, standing for its published cradle-to-gate factor."""
    composition = {"formula": formula}
    return {
        "sub": product,
        "process_class": "material_production",
        "site": site,
        "period": PERIOD,
        "outputs": [_line("1", "kg", product=product, composition=composition)],
        "inputs": [_line("1", "kg", name=name, flow=flow, composition=composition)],
        "electricity": [],
        "note": f"Modelled: the refinery is represented by the published factor. {CITATION}",
    }


def cathode_activity(
    tables: Tables, chemistry: str, product: str, site: Claims, suppliers: Mapping[str, Source]
) -> Claims:
    """Return a cathode maker's activity data by the recipe, per kilogram; `suppliers` maps salt flows to their sources."""
    inputs: list[Claims] = []
    claims: Claims = {
        "sub": product,
        "process_class": "material_production",
        "site": site,
        "period": PERIOD,
        "outputs": [
            _line("1", "kg", product=product, composition={"formula": CATHODE_FORMULA[chemistry]}),
        ],
        "inputs": inputs,
        "electricity": [],
        "note": f"Modelled recipe per kg of cathode. {CITATION}",
    }
    for line in tables.recipes[chemistry]:
        amount = _text(line.amount)
        if line.flow == "electricity":
            claims["electricity"] = [_line(amount, line.unit, supply="grid", geography=site["grid"])]
        elif line.flow == "natural-gas-boiler":
            claims["fuels"] = [_line(amount, line.unit, flow=line.flow)]
        elif line.flow == "process-co2":
            claims["direct_emissions"] = [_line(amount, "kg", gas="CO2", origin="fossil")]
        else:
            source = suppliers.get(line.flow, Source()).claims(line.flow)
            inputs.append(_line(amount, line.unit, name=line.flow, composition={"formula": line.formula}, **source))
    return claims


def cell_bill(tables: Tables, chemistry: str, product: str, cathode: Source) -> Claims:
    """Return the cell's bill of materials per kilogram of cell: contents with cell yield x material yield."""
    cell_yield = tables.parameters["cell_yield"]
    content = tables.amount("cell", "Active cathode material", chemistry)
    flow = f"cathode-{chemistry.lower()}"
    line = _component(content, cell_yield * tables.parameters["electrode_material_yield"])
    line |= {"name": f"{chemistry} active cathode material", **cathode.claims(flow)}
    if cathode.product is not None:
        line |= {"comparable_flow": flow, "composition": {"formula": CATHODE_FORMULA[chemistry]}}
    components = [line]
    for item, flow, yield_parameter in _CELL_COMPONENTS:
        line = _component(tables.amount("cell", item, chemistry), cell_yield * tables.parameters[yield_parameter])
        components.append(line | {"name": item, "flow": flow})
    return {
        "sub": product,
        "per": {"amount": "1", "unit": "kg", "obtained": MODELLED},
        "period": PERIOD,
        "components": components,
        "note": f"Content per kg of cell before yields; yield = cell yield x material yield. {CITATION}",
    }


def cell_activity(tables: Tables, chemistry: str, product: str, plant: CellPlant) -> Claims:
    """Return the cell plant's activity data per kilogram of cell: solvent, electricity of the place and boiler gas."""
    parameters = tables.parameters
    energy = tables.amount("cell energy", "Total energy consumption", chemistry)
    electricity = energy * tables.amount("cell energy", "Share of electricity consumption", chemistry)
    gas = energy * tables.amount("cell energy", "Share of natural gas consumption", chemistry)
    binder = tables.amount("cell", "Binder: PVDF", chemistry)
    good = parameters["cell_yield"] * parameters["electrode_material_yield"]
    solvent = parameters["nmp_per_pvdf"] * binder / good
    return {
        "sub": product,
        "process_class": "cell_manufacturing",
        "site": {"name": plant.name, "country": plant.country, "grid": plant.geography},
        "period": PERIOD,
        "outputs": [_line("1", "kg", product=product)],
        "inputs": [
            _line(
                _text(solvent),
                "kg",
                name="N-methyl-2-pyrrolidone",
                flow="n-methyl-2-pyrrolidone",
                note="16 kg per kg of cathode PVDF after yields, charged in full although 99.5 % recovery is stated",
            )
        ],
        "electricity": [_line(_text(electricity), "MJ", supply="grid", geography=plant.geography)],
        "electricity_total": {"amount": _text(electricity), "unit": "MJ", "obtained": MODELLED},
        "fuels": [_line(_text(gas), "MJ", flow="natural-gas-boiler")],
        "note": f"Modelled plant energy per kg of cell. {CITATION}",
    }


def pack_bill(tables: Tables, chemistry: str, product: str, cell: Source) -> Claims:
    """Return the pack's bill of materials: the cells by mass and what module and pack levels add, in kilograms."""
    parameters = tables.parameters
    modules = parameters["modules_per_pack"]
    cells = parameters["cells_per_module"] * modules
    mass = tables.amount("cell", "Cell mass", chemistry)
    components = [
        _component(cells * mass, Decimal(1)) | {"name": f"{cells} cells of {mass} kg", **cell.claims("cell")},
    ]
    scale = {"module": modules / 1000, "pack": Decimal(1)}
    for flow, parts in _PACK_COMPONENTS.items():
        kg = sum(
            (tables.amount(level, item, chemistry) * scale[level] * Decimal(share) for level, item, share in parts),
            Decimal(0),
        )
        components.append(_component(kg, Decimal(1)) | {"name": ", ".join(p[1] for p in parts), "flow": flow})
    total = sum((Decimal(line["amount"]) for line in components), Decimal(0))
    return {
        "sub": product,
        "per": {"amount": "1", "unit": "piece", "obtained": MODELLED},
        "period": PERIOD,
        "components": components,
        "mass": {"amount": _text(total), "unit": "kg", "obtained": "calculated"},
        "note": f"100 kWh pack of 20 modules of 20 cells. {CITATION}",
    }


def pack_activity(tables: Tables, product: str, site: Claims) -> Claims:
    """Return pack assembly's activity data: the source gives it no energy, and says so."""
    energy = _text(tables.parameters["pack_assembly_electricity"])
    return {
        "sub": product,
        "process_class": "pack_assembly",
        "site": site,
        "period": PERIOD,
        "outputs": [_line("1", "piece", product=product)],
        "electricity": [_line(energy, "kWh", supply="grid", geography=site["grid"])],
        "note": f"Pack assembly energy is 0 in the source. {CITATION}",
    }


def battery_model(tables: Tables, chemistry: str, product: str, *, model: str, plant: Claims, mass_kg: str) -> Claims:
    """Return the battery model. Cycle life, usable energy, vehicle class and warranty are assumptions and marked so."""
    rated = _text(tables.parameters["pack_rated_energy"])
    return {
        "sub": product,
        "model": model,
        "plant": plant,
        "chemistry": chemistry,
        "rated_energy": {"amount": rated, "unit": "kWh", "obtained": MODELLED},
        "usable_energy": {"amount": "92", "unit": "kWh", "obtained": "assumed"},
        "mass": {"amount": mass_kg, "unit": "kg", "obtained": "calculated"},
        "cycle_life": {
            "standard": "GB/T 31484-2015",
            "object": "pack",
            "basis": "Wh",
            "obtained": "assumed",
            "stop_reason": "assumed: 80 % retention",
        },
        "cycle_points": [
            {"cycles": "0", "retention": "1"},
            {"cycles": "1000", "retention": "0.8"},
        ],
        "vehicle": {"class": "M1", "obtained": "assumed"},
        "warranty": {"years": "8", "obtained": "assumed"},
        "note": "Assumed, not tested: cycle life, usable energy, vehicle class and warranty.",
    }


def _line(amount: str, unit: str, **members: Any) -> Claims:
    """Return a line without its `id`: signing gives it a random one, so that ids tell nothing."""
    return {"amount": amount, "unit": unit, "obtained": MODELLED, **members}


def _component(content: Decimal, good: Decimal) -> Claims:
    return _line(_text(content), "kg") | {"yield": _text(good)}


def _text(value: Decimal) -> str:
    return format(value, "f")

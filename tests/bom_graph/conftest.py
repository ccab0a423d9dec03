"""Claims of each record kind that hold, for tests that change one thing about them."""

from typing import Any

import pytest

MAKER = "https://maker.example"


@pytest.fixture
def activity() -> dict[str, Any]:
    """One kilogram of cathode from two salts, power of two grids, gas and process CO2."""
    return {
        "sub": f"{MAKER}/cathode",
        "process_class": "material_production",
        "site": {"name": "plant 1", "country": "CN", "grid": "CN"},
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [{"id": "o", "product": f"{MAKER}/cathode", "amount": "2", "unit": "kg", "obtained": "measured"}],
        "inputs": [
            {
                "id": "li",
                "name": "salt",
                "flow": "lithium-carbonate",
                "amount": "1",
                "unit": "kg",
                "obtained": "measured",
            },
            {"name": "water", "product": f"{MAKER}/water", "amount": "3", "unit": "L", "obtained": "estimated"},
        ],
        "electricity": [
            {"amount": "3", "unit": "kWh", "obtained": "measured", "supply": "grid", "geography": "CN"},
            {"amount": "3.6", "unit": "MJ", "obtained": "measured", "supply": "grid", "geography": "CN-EC"},
        ],
        "electricity_total": {"amount": "4", "unit": "kWh", "obtained": "measured"},
        "fuels": [{"amount": "5", "unit": "MJ", "obtained": "measured", "flow": "natural-gas-boiler"}],
        "direct_emissions": [
            {"amount": "200", "unit": "g", "obtained": "calculated", "gas": "CO2", "origin": "fossil"}
        ],
    }


@pytest.fixture
def bill() -> dict[str, Any]:
    """A cell of a cathode and copper foil, its mass stated."""
    return {
        "sub": f"{MAKER}/cell",
        "per": {"amount": "1", "unit": "piece", "obtained": "calculated"},
        "components": [
            {
                "id": "cathode",
                "name": "cathode",
                "product": f"{MAKER}/cathode",
                "citation": {"origin": "log", "index": 3, "leaf_hash": "ab" * 32},
                "amount": "0.4",
                "unit": "kg",
                "obtained": "calculated",
                "yield": "0.95",
            },
            {"id": "foil", "name": "foil", "flow": "copper", "amount": "100", "unit": "g", "obtained": "calculated"},
        ],
        "supplier_shares": [
            {"id": "a", "component": "foil", "product": "https://a.example/foil", "share": "0.7"},
            {"id": "b", "component": "foil", "product": "https://b.example/foil", "share": "0.3"},
        ],
        "mass": {"amount": "500", "unit": "g", "obtained": "calculated"},
    }


@pytest.fixture
def model() -> dict[str, Any]:
    """The pack of the worked examples: rated 100 kWh, usable 92 kWh, 1,000 tested cycles, M1, eight years."""
    return {
        "sub": f"{MAKER}/pack",
        "model": "P100",
        "plant": {"name": "plant 1", "country": "CN"},
        "chemistry": "NMC622",
        "rated_energy": {"amount": "100", "unit": "kWh", "obtained": "measured"},
        "usable_energy": {"amount": "92", "unit": "kWh", "obtained": "assumed"},
        "cycle_life": {"standard": "GB/T 31484-2015", "object": "pack", "basis": "Wh", "obtained": "measured"},
        "cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}],
        "vehicle": {"class": "M1", "obtained": "assumed"},
        "warranty": {"years": "8", "obtained": "measured"},
    }


@pytest.fixture
def footprint() -> dict[str, Any]:
    """A footprint whose two stages add up."""
    return {
        "sub": f"{MAKER}/cathode",
        "rule_set": {"id": "cn-miit-551-trial", "version": "2026-11-22", "digest": "cd" * 32},
        "declared_unit": {"amount": "1", "unit": "kg", "obtained": "calculated"},
        "total": "9.5",
        "complete": True,
        "stages": [
            {"stage": "material_acquisition", "kg_co2e": "7.25"},
            {"stage": "manufacturing", "kg_co2e": "2.25"},
        ],
        "obtained": "calculated",
    }


@pytest.fixture
def retirement() -> dict[str, Any]:
    """4,000 wind certificates of January."""
    return {
        "sub": f"{MAKER}/retirements/2026-01-wind",
        "registry": "GEC",
        "serials": [{"id": "wind", "first": "GEC-2026-000001", "last": "GEC-2026-004000"}],
        "energy": {"amount": "4000", "unit": "MWh", "obtained": "measured"},
        "month": "2026-01",
        "generation": "wind",
        "region": "CN",
        "site": {"name": "plant 1", "country": "CN"},
    }


@pytest.fixture
def delivery() -> dict[str, Any]:
    """A truck of hydrated salt for one buyer."""
    return {
        "sub": f"{MAKER}/salt",
        "batch": "NS-0117",
        "quantity": {"amount": "24.5", "unit": "t", "obtained": "measured"},
        "composition": {"formula": "NiSO4.6H2O"},
        "buyer": "https://buyer.example",
        "date": "2026-01-17",
    }

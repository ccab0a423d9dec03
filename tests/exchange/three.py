"""Three organisations, a refiner, a maker and a pack maker, and short ways to state things and to compute."""

from __future__ import annotations

from typing import Any

from bom_graph import RuleSet, load_release, load_rule_set
from exchange.assembly import Demand, Result, compute
from exchange.evidence import Entry
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, BILL_OF_MATERIALS, PRODUCT_FOOTPRINT, load_policy
from tests.simulator import Simulator

EVERBATT = load_rule_set("everbatt-2023-cradle-to-gate")
CHINA = load_rule_set("cn-miit-551-trial")
EUROPE = load_rule_set("eu-cfb-draft-2024-partial")
RELEASE = load_release("everbatt-2023")
# kg CO2e: copper per kg, electricity per kWh, straight from the factor table.
COPPER, US, CALIFORNIA = 4073352.041291 / 907185, 0.466497, 0.292721
REFINER, MAKER, PACKER = "https://refiner.example", "https://maker.example", "https://packer.example"
SALT, CELL, PACK = f"{REFINER}/salt", f"{MAKER}/cell", f"{PACKER}/pack"
Claims = dict[str, Any]


class World(Simulator):
    """Three organisations and short ways to state things and to compute."""

    def __init__(self) -> None:
        super().__init__()
        self.join(REFINER, "supplier")
        self.join(MAKER, "supplier")
        self.join(PACKER, "pack_maker")

    def activity(self, product: str, *inputs: Claims, unit: str = "kg", formula: str = "", **more: Any) -> Entry:
        """State one `unit` of `product` from `inputs`."""
        output = line("1", unit, product=product)
        if formula:
            output["composition"] = {"formula": formula}
        claims = {
            "sub": product,
            "process_class": "material_production",
            "period": {"start": "2026-01-01", "end": "2026-01-31"},
            "outputs": [output],
            "inputs": list(inputs),
            "electricity": [],
            **more,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return self.state(owner(product), ACTIVITY_DATA, claims)

    def bill(self, product: str, *components: Claims, unit: str = "kg", **more: Any) -> Entry:
        """State that one `unit` of `product` holds `components`."""
        claims = {"sub": product, "per": line("1", unit), "components": list(components), **more}
        return self.state(owner(product), BILL_OF_MATERIALS, claims)

    def footprint(self, product: str, rule_set: RuleSet = EVERBATT, **more: Any) -> Entry:
        """State a signed footprint of ten kilograms, four of them manufacturing."""
        claims = {
            "sub": product,
            "rule_set": {"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest},
            "declared_unit": line("1", "kg"),
            "total": "10",
            "complete": True,
            "stages": [
                {"stage": "material_acquisition", "kg_co2e": "6"},
                {"stage": "manufacturing", "kg_co2e": "4"},
            ],
            "obtained": "calculated",
            **more,
        }
        return self.state(owner(product), PRODUCT_FOOTPRINT, claims)

    def pack(self, *components: Claims, unit: str = "piece") -> None:
        """State one pack of `components` with its battery model."""
        self.bill(PACK, *components, unit=unit)
        self.activity(PACK, unit=unit, process_class="pack_assembly")
        model = {
            "sub": PACK,
            "model": "P",
            "plant": {"name": "plant", "country": "US"},
            "chemistry": "NMC622",
            "rated_energy": line("100", "kWh"),
            "cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}],
        }
        self.state(PACKER, BATTERY_MODEL, model)

    def compute(
        self,
        product: str,
        rule_set: RuleSet = EVERBATT,
        *,
        flow: str | None = None,
        sealed: dict[int, tuple[str, ...]] | None = None,
    ) -> Result:
        """The result of `product` for a reader who holds everything, but of `sealed` entries only those paths."""
        evidence = self.evidence(sealed=sealed)
        releases = [load_release(name) for name in rule_set.factor_releases]
        return compute(evidence, Demand(product, flow), rule_set, releases, load_policy())


def owner(product: str) -> str:
    return product.rpartition("/")[0]


def line(amount: str, unit: str = "kg", obtained: str = "measured", **members: Any) -> Claims:
    return {"amount": amount, "unit": unit, "obtained": obtained, **members}


def copper(amount: str, unit: str = "kg", **members: Any) -> Claims:
    return line(amount, unit, name="copper", flow="copper", **members)


def of(product: str, amount: str, unit: str = "kg", **members: Any) -> Claims:
    return line(amount, unit, name=product, product=product, **members)


def power(amount: str, geography: str) -> Claims:
    return line(amount, "kWh", supply="grid", geography=geography)

"""bom_graph: what the statements mean. Quantities, records, factors, rule sets, the product system, its footprint and the gates.

Pure: no database, clock, network or randomness.
"""

from bom_graph.composition import mass_fractions
from bom_graph.delivered import DeliveredEnergy, delivered_energy
from bom_graph.errors import (
    BomGraphError,
    CompositionError,
    CycleError,
    DeliveredEnergyError,
    FactorError,
    LoopError,
    RecordError,
    RuleSetError,
    StatedSumError,
    UnitError,
)
from bom_graph.factors import Factor, FactorRelease, FactorRow, Proxy, load_release, look_up, release_bytes
from bom_graph.footprint import Burden, Contribution, Footprint, ProductSystem, solve
from bom_graph.gates import Finding, element_balance
from bom_graph.graph import CompiledSystem, Link, compile_arrays, compile_system
from bom_graph.quantities import convert, dimension, format_amount
from bom_graph.records import (
    SEALED,
    ActivityData,
    BatteryModel,
    BillOfMaterials,
    Citation,
    Component,
    CycleLife,
    Input,
    Lines,
    Measure,
    Output,
    Period,
    ProductFootprint,
    Record,
    RuleSetName,
    Sealed,
    Site,
    Vehicle,
    Warranty,
)
from bom_graph.rounding import half_even, stored
from bom_graph.rules import RuleSet, load_rule_set, rule_set_bytes, rule_set_ids

__all__ = [
    "SEALED",
    "ActivityData",
    "BatteryModel",
    "BillOfMaterials",
    "BomGraphError",
    "Burden",
    "Citation",
    "CompiledSystem",
    "Component",
    "CompositionError",
    "Contribution",
    "CycleError",
    "CycleLife",
    "DeliveredEnergy",
    "DeliveredEnergyError",
    "Factor",
    "FactorError",
    "FactorRelease",
    "FactorRow",
    "Finding",
    "Footprint",
    "Input",
    "Lines",
    "Link",
    "LoopError",
    "Measure",
    "Output",
    "Period",
    "ProductFootprint",
    "ProductSystem",
    "Proxy",
    "Record",
    "RecordError",
    "RuleSet",
    "RuleSetError",
    "RuleSetName",
    "Sealed",
    "Site",
    "StatedSumError",
    "UnitError",
    "Vehicle",
    "Warranty",
    "compile_arrays",
    "compile_system",
    "convert",
    "delivered_energy",
    "dimension",
    "element_balance",
    "format_amount",
    "half_even",
    "load_release",
    "load_rule_set",
    "look_up",
    "mass_fractions",
    "release_bytes",
    "rule_set_bytes",
    "rule_set_ids",
    "solve",
    "stored",
]

"""The records that feed arithmetic: what a statement of each calculation kind says. A module for each kind, on a common base."""

from bom_graph.records.activity import (
    ActivityData,
    Allocation,
    CertificateClaim,
    DirectEmission,
    Electricity,
    Fuel,
    Input,
    Material,
    Output,
    Waste,
)
from bom_graph.records.base import (
    SEALED,
    AmountLine,
    Citation,
    Composition,
    Generation,
    Line,
    Lines,
    Measure,
    Period,
    Record,
    Sealed,
    Site,
)
from bom_graph.records.battery import BatteryModel, CycleLife, CyclePoint, Vehicle, Warranty
from bom_graph.records.bill import BillOfMaterials, Component
from bom_graph.records.footprint import ProductFootprint, RuleSetName
from bom_graph.records.scenario import LifeCycleScenario, RecoveredMaterial
from bom_graph.records.trade import CertificateRetirement, Delivery
from bom_graph.records.transport import StatedFactor, Transport

__all__ = [
    "SEALED",
    "ActivityData",
    "Allocation",
    "AmountLine",
    "BatteryModel",
    "BillOfMaterials",
    "CertificateClaim",
    "CertificateRetirement",
    "Citation",
    "Component",
    "Composition",
    "CycleLife",
    "CyclePoint",
    "Delivery",
    "DirectEmission",
    "Electricity",
    "Fuel",
    "Generation",
    "Input",
    "LifeCycleScenario",
    "Line",
    "Lines",
    "Material",
    "Measure",
    "Output",
    "Period",
    "ProductFootprint",
    "Record",
    "RecoveredMaterial",
    "RuleSetName",
    "Sealed",
    "Site",
    "StatedFactor",
    "Transport",
    "Vehicle",
    "Warranty",
    "Waste",
]

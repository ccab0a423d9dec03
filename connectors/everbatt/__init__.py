"""EverBatt 2023 tables (examples/everbatt) <-> bom_graph: the factor release, bills of materials, recipes and plant energy.

Amounts leave as the claims of bom_graph's records, with the figures of the tables as decimal strings; nothing is fetched or signed here.
"""

from connectors.everbatt.claims import (
    CellPlant,
    Source,
    battery_model,
    cathode_activity,
    cell_activity,
    cell_bill,
    pack_activity,
    pack_bill,
    salt_activity,
)
from connectors.everbatt.release import factor_release
from connectors.everbatt.tables import Tables, TablesError

__all__ = [
    "CellPlant",
    "Source",
    "Tables",
    "TablesError",
    "battery_model",
    "cathode_activity",
    "cell_activity",
    "cell_bill",
    "factor_release",
    "pack_activity",
    "pack_bill",
    "salt_activity",
]

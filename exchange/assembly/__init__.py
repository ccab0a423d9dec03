"""From evidence to a result: `compute` is the one function that calculation, verification and replay call. Pure.

For each product it takes, in this order: the operator's granted activity data and bill of materials; else that issuer's newest signed
footprint of the product under the same rule set (a sealed branch); else a gap. A gap is never zero.
"""

from exchange.assembly.annotation import Annotation, annotate
from exchange.assembly.certificates import SiteMonth, site_months
from exchange.assembly.compute import compute
from exchange.assembly.deliveries import compare_deliveries
from exchange.assembly.result import BATTERY_MODEL_GAP, ENGINE, Demand, Gap, RefusedError, Result
from exchange.assembly.structure import BillLine, Held, Node, ProductStructure

__all__ = [
    "BATTERY_MODEL_GAP",
    "ENGINE",
    "Annotation",
    "BillLine",
    "Demand",
    "Gap",
    "Held",
    "Node",
    "ProductStructure",
    "RefusedError",
    "Result",
    "SiteMonth",
    "annotate",
    "compare_deliveries",
    "compute",
    "site_months",
]

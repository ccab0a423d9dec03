"""Calculation: results are computed from what one reader may see, stored once, never changed, and exported as evidence."""

from exchange.calculation.export import Exporter, NotPublishedError
from exchange.calculation.results import Calculation, forget_results
from exchange.calculation.stale import StaleResult
from exchange.calculation.tables import ExportRow, ResultInputRow, ResultRow

__all__ = [
    "Calculation",
    "ExportRow",
    "Exporter",
    "NotPublishedError",
    "ResultInputRow",
    "ResultRow",
    "StaleResult",
    "forget_results",
]

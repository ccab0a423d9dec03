"""Calculation: results are computed from what one reader may see, stored once, never changed, and exported as evidence.

Many are computed as a batch; which of them something newer makes stale is watched, and their readers decide.
"""

from exchange.calculation.batches import MAX_ITEMS, Batches, Outcome
from exchange.calculation.bills import Bills, Uses, View
from exchange.calculation.deciding import Decisions, Effect, Mark
from exchange.calculation.drafting import Drafts, check_attested
from exchange.calculation.export import Exporter, NotPublishedError, Wanted
from exchange.calculation.results import Calculation, CurrentResult, current_with, forget_results, stored_document
from exchange.calculation.side_by_side import SideBySide
from exchange.calculation.stale import StaleResult
from exchange.calculation.tables import ExportRow, JobRow, ResultInputRow, ResultRow
from exchange.calculation.watch import Watch, is_current, let_go, products_of, unwatched

__all__ = [
    "MAX_ITEMS",
    "Batches",
    "Bills",
    "Calculation",
    "CurrentResult",
    "Decisions",
    "Drafts",
    "Effect",
    "ExportRow",
    "Exporter",
    "JobRow",
    "Mark",
    "NotPublishedError",
    "Outcome",
    "ResultInputRow",
    "ResultRow",
    "SideBySide",
    "StaleResult",
    "Uses",
    "View",
    "Wanted",
    "Watch",
    "check_attested",
    "current_with",
    "forget_results",
    "is_current",
    "let_go",
    "products_of",
    "stored_document",
    "unwatched",
]

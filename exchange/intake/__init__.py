"""Intake: the only writer of the ledger. A statement comes in whole and verified, or nothing of it stays."""

from exchange.intake.admitting import Admissions
from exchange.intake.submission import MAX_WAITING, Companion, Intake, Receipt, Take, blinded_series, forget_statement

__all__ = ["MAX_WAITING", "Admissions", "Companion", "Intake", "Receipt", "Take", "blinded_series", "forget_statement"]

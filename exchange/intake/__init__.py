"""Intake: the only writer of the ledger. A statement comes in whole and verified, or nothing of it stays."""

from exchange.intake.admitting import Admissions
from exchange.intake.submission import Companion, Intake, Receipt

__all__ = ["Admissions", "Companion", "Intake", "Receipt"]

"""Intake: the only writer of the ledger. A statement comes in whole and verified, or nothing of it stays."""

from exchange.intake.admitting import Admissions
from exchange.intake.queueing import Queue
from exchange.intake.submission import MAX_WAITING, Intake, Receipt, Submission
from exchange.intake.writing import Companion, Take, blinded_evidence, blinded_series, forget_statement

__all__ = [
    "MAX_WAITING",
    "Admissions",
    "Companion",
    "Intake",
    "Queue",
    "Receipt",
    "Submission",
    "Take",
    "blinded_evidence",
    "blinded_series",
    "forget_statement",
]

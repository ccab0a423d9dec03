"""Cases: statements of two organisations that contradict each other. Each is told of its own one, and that there is another."""

from exchange.cases.balance import Balances, forget_trades
from exchange.cases.opening import Case, CaseParty, Cases, open_claimed_twice
from exchange.cases.tables import CasePartyRow, CaseRow, CaseWatchRow, TradeRow

__all__ = [
    "Balances",
    "Case",
    "CaseParty",
    "CasePartyRow",
    "CaseRow",
    "CaseWatchRow",
    "Cases",
    "TradeRow",
    "forget_trades",
    "open_claimed_twice",
]

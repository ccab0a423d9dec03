"""The HTTP interface under /api/v1 and the ledger's files under /ledger. Errors are problem details (RFC 9457)."""

from exchange.api.calculations import calculations_router
from exchange.api.events import events_router
from exchange.api.identity import SESSION_COOKIE, identity_router, keep_session
from exchange.api.ledger_files import ledger_router
from exchange.api.problems import install_problems
from exchange.api.rates import Rates
from exchange.api.routes import router

__all__ = [
    "SESSION_COOKIE",
    "Rates",
    "calculations_router",
    "events_router",
    "identity_router",
    "install_problems",
    "keep_session",
    "ledger_router",
    "router",
]

"""The HTTP interface under /api/v1 and the ledger's files under /ledger. Errors are problem details (RFC 9457)."""

from exchange.api.calculations import calculations_router
from exchange.api.cases import cases_router
from exchange.api.events import events_router
from exchange.api.filings import filings_router
from exchange.api.identity import SESSION_COOKIE, identity_router, keep_session
from exchange.api.ledger_files import ledger_router
from exchange.api.problems import install_problems
from exchange.api.rates import Rates
from exchange.api.requests import requests_router
from exchange.api.routes import router
from exchange.api.sharing import sharing_router
from exchange.api.statements import statements_router
from exchange.api.stream import MAX_STREAM_BYTES, STREAM_PATH

__all__ = [
    "MAX_STREAM_BYTES",
    "SESSION_COOKIE",
    "STREAM_PATH",
    "Rates",
    "calculations_router",
    "cases_router",
    "events_router",
    "filings_router",
    "identity_router",
    "install_problems",
    "keep_session",
    "ledger_router",
    "requests_router",
    "router",
    "sharing_router",
    "statements_router",
]

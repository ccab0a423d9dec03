"""The HTTP interface under /api/v1 and the ledger's files under /ledger. Errors are problem details (RFC 9457)."""

from exchange.api.attachments import ATTACHMENTS_PATH, attachments_router
from exchange.api.bills import bills_router
from exchange.api.calculations import calculations_router
from exchange.api.cases import cases_router
from exchange.api.certificates import certificates_router
from exchange.api.engagements import engagements_router
from exchange.api.events import events_router
from exchange.api.filings import filings_router
from exchange.api.governance import governance_router
from exchange.api.identity import SESSION_COOKIE, identity_router, keep_session
from exchange.api.ledger_files import ledger_router
from exchange.api.problems import install_problems
from exchange.api.rates import Asker, Rates, RequestLimits
from exchange.api.requests import requests_router
from exchange.api.routes import router
from exchange.api.sharing import sharing_router
from exchange.api.statements import admitting, statements_router
from exchange.api.stream import MAX_STREAM_BYTES, STREAM_PATH

__all__ = [
    "ATTACHMENTS_PATH",
    "MAX_STREAM_BYTES",
    "SESSION_COOKIE",
    "STREAM_PATH",
    "Asker",
    "Rates",
    "RequestLimits",
    "admitting",
    "attachments_router",
    "bills_router",
    "calculations_router",
    "cases_router",
    "certificates_router",
    "engagements_router",
    "events_router",
    "filings_router",
    "governance_router",
    "identity_router",
    "install_problems",
    "keep_session",
    "ledger_router",
    "requests_router",
    "router",
    "sharing_router",
    "statements_router",
]

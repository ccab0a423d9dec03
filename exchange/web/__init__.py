"""The pages that people read. Jinja2 templates, one style sheet of ours, nothing from elsewhere; no script but that of the check page."""

from exchange.web.filings import filing_page_router
from exchange.web.pages import STATIC, page_router

__all__ = ["STATIC", "filing_page_router", "page_router"]

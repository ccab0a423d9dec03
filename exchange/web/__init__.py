"""The pages that people read. Jinja2 templates, one style sheet of ours, nothing from elsewhere; no script but that of the check page."""

from exchange.web.pages import STATIC, page_router

__all__ = ["STATIC", "page_router"]

"""The pages that people read. Jinja2 templates, one style sheet of ours, no script, nothing from elsewhere."""

from exchange.web.pages import STATIC, page_router

__all__ = ["STATIC", "page_router"]

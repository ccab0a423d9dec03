"""What data quality is judged by: the facts of a line's statement and of its factor, as a contribution carries them."""

from __future__ import annotations

from typing import Any

from bom_graph import FactorRow, Period, Record, Site


def facts_of_quality(record: Record | None, line: Any) -> dict[str, object]:
    """Return country and period of the statement, and the scores that the line's maker claims, as far as they are known."""
    site, period = getattr(record, "site", None), getattr(record, "period", None)
    claimed = getattr(line, "quality", None)
    facts: dict[str, object] = {}
    if isinstance(site, Site):
        facts["country"] = site.country
    if isinstance(period, Period):
        facts["period"] = {"start": period.start.isoformat(), "end": period.end.isoformat()}
    if claimed is not None:
        facts["quality"] = claimed.model_dump(exclude_none=True)
    return facts


def factor_facts(row: FactorRow) -> dict[str, object]:
    """Return what of a factor row its quality is judged by."""
    return {"geography": row.geography, "year": row.year, "nature": row.nature}

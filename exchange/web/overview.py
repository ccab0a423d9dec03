"""The overview as a page shows it: a row for each product, a column for each rule set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange.web.figures import grouped, host, round_percent, tail, unit_text
from exchange.web.stages import Bar, StageName, bar_width, gap_slots, legend, stage_bar, stage_names

Document = dict[str, Any]
Results = Sequence[tuple[str, Document]]
_PRIMARY = ("measured", "calculated")


@dataclass(frozen=True, slots=True)
class Badge:
    """A remark beside a figure; `tone` is ok, partial, hard or plain."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A product's result under the rule set of the column."""

    link: str
    rule_set: str
    headline: str
    unit: str
    bar: Bar
    badges: tuple[Badge, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A rule set: its versions in use, what its figures are per, and its stages."""

    rule_set: str
    versions: str
    per: str
    unit: str
    stages: tuple[StageName, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A product, by the name people call it and its full URI; None where a rule set has no result."""

    name: str
    chemistry: str
    product: str
    maker: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Products of one sort under all their rule sets."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def overview(results: Results) -> tuple[Table, Table]:
    """Return the tables of packs and of intermediate products, from the newest results."""
    packs = [(digest, found) for digest, found in results if found["model"] is not None]
    others = [(digest, found) for digest, found in results if found["model"] is None]
    return _table(packs), _table(others)


def badges(found: Document) -> tuple[Badge, ...]:
    """Return what has to stand beside a result's figure wherever it appears."""
    shown = [Badge(found["heading"], "ok" if found["complete"] else "partial")]
    for obtained, share in found["obtained_percent"].items():
        if obtained not in _PRIMARY and Decimal(share):
            shown.append(Badge(f"{obtained} {round_percent(share)}", "plain"))
    if found["sealed"]:
        share = sum(Decimal(branch["percent"]) for branch in found["sealed"])
        shown.append(Badge(f"sealed {round_percent(str(share))}", "plain"))
    if hard := sum(finding["level"] == "hard" for finding in found["findings"]):
        shown.append(Badge(f"{hard} hard finding{'s' if hard > 1 else ''}", "hard"))
    return tuple(shown)


def _table(results: Results) -> Table:
    columns: list[Column] = []
    cells: dict[tuple[str, str], Cell] = {}
    for rule_set in sorted({found["rule_set"]["id"] for _, found in results}):
        mine = [(digest, found) for digest, found in results if found["rule_set"]["id"] == rule_set]
        documents = [found for _, found in mine]
        names = stage_names(documents)
        columns.append(_column(rule_set, documents, legend(documents, names)))
        full, slots = bar_width(documents), gap_slots(documents)
        for digest, found in mine:
            cells[found["demand"]["product"], rule_set] = _cell(digest, found, stage_bar(found, names, full, slots))
    products = {found["demand"]["product"]: (_name(found), found["chemistry"] or "") for _, found in results}
    rows = [
        Row(name, chemistry, product, host(product), tuple(cells.get((product, column.rule_set)) for column in columns))
        for product, (name, chemistry) in sorted(products.items(), key=lambda item: (item[1], item[0]))
    ]
    return Table(tuple(columns), tuple(rows))


def _name(found: Document) -> str:
    return found["model"] or tail(found["demand"]["product"])


def _column(rule_set: str, documents: Sequence[Document], stages: tuple[StageName, ...]) -> Column:
    def all_of(texts: set[str]) -> str:
        return ", ".join(sorted(texts))

    return Column(
        rule_set=rule_set,
        versions=all_of({found["rule_set"]["version"] for found in documents}),
        per=all_of({found["functional_unit"] for found in documents}),
        unit=unit_text(all_of({found["headline"]["unit"] for found in documents})),
        stages=stages,
    )


def _cell(digest: str, found: Document, bar: Bar) -> Cell:
    headline = found["headline"]
    return Cell(
        link=f"/results/{digest}",
        rule_set=found["rule_set"]["id"],
        headline=grouped(headline["printed"]),
        unit=unit_text(headline["unit"]),
        bar=bar,
        badges=badges(found),
    )

"""The overview as a page shows it: a row for each product, a column for each rule set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from exchange.assembly import BATTERY_MODEL_GAP
from exchange.calculation import CurrentResult
from exchange.web.figures import grouped, host, round_percent, tail, unit_text
from exchange.web.stages import Bar, StageName, bar_width, gap_slots, legend, stage_bar, stage_names

Document = dict[str, Any]
Results = Sequence[tuple[str, Document]]
#: So many results at most are on one page.
RESULTS = 60
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


@dataclass(frozen=True, slots=True)
class ResultPage:
    """The results of one page, and the digest behind which the next one begins; None where this is the last."""

    results: Sequence[CurrentResult]
    after: str | None


def first_page(found: Sequence[CurrentResult]) -> ResultPage:
    """Cut results, up to one more than a page has, between two products: a row that lacks some of its results would be untrue."""
    if len(found) <= RESULTS:
        return ResultPage(found, None)
    begun = found[RESULTS].document["demand"]["product"]
    whole = [one for one in found if one.document["demand"]["product"] != begun] or found[:RESULTS]
    return ResultPage(whole, whole[-1].digest)


def overview(results: Results) -> tuple[Table, Table]:
    """Return the tables of packs and of intermediate products, from the newest results."""
    packs = [(digest, found) for digest, found in results if found["model"] is not None or is_undivided(found)]
    others = [(digest, found) for digest, found in results if found["model"] is None and not is_undivided(found)]
    return _table(packs), _table(others)


def badges(found: Document) -> tuple[Badge, ...]:
    """Return what has to stand beside a result's figure wherever it appears."""
    levels = [finding["level"] for finding in found["findings"]]
    shown = [Badge(found["heading"], _tone(found, levels))]
    if is_undivided(found):
        shown.append(Badge(f"{found['headline']['unit'].replace('kg CO2e/', 'per ')}, not per kWh", "hard"))
    if found["demand"]["flow"] is not None:
        shown.append(Badge("published factor, not the maker's data", "plain"))
    for obtained, share in found["obtained_percent"].items():
        if obtained not in _PRIMARY and Decimal(share):
            shown.append(Badge(f"{obtained} {round_percent(share)}", "plain"))
    if found["sealed"]:
        share = sum(Decimal(branch["percent"]) for branch in found["sealed"])
        shown.append(Badge(f"sealed {round_percent(str(share))}", "plain"))
    # The heading of a complete result names its findings itself.
    if (hard := levels.count("hard")) and not found["complete"]:
        shown.append(Badge(f"{hard} hard finding{'s' if hard > 1 else ''}", "hard"))
    return tuple(shown)


def is_undivided(found: Document) -> bool:
    """Return whether `found` is of a pack whose battery model isn't readable, so that its figures are not per kWh."""
    return any(gap["where"] == BATTERY_MODEL_GAP for gap in found["gaps"])


def _tone(found: Document, levels: Sequence[str]) -> str:
    if not found["complete"]:
        return "partial"
    return "hard" if "hard" in levels else "partial" if "soft" in levels else "ok"


def _table(results: Results) -> Table:
    columns: list[Column] = []
    cells: dict[tuple[str, str], Cell] = {}
    for rule_set in sorted({found["rule_set"]["id"] for _, found in results}):
        mine = [(digest, found) for digest, found in results if found["rule_set"]["id"] == rule_set]
        documents = [found for _, found in mine]
        names = stage_names(documents)
        columns.append(_column(rule_set, documents, legend(documents, names)))
        slots = gap_slots(documents)
        for digest, found in mine:
            # To scale within the column, among figures of one unit: others can't be compared.
            full = bar_width(other for other in documents if other["headline"]["unit"] == found["headline"]["unit"])
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

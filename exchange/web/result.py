"""One result as a page shows it: stages, what is missing, what was found and assumed, and where every kilogram comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bom_graph import stored
from exchange.explaining import explanation_of
from exchange.report import MISSING
from exchange.web.figures import (
    decimals_for,
    decimals_of,
    fixed,
    grouped,
    host,
    percent,
    round_percent,
    short,
    tail,
    unit_text,
)
from exchange.web.overview import Badge, badges
from exchange.web.stages import Bar, StageName, bar_width, gap_slots, stage_bar, stage_names

Document = dict[str, Any]
LINES_SHOWN = 25
TREE_ROWS = 200
LEVELS = ("hard", "soft", "note")


@dataclass(frozen=True, slots=True)
class StageRow:
    """A stage with its figures; where it is a gap there are none and `reason` says why."""

    stage: StageName
    status: str
    value: str
    total: str
    share: str
    reason: str
    forecast: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A product in the contribution tree; `indent` is white space by depth, `note` what is said of a loop or a sealed branch."""

    indent: str
    name: str
    kg: str
    percent: str
    direct: str
    upstream: str
    note: str


@dataclass(frozen=True, slots=True)
class Line:
    """A contribution. Amount / made x used x factor = kg CO2e; where a step was not disclosed it says so."""

    name: str
    product: str
    maker: str
    stage: StageName
    amount: str
    made: str
    per_made: str
    used: str
    factor: str
    factor_row: str
    factor_reason: str
    factor_source: str
    obtained: str
    kg: str
    percent: str
    width: str
    signer: str
    entry: int | None


@dataclass(frozen=True, slots=True)
class Rest:
    """The lines beyond the first, summed up."""

    lines: tuple[Line, ...]
    kg: str
    percent: str


@dataclass(frozen=True, slots=True)
class SealedBranch:
    """A branch of which only the maker's signed figure is known."""

    product: str
    maker: str
    kg: str
    percent: str
    verification: str
    declared_primary: str | None
    entry: int


@dataclass(frozen=True, slots=True)
class Quality:
    """Data quality as the page shows it: the rating, what it covers, the scores, and what would improve it most."""

    rating: str
    coverage: str
    ef: tuple[tuple[str, str], ...]
    pact: tuple[tuple[str, str], ...]
    first: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """What the page of a result shows; `document` has the texts that are shown as they are."""

    digest: str
    name: str
    product: str
    maker: str
    document: Document
    headline: str
    unit: str
    badges: tuple[Badge, ...]
    total: str
    total_unit: str
    kwh: str | None
    bar: Bar
    stages: tuple[StageRow, ...]
    gaps: tuple[tuple[str, str], ...]
    sealed: tuple[SealedBranch, ...]
    findings: tuple[Document, ...]
    obtained: tuple[tuple[str, str], ...]
    primary_activity: str
    primary_factor: str
    primary_pact: str
    quality: Quality | None
    tree: tuple[Branch, ...]
    lines: tuple[Line, ...]
    rest: Rest | None


def result_view(digest: str, found: Document) -> ResultView:
    """Return the page of the result document `found`."""
    names = stage_names([found])
    parts = _by_size(found)
    lines = _lines(found, parts, names)
    headline, total, product = found["headline"], found["total"], found["demand"]["product"]
    kwh, share = found["denominator"]["kwh"], found["primary_data_share"]
    return ResultView(
        digest=digest,
        name=found["model"] or tail(product),
        product=product,
        maker=host(product),
        document=found,
        headline=grouped(headline["printed"]),
        unit=unit_text(headline["unit"]),
        badges=badges(found),
        total=MISSING if total["value"] is None else fixed(total["value"], decimals_for(total["value"])),
        total_unit=unit_text(total["unit"]),
        kwh=None if kwh is None else short(kwh),
        bar=stage_bar(found, names, bar_width([found]), gap_slots([found])),
        stages=tuple(_stage(found, stage, names) for stage in found["stages"]),
        gaps=tuple((_place(gap["where"], names), gap["what"]) for gap in found["gaps"]),
        sealed=tuple(_sealed(branch, decimals_for(total["value"])) for branch in found["sealed"]),
        findings=tuple(sorted(found["findings"], key=lambda finding: LEVELS.index(finding["level"]))),
        obtained=tuple((name, round_percent(value)) for name, value in found["obtained_percent"].items()),
        primary_activity=round_percent(share["activity_percent"]),
        primary_factor=round_percent(share["factor_percent"]),
        primary_pact=round_percent(share["pact_percent"]),
        quality=_quality(found["data_quality"]),
        tree=_tree(found),
        lines=lines[:LINES_SHOWN],
        rest=_rest(found, parts[LINES_SHOWN:], lines[LINES_SHOWN:]),
    )


def _place(where: str, names: dict[str, StageName]) -> str:
    return names[where].name if where in names else where.replace("battery_model", "battery model")


def _stage(found: Document, stage: Document, names: dict[str, StageName]) -> StageRow:
    if stage["value"] is None:
        reasons = [gap["what"] for gap in found["gaps"] if gap["where"] == stage["id"]]
        return StageRow(names[stage["id"]], "gap", "", "", "", "; ".join(reasons))
    total = float(found["total"]["value"])
    share = 100 * float(stage["total_kg_co2e"]) / total if total else 0.0
    return StageRow(
        stage=names[stage["id"]],
        status=stage["status"],
        value=fixed(stage["value"], decimals_of(found["headline"]["printed"])),
        total=fixed(stage["total_kg_co2e"], decimals_for(found["total"]["value"])),
        share=percent(str(share)),
        reason="",
        forecast=stage["forecast"],
    )


def _quality(found: Document | None) -> Quality | None:
    if found is None:
        return None
    first = found["improvements"][0] if found["improvements"] else None
    return Quality(
        rating=fixed(found["ef_rating"], 1),
        coverage=round_percent(found["coverage_percent"]),
        ef=tuple((name, fixed(score, 1)) for name, score in found["ef"].items()),
        pact=tuple((name, fixed(score, 1)) for name, score in found["pact"].items()),
        first="" if first is None else f"{first['criterion']} of {first['name']} ({tail(first['product'])})",
    )


def _tree(found: Document) -> tuple[Branch, ...]:
    decimals = decimals_for(found["total"]["value"])
    return tuple(
        Branch(
            indent="\u2003" * min(row.depth, 12),
            name=tail(row.name),
            kg=fixed(stored(row.total), decimals),
            percent=percent(stored(row.percent)),
            direct=fixed(stored(row.direct), decimals),
            upstream=fixed(stored(row.upstream), decimals),
            note="a loop: opened above" if row.is_loop else "sealed" if row.is_sealed else "",
        )
        for row in explanation_of(found).tree(rows=TREE_ROWS)
        if row.kind == "product"
    )


def _sealed(branch: Document, decimals: int) -> SealedBranch:
    return SealedBranch(
        product=branch["product"],
        maker=host(branch["signer"]),
        kg=fixed(branch["kg_co2e"], decimals),
        percent=percent(branch["percent"]),
        verification=branch["verification"],
        declared_primary=branch["declared_primary_percent"],
        entry=branch["entry"],
    )


def _by_size(found: Document) -> list[Document]:
    """Return the contributions, the largest first; equal ones in the order of the document."""
    return sorted(found["contributions"], key=lambda part: -abs(float(part["kg_co2e"])))


def _lines(found: Document, parts: Sequence[Document], names: dict[str, StageName]) -> tuple[Line, ...]:
    largest = max((abs(float(part["kg_co2e"])) for part in parts), default=0.0)
    decimals = decimals_for(found["total"]["value"])
    return tuple(_line(part, names, largest, decimals) for part in parts)


def _line(part: Document, names: dict[str, StageName], largest: float, decimals: int) -> Line:
    factor, row, reason, source = _factor(part)
    size = abs(float(part["kg_co2e"]))
    return Line(
        name=_name(part),
        product=tail(part["product"]),
        maker=host(part["product"]),
        stage=names[part["stage"]],
        amount=_amount(part),
        made=_of_product(part, "divided_by") if "divided_by" in part else "–",
        per_made=_per_made(part),
        used=_of_product(part, "units_in_demand"),
        factor=factor,
        factor_row=row,
        factor_reason=reason,
        factor_source=source,
        obtained=part["obtained"],
        kg=fixed(part["kg_co2e"], decimals),
        percent=percent(part["percent"]),
        width=f"{100 * size / largest:.2f}%" if largest else "0%",
        signer=host(part["signer"]) if "signer" in part else "",
        entry=part.get("entry"),
    )


def _of_product(part: Document, member: str) -> str:
    """Return an amount of the line's product, with the product's unit."""
    return f"{short(part[member])} {unit_text(part['product_unit'])}"


def _name(part: Document) -> str:
    if part.get("sealed"):
        return "signed footprint"
    return "direct emission" if "gas" in part else str(part["name"])


def _per_made(part: Document) -> str:
    """Return the quotient of amount and what is made, in the unit that the factor is per."""
    if "amount_per_unit" not in part:
        return ""
    unit = part["factor"]["unit"].partition("/")[2] if "factor" in part else "kg"
    said = f"= {short(part['amount_per_unit'])} {unit_text(unit)}"
    if "counted_percent" in part:
        by = f" by {part['allocated_by']}" if "allocated_by" in part else ""
        said += f", of {round_percent(part['counted_percent'])}{by}"
    if "stock" in part:
        said += f", stock {short(part['stock']['opening'])} to {short(part['stock']['closing'])}"
    return said


def _amount(part: Document) -> str:
    if "amount" in part:
        return f"{short(part['amount'])} {unit_text(part['unit'])}"
    return "sealed" if part.get("sealed") else "one declared unit"


def _factor(part: Document) -> tuple[str, str, str, str]:
    """Return what the amount is multiplied by: figure with unit, row and release, reason, source."""
    if "factor" in part:
        factor = part["factor"]
        figure = f"{short(factor['value'])} {unit_text(factor['unit'])}"
        reason = "; ".join([factor["reason"], *([part["restated"]] if "restated" in part else [])])
        return figure, f"{factor['row']} ({factor['release']})", reason, factor["source"]
    if part.get("sealed"):
        figure = f"{short(part['kg_co2e_per_unit'])} kg CO₂e/{unit_text(part['product_unit'])}"
        basis = f"basis: {part['basis'].replace('_', ' ')}"
        return figure, "signed footprint", basis, "the maker's own figure, unverified"
    what = f"direct emission of {unit_text(part['gas'])}"
    if part["gas"] == "CO2" and part["gas_origin"] == "fossil":
        return "none: emitted by the process itself", what, "", ""
    return part["gwp"], what, f"origin: {part['gas_origin'].replace('_', ' ')}", "warming potential over 100 years"


def _rest(found: Document, parts: Sequence[Document], lines: Sequence[Line]) -> Rest | None:
    if not lines:
        return None
    kg = sum(float(part["kg_co2e"]) for part in parts)
    share = sum(float(part["percent"]) for part in parts)
    return Rest(tuple(lines), fixed(str(kg), decimals_for(found["total"]["value"])), percent(str(share)))

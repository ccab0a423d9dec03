"""A stored result explains itself: its product system, its difference to another one, and where each of its figures comes from. Pure.

Everything here reads the result document alone, so that whoever holds one can do it without the exchange; what the document doesn't hold,
the inside of a sealed branch, nobody can open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bom_graph import Burden, Explanation, Link, ProductSystem, Waterfall, waterfall
from exchange.errors import UsageError
from exchange.report import Document, name_of

_FIGURES = frozenset({"stage", "kg_co2e_per_unit", "units_in_demand", "kg_co2e", "percent"})


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a figure comes from: its formula with numbers, and, of a line, what was stated, the factor and the statement behind it."""

    figure: str
    value: str
    unit: str
    formula: str
    facts: tuple[tuple[str, str], ...] = ()
    parts: tuple[Trace, ...] = ()


def explanation_of(found: Mapping[str, Any]) -> Explanation:
    """Return the product system of a result document, solved again from its own figures (12 digits)."""
    if "links" not in found:
        what = "this result doesn't hold what its processes take from each other"
        raise UsageError(what, where="links", remedy="compute it again, and explain the new result")
    links, contributions = found["links"], found["contributions"]
    named = [end for link in links for end in (link["consumer"], link["supplier"])]
    names = tuple(dict.fromkeys([found["demand"]["product"], *named, *(part["product"] for part in contributions)]))
    numbers = {name: number for number, name in enumerate(names)}
    return Explanation(
        ProductSystem(
            names,
            tuple(
                Link(numbers[link["consumer"]], numbers[link["supplier"]], float(link["amount_per_unit"]))
                for link in links
            ),
            tuple(
                Burden(
                    numbers[part["product"]],
                    part["stage"],
                    float(part["kg_co2e_per_unit"]),
                    0.0,
                    0.0,
                    {name: value for name, value in part.items() if name not in _FIGURES},
                )
                for part in contributions
            ),
        )
    )


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Waterfall:
    """Return what leads from one result to another, in the headline's unit; UsageError where the two units differ."""
    units = before["headline"]["unit"], after["headline"]["unit"]
    if units[0] != units[1]:
        what = f"one figure is in {units[0]}, the other in {units[1]}"
        raise UsageError(what, where="headline/unit", remedy="compare results of one unit")
    kwh = tuple(float(found["denominator"]["kwh"] or 1) for found in (before, after))
    return waterfall(
        explanation_of(before),
        explanation_of(after),
        units=(kwh[0], kwh[1]),
        same_rules=before["rule_set"] == after["rule_set"],
    )


def figures_of(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the figures that can be traced."""
    stages = (f"stages/{stage['id']}" for stage in found["stages"] if stage["value"] is not None)
    lines = (f"contributions/{number}" for number in range(len(found["contributions"])))
    return ("headline", "total", *stages, *lines)


def trace(found: Mapping[str, Any], figure: str) -> Trace:
    """Return where `figure` of a result document comes from; UsageError for a name that isn't one of `figures_of`."""
    if figure not in figures_of(found):
        remedy = f"name one of {', '.join(name for name in figures_of(found) if 'contributions' not in name)}, contributions/N"
        raise UsageError(f"the result has no figure {figure!r}", where="figure", remedy=remedy)
    headline, total = found["headline"], found["total"]
    if figure == "headline":
        facts = (
            ("result", name_of(found)),
            ("rule set", f"{found['rule_set']['id']} {found['rule_set']['version']}, {found['rule_set']['digest']}"),
            ("engine", found["engine"]),
            ("ledger", f"{found['snapshot']['origin']}, {found['snapshot']['size']} entries"),
            *(("release", f"{one['id']} {one['version']}, {one['digest']}") for one in found["releases"]),
        )
        kwh, said = found["denominator"]["kwh"], found["denominator"]["formula"]
        formula = f"{total['value']} {total['unit']} / {kwh} kWh ({said})" if kwh else f"the total: {said}"
        return Trace(figure, headline["value"], headline["unit"], formula, facts, (trace(found, "total"),))
    if figure.startswith("contributions/"):
        return _line(found, int(figure.partition("/")[2]))
    stage = figure.partition("/")[2] if figure != "total" else None
    numbers = [n for n, part in enumerate(found["contributions"]) if stage in (None, part["stage"])]
    numbers.sort(key=lambda n: -abs(float(found["contributions"][n]["kg_co2e"])))
    value = total["value"]
    if stage is not None:
        value = next(one["total_kg_co2e"] for one in found["stages"] if one["id"] == stage)
    formula = f"sum of {len(numbers)} contributions"
    return Trace(figure, value, total["unit"], formula, (), tuple(_line(found, n) for n in numbers))


def _line(found: Mapping[str, Any], number: int) -> Trace:
    part: Document = found["contributions"][number]
    return Trace(
        f"contributions/{number}",
        part["kg_co2e"],
        "kg CO2e",
        " x ".join(_steps(part)),
        tuple(_facts(found, part)),
    )


def _steps(part: Document) -> Iterator[str]:
    """The product that makes a contribution, step by step."""
    of_product = part["product_unit"]
    if "factor" in part:
        unit = part["factor"]["unit"]
        yield f"{part['amount_per_unit']} {unit.partition('/')[2]}/{of_product}"
        yield f"{part['factor']['value']} {unit}"
    else:
        yield f"{part['kg_co2e_per_unit']} kg CO2e/{of_product}"
    yield f"{part['units_in_demand']} {of_product}"


def _facts(found: Mapping[str, Any], part: Document) -> Iterator[tuple[str, str]]:
    yield "product", part["product"]
    yield "line", f"{part['line']} ({part['name']})" if "name" in part else part["line"]
    yield "stage", part["stage"]
    if "amount" in part:
        yield "stated", f"{part['amount']} {part['unit']}, per {part['divided_by']} {part['product_unit']} made"
    yield "obtained", part["obtained"]
    if "factor" in part:
        factor = part["factor"]
        versions = {one["id"]: f"{one['version']}, {one['digest']}" for one in found["releases"]}
        yield "factor", f"{factor['row']} of {factor['release']} {versions.get(factor['release'], '')}".rstrip()
        yield "factor chosen", factor["reason"]
        yield "factor source", factor["source"]
    if part.get("sealed"):
        yield "sealed", f"the maker's own figure, basis {part['basis']}; its inside isn't disclosed"
    if "entry" in part:
        yield "signed by", part["signer"]
        yield "ledger entry", f"{part['entry']} of {found['snapshot']['origin']}, leaf hash {part['leaf_hash']}"

"""A stored result explains itself: its product system, its difference to another one, and where each of its figures comes from. Pure.

Everything here reads the result document alone, so that whoever holds one can do it without the exchange; what the document doesn't hold,
the inside of a sealed branch, nobody can open.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from bom_graph import (
    Burden,
    Explanation,
    Link,
    ProductSystem,
    UnitError,
    Waterfall,
    dimension,
    first_defect,
    read_json,
    waterfall,
)
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


def read_result(data: bytes) -> Document:
    """Return the result document in a file's bytes, of which nobody has checked more than that it has a result's members.

    Raises UsageError, which names the member, for anything that can't be explained.
    """
    remedy = "give a result document as the exchange hands it out; docs/formats/result.md describes it"
    try:
        members = read_json(data)
        _Result.model_validate(members)
    except ValidationError as error:
        steps, what = first_defect(error)
        what = f"this is no whole result document: {what}"
        raise UsageError(what, where="/".join(steps) or "result document", remedy=remedy) from None
    except ValueError as error:
        raise UsageError(f"the file can't be read: {error}", where="result document", remedy=remedy) from None
    found: Document = members
    return found


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
            *(
                ("release", f"{one['id']} {one['version']}, {one['digest']}, {origin_of(one)}")
                for one in found["releases"]
            ),
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
        versions = {one["id"]: f"{one['version']}, {one['digest']}, {origin_of(one)}" for one in found["releases"]}
        yield "factor", f"{factor['row']} of {factor['release']} {versions.get(factor['release'], '')}".rstrip()
        yield "factor chosen", factor["reason"]
        yield "factor source", factor["source"]
    if part.get("sealed"):
        yield "sealed", f"the maker's own figure, basis {part['basis']}; its inside isn't disclosed"
    if "entry" in part:
        yield "signed by", part["signer"]
        yield "ledger entry", f"{part['entry']} of {found['snapshot']['origin']}, leaf hash {part['leaf_hash']}"


def origin_of(release: Mapping[str, Any]) -> str:
    """Return where a result's factor release came from."""
    return f"published at entry {release['entry']}" if "entry" in release else "came with the software"


def _finite(text: str) -> str:
    """A figure is a decimal string; float() takes more than figures, and nothing else is calculated with here."""
    try:
        is_finite = math.isfinite(float(text))
    except ValueError:
        is_finite = False
    if not is_finite:
        raise ValueError("not a decimal string of a finite number")
    return text


def _above_zero(text: str) -> str:
    if float(text) <= 0:
        raise ValueError("not above zero")
    return text


def _per_unit(text: str) -> str:
    try:
        dimension(text.rpartition("/")[2], where="unit")
    except UnitError as error:
        raise ValueError(error.what) from None
    return text


def _given(value: object) -> object:
    if value is None:
        raise ValueError("it is empty: leave it out")
    return value


Figure = Annotated[str, AfterValidator(_finite)]


class _Form(BaseModel):
    """Members of a result document that an explanation reads; the others may be anything."""

    model_config = ConfigDict(strict=True)


class _Name(_Form):
    id: str


class _Version(_Name):
    version: str
    digest: str


class _Release(_Version):
    #: The entry that published it after reviews; left out of one that came with the software.
    entry: int = 0


class _Demand(_Form):
    product: str


class _Snapshot(_Form):
    origin: str
    size: int


class _Denominator(_Form):
    kwh: Annotated[Figure, AfterValidator(_above_zero)] | None
    formula: str


class _Value(_Form):
    value: Figure | None
    unit: str


class _Stage(_Name):
    value: Figure | None
    total_kg_co2e: Figure | None


class _Gap(_Form):
    where: str
    what: str


class _Factor(_Form):
    row: str
    release: str
    value: Figure
    unit: Annotated[str, AfterValidator(_per_unit)]
    reason: str
    source: str


class _Link(_Form):
    consumer: str
    supplier: str
    amount_per_unit: Figure


class _Line(_Form):
    product: str
    product_unit: str
    line: str
    stage: str
    obtained: str
    kg_co2e_per_unit: Figure
    units_in_demand: Figure
    kg_co2e: Figure
    factor: Annotated[_Factor | None, AfterValidator(_given)] = None
    amount_per_unit: Figure = "0"
    amount: str = ""
    unit: str = ""
    divided_by: str = ""
    sealed: bool = False
    basis: str = ""
    entry: int = 0
    signer: str = ""
    leaf_hash: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for member, needed in _GO_TOGETHER:
            if (
                member in self.model_fields_set
                and needed not in self.model_fields_set
                and getattr(self, member) is not False
            ):
                raise ValueError(f"it has {member} and lacks {needed}")
        return self


#: Members of a contribution of which the first is explained by the second.
_GO_TOGETHER = (
    ("factor", "amount_per_unit"),
    ("amount", "unit"),
    ("amount", "divided_by"),
    ("sealed", "basis"),
    ("entry", "signer"),
    ("entry", "leaf_hash"),
)


class _Result(_Form):
    format: Literal["urn:packtrace:result:1"]
    engine: str
    model: str | None
    demand: _Demand
    rule_set: _Version
    releases: list[_Release]
    snapshot: _Snapshot
    denominator: _Denominator
    total: _Value
    headline: _Value
    stages: list[_Stage]
    gaps: list[_Gap]
    contributions: list[_Line]
    #: Results of an earlier engine have none, and say so themselves when they are explained.
    links: list[_Link] = []

"""A result as a document: the stored and compared form, its digest, and the text that people read.

Figures are decimal strings of at most 12 significant digits; the headline is rounded once, by the rule set.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from bom_graph import COLUMNS, SEALED_STAGE, Contribution, Finding, assess, half_even, pact_primary_share, stored
from exchange.assembly import BATTERY_MODEL_GAP, ENGINE, Annotation, Result
from exchange.screen import shown

FORMAT = "urn:packtrace:result:1"
#: Two results agree when every figure differs by at most this, relatively, and the printed figures are equal.
REPLAY_TOLERANCE = 1e-9
#: The headline of a result of which nothing at all is known.
MISSING = "missing"
Document = dict[str, Any]
#: Members that hold a computed figure; every other member is compared as it stands.
_FIGURES = frozenset(
    {
        *(
            "value",
            "kwh",
            "total_kg_co2e",
            "apart_kg_co2e",
            "kg_co2e",
            "kg_co2e_per_unit",
            "units_in_demand",
            "percent",
        ),
        *("activity_percent", "factor_percent", "amount_per_unit", "divided_by", "counted_percent"),
        *("pact_percent", "coverage_percent", "ef_rating", "lowers_rating"),
    }
)


#: Objects whose members all are computed figures.
_OBJECTS_OF_FIGURES = frozenset({"obtained_percent", "ef", "pact"})


def document(result: Result) -> Document:
    """Return the stored form of `result`: everything it was made from by digest, every figure with its unit and origin."""
    rule_set, footprint = result.rule_set, result.footprint
    units = float(result.denominator_kwh) if result.denominator_kwh is not None else 1.0
    unit = "kg CO2e/kWh" if result.denominator_kwh is not None else f"kg CO2e/{result.unit}"
    total = result.total
    per_unit = None if total is None else stored(total / units)
    return {
        "format": FORMAT,
        "engine": ENGINE,
        "demand": {"product": result.demand.product, "flow": result.demand.flow, "declared_unit": f"1 {result.unit}"},
        "model": _of_model(result, "model"),
        "chemistry": _of_model(result, "chemistry"),
        "rule_set": {"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest},
        "releases": _releases(result),
        "policy": result.policy_digest,
        "snapshot": {"origin": result.origin, "size": result.snapshot},
        "inputs": [
            {"index": e.index, "leaf_hash": e.leaf_hash, "disclosures": sorted(e.statement.disclosure_digests)}
            for e in result.inputs
        ],
        "heading": heading(result),
        "complete": result.complete,
        "functional_unit": rule_set.functional_unit if result.denominator_kwh is not None else f"1 {result.unit}",
        "denominator": {
            "kwh": stored(units) if result.denominator_kwh is not None else None,
            "formula": result.denominator_formula,
        },
        "total": {"value": None if total is None else stored(total), "unit": f"kg CO2e/{result.unit}"},
        "headline": {
            "value": per_unit,
            "unit": unit,
            "printed": MISSING if per_unit is None else half_even(Decimal(per_unit), rule_set.rounding.decimals),
        },
        "stages": _stages(result, units, unit),
        "columns": _columns(result),
        "alternatives": _alternatives(result, units, unit),
        "gaps": [{"where": gap.where, "what": gap.what} for gap in result.gaps],
        "findings": [_finding(finding) for finding in result.findings],
        "primary_data_share": {
            "activity_percent": stored(100 * footprint.activity_primary_share),
            "factor_percent": stored(100 * footprint.factor_primary_share),
            "pact_percent": stored(100 * pact_primary_share(footprint.contributions)),
        },
        "data_quality": _quality(footprint.contributions),
        "obtained_percent": _obtained(footprint.contributions),
        "sealed": _sealed(footprint.contributions),
        "assumptions": list(result.assumptions),
        "unstated": [{"what": item.what, "assumption": item.assumption} for item in rule_set.unstated],
        "not_implemented": list(rule_set.not_implemented),
        "outside_boundary": list(rule_set.outside_boundary),
        "contributions": [_contribution(part, footprint.total) for part in footprint.contributions],
        "apart": [_contribution(part, footprint.total) for part in footprint.apart],
        "links": [
            {
                "consumer": result.system.processes[link.consumer],
                "supplier": result.system.processes[link.supplier],
                "amount_per_unit": stored(link.amount),
            }
            for link in result.system.links
        ],
    }


def heading(result: Result) -> str:
    """Return how the result is headed: ``complete``, ``complete, with 1 hard finding``, or ``partial: 2 of 4 stages``."""
    if result.complete:
        counted = {level: sum(found.level == level for found in result.findings) for level in ("hard", "soft")}
        said = [f"{count} {level} finding{'s' if count > 1 else ''}" for level, count in counted.items() if count]
        return f"complete, with {' and '.join(said)}" if said else "complete"
    if not result.is_pack:
        return "partial: a branch is missing"
    missing = {gap.where for gap in result.gaps}
    stages = result.rule_set.stages
    covered = [stage.id for stage in stages if stage.id in result.footprint.stages and stage.id not in missing]
    branches = len(missing - {stage.id for stage in stages} - {BATTERY_MODEL_GAP})
    lacking = f", {branches} branch{'es' if branches > 1 else ''} missing" if branches else ""
    lacking += ", no battery model" if BATTERY_MODEL_GAP in missing else ""
    return f"partial: {len(covered)} of {len(stages)} stages{lacking}"


def document_bytes(found: Mapping[str, Any]) -> bytes:
    """Return the bytes of a result document: JSON, sorted keys, no white space, UTF-8."""
    return json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(found: Mapping[str, Any]) -> str:
    """Return the hex SHA-256 of a result document's bytes."""
    return hashlib.sha256(document_bytes(found)).hexdigest()


def finding_documents(findings: Sequence[Finding]) -> list[Document]:
    """Return `findings` as result documents and error answers carry them."""
    return [_finding(finding) for finding in findings]


def annotation_documents(annotations: Sequence[Annotation]) -> list[Document]:
    """Return what the gates find in one statement by itself, each finding with the `rule_sets` that make it."""
    return [{**_finding(one.finding), "rule_sets": list(one.rule_sets)} for one in annotations]


def first_difference(stated: Any, recomputed: Any, *, where: str = "") -> str | None:
    """Return the path of the first place where two result documents disagree, or None.

    Computed figures agree within REPLAY_TOLERANCE relative; ``printed`` figures and everything else have to be equal.
    """
    if isinstance(stated, dict) and isinstance(recomputed, dict):
        if stated.keys() != recomputed.keys():
            return f"{where}/{min(stated.keys() ^ recomputed.keys())}"
        parts = [(key, stated[key], recomputed[key]) for key in sorted(stated)]
    elif isinstance(stated, list) and isinstance(recomputed, list) and len(stated) == len(recomputed):
        parts = [(str(n), a, b) for n, (a, b) in enumerate(zip(stated, recomputed, strict=True))]
    else:
        same = type(stated) is type(recomputed) and stated == recomputed
        return None if same or (_is_figure(where) and _is_close(stated, recomputed)) else where or "/"
    differences = (first_difference(a, b, where=f"{where}/{key}") for key, a, b in parts)
    return next((found for found in differences if found is not None), None)


def _is_figure(where: str) -> bool:
    *_, parent, member = ("", *where.split("/"))
    return parent in _OBJECTS_OF_FIGURES or (member in _FIGURES and parent != "factor")


def _is_close(stated: Any, recomputed: Any) -> bool:
    if not isinstance(stated, str) or not isinstance(recomputed, str):
        return False
    try:
        a, b = float(stated), float(recomputed)
    except ValueError:
        return False
    return abs(a - b) <= REPLAY_TOLERANCE * max(abs(a), abs(b))


def _releases(result: Result) -> list[Document]:
    """Return the releases in their order, with the entry that published one after reviews."""
    return [
        {
            "id": release.id,
            "version": release.version,
            "digest": release.digest,
            **({"entry": result.published[release.digest]} if release.digest in result.published else {}),
        }
        for release in result.releases
    ]


def _of_model(result: Result, name: str) -> str | None:
    """Return a text of the battery model as this reader holds it; None for what is no pack."""
    if result.model is None:
        return None
    value = getattr(result.model, name)
    return value if isinstance(value, str) else "sealed"


def _stages(result: Result, units: float, unit: str) -> list[Document]:
    footprint = result.footprint
    forecast = {part.burden.stage for part in footprint.contributions if part.burden.origin.get("forecast")}
    lacking = {gap.where for gap in result.gaps}
    found: list[Document] = []
    for stage in result.rule_set.stages:
        named = {"id": stage.id, "name": stage.name, "name_zh": stage.name_zh}
        figures: Document
        if stage.id in footprint.stages:
            kg = footprint.stages[stage.id]
            figures = {
                "status": "incomplete" if stage.id in lacking else "computed",
                "forecast": stage.id in forecast,
                "total_kg_co2e": stored(kg),
                "value": stored(kg / units),
                "unit": unit,
            }
        elif not result.is_pack:
            continue
        else:
            figures = {"status": "gap", "forecast": False, "total_kg_co2e": None, "value": None, "unit": unit}
        found.append({**named, **figures})
    if SEALED_STAGE in footprint.stages:
        kg = footprint.stages[SEALED_STAGE]
        named = {"id": SEALED_STAGE, "name": "sealed: the split is not disclosed", "name_zh": "未披露"}
        found.append(
            {
                **named,
                "status": "sealed",
                "forecast": False,
                "total_kg_co2e": stored(kg),
                "value": stored(kg / units),
                "unit": unit,
            }
        )
    return found


def _columns(result: Result) -> list[Document]:
    """Return the kilograms of each ISO 14067 column, and how much of them the rule set counts in the total."""
    footprint = result.footprint
    apart: dict[str, list[float]] = {}
    for part in footprint.apart:
        apart.setdefault(part.burden.column, []).append(part.kg_co2e)
    return [
        {
            "id": column,
            "name": name,
            "total_kg_co2e": stored(footprint.columns[column]),
            "apart_kg_co2e": stored(math.fsum(apart.get(column, ()))),
        }
        for column, name in COLUMNS.items()
        if column in footprint.columns
    ]


def _alternatives(result: Result, units: float, unit: str) -> list[Document]:
    found: list[Document] = []
    for one in result.alternatives:
        figures: Document = {"total_kg_co2e": None, "value": None, "unit": unit}
        if one.total is not None:
            figures = {"total_kg_co2e": stored(one.total), "value": stored(one.total / units), "unit": unit}
        found.append({"id": one.id, "label": one.label, **figures, "what": one.what})
    return found


def _finding(finding: Finding) -> Document:
    return {
        "gate": finding.gate,
        "level": finding.level,
        "where": finding.where,
        "what": finding.what,
        "remedy": finding.remedy,
    }


def _contribution(part: Contribution, total: float) -> Document:
    return {
        **part.burden.origin,
        "stage": part.burden.stage,
        "column": part.burden.column,
        "kg_co2e_per_unit": stored(part.burden.kg_co2e),
        "units_in_demand": stored(part.scaling),
        "kg_co2e": stored(part.kg_co2e),
        "percent": stored(100 * part.kg_co2e / total) if total else "0",
    }


def _quality(contributions: Sequence[Contribution]) -> Document | None:
    """Return the data quality; None where nothing is rated."""
    found = assess(contributions)
    if not found.coverage:
        return None
    return {
        "coverage_percent": stored(100 * found.coverage),
        "ef": {name: stored(found.ef[name]) for name in sorted(found.ef)},
        "ef_rating": stored(found.ef_rating),
        "pact": {name: stored(found.pact[name]) for name in sorted(found.pact)},
        "improvements": [
            {
                "product": one.product,
                "line": one.line,
                "name": one.name,
                "criterion": one.criterion,
                "score": one.score,
                "lowers_rating": stored(one.lowers_rating),
            }
            for one in found.improvements
        ],
    }


def _obtained(contributions: Sequence[Contribution]) -> dict[str, str]:
    weight = sum(abs(part.kg_co2e) for part in contributions)
    shares: dict[str, float] = {}
    for part in contributions:
        name = str(part.burden.origin.get("obtained", "unknown"))
        shares[name] = shares.get(name, 0.0) + abs(part.kg_co2e)
    return {name: stored(100 * kg / weight) for name, kg in sorted(shares.items())} if weight else {}


def _sealed(contributions: Sequence[Contribution]) -> list[Document]:
    """Return the sealed branches: who signed them, what they add, their share, what they declare, and that nobody verified them.

    The share is of absolute emissions, as all shares of data quality: a credit can't hide a burden, in this branch or in another.
    """
    weight = sum(abs(part.kg_co2e) for part in contributions)
    branches: dict[str, list[Contribution]] = {}
    for part in contributions:
        if part.burden.origin.get("sealed"):
            branches.setdefault(str(part.burden.origin["leaf_hash"]), []).append(part)
    return [
        {
            **{
                name: parts[0].burden.origin[name]
                for name in ("product", "signer", "entry", "declared_primary_percent")
            },
            "kg_co2e": stored(sum(part.kg_co2e for part in parts)),
            "percent": stored(100 * sum(abs(part.kg_co2e) for part in parts) / weight) if weight else "0",
            "verification": "unverified",
        }
        for parts in branches.values()
    ]


def lines_of_text(found: Mapping[str, Any]) -> list[str]:
    """Return a result document as the lines that a person reads, gaps and assumptions included; what doesn't print is escaped."""
    headline, rule_set = found["headline"], found["rule_set"]
    formula = found["denominator"]["formula"]
    divided = formula if found["denominator"]["kwh"] is None else f"divided by {formula}"
    lines = [
        f"{name_of(found)} under {rule_set['id']} {rule_set['version']}: {headline['printed']} {headline['unit']} ({found['heading']})",
        f"  total {found['total']['value'] or MISSING} {found['total']['unit']}, {divided}",
        f"  {of_when(found)}",
        *([f"  {by_factor(found)}"] if found["demand"]["flow"] is not None else []),
    ]
    for stage in found["stages"]:
        value = (
            f"{float(stage['value']):.6f} {stage['unit']}" if stage["value"] is not None else "gap: not known, not zero"
        )
        said = [word for word, holds in _said_of(stage) if holds]
        lines.append(f"  {stage['name']}: {value}{' (' + ', '.join(said) + ')' if said else ''}")
    if [column["id"] for column in found["columns"]] != ["not_split"]:
        lines += [f"  of it {_column_text(column)}" for column in found["columns"]]
    for one in found["alternatives"]:
        figure = "none" if one["value"] is None else f"{float(one['value']):.6f} {one['unit']}"
        lines.append(f"  alternative, not the headline: {one['label']}: {figure} ({one['what']})")
    share = found["primary_data_share"]
    obtained = ", ".join(f"{float(percent):.1f} % {name}" for name, percent in found["obtained_percent"].items())
    lines.append(f"  primary data share {float(share['activity_percent']):.1f} %; by emissions: {obtained}")
    lines += [f"  {line}" for line in _quality_lines(found["data_quality"])]
    lines += [f"  {line}" for line in sealed_lines(found)]
    lines += [f"  gap: {gap['where']}: {gap['what']}" for gap in found["gaps"]]
    lines += [f"  finding ({f['level']}): {f['where']}: {f['what']}" for f in found["findings"]]
    lines += [f"  assumption: {text}" for text in found["assumptions"]]
    lines += [f"  unstated: {item['what']}; assumed: {item['assumption']}" for item in found["unstated"]]
    lines += [f"  not implemented: {text}" for text in found["not_implemented"]]
    return [shown(line) for line in lines]


def _said_of(stage: Mapping[str, Any]) -> tuple[tuple[str, bool], ...]:
    return ("incomplete", stage["status"] == "incomplete"), ("with forecasts", stage["forecast"])


def _column_text(column: Mapping[str, Any]) -> str:
    apart = float(column["apart_kg_co2e"])
    counted = float(column["total_kg_co2e"]) - apart
    beside = f"; beside the total: {apart:.6g} kg CO2e" if apart else ""
    return f"{column['name']}: {counted:.6g} kg CO2e{beside}"


def _quality_lines(quality: Mapping[str, Any] | None) -> list[str]:
    if quality is None:
        return []
    criteria = ", ".join(f"{name} {float(score):.1f}" for name, score in quality["ef"].items())
    rated = f"{float(quality['ef_rating']):.1f} of 1 (best) to 5"
    lines = [f"data quality {rated} over {float(quality['coverage_percent']):.1f} % of emissions: {criteria}"]
    if quality["improvements"]:
        first = quality["improvements"][0]
        where = f"{first['name']} of {first['product']}"
        lines.append(f"  what would improve it most: {first['criterion']} of {where}, score {first['score']}")
    return lines


def sealed_lines(found: Mapping[str, Any], verified: Mapping[int, str] = MappingProxyType({})) -> list[str]:
    """Return a line for each sealed branch of a result document, whatever it weighs; `verified` says by entry who verified it."""
    lines = []
    for branch in found["sealed"]:
        kg, share = f"{float(branch['kg_co2e']):.6g} kg CO2e", f"{float(branch['percent']):.1f} % of absolute emissions"
        declared = branch["declared_primary_percent"]
        primary = "" if declared is None else f"; declares {declared} % primary data, which isn't counted"
        by_whom = verified.get(branch.get("entry"), branch["verification"])
        line = f"sealed: {branch['product']} by {branch['signer']}, {kg}, {share}, {by_whom}{primary}"
        lines.append(line)
    return lines


def in_reading_order(results: Mapping[str, Document]) -> dict[str, Document]:
    """Return result documents, each under its digest, by model (products that are no packs by URI), then rule set, then digest."""
    return {name: results[name] for *_, name in sorted(reading_place(name, found) for name, found in results.items())}


def reading_place(name: str, found: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return by what result documents are ordered where several are read."""
    return name_of(found), found["rule_set"]["id"], name


def by_factor(found: Mapping[str, Any]) -> str:
    """Return what a result by a published factor says of itself: nothing of it is from statements about the product."""
    return f"by the published factor {found['demand']['flow']}, not by statements about the product"


def data_period(found: Mapping[str, Any]) -> dict[str, str] | None:
    """Return first and last day of the statements that a result document's figure is made from, and how much of it they make up.

    `percent` is of absolute emissions, one decimal: a sealed branch and a published factor that stands for a product name no days. None
    where nothing does.
    """
    dated = [part for part in found["contributions"] if "period" in part]
    if not dated:
        return None
    weights = {id(part): abs(float(part["kg_co2e"])) for part in found["contributions"]}
    whole, known = math.fsum(weights.values()), math.fsum(weights[id(part)] for part in dated)
    return {
        "start": min(part["period"]["start"] for part in dated),
        "end": max(part["period"]["end"] for part in dated),
        "percent": f"{100 * known / whole:.1f}" if whole else "100.0",
    }


def of_when(found: Mapping[str, Any]) -> str:
    """Return which ledger a result document is of, and which days its figure is of."""
    period = data_period(found)
    days = "no days are known of its data"
    if period is not None:
        days = f"data of {period['start']} to {period['end']}"
        if period["percent"] != "100.0":
            days += f" ({period['percent']} % of absolute emissions, the rest names no days)"
    return f"of the ledger at size {found['snapshot']['size']}, {days}"


def name_of(found: Mapping[str, Any]) -> str:
    """Return what people call the product of a result document: its model, else its URI."""
    return str(found["model"] or found["demand"]["product"])

"""What Article 7 of Regulation (EU) 2023/1542 names, from the records of a pack, beside its result under China's trial rules. Pure.

Both sides are stored results of one product; why they differ is told by aspect and line by line. What the records don't hold is missing,
what their owner didn't disclose is sealed: nothing is made up. docs/beside.md describes the document.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bom_graph import Bar, BatteryModel, EndOfLife, RuleSet, Sealed, Site, stored
from exchange.assembly import BATTERY_MODEL_GAP
from exchange.errors import UsageError
from exchange.explaining import difference
from exchange.report import Document, name_of, sealed_lines
from exchange.screen import shown

FORMAT = "urn:packtrace:article-7-beside:1"
EUROPEAN, CHINESE = "eu-cfb-draft-2024-partial", "cn-miit-551-trial"
NOTICE = (
    "This is no carbon footprint declaration under Regulation (EU) 2023/1542: it shows the contents of Article 7 (a) to (g) as far as the "
    "records hold them, by a draft method that is implemented in part."
)
SIDES = ("european", "chinese")
_OF_LIST = {
    "electricity": "electricity",
    "distribution": "distribution",
    "collection": "end of life",
    "materials": "end of life",
}
_ELECTRICITY = {"national_average": "the nation's average", "as_stated": "the factor of the place as stated"}
_END_OF_LIFE = {
    "recycled_content": "cut off: who uses what is recovered bears its recycling",
    "recycling_burden_no_credit": "the burden of recycling counts, nothing is credited for what is recovered",
    "cff": "circular footprint formula in its general form, with credits for what is recovered",
}


@dataclass(frozen=True, slots=True)
class Maker:
    """Who signed the battery model, and what the exchange knows of it; `name` None where it knows nothing."""

    uri: str
    name: str | None = None
    country: str | None = None
    identifiers: Mapping[str, str] = field(default_factory=dict)


def beside(
    results: tuple[tuple[str, Document], tuple[str, Document]],
    rules: tuple[RuleSet, RuleSet],
    maker: Maker | None,
    model: BatteryModel | None,
) -> Document:
    """Return what Article 7 names of the first result, of the EU's draft, beside the second, of China's trial; each with its digest.

    `maker` and `model` are what the records disclose to the reader; None where they hold none. UsageError for results of other rules (also
    of another text than `rules`), of two products or logs, or of what is no pack.
    """
    (eu_digest, european), (cn_digest, chinese) = results
    _check(european, chinese, rules)
    both = {"european": european, "chinese": chinese}
    return {
        "format": FORMAT,
        "notice": NOTICE,
        "product": european["demand"]["product"],
        "name": name_of(european),
        "results": {
            side: {"digest": digest, **{name: found[name] for name in ("rule_set", "headline", "heading", "complete")}}
            for side, digest, found in zip(SIDES, (eu_digest, cn_digest), both.values(), strict=True)
        },
        "article_7": list(_contents(european, maker, model)),
        "methods": list(_methods(both, dict(zip(SIDES, rules, strict=True)))),
        "difference": _difference(chinese, european),
        "stages": {side: found["stages"] for side, found in both.items()},
        "only_inputs": _only_inputs(european, chinese),
        **{
            name: {side: found[name] for side, found in both.items()}
            for name in ("gaps", "sealed", "findings", "assumptions", "unstated", "not_implemented", "outside_boundary")
        },
    }


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """Return the document as the lines that a person reads; what doesn't print is escaped."""
    lines = [f"{found['name']}: Article 7 (a) to (g), beside the result under China's trial rules", found["notice"]]
    for one in found["article_7"]:
        lines += _content_lines(one)
    for side in SIDES:
        one = found["results"][side]
        rule_set, headline = one["rule_set"], one["headline"]
        lines.append(f"{side}: {headline['printed']} {headline['unit']} ({one['heading']})")
        lines.append(f"  under {rule_set['id']} {rule_set['version']}, result {one['digest']}")
        lines += [f"  {_stage_text(stage)}" for stage in found["stages"][side]]
    lines.append("how they are computed")
    for row in found["methods"]:
        if row["same"]:
            lines.append(f"  {row['aspect']}, both: {row['european']}")
        else:
            lines += [f"  {row['aspect']}, {side}: {row[side]}" for side in SIDES]
    lines += _difference_lines(found["difference"])
    lines += [
        f"{side}, entry {one['index']}: only this result rests on it"
        for side in SIDES
        for one in found["only_inputs"][side]
    ]
    said = {side: list(_said(found, side)) for side in SIDES}
    lines += [f"both, {line}" for line in said["european"] if line in said["chinese"]]
    for side, other in (SIDES, SIDES[::-1]):
        lines += [f"{side}, {line}" for line in said[side] if line not in said[other]]
    return [shown(line) for line in lines]


def _said(found: Mapping[str, Any], side: str) -> Iterator[str]:
    """What one result says beside its figures."""
    yield from (f"gap: {gap['where']}: {gap['what']}" for gap in found["gaps"][side])
    yield from sealed_lines({"sealed": found["sealed"][side]})
    yield from (f"finding ({one['level']}): {one['where']}: {one['what']}" for one in found["findings"][side])
    yield from (f"assumption: {text}" for text in found["assumptions"][side])
    yield from (f"unstated: {one['what']}; assumed: {one['assumption']}" for one in found["unstated"][side])
    yield from (f"not implemented: {text}" for text in found["not_implemented"][side])


def _check(european: Document, chinese: Document, rules: tuple[RuleSet, RuleSet]) -> None:
    for found, wanted, rule_set in zip((european, chinese), (EUROPEAN, CHINESE), rules, strict=True):
        named = found["rule_set"]
        if named["id"] != wanted:
            raise UsageError(
                f"the {'first' if found is european else 'second'} result is under {named['id']}, not under {wanted}",
                where="rule_set",
                remedy=f"give the result under {EUROPEAN} first, and that under {CHINESE} second",
            )
        if named["digest"] != rule_set.digest:
            raise UsageError(
                f"the result was computed under another text of {wanted}, which isn't at hand to compare",
                where="rule_set",
                remedy="compute the footprint again, and take the new result",
            )
        lacks_model = any(gap["where"] == BATTERY_MODEL_GAP for gap in found["gaps"])
        if found["denominator"]["kwh"] is None and not lacks_model:
            raise UsageError(
                "the product is no battery pack: Article 7 speaks of battery models",
                where="demand/product",
                remedy="give results of a pack",
            )
    same = all(european["demand"][name] == chinese["demand"][name] for name in ("product", "flow"))
    if not same or european["snapshot"]["origin"] != chinese["snapshot"]["origin"]:
        raise UsageError(
            "the two results are about different products, or of different logs",
            where="demand/product",
            remedy="give two results of one product",
        )


# -- Article 7 -------------------------------------------------------------------------------------------------------


def _contents(found: Document, maker: Maker | None, model: BatteryModel | None) -> Iterator[Document]:
    lacks = "no battery model is among the records"
    by = None if maker is None else {"uri": maker.uri, "name": maker.name, "country": maker.country}
    identifiers = {} if maker is None else {"identifiers": dict(maker.identifiers)}
    yield _content(
        "a",
        "administrative information on the manufacturer",
        by and by | identifiers,
        lacks if maker is None else "all that the exchange holds; which particulars the article means wasn't read",
    )
    called = None if model is None else model.model
    yield _of_model("b", "battery model", model, called, called if isinstance(called, str) else None)
    plant = None if model is None else model.plant
    place = None
    if isinstance(plant, Site):
        place = {"name": plant.name, "country": plant.country, "grid": plant.grid}
    yield _of_model("c", "geographic location of the manufacturing plant", model, plant, place)
    headline, per_kwh = found["headline"], found["denominator"]["kwh"] is not None
    figure = headline if headline["value"] is not None and per_kwh else None
    why = "" if found["complete"] else found["heading"]
    yield _content(
        "d",
        "kg CO2e per kWh of the total energy provided over the expected service life",
        figure,
        why or ("nothing was computed" if figure is None else ""),
        status="held" if found["complete"] else "partial",
    )
    stages = [stage for stage in found["stages"] if stage["value"] is not None] if per_kwh else []
    missing = ", ".join(stage["name"] for stage in found["stages"] if stage["value"] is None)
    yield _content(
        "e",
        "the footprint by life-cycle stage",
        found["stages"] if stages else None,
        f"missing: {missing}" if missing else why,
        status="held" if found["complete"] else "partial",
    )
    beyond = "no record of this exchange holds one"
    yield _content("f", "identification number of the EU declaration of conformity", None, beyond)
    yield _content("g", "web link to a public version of the supporting study", None, beyond)


def _of_model(point: str, name: str, model: BatteryModel | None, stated: object, value: object) -> Document:
    """What a member of the battery model says; of a hidden one that it is sealed."""
    if isinstance(stated, Sealed):
        return _content(point, name, None, "its owner didn't disclose it to this reader", status="sealed")
    what = "no battery model is among the records" if model is None else "the battery model doesn't state it"
    return _content(point, name, value, "" if value is not None else what)


def _content(point: str, name: str, value: object, what: str, *, status: str = "held") -> Document:
    """A point of the article; without a value that is missing, unless it is sealed."""
    status = "missing" if value is None and status != "sealed" else status
    return {"point": point, "name": name, "status": status, "value": value, "what": what}


def _content_lines(one: Mapping[str, Any]) -> Iterator[str]:
    value, what = one["value"], f" ({one['what']})" if one["what"] else ""
    head = f"({one['point']}) {one['name']}"
    if value is None:
        yield f"{head}: {one['status']}{what}"
    elif one["point"] == "e":
        yield f"{head}:{what}"
        yield from (f"    {_stage_text(stage)}" for stage in value)
    elif one["point"] == "d":
        yield f"{head}: {value['printed']} {value['unit']}{what}"
    else:
        yield f"{head}: {_members_text(value)}{what}"


def _members_text(value: object) -> str:
    if isinstance(value, Mapping):
        flat = {**value, **value.get("identifiers", {})}
        flat.pop("identifiers", None)
        return ", ".join(f"{name} {member}" for name, member in flat.items() if member is not None)
    return str(value)


def _stage_text(stage: Mapping[str, Any]) -> str:
    if stage["value"] is None:
        return f"{stage['name']}: missing, not zero"
    said = "".join(
        f" ({word})"
        for word, is_so in (("incomplete", stage["status"] == "incomplete"), ("with forecasts", stage["forecast"]))
        if is_so
    )
    return f"{stage['name']}: {float(stage['value']):.6f} {stage['unit']}{said}"


# -- why they differ -------------------------------------------------------------------------------------------------


def _methods(found: Mapping[str, Document], rules: Mapping[str, RuleSet]) -> Iterator[Document]:
    """What each side's rules say, aspect by aspect."""
    told = {side: dict(_method(found[side], rules[side])) for side in SIDES}
    for aspect in told["european"]:
        row = {side: told[side][aspect] for side in SIDES}
        yield {"aspect": aspect, **row, "same": row["european"] == row["chinese"]}


def _method(found: Document, rules: RuleSet) -> Iterator[tuple[str, str]]:
    kwh, formula = found["denominator"]["kwh"], found["denominator"]["formula"]
    yield "denominator", f"{rules.functional_unit}: " + (formula if kwh is None else f"{formula}, {kwh} kWh")
    power = rules.electricity
    beside_it = "".join(f"; beside the headline: {one.label}" for one in power.alternatives)
    yield (
        "electricity",
        f"{_ELECTRICITY[power.basis]}, {_words(power.family)}; certificates {_words(power.certificates)}{beside_it}",
    )
    yield "distribution", "not counted" if rules.distribution is None else "the legs of the pack maker's scenario"
    yield "end of life", "not counted" if rules.end_of_life is None else _end_of_life(rules.end_of_life)
    yield "outside the boundary", "; ".join(found["outside_boundary"]) or "nothing is named"
    yield "stages", ", ".join(stage.name for stage in rules.stages)
    gases = rules.gases
    apart = ("biogenic_co2", "land_use_change", "aircraft")
    yield (
        "gases",
        f"GWP100 of {gases.gwp_set}; " + ", ".join(f"{_words(name)} {getattr(gases, name)}" for name in apart),
    )
    yield "allocation of co-products", " before ".join(rules.allocation.keys)
    yield "factors", ", ".join(f"{one['id']} {one['version']}" for one in found["releases"]) or "none"


def _end_of_life(rules: EndOfLife) -> str:
    given = ("allocation", "collection_rate", "recycled_content", "quality_in", "quality_out")
    shares = [f"{_words(name)} {value:f}" for name in given if (value := getattr(rules, name)) is not None]
    return f"{_END_OF_LIFE[rules.method]}; unless the scenario says otherwise: {', '.join(shares)}"


def _words(name: str) -> str:
    return name.replace("_", " ").replace("co2e", "CO2e").replace("co2", "CO2")


def _difference(chinese: Document, european: Document) -> Document:
    """What leads from the Chinese figure to the European one: by aspect, and in each line by line."""
    unit = european["headline"]["unit"]
    lacking = [side for side, one in (("chinese", chinese), ("european", european)) if one["headline"]["value"] is None]
    if lacking or chinese["headline"]["unit"] != unit:
        what = (
            f"{' and '.join(lacking)}: nothing was computed" if lacking else "the two figures are per different units"
        )
        return {"from": None, "to": None, "value": None, "unit": unit, "aspects": [], "what": what}
    found = difference(chinese, european)
    by_aspect: dict[str, list[Bar]] = {}
    for bar in found.bars:
        by_aspect.setdefault(_aspect(bar), []).append(bar)
    sums = {aspect: math.fsum(bar.amount for bar in bars) for aspect, bars in by_aspect.items()}
    partial = not (chinese["complete"] and european["complete"])
    return {
        "from": stored(found.before),
        "to": stored(found.after),
        "value": stored(found.after - found.before),
        "unit": unit,
        "aspects": [
            {"aspect": aspect, "value": stored(sums[aspect]), "lines": _bars(by_aspect[aspect])}
            for aspect in sorted(sums, key=lambda one: -abs(sums[one]))
        ],
        "what": "of what is known on both sides: stages or branches are missing" if partial else "",
    }


def _aspect(bar: Bar) -> str:
    if not bar.line:
        return "denominator" if bar.cause == "rule" else "what processes take from each other"
    if bar.line.startswith("signed footprint"):
        return "sealed branches, by their makers' own figures"
    return _OF_LIST.get(bar.line.partition("/")[0], "other lines")


def _bars(bars: Sequence[Bar]) -> list[Document]:
    return [
        {
            "cause": bar.cause,
            "where": bar.where,
            "what": bar.what,
            "line": bar.line,
            "before": bar.before,
            "after": bar.after,
            "value": stored(bar.amount),
        }
        for bar in bars
    ]


def _difference_lines(found: Mapping[str, Any]) -> Iterator[str]:
    if found["value"] is None:
        yield f"why they differ: not known, {found['what']}"
        return
    said = f" ({found['what']})" if found["what"] else ""
    yield f"why they differ: from {float(found['from']):.6f} to {float(found['to']):.6f} {found['unit']}{said}"
    for one in found["aspects"]:
        yield f"  {float(one['value']):+12.6f}  {one['aspect']}"
        for bar in one["lines"]:
            change = f"{bar['before'] or '-'} -> {bar['after'] or '-'}"
            yield f"    {float(bar['value']):+12.6f}  {bar['cause']}: {bar['what']}, in {bar['where']}: {change}"


def _only_inputs(european: Document, chinese: Document) -> Document:
    """The entries that one result rests on and the other doesn't, as footprints that their makers signed for one rule set."""
    held = {
        side: {one["index"]: one["leaf_hash"] for one in found["inputs"]}
        for side, found in zip(SIDES, (european, chinese), strict=True)
    }
    return {
        side: [
            {"index": index, "leaf_hash": leaf} for index, leaf in sorted(mine.items()) if leaf not in theirs.values()
        ]
        for side, mine, theirs in (
            ("european", held["european"], held["chinese"]),
            ("chinese", held["chinese"], held["european"]),
        )
    }

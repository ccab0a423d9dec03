"""What the demo prints: one JSON object, or the text that a newcomer reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from exchange.demo.play import Pack, Played
from exchange.screen import shown
from exchange.verification import Verdict

CAPACITY_RULES = "everbatt-2023-cradle-to-gate"
CHINA_RULES = "cn-miit-551-trial"
EU_RULES = "eu-cfb-draft-2024-partial"
#: Names that one sentence lists.
_SHOWN = 3
PER_KWH = "kg CO2e/kWh"
#: Modelled, by the statement at hand or as the maker of a sealed branch declares.
_MODELLED = ("modelled", "declared modelled")


def summary(played: Played, verdict: Verdict, *, evidence_file: str, page: str | None, serve: str) -> dict[str, Any]:
    """Return the demo's result as one JSON-ready object. Figures are numbers here; the stored ones are decimal strings.

    `page` is the address of the pages, None where nothing serves them any more; `serve` is the command that does.
    """
    return {
        "packs": [_pack(pack) for pack in played.packs],
        "refused": [
            {"maker": r.maker, "product": r.product, "rule_set": r.rule_set, "findings": r.findings}
            for r in played.refusals
        ],
        "statements": {
            "total": len(played.receipts),
            "there_before": played.there_before,
            "differing": played.differing,
        },
        "evidence": {
            "file": evidence_file,
            "verdict": verdict.code,
            "text": verdict.text,
            "exit_code": verdict.exit_code,
            "limits": list(verdict.limits),
        },
        "page": page,
        "serve": serve,
        "note": "Companies are fictitious; figures are EverBatt 2023 (Argonne National Laboratory), modelled, cradle to gate; "
        "electricity under cn and eu by authorities (MEE/NBS/NEA, Ember).",
    }


def _pack(pack: Pack) -> dict[str, Any]:
    capacity = pack.results[CAPACITY_RULES][1]
    return {
        "model": pack.model,
        "chemistry": pack.chemistry,
        "electricity": pack.electricity,
        "cathode": pack.cathode,
        "kg_co2e_per_kwh_capacity": _per_kwh(capacity),
        "rule_sets": {name: _result(name, *found) for name, found in sorted(pack.results.items())},
    }


def _result(rule_set: str, digest: str, found: dict[str, Any]) -> dict[str, Any]:
    per_capacity = rule_set == CAPACITY_RULES
    value = _per_kwh(found)
    return {
        "kg_co2e_per_kwh_delivered": None if per_capacity else value,
        "kg_co2e_per_kwh_capacity": value if per_capacity else None,
        "headline": {"value": _figure(found), "unit": found["headline"]["unit"]},
        "complete": found["complete"],
        "heading": found["heading"],
        "denominator": found["denominator"]["formula"],
        "stages": {
            stage["id"]: {
                "status": stage["status"],
                "value": None if stage["value"] is None else float(stage["value"]),
                "unit": stage["unit"],
            }
            for stage in found["stages"]
        },
        "alternatives": [
            {"id": one["id"], "label": one["label"], "value": float(one["value"]), "unit": one["unit"]}
            for one in found["alternatives"]
            if one["value"] is not None
        ],
        "gaps": found["gaps"],
        "findings": found["findings"],
        "assumptions": found["assumptions"],
        "primary_data_share": float(found["primary_data_share"]["activity_percent"]),
        "sealed": found["sealed"],
        "result": digest,
    }


def _per_kwh(found: dict[str, Any]) -> float | None:
    """Return a result's figure where it is one per kWh; None where nothing was divided."""
    return _figure(found) if found["headline"]["unit"] == PER_KWH else None


def _figure(found: dict[str, Any]) -> float | None:
    value = found["headline"]["value"]
    return None if value is None else float(value)


def print_summary(played: Played, verdict: Verdict, commands: dict[str, str], write: Callable[[str], None]) -> None:
    """Write the summary for people: tables by stage, what is modelled, assumed and missing, the verdict, and what to do next."""
    for rule_set in (CAPACITY_RULES, CHINA_RULES, EU_RULES):
        _table(played, rule_set, write)
    results = [found for pack in played.packs for _digest, found in pack.results.values()]
    modelled = min(sum(float(found["obtained_percent"].get(word, "0")) for word in _MODELLED) for found in results)
    primary = max(float(found["primary_data_share"]["activity_percent"]) for found in results)
    write(
        f"\nModelled: {modelled:.0f} % of the emissions, primary data share {primary:.0f} % (least and most of any result)."
    )
    _listed("Assumed:", (text for found in results for text in found["assumptions"]), write)
    missing = (f"{gap['where'].replace('_', ' ')}: {gap['what']}" for found in results for gap in found["gaps"])
    _listed("Missing (gaps, not zero):", missing, write)
    refused = (
        f"{refusal.maker}, own recipe under {refusal.rule_set}: {finding['what']}"
        for refusal in played.refusals
        for finding in refusal.findings
    )
    _listed("Refused, as the maker alone sees it:", refused, write)
    fresh = len(played.receipts) - played.there_before
    write(f"\n{fresh} statements were signed and admitted, {played.there_before} were there already.")
    if played.differing:
        write(_differing(played.differing))
    _listed(f"Evidence, verified offline: {shown(verdict.text)}", verdict.limits, write)
    partial = sum(not found["complete"] for found in results)
    short = f"{len(played.packs)} packs, {len(results)} results, {partial} of them partial; evidence {verdict.code.replace('_', ' ')}."
    write(f"\nIn short: {short}")
    for name, command in commands.items():
        write(f"{name}: {command}")


def _differing(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    return (
        f"The tables give other data now than what was signed: {shown}. What is signed doesn't change: the figures above "
        "are those of the signed data. For figures of the tables as they are now, begin another folder with --data."
    )


def _listed(title: str, texts: Iterable[str], write: Callable[[str], None]) -> None:
    """Write each different text once, under a title; nothing where there is none."""
    different = list(dict.fromkeys(texts))
    if different:
        write(title)
    for text in different:
        write(f"  - {shown(text)}")


def _table(played: Played, rule_set: str, write: Callable[[str], None]) -> None:
    """Write one row a pack: the headline and its stages, all in the rule set's unit; a pack without a figure in it has none here."""
    results = {pack.model: pack.results[rule_set][1] for pack in played.packs}
    headings = _grouped((found["heading"], model) for model, found in results.items())
    unit = "kg CO2e per kWh of capacity" if rule_set == CAPACITY_RULES else "kg CO2e per kWh delivered"
    write(f"\n{rule_set}: {unit}" + (f" ({next(iter(headings))})" if len(headings) == 1 else ""))
    columns = list(dict.fromkeys(stage["id"] for found in results.values() for stage in found["stages"]))
    names = [name.removesuffix("_acquisition").replace("_", " ") for name in columns]
    write(_row(["pack", "electricity", "cathode", "total", *names]))
    for pack in played.packs:
        write(
            _row([pack.model, pack.electricity, pack.cathode.replace("_", " "), *_cells(results[pack.model], columns)])
        )
    if len(headings) > 1:
        for heading, models in headings.items():
            write(shown(f"{heading}: {', '.join(models)}"))
    for formula, models in _grouped((_divided(found), model) for model, found in results.items()).items():
        write(shown(formula if len(models) == len(results) else f"{formula}: {', '.join(models)}"))
    for label, figures in _alternatives(results).items():
        write(shown(f"alternative, not the headline: {label}: {', '.join(figures)}"))
    for (level, what), models in _findings(played, rule_set).items():
        whose = "all packs" if len(models) == len(played.packs) else ", ".join(models)
        write(shown(f"{level} for {whose}: {what}"))


def _alternatives(results: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """The labelled second figures per kWh, by label, each with its pack."""
    return _grouped(
        (one["label"], f"{model} {float(one['value']):.6f}")
        for model, found in results.items()
        if _per_kwh(found) is not None
        for one in found["alternatives"]
        if one["value"] is not None
    )


def _cells(found: dict[str, Any], columns: Sequence[str]) -> list[str]:
    """The headline and its stages, as far as they are per kWh."""
    if _per_kwh(found) is None:
        return ["not per kWh", *("" for _ in columns)]
    stages = {stage["id"]: stage["value"] for stage in found["stages"]}
    shares = ["gap" if stages.get(name) is None else f"{float(stages[name]):.6f}" for name in columns]
    return [found["headline"]["printed"], *shares]


def _divided(found: dict[str, Any]) -> str:
    formula: str = found["denominator"]["formula"]
    return formula if found["denominator"]["kwh"] is None else f"divided by {formula}"


def _grouped(pairs: Iterable[tuple[Any, str]]) -> dict[Any, list[str]]:
    """The models of each different thing that is said of them, in order."""
    found: dict[Any, list[str]] = {}
    for said, model in pairs:
        found.setdefault(said, []).append(model)
    return found


def _findings(played: Played, rule_set: str) -> dict[tuple[str, str], list[str]]:
    """Return the findings of a rule set's results, as the pack maker sees them, with the packs that have them."""
    said = (
        (("note" if item["level"] == "note" else f"{item['level']} finding", item["what"]), pack.model)
        for pack in played.packs
        for item in pack.results[rule_set][1]["findings"]
    )
    return _grouped(dict.fromkeys(said))


def _row(cells: list[str]) -> str:
    widths = (20, 13, 18, 11, *([15] * (len(cells) - 4)))
    return "".join(f"{shown(cell):<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()

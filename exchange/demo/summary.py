"""What the demo prints: one JSON object, or the text that a newcomer reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from exchange.demo.play import Pack, Played
from exchange.verification import Verdict

CAPACITY_RULES = "everbatt-2023-cradle-to-gate"
CHINA_RULES = "cn-miit-551-trial"
EU_RULES = "eu-cfb-draft-2024-partial"
#: Names that one sentence lists.
_SHOWN = 3


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
        "note": "Companies are fictitious; figures are EverBatt 2023 (Argonne National Laboratory), modelled, cradle to gate.",
    }


def _pack(pack: Pack) -> dict[str, Any]:
    capacity = pack.results[CAPACITY_RULES][1]
    return {
        "model": pack.model,
        "chemistry": pack.chemistry,
        "electricity": pack.electricity,
        "cathode": pack.cathode,
        "kg_co2e_per_kwh_capacity": float(capacity["headline"]["value"]),
        "rule_sets": {name: _result(name, *found) for name, found in sorted(pack.results.items())},
    }


def _result(rule_set: str, digest: str, found: dict[str, Any]) -> dict[str, Any]:
    per_capacity = rule_set == CAPACITY_RULES
    value = float(found["headline"]["value"])
    return {
        "kg_co2e_per_kwh_delivered": None if per_capacity else value,
        "kg_co2e_per_kwh_capacity": value if per_capacity else None,
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
        "gaps": found["gaps"],
        "findings": found["findings"],
        "assumptions": found["assumptions"],
        "primary_data_share": float(found["primary_data_share"]["activity_percent"]),
        "sealed": found["sealed"],
        "result": digest,
    }


def print_summary(played: Played, verdict: Verdict, commands: dict[str, str], write: Callable[[str], None]) -> None:
    """Write the summary for people: tables by stage, what is modelled, assumed and missing, the verdict, and what to do next."""
    for rule_set in (CAPACITY_RULES, CHINA_RULES, EU_RULES):
        _table(played, rule_set, write)
    results = [found for pack in played.packs for _digest, found in pack.results.values()]
    modelled = min(float(found["obtained_percent"].get("modelled", "0")) for found in results)
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
    _listed(f"Evidence, verified offline: {verdict.text}", verdict.limits, write)
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
        write(f"  - {text}")


def _table(played: Played, rule_set: str, write: Callable[[str], None]) -> None:
    """Write one row a pack: the headline and its stages, all in the rule set's unit."""
    first = played.packs[0].results[rule_set][1]
    unit = "kg CO2e per kWh of capacity" if rule_set == CAPACITY_RULES else "kg CO2e per kWh delivered"
    write(f"\n{rule_set}: {unit} ({first['heading']})")
    names = [stage["id"].removesuffix("_acquisition").replace("_", " ") for stage in first["stages"]]
    write(_row(["pack", "electricity", "cathode", "total", *names]))
    for pack in played.packs:
        found = pack.results[rule_set][1]
        stages = ["gap" if stage["value"] is None else f"{float(stage['value']):.6f}" for stage in found["stages"]]
        cathode = pack.cathode.replace("_", " ")
        write(_row([pack.model, pack.electricity, cathode, found["headline"]["printed"], *stages]))
    write(f"divided by {first['denominator']['formula']}")
    for (level, what), models in _findings(played, rule_set).items():
        write(f"{level} for {', '.join(models)}: {what}")


def _findings(played: Played, rule_set: str) -> dict[tuple[str, str], list[str]]:
    """Return the findings of a rule set's results, as the pack maker sees them, with the packs that have them."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for pack in played.packs:
        for item in pack.results[rule_set][1]["findings"]:
            level = "note" if item["level"] == "note" else f"{item['level']} finding"
            found.setdefault((level, item["what"]), {})[pack.model] = None
    return {finding: list(models) for finding, models in found.items()}


def _row(cells: list[str]) -> str:
    widths = (20, 13, 18, 11, *([15] * (len(cells) - 4)))
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()

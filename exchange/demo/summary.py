"""What the demo prints: one JSON object, or the text that a newcomer reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exchange.demo.play import Pack, Played
from exchange.verification import Verdict

CAPACITY_RULES = "everbatt-2023-cradle-to-gate"
CHINA_RULES = "cn-miit-551-trial"
EU_RULES = "eu-cfb-draft-2024-partial"


def summary(played: Played, verdict: Verdict, *, evidence_file: str, page: str) -> dict[str, Any]:
    """Return the demo's result as one JSON-ready object. Figures are numbers here; the stored ones are decimal strings."""
    return {
        "packs": [_pack(pack) for pack in played.packs],
        "refused": [
            {"maker": r.maker, "product": r.product, "rule_set": r.rule_set, "findings": r.findings}
            for r in played.refusals
        ],
        "statements": {"total": len(played.receipts), "there_before": played.there_before},
        "evidence": {
            "file": evidence_file,
            "verdict": verdict.code,
            "text": verdict.text,
            "exit_code": verdict.exit_code,
            "limits": list(verdict.limits),
        },
        "page": page,
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
    """Write the summary for people: a table, what is modelled, assumed and missing, the verdict, and what to do next."""
    _table(played, write)
    example = next(pack for pack in played.packs if pack.electricity == "China" and pack.cathode == "published_factor")
    found = example.results[CHINA_RULES][1]
    write(f"\nOne of them in full, {example.model} under {CHINA_RULES} ({found['heading']}):")
    for stage in found["stages"]:
        value = "gap: not known, not zero" if stage["value"] is None else f"{float(stage['value']):.6f} {stage['unit']}"
        write(f"  {stage['name']:<24} {value}")
    write(f"  divided by {found['denominator']['formula']}")
    write(f"\nModelled: all of it (primary data share {float(found['primary_data_share']['activity_percent']):.0f} %).")
    write("Assumed:")
    for text in dict.fromkeys(
        text for pack in played.packs for _d, r in pack.results.values() for text in r["assumptions"]
    ):
        write(f"  - {text}")
    write("Missing (gaps, not zero):")
    for text in dict.fromkeys(
        f"{g['where']}: {g['what']}" for p in played.packs for _d, r in p.results.values() for g in r["gaps"]
    ):
        write(f"  - {text}")
    _findings(played, write)
    there = f"{played.there_before} of {len(played.receipts)} statements were there already"
    write(
        f"\n{there}; the rest is new." if played.there_before < len(played.receipts) else f"\n{there}: nothing was new."
    )
    write(f"\nEvidence, verified offline: {verdict.text}")
    for limit in verdict.limits:
        write(f"  - {limit}")
    for name, command in commands.items():
        write(f"{name}: {command}")


def _table(played: Played, write: Callable[[str], None]) -> None:
    write("\nkg CO2e per kWh                                  of capacity    delivered       delivered")
    write("pack                electricity  cathode          EverBatt       CN 551 trial    EU draft 2024")
    for pack in played.packs:
        cells = [pack.results[name][1]["headline"]["printed"] for name in (CAPACITY_RULES, CHINA_RULES, EU_RULES)]
        cathode = pack.cathode.replace("_", " ")
        write(f"{pack.model:<19} {pack.electricity:<12} {cathode:<16} {cells[0]:<14} {cells[1]:<15} {cells[2]}")


def _findings(played: Played, write: Callable[[str], None]) -> None:
    if played.refusals:
        write("Refused, as the maker alone sees it:")
    for refusal in played.refusals:
        for finding in refusal.findings:
            write(f"  - {refusal.maker}, own recipe under {refusal.rule_set}: {finding['what']}")
    write("Findings, as the pack maker sees them:")
    seen = [
        f"{finding['level']}: {finding['what']}"
        for pack in played.packs
        for _digest, found in pack.results.values()
        for finding in found["findings"]
    ]
    for text in dict.fromkeys(seen):
        write(f"  - {text}")

"""What is asked of a product system beyond its form: credits, offsets, sizes, its author's own factors. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from bom_graph.factors import Factor
from bom_graph.gates import Finding, Level
from bom_graph.quantities import UNITS, convert
from bom_graph.rules import RuleSet

#: Sizes per unit that nothing has, in kg CO2e, kWh or units of a product.
LEAST: Final = 1e-12
MOST: Final = 1e12

_CLIMATE, _CREDIT = "carbon|co2e?|ghg|emissions?|climate", "offsets?|offsetting|credits?|compensations?"
_OFFSETS = re.compile(
    rf"\b(?:{_CLIMATE})\b.*\b(?:{_CREDIT})\b|\b(?:{_CREDIT})\b.*\b(?:{_CLIMATE})\b"
    r"|^(?:offsets?|compensations?)$|\b(?:ccers?|vcus?)\b|碳信用|碳抵消|碳汇|自愿减排"
)
_POWER = re.compile(r"electric|\bgrid\b|\bmains\b|\bpower\b|strom")


def _words(name: str) -> str:
    """A name as its words alone, whatever its letters' case and width and whatever joins them."""
    return re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", name).casefold()).strip()


def is_offset(name: str) -> bool:
    """Whether a flow or product is an offset by its name: nothing that a product's system takes, and never counted (ISO 14067:2018)."""
    return _OFFSETS.search(_words(name)) is not None


def is_electricity(flow: str) -> bool:
    """Whether a flow is electricity, of a grid or of a kind of generation."""
    return flow == "electricity" or flow.startswith("electricity-")


def avoided_finding(rule_set: RuleSet, *, where: str) -> Finding:
    """Return the finding for what a process is said to spare: no shipped rule set gives credits but by its end of life.

    Hard where the rule set says how the end of life counts, since a credit beside it is none of its; else soft. It never refuses.
    """
    level: Level = "hard" if rule_set.end_of_life is not None else "soft"
    what = f"a credit: what is avoided is taken off, and {rule_set.id} says nothing of such credits"
    remedy = "leave the credit out, or split what the process makes by an allocation; report the figure without it too"
    return Finding("credit", level, where, what, remedy)


def size_findings(shown: Mapping[str, float], *, where: str) -> list[Finding]:
    """Return a hard finding where a size per unit is one that nothing has: a slipped power of ten, whatever it was meant to be."""
    found = [f"{said} is {size:.3g}" for said, size in shown.items() if size and not LEAST < abs(size) < MOST]
    if not found:
        return []
    what = f"too large or too small to be true: {found[0]}" + (f", and {len(found) - 1} more" if found[1:] else "")
    return [Finding("units", "hard", where, what, "check the units and powers of ten of amounts and outputs")]


def own_factor(own: Factor, published: Factor | None, rule_set: RuleSet, *, where: str) -> list[Finding]:
    """Return a finding where the author's own factor stands for one that the rule set's releases have, or for the nation's grid.

    A note; soft where the rule set asks for the nation's average of electricity, and by the gate `plausible_range` soft or hard where the
    two are so many times apart, either way.
    """
    basis, flow = rule_set.electricity.basis, own.row.flow
    national = basis == "national_average" and (
        is_electricity(flow) or (UNITS[own.row.per][0] == "energy" and _POWER.search(_words(flow)) is not None)
    )
    comparable = published is not None and UNITS[published.row.per][0] == UNITS[own.row.per][0]
    if not (comparable or national):
        return []
    gate = rule_set.gates.plausible_range
    level: Level = "soft" if national else "note"
    what = f"the file's own factor, {own.row.value:.6g} kg CO2e/{own.row.per} of {flow}, is taken"
    if published is not None and comparable:
        theirs = float(published.row.value / convert(Decimal(1), published.row.per, own.row.per, where=where))
        ours = float(own.row.value)
        apart = max(ours / theirs, theirs / ours) if ours > 0 and theirs > 0 else float("inf") if ours != theirs else 1
        if apart > gate.soft:
            level = "hard" if apart > gate.hard else "soft"
        what += f" instead of {published.release}'s {published.row.id}, {theirs:.6g} kg CO2e/{own.row.per}"
    if national:
        what += f"; {rule_set.id} asks for the national average of electricity"
    remedy = "leave the factor out and let the release's be taken, or say in its source why it is the better one"
    return [Finding("own_factor", level, where, what, remedy)]

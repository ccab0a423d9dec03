"""``packtrace rules``: rule sets as files, checked, shown and compared. Nothing here needs a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.files import read_up_to
from exchange.cli.output import DONE, REJECTED, say, say_json

if TYPE_CHECKING:
    from bom_graph import RuleSet


def rule_set_of(name: str) -> RuleSet:
    """Return the shipped rule set of this id, or the one in this file (.json). Raises RuleSetError, OSError."""
    from bom_graph import MAX_RULE_SET_BYTES, RuleSet, load_rule_set, rule_set_ids

    path = Path(name)
    if name not in rule_set_ids() and path.suffix == ".json":
        return RuleSet.read(read_up_to(path, MAX_RULE_SET_BYTES))
    return load_rule_set(name)


def run_lint(file: Path, *, as_json: bool) -> int:
    """Check a rule-set file, its releases included; return the exit code. Raises RuleSetError for a file out of form."""
    from bom_graph import MAX_RULE_SET_BYTES, RuleSet, release_ids

    rule_set = RuleSet.read(read_up_to(file, MAX_RULE_SET_BYTES))
    warnings = [
        f"factor release {name} doesn't ship with this version; known: {', '.join(release_ids())}"
        for name in rule_set.factor_releases
        if name not in release_ids()
    ]
    if not rule_set.unstated:
        warnings.append("nothing is marked unstated: name what the source leaves open, and what is assumed")
    unused = sorted({stage.id for stage in rule_set.stages} - {rule.stage for rule in rule_set.stage_rules})
    if unused and not (rule_set.outside_boundary or rule_set.not_implemented):
        warnings.append(
            f"no line counts towards {', '.join(unused)}, and neither outside_boundary nor not_implemented says so"
        )
    if as_json:
        say_json({"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest, "warnings": warnings})
    else:
        say(f"{rule_set.id} {rule_set.version}: in form, digest {rule_set.digest}")
        for warning in warnings:
            say(f"  warning: {warning}")
    return REJECTED if warnings else DONE


def run_show(name: str, *, as_json: bool) -> int:
    """Print a rule set. Raises RuleSetError, OSError."""
    rule_set = rule_set_of(name)
    if as_json:
        say_json(rule_set.model_dump(mode="json"))
        return DONE
    say(f"{rule_set.id} {rule_set.version}: {rule_set.title}")
    say(f"  source: {rule_set.source}")
    say(f"  per {rule_set.functional_unit} (denominator: {rule_set.denominator.kind.replace('_', ' ')})")
    for stage in rule_set.stages:
        lines = ", ".join(f"{r.process} {r.line}" for r in rule_set.stage_rules if r.stage == stage.id)
        say(f"  stage {stage.name}: {(lines or 'no lines').replace('_', ' ')}")
    power = rule_set.electricity
    say(f"  electricity: {power.basis.replace('_', ' ')}, family {power.family}, certificates {power.certificates}")
    for alternative in power.alternatives:
        say(f"  alternative: {alternative.label}")
    proxies = [f"{name}{' (as proxy)' if name in rule_set.proxy_releases else ''}" for name in rule_set.factor_releases]
    say(f"  factors: {', then '.join(proxies)}")
    gases = rule_set.gases
    say(
        f"  gases: GWP100 of {gases.gwp_set}; biogenic CO2 {gases.biogenic_co2}, land use change {gases.land_use_change}"
    )
    for gate, limits in rule_set.gates.model_dump(mode="json").items():
        say(f"  gate {gate.replace('_', ' ')}: {', '.join(f'{key} {value}' for key, value in limits.items())}")
    for text in rule_set.assumptions:
        say(f"  assumption: {text}")
    for item in rule_set.unstated:
        say(f"  unstated: {item.what}; assumed: {item.assumption}")
    for text in rule_set.not_implemented:
        say(f"  not implemented: {text}")
    return DONE


def run_diff(old: str, new: str, *, as_json: bool) -> int:
    """Print each member in which two rule sets differ. Raises RuleSetError, OSError."""
    from bom_graph import compare_rule_sets

    found = compare_rule_sets(rule_set_of(old), rule_set_of(new))
    if as_json:
        say_json([{"member": path, "old": before, "new": after} for path, before, after in found])
        return DONE
    for path, before, after in found:
        say(f"{path}: {_short(before)} -> {_short(after)}")
    if not found:
        say("they say the same")
    return DONE


def run_schema() -> int:
    """Print the JSON schema of rule-set files."""
    from bom_graph import RuleSet

    say_json(RuleSet.file_schema())
    return DONE


def _short(value: Any) -> str:
    return "none" if value is None else str(value)

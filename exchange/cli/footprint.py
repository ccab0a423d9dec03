"""``packtrace footprint solve``: the engine alone, on a product system in a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.files import read_up_to
from exchange.cli.output import DONE, REJECTED, say, say_json
from exchange.cli.rules import rule_set_of
from exchange.screen import shown

if TYPE_CHECKING:
    from bom_graph import Contribution, SystemResult

_SHOWN = 10


def run_solve(file: Path, rules: str, *, draws: int, seed: int, as_json: bool) -> int:
    """Compute a product-system file; return the exit code. Raises BomGraphError, OSError."""
    from bom_graph import MAX_SYSTEM_BYTES, SystemFile, load_release, solve_file

    rule_set = rule_set_of(rules)
    system = SystemFile.read(read_up_to(file, MAX_SYSTEM_BYTES))
    releases = [load_release(name) for name in rule_set.factor_releases]
    found = solve_file(system, rule_set, releases, draws=draws, seed=seed)
    if as_json:
        say_json(_document(found, draws, seed))
    else:
        for line in _lines(found):
            say(shown(line))
    return REJECTED if found.total is None else DONE


def run_schema() -> int:
    """Print the JSON schema of product-system files."""
    from bom_graph import SystemFile

    say_json(SystemFile.file_schema())
    return DONE


def _document(found: SystemResult, draws: int, seed: int) -> dict[str, Any]:
    """The result as JSON: kg CO2e as decimal strings of 12 digits, as in stored results."""
    from bom_graph import stored

    demand = found.file.demand
    footprint = found.footprint
    document: dict[str, Any] = {
        "title": found.file.title,
        "system": found.file.digest,
        "rule_set": {"id": found.rule_set.id, "version": found.rule_set.version, "digest": found.rule_set.digest},
        "demand": {"process": demand.process, "amount": str(demand.amount), "unit": demand.unit},
        "unit": "kg CO2e",
        "refused": footprint is None,
        "total": None if found.total is None else stored(found.total),
        "delivered_kwh": None if found.delivered_kwh is None else str(found.delivered_kwh),
        "per_kwh_delivered": None,
        "stages": [],
        "contributions": [],
        "findings": [
            {"gate": f.gate, "level": f.level, "where": f.where, "what": f.what, "remedy": f.remedy}
            for f in found.findings
        ],
    }
    if footprint is not None:
        document["per_kwh_delivered"] = _per_kwh(found)
        document["stages"] = [
            {"stage": stage.id, "kg_co2e": stored(footprint.stages[stage.id])}
            for stage in found.rule_set.stages
            if stage.id in footprint.stages
        ]
        document["columns"] = [{"id": column, "kg_co2e": stored(kg)} for column, kg in footprint.columns.items()]
        document["apart"] = [_part(part) for part in footprint.apart]
        document["primary_data_share"] = {
            "activity": stored(footprint.activity_primary_share),
            "factor": stored(footprint.factor_primary_share),
        }
        document["contributions"] = [_part(part) for part in footprint.contributions]
    if found.simulation is not None:
        document["monte_carlo"] = {
            "draws": draws,
            "seed": seed,
            "mean": stored(found.simulation.mean),
            "sd": stored(found.simulation.sd),
            "quantiles": {str(q): stored(value) for q, value in found.simulation.quantiles.items()},
            "variance_shares": [{"parameter": key, "share": stored(share)} for key, share in found.simulation.shares],
        }
    return document


def _part(part: Contribution) -> dict[str, Any]:
    from bom_graph import stored

    return {
        **{name: stored(v) if isinstance(v, float) else v for name, v in part.burden.origin.items()},
        "stage": part.burden.stage,
        "column": part.burden.column,
        "scaling": stored(part.scaling),
        "kg_co2e": stored(part.kg_co2e),
    }


def _per_kwh(found: SystemResult) -> str | None:
    from bom_graph import stored

    if found.delivered_kwh is None or found.total is None:
        return None
    return stored(found.total / float(found.delivered_kwh))


def _lines(found: SystemResult) -> Iterator[str]:
    demand, footprint = found.file.demand, found.footprint
    yield f"{found.file.title}: {demand.amount:f} {demand.unit} of {demand.process}, under {found.rule_set.id} {found.rule_set.version}"
    if footprint is not None:
        yield (
            "  missing: nothing that goes into it is stated" if found.total is None else f"  {found.total:.6g} kg CO2e"
        )
        if (per_kwh := _per_kwh(found)) is not None:
            yield f"  {float(per_kwh):.6g} kg CO2e per kWh delivered"
        for stage in found.rule_set.stages:
            if stage.id in footprint.stages:
                yield f"    {stage.name}: {footprint.stages[stage.id]:.6g} kg CO2e"
        if footprint.apart:
            beside = sum(part.kg_co2e for part in footprint.apart)
            yield f"    beside the total (carbon that the rule set states apart): {beside:.6g} kg CO2e"
        if footprint.contributions:
            yield "  largest contributions, kg CO2e:"
        largest = sorted(footprint.contributions, key=lambda part: -abs(part.kg_co2e))
        yield from (f"    {part.kg_co2e:12.6g}  {_named(part)}" for part in largest[:_SHOWN])
        if len(largest) > _SHOWN:
            rest = sum(part.kg_co2e for part in largest[_SHOWN:])
            yield f"    {rest:12.6g}  {len(largest) - _SHOWN} more"
    if found.simulation is not None:
        low, middle, high = (found.simulation.quantiles[q] for q in (0.025, 0.5, 0.975))
        yield f"  {len(found.simulation.totals):,} draws: median {middle:.6g}, 95 % between {low:.6g} and {high:.6g} kg CO2e"
        yield from (f"    {share:6.1%} of the variance: {key}" for key, share in found.simulation.shares[:_SHOWN])
    for finding in found.findings:
        yield f"  {finding.level} finding: {finding.what} (at {finding.where}); {finding.remedy}"
    if footprint is None:
        yield "  refused: nothing was computed"


def _named(part: Contribution) -> str:
    origin = part.burden.origin
    return f"{origin['line']} ({origin.get('flow') or origin.get('gas')})"

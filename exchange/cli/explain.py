"""``packtrace footprint explain`` and ``packtrace footprint compare``: of product-system files and of stored results."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from exchange.cli.files import read_up_to
from exchange.cli.output import DONE, say, say_json
from exchange.cli.rules import rule_set_of
from exchange.screen import shown

if TYPE_CHECKING:
    from bom_graph import Explanation, Sankey, Simulation, SystemResult, TreeRow, Waterfall
    from exchange.explaining import Trace

_SHOWN = 20
View = Literal["tree", "paths", "sankey"]


@dataclass(frozen=True)
class _Given:
    """A file that was opened: a result document, or a product system solved under a rule set."""

    name: str
    found: dict[str, Any] | None = None
    solved: SystemResult | None = None

    @property
    def explanation(self) -> Explanation:
        from bom_graph import Explanation
        from exchange.explaining import explanation_of

        if self.found is not None:
            return explanation_of(self.found)
        assert self.solved is not None  # noqa: S101 - one of the two is there
        return Explanation(*self.solved.in_base_units())

    @property
    def total(self) -> str | None:
        """kg CO2e of the demand, stored; None where it is missing."""
        if self.found is not None:
            value: str | None = self.found["total"]["value"]
            return value
        return None if self.solved is None or self.solved.total is None else _stored(self.solved.total)

    @property
    def findings(self) -> list[str]:
        """What a product system's solution says against it, a line each; a result's stand in its document."""
        found = () if self.solved is None else self.solved.findings
        return [
            f"  {one.level} finding: {one.what} (at {one.where}); {one.remedy}" for one in found if one.level == "hard"
        ]

    @property
    def kwh(self) -> float:
        if self.solved is None or self.solved.delivered_kwh is None:
            return 1.0
        return float(self.solved.delivered_kwh)

    @property
    def unit(self) -> str:
        if self.found is not None:
            return str(self.found["headline"]["unit"])
        return "kg CO2e/kWh" if self.solved is not None and self.solved.delivered_kwh is not None else "kg CO2e"


def run_explain(
    file: Path, rules: str | None, view: View, figure: str | None, *, rows: int, cut_off: float, as_json: bool
) -> int:
    """Print a tree, the paths, Sankey data or the trace of a figure. Raises our errors and OSError."""
    from exchange.errors import UsageError

    given = _open(file, rules)
    if figure is not None:
        if given.found is None:
            what, remedy = "only a stored result has figures to trace", "leave --figure out"
            raise UsageError(what, where="--figure", remedy=remedy)
        from exchange.explaining import trace

        traced = trace(given.found, figure)
        _answer(_trace_document(traced), _trace_lines(traced), as_json=as_json)
        return DONE
    explained = given.explanation
    head = f"{given.name}: missing" if given.total is None else f"{given.name}: {explained.total:.6g} kg CO2e"
    gaps = [] if given.found is None else given.found["gaps"]
    members: dict[str, Any] = {"result": given.name, "total_kg_co2e": None, "gaps": gaps}
    if given.total is not None:
        members["total_kg_co2e"] = _stored(explained.total)
    if view == "tree":
        tree = explained.tree(rows=rows, cut_off=cut_off)
        members["tree"], lines = [_row_document(row) for row in tree], _tree_lines(tree)
    elif view == "paths":
        paths = explained.paths(rows)
        members["paths"] = [
            {"products": list(p.products), "line": p.line, "kg_co2e": _stored(p.kg_co2e), "percent": _stored(p.percent)}
            for p in paths
        ]
        lines = (
            f"  {p.kg_co2e:12.6g} {p.percent:7.2f} %  {' < '.join(reversed([*p.products, p.line]))}" for p in paths
        )
    else:
        sankey = explained.sankey(cut_off=cut_off)
        members["sankey"] = _sankey_document(sankey)
        lines = (f"  {flow.kg_co2e:12.6g}  {flow.source} -> {flow.target}" for flow in sankey.flows)
    told = (f"  gap: {gap['where']}: {gap['what']}" for gap in gaps)
    _answer(members, [head, *lines, *told, *given.findings], as_json=as_json)
    return DONE


def run_compare(first: Path, second: Path, rules: str | None, *, draws: int, seed: int, as_json: bool) -> int:
    """Print what leads from one figure to the other; with `draws`, how sure the difference of two product systems is."""
    from bom_graph import waterfall
    from exchange.errors import UsageError
    from exchange.explaining import difference

    before, after = _open(first, rules), _open(second, rules)
    for file, given in ((first, before), (second, after)):
        if given.total is None:
            what, remedy = "its total is missing, so that there is nothing to compare", "state what goes into it"
            raise UsageError(what, where=str(file), remedy=remedy)
    if before.found is not None and after.found is not None:
        found = difference(before.found, after.found)
    elif before.found is None and after.found is None:
        _check_demands(before, after)
        if before.unit != after.unit:
            what, remedy = "only one of the two states its delivered energy", "state it in both, or in neither"
            raise UsageError(what, where="delivered_energy", remedy=remedy)
        found = waterfall(before.explanation, after.explanation, units=(before.kwh, after.kwh))
    else:
        what, remedy = "a result and a product system have no lines in common", "compare two of a kind"
        raise UsageError(what, where=str(second), remedy=remedy)
    members: dict[str, Any] = {
        "before": {"result": before.name, "value": _stored(found.before)},
        "after": {"result": after.name, "value": _stored(found.after)},
        "unit": before.unit,
        "difference": _stored(found.after - found.before),
        "bars": bar_documents(found),
    }
    lines = list(waterfall_lines(found, before.name, after.name, before.unit))
    if draws:
        drawn = _drawn(before, after, draws, seed)
        members["monte_carlo"] = _simulation_document(drawn, draws, seed)
        low, middle, high = (drawn.quantiles[q] for q in (0.025, 0.5, 0.975))
        lines += [
            f"  {draws:,} common draws: difference {middle:+.6g}, 95 % between {low:+.6g} and {high:+.6g} {before.unit}",
            f"  the first is the smaller in {drawn.above_zero:.1%} of them",
        ]
    _answer(members, lines, as_json=as_json)
    return DONE


def _open(file: Path, rules: str | None) -> _Given:
    """Return the file's result document, or its product system solved under `rules`."""
    from bom_graph import MAX_SYSTEM_BYTES, SystemFile, load_release, solve_file
    from exchange.errors import UsageError
    from exchange.explaining import read_result
    from exchange.report import FORMAT, name_of

    data = read_up_to(file, MAX_SYSTEM_BYTES)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and found.get("format") == FORMAT:
        result = read_result(data)
        return _Given(f"{name_of(result)} under {result['rule_set']['id']}", found=result)
    if rules is None:
        what, remedy = "a product system is solved under a rule set", "name it with --rules, or give a result document"
        raise UsageError(what, where=str(file), remedy=remedy)
    rule_set = rule_set_of(rules)
    solved = solve_file(SystemFile.read(data), rule_set, [load_release(name) for name in rule_set.factor_releases])
    if solved.footprint is None:
        first = next(finding for finding in solved.findings if finding.refuses)
        raise UsageError(f"the product system is refused: {first.what}", where=first.where, remedy=first.remedy)
    return _Given(f"{solved.file.title} under {rule_set.id}", solved=solved)


def _check_demands(before: _Given, after: _Given) -> None:
    from bom_graph import dimension
    from exchange.errors import UsageError

    stated = [one.solved.file.demand.unit for one in (before, after) if one.solved is not None]
    if len({dimension(unit, where="demand/unit") for unit in stated}) > 1:
        what, remedy = f"one demand is in {stated[0]}, the other in {stated[1]}", "compare demands of one dimension"
        raise UsageError(what, where="demand/unit", remedy=remedy)


def _drawn(before: _Given, after: _Given, draws: int, seed: int) -> Simulation:
    from bom_graph import simulate
    from exchange.errors import UsageError

    if (
        before.solved is None
        or after.solved is None
        or before.solved.uncertain is None
        or after.solved.uncertain is None
    ):
        what, remedy = "stored results hold no distributions", "compare two product systems, or leave --monte-carlo out"
        raise UsageError(what, where="--monte-carlo", remedy=remedy)
    both = [
        simulate(side.solved.uncertain, side.solved.demand, draws=draws, seed=seed).over(side.kwh)
        for side in (after, before)
        if side.solved is not None and side.solved.uncertain is not None
    ]
    return both[0].less(both[1])


def _simulation_document(found: Simulation, draws: int, seed: int) -> dict[str, Any]:
    return {
        "draws": draws,
        "seed": seed,
        "mean": _stored(found.mean),
        "sd": _stored(found.sd),
        "quantiles": {str(q): _stored(value) for q, value in found.quantiles.items()},
        "probability_first_is_smaller": _stored(found.above_zero),
    }


def _row_document(row: TreeRow) -> dict[str, Any]:
    return {
        "row": row.number,
        "parent": row.parent,
        "kind": row.kind,
        "name": row.name,
        "amount": None if row.amount is None else _stored(row.amount),
        "direct": _stored(row.direct),
        "upstream": _stored(row.upstream),
        "kg_co2e": _stored(row.total),
        "percent": _stored(row.percent),
        "opened": row.opened,
        "loop": row.is_loop,
        "sealed": row.is_sealed,
    }


def _sankey_document(found: Sankey) -> dict[str, Any]:
    return {
        "nodes": [{"name": name, "kg_co2e": _stored(kg)} for name, kg in found.nodes],
        "links": [{"source": f.source, "target": f.target, "kg_co2e": _stored(f.kg_co2e)} for f in found.flows],
    }


def _tree_lines(rows: tuple[TreeRow, ...]) -> Iterator[str]:
    yield "       kg CO2e        %       direct     upstream"
    for row in rows:
        notes = [
            "sealed: its maker's own figure" if row.is_sealed and row.kind == "product" else "",
            "a loop: opened above" if row.is_loop else "",
            "not opened" if row.kind == "product" and row.upstream and not row.opened and not row.is_loop else "",
        ]
        said = "".join(f" ({note})" for note in notes if note)
        figures = f"{row.total:12.6g} {row.percent:8.2f} {row.direct:12.6g} {row.upstream:12.6g}"
        yield f"  {figures}  {'  ' * row.depth}{row.name}{said}"


def waterfall_lines(found: Waterfall, before: str, after: str, unit: str) -> Iterator[str]:
    """Yield a waterfall as lines, between the names of the two results."""
    yield f"{before}: {found.before:.6g} {unit}"
    bars, rest = found.largest(_SHOWN)
    for bar in bars:
        change = f"{bar.before or '-'} -> {bar.after or '-'}"
        yield f"  {bar.amount:+12.6g}  {bar.cause}: {bar.what}, in {bar.where}: {change}"
    if len(found.bars) > _SHOWN:
        yield f"  {rest:+12.6g}  {len(found.bars) - _SHOWN} more"
    yield f"{after}: {found.after:.6g} {unit}"


def bar_documents(found: Waterfall) -> list[dict[str, Any]]:
    """Return the bars of a waterfall as JSON."""
    return [
        {
            "cause": bar.cause,
            "where": bar.where,
            "what": bar.what,
            "before": bar.before,
            "after": bar.after,
            "value": _stored(bar.amount),
        }
        for bar in found.bars
    ]


def _trace_document(found: Trace) -> dict[str, Any]:
    return {
        "figure": found.figure,
        "value": found.value,
        "unit": found.unit,
        "formula": found.formula,
        "facts": [{"what": name, "value": value} for name, value in found.facts],
        "parts": [_trace_document(part) for part in found.parts],
    }


def _trace_lines(found: Trace, depth: int = 0) -> Iterator[str]:
    space = "  " * depth
    yield f"{space}{found.figure} {found.value} {found.unit} = {found.formula}"
    yield from (f"{space}    {name}: {value}" for name, value in found.facts)
    for part in found.parts[:_SHOWN]:
        yield from _trace_lines(part, depth + 1)
    if len(found.parts) > _SHOWN:
        yield f"{space}  {len(found.parts) - _SHOWN} more; --json has all"


def _answer(members: dict[str, Any], lines: Any, *, as_json: bool) -> None:
    if as_json:
        say_json(members)
    else:
        for line in lines:
            say(shown(line))


def _stored(value: float) -> str:
    from bom_graph import stored

    return stored(value)

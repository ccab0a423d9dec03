"""Where a footprint comes from, and why two differ: contribution tree, supply paths, Sankey data, waterfall. Pure.

All of it rests on what one unit of each product carries, `I = e + A^T I` (e: emissions of the process per unit, A: what it takes of its
suppliers). Loops are solved in I: a product that stands above itself in the tree is shown with all that it carries and not opened again.
What is known by a signed footprint alone is a process without suppliers: there is nothing of it to open.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from itertools import count
from typing import Final, Literal

import numpy as np

from bom_graph.errors import LoopError
from bom_graph.footprint import Burden, ProductSystem
from bom_graph.graph import Amounts, CompiledSystem, Link, compile_system
from bom_graph.quantities import base_unit, convert

#: Rows of a tree, and share of the absolute emissions below which a branch goes to the rest.
TREE_ROWS: Final = 200
CUT_OFF: Final = 0.005
_MOST_STEPS = 200_000
_ROUNDING = 1e-13  # of all absolute emissions: a bar below it is no change


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A branch of the contribution tree, in kg CO2e of the demand; rows come in reading order, a parent before its children.

    `product`: takes `amount` units; `direct` is emitted by the process, `upstream` by what it takes, both together are its total.
    `line`: one line of the process above, nothing upstream. `rest`: the branches below the cut-off. The children of an `opened` row add
    up to its total. `is_loop`: the product stands above itself, and all that it carries is in this one row. `is_sealed`: known by a
    signed footprint alone.
    """

    number: int
    parent: int | None
    depth: int
    kind: Literal["product", "line", "rest"]
    name: str
    amount: float | None
    direct: float
    upstream: float
    percent: float
    opened: bool = False
    is_loop: bool = False
    is_sealed: bool = False
    origin: Mapping[str, object] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """kg CO2e of the branch."""
        return self.direct + self.upstream


@dataclass(frozen=True, slots=True)
class SupplyPath:
    """From the demanded product through its suppliers down to one line, and the kg CO2e that come this way. A loop's rounds are paths of
    their own."""

    products: tuple[str, ...]
    line: str
    kg_co2e: float
    percent: float
    origin: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Flow:
    """kg CO2e that `source` carries into `target`; below zero where it is a credit."""

    source: str
    target: str
    kg_co2e: float


@dataclass(frozen=True, slots=True)
class Sankey:
    """Nodes with the kg CO2e that pass through them, and the flows between them. What comes into a node leaves it again.

    Emissions enter from nodes ``stage: ...``; products below the cut-off are one node, `OTHER`; in a loop a flow goes round.
    """

    nodes: tuple[tuple[str, float], ...]
    flows: tuple[Flow, ...]


OTHER: Final = "other products"
Cause = Literal[
    "demand", "input added", "input removed", "input", "line added", "line removed", "line", "factor", "rule"
]


@dataclass(frozen=True, slots=True)
class Bar:
    """A step of a waterfall: what changed where, from what to what, and by how much the figure moves.

    `line` is the path of the line in its statement; empty for inputs and the denominator.
    """

    cause: Cause
    where: str
    what: str
    before: str
    after: str
    amount: float
    line: str = ""


@dataclass(frozen=True, slots=True)
class Waterfall:
    """From one result to another, kg CO2e per `unit`. The bars add up to `after - before`, largest first."""

    before: float
    after: float
    bars: tuple[Bar, ...]

    def largest(self, shown: int) -> tuple[tuple[Bar, ...], float]:
        """Return the first `shown` bars and the sum of the others."""
        return self.bars[:shown], math.fsum(bar.amount for bar in self.bars[shown:])


class Explanation:
    """A product system and a demand of `amount` units of one product, solved both ways; every figure is kg CO2e of that demand.

    Raises LoopError as `solve`. Meant for systems of some thousand processes.
    """

    def __init__(self, system: ProductSystem, product: int = 0, amount: float = 1.0) -> None:
        self.system = system
        self.product = product
        self.amount = amount
        self._compiled = compile_system(system.processes, system.links)
        self._direct = _per_process(system)
        #: What one unit of each product carries (kg CO2e).
        self.intensities = self._compiled.intensities(self._direct)
        self.total = float(self.intensities[product]) * amount

    @cached_property
    def scaling(self) -> Amounts:
        """How much of each product the demand takes, in product units."""
        wanted = np.zeros(len(self.system.processes))
        wanted[self.product] = self.amount
        return self._compiled.scale(wanted)

    @cached_property
    def weight(self) -> float:
        """Sum of the absolute contributions, which cut-offs are shares of."""
        return math.fsum(abs(float(self.scaling[burden.process]) * burden.kg_co2e) for burden in self.system.burdens)

    def tree(self, *, rows: int = TREE_ROWS, cut_off: float = CUT_OFF) -> tuple[TreeRow, ...]:
        """Return the contribution tree, the largest branches opened first until there are `rows` rows.

        Branches below `cut_off` of the absolute emissions are one rest row of their parent.
        """
        growing = _Growing(self)
        heap = [(-abs(self.total), 0)]
        while heap and len(growing.rows) < rows:
            number = heapq.heappop(heap)[1]
            for child in growing.open(number, cut_off * self.weight):
                row = growing.rows[child]
                if row.kind == "product" and not row.is_loop:
                    heapq.heappush(heap, (-abs(row.direct + row.upstream), child))
        return growing.in_reading_order()

    def paths(self, wanted: int = 20) -> tuple[SupplyPath, ...]:
        """Return the supply paths that carry most, at most `wanted`, the largest first (structural path analysis).

        Best first, bound by what all branches of a product carry in absolute figures.
        """
        bound = self._bound
        numbers = count()
        heap: list[tuple[float, int, tuple[int, ...], float, Burden | None]] = []
        first = -abs(self.amount) * float(bound[self.product])
        heapq.heappush(heap, (first, next(numbers), (self.product,), self.amount, None))
        found: list[SupplyPath] = []
        for _ in range(_MOST_STEPS):
            if not heap or len(found) == wanted:
                break
            _, _, steps, amount, burden = heapq.heappop(heap)
            if burden is not None:
                found.append(self._path(steps, amount * burden.kg_co2e, burden))
                continue
            process = steps[-1]
            for line in self._lines.get(process, ()):
                if kg := abs(amount * line.kg_co2e):
                    heapq.heappush(heap, (-kg, next(numbers), steps, amount, line))
            for supplier, taken in self._suppliers.get(process, {}).items():
                if most := abs(amount * taken) * float(bound[supplier]):
                    heapq.heappush(heap, (-most, next(numbers), (*steps, supplier), amount * taken, None))
        return tuple(found)

    def sankey(self, *, cut_off: float = CUT_OFF) -> Sankey:
        """Return the flows of kg CO2e through the supply chain; products that carry less than `cut_off` of all are merged."""
        names, carried = self.system.processes, self.scaling * self.intensities
        limit = cut_off * self.weight
        shown = [
            name if abs(kg) >= limit or number == self.product else OTHER
            for number, (name, kg) in enumerate(zip(names, carried.tolist(), strict=True))
        ]
        flows: dict[tuple[str, str], list[float]] = {}
        for burden in self.system.burdens:
            kg = float(self.scaling[burden.process]) * burden.kg_co2e
            flows.setdefault((f"stage: {burden.stage}", shown[burden.process]), []).append(kg)
        for link in self.system.links:
            ends = (shown[link.supplier], shown[link.consumer])
            if ends != (OTHER, OTHER):
                kg = float(self.scaling[link.consumer]) * link.amount * float(self.intensities[link.supplier])
                flows.setdefault(ends, []).append(kg)
        found = [Flow(source, target, math.fsum(kg)) for (source, target), kg in flows.items()]
        found = [flow for flow in found if flow.kg_co2e]
        through: dict[str, list[float]] = {}
        for flow in found:
            through.setdefault(flow.target, []).append(flow.kg_co2e)
            if flow.source.startswith("stage: "):
                through.setdefault(flow.source, []).append(flow.kg_co2e)
        return Sankey(tuple((name, math.fsum(kg)) for name, kg in through.items()), tuple(found))

    def percent(self, kg_co2e: float) -> float:
        """Return kg CO2e as per cent of the demand's total; 0 where that is zero."""
        return 100 * kg_co2e / self.total if self.total else 0.0

    @cached_property
    def _lines(self) -> Mapping[int, list[Burden]]:
        lines: dict[int, list[Burden]] = {}
        for burden in self.system.burdens:
            lines.setdefault(burden.process, []).append(burden)
        return lines

    @cached_property
    def _suppliers(self) -> Mapping[int, dict[int, float]]:
        """By consumer, how much it takes of each supplier's product per unit of its own."""
        taken: dict[int, dict[int, float]] = {}
        for link in self.system.links:
            of_one = taken.setdefault(link.consumer, {})
            of_one[link.supplier] = of_one.get(link.supplier, 0.0) + link.amount
        return taken

    @cached_property
    def _bound(self) -> Amounts:
        """What a unit of each product carries where credits count as burdens: no path below it carries more."""
        links = [Link(link.consumer, link.supplier, abs(link.amount)) for link in self.system.links]
        direct = np.zeros(len(self.system.processes))
        for burden in self.system.burdens:
            direct[burden.process] += abs(burden.kg_co2e)
        try:
            return compile_system(self.system.processes, links).intensities(direct)
        except LoopError:
            # A loop that only a credit keeps from taking all: the order is then by what is carried net.
            return np.abs(self.intensities)

    def _path(self, steps: Sequence[int], kg_co2e: float, burden: Burden) -> SupplyPath:
        products = tuple(self.system.processes[step] for step in steps)
        return SupplyPath(products, name_of(burden), kg_co2e, self.percent(kg_co2e), burden.origin)


class _Growing:
    """A tree while its rows are opened; a row's number is its place in `rows` until the reading order is known."""

    def __init__(self, explained: Explanation) -> None:
        self._of = explained
        self._processes: list[int | None] = []
        self._children: dict[int, list[int]] = {}
        self.rows: list[TreeRow] = []
        self._product(None, explained.product, explained.amount)

    def open(self, number: int, least: float) -> list[int]:
        """Add the children of a product: lines and suppliers of at least `least` kg CO2e, largest first, then their rest."""
        process, row = self._processes[number], self.rows[number]
        if process is None or row.amount is None:
            return []
        lines = [(row.amount * burden.kg_co2e, burden) for burden in self._of._lines.get(process, ())]  # noqa: SLF001
        suppliers = self._of._suppliers.get(process, {})  # noqa: SLF001
        taken = [(row.amount * a * float(self._of.intensities[s]), (s, row.amount * a)) for s, a in suppliers.items()]
        branches: list[tuple[float, Burden | tuple[int, float]]] = sorted(
            [*lines, *taken], key=lambda branch: -abs(branch[0])
        )
        if not branches:
            return []
        shown = [branch for branch in branches if abs(branch[0]) >= least]
        hidden = branches[len(shown) :]
        if len(hidden) == 1:
            shown, hidden = branches, []
        found = [self._branch(number, kg, which) for kg, which in shown]
        if hidden:
            kg = math.fsum(kg for kg, _ in hidden)
            found.append(self._add(number, None, kind="rest", name=f"{len(hidden)} more", direct=kg))
        self._children[number] = found
        return found

    def in_reading_order(self) -> tuple[TreeRow, ...]:
        found: list[TreeRow] = []
        waiting: list[tuple[int, int | None]] = [(0, None)]
        while waiting:
            old, parent = waiting.pop()
            row, children = self.rows[old], self._children.get(old, [])
            waiting += [(child, len(found)) for child in reversed(children)]
            found.append(
                TreeRow(
                    len(found), parent, row.depth, row.kind, row.name, row.amount, row.direct, row.upstream, row.percent,
                    bool(children), row.is_loop, row.is_sealed, row.origin,
                )
            )  # fmt: skip
        return tuple(found)

    def _branch(self, parent: int, kg: float, which: Burden | tuple[int, float]) -> int:
        if isinstance(which, Burden):
            sealed = bool(which.origin.get("sealed"))
            return self._add(
                parent, None, kind="line", name=name_of(which), direct=kg, is_sealed=sealed, origin=which.origin
            )
        return self._product(parent, *which)

    def _product(self, parent: int | None, process: int, amount: float) -> int:
        of = self._of
        lines = of._lines.get(process, ())  # noqa: SLF001
        direct = math.fsum(amount * burden.kg_co2e for burden in lines)
        return self._add(
            parent,
            process,
            kind="product",
            name=of.system.processes[process],
            amount=amount,
            direct=direct,
            upstream=amount * float(of.intensities[process]) - direct
            if of._suppliers.get(process)  # noqa: SLF001
            else 0.0,
            is_loop=process in self._above(parent),
            is_sealed=any(burden.origin.get("sealed") for burden in lines),
        )

    def _above(self, number: int | None) -> Iterator[int | None]:
        while number is not None:
            yield self._processes[number]
            number = self.rows[number].parent

    def _add(
        self,
        parent: int | None,
        process: int | None,
        *,
        kind: Literal["product", "line", "rest"],
        name: str,
        direct: float,
        upstream: float = 0.0,
        amount: float | None = None,
        is_loop: bool = False,
        is_sealed: bool = False,
        origin: Mapping[str, object] | None = None,
    ) -> int:
        depth = 0 if parent is None else self.rows[parent].depth + 1
        percent = self._of.percent(direct + upstream)
        number = len(self.rows)
        self.rows.append(
            TreeRow(
                number, parent, depth, kind, name, amount, direct, upstream, percent,
                False, is_loop, is_sealed, origin or {},
            )
        )  # fmt: skip
        self._processes.append(process)
        return number


def waterfall(
    before: Explanation, after: Explanation, *, units: tuple[float, float] = (1.0, 1.0), same_rules: bool = True
) -> Waterfall:
    """Return what leads from `before` to `after`, bar by bar; `units` divides each total (kWh of the denominator).

    The two demanded products count as one, other processes are the same where they have one name, lines where product and path, else
    product, list and name, agree. A process under another name is the same where it stands at the same place (`_same_places`).

    With s what `before` takes of each product, I what a unit carries in `after`, the difference is exactly

        (demand after - before) x I  +  sum of s x (change of an input) x I of its supplier  +  sum of s x (change of a line)

    so that inputs are valued at the suppliers of `after` and lines at the use of `before`. A line's amount changes at its old factor,
    then the factor at the new amount. Where the rules differ (`same_rules` False), another factor row is the rule's doing. Last comes
    the denominator, at the new total.
    """
    sides = (_Side.of(before), _Side.of(after))
    sides = (sides[0], sides[1].renamed(_same_places(*sides)))
    for here, there in (sides, sides[::-1]):
        there.add_unknown(here)
    names = tuple(dict.fromkeys([*sides[0].lines, *sides[1].lines]))
    scaling = sides[0].solved(names).scale(_ones_at(names, ROOT, before.amount))
    direct = np.array([math.fsum(burden.kg_co2e for burden in sides[1].lines[name]) for name in names])
    intensities = dict(zip(names, sides[1].solved(names).intensities(direct).tolist(), strict=True))
    bars = [
        Bar("demand", "demand", "amount", _figure(before.amount), _figure(after.amount), moved)
        for moved in [(after.amount - before.amount) * intensities[ROOT]]
    ]
    for name, used in zip(names, scaling.tolist(), strict=True):
        place = before.system.processes[before.product] if name == ROOT else name
        bars += _changed_inputs(place, used, sides[0].taken.get(name, {}), sides[1].taken.get(name, {}), intensities)
        bars += _changed_lines(place, used, sides[0].lines[name], sides[1].lines[name], same_rules=same_rules)
    least = _ROUNDING * (before.weight + after.weight)
    scaled = [replace(bar, amount=bar.amount / units[0]) for bar in bars if abs(bar.amount) > least]
    if units[0] != units[1]:
        moved = after.total / units[1] - after.total / units[0]
        scaled.append(Bar("rule", "denominator", "kWh", _figure(units[0]), _figure(units[1]), moved))
    scaled.sort(key=lambda bar: -abs(bar.amount))
    return Waterfall(before.total / units[0], after.total / units[1], tuple(scaled))


#: The demanded product of either side.
ROOT: Final = ""


@dataclass(frozen=True)
class _Side:
    """One of the two systems by names of products: the lines of each process, and what it takes per unit."""

    lines: dict[str, list[Burden]]
    taken: dict[str, dict[str, float]]

    @classmethod
    def of(cls, explained: Explanation) -> _Side:
        processes = explained.system.processes
        names = [ROOT if number == explained.product else name for number, name in enumerate(processes)]
        lines: dict[str, list[Burden]] = {name: [] for name in names}
        for burden in explained.system.burdens:
            lines[names[burden.process]].append(burden)
        taken: dict[str, dict[str, float]] = {}
        for link in explained.system.links:
            of_one = taken.setdefault(names[link.consumer], {})
            of_one[names[link.supplier]] = of_one.get(names[link.supplier], 0.0) + link.amount
        return cls(lines, taken)

    def renamed(self, names: Mapping[str, str]) -> _Side:
        """Return this side with other names of processes."""
        return _Side(
            {names.get(name, name): lines for name, lines in self.lines.items()},
            {
                names.get(name, name): {names.get(one, one): amount for one, amount in taken.items()}
                for name, taken in self.taken.items()
            },
        )

    def marks(self, name: str) -> frozenset[tuple[str, ...]]:
        """What a process is known by, whatever its name: its lines, by list and name, and what it takes."""
        lines = (_list_and_name(burden) for burden in self.lines[name])
        return frozenset([*lines, *((supplier,) for supplier in self.taken.get(name, ()))])

    def add_unknown(self, other: _Side) -> None:
        """Add the processes that only `other` has, as it has them; nothing here takes of them."""
        for name in other.lines.keys() - self.lines.keys():
            self.lines[name] = other.lines[name]
            self.taken[name] = other.taken.get(name, {})

    def solved(self, names: Sequence[str]) -> CompiledSystem:
        numbers = {name: number for number, name in enumerate(names)}
        links = [
            Link(numbers[c], numbers[s], amount) for c, of_one in self.taken.items() for s, amount in of_one.items()
        ]
        return compile_system(names, links)


def _same_places(before: _Side, after: _Side) -> dict[str, str]:
    """Which process of `after`, under a name of its own, stands where a process of `before` does: name in `after` -> in `before`.

    From the demanded product down, among what one process takes: two that only their side has are the same where all their lines and
    suppliers have the same names, else where they have one in common, and no other of the two sides could be meant.
    """
    found: dict[str, str] = {}
    waiting = [(ROOT, ROOT)]
    seen = set(waiting)
    while waiting:
        pair = waiting.pop(0)
        left, right = (side.taken.get(name, {}) for side, name in zip((before, after), pair, strict=True))
        old = [name for name in left if name not in after.lines and name not in found.values()]
        new = [name for name in right if name not in before.lines and name not in found]
        marked = [(a, b, before.marks(a), after.marks(b)) for a in old for b in new]
        pairs: list[tuple[str, str]] = []
        for alike in (
            [(a, b) for a, b, ours, theirs in marked if ours == theirs],
            [(a, b) for a, b, ours, theirs in marked if ours & theirs],
        ):
            left_over = [(a, b) for a, b in alike if a not in found.values() and b not in found]
            firsts, seconds = Counter(a for a, _ in left_over), Counter(b for _, b in left_over)
            only = [(a, b) for a, b in left_over if firsts[a] == seconds[b] == 1]
            found.update({b: a for a, b in only})
            pairs += only
        below = [*pairs, *((name, name) for name in left if name in right)]
        waiting += [one for one in dict.fromkeys(below) if one not in seen]
        seen.update(below)
    return found


def _changed_inputs(
    place: str, used: float, before: Mapping[str, float], after: Mapping[str, float], intensities: Mapping[str, float]
) -> Iterator[Bar]:
    for supplier in dict.fromkeys([*before, *after]):
        old, new = before.get(supplier, 0.0), after.get(supplier, 0.0)
        cause: Cause = (
            "input added" if supplier not in before else "input removed" if supplier not in after else "input"
        )
        moved = used * (new - old) * intensities[supplier]
        yield Bar(cause, place, supplier or place, _figure(old), _figure(new), moved)


def _changed_lines(
    place: str, used: float, before: Sequence[Burden], after: Sequence[Burden], *, same_rules: bool
) -> Iterator[Bar]:
    for old, new in _pairs(before, after):
        if old is None or new is None:
            line, sign = (new, 1.0) if old is None else (old, -1.0)
            if line is not None:
                cause: Cause = "line added" if old is None else "line removed"
                kg = _figure(line.kg_co2e)
                figures = ("", kg) if old is None else (kg, "")
                yield Bar(cause, place, name_of(line), *figures, sign * used * line.kg_co2e, _path(line)[0])
            continue
        path = _path(new)[0]
        factors = _factor(old), _factor(new)
        if not (factors[0].value and factors[1].value):
            moved = used * (new.kg_co2e - old.kg_co2e)
            yield Bar("line", place, name_of(new), _figure(old.kg_co2e), _figure(new.kg_co2e), moved, path)
            continue
        amounts = old.kg_co2e / factors[0].value, new.kg_co2e / factors[1].value
        by_amount = used * (amounts[1] - amounts[0]) * factors[0].value
        by_factor = used * (new.kg_co2e - amounts[1] * factors[0].value)
        yield Bar("line", place, name_of(new), _figure(amounts[0]), _figure(amounts[1]), by_amount, path)
        # The same row has the same value under all rules: another value of it is another release's.
        by_rule = not same_rules and factors[0].row != factors[1].row
        yield Bar(
            "rule" if by_rule else "factor", place, name_of(new), factors[0].text, factors[1].text, by_factor, path
        )


def _pairs(before: Sequence[Burden], after: Sequence[Burden]) -> Iterator[tuple[Burden | None, Burden | None]]:
    """Lines of one process that are the same in both: those of one path first, then those of one list and name, in order."""
    left, right = list(before), list(after)
    for key in (_path, _list_and_name):
        waiting: dict[tuple[str, ...], list[Burden]] = {}
        for burden in right:
            waiting.setdefault(key(burden), []).append(burden)
        unmatched = []
        for burden in left:
            if same := waiting.get(key(burden)):
                yield burden, same.pop(0)
            else:
                unmatched.append(burden)
        left, right = unmatched, [burden for found in waiting.values() for burden in found]
    yield from ((burden, None) for burden in left)
    yield from ((None, burden) for burden in right)


def _path(burden: Burden) -> tuple[str, ...]:
    return (str(burden.origin.get("line")), name_of(burden), burden.stage)


def _list_and_name(burden: Burden) -> tuple[str, ...]:
    line = str(burden.origin.get("line"))
    # Paths of statements are list/id with an id that is drawn anew; those of system files have names all along.
    return (line.partition("/")[0], name_of(burden))


@dataclass(frozen=True, slots=True)
class _Factor:
    row: str
    value: float
    text: str


def _factor(burden: Burden) -> _Factor:
    """The factor of a line, per base unit of its dimension; value 0 where it has none."""
    found = burden.origin.get("factor")
    if not isinstance(found, Mapping):
        return _Factor("", 0.0, "")
    row = f"{found['release']}/{found['row']}"
    per = str(found["unit"]).rpartition("/")[2]
    size = float(convert(Decimal(1), per, base_unit(per, where=row), where=row))
    return _Factor(row, float(str(found["value"])) / size, f"{found['value']} {found['unit']} ({row})")


def name_of(burden: Burden) -> str:
    """Return what people call a line: its name, flow or gas, else its path."""
    origin = burden.origin
    if origin.get("sealed"):
        return str(origin["line"])
    return str(origin.get("name") or origin.get("flow") or origin.get("gas") or origin.get("line") or burden.stage)


def _per_process(system: ProductSystem) -> Amounts:
    """kg CO2e that each process emits per unit of its product."""
    by_process: dict[int, list[float]] = {}
    for burden in system.burdens:
        by_process.setdefault(burden.process, []).append(burden.kg_co2e)
    direct = np.zeros(len(system.processes))
    for process, kg in by_process.items():
        direct[process] = math.fsum(kg)
    return direct


def _ones_at(names: Sequence[str], name: str, amount: float) -> Amounts:
    return np.array([amount if one == name else 0.0 for one in names])


def _figure(value: float) -> str:
    return f"{value:.6g}"

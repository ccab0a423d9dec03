"""The product system as arrays, and the passes over it.

A system has processes, one product each. `links` say how much of one process's product another takes per unit of its own;
`burdens` say what a process emits per unit of product (kg CO2e), each with its stage. Two passes share one layout:
`scale` solves ``s = (I - A)^-1 d``, how much of each product a demand takes (Heijungs & Suh 2002, chapter 2), and `intensities` its
transpose, what one unit of each product carries. Both run level by level in topological order; products that are made from each other
(scrap that returns into the cathode) are one component, and only inside a component is there a dense matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bom_graph.errors import LoopError

Indices = NDArray[np.int64]
Amounts = NDArray[np.float64]

MAX_LOOP = 4_000  # processes in one component: its dense matrix then takes 128 MB
#: Of all links, the share that a change may touch before the whole pass is cheaper than the walk to its ancestors.
_WALK_SHARE = 0.02
_FEW_LINKS = 1_000  # a walk over so few is never dearer


@dataclass(frozen=True, slots=True)
class Link:
    """Process `consumer` takes `amount` of `supplier`'s product per unit of its own product (indices into the processes)."""

    consumer: int
    supplier: int
    amount: float


@dataclass(frozen=True, slots=True)
class _Loop:
    """Processes made from each other, by their places in a pass, and the links among them (row: who receives)."""

    places: Indices
    links: Indices
    rows: Indices
    columns: Indices

    def matrix(self, amounts: Amounts) -> Amounts:
        """Return ``I - A`` among the processes, from the amounts of all links."""
        found = np.eye(len(self.places))
        np.subtract.at(found, (self.rows, self.columns), amounts[self.links])
        return found


class _Step(NamedTuple):
    """One level of a pass: the places `receivers` receive, each from its run of links; then the level's loops are solved.

    `starts` says where in the level's links each one's begin, `rows` whose each link is.
    """

    receivers: slice
    run: slice
    starts: Indices
    rows: Indices
    sources: Indices
    amounts: Amounts
    loops: tuple[tuple[_Loop, Amounts], ...]


@dataclass(frozen=True, slots=True)
class _Pass:
    """A pass over the links. Processes get places by level, so that those of a level that receive are neighbours.

    `order` holds the process at each place, `place` the place of each process; `links` are sorted by the place that receives, and those
    of place p run from `runs[p]` to `runs[p + 1]`.
    """

    order: Indices
    place: Indices
    runs: Indices
    links: Indices
    sources: Indices
    amounts: Amounts
    steps: tuple[_Step, ...]

    def run(self, given: Amounts) -> Amounts:
        """Return `given` with everything passed on: one value per process, or one row of values (draws, demands) per process."""
        found = given[self.order].astype(np.float64, copy=False)
        wide = found.ndim > 1
        take = found.take
        # A pack's pass takes as long as its calls do: few and plain ones. A single column has its own, twice as fast.
        for receivers, _, starts, rows, sources, amounts, loops in self.steps:
            received = found[receivers]
            if wide:
                received += np.add.reduceat(amounts[:, None] * take(sources, 0), starts)
            else:
                taken = take(sources)
                taken *= amounts
                received += np.bincount(rows, taken)
            for loop, matrix in loops:
                found[loop.places] = np.linalg.solve(matrix, found[loop.places])
        return take(self.place, 0)

    def run_draws(self, given: Amounts, amounts: Amounts) -> Amounts:
        """As `run`, but with amounts of its own in each column: one row of `amounts` per link of the system."""
        found = given[self.order].astype(np.float64, copy=False)
        for step in self.steps:
            taken = amounts[self.links[step.run]] * found[step.sources]
            found[step.receivers] += np.add.reduceat(taken, step.starts)
            for loop, _ in step.loops:
                for draw in range(found.shape[1]):
                    matrix = loop.matrix(amounts[:, draw])
                    if not _yields(matrix):
                        found[loop.places, draw] = np.nan
                        continue
                    found[loop.places, draw] = np.linalg.solve(matrix, found[loop.places, draw])
        return found[self.place]

    def again(self, found: Amounts, given: Amounts, processes: Indices) -> Amounts:
        """Return `found` with only these processes' values computed again from `given`; none of them stands in a loop."""
        result, given = found[self.order], given[self.order]
        places = np.sort(self.place[processes])
        for step in self.steps:
            begin, end = np.searchsorted(places, [step.receivers.start, step.receivers.stop])
            receiving = places[begin:end]
            counts = self.runs[receiving + 1] - self.runs[receiving]
            links = _ranges(self.runs[receiving], counts)
            taken = result[self.sources[links]]
            if found.ndim > 1:
                summed = np.add.reduceat(self.amounts[links, None] * taken, np.cumsum(counts) - counts)
            else:
                summed = np.bincount(np.repeat(np.arange(len(receiving)), counts), self.amounts[links] * taken)
            result[receiving] = given[receiving] + summed
        return result[self.place]


@dataclass(frozen=True)
class CompiledSystem:
    """A system ready for passes. `level` orders the processes: a supplier stands below all its consumers, but for loops."""

    names: Sequence[str]
    consumers: Indices
    suppliers: Indices
    amounts: Amounts
    level: Indices
    component: Indices

    @property
    def processes(self) -> int:
        """Number of processes."""
        return len(self.level)

    def scale(self, demand: Amounts) -> Amounts:
        """Return how much of each product the `demand` (per process, product units) takes in all, in product units.

        A two-dimensional `demand` holds one demand per column.
        """
        return self._down.run(demand)

    def scale_draws(self, demand: Amounts, amounts: Amounts) -> Amounts:
        """As `scale`, for links whose amounts differ from draw to draw: `amounts` has a row per link and a column per draw.

        NaN in the draws in which a loop takes as much as it makes.
        """
        return self._down.run_draws(np.repeat(demand[:, None], amounts.shape[1], axis=1), amounts)

    def intensities(self, direct: Amounts) -> Amounts:
        """Return what one unit of each product carries, from what each process emits per unit (`direct`, any unit).

        A two-dimensional `direct` holds one indicator, stage or draw per column.
        """
        return self._up.run(direct)

    def update(self, found: Amounts, direct: Amounts, changed: Sequence[int]) -> Amounts:
        """Return `intensities(direct)`, digit for digit, from `found`, the intensities before `direct` changed at `changed`.

        Only the changed processes and those made from them are computed again, or all where that is cheaper.
        """
        above = self._ancestors(changed)
        if above is None:
            return self.intensities(direct)
        before = found.copy()
        before[above] = direct[above]
        return self._up.again(before, direct, above)

    @cached_property
    def _down(self) -> _Pass:
        return self._pass(self.suppliers, self.consumers, self.level)

    @cached_property
    def _up(self) -> _Pass:
        return self._pass(self.consumers, self.suppliers, self.level.max(initial=0) - self.level)

    @cached_property
    def _in_loop(self) -> NDArray[np.bool_]:
        members = np.bincount(self.component, minlength=self.processes) > 1
        found = members[self.component]
        own = self.consumers[self.consumers == self.suppliers]
        found[own] = True
        return found

    @cached_property
    def _by_supplier(self) -> tuple[Indices, Indices]:
        order = _order(self.processes, self.suppliers)
        starts = np.searchsorted(self.suppliers[order], np.arange(self.processes + 1))
        return self.consumers[order], starts

    def _ancestors(self, changed: Sequence[int]) -> Indices | None:
        """The processes whose intensity depends on `changed`, or None where the whole pass is the cheaper or the only way."""
        consumers, starts = self._by_supplier
        frontier = np.unique(np.asarray(changed, dtype=np.int64))
        reached = np.zeros(self.processes, dtype=bool)
        reached[frontier] = True
        touched, limit = 0, max(_FEW_LINKS, int(_WALK_SHARE * len(self.amounts)))
        while len(frontier):
            if self._in_loop[frontier].any():
                return None
            counts = starts[frontier + 1] - starts[frontier]
            touched += int(counts.sum())
            if touched > limit:
                return None
            above = consumers[_ranges(starts[frontier], counts)]
            frontier = np.unique(above[~reached[above]])
            reached[frontier] = True
        return np.flatnonzero(reached)

    def _pass(self, targets: Indices, sources: Indices, level: Indices) -> _Pass:
        inside = self.component[targets] == self.component[sources]
        across = np.flatnonzero(~inside)
        counts = np.bincount(targets[across], minlength=self.processes)
        order = np.lexsort((counts == 0, level))
        place = np.empty_like(order)
        place[order] = np.arange(self.processes)
        links = across[_order(self.processes, place[targets[across]], place[sources[across]])]
        runs = np.concatenate([[0], np.cumsum(counts[order])])
        found, amounts = place[sources[links]], self.amounts[links]
        by_level: dict[int, list[tuple[_Loop, Amounts]]] = {}
        for loop, matrix in self._loops(np.flatnonzero(inside), place[targets], place[sources], order):
            by_level.setdefault(int(level[order[loop.places[0]]]), []).append((loop, matrix))
        receivers = np.bincount(level[counts > 0], minlength=int(level.max(initial=0)) + 1).tolist()
        steps = []
        for depth, begin in enumerate(np.searchsorted(level[order], np.arange(len(receivers))).tolist()):
            end = begin + receivers[depth]
            run = slice(int(runs[begin]), int(runs[end]))
            solved = tuple(by_level.get(depth, ()))
            if end > begin or solved:
                starts = runs[begin : end + 1] - runs[begin]
                rows = np.repeat(np.arange(end - begin), np.diff(starts))
                step = _Step(slice(begin, end), run, starts[:-1], rows, found[run], amounts[run], solved)
                steps.append(step)
        return _Pass(order, place, runs, links, found, amounts, tuple(steps))

    def _loops(
        self, inside: Indices, targets: Indices, sources: Indices, order: Indices
    ) -> Iterator[tuple[_Loop, Amounts]]:
        """The loops by places, each with its matrix, from the numbers of the links inside of them."""
        component = self.component[order[targets[inside]]]
        by_component = np.argsort(component, kind="stable")
        bounds = np.flatnonzero(np.diff(component[by_component], prepend=-1, append=-1))
        for begin, end in pairwise(bounds.tolist()):
            links = inside[by_component[begin:end]]
            places = np.unique(np.concatenate([targets[links], sources[links]]))
            if len(places) > MAX_LOOP:
                what = f"more than {MAX_LOOP} products are made from each other"
                raise self._loop_error(order[places], what, "cut the loop")
            rows, columns = np.searchsorted(places, targets[links]), np.searchsorted(places, sources[links])
            loop = _Loop(places, links, rows, columns)
            matrix = loop.matrix(self.amounts)
            if not _yields(matrix):
                what = "what a loop takes of its own products is at or above what it makes"
                raise self._loop_error(order[places], what, "correct the amounts: net output has to be above zero")
            yield loop, matrix

    def _loop_error(self, members: Indices, what: str, remedy: str) -> LoopError:
        shown = ", ".join(self.names[member] for member in members[:5])
        more = f" and {len(members) - 5} more" if len(members) > 5 else ""
        return LoopError(f"{what}: {shown}{more}", where=self.names[int(members[0])], remedy=remedy)


def compile_system(names: Sequence[str], links: Sequence[Link]) -> CompiledSystem:
    """Return the system of processes `names` (for messages) and `links` as arrays.

    Raises LoopError, naming the products, where a loop takes as much of a product as it makes, or more.
    """
    consumers = np.fromiter((link.consumer for link in links), dtype=np.int64, count=len(links))
    suppliers = np.fromiter((link.supplier for link in links), dtype=np.int64, count=len(links))
    amounts = np.fromiter((link.amount for link in links), dtype=np.float64, count=len(links))
    return compile_arrays(names, consumers, suppliers, amounts)


def compile_arrays(names: Sequence[str], consumers: Indices, suppliers: Indices, amounts: Amounts) -> CompiledSystem:
    """As `compile_system`, from edge arrays of equal length."""
    count = len(names)
    component = np.arange(count)
    level, left = _levels(count, consumers, suppliers)
    if left.any():
        component = _components(count, consumers, suppliers, left)
        across = component[consumers] != component[suppliers]
        level = _levels(count, component[consumers[across]], component[suppliers[across]])[0][component]
    system = CompiledSystem(names, consumers, suppliers, amounts, level, component)
    system._down  # noqa: B018, SLF001 - a loop that makes nothing is refused here, not in the first pass
    return system


def _levels(count: int, consumers: Indices, suppliers: Indices) -> tuple[Indices, NDArray[np.bool_]]:
    """Each process's level, the longest path from a process that nothing takes from (Kahn 1962, frontier by frontier).

    Also which processes got none: those in a loop and those below one.
    """
    order = _order(count, consumers)
    starts = np.concatenate([[0], np.cumsum(np.bincount(consumers, minlength=count))])
    taken = suppliers[order]
    waiting = np.bincount(suppliers, minlength=count)
    last = np.empty(count, dtype=np.int64)
    level = np.zeros(count, dtype=np.int64)
    frontier = np.flatnonzero(waiting == 0)
    depth = 0
    while len(frontier):
        depth += 1
        reached = taken[_ranges(starts[frontier], starts[frontier + 1] - starts[frontier])]
        np.subtract.at(waiting, reached, 1)
        ready = reached[waiting[reached] == 0]
        # A product that several of the frontier take is there several times: the last of them stands for all.
        seen = np.arange(len(ready))
        last[ready] = seen
        frontier = ready[last[ready] == seen]
        level[frontier] = depth
    return level, waiting > 0


def _order(bound: int, *keys: Indices) -> Indices:
    """The stable order by the first key, then by the next; all are from 0 to below `bound`.

    Sixteen bits at a time, which numpy sorts by counting: two to five times as fast as comparing whole numbers.
    """
    digits = range(0, max(bound, 1).bit_length(), 16)
    return np.lexsort([(key >> digit).astype(np.uint16) for key in reversed(keys) for digit in digits])


def _ranges(starts: Indices, counts: Indices) -> Indices:
    """The indices start, start + 1, ... of `counts` each, one run after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))


def _components(count: int, consumers: Indices, suppliers: Indices, left: NDArray[np.bool_]) -> Indices:
    """For each process the smallest number of its strongly connected component (Tarjan 1972, without recursion).

    Only processes in `left` can share one.
    """
    inside = left[consumers] & left[suppliers]
    order = _order(count, consumers[inside])
    starts = np.searchsorted(consumers[inside][order], np.arange(count + 1)).tolist()
    taken = suppliers[inside][order].tolist()
    component = np.arange(count)
    number: dict[int, int] = {}
    lowest: dict[int, int] = {}
    open_: list[int] = []
    is_open = set()
    for root in np.flatnonzero(left).tolist():
        if root in number:
            continue
        path: list[tuple[int, Iterator[int]]] = []
        waiting = [root]
        while waiting or path:
            if waiting:
                node = waiting.pop()
                number[node] = lowest[node] = len(number)
                open_.append(node)
                is_open.add(node)
                path.append((node, iter(taken[starts[node] : starts[node + 1]])))
            node, below = path[-1]
            for supplier in below:
                if supplier not in number:
                    waiting.append(supplier)
                    break
                if supplier in is_open:
                    lowest[node] = min(lowest[node], number[supplier])
            else:
                path.pop()
                if path:
                    lowest[path[-1][0]] = min(lowest[path[-1][0]], lowest[node])
                if lowest[node] == number[node]:
                    members = [open_.pop()]
                    while members[-1] != node:
                        members.append(open_.pop())
                    is_open.difference_update(members)
                    component[members] = min(members)
    return component


def _yields(matrix: Amounts) -> bool:
    """Whether ``I - A`` of a loop can be solved to what makes sense.

    For amounts that are not negative: whether some production of the loop leaves a net output of every product, that is whether the
    matrix is a non-singular M-matrix (Berman & Plemmons 1994, chapter 6, condition I27). With avoided products only that it can be solved.
    """
    try:
        made = np.linalg.solve(matrix, np.ones(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    off_diagonal = matrix - np.diag(np.diag(matrix))
    return bool(np.isfinite(made).all() and (off_diagonal.max(initial=0.0) > 0 or made.min(initial=1.0) > 0))

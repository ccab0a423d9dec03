"""The product system as arrays, and the pass that scales it to a demand.

A system has processes, one product each. `links` say how much of one process's product another takes per unit of its own;
`burdens` say what a process emits per unit of product (kg CO2e), each with its stage. The pass solves ``s = (I - A)^-1 d``
(Heijungs & Suh 2002, chapter 2) for systems without loops: processes in topological order, level by level, on arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bom_graph.errors import CycleError

Indices = NDArray[np.int64]
Amounts = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Link:
    """Process `consumer` takes `amount` of `supplier`'s product per unit of its own product (indices into the processes)."""

    consumer: int
    supplier: int
    amount: float


@dataclass(frozen=True, slots=True)
class CompiledSystem:
    """A system ready for passes: edges sorted by the supplier's level, one contiguous run for each supplier."""

    processes: int
    consumers: Indices
    amounts: Amounts
    #: For each level from the second on: (suppliers, first edge of each supplier's run, end of the level's edges).
    levels: tuple[tuple[Indices, Indices, int], ...]

    def scale(self, demand: Amounts) -> Amounts:
        """Return how much of each product the `demand` (per process, product units) takes in all, in product units."""
        scaling = demand.astype(np.float64, copy=True)
        for suppliers, starts, end in self.levels:
            begin = int(starts[0])
            taken = self.amounts[begin:end] * scaling[self.consumers[begin:end]]
            scaling[suppliers] += np.add.reduceat(taken, starts - begin)
        return scaling


def compile_system(names: Sequence[str], links: Sequence[Link]) -> CompiledSystem:
    """Return the system of processes `names` (for messages) and `links` as arrays.

    Raises CycleError, naming a cycle, where a product is made from itself.
    """
    consumers = np.fromiter((link.consumer for link in links), dtype=np.int64, count=len(links))
    suppliers = np.fromiter((link.supplier for link in links), dtype=np.int64, count=len(links))
    amounts = np.fromiter((link.amount for link in links), dtype=np.float64, count=len(links))
    return compile_arrays(names, consumers, suppliers, amounts)


def compile_arrays(names: Sequence[str], consumers: Indices, suppliers: Indices, amounts: Amounts) -> CompiledSystem:
    """As `compile_system`, from edge arrays of equal length."""
    level = _levels(names, consumers, suppliers)
    order = np.lexsort((consumers, suppliers, level[suppliers]))
    suppliers, consumers, amounts = suppliers[order], consumers[order], amounts[order]
    first = np.flatnonzero(np.diff(suppliers, prepend=-1))
    run_level = level[suppliers[first]]
    bounds = np.flatnonzero(np.diff(run_level, prepend=-1))
    levels = []
    for begin, end in pairwise([*bounds.tolist(), len(first)]):
        edges_end = int(first[end]) if end < len(first) else len(suppliers)
        levels.append((suppliers[first[begin:end]], first[begin:end], edges_end))
    return CompiledSystem(processes=len(names), consumers=consumers, amounts=amounts, levels=tuple(levels))


def _levels(names: Sequence[str], consumers: Indices, suppliers: Indices) -> Indices:
    """Return each process's level: the longest path from a process that nothing takes from (Kahn 1962, frontier by frontier)."""
    count = len(names)
    by_consumer = np.argsort(consumers, kind="stable")
    starts = np.searchsorted(consumers[by_consumer], np.arange(count + 1))
    waiting = np.bincount(suppliers, minlength=count)
    level = np.zeros(count, dtype=np.int64)
    frontier = np.flatnonzero(waiting == 0)
    done, depth = len(frontier), 0
    while len(frontier):
        depth += 1
        runs = [by_consumer[starts[node] : starts[node + 1]] for node in frontier]
        reached, times = np.unique(suppliers[np.concatenate(runs)], return_counts=True)
        waiting[reached] -= times
        frontier = reached[waiting[reached] == 0]
        level[frontier] = depth
        done += len(frontier)
    if done < count:
        raise _cycle(names, consumers, suppliers, waiting > 0)
    return level


def _cycle(names: Sequence[str], consumers: Indices, suppliers: Indices, left: NDArray[np.bool_]) -> CycleError:
    import networkx as nx  # noqa: PLC0415 - half a second that only the explanation of a cycle needs

    inside = left[consumers] & left[suppliers]
    graph = nx.DiGraph(zip(consumers[inside].tolist(), suppliers[inside].tolist(), strict=True))
    path = [edge[0] for edge in nx.find_cycle(graph)]
    shown = " -> ".join(names[node] for node in [*path, path[0]])
    return CycleError(
        f"a product is made from itself: {shown}",
        where=names[path[0]],
        remedy="correct the bill of materials that closes the cycle",
    )

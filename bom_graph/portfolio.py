"""A portfolio: many products that share suppliers, as one product system, computed again when factors change. Pure.

Nothing is assembled anew: the lines of the changed factor rows get their new values, and one pass over the compiled system gives what a
unit of every product carries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bom_graph.errors import FactorError
from bom_graph.factors import FactorRelease, FactorRow
from bom_graph.footprint import ProductSystem
from bom_graph.graph import Amounts, compile_system


@dataclass(frozen=True, slots=True)
class Change:
    """What one unit of a product carries (kg CO2e), before and after."""

    product: str
    before: float
    after: float


class Portfolio:
    """The `products` (process numbers) of a system, with what a unit of each carries.

    Lines keep their factor as `origin["factor"]` with `release`, `row`, `value` and `unit`, as results state it. Raises LoopError.
    """

    def __init__(self, system: ProductSystem, products: Sequence[int]) -> None:
        self._system = system
        self._products = tuple(products)
        self._compiled = compile_system(system.processes, system.links)
        self._process = np.fromiter((burden.process for burden in system.burdens), np.int64, len(system.burdens))
        self._kg = np.fromiter((burden.kg_co2e for burden in system.burdens), np.float64, len(system.burdens))
        self._users: dict[tuple[str, str], list[int]] = {}
        self._stated: dict[tuple[str, str], Mapping[str, Any]] = {}
        for number, burden in enumerate(system.burdens):
            factor: Any = burden.origin.get("factor")
            if factor is not None:
                key = (factor["release"], factor["row"])
                self._users.setdefault(key, []).append(number)
                self._stated.setdefault(key, factor)
        self._direct = self._sums(self._kg)
        self._intensities = self._compiled.intensities(self._direct)

    @property
    def footprints(self) -> dict[str, float]:
        """kg CO2e per unit of each product."""
        return {self._system.processes[n]: float(self._intensities[n]) for n in self._products}

    def after(self, releases: Sequence[FactorRelease]) -> Iterator[Change]:
        """Yield each product's footprint before and after `releases` take the place of those of their ids, in the order of the products.

        The figures stand when the first is yielded; a caller that counts them can show progress. Raises FactorError, before the first,
        where a release lacks a row that the system uses, or states it per another unit.
        """
        kg = self._kg.copy()
        changed: list[int] = []
        for release in releases:
            rows = {row.id: row for row in release.rows}
            for (name, row), users in self._users.items():
                if name == release.id:
                    ratio = _ratio(self._stated[name, row], rows.get(row), release)
                    if ratio != 1:
                        kg[users] *= ratio
                        changed += users
        touched = np.unique(self._process[changed]).tolist()
        found = self._compiled.update(self._intensities, self._sums(kg), touched) if touched else self._intensities
        for number in self._products:
            yield Change(self._system.processes[number], float(self._intensities[number]), float(found[number]))

    def _sums(self, kg: Amounts) -> Amounts:
        """kg CO2e of each process from those of its lines."""
        return np.asarray(np.bincount(self._process, kg, len(self._system.processes)), dtype=np.float64)


def _ratio(stated: Mapping[str, Any], row: FactorRow | None, release: FactorRelease) -> float:
    """The new value of a row over the one that the system was made with."""
    where = f"{release.id} {release.version}"
    if row is None:
        what, remedy = f"the release has no row {stated['row']!r} any more", "assemble the products that use it again"
        raise FactorError(what, where=where, remedy=remedy)
    if stated["unit"] != f"kg CO2e/{row.per}":
        what = f"row {row.id!r} is per {row.per}, it was {stated['unit']}"
        raise FactorError(what, where=where, remedy="assemble the products that use it again")
    old = float(stated["value"])
    if old == 0 and row.value != 0:
        what, remedy = f"row {row.id!r} was zero and isn't any more", "assemble the products that use it again"
        raise FactorError(what, where=where, remedy=remedy)
    return float(row.value) / old if old else 1.0

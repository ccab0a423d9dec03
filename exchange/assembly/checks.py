"""What is checked of a product system as a whole, once it is assembled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bom_graph import (
    ActivityData,
    BatteryModel,
    Composition,
    FactorRow,
    Finding,
    Footprint,
    Held,
    Measure,
    ProductFootprint,
    UnitError,
    compile_system,
    content_finding,
    convert,
    mixed_families,
    mixed_gwp_sets,
    plausible_range,
    recovered_finding,
    sealed_total,
)
from exchange.assembly.contents import Contents
from exchange.assembly.draft import ProductSystemDraft
from exchange.evidence import Entry

#: A signed total may differ so far from what the disclosed statements of its product come to: our limits, those of the balances.
_ATTESTED_SOFT, _ATTESTED_HARD = 0.02, 0.10


@dataclass
class Assembly(ProductSystemDraft):
    """An assembled product system, and what is found in it."""

    def check_sealed_totals(self) -> None:
        """Compare each sealed total with the background of the same material, or of any where nobody says which it is."""
        for number, (total, entry) in self.sealed.items():
            where = f"{self.names[number]}, signed footprint (entry {entry.index})"
            rows = self._background_of(number) or self._background
            self.findings += sealed_total(
                total, self.units[number], rows, self.rule_set.gates.plausible_range, where=where
            )

    def check_plausible_range(self) -> None:
        """Compare what activity data comes to, suppliers included, with the background of the same material, where that is known."""
        background = {number: self._background_of(number) for number in self.classes}
        if not any(background.values()):
            return
        gate = self.rule_set.gates.plausible_range
        for number, rows in background.items():
            found = plausible_range(
                float(self._totals[number]), self.units[number], rows, gate, where=self.names[number]
            )
            self._find(found)

    def _background_of(self, number: int) -> list[FactorRow]:
        """The rows of the same material as a product, as far as anybody says which it is."""
        # The consumers' word comes first: a supplier could choose a material to be compared with.
        own = {self.formulas[number]} if number in self.formulas else set()
        stated = self._said_to_be.get(number) or own
        return [row for row in self._background if row.flow in stated or row.composition in stated]

    def check_factors(self) -> None:
        """Refuse factors of several families in one figure, and say where GWP sets are mixed."""
        self.findings += mixed_families(self.factors, where=self.names[0] if self.names else "factors")
        self.findings += mixed_gwp_sets(self.factors, where=self.names[0] if self.names else "factors")

    def check_mass(self, product: str, model: BatteryModel) -> None:
        """Compare the pack's mass with what it is made of, as far as that is weighed."""
        mass = model.mass.to("kg", where="mass") if isinstance(model.mass, Measure) else Decimal(0)
        if mass <= 0 or not self.names or 0 in self._signed:
            return
        records = {number: [entry.record for entry in taken] for number, taken in self.taken.items()}
        content = Contents(self._numbers, self.units, records).of(0)
        where = f"{product} mass"
        self._find(content_finding(content.kg, mass, self.rule_set, by_bill=content.by_bill, where=where))

    def check_pack(self, product: str) -> None:
        """Say what would make a pack of a product that isn't taken for one: made as a cell and counted in pieces, or made of cells."""
        made_by = self.classes.get(0)
        of_cells = any(number and found == "cell_manufacturing" for number, found in self.classes.items())
        in_pieces = made_by == "cell_manufacturing" and self.units[0] == "piece"
        if 0 in self._signed or not (in_pieces or of_cells):
            return
        what = (
            f"not a pack as stated: made by {made_by or 'a process that is not known'}, counted in {self.units[0]}"
            f"{', of cells' if of_cells else ''}, no battery model: not divided, and distribution and end of life aren't asked for"
        )
        remedy = "where it is a pack, state its battery model and the process class pack_assembly"
        self._find([Finding("pack", "soft", product, what, remedy)])

    def check_recovered(self, footprint: Footprint) -> None:
        """Compare what is credited as recovered with what goes into the pack, all the way up, as far as the lines say what it is."""
        if not self._credited:
            return
        rows = {row.id: row for row in self._background}
        stages = {stage.id for stage in self.rule_set.stages}
        # What is missing below the pack may hold anything; a stage that is missing holds nothing.
        held = [Held(math.inf) for gap in self.gaps if gap.where not in stages]
        for part in footprint.contributions:
            origin = part.burden.origin
            if origin.get("sealed"):
                held.append(Held(math.inf))
            elif str(origin.get("line")).partition("/")[0] in ("inputs", "components") and not origin.get("forecast"):
                factor: Any = origin["factor"]
                kg = part.scaling * float(str(origin["amount_per_unit"]))
                row = rows.get(str(factor["row"]))
                # By its flow: the line's own name is whatever its maker calls it.
                held.append(
                    Held(kg, row.flow, row.composition) if row is not None and row.per == "kg" else Held(math.inf)
                )
        for name, kg, where in self._credited:
            self._find(recovered_finding(name, kg, held, self.rule_set, where=where))

    def check_unit(self, product: str, model: BatteryModel | None) -> None:
        """Refuse a pack that isn't counted in pieces: the denominator is the energy of one pack."""
        if model is not None and self.units and self.units[0] != "piece":
            what = f"the footprint is per {self.units[0]}, the battery model speaks of one pack"
            self._refuse("units", product, what, 'state the pack\'s output in "piece"')

    def check_attested(self) -> None:
        """Compare what a tier signed as its product's total with what its disclosed statements come to here, under the same rules.

        Only a reader who sees both learns of it. Where something is missing in the result, that may be the difference: a note.
        """
        for number, entry, stated in self._attested():
            found = float(self._totals[number])
            size = max(abs(found), abs(stated))
            apart = abs(found - stated) / size if size else 0.0
            if apart <= _ATTESTED_SOFT:
                continue
            self._use(entry)
            unit = self.units[number]
            what = (
                f"its maker signed {stated:.6g} kg CO2e per {unit} (entry {entry.index}); its disclosed statements come to {found:.6g}, "
                f"{100 * apart:.2g} % apart"
            )
            level: Any = "hard" if apart > _ATTESTED_HARD else "soft"
            if self.gaps:
                level, what = "note", f"{what}: something is missing here, which may be why"
            remedy = "ask its maker which of the two holds: one of them is to be superseded"
            self._find([Finding("attested_total", level, self.names[number], what, remedy)])

    def _attested(self) -> Iterator[tuple[int, Entry, float]]:
        """Yield each product that was assembled from activity data and has a signed total: number, entry, kg CO2e per unit."""
        for number, taken in self.taken.items():
            activity = next((one for one in taken if isinstance(one.record, ActivityData)), None)
            if activity is None or not isinstance(activity.record, ActivityData):
                continue
            for entry, record in self.evidence.about(self.names[number], ProductFootprint):
                if entry.statement.issuer != activity.statement.issuer or record.period != activity.record.period:
                    continue
                per = self._per_unit(number, record)
                if per is not None:
                    yield number, entry, per
                    break

    def _per_unit(self, number: int, record: ProductFootprint) -> float | None:
        """Return a signed total per unit of its product (kg of the dry formula), where it is whole and under the rules of this result."""
        name: Any = record.rule_set
        if not hasattr(name, "names") or not name.names(self.rule_set) or record.complete is not True:
            return None
        if not isinstance(record.total, Decimal) or not isinstance(record.declared_unit, Measure):
            return None
        try:
            amount = convert(
                record.declared_unit.amount, record.declared_unit.unit, self.units[number], where="declared_unit"
            )
        except UnitError:
            return None
        per = float(amount)
        if isinstance(record.composition, Composition) and self.units[number] == "kg":
            per *= record.composition.basis.dry(where="declared_unit")
        return float(record.total) / per

    @cached_property
    def _totals(self) -> NDArray[np.float64]:
        """kg CO2e that a unit of each product carries, suppliers included."""
        system = self.system()
        direct = np.zeros(len(self.names))
        for burden in system.burdens:
            direct[burden.process] += burden.kg_co2e
        return compile_system(system.processes, system.links).intensities(direct)

"""The denominators: how much energy a pack is said to deliver.

China (notice 551, cycle life by GB/T 31484): measured cumulative discharge energy of the pack up to the last tested cycle, else
rated energy x sum of per-cycle retention, by the trapezoid over the reported points; nothing beyond the test.
EU (draft delegated act of April 2024): usable energy x full cycles a year by vehicle class x service years, where the years are the
warranty's, or its kilometres turned into years, whichever is shorter. EverBatt: rated energy.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from bom_graph.errors import DeliveredEnergyError
from bom_graph.records import BatteryModel, CycleLife, CyclePoint, Lines, Measure, Sealed, Vehicle, Warranty
from bom_graph.rules import Denominator


@dataclass(frozen=True, slots=True)
class DeliveredEnergy:
    """kWh per pack, the formula with its numbers filled in, and which inputs are assumptions."""

    kwh: Decimal
    formula: str
    assumed: tuple[str, ...]


def delivered_energy(model: BatteryModel, denominator: Denominator) -> DeliveredEnergy:
    """Return the denominator of `model` in kWh per pack; DeliveredEnergyError names what is missing."""
    if denominator.kind == "tested_delivered_energy":
        return _tested(model)
    if denominator.kind == "service_life_energy":
        return _service_life(model, denominator)
    rated = _energy(model, "rated_energy")
    return DeliveredEnergy(rated, f"rated energy {_plain(rated)} kWh", _assumed(model, "rated_energy"))


def _tested(model: BatteryModel) -> DeliveredEnergy:
    measured = model.cumulative_discharge_energy
    if isinstance(measured, Sealed) or (measured is not None and isinstance(model.cycle_life, Sealed)):
        raise DeliveredEnergyError(
            "a measured cumulative discharge energy would come first, and it, or what it was measured on, is sealed",
            where="cumulative_discharge_energy",
            remedy="grant the whole battery model",
        )
    if measured is not None:
        if isinstance(model.cycle_life, CycleLife) and model.cycle_life.object != "pack":
            raise DeliveredEnergyError(
                f"cumulative discharge energy was measured on a {model.cycle_life.object}, not on the pack",
                where="cumulative_discharge_energy",
                remedy="leave it out, so that rated energy x retention is used, or state the pack's",
            )
        kwh = measured.to("kWh", where="cumulative_discharge_energy")
        return DeliveredEnergy(
            kwh,
            f"{measured.obtained} cumulative discharge energy {_plain(kwh)} kWh",
            _assumed(model, "cumulative_discharge_energy"),
        )
    rated = _energy(model, "rated_energy")
    points = _points(model)
    equivalent = sum(
        ((right.cycles - left.cycles) * (left.retention + right.retention) / 2 for left, right in pairwise(points)),
        Decimal(0),
    )
    formula = f"rated energy {_plain(rated)} kWh x {_plain(equivalent)} equivalent full cycles (trapezoid over {len(points)} points)"
    return DeliveredEnergy(rated * equivalent, formula, _assumed(model, "rated_energy", "cycle_life"))


def _points(model: BatteryModel) -> list[CyclePoint]:
    points = model.cycle_points
    if not isinstance(points, Lines) or not points.complete:
        raise DeliveredEnergyError(
            "the cycle-life points are missing or not fully disclosed",
            where="cycle_points",
            remedy="state cycles and retention of the test from cycle 0 to its end",
        )
    ordered = sorted(points, key=lambda point: point.cycles)
    if len(ordered) < 2 or ordered[0].cycles != 0:
        raise DeliveredEnergyError(
            "a single end point says nothing about the cycles before it",
            where="cycle_points",
            remedy="report at least cycle 0 and the last tested cycle",
        )
    if any(left.cycles == right.cycles for left, right in pairwise(ordered)):
        raise DeliveredEnergyError(
            "two points state the same cycle", where="cycle_points", remedy="keep one point per cycle count"
        )
    return ordered


def _service_life(model: BatteryModel, denominator: Denominator) -> DeliveredEnergy:
    usable = _energy(model, "usable_energy")
    vehicle_class = model.vehicle.category if isinstance(model.vehicle, Vehicle) else None
    cycles = denominator.full_cycles_per_year.get(vehicle_class) if vehicle_class is not None else None
    if cycles is None:
        raise DeliveredEnergyError(
            f"no full cycles a year are given for vehicle class {vehicle_class}",
            where="vehicle/class",
            remedy=f"state one of {', '.join(denominator.full_cycles_per_year)}",
        )
    years, how = _service_years(model, denominator.km_per_year.get(str(vehicle_class)))
    formula = f"usable energy {_plain(usable)} kWh x {_plain(cycles)} full cycles a year ({vehicle_class}) x {_plain(years)} years ({how})"
    assumed = _assumed(model, "usable_energy", "vehicle", "warranty")
    return DeliveredEnergy(usable * cycles * years, formula, assumed)


def _service_years(model: BatteryModel, km_per_year: Decimal | None) -> tuple[Decimal, str]:
    """Return the years and how they were found; kilometres a year are the rule's, else the battery model's."""
    warranty = model.warranty
    if not isinstance(warranty, Warranty):
        raise DeliveredEnergyError(
            "the warranty is missing", where="warranty", remedy="state years, and kilometres if any"
        )
    if warranty.km is None:
        return warranty.years, "warranty years"
    yearly, whose = (km_per_year, "the rule set's") if km_per_year is not None else (warranty.km_per_year, "as stated")
    if yearly is None:
        raise DeliveredEnergyError(
            "warranty kilometres can't be turned into years",
            where="warranty/km_per_year",
            remedy="state the kilometres a year that the rule gives",
        )
    by_distance = warranty.km / yearly
    if by_distance < warranty.years:
        return by_distance, f"{_plain(warranty.km)} km at {_plain(yearly)} km a year, {whose}"
    return warranty.years, "warranty years"


def _energy(model: BatteryModel, name: str) -> Decimal:
    measure = getattr(model, name)
    if not isinstance(measure, Measure):
        raise DeliveredEnergyError(f"{name} is missing or sealed", where=name, remedy="state it in kWh per pack")
    return measure.to("kWh", where=name)


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _assumed(model: BatteryModel, *names: str) -> tuple[str, ...]:
    return tuple(name for name in names if getattr(getattr(model, name), "obtained", None) == "assumed")

"""Reading the EverBatt tables from their folder, strictly: every figure by its name, an error that names file and row otherwise."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from bom_graph import UnitError
from bom_graph.units import read_unit

CITATION = "EverBatt 2023, SF-18-022, Argonne National Laboratory (background: GREET 2022, BatPaC 5.0)"
CHEMISTRIES = ("LFP", "NMC622", "NMC811")
_COLUMNS = {
    "bill_of_materials.csv": {"level", "item", *CHEMISTRIES},
    "cathode_recipes.csv": {"cathode", "input", "amount_per_kg_cathode", "unit", "formula"},
    "parameters.csv": {"parameter", "value"},
    "factors.csv": {"flow", "name", "geography", "source_value", "source_unit", "source_cells"},
    "expected_totals.csv": {"chemistry", "electricity", "pack_kg_co2e_per_kwh", "pack_mass_kg"},
}
_PARAMETERS = {
    *("cell_yield", "electrode_material_yield", "foil_yield", "separator_yield", "electrolyte_yield", "pet_yield"),
    *(
        "nmp_per_pvdf",
        "short_ton",
        "cells_per_module",
        "modules_per_pack",
        "pack_rated_energy",
        "pack_assembly_electricity",
    ),
}


class TablesError(Exception):
    """A table is missing, or a row of it can't be read; the message names file, row and remedy."""


@dataclass(frozen=True, slots=True)
class RecipeLine:
    """One line of a cathode's recipe: `amount` of `unit` per kg of cathode; `formula` as stated, empty for energy."""

    flow: str
    amount: Decimal
    unit: str
    formula: str


@dataclass(frozen=True, slots=True)
class Tables:
    """The five tables. Bills of materials are keyed by (level, item, chemistry)."""

    bill: dict[tuple[str, str, str], Decimal]
    recipes: dict[str, tuple[RecipeLine, ...]]
    parameters: dict[str, Decimal]
    factors: tuple[dict[str, str], ...]
    expected: tuple[dict[str, str], ...]

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """Return the tables in `folder`; TablesError names the first thing that is wrong."""
        bill = {
            (row["level"], row["item"], chemistry): _decimal(row[chemistry], "bill_of_materials.csv", row["item"])
            for row in _rows(folder / "bill_of_materials.csv")
            for chemistry in CHEMISTRIES
        }
        recipes: dict[str, list[RecipeLine]] = {}
        for row in _rows(folder / "cathode_recipes.csv"):
            recipes.setdefault(row["cathode"], []).append(_recipe_line(row))
        factors = tuple(_rows(folder / "factors.csv"))
        for row in factors:
            _decimal(row["source_value"], "factors.csv", row["flow"])
        return cls(
            bill=bill,
            recipes={cathode: tuple(lines) for cathode, lines in recipes.items()},
            parameters=_parameters(folder / "parameters.csv"),
            factors=factors,
            expected=tuple(_rows(folder / "expected_totals.csv")),
        )

    def amount(self, level: str, item: str, chemistry: str) -> Decimal:
        """Return a figure of the bill of materials; TablesError for an item or chemistry that it doesn't hold."""
        try:
            return self.bill[level, item, chemistry]
        except KeyError:
            raise TablesError(
                f"bill_of_materials.csv has no {level} item {item!r} for {chemistry}; known: {', '.join(CHEMISTRIES)}"
            ) from None


def _recipe_line(row: dict[str, str]) -> RecipeLine:
    amount = _decimal(row["amount_per_kg_cathode"], "cathode_recipes.csv", row["input"])
    try:
        stated = read_unit(row["unit"], where=f"cathode_recipes.csv, row {row['input']!r}")
    except UnitError as error:
        raise TablesError(str(error)) from None
    return RecipeLine(row["input"], stated.restate(amount), stated.unit, row["formula"])


def _parameters(path: Path) -> dict[str, Decimal]:
    found = {row["parameter"]: _decimal(row["value"], path.name, row["parameter"]) for row in _rows(path)}
    if missing := sorted(_PARAMETERS - found.keys()):
        raise TablesError(f"{path.name} lacks {', '.join(missing)}; restore it from the repository")
    return found


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TablesError(f"{path.name} can't be read: {error}; restore it from the repository") from None
    if not rows:
        raise TablesError(f"{path.name} has no rows; restore it from the repository")
    for number, row in enumerate(rows, 2):
        # A short line leaves members None, a long one puts the rest under None.
        held = {column for column, value in row.items() if column is not None and value is not None}
        if None in row or (missing := sorted(_COLUMNS[path.name] - held)):
            what = "has too many cells" if None in row else f"lacks {', '.join(missing)}"
            raise TablesError(f"{path.name}, line {number}: the row {what}; restore it from the repository")
    return rows


def _decimal(text: str | None, file: str, row: str) -> Decimal:
    try:
        value = Decimal(text or "")
    except InvalidOperation:
        raise TablesError(f"{file}, row {row!r}: {text!r} is not a decimal number") from None
    if not value.is_finite():
        raise TablesError(f"{file}, row {row!r}: {text!r} is not a finite number")
    return value

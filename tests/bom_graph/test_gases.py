"""Gases: their warming potentials are those of the source table, and each has the origins that it can have."""

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import pytest

from bom_graph import GasError, check_gas, column_of, gwp100
from bom_graph.gases import Gas

TABLE = Path(__file__).parents[2] / "examples" / "authorities" / "gwp100.csv"


def by_table() -> dict[tuple[str, str], Decimal]:
    """(gas as the table writes it, AR5 or AR6) -> value, methane by origin left out."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if "fossil" not in row["name"]]
    return {(row["name"].split()[1], row["id"].split("-")[1].upper()): Decimal(row["value"]) for row in rows}


@pytest.mark.parametrize("gas", [gas for gas in get_args(Gas) if gas != "CH4"])
@pytest.mark.parametrize("gwp_set", ["AR5", "AR6"])
def test_each_potential_is_the_table_s(gas: Any, gwp_set: Any) -> None:
    assert gwp100(gas, "fossil", gwp_set) == by_table()[gas.replace("-", ""), gwp_set]


@pytest.mark.parametrize(
    ("gas", "origin", "gwp_set", "value"),
    [
        ("CO2", "fossil", "AR6", "1"),
        ("CH4", "fossil", "AR6", "29.8"),
        ("CH4", "biogenic", "AR6", "27.0"),
        ("CH4", "fossil", "AR5", "28"),
        ("CH4", "biogenic", "AR5", "28"),
        ("N2O", "fossil", "AR5", "265"),
        ("N2O", "fossil", "AR6", "273"),
        ("SF6", "fossil", "AR5", "23500"),
        ("SF6", "fossil", "AR6", "25200"),
        ("NF3", "fossil", "AR5", "16100"),
        ("NF3", "fossil", "AR6", "17400"),
        ("CF4", "fossil", "AR6", "7380"),
        ("C2F6", "fossil", "AR6", "12400"),
        ("c-C4F8", "fossil", "AR6", "10200"),
        ("HFC-32", "fossil", "AR6", "771"),
        ("HFC-134a", "fossil", "AR5", "1300"),
        ("HFC-134a", "fossil", "AR6", "1530"),
        ("HFC-23", "fossil", "AR6", "14600"),
    ],
)
def test_potentials_as_printed_in_the_reports(gas: Any, origin: Any, gwp_set: Any, value: str) -> None:
    assert gwp100(gas, origin, gwp_set) == Decimal(value)


def test_every_gas_of_the_table_is_known() -> None:
    assert {name for name, _set in by_table()} == {gas.replace("-", "") for gas in get_args(Gas)}


@pytest.mark.parametrize(
    ("gas", "origin", "removal"),
    [
        ("SF6", "biogenic", False),
        ("HFC-23", "land_use_change", False),
        ("CO2", "fossil", True),
        ("CH4", "biogenic", True),
    ],
)
def test_what_a_gas_cannot_be(gas: Any, origin: Any, removal: bool) -> None:
    with pytest.raises(GasError) as caught:
        check_gas(gas, origin, removal=removal, where="direct_emissions/a")
    assert caught.value.where == "direct_emissions/a"


def test_columns() -> None:
    assert column_of("fossil", removal=False) == "fossil"
    assert column_of("biogenic", removal=False) == "biogenic_emission"
    assert column_of("biogenic", removal=True) == "biogenic_removal"
    assert column_of("land_use_change", removal=False) == "land_use_change"
    assert column_of("aircraft", removal=False) == "aircraft"

"""Amounts and units: exact inside a dimension, refused across dimensions, and nothing but decimal strings."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import UnitError, convert, dimension, format_amount
from bom_graph.quantities import UNITS, parse_amount

DIMENSIONS = {
    "mass": {"kg", "g", "mg", "t", "short_ton", "lb"},
    "energy": {"kWh", "Wh", "MWh", "GWh", "MJ", "GJ", "TJ", "MMBtu"},
    "volume": {"m3", "L"},
    "distance": {"km"},
    "transport work": {"t.km", "kg.km"},
    "pieces": {"piece"},
}
# amount, unit, other unit, amount in it by definition: SI Brochure (9th edition), NIST SP 811 appendix B.
CONVERSIONS = [
    ("1", "t", "kg", "1000"),
    ("2.5", "g", "mg", "2500"),
    ("1", "short_ton", "kg", "907.18474"),
    ("1", "short_ton", "lb", "2000"),
    ("1", "lb", "kg", "0.45359237"),
    ("1", "kWh", "MJ", "3.6"),
    ("3.6", "GJ", "MWh", "1"),
    ("1", "TJ", "GJ", "1000"),
    ("1", "GWh", "Wh", "1000000000"),
    ("1", "MMBtu", "MJ", "1055.05585262"),
    ("1", "m3", "L", "1000"),
    ("1", "t.km", "kg.km", "1000"),
    ("7", "km", "km", "7"),
]
BAD_DECIMALS = {
    "a JSON number": 12.5,
    "an integer": 12,
    "a truth value": True,
    "nothing": None,
    "empty": "",
    "a space in front": " 1",
    "a line feed behind": "1\n",
    "a comma": "1,5",
    "an underscore": "1_000",
    "a plus sign": "+1",
    "a leading zero": "01",
    "no digit before the point": ".5",
    "no digit behind the point": "1.",
    "not a number": "NaN",
    "infinite": "Infinity",
    "three exponent digits": "1E100",
    "a small e": "1e5",
    "Arabic-Indic digits": "١٢",
    "too long": "1" * 49,
    "not finite": Decimal("sNaN"),
}


def test_each_unit_has_its_dimension() -> None:
    assert {unit: dimension(unit, where="unit") for unit in UNITS} == {
        unit: name for name, units in DIMENSIONS.items() for unit in units
    }


@pytest.mark.parametrize(("amount", "unit", "other", "expected"), CONVERSIONS)
def test_a_conversion_is_exact(amount: str, unit: str, other: str, expected: str) -> None:
    assert convert(Decimal(amount), unit, other, where="line") == Decimal(expected)


def test_a_short_ton_is_no_tonne() -> None:
    """Read as a tonne, a figure per short ton comes out 9.3 % low."""
    assert convert(Decimal(1), "short_ton", "t", where="line") == Decimal("0.90718474")


def test_a_million_british_thermal_units_is_no_gigajoule() -> None:
    """Read as a gigajoule, a figure per MMBtu comes out 5.5 % off."""
    assert convert(Decimal(1), "MMBtu", "GJ", where="line") == Decimal("1.05505585262")


@given(st.decimals("1e-6", "1e9", places=6), st.sampled_from(sorted(UNITS)), st.data())
def test_there_and_back_gives_the_amount(amount: Decimal, unit: str, data: st.DataObject) -> None:
    other = data.draw(st.sampled_from(sorted(DIMENSIONS[UNITS[unit][0]])))
    back = convert(convert(amount, unit, other, where="there"), other, unit, where="back")
    assert abs(back - amount) <= amount * Decimal("1e-32")


@pytest.mark.parametrize(("unit", "other"), [("kWh", "kg"), ("piece", "kg"), ("L", "kg"), ("t.km", "t"), ("km", "m3")])
def test_dimensions_do_not_convert(unit: str, other: str) -> None:
    with pytest.raises(UnitError) as caught:
        convert(Decimal(1), unit, other, where="inputs/a")
    assert caught.value.where == "inputs/a"
    assert UNITS[unit][0] in caught.value.what
    assert UNITS[other][0] in caught.value.what


ODD_UNITS = "tonne ton KG kwh Mt long_ton Btu MBtu mmbtu MMBTU therm T tkm ton.mile"


@pytest.mark.parametrize("unit", [*ODD_UNITS.split(), "", "kg "])
def test_an_unknown_unit_is_refused_with_the_known_ones(unit: str) -> None:
    with pytest.raises(UnitError, match="short_ton"):
        dimension(unit, where="unit")


@pytest.mark.parametrize("value", BAD_DECIMALS.values(), ids=BAD_DECIMALS.keys())
def test_what_is_no_decimal_string_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="decimal string"):
        parse_amount(value)


@pytest.mark.parametrize("text", ["0", "-0.5", "12.50", "1E+3", "1E-12", "9" * 48])
def test_a_decimal_string_keeps_its_value(text: str) -> None:
    assert parse_amount(text) == Decimal(text)
    assert parse_amount(parse_amount(text)) == Decimal(text)


def test_an_amount_is_written_without_exponent() -> None:
    assert format_amount(Decimal("1E+3")) == "1000"
    assert format_amount(Decimal("1E-7")) == "0.0000001"
    assert format_amount(Decimal("1.50")) == "1.50"

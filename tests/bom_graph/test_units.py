"""What spreadsheets call units: read where it has one meaning, refused with the ways out where it has two; pint agrees."""

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pint import UnitRegistry

from bom_graph import UnitError
from bom_graph.quantities import UNITS
from bom_graph.units import _NAMES, StatedUnit, read_unit

#: our unit -> how people write it
SPELLINGS = {
    "kg": ("kilogram", "Kilograms", "KG", "Kg", "kgs"),
    "g": ("gram", "grams"),
    "mg": ("milligram",),
    "t": ("tonne", "TONNES", "metric ton", "Metric Tons", "metric-ton", "Mg"),
    "short_ton": ("short ton", "Short-tons", "SHORT TONS"),
    "lb": ("lbs", "LB", "pound", "pounds"),
    "kWh": ("kilowatt hour", "kilowatt-hours", "kW h", "kW*h", "kW·h", "KWH", "kwh"),
    "Wh": ("watt hour",),
    "MWh": ("megawatt hours", "MWH"),
    "GWh": ("GWH",),
    "MJ": ("megajoule", "Megajoules"),
    "GJ": ("gigajoule",),
    "TJ": ("terajoules",),
    "MMBtu": ("mmBTU", "MMBTU", "mmbtu", "million Btu", "Million BTU"),
    "m3": ("m^3", "m³", "m**3", "cubic metre", "Cubic meters", "m*m*m"),
    "L": ("l", "litre", "Litres", "liter"),
    "km": ("kilometre", "kilometers", "KM"),
    "t.km": ("t*km", "t km", "tkm", "tonne.km", "tonne-kilometres", "metric ton km"),
    "kg.km": ("kg km", "kilogram kilometre"),
    "piece": ("pieces", "pcs", "PCS"),
}
#: How it is written -> our unit, and how much of it, by definition: SI Brochure (9th edition), NIST SP 811 appendix B.
OTHERS = {
    "long ton": ("kg", "1016.0469088"),
    "kt": ("kg", "1E6"),
    "kilotonne": ("kg", "1E6"),
    "kJ": ("MJ", "0.001"),
    "J": ("MJ", "0.000001"),
    "millijoule": ("MJ", "1E-9"),
    "milliwatt hour": ("kWh", "1E-6"),
    "TWh": ("kWh", "1E9"),
    "ml": ("m3", "1E-6"),
    "cm3": ("m3", "1E-6"),
    "mile": ("km", "1.609344"),
    "metre": ("km", "0.001"),
    "short ton mile": ("t.km", "1.45997231821056"),
}
#: How it is written -> what the refusal says, and what its remedy names.
REFUSED = {
    **dict.fromkeys(
        ("ton", "Tons", "TON", "kiloton", "ton km", "ton-mile"),
        ("a short, a long or a metric ton", "metric ton (tonne"),
    ),
    **dict.fromkeys(("MBtu", "MBTU", "mbtu"), ("a thousand or a million British thermal units", "MMBtu")),
    **dict.fromkeys(("Btu", "BTU"), ("several definitions", "MMBtu")),
    **dict.fromkeys(("mWh", "mwh"), ("milliwatt-hours as SI writes it", "MWh")),
    **dict.fromkeys(("mt", "MT", "T"), ("a metric ton to some", "tonne")),
    "mJ": ("would be a millijoule", "M for a million"),
    **dict.fromkeys(("degC", "°C", "celsius", "kelvin"), ("is a temperature", "state amounts")),
    **dict.fromkeys(("%", "percent", "ppm", "count"), ("has no dimension", "with its unit")),
    **dict.fromkeys(("kWh/kg", "kg per kWh"), ("ratio of two units", "apart")),
    **dict.fromkeys(("kW", "hours", "m2", "t^2", "kWh kWh"), ("is no unit of mass, energy", "one of these")),
    **dict.fromkeys(("CNY", "Nm3", "gallon", "kcal", "j", "short"), ("isn't known", "short_ton")),
    **dict.fromkeys(("1000 kg", "12", "9**9**9", "kg^-1", "kg)", "m^10"), ("can't be read", "names of units")),
    **dict.fromkeys(("", " ", "kg " * 40), ("is no unit", "such as kg")),
}
#: In which pint measures what we measure in kg, metres, kWh and hours.
PINTS_BASE = ("kilogram", "meter", "kilowatt_hour", "hour")
PINT: UnitRegistry[float] = UnitRegistry()
PINTS_NAMES = {unit: unit for unit in UNITS} | {
    "MMBtu": "1e6 * Btu_it",
    "m3": "meter**3",
    "t.km": "metric_ton * kilometer",
    "kg.km": "kilogram * kilometer",
}
PINTS_UNIT = {
    "mass": "kilogram", "energy": "kilowatt_hour", "volume": "meter**3", "distance": "kilometer",
    "transport work": "metric_ton * kilometer",
}  # fmt: skip


@pytest.mark.parametrize(("text", "unit"), [(text, unit) for unit in SPELLINGS for text in (unit, *SPELLINGS[unit])])
def test_a_spelling_is_our_unit_and_nothing_else(text: str, unit: str) -> None:
    assert read_unit(f" {text} ", where="cell B2") == StatedUnit(unit, Fraction(1))


def test_every_unit_of_ours_is_read() -> None:
    assert SPELLINGS.keys() == UNITS.keys()


@pytest.mark.parametrize(("text", "unit", "factor"), [(text, *meant) for text, meant in OTHERS.items()])
def test_another_unit_is_so_much_of_ours_exactly(text: str, unit: str, factor: str) -> None:
    assert read_unit(text, where="cell B2") == StatedUnit(unit, Fraction(factor))


@pytest.mark.parametrize(("text", "what", "remedy"), [(text, *said) for text, said in REFUSED.items()])
def test_what_has_two_meanings_or_none_is_refused(text: str, what: str, remedy: str) -> None:
    with pytest.raises(UnitError) as caught:
        read_unit(text, where="cell B2")
    assert what in caught.value.what
    assert remedy in caught.value.remedy
    assert caught.value.where == "cell B2"


@pytest.mark.parametrize("cell", [None, 12.5, float("nan"), b"kg"])
def test_a_cell_that_is_no_text_is_refused(cell: object) -> None:
    with pytest.raises(UnitError, match="is no unit"):
        read_unit(cell, where="cell B2")


def test_each_remedy_for_a_ton_is_read() -> None:
    kilograms = {"short ton": "907.18474", "long ton": "1016.0469088", "metric ton": "1000"}
    for text, kg in kilograms.items():
        stated = read_unit(text, where="cell B2")
        assert stated.factor * UNITS[stated.unit][1] == Fraction(kg)
        with pytest.raises(UnitError) as caught:
            read_unit("ton", where="cell B2")
        assert text in caught.value.remedy


def test_an_amount_is_restated_exactly() -> None:
    assert read_unit("long ton", where="x").restate(Decimal("2.5")) == Decimal("2540.117272")
    assert read_unit("kJ", where="x").restate(Decimal(3600)) == Decimal("3.6")
    assert str(read_unit("tonne", where="x").restate(Decimal("1.50"))) == "1.50"


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "piece"])
def test_pint_agrees_with_our_exact_factor(unit: str) -> None:
    """pint counts no pieces. Its British thermal unit without a name behind it is another one than ours (ISO, 1055.056 J)."""
    dimension, factor = UNITS[unit]
    theirs = PINT(PINTS_NAMES[unit]).to_base_units()
    base = PINT(PINTS_UNIT[dimension]).to_base_units()
    assert theirs.units == base.units
    assert theirs.magnitude / base.magnitude == pytest.approx(float(factor), rel=1e-9)


@pytest.mark.parametrize("name", sorted(_NAMES))
def test_pint_agrees_with_what_a_name_is_worth(name: str) -> None:
    powers, worth = _NAMES[name]
    base = PINT.Quantity(1)
    for unit, power in zip(PINTS_BASE, powers, strict=False):
        base = base * PINT.Quantity(1, unit) ** power
    assert PINT.Quantity(1, name).to(base.units).magnitude == pytest.approx(float(worth), rel=1e-9)


WORDS = st.sampled_from(
    ["ton", "t", "k", "m", "M", "Wh", "kg", "Btu", "metric", "cubic", "per", "9", "^", "-", ".", "*", " ", "°", "³"]
)


@given(st.one_of(st.text(max_size=70), st.lists(WORDS, max_size=12).map("".join)))
def test_nothing_else_leaves_than_a_unit_or_our_error(text: str) -> None:
    try:
        stated = read_unit(text, where="cell B2")
    except UnitError:
        return
    assert stated.unit in UNITS
    assert stated.factor > 0


def test_the_base_install_needs_no_pint() -> None:
    code = "import sys; sys.modules['pint'] = None; import bom_graph, exchange.verification, exchange.assembly"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)

"""How figures are written: twelve significant digits kept, half to even when printed."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import half_even, stored


@pytest.mark.parametrize(
    ("value", "decimals", "printed"),
    [
        ("0.0842325", 6, "0.084232"),
        ("0.0842335", 6, "0.084234"),
        ("0.08423250001", 6, "0.084233"),
        ("-0.5", 0, "-0"),
        ("1.5", 0, "2"),
        ("2.5", 0, "2"),
        ("3", 2, "3.00"),
    ],
)
def test_a_tie_goes_to_the_even_digit(value: str, decimals: int, printed: str) -> None:
    """GB/T 8170-2008, clause 3."""
    assert half_even(Decimal(value), decimals) == printed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (75.80908225931712, "75.8090822593"),
        (7580.908225931712, "7580.90822593"),
        (1 / 3, "0.333333333333"),
        (1e-7, "0.0000001"),
        (1.25e15, "1250000000000000"),
        (-2 / 3, "-0.666666666667"),
    ],
)
def test_twelve_digits_are_stored(value: float, text: str) -> None:
    assert stored(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_figure_is_stored_and_printed_as_a_plain_decimal(value: float) -> None:
    text = stored(value)
    assert "E" not in text
    assert float(text) == pytest.approx(value, rel=1e-11, abs=0)
    assert stored(float(text)) == text
    assert len(half_even(Decimal(text), 6).partition(".")[2]) == 6

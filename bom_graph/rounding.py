"""How figures are written: stored with 12 significant digits, printed once at the end by the rule set's rounding."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

STORED_DIGITS = 12
#: Digits of the largest double written out, and room for the decimals.
_ALL_DIGITS = 400


def stored(value: float) -> str:
    """Return `value` as a decimal string of at most 12 significant digits (the form in results and signed footprints)."""
    with localcontext() as context:
        context.prec = STORED_DIGITS
        rounded = +Decimal(repr(float(value)))
    return format(rounded.normalize() if rounded else Decimal(0), "f")


def half_even(value: Decimal, decimals: int) -> str:
    """Return `value` rounded to `decimals` places, ties to even (GB/T 8170-2008, clause 3)."""
    with localcontext() as context:
        context.prec = _ALL_DIGITS
        return format(value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN), "f")

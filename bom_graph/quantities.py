"""Amounts with units: exact conversion inside a dimension, refusal across dimensions.

Factors are exact by definition: SI Brochure (9th edition) for the metric ones, NIST SP 811 appendix B for the short ton,
the pound and the British thermal unit (International Table). A short ton, a tonne and a long ton are three units with three names.
"""

from __future__ import annotations

import re
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from bom_graph.errors import UnitError

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(E[+-]?[0-9]{1,2})?", re.ASCII)
_MAX_DECIMAL_CHARACTERS = 48

#: unit -> (dimension, factor to the dimension's base unit)
UNITS: dict[str, tuple[str, Fraction]] = {
    "kg": ("mass", Fraction(1)),
    "g": ("mass", Fraction(1, 1000)),
    "mg": ("mass", Fraction(1, 1_000_000)),
    "t": ("mass", Fraction(1000)),
    "short_ton": ("mass", Fraction("907.18474")),
    "lb": ("mass", Fraction("0.45359237")),
    "kWh": ("energy", Fraction(1)),
    "Wh": ("energy", Fraction(1, 1000)),
    "MWh": ("energy", Fraction(1000)),
    "GWh": ("energy", Fraction(1_000_000)),
    "MJ": ("energy", Fraction(10, 36)),
    "GJ": ("energy", Fraction(10_000, 36)),
    "TJ": ("energy", Fraction(10_000_000, 36)),
    "MMBtu": ("energy", Fraction("1055.05585262") * Fraction(10, 36)),
    "m3": ("volume", Fraction(1)),
    "L": ("volume", Fraction(1, 1000)),
    "km": ("distance", Fraction(1)),
    "t.km": ("transport work", Fraction(1)),
    "kg.km": ("transport work", Fraction(1, 1000)),
    "piece": ("pieces", Fraction(1)),
}


def parse_amount(value: object) -> Decimal:
    """Return the decimal that the string `value` states.

    Signed amounts are decimal strings, never JSON numbers, so that no reader rounds them. Raises ValueError (pydantic's protocol).
    """
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if not isinstance(value, str):
        raise ValueError('an amount is a decimal string such as "12.5"')  # noqa: TRY004 - pydantic reports ValueError
    if len(value) > _MAX_DECIMAL_CHARACTERS or not _DECIMAL.fullmatch(value):
        raise ValueError(f"not a decimal string of at most {_MAX_DECIMAL_CHARACTERS} characters")
    return Decimal(value)


def format_amount(value: Decimal) -> str:
    """Return `value` as the plain decimal string that signed data carries."""
    return format(value, "f")


Amount = Annotated[
    Decimal,
    BeforeValidator(parse_amount),
    PlainSerializer(format_amount, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DECIMAL.pattern}$", "maxLength": _MAX_DECIMAL_CHARACTERS}),
]


def dimension(unit: str, *, where: str) -> str:
    """Return the dimension of `unit`; raise UnitError where it is unknown."""
    try:
        return UNITS[unit][0]
    except KeyError:
        known = ", ".join(UNITS)
        raise UnitError(f"unknown unit {unit!r}", where=where, remedy=f"use one of {known}") from None


def base_unit(unit: str, *, where: str) -> str:
    """Return the unit that its dimension is counted in, for instance kWh for MJ; raise UnitError where it is unknown."""
    wanted = dimension(unit, where=where)
    return next(name for name, (of, ratio) in UNITS.items() if of == wanted and ratio == 1)


def convert(amount: Decimal, unit: str, to: str, *, where: str) -> Decimal:
    """Return `amount` of `unit` in unit `to`, to 34 significant digits; UnitError across dimensions."""
    source, target = dimension(unit, where=where), dimension(to, where=where)
    if source != target:
        raise UnitError(
            f"{unit} is {source}, {to} is {target}",
            where=where,
            remedy=f"state the amount in a unit of {target}",
        )
    if unit == to:
        return amount
    ratio = UNITS[unit][1] / UNITS[to][1]
    with localcontext() as context:
        context.prec = 34
        return amount * ratio.numerator / ratio.denominator

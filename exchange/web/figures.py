"""How figures and names are written on the pages: decimals that line up, narrow spaces between thousands, no exponents.

Figures come as the decimal strings of a result document. They are shortened for the eye only; the document has all digits.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from urllib.parse import urlsplit

from exchange.report import MISSING

NARROW = "\u202f"
_DIGITS = 7
_MOST_DECIMALS = 12
_ALL_DIGITS = Context(prec=400, rounding=ROUND_HALF_EVEN)


def fixed(value: str, decimals: int) -> str:
    """Return `value` with so many decimals; what rounds to zero but is not is written ``<0.001``."""
    exact = Decimal(value)
    last = Decimal(1).scaleb(-decimals)
    rounded = exact.quantize(last, context=_ALL_DIGITS)
    if exact > 0 and not rounded:
        return f"<{format(last, 'f')}"
    return _spaced(rounded + 0)


def short(value: str) -> str:
    """Return `value` with at most 7 significant digits behind the point, trailing zeros dropped."""
    exact = Decimal(value)
    decimals = max(0, min(_MOST_DECIMALS, _DIGITS - 1 - exact.adjusted())) if exact else 0
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), context=_ALL_DIGITS)
    text = _spaced(rounded + 0)
    return text.rstrip("0").rstrip(".") if "." in text else text


def decimals_for(largest: str | None) -> int:
    """Return how many decimals a column needs in which `largest` has 7 significant digits; none where nothing was computed."""
    exact = Decimal(largest or 0)
    return max(0, min(_MOST_DECIMALS, _DIGITS - 1 - exact.adjusted())) if exact else 0


def decimals_of(printed: str) -> int:
    """Return how many decimals a printed figure has."""
    return len(printed.partition(".")[2])


def percent(value: str, decimals: int = 2) -> str:
    """Return a percentage with its sign."""
    return f"{fixed(value, decimals)}{NARROW}%"


def round_percent(value: str) -> str:
    """Return a percentage to a tenth, whole where it is whole: ``100 %``, ``32.5 %``."""
    text = fixed(value, 1)
    return f"{text.removesuffix('.0')}{NARROW}%"


def grouped(printed: str) -> str:
    """Return a printed figure, digit for digit, with spaces between thousands; ``missing`` as it is."""
    return printed if printed == MISSING else _spaced(Decimal(printed))


def tail(uri: str) -> str:
    """Return the last segment of a product URI, which is how people call the product."""
    return uri.rstrip("/").rpartition("/")[2] or uri


def host(uri: str) -> str:
    """Return the host of an organisation's or product's URI; the URI itself where it has none or can't be read."""
    try:
        return urlsplit(uri).netloc or uri
    except ValueError:
        return uri


def unit_text(unit: str) -> str:
    """Return a unit as it is typeset: subscripts, and a middle dot between factors."""
    return unit.replace("CO2", "CO₂").replace(".", "·")


def _spaced(value: Decimal) -> str:
    return format(value, ",f").replace(",", NARROW)

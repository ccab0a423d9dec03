"""The door for importers: what a spreadsheet calls a unit -> one of ours and an exact factor, or a UnitError that says why not.

pint knows the names, their plurals and prefixes; what a name is worth stands in `bom_graph.quantities` and here, exact by definition,
so that no float of pint's enters a figure. What two readers could take for two units is refused, never guessed: a bare ton, an MBtu,
an mWh. Needs pint, which the base install doesn't bring; connectors alone enter here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import cache

from pint import UnitRegistry

from bom_graph.errors import UnitError
from bom_graph.quantities import UNITS

_MAX_CHARACTERS = 64
#: What quantities are built of here, in kg, metres, kWh, hours and pieces.
_Powers = tuple[int, ...]
_MASS, _LENGTH, _ENERGY = (1, 0, 0, 0, 0), (0, 1, 0, 0, 0), (0, 0, 1, 0, 0)
_POWER, _TIME, _PIECES = (0, 0, 1, -1, 0), (0, 0, 0, 1, 0), (0, 0, 0, 0, 1)
#: Dimension of `UNITS` -> powers, and what its base unit is worth.
_DIMENSIONS: dict[str, tuple[_Powers, int]] = {
    "mass": (_MASS, 1),
    "energy": (_ENERGY, 1),
    "volume": ((0, 3, 0, 0, 0), 1),
    "distance": (_LENGTH, 1000),
    "transport work": ((1, 1, 0, 0, 0), 1_000_000),
    "pieces": (_PIECES, 1),
}


def _worth(unit: str) -> tuple[_Powers, Fraction]:
    dimension, factor = UNITS[unit]
    powers, base = _DIMENSIONS[dimension]
    return powers, factor * base


_WATT = (_POWER, Fraction(1, 1000))
#: pint's name -> powers and worth. Pound, ton and mile: NIST SP 811 appendix B; the rest: SI Brochure (9th edition).
_NAMES: dict[str, tuple[_Powers, Fraction]] = {
    "gram": _worth("g"),
    "metric_ton": _worth("t"),
    "ton": _worth("short_ton"),
    "long_ton": (_MASS, 2240 * _worth("lb")[1]),
    "pound": _worth("lb"),
    "watt_hour": _worth("Wh"),
    "watt": _WATT,
    "hour": (_TIME, Fraction(1)),
    "joule": (_ENERGY, _WATT[1] / 3600),
    "meter": (_LENGTH, Fraction(1)),
    "mile": (_LENGTH, Fraction("1609.344")),
    "liter": _worth("L"),
}
_PREFIXES = {
    "": Fraction(1),
    **{name: Fraction(1000) ** n for n, name in enumerate(("kilo", "mega", "giga", "tera", "peta"), 1)},
    **{name: Fraction(1, 1000**n) for n, name in enumerate(("milli", "micro"), 1)},
    "centi": Fraction(1, 100),
    "deci": Fraction(1, 10),
}
#: What the trade writes and pint doesn't know, or knows for something else (pcs: parsecs). One meaning each.
_TRADE: dict[str, tuple[_Powers, Fraction]] = {
    **dict.fromkeys(("tkm", "TKM"), _worth("t.km")),
    **dict.fromkeys(("MMBtu", "MMBTU", "mmBtu", "mmBTU", "mmbtu"), _worth("MMBtu")),
    **dict.fromkeys(("kwh", "Kwh", "KWh", "KWH"), _worth("kWh")),
    **dict.fromkeys(("Mwh", "MWH"), _worth("MWh")),
    **dict.fromkeys(("Gwh", "GWH"), _worth("GWh")),
    **dict.fromkeys(("Kg", "KG", "kgs", "KGS"), _worth("kg")),
    **dict.fromkeys(("Km", "KM"), _worth("km")),
    **dict.fromkeys(("LB", "LBS"), _worth("lb")),
    **dict.fromkeys(("piece", "pieces", "pcs", "PCS"), _worth("piece")),
}
_TONS = "write short ton (907.18474 kg), long ton (1016.0469088 kg) or metric ton (tonne, 1000 kg)"
_TONNE = "write t or tonne for 1000 kg"
_THERMAL = "write MMBtu for a million British thermal units (International Table)"
_MEGAWATT_HOUR = "write MWh for megawatt-hours, or milliwatt hour in words"
#: What is refused as written -> why, remedy.
_REFUSED = {
    **dict.fromkeys(["ton", "tons", "Ton", "Tons", "TON", "TONS"], ("is a short, a long or a metric ton", _TONS)),
    **dict.fromkeys(
        ["MBtu", "MBTU", "mBtu", "mBTU", "Mbtu", "mbtu"], ("is a thousand or a million British thermal units", _THERMAL)
    ),
    **dict.fromkeys(["Btu", "BTU", "btu"], ("has several definitions", _THERMAL)),
    **dict.fromkeys(["mt", "mT", "MT", "T"], ("is a metric ton to some, and something else as SI writes it", _TONNE)),
    **dict.fromkeys(["mWh", "mwh"], ("is megawatt-hours to some, and milliwatt-hours as SI writes it", _MEGAWATT_HOUR)),
}
#: Of these a prefix below one is a slip of the pen (mJ, mt), unless it is written out.
_NEVER_SMALL = {"watt_hour", "joule", "metric_ton"}
_PHRASES = (
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\s*(?:[*·⋅×]|(?<=\w)\.(?=\w))\s*"), " "),
    (re.compile(r"(?<=[^\W\d])-(?=[^\W\d])"), " "),
    (re.compile(r"³"), "3"),
    (re.compile(r"\b(short|long|metric)[ _](tons?)\b", re.IGNORECASE), lambda m: f"{m[1]}_{m[2]}".lower()),
    (re.compile(r"\bmillion[ _]btus?\b", re.IGNORECASE), "MMBtu"),
    (re.compile(r"\bcubic (\w+)", re.IGNORECASE), r"\g<1>3"),
)
_NAME = re.compile(r"([^\W\d_][^\W\d]*|%|°[A-Za-z])(?:\^?([1-9]))?")


@dataclass(frozen=True, slots=True)
class StatedUnit:
    """A unit as somebody stated it: `factor` of our `unit`, exactly."""

    unit: str
    factor: Fraction

    def restate(self, amount: Decimal) -> Decimal:
        """Return what is stated as `amount`, in `unit`; exact, or to 34 significant digits."""
        if self.factor == 1:
            return amount
        with localcontext() as context:
            context.prec = 34
            return amount * self.factor.numerator / self.factor.denominator


def read_unit(text: object, *, where: str) -> StatedUnit:
    """Return what `text`, a cell of somebody's table, means: ``metric ton``, ``kilowatt hours``, ``m^3``, ``tonne.km``, ``kJ``.

    Our unit of that worth if there is one, else the first of its dimension in which it is a finite decimal. Raises UnitError for
    what is ambiguous, what is no unit of an amount (a ratio, a temperature, a number, a price), and what isn't known.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > _MAX_CHARACTERS:
        raise _refused(text, "is no unit", "state one, such as kg, kWh, m3, t.km or piece", where)
    if "/" in text or re.search(r"\bper\b", text):
        raise _refused(text, "is a ratio of two units", "read what stands above and below the line apart", where)
    words = text.strip()
    for pattern, by in _PHRASES:
        words = pattern.sub(by, words)
    powers: _Powers = (0, 0, 0, 0, 0)
    worth = Fraction(1)
    for word in words.split():
        match = _NAME.fullmatch(word)
        if match is None:
            raise _refused(
                text, "can't be read", "state names of units with * between them and ^ before a power", where
            )
        exponents, one = _meaning(match[1], text, where)
        times = int(match[2] or 1)
        powers = tuple(a + b * times for a, b in zip(powers, exponents, strict=True))
        worth *= one**times
    return _ours(powers, worth, text, where)


def _meaning(name: str, text: object, where: str) -> tuple[_Powers, Fraction]:
    """Return powers and worth of one name."""
    if name in _TRADE:
        return _TRADE[name]
    if name in _REFUSED:
        raise _refused(text, *_REFUSED[name], where)
    # Words may be capitalised, symbols may not: J is no j.
    known = _registry().parse_unit_name(name)
    if not known and len(name) > 3:
        name = name.lower()
        known = _registry().parse_unit_name(name)
    for prefix, unit, _plural in known:
        if unit not in _NAMES or prefix not in _PREFIXES:
            continue
        if unit == "ton" and not name.startswith("short_ton"):
            raise _refused(text, *_REFUSED["ton"], where)
        if unit in _NEVER_SMALL and _PREFIXES[prefix] < 1 and not name.startswith(prefix):
            raise _refused(
                text, f"would be a {prefix}{unit}", f"write {prefix}{unit} in words, or M for a million", where
            )
        powers, worth = _NAMES[unit]
        return powers, _PREFIXES[prefix] * worth
    what, remedy = "is a unit that isn't known", f"use one of {', '.join(UNITS)}"
    if known:
        dimensions = dict(_registry().get_dimensionality(known[0][1]))
        if not dimensions:
            what, remedy = "has no dimension", "state the amount itself, with its unit"
        elif dimensions == {"[temperature]": 1}:
            what, remedy = "is a temperature, whose zero is a matter of scale", "state amounts; a temperature is none"
    raise _refused(text, what, remedy, where)


def _ours(powers: _Powers, worth: Fraction, text: object, where: str) -> StatedUnit:
    """Return the unit of ours for a worth."""
    ours = {unit: worth / _worth(unit)[1] for unit in UNITS if _worth(unit)[0] == powers}
    if not ours:
        known = ", ".join(_DIMENSIONS)
        raise _refused(text, f"is no unit of {known}", "state the amount in a unit of one of these", where)
    same = [unit for unit, factor in ours.items() if factor == 1]
    unit = next(iter(same + [unit for unit, factor in ours.items() if _is_finite_decimal(factor)] + list(ours)))
    return StatedUnit(unit, ours[unit])


def _is_finite_decimal(factor: Fraction) -> bool:
    rest = factor.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _refused(text: object, what: str, remedy: str, where: str) -> UnitError:
    return UnitError(f"the unit {text!r} {what}", where=where, remedy=remedy)


@cache
def _registry() -> UnitRegistry[float]:
    # Made on first use: it takes a third of a second.
    return UnitRegistry()

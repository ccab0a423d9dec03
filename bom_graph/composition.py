"""Chemical composition: what a kilogram of a stated formula holds of each element, and what it is of the same salt stated otherwise.

A mass may be stated as a salt, as one of its hydrates, moist, or as the content of a metal. Between these the moles of salt are kept.

Standard atomic weights: IUPAC 2021 (conventional or abridged values, five digits), Pure Appl. Chem. 94 (2022) 573.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from bom_graph.errors import CompositionError

#: element -> standard atomic weight (g/mol)
ATOMIC_WEIGHT: dict[str, float] = {
    "H": 1.008,
    "Li": 6.94,
    "B": 10.81,
    "C": 12.011,
    "N": 14.007,
    "O": 15.999,
    "F": 18.998,
    "Na": 22.990,
    "Mg": 24.305,
    "Al": 26.982,
    "Si": 28.085,
    "P": 30.974,
    "S": 32.06,
    "Cl": 35.45,
    "K": 39.098,
    "Ca": 40.078,
    "Ti": 47.867,
    "V": 50.942,
    "Cr": 51.996,
    "Mn": 54.938,
    "Fe": 55.845,
    "Co": 58.933,
    "Ni": 58.693,
    "Cu": 63.546,
    "Zn": 65.38,
    "Zr": 91.224,
    "Nb": 92.906,
}

#: The elements whose balance a recipe has to close.
BALANCED_ELEMENTS = ("Li", "Ni", "Co", "Mn", "P", "Fe")

_TERM = re.compile(r"([A-Z][a-z]?)([0-9]+(?:\.[0-9]+)?)?")
# The salt ends at the first point that leaves a count of water: CaSO4.0.5H2O holds half a water, not five.
_HYDRATE = re.compile(r"(.+?)\.([0-9]+(?:\.[0-9]+)?)?H2O")
_MAX_CHARACTERS = 64


def _atoms(formula: str, where: str) -> dict[str, float]:
    found: dict[str, float] = {}
    position = 0
    for term in _TERM.finditer(formula):
        if term.start() != position or term[1] not in ATOMIC_WEIGHT:
            break
        found[term[1]] = found.get(term[1], 0.0) + float(Decimal(term[2] or "1"))
        position = term.end()
    if position != len(formula) or not found:
        raise CompositionError(
            f"formula {formula!r} can't be read",
            where=where,
            remedy="write element symbols and counts without brackets, hydrates as NiSO4.6H2O",
        )
    return found


@lru_cache(maxsize=1024)
def mass_fractions(formula: str, *, where: str = "composition") -> Mapping[str, float]:
    """Return kg of each element in one kg of `formula`, for instance ``LiNi0.6Mn0.2Co0.2O2`` or ``NiSO4.6H2O``.

    Raises CompositionError for what can't be read.
    """
    if len(formula) > _MAX_CHARACTERS:
        raise CompositionError("formula too long", where=where, remedy=f"use at most {_MAX_CHARACTERS} characters")
    hydrate = _HYDRATE.fullmatch(formula)
    atoms = _atoms(hydrate[1] if hydrate else formula, where)
    if hydrate:
        waters = float(Decimal(hydrate[2] or "1"))
        atoms["H"] = atoms.get("H", 0.0) + 2 * waters
        atoms["O"] = atoms.get("O", 0.0) + waters
    mass = sum(ATOMIC_WEIGHT[element] * count for element, count in atoms.items())
    if min(atoms.values()) <= 0:
        raise CompositionError(f"formula {formula!r} counts an element zero times", where=where, remedy="leave it out")
    return MappingProxyType({element: ATOMIC_WEIGHT[element] * count / mass for element, count in atoms.items()})


@dataclass(frozen=True, slots=True)
class Basis:
    """What a kilogram is stated as: `formula`, of which `moisture_percent` (0 to below 100) is water that clings to it; or the content of
    the element `content_of` in it."""

    formula: str
    content_of: str | None = None
    moisture_percent: Decimal = Decimal(0)

    def dry(self, *, where: str) -> float:
        """Return kg of dry `formula` per stated kg; CompositionError where the formula doesn't hold the element."""
        share = 1 - float(self.moisture_percent) / 100
        if self.content_of is None:
            return share
        fractions = mass_fractions(self.formula, where=where)
        if self.content_of not in fractions:
            raise CompositionError(
                f"{self.formula} holds no {self.content_of}", where=where, remedy="name an element of the formula"
            )
        return share / fractions[self.content_of]

    def __str__(self) -> str:
        stated = self.formula if self.content_of is None else f"{self.content_of} in {self.formula}"
        return f"{stated} with {self.moisture_percent:f} % moisture" if self.moisture_percent else stated


@dataclass(frozen=True, slots=True)
class Restated:
    """kg of the wanted formula per stated kg, and how it was found."""

    factor: float
    how: str


def restate(stated: Basis, wanted: str, *, where: str) -> Restated:
    """Return what a kilogram stated as `stated` is of `wanted`: the same salt with more, less or no hydrate water.

    Molar masses by ATOMIC_WEIGHT. Raises CompositionError where the two aren't the same salt.
    """
    (salt, waters), (wanted_salt, wanted_waters) = _salt(stated.formula, where), _salt(wanted, where)
    if salt != wanted_salt:
        raise CompositionError(
            f"the amount is stated as {stated.formula}, needed is {wanted}: another substance, not another hydrate of it",
            where=where,
            remedy=f"restate the amount as {wanted}, or name what the substance is",
        )
    anhydrous, water = _molar_mass(salt), _molar_mass({"H": 2.0, "O": 1.0})
    mass, wanted_mass = anhydrous + waters * water, anhydrous + wanted_waters * water
    factor = stated.dry(where=where) * wanted_mass / mass
    how = (
        f"1 kg of {stated} is {factor:.6g} kg of {wanted} "
        f"(molar masses {mass:.5g} and {wanted_mass:.5g} g/mol, IUPAC 2021)"
    )
    return Restated(factor, how)


def balanced_elements(formula: str, *, where: str) -> tuple[str, ...]:
    """Return which of BALANCED_ELEMENTS a formula holds, in their order."""
    held = mass_fractions(formula, where=where)
    return tuple(element for element in BALANCED_ELEMENTS if element in held)


def hydrate_mistaken(name: str, formula: str, *, where: str) -> str | None:
    """Return what is wrong where `name` speaks of a hydrate and `formula` has another count of water; else None."""
    said = next((count for pattern, count in _SAID_WATERS if re.search(pattern, name, re.IGNORECASE)), None)
    _salt_atoms, waters = _salt(formula, where)
    if said is None:
        said = next((count for word in re.split(r"[\s_,;/()]+", name) if (count := _waters_of(word))), None)
    if said is None or said == waters:
        return None
    stated = "none" if waters == 0 else f"{waters:g}"
    return f"{name!r} speaks of {said:g} H2O, the formula {formula} has {stated}"


_PREFIXES = ("hemi", "mono", "di", "tri", "tetra", "penta", "hexa", "hepta", "octa", "nona", "deca")
_NUMERALS = "一二三四五六七八九十"
#: How names speak of hydrate water: hexahydrate, sulfatheptahydrat, hexahidratado, 6H2O, 六水; octadecahydrate isn't taken for ten.
_SAID_WATERS: tuple[tuple[str, float], ...] = (
    *(
        (rf"(?:(?<![a-z])|(?<=at|id|it)){prefix}h[yi]drat", 0.5 if count == 0 else float(count))
        for count, prefix in enumerate(_PREFIXES)
    ),
    *((rf"(?<![0-9.]){count} ?H2O", float(count)) for count in range(1, 11)),
    *((rf"{numeral}水", float(count)) for count, numeral in enumerate(_NUMERALS, 1)),
)


def _waters_of(word: str) -> float | None:
    """The count of water of a word that is the formula of a hydrate; else None."""
    if _HYDRATE.fullmatch(word) is None:
        return None
    try:
        return _salt(word, word)[1]
    except CompositionError:
        return None


def _salt(formula: str, where: str) -> tuple[dict[str, float], float]:
    """The atoms of a formula without its hydrate water, and the count of water."""
    mass_fractions(formula, where=where)
    hydrate = _HYDRATE.fullmatch(formula)
    if hydrate is None:
        return _atoms(formula, where), 0.0
    return _atoms(hydrate[1], where), float(Decimal(hydrate[2] or "1"))


def _molar_mass(atoms: Mapping[str, float]) -> float:
    return sum(ATOMIC_WEIGHT[element] * count for element, count in atoms.items())

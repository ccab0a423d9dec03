"""Chemical composition: what a kilogram of a stated formula holds of each element.

Standard atomic weights: IUPAC 2021 (conventional or abridged values, five digits), Pure Appl. Chem. 94 (2022) 573.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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

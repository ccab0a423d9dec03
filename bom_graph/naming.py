"""Names that people write by hand (sites, registries, serials): what can't be told apart by reading is one name. Pure.

Compatibility forms and case: Unicode NFKC and case folding. Characters that nothing shows, and words of several alphabets that look alike,
are refused where they are stated; whole words in letters that look like Latin ones are compared as those (a part of UTS #39's table).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher

#: Small Greek and Cyrillic letters that are drawn like a Latin one.
_LOOK_ALIKE = str.maketrans("авеёкмнорстухіїјѕԁԛԝһαβεικνορτυχ", "abeekmhopctyxiijsdqwhabeikvoptux")
_DASHES = re.compile(r"[\s_/\-\u2010-\u2015\u2212]+")
_WORD = re.compile(r"[^\W\d_]+")
_RUN = re.compile(r"[^\W\d_]+|[0-9]+")
#: ISO 3166-2, or the grid of a part of the nation.
_REGION = re.compile(r"[A-Z]{2}-[A-Z0-9]{1,10}(-[A-Z]{3,12})?")
_ALPHABETS = ("LATIN", "GREEK", "CYRILLIC")
#: Letters of a word that may be a slip of the pen: shorter words are told apart by them.
_LEAST_WORD = 4


def name_key(name: str) -> str:
    """Return what names are compared by: whoever reads two names of one key reads the same."""
    drawn = name.lower()
    if not name.isascii():  # of what is below, none is ASCII
        plain = "".join(one for one in unicodedata.normalize("NFKC", name) if not _is_unseen(one))
        drawn = plain.casefold().translate(_LOOK_ALIKE)
    return _DASHES.sub("-", drawn).strip("-")


def unreadable(name: str) -> str | None:
    """Return what makes `name` read as another one: a character that isn't seen, or a word of several alphabets; else None."""
    for before, one in zip(" " + name, name, strict=False):
        # Persian and Indian scripts are written with joiners.
        if _is_unseen(one) and not (one in "\u200c\u200d" and before.isalpha() and _alphabet(before) not in _ALPHABETS):
            return f"the name holds the character U+{ord(one):04X}, which nobody sees"
    for word in _WORD.findall(name):
        alphabets = {_alphabet(one) for one in word}
        if len(found := [one.capitalize() for one in _ALPHABETS if one in alphabets]) > 1:
            return f"the word {word!r} mixes {' and '.join(found)} letters"
    return None


def nation_of(place: str) -> str | None:
    """Return the nation of a place's code: of a region (``CN-XJ``, ``CN-GRID-EAST``) what stands first, else the place itself.

    None where it has a dash and isn't a region's code: ``CN-``.
    """
    if "-" not in place:
        return place
    return place.partition("-")[0] if _REGION.fullmatch(place) else None


def nearly_same(first: str, second: str) -> bool:
    """Whether two names that differ may be meant as one: by dashes, by what one adds at its end, or by a slip in a longer word.

    Other numbers are other names: ``plant 1`` and ``plant 2``, ``plant 1`` and ``plant 10``.
    """
    one, other = sorted((_RUN.findall(name_key(name)) for name in (first, second)), key=len)
    if not one or name_key(first) == name_key(second):
        return False
    if other[: len(one)] == one:
        # What follows may be another number: "works" and "works 2".
        return len(other) == len(one) or not other[len(one)].isdecimal()
    differing = [pair for pair in zip(one, other, strict=False) if pair[0] != pair[1]]
    return len(one) == len(other) and len(differing) == 1 and _is_slip(*differing[0])


class NearNames:
    """Names among which those that are `nearly_same` as another are found without a comparison with each."""

    def __init__(self, names: Iterable[str]) -> None:
        self._beginning: dict[tuple[str, ...], set[str]] = {}
        self._whole: dict[tuple[str, ...], set[str]] = {}
        self._but_one: dict[tuple[str | None, ...], set[str]] = {}
        for name in names:
            runs = tuple(_RUN.findall(name_key(name)))
            self._whole.setdefault(runs, set()).add(name)
            for count in range(1, len(runs) + 1):
                self._beginning.setdefault(runs[:count], set()).add(name)
            for place in _but_one(runs):
                self._but_one.setdefault(place, set()).add(name)

    def of(self, name: str) -> set[str]:
        """Return the names that are nearly the same as `name`."""
        runs = tuple(_RUN.findall(name_key(name)))
        found = set(self._beginning.get(runs, ()))
        for count in range(1, len(runs)):
            found |= self._whole.get(runs[:count], set())
        for place in _but_one(runs):
            found |= self._but_one.get(place, set())
        return {one for one in found if nearly_same(one, name)}


def _but_one(runs: tuple[str, ...]) -> Iterator[tuple[str | None, ...]]:
    """Yield the words of a name with one of them left open, where a slip may be in it."""
    for number, run in enumerate(runs):
        if len(run) >= _LEAST_WORD and all(_alphabet(one) in _ALPHABETS for one in run):
            yield *runs[:number], None, *runs[number + 1 :]


def _is_slip(first: str, second: str) -> bool:
    # One Chinese sign is a word, a number among them: nothing is a slip there.
    if min(len(first), len(second)) < _LEAST_WORD or any(_alphabet(one) not in _ALPHABETS for one in first + second):
        return False
    same = sum(block.size for block in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks())
    return max(len(first), len(second)) - same <= 1


def _alphabet(letter: str) -> str:
    """The first word of the character's name: its alphabet, where it has one; the micro sign has none."""
    return unicodedata.name(letter, "").removeprefix("FULLWIDTH ").partition(" ")[0]


def _is_unseen(one: str) -> bool:
    """Format characters (zero-width ones, joiners, soft hyphens, marks of direction), variation selectors and blank fillers."""
    return unicodedata.category(one) == "Cf" or one in "\u034f\u115f\u1160\u3164\uffa0" or "\ufe00" <= one <= "\ufe0f"

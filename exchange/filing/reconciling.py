"""Our result held against the designated platform's, line by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from bom_graph import Lines
from exchange.errors import FilingError
from exchange.kinds.filing import Cause, Explanation, PlatformLine, PlatformResult

TOTAL = "total"


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of both results, kg CO2e per functional unit; None on the side that doesn't have it.

    `agrees`: equal to the decimals that the platform prints, and it prints enough of them. `cause` and `explanation` are the filer's.
    """

    line: str
    ours: Decimal | None
    platform: Decimal | None
    agrees: bool
    cause: Cause | None = None
    explanation: str | None = None

    @property
    def difference(self) -> Decimal | None:
        """The platform's figure less ours; None where one side has none."""
        return None if self.ours is None or self.platform is None else self.platform - self.ours

    @property
    def is_own_defect(self) -> bool:
        """Whether the line differs because ours is wrong, as its filer says: no words settle that, a new calculation does."""
        return not self.agrees and self.cause == "own_defect"

    @property
    def settled(self) -> bool:
        """Whether the line agrees, or its difference is explained by what leaves ours right."""
        return self.agrees or (self.explanation is not None and not self.is_own_defect)


def reconcile(ours: Mapping[str, Decimal], result: PlatformResult, digits: int) -> tuple[Compared, ...]:
    """Return every line of either side, the total last.

    A figure of the platform's with less than `digits` significant ones agrees with the same alone.
    FilingError for a line stated twice, or an explanation of none.
    """
    theirs = _by_line(result.lines)
    explained = _explanations(result.explanations)
    names = [*sorted((ours.keys() | theirs.keys()) - {TOTAL}), TOTAL]
    if TOTAL not in theirs:
        raise FilingError("the platform's total is missing", where="lines", remedy="state a line total")
    if unknown := sorted(explained.keys() - set(names)):
        raise FilingError(
            f"an explanation is of a line that neither side has: {unknown[0]}",
            where="explanations",
            remedy=f"explain one of {', '.join(names)}",
        )
    found = []
    for name in names:
        one, mine, its = explained.get(name), ours.get(name), theirs.get(name)
        agrees = mine is not None and its is not None and _agree(mine, its, digits)
        why = (None, None) if one is None else (one.cause, one.text)
        found.append(Compared(name, mine, its, agrees, *why))
    return tuple(found)


def open_differences(compared: Iterable[Compared]) -> tuple[str, ...]:
    """Return the lines that differ and are not explained, or are a defect of ours: nothing is fileable while there are any."""
    return tuple(one.line for one in compared if not one.settled)


def check_sum(result: PlatformResult) -> None:
    """Raise FilingError where the platform's lines don't add up to its total, each as exact as it is printed."""
    theirs = _by_line(result.lines)
    total = theirs.pop(TOTAL, None)
    if total is None or not theirs:
        return
    found, margin = sum(theirs.values(), Decimal(0)), sum(map(_margin, theirs.values()), _margin(total))
    if abs(found - total) > margin:
        raise FilingError(
            f"the platform's lines add up to {found}, its total is {total}",
            where="lines",
            remedy="state every line as the platform prints it, or have its operator correct the result",
        )


def check_explanations(result: PlatformResult, letters: int) -> None:
    """Raise FilingError for an explanation of less than so many letters, of whatever script: a dot explains nothing."""
    for one in _explanations(result.explanations).values():
        if sum(map(str.isalpha, one.text)) < letters:
            raise FilingError(
                f"the explanation of {one.line} says nothing: it has less than {letters} letters",
                where=f"explanations/{one.id}/text",
                remedy="say why the platform's figure is another one",
            )


def _agree(ours: Decimal, platform: Decimal, digits: int) -> bool:
    """Whether ours, rounded as the platform's figure is printed, could be that figure: within half of its last decimal.

    A figure of few digits is within that of too much, and zero of everything small: it agrees where both are the same.
    """
    if platform.is_zero() or len(platform.as_tuple().digits) < digits:
        return ours == platform
    return abs(ours - platform) <= _margin(platform)


def _margin(printed: Decimal) -> Decimal:
    """Half of the last decimal of a figure, by which it may be off."""
    exponent = cast("int", printed.as_tuple().exponent)  # amounts are finite
    return Decimal((0, (5,), exponent - 1))


def _by_line(lines: object) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for one in cast("Lines[PlatformLine]", lines) if isinstance(lines, Lines) else ():
        if one.line in found:
            raise FilingError(f"the line {one.line} is stated twice", where=f"lines/{one.id}", remedy="state it once")
        found[one.line] = one.value
    return found


def _explanations(lines: object) -> dict[str, Explanation]:
    found: dict[str, Explanation] = {}
    for one in cast("Lines[Explanation]", lines) if isinstance(lines, Lines) else ():
        if one.line in found:
            raise FilingError(
                f"{one.line} is explained twice", where=f"explanations/{one.id}", remedy="explain it once"
            )
        found[one.line] = one
    return found

"""How good the data behind a footprint is, line by line and weighted by emissions. Pure.

Each line is rated in technology, geography, time, completeness and reliability from what is known of it: how the amount was obtained, what
period and country it is of, which factor row was taken and why, and what its maker claims in `quality`. One set of facts gives both scales:
1 (best) to 5 as the Environmental Footprint method has it, and 1 (best) to 3 as PACT has it. Neither text was at hand; the tables below are
our reading of them, and say so in every result. What is known by a signed footprint alone isn't rated, which lowers the coverage.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from bom_graph.footprint import Contribution

CRITERIA: Final = ("technology", "geography", "time", "completeness", "reliability")
#: Those that the two methods take the mean of, and state.
EF_CRITERIA: Final = ("technology", "geography", "time", "reliability")
PACT_CRITERIA: Final = ("technology", "geography", "time")
#: EF's scale -> PACT's, for scores that a line's maker claims.
_PACT_OF: Final = {1: 1, 2: 2, 3: 2, 4: 3, 5: 3}
_UNKNOWN: Final = (5, 3)
_RELIABILITY: Final = {
    "measured": (1, 1),
    "calculated": (2, 2),
    "modelled": (3, 2),
    "estimated": (4, 3),
    "assumed": (5, 3),
}
#: Days of data at least -> scores; a year is whole.
_COMPLETENESS: Final = ((365, (1, 1)), (183, (2, 2)), (28, (3, 2)))
#: Years between data and factor at most -> scores.
_TIME: Final = ((0, (1, 1)), (2, (2, 2)), (4, (3, 2)), (6, (4, 3)))

#: EF's score and PACT's.
Scores = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Improvement:
    """A line and criterion, and by how much the EF rating would fall if its score were 1."""

    product: str
    line: str
    name: str
    criterion: str
    score: int
    lowers_rating: float


@dataclass(frozen=True, slots=True)
class DataQuality:
    """Mean scores weighted by absolute emissions; `coverage` is the share of these that is rated (0 to 1).

    `ef_rating` is the mean over technology, geography, time and reliability. Where nothing is rated, all means are NaN.
    """

    coverage: float
    ef: Mapping[str, float]
    ef_rating: float
    pact: Mapping[str, float]
    improvements: tuple[Improvement, ...]


def assess(contributions: Sequence[Contribution], *, wanted: int = 10) -> DataQuality:
    """Return the data quality of a footprint's contributions, with the `wanted` improvements that would help most, largest first."""
    rated = [(abs(part.kg_co2e), part.burden.origin, scores(part.burden.origin)) for part in contributions]
    counted = [(kg, origin, found) for kg, origin, found in rated if found is not None]
    weight, of_all = math.fsum(kg for kg, _, _ in counted), math.fsum(kg for kg, _, _ in rated)

    def mean(criterion: str, scale: int) -> float:
        return math.fsum(kg * found[criterion][scale] for kg, _, found in counted) / weight if weight else math.nan

    ef = {criterion: mean(criterion, 0) for criterion in CRITERIA}
    improvements = [
        Improvement(
            str(origin.get("product") or origin.get("process") or ""),
            str(origin.get("line", "")),
            str(origin.get("name") or origin.get("flow") or origin.get("gas") or ""),
            criterion,
            found[criterion][0],
            kg / weight * (found[criterion][0] - 1) / len(EF_CRITERIA),
        )
        for kg, origin, found in counted
        for criterion in EF_CRITERIA
        if kg and found[criterion][0] > 1
    ]
    # Nine digits: lines that weigh the same stand in one order, whichever way the last digit was rounded.
    improvements.sort(key=lambda one: -float(f"{one.lowers_rating:.8e}"))
    return DataQuality(
        coverage=weight / of_all if of_all else 0.0,
        ef=ef,
        ef_rating=math.fsum(ef[criterion] for criterion in EF_CRITERIA) / len(EF_CRITERIA),
        pact={criterion: mean(criterion, 1) for criterion in PACT_CRITERIA},
        improvements=tuple(improvements[:wanted]),
    )


def pact_primary_share(contributions: Sequence[Contribution]) -> float:
    """Return PACT's primary data share (0 to 1), of absolute emissions.

    A line counts where its amount and its factor are both primary, a supplier's signed footprint by the share that it declares, which
    nobody verified. So PACT's rule is understood here; its text was not at hand.
    """
    weight = math.fsum(abs(part.kg_co2e) for part in contributions)
    primary = math.fsum(abs(part.kg_co2e) * _primary(part) for part in contributions)
    return primary / weight if weight else 0.0


def scores(origin: Mapping[str, object]) -> Mapping[str, Scores] | None:
    """Return the scores of a line by criterion, from its `origin`; None for a sealed branch."""
    if origin.get("sealed"):
        return None
    return dict(_scores(origin))


def overstated(origin: Mapping[str, object]) -> dict[str, tuple[int, int]]:
    """Return the EF scores that a line claims and its data don't allow: criterion -> (claimed, counted instead)."""
    claimed: Any = origin.get("quality") or {}
    found = scores(origin) or {}
    return {
        name: (int(said), found[name][0])
        for name, said in claimed.items()
        if name in found and int(said) < found[name][0]
    }


def _scores(origin: Mapping[str, Any]) -> Iterator[tuple[str, Scores]]:
    """Each criterion by the facts, or as its maker claims where that is worse, or the facts aren't known."""
    claimed = origin.get("quality") or {}
    for criterion in CRITERIA:
        facts, score = _JUDGED[criterion](origin), claimed.get(criterion)
        if score is None:
            yield criterion, facts or _UNKNOWN
        else:
            said = (int(score), _PACT_OF[int(score)])
            yield criterion, said if facts is None else max(said, facts)


def _technology(origin: Mapping[str, Any]) -> Scores:
    """Of the process itself, of the flow itself, or a stand-in for it."""
    factor = origin.get("factor")
    if factor is None or factor.get("nature") == "measured":
        return (1, 1)
    return (4, 3) if str(factor.get("reason")).startswith("proxy") else (2, 1)


def _geography(origin: Mapping[str, Any]) -> Scores | None:
    factor, country = origin.get("factor"), origin.get("country")
    if factor is None:
        return (1, 1)
    place = str(factor.get("geography") or "GLO")
    if place == "GLO":
        return (4, 3)
    if country is None:
        return None
    if place.partition("-")[0] != country:
        return (5, 3)
    return (2, 1) if str(factor.get("reason")).startswith("nation") else (1, 1)


def _time(origin: Mapping[str, Any]) -> Scores | None:
    factor, days = origin.get("factor"), _period(origin)
    if factor is None:
        return (1, 1)
    if factor.get("year") is None or days is None:
        return None
    apart = abs(days[1].year - int(factor["year"]))
    return next((found for years, found in _TIME if apart <= years), _UNKNOWN)


def _completeness(origin: Mapping[str, Any]) -> Scores | None:
    days = _period(origin)
    if days is None:
        return None
    covered = (days[1] - days[0]).days + 1
    return next((found for least, found in _COMPLETENESS if covered >= least), (4, 3))


def _reliability(origin: Mapping[str, Any]) -> Scores:
    """Of the amount; of a forecast never better than an assumption."""
    return _RELIABILITY.get(str(origin.get("obtained")), _UNKNOWN)


def _period(origin: Mapping[str, Any]) -> tuple[date, date] | None:
    period = origin.get("period")
    return None if period is None else (date.fromisoformat(period["start"]), date.fromisoformat(period["end"]))


#: What a line's facts say of each criterion; None where they aren't known.
_JUDGED: Final[Mapping[str, Callable[[Mapping[str, Any]], Scores | None]]] = {
    "technology": _technology,
    "geography": _geography,
    "time": _time,
    "completeness": _completeness,
    "reliability": _reliability,
}


def _primary(part: Contribution) -> float:
    declared = part.burden.origin.get("declared_primary_percent")
    if part.burden.origin.get("sealed"):
        return 0.0 if declared is None else float(str(declared)) / 100
    return part.burden.activity_primary * part.burden.factor_primary

"""Data quality: scores from facts and claims, weighted by emissions; coverage; what would help most; PACT's primary share."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bom_graph import Burden, Contribution, assess, pact_primary_share
from bom_graph.quality import scores

YEAR = {"start": "2025-01-01", "end": "2025-12-31"}
FACTOR = {"geography": "CN", "year": 2025, "nature": "modelled", "reason": "exact: CN"}


def line(**members: Any) -> dict[str, Any]:
    factor = {**FACTOR, **members.pop("factor", {})}
    return {"country": "CN", "period": YEAR, "obtained": "measured", "factor": factor, **members}


def part(kg: float, origin: dict[str, Any], activity: float = 0.0, factor: float = 0.0) -> Contribution:
    return Contribution(Burden(0, "s", kg, activity, factor, origin), 1.0, kg)


CASES: dict[str, tuple[dict[str, Any], str, tuple[int, int]]] = {
    "a row of the flow itself": (line(), "technology", (2, 1)),
    "a proxy": (line(factor={"reason": "proxy: near"}), "technology", (4, 3)),
    "a supplier's measured factor": (line(factor={"nature": "measured"}), "technology", (1, 1)),
    "the plant's country": (line(), "geography", (1, 1)),
    "the nation for its region": (line(factor={"reason": "nation CN for region CN-EC"}), "geography", (2, 1)),
    "a global row": (line(factor={"geography": "GLO"}), "geography", (4, 3)),
    "another country": (line(factor={"geography": "US"}), "geography", (5, 3)),
    "a plant in no known country": (line(country=None), "geography", (5, 3)),
    "the year of the data": (line(), "time", (1, 1)),
    "three years before": (line(factor={"year": 2022}), "time", (3, 2)),
    "ten years before": (line(factor={"year": 2015}), "time", (5, 3)),
    "no period": (line(period=None), "time", (5, 3)),
    "a whole year": (line(), "completeness", (1, 1)),
    "a month": (line(period={"start": "2025-01-01", "end": "2025-01-31"}), "completeness", (3, 2)),
    "a day": (line(period={"start": "2025-01-01", "end": "2025-01-01"}), "completeness", (4, 3)),
    "measured": (line(), "reliability", (1, 1)),
    "assumed": (line(obtained="assumed"), "reliability", (5, 3)),
    "a forecast": (line(obtained="forecast, measured"), "reliability", (5, 3)),
    "a claim that is worse": (line(quality={"geography": "3"}), "geography", (3, 2)),
    "a claim above the data": (line(quality={"geography": "3"}, factor={"geography": "GLO"}), "geography", (4, 3)),
    "a claim where nothing is known": (line(quality={"geography": "3"}, country=None), "geography", (3, 2)),
    "a claim above an assumption": (line(quality={"reliability": "1"}, obtained="assumed"), "reliability", (5, 3)),
    "a direct emission has no factor": ({"obtained": "measured", "gas": "CO2"}, "technology", (1, 1)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_scores(case: tuple[dict[str, Any], str, tuple[int, int]]) -> None:
    origin, criterion, wanted = case
    found = scores(origin)
    assert found is not None
    assert found[criterion] == wanted


def test_means_are_weighted_by_absolute_emissions() -> None:
    """30 kg at geography 1, a credit of 10 kg at 5: 2 of 5, and 1.5 of 3."""
    found = assess([part(30, line()), part(-10, line(factor={"geography": "US"}))])
    assert found.coverage == 1
    assert found.ef["geography"] == pytest.approx(2)
    assert found.pact == pytest.approx({"technology": 1, "geography": 1.5, "time": 1})
    assert found.ef_rating == pytest.approx((2 + 2 + 1 + 1) / 4)


def test_a_sealed_branch_is_not_covered() -> None:
    found = assess([part(30, line()), part(10, {"sealed": True, "obtained": "declared measured"})])
    assert found.coverage == 0.75
    assert found.ef["reliability"] == 1
    nothing = assess([part(10, {"sealed": True})])
    assert nothing.coverage == 0
    assert math.isnan(nothing.ef_rating)


def test_what_would_help_most_comes_first() -> None:
    """10 kg of a bad geography weigh more than 5 kg of a worse reliability, and removing it gives what is promised."""
    bad, worse = line(factor={"geography": "GLO"}, name="steel"), line(obtained="assumed", name="foil")
    before = assess([part(10, bad), part(5, worse)])
    first = before.improvements[0]
    assert (first.name, first.criterion, first.score) == ("steel", "geography", 4)
    after = assess([part(10, line(name="steel", quality={"geography": "1"})), part(5, worse)])
    assert before.ef_rating - after.ef_rating == pytest.approx(first.lowers_rating)
    assert [one.criterion for one in before.improvements] == ["geography", "reliability", "technology", "technology"]


def test_pact_counts_what_is_primary_in_both_and_what_suppliers_declare() -> None:
    sealed = {"sealed": True, "declared_primary_percent": "50"}
    parts = [part(40, line(), 1, 1), part(40, line(), 1, 0), part(-20, sealed)]
    assert pact_primary_share(parts) == pytest.approx((40 + 10) / 100)
    assert pact_primary_share([part(1, {"sealed": True, "declared_primary_percent": None})]) == 0
    assert pact_primary_share([]) == 0

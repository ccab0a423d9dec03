"""End of life: worked example I, the cut-off as A = 1, and shares that can't be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph.end_of_life import Burdens, Circularity, circular_footprint, terms
from bom_graph.errors import EndOfLifeError

SHARES = Circularity(recycled_content=0.3, recycled=0.9, allocation=0.2, quality_in=1.0, quality_out=0.9)
BURDENS = Burdens(virgin=10, substituted=10, recycled=1, recycling=1.2, disposal=0.05)


@pytest.mark.parametrize(("allocation", "total"), [(0.2, 3.849), (1.0, 7.305), (0.0, 2.985)])
def test_worked_example_i(allocation: float, total: float) -> None:
    found = circular_footprint(replace(SHARES, allocation=allocation), BURDENS)
    assert found.total == pytest.approx(total, rel=1e-12)


def test_the_parts_of_worked_example_i() -> None:
    found = circular_footprint(SHARES, BURDENS)
    parts = [found.virgin, found.recycled_content, found.recycling, found.disposal]
    assert parts == pytest.approx([7, 2.46, -5.616, 0.005])
    assert found.end_of_life == pytest.approx(-5.611)
    assert found.production == pytest.approx(9.46)


def test_energy_recovery_is_shared_by_b() -> None:
    shares = Circularity(energy_recovered=0.5, energy_allocation=0.2)
    found = circular_footprint(shares, Burdens(energy=-3.0, disposal=1.0))
    assert found.energy == pytest.approx(-1.2)
    assert found.disposal == pytest.approx(0.5)


unit = st.floats(0, 1)


@given(unit, unit, unit, st.floats(0, 1.5), st.floats(0, 1.5))
def test_the_terms_are_the_formula_less_what_the_system_holds(
    r1: float, r2: float, a: float, quality_in: float, quality_out: float
) -> None:
    """The system holds the inputs as they were made: virgin, and recycled ones at their own burden."""
    shares = Circularity(r1, r2, 0.0, a, 0.0, quality_in, quality_out)
    found = circular_footprint(shares, BURDENS)
    added = {True: 0.0, False: 0.0}
    for term in terms("cff", shares):
        added[term.at_production] += term.share * getattr(BURDENS, term.factor)
    held = (1 - r1) * BURDENS.virgin + r1 * BURDENS.recycled
    assert held + added[True] == pytest.approx(found.production, abs=1e-12)
    assert added[False] == pytest.approx(found.end_of_life, abs=1e-12)


def test_three_methods_of_one_material() -> None:
    def kg(method: str) -> float:
        return sum(term.share * getattr(BURDENS, term.factor) for term in terms(method, SHARES))  # type: ignore[arg-type]

    assert kg("recycled_content") == pytest.approx(0.1 * 0.05)
    assert kg("recycling_burden_no_credit") == pytest.approx(0.9 * 1.2 + 0.1 * 0.05)
    assert kg("cff") == pytest.approx(-5.611 + 0.8 * 0.3 * (10 - 1))


@pytest.mark.parametrize(
    ("shares", "what"),
    [
        (Circularity(allocation=1.2), "allocation is no share"),
        (Circularity(recycled=-0.1), "recycled is no share"),
        (Circularity(recycled=0.7, energy_recovered=0.4), "more is recycled and burned"),
        (Circularity(quality_out=-1), "ratio of qualities"),
    ],
)
def test_shares_that_cannot_be_are_refused(shares: Circularity, what: str) -> None:
    with pytest.raises(EndOfLifeError, match=what) as caught:
        shares.check(where="materials/nickel")
    assert caught.value.where == "materials/nickel"
    assert caught.value.remedy

"""End of life: worked example I, the cut-off as A = 1, and shares that can't be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph.end_of_life import Burdens, Circularity, circular_footprint, terms
from bom_graph.errors import EndOfLifeError

SHARES = Circularity(recycled_content=0.3, recycled=0.9, allocation=0.2, quality_in=1.0, quality_out=0.9)
BURDENS = Burdens(virgin=10, substituted=10, recycled=1, recycling=1.2, disposal=0.05)
BURNED = replace(BURDENS, energy_recovery=2.5, heat_replaced=0.3, electricity_replaced=0.5)


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
    """By hand: 0.8 x 0.5 x (2.5 - 10 kWh x 0.4 x 0.3 - 10 kWh x 0.2 x 0.5) = 0.12."""
    shares = Circularity(energy_recovered=0.5, energy_allocation=0.2, heat=10 * 0.4, electricity=10 * 0.2)
    found = circular_footprint(
        shares, Burdens(energy_recovery=2.5, heat_replaced=0.3, electricity_replaced=0.5, disposal=1.0)
    )
    assert found.energy == pytest.approx(0.12)
    assert found.disposal == pytest.approx(0.5)


unit = st.floats(0, 1)


@given(st.tuples(*[unit] * 5), st.floats(0, 1.5), st.floats(0, 1.5))
def test_the_terms_are_the_formula_less_what_the_system_holds(
    given_shares: tuple[float, ...], quality_in: float, quality_out: float
) -> None:
    """The system holds the inputs as they were made: virgin, and recycled ones at their own burden."""
    r1, r2, r3, a, b = given_shares
    shares = Circularity(r1, r2, r3 * (1 - r2), a, b, quality_in, quality_out, heat=4.0, electricity=2.0)
    found = circular_footprint(shares, BURNED)
    added = {True: 0.0, False: 0.0}
    for term in terms("cff", shares):
        added[term.at_production] += term.share * getattr(BURNED, term.factor)
    held = (1 - r1) * BURDENS.virgin + r1 * BURDENS.recycled
    assert held + added[True] == pytest.approx(found.production, abs=1e-12)
    assert added[False] == pytest.approx(found.end_of_life, abs=1e-12)


def test_three_methods_of_one_material() -> None:
    def kg(method: str) -> float:
        return sum(term.share * getattr(BURDENS, term.factor) for term in terms(method, SHARES))  # type: ignore[arg-type]

    assert kg("recycled_content") == pytest.approx(0.1 * 0.05)
    assert kg("recycling_burden_no_credit") == pytest.approx(0.9 * 1.2 + 0.1 * 0.05)
    assert kg("cff") == pytest.approx(-5.611 + 0.8 * 0.3 * (10 - 1))


@pytest.mark.parametrize(("recycled", "burned"), [(0.9, 0.1), (0.58 * 0.71, 0.5882), (0.57 * 0.99, 0.4357)])
def test_shares_that_add_up_leave_nothing_to_dispose_of(recycled: float, burned: float) -> None:
    shares = Circularity(recycled=recycled, energy_recovered=burned)
    shares.check(where="materials/plastics")
    assert "disposal" not in {term.name for term in terms("cff", shares)}


def test_only_the_circular_formula_takes_off_what_recovered_energy_replaces() -> None:
    shares = Circularity(energy_recovered=0.5, energy_allocation=0.2, heat=4.0, electricity=2.0)

    def kg(method: str) -> float:
        return sum(term.share * getattr(BURNED, term.factor) for term in terms(method, shares))  # type: ignore[arg-type]

    assert kg("cff") == pytest.approx(0.12 + 0.5 * 0.05)
    assert kg("recycled_content") == kg("recycling_burden_no_credit") == pytest.approx(0.5 * 2.5 + 0.5 * 0.05)


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

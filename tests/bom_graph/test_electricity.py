"""Certificates against grid purchases: the cap, the spread over the site-month, months and assignment."""

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import CertificateError, Claimed, GridPurchase, certified_shares

A, B = frozenset({"a"}), frozenset({"b"})


def bought(
    place: str, mwh: int, first: str = "2026-01-01", last: str = "2026-01-31", outputs: frozenset[str] = A
) -> GridPurchase:
    return GridPurchase(place, Fraction(1000 * mwh), date.fromisoformat(first), date.fromisoformat(last), outputs)


def claimed(
    mwh: int, month: str = "2026-01", generation: str = "wind", outputs: frozenset[str] | None = None
) -> Claimed:
    return Claimed(f"claim {generation}", Fraction(1000 * mwh), month, generation, outputs)


def test_certificates_are_spread_over_all_that_the_site_took() -> None:
    """Worked example D, its 9,000 MWh from the grid metered in two places: 4,000 MWh of wind are four ninths of each."""
    found = certified_shares([bought("one", 6000), bought("two", 3000)], [claimed(4000)])
    assert found == {"one": {"wind": Fraction(4, 9)}, "two": {"wind": Fraction(4, 9)}}


def test_generation_types_add_up() -> None:
    found = certified_shares([bought("one", 8000)], [claimed(4000), claimed(2000, generation="solar")])
    assert found == {"one": {"wind": Fraction(1, 2), "solar": Fraction(1, 4)}}


@pytest.mark.parametrize(
    "claims",
    [[claimed(9500)], [claimed(5000), claimed(4500, generation="solar")]],
    ids=["in one claim", "together"],
)
def test_worked_example_d2_certificates_above_grid_purchases(claims: list[Claimed]) -> None:
    with pytest.raises(CertificateError, match="500 MWh above grid purchases of 9000 MWh") as caught:
        certified_shares([bought("one", 9000)], claims)
    assert "9500 MWh are claimed for 2026-01" in caught.value.what
    assert caught.value.where == claims[-1].place
    assert caught.value.remedy


def test_a_month_s_certificates_count_in_that_month_alone() -> None:
    january, february = bought("one", 10), bought("two", 10, "2026-02-01", "2026-02-28")
    assert certified_shares([january, february], [claimed(5, "2026-02")]) == {
        "one": {},
        "two": {"wind": Fraction(1, 2)},
    }
    with pytest.raises(CertificateError, match="5 MWh above"):
        certified_shares([january, february], [claimed(15, "2026-02")])


def test_what_was_metered_over_several_months_bears_no_month_s_certificates() -> None:
    """Else January's certificates would cover a whole year's power, or a second month would thin the claimed one's."""
    year = bought("year", 12, "2026-01-01", "2026-12-31")
    for purchases in ([year], [year, bought("june", 4, "2026-06-01", "2026-06-30")]):
        with pytest.raises(
            CertificateError, match="2026-06 are claimed, and year was metered from 2026-01-01"
        ) as caught:
            certified_shares(purchases, [claimed(3, "2026-06")])
        assert "monthly statements" in caught.value.remedy


def test_certificates_of_a_month_without_purchases_are_refused() -> None:
    with pytest.raises(CertificateError, match="nothing was taken from the grid in that month"):
        certified_shares([bought("one", 10)], [claimed(5, "2026-03")])


def test_an_assigned_claim_counts_for_its_outputs_first() -> None:
    purchases = [bought("one", 10, outputs=A), bought("two", 10, outputs=B)]
    found = certified_shares(purchases, [claimed(5, generation="solar"), claimed(10, outputs=A)])
    assert found == {"one": {"wind": 1}, "two": {"solar": Fraction(1, 2)}}
    with pytest.raises(CertificateError, match="2 MWh above grid purchases of 10 MWh"):
        certified_shares(purchases, [claimed(12, outputs=A)])


def test_nothing_claimed_of_nothing_bought() -> None:
    assert certified_shares([bought("one", 0)], [claimed(0)]) == {"one": {}}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=5), st.lists(st.integers(0, 50), max_size=4))
def test_what_is_claimed_is_certified_to_the_last_kilowatt_hour_or_refused(
    meters: list[int], claims: list[int]
) -> None:
    purchases = [bought(f"{n}", mwh, outputs=A if n % 2 else B) for n, mwh in enumerate(meters)]
    claiming = [claimed(mwh, generation=("wind", "solar")[n % 2]) for n, mwh in enumerate(claims)]
    if sum(claims) > sum(meters):
        with pytest.raises(CertificateError, match=f"{sum(claims) - sum(meters)} MWh above"):
            certified_shares(purchases, claiming)
        return
    found = certified_shares(purchases, claiming)
    certified = sum(purchase.kwh * share for purchase in purchases for share in found[purchase.place].values())
    assert certified == 1000 * sum(claims)
    assert all(sum(shares.values()) <= 1 for shares in found.values())

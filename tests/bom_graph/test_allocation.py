"""Lines split among several outputs: worked example H, each key, and what has no basis."""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import Allocation, AllocationError, Burden, Link, Output, ProductSystem, allocate, possible_keys, solve

LFP, NMC = "https://cells.example/lfp", "https://cells.example/nmc622"
Claims = dict[str, Any]


def measure(amount: str, unit: str) -> Claims:
    return {"amount": amount, "unit": unit, "obtained": "measured"}


def output(product: str, amount: str, unit: str, **members: Any) -> Output:
    name = product.rpartition("/")[2]
    return Output.model_validate({"id": name, "product": product, **measure(amount, unit), **members})


#: Worked example H: a plant that used 41.52 GWh for 3 GWh of LFP and 2 GWh of NMC622 cells, by mass and energy.
CELLS = (
    output(LFP, "3", "GWh", mass=measure(str(3_000_000 * 4.238174), "kg")),
    output(NMC, "2", "GWh", mass=measure(str(2_000_000 * 3.192641), "kg")),
)


def by(key: str, **members: Any) -> Allocation:
    return Allocation.model_validate({"key": key, **members})


def table(*stated: tuple[str, str]) -> list[Claims]:
    return [{"product": product, "share": share} for product, share in stated]


@pytest.mark.parametrize(("key", "lfp", "nmc"), [("energy", "8.3040", "8.3040"), ("mass", "9.2131", "6.9403")])
def test_worked_example_h(key: str, lfp: str, nmc: str) -> None:
    """kWh of electricity per kWh of cells; by either key they add up to what the plant used."""
    used = Fraction(41_520_000)
    found = allocate(CELLS, by(key))
    assert f"{float(used * found[LFP] / 3_000_000):.4f}" == lfp
    assert f"{float(used * found[NMC] / 2_000_000):.4f}" == nmc
    assert sum(used * share for share in found.values()) == used


def test_by_pieces() -> None:
    outputs = (output(LFP, "30", "piece"), output(NMC, "5", "kg", pieces=measure("10", "piece")))
    assert allocate(outputs, by("pieces")) == {LFP: Fraction(3, 4), NMC: Fraction(1, 4)}


def test_by_proceeds_at_prices_per_any_quantity_that_is_stated() -> None:
    """2 t at 3,000 CNY/t against 500 kWh at 4 CNY/kWh."""
    outputs = (
        output(LFP, "2000", "kg", price={"amount": "3000", "currency": "CNY", "per": "t"}),
        output(NMC, "1", "t", energy=measure("500", "kWh"), price={"amount": "4", "currency": "CNY", "per": "kWh"}),
    )
    assert allocate(outputs, by("economic")) == {LFP: Fraction(3, 4), NMC: Fraction(1, 4)}
    assert possible_keys(outputs) == ("mass", "economic")


def test_by_the_operator_s_own_table() -> None:
    stated = by("stated", shares=table((LFP, "0.7"), (NMC, "0.3005")))
    found = allocate(CELLS, stated)
    assert sum(found.values()) == 1
    assert float(found[LFP]) == pytest.approx(0.7 / 1.0005)


def test_a_line_of_one_output_is_its_own_by_any_key() -> None:
    assert allocate(CELLS, by("pieces"), among={NMC}) == {LFP: 0, NMC: 1}


@pytest.mark.parametrize(
    ("key", "price", "where", "what"),
    [
        ("pieces", {}, "outputs/lfp", "has no pieces"),
        ("economic", {}, "outputs/lfp/price", "has no price"),
        ("economic", {"amount": "1", "currency": "CNY", "per": "kg"}, "outputs", "CNY and USD"),
        ("economic", {"amount": "0", "currency": "USD", "per": "kg"}, "allocation/key", "none of the outputs"),
        ("economic", {"amount": "1", "currency": "USD", "per": "t.km"}, "outputs/lfp/price", "has no price"),
    ],
    ids=["no pieces", "no price", "two currencies", "all worthless", "a price per other things"],
)
def test_allocation_without_basis(key: str, price: Claims, where: str, what: str) -> None:
    other = {"amount": "0", "currency": "USD", "per": "kg"}
    outputs = [output(LFP, "1", "kg", **({"price": price} if price else {})), output(NMC, "1", "kg", price=other)]
    with pytest.raises(AllocationError, match=what) as caught:
        allocate(outputs, by(key))
    assert caught.value.where == where
    assert caught.value.remedy


AMOUNTS = st.decimals("0.001", "1E+9", allow_nan=False, places=3).map(lambda amount: format(amount, "f"))


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, AMOUNTS), min_size=1, max_size=6), st.data())
def test_a_line_is_split_without_rest_whatever_the_order_of_the_outputs(
    stated: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    outputs = [
        output(
            f"https://p.example/{n}",
            kg,
            "kg",
            energy=measure(kwh, "kWh"),
            price={"amount": price, "currency": "CNY", "per": "kWh"},
        )
        for n, (kg, kwh, price) in enumerate(stated)
    ]
    products = [one.product for one in outputs]
    among = data.draw(st.sets(st.sampled_from(products), min_size=1))
    for key in possible_keys(outputs):
        found = allocate(outputs, by(key), among=among)
        assert sum(found.values()) == 1
        assert {product for product, share in found.items() if share} == among
        assert allocate(outputs[::-1], by(key), among=among) == found


# -- known answers ---------------------------------------------------------------------------------------------------


def test_known_answer_of_physical_allocation() -> None:
    """olca-modules AllocationTest: factors 0.25 and 0.75 of 2 kg."""
    outputs = (output(LFP, "25", "kg"), output(NMC, "75", "kg"))
    share = float(allocate(outputs, by("mass"))[LFP])
    system = ProductSystem(("lfp",), (), (Burden(0, "s", 2 * share, 0, 0),))
    assert solve(system, {0: 1.0}).total == pytest.approx(0.5, rel=1e-12)


def test_known_answer_of_allocation_with_avoided_product() -> None:
    """olca-modules AllocateAvoidedTest: 0.75 x 2 - 0.75 x 0.5 x 1.5; the avoided product is allocated like any line."""
    outputs = (output(LFP, "25", "kg"), output(NMC, "75", "kg"))
    share = float(allocate(outputs, by("mass"))[NMC])
    burdens = (Burden(0, "s", 2 * share, 0, 0), Burden(1, "s", 1.5, 0, 0))
    system = ProductSystem(("nmc", "avoided"), (Link(0, 1, -0.5 * share),), burdens)
    assert solve(system, {0: 1.0}).total == pytest.approx(0.9375, rel=1e-12)

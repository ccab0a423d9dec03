"""The pass over the product system: known answers from outside, and properties on random systems."""

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import Burden, CycleError, Footprint, Link, ProductSystem, compile_arrays, compile_system, solve

Edges = list[tuple[int, int, float]]
# (processes, (consumer, supplier, amount per unit), emission per unit of product, demand, total, contributions)
# The convention of the sources (A, B, f) turned into links: inputs per unit of product are -A[i, j] / A[j, j]; emissions B[j] / A[j, j].
KNOWN: dict[str, tuple[Edges, list[float], dict[int, float], float, list[float]]] = {
    # Heijungs & Suh 2002, chapter 2: 10 kWh from 2 l of fuel; 100 l of fuel; demand 1000 kWh.
    "Heijungs & Suh, CO2": ([(0, 1, 0.2)], [0.1, 0.1], {0: 1000.0}, 120.0, [100.0, 20.0]),
    "Heijungs & Suh, SO2": ([(0, 1, 0.2)], [0.01, 0.02], {0: 1000.0}, 14.0, [10.0, 4.0]),
    "Heijungs & Suh, crude oil": ([(0, 1, 0.2)], [0.0, -0.5], {0: 1000.0}, -100.0, [0.0, -100.0]),
    # GreenDelta/olca-modules SubResultsTest: the third process takes two of the second, that takes four of the first.
    "nested sub-systems": ([(1, 0, 4.0), (2, 1, 2.0)], [1.0, 2.0, 1.0], {2: 1.0}, 13.0, [8.0, 4.0, 1.0]),
    # olca-modules WasteCalculationTest, AvoidedFlowsTest.
    "waste downstream": ([(0, 1, 2.0)], [0.0, 2.0], {0: 1.0}, 4.0, [0.0, 4.0]),
    "avoided product": ([(0, 1, -0.5)], [2.0, 2.0], {0: 1.0}, 1.0, [2.0, -1.0]),
}


def footprint(count: int, edges: Edges, emissions: list[float], demand: dict[int, float]) -> Footprint:
    names = tuple(f"p{n}" for n in range(count))
    burdens = tuple(Burden(n, f"stage {n % 3}", kg, n % 2, 0.0) for n, kg in enumerate(emissions))
    return solve(ProductSystem(names, tuple(Link(*edge) for edge in edges), burdens), demand)


@pytest.mark.parametrize("case", KNOWN.values(), ids=KNOWN.keys())
def test_known_answers(case: tuple[Edges, list[float], dict[int, float], float, list[float]]) -> None:
    edges, emissions, demand, total, parts = case
    found = footprint(len(emissions), edges, emissions, demand)
    assert found.total == pytest.approx(total, rel=1e-12)
    assert [part.kg_co2e for part in found.contributions] == pytest.approx(parts, rel=1e-12)


def test_the_scaling_of_heijungs_and_suh() -> None:
    system = compile_system(("electricity", "fuel"), [Link(0, 1, 0.2)])
    assert system.scale(np.array([1000.0, 0.0])).tolist() == [1000.0, 200.0]


@st.composite
def systems(draw: st.DrawFn) -> tuple[int, Edges, list[float]]:
    """A random acyclic system with numbers shuffled, so that order of number says nothing, and its emissions."""
    count = draw(st.integers(1, 12))
    order = draw(st.permutations(range(count)))
    pairs = [(order[a], order[b]) for a in range(count) for b in range(a + 1, count)]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=30)) if pairs else []
    amounts = st.floats(1e-3, 10)
    return (
        count,
        [(consumer, supplier, draw(amounts)) for consumer, supplier in chosen],
        [draw(st.floats(0, 100)) for _ in range(count)],
    )


def naive(edges: Edges, emissions: list[float], product: int) -> float:
    """kg CO2e of one unit of `product`, by recursion."""

    @cache
    def of(process: int) -> float:
        return emissions[process] + sum(
            amount * of(supplier) for consumer, supplier, amount in edges if consumer == process
        )

    return of(product)


@given(systems(), st.data())
def test_a_random_system_agrees_with_plain_recursion(
    system: tuple[int, Edges, list[float]], data: st.DataObject
) -> None:
    count, edges, emissions = system
    product = data.draw(st.integers(0, count - 1))
    found = footprint(count, edges, emissions, {product: 1.0})
    assert found.total == pytest.approx(naive(edges, emissions, product), rel=1e-12, abs=0)


@given(systems(), st.integers(0, 2**32))
def test_the_order_of_the_links_does_not_matter(system: tuple[int, Edges, list[float]], seed: int) -> None:
    count, edges, emissions = system
    mixed = random.Random(seed).sample(edges, len(edges))
    assert footprint(count, mixed, emissions, {0: 1.0}).total == pytest.approx(
        footprint(count, edges, emissions, {0: 1.0}).total, rel=1e-12
    )


@given(systems(), st.sampled_from([0.0, 0.25, 2.0, 1024.0]))
def test_the_footprint_is_linear_in_the_demand(system: tuple[int, Edges, list[float]], factor: float) -> None:
    count, edges, emissions = system
    assert (
        footprint(count, edges, emissions, {0: factor}).total
        == factor * footprint(count, edges, emissions, {0: 1.0}).total
    )


@given(systems())
def test_contributions_and_stages_add_up_to_the_total(system: tuple[int, Edges, list[float]]) -> None:
    found = footprint(*system, {0: 1.0})
    assert sum(part.kg_co2e for part in found.contributions) == pytest.approx(found.total, rel=1e-12)
    assert sum(found.stages.values()) == pytest.approx(found.total, rel=1e-12)


def test_the_primary_share_weighs_absolute_emissions() -> None:
    """Two processes of 6 and -2 kg, the second primary: 2 of 8."""
    found = footprint(2, [(0, 1, 1.0)], [6.0, -2.0], {0: 1.0})
    assert found.total == 4
    assert found.activity_primary_share == 0.25
    assert footprint(1, [], [0.0], {0: 1.0}).activity_primary_share == 0


def test_two_links_between_the_same_processes_add_up() -> None:
    assert footprint(2, [(0, 1, 2.0), (0, 1, 3.0)], [0.0, 1.0], {0: 1.0}).total == 5


def test_a_system_without_links() -> None:
    assert footprint(3, [], [1.0, 2.0, 4.0], {0: 1.0, 2: 2.0}).total == 9


def test_a_deep_chain_takes_no_stack() -> None:
    count = 5_000
    edges = [(n, n + 1, 1.0) for n in range(count - 1)]
    assert footprint(count, edges, [1.0] * count, {0: 1.0}).total == count


CYCLES: dict[str, tuple[int, Edges, set[str]]] = {
    "a product made from itself": (1, [(0, 0, 0.5)], {"p0 -> p0"}),
    "two products": (2, [(0, 1, 1.0), (1, 0, 1.0)], {"p0 -> p1 -> p0", "p1 -> p0 -> p1"}),
    "behind a chain and before one": (
        6,
        [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (3, 2, 1.0), (3, 4, 1.0), (4, 5, 1.0)],
        {"p2 -> p3 -> p2", "p3 -> p2 -> p3"},
    ),
}


@pytest.mark.parametrize(("count", "edges", "paths"), CYCLES.values(), ids=CYCLES.keys())
def test_a_cycle_is_refused_and_named(count: int, edges: Edges, paths: set[str]) -> None:
    with pytest.raises(CycleError) as caught:
        footprint(count, edges, [0.0] * count, {0: 1.0})
    assert caught.value.what.removeprefix("a product is made from itself: ") in paths


@given(systems())
def test_any_link_back_closes_a_cycle(system: tuple[int, Edges, list[float]]) -> None:
    count, edges, emissions = system
    if not edges:
        edges = [(0, 0, 1.0)]
    consumer, supplier, _ = edges[0]
    with pytest.raises(CycleError, match=f"p{consumer}"):
        footprint(count, [*edges[:1], (supplier, consumer, 1.0)], emissions, {0: 1.0})


def test_arrays_compile_as_links_do() -> None:
    edges = [(0, 2, 1.5), (1, 2, 2.0), (0, 1, 3.0), (2, 3, 4.0)]
    names = ("a", "b", "c", "d")
    consumers, suppliers, amounts = (np.array(column) for column in zip(*edges, strict=True))
    demand = np.array([1.0, 0.5, 0.0, 0.0])
    from_arrays = compile_arrays(names, consumers, suppliers, amounts).scale(demand)
    assert from_arrays.tolist() == compile_system(names, [Link(*edge) for edge in edges]).scale(demand).tolist()
    assert from_arrays.tolist() == [1.0, 3.5, 8.5, 34.0]

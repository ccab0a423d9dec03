"""The pass over the product system: known answers from outside, and properties on random systems."""

import random
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import Burden, Footprint, Link, LoopError, ProductSystem, compile_arrays, compile_system, solve

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


# The same for systems with loops: (processes, edges, emissions, demand, total, contributions).
LOOPS: dict[str, tuple[Edges, list[float], dict[int, float], float, list[float]]] = {
    # olca-modules SelfLoopAnalysisTest: s = [4, 4].
    "self loop, first flow": ([(0, 1, 1.0), (1, 0, 0.5)], [1.0, 2.0], {0: 2.0}, 12.0, [4.0, 8.0]),
    "self loop, second flow": ([(0, 1, 1.0), (1, 0, 0.5)], [2.0, 1.0], {0: 2.0}, 12.0, [8.0, 4.0]),
    # lca_algebraic test_inventory_loops_should_work: own use of 0.2.
    "own use": ([(0, 0, 0.2)], [1.0], {0: 1.0}, 1.25, [1.25]),
}


@pytest.mark.parametrize("case", LOOPS.values(), ids=LOOPS.keys())
def test_known_answers_with_loops(case: tuple[Edges, list[float], dict[int, float], float, list[float]]) -> None:
    edges, emissions, demand, total, parts = case
    found = footprint(len(emissions), edges, emissions, demand)
    assert found.total == pytest.approx(total, rel=1e-12)
    assert [part.kg_co2e for part in found.contributions] == pytest.approx(parts, rel=1e-12)


ENDLESS: dict[str, tuple[int, Edges, set[str]]] = {
    "a product that takes all of itself": (1, [(0, 0, 1.0)], {"p0"}),
    "a product that takes more than itself": (1, [(0, 0, 1.5)], {"p0"}),
    "two products": (2, [(0, 1, 1.0), (1, 0, 1.0)], {"p0", "p1"}),
    "two products, beyond": (2, [(0, 1, 2.0), (1, 0, 2.0)], {"p0", "p1"}),
    "behind a chain and before one": (
        6,
        [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (3, 2, 1.0), (3, 4, 1.0), (4, 5, 1.0)],
        {"p2", "p3"},
    ),
}


@pytest.mark.parametrize(("count", "edges", "members"), ENDLESS.values(), ids=ENDLESS.keys())
def test_a_loop_that_makes_nothing_is_refused_and_named(count: int, edges: Edges, members: set[str]) -> None:
    with pytest.raises(LoopError) as caught:
        footprint(count, edges, [0.0] * count, {0: 1.0})
    assert set(caught.value.what.rpartition(": ")[2].split(", ")) == members


def test_a_loop_too_large_for_a_dense_matrix_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bom_graph.graph.MAX_LOOP", 10)
    edges = [(n, (n + 1) % 11, 0.5) for n in range(11)]
    with pytest.raises(LoopError, match="more than 10 products"):
        footprint(11, edges, [0.0] * 11, {0: 1.0})


@st.composite
def looped(draw: st.DrawFn) -> tuple[int, Edges]:
    """A random system, mostly with loops, in which no process takes as much as it makes."""
    count = draw(st.integers(1, 9))
    pairs = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=25))
    edges = []
    for consumer in range(count):
        own = [supplier for first, supplier in pairs if first == consumer]
        edges += [(consumer, supplier, draw(st.floats(0.01, 0.95)) / len(own)) for supplier in own]
    return count, edges


def dense(count: int, edges: Edges) -> np.ndarray:
    matrix = np.eye(count)
    for consumer, supplier, amount in edges:
        matrix[supplier, consumer] -= amount
    return matrix


@given(looped(), st.integers(0, 2**32))
def test_passes_over_loops_agree_with_a_dense_solution(system: tuple[int, Edges], seed: int) -> None:
    count, edges = system
    random = np.random.default_rng(seed)
    given_, direct = random.random((2, count, 3))
    compiled = compile_system([""] * count, [Link(*edge) for edge in edges])
    np.testing.assert_allclose(compiled.scale(given_), np.linalg.solve(dense(count, edges), given_), rtol=1e-12)
    np.testing.assert_allclose(compiled.intensities(direct), np.linalg.solve(dense(count, edges).T, direct), rtol=1e-12)


@given(looped(), st.integers(0, 2**32))
def test_columns_are_passes_of_their_own(system: tuple[int, Edges], seed: int) -> None:
    count, edges = system
    demands = np.random.default_rng(seed).random((count, 4))
    compiled = compile_system([""] * count, [Link(*edge) for edge in edges])
    for column in range(4):
        np.testing.assert_allclose(compiled.scale(demands)[:, column], compiled.scale(demands[:, column]), rtol=1e-12)


@given(looped(), st.data())
def test_an_update_gives_the_digits_of_the_whole_pass(system: tuple[int, Edges], data: st.DataObject) -> None:
    count, edges = system
    compiled = compile_system([""] * count, [Link(*edge) for edge in edges])
    before = np.array([data.draw(st.floats(0, 100)) for _ in range(count)])
    changed = data.draw(st.lists(st.integers(0, count - 1), max_size=3))
    after = before.copy()
    after[changed] = [data.draw(st.floats(0, 100)) for _ in changed]
    updated = compiled.update(compiled.intensities(before), after, changed)
    assert updated.tolist() == compiled.intensities(after).tolist()


def test_an_update_walks_to_the_ancestors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten packs over ten cells of their own: a changed cell is one pack's matter; what is dearer than a pass is a pass."""
    compiled = compile_system([""] * 20, [Link(n, 10 + n, 2.0) for n in range(10)])
    before = compiled.intensities(np.ones(20))
    poisoned = before.copy()
    poisoned[3] = np.nan  # would be computed again, were it touched
    direct = np.ones(20)
    direct[15] = 4.0
    after = compiled.update(poisoned, direct, [15])
    assert after[5] == 9.0
    assert after[15] == 4.0
    assert np.isnan(after[3])
    monkeypatch.setattr("bom_graph.graph._FEW_LINKS", 0)
    assert not np.isnan(compiled.update(poisoned, direct, [15])).any()


@given(looped(), st.integers(0, 2**32))
def test_the_order_of_links_and_processes_changes_nothing_but_rounding(system: tuple[int, Edges], seed: int) -> None:
    count, edges = system
    random = np.random.default_rng(seed)
    place = random.permutation(count)
    mixed = [
        Link(int(place[edges[n][0]]), int(place[edges[n][1]]), edges[n][2]) for n in random.permutation(len(edges))
    ]
    demand = random.random(count)
    moved = np.empty(count)
    moved[place] = demand
    found = compile_system([""] * count, mixed).scale(moved)
    straight = compile_system([""] * count, [Link(*edge) for edge in edges]).scale(demand)
    np.testing.assert_allclose(found[place], straight, rtol=1e-12)


def test_arrays_compile_as_links_do() -> None:
    edges = [(0, 2, 1.5), (1, 2, 2.0), (0, 1, 3.0), (2, 3, 4.0)]
    names = ("a", "b", "c", "d")
    consumers, suppliers, amounts = (np.array(column) for column in zip(*edges, strict=True))
    demand = np.array([1.0, 0.5, 0.0, 0.0])
    from_arrays = compile_arrays(names, consumers, suppliers, amounts).scale(demand)
    assert from_arrays.tolist() == compile_system(names, [Link(*edge) for edge in edges]).scale(demand).tolist()
    assert from_arrays.tolist() == [1.0, 3.5, 8.5, 34.0]

"""200 random systems, half of them with loops, give the same total here and in bw2calc."""

import random

import pytest

from bom_graph import Burden, Link, ProductSystem, solve
from tests.bom_graph.referee import Edges, score


def exact(randomness: random.Random, high: float) -> float:
    """A number that 32-bit floats hold exactly."""
    return randomness.randrange(1, 1024) / 1024 * high


def random_system(seed: int) -> tuple[int, list[tuple[int, int, float]], list[float]]:
    randomness = random.Random(seed)
    count = randomness.randrange(2, 60)
    loops = seed % 2 == 1
    edges: dict[tuple[int, int], float] = {}
    for consumer in range(count):
        others = range(count) if loops else range(consumer + 1, count)
        for supplier in randomness.sample(others, k=min(len(others), randomness.randrange(0, 5))):
            # With four inputs of less than a quarter, no loop takes as much as it makes.
            edges[consumer, supplier] = exact(randomness, 0.25 if loops else 4.0)
    return count, [(*pair, amount) for pair, amount in edges.items()], [exact(randomness, 64.0) for _ in range(count)]


def ours(count: int, edges: Edges, emissions: list[float], demand: dict[int, float]) -> float:
    names = tuple(str(n) for n in range(count))
    burdens = tuple(Burden(n, "all", kg, 0.0, 0.0) for n, kg in enumerate(emissions))
    return solve(ProductSystem(names, tuple(Link(*edge) for edge in edges), burdens), demand).total


@pytest.mark.parametrize("block", range(8))
def test_random_systems_agree_with_bw2calc(block: int) -> None:
    for seed in range(25 * block, 25 * block + 25):
        count, edges, emissions = random_system(seed)
        demand = {0: 1.0, count - 1: 2.0}
        assert ours(count, edges, emissions, demand) == pytest.approx(
            score(count, edges, emissions, demand), rel=1e-9
        ), f"seed {seed}"


def test_half_of_the_systems_have_loops() -> None:
    def looped(seed: int) -> bool:
        count, edges, _ = random_system(seed)
        reach = {n: {s for c, s, _ in edges if c == n} for n in range(count)}
        for _ in range(count):
            reach = {n: below.union(*(reach[m] for m in below)) for n, below in reach.items()}
        return any(n in below for n, below in reach.items())

    assert sum(looped(seed) for seed in range(0, 200, 2)) == 0
    assert sum(looped(seed) for seed in range(1, 200, 2)) > 80

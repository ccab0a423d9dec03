"""The footprint engine: the pass over a large system, compile and pass of a small one, and one real pack."""

import math
import sys
import time
import warnings
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, pairwise

import networkx as nx
import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.measure import Row, compare, limit
from bom_graph import (
    Burden,
    Link,
    Parameter,
    Portfolio,
    ProductSystem,
    UncertainSystem,
    Uncertainty,
    compile_arrays,
    load_release,
    load_rule_set,
    simulate,
)
from exchange.assembly import Demand, compute
from exchange.evidence import Entry
from exchange.kinds import load_policy
from tests.bom_graph.referee import lca
from tests.connectors.supply_chain import SupplyChain

Indices = NDArray[np.int64]
Amounts = NDArray[np.float64]
System = tuple[int, Indices, Indices, Amounts]


def rows() -> Iterator[Row]:
    """Passes per second, and pack footprints per second."""
    yield _pass(_random_system(100_000, 1_000_000))
    yield _compile_and_pass(_random_system(2_000, 6_000))
    yield from _against_bw2calc(2_000, 6_000, first=">=20", again=">=5")
    yield from _against_bw2calc(20_000, 60_000, first=">=100", again="for information")
    yield _draws(2_000, 6_000)
    yield _portfolio(10_000)
    yield _changed_leaf(_random_system(100_000, 300_000))
    yield _pack()


def _random_system(processes: int, edges: int) -> System:
    """Consumers, suppliers and amounts; a supplier's number is above its consumers', so that there is no loop."""
    random = np.random.default_rng(7)
    pairs = np.sort(random.integers(0, processes, (2, edges + edges // 50)), axis=0)
    pairs = pairs[:, pairs[0] != pairs[1]][:, :edges]
    # Small amounts: with ten inputs each, the products along the paths stay finite.
    amounts: Amounts = random.random((pairs.shape[1],)) / 16
    return processes, pairs[0], pairs[1], amounts


def _pass(system: System) -> Row:
    processes, consumers, suppliers, amounts = system
    compiled = compile_arrays([""] * processes, consumers, suppliers, amounts)
    demand = np.zeros(processes)
    demand[0] = 1.0
    bare = _bare_pass(system, demand)
    np.testing.assert_allclose(compiled.scale(demand), bare(), rtol=1e-9)
    return compare(
        f"roll-up pass, {processes:,} processes, {len(amounts):,} links",
        lambda: compiled.scale(demand),
        bare,
        reference_name="scipy CSR by level",
        goal=">=0.33",
    )


def _bare_pass(system: System, demand: Amounts) -> Callable[[], Amounts]:
    """The same pass as one CSR product per level, processes renumbered by level so that each level is a slice."""
    processes, consumers, suppliers, amounts = system
    levels = [0] * processes
    order = np.argsort(consumers, kind="stable")
    for consumer, supplier in zip(consumers[order].tolist(), suppliers[order].tolist(), strict=True):
        levels[supplier] = max(levels[supplier], levels[consumer] + 1)
    level = np.array(levels)
    by_level = np.argsort(level, kind="stable")
    number = np.empty(processes, dtype=np.int64)
    number[by_level] = np.arange(processes)
    taken = csr_array((amounts, (number[suppliers], number[consumers])), shape=(processes, processes))
    bounds = np.searchsorted(level[by_level], np.arange(level.max() + 2)).tolist()
    slices = [(begin, end, taken[begin:end, :begin]) for begin, end in pairwise(bounds[1:])]

    def run() -> Amounts:
        scaling = demand[by_level]
        for begin, end, rows in slices:
            scaling[begin:end] += rows @ scaling[:begin]
        return scaling[number]

    return run


def _compile_and_pass(system: System) -> Row:
    processes, consumers, suppliers, amounts = system
    names = [str(n) for n in range(processes)]
    demand = np.zeros(processes)
    demand[0] = 1.0
    edges = list(zip(consumers.tolist(), suppliers.tolist(), amounts.tolist(), strict=True))
    return compare(
        f"compile and pass, {processes:,} processes, {len(amounts):,} links",
        lambda: compile_arrays(names, consumers, suppliers, amounts).scale(demand),
        lambda: _networkx_roll_up(processes, edges),
        reference_name="networkx, build and topological roll-up",
        goal="for information",
    )


def _against_bw2calc(processes: int, links: int, *, first: str, again: str) -> Iterator[Row]:
    """First result and one more with another demand, against bw2calc with scipy's solver (its default; no PARDISO here)."""
    _, consumers, suppliers, amounts = _random_system(processes, links)
    names = [""] * processes
    emissions = np.linspace(1, 2, processes)
    edges = list(zip(consumers.tolist(), suppliers.tolist(), amounts.tolist(), strict=True))
    demand = np.zeros(processes)
    demand[0] = 1.0

    def solve_first() -> float:
        return float(compile_arrays(names, consumers, suppliers, amounts).scale(demand) @ emissions)

    peer = lca(processes, edges, emissions.tolist(), {0: 1.0})

    def peer_first() -> float:
        for name in ("solver", "technosphere_matrix"):
            peer.__dict__.pop(name, None)
        peer.lci()
        peer.lcia()
        return float(peer.score)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_allclose(solve_first(), peer_first(), rtol=1e-5)
        shown = f"{processes:,} processes, {links:,} links"
        yield compare(f"first result, {shown}", solve_first, peer_first, reference_name="bw2calc", goal=first, rounds=3)
        compiled = compile_arrays(names, consumers, suppliers, amounts)
        peer.lci(factorize=True)
        vector = peer.demand_array
        yield compare(
            f"scaling vector of another demand, {shown}",
            lambda: compiled.scale(demand),
            lambda: peer.solve_linear_system(vector),
            reference_name="bw2calc, factorised",
            goal=again,
        )


def _draws(processes: int, links: int) -> Row:
    """Draws with every link and every emission uncertain; bw2calc's own are measured over a few and set to the same number."""
    _, consumers, suppliers, amounts = _random_system(processes, links)
    sure = Uncertainty.model_validate({"distribution": "lognormal", "sigma": "0.1"})
    edges = list(zip(consumers.tolist(), suppliers.tolist(), amounts.tolist(), strict=True))
    emissions = np.linspace(1, 2, processes).tolist()
    system = ProductSystem(
        tuple(str(n) for n in range(processes)),
        tuple(Link(*edge) for edge in edges),
        tuple(Burden(n, "all", kg, 0.0, 0.0) for n, kg in enumerate(emissions)),
    )
    count = len(edges)
    uncertain = UncertainSystem(
        system,
        tuple(Parameter(str(n), 1.0, sure) for n in range(count + processes)),
        {n: (n,) for n in range(count)},
        {n: (count + n,) for n in range(processes)},
    )
    peer = lca(processes, edges, emissions, {0: 1.0}, sigma=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer.lci()
        peer.lcia()

        return compare(
            f"draws, {processes:,} processes, {links:,} links",
            lambda: simulate(uncertain, {0: 1.0}, draws=1_000, seed=1),
            lambda: list(islice(peer, 10)),
            reference_name="bw2calc",
            goal=">=50",
            operations=1_000,
            reference_operations=10,
            rounds=3,
        )


def _changed_leaf(system: System) -> Row:
    """What one changed leaf moves, against the whole pass."""
    processes, consumers, suppliers, amounts = system
    compiled = compile_arrays([""] * processes, consumers, suppliers, amounts)
    direct = np.ones(processes)
    before = compiled.intensities(direct)
    changed = direct.copy()
    changed[processes // 50] = 2.0
    return compare(
        f"one changed process of {processes:,}",
        lambda: compiled.update(before, changed, [processes // 50]),
        lambda: compiled.intensities(changed),
        reference_name="the whole pass",
        goal=">=0.8",
    )


def _portfolio(packs: int) -> Row:
    """Pack models of 3 out of 2,000 cells, each of 6 out of 500 materials: from the product system to all figures after a new release."""
    release = load_release("everbatt-2023")
    rows = release.rows
    random = np.random.default_rng(1)
    counts = (packs, 2_000, 500)
    first_cell, first_material = packs, packs + counts[1]
    names = tuple(f"product {n}" for n in range(sum(counts)))
    links = [
        *(Link(p, first_cell + int(c), 0.3) for p in range(packs) for c in random.integers(counts[1], size=3)),
        *(
            Link(first_cell + c, first_material + int(m), 0.4)
            for c in range(counts[1])
            for m in random.integers(500, size=6)
        ),
    ]
    burdens = []
    for process, lines in ((p, 12 if p < packs else 20) for p in range(len(names))):
        for row in (rows[int(n)] for n in random.integers(len(rows), size=lines)):
            named = {"release": release.id, "row": row.id, "value": str(row.value), "unit": f"kg CO2e/{row.per}"}
            burdens.append(Burden(process, "s", float(row.value), 0.0, 0.0, {"factor": named}))
    system = ProductSystem(names, tuple(links), tuple(burdens))
    newer = release.model_copy(update={"rows": tuple(row.model_copy(update={"value": 2 * row.value}) for row in rows)})
    start = time.perf_counter()
    for done, change in enumerate(Portfolio(system, range(packs)).after([newer]), 1):
        if not math.isclose(change.after, 2 * change.before, rel_tol=1e-9):
            raise AssertionError(f"{change.product} isn't doubled")
        if done % (packs // 4) == 0:
            print(f"{done:,} of {packs:,} pack models", file=sys.stderr)
    return limit(f"{packs:,} pack models after a factor release", 1e3 * (time.perf_counter() - start), 10_000)


def _networkx_roll_up(processes: int, edges: list[tuple[int, int, float]]) -> list[float]:
    graph: nx.MultiDiGraph = nx.MultiDiGraph()
    graph.add_nodes_from(range(processes))
    graph.add_weighted_edges_from(edges)
    scaling = [0.0] * processes
    scaling[0] = 1.0
    for node in nx.topological_sort(graph):
        for _, supplier, amount in graph.out_edges(node, data="weight"):
            scaling[supplier] += scaling[node] * amount
    return scaling


def _pack() -> Row:
    chain = SupplyChain()
    pack = chain.pack("NMC622", "China", "recipe")
    evidence = chain.simulator.evidence()
    rule_set, policy = load_rule_set("cn-miit-551-trial"), load_policy()
    releases = [load_release(name) for name in rule_set.factor_releases]
    used = compute(evidence, Demand(pack), rule_set, releases, policy).inputs
    checks = [_bare_verification(entry) for entry in used]
    return compare(
        f"one EverBatt pack from {len(used)} verified statements",
        lambda: compute(evidence, Demand(pack), rule_set, releases, policy),
        lambda: [check() for check in checks],
        reference_name="their bare signature verifications",
        goal="for information",
    )


def _bare_verification(entry: Entry) -> Callable[[], None]:
    """The one signature check (ES256) that the entry can't do without."""
    statement = entry.statement
    key = statement.certificate.public_key
    assert isinstance(key, ec.EllipticCurvePublicKey)
    raw = urlsafe_b64decode(statement.token.rpartition(".")[2] + "==")
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    return partial(key.verify, signature, statement.signing_input, ec.ECDSA(hashes.SHA256()))

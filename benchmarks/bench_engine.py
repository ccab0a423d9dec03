"""The footprint engine: the pass over a large system, compile and pass of a small one, and one real pack."""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

import networkx as nx
import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.measure import Row, compare
from bom_graph import compile_arrays, load_release, load_rule_set
from exchange.assembly import Demand, compute
from exchange.evidence import Entry
from exchange.kinds import load_policy
from tests.connectors.supply_chain import SupplyChain

Indices = NDArray[np.int64]
Amounts = NDArray[np.float64]
System = tuple[int, Indices, Indices, Amounts]


def rows() -> Iterator[Row]:
    """Passes per second, and pack footprints per second."""
    yield _pass(_random_system(100_000, 1_000_000))
    yield _compile_and_pass(_random_system(2_000, 6_000))
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
    rule_set, releases, policy = load_rule_set("cn-miit-551-trial"), [load_release("everbatt-2023")], load_policy()
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

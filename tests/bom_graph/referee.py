"""bw2calc as a second referee: a product system as processed arrays, solved by code that nobody here wrote."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

with warnings.catch_warnings():
    # It recommends a faster solver at import.
    warnings.simplefilter("ignore")
    import bw2calc
    import bw_processing

Edges = Sequence[tuple[int, int, float]]
_PRODUCTS = 1_000_000  # bw2calc tells activities, products and flows apart by number


def lca(
    count: int, edges: Edges, emissions: Sequence[float], demand: dict[int, float], *, sigma: float | None = None
) -> Any:
    """An LCA of bw2calc over the system, not yet calculated; with `sigma` it draws lognormal inputs and emissions.

    Amounts are stored there as 32-bit floats: give numbers that survive it.
    """
    package = bw_processing.create_datapackage()
    outputs = [(_PRODUCTS + n, n) for n in range(count)]
    inputs = [(_PRODUCTS + supplier, consumer) for consumer, supplier, _ in edges]
    package.add_persistent_vector(
        matrix="technosphere_matrix",
        name="technosphere",
        indices_array=np.array([*outputs, *inputs], dtype=bw_processing.INDICES_DTYPE),
        data_array=np.array([1.0] * count + [amount for _, _, amount in edges]),
        flip_array=np.array([False] * count + [True] * len(edges)),
        **_distributions([1.0] * count + [amount for _, _, amount in edges], sigma, fixed=count),
    )
    package.add_persistent_vector(
        matrix="biosphere_matrix",
        name="biosphere",
        indices_array=np.array([(9_999_999, n) for n in range(count)], dtype=bw_processing.INDICES_DTYPE),
        data_array=np.array(emissions, dtype=float),
        **_distributions(emissions, sigma),
    )
    package.add_persistent_vector(
        matrix="characterization_matrix",
        name="characterization",
        indices_array=np.array([(9_999_999, 0)], dtype=bw_processing.INDICES_DTYPE),
        data_array=np.array([1.0]),
        global_index=0,
    )
    wanted = {_PRODUCTS + process: amount for process, amount in demand.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bw2calc.LCA(demand=wanted, data_objs=[package], use_distributions=sigma is not None, seed_override=1)


def _distributions(amounts: Sequence[float], sigma: float | None, *, fixed: int = 0) -> dict[str, Any]:
    """Lognormal (2) around each amount, none (0) for the first `fixed`."""
    if sigma is None:
        return {}
    found = np.zeros(len(amounts), dtype=bw_processing.UNCERTAINTY_DTYPE)
    found["loc"] = amounts
    found["loc"][fixed:] = np.log(amounts[fixed:])
    found["uncertainty_type"][fixed:] = 2
    for name, value in (("scale", sigma), ("shape", np.nan), ("minimum", np.nan), ("maximum", np.nan)):
        found[name] = value
    return {"distributions_array": found}


def score(count: int, edges: Edges, emissions: Sequence[float], demand: dict[int, float]) -> float:
    """kg CO2e of the demand, by bw2calc."""
    found = lca(count, edges, emissions, demand)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found.lci()
        found.lcia()
    return float(found.score)

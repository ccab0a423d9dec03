"""Draws: known distributions, common draws, shares of variance."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import stats_arrays
from pydantic import ValidationError

from bom_graph import (
    Burden,
    Link,
    Parameter,
    ProductSystem,
    Simulation,
    UncertainSystem,
    Uncertainty,
    UncertaintyError,
    simulate,
)

NORMAL = Uncertainty.model_validate({"distribution": "normal", "cv": "0.1"})


def burdens(*kg: float) -> ProductSystem:
    return ProductSystem(("p",), (), tuple(Burden(0, "stage", amount, 0.0, 0.0) for amount in kg))


def drawn(system: UncertainSystem, *, draws: int = 20_000, seed: int = 7) -> Simulation:
    return simulate(system, {0: 1.0}, draws=draws, seed=seed)


def alone(parameter: Parameter, draws: int = 100_000) -> np.ndarray:
    """Draws of a parameter divided by its amount."""
    system = UncertainSystem(burdens(1.0), (parameter,), burdens={0: (0,)})
    return simulate(system, {0: 1.0}, draws=draws, seed=7).totals


def test_two_inputs_of_one_factor_share_its_draws() -> None:
    """Two inputs of 50 kg whose factor has CV 10 %: 10 %, not 10 % / sqrt(2)."""
    factor = Parameter("factor steel", 2.0, NORMAL)
    shared = UncertainSystem(burdens(100.0, 100.0), (factor,), burdens={0: (0,), 1: (0,)})
    found = drawn(shared)
    assert found.sd / found.mean == pytest.approx(0.1, rel=0.02)
    apart = UncertainSystem(
        burdens(100.0, 100.0), (factor, Parameter("factor copper", 2.0, NORMAL)), burdens={0: (0,), 1: (1,)}
    )
    assert drawn(apart).sd / drawn(apart).mean == pytest.approx(0.1 / math.sqrt(2), rel=0.02)
    assert dict(found.shares)["factor steel"] == pytest.approx(1, abs=1e-9)


# What stats_arrays draws from the same identifier and numbers, for an amount of 4.
SAME: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "lognormal": ({"sigma": "0.3"}, {"loc": math.log(4), "scale": 0.3}),
    "normal": ({"sd": "0.5"}, {"loc": 4.0, "scale": 0.5}),
    "uniform": ({"minimum": "3", "maximum": "6"}, {"minimum": 3.0, "maximum": 6.0}),
    "triangular": ({"minimum": "3", "maximum": "6"}, {"loc": 4.0, "minimum": 3.0, "maximum": 6.0}),
}


@pytest.mark.parametrize("name", SAME)
def test_distributions_are_those_of_stats_arrays(name: str) -> None:
    members, theirs = SAME[name]
    given = Uncertainty.model_validate({"distribution": name, **members})
    ours = 4 * alone(Parameter("amount", 4.0, given))
    kind = stats_arrays.uncertainty_choices[given.stats_arrays_id]
    parameters = stats_arrays.UncertaintyBase.from_dicts(theirs | {"uncertainty_type": given.stats_arrays_id})
    sample = kind.bounded_random_variables(parameters, 200_000, np.random.RandomState(1))[0]
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    assert np.quantile(ours, levels) == pytest.approx(np.quantile(sample, levels), rel=0.01)


def test_a_pedigree_widens_a_distribution() -> None:
    scores = {"reliability": 4, "completeness": 3, "time": 5, "geography": 2, "technology": 4}
    variance = 0.008 + 0.0006 + 0.04 + 0.000025 + 0.04
    given = Uncertainty.model_validate({"distribution": "lognormal", "sigma": "0.1", "pedigree": scores})
    logs = np.log(alone(Parameter("amount", 3.0, given)))
    assert logs.std() == pytest.approx(math.sqrt(0.01 + variance), rel=0.01)
    scored = Uncertainty.model_validate({"pedigree": scores})
    logs = np.log(alone(Parameter("amount", 3.0, scored)))
    assert logs.std() == pytest.approx(math.sqrt(variance), rel=0.01)


def looped() -> ProductSystem:
    return ProductSystem(
        ("cell", "cathode"), (Link(0, 1, 2.0), Link(1, 0, 0.1)), (Burden(0, "s", 1.0, 0, 0), Burden(1, "s", 3.0, 0, 0))
    )


def test_amounts_of_links_are_drawn_with_their_loop() -> None:
    """One cell takes a of cathode, one cathode 0.1 of a cell: (1 + 3 a) / (1 - 0.1 a) for each draw of a."""
    amount = Parameter("amount cathode", 2.0, NORMAL)
    found = drawn(UncertainSystem(looped(), (amount,), links={0: (0,)}), draws=500)
    wanted = np.sort(found.totals)
    # The parameter's draws are those of its own key, whatever the system is.
    drawn_amounts = 2 * alone(amount, 500)
    assert found.totals == pytest.approx((1 + 3 * drawn_amounts) / (1 - 0.1 * drawn_amounts), rel=1e-9)
    assert wanted[0] < wanted[-1]
    assert found.shares[0][1] == pytest.approx(1, rel=0.1)


def test_a_difference_is_drawn_in_common() -> None:
    """Two packs of one cathode, 100 and 90 kg of it: they differ by 10 of its factor, whatever that is."""
    factor = Parameter("factor cathode", 2.0, NORMAL)
    more = drawn(UncertainSystem(burdens(200.0), (factor,), burdens={0: (0,)}))
    less = drawn(UncertainSystem(burdens(180.0), (factor,), burdens={0: (0,)}))
    difference = more.less(less)
    assert difference.mean == pytest.approx(20, rel=0.01)
    assert difference.sd == pytest.approx(2, rel=0.02)
    with pytest.raises(UncertaintyError, match="length"):
        more.less(drawn(UncertainSystem(burdens(1.0), (factor,), burdens={0: (0,)}), draws=10))


def test_the_same_seed_gives_the_same_draws_whatever_else_is_drawn() -> None:
    factors = tuple(Parameter(f"factor {n}", 1.0, NORMAL) for n in range(3))
    system = UncertainSystem(burdens(1.0, 2.0, 4.0), factors, burdens={n: (n,) for n in range(3)})
    whole = drawn(system, draws=1_000)
    parts = [kg * alone(factor, 1_000) for kg, factor in zip((1.0, 2.0, 4.0), factors, strict=True)]
    assert whole.totals == pytest.approx(np.sum(parts, axis=0), rel=1e-12)
    assert drawn(system, draws=300).totals.tolist() == whole.totals[:300].tolist()
    assert drawn(system, draws=1_000, seed=8).totals[0] != whole.totals[0]


def test_quantiles_are_in_order() -> None:
    found = drawn(UncertainSystem(burdens(1.0), (Parameter("f", 1.0, NORMAL),), burdens={0: (0,)}))
    values = list(found.quantiles.values())
    assert values == sorted(values)
    assert found.quantiles[0.5] == pytest.approx(1, rel=0.01)
    assert found.quantiles[0.975] == pytest.approx(1.196, rel=0.01)


@pytest.mark.parametrize(
    ("members", "amount", "what"),
    [
        ({"distribution": "normal", "cv": "0.1"}, 0.0, "around zero"),
        ({"distribution": "lognormal", "sigma": "0.1"}, -2.0, "above zero"),
        ({"distribution": "uniform", "minimum": "3", "maximum": "4"}, 2.0, "outside"),
    ],
)
def test_a_distribution_that_does_not_fit_its_amount_is_refused(
    members: Mapping[str, Any], amount: float, what: str
) -> None:
    parameter = Parameter("amount x", amount, Uncertainty.model_validate(members))
    with pytest.raises(UncertaintyError, match=what) as caught:
        drawn(UncertainSystem(burdens(1.0), (parameter,), burdens={0: (0,)}))
    assert caught.value.where == "amount x"


@pytest.mark.parametrize("draws", [-1, 0, 1, 100_001])
def test_a_number_of_draws_outside_its_bounds_is_refused(draws: int) -> None:
    with pytest.raises(UncertaintyError, match="draws"):
        drawn(UncertainSystem(burdens(1.0), ()), draws=draws)


def test_draws_in_which_a_loop_makes_nothing_are_refused() -> None:
    wide = Uncertainty.model_validate({"distribution": "uniform", "minimum": "1", "maximum": "20"})
    with pytest.raises(UncertaintyError, match="loop"):
        drawn(UncertainSystem(looped(), (Parameter("amount", 2.0, wide),), links={0: (0,)}), draws=200)


@pytest.mark.parametrize(
    "members",
    [
        {"distribution": "normal"},
        {"distribution": "normal", "sigma": "0.1"},
        {"distribution": "normal", "sd": "0.1", "cv": "0.1"},
        {"distribution": "lognormal", "sigma": "-0.1"},
        {"distribution": "lognormal", "sigma": 0.1},
        {"distribution": "uniform", "minimum": "2"},
        {"distribution": "triangular", "minimum": "2", "maximum": "2"},
        {"distribution": "beta", "cv": "0.1"},
        {
            "distribution": "normal",
            "cv": "0.1",
            "pedigree": dict.fromkeys(["reliability", "completeness", "time", "geography", "technology"], 1),
        },
        {"pedigree": {"reliability": 6, "completeness": 1, "time": 1, "geography": 1, "technology": 1}},
        {},
    ],
)
def test_a_distribution_out_of_form_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Uncertainty.model_validate(members)

"""Samples: the same seed draws the same, whoever draws; and what their errors say about the rest."""

from __future__ import annotations

import hashlib
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import Sample, SampleUnit, draw_sample, misstatement, population_digest, project_errors

SEED, RESULT = "5" * 64, "a" * 64
UNITS = tuple(
    SampleUnit(f"contributions/{n}", "manufacturing" if n % 2 else "material_acquisition", Decimal(size))
    for n, size in enumerate((4000, 30, 800, 20, 60, 10, 40, 5))
)


def drawn(units: tuple[SampleUnit, ...] = UNITS, seed: str = SEED, population: str = RESULT, **counts: int) -> Sample:
    return draw_sample(units, seed=seed, population=population, certain=Decimal(500), counts=counts)


def test_a_sample_is_drawn_again_by_hand() -> None:
    """By sha256sum over the lines, without our code: ``printf 'SEED\\nRESULT\\ncontributions/1' | sha256sum`` and so on."""
    ranks = {
        f"contributions/{n}": hashlib.sha256(f"{SEED}\n{RESULT}\ncontributions/{n}".encode()).hexdigest()
        for n in (1, 3, 5, 7)
    }
    lowest = sorted(ranks, key=lambda name: ranks[name])[:2]
    found = drawn(manufacturing=2, material_acquisition=1)
    assert found.certain == ("contributions/0", "contributions/2")
    assert [name for name in found.drawn if name in ranks] == sorted(lowest)


def test_a_known_answer() -> None:
    """Made with coreutils' sha256sum over the same lines; no later version may draw otherwise from a seed that was recorded."""
    found = drawn(manufacturing=2, material_acquisition=1)
    assert found.drawn == ("contributions/3", "contributions/6", "contributions/7")
    assert population_digest(UNITS) == "4a4775cf0235d102a495001fd17a570018d4c29ed68117b3ba3951e25a35d307"


def test_another_seed_or_result_draws_otherwise() -> None:
    some = {drawn(seed=f"{n:064x}", manufacturing=2).drawn for n in range(20)}
    others = {drawn(population=f"{n:064x}", manufacturing=2).drawn for n in range(20)}
    assert len(some) > 5
    assert len(others) > 5


def test_each_unit_is_as_likely_as_any_other() -> None:
    counted = Counter(
        name for n in range(4000) for name in drawn(seed=f"{n:064x}", manufacturing=2, material_acquisition=0).drawn
    )
    assert set(counted) == {f"contributions/{n}" for n in (1, 3, 5, 7)}
    # Binomial, p = 1/2 of 4,000: sd 31.6, so 5 sd are 158.
    assert all(abs(count - 2000) < 158 for count in counted.values())


@given(st.permutations(UNITS))
def test_the_order_of_the_population_changes_nothing(units: list[SampleUnit]) -> None:
    assert drawn(tuple(units), manufacturing=2).units == drawn(manufacturing=2).units


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 1000)), max_size=30), st.integers(0, 5))
def test_what_is_asked_for_is_drawn(population: list[tuple[str, int]], count: int) -> None:
    units = tuple(SampleUnit(str(n), stratum, Decimal(size)) for n, (stratum, size) in enumerate(population))
    found = draw_sample(units, seed=SEED, population=RESULT, certain=Decimal(900), counts=dict.fromkeys("abc", count))
    assert set(found.certain) == {unit.id for unit in units if unit.size >= 900}
    for stratum in "abc":
        rest = [unit.id for unit in units if unit.stratum == stratum and unit.size < 900]
        assert sum(name in found.drawn for name in rest) == min(count, len(rest))


def test_two_units_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="one id"):
        drawn((*UNITS, UNITS[0]))


# -- projection ------------------------------------------------------------------------------------------------------------


def test_errors_are_projected_by_ratio_within_their_stratum() -> None:
    """By hand: 6 too low in 40 drawn is 15 %, of 60 that weren't drawn 9; 4 too high in 40 is 10 %, 6 of the rest."""
    units = (
        SampleUnit("big", "a", Decimal(900)),
        *(SampleUnit(f"a{n}", "a", Decimal(20)) for n in range(5)),
        SampleUnit("b0", "b", Decimal(70)),
    )
    sample = Sample(("big",), ("a0", "a1"))
    a, b = project_errors(units, sample, {"big": Decimal(50), "a0": Decimal(6), "a1": Decimal(-4)})
    assert (a.examined, a.rest, a.too_low, a.too_high) == (Decimal(40), Decimal(60), Decimal(9), Decimal(-6))
    assert (b.stratum, b.rest, b.too_low, b.too_high) == ("b", Decimal(70), None, None), "nothing was drawn of it"
    known = [Decimal(50), Decimal(6), Decimal(-4)]
    found = misstatement(Decimal(1000), known, [Decimal(9), Decimal(-6)])
    assert (found.net, found.absolute) == (Decimal(55), Decimal(75))


def test_what_is_examined_wholly_is_projected_to_nothing() -> None:
    units = tuple(SampleUnit(f"a{n}", "a", Decimal(20)) for n in range(2))
    (found,) = project_errors(units, Sample((), ("a0", "a1")), {"a0": Decimal(5)})
    assert [found.rest, found.too_low, found.too_high] == [Decimal(0)] * 3


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(-50, 50)), min_size=1, max_size=20), st.integers(1, 20))
def test_a_constant_ratio_of_error_is_found_exactly(lines: list[tuple[int, int]], count: int) -> None:
    """Where each unit errs by the same share, the projection and what was found are that share of the whole."""
    units = tuple(SampleUnit(str(n), "a", Decimal(size)) for n, (size, _error) in enumerate(lines))
    sample = draw_sample(units, seed=SEED, population=RESULT, certain=Decimal(10**6), counts={"a": count})
    errors = {unit.id: unit.size / 8 for unit in units}
    (found,) = project_errors(units, sample, {name: errors[name] for name in sample.units})
    assert found.too_low is not None
    in_all = sum((errors[name] for name in sample.units), found.too_low)
    assert abs(in_all - sum(errors.values())) < Decimal("1e-18")

"""How sure a footprint is: distributions of amounts and factors, drawn together in one seeded pass.

Distributions carry the identifiers of stats_arrays (lognormal 2, normal 3, uniform 4, triangular 5). A parameter's draws depend on the
seed and on its own key alone, so that two results that share a parameter share its draws, and their difference can be drawn.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bom_graph.errors import UncertaintyError
from bom_graph.footprint import ProductSystem
from bom_graph.graph import CompiledSystem, compile_system
from bom_graph.quantities import Amount

Draws = NDArray[np.float64]
#: (numbers, parameters) to multiply by, a round for each further parameter of a line.
_Rounds = tuple[tuple[NDArray[np.int64], NDArray[np.int64]], ...]

MAX_DRAWS: Final = 100_000
QUANTILES: Final = (0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975)
STATS_ARRAYS: Final = {"lognormal": 2, "normal": 3, "uniform": 4, "triangular": 5}
#: Variance of ln(amount) by indicator and score 1 to 5: Weidema et al. 2013, ecoinvent report 1 (v3), table 10.5.
PEDIGREE_VARIANCE: Final[Mapping[str, tuple[float, ...]]] = {
    "reliability": (0.0, 0.0006, 0.002, 0.008, 0.04),
    "completeness": (0.0, 0.0001, 0.0006, 0.002, 0.008),
    "time": (0.0, 0.0002, 0.002, 0.008, 0.04),
    "geography": (0.0, 0.000025, 0.0001, 0.0006, 0.002),
    "technology": (0.0, 0.0006, 0.008, 0.04, 0.12),
}
BLOCK: Final = 256  # draws that are in memory at a time; part of what a seed means
Score = Annotated[int, Field(ge=1, le=5, strict=True)]


class Pedigree(BaseModel):
    """Scores 1 (best) to 5 of where a figure comes from; they widen its distribution."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reliability: Score
    completeness: Score
    time: Score
    geography: Score
    technology: Score

    @property
    def variance(self) -> float:
        """Variance of ln(amount) that the scores stand for."""
        return sum((scores[getattr(self, name) - 1] for name, scores in PEDIGREE_VARIANCE.items()), 0.0)


class Uncertainty(BaseModel):
    """The distribution of an amount; the stated amount is its median (lognormal), mean (normal) or mode (triangular).

    `sigma` is the standard deviation of ln(amount), `sd` that of the amount in its unit, `cv` the coefficient of variation of either;
    `minimum` and `maximum` are in the amount's unit. `pedigree` adds its variance to a lognormal one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    distribution: Literal["lognormal", "normal", "uniform", "triangular"] = "lognormal"
    sigma: Annotated[Amount, Field(ge=0, le=5)] | None = None
    sd: Annotated[Amount, Field(ge=0)] | None = None
    cv: Annotated[Amount, Field(ge=0, le=10)] | None = None
    minimum: Amount | None = None
    maximum: Amount | None = None
    pedigree: Pedigree | None = None

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        given = {name for name in ("sigma", "sd", "cv", "minimum", "maximum") if getattr(self, name) is not None}
        fitting: dict[str, tuple[set[str], ...]] = {
            "lognormal": ({"sigma"}, {"cv"}, *([set[str]()] if self.pedigree else [])),
            "normal": ({"sd"}, {"cv"}),
            "uniform": ({"minimum", "maximum"},),
            "triangular": ({"minimum", "maximum"},),
        }
        if given not in fitting[self.distribution]:
            wanted = " or ".join(" and ".join(sorted(names)) or "a pedigree" for names in fitting[self.distribution])
            raise ValueError(f"a {self.distribution} distribution takes {wanted}")
        if self.pedigree is not None and self.distribution != "lognormal":
            raise ValueError("a pedigree goes with a lognormal distribution")
        if self.minimum is not None and self.maximum is not None and not self.minimum < self.maximum:
            raise ValueError("the minimum is not below the maximum")
        return self

    @property
    def stats_arrays_id(self) -> int:
        """The distribution's identifier in stats_arrays."""
        return STATS_ARRAYS[self.distribution]


@dataclass(frozen=True)
class Parameter:
    """Something that is drawn once for all its users: a factor row, or the amount of one line.

    `key` names it in every result it occurs in, for instance ``factor everbatt-2023/copper``.
    """

    key: str
    amount: float
    uncertainty: Uncertainty

    def check(self) -> None:
        """Check that the distribution fits the amount. Raises UncertaintyError."""
        given = self.uncertainty
        if self.amount == 0:
            what, remedy = "a distribution around zero says nothing", "leave the uncertainty out, or state the amount"
        elif given.distribution == "lognormal" and self.amount < 0:
            what, remedy = "a lognormal amount is above zero", "use a normal distribution"
        elif given.minimum is not None and not float(given.minimum) <= self.amount <= float(given.maximum or 0):
            what, remedy = "the stated amount is outside of its distribution", "let minimum and maximum enclose it"
        else:
            return
        raise UncertaintyError(what, where=self.key, remedy=remedy)

    @property
    def log_variance(self) -> float:
        """Variance of the logarithm, pedigree included."""
        given = self.uncertainty
        added = given.pedigree.variance if given.pedigree else 0.0
        if given.sigma is not None:
            return float(given.sigma) ** 2 + added
        return (math.log1p(float(given.cv) ** 2) if given.cv is not None else 0.0) + added

    @property
    def bounds(self) -> tuple[float, float]:
        """Minimum and maximum divided by the stated amount, in ascending order."""
        low, high = (float(bound or 0) / self.amount for bound in (self.uncertainty.minimum, self.uncertainty.maximum))
        return min(low, high), max(low, high)

    @property
    def normal_cv(self) -> float:
        """Standard deviation divided by the stated amount."""
        given = self.uncertainty
        return float(given.cv) if given.cv is not None else float(given.sd or Decimal(0)) / abs(self.amount)


@dataclass(frozen=True)
class UncertainSystem:
    """A product system whose links and burdens are the products of their stated values and of drawn parameters.

    `links` and `burdens` give, by number in the system, which parameters they vary with.
    """

    system: ProductSystem
    parameters: tuple[Parameter, ...]
    links: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    burdens: Mapping[int, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Simulation:
    """Draws of a total (kg CO2e). `shares` is each parameter's part of the variance, largest first, to first order; what is left to 1
    comes from parameters acting together."""

    totals: Draws
    shares: tuple[tuple[str, float], ...]

    @property
    def mean(self) -> float:
        """Mean of the draws."""
        return float(self.totals.mean())

    @property
    def sd(self) -> float:
        """Standard deviation of the draws."""
        return float(self.totals.std(ddof=1)) if len(self.totals) > 1 else 0.0

    @property
    def quantiles(self) -> dict[float, float]:
        """Quantiles of the draws, linear between neighbours."""
        return dict(zip(QUANTILES, np.quantile(self.totals, QUANTILES).tolist(), strict=True))

    @property
    def above_zero(self) -> float:
        """Share of the draws above zero: of a difference, the probability that what was taken off is the smaller."""
        return float((self.totals > 0).mean())

    def over(self, units: float) -> Simulation:
        """Return the draws divided by so many units."""
        return Simulation(self.totals / units, self.shares)

    def less(self, other: Simulation) -> Simulation:
        """Return the draws of the difference to another total, drawn with the same seed and number of draws."""
        if len(self.totals) != len(other.totals):
            raise UncertaintyError(
                "two simulations of different length have no common draws",
                where="simulation",
                remedy="draw both with the same number and seed",
            )
        return Simulation(self.totals - other.totals, ())


def simulate(given: UncertainSystem, demand: Mapping[int, float], *, draws: int, seed: int) -> Simulation:
    """Return `draws` draws of the total of `demand` (process number -> amount).

    Raises UncertaintyError for a distribution that doesn't fit its amount, for draws in which a loop makes nothing, and for a number of
    draws outside 2 to 100,000; LoopError as `solve`.
    """
    if not 2 <= draws <= MAX_DRAWS:
        raise UncertaintyError(f"{draws} draws", where="monte-carlo", remedy=f"ask for 2 to {MAX_DRAWS:,} draws")
    for parameter in given.parameters:
        parameter.check()
    wanted = np.zeros(len(given.system.processes))
    for process, amount in demand.items():
        wanted[process] = amount
    arrays = _Arrays.of(given)
    totals, moments = [], np.zeros((2, len(given.parameters)))
    streams = _Streams(given.parameters, seed)
    for start in range(0, draws, BLOCK):
        relative = streams.block(start // BLOCK)[:, : draws - start]
        totals.append(arrays.totals(wanted, relative))
        from_one = relative[:-1] - 1
        moments += from_one.sum(axis=1), np.einsum("ij,ij->i", from_one, from_one)
    found = np.concatenate(totals)
    if not np.isfinite(found).all():
        raise UncertaintyError(
            "in some draws a loop takes as much as it makes",
            where="monte-carlo",
            remedy="narrow the distributions of the amounts in the loop",
        )
    variances = (moments[1] - moments[0] ** 2 / draws) / (draws - 1)
    return Simulation(found, _shares(given, arrays, wanted, variances, float(found.var(ddof=1))))


class _Streams:
    """Draws of parameters divided by their stated amounts, a block of `BLOCK` at a time.

    Each parameter has a counter-based stream (Philox) of its own, whose key is a hash of the seed and the parameter's key: block n holds
    the same draws whatever else is drawn.
    """

    def __init__(self, parameters: Sequence[Parameter], seed: int) -> None:
        self._keys = [_key(seed, parameter.key) for parameter in parameters]
        self._normal = np.array([p.uncertainty.distribution in _BY_NORMALS for p in parameters], dtype=bool)
        self._transforms = [
            (rows, transform, np.array([transform.numbers(parameters[row]) for row in rows]).T[..., None])
            for name, transform in _TRANSFORMS.items()
            if len(rows := np.array([n for n, p in enumerate(parameters) if p.uncertainty.distribution == name]))
        ]
        self._bits = np.random.Philox(key=0)
        self._state: Any = self._bits.state
        self._random = np.random.Generator(self._bits)

    def block(self, number: int) -> Draws:
        """Return block `number`: a row per parameter and, below them, a row of ones."""
        found = np.ones((len(self._keys) + 1, BLOCK))
        for row, key, normal in zip(found, self._keys, self._normal, strict=False):
            self._seek(key, number)
            if normal:
                self._random.standard_normal(out=row)
            else:
                self._random.random(out=row)
        for rows, transform, numbers in self._transforms:
            found[rows] = transform.apply(found[rows], *numbers)
        return found

    def _seek(self, key: tuple[int, int], block: int) -> None:
        inner = self._state["state"]
        inner["key"][:] = key
        inner["counter"][:] = (0, 0, block, 0)
        self._state["buffer_pos"] = 4  # nothing left of the stream before
        self._bits.state = self._state


def _key(seed: int, name: str) -> tuple[int, int]:
    digest = hashlib.sha256(f"{seed}\n{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")


@dataclass(frozen=True)
class _Transform:
    """From standard normals or uniforms to draws: `numbers` of each parameter, as columns to `apply`."""

    numbers: Callable[[Parameter], tuple[float, ...]]
    apply: Callable[..., Draws]


def _lognormal(found: Draws, sigma: Draws) -> Draws:
    found *= sigma
    return np.exp(found, out=found)


def _triangular(found: Draws, low: Draws, high: Draws) -> Draws:
    """Inverse of the distribution function; the mode, the stated amount, is 1."""
    below = (1 - low) / (high - low)
    rising = low + np.sqrt(found * (high - low) * (1 - low))
    return np.where(found < below, rising, high - np.sqrt((1 - found) * (high - low) * (high - 1)))


_BY_NORMALS: Final = frozenset({"lognormal", "normal"})
_TRANSFORMS: Final = {
    "lognormal": _Transform(lambda p: (math.sqrt(p.log_variance),), _lognormal),
    "normal": _Transform(lambda p: (p.normal_cv,), lambda found, cv: 1 + found * cv),
    "uniform": _Transform(lambda p: p.bounds, lambda found, low, high: low + found * (high - low)),
    "triangular": _Transform(lambda p: p.bounds, _triangular),
}


@dataclass(frozen=True)
class _Arrays:
    """The system as arrays."""

    compiled: CompiledSystem
    amounts: Draws
    process: NDArray[np.int64]
    kg: Draws
    of_links: _Rounds
    of_burdens: _Rounds

    @classmethod
    def of(cls, given: UncertainSystem) -> _Arrays:
        system = given.system
        return cls(
            compile_system(system.processes, system.links),
            np.array([link.amount for link in system.links], dtype=np.float64),
            np.array([burden.process for burden in system.burdens], dtype=np.int64),
            np.array([burden.kg_co2e for burden in system.burdens], dtype=np.float64),
            _rounds(given.links),
            _rounds(given.burdens),
        )

    def totals(self, demand: Draws, relative: Draws) -> Draws:
        kg = _times(self.kg, self.of_burdens, relative)
        if not self.of_links:
            return np.asarray(self.compiled.scale(demand)[self.process] @ kg)
        scaling = self.compiled.scale_draws(demand, _times(self.amounts, self.of_links, relative))
        kg *= scaling[self.process]
        totals: Draws = kg.sum(axis=0)
        return totals


def _rounds(users: Mapping[int, tuple[int, ...]]) -> _Rounds:
    rounds = []
    for depth in range(max(map(len, users.values()), default=0)):
        pairs = [(number, drawn[depth]) for number, drawn in users.items() if len(drawn) > depth]
        numbers, parameters = np.array(pairs, dtype=np.int64).T
        rounds.append((numbers, parameters))
    return tuple(rounds)


def _times(values: Draws, rounds: _Rounds, relative: Draws) -> Draws:
    """`values` in each draw. The last row of `relative` is ones, for those that nothing varies."""
    first = np.full(len(values), len(relative) - 1)
    for numbers, parameters in rounds[:1]:
        first[numbers] = parameters
    found: Draws = relative[first]
    found *= values[:, None]
    for numbers, parameters in rounds[1:]:
        found[numbers] *= relative[parameters]
    return found


def _shares(
    given: UncertainSystem, arrays: _Arrays, demand: Draws, variances: Draws, whole: float
) -> tuple[tuple[str, float], ...]:
    """First-order parts of the variance: (dT/dr)^2 var(r) / var(T), with the derivative at the stated values and the draws' variances."""
    if whole == 0:
        return ()
    scaling = arrays.compiled.scale(demand)
    slopes = np.zeros(len(given.parameters))
    for numbers, parameters in arrays.of_burdens:
        np.add.at(slopes, parameters, (scaling[arrays.process] * arrays.kg)[numbers])
    if arrays.of_links:
        direct = np.zeros(len(demand))
        np.add.at(direct, arrays.process, arrays.kg)
        carried = arrays.compiled.intensities(direct)
        passed = scaling[arrays.compiled.consumers] * arrays.amounts * carried[arrays.compiled.suppliers]
        for numbers, parameters in arrays.of_links:
            np.add.at(slopes, parameters, passed[numbers])
    parts = slopes**2 * variances / whole
    found = [(parameter.key, float(part)) for parameter, part in zip(given.parameters, parts, strict=True)]
    return tuple(sorted(found, key=lambda share: (-share[1], share[0])))

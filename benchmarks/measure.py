"""Times our code against a reference implementation, so that a figure means the same on any machine.

The two sides are timed in turn (ours, reference, ours, reference, ...): what slows the machine for a while slows both, and
the ratio of neighbours cancels it. Medians are reported, of the rates and of the pairwise ratios.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

SAMPLE_NS = 50_000_000
"""How long one sample should last: long against the clock's steps and the loop's own cost."""


@dataclass(frozen=True)
class Row:
    """One operation measured: two rates in `unit`, and their `ratio` (ours / reference), which `goal` speaks of."""

    name: str
    ours: float
    reference: float
    reference_name: str
    ratio: float
    goal: str
    unit: str


def compare(
    name: str,
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    reference_name: str,
    goal: str,
    unit: str = "per second",
    operations: int = 1,
    reference_operations: int | None = None,
    rounds: int = 7,
) -> Row:
    """Time both sides and return their row; a call does `operations` operations, one of the reference its own number if given.

    `goal` is text about the ratio, such as ">=0.6". Raises whatever the two sides raise.
    """
    calls_of_ours, calls_of_reference = calibrate(ours), calibrate(reference)
    pairs = [
        (
            operations * calls_of_ours / seconds(ours, calls_of_ours),
            (reference_operations or operations) * calls_of_reference / seconds(reference, calls_of_reference),
        )
        for _ in range(rounds)
    ]
    return Row(
        name=name,
        ours=median(rate for rate, _ in pairs),
        reference=median(rate for _, rate in pairs),
        reference_name=reference_name,
        ratio=median(rate / reference_rate for rate, reference_rate in pairs),
        goal=goal,
        unit=unit,
    )


def limit(name: str, found: float, allowed: float, unit: str = "ms") -> Row:
    """Return the row of a time, or of what `unit` says, that a goal bounds by itself: its ratio to what is allowed, at most 1."""
    return Row(name, found, allowed, "allowed", found / allowed, "<=1", unit)


def calibrate(call: Callable[[], object]) -> int:
    """Return how many calls make a sample of about 50 ms; a call longer than that makes one by itself."""
    calls = 1
    while True:
        sample_ns = seconds(call, calls) * 1e9
        if sample_ns >= SAMPLE_NS / 2:
            return max(1, round(calls * SAMPLE_NS / sample_ns))
        # Growing tenfold at most: the first calls, with cold caches, tell little.
        calls = max(calls + 1, min(10 * calls, int(calls * SAMPLE_NS / sample_ns)))


def seconds(call: Callable[[], object], calls: int) -> float:
    """Return how many seconds `calls` calls take; never zero, however coarse the clock."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        call()
    return max(1, time.perf_counter_ns() - start) / 1e9

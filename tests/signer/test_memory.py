"""Verifying many tokens of many signers costs no memory that stays: what is remembered is bounded."""

import gc
import random
import tracemalloc
from collections.abc import Iterator

import pytest

from signer import Issued
from tests.signer.world import World

FEW, MANY = 500, 6_000


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.long
def test_memory_stays_level_over_thousands_of_tokens(world: World, traced: None) -> None:
    """The million is a row of the benchmarks."""
    issued = [world.issue(world.certified("Ed25519"), random_bytes=random.Random(n).randbytes) for n in range(20)]
    for n in range(FEW):
        verify(world, issued[n % len(issued)])
    before = held()
    for n in range(FEW, MANY):
        verify(world, issued[n % len(issued)])
    assert held() - before < 100_000


def verify(world: World, issued: Issued) -> None:
    # New text each time, as if received: nothing may be remembered by it.
    world.verify("".join(list(issued.token)), ["".join(list(text)) for text in issued.disclosures[:2]])


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]

"""The sixteen packs of the EverBatt tables, stated once for all tests."""

import pytest

from tests.connectors.supply_chain import PLACES, SupplyChain


@pytest.fixture(scope="session")
def chain() -> SupplyChain:
    """A supply chain in which every pack of `packs` is stated."""
    return SupplyChain()


@pytest.fixture(scope="session")
def packs(chain: SupplyChain) -> dict[tuple[str, str, str], str]:
    """(chemistry, place, cathode) -> product URI."""
    return {
        (chemistry, place, cathode): chain.pack(chemistry, place, cathode)
        for chemistry in ("NMC622", "LFP")
        for place in PLACES
        for cathode in ("published_factor", "recipe")
    }

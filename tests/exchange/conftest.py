"""Good evidence files, made once: the demo's chain with a sealed branch, and the smallest file there is; and a supplier's desk."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import tests.simulator
from exchange.assembly import Demand
from exchange.trust import TrustFile
from tests.exchange.desk import Desk
from tests.exchange.dossier import EVERBATT, LITHIUM, Dossier, EverBatt, small_dossier


@pytest.fixture(scope="session")
def everbatt() -> EverBatt:
    """The demo's chain; treat it as frozen."""
    return EverBatt()


@pytest.fixture(scope="session")
def good_file(everbatt: EverBatt) -> bytes:
    """Evidence of three packs under three rule sets, for the pack maker, from whom the LFP recipe is sealed."""
    return everbatt.dossier.file(list(everbatt.results.values()))


@pytest.fixture(scope="session")
def trust(everbatt: EverBatt) -> TrustFile:
    """The trust file of the log of `good_file`."""
    return everbatt.dossier.trust()


@pytest.fixture(scope="session")
def small() -> Dossier:
    """One supplier's product in a log of four entries; treat it as frozen."""
    return small_dossier()


@pytest.fixture(scope="session")
def small_file(small: Dossier) -> bytes:
    """Evidence of one result from one statement."""
    return small.file([small.compute(Demand(f"{LITHIUM}/salt"), EVERBATT)])


@pytest.fixture(scope="session")
def small_trust(small: Dossier) -> TrustFile:
    """The trust file of the log of `small_file`."""
    return small.trust()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A supplier's desk today: the commands look at the clock."""
    monkeypatch.setattr(tests.simulator, "START", datetime.now(UTC).replace(microsecond=0))
    return Desk(tmp_path)

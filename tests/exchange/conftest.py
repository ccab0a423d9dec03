"""What the tests of the exchange share."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import tests.simulator
from tests.exchange.desk import Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A supplier's desk today: the commands look at the clock."""
    monkeypatch.setattr(tests.simulator, "START", datetime.now(UTC).replace(microsecond=0))
    return Desk(tmp_path)

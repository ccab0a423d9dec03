"""Filings by the interface: from registration to review, each step signed; what is refused, held, shown, published and counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flow.accounts import Company, browser
from tests.flow.filing import WAY, Desk, Pack, hand_in
from tests.flow.world import Exchange


@pytest.fixture
def desk(exchange: Exchange) -> Desk:
    return opened(exchange)


@pytest.fixture
def lone(sqlite_exchange: Exchange) -> Desk:
    return opened(sqlite_exchange)


def opened(exchange: Exchange) -> Desk:
    maker = Company.join(exchange, "maker", roles=["supplier", "pack_maker"], corporate_group="Maker Group")
    verifier = Company.join(exchange, "verifier", roles=["verifier"])
    authority = Company.join(exchange, "authority", roles=["authority"])
    return Desk(Pack(maker).state(), verifier, authority)


def test_a_filing_goes_from_registration_to_acceptance(desk: Desk) -> None:
    states = [desk.take(step)["state"] for step in WAY]
    assert states == [
        "registered",
        "planned",
        "data_complete",
        "calculated",
        "exported",
        "reconciled",
        "under_verification",
        "verified",
        "filed",
        "accepted",
    ]
    found = desk.show(desk.authority)
    assert [one["step"] for one in found["steps"]] == list(WAY)
    assert [one["signer"] for one in found["steps"]] == [desk.party(step).uri for step in WAY]
    assert found["figure"] == desk.computed["headline"]["value"]

"""Statements that members of companies sign and hand in by the interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2

from exchange.kinds import KINDS, Kind
from signer import join_presentation
from tests.flow.accounts import Company


def kind_named(name: str) -> Kind:
    """The kind of that name."""
    return KINDS[f"urn:packtrace:{name}:1"]


def hand_in(company: Company, name: str, claims: Mapping[str, Any]) -> httpx2.Response:
    """Sign a statement and hand it in as a member of the company."""
    issued = company.member.sign(kind_named(name), claims)
    return company.admin.post(
        "/api/v1/statements", json={"statement": join_presentation(issued.token, issued.disclosures)}
    )

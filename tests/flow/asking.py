"""Companies that ask each other for data, by the interface, and what they are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx2
from sqlmodel import Session, select

from exchange.events import EventRow
from exchange.kinds import ACTIVITY_DATA, PRODUCT_FOOTPRINT
from ledger.store import snapshot
from signer import join_presentation
from tests.flow.accounts import Company, log_in
from tests.flow.world import EVERBATT, PERIOD, Exchange, activity, signed_footprint

DAYS = timedelta(days=1)
#: What of a footprint a customer needs for a sealed branch.
TOTAL = ["sub", "contents", "rule_set", "declared_unit", "total", "complete"]


def told(exchange: Exchange) -> list[tuple[str, str]]:
    """Who was told what about requests and parts."""
    return [(row.recipient.removeprefix("https://").removesuffix(".example"), kind) for row, kind in _events(exchange)]


def told_data(exchange: Exchange) -> list[Mapping[str, Any]]:
    """What those events say."""
    return [json.loads(row.data) for row, _kind in _events(exchange)]


def _events(exchange: Exchange) -> list[tuple[EventRow, str]]:
    with snapshot(exchange.services.installation.engine) as connection, Session(connection) as session:
        rows = session.exec(select(EventRow)).all()
        session.expunge_all()
    named = [(row, row.type.removeprefix("packtrace.")) for row in rows]
    return [(row, kind) for row, kind in named if kind.startswith(("request.", "part."))]


def deadline(exchange: Exchange, days: float = 30) -> str:
    """A time so many days from now."""
    return (exchange.clock() + days * DAYS).isoformat()


def wish(company: Company, name: str = "cell", **changes: Any) -> dict[str, Any]:
    """The body of a request for the footprint of a company's product, within thirty days; None takes a member out."""
    body = {
        "asked": company.uri,
        "product": company.member.product(name),
        "period": PERIOD,
        "wanted": ["product-footprint"],
        "rule_sets": [EVERBATT.id],
        "deadline": deadline(company.exchange),
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


def ask(asker: Company, asked: Company, product: str = "cell", **changes: Any) -> dict[str, Any]:
    """Ask; return the request."""
    answer = asker.admin.post("/api/v1/requests", json=wish(asked, product, **changes))
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def act(company: Company, request: Mapping[str, Any], verb: str, body: Any = None) -> httpx2.Response:
    """Do something with a request."""
    return company.admin.post(f"/api/v1/requests/{request['id']}/{verb}", json=body)


def show(company: Company, request: Mapping[str, Any]) -> dict[str, Any]:
    """A request as a company sees it."""
    answer = company.admin.get(f"/api/v1/requests/{request['id']}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def named(leaf_hash: str, *paths: str, **more: Any) -> dict[str, Any]:
    """The body of an answer by one statement."""
    return {"statements": [{"leaf_hash": leaf_hash, "paths": list(paths) or ["full"], **more}]}


def state_footprint(company: Company, product: str = "cell", **changes: Any) -> str:
    """Sign a footprint and have it admitted; return its leaf hash."""
    return state(
        company, PRODUCT_FOOTPRINT, signed_footprint(company.member.product(product), "material_acquisition", **changes)
    )


def state_activity(company: Company, product: str = "cell", **changes: Any) -> str:
    """Sign activity data and have it admitted; return its leaf hash."""
    return state(company, ACTIVITY_DATA, activity(company.member.product(product), **changes))


def state(company: Company, kind: Any, claims: Mapping[str, Any]) -> str:
    """Sign a statement and have it admitted; return its leaf hash."""
    issued = company.member.sign(kind, claims)
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    answer = company.admin.post("/api/v1/statements", json=body)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["leaf_hash"]
    return found


def record(company: Company, leaf_hash: str) -> Any:
    """The record of a statement as far as a company sees it."""
    return company.exchange.services.sharing.evidence_for(company.uri)[leaf_hash].record


def later(days: float, *companies: Company) -> None:
    """Let days go by; sessions end meanwhile, so that the admins log in again."""
    companies[0].exchange.clock.advance(days * 86_400)
    for company in companies:
        company.admin = log_in(company.exchange, f"admin@{company.uri.removeprefix('https://')}")

"""Results of another day and another Python, computed again: the vectors of tests/vectors/replay, made on Python 3.11.

Figures agree within 1e-9, printed digits are equal, whatever Python, numpy and pint the lock brings here.
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal, InvalidOperation
from typing import Any

from exchange.assembly import ENGINE
from exchange.report import REPLAY_TOLERANCE, first_difference
from exchange.trust import TrustFile
from exchange.verification import verify_evidence
from tests.evidence import read_evidence
from tests.exchange.dossier import CHINA, EUROPE, EVERBATT
from tests.vectors.replay.make import EVIDENCE, SOLVED, TRUST, solved

STORED: dict[str, Any] = json.loads(SOLVED.read_bytes())


def difference(stated: Any, again: Any, where: str = "") -> str | None:
    """Where two documents of a solved system disagree, by the rule of replay."""
    if isinstance(stated, dict) and isinstance(again, dict) and stated.keys() == again.keys():
        parts = [(key, stated[key], again[key]) for key in stated]
    elif isinstance(stated, list) and isinstance(again, list) and len(stated) == len(again):
        parts = [(str(n), *pair) for n, pair in enumerate(zip(stated, again, strict=True))]
    else:
        return None if stated == again or is_close(stated, again) else where or "/"
    found = (difference(a, b, f"{where}/{key}") for key, a, b in parts)
    return next((place for place in found if place), None)


def is_close(stated: object, again: object) -> bool:
    try:
        a, b = Decimal(str(stated)), Decimal(str(again))
    except InvalidOperation:
        return False
    return abs(a - b) <= Decimal(REPLAY_TOLERANCE) * max(abs(a), abs(b))


def test_stored_results_are_computed_again() -> None:
    """Verification computes every result of the file from its entries and refuses the file where one figure differs."""
    data = gzip.decompress(EVIDENCE.read_bytes())
    _, members = read_evidence(data)
    stored = {
        found["rule_set"]["id"]: found
        for name in members
        if name.startswith("results/")
        for found in [json.loads(members[name])]
    }
    assert {found["engine"] for found in stored.values()} == {ENGINE}, (
        "make the vectors again: the engine has another name"
    )
    verdict = verify_evidence(data, TrustFile.read(TRUST.read_bytes()))
    assert verdict.code.startswith("verified"), (verdict.where, verdict.text)
    again = {found["rule_set"]["id"]: found for found in verdict.results.values()}
    assert again.keys() == stored.keys()
    assert {name: first_difference(stored[name], again[name]) for name in stored} == dict.fromkeys(stored)


def test_a_product_system_and_its_draws_are_computed_again() -> None:
    assert {CHINA, EUROPE, EVERBATT} < STORED.keys()
    assert difference(STORED, solved()) is None


def test_a_difference_beyond_the_tolerance_is_found() -> None:
    for factor, place in ((1 + 5e-10, None), (1 + 2e-9, f"/{CHINA}/mean")):
        mean = str(Decimal(STORED[CHINA]["mean"]) * Decimal(factor))
        assert difference(STORED, {**STORED, CHINA: {**STORED[CHINA], "mean": mean}}) == place

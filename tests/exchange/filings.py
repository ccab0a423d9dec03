"""Statements of a filing without signatures, and what is known beside them: for tests of the pure steps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from bom_graph import Period
from exchange.filing import DataFacts, Facts, Filing, ModelFacts, ResultFacts, Signed, advance, load_duty
from exchange.kinds.filing import FilingEvent, FilingRecord, PlatformResult, QualityPlan, VerificationStatement
from exchange.kinds.review import Review

RULES = load_duty()
ORIGIN = "log.example/1"
FILER, RIVAL, VERIFIER, KIN, AUTHORITY = (
    f"https://{name}.example" for name in ("packs", "rival", "verifier", "kin", "authority")
)
ROLES: Mapping[str, frozenset[str]] = {
    FILER: frozenset({"pack_maker", "verifier"}),
    RIVAL: frozenset({"pack_maker"}),
    VERIFIER: frozenset({"verifier"}),
    KIN: frozenset({"verifier"}),
    AUTHORITY: frozenset({"authority"}),
}
GROUPS: Mapping[str, str] = {FILER: "packs-group", KIN: "packs-group", VERIFIER: "independent"}
PRODUCT = f"{FILER}/packs/p100"
FILING = "01890a5d-ac96-774b-bcce-b302099a8057"
DAY = date(2026, 7, 1)
YEAR = {"start": "2025-01-01", "end": "2025-12-31"}
RESULT, OTHER_RESULT, EXPORT = "a" * 64, "b" * 64, "c" * 64
METER, PARTS = "1" * 64, "2" * 64
LINES = {
    "material_acquisition": Decimal("0.0602"),
    "manufacturing": Decimal("0.0155"),
    "distribution": Decimal("0.0032"),
    "recycling": Decimal("0.0021"),
    "total": Decimal("0.0810"),
}


def leaf(index: int) -> str:
    return hashlib.sha256(str(index).encode()).hexdigest()


def citation(index: int, leaf_hash: str | None = None) -> dict[str, Any]:
    return {"origin": ORIGIN, "index": index, "leaf_hash": leaf_hash or leaf(index)}


def result(**changes: Any) -> ResultFacts:
    """The filer's result: complete, under the trial's rules, made from the two entries of the plan."""
    found: dict[str, Any] = {
        "reader": FILER,
        "product": PRODUCT,
        "rule_set": RULES.rule_set,
        "complete": True,
        "heading": "complete",
        "unit": "kg CO2e/kWh",
        "lines": LINES,
        "inputs": frozenset({METER, PARTS, "3" * 64}),
        "own_activity": frozenset({METER}),
    }
    return ResultFacts(**found | changes)


def facts(signer: str, verifier: str | None = None, **changes: Any) -> Facts:
    """What is known when `signer` signs, where nothing is wrong."""
    period = Period.model_validate(YEAR)
    found: dict[str, Any] = {
        "roles": ROLES.get(signer, frozenset()),
        "model": ModelFacts(FILER, PRODUCT, Decimal(100), counts=True),
        "data": {
            METER: DataFacts("activity-data", period, visible=True, counts=True),
            PARTS: DataFacts("bill-of-materials", None, visible=True, counts=True),
        },
        "result": result(),
        "export": EXPORT,
        "verifier_roles": ROLES.get(verifier or signer, frozenset()),
        "groups": GROUPS,
    }
    return Facts(**found | changes)


def claims_of(step: str) -> tuple[type[FilingRecord], dict[str, Any]]:
    """The kind and the claims of a step, where nothing is wrong, without what names filing and predecessor."""
    event: dict[str, dict[str, Any]] = {
        "register": {
            "model": citation(0),
            "rules": {"id": RULES.id, "version": RULES.version, "digest": RULES.digest},
        },
        "complete": {
            "period": YEAR,
            "data": [
                {"id": "d1", "figure": "power", "citation": citation(1, METER)},
                {"id": "d2", "figure": "cells", "citation": citation(2, PARTS)},
            ],
        },
        "calculate": {"result": RESULT},
        "export": {"export": EXPORT},
        "submit": {"result": RESULT, "verifier": VERIFIER},
        "file": {"result": RESULT},
        "answer": {"answers": []},
        "amend": {"trigger": "data_corrected", "reason": "the supplier corrected its data"},
        "withdraw": {"reason": "not sold after all"},
    }
    if step in event:
        return FilingEvent, {"event": step, **event[step]}
    if step == "plan":
        metered = {"meter": "EM-7", "calibrated": "2024-06-01", "calibration_due": "2026-06-01"}
        said = {"function": "metering_engineer", "frequency": "monthly", "gap_treatment": "same month of last year"}
        return QualityPlan, {
            "period": YEAR,
            "figures": [
                {"id": "power", "name": "electricity of the pack plant", "source": "meter", **metered, **said},
                {"id": "cells", "name": "cells per pack", "source": "production_record", **said},
            ],
        }
    if step == "platform":
        return PlatformResult, {
            "platform": "designated platform",
            "database": "background database",
            "database_version": "2026.1",
            "calculated": "2026-06-30",
            "unit": "kg CO2e/kWh",
            "lines": [{"id": name, "line": name, "value": str(value)} for name, value in LINES.items()],
        }
    if step == "verify":
        return VerificationStatement, {
            "result": RESULT,
            "opinion": "unmodified",
            "scope": "four stages",
            "assurance": "reasonable",
            "materiality_percent": "5",
            "expires": "2028-06-30",
        }
    return Review, {"outcome": "accepted", "conflicts": []}


@dataclass
class Office:
    """One filing, as its statements come in. `filing` is None until it is registered."""

    filing: Filing | None = None
    index: int = 9
    said: list[Signed] = field(default_factory=list)

    def claims(self, step: str, **changes: Any) -> tuple[type[FilingRecord], dict[str, Any]]:
        """What is signed in a step now; a change to None takes a claim out."""
        kind, claims = claims_of(step)
        named: dict[str, Any] = {"sub": PRODUCT, "filing": FILING}
        if self.filing is not None and step != "register":
            follows = self.filing.newest("submit") if step == "verify" and self.filing.verifier else self.filing.last
            place = "target" if kind in (VerificationStatement, Review) else "previous"
            named[place] = citation(follows.index, follows.leaf_hash)
        merged = {**named, **claims, **changes}
        return kind, {name: value for name, value in merged.items() if value is not None}

    def take(self, step: str, signer: str, known: Facts | None = None, day: date = DAY, **changes: Any) -> Filing:
        """Take a step, or raise as `advance` does."""
        kind, claims = self.claims(step, **changes)
        self.index += 1
        signed = Signed(self.index, leaf(self.index), signer, day, kind.draft(claims))
        verifier = claims.get("verifier") if step == "submit" else None
        self.filing = advance(self.filing, signed, known or facts(signer, verifier), RULES)
        self.said.append(signed)
        return self.filing

    def reach(self, state: str) -> Office:
        """Go to `state` on the straight way."""
        assert self.filing is None or self.filing.state != "withdrawn"
        way = ["register", "plan", "complete", "calculate", "export", "platform", "submit", "verify", "file", "review"]
        starts = {
            "planned": 2,
            "data_complete": 3,
            "calculated": 4,
            "exported": 5,
            "unreconciled": 5,
            "reconciled": 6,
            "under_verification": 7,
            "verified": 8,
            "filed": 9,
            "registered": 1,
        }
        for step in way[0 if self.filing is None else starts[self.filing.state] :]:
            if self.filing is not None and self.filing.state == state:
                break
            self.take(step, {"verify": VERIFIER, "review": AUTHORITY}.get(step, FILER))
        assert self.filing is not None
        assert self.filing.state == state
        return self

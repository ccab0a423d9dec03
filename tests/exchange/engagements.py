"""Statements of an engagement without signatures, and what is known beside them: for tests of the pure steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from bom_graph import SampleUnit, population_digest
from exchange.engagement import (
    Engagement,
    Facts,
    Lines,
    advance,
    conclude,
    concluding_claims,
    load_rules,
    percentages,
    sample_of,
    weigh,
)
from exchange.kinds import Accreditation
from exchange.kinds.engagement import EngagementEvent
from exchange.kinds.filing import VerificationStatement
from tests.exchange.filings import AUTHORITY, FILER, FILING, PRODUCT, RESULT, RIVAL, VERIFIER, citation, leaf

RULES = load_rules()
DAY = date(2026, 7, 1)
ASKED = leaf(5)
SUPPLIER = "https://cathodes.example"
SEED = "7" * 64
NUMBER = "L-0815"
STAGES = ("material_acquisition", "manufacturing", "recycling")
#: 7,580.908 kg: the total of worked example L.
UNITS = (
    SampleUnit("contributions/0", "material_acquisition", Decimal(5000)),
    *(SampleUnit(f"contributions/{n}", "material_acquisition", Decimal(100)) for n in range(1, 11)),
    SampleUnit("contributions/11", "manufacturing", Decimal("1480.908")),
    SampleUnit("contributions/12", "recycling", Decimal(100)),
)
LINES = Lines(
    UNITS,
    frozenset({"contributions/12"}),
    {unit.id: SUPPLIER if unit.id == "contributions/1" else FILER for unit in UNITS},
    Decimal(0),
    Decimal("7580.908"),
)
ACCREDITED = Accreditation(
    body="National accreditation service",
    number=NUMBER,
    chemistry_groups=("LFP",),
    rule_sets=("cn-miit-551-trial",),
    since=date(2025, 1, 1),
    until=date(2028, 12, 31),
)
ROLES: Mapping[str, frozenset[str]] = {
    FILER: frozenset({"pack_maker", "verifier"}),
    VERIFIER: frozenset({"verifier"}),
    SUPPLIER: frozenset({"supplier"}),
    RIVAL: frozenset({"pack_maker"}),
    AUTHORITY: frozenset({"authority"}),
}


def facts(signer: str, **changes: Any) -> Facts:
    """What is known when `signer` states something, where nothing is wrong."""
    found = Facts(
        roles=ROLES.get(signer, frozenset()),
        same_group=False,
        relations=(),
        accreditations=(ACCREDITED,),
        chemistry_group="LFP",
        rule_set="cn-miit-551-trial",
        suppliers=frozenset({SUPPLIER}),
        lines=LINES,
    )
    return replace(found, **changes)


def asked() -> Engagement:
    """An engagement that was just asked for."""
    return Engagement(
        id=ASKED,
        asked=5,
        filing=FILING,
        filer=FILER,
        verifier=VERIFIER,
        product=PRODUCT,
        result=RESULT,
        last=(5, ASKED),
    )


@dataclass
class Desk:
    """One engagement, as its statements come in."""

    now: Engagement = field(default_factory=asked)
    index: int = 9

    def claims(self, step: str, lines: Lines = LINES) -> dict[str, Any]:
        """What is stated in a step now, where nothing is wrong."""
        rest: dict[str, dict[str, Any]] = {
            "accept": {
                "independence": "no other business with the filer or its suppliers",
                "accreditation": NUMBER,
                "assurance": "reasonable",
                "materiality_percent": "5",
                "team": [{"function": "lead_verifier", "mark": "A-1"}, {"function": "data_analyst", "mark": "A-2"}],
                "reviewer": {"function": "internal_independent", "mark": "B-7"},
            },
            "decline": {"reason": "no capacity"},
            "plan": {
                "strategy": "one supplier of cathodes bears most",
                "risks": [
                    {
                        "stage": stage,
                        "risk": "medium" if stage == "material_acquisition" else "low",
                        "why": "-",
                        "response": "-",
                    }
                    for stage in STAGES
                ],
                "evidence": [{"what": "bills", "technique": "inspection"}],
                "seed": SEED,
                "certain_percent": "10",
                "per_stratum": 2,
            },
            "visit": {
                "site": "plant 1",
                "period": {"start": "2026-06-01", "end": "2026-06-02"},
                "visitors": [{"mark": "A-1"}],
                "text": "meters read",
            },
            "find": {"finding": "F1", "severity": "major", "concerned": FILER, "text": "a meter isn't calibrated"},
            "answer": {"finding": "F1", "text": "calibrated since"},
            "close": {"finding": "F1", "closing": "resolved", "text": "the certificate was seen"},
            "review": {"reviewer": {"function": "internal_independent", "mark": "B-7"}, "outcome": "confirmed"},
        }
        claims = rest.get(step, {})
        if step == "sample" and self.now.plan is not None:
            items = sorted(sample_of(self.now, lines).units)
            claims = {"population": population_digest(lines.units), "items": [{"item": one} for one in items]}
        if step == "examine":
            claims = {"examined": [self.examined(item, lines=lines) for item in self.sample]}
        if step == "assess" and self.now.terms is not None:
            shares = percentages(weigh(self.now, lines))
            claims = {"opinion": "unmodified", **{name: str(value) for name, value in shares.items()}}
        previous = citation(*self.now.last)
        return {"engagement": ASKED, "event": step, "previous": previous, **claims}

    @property
    def sample(self) -> list[str]:
        """What is to be examined."""
        return [*self.now.certain, *self.now.drawn]

    def examined(self, item: str, error: str = "0", lines: Lines = LINES) -> dict[str, Any]:
        """A line as examined."""
        conclusion = "validated" if item in lines.forecasts else "verified"
        return {"item": item, "conclusion": conclusion, "error_kg": error}

    def take(
        self, step: str, signer: str = VERIFIER, known: Facts | None = None, day: date = DAY, **changes: Any
    ) -> Engagement:
        """Take a step, or raise as `advance` does; a change to None takes a claim out."""
        known = known or facts(signer)
        claims = {**self.claims(step, known.lines), **changes}
        event = EngagementEvent.draft({name: value for name, value in claims.items() if value is not None})
        self.index += 1
        self.now = advance(self.now, (self.index, leaf(self.index)), signer, event, known, rules=RULES, day=day)
        return self.now

    def conclude(
        self, signer: str = VERIFIER, known: Facts | None = None, day: date = DAY, **changes: Any
    ) -> Engagement:
        """Sign the opinion, or raise as `conclude` does."""
        claims = {
            "target": citation(5, ASKED),
            "sub": PRODUCT,
            "filing": FILING,
            "result": RESULT,
            "scope": "three stages",
            "validated": "recycling, which is a forecast",
            "expires": "2028-06-30",
            "opinion": "unmodified",
            "assurance": "reasonable",
            "materiality_percent": "5",
            **concluding_claims(self.now),
            **changes,
        }
        statement = VerificationStatement.draft({name: value for name, value in claims.items() if value is not None})
        self.index += 1
        known = known or facts(signer)
        self.now = conclude(self.now, leaf(self.index), signer, statement, known, rules=RULES, day=day)
        return self.now

    def reach(self, state: str) -> Desk:
        """Go to `state` on the straight way; ``examined`` is ``sampled`` with nothing left to examine."""
        way = {
            "accepted": ["accept"],
            "planned": ["accept", "plan"],
            "sampled": ["accept", "plan", "sample"],
            "examined": ["accept", "plan", "sample", "examine"],
            "assessed": ["accept", "plan", "sample", "examine", "assess"],
        }
        way["reviewed"] = [*way["assessed"], "review"]
        for step in way.get(state, way["reviewed"] if state == "concluded" else []):
            self.take(step)
        if state == "concluded":
            self.conclude()
        return self

"""A verifier at work by the interface: each step of an engagement drafted, completed, signed and handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2

from tests.flow.accounts import Company
from tests.flow.signing import hand_in

ACCREDITATION = "L-0815"
WAY = ("accept", "plan", "sample", "examine", "assess", "review")
BASIS = "what is left is of one meter, whose error is known"


def accreditation(company: Company, **changes: Any) -> dict[str, Any]:
    """What the operator records of a verifier that may verify what these tests file."""
    today = company.exchange.clock().date()
    return {
        "body": "National accreditation service",
        "number": ACCREDITATION,
        "chemistry_groups": ["LFP", "NMC"],
        "rule_sets": ["cn-miit-551-trial"],
        "since": (today - timedelta(days=400)).isoformat(),
        "until": (today + timedelta(days=700)).isoformat(),
        **changes,
    }


def accredited(company: Company, **changes: Any) -> Company:
    """Have the operator record a verifier's accreditation."""
    body = {"verifier": company.uri, "accreditations": [accreditation(company, **changes)]}
    answer = company.exchange.http.put("/api/v1/accreditations", json=body)
    assert answer.status_code == 200, answer.text
    return company


@dataclass
class Work:
    """An engagement: `id` is the leaf hash of the filing's step that asked for it."""

    verifier: Company
    id: str

    def get(self, part: str = "", who: Company | None = None) -> httpx2.Response:
        """Answer a part of the engagement."""
        return (who or self.verifier).admin.get(f"/api/v1/engagements/{self.id}{part}")

    def show(self, who: Company | None = None) -> dict[str, Any]:
        """The engagement as a party sees it."""
        answer = self.get(who=who)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def draft(self, step: str, who: Company | None = None) -> tuple[str, dict[str, Any]]:
        """Kind and claims of a step, completed where nothing is wrong."""
        answer = self.get(f"/draft?step={step}", who)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return found["kind"], found["claims"] | self._rest(step)

    def _rest(self, step: str) -> dict[str, Any]:
        lines = self.get("/lines").json()["lines"] if step in ("plan", "examine") else []
        rest: Mapping[str, dict[str, Any]] = {
            "accept": {
                "independence": "neither shares nor services of the filer's or its suppliers'",
                "accreditation": ACCREDITATION,
                "assurance": "reasonable",
                "team": [
                    {"id": "t1", "function": "lead_verifier", "mark": "A-1"},
                    {"id": "t2", "function": "sector_expert", "mark": "A-2"},
                ],
                "reviewer": {"function": "internal_independent", "mark": "B-7"},
            },
            "decline": {"reason": "no capacity before the trial ends"},
            "plan": {
                "strategy": "one plant, one supplier of copper, two forecasts",
                "risks": [
                    {"id": f"r{n}", "stage": stage, "risk": "low", "why": "one line", "response": "see the bill"}
                    for n, stage in enumerate(dict.fromkeys(one["stage"] for one in lines))
                ],
                "evidence": [{"id": "e1", "what": "bills of copper", "technique": "inspection"}],
            },
            "assess": {"opinion": "unmodified"},
            "review": {"outcome": "confirmed"},
            "conclude": {
                "scope": "four stages, pack plant",
                "validated": "distribution and recycling, which are forecasts",
                "expires": (self.verifier.exchange.clock() + timedelta(days=365)).date().isoformat(),
            },
        }
        if step == "examine":
            forecasts = {one["item"] for one in lines if one["forecast"]}
            sample = self.show()["sample"]
            items = [*sample["certain"], *sample["drawn"]]
            return {
                "examined": [
                    {
                        "id": f"x{n}",
                        "item": item,
                        "conclusion": "validated" if item in forecasts else "verified",
                        "error_kg": "0",
                    }
                    for n, item in enumerate(items)
                ]
            }
        return rest.get(step, {})

    def try_(self, step: str, who: Company | None = None, **changes: Any) -> httpx2.Response:
        """Take a step as it is drafted, but for `changes`; None takes a claim out."""
        party = who or self.verifier
        kind, claims = self.draft(step, party)
        return hand_in(party, kind, {k: v for k, v in {**claims, **changes}.items() if v is not None})

    def take(self, step: str, who: Company | None = None, **changes: Any) -> dict[str, Any]:
        """Take a step; return its receipt."""
        answer = self.try_(step, who, **changes)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def reach(self, state: str) -> Work:
        """Go to `state` on the straight way."""
        after = dict(zip(WAY, ("accepted", "planned", "sampled", "sampled", "assessed", "reviewed"), strict=True))
        for step in WAY:
            self.take(step)
            if after[step] == state and step != "sample":
                return self
        raise AssertionError(state)

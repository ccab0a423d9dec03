"""Makers, verifiers and an authority that file by the interface: a pack whose result is complete, and each step signed and handed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, BILL_OF_MATERIALS, LIFE_CYCLE_SCENARIO
from tests.flow.accounts import Company
from tests.flow.engagement import Work, accredited
from tests.flow.signing import hand_in, kind_named
from tests.flow.world import PERIOD, SITE, citation, line

CHINA = "cn-miit-551-trial"
WAY = ("register", "plan", "complete", "calculate", "export", "platform", "submit", "verify", "file", "review")
_STATED = {"per": "kg", "source": "the recycler's letter"}


def stated(company: Company, name: str, claims: Mapping[str, Any]) -> dict[str, Any]:
    """Sign a statement and have it admitted; return its citation."""
    answer = hand_in(company, name, claims)
    assert answer.status_code == 201, answer.text
    return citation(answer.json())


def model_claims(product: str, chemistry: str = "LFP", **changes: Any) -> dict[str, Any]:
    """A battery model of 100 kWh."""
    claims = {
        "sub": product,
        "model": product.rpartition("/")[2].upper(),
        "plant": SITE,
        "chemistry": chemistry,
        "rated_energy": line(amount="100", unit="kWh", obtained="measured"),
        "mass": line(amount="500"),
        "cycle_points": [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}],
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def pack_claims(product: str, copper: str = "500") -> dict[str, dict[str, Any]]:
    """What the result of a pack is made from beside its model, by kind."""
    electricity = [line(amount="5", unit="kWh", supply="grid", geography="CN", obtained="measured")]
    activity = {
        "sub": product,
        "process_class": "pack_assembly",
        "site": SITE,
        "period": PERIOD,
        "outputs": [line(unit="piece", product=product)],
        "inputs": [line(amount=copper, name="copper", flow="copper", obtained="measured")],
        "electricity": electricity,
    }
    material = {
        **line(amount="500", name="copper", obtained="estimated"),
        "recovery_yield": "0.9",
        "recycled_content": "0",
        "quality_out": "1",
        **{
            name: {"value": value, **_STATED}
            for name, value in (("virgin", "3"), ("recycled", "1"), ("recycling", "1.2"), ("disposal", "0.05"))
        },
    }
    factor = {"value": "0.09502", "per": "t.km", "source": "the carrier's letter"}
    scenario = {
        "sub": product,
        "basis": "the contracts of 2026",
        "distribution": [line(amount="1500", unit="km", mode="road", obtained="estimated", factor=factor)],
        "materials": [material],
    }
    return {"activity-data": activity, "life-cycle-scenario": scenario}


@dataclass
class Pack:
    """A pack of a maker's: 500 kg of copper and 5 kWh, with a scenario for the rest of its life. Its citations by name."""

    maker: Company
    name: str = "p100"
    chemistry: str = "LFP"
    cited: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def product(self) -> str:
        """The product's URI."""
        return self.maker.member.product(self.name)

    def state(self, copper: str = "500", *inputs: Mapping[str, Any], **model: Any) -> Pack:
        """State all that its result is made from, with more `inputs` than copper."""
        claims = pack_claims(self.product, copper)
        claims["activity-data"]["inputs"].extend(inputs)
        self.cited["model"] = stated(self.maker, "battery-model", model_claims(self.product, self.chemistry, **model))
        self.cited["activity"] = stated(self.maker, "activity-data", claims["activity-data"])
        self.cited["scenario"] = stated(self.maker, "life-cycle-scenario", claims["life-cycle-scenario"])
        return self

    def result(self) -> dict[str, Any]:
        """Compute it under the trial's rules."""
        body = {"product": self.product, "rule_set": CHINA, "reader": self.maker.uri, "flow": None}
        answer = self.maker.admin.post("/api/v1/footprints", json=body)
        assert answer.status_code in (200, 201), answer.text
        found: dict[str, Any] = answer.json()
        return found


@dataclass
class Desk:
    """One filing of a pack, with its verifier and the authority. `id` is set by its registration."""

    pack: Pack
    verifier: Company
    authority: Company
    id: str = ""
    digest: str = ""
    computed: dict[str, Any] = field(default_factory=dict)

    @property
    def maker(self) -> Company:
        """Who files."""
        return self.pack.maker

    def party(self, step: str) -> Company:
        """Who takes a step."""
        return {"verify": self.verifier, "review": self.authority}.get(step, self.maker)

    def draft(self, step: str, who: Company | None = None) -> tuple[str, dict[str, Any]]:
        """Kind and claims of a step, completed where nothing is wrong."""
        who = who or self.party(step)
        if step == "verify" and who is self.verifier and self.show(who)["state"] == "under_verification":
            return self.engaged().draft("conclude")
        if step == "register":
            answer = who.admin.get("/api/v1/filings/draft", params={"product": self.pack.product})
        else:
            answer = who.admin.get(f"/api/v1/filings/{self.id}/draft", params={"step": step})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        return found["kind"], found["claims"] | self._rest(step)

    @property
    def work(self) -> Work:
        """The verification that the filing asked for last."""
        asked = [one["leaf_hash"] for one in self.show(self.maker)["steps"] if one["step"] == "submit"]
        return Work(self.verifier, asked[-1])

    def engaged(self) -> Work:
        """The same, with nothing left but the opinion."""
        if self.work.show()["state"] == "asked":
            accredited(self.verifier)
            self.work.reach("reviewed")
        return self.work

    def _rest(self, step: str) -> dict[str, Any]:
        said = {"function": "metering_engineer", "frequency": "monthly", "gap_treatment": "same month of last year"}
        metered = {"meter": "EM-7", "calibrated": "2024-06-01", "calibration_due": "2026-06-01"}
        if step == "calculate":
            answer = self.pack.result()
            self.digest, self.computed = answer["digest"], answer["result"]
        rest: dict[str, dict[str, Any]] = {
            "plan": {
                "period": PERIOD,
                "figures": [
                    {"id": "power", "name": "electricity of the pack plant", "source": "meter", **metered, **said}
                ],
            },
            "complete": {
                "period": PERIOD,
                "data": [{"id": "d1", "figure": "power", "citation": self.pack.cited.get("activity")}],
            },
            "calculate": {"result": self.digest},
            "submit": {"verifier": self.verifier.uri},
            "review": {"outcome": "accepted", "conflicts": []},
            "withdraw": {"reason": "not sold after all"},
            "amend": {"trigger": "data_corrected", "reason": "the meter was read again"},
        }
        if step == "platform":
            found = self.computed
            lines = {one["id"]: one["value"] for one in found["stages"]} | {"total": found["headline"]["value"]}
            return {
                "platform": "designated platform",
                "database": "background database",
                "database_version": "2026.1",
                "calculated": self.maker.exchange.clock().date().isoformat(),
                "unit": found["headline"]["unit"],
                "lines": [{"id": name, "line": name, "value": value} for name, value in lines.items()],
            }
        return rest.get(step, {})

    def try_(self, step: str, who: Company | None = None, **changes: Any) -> httpx2.Response:
        """Take a step as the exchange drafts it, but for `changes`; None takes a claim out."""
        party = self.party(step)
        kind, claims = self.draft(step, party)
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        answer = hand_in(who or party, kind, claims)
        if answer.status_code == 201 and step == "register":
            self.id = claims["filing"]
        return answer

    def take(self, step: str, **changes: Any) -> dict[str, Any]:
        """Take a step; return the filing as its filer sees it."""
        answer = self.try_(step, **changes)
        assert answer.status_code == 201, answer.text
        return self.show(self.maker)

    def reach(self, state: str) -> Desk:
        """Go to `state` on the straight way."""
        for step in WAY:
            if self.take(step)["state"] == state:
                return self
        raise AssertionError(state)

    def show(self, who: Company) -> dict[str, Any]:
        """The filing as a company sees it."""
        answer = who.admin.get(f"/api/v1/filings/{self.id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


__all__ = [
    "ACTIVITY_DATA",
    "BATTERY_MODEL",
    "BILL_OF_MATERIALS",
    "CHINA",
    "LIFE_CYCLE_SCENARIO",
    "WAY",
    "Desk",
    "Pack",
    "hand_in",
    "kind_named",
]

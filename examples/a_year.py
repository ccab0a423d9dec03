"""A year of filing under notice 551, played at an exchange of its own: who files what, what is refused, what is sent back, what goes stale.

    python examples/a_year.py

The companies are fictitious. The packs are EverBatt 2023's (examples/everbatt; modelled): LFP and NMC622 from two plants, NMC811 from one.
Whatever is invented for the story says so in its statement.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from bom_graph import release_bytes
from connectors.everbatt import (
    CellPlant,
    Source,
    Tables,
    battery_model,
    cell_activity,
    cell_bill,
    pack_activity,
    pack_bill,
)
from exchange.client import AnswerError
from exchange.demo import tables_folder
from exchange.kinds import KINDS
from exchange.partner import MemberLogin, Partner
from exchange.server import serving
from exchange.settings import Settings
from signer import KeyPair, issue, new_jti, proof_of_possession

RULES, EU_RULES, RELEASE = "cn-miit-551-trial", "eu-cfb-draft-2024-partial", "everbatt-2023"
GROUP = "Example Group"
#: Chemistry, country, grid: five models, each as one plant makes it.
PACKS = (("LFP", "CN"), ("LFP", "KR"), ("NMC622", "CN"), ("NMC622", "KR"), ("NMC811", "CN"))
_INVENTED = "invented for this story"
_SECONDS = 120
Told = Callable[[str], None]
Claims = dict[str, Any]


#: What the operator records of the verifier: everything in it is invented.
ACCREDITED: Claims = {
    "body": "Accreditation service, invented for this story",
    "number": "L-0815",
    "chemistry_groups": ["LFP", "NMC"],
    "rule_sets": [RULES],
    "since": "2025-01-01",
    "until": "2029-12-31",
}


@dataclass(frozen=True)
class Host:
    """The exchange: its address, its operator, and what is closed at the end."""

    address: str
    operator: Partner
    open_connections: ExitStack


@dataclass
class Company:
    """A company with its key, which only it holds in earnest."""

    partner: Partner
    uri: str
    key: KeyPair

    @classmethod
    def join(cls, host: Host, slug: str, *roles: str, group: str | None = None) -> Company:
        """Have the key certified, and the roles granted.

        Who tells its corporate group applies with that key, is approved, and acts from then on with an account of its own.
        """
        partner = host.operator
        uri, key, origin = f"https://{slug}.example", KeyPair.generate("ES256"), partner.log()["origin"]
        csr, possession = key.csr(uri), proof_of_possession(key, origin, uri)
        name = f"Example {slug.replace('-', ' ').title()}"
        enrolled = partner.enrol(uri, name, csr, possession, roles)
        own = partner
        if group is not None:
            email, password = f"admin@{slug}.example", secrets.token_urlsafe(24)
            asked = {
                "uri": uri,
                "name": name,
                "country": "CN",
                "corporate_group": group,
                "identifiers": {"register": slug},
                "roles": list(roles),
                "csr": base64.b64encode(csr).decode(),
                "possession": possession,
                "admin": "Ada Admin",
                "email": email,
                "password": password,
            }
            registration = partner.call("POST", "registrations", asked)["id"]
            partner.call("POST", f"registrations/{registration}/decision", {"approve": True})
            listed = f"organisations?after={uri.removesuffix('.example')}&limit=1"
            _until(lambda: any(one["identifiers"] for one in partner.call("GET", listed) if one["uri"] == uri))
            own = host.open_connections.enter_context(Partner(host.address, MemberLogin(email, password)))
        return cls(own, uri, key.with_certificate(enrolled.certificate))

    def product(self, name: str) -> str:
        """The URI of a product of this company."""
        return f"{self.uri}/products/{name}"

    def state(self, kind: str, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Sign a statement and have it admitted; return its citation."""
        now = datetime.now(UTC)
        issued = issue(
            self.key,
            KINDS[f"urn:packtrace:{kind}:1"].profile,
            issuer=self.uri,
            audience=self.partner.log()["origin"],
            jti=new_jti(now, secrets.token_bytes),
            issued_at=now,
            claims=dict(claims),
            random=secrets.token_bytes,
        )
        return self.partner.submit(issued.token, issued.disclosures).citation


@dataclass(frozen=True)
class Others:
    """Who takes part in filings beside the makers; `sister` is a verifier of the first maker's group."""

    verifier: Company
    sister: Company
    authority: Company


@dataclass
class Model:
    """A pack model of a maker's with the activity data that its filing names, and its result."""

    maker: Company
    name: str
    product: str
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    digest: str = ""
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def state(cls, maker: Company, tables: Tables, chemistry: str, country: str) -> Model:
        """State all that the model's result is made from: cells, pack, battery model, and what becomes of it."""
        name = f"{chemistry}-100-{country}"
        cell, pack = maker.product(f"cell-{name.lower()}"), maker.product(f"pack-{name.lower()}")
        plant = {"name": f"Pack plant {country}", "country": country, "grid": country}
        made = CellPlant(f"Cell plant {country}", country, country)
        bill = maker.state("bill-of-materials", cell_bill(tables, chemistry, cell, Source()))
        parts = pack_bill(tables, chemistry, pack, Source(cell, bill))
        mass = sum((Decimal(part["amount"]) for part in parts["components"]), Decimal(0))
        cells = maker.state("activity-data", cell_activity(tables, chemistry, cell, made))
        maker.state("bill-of-materials", parts)
        assembly = maker.state("activity-data", pack_activity(tables, pack, plant))
        maker.state(
            "battery-model",
            battery_model(tables, chemistry, pack, model=name, plant=plant, mass_kg=f"{mass:f}"),
        )
        maker.state("life-cycle-scenario", _scenario(pack, mass))
        return cls(maker, name, pack, {"cells": cells, "assembly": assembly})

    def calculate(self) -> str:
        """Compute the model under the trial's rules, and keep the result; return its digest."""
        self.digest, self.found = self.maker.partner.footprint(self.product, RULES, self.maker.uri)
        return self.digest


def _scenario(product: str, mass: Decimal) -> Claims:
    said = {"obtained": "assumed", "unit": "kg", "amount": f"{mass:f}", "name": "the whole pack"}
    factors = {
        name: {"value": value, "per": "kg", "source": _INVENTED}
        for name, value in (("recycling", "1.2"), ("disposal", "0.05"))
    }
    return {
        "sub": product,
        "basis": _INVENTED,
        "distribution": [{"obtained": "assumed", "amount": "1200", "unit": "km", "mode": "road"}],
        "materials": [{**said, "recovery_yield": "0.9", **factors}],
    }


@dataclass
class Filing:
    """A filing, each step signed by whose it is."""

    model: Model
    verifier: Company
    authority: Company
    id: str = ""
    #: The leaf hash of the newest step `submit`, which is the engagement's id.
    engagement: str = ""

    def take(self, step: str, **claims: Any) -> dict[str, Any]:
        """Sign a step as the exchange drafts it, completed with what its signer knows; return the citation."""
        if step == "verify":
            return self._verify()
        who = {"review": self.authority}.get(step, self.model.maker)
        drafted = who.partner.draft_step(step, filing=self.id or None, product=self.model.product, organisation=who.uri)
        said = {**drafted["claims"], **self._rest(step), **claims}
        citation = who.state(drafted["kind"], said)
        if step == "register":
            self.id = said["filing"]
        if step == "submit":
            self.engagement = citation["leaf_hash"]
        return citation

    def _verify(self) -> dict[str, Any]:
        """Conduct the engagement, from acceptance to the opinion; return the opinion's citation."""
        citation: dict[str, Any] = {}
        for step in ("accept", "plan", "sample", "examine", "assess", "review", "conclude"):
            drafted = self.verifier.partner.draft_engagement(self.engagement, step, self.verifier.uri)
            citation = self.verifier.state(drafted["kind"], {**drafted["claims"], **self._of_engagement(step)})
        return citation

    def _of_engagement(self, step: str) -> Claims:
        partner, uri = self.verifier.partner, self.verifier.uri
        lines = partner.engagement(self.engagement, "lines", uri)["lines"] if step in {"plan", "examine"} else []
        if step == "examine":
            sample = partner.engagement(self.engagement, organisation=uri)["sample"]
            forecasts = {one["item"] for one in lines if one["forecast"]}
            concluded = [
                {"item": item, "conclusion": "validated" if item in forecasts else "verified", "error_kg": "0"}
                for item in (*sample["certain"], *sample["drawn"])
            ]
            return {"examined": [{"id": f"x{number}", **one} for number, one in enumerate(concluded)]}
        stages = enumerate(dict.fromkeys(one["stage"] for one in lines))
        low = {"risk": "low", "why": _INVENTED, "response": "see the bills"}
        rest: dict[str, Claims] = {
            "accept": {
                "independence": "no tie to the filer or its suppliers",
                "accreditation": ACCREDITED["number"],
                "assurance": "limited",
                "team": [{"id": "t1", "function": "lead_verifier", "mark": "A-1"}],
                "reviewer": {"function": "internal_independent", "mark": "B-7"},
            },
            "plan": {
                "strategy": _INVENTED,
                "risks": [{"id": f"r{number}", "stage": stage, **low} for number, stage in stages],
                "evidence": [{"id": "e1", "what": "bills of materials and of electricity", "technique": "inspection"}],
            },
            "assess": {"opinion": "unmodified"},
            "review": {"outcome": "confirmed"},
            "conclude": {
                "scope": "four stages",
                "validated": "distribution and recycling, which are forecasts",
                "expires": (datetime.now(UTC) + timedelta(days=365)).date().isoformat(),
            },
        }
        return rest.get(step, {})

    def until_filed(self, *steps: str, **last: Any) -> None:
        """Take `steps`, and file; `last` is said with that."""
        for step in steps:
            self.take(step)
        self.take("file", **last)

    def _rest(self, step: str) -> Claims:
        model, period = self.model, {"start": "2025-01-01", "end": "2025-12-31"}
        if step == "plan":
            kept = {"source": "estimate", "function": "data_controller", "frequency": "yearly", "gap_treatment": "none"}
            figures = [{"id": name, "name": f"activity data of the {name}", **kept} for name in model.data]
            return {"period": period, "figures": figures}
        if step == "complete":
            data = [{"id": name, "figure": name, "citation": entry} for name, entry in model.data.items()]
            return {"period": period, "data": data}
        if step == "calculate":
            return {"result": model.calculate()}
        if step == "platform":
            lines = {one["id"]: one["value"] for one in model.found["stages"]}
            lines["total"] = model.found["headline"]["value"]
            return {
                "platform": "designated platform",
                "database": f"background database, {_INVENTED}",
                "database_version": "2026.1",
                "calculated": datetime.now(UTC).date().isoformat(),
                "unit": model.found["headline"]["unit"],
                "lines": [{"id": name, "line": name, "value": value} for name, value in lines.items()],
            }
        rest: dict[str, Claims] = {
            "submit": {"verifier": self.verifier.uri},
            "review": {"outcome": "accepted", "conflicts": []},
        }
        return rest.get(step, {})


def play(host: Host, tell: Told) -> dict[str, Any]:
    """Play the year; return what a test looks at. Raises AnswerError where the exchange refuses what the story doesn't expect."""
    tables = Tables.read(tables_folder())
    maker = Company.join(host, "packs", "pack_maker", "supplier", group=GROUP)
    small = Company.join(host, "small-packs", "pack_maker", "supplier")
    others = Others(
        verifier=Company.join(host, "verification", "verifier"),
        sister=Company.join(host, "sister-verification", "verifier", group=GROUP),
        authority=Company.join(host, "authority", "authority"),
    )
    host.operator.accredit(others.verifier.uri, [ACCREDITED])
    tell("joined: two pack makers, two verifiers (one of the first maker's group), the authority")
    found = _file_five(maker, others, tables, tell)
    found |= _fall_short(small, others, tables, tell)
    found |= _claim_twice(maker, small, tell)
    found |= _replace_factors(host, found["models"], tell)
    tell("the authority's summary of the trial:\n")
    found["summary"] = host.operator.trial_summary_text(others.authority.uri)
    tell(found["summary"])
    return found


# -- the first maker ---------------------------------------------------------------------------------------------------


def _file_five(maker: Company, others: Others, tables: Tables, tell: Told) -> dict[str, Any]:
    """Five models, two of LFP, two of NMC622, one of NMC811; a refused verifier, and a return for correction."""
    models = [Model.state(maker, tables, chemistry, country) for chemistry, country in PACKS]
    tell(f"{maker.uri} states {len(models)} models: {', '.join(model.name for model in models)}")
    refused = ""
    for number, model in enumerate(models):
        filing = Filing(model, others.verifier, others.authority)
        for step in ("register", "plan", "complete", "calculate", "export", "platform"):
            filing.take(step)
        if number == 0:
            refused = _refused(partial(filing.take, "submit", verifier=others.sister.uri))
            tell(f"{model.name}: submitted to {others.sister.uri}, refused: {refused}")
        filing.until_filed("submit", "verify")
        headline = model.found["headline"]
        tell(f"{model.name}: {headline['printed']} {headline['unit']}, verified and filed")
        if model.name.startswith("NMC811"):
            _send_back(filing, tell)
        filing.take("review")
        tell(f"{model.name}: accepted")
    beside = _put_beside(models[0], tell)
    duties = maker.partner.duties(maker.uri)
    tell(
        f"{maker.uri}: {duties['coverage']['filed']} models filed, missing: {'; '.join(duties['coverage']['missing']) or 'nothing'}"
    )
    return {"models": models, "beside": beside, "independence": refused, "coverage": duties["coverage"]}


def _put_beside(model: Model, tell: Told) -> dict[str, Any]:
    """The EU's draft beside the result that was filed."""
    partner = model.maker.partner
    digest, _found = partner.footprint(model.product, EU_RULES, model.maker.uri)
    found: dict[str, Any] = partner.call("GET", f"footprints/{digest}/beside/{model.digest}")
    one, moved = found["results"]["european"], found["difference"]
    by = ", ".join(f"{aspect['aspect']} {float(aspect['value']):+.6f}" for aspect in moved["aspects"])
    tell(
        f"{model.name}: under the EU's draft {one['headline']['printed']} {moved['unit']} ({one['heading']}); they differ by {by}"
    )
    return found


def _send_back(filing: Filing, tell: Told) -> None:
    """The authority returns a filing with a remark; it is corrected from that step on, and filed with the answer."""
    remark = {"id": "r1", "to": "filer", "text": "say who models the cells' electricity, and how often", "step": "plan"}
    review = filing.take("review", outcome="returned", remarks=[remark])
    state = filing.model.maker.partner.filing(filing.id, organisation=filing.model.maker.uri)["state"]
    tell(f"{filing.model.name}: returned for correction, {state} again: {remark['text']}")
    answer = {"id": "a1", "remark": f"{review['index']}.r1", "text": "modelled yearly, see the new plan"}
    filing.until_filed("plan", "complete", "calculate", "export", "platform", "submit", "verify", answers=[answer])
    tell(f"{filing.model.name}: filed again with its answer: {answer['text']}")


# -- a maker that falls short ------------------------------------------------------------------------------------------


def _fall_short(small: Company, others: Others, tables: Tables, tell: Told) -> dict[str, Any]:
    """A maker with two chemistries files one of them."""
    models = [Model.state(small, tables, chemistry, "CN") for chemistry in ("LFP", "NMC622")]
    filing = Filing(models[0], others.verifier, others.authority)
    filing.until_filed("register", "plan", "complete", "calculate", "export", "platform", "submit", "verify")
    coverage = small.partner.duties(small.uri)["coverage"]
    tell(f"{small.uri}: {coverage['filed']} of {len(models)} models filed, missing: {'; '.join(coverage['missing'])}")
    return {"short": coverage}


# -- a certificate claimed twice ---------------------------------------------------------------------------------------


def _claim_twice(first: Company, second: Company, tell: Told) -> dict[str, Any]:
    """Two makers retire the same serials: the second is refused, and both are told of the case."""
    retired = _retirement(first, 1, 100)
    first.state("certificate-retirement", retired)
    refused = _refused(lambda: second.state("certificate-retirement", _retirement(second, 100, 150)))
    tell(f"certificates, {_INVENTED}: {second.uri} claims a serial that counts already, refused: {refused}")
    told = {}
    for one in (first, second):
        events = one.partner.inbox(one.uri)["events"]
        told[one.uri] = [event["type"] for event in events if "conflict" in event["type"]]
        tell(f"certificates: {one.uri} is told: {', '.join(told[one.uri])}")
    return {"double_claim": refused, "told": told, "retired": retired}


def _retirement(company: Company, first: int, last: int) -> Claims:
    return {
        "sub": company.product("green-electricity"),
        "registry": "GEC",
        "note": f"the certificates are {_INVENTED}",
        "serials": [{"id": "s", "first": f"INVENTED-{first:06}", "last": f"INVENTED-{last:06}"}],
        "energy": {"amount": str(last - first + 1), "unit": "MWh", "obtained": "measured"},
        "month": "2025-01",
        "generation": "wind",
        "region": "CN",
        "site": {"name": "Cell plant CN", "country": "CN", "grid": "CN"},
    }


# -- a factor release --------------------------------------------------------------------------------------------------


def _replace_factors(host: Host, models: list[Model], tell: Told) -> dict[str, Any]:
    """A maintainer proposes a release with another NMC622 factor; three experts accept it; published, it makes results stale."""
    partner = host.operator
    maintainer = Company.join(host, "factors", "factor_maintainer")
    experts = [Company.join(host, f"expert-{number}", "expert") for number in range(1, 4)]
    release = json.loads(release_bytes(RELEASE)) | {"version": "2, invented for a story"}
    for row in release["rows"]:
        if row["id"] == "cathode-nmc622":
            row["value"] = str(Decimal(row["value"]) * Decimal("1.05"))
    file = json.dumps(release).encode()
    digest = hashlib.sha256(file).hexdigest()
    proposal = partner.propose_release(file, digest, organisation=maintainer.uri)["id"]
    moved = [one for one in models[0].maker.partner.effect(proposal) if "before" in one]
    tell(
        f"factors: {maintainer.uri} proposes {RELEASE} with NMC622 5 % higher; results that it would move: {len(moved)}"
    )
    for expert in experts:
        expert.state("review", {"digest": digest, "outcome": "accepted", "conflicts": []})
    tell(f"factors: {len(experts)} experts accept it, none with a conflict of interest")
    maintainer.state("factor-release", partner.proposal(proposal, "publication"))
    tell("factors: published")
    stale = {model.name: _until(partial(_causes, model)) for model in models}
    for name, causes in stale.items():
        tell(f"factors: the result of {name} is stale, by {', '.join(causes)}")
    return {"stale": stale, "moved": moved}


def _causes(model: Model) -> list[str]:
    return [one["cause"] for one in model.maker.partner.stale(model.digest)["causes"]]


# -- helpers -----------------------------------------------------------------------------------------------------------


def _refused(deed: Callable[[], object]) -> str:
    """What the exchange says to a deed that it has to refuse."""
    try:
        deed()
    except AnswerError as error:
        return str(error)
    raise RuntimeError("the exchange let pass what it has to refuse")


def _until(what: Callable[[], Any]) -> Any:
    """Wait until the exchange's background work has come so far; RuntimeError after two minutes."""
    end = time.monotonic() + _SECONDS
    while not (found := what()):
        if time.monotonic() > end:
            raise RuntimeError("the exchange's background work never came so far")
        time.sleep(0.2)
    return found


def main() -> None:
    """Play the year at an exchange in a temporary folder."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Settings(data=Path(folder) / "data", port=0)) as running,
        ExitStack() as stack,
    ):
        operator = stack.enter_context(Partner(running.address, running.services.installation.token))
        play(Host(running.address, operator, stack), _say)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

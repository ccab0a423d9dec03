"""An exchange at work: a real data folder and database, the real application behind HTTP, and companies with keys."""

from __future__ import annotations

import base64
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpx2
from fastapi.testclient import TestClient
from sqlmodel import Session

from bom_graph import Background, load_release, load_rule_set
from bom_graph.rules import Stage
from exchange.api import RequestLimits
from exchange.app import create_app
from exchange.database import engine_for
from exchange.identity import OrganisationRow
from exchange.installation import open_installation
from exchange.intake import Admissions, Intake, Receipt
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, Kind
from exchange.services import Services, wire
from ledger.store import head, snapshot
from signer import Issued, KeyPair, issue, join_presentation, new_jti, proof_of_possession

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
EVERBATT = load_rule_set("everbatt-2023-cradle-to-gate")
PASSPHRASE = "correct horse battery staple"
BASE = "http://127.0.0.1"
SITE = {"name": "Plant 1", "country": "CN", "grid": "CN"}
PERIOD = {"start": "2025-01-01", "end": "2025-12-31"}


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def open_services(
    folder: Path,
    url: str,
    *,
    clock: Clock | None = None,
    holder: str = "first",
    origin: str | None = None,
    witness_policy: Path | None = None,
    webhook_hosts: Sequence[str] = (),
) -> Services:
    """Open a data folder as `exchange.server` does, with a clock and keys from a passphrase of ours."""
    clock = clock or Clock()
    engine = engine_for(url)
    try:
        installation = open_installation(
            folder, engine, origin=origin, passphrase=PASSPHRASE, clock=clock, random=random.randbytes
        )
    except BaseException:
        engine.dispose()
        raise
    return wire(
        installation,
        holder=holder,
        clock=clock,
        random=secrets.token_bytes,
        witness_policy=witness_policy,
        witness_seconds=2,
        webhook_hosts=webhook_hosts,
    )


@dataclass
class Exchange:
    """One exchange. `http` sends the token with each request; an error on its side is an answer, not an exception."""

    services: Services
    clock: Clock
    http: TestClient
    url: str
    members: dict[str, Member] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, url: str, *, clock: Clock | None = None, limits: RequestLimits | None = None) -> Self:
        """An exchange on a database, made on first use."""
        clock = clock or Clock()
        services = open_services(folder, url, clock=clock)
        app = create_app(services, checkpoint_seconds=60, limits=limits)
        bearer = {"Authorization": f"Bearer {services.installation.token}"}
        http = TestClient(app, base_url=BASE, headers=bearer, raise_server_exceptions=False)
        return cls(services, clock, http, url)

    def close(self) -> None:
        """Let go of the database."""
        self.http.close()
        self.services.installation.engine.dispose()

    @property
    def size(self) -> int:
        """How many entries the ledger has."""
        with snapshot(self.services.installation.engine) as connection:
            return head(connection).size

    @property
    def origin(self) -> str:
        """The log's name."""
        return self.services.installation.anchors.origin

    def member(self, slug: str, role: str = "supplier") -> Member:
        """A company, enrolled through the interface when it is first asked for."""
        if slug not in self.members:
            member = Member(self, f"https://{slug}.example", KeyPair.generate("ES256"))
            answer = self.http.post("/api/v1/organisations", json=member.application(role))
            assert answer.status_code == 201, answer.text
            member.key = member.key.with_certificate(base64.b64decode(answer.json()["certificate"]))
            self.members[slug] = member
        return self.members[slug]

    def certified(self, key: KeyPair, uri: str) -> KeyPair:
        """A key with the certificate that the exchange enrolled it by."""
        with Session(self.services.installation.engine) as session:
            row = session.get(OrganisationRow, uri)
            assert row is not None
            return key.with_certificate(row.certificate)

    def post(self, issued: Issued) -> httpx2.Response:
        """Submit a statement."""
        return self.http.post(
            "/api/v1/statements", json={"statement": join_presentation(issued.token, issued.disclosures)}
        )

    def admit_by(self, background: Background, issued: Issued) -> Receipt:
        """Admit a statement as it was admitted while other factors and rule sets were in use."""
        ours = self.services.installation
        intake = Intake(
            ours.engine, ours.vault, Admissions(ours.trust, ours.policy), lambda _connection: background, self.clock
        )
        return intake.submit(issued.token, issued.disclosures)

    def footprint(self, product: str, reader: str, rule_set: str = "everbatt-2023-cradle-to-gate") -> httpx2.Response:
        """Ask for a footprint."""
        return self.http.post(
            "/api/v1/footprints", json={"product": product, "rule_set": rule_set, "reader": reader, "flow": None}
        )

    def publish(self) -> None:
        """Let the clock publish what was committed."""
        assert self.services.publisher.tick() is not None


@dataclass
class Member:
    """A company with its own key."""

    exchange: Exchange
    uri: str
    key: KeyPair

    def application(self, *roles: str) -> dict[str, Any]:
        """What it hands in to be enrolled."""
        return {
            "uri": self.uri,
            "name": f"{self.uri} (fictitious)",
            "csr": base64.b64encode(self.key.csr(self.uri)).decode(),
            "possession": proof_of_possession(self.key, self.exchange.origin, self.uri),
            "roles": list(roles),
        }

    def product(self, name: str) -> str:
        """The URI of a product of its own."""
        return f"{self.uri}/products/{name}"

    def sign(self, kind: Kind, claims: Mapping[str, Any], *, jti: str | None = None, **changes: Any) -> Issued:
        """Sign a statement; `changes` replace arguments of `signer.issue`."""
        now = self.exchange.clock()
        arguments: dict[str, Any] = {
            "issuer": self.uri,
            "audience": self.exchange.origin,
            "jti": jti or new_jti(now, random.randbytes),
            "issued_at": now,
            "claims": dict(claims),
            "random": random.randbytes,
        }
        return issue(changes.pop("key", self.key), changes.pop("profile", kind.profile), **(arguments | changes))

    def sign_again(self, issued: Issued) -> Issued:
        """The same content under another signature: ECDSA gives other bytes each time."""
        signing_input = issued.token.rpartition(".")[0]
        signature = base64.urlsafe_b64encode(self.key.sign(signing_input.encode())).decode().rstrip("=")
        return replace(issued, token=f"{signing_input}.{signature}")

    def state(self, kind: Kind, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Sign a statement and have it admitted; return its citation."""
        answer = self.exchange.post(self.sign(kind, claims))
        assert answer.status_code == 201, answer.text
        return citation(answer.json())

    def grant(self, cited: Mapping[str, Any], reader: Member, *paths: str) -> httpx2.Response:
        """Let `reader` see `paths` of a statement, all of it without paths."""
        body = {
            "owner": self.uri,
            "reader": reader.uri,
            "leaf_hash": cited["leaf_hash"],
            "paths": list(paths) or ["full"],
            "purpose": "customer",
        }
        return self.exchange.http.post("/api/v1/grants", json=body)


def citation(receipt: Mapping[str, Any]) -> dict[str, Any]:
    """How a later statement points to an admitted one."""
    return {name: receipt[name] for name in ("origin", "index", "leaf_hash")}


def with_flow(flow: str) -> Background:
    """The factors in use and one more, of `flow`."""
    release = load_release("everbatt-2023")
    row = next(row for row in release.rows if row.flow == "copper").model_copy(update={"flow": flow})
    return replace(Background.shipped(), releases=(release.model_copy(update={"rows": (*release.rows, row)}),))


def with_stage(stage: str) -> Background:
    """The rule sets in use, each with one stage more."""
    shipped = Background.shipped()
    more = [
        r.model_copy(update={"stages": (*r.stages, Stage(id=stage, name=stage, name_zh=stage))})
        for r in shipped.rule_sets
    ]
    return replace(shipped, rule_sets=tuple(more))


def line(**members: Any) -> dict[str, Any]:
    """A line of one kilogram of something, modelled."""
    return {"amount": "1", "unit": "kg", "obtained": "modelled", **members}


def activity(product: str, *inputs: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Activity data of a kilogram of `product`, made from `inputs` or from nickel sulphate of the background."""
    composition = {"formula": "NiSO4"}
    made_from = [line(name="salt", flow="nickel-sulfate", composition=composition)]
    claims = {
        "sub": product,
        "process_class": "material_production",
        "site": SITE,
        "period": PERIOD,
        "outputs": [line(product=product, composition=composition)],
        "inputs": [dict(one) for one in inputs] or made_from,
        "electricity": [],
    }
    return claims | changes


def bill(product: str, *components: str, **changes: Any) -> dict[str, Any]:
    """A bill of materials of a kilogram of `product`, with a kilogram of each component."""
    lines = [line(name=f"part {number}", product=uri) for number, uri in enumerate(components)]
    per = {"amount": "1", "unit": "kg", "obtained": "modelled"}
    return {"sub": product, "per": per, "components": lines} | changes


def signed_footprint(product: str, *stages: str, **changes: Any) -> dict[str, Any]:
    """The footprint of a kilogram of `product`: a kilogram of CO2e in each stage."""
    claims = {
        "sub": product,
        "rule_set": {"id": EVERBATT.id, "version": EVERBATT.version, "digest": EVERBATT.digest},
        "declared_unit": {"amount": "1", "unit": "kg", "obtained": "calculated"},
        "total": str(len(stages)),
        "stages": [{"stage": stage, "kg_co2e": "1"} for stage in stages],
        "complete": True,
        "obtained": "calculated",
    }
    return claims | changes


def salt(member: Member, name: str = "salt") -> dict[str, Any]:
    """An admitted statement about a salt of the member; its citation."""
    return member.state(ACTIVITY_DATA, activity(member.product(name)))


def holds(member: Member, product: str, *components: str) -> httpx2.Response:
    """Submit a bill of materials: `product` of the member holds `components`."""
    return member.exchange.post(member.sign(BILL_OF_MATERIALS, bill(member.product(product), *components)))

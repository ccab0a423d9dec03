"""Companies with accounts: they register as anybody would, are approved, and act through their own members and API clients."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.testclient import TestClient

from signer import KeyPair, proof_of_possession
from tests.flow.world import BASE, Exchange, Member

PASSWORD = "four words, none of them secret"
#: Made up, with right check characters.
USCC = "91350100M000100Y43"
LEI = "213800KUD8LAJWSQ9D15"


def application(exchange: Exchange, slug: str, key: KeyPair | None = None, **changes: Any) -> dict[str, Any]:
    """What a company hands in to join."""
    uri = f"https://{slug}.example"
    key = key or KeyPair.generate("ES256")
    return {
        "uri": uri,
        "name": f"{slug.title()} Ltd",
        "country": "CN",
        "identifiers": {"register": slug},
        "roles": ["supplier"],
        "csr": base64.b64encode(key.csr(uri)).decode(),
        "possession": proof_of_possession(key, exchange.origin, uri),
        "admin": "Ada Admin",
        "email": f"admin@{slug}.example",
        "password": PASSWORD,
        "sites": [{"site": "plant-1", "name": "Plant 1", "country": "CN", "region": "CN-FJ", "grid": "CN"}],
        **changes,
    }


def browser(exchange: Exchange) -> TestClient:
    """A browser of somebody who has no token; it says, as browsers do, that its requests come from our own pages."""
    return TestClient(
        exchange.http.app, base_url=BASE, headers={"Sec-Fetch-Site": "same-origin"}, raise_server_exceptions=False
    )


def log_in(exchange: Exchange, email: str, password: str = PASSWORD) -> TestClient:
    """A browser whose member is logged in."""
    found = browser(exchange)
    answer = found.post("/api/v1/sessions", json={"email": email, "password": password})
    assert answer.status_code == 201, answer.text
    return found


def access(exchange: Exchange, identity: str, secret: str, scope: str = "") -> TestClient:
    """A program with an access token."""
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    answer = browser(exchange).post("/oauth/token", data=form, auth=(identity, secret))
    assert answer.status_code == 200, answer.text
    found = TestClient(exchange.http.app, base_url=BASE, raise_server_exceptions=False)
    found.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return found


@dataclass
class Company:
    """A registered company: its key, and the browser of its admin."""

    exchange: Exchange
    member: Member
    admin: TestClient

    @property
    def uri(self) -> str:
        """The organisation."""
        return self.member.uri

    @classmethod
    def join(cls, exchange: Exchange, slug: str, **changes: Any) -> Company:
        """Apply, be approved, log in."""
        key = KeyPair.generate("ES256")
        asked = application(exchange, slug, key, **changes)
        answer = browser(exchange).post("/api/v1/registrations", json=asked)
        assert answer.status_code == 202, answer.text
        decided = exchange.http.post(f"/api/v1/registrations/{answer.json()['id']}/decision", json={"approve": True})
        assert decided.status_code == 200, decided.text
        exchange.services.registrations.tick()
        member = Member(exchange, asked["uri"], exchange.certified(key, asked["uri"]))
        exchange.members[slug] = member
        return cls(exchange, member, log_in(exchange, asked["email"]))

    def colleague(self, role: str) -> TestClient:
        """The browser of another member, who came by an invitation."""
        email = f"{role}@{self.uri.removeprefix('https://')}"
        invited = self.admin.post("/api/v1/invitations", json={"email": email, "role": role})
        assert invited.status_code == 201, invited.text
        body = {"secret": invited.json()["secret"], "name": role.title(), "password": PASSWORD}
        assert browser(self.exchange).post("/api/v1/members", json=body).status_code == 201
        return log_in(self.exchange, email)

    def program(self, *scopes: str, name: str = "nightly job") -> TestClient:
        """A program of the company's with an access token of these scopes."""
        made = self.admin.post("/api/v1/clients", json={"name": name, "scopes": list(scopes)})
        assert made.status_code == 201, made.text
        return access(self.exchange, made.json()["id"], made.json()["secret"])


def statuses(answers: Sequence[Any]) -> list[int]:
    """The statuses of some answers."""
    return [answer.status_code for answer in answers]

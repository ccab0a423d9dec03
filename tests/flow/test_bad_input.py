"""Bad input through the HTTP interface: each defect is answered with what, where and what to do, and nothing is written."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from exchange.api.problems import SECURITY_HEADERS
from exchange.app import COOKIE, MAX_BODY_BYTES
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, BILL_OF_MATERIALS, PRODUCT_FOOTPRINT
from exchange.tables import METADATA
from exchange.verification import verify_evidence
from ledger.store import begin, snapshot, transactions
from signer import CertificateAuthority, Issued, KeyPair, Profile
from tests.flow.world import (
    BASE,
    EVERBATT,
    START,
    Exchange,
    Member,
    activity,
    bill,
    holds,
    line,
    salt,
    signed_footprint,
    with_flow,
    with_stage,
)

NOBODYS_HASH = "00" * 32
KWH = {"unit": "kWh", "obtained": "modelled"}
GRID = {**KWH, "amount": "3", "supply": "grid", "geography": "CN"}


@dataclass
class Scene:
    """An exchange with three companies, and what they stated before anything bad came."""

    exchange: Exchange
    first: Member
    second: Member
    packs: Member
    salt: dict[str, Any]
    result: str

    @classmethod
    def set(cls, exchange: Exchange) -> Scene:
        first, second = exchange.member("first"), exchange.member("second")
        stated = salt(first)
        salt(second)
        mystery = activity(first.product("mystery"), line(name="dark matter", flow="dark-matter"))
        exchange.admit_by(with_flow("dark-matter"), first.sign(ACTIVITY_DATA, mystery))
        for product, component in (("pair", second.product("pair")), ("ring-1", second.product("ring-2"))):
            assert holds(first, product, component).status_code == 201
        assert holds(second, "ring-2", first.product("ring-3")).status_code == 201
        answer = exchange.footprint(first.product("salt"), first.uri)
        assert answer.status_code == 201
        exchange.publish()
        return cls(exchange, first, second, exchange.member("packs", "pack_maker"), stated, answer.json()["digest"])

    def rows(self) -> dict[str, int]:
        """How many rows each table has."""
        tables = [table for metadata in METADATA for table in metadata.sorted_tables]
        with snapshot(self.exchange.services.installation.engine) as connection:
            return {t.name: connection.scalar(select(func.count()).select_from(t)) or 0 for t in tables}

    def sign(self, claims: Mapping[str, Any] | None = None, **changes: Any) -> Issued:
        """A statement of the first company, a good one unless it is changed."""
        return self.first.sign(ACTIVITY_DATA, claims or activity(self.first.product("new")), **changes)

    def state(self, claims: Mapping[str, Any] | None = None, **changes: Any) -> httpx2.Response:
        return self.exchange.post(self.sign(claims, **changes))

    def citing(self, **changes: Any) -> httpx2.Response:
        """State something made from the second company's salt, with its citation changed."""
        cited = {"origin": self.exchange.origin, "index": self.salt["index"], "leaf_hash": self.salt["leaf_hash"]}
        made_from = line(name="salt", product=self.first.product("salt"), citation={**cited, **changes})
        return self.state(activity(self.first.product("new"), made_from))

    def text(self, statement: str) -> httpx2.Response:
        return self.exchange.http.post("/api/v1/statements", json={"statement": statement})

    def body(self, content: bytes) -> httpx2.Response:
        return self.exchange.http.post(
            "/api/v1/statements", content=content, headers={"Content-Type": "application/json"}
        )

    def get(self, path: str) -> httpx2.Response:
        return self.exchange.http.get(path)

    def join(self, **changes: Any) -> httpx2.Response:
        """Apply for enrolment with some members of a good application changed."""
        member = Member(self.exchange, changes.get("uri", "https://new.example"), KeyPair.generate("ES256"))
        return self.exchange.http.post("/api/v1/organisations", json=member.application("supplier") | changes)

    def grant(self, **changes: Any) -> httpx2.Response:
        good = {
            "owner": self.first.uri,
            "reader": self.second.uri,
            "leaf_hash": self.salt["leaf_hash"],
            "paths": ["inputs"],
            "purpose": "customer",
        }
        return self.exchange.http.post("/api/v1/grants", json=good | changes)

    def evidence(self, reader: str, *results: str) -> httpx2.Response:
        return self.exchange.http.post("/api/v1/evidence", json={"reader": reader, "results": list(results)})

    def anonymous(self, method: str, path: str, **headers: str) -> httpx2.Response:
        """A request with other credentials than the token."""
        kept = self.exchange.http.headers.pop("Authorization")
        try:
            return self.exchange.http.request(method, path, headers=headers, json={"statement": "x"})
        finally:
            self.exchange.http.headers["Authorization"] = kept


def tampered(issued: Issued) -> Issued:
    """The statement with one character of its signature changed."""
    head, _, signature = issued.token.rpartition(".")
    return replace(issued, token=f"{head}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}")


def stranger(scene: Scene) -> Issued:
    """A statement under a certificate of an authority that nobody here trusts."""
    authority = CertificateAuthority.create(
        "Own CA", KeyPair.generate("ES256"), START - timedelta(days=1), START + timedelta(days=9)
    )
    return scene.sign(key=certified(authority, "https://first.example"))


def not_enrolled(scene: Scene) -> Issued:
    """A statement by a key that has a certificate, but no entry in the ledger."""
    authority = scene.exchange.services.installation.operator.authority
    return scene.sign(key=certified(authority, "https://first.example"))


def certified(authority: CertificateAuthority, uri: str) -> KeyPair:
    key = KeyPair.generate("ES256")
    leaf = authority.issue(key.csr(uri), uri, START - timedelta(hours=1), START + timedelta(days=2))
    return key.with_certificate(leaf)


def spoken(scene: Scene, name: str) -> Profile:
    """A profile that leaves the claim `name` in the open."""
    return replace(ACTIVITY_DATA.profile, open_claims=frozenset({name}))


def without(issued: Issued, number: int) -> Issued:
    """The statement with one disclosure held back."""
    kept = list(issued.disclosures)
    del kept[number]
    return replace(issued, disclosures=tuple(kept))


def deep(levels: int) -> str:
    text = "[" * levels + "]" * levels
    return base64.urlsafe_b64encode(f'["{"A" * 22}", "note", {text}]'.encode()).decode().rstrip("=")


def model(scene: Scene) -> httpx2.Response:
    claims = {
        "sub": scene.first.product("pack"),
        "model": "P1",
        "plant": {"name": "Plant", "country": "CN"},
        "chemistry": "LFP",
        "rated_energy": {**KWH, "amount": "100"},
    }
    return scene.exchange.post(scene.first.sign(BATTERY_MODEL, claims))


def amount(scene: Scene, text: object) -> httpx2.Response:
    return scene.state(activity(scene.first.product("new"), line(name="salt", flow="nickel-sulfate", amount=text)))


Defect = Callable[[Scene], httpx2.Response]
#: Name of the defect -> what is sent, status and code of the answer.
STATEMENTS: dict[str, tuple[Defect, int, str]] = {
    "bad signature": (lambda s: s.exchange.post(tampered(s.sign())), 400, "bad_signature"),
    "unknown authority": (lambda s: s.exchange.post(stranger(s)), 400, "certificate_not_trusted"),
    "unknown issuer": (lambda s: s.exchange.post(not_enrolled(s)), 400, "key_not_enrolled"),
    "issuer without the role": (model, 400, "statement"),
    "product of another organisation": (lambda s: s.state(activity(s.second.product("x"))), 400, "statement"),
    "product in the open": (lambda s: s.state(profile=spoken(s, "sub")), 400, "claim_not_open"),
    "site in the open": (lambda s: s.state(profile=spoken(s, "site")), 400, "claim_not_open"),
    "for another log": (lambda s: s.state(audience="other.example/log"), 400, "wrong_audience"),
    "unknown kind": (
        lambda s: s.state(profile=replace(ACTIVITY_DATA.profile, vct="urn:packtrace:rumour:1")),
        400,
        "statement",
    ),
    "signed in the future": (
        lambda s: s.state(issued_at=START + timedelta(minutes=6)),
        400,
        "issued_outside_validity",
    ),
    "unknown unit": (
        lambda s: s.state(activity(s.first.product("x"), line(name="a", flow="b", unit="heaps"))),
        400,
        "unit",
    ),
    "electricity in kilograms": (
        lambda s: s.state(activity(s.first.product("x"), electricity=[{**GRID, "unit": "kg"}])),
        400,
        "unit",
    ),
    "unknown flow": (
        lambda s: s.state(activity(s.first.product("x"), line(name="a", flow="nickel-sulphate"))),
        400,
        "missing_factor",
    ),
    "unknown flow of a component": (
        lambda s: s.exchange.post(
            s.first.sign(BILL_OF_MATERIALS, bill(s.first.product("x"), components=[line(name="a", flow="coper")]))
        ),
        400,
        "missing_factor",
    ),
    "unknown fuel": (
        lambda s: s.state(activity(s.first.product("x"), fuels=[{**KWH, "amount": "3", "flow": "peat"}])),
        400,
        "missing_factor",
    ),
    "electricity as a material": (
        lambda s: s.state(activity(s.first.product("x"), {**KWH, "amount": "3", "name": "a", "flow": "electricity"})),
        400,
        "missing_factor",
    ),
    "electricity of an unknown grid": (
        lambda s: s.state(activity(s.first.product("x"), electricity=[{**GRID, "geography": "Atlantis"}])),
        400,
        "missing_factor",
    ),
    "flow in another dimension than its factor": (
        lambda s: s.state(activity(s.first.product("x"), line(name="a", flow="copper", unit="piece"))),
        400,
        "unit",
    ),
    "fuel that is counted by mass": (
        lambda s: s.state(activity(s.first.product("x"), fuels=[{**KWH, "amount": "3", "flow": "copper"}])),
        400,
        "unit",
    ),
    "footprint with a stage that the rule set lacks": (
        lambda s: s.exchange.post(s.first.sign(PRODUCT_FOOTPRINT, signed_footprint(s.first.product("x"), "use"))),
        400,
        "unknown_stage",
    ),
    "stated sum that doesn't add up": (
        lambda s: s.state(activity(s.first.product("x"), electricity=[GRID], electricity_total={**KWH, "amount": "5"})),
        400,
        "stated_sum",
    ),
    "stated mass that doesn't add up": (
        lambda s: s.exchange.post(
            s.first.sign(BILL_OF_MATERIALS, bill(s.first.product("x"), s.first.product("y"), mass=line(amount="2")))
        ),
        400,
        "stated_sum",
    ),
    "negative amount": (lambda s: amount(s, "-1"), 400, "record"),
    "amount that is no number": (lambda s: amount(s, "NaN"), 400, "record"),
    "amount beyond all bounds": (lambda s: amount(s, "1e999999999"), 400, "record"),
    "amount as a JSON number": (lambda s: amount(s, 1), 400, "record"),
    "product URI longer than a column": (lambda s: holds(s.first, "x", "u" * 600 + ":x"), 400, "record"),
    "disclosure held back": (lambda s: s.exchange.post(without(s.sign(), 1)), 400, "statement"),
    "line held back": (lambda s: s.exchange.post(without(s.sign(), -1)), 400, "statement"),
    "no disclosure at all": (lambda s: s.text(f"{s.sign().token}~"), 400, "statement"),
    "disclosure of another statement": (
        lambda s: s.exchange.post(replace(s.sign(), disclosures=s.sign().disclosures)),
        400,
        "unreferenced_disclosure",
    ),
    "disclosure nested 100,000 deep": (
        lambda s: s.exchange.post(replace(one := s.sign(), disclosures=(*one.disclosures, deep(100_000)))),
        400,
        "too_deep",
    ),
    "disclosure nested 1,000 deep": (
        lambda s: s.exchange.post(replace(one := s.sign(), disclosures=(*one.disclosures, deep(1_000)))),
        400,
        "too_deep",
    ),
    "more disclosures than allowed": (
        lambda s: s.exchange.post(replace(s.sign(), disclosures=("AA",) * 20_001)),
        400,
        "statement",
    ),
    "citation of a later entry": (lambda s: s.citing(index=10_000), 400, "citation_not_earlier"),
    "citation beyond any integer of the database": (lambda s: s.citing(index=10**30), 400, "malformed_citation"),
    "citation with another leaf hash": (lambda s: s.citing(leaf_hash=NOBODYS_HASH), 400, "citation_mismatch"),
    "citation with another index": (lambda s: s.citing(index=0), 400, "citation_mismatch"),
    "citation of another log": (lambda s: s.citing(origin="other.example/log"), 400, "citation_to_unknown_log"),
    "cycle of one": (lambda s: holds(s.first, "self", s.first.product("self")), 400, "cycle"),
    "own use of all that is made": (
        lambda s: s.state(activity(s.first.product("x"), line(name="x", product=s.first.product("x")))),
        400,
        "loop",
    ),
    "cycle of two": (lambda s: holds(s.second, "pair", s.first.product("pair")), 400, "cycle"),
    "cycle of three, two owners": (lambda s: holds(s.first, "ring-3", s.first.product("ring-1")), 400, "cycle"),
    "empty": (lambda s: s.text(""), 400, "malformed_token"),
    "no tilde": (lambda s: s.text(s.sign().token), 400, "malformed_token"),
    "not a token": (lambda s: s.text("a.b.c~"), 400, "bad_base64"),
    "not ASCII": (lambda s: s.text("签名~"), 400, "malformed_token"),
    "a NUL in the token": (lambda s: s.text("a\0b~"), 400, "malformed_token"),
}

REQUESTS: dict[str, tuple[Defect, int, str]] = {
    "not JSON": (lambda s: s.body(b"statement=1"), 400, "bad_json"),
    "not UTF-8": (lambda s: s.body(b'{"statement":"\xff"}'), 400, "bad_json"),
    "nested 100,000 deep": (lambda s: s.body(b"[" * 100_000), 400, "too_deep"),
    "integer of 10,000 digits": (lambda s: s.body(b'{"statement":' + b"9" * 10_000 + b"}"), 400, "bad_json"),
    "number that is none": (lambda s: s.body(b'{"statement":NaN}'), 400, "bad_json"),
    "member named twice": (lambda s: s.body(b'{"statement":"a~","statement":"b~"}'), 400, "duplicate_member"),
    "missing field": (lambda s: s.body(b"{}"), 422, "request"),
    "extra field": (lambda s: s.body(b'{"statement":"a~","more":1}'), 422, "request"),
    "extra field that is a lone surrogate": (lambda s: s.body(b'{"statement":"a~","\\ud800":1}'), 400, "bad_json"),
    "lone surrogate": (lambda s: s.body(b'{"statement":"\\ud800~"}'), 400, "bad_json"),
    "statement that is a list": (lambda s: s.body(b'{"statement":[]}'), 422, "request"),
    "body too large": (lambda s: s.body(b" " * (MAX_BODY_BYTES + 1)), 413, "too_large"),
    "body without length": (
        lambda s: s.exchange.http.post("/api/v1/statements", content=iter([b"{}"])),
        411,
        "length_required",
    ),
    "length that is no number": (
        lambda s: s.exchange.http.post("/api/v1/statements", headers={b"Content-Length": b"\xb2"}),
        411,
        "length_required",
    ),
    "missing factor": (lambda s: s.exchange.footprint(s.first.product("mystery"), s.first.uri), 422, "refused"),
    "unknown product": (lambda s: s.exchange.footprint(s.first.product("nothing"), s.first.uri), 422, "refused"),
    "product that the reader may not see": (
        lambda s: s.exchange.footprint(s.first.product("salt"), s.second.uri),
        422,
        "refused",
    ),
    "unknown rule set": (
        lambda s: s.exchange.footprint(s.first.product("salt"), s.first.uri, "../rules"),
        400,
        "rule_set",
    ),
    "unknown flow": (
        lambda s: s.exchange.http.post(
            "/api/v1/footprints",
            json={"product": "urn:x", "rule_set": "cn-miit-551-trial", "reader": "urn:y", "flow": "dark-matter"},
        ),
        422,
        "refused",
    ),
    "grant of another's statement": (lambda s: s.grant(owner=s.packs.uri), 404, "not_found"),
    "grant of no statement": (lambda s: s.grant(leaf_hash=NOBODYS_HASH), 404, "not_found"),
    "grant to oneself": (lambda s: s.grant(reader=s.first.uri), 403, "rights"),
    "grant of an unknown claim": (lambda s: s.grant(paths=["recipe"]), 400, "unknown_path"),
    "grant of an unknown line": (lambda s: s.grant(paths=["inputs/nothing"]), 400, "unknown_path"),
    "grant of nothing": (lambda s: s.grant(paths=[]), 422, "request"),
    "grant of a path with a space": (lambda s: s.grant(paths=["inputs full"]), 422, "request"),
    "grant to nobody known": (lambda s: s.grant(reader="https://nobody.example"), 404, "not_found"),
    "grant that has ended": (lambda s: s.grant(valid_until="2026-01-04"), 400, "grant"),
    "grant of a statement and a product": (lambda s: s.grant(product=s.first.product("salt")), 422, "request"),
    "grant of another's product": (
        lambda s: s.grant(leaf_hash=None, product=s.second.product("salt"), kind=ACTIVITY_DATA.vct, paths=["sub"]),
        403,
        "rights",
    ),
    "grant of a product's total by activity data": (
        lambda s: s.grant(leaf_hash=None, product=s.first.product("salt"), kind=ACTIVITY_DATA.vct, paths=["total"]),
        400,
        "unknown_path",
    ),
    "grant of a product's key events": (
        lambda s: s.grant(leaf_hash=None, product=s.first.product("salt"), kind="urn:packtrace:key-event:1"),
        400,
        "grant",
    ),
    "grant that passes on no grant": (
        lambda s: s.grant(source="01890a5d-ac96-774b-bcce-b302099a8057"),
        404,
        "not_found",
    ),
    "withdrawal of no grant": (
        lambda s: s.exchange.http.delete("/api/v1/grants/01890a5d-ac96-774b-bcce-b302099a8057"),
        404,
        "not_found",
    ),
    "grant for no known purpose": (lambda s: s.grant(purpose="gossip"), 422, "request"),
    "CSR that isn't base64": (lambda s: s.join(csr="%"), 400, "statement"),
    "CSR that isn't DER": (lambda s: s.join(csr="AAAA"), 400, "bad_certificate"),
    "CSR for another URI": (
        lambda s: s.join(csr=base64.b64encode(s.first.key.csr(s.first.uri)).decode()),
        400,
        "organisation_mismatch",
    ),
    "possession not proven": (lambda s: s.join(possession="AAAA"), 400, "bad_possession"),
    "unknown role": (lambda s: s.join(roles=["king"]), 422, "request"),
    "a second operator": (lambda s: s.join(roles=["operator"]), 403, "rights"),
    "another key for the operator": (
        lambda s: s.join(uri=s.exchange.services.installation.operator.uri),
        403,
        "rights",
    ),
    "URI with a slash at the end": (lambda s: s.join(uri="https://first.example/"), 400, "statement"),
    "URI with capitals": (lambda s: s.join(uri="https://First.example"), 400, "statement"),
    "URI with a dot segment": (lambda s: s.join(uri="https://first.example/a/../b"), 400, "statement"),
    "URI with a query": (lambda s: s.join(uri="https://first.example?a=b"), 400, "statement"),
    "URI below another organisation's": (lambda s: s.join(uri=f"{s.first.uri}/part"), 403, "rights"),
    "URI that is none": (lambda s: s.join(uri="first"), 422, "request"),
    "name with a NUL": (lambda s: s.join(name="a\0b"), 422, "request"),
    "name with a lone surrogate": (
        lambda s: s.exchange.http.post(
            "/api/v1/organisations",
            content=json.dumps({"name": "\ud800"}),
            headers={"Content-Type": "application/json"},
        ),
        400,
        "bad_json",
    ),
    "unknown result": (lambda s: s.get(f"/api/v1/footprints/{NOBODYS_HASH}"), 404, "not_found"),
    "digest that is none": (lambda s: s.get("/api/v1/footprints/x"), 422, "request"),
    "evidence of an unknown result": (lambda s: s.evidence(s.first.uri, NOBODYS_HASH), 404, "not_found"),
    "evidence for one who may not see": (lambda s: s.evidence(s.second.uri, s.result), 403, "rights"),
    "negative index": (lambda s: s.get("/api/v1/entries/-1"), 404, "not_found"),
    "index beyond the ledger": (lambda s: s.get("/api/v1/entries/99999"), 404, "entry_unknown"),
    "index beyond any integer": (lambda s: s.get("/api/v1/entries/" + "9" * 40), 404, "not_found"),
    "index that is no number": (lambda s: s.get("/api/v1/entries/one"), 422, "request"),
    "unknown leaf hash": (lambda s: s.get(f"/api/v1/entries?leaf_hash={NOBODYS_HASH}"), 404, "entry_unknown"),
    "proof for an entry that isn't there": (
        lambda s: s.get("/api/v1/proofs/inclusion?index=99999"),
        404,
        "entry_unknown",
    ),
    "proof to an unpublished size": (
        lambda s: s.get("/api/v1/proofs/inclusion?index=0&size=3"),
        404,
        "unpublished_size",
    ),
    "proof for a negative index": (lambda s: s.get("/api/v1/proofs/inclusion?index=-1"), 422, "request"),
    "consistency of sizes that never were": (
        lambda s: s.get(f"/api/v1/proofs/consistency?old=0&new={2**53}"),
        404,
        "out_of_range",
    ),
    "no such route": (lambda s: s.get("/api/v2/log"), 404, "not_found"),
    "method that the route hasn't": (lambda s: s.exchange.http.delete("/api/v1/log"), 405, "method"),
    "published file that isn't there": (lambda s: s.get("/ledger/tile/0/x123/456"), 404, "not_found"),
    "no token": (lambda s: s.anonymous("GET", "/api/v1/footprints"), 401, "unauthenticated"),
    "wrong token": (lambda s: s.anonymous("GET", "/", Authorization="Bearer 00"), 401, "unauthenticated"),
    "token by another scheme": (
        lambda s: s.anonymous("GET", "/", Authorization=f"Basic {s.exchange.services.installation.token}"),
        401,
        "unauthenticated",
    ),
    "token that isn't ASCII": (lambda s: s.anonymous("GET", "/?token=签"), 401, "unauthenticated"),
    "cookie for a write": (
        lambda s: s.anonymous(
            "POST", "/api/v1/statements", Cookie=f"{COOKIE}={s.exchange.services.installation.token}"
        ),
        401,
        "unauthenticated",
    ),
    "token in the address of a write": (
        lambda s: s.anonymous("POST", f"/api/v1/statements?token={s.exchange.services.installation.token}"),
        401,
        "unauthenticated",
    ),
}
TRAVERSALS = (
    "../token",
    "..%2ftoken",
    "%2e%2e/passphrase",
    "tile/../../token",
    "tile/0/../../../trust",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "tile/0/000%00",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/99/000",
    "tile/-1/000",
    "checkpoint/",
    ".checkpoint.tmp",
    "tile/0/%ff",
    "",
)
FOREIGN_HOSTS = ("evil.example", "evil.example:8551", "127.0.0.1.evil.example", "192.168.1.5", "0.0.0.0", "[::2]", "")  # noqa: S104


def check_problem(answer: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """Check an answer's form: problem details (RFC 9457) with code, where and remedy, and the security headers."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert {name: answer.headers.get(name) for name in SECURITY_HEADERS} == SECURITY_HEADERS
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] == f"urn:packtrace:problem:{body['code']}"
    for member in ("title", "detail", "where", "remedy"):
        assert isinstance(body[member], str)
        assert body[member], member
    assert not re.search("Input should|Value error|Field required|Extra inputs|String should", body["detail"]), body
    if code is not None:
        assert body["code"] == code, body
    return body


def test_every_defect_is_named_and_writes_nothing(exchange: Exchange, subtests: pytest.Subtests) -> None:
    scene = Scene.set(exchange)
    before = scene.rows()
    for name, (send, status, code) in {**STATEMENTS, **REQUESTS}.items():
        with subtests.test(name):
            check_problem(send(scene), status, code)
            assert scene.rows() == before
    assert scene.state().status_code == 201, "and the exchange goes on"


def test_a_path_out_of_the_published_log_leads_nowhere(sqlite_exchange: Exchange, subtests: pytest.Subtests) -> None:
    sqlite_exchange.publish()
    secret = sqlite_exchange.services.installation.token
    for path in TRAVERSALS:
        with subtests.test(path):
            answer = sqlite_exchange.http.get(f"{BASE}/ledger/{path}")
            assert answer.status_code in (400, 404), answer.text
            check_problem(answer, answer.status_code)
            assert secret not in answer.text


def test_a_foreign_name_in_host_is_refused(sqlite_exchange: Exchange, subtests: pytest.Subtests) -> None:
    for host in FOREIGN_HOSTS:
        with subtests.test(host):
            check_problem(sqlite_exchange.http.get("/healthz", headers={"Host": host}), 400, "host")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8551", "localhost", "localhost:1", "[::1]", "[::1]:8551"])
def test_every_name_of_this_machine_is_answered(sqlite_exchange: Exchange, host: str) -> None:
    assert sqlite_exchange.http.get("/healthz", headers={"Host": host}).status_code == 200


def test_what_others_hold_is_not_told_when_a_cycle_is_refused(sqlite_exchange: Exchange) -> None:
    scene = Scene.set(sqlite_exchange)
    body = check_problem(holds(scene.first, "ring-3", scene.first.product("ring-1")), 400, "cycle")
    assert scene.first.product("ring-1") in body["detail"]
    assert scene.second.uri not in json.dumps(body)


def test_a_cycle_is_told_with_the_line_that_closes_it(exchange: Exchange) -> None:
    scene = Scene.set(exchange)
    ring = scene.first.product("ring-1")
    lines = [line(id="a", name="copper", flow="copper"), line(id="b", name="ring", product=ring)]
    closing = bill(scene.first.product("ring-3"), components=lines)
    body = check_problem(exchange.post(scene.first.sign(BILL_OF_MATERIALS, closing)), 400, "cycle")
    assert body["where"] == "components/b/product"
    # An input of its own is a loop, which only own use of all that is made breaks.
    own = activity(scene.first.product("x"), line(id="c", name="x", product=scene.first.product("x")))
    assert scene.state(own).json()["where"] == "inputs/c"


@pytest.mark.parametrize(
    ("claims", "where", "told"),
    [
        ({"inputs": [line(id="a", name="s", flow="nickel-sulphate")]}, "inputs/a/flow", "nickel-sulfate"),
        (
            {"fuels": [{**KWH, "id": "f", "amount": "1", "flow": "natural-gas-burner"}]},
            "fuels/f/flow",
            "natural-gas-boiler",
        ),
        ({"inputs": [{**KWH, "id": "e", "amount": "1", "name": "e", "flow": "electricity"}]}, "inputs/e/flow", "grid"),
        (
            {"electricity": [{**GRID, "id": "g", "geography": "China"}]},
            "electricity/g/geography",
            "and regions of CN, US",
        ),
        ({"inputs": [line(id="a", name="c", flow="carbon-black", unit="L")]}, "inputs/a/unit", "a unit of mass"),
    ],
    ids=["flow", "fuel", "electricity as a material", "grid", "unit"],
)
def test_what_no_factor_fits_is_told_with_its_line_and_the_nearest(
    sqlite_exchange: Exchange, claims: dict[str, Any], where: str, told: str
) -> None:
    first = sqlite_exchange.member("first")
    answer = sqlite_exchange.post(first.sign(ACTIVITY_DATA, activity(first.product("x"), **claims)))
    body = check_problem(answer, 400)
    assert body["where"] == where
    assert told in body["remedy"]


@pytest.mark.parametrize(
    "claims",
    [
        {"inputs": [line(name="binder", flow="anode-binder")]},
        {"inputs": [line(name="part", product="https://somebody.example/nothing-known", unit="piece")]},
        {"electricity": [{**GRID, "geography": "CN-XJ"}]},
        {"inputs": [line(name="copper", flow="copper", unit="short_ton")]},
    ],
    ids=["flow with a proxy", "product that nobody stated yet", "region of a known nation", "other unit of mass"],
)
def test_what_can_be_calculated_later_is_admitted(sqlite_exchange: Exchange, claims: dict[str, Any]) -> None:
    first = sqlite_exchange.member("first")
    first.state(ACTIVITY_DATA, activity(first.product("x"), **claims))


def test_a_footprint_under_a_rule_set_that_is_not_in_use_is_admitted(sqlite_exchange: Exchange) -> None:
    first = sqlite_exchange.member("first")
    unknown = {"id": EVERBATT.id, "version": "0", "digest": "00" * 32}
    first.state(PRODUCT_FOOTPRINT, signed_footprint(first.product("x"), "use", rule_set=unknown))


def test_a_bad_footprint_in_the_ledger_costs_its_customers_one_branch(exchange: Exchange) -> None:
    """It was admitted while the rule set's stages weren't asked for."""
    first, second = exchange.member("first"), exchange.member("second")
    footprint = signed_footprint(first.product("salt"), "manufacturing", "use")
    bad = exchange.admit_by(with_stage("use"), first.sign(PRODUCT_FOOTPRINT, footprint))
    assert first.grant({"leaf_hash": bad.leaf_hash}, second).status_code == 201
    inputs = [line(name="salt", product=first.product("salt")), line(name="copper", flow="copper")]
    second.state(ACTIVITY_DATA, activity(second.product("part"), *inputs))
    exchange.publish()
    answer = exchange.footprint(second.product("part"), second.uri)
    assert answer.status_code == 201, answer.text
    found = answer.json()["result"]
    assert (found["complete"], found["heading"]) == (False, "partial: a branch is missing")
    (finding,) = [one for one in found["findings"] if one["gate"] == "stages"]
    assert finding["level"] == "hard"
    assert f"entry {bad.index}" in finding["where"]
    assert {c["product"] for c in found["contributions"]} == {second.product("part")}
    file = exchange.http.post("/api/v1/evidence", json={"reader": second.uri, "results": [answer.json()["digest"]]})
    assert verify_evidence(file.content, exchange.services.installation.trust_file).code == "verified"


def test_findings_come_with_a_refused_footprint(sqlite_exchange: Exchange) -> None:
    scene = Scene.set(sqlite_exchange)
    body = check_problem(REQUESTS["missing factor"][0](scene), 422, "refused")
    (finding,) = body["findings"]
    assert (finding["gate"], finding["level"]) == ("missing_factor", "hard")
    assert "dark-matter" in finding["what"]


def test_the_same_bytes_again_are_answered_with_their_entry(exchange: Exchange) -> None:
    first = exchange.member("first")
    issued = first.sign(ACTIVITY_DATA, activity(first.product("salt")))
    answers = [exchange.post(issued), exchange.post(issued), exchange.post(issued)]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    assert [answer.json()["existed"] for answer in answers] == [False, True, True]
    assert len({answer.json()["index"] for answer in answers}) == 1


def test_the_same_content_signed_again_is_answered_with_the_first_entry(exchange: Exchange) -> None:
    first = exchange.member("first")
    issued = first.sign(ACTIVITY_DATA, activity(first.product("salt")))
    again = first.sign_again(issued)
    assert again.token != issued.token
    stated, size = exchange.post(issued).json(), exchange.size
    answer = exchange.post(again)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["index"], answer.json()["leaf_hash"]) == (stated["index"], stated["leaf_hash"])
    assert exchange.size == size


def test_a_jti_with_other_content_is_refused(exchange: Exchange) -> None:
    first, jti = exchange.member("first"), "01890a5d-ac96-774b-bcce-b302099a8057"
    assert exchange.post(first.sign(ACTIVITY_DATA, activity(first.product("a")), jti=jti)).status_code == 201
    size = exchange.size
    check_problem(exchange.post(first.sign(ACTIVITY_DATA, activity(first.product("b")), jti=jti)), 409, "jti_reused")
    assert exchange.size == size
    other = exchange.member("second")
    assert exchange.post(other.sign(ACTIVITY_DATA, activity(other.product("c")), jti=jti)).status_code == 201


def test_a_busy_database_is_answered_with_a_time_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "BUSY_TIMEOUT", 0.1)
    exchange = Exchange.open(tmp_path / "data", f"sqlite:///{tmp_path / 'exchange.sqlite'}")
    first = exchange.member("first")
    issued = first.sign(ACTIVITY_DATA, activity(first.product("salt")))
    size = exchange.size
    with begin(exchange.services.installation.engine):
        answer = exchange.post(issued)
    assert check_problem(answer, 503, "database_busy")["remedy"].startswith("try again in a few seconds")
    assert answer.headers["retry-after"] == "5"
    assert exchange.size == size
    assert exchange.post(issued).status_code == 201
    exchange.close()


def test_an_unforeseen_error_says_nothing_of_the_inside(
    sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_arguments: object, **_named: object) -> None:
        raise ZeroDivisionError("the inside")

    monkeypatch.setattr(type(sqlite_exchange.services.grants), "add", fails)
    first = sqlite_exchange.member("first")
    answer = first.grant(salt(first), sqlite_exchange.member("second"))
    body = check_problem(answer, 500, "internal")
    assert "inside" not in answer.text.replace("on our side", "")
    assert "ZeroDivision" not in json.dumps(body)
    assert "the inside" in caplog.text, "the operator is told"

"""Every operation with every role of two rival companies. A new operation joins by itself: its scopes are read from the OpenAPI document.

Where it names something in its path, `Scene.values` has to say what of the maker's is meant, else the test says so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import httpx2
import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from bom_graph import release_bytes
from exchange.access import MEMBER_SCOPES, SCOPES, MemberRole
from exchange.kinds import ACTIVITY_DATA, CERTIFICATE_RETIREMENT
from exchange.web import filing_page_router, page_router
from signer import join_presentation
from tests.exchange.test_api import OPEN, WAYS_IN
from tests.exchange.test_intake import retirement
from tests.flow.accounts import Company, application, browser
from tests.flow.attachments import File, put
from tests.flow.engagement import accredited
from tests.flow.filing import Desk, Pack
from tests.flow.world import Clock, Exchange, activity

#: In everything of the maker's that a rival may not see.
SECRET = "7731.25"
HIDDEN = "cathode-7731"


class WallClock(Clock):
    """The time that it is: the library for access tokens goes by it too."""

    def __call__(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Scene:
    """Two rivals; the maker has one of everything that a path can name."""

    exchange: Exchange
    maker: Company
    rival: Company
    values: Mapping[str, str]
    actors: Mapping[str, tuple[TestClient, frozenset[str]]]
    operations: list[tuple[str, str, frozenset[str] | None]]

    def send(self, who: TestClient, method: str, path: str) -> httpx2.Response:
        """Ask for an operation of the document, about the maker's things."""
        filled = re.sub(r"{(\w+)}", lambda name: self.values[name[1]], path)
        # The body of a write is empty: whether one may is told before what is wrong with it.
        body: dict[str, Any] = {} if method in {"GET", "DELETE"} else {"json": {}}
        return who.request(method, filled, **body, follow_redirects=False)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("matrix")
    exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}", clock=WallClock())
    maker = Company.join(exchange, "maker", roles=["supplier", "pack_maker"])
    rival = Company.join(exchange, "rival")
    values = possessions(exchange, maker)
    document = exchange.http.get("/api/v1/openapi.json").json()
    operations = [
        (method.upper(), path, scopes_of(operation))
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    roles = get_args(MemberRole)
    actors = {role: (maker.admin if role == "admin" else maker.colleague(role), MEMBER_SCOPES[role]) for role in roles}
    for scope in SCOPES:
        if scope != "operator":
            actors[f"client with {scope}"] = (maker.program(scope, name=scope), frozenset({scope}))
    actors["operator"] = (exchange.http, frozenset(SCOPES))
    yield Scene(exchange, maker, rival, values, actors, operations)
    exchange.close()


def possessions(exchange: Exchange, maker: Company) -> dict[str, str]:
    """One of everything that a path can name: the maker's, and an application that waits."""
    copper = {"amount": SECRET, "unit": "kg", "name": "copper", "flow": "copper", "obtained": "measured"}
    weighed = File(f"{HIDDEN},{SECRET}\n".encode())
    claims = activity(maker.member.product(HIDDEN), inputs=[copper | {"evidence": [weighed.digest]}])
    issued = maker.member.sign(ACTIVITY_DATA, claims)
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    receipt = accepted(maker.admin.post("/api/v1/statements", json=body))
    accepted(put(maker.admin, weighed))
    demand = {"product": maker.member.product(HIDDEN), "rule_set": "everbatt-2023-cradle-to-gate", "reader": maker.uri}
    result = accepted(maker.admin.post("/api/v1/footprints", json=demand))
    member = maker.admin.get("/api/v1/members").json()[0]["id"]
    client = accepted(maker.admin.post("/api/v1/clients", json={"name": "spare", "scopes": ["data:read"]}))
    subscribed = accepted(
        maker.admin.post("/api/v1/subscriptions", json={"target": "https://93.184.215.14/events", "types": []})
    )
    waiting = accepted(browser(exchange).post("/api/v1/registrations", json=application(exchange, "third")))
    third = exchange.member("supplier")
    asked = accepted(
        maker.admin.post(
            "/api/v1/requests",
            json={
                "asked": third.uri,
                "product": third.product("salt"),
                "period": {"start": "2025-01-01", "end": "2025-12-31"},
                "wanted": ["activity-data"],
                "deadline": (exchange.clock() + timedelta(days=30)).isoformat(),
            },
        )
    )
    allowed = {
        "owner": maker.uri,
        "reader": third.uri,
        "leaf_hash": receipt["leaf_hash"],
        "paths": ["full"],
        "purpose": "customer",
    }
    granted = accepted(maker.admin.post("/api/v1/grants", json=allowed))
    part = {"customer": maker.uri, "part": "P-7731", "supplier": third.uri, "product": third.product("salt")}
    mapped = accepted(maker.admin.post("/api/v1/parts", json=part))
    site = {"name": "Furnace", "country": "CN"}
    assert maker.admin.put("/api/v1/sites/furnace", json=site).status_code == 204
    calculation = {"demands": [{"product": maker.member.product(HIDDEN)}], "rule_sets": [demand["rule_set"]]}
    asked_for = accepted(maker.admin.post("/api/v1/calculations", json=calculation | {"reader": maker.uri}))
    third.state(CERTIFICATE_RETIREMENT, retirement(third, "one", 1, 9))
    twice = maker.member.sign(CERTIFICATE_RETIREMENT, retirement(maker.member, "other", 9, 9))
    claimed = {"statement": join_presentation(twice.token, twice.disclosures)}
    refused = maker.admin.post("/api/v1/statements", json=claimed)
    assert refused.status_code == 409, refused.text
    maintainer = exchange.member("factors", "factor_maintainer")
    file = json.dumps(json.loads(release_bytes("everbatt-2023")) | {"version": "2", "proxies": []})
    digest = hashlib.sha256(file.encode()).hexdigest()
    body = {"file": file, "digest": digest, "organisation": maintainer.uri}
    proposed = accepted(exchange.http.post("/api/v1/factor-proposals", json=body))
    verifier = accredited(Company.join(exchange, "verifier", roles=["verifier"]))
    desk = Desk(Pack(maker, f"{HIDDEN}-pack").state(), verifier, maker).reach("under_verification")
    desk.work.take("accept")
    publication = accepted(maker.admin.put(f"/api/v1/filings/{desk.id}/publication", json={}))
    exchange.publish()
    return {
        "filing": desk.id,
        "engagement": desk.work.id,
        "number": "0",
        "publication": publication["publication"],
        "index": str(receipt["index"]),
        "leaf_hash": receipt["leaf_hash"],
        "digest": result["digest"],
        "attachment": weighed.digest,
        "other": result["digest"],
        "member": member,
        "client": client["id"],
        "site": "furnace",
        "subscription": subscribed["id"],
        "registration": waiting["id"],
        "identity": asked["id"],
        "grant": granted["id"],
        "part": mapped["id"],
        "proposal": proposed["id"],
        "calculation": asked_for["id"],
        "case": refused.json()["detail"].rpartition(" ")[2],
        "path": "tile/entries/000.p/1",
    }


def accepted(answer: httpx2.Response) -> Any:
    assert answer.status_code in {200, 201, 202}, answer.text
    return answer.json()


def scopes_of(operation: Mapping[str, Any]) -> frozenset[str] | None:
    """The scopes that an operation states; None for one that asks nobody who it is."""
    stated = operation.get("security")
    return None if stated is None else frozenset(scope for one in stated for scope in one["client"])


def is_open(method: str, path: str) -> bool:
    return path in OPEN or (method, path) in WAYS_IN or path == "/ledger/{path}"


def test_every_path_is_filled(scene: Scene) -> None:
    named = {name for _method, path, _scopes in scene.operations for name in re.findall(r"{(\w+)}", path)}
    assert named <= scene.values.keys(), "say in possessions() what of the maker's is meant"


def test_every_operation_states_its_scopes(scene: Scene) -> None:
    for method, path, scopes in scene.operations:
        assert (scopes is None) == is_open(method, path), f"{method} {path}"
        assert scopes is None or scopes, f"{method} {path}"


def test_nobody_unknown_gets_in(scene: Scene, subtests: pytest.Subtests) -> None:
    for method, path, _scopes in scene.operations:
        if not is_open(method, path):
            with subtests.test(f"{method} {path}"):
                assert scene.send(browser(scene.exchange), method, path).status_code == 401


def test_bundles_of_entries_are_kept_from_head_as_from_get(scene: Scene) -> None:
    path = f"/ledger/{scene.values['path']}"
    for who, status in ((scene.exchange.http, 200), (scene.rival.admin, 403), (browser(scene.exchange), 401)):
        assert [who.request(method, path).status_code for method in ("GET", "HEAD")] == [status] * 2


def test_scopes_decide(scene: Scene, subtests: pytest.Subtests) -> None:
    for name, (who, scopes) in scene.actors.items():
        for method, path, wanted in scene.operations:
            if wanted is None or wanted <= scopes:
                continue
            with subtests.test(f"{name}: {method} {path}"):
                answer = scene.send(who, method, path)
                assert (answer.status_code, answer.json()["where"]) == (403, "scope"), answer.text


def test_who_has_the_scope_is_heard(scene: Scene, subtests: pytest.Subtests) -> None:
    """Reads only: writes would change what the other tests look at."""
    for name, (who, scopes) in scene.actors.items():
        for method, path, wanted in scene.operations:
            if method == "GET" and wanted is not None and wanted <= scopes:
                with subtests.test(f"{name}: {method} {path}"):
                    answer = scene.send(who, method, path)
                    assert answer.status_code not in {401, 403, 500}, answer.text


def page_paths() -> list[str]:
    """The pages that are somebody's; a new one joins by itself."""
    found = [route.path for router in (page_router, filing_page_router) for route in _routes(router)]
    return [path for path in found if path not in {"/login", "/check"} and not path.startswith("/public/")]


def _routes(router: APIRouter) -> list[APIRoute]:
    return [route for route in router.routes if isinstance(route, APIRoute) and "GET" in (route.methods or ())]


def test_pages_are_for_their_organisation(scene: Scene, subtests: pytest.Subtests) -> None:
    # The maker is neither authority nor verifier.
    others = ("/authority", "/engagements/{engagement}/lines/{number}")
    assert {"/filings/{filing}", "/engagements/{engagement}", *others} <= set(page_paths())
    for path in page_paths():
        for name, (who, scopes) in scene.actors.items():
            if who is scene.exchange.http:
                continue  # the operator doesn't stand in for who has accounts
            with subtests.test(f"{name}: {path}"):
                wanted = 403 if "data:read" not in scopes else 404 if path in others else 200
                assert scene.send(who, "GET", path).status_code == wanted
        with subtests.test(f"nobody known: {path}"):
            assert scene.send(browser(scene.exchange), "GET", path).status_code == 401
        with subtests.test(f"rival: {path}"):
            answer = scene.send(scene.rival.admin, "GET", path)
            assert answer.status_code == (404 if "{" in path or path in others else 200)
            assert HIDDEN not in answer.text
            of_maker = scene.rival.admin.get(path, params={"organisation": scene.maker.uri})
            assert HIDDEN not in of_maker.text


def reads(scene: Scene) -> dict[str, str]:
    """What the maker's admin reads everywhere, without what each reading changes."""
    return {
        path: scene.send(scene.maker.admin, method, path).text
        for method, path, wanted in scene.operations
        if method == "GET" and wanted is not None and "operator" not in wanted
    }


def test_a_rival_gets_nothing_and_changes_nothing(scene: Scene, subtests: pytest.Subtests) -> None:
    before = reads(scene)
    assert SECRET in json.dumps(before), "what is to be kept from the rival is there"
    program = scene.rival.program(*[scope for scope in SCOPES if scope != "operator"])
    for who in (program, scene.rival.admin):
        for method, path, wanted in scene.operations:
            # The rival's own account is the rival's to change.
            if wanted is None or path in {"/api/v1/sessions", "/api/v1/password"}:
                continue
            with subtests.test(f"{method} {path}"):
                answer = scene.send(who, method, path)
                assert answer.status_code < 500, answer.text
                assert SECRET not in answer.text
                assert HIDDEN not in answer.text
                # Proposed factor releases are for everybody on the exchange to look at.
                is_public = method == "GET" and path.startswith("/api/v1/factor-proposals/")
                if "{" in path and not is_public:
                    assert answer.status_code in {403, 404, 422}, answer.text
    for path in ("/", f"/results/{scene.values['digest']}", f"/entries/{scene.values['index']}"):
        assert HIDDEN not in scene.rival.admin.get(path).text
    assert reads(scene) == before


def test_a_rival_can_t_speak_for_the_maker(scene: Scene, subtests: pytest.Subtests) -> None:
    """Wherever a request names an organisation, it is one's own."""
    uri, product = scene.maker.uri, scene.maker.member.product(HIDDEN)
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "footprint": (
            "/api/v1/footprints",
            {"product": product, "rule_set": "everbatt-2023-cradle-to-gate", "reader": uri},
        ),
        "grant": (
            "/api/v1/grants",
            {
                "owner": uri,
                "reader": scene.rival.uri,
                "leaf_hash": scene.values["leaf_hash"],
                "paths": ["full"],
                "purpose": "customer",
            },
        ),
        "evidence": ("/api/v1/evidence", {"reader": uri, "results": [scene.values["digest"]]}),
        "subscription": ("/api/v1/subscriptions", {"organisation": uri, "target": "https://93.184.215.14/events"}),
    }
    for name, (path, body) in asked.items():
        with subtests.test(name):
            answer = scene.rival.admin.post(path, json=body)
            assert answer.status_code in {403, 404}, answer.text
            assert SECRET not in answer.text

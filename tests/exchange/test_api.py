"""The interface's manners: every route of its document is guarded, refusals have one form, proofs can be checked."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.routing import Mount, Route

from exchange.api.problems import SECURITY_HEADERS
from exchange.app import create_app
from exchange.kinds import ACTIVITY_DATA
from ledger import (
    CHECKPOINT_PATH,
    PublishedLog,
    leaf_hash,
    open_checkpoint,
    parse_proof,
    verify_consistency,
    verify_proof,
)
from signer import leaf_bytes
from tests.flow.test_bad_input import check_problem
from tests.flow.world import Exchange, activity, salt
from tests.ledger.logs import partial_tiles

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: What answers to everybody, as docs/api.md lists it.
OPEN = {
    "/check",
    "/healthz",
    "/login",
    "/oauth/token",
    "/api/v1/log",
    "/api/v1/checkpoint",
    "/api/v1/proofs/inclusion",
    "/api/v1/proofs/consistency",
    "/ledger/checkpoint",
    "/static/style.css",
    "/api/v1/public/models/{publication}",
    "/api/v1/public/status-list",
    "/api/v1/public/models/0",
    "/public/models/0",
}
#: Where everybody may apply, log in or join; what else is there at the same path isn't open.
WAYS_IN = {("POST", "/api/v1/registrations"), ("POST", "/api/v1/sessions"), ("POST", "/api/v1/members")}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange with one statement and one result, that the tests only read."""
    folder = tmp_path_factory.mktemp("shared")
    opened = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
    maker = opened.member("maker")
    salt(maker)
    assert opened.footprint(maker.product("salt"), maker.uri).status_code == 201
    opened.publish()
    salt(maker, "more")
    opened.clock.advance(1)
    opened.publish()
    yield opened
    opened.close()


def routes(exchange: Exchange) -> list[tuple[str, str]]:
    """Method and path of every route of the application, with parameters filled in; a new route joins by itself."""
    app = create_app(exchange.services, checkpoint_seconds=60)
    values = {"index": "0", "digest": "00" * 32, "path": "checkpoint"}
    found = []
    for route in _flat(app.routes):
        if isinstance(route, Mount):
            found.append(("GET", f"{route.path}/style.css"))
        elif isinstance(route, Route):
            path = re.sub(r"{(\w+)(:\w+)?}", lambda name: values.get(name[1], "0"), route.path)
            found += [(method, path) for method in sorted(route.methods or ())]
    return found


def _flat(found: Iterable[Any]) -> Iterator[Any]:
    """The routes with those of included routers, which FastAPI keeps as they are."""
    for route in found:
        router = getattr(route, "original_router", None)
        yield from [route] if router is None else _flat(router.routes)


def documented(exchange: Exchange) -> list[tuple[str, str]]:
    """Method and path of every operation in the OpenAPI document."""
    document = exchange.http.get("/api/v1/openapi.json").json()
    return [(method.upper(), path) for path, operations in document["paths"].items() for method in operations]


def without_token(exchange: Exchange, method: str, path: str, **headers: str) -> httpx2.Response:
    kept = exchange.http.headers.pop("Authorization")
    try:
        return exchange.http.request(method, path, headers=headers, follow_redirects=False)
    finally:
        exchange.http.headers["Authorization"] = kept


def test_every_route_needs_the_token(shared: Exchange, subtests: pytest.Subtests) -> None:
    found = routes(shared)
    assert len(found) > 15
    for method, path in found:
        if path not in OPEN and (method, path) not in WAYS_IN:
            with subtests.test(f"{method} {path}"):
                for headers in ({}, {"Authorization": "Bearer 0"}, {"Cookie": "packtrace_token=0"}):
                    answer = without_token(shared, method, path, **headers)
                    if method != "HEAD":
                        check_problem(answer, 401, "unauthenticated")
                    assert answer.status_code == 401
                    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_documented_operation_is_guarded(shared: Exchange, subtests: pytest.Subtests) -> None:
    found = documented(shared)
    assert {("POST", "/api/v1/statements"), ("POST", "/api/v1/evidence"), ("GET", "/api/v1/checkpoint")} <= set(found)
    for method, path in found:
        if path not in OPEN and (method, path) not in WAYS_IN and path != "/ledger/{path}":
            with subtests.test(f"{method} {path}"):
                check_problem(without_token(shared, method, path), 401, "unauthenticated")


def test_every_operation_says_what_it_does(shared: Exchange, subtests: pytest.Subtests) -> None:
    document = shared.http.get("/api/v1/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            with subtests.test(f"{method} {path}"):
                assert len(operation["description"]) > 10


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
def test_no_page_that_loads_from_elsewhere(shared: Exchange, path: str) -> None:
    assert shared.http.get(path).status_code == 404


def test_every_answer_carries_the_security_headers(shared: Exchange, subtests: pytest.Subtests) -> None:
    for method, path in routes(shared):
        with subtests.test(f"{method} {path}"):
            answer = shared.http.request(method, path, follow_redirects=False)
            for name in SECURITY_HEADERS:
                assert answer.headers.get(name), name
            assert "server" not in answer.headers
    assert "default-src 'none'" in SECURITY_HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_a_route_has_not_is_a_problem(shared: Exchange, method: str, subtests: pytest.Subtests) -> None:
    operations = documented(shared)
    # A path may also be one of those with a parameter.
    allowed = {
        path: {known for known, other in operations if re.fullmatch(re.sub(r"{\w+}", "[^/]+", other), path)}
        for _known, path in operations
        if "{" not in path
    }
    for path, methods in allowed.items():
        if method not in methods:
            with subtests.test(path):
                answer = shared.http.request(method, path)
                assert answer.status_code == 405
                assert answer.headers["content-type"] == "application/problem+json"
                assert set(answer.headers["allow"].split(", ")) <= methods


def test_pages_and_the_published_log_answer_head_as_get_without_a_body(
    shared: Exchange, subtests: pytest.Subtests
) -> None:
    pages = {path for method, path in routes(shared) if method == "GET" and not path.startswith("/api/")}
    assert {"/", "/check", "/login", "/filings", "/healthz", "/static/style.css", "/ledger/checkpoint"} <= pages
    tiles = {f"/ledger/{place.path}" for place in partial_tiles(shared.size)}
    for path in sorted(pages | tiles | {"/ledger/tile/0/001", "/ledger/tile/0/0"}):
        with subtests.test(path):
            got, answer = (shared.http.request(method, path, follow_redirects=False) for method in ("GET", "HEAD"))
            assert (answer.status_code, answer.content) == (got.status_code, b"")
            assert dict(answer.headers) == dict(got.headers)


def test_health_needs_nothing_and_says_nothing(shared: Exchange) -> None:
    answer = without_token(shared, "GET", "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_an_entry_is_found_by_index_and_by_leaf_hash(shared: Exchange) -> None:
    by_index = shared.http.get("/api/v1/entries/8").json()
    by_hash = shared.http.get(f"/api/v1/entries?leaf_hash={by_index['leaf_hash']}").json()
    assert by_index == by_hash
    assert leaf_hash(leaf_bytes(by_index["token"])).hex() == by_index["leaf_hash"]


def test_inclusion_is_proven_to_each_published_size(shared: Exchange) -> None:
    key = shared.services.installation.trust_file.key
    sizes = published_sizes(shared)
    assert len(sizes) == 2
    for size in sizes:
        for index in range(size):
            leaf = bytes.fromhex(shared.http.get(f"/api/v1/entries/{index}").json()["leaf_hash"])
            answer = shared.http.get(f"/api/v1/proofs/inclusion?index={index}&size={size}")
            proof = parse_proof(answer.content)
            assert verify_proof(proof, leaf, key).size == size


def published_sizes(exchange: Exchange) -> list[int]:
    newest = open_checkpoint(
        exchange.http.get("/api/v1/checkpoint").text, exchange.services.installation.trust_file.key
    )
    return [newest.size - 1, newest.size]


def test_consistency_is_proven_between_published_sizes(shared: Exchange) -> None:
    key = shared.services.installation.trust_file.key
    old, new = published_sizes(shared)
    body = shared.http.get(f"/api/v1/proofs/consistency?old={old}&new={new}").json()
    notes = [shared.http.get(f"/api/v1/checkpoint?size={size}").text for size in (old, new)]
    roots = [open_checkpoint(note, key).root for note in notes]
    verify_consistency(old, new, roots[0], roots[1], [base64.b64decode(node) for node in body["proof"]])


def test_the_published_log_is_served_as_files(shared: Exchange) -> None:
    folder = shared.services.installation.published
    answer = shared.http.get(f"/ledger/{CHECKPOINT_PATH}")
    assert answer.content == (folder / CHECKPOINT_PATH).read_bytes()
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    for place in partial_tiles(shared.size):
        tile = shared.http.get(f"/ledger/{place.path}")
        assert tile.content == (folder / place.path).read_bytes()
        assert tile.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert tile.headers["content-type"] == "application/octet-stream"


def test_a_reader_verifies_by_the_served_files_alone(shared: Exchange) -> None:
    def fetch(path: str, _limit: int) -> bytes | None:
        answer = shared.http.get(f"/ledger/{path}")
        return answer.content if answer.is_success else None

    log = PublishedLog(fetch, shared.services.installation.trust_file.key)
    for index in range(log.checkpoint.size):
        token = shared.http.get(f"/api/v1/entries/{index}").json()["token"]
        assert log.entry(index) == leaf_bytes(token)
        assert log.proof_file(index) == shared.http.get(f"/api/v1/proofs/inclusion?index={index}").text


def test_no_cache_keeps_that_a_tile_is_not_there_yet(shared: Exchange) -> None:
    answer = shared.http.get("/ledger/tile/0/001")
    check_problem(answer, 404, "not_found")
    assert answer.headers["cache-control"] == "no-store"


def test_what_is_signed_is_asked_for_again(shared: Exchange) -> None:
    for path in ("/api/v1/checkpoint", "/api/v1/proofs/inclusion?index=0"):
        answer = shared.http.get(path)
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/0",
        "tile/00/000",
        "tile/0/x000/000",
        "tile/0/000.p/08",
        "tile/0/000.p/256",
        "tile/0/%2e%2e/000",
        "tile/0/..",
    ],
)
def test_a_tile_path_has_one_spelling(shared: Exchange, path: str) -> None:
    check_problem(shared.http.get(f"/ledger/{path}"), 400, "bad_tile_path")


@pytest.mark.parametrize(
    "path",
    [
        "/ledger/checkpoint",
        "/ledger/tile/0/000.p/9",
        "/api/v1/log",
        "/api/v1/checkpoint",
        "/entries/0",
        "/healthz",
        "/",
    ],
)
@pytest.mark.parametrize("end", ["%0a", "%0d", "%00", "%0a%0a"])
def test_a_path_ends_where_it_ends(shared: Exchange, path: str, end: str) -> None:
    assert shared.http.get(path).status_code in (200, 404)
    check_problem(shared.http.get(f"{path}{end}"), 404, "not_found")


@pytest.mark.parametrize(
    "query",
    ["entries?leaf_hash={}", "footprints/{}"],
)
def test_a_digest_ends_where_it_ends(shared: Exchange, query: str) -> None:
    asked = shared.http.get(f"/api/v1/{query.format('0' * 64)}%0a")
    assert asked.status_code == (422 if "=" in query else 404)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("inclusion?index=0&size=3", "unpublished_size"),
        ("inclusion?index=99", "entry_unknown"),
        ("consistency?old=3&new=9", "unpublished_size"),
        ("consistency?old=9&new=8", "out_of_range"),
        ("consistency?old=0&new=8", "out_of_range"),
    ],
)
def test_no_proof_for_what_was_never_published(shared: Exchange, query: str, code: str) -> None:
    before = shared.size
    check_problem(shared.http.get(f"/api/v1/proofs/{query}"), 404, code)
    assert shared.size == before


def test_nothing_is_published_before_the_first_checkpoint(sqlite_exchange: Exchange) -> None:
    check_problem(sqlite_exchange.http.get("/ledger/checkpoint"), 404, "not_found")
    for path in ("/api/v1/checkpoint", "/api/v1/proofs/inclusion?index=0", "/api/v1/proofs/consistency?old=1&new=2"):
        check_problem(sqlite_exchange.http.get(path), 404, "unpublished_size")


def test_the_list_of_footprints_is_a_summary(shared: Exchange) -> None:
    (found,) = shared.http.get("/api/v1/footprints").json()
    whole: dict[str, Any] = shared.http.get(f"/api/v1/footprints/{found['digest']}").json()
    assert found["headline"] == whole["headline"]
    assert found["product"] == "https://maker.example/products/salt"
    assert found["complete"] is whole["complete"]


def test_a_statement_of_several_megabytes_is_taken(sqlite_exchange: Exchange) -> None:
    maker = sqlite_exchange.member("maker")
    claims = activity(maker.product("x"), **{f"remark_{n}": "r" * 30_000 for n in range(100)})
    answer = sqlite_exchange.post(maker.sign(ACTIVITY_DATA, claims))
    assert answer.status_code == 201, answer.text


def test_the_log_s_name_and_key_are_those_of_the_trust_file(shared: Exchange) -> None:
    trust_file = shared.services.installation.trust_file
    assert shared.http.get("/api/v1/log").json() == {
        "origin": trust_file.origin,
        "log_key": trust_file.log_key,
        "other_log_keys": [],
        "fingerprint": trust_file.fingerprint,
        "policy": f"log {trust_file.log_key}\nquorum none\n",
        "witnessed": None,
        "witnessing": "no witness is required: that all are shown the same log rests on the operator's word",
    }
    assert Path(shared.services.installation.folder / "trust").read_bytes() == trust_file.document()

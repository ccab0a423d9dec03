"""Organisations register, their members log in, their programs get tokens: and nobody else gets in."""

from __future__ import annotations

import base64
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from argon2 import PasswordHasher
from fastapi.testclient import TestClient
from sqlmodel import Session, select

from exchange.app import create_app
from exchange.errors import ConflictError, StatementError
from exchange.identity import ApiClients, passwords
from exchange.identity.identifiers import spelled
from exchange.identity.tables import ClientRow, InvitationRow, MemberRow, RegistrationRow, SessionRow
from exchange.kinds import ACTIVITY_DATA
from ledger.store import begin, snapshot
from signer import KeyPair, join_presentation
from tests.flow.accounts import LEI, PASSWORD, USCC, Company, access, application, browser, log_in
from tests.flow.test_bad_input import check_problem
from tests.flow.world import BASE, Exchange, activity


def register(exchange: Exchange, slug: str, **changes: Any) -> httpx2.Response:
    return browser(exchange).post("/api/v1/registrations", json=application(exchange, slug, **changes))


def by_our_clock(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library, which stamps tokens by the wall clock, go by the test's."""

    def now() -> float:
        return exchange.clock.now.timestamp()

    monkeypatch.setattr("time.time", now)


def test_an_organisation_joins(exchange: Exchange) -> None:
    identifiers = {"uscc": USCC, "lei": LEI.lower()}
    company = Company.join(exchange, "maker", identifiers=identifiers, corporate_group="Maker Group")
    me = company.admin.get("/api/v1/me").json()
    assert me["organisation"] == company.uri
    assert "organisation:write" in me["scopes"]
    assert "operator" not in me["scopes"]
    (listed,) = company.admin.get("/api/v1/organisations").json()
    assert listed["identifiers"] == {"uscc": USCC, "lei": LEI}
    assert listed["roles"] == ["supplier"]
    (site,) = company.admin.get("/api/v1/sites").json()
    assert site["region"] == "CN-FJ"
    # Its key is enrolled in the log, so that what it signs is let in.
    issued = company.member.sign(ACTIVITY_DATA, activity(company.member.product("salt")))
    answer = company.admin.post(
        "/api/v1/statements", json={"statement": join_presentation(issued.token, issued.disclosures)}
    )
    assert answer.status_code == 201, answer.text


def test_nobody_logs_in_before_the_operator_decided(sqlite_exchange: Exchange) -> None:
    assert register(sqlite_exchange, "maker").status_code == 202
    body = {"email": "admin@maker.example", "password": PASSWORD}
    check_problem(browser(sqlite_exchange).post("/api/v1/sessions", json=body), 401, "unauthenticated")
    (waiting,) = sqlite_exchange.http.get("/api/v1/registrations").json()
    refused = sqlite_exchange.http.post(
        f"/api/v1/registrations/{waiting['id']}/decision", json={"approve": False, "reason": "unknown company"}
    )
    assert refused.json() == {"state": "refused"}
    check_problem(browser(sqlite_exchange).post("/api/v1/sessions", json=body), 401, "unauthenticated")
    again = sqlite_exchange.http.post(f"/api/v1/registrations/{waiting['id']}/decision", json={"approve": True})
    check_problem(again, 409, "conflict")


def test_an_approval_cut_short_is_completed(sqlite_exchange: Exchange) -> None:
    answer = register(sqlite_exchange, "maker")
    services = sqlite_exchange.services
    services.registrations.decide(services.standing_in, answer.json()["id"], approve=True)
    # The process ended here; the worker's next tick goes on, and one more does nothing.
    assert services.registrations.enrol_approved() == 1
    assert services.registrations.enrol_approved() == 0
    assert log_in(sqlite_exchange, "admin@maker.example").get("/api/v1/me").status_code == 200


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"identifiers": {"uscc": "91350100M000100Y44"}}, "identifiers/uscc"),
        ({"identifiers": {"uscc": "91350100M000100Y4"}}, "identifiers/uscc"),
        ({"identifiers": {"lei": "213800KUD8LAJWSQ9D16"}}, "identifiers/lei"),
        ({"identifiers": {"Bad Scheme": "1"}}, "identifiers"),
        ({"password": "short"}, "password"),
        ({"password": "aaaaaaaaaaaaaaaa"}, "password"),
        ({"uri": "https://Maker.example"}, "uri"),
        ({"possession": "AAAA"}, "possession"),
        ({"csr": "!"}, "csr"),
    ],
)
def test_a_bad_application_is_refused(sqlite_exchange: Exchange, changes: dict[str, object], where: str) -> None:
    answer = register(sqlite_exchange, "maker", **changes)
    assert check_problem(answer, 400)["where"] == where or where == "uri"
    assert sqlite_exchange.http.get("/api/v1/registrations").json() == []


def test_identifiers_have_one_spelling() -> None:
    assert spelled("uscc", " 9135 0100 m000 100y 43") == USCC
    assert spelled("lei", "2138-00KU-D8LA-JWSQ-9D15") == LEI
    assert spelled("duns", "12-345-6789") == "12-345-6789"
    with pytest.raises(StatementError, match="check digit"):
        spelled("lei", LEI[:-2])


def test_a_duplicate_organisation_is_refused(sqlite_exchange: Exchange) -> None:
    Company.join(sqlite_exchange, "maker", identifiers={"lei": LEI})
    check_problem(register(sqlite_exchange, "maker", email="other@maker.example"), 409, "conflict")
    assert (
        check_problem(register(sqlite_exchange, "rival", identifiers={"lei": LEI}), 409)["where"] == "identifiers/lei"
    )
    assert check_problem(register(sqlite_exchange, "rival", email="admin@maker.example"), 409)["where"] == "email"


def test_of_two_applications_that_clash_one_is_approved(sqlite_exchange: Exchange) -> None:
    """Several may wait for the same organisation, identifier or address: whoever is approved first has it."""
    first, again, number, address, other = (
        register(sqlite_exchange, slug, **changes).json()["id"]
        for slug, changes in (
            ("maker", {"identifiers": {"lei": LEI}}),
            ("maker", {"email": "second@maker.example", "identifiers": {"duns": "1"}}),
            ("rival", {"identifiers": {"lei": LEI}}),
            ("third", {"email": "admin@maker.example", "identifiers": {"duns": "2"}}),
            ("fourth", {"identifiers": {"duns": "3"}}),
        )
    )
    registrations, operator = sqlite_exchange.services.registrations, sqlite_exchange.services.standing_in
    for enrolled in (0, 1):  # whether the worker has come to the first one by then, or not
        assert registrations.decide(operator, first, approve=True)
        for clashing in (again, number, address):
            with pytest.raises(ConflictError):
                registrations.decide(operator, clashing, approve=True)
        assert registrations.enrol_approved() == 1 - enrolled
    assert registrations.decide(operator, again, approve=False) == "refused"
    assert registrations.decide(operator, other, approve=True) == "approved"
    assert registrations.enrol_approved() == 1


def test_the_same_application_again_is_the_first(exchange: Exchange) -> None:
    """Who got no answer sends it again, signed anew by the same key; until it is decided and in, there is one."""
    key = KeyPair.generate("ES256")
    uri = "https://maker.example"

    def send(**changes: Any) -> httpx2.Response:
        return browser(exchange).post("/api/v1/registrations", json=application(exchange, "maker", key, **changes))

    with ThreadPoolExecutor(2) as pool:
        first, twin = (one.json()["id"] for one in pool.map(lambda _number: send(), range(2)))
    assert first == twin
    assert [one["id"] for one in exchange.http.get("/api/v1/registrations").json()] == [first]
    told = exchange.http.get("/api/v1/inbox", params={"organisation": exchange.services.standing_in.organisation})
    assert [one["type"] for one in told.json()["events"]].count("packtrace.organisation.applied") == 1
    # Another statement under the same key is not taken for it, and isn't told what the first one says.
    for changes in (
        {"email": "eve@maker.example"},
        {"password": "five words that nobody would ever guess"},
        {"name": "M"},
    ):
        refused = check_problem(send(**changes), 409, "conflict")
        assert "states something else" in refused["detail"]
        assert "admin@" not in json.dumps(refused)
    # Somebody else's key can't be blocked by it, nor block it: the operator decides between them.
    other = exchange.http.post("/api/v1/registrations", json=application(exchange, "maker"))
    assert other.json()["id"] != first
    registrations = exchange.services.registrations
    registrations.decide(exchange.services.standing_in, first, approve=True)
    assert send().json()["id"] == first
    assert registrations.enrol_approved() == 1
    assert check_problem(send(), 409, "conflict")["detail"] == f"{uri} is registered already"


def test_an_approval_that_clashes_hinders_no_other(sqlite_exchange: Exchange) -> None:
    """As two approvals at the same time, or those of a version that let both through, leave it."""
    applied = []
    for slug, identifiers in (("maker", {"lei": LEI}), ("rival", {"lei": LEI}), ("third", {"duns": "1"})):
        applied.append(register(sqlite_exchange, slug, identifiers=identifiers).json()["id"])
        sqlite_exchange.clock.advance(1)
    with begin(sqlite_exchange.services.registrations.engine) as connection, Session(connection) as session:
        for row in session.exec(select(RegistrationRow)):
            row.state = "approved"
            session.add(row)
        session.flush()
    assert sqlite_exchange.services.registrations.enrol_approved() == 2
    with snapshot(sqlite_exchange.services.registrations.engine) as connection, Session(connection) as session:
        rows = [session.get_one(RegistrationRow, one) for one in applied]
        assert [row.state for row in rows] == ["enrolled", "refused", "enrolled"]
        assert "LEI" in str(rows[1].reason)


def test_a_key_of_another_organisation_is_not_taken_over(sqlite_exchange: Exchange) -> None:
    """The operator enrolled a supplier without accounts; who opens them has to hold its key."""
    supplier = sqlite_exchange.member("supplier")
    check_problem(register(sqlite_exchange, "supplier"), 409, "conflict")
    held = application(sqlite_exchange, "supplier", supplier.key)
    assert browser(sqlite_exchange).post("/api/v1/registrations", json=held).status_code == 202


def test_the_operator_stands_in_only_for_those_without_accounts(sqlite_exchange: Exchange) -> None:
    company, other = Company.join(sqlite_exchange, "maker"), sqlite_exchange.member("other")
    for member, status in ((company.member, 403), (other, 201)):
        issued = member.sign(ACTIVITY_DATA, activity(member.product("salt")))
        assert sqlite_exchange.post(issued).status_code == status


def test_members_by_invitation(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    viewer = company.colleague("viewer")
    assert viewer.get("/api/v1/me").json()["scopes"] == ["data:read"]
    check_problem(viewer.post("/api/v1/invitations", json={"email": "x@y.example", "role": "admin"}), 403, "rights")
    by_role = {one["role"]: one for one in company.admin.get("/api/v1/members").json()}
    promoted = company.admin.patch(f"/api/v1/members/{by_role['viewer']['id']}", json={"role": "signatory"})
    assert promoted.json()["role"] == "signatory"
    # Its sessions ended: what it may do is what the next log-in says.
    assert viewer.get("/api/v1/me").status_code == 401
    last = company.admin.patch(f"/api/v1/members/{by_role['admin']['id']}", json={"active": False})
    check_problem(last, 409, "conflict")


def test_an_invitation_serves_once_and_ends(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    late = company.admin.post("/api/v1/invitations", json={"email": "late@maker.example", "role": "viewer"}).json()
    company.colleague("viewer")
    sqlite_exchange.clock.advance(timedelta(days=7).total_seconds())
    body = {"secret": late["secret"], "name": "Late", "password": PASSWORD}
    check_problem(browser(sqlite_exchange).post("/api/v1/members", json=body), 401, "unauthenticated")
    check_problem(browser(sqlite_exchange).post("/api/v1/members", json=body | {"secret": "0" * 64}), 401)


def test_a_disabled_member_is_out_at_once(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    viewer = company.colleague("viewer")
    (row,) = [one for one in company.admin.get("/api/v1/members").json() if one["role"] == "viewer"]
    company.admin.patch(f"/api/v1/members/{row['id']}", json={"active": False})
    assert viewer.get("/api/v1/me").status_code == 401
    body = {"email": row["email"], "password": PASSWORD}
    check_problem(browser(sqlite_exchange).post("/api/v1/sessions", json=body), 401, "unauthenticated")


def test_a_change_of_nothing_ends_no_session(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    viewer = company.colleague("viewer")
    (one,) = [one for one in company.admin.get("/api/v1/members").json() if one["role"] == "viewer"]
    for body in ({}, {"role": "viewer"}, {"active": True}, {"role": "viewer", "active": True}):
        assert company.admin.patch(f"/api/v1/members/{one['id']}", json=body).json() == one
        assert viewer.get("/api/v1/me").status_code == 200
    assert company.admin.patch(f"/api/v1/members/{one['id']}", json={"role": "contributor"}).status_code == 200
    assert viewer.get("/api/v1/me").status_code == 401


def test_who_lacks_the_operator_s_scope_is_sent_to_the_operator(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    refused = check_problem(company.admin.get("/api/v1/registrations"), 403, "rights")
    assert refused["remedy"] == "ask the operator of this exchange to do it"
    viewer = company.colleague("viewer")
    refused = check_problem(viewer.get("/api/v1/clients"), 403, "rights")
    assert refused["remedy"] == "ask an admin of your organisation for it"


def test_sessions_end(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    cookie = company.admin.cookies["packtrace_session"]
    assert company.admin.delete("/api/v1/sessions").status_code == 204
    company.admin.cookies.set("packtrace_session", cookie)
    assert company.admin.get("/api/v1/me").status_code == 401
    idle = log_in(sqlite_exchange, "admin@maker.example")
    sqlite_exchange.clock.advance(timedelta(hours=11).total_seconds())
    assert idle.get("/api/v1/me").status_code == 200
    sqlite_exchange.clock.advance(timedelta(hours=11).total_seconds())
    assert idle.get("/api/v1/me").status_code == 200
    sqlite_exchange.clock.advance(timedelta(hours=12).total_seconds())
    assert idle.get("/api/v1/me").status_code == 401
    busy = log_in(sqlite_exchange, "admin@maker.example")
    for _ in range(7 * 24 // 11 + 1):
        sqlite_exchange.clock.advance(timedelta(hours=11).total_seconds())
        last = busy.get("/api/v1/me").status_code
    assert last == 401


def test_a_new_password_ends_all_sessions(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    other = log_in(sqlite_exchange, "admin@maker.example")
    wrong = company.admin.put("/api/v1/password", json={"old": "wrong", "new": f"{PASSWORD} 2"})
    check_problem(wrong, 401, "unauthenticated")
    assert company.admin.put("/api/v1/password", json={"old": PASSWORD, "new": f"{PASSWORD} 2"}).status_code == 204
    assert [one.get("/api/v1/me").status_code for one in (company.admin, other)] == [401, 401]
    log_in(sqlite_exchange, "admin@maker.example", f"{PASSWORD} 2")


def test_the_cookie_is_for_our_own_pages(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    raw = company.admin.cookies.jar
    (cookie,) = [one for one in raw if one.name == "packtrace_session"]
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert (cookie.get_nonstandard_attr("SameSite") or "").lower() == "strict"
    body = {"email": "x@maker.example", "role": "viewer"}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ):
        check_problem(company.admin.post("/api/v1/invitations", json=body, headers=headers), 403, "rights")
    del company.admin.headers["Sec-Fetch-Site"]
    for origin, status in (("https://evil.example", 403), ("null", 403), (None, 403), (BASE, 201)):
        headers = {} if origin is None else {"Origin": origin}
        assert company.admin.post("/api/v1/invitations", json=body, headers=headers).status_code == status


def test_a_program_gets_a_token(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    by_our_clock(sqlite_exchange, monkeypatch)
    company = Company.join(sqlite_exchange, "maker")
    made = company.admin.post("/api/v1/clients", json={"name": "push", "scopes": ["statements:write", "data:read"]})
    identity, secret = made.json()["id"], made.json()["secret"]
    program = access(sqlite_exchange, identity, secret)
    me = program.get("/api/v1/me").json()
    assert me.pop("certificate")
    assert me == {
        "organisation": company.uri,
        "name": f"client:{identity}",
        "scopes": ["data:read", "statements:write"],
    }
    assert access(sqlite_exchange, identity, secret, "data:read").get("/api/v1/me").json()["scopes"] == ["data:read"]
    check_problem(program.get("/api/v1/clients"), 403, "rights")
    (listed,) = company.admin.get("/api/v1/clients").json()
    assert "secret" not in listed
    assert company.admin.delete(f"/api/v1/clients/{identity}").status_code == 204
    assert program.get("/api/v1/me").status_code == 401
    again = browser(sqlite_exchange).post(
        "/oauth/token", data={"grant_type": "client_credentials"}, auth=(identity, secret)
    )
    assert again.status_code == 401


def test_a_token_ends_after_an_hour(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    by_our_clock(sqlite_exchange, monkeypatch)
    program = Company.join(sqlite_exchange, "maker").program("data:read")
    sqlite_exchange.clock.advance(3599)
    assert program.get("/api/v1/me").status_code == 200
    sqlite_exchange.clock.advance(1)
    assert program.get("/api/v1/me").status_code == 401


def test_another_process_learns_of_a_revoked_client(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    by_our_clock(sqlite_exchange, monkeypatch)
    company = Company.join(sqlite_exchange, "maker")
    program = company.program("data:read")
    assert program.get("/api/v1/me").status_code == 200
    ours = sqlite_exchange.services
    with Session(ours.installation.engine) as session:
        row = session.exec(select(ClientRow)).one()
        row.revoked_at = sqlite_exchange.clock.now
        session.add(row)
        session.commit()
    sqlite_exchange.clock.advance(5)
    assert program.get("/api/v1/me").status_code == 401


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({}, 400, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "everything"}, 400, "invalid_scope"),
    ],
)
def test_the_token_endpoint_refuses_as_oauth_says(
    sqlite_exchange: Exchange, form: dict[str, str], status: int, error: str
) -> None:
    company = Company.join(sqlite_exchange, "maker")
    made = company.admin.post("/api/v1/clients", json={"name": "push", "scopes": ["data:read"]}).json()
    answer = browser(sqlite_exchange).post("/oauth/token", data=form, auth=(made["id"], made["secret"]))
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


def test_forged_tokens_are_nobodys(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    by_our_clock(sqlite_exchange, monkeypatch)
    company = Company.join(sqlite_exchange, "maker")
    program = company.program("data:read")
    assert program.get("/api/v1/me").status_code == 200
    header, payload, signature = program.headers["Authorization"].removeprefix("Bearer ").split(".")

    def encoded(data: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()

    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = encoded(claims | {"scope": "organisation:write"})
    none = encoded({"alg": "none", "typ": "at+jwt"})
    for token in (
        f"{header}.{forged}.{signature}",
        f"{none}.{payload}.",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}",
        "a.b.c",
        "",
    ):
        stranger = TestClient(sqlite_exchange.http.app, base_url=BASE, headers={"Authorization": f"Bearer {token}"})
        assert stranger.get("/api/v1/me").status_code == 401, token


def test_a_client_gets_no_more_than_its_maker_has(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    asked = company.admin.post("/api/v1/clients", json={"name": "boss", "scopes": ["operator"]})
    check_problem(asked, 403, "rights")
    check_problem(
        company.colleague("signatory").post("/api/v1/clients", json={"name": "x", "scopes": ["data:read"]}), 403
    )


def test_guessing_is_slowed_down(sqlite_exchange: Exchange) -> None:
    Company.join(sqlite_exchange, "maker")
    body = {"email": "admin@maker.example", "password": "guess"}
    found = [browser(sqlite_exchange).post("/api/v1/sessions", json=body).status_code for _ in range(10)]
    assert found[0] == 401
    assert found[-1] == 429
    refused = browser(sqlite_exchange).post("/api/v1/sessions", json=body | {"password": PASSWORD})
    assert check_problem(refused, 429, "too_many")
    assert refused.headers["retry-after"] == "60"


def test_no_secret_rests_in_the_clear_or_is_logged(sqlite_exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    company = Company.join(sqlite_exchange, "maker")
    invited = company.admin.post("/api/v1/invitations", json={"email": "x@maker.example", "role": "viewer"}).json()
    made = company.admin.post("/api/v1/clients", json={"name": "push", "scopes": ["data:read"]}).json()
    program = access(sqlite_exchange, made["id"], made["secret"])
    secrets = [
        PASSWORD,
        invited["secret"],
        made["secret"],
        company.admin.cookies["packtrace_session"],
        program.headers["Authorization"].removeprefix("Bearer "),
    ]
    with snapshot(sqlite_exchange.services.installation.engine) as connection, Session(connection) as session:
        kinds = (MemberRow, InvitationRow, SessionRow, ClientRow, RegistrationRow)
        rows = "".join(str(row) for kind in kinds for row in session.exec(select(kind)).all())
    assert "argon2id" in rows
    for secret in secrets:
        assert secret not in rows
        assert secret not in caplog.text
    ours = [record.getMessage() for record in caplog.records if record.name == "packtrace.security"]
    assert any(line.startswith("log-in member=") for line in ours)
    assert not any("@" in line for line in ours)


def test_a_password_is_hashed_at_the_cost_that_rfc_9106_recommends(
    costly_hasher: PasswordHasher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_HASHER", costly_hasher)
    stored = passwords.hashed(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.matches(stored, PASSWORD)
    assert not passwords.matches(stored, PASSWORD.title())


def test_every_reader_sees_its_own_results_only(sqlite_exchange: Exchange) -> None:
    maker, rival = Company.join(sqlite_exchange, "maker"), Company.join(sqlite_exchange, "rival")
    issued = maker.member.sign(ACTIVITY_DATA, activity(maker.member.product("salt")))
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    check_problem(rival.admin.post("/api/v1/statements", json=body), 403, "rights")
    receipt = maker.admin.post("/api/v1/statements", json=body).json()
    demand = {
        "product": maker.member.product("salt"),
        "rule_set": "everbatt-2023-cradle-to-gate",
        "reader": maker.uri,
    }
    check_problem(rival.admin.post("/api/v1/footprints", json=demand), 403, "rights")
    made = maker.admin.post("/api/v1/footprints", json=demand)
    assert made.status_code == 201, made.text
    digest = made.json()["digest"]
    assert maker.admin.get(f"/api/v1/footprints/{digest}").status_code == 200
    for stranger in (rival.admin, sqlite_exchange.http):
        check_problem(stranger.get(f"/api/v1/footprints/{digest}"), 404, "not_found")
        assert stranger.get("/api/v1/footprints").json() == []
        assert stranger.get(f"/results/{digest}").status_code == 404
        asked = {"reader": rival.uri, "results": [digest]}
        check_problem(stranger.post("/api/v1/evidence", json=asked), 404, "not_found")
    check_problem(rival.admin.get(f"/api/v1/entries/{receipt['index']}"), 404, "entry_unknown")
    check_problem(rival.admin.get(f"/api/v1/entries?leaf_hash={receipt['leaf_hash']}"), 404, "entry_unknown")
    assert maker.admin.get(f"/api/v1/entries/{receipt['index']}").status_code == 200
    sqlite_exchange.publish()
    check_problem(rival.admin.get("/ledger/tile/entries/000.p/1"), 403, "rights")
    check_problem(browser(sqlite_exchange).get("/ledger/tile/entries/000.p/1"), 401)
    assert browser(sqlite_exchange).get("/ledger/checkpoint").status_code == 200


def test_a_lost_key_for_tokens_costs_new_tokens(sqlite_exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    by_our_clock(sqlite_exchange, monkeypatch)
    company = Company.join(sqlite_exchange, "maker")
    token = company.program("data:read").headers["Authorization"].removeprefix("Bearer ")
    ours = sqlite_exchange.services.installation

    def clients(key: KeyPair) -> ApiClients:
        return ApiClients(ours.engine, key, ours.trust.origin, sqlite_exchange.clock, lambda count: b"0" * count)

    found = clients(ours.access_key).of_token(token)
    assert found is not None
    assert found.organisation == company.uri
    assert clients(KeyPair.generate("ES256")).of_token(token) is None


def test_roles_end(sqlite_exchange: Exchange) -> None:
    maker = sqlite_exchange.member("maker")
    bounded = {**maker.application("supplier"), "since": "2026-01-01", "until": "2026-01-05"}
    assert sqlite_exchange.http.post("/api/v1/organisations", json=bounded).status_code == 201
    assert sqlite_exchange.post(maker.sign(ACTIVITY_DATA, activity(maker.product("salt")))).status_code == 201
    sqlite_exchange.clock.advance(timedelta(days=1).total_seconds())
    late = sqlite_exchange.post(maker.sign(ACTIVITY_DATA, activity(maker.product("more"))))
    assert "has the roles none" in check_problem(late, 400, "statement")["detail"]


def test_the_log_in_page(sqlite_exchange: Exchange) -> None:
    company = Company.join(sqlite_exchange, "maker")
    visitor = browser(sqlite_exchange)
    assert visitor.get("/").status_code == 401
    assert "<form" in visitor.get("/login").text
    form = {"email": "admin@maker.example", "password": PASSWORD}
    refused = visitor.post("/login", data=form | {"password": "wrong"})
    assert (refused.status_code, "Wrong e-mail" in refused.text) == (401, True)
    # Another site can't log its visitors in as somebody of its own.
    assert visitor.post("/login", data=form, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    entered = visitor.post("/login", data=form)
    assert entered.status_code == 200
    assert "have no accounts here" not in entered.text
    assert visitor.get("/api/v1/me").json()["organisation"] == company.uri


def test_behind_a_proxy_cookies_are_secure(sqlite_exchange: Exchange) -> None:
    Company.join(sqlite_exchange, "maker")
    app = create_app(sqlite_exchange.services, checkpoint_seconds=60, public_address="https://exchange.example")
    outside = TestClient(app, base_url="https://exchange.example", headers={"Origin": "https://exchange.example"})
    answer = outside.post("/api/v1/sessions", json={"email": "admin@maker.example", "password": PASSWORD})
    assert answer.status_code == 201
    assert "secure" in answer.headers["set-cookie"].lower()
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert outside.get("/api/v1/me").status_code == 200
    check_problem(TestClient(app, base_url="https://elsewhere.example").get("/healthz"), 400, "host")


def test_an_organisation_hears_of_keys_in_its_name(exchange: Exchange) -> None:
    company = Company.join(exchange, "maker")
    found = company.admin.get("/api/v1/inbox").json()["events"]
    assert sorted(one["type"] for one in found) == ["packtrace.key.enrolled", "packtrace.organisation.approved"]
    (data,) = [one["data"] for one in found if one["type"] == "packtrace.key.enrolled"]
    assert data["thumbprint"] == company.member.key.thumbprint
    entry = company.admin.get(f"/api/v1/entries/{data['index']}").json()
    assert entry["vct"] == "urn:packtrace:key-event:1"
    waiting = exchange.http.get("/api/v1/inbox").json()["events"]
    assert "packtrace.organisation.applied" in [one["type"] for one in waiting]
    rival = Company.join(exchange, "rival")
    others = rival.admin.get("/api/v1/inbox", params={"organisation": company.uri})
    check_problem(others, 403, "rights")

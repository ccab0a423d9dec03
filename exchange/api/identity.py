"""The routes of organisations, members and API clients."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any
from urllib.parse import parse_qsl

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from exchange.access import MemberRole, Scope
from exchange.api.rates import Rates
from exchange.api.strict import (
    Admin,
    After,
    Body,
    Id,
    Limit,
    Name,
    OperatorOnly,
    Reader,
    StrictRoute,
    Uri,
    services_of,
)
from exchange.errors import StatementError
from exchange.identity import Application, Member, Registration, Site
from exchange.kinds import Role

SESSION_COOKIE = "packtrace_session"
_MAX_FORM = 8192
identity_router = APIRouter(route_class=StrictRoute)
Email = Annotated[str, Field(pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,189}$", max_length=254)]
Password = Annotated[str, Field(min_length=1, max_length=1024)]
Secret = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
SiteName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]


class SiteBody(Body):
    """A site: `country` (ISO 3166-1 alpha-2), `region` (ISO 3166-2), `grid` as factor releases name it."""

    name: Name
    country: Country
    region: Annotated[str, Field(pattern=r"^[A-Z]{2}-[A-Z0-9]{1,3}$")] | None = None
    grid: Annotated[str, Field(pattern=r"^[A-Z0-9-]{2,32}$")] | None = None


class NamedSiteBody(SiteBody):
    """A site with its short name."""

    site: SiteName


class RegistrationBody(Body):
    """An application to join; `csr` is a base64 PKCS #10 request, `possession` its key's signature, `identifiers` by scheme."""

    uri: Uri
    name: Name
    country: Country
    corporate_group: Name | None = None
    identifiers: Annotated[dict[str, Name], Field(min_length=1, max_length=8)]
    sites: Annotated[tuple[NamedSiteBody, ...], Field(max_length=200)] = ()
    roles: Annotated[list[Role], Field(min_length=1, max_length=8)]
    csr: Annotated[str, Field(max_length=8192)]
    possession: Annotated[str, Field(max_length=256)]
    admin: Name
    email: Email
    password: Password


class DecisionBody(Body):
    """The operator's decision on an application."""

    approve: bool
    reason: Annotated[str, Field(max_length=500)] = ""


class LogInBody(Body):
    """A member's e-mail address and password."""

    email: Email
    password: Password


class InvitationBody(Body):
    """Whom to invite, and as what."""

    email: Email
    role: MemberRole


class JoinBody(Body):
    """The secret of an invitation, and who joins by it."""

    secret: Secret
    name: Name
    password: Password


class MemberBody(Body):
    """What to change of a member."""

    role: MemberRole | None = None
    active: bool | None = None


class PasswordBody(Body):
    """The password until now, and the new one."""

    old: Password
    new: Password


class ClientBody(Body):
    """A new API client: its name and scopes."""

    name: Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=8)]


@identity_router.post("/api/v1/registrations", status_code=202)
def register(request: Request, body: RegistrationBody) -> dict[str, str]:
    """Apply to join. The operator decides; then the key is enrolled, and the admin can log in."""
    _rates(request).check(request, "registrations", body.uri)
    try:
        csr = base64.b64decode(body.csr, validate=True)
    except (binascii.Error, ValueError):
        raise StatementError("the CSR is not base64", where="csr", remedy="send the DER request in base64") from None
    registration = Registration(
        Application(body.uri, body.name, csr, body.possession, tuple(body.roles)),
        body.country,
        body.identifiers,
        body.admin,
        body.corporate_group,
        tuple(_site(one.site, one) for one in body.sites),
    )
    return {"id": services_of(request).registrations.apply(registration, body.email, body.password)}


@identity_router.get("/api/v1/registrations")
def list_registrations(
    request: Request, actor: OperatorOnly, after: After = "", limit: Limit = 100
) -> list[dict[str, Any]]:
    """The applications that wait for the operator, the oldest first."""
    found = services_of(request).registrations.waiting(actor, after, limit)
    return [{"id": one.id, "applied_at": one.applied_at.isoformat(), **one.document} for one in found]


@identity_router.post("/api/v1/registrations/{registration}/decision")
def decide(request: Request, registration: Id, body: DecisionBody, actor: OperatorOnly) -> dict[str, str]:
    """Approve or refuse an application. Who is approved is enrolled within seconds, and told."""
    registrations = services_of(request).registrations
    return {"state": registrations.decide(actor, registration, approve=body.approve, reason=body.reason)}


@identity_router.get("/api/v1/organisations")
def list_organisations(request: Request, actor: Reader, after: After = "", limit: Limit = 100) -> list[dict[str, Any]]:
    """The organisations that are here, by URI."""
    return [
        {
            "uri": one.uri,
            "name": one.name,
            "country": one.country,
            "roles": list(one.roles),
            "identifiers": one.identifiers,
        }
        for one in services_of(request).directory.organisations(actor, after, limit)
    ]


@identity_router.get("/api/v1/sites")
def list_sites(request: Request, actor: Reader) -> list[dict[str, Any]]:
    """The organisation's own sites."""
    return [
        {"site": one.site, "name": one.name, "country": one.country, "region": one.region, "grid": one.grid}
        for one in services_of(request).directory.sites(actor)
    ]


@identity_router.put("/api/v1/sites/{site}", status_code=204)
def put_site(request: Request, site: SiteName, body: SiteBody, actor: Admin) -> None:
    """Add a site, or state one anew."""
    services_of(request).directory.put_site(actor, _site(site, body))


@identity_router.delete("/api/v1/sites/{site}", status_code=204)
def remove_site(request: Request, site: SiteName, actor: Admin) -> None:
    """Remove a site; what was signed about it stays."""
    services_of(request).directory.remove_site(actor, site)


@identity_router.get("/api/v1/me")
def show_me(request: Request, actor: Reader) -> dict[str, Any]:
    """Who asks, for which organisation, with which scopes; and the certificate of its newest key, DER in base64."""
    certificate = services_of(request).directory.certificate(actor)
    return {
        "organisation": actor.organisation,
        "name": actor.name,
        "scopes": sorted(actor.scopes),
        "certificate": None if certificate is None else base64.b64encode(certificate).decode(),
    }


@identity_router.post("/api/v1/sessions", status_code=201)
def log_in(request: Request, body: LogInBody, response: Response) -> dict[str, Any]:
    """Log in: sets the session's cookie."""
    _rates(request).check(request, "log-in", body.email)
    services = services_of(request)
    secret = services.accounts.log_in(body.email, body.password)
    request.app.state.keep_session(response, secret)
    found = services.accounts.of_session(secret)
    return {"organisation": "" if found is None else found.organisation}


@identity_router.delete("/api/v1/sessions", status_code=204)
def log_out(request: Request, response: Response, _actor: Reader) -> None:
    """Log out: the session ends on the server."""
    services_of(request).accounts.log_out(request.cookies.get(SESSION_COOKIE, ""))
    response.delete_cookie(SESSION_COOKIE, path="/")


@identity_router.put("/api/v1/password", status_code=204)
def change_password(request: Request, body: PasswordBody, actor: Reader) -> None:
    """Change one's password; all sessions end."""
    _rates(request).check(request, "password", actor.name)
    services_of(request).accounts.change_password(actor, body.old, body.new)


@identity_router.get("/api/v1/members")
def list_members(request: Request, actor: Reader) -> list[dict[str, Any]]:
    """The organisation's members."""
    return [_member(one) for one in services_of(request).accounts.members(actor)]


@identity_router.post("/api/v1/members", status_code=201)
def join(request: Request, body: JoinBody) -> dict[str, Any]:
    """Join an organisation by an invitation."""
    _rates(request).check(request, "invitation", body.secret)
    return _member(services_of(request).accounts.accept(body.secret, body.name, body.password))


@identity_router.patch("/api/v1/members/{member}")
def change_member(request: Request, member: Id, body: MemberBody, actor: Admin) -> dict[str, Any]:
    """Give a member another role, disable or enable it; its sessions end, where anything changes."""
    return _member(services_of(request).accounts.change(actor, member, role=body.role, active=body.active))


@identity_router.post("/api/v1/invitations", status_code=201)
def invite(request: Request, body: InvitationBody, actor: Admin) -> dict[str, str]:
    """Invite somebody: the answer's secret is for that person, for seven days."""
    return {"secret": services_of(request).accounts.invite(actor, body.email, body.role)}


@identity_router.get("/api/v1/clients")
def list_clients(request: Request, actor: Admin) -> list[dict[str, Any]]:
    """The organisation's API clients, those that were revoked too."""
    return [
        {
            "id": one.id,
            "name": one.name,
            "scopes": list(one.scopes),
            "created_at": one.created_at.isoformat(),
            "revoked_at": None if one.revoked_at is None else one.revoked_at.isoformat(),
        }
        for one in services_of(request).clients.list(actor)
    ]


@identity_router.post("/api/v1/clients", status_code=201)
def create_client(request: Request, body: ClientBody, actor: Admin) -> dict[str, Any]:
    """Make an API client. Its secret is shown this once."""
    made, secret = services_of(request).clients.create(actor, body.name, frozenset(body.scopes))
    return {"id": made.id, "secret": secret, "scopes": list(made.scopes)}


@identity_router.delete("/api/v1/clients/{client}", status_code=204)
def revoke_client(request: Request, client: Id, actor: Admin) -> None:
    """End an API client; its access tokens count no more."""
    services_of(request).clients.revoke(actor, client)


_OAUTH_ERROR = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
_OAUTH_REFUSAL = {
    "description": "Refused (RFC 6749, section 5.2)",
    "content": {"application/json": {"schema": _OAUTH_ERROR}},
}


@identity_router.post("/oauth/token", responses={400: _OAUTH_REFUSAL, 401: _OAUTH_REFUSAL})
async def give_token(request: Request) -> Response:
    """Give an API client an access token (OAuth 2.0 client credentials, RFC 6749 section 4.4)."""
    body = await request.body()
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=20) if len(body) < _MAX_FORM else []
    except ValueError:
        pairs = []
    form = dict(pairs)
    if len(form) != len(pairs):
        form = {}  # a parameter twice is none (RFC 6749, section 3.2)
    _rates(request).check(request, "token", form.get("client_id", request.headers.get("authorization", "")))
    clients = services_of(request).clients
    status, answer, headers = await to_thread.run_sync(clients.answer, request.headers, form)
    return JSONResponse(answer, status_code=status, headers=headers)


def keep_session(response: Response, secret: str, *, secure: bool) -> None:
    """Set the cookie of a session."""
    response.set_cookie(SESSION_COOKIE, secret, httponly=True, samesite="strict", secure=secure, path="/")


def _rates(request: Request) -> Rates:
    found: Rates = request.app.state.rates
    return found


def _site(site: str, body: SiteBody) -> Site:
    return Site(site, body.name, body.country, body.region, body.grid)


def _member(one: Member) -> dict[str, Any]:
    return {"id": one.id, "email": one.email, "name": one.name, "role": one.role, "active": one.active}

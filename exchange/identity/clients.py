"""API clients: made by an organisation's admin, authenticated by OAuth 2.0 client credentials (RFC 6749, section 4.4).

Access tokens are JWTs (RFC 9068), ES256, an hour long at most, for this exchange alone. A client that is revoked is out within
seconds, in every process.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from exchange.access import SCOPES, Principal, Scope
from exchange.database import begin
from exchange.errors import ConflictError, NotFoundError, RightsError, StatementError
from exchange.identity.passwords import fingerprint
from exchange.identity.tables import ClientRow
from ledger.store import snapshot
from signer import KeyPair, new_jti

security = logging.getLogger("packtrace.security")
# The library writes whole access tokens to its log at the level DEBUG.
logging.getLogger("authlib").setLevel(logging.WARNING)
TOKEN_SECONDS = 3600
_LOOK_AGAIN = timedelta(seconds=5)  # after which a client is looked up again
_KEPT = 10_000
_SKEW = 60  # seconds by which the clocks of two processes of this exchange may differ
#: What the library is told that it was called as: TLS ends at the proxy before us, or there is none on loopback.
_TOKEN_ADDRESS = "https://exchange.invalid/oauth/token"  # noqa: S105 - no secret


@dataclass(frozen=True, slots=True)
class ApiClient:
    """An API client as its organisation sees it."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


class ApiClients:
    """Makes, lists and revokes API clients; gives them access tokens, and tells whose a token is."""

    def __init__(
        self, engine: Engine, key: KeyPair, issuer: str, clock: Callable[[], datetime], random: Callable[[int], bytes]
    ) -> None:
        self._engine = engine
        self._key = ECKey.import_key(cast("EllipticCurvePrivateKey", key.private_key))
        self._issuer = issuer
        self._clock = clock
        self._random = random
        self._server = _Server(self._find, _Tokens(issuer, KeySet([self._key])))
        self._lock = threading.Lock()
        self._read: dict[str, tuple[dict[str, Any], float]] = {}
        self._looked_up: dict[str, tuple[ClientRow | None, datetime]] = {}

    def create(self, actor: Principal, name: str, scopes: Collection[Scope]) -> tuple[ApiClient, str]:
        """Make a client of the actor's organisation; return it with its secret, which is shown this once.

        Nobody gives a client more than it may do itself. ConflictError where the name is taken.
        """
        actor.require("organisation:write")
        beyond = sorted(set(scopes) - actor.scopes | set(scopes) & {"operator"})
        if beyond or not scopes:
            raise RightsError(
                f"a client can't be given {', '.join(beyond) or 'no scope at all'}",
                where="scopes",
                remedy=f"choose from {', '.join(sorted(actor.scopes - {'operator'}))}",
            )
        secret, now = self._random(32).hex(), self._clock()
        row = ClientRow(
            id=new_jti(now, self._random),
            organisation=actor.organisation,
            name=name,
            secret=fingerprint(secret),
            scopes=" ".join(sorted(scopes)),
            created_by=actor.name,
            created_at=now,
        )
        with begin(self._engine) as connection, Session(connection) as session:
            taken = select(ClientRow.id).where(
                col(ClientRow.organisation) == actor.organisation, col(ClientRow.name) == name
            )
            if session.exec(taken).first() is not None:
                raise ConflictError("a client has this name", where="name", remedy="choose another name")
            session.add(row)
            session.flush()
            made = _client(row)
        security.info("client made by=%s client=%s scopes=%s", actor.name, made.id, row_scopes(made))
        return made, secret

    def list(self, actor: Principal) -> list[ApiClient]:
        """Return the clients of the actor's organisation."""
        actor.require("organisation:write")
        with snapshot(self._engine) as connection, Session(connection) as session:
            rows = session.exec(
                select(ClientRow).where(col(ClientRow.organisation) == actor.organisation).order_by(col(ClientRow.id))
            ).all()
            return [_client(row) for row in rows]

    def revoke(self, actor: Principal, client: str) -> None:
        """End a client of the actor's organisation: its tokens count no more."""
        actor.require("organisation:write")
        with begin(self._engine) as connection, Session(connection) as session:
            row = session.get(ClientRow, client)
            if row is None or row.organisation != actor.organisation:
                raise NotFoundError("no such client", where="client", remedy="take it from the list of clients")
            row.revoked_at = row.revoked_at or self._clock()
            session.add(row)
            session.flush()
        with self._lock:
            self._looked_up.pop(client, None)
        security.info("client revoked by=%s client=%s", actor.name, client)

    def answer(self, headers: Mapping[str, str], form: Mapping[str, str]) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Answer a request to the token endpoint (status, JSON body, headers), errors as RFC 6749, section 5.2 words them."""
        request = _Request(headers, form)
        status, body, more = cast("tuple[int, Any, Any]", self._server.create_token_response(request))
        return status, dict(body), dict(more)

    def known(self, token: str) -> Principal | None:
        """Return what `of_token` would, where that needs no look into the database; None otherwise."""
        with self._lock:
            read = self._read.get(token)
            looked_up = self._looked_up.get(read[0]["client_id"]) if read is not None else None
        now = self._clock()
        fresh = looked_up is not None and looked_up[1] <= now < looked_up[1] + _LOOK_AGAIN
        return self.of_token(token) if fresh else None

    def of_token(self, token: str) -> Principal | None:
        """Return the client that an access token was given to; None where it is forged, expired, or the client revoked."""
        claims = self._claims(token)
        if claims is None:
            return None
        row = self._find(claims["client_id"])
        if row is None:
            return None
        scopes = frozenset(claims["scope"].split()) & frozenset(row.scopes.split())
        return Principal(row.organisation, f"client:{row.id}", cast("frozenset[Scope]", scopes))

    def _claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that is in order; its signature is verified once and remembered."""
        now = self._clock().timestamp()
        with self._lock:
            known = self._read.get(token)
        if known is None:
            try:
                claims = dict(jwt.decode(token, self._key, algorithms=["ES256"]).claims)
                jwt.JWTClaimsRegistry(
                    now=int(now),
                    leeway=_SKEW,
                    iss={"essential": True, "value": self._issuer},
                    aud={"essential": True, "value": self._issuer},
                    exp={"essential": True},
                    client_id={"essential": True},
                    scope={"essential": True},
                ).validate(claims)
            except (JoseError, ValueError, TypeError):
                return None
            known = claims, float(claims["exp"])
            with self._lock:
                while len(self._read) >= _KEPT:
                    self._read.pop(next(iter(self._read)))
                self._read[token] = known
        claims, ends = known
        return claims if now < ends else None

    def _find(self, client: str) -> ClientRow | None:
        now = self._clock()
        with self._lock:
            known = self._looked_up.get(client)
        if known is None or not known[1] <= now < known[1] + _LOOK_AGAIN:
            with snapshot(self._engine) as connection, Session(connection, expire_on_commit=False) as session:
                row = session.get(ClientRow, client)
                if row is not None:
                    session.expunge(row)
            known = row, now
            with self._lock:
                while len(self._looked_up) >= _KEPT:
                    self._looked_up.pop(next(iter(self._looked_up)))
                self._looked_up[client] = known
        found = known[0]
        return found if found is not None and found.revoked_at is None else None


class _Request(OAuth2Request):
    """A request to the token endpoint as the library wants to see it."""

    def __init__(self, headers: Mapping[str, str], form: Mapping[str, str]) -> None:
        super().__init__("POST", _TOKEN_ADDRESS, headers={"Authorization": headers.get("authorization", "")})
        self._form = dict(form)
        self.payload = BasicOAuth2Payload(self._form)

    @property
    def form(self) -> dict[str, str]:
        return self._form


class _Client(ClientMixin):
    """A row as the library wants to see it."""

    def __init__(self, row: ClientRow) -> None:
        self._row = row

    def get_client_id(self) -> str:
        return self._row.id

    def get_allowed_scope(self, scope: Collection[str] | str | None) -> str:
        """The scopes asked for that are the client's; all of them for who asks for none (RFC 6749, section 3.3)."""
        wanted = scope.split() if isinstance(scope, str) else scope
        return " ".join(one for one in self._row.scopes.split() if not wanted or one in wanted)

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self._row.secret, fingerprint(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in {"client_secret_basic", "client_secret_post"}

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == ClientCredentialsGrant.GRANT_TYPE


class _Tokens(JWTBearerTokenGenerator):
    """Access tokens for this exchange, whose name is both issuer and audience."""

    def __init__(self, issuer: str, keys: KeySet) -> None:
        super().__init__(issuer=issuer, alg="ES256", expires_generator=lambda _client, _grant: TOKEN_SECONDS)
        self._keys = keys

    def get_jwks(self) -> KeySet:
        return self._keys

    def get_audiences(self, client: Any, user: Any, scope: Any) -> str:
        del client, user, scope
        return str(self.issuer)


class _Grant(ClientCredentialsGrant):
    """Client credentials, in the header or in the form."""

    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")


class _Server(AuthorizationServer):
    """The library's server on our rows; requests and answers are plain values."""

    def __init__(self, find: Callable[[str], ClientRow | None], tokens: _Tokens) -> None:
        super().__init__(scopes_supported=sorted(SCOPES))
        self._find = find
        self.register_token_generator("default", tokens)
        self.register_grant(_Grant)

    def query_client(self, client_id: str) -> Any:
        row = self._find(client_id)
        return None if row is None else _Client(row)

    def save_token(self, token: Any, request: Any) -> None:
        """Nothing is kept: a token says of itself what it allows."""
        del token
        security.info("token given client=%s", request.client.get_client_id())

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: Any) -> tuple[int, Any, Any]:
        return status, body, headers

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        del name, args, kwargs


def row_scopes(client: ApiClient) -> str:
    """The scopes in one word, for a log."""
    return ",".join(client.scopes)


def _client(row: ClientRow) -> ApiClient:
    return ApiClient(row.id, row.name, tuple(row.scopes.split()), row.created_at, row.revoked_at)


def check_scopes(scopes: Collection[str]) -> frozenset[Scope]:
    """Return known scopes; StatementError names the first that isn't."""
    for scope in scopes:
        if scope not in SCOPES:
            raise StatementError(f"unknown scope {scope!r}", where="scopes", remedy=f"use {', '.join(SCOPES)}")
    return cast("frozenset[Scope]", frozenset(scopes))

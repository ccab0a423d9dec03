"""What the routes share: strict JSON, strict bodies, fields, the services, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Query, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import OAuth2, SecurityScopes
from pydantic import BaseModel, ConfigDict, Field

from exchange.access import SCOPES, Principal, Scope
from exchange.errors import CredentialsError
from exchange.services import Services
from signer import parse_json


class _StrictRequest(Request):
    """A request whose JSON can be read in one way only: no member twice, no half characters, no depth without end."""

    async def json(self) -> Any:
        return parse_json(await self.body(), "body")


class StrictRoute(APIRoute):
    """A route whose JSON body is read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler on a strict request."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return handle


class Body(BaseModel):
    """A request's body: no member that isn't known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Shape = TypeVar("Shape", bound=Body)


def read_strictly(data: bytes, model: type[Shape], *, where: str) -> Shape:
    """Return the body that `data` is in JSON. Raises SignerError for what no strict JSON is, ValidationError for another shape."""
    return model.model_validate(parse_json(data, where))


MAX_INT = 2**53
MAX_PAGE = 200
Uri = Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+$", max_length=512)]
#: Text that every database keeps and every terminal shows: no control characters.
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]+$", max_length=200)]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Id = Annotated[str, Field(pattern=r"^[0-9a-f-]{36}$")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="how many at most")]
After = Annotated[str, Query(max_length=512, pattern=r"^[!-~]*$", description="the last one of the page before")]


def services_of(request: Request) -> Services:
    """Return the services that answer this request."""
    found: Services = request.app.state.services
    return found


_SCHEME = OAuth2(
    flows={"clientCredentials": {"tokenUrl": "/oauth/token", "scopes": {**SCOPES}}},
    scheme_name="client",
    description="an access token of an API client; members' browsers send their session's cookie",
    auto_error=False,
)


# Not a plain function, which the framework would run in a thread for each request.
async def _actor(
    request: Request, scopes: SecurityScopes, _given: Annotated[str | None, Depends(_SCHEME)]
) -> Principal:
    return actor_of(request, *cast("list[Scope]", scopes.scopes))


def actor_of(request: Request, *scopes: Scope) -> Principal:
    """Return who asks, once it has `scopes`. CredentialsError for nobody, RightsError for too few."""
    found: Principal | None = request.state.principal
    if found is None:
        raise CredentialsError(
            "this needs to know who asks",
            where="Authorization",
            remedy="send an access token from /oauth/token, or log in",
        )
    for scope in scopes:
        found.require(scope)
    return found


def may(*scopes: Scope) -> Any:
    """Return the dependency that answers who asks, which has to have `scopes`."""
    return Security(_actor, scopes=list(scopes))


Reader = Annotated[Principal, may("data:read")]
Submitter = Annotated[Principal, may("statements:write")]
Granter = Annotated[Principal, may("grants:write")]
Calculator = Annotated[Principal, may("footprints:write")]
Requester = Annotated[Principal, may("requests:write")]
Answerer = Annotated[Principal, may("requests:write", "grants:write")]
Admin = Annotated[Principal, may("organisation:write")]
OperatorOnly = Annotated[Principal, may("operator")]


def spoken_for(request: Request, actor: Principal, organisation: str | None, scope: Scope) -> str:
    """Return the organisation that is meant: the actor's own where none is named. RightsError where the actor can't speak for it."""
    whose = organisation or actor.organisation
    services_of(request).accounts.check_speaks_for(actor, whose, scope)
    return whose

"""What the routes share: strict JSON, strict bodies, fields, the services."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

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

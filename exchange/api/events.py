"""The inbox, and where else events go. Events have their CloudEvents form: docs/formats/events.md."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from exchange.api.strict import Admin, After, Body, Id, Limit, Reader, StrictRoute, Uri, services_of, spoken_for
from exchange.errors import NotFoundError
from exchange.events import EventRow, SubscriptionRow, cloudevent, public_keys
from ledger.store import snapshot

events_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)
Organisation = Annotated[
    Uri | None, Query(description="whose: one's own without it; the operator's token may name any that has no accounts")
]


class ReadBody(Body):
    """Events of an organisation that were read."""

    organisation: Uri | None = None
    events: Annotated[list[Id], Field(min_length=1, max_length=200)]


class SubscriptionBody(Body):
    """Where events are to be sent: an https URL, or ``mailto:name@host``. `types`: which; none means all."""

    organisation: Uri | None = None
    target: Annotated[str, Field(max_length=1024)]
    types: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100)] = Field(default=[])


class ActiveBody(Body):
    """Whether events are sent there."""

    organisation: Uri | None = None
    active: bool


class TestBody(Body):
    """Whose subscription is tried."""

    organisation: Uri | None = None


@events_router.get("/inbox")
def show_inbox(  # noqa: PLR0917 - parameters of the query, by name
    request: Request,
    actor: Reader,
    organisation: Organisation = None,
    after: After = "",
    limit: Limit = 50,
    unread: bool = False,
) -> dict[str, Any]:
    """An organisation's events, newest first: `events`, each with `read_at`, and how many are `unread`, counted up to 1000.

    `after` asks for the page that follows; it is null at the end.
    """
    services = services_of(request)
    page = services.inbox.page(
        spoken_for(request, actor, organisation, "data:read"), after=after or None, limit=limit, unread_only=unread
    )
    origin = services.installation.trust_file.origin
    return {"events": [_event(one, origin) for one in page.events], "after": page.after, "unread": page.unread}


@events_router.post("/inbox/read")
def mark_read(request: Request, body: ReadBody, actor: Reader) -> dict[str, int]:
    """Mark events as read; `marked` says how many were not. Ids of other organisations' events are passed over."""
    organisation = spoken_for(request, actor, body.organisation, "data:read")
    return {"marked": services_of(request).inbox.read(organisation, body.events)}


@events_router.get("/subscriptions")
def list_subscriptions(request: Request, actor: Admin, organisation: Organisation = None) -> list[dict[str, Any]]:
    """An organisation's subscriptions, at most 20, oldest first; `trouble` says why the last attempt failed."""
    whose = spoken_for(request, actor, organisation, "organisation:write")
    return [_subscription(row) for row in services_of(request).subscriptions.of(whose)]


@events_router.post("/subscriptions", status_code=201)
def subscribe(request: Request, body: SubscriptionBody, response: Response, actor: Admin) -> dict[str, Any]:
    """Send an organisation's events to a URL, signed after Standard Webhooks, or to a mail address.

    The same target again (200) changes its types. Refused for a URL that isn't https on port 443 of a public address, unless the operator
    allows it.
    """
    organisation = spoken_for(request, actor, body.organisation, "organisation:write")
    # Each looks a host up.
    request.app.state.rates.check(request, "subscriptions", organisation)
    row, existed = services_of(request).subscriptions.add(organisation, body.target, body.types)
    if existed:
        response.status_code = 200
    return _subscription(row)


@events_router.patch("/subscriptions/{subscription}")
def set_active(request: Request, subscription: Id, body: ActiveBody, actor: Admin) -> dict[str, Any]:
    """Stop sending to a subscription, or begin again; what happens meanwhile is in the inbox alone."""
    organisation = spoken_for(request, actor, body.organisation, "organisation:write")
    subscriptions = services_of(request).subscriptions
    return _subscription(subscriptions.set_active(organisation, subscription, active=body.active))


@events_router.delete("/subscriptions/{subscription}", status_code=204)
def unsubscribe(request: Request, subscription: Id, actor: Admin, organisation: Organisation = None) -> None:
    """Remove a subscription, with what waits to be sent to it."""
    whose = spoken_for(request, actor, organisation, "organisation:write")
    services_of(request).subscriptions.remove(whose, subscription)


@events_router.post("/subscriptions/{subscription}/test", status_code=201)
def test_subscription(request: Request, subscription: Id, body: TestBody, actor: Admin) -> dict[str, str]:
    """Send an event of type `packtrace.subscription.ping` to one subscription; `event` is its id."""
    organisation = spoken_for(request, actor, body.organisation, "organisation:write")
    return {"event": services_of(request).subscriptions.test(organisation, subscription)}


@events_router.get("/webhook-key")
def show_webhook_key(request: Request, _actor: Reader) -> dict[str, str | None]:
    """The public key that webhooks are signed with, as Standard Webhooks writes it, and the one that is about to follow it."""
    with snapshot(services_of(request).installation.engine) as connection:
        keys = [row.public_key for row in public_keys(connection)]
    if not keys:
        raise NotFoundError("no key of webhooks is known yet", where="worker", remedy="start the worker once")
    return {"algorithm": "Ed25519", "public_key": keys[0], "next_public_key": keys[1] if len(keys) > 1 else None}


def _event(row: EventRow, origin: str) -> dict[str, Any]:
    return cloudevent(row, origin) | {"read_at": row.read_at and row.read_at.isoformat()}


def _subscription(row: SubscriptionRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "target": row.target,
        "types": row.types.split(),
        "active": row.active,
        "created_at": row.created_at.isoformat(),
        "failing_since": row.failing_since and row.failing_since.isoformat(),
        "trouble": row.trouble,
    }

"""The inbox, and where else events go. Events have their CloudEvents form: docs/formats/events.md."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from exchange.api.strict import After, Body, Id, Limit, StrictRoute, Uri, services_of
from exchange.events import EventRow, SubscriptionRow, cloudevent

events_router = APIRouter(prefix="/api/v1", route_class=StrictRoute)
Organisation = Annotated[Uri, Query(description="whose; until there are accounts, the operator's token may name any")]


class ReadBody(Body):
    """Events of an organisation that were read."""

    organisation: Uri
    events: Annotated[list[Id], Field(min_length=1, max_length=200)]


class SubscriptionBody(Body):
    """Where events are to be sent: an https URL, or ``mailto:name@host``. `types`: which; none means all."""

    organisation: Uri
    target: Annotated[str, Field(max_length=1024)]
    types: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=100)] = Field(default=[])


class ActiveBody(Body):
    """Whether events are sent there."""

    organisation: Uri
    active: bool


class TestBody(Body):
    """Whose subscription is tried."""

    organisation: Uri


@events_router.get("/inbox")
def show_inbox(
    request: Request, organisation: Organisation, after: After = "", limit: Limit = 50, unread: bool = False
) -> dict[str, Any]:
    """An organisation's events, newest first: `events`, each with `read_at`, and how many are `unread`, counted up to 1000.

    `after` asks for the page that follows; it is null at the end.
    """
    services = services_of(request)
    page = services.inbox.page(organisation, after=after or None, limit=limit, unread_only=unread)
    origin = services.installation.trust_file.origin
    return {"events": [_event(one, origin) for one in page.events], "after": page.after, "unread": page.unread}


@events_router.post("/inbox/read")
def mark_read(request: Request, body: ReadBody) -> dict[str, int]:
    """Mark events as read; `marked` says how many were not. Ids of other organisations' events are passed over."""
    return {"marked": services_of(request).inbox.read(body.organisation, body.events)}


@events_router.get("/subscriptions")
def list_subscriptions(request: Request, organisation: Organisation) -> list[dict[str, Any]]:
    """An organisation's subscriptions, at most 20, oldest first; `trouble` says why the last attempt failed."""
    return [_subscription(row) for row in services_of(request).subscriptions.of(organisation)]


@events_router.post("/subscriptions", status_code=201)
def subscribe(request: Request, body: SubscriptionBody, response: Response) -> dict[str, Any]:
    """Send an organisation's events to a URL, signed after Standard Webhooks, or to a mail address.

    The same target again (200) changes its types. Refused for a URL that isn't https on port 443 of a public address, unless the operator
    allows it.
    """
    row, existed = services_of(request).subscriptions.add(body.organisation, body.target, body.types)
    if existed:
        response.status_code = 200
    return _subscription(row)


@events_router.patch("/subscriptions/{subscription}")
def set_active(request: Request, subscription: Id, body: ActiveBody) -> dict[str, Any]:
    """Stop sending to a subscription, or begin again; what happens meanwhile is in the inbox alone."""
    subscriptions = services_of(request).subscriptions
    return _subscription(subscriptions.set_active(body.organisation, subscription, active=body.active))


@events_router.delete("/subscriptions/{subscription}", status_code=204)
def unsubscribe(request: Request, subscription: Id, organisation: Organisation) -> None:
    """Remove a subscription, with what waits to be sent to it."""
    services_of(request).subscriptions.remove(organisation, subscription)


@events_router.post("/subscriptions/{subscription}/test", status_code=201)
def test_subscription(request: Request, subscription: Id, body: TestBody) -> dict[str, str]:
    """Send an event of type `packtrace.subscription.ping` to one subscription; `event` is its id."""
    return {"event": services_of(request).subscriptions.test(body.organisation, subscription)}


@events_router.get("/webhook-key")
def show_webhook_key(request: Request) -> dict[str, str]:
    """The public key that webhooks are signed with, as Standard Webhooks writes it."""
    return {"algorithm": "Ed25519", "public_key": services_of(request).installation.webhook_key.public_key}


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

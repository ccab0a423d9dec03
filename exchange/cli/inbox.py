"""``packtrace inbox``: what happened to an organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange.cli.connection import Connection
from exchange.cli.output import DONE, say, say_json, tell
from exchange.cli.server_commands import answer

if TYPE_CHECKING:
    from exchange.client import Client


def run_list(to: Connection, organisation: str, *, after: str | None, limit: int, unread: bool) -> int:
    """Print a page of events, newest first."""

    def command(client: Client) -> int:
        page = client.inbox(organisation, after=after, limit=limit, unread=unread)
        if to.as_json:
            say_json(page)
            return DONE
        for event in page["events"]:
            say(_line(event))
        tell(f"{page['unread']} unread")
        if page["after"] is not None:
            tell(f"older ones: --after {page['after']}")
        return DONE

    return to.run(command)


def run_read(to: Connection, organisation: str, events: list[str]) -> int:
    """Mark events as read."""

    def command(client: Client) -> int:
        marked = client.mark_read(organisation, events)
        answer({"marked": marked}, f"{marked} marked as read", as_json=to.as_json)
        return DONE

    return to.run(command)


def _line(event: dict[str, Any]) -> str:
    mark = " " if event["read_at"] else "*"
    return f"{mark} {event['id']}  {event['time']}  {event['type']}  {event['subject']}"

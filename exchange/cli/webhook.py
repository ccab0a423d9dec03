"""``packtrace webhook``: where an organisation's events are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange.cli.connection import Connection
from exchange.cli.output import DONE, say, say_json
from exchange.cli.server_commands import answer

if TYPE_CHECKING:
    from exchange.client import Client


def run_add(to: Connection, organisation: str, target: str, types: list[str]) -> int:
    """Subscribe a URL or mail address to events."""

    def command(client: Client) -> int:
        found = client.subscribe(organisation, target, types)
        members = {"subscription": found, "public_key": client.webhook_key()}
        answer(members, f"{_line(found)}\nsigned by {members['public_key']}", as_json=to.as_json)
        return DONE

    return to.run(command)


def run_list(to: Connection, organisation: str) -> int:
    """Print the subscriptions."""

    def command(client: Client) -> int:
        found = client.subscriptions(organisation)
        if to.as_json:
            say_json(found)
        else:
            for one in found:
                say(_line(one))
        return DONE

    return to.run(command)


def run_remove(to: Connection, organisation: str, subscription: str) -> int:
    """Remove a subscription."""

    def command(client: Client) -> int:
        client.unsubscribe(organisation, subscription)
        if to.as_json:
            say_json({"removed": subscription})
        return DONE

    return to.run(command)


def run_test(to: Connection, organisation: str, subscription: str) -> int:
    """Have an event sent to one subscription."""

    def command(client: Client) -> int:
        event = client.test_subscription(organisation, subscription)
        answer({"event": event}, f"event {event} is being sent", as_json=to.as_json)
        return DONE

    return to.run(command)


def _line(one: dict[str, Any]) -> str:
    state = "" if one["active"] else "  stopped"
    trouble = f"  failing since {one['failing_since']}: {one['trouble']}" if one["failing_since"] else ""
    return f"{one['id']}  {one['target']}  {' '.join(one['types']) or 'all types'}{state}{trouble}"

"""``packtrace webhook``: where an organisation's events are sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.output import DONE, say, say_json
from exchange.cli.server_commands import answer, connected

if TYPE_CHECKING:
    from exchange.client import Client


def run_add(server: str, organisation: str, target: str, types: list[str], data: Path | None, *, as_json: bool) -> int:
    """Subscribe a URL or mail address to events."""

    def command(client: Client) -> int:
        found = client.subscribe(organisation, target, types)
        members = {"subscription": found, "public_key": client.webhook_key()}
        answer(members, f"{_line(found)}\nsigned by {members['public_key']}", as_json=as_json)
        return DONE

    return connected(server, data, command)


def run_list(server: str, organisation: str, data: Path | None, *, as_json: bool) -> int:
    """Print the subscriptions."""

    def command(client: Client) -> int:
        found = client.subscriptions(organisation)
        if as_json:
            say_json(found)
        else:
            for one in found:
                say(_line(one))
        return DONE

    return connected(server, data, command)


def run_remove(server: str, organisation: str, subscription: str, data: Path | None) -> int:
    """Remove a subscription."""

    def command(client: Client) -> int:
        client.unsubscribe(organisation, subscription)
        return DONE

    return connected(server, data, command)


def run_test(server: str, organisation: str, subscription: str, data: Path | None, *, as_json: bool) -> int:
    """Have an event sent to one subscription."""

    def command(client: Client) -> int:
        event = client.test_subscription(organisation, subscription)
        answer({"event": event}, f"event {event} is being sent", as_json=as_json)
        return DONE

    return connected(server, data, command)


def _line(one: dict[str, Any]) -> str:
    state = "" if one["active"] else "  stopped"
    trouble = f"  failing since {one['failing_since']}: {one['trouble']}" if one["failing_since"] else ""
    return f"{one['id']}  {one['target']}  {' '.join(one['types']) or 'all types'}{state}{trouble}"

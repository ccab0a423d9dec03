"""Commands of ``packtrace inbox`` and ``packtrace webhook``; what they do is in modules that are imported when one runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import (
    Data,
    Whose,
)

inbox_app = typer.Typer(no_args_is_help=True, help="What happened to an organisation.")
webhook_app = typer.Typer(no_args_is_help=True, help="Where an organisation's events are sent.")
webhook_key_app = typer.Typer(no_args_is_help=True, help="The key that signs webhooks.")
webhook_app.add_typer(webhook_key_app, name="key")

SubscriptionId = Annotated[str, typer.Argument(metavar="ID", help="Id of the subscription, from `webhook list`.")]


@inbox_app.command("list")
@connecting
def inbox_list(
    organisation: Whose,
    *,
    to: Connection,
    unread: Annotated[bool, typer.Option("--unread", help="Only events that were not read.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 50,
    after: Annotated[str | None, typer.Option(help="Events older than the one with this id.")] = None,
) -> None:
    """List an organisation's events, newest first; * stands before those that were not read."""
    from exchange.cli.inbox import run_list

    sys.exit(run_list(to, organisation, after=after, limit=limit, unread=unread))


@inbox_app.command("read")
@connecting
def inbox_read(
    events: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of events.")],
    organisation: Whose,
    *,
    to: Connection,
) -> None:
    """Mark events as read."""
    from exchange.cli.inbox import run_read

    sys.exit(run_read(to, organisation, events))


@webhook_key_app.command("rotate")
def webhook_key_rotate(data: Data = None) -> None:
    """Announce the next key to all receivers; from the next start of each worker both sign. For the operator."""
    from exchange.cli.recovery import run_webhook_rotate

    sys.exit(run_webhook_rotate(data))


@webhook_key_app.command("retire")
def webhook_key_retire(data: Data = None) -> None:
    """End the old key, a week after the next was announced or later. For the operator."""
    from exchange.cli.recovery import run_webhook_retire

    sys.exit(run_webhook_retire(data))


@webhook_app.command("add")
@connecting
def webhook_add(
    target: Annotated[str, typer.Argument(help="https://host/path, or mailto:name@host.")],
    organisation: Whose,
    *,
    to: Connection,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="A type of events; several, or without it all.")
    ] = None,
) -> None:
    """Send an organisation's events to a URL, signed after Standard Webhooks, or to a mail address."""
    from exchange.cli.webhook import run_add

    sys.exit(run_add(to, organisation, target, types or []))


@webhook_app.command("list")
@connecting
def webhook_list(
    organisation: Whose,
    *,
    to: Connection,
) -> None:
    """List where an organisation's events are sent, and what fails."""
    from exchange.cli.webhook import run_list

    sys.exit(run_list(to, organisation))


@webhook_app.command("remove")
@connecting
def webhook_remove(
    subscription: SubscriptionId,
    organisation: Whose,
    *,
    to: Connection,
) -> None:
    """Send no more events there."""
    from exchange.cli.webhook import run_remove

    sys.exit(run_remove(to, organisation, subscription))


@webhook_app.command("test")
@connecting
def webhook_test(
    subscription: SubscriptionId,
    organisation: Whose,
    *,
    to: Connection,
) -> None:
    """Send an event of type packtrace.subscription.ping there."""
    from exchange.cli.webhook import run_test

    sys.exit(run_test(to, organisation, subscription))

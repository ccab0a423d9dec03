"""The commands of ``packtrace grant`` and their options; what they do is in `exchange.cli.grant`, imported when one runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

import typer

from exchange.cli.options import ClientId, Data, Email, Json, SecretFile, Server, TokenFile

grant_app = typer.Typer(no_args_is_help=True, help="Who may see what of your statements.")

Owner = Annotated[str, typer.Option(help="URI of the organisation that signed the statement.")]
To = Annotated[str, typer.Option("--reader", help="URI of the organisation that may see it.")]
Paths = Annotated[list[str], typer.Argument(help="Claims, lines as inputs/ID, or full.")]
For = Annotated[Literal["customer", "verification", "authority"], typer.Option("--purpose", help="What for.")]
OfStatement = Annotated[str | None, typer.Option("--statement", help="The statement, by its leaf hash.")]
OfProduct = Annotated[
    str | None, typer.Option("--product", help="Or every statement about this product, those to come too.")
]
OfKind = Annotated[str | None, typer.Option("--kind", help="With --product: the kind, as activity-data.")]
PassedOn = Annotated[Literal["none", "verifier", "any"], typer.Option("--onward", help="To whom it may be passed on.")]
Until = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day (UTC).")]
Source = Annotated[str | None, typer.Option(help="Pass on what this grant, by its id, gave you.")]
Reason = Annotated[str | None, typer.Option(help="Why the data may leave the country; kept in the export record.")]


def _granting(verb: Literal["add", "preview"], told: str) -> Callable[..., None]:
    """Return the command that records a grant, or shows what it would give away: both take the same terms."""

    def command(
        paths: Paths,
        *,
        server: Server,
        owner: Owner,
        reader: To,
        purpose: For = "customer",
        statement: OfStatement = None,
        product: OfProduct = None,
        kind: OfKind = None,
        onward: PassedOn = "none",
        until: Until = None,
        source: Source = None,
        reason: Reason = None,
        client_id: ClientId = None,
        secret_file: SecretFile = None,
        email: Email = None,
        token_file: TokenFile = None,
        data: Data = None,
        as_json: Json = False,
    ) -> None:
        from exchange.cli.grant import Order, run_add, run_preview
        from exchange.cli.request import Connection

        day = None if until is None else until.date()
        order = Order(owner, reader, tuple(paths), purpose, statement, product, kind, onward, day, source, reason)
        run = run_add if verb == "add" else run_preview
        sys.exit(run(Connection(server, client_id, secret_file, email, token_file, data, as_json), order))

    command.__doc__ = told
    return command


grant_app.command("add")(
    _granting("add", "Let a reader see claims of your statements. Exit 0 granted (or there before), 1 refused.")
)
grant_app.command("preview")(
    _granting("preview", "Show what a grant would give away, and what can't be taken back; nothing is recorded.")
)


@grant_app.command("list")
def grant_list(
    *,
    server: Server,
    received: Annotated[bool, typer.Option("--received", help="Those that you received; else those you gave.")] = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the grants that you gave or received, those that ended too."""
    from exchange.cli.grant import run_list
    from exchange.cli.request import Connection

    sys.exit(
        run_list(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            "received" if received else "given",
        )
    )


@grant_app.command("withdraw")
def grant_withdraw(
    grant: Annotated[str, typer.Argument(help="The grant, by its id.")],
    *,
    server: Server,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """End a grant and what was passed on by it, and show which copies stay. Exit 0 ended, 1 refused."""
    from exchange.cli.grant import run_withdraw
    from exchange.cli.request import Connection

    sys.exit(run_withdraw(Connection(server, client_id, secret_file, email, token_file, data, as_json), grant))


@grant_app.command("log")
def grant_log(
    *,
    server: Server,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show who took what of your statements, when and what for."""
    from exchange.cli.grant import run_log
    from exchange.cli.request import Connection

    sys.exit(run_log(Connection(server, client_id, secret_file, email, token_file, data, as_json)))

"""The commands of ``packtrace grant`` and their options; what they do is in `exchange.cli.grant`, imported when one runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

import typer

from exchange.cli.connection import Connection, connecting

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
        to: Connection,
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
    ) -> None:
        from exchange.cli.grant import Order, run_add, run_preview

        day = None if until is None else until.date()
        order = Order(owner, reader, tuple(paths), purpose, statement, product, kind, onward, day, source, reason)
        run = run_add if verb == "add" else run_preview
        sys.exit(run(to, order))

    command.__doc__ = told
    return connecting(command)


grant_app.command("add")(
    _granting("add", "Let a reader see claims of your statements. Exit 0 granted (or there before), 1 refused.")
)
grant_app.command("preview")(
    _granting("preview", "Show what a grant would give away, and what can't be taken back; nothing is recorded.")
)


@grant_app.command("list")
@connecting
def grant_list(
    *,
    to: Connection,
    received: Annotated[bool, typer.Option("--received", help="Those that you received; else those you gave.")] = False,
) -> None:
    """List the grants that you gave or received, those that ended too."""
    from exchange.cli.grant import run_list

    sys.exit(
        run_list(
            to,
            "received" if received else "given",
        )
    )


@grant_app.command("withdraw")
@connecting
def grant_withdraw(
    grant: Annotated[str, typer.Argument(help="The grant, by its id.")],
    *,
    to: Connection,
) -> None:
    """End a grant and what was passed on by it, and show which copies stay. Exit 0 ended, 1 refused."""
    from exchange.cli.grant import run_withdraw

    sys.exit(run_withdraw(to, grant))


@grant_app.command("log")
@connecting
def grant_log(
    *,
    to: Connection,
) -> None:
    """Show who took what of your statements, when and what for."""
    from exchange.cli.grant import run_log

    sys.exit(run_log(to))

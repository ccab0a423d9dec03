"""The commands of ``packtrace certificate``: the register of retired electricity certificates."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from exchange.cli.connection import Connection, connecting

certificate_app = typer.Typer(no_args_is_help=True, help="Electricity certificates that were retired.")


@certificate_app.command("list")
@connecting
def certificate_list(
    *,
    to: Connection,
) -> None:
    """List your organisation's retirements, newest first, and how they stand."""
    from exchange.cli.certificate import run_list

    sys.exit(run_list(to))


@certificate_app.command("cover")
@connecting
def certificate_cover(
    *,
    to: Connection,
    organisation: Annotated[str | None, typer.Option(help="For whom, where the data folder's token is sent.")] = None,
) -> None:
    """Hold what was retired for each site and month against its grid purchases. Exit 0 covered, 1 more was retired."""
    from exchange.cli.certificate import run_cover

    sys.exit(run_cover(to, organisation))


@certificate_app.command("register")
@connecting
def certificate_register(
    *,
    to: Connection,
    size: Annotated[int | None, typer.Option(min=0, help="Of the log; now, without it.")] = None,
) -> None:
    """Print the digest of the register, which whoever has the entries can recompute."""
    from exchange.cli.certificate import run_register

    sys.exit(run_register(to, size))

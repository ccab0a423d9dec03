"""The commands of ``packtrace case`` and their options; what they do is in `exchange.cli.case`, imported when one runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from exchange.cli.options import ClientId, Data, Email, Json, SecretFile, Server

case_app = typer.Typer(no_args_is_help=True, help="Cases: statements of yours that another organisation's contradict.")


@case_app.command("list")
def case_list(
    server: Server,
    *,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the cases that concern your organisation, newest first."""
    from exchange.cli.case import run_list
    from exchange.cli.partner import Login

    sys.exit(run_list(Login(server, client_id, secret_file, email, data), only_open=only_open, as_json=as_json))


@case_app.command("show")
def case_show(
    case: Annotated[str, typer.Argument(metavar="CASE", help="Id of the case.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show a case: what it is about, and your own sides of it. The other side isn't told to you, nor you to it."""
    from exchange.cli.case import run_show
    from exchange.cli.partner import Login

    sys.exit(run_show(Login(server, client_id, secret_file, email, data), case, as_json=as_json))

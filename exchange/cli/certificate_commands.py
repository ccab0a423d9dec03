"""The commands of ``packtrace certificate``: the register of retired electricity certificates."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import ClientId, Data, Email, Json, SecretFile, Server

certificate_app = typer.Typer(no_args_is_help=True, help="Electricity certificates that were retired.")
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with an access token; else the data folder's token is sent.")
]


@certificate_app.command("list")
def certificate_list(
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List your organisation's retirements, newest first, and how they stand."""
    from exchange.cli.certificate import run_list
    from exchange.cli.request import Connection

    sys.exit(run_list(Connection(server, client_id, secret_file, email, token_file, data, as_json)))


@certificate_app.command("cover")
def certificate_cover(
    server: Server,
    *,
    organisation: Annotated[str | None, typer.Option(help="For whom, where the data folder's token is sent.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Hold what was retired for each site and month against its grid purchases. Exit 0 covered, 1 more was retired."""
    from exchange.cli.certificate import run_cover
    from exchange.cli.request import Connection

    sys.exit(run_cover(Connection(server, client_id, secret_file, email, token_file, data, as_json), organisation))


@certificate_app.command("register")
def certificate_register(
    server: Server,
    *,
    size: Annotated[int | None, typer.Option(min=0, help="Of the log; now, without it.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Print the digest of the register, which whoever has the entries can recompute."""
    from exchange.cli.certificate import run_register
    from exchange.cli.request import Connection

    sys.exit(run_register(Connection(server, client_id, secret_file, email, token_file, data, as_json), size))

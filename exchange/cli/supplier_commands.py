"""Commands that sign, hand in and fetch; what they do is in modules that are imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import (
    ClientId,
    Data,
    Factors,
    Json,
    Passphrase,
    SecretFile,
    Server,
)

supplier_app = typer.Typer()


@supplier_app.command()
def push(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|-...",
            help="Signed statements with their disclosures; a folder's *.sd-jwt; -: one in each line of the input.",
        ),
    ],
    server: Server,
    *,
    sealed: Annotated[bool, typer.Option("--sealed", help="Withhold the disclosures: send the token alone.")] = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    journal: Annotated[
        Path | None, typer.Option(help="File that keeps what was admitted, so that the next push leaves it out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Have everything checked, and nothing written.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Submit signed statements. Exit 0 all are admitted (or were there before), 1 some are refused, 2 usage."""
    from exchange.cli.partner import Login, run_push

    login = Login(server, client_id, secret_file, None, data)
    sys.exit(run_push(files, login, journal, dry_run=dry_run, sealed=sealed, as_json=as_json))


@supplier_app.command()
def pull(
    file: Annotated[Path, typer.Argument(help="File for the evidence (.packtrace); replaced.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    product: Annotated[str | None, typer.Option(help="URI of a product; without it all results.")] = None,
    reader: Annotated[str | None, typer.Option(help="URI of who the file is for; without it yourself.")] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the organisation's newest results and fetch their evidence file."""
    from exchange.cli.partner import Login, run_pull

    sys.exit(run_pull(file, Login(server, client_id, secret_file, None, data), product, reader, as_json=as_json))


@supplier_app.command()
def attest(
    file: Annotated[Path | None, typer.Argument(help="A filled form, YAML or JSON.")] = None,
    *,
    key: Annotated[str | None, typer.Option(help="Your key: file:PATH.")] = None,
    audience: Annotated[str | None, typer.Option(help="The ledger that it is for, by its origin.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the statement (default: the form's name, .sd-jwt).")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of the form, if it doesn't name it.")] = None,
    template: Annotated[str | None, typer.Option(help="Print a form of this kind to fill, and nothing else.")] = None,
    factors: Factors = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    passphrase_fd: Passphrase = None,
) -> None:
    """Check a filled form, show who would see what, and sign it. Exit 0 signed, 1 the form is refused, 2 usage."""
    from exchange.cli.attest import Order, run, run_template

    if template is not None:
        sys.exit(run_template(template))
    sys.exit(run(Order(file, key, audience, out, kind, passphrase_fd, yes, factors or ())))

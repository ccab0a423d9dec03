"""The commands of ``packtrace bom`` and their options; what they do is in `exchange.cli.bom`, imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import AsReader, ClientId, Data, Email, Factors, Json, SecretFile, Server

bom_app = typer.Typer(no_args_is_help=True, help="Bills of materials: what a product holds, and where it is used.")

ProductUri = Annotated[str, typer.Argument(metavar="PRODUCT", help="URI of the product.")]


@bom_app.command("show")
def bom_show(
    product: ProductUri,
    server: Server,
    *,
    reader: AsReader = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what a product holds, down to what you know no more of: amounts, suppliers, how each branch is known, what is sealed."""
    from exchange.cli.bom import run_show
    from exchange.cli.partner import Login

    sys.exit(run_show(Login(server, client_id, secret_file, email, data), product, reader, as_json=as_json))


@bom_app.command("where-used")
def bom_where_used(
    product: ProductUri,
    server: Server,
    *,
    reader: AsReader = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show which products a product goes into, and which these go into, as far as you may see it."""
    from exchange.cli.bom import run_where_used
    from exchange.cli.partner import Login

    sys.exit(run_where_used(Login(server, client_id, secret_file, email, data), product, reader, as_json=as_json))


@bom_app.command("check")
def bom_check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Forms to fill, or signed statements.")],
    *,
    kind: Annotated[str | None, typer.Option(help="Kind of the forms that don't name it.")] = None,
    factors: Factors = None,
    as_json: Json = False,
) -> None:
    """Check forms or statements offline: units, shares, sums, flows, element balance, and rings of bills among all the files.

    Exit 0 in order (soft findings may be listed), 1 refused or a hard finding, 3 part of a statement isn't disclosed.
    """
    from exchange.cli.bom import run_check

    sys.exit(run_check(files, kind, factors or (), as_json=as_json))

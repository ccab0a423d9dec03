"""Commands of ``packtrace footprint`` that ask an exchange; what they do is in `exchange.cli.calculate`, imported when one runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from exchange.cli.options import AsReader, ClientId, Data, Email, Json, SecretFile, Server, Yes

calculation_app = typer.Typer()

Digest = Annotated[str, typer.Argument(metavar="DIGEST", help="The result, by its digest.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for the end; interrupted, it goes on at the exchange.")]


@calculation_app.command("calculate")
def footprint_calculate(
    products: Annotated[list[str], typer.Argument(metavar="PRODUCT...", help="URIs of products.")],
    server: Server,
    rules: Annotated[list[str], typer.Option("--rule-set", help="Rule set, by its id; several may be given.")],
    *,
    flow: Annotated[
        str | None, typer.Option(help="By this published factor instead of the products' own data.")
    ] = None,
    releases: Annotated[
        list[str] | None,
        typer.Option("--release", help="Factor release by its digest, instead of the version that counts."),
    ] = None,
    wait: Wait = False,
    reader: AsReader = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Compute footprints from what you may see: one at once, many in the background.

    Exit 0 computed (or taken in), 1 refused, 3 nothing is known, so that there is no figure.
    """
    from exchange.cli.calculate import Demands, run_calculate
    from exchange.cli.partner import Login

    login = Login(server, client_id, secret_file, email, data)
    sys.exit(run_calculate(login, Demands(products, rules, reader, flow, releases or ()), wait=wait, as_json=as_json))


@calculation_app.command("calculations")
def footprint_calculations(
    server: Server,
    calculation: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One of them: how far it is, and what came of it.")
    ] = None,
    *,
    wait: Wait = False,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 50,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List your calculations, newest first, or show one by its id. Exit 1 where it ended with refusals, failed or was cancelled."""
    from exchange.cli.calculate import run_calculation, run_calculations
    from exchange.cli.partner import Login

    login = Login(server, client_id, secret_file, email, data)
    if calculation is None:
        sys.exit(run_calculations(login, limit, as_json=as_json))
    sys.exit(run_calculation(login, calculation, wait=wait, as_json=as_json))


@calculation_app.command("cancel")
def footprint_cancel(
    calculation: Annotated[str, typer.Argument(metavar="ID", help="Id of the calculation.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """End a calculation; the results that it has stay. Exit 0 ended, 1 refused, as where it has ended."""
    from exchange.cli.calculate import run_cancel
    from exchange.cli.partner import Login

    sys.exit(run_cancel(Login(server, client_id, secret_file, email, data), calculation, as_json=as_json))


@calculation_app.command("accept")
def footprint_accept(
    digest: Digest,
    server: Server,
    *,
    yes: Yes = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what recalculating a stale result changes, and put the new one in its place. Exit 0 accepted, 1 refused or not stale."""
    from exchange.cli.calculate import run_accept
    from exchange.cli.partner import Login

    sys.exit(run_accept(Login(server, client_id, secret_file, email, data), digest, yes=yes, as_json=as_json))


@calculation_app.command("keep")
def footprint_keep(
    digest: Digest,
    server: Server,
    reason: Annotated[str, typer.Option(help="Why; it is kept with the decision.")],
    *,
    yes: Yes = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what recalculating a stale result would change, and keep it as it is. Exit 0 kept, 1 refused or not stale."""
    from exchange.cli.calculate import run_keep
    from exchange.cli.partner import Login

    login = Login(server, client_id, secret_file, email, data)
    sys.exit(run_keep(login, digest, reason, yes=yes, as_json=as_json))


@calculation_app.command("beside")
def footprint_beside(
    european: Annotated[str, typer.Argument(metavar="EU-DIGEST", help="The result under eu-cfb-draft-2024-partial.")],
    chinese: Annotated[str, typer.Argument(metavar="CN-DIGEST", help="The same product's under cn-miit-551-trial.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what Article 7 (a) to (g) of the EU's battery regulation names beside the result under China's rules, and why they differ."""
    from exchange.cli.calculate import run_beside
    from exchange.cli.partner import Login

    sys.exit(run_beside(Login(server, client_id, secret_file, email, data), european, chinese, as_json=as_json))

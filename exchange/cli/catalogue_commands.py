"""The commands of ``packtrace product`` and ``packtrace part``; what they do is in `exchange.cli.catalogue`, imported when one runs."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from exchange.cli.options import ClientId, Data, Email, ForWhom, Json, SecretFile, Server, TokenFile

product_app = typer.Typer(no_args_is_help=True, help="Your products, as others may ask for them.")
part_app = typer.Typer(no_args_is_help=True, help="Which part of a customer's is which product of a supplier's.")

PartId = Annotated[str, typer.Argument(metavar="ID", help="Id of the mapping, from `part list`.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]


@product_app.command("put")
def product_put(
    uri: Annotated[str, typer.Argument(help="URI of the product, below your organisation's.")],
    server: Server,
    *,
    name: Annotated[str, typer.Option(help="Its name for people.")],
    unit: Annotated[str, typer.Option(help="The unit it is declared in: kg, piece, kWh.")],
    kind: Annotated[Literal["pack", "module", "cell", "material", "component"], typer.Option(help="What it is.")],
    organisation: ForWhom = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """State a product, or state it anew. Exit 0 stated, 1 refused."""
    from exchange.cli.catalogue import Connection, run_put

    product = {"uri": uri, "name": name, "unit": unit, "kind": kind}
    sys.exit(
        run_put(Connection(server, client_id, secret_file, email, token_file, data, as_json), product, organisation)
    )


@product_app.command("list")
def product_list(
    server: Server,
    *,
    limit: Limit = 1000,
    organisation: ForWhom = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List your products by URI."""
    from exchange.cli.catalogue import Connection, run_products

    sys.exit(
        run_products(Connection(server, client_id, secret_file, email, token_file, data, as_json), organisation, limit)
    )


@part_app.command("propose")
def part_propose(
    part: Annotated[str, typer.Argument(help="The customer's part number.")],
    product: Annotated[str, typer.Argument(help="URI of the supplier's product.")],
    server: Server,
    *,
    customer: Annotated[str, typer.Option(help="URI of the customer.")],
    supplier: Annotated[str, typer.Option(help="URI of the supplier.")],
    line: Annotated[str | None, typer.Option(help="The customer's product line that the part belongs to.")] = None,
    organisation: ForWhom = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Propose to the other side that this part is this product; what stands already is found. Exit 0 proposed, 1 refused."""
    from exchange.cli.catalogue import Connection, run_propose

    mapping = {"customer": customer, "part": part, "supplier": supplier, "product": product, "line": line}
    sys.exit(
        run_propose(Connection(server, client_id, secret_file, email, token_file, data, as_json), mapping, organisation)
    )


@part_app.command("list")
def part_list(
    server: Server,
    *,
    side: Annotated[
        Literal["customer", "supplier"], typer.Option(help="Your parts as a customer, or your products as a supplier.")
    ] = "customer",
    limit: Limit = 1000,
    organisation: ForWhom = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List mappings, the oldest first."""
    from exchange.cli.catalogue import Connection, run_parts

    sys.exit(
        run_parts(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), side, organisation, limit
        )
    )


@part_app.command("decide")
def part_decide(
    part: PartId,
    server: Server,
    *,
    confirm: Annotated[bool, typer.Option("--confirm/--refuse", help="What you decide.")],
    reason: Annotated[str, typer.Option(help="Why; the other side is shown it.")] = "",
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Confirm or refuse a mapping that the other side proposed."""
    from exchange.cli.catalogue import Connection, run_decide

    sys.exit(
        run_decide(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            part,
            confirm=confirm,
            reason=reason,
        )
    )


@part_app.command("end")
def part_end(
    part: PartId,
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """End a mapping, or take a proposal back."""
    from exchange.cli.catalogue import Connection, run_end

    sys.exit(run_end(Connection(server, client_id, secret_file, email, token_file, data, as_json), part))

"""The commands of ``packtrace product`` and ``packtrace part``; what they do is in `exchange.cli.catalogue`, imported when one runs."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import ForWhom

product_app = typer.Typer(no_args_is_help=True, help="Your products, as others may ask for them.")
part_app = typer.Typer(no_args_is_help=True, help="Which part of a customer's is which product of a supplier's.")

PartId = Annotated[str, typer.Argument(metavar="ID", help="Id of the mapping, from `part list`.")]
Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]


@product_app.command("put")
@connecting
def product_put(
    uri: Annotated[str, typer.Argument(help="URI of the product, below your organisation's.")],
    *,
    to: Connection,
    name: Annotated[str, typer.Option(help="Its name for people.")],
    unit: Annotated[str, typer.Option(help="The unit it is declared in: kg, piece, kWh.")],
    kind: Annotated[Literal["pack", "module", "cell", "material", "component"], typer.Option(help="What it is.")],
    organisation: ForWhom = None,
) -> None:
    """State a product, or state it anew. Exit 0 stated, 1 refused."""
    from exchange.cli.catalogue import run_put

    product = {"uri": uri, "name": name, "unit": unit, "kind": kind}
    sys.exit(run_put(to, product, organisation))


@product_app.command("list")
@connecting
def product_list(
    *,
    to: Connection,
    limit: Limit = 1000,
    organisation: ForWhom = None,
) -> None:
    """List your products by URI."""
    from exchange.cli.catalogue import run_products

    sys.exit(run_products(to, organisation, limit))


@part_app.command("propose")
@connecting
def part_propose(
    part: Annotated[str, typer.Argument(help="The customer's part number.")],
    product: Annotated[str, typer.Argument(help="URI of the supplier's product.")],
    *,
    to: Connection,
    customer: Annotated[str, typer.Option(help="URI of the customer.")],
    supplier: Annotated[str, typer.Option(help="URI of the supplier.")],
    line: Annotated[str | None, typer.Option(help="The customer's product line that the part belongs to.")] = None,
    organisation: ForWhom = None,
) -> None:
    """Propose to the other side that this part is this product; what stands already is found. Exit 0 proposed, 1 refused."""
    from exchange.cli.catalogue import run_propose

    mapping = {"customer": customer, "part": part, "supplier": supplier, "product": product, "line": line}
    sys.exit(run_propose(to, mapping, organisation))


@part_app.command("list")
@connecting
def part_list(
    *,
    to: Connection,
    side: Annotated[
        Literal["customer", "supplier"], typer.Option(help="Your parts as a customer, or your products as a supplier.")
    ] = "customer",
    limit: Limit = 1000,
    organisation: ForWhom = None,
) -> None:
    """List mappings, the oldest first."""
    from exchange.cli.catalogue import run_parts

    sys.exit(run_parts(to, side, organisation, limit))


@part_app.command("decide")
@connecting
def part_decide(
    part: PartId,
    *,
    to: Connection,
    confirm: Annotated[bool, typer.Option("--confirm/--refuse", help="What you decide.")],
    reason: Annotated[str, typer.Option(help="Why; the other side is shown it.")] = "",
) -> None:
    """Confirm or refuse a mapping that the other side proposed."""
    from exchange.cli.catalogue import run_decide

    sys.exit(
        run_decide(
            to,
            part,
            confirm=confirm,
            reason=reason,
        )
    )


@part_app.command("end")
@connecting
def part_end(
    part: PartId,
    *,
    to: Connection,
) -> None:
    """End a mapping, or take a proposal back."""
    from exchange.cli.catalogue import run_end

    sys.exit(run_end(to, part))

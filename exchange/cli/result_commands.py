"""Commands of ``packtrace footprint``: those that need no exchange, or its data folder alone, are here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.footprint_commands import calculation_app
from exchange.cli.options import (
    ClientId,
    Data,
    Email,
    Json,
    SecretFile,
    Server,
)

footprint_app = typer.Typer(no_args_is_help=True, help="Footprints.")
footprint_app.add_typer(calculation_app)


@footprint_app.command()
def solve(
    file: Annotated[Path, typer.Argument(help="A product-system file (JSON).")],
    rules: Annotated[str, typer.Option(help="Rule set: an id, or a file ending in .json.")],
    monte_carlo: Annotated[int, typer.Option(min=0, help="Draws of the uncertain amounts and factors; 0: none.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Compute a product system from a file, without a server. Exit 0 done, 1 refused by a finding."""
    from exchange.cli.footprint import run_solve
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_solve(file, rules, draws=monte_carlo, seed=seed, as_json=as_json)))


@footprint_app.command("draft")
def footprint_draft(
    digest: Annotated[str, typer.Argument(help="A result of the organisation's own product.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
) -> None:
    """Print the unsigned claims of a product-footprint by a result: a form to check, and to sign with `packtrace attest`."""
    from exchange.cli.calculate import run_draft
    from exchange.cli.partner import Login

    sys.exit(run_draft(Login(server, client_id, secret_file, email, data), digest))


@footprint_app.command()
def explain(
    file: Annotated[Path, typer.Argument(help="A result document, or a product-system file (JSON).")],
    *,
    rules: Annotated[str | None, typer.Option(help="Rule set of a product system: an id, or a file.")] = None,
    view: Annotated[Literal["tree", "paths", "sankey"], typer.Option(help="What to show.")] = "tree",
    figure: Annotated[
        str | None, typer.Option(help="Trace a figure of a result: headline, total, stages/ID or contributions/N.")
    ] = None,
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="Rows of the tree, or number of paths.")] = 40,
    cut_off: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the absolute emissions below which branches are summed up.")
    ] = 0.005,
    as_json: Json = False,
) -> None:
    """Show where a footprint comes from: contribution tree, supply paths, Sankey data, the trace of a figure."""
    from exchange.cli.explain import run_explain
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_explain(file, rules, view, figure, rows=rows, cut_off=cut_off, as_json=as_json)))


@footprint_app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="A result document, or a product-system file (JSON).")],
    second: Annotated[Path, typer.Argument(help="Another one of the same sort.")],
    *,
    rules: Annotated[str | None, typer.Option(help="Rule set of the product systems: an id, or a file.")] = None,
    monte_carlo: Annotated[int, typer.Option(min=0, help="Common draws of two product systems; 0: none.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
    as_json: Json = False,
) -> None:
    """Show why two footprints differ: which input, line, factor or rule, and by how much."""
    from exchange.cli.explain import run_compare
    from exchange.cli.guard import guarded

    sys.exit(guarded(lambda: run_compare(first, second, rules, draws=monte_carlo, seed=seed, as_json=as_json)))


@footprint_app.command()
def stale(
    reader: Annotated[str, typer.Option(help="URI of the organisation whose results are judged, by what it may see.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show which stored results newer statements, factors or rules make stale, and by how much."""
    from exchange.cli.stale import run_stale

    sys.exit(run_stale(reader, data, as_json=as_json))


@footprint_app.command()
def schema() -> None:
    """Print the JSON schema of product-system files."""
    from exchange.cli.footprint import run_schema

    sys.exit(run_schema())

"""The commands and their options; each hands over to a module of its own, imported when the command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Carbon-footprint data of the battery supply chain: signed, logged, computed, verified.",
)
ledger_app = typer.Typer(no_args_is_help=True, help="The transparency ledger.")
app.add_typer(ledger_app, name="ledger")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder (default .packtrace, or PACKTRACE_DATA).")]
Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; a free one if it is taken.")
]


def main() -> None:
    """Run the command line."""
    app(prog_name="packtrace")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Evidence file (.packtrace).")],
    trust: Annotated[
        Path | None, typer.Option(help="Trust file; without it the verdict is `trust on first use`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check an evidence file offline and compute its figures again. Exit 0 verified, 1 rejected, 3 not decidable."""
    from exchange.cli.verify import run

    sys.exit(run(file, trust, as_json=as_json))


@app.command()
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End after the run instead of serving the pages.")] = False,
    as_json: Json = False,
    data: Data = None,
    port: Port = None,
) -> None:
    """Play a real supply chain through the real code, verify its evidence, and serve the pages."""
    from exchange.cli.server_commands import run_demo

    sys.exit(run_demo(data, port, leave=leave, as_json=as_json))


@app.command()
def serve(data: Data = None, port: Port = None) -> None:
    """Serve the exchange on this machine until interrupted."""
    from exchange.cli.server_commands import run_serve

    sys.exit(run_serve(data, port))


@app.command()
def push(
    file: Annotated[Path, typer.Argument(help="A signed statement with its disclosures: <JWT>~<disclosure>~...~")],
    server: Annotated[str, typer.Option(help="Address of the exchange.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Submit a signed statement. Exit 0 admitted (or there before), 1 refused."""
    from exchange.cli.server_commands import run_push

    sys.exit(run_push(file, server, data, as_json=as_json))


@ledger_app.command()
def audit(data: Data = None, as_json: Json = False) -> None:
    """Rebuild the whole ledger from its entries and compare database and published files. Exit 1 names the first difference."""
    from exchange.cli.server_commands import run_audit

    sys.exit(run_audit(data, as_json=as_json))

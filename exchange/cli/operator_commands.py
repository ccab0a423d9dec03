"""Commands of whoever runs an exchange; what they do is in modules that are imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import (
    Data,
    Json,
)

operator_app = typer.Typer()
vault_app = typer.Typer(no_args_is_help=True, help="Encryption at rest.")

Port = Annotated[
    int | None, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; a free one if it is taken.")
]


@operator_app.command()
def demo(
    leave: Annotated[bool, typer.Option("--exit", help="End after the run instead of serving the pages.")] = False,
    as_json: Json = False,
    data: Data = None,
    port: Port = None,
) -> None:
    """Play a real supply chain through the real code, verify its evidence, and serve the pages."""
    from exchange.cli.server_commands import run_demo

    sys.exit(run_demo(data, port, leave=leave, as_json=as_json))


@operator_app.command()
def serve(data: Data = None, port: Port = None) -> None:
    """Serve the exchange on this machine until interrupted."""
    from exchange.cli.server_commands import run_serve

    sys.exit(run_serve(data, port))


@operator_app.command("split")
def split(
    folder: Annotated[Path, typer.Argument(help="Folder to make, or to bring up to date.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make the data folder of web processes: what they need of the worker's, and none of the keys that sign."""
    from exchange.cli.recovery import run_split

    sys.exit(run_split(data, folder, as_json=as_json))


@vault_app.command("rotate")
def vault_rotate(
    *,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="Another data folder that holds the master key, as that of web processes; several."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Let another master key follow, while servers run; run again, it goes on where it was cut."""
    from exchange.cli.recovery import run_vault_rotate

    sys.exit(run_vault_rotate(data, also or [], as_json=as_json))


@operator_app.command()
@connecting
def erase(
    leaf_hash: Annotated[str, typer.Argument(metavar="LEAFHASH", help="The statement, by its leaf hash.")],
    *,
    to: Connection,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking.")] = False,
) -> None:
    """Erase what the exchange holds of a statement of yours beside the ledger, for good. Exit 0 erased, 1 refused."""
    from exchange.cli.catalogue import run_erase

    if not yes:
        typer.confirm("its disclosures, and every result made from them, go for good; erase?", abort=True, err=True)
    sys.exit(run_erase(to, leaf_hash))


@operator_app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="Folder to make; it must not exist.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Copy database and data folder while the exchange runs."""
    from exchange.cli.recovery import run_backup

    sys.exit(run_backup(data, folder, as_json=as_json))


@operator_app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `packtrace backup` made.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put a backup into an empty database and audit it; what is left of the data folder stays."""
    from exchange.cli.recovery import run_restore

    sys.exit(run_restore(data, folder, as_json=as_json))

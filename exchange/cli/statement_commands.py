"""Commands of ``packtrace statement``; what they do is in modules that are imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import (
    Json,
    Passphrase,
    StatementFile,
)
from exchange.cli.retraction_commands import retraction_app

statement_app = typer.Typer(no_args_is_help=True, help="Signed statements.")
statement_app.add_typer(retraction_app)


@statement_app.command("show")
def statement_show(file: StatementFile, as_json: Json = False) -> None:
    """Show what a statement says, verifying nothing."""
    from exchange.cli.statement import run_show

    sys.exit(run_show(file, as_json=as_json))


@statement_app.command("verify")
def statement_verify(
    file: StatementFile,
    trust: Annotated[Path, typer.Option(help="Trust file of the ledger.")],
    cited: Annotated[
        Path | None, typer.Option(help="Folder of cited statements (*.sd-jwt): verify them too, and show the tree.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify a statement offline: signature, certificate, form. Exit 0 verified, 1 rejected, 3 not decidable."""
    from exchange.cli.statement import run_verify

    sys.exit(run_verify(file, trust, cited, as_json=as_json))


@statement_app.command("verify-all")
def statement_verify_all(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Statements with their disclosures, one in each line.")],
    trust: Annotated[Path, typer.Option(help="Trust file of the ledger.")],
    jobs: Annotated[int | None, typer.Option(min=1, max=256, help="Processes; else one for each core.")] = None,
) -> None:
    """Verify a stream of statements on all cores; a JSON object for each, in order. Exit 0, 1 one is rejected, 3 not decidable."""
    from exchange.cli.statement_stream import run_verify_all

    sys.exit(run_verify_all(file, trust, jobs))


@statement_app.command("seal")
def statement_seal(
    file: StatementFile,
    reader: Annotated[Path, typer.Option("--for", help="The reader's certificate (PATH.crt), of an ES256 key.")],
    out: Annotated[Path, typer.Option(help="File for the sealed statement.")],
) -> None:
    """Encrypt a statement with its disclosures to one reader's enrolled key, to hand it over beside the exchange."""
    from exchange.cli.handover import run_seal

    sys.exit(run_seal(file, reader, out))


@statement_app.command("open")
def statement_open(
    file: Annotated[Path, typer.Argument(help="A sealed statement.")],
    key: Annotated[Path, typer.Option(help="Your key file, that it was sealed to.")],
    out: Annotated[Path, typer.Option(help="File for the statement with its disclosures.")],
    passphrase_fd: Passphrase = None,
) -> None:
    """Decrypt a statement that was sealed to your key."""
    from exchange.cli.handover import run_open

    sys.exit(run_open(file, key, out, passphrase_fd))

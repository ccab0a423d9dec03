"""Commands of ``packtrace key``; what they do is in modules that are imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.options import (
    Json,
    KeyFile,
    Organisation,
    Passphrase,
)

key_app = typer.Typer(no_args_is_help=True, help="Your organisation's signing key, on your machine.")


@key_app.command("new")
def key_new(
    path: KeyFile,
    organisation: Organisation,
    algorithm: Annotated[Literal["ES256", "Ed25519"], typer.Option(help="Signature algorithm.")] = "ES256",
    passphrase_fd: Passphrase = None,
) -> None:
    """Make a key, and beside it the request for its certificate (PATH.csr). Never overwrites."""
    from exchange.cli.key import run_new

    sys.exit(run_new(path, organisation, algorithm, passphrase_fd))


@key_app.command("csr")
def key_csr(
    path: KeyFile,
    organisation: Organisation,
    audience: Annotated[
        str | None, typer.Option(help="Also prove to this ledger (its origin) that the key is yours.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the request; else it is printed.")] = None,
    passphrase_fd: Passphrase = None,
) -> None:
    """Make the request for a certificate again."""
    from exchange.cli.key import run_csr

    sys.exit(run_csr(path, organisation, audience, out, passphrase_fd))


@key_app.command("show")
def key_show(path: KeyFile, passphrase_fd: Passphrase = None, as_json: Json = False) -> None:
    """Show algorithm, thumbprint and certificate of a key; nothing secret."""
    from exchange.cli.key import run_show

    sys.exit(run_show(path, passphrase_fd, as_json=as_json))

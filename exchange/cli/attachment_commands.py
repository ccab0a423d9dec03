"""The commands of ``packtrace attachment`` and their options; what they do is in `exchange.cli.attachment`, imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import AsReader, ForWhom, Json

attachment_app = typer.Typer(no_args_is_help=True, help="Files that figures rest on: meter bills, test reports.")

Files = Annotated[list[Path], typer.Argument(help="Files; the salt of each lies beside it as FILE.salt.")]
Digest = Annotated[str, typer.Argument(help="The digest in the line's `evidence`.")]


@attachment_app.command("digest")
def attachment_digest(files: Files, *, as_json: Json = False) -> None:
    """Print the digests to write into a form's `evidence`, and make the salts. No network."""
    from exchange.cli.attachment import run_digest

    sys.exit(run_digest(files, as_json=as_json))


@attachment_app.command("check")
def attachment_check(
    digest: Digest,
    file: Annotated[Path, typer.Argument(help="The file; without FILE.salt beside it, it begins with its salt.")],
    *,
    as_json: Json = False,
) -> None:
    """Check that a file is what a digest names. Exit 0 it is, 1 it isn't. No network."""
    from exchange.cli.attachment import run_check

    sys.exit(run_check(digest, file, as_json=as_json))


@attachment_app.command("add")
@connecting
def attachment_add(
    files: Files,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Hand in files that your statements name. Exit 0 stored (or there before), 1 refused."""
    from exchange.cli.attachment import run_add

    sys.exit(run_add(to, files, organisation))


@attachment_app.command("get")
@connecting
def attachment_get(
    digest: Digest,
    *,
    to: Connection,
    out: Annotated[Path, typer.Option(help="File to write; its salt goes beside it as FILE.salt.")],
    reader: AsReader = None,
) -> None:
    """Fetch a file that you handed in or were granted, and check it. Exit 0 it is what the digest names, 1 refused."""
    from exchange.cli.attachment import run_get

    sys.exit(run_get(to, digest, out, reader))


@attachment_app.command("list")
@connecting
def attachment_list(
    *,
    to: Connection,
    statement: Annotated[
        str | None, typer.Option(help="Leaf hash: what this statement names and you may have; else what you handed in.")
    ] = None,
    reader: AsReader = None,
) -> None:
    """List files."""
    from exchange.cli.attachment import run_list

    sys.exit(run_list(to, statement, reader))


@attachment_app.command("remove")
@connecting
def attachment_remove(
    digest: Digest,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Erase a file that you handed in, for good; the statement that names it stays. Exit 0 erased, 1 refused."""
    from exchange.cli.attachment import run_remove

    sys.exit(run_remove(to, digest, organisation))

"""Commands of ``packtrace ledger``; what they do is in modules that are imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import (
    Data,
    Json,
)

ledger_app = typer.Typer(no_args_is_help=True, help="The transparency ledger.")
ledger_key_app = typer.Typer(no_args_is_help=True, help="The key that signs checkpoints.")
ledger_app.add_typer(ledger_key_app, name="key")

Published = Annotated[
    str | None,
    typer.Option("--from", help="Read a published log, its files alone: a folder or an address; else the database."),
]
LogTrust = Annotated[
    Path | None, typer.Option("--trust", help="Trust file of the published log; else that of the data folder.")
]


@ledger_app.command()
def audit(
    *,
    data: Data = None,
    folder: Annotated[
        Path | None, typer.Option(help="A copy of the published log to compare, instead of the data folder's own.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint that was kept: the log must be an extension of it.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Address of a published log (the folder of `checkpoint`) to compare.")
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help="Believe this trust file and open no database: compare --url with --checkpoint."),
    ] = None,
    stall_seconds: Annotated[
        float, typer.Option(min=0, help="What was signed so long ago must be shown at --url.")
    ] = 60,
    stall_entries: Annotated[
        int | None, typer.Option(min=0, help="So many signed entries may be missing at --url.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rebuild the whole ledger from its entries and compare database, published files and what others keep of it.

    Exit 1 names the first difference: a place in the log, `rollback`, `fork` or `stall`.
    """
    from exchange.cli.audit import AuditOrder, run_audit

    order = AuditOrder(folder, url, checkpoint, trust, stall_seconds, stall_entries)
    sys.exit(run_audit(data, order, as_json=as_json))


@ledger_app.command("publish")
def ledger_publish(
    folder: Annotated[Path, typer.Argument(help="Folder of the copy; made, or brought up to date.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the published log as static files that any web server can serve; signs nothing and overwrites no tile."""
    from exchange.cli.audit import run_publish

    sys.exit(run_publish(data, folder, as_json=as_json))


@ledger_key_app.command("rotate")
def ledger_key_rotate(data: Data = None) -> None:
    """Make the log's next key; from the next start both keys sign, and the trust file names both."""
    from exchange.cli.recovery import run_rotate

    sys.exit(run_rotate(data))


@ledger_key_app.command("retire")
def ledger_key_retire(data: Data = None) -> None:
    """End the log's old key after a rotation; from the next start only the new one signs."""
    from exchange.cli.recovery import run_retire

    sys.exit(run_retire(data))


@ledger_app.command()
def succeed(
    old: Annotated[str, typer.Argument(metavar="ORIGIN", help="Name of the log whose database is lost.")],
    origin: Annotated[str | None, typer.Option(help="Name of the new log; made up without it.")] = None,
    data: Data = None,
) -> None:
    """After the loss of its database: freeze a log for ever, and found another that names it as predecessor."""
    from exchange.cli.recovery import run_succeed

    sys.exit(run_succeed(data, old, origin))


@ledger_app.command("proof")
def ledger_proof(
    entry: Annotated[str, typer.Argument(help="Index of the entry, or its leaf hash (64 hex digits).")],
    *,
    size: Annotated[int | None, typer.Option(min=0, help="A published size to prove to; else the newest.")] = None,
    out: Annotated[Path | None, typer.Option(help="File for the proof (.tlog-proof); else it is printed.")] = None,
    published: Published = None,
    trust: LogTrust = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Prove that an entry stands in the log: a proof file that others can check. Exit 0 proven, 1 refused, 2 usage."""
    from exchange.cli.ledger import Source, run_proof

    sys.exit(run_proof(Source(published, trust, data), entry, size, out, as_json=as_json))


@ledger_app.command("consistency")
def ledger_consistency(
    old: Annotated[int, typer.Argument(min=0, help="The smaller size.")],
    new: Annotated[int, typer.Argument(min=0, help="The larger size.")],
    *,
    published: Published = None,
    trust: LogTrust = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Prove that the log's first OLD entries are a prefix of its first NEW. Exit 0 proven, 1 refused, 2 usage."""
    from exchange.cli.ledger import Source, run_consistency

    sys.exit(run_consistency(Source(published, trust, data), old, new, as_json=as_json))


@ledger_app.command()
def policy(data: Data = None, as_json: Json = False) -> None:
    """Print the witness policy (tlog-policy) by which others judge this log's checkpoints: its key, its witnesses, their quorum."""
    from exchange.cli.witness import run_policy

    sys.exit(run_policy(data, as_json=as_json))


@ledger_app.command()
def witness(
    folder: Annotated[Path, typer.Argument(help="The witness's own folder: its key and what it has seen.")],
    policy: Annotated[Path, typer.Option(help="File (tlog-policy) whose log lines name the logs to witness.")],
    name: Annotated[
        str | None, typer.Option(help="Name of a new witness, a URL without scheme: witness.your.example/w1.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 8552,
) -> None:
    """Witness other people's logs: cosign what extends all that was seen, until interrupted."""
    from exchange.cli.witness import run_witness

    sys.exit(run_witness(folder, policy, name, host, port))

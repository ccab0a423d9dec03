"""Commands of whoever checks evidence: ``packtrace verify``, ``replay`` and ``bundle``; what they do is imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import ClientId, Data, Email, Json, Passphrase, SecretFile

auditor_app = typer.Typer()

Trust = Annotated[
    Path | None,
    typer.Option(help="Trust file, or a folder of accepted ones; without it the verdict is `trust on first use`."),
]
WitnessPolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="Witness policy (tlog-policy) that the checkpoint has to satisfy.")
]
Key = Annotated[Path | None, typer.Option(help="Your key file, where the file is encrypted to it.")]


@auditor_app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Evidence file (.packtrace).")],
    trust: Trust = None,
    policy: WitnessPolicyFile = None,
    key: Key = None,
    *,
    passphrase_fd: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Check an evidence file offline and compute its figures again. Exit 0 verified, 1 rejected, 3 not decidable."""
    from exchange.cli.verify import Check, run

    sys.exit(run(Check(file, trust, policy, key, passphrase_fd), as_json=as_json))


@auditor_app.command()
def replay(
    result: Annotated[str, typer.Argument(metavar="RESULT", help="The result, by its digest.")],
    *,
    evidence: Annotated[Path | None, typer.Option(help="Evidence file that holds it.")] = None,
    server: Annotated[
        str | None, typer.Option(help="Address of an exchange; its evidence is fetched from there.")
    ] = None,
    reader: Annotated[str | None, typer.Option(help="As whom, by URI; else yourself.")] = None,
    trust: Trust = None,
    key: Key = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    passphrase_fd: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Compute a stored result again from exactly what it was made from, and compare every figure.

    Exit 0 every figure agrees, 1 one doesn't, 3 not decidable: inputs erased, another engine version, no trust file.
    """
    from exchange.cli.replay import Source, run_replay

    source = Source(evidence, server, reader, client_id, secret_file, email, data)
    sys.exit(run_replay(result, source, trust, key, passphrase_fd, as_json=as_json))


@auditor_app.command()
def bundle(
    results: Annotated[list[str], typer.Argument(metavar="RESULT...", help="Results, by their digests.")],
    out: Annotated[Path, typer.Option(help="The evidence file to write (.packtrace); it must not exist.")],
    server: Annotated[str, typer.Option(help="Address of the exchange.")],
    *,
    reader: Annotated[str | None, typer.Option(help="For whom, by URI; else yourself.")] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt it to the key that the reader enrolled last.")
    ] = False,
    attachments: Annotated[
        bool,
        typer.Option(
            "--attachments", help="With the bills and reports that its statements name, where they are granted."
        ),
    ] = False,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write one file with which a reader checks results offline. What it is given is logged for the owners."""
    from exchange.cli.partner import Login
    from exchange.cli.replay import Bundle, run_bundle

    login = Login(server, client_id, secret_file, email, data)
    sys.exit(run_bundle(Bundle(results, out, reader, encrypt, attachments), login, as_json=as_json))

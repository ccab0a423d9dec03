"""The commands of ``packtrace trust``: whom a verifier believes, and how that changes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import Json, Passphrase

trust_app = typer.Typer(no_args_is_help=True, help="Trust files: whom a verifier believes.")
TrustPath = Annotated[Path, typer.Argument(metavar="FILE", help="Trust file, or a folder of accepted ones.")]


@trust_app.command("show")
def trust_show(file: TrustPath, *, as_json: Json = False) -> None:
    """Print a trust file's fingerprint, what it trusts, and until when."""
    from exchange.cli.trust import run_show

    sys.exit(run_show(file, as_json=as_json))


@trust_app.command("check")
def trust_check(
    old: Annotated[Path, typer.Argument(help="Trust file that you believe, or the folder of accepted ones.")],
    new: Annotated[Path, typer.Argument(help="Trust file that is to follow it.")],
    *,
    signature: Annotated[Path | None, typer.Option(help="Its signature; else NEW.sig.")] = None,
    as_json: Json = False,
) -> None:
    """Say whether a trust file rightfully follows another, and what changes. Exit 0 it does, 1 not, 3 versions are missing."""
    from exchange.cli.trust import run_check

    sys.exit(run_check(old, new, signature, as_json=as_json))


@trust_app.command("accept")
def trust_accept(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Trust files in their order, FILE.sig beside each.")
    ],
    folder: Annotated[Path, typer.Option(help="Folder that keeps what was accepted; `--trust` takes it.")],
    *,
    fingerprint: Annotated[
        str | None, typer.Option(help="The first file's, as you have it over two independent channels.")
    ] = None,
) -> None:
    """Accept trust files: the first by its fingerprint, each later one as the rightful next version. Never goes back."""
    from exchange.cli.trust import run_accept

    sys.exit(run_accept(files, folder, fingerprint))


@trust_app.command("key")
def trust_key(
    path: Annotated[Path, typer.Argument(help="Key file to make.")],
    name: Annotated[str, typer.Option(help="Name of the key, such as trust.you.example/a.")],
    *,
    passphrase_fd: Passphrase = None,
) -> None:
    """Make a key that signs trust files, and print its line for --next-key."""
    from exchange.cli.trust import run_key

    sys.exit(run_key(path, name, passphrase_fd))


@trust_app.command("publish")
def trust_publish(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="Trust file in the exchange's data folder.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")],
    expires: Annotated[str, typer.Option(help="When it ends: 2027-12-31, or 2027-12-31T00:00:00Z.")],
    *,
    previous: Annotated[Path | None, typer.Option(help="The version before; without it, this is the first.")] = None,
    witness_policy: Annotated[Path | None, typer.Option(help="Witness policy (tlog-policy) to require.")] = None,
    time_authority: Annotated[
        list[Path] | None, typer.Option(help="Root of a timestamping authority (PEM); can be repeated.")
    ] = None,
    publisher: Annotated[
        list[str] | None, typer.Option(help="KIND=URI: whose signed releases count; can be repeated.")
    ] = None,
    next_key: Annotated[
        list[str] | None, typer.Option(help="Key that may sign the next version; can be repeated.")
    ] = None,
    next_threshold: Annotated[int | None, typer.Option(min=1, help="How many of them have to.")] = None,
    max_snapshot_days: Annotated[
        int | None,
        typer.Option(min=0, help="How many days older than the checkpoint the newest status snapshot may be; 0: any."),
    ] = None,
) -> None:
    """Write the next version of the trust file: the log's anchors from FROM, all else from the version before unless named."""
    from exchange.cli.trust import Wanted, run_publish

    wanted = Wanted(
        expires,
        witness_policy,
        time_authority or (),
        publisher or (),
        next_key or (),
        next_threshold,
        max_snapshot_days,
    )
    sys.exit(run_publish(source, out, previous, wanted))


@trust_app.command("sign")
def trust_sign(
    file: Annotated[Path, typer.Argument(help="Trust file.")],
    key: Annotated[Path, typer.Option(help="Key file, from `packtrace trust key`.")],
    *,
    previous: Annotated[Path | None, typer.Option(help="The version before, where it alone names the key.")] = None,
    passphrase_fd: Passphrase = None,
) -> None:
    """Add a key's signature to FILE.sig."""
    from exchange.cli.trust import run_sign

    sys.exit(run_sign(file, key, previous, passphrase_fd))

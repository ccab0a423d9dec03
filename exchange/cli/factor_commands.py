"""The commands of ``packtrace factor`` and their options; what they do is in `exchange.cli.factor`, imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import ForWhom

factor_app = typer.Typer(no_args_is_help=True, help="Factor releases under review, and industry averages.")

ProposalId = Annotated[str, typer.Argument(metavar="PROPOSAL", help="Id of the proposal.")]
Key = Annotated[str, typer.Option(help="Signing key on this machine: file:PATH.")]
PassphraseFd = Annotated[
    int | None, typer.Option("--passphrase-fd", min=0, help="File descriptor to read the key's passphrase from.")
]


@factor_app.command("propose")
@connecting
def factor_propose(
    file: Annotated[Path, typer.Argument(help="Factor release file (.json).")],
    *,
    to: Connection,
    panel: Annotated[int, typer.Option(min=0, help="Reviews that have to count, where more than the rules ask.")] = 0,
    accept: Annotated[int, typer.Option(min=0, help="Reviews that have to accept it, likewise.")] = 0,
    organisation: ForWhom = None,
) -> None:
    """Propose a factor release for review. Exit 0 proposed, 1 refused."""
    from exchange.cli.factor import run_propose

    sys.exit(run_propose(to, file, panel, accept, organisation))


@factor_app.command("list")
@connecting
def factor_list(
    *,
    to: Connection,
) -> None:
    """List proposed, published and withdrawn releases, newest first."""
    from exchange.cli.factor import run_list

    sys.exit(run_list(to))


@factor_app.command("show")
@connecting
def factor_show(
    proposal: ProposalId,
    *,
    to: Connection,
) -> None:
    """Show a proposal: what it lacks, and its reviews for whoever may see them."""
    from exchange.cli.factor import run_show

    sys.exit(run_show(to, proposal))


@factor_app.command("file")
@connecting
def factor_file(
    proposal: ProposalId,
    out: Annotated[Path, typer.Option(help="File for the release; it isn't there yet.")],
    *,
    to: Connection,
) -> None:
    """Write the file of a proposed release, whose digest is checked."""
    from exchange.cli.factor import run_file

    sys.exit(run_file(to, proposal, out))


@factor_app.command("diff")
@connecting
def factor_diff(
    proposal: ProposalId,
    *,
    to: Connection,
) -> None:
    """Show how a proposed release differs from the one that it follows."""
    from exchange.cli.factor import run_diff

    sys.exit(run_diff(to, proposal))


@factor_app.command("effect")
@connecting
def factor_effect(
    proposal: ProposalId,
    *,
    to: Connection,
) -> None:
    """Show what a proposed release moves in one's own results, with progress."""
    from exchange.cli.factor import run_effect

    sys.exit(run_effect(to, proposal))


@factor_app.command("publish")
@connecting
def factor_publish(
    proposal: ProposalId,
    key: Key,
    *,
    to: Connection,
    passphrase_fd: PassphraseFd = None,
) -> None:
    """Publish a reviewed release: sign its digest and the reviews that count, and hand it in. Exit 0 published, 1 refused."""
    from exchange.cli.factor import run_publish

    sys.exit(run_publish(to, proposal, key, passphrase_fd))


@factor_app.command("withdraw")
@connecting
def factor_withdraw(
    proposal: ProposalId,
    key: Key,
    reason: Annotated[str, typer.Option(help="Why; everybody is shown it.")],
    *,
    to: Connection,
    passphrase_fd: PassphraseFd = None,
) -> None:
    """Withdraw a published release, signed; or take a proposal back with `factor drop`."""
    from exchange.cli.factor import run_withdraw

    sys.exit(run_withdraw(to, proposal, reason, key, passphrase_fd))


@factor_app.command("drop")
@connecting
def factor_drop(
    proposal: ProposalId,
    *,
    to: Connection,
) -> None:
    """Take a proposal back."""
    from exchange.cli.factor import run_drop

    sys.exit(run_drop(to, proposal))


@factor_app.command("average")
@connecting
def factor_average(
    flow: Annotated[str, typer.Argument(help="Flow, as factor releases name it.")],
    region: Annotated[str, typer.Argument(help="Where it was made: CN.")],
    year: Annotated[int, typer.Argument(help="Of which year's verified footprints.")],
    *,
    to: Connection,
    unit: Annotated[str | None, typer.Option(help="The unit that is expected; another one is refused.")] = None,
) -> None:
    """Make an edition of an industry average, as the operator. Exit 0 made (or made before), 1 withheld."""
    from exchange.cli.factor import run_average

    sys.exit(run_average(to, flow, region, year, unit))


@factor_app.command("averages")
@connecting
def factor_averages(
    *,
    to: Connection,
    flow: Annotated[str | None, typer.Option(help="Of this flow alone.")] = None,
) -> None:
    """List the editions of industry averages."""
    from exchange.cli.factor import run_averages

    sys.exit(run_averages(to, flow))

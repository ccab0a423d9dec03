"""The commands of ``packtrace factor`` and their options; what they do is in `exchange.cli.factor`, imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import ClientId, Data, Email, Json, SecretFile, Server

factor_app = typer.Typer(no_args_is_help=True, help="Factor releases under review, and industry averages.")

TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with an access token; else the data folder's token is sent.")
]
For = Annotated[
    str | None, typer.Option("--organisation", help="For whom, where the data folder's token is sent: its URI.")
]
ProposalId = Annotated[str, typer.Argument(metavar="PROPOSAL", help="Id of the proposal.")]
Key = Annotated[str, typer.Option(help="Signing key on this machine: file:PATH.")]
PassphraseFd = Annotated[
    int | None, typer.Option("--passphrase-fd", min=0, help="File descriptor to read the key's passphrase from.")
]


@factor_app.command("propose")
def factor_propose(
    file: Annotated[Path, typer.Argument(help="Factor release file (.json).")],
    server: Server,
    *,
    panel: Annotated[int, typer.Option(min=0, help="Reviews that have to count, where more than the rules ask.")] = 0,
    accept: Annotated[int, typer.Option(min=0, help="Reviews that have to accept it, likewise.")] = 0,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Propose a factor release for review. Exit 0 proposed, 1 refused."""
    from exchange.cli.factor import run_propose
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_propose(to, file, panel, accept, organisation))


@factor_app.command("list")
def factor_list(
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List proposed, published and withdrawn releases, newest first."""
    from exchange.cli.factor import run_list
    from exchange.cli.request import Connection

    sys.exit(run_list(Connection(server, client_id, secret_file, email, token_file, data, as_json)))


@factor_app.command("show")
def factor_show(
    proposal: ProposalId,
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show a proposal: what it lacks, and its reviews for whoever may see them."""
    from exchange.cli.factor import run_show
    from exchange.cli.request import Connection

    sys.exit(run_show(Connection(server, client_id, secret_file, email, token_file, data, as_json), proposal))


@factor_app.command("file")
def factor_file(
    proposal: ProposalId,
    server: Server,
    out: Annotated[Path, typer.Option(help="File for the release; it isn't there yet.")],
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the file of a proposed release, whose digest is checked."""
    from exchange.cli.factor import run_file
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_file(to, proposal, out))


@factor_app.command("diff")
def factor_diff(
    proposal: ProposalId,
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show how a proposed release differs from the one that it follows."""
    from exchange.cli.factor import run_diff
    from exchange.cli.request import Connection

    sys.exit(run_diff(Connection(server, client_id, secret_file, email, token_file, data, as_json), proposal))


@factor_app.command("effect")
def factor_effect(
    proposal: ProposalId,
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show what a proposed release moves in one's own results, with progress."""
    from exchange.cli.factor import run_effect
    from exchange.cli.request import Connection

    sys.exit(run_effect(Connection(server, client_id, secret_file, email, token_file, data, as_json), proposal))


@factor_app.command("publish")
def factor_publish(
    proposal: ProposalId,
    server: Server,
    key: Key,
    *,
    passphrase_fd: PassphraseFd = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Publish a reviewed release: sign its digest and the reviews that count, and hand it in. Exit 0 published, 1 refused."""
    from exchange.cli.factor import run_publish
    from exchange.cli.request import Connection

    sys.exit(
        run_publish(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), proposal, key, passphrase_fd
        )
    )


@factor_app.command("withdraw")
def factor_withdraw(
    proposal: ProposalId,
    server: Server,
    key: Key,
    reason: Annotated[str, typer.Option(help="Why; everybody is shown it.")],
    *,
    passphrase_fd: PassphraseFd = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Withdraw a published release, signed; or take a proposal back with `factor drop`."""
    from exchange.cli.factor import run_withdraw
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_withdraw(to, proposal, reason, key, passphrase_fd))


@factor_app.command("drop")
def factor_drop(
    proposal: ProposalId,
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take a proposal back."""
    from exchange.cli.factor import run_drop
    from exchange.cli.request import Connection

    sys.exit(run_drop(Connection(server, client_id, secret_file, email, token_file, data, as_json), proposal))


@factor_app.command("average")
def factor_average(
    flow: Annotated[str, typer.Argument(help="Flow, as factor releases name it.")],
    region: Annotated[str, typer.Argument(help="Where it was made: CN.")],
    year: Annotated[int, typer.Argument(help="Of which year's verified footprints.")],
    server: Server,
    *,
    unit: Annotated[str | None, typer.Option(help="The unit that is expected; another one is refused.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make an edition of an industry average, as the operator. Exit 0 made (or made before), 1 withheld."""
    from exchange.cli.factor import run_average
    from exchange.cli.request import Connection

    sys.exit(
        run_average(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), flow, region, year, unit
        )
    )


@factor_app.command("averages")
def factor_averages(
    server: Server,
    *,
    flow: Annotated[str | None, typer.Option(help="Of this flow alone.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List the editions of industry averages."""
    from exchange.cli.factor import run_averages
    from exchange.cli.request import Connection

    sys.exit(run_averages(Connection(server, client_id, secret_file, email, token_file, data, as_json), flow))

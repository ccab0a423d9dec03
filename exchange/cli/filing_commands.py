"""The commands of ``packtrace filing`` and ``packtrace authority`` and their options; what they do is in `exchange.cli.filing`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.options import ClientId, Data, Email, Json, SecretFile, Server

filing_app = typer.Typer(no_args_is_help=True, help="Filings: duties, steps, the platform's result, public statuses.")
authority_app = typer.Typer(no_args_is_help=True, help="What an authority sees over all filings.")

TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with an access token; else the data folder's token is sent.")
]
For = Annotated[
    str | None, typer.Option("--organisation", help="For whom, where the data folder's token is sent: its URI.")
]
FilingId = Annotated[str, typer.Argument(metavar="FILING", help="Id of the filing.")]
MaybeFiling = Annotated[str | None, typer.Argument(metavar="[FILING]", help="Id of the filing; register has none yet.")]
StepName = Annotated[
    str,
    typer.Argument(
        metavar="STEP",
        help="register, plan, complete, calculate, export, platform, submit, file, review, answer, amend, withdraw.",
    ),
]
OfProduct = Annotated[str | None, typer.Option("--product", help="The model to register: its product URI.")]
State = Annotated[str | None, typer.Option("--state", help="Those in this state alone: filed, for instance.")]


@filing_app.command("duties")
def filing_duties(
    server: Server,
    organisation: For = None,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """What you have to file, model by model. Exit 0 nothing lacks, 1 something does."""
    from exchange.cli.filing import run_duties
    from exchange.cli.request import Connection

    sys.exit(run_duties(Connection(server, client_id, secret_file, email, token_file, data, as_json), organisation))


@filing_app.command("list")
def filing_list(
    server: Server,
    *,
    box: Annotated[Literal["filer", "verifier"], typer.Option(help="Your own, or those that you verify.")] = "filer",
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List filings."""
    from exchange.cli.filing import run_list
    from exchange.cli.request import Connection

    sys.exit(
        run_list(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            box,
            organisation,
            limit,
            {"state": state},
        )
    )


@filing_app.command("show")
def filing_show(
    filing: FilingId,
    server: Server,
    *,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show a filing: its chain of signed statements, remarks, and what comes next."""
    from exchange.cli.filing import run_show
    from exchange.cli.request import Connection

    sys.exit(
        run_show(Connection(server, client_id, secret_file, email, token_file, data, as_json), filing, organisation)
    )


@filing_app.command("statements")
def filing_statements(
    filing: FilingId,
    server: Server,
    *,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List a filing's signed statements; with --json whole, to check them offline."""
    from exchange.cli.filing import run_statements
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_statements(to, filing, organisation))


@filing_app.command("remarks")
def filing_remarks(
    server: Server,
    *,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """The remarks of reviews that are for you as a maintainer of factors or rules."""
    from exchange.cli.filing import run_remarks_to
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_remarks_to(to, organisation))


@filing_app.command("draft")
def filing_draft(
    step: StepName,
    server: Server,
    filing: MaybeFiling = None,
    *,
    product: OfProduct = None,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = True,
) -> None:
    """Print kind and claims of a step, as far as the exchange knows them."""
    from exchange.cli.filing import run_draft
    from exchange.cli.request import Connection

    sys.exit(
        run_draft(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            step,
            filing,
            product,
            organisation,
        )
    )


@filing_app.command("step")
def filing_step(
    step: StepName,
    server: Server,
    key: Annotated[str, typer.Option(help="Your key: file:PATH.")],
    filing: MaybeFiling = None,
    *,
    product: OfProduct = None,
    claims: Annotated[
        Path | None, typer.Option(help="JSON file with the claims that the exchange doesn't know.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    passphrase_fd: Annotated[
        int | None, typer.Option(help="File descriptor to read the key's passphrase from.")
    ] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take a step: draft it, show it, sign it with your key, hand it in. Exit 0 taken, 1 refused."""
    from exchange.cli.filing import Signing, run_step
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    signing = Signing(key, passphrase_fd, yes)
    sys.exit(run_step(to, step, filing, product=product, claims=claims, signing=signing))


@filing_app.command("export")
def filing_export(
    filing: FilingId,
    server: Server,
    out: Annotated[Path, typer.Option(help="File for the export; it isn't there yet.")],
    *,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write the export for the designated platform."""
    from exchange.cli.filing import run_export
    from exchange.cli.request import Connection

    sys.exit(
        run_export(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), filing, out, organisation
        )
    )


@filing_app.command("reconcile")
def filing_reconcile(
    filing: FilingId,
    server: Server,
    *,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Our result beside the platform's, line by line. Exit 0 fileable, 1 a difference isn't explained."""
    from exchange.cli.filing import run_reconcile
    from exchange.cli.request import Connection

    sys.exit(
        run_reconcile(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), filing, organisation
        )
    )


@filing_app.command("publish")
def filing_publish(
    filing: FilingId,
    server: Server,
    *,
    figure: Annotated[bool, typer.Option("--figure", help="Publish the figure too.")] = False,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make the model's status public."""
    from exchange.cli.filing import run_publish
    from exchange.cli.request import Connection

    sys.exit(
        run_publish(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            filing,
            organisation,
            figure=figure,
        )
    )


@filing_app.command("unpublish")
def filing_unpublish(
    filing: FilingId,
    server: Server,
    *,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Take the public status back."""
    from exchange.cli.filing import run_unpublish
    from exchange.cli.request import Connection

    sys.exit(
        run_unpublish(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), filing, organisation
        )
    )


@filing_app.command("status")
def filing_status(
    publication: Annotated[str, typer.Argument(metavar="PUBLICATION", help="Id of the publication.")],
    server: Server,
    *,
    out: Annotated[Path | None, typer.Option(help="File to keep it in; it isn't there yet.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Fetch a model's public status; check-status checks the file."""
    from exchange.cli.filing import run_status
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_status(to, publication, out))


@filing_app.command("status-list")
def filing_status_list(
    server: Server,
    *,
    out: Annotated[Path | None, typer.Option(help="File to keep it in; it isn't there yet.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """The public statuses of which copies count no more: withdrawn, or gone back; check-status --list takes the file."""
    from exchange.cli.filing import run_status_list
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_status_list(to, out))


@filing_app.command("check-status")
def filing_check_status(
    file: Annotated[Path, typer.Argument(help="A public status as it was fetched (JSON).")],
    trust: Annotated[Path, typer.Option(help="Trust file of the ledger.")],
    listed: Annotated[
        Path | None, typer.Option("--list", help="The status list as it was fetched: status-list --out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a fetched public status offline. Exit 0 it counts, 1 false, withdrawn, not verified or stale, 3 ended: fetch it anew."""
    from exchange.cli.filing import run_check_status

    sys.exit(run_check_status(file, trust, listed, as_json=as_json))


@authority_app.command("overview")
def authority_overview(
    server: Server,
    organisation: For = None,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Filings by state, chemistry group and maker, the time at each step, the spread of results."""
    from exchange.cli.filing import run_overview
    from exchange.cli.request import Connection

    sys.exit(run_overview(Connection(server, client_id, secret_file, email, token_file, data, as_json), organisation))


@authority_app.command("filings")
def authority_filings(
    server: Server,
    *,
    state: State = None,
    maker: Annotated[str | None, typer.Option(help="Those of this maker alone: its URI.")] = None,
    chemistry: Annotated[str | None, typer.Option(help="Those of this chemistry group alone: LFP.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List all filings."""
    from exchange.cli.filing import run_list
    from exchange.cli.request import Connection

    filters = {"state": state, "maker": maker, "chemistry_group": chemistry}
    sys.exit(
        run_list(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            "authority",
            organisation,
            limit,
            filters,
        )
    )


@authority_app.command("coverage")
def authority_coverage(
    server: Server,
    organisation: For = None,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """What the trial still lacks, maker by maker, and what is on sale without a filing."""
    from exchange.cli.filing import run_coverage
    from exchange.cli.request import Connection

    sys.exit(run_coverage(Connection(server, client_id, secret_file, email, token_file, data, as_json), organisation))


@authority_app.command("remarks")
def authority_remarks(
    server: Server,
    *,
    open_only: Annotated[bool, typer.Option("--open", help="Those without an answer alone.")] = False,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """The remarks of reviews with their answers."""
    from exchange.cli.filing import run_remarks
    from exchange.cli.request import Connection

    sys.exit(
        run_remarks(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            organisation,
            open_only=open_only,
        )
    )


@authority_app.command("summary")
def authority_summary(
    server: Server,
    organisation: For = None,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """The trial's summary: Markdown for people, data with --json."""
    from exchange.cli.filing import run_summary
    from exchange.cli.request import Connection

    sys.exit(run_summary(Connection(server, client_id, secret_file, email, token_file, data, as_json), organisation))

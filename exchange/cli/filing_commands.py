"""The commands of ``packtrace filing`` and ``packtrace authority`` and their options; what they do is in `exchange.cli.filing`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import ForWhom, Json

filing_app = typer.Typer(no_args_is_help=True, help="Filings: duties, steps, the platform's result, public statuses.")
authority_app = typer.Typer(no_args_is_help=True, help="What an authority sees over all filings.")

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
@connecting
def filing_duties(
    organisation: ForWhom = None,
    *,
    to: Connection,
) -> None:
    """What you have to file, model by model. Exit 0 nothing lacks, 1 something does."""
    from exchange.cli.filing import run_duties

    sys.exit(run_duties(to, organisation))


@filing_app.command("list")
@connecting
def filing_list(
    *,
    to: Connection,
    box: Annotated[Literal["filer", "verifier"], typer.Option(help="Your own, or those that you verify.")] = "filer",
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    organisation: ForWhom = None,
) -> None:
    """List filings."""
    from exchange.cli.filing import run_list

    sys.exit(
        run_list(
            to,
            box,
            organisation,
            limit,
            {"state": state},
        )
    )


@filing_app.command("show")
@connecting
def filing_show(
    filing: FilingId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Show a filing: its chain of signed statements, remarks, and what comes next."""
    from exchange.cli.filing import run_show

    sys.exit(run_show(to, filing, organisation))


@filing_app.command("statements")
@connecting
def filing_statements(
    filing: FilingId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """List a filing's signed statements; with --json whole, to check them offline."""
    from exchange.cli.filing import run_statements

    sys.exit(run_statements(to, filing, organisation))


@filing_app.command("remarks")
@connecting
def filing_remarks(
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """The remarks of reviews that are for you as a maintainer of factors or rules."""
    from exchange.cli.filing import run_remarks_to

    sys.exit(run_remarks_to(to, organisation))


@filing_app.command("draft")
@connecting
def filing_draft(
    step: StepName,
    filing: MaybeFiling = None,
    *,
    to: Connection,
    product: OfProduct = None,
    organisation: ForWhom = None,
) -> None:
    """Print kind and claims of a step, as far as the exchange knows them."""
    from exchange.cli.filing import run_draft

    sys.exit(
        run_draft(
            to,
            step,
            filing,
            product,
            organisation,
        )
    )


@filing_app.command("step")
@connecting
def filing_step(
    step: StepName,
    key: Annotated[str, typer.Option(help="Your key: file:PATH.")],
    filing: MaybeFiling = None,
    *,
    to: Connection,
    product: OfProduct = None,
    claims: Annotated[
        Path | None, typer.Option(help="JSON file with the claims that the exchange doesn't know.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    passphrase_fd: Annotated[
        int | None, typer.Option(help="File descriptor to read the key's passphrase from.")
    ] = None,
) -> None:
    """Take a step: draft it, show it, sign it with your key, hand it in. Exit 0 taken, 1 refused."""
    from exchange.cli.filing import Signing, run_step

    signing = Signing(key, passphrase_fd, yes)
    sys.exit(run_step(to, step, filing, product=product, claims=claims, signing=signing))


@filing_app.command("export")
@connecting
def filing_export(
    filing: FilingId,
    out: Annotated[Path, typer.Option(help="File for the export; it isn't there yet.")],
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Write the export for the designated platform."""
    from exchange.cli.filing import run_export

    sys.exit(run_export(to, filing, out, organisation))


@filing_app.command("reconcile")
@connecting
def filing_reconcile(
    filing: FilingId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Our result beside the platform's, line by line. Exit 0 fileable, 1 a difference isn't explained, or is a defect of ours."""
    from exchange.cli.filing import run_reconcile

    sys.exit(run_reconcile(to, filing, organisation))


@filing_app.command("publish")
@connecting
def filing_publish(
    filing: FilingId,
    *,
    to: Connection,
    figure: Annotated[bool, typer.Option("--figure", help="Publish the figure too.")] = False,
    organisation: ForWhom = None,
) -> None:
    """Make the model's status public."""
    from exchange.cli.filing import run_publish

    sys.exit(
        run_publish(
            to,
            filing,
            organisation,
            figure=figure,
        )
    )


@filing_app.command("unpublish")
@connecting
def filing_unpublish(
    filing: FilingId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Take the public status back."""
    from exchange.cli.filing import run_unpublish

    sys.exit(run_unpublish(to, filing, organisation))


@filing_app.command("status")
@connecting
def filing_status(
    publication: Annotated[str, typer.Argument(metavar="PUBLICATION", help="Id of the publication.")],
    *,
    to: Connection,
    out: Annotated[Path | None, typer.Option(help="File to keep it in; it isn't there yet.")] = None,
) -> None:
    """Fetch a model's public status; check-status checks the file."""
    from exchange.cli.filing import run_status

    sys.exit(run_status(to, publication, out))


@filing_app.command("status-list")
@connecting
def filing_status_list(
    *,
    to: Connection,
    out: Annotated[Path | None, typer.Option(help="File to keep it in; it isn't there yet.")] = None,
) -> None:
    """The public statuses of which copies count no more: withdrawn, or gone back; check-status --list takes the file."""
    from exchange.cli.filing import run_status_list

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
    """Check a fetched public status offline. Exit 0 it counts, 1 false, withdrawn, outdated, not verified, stale, 3 ended: fetch anew."""
    from exchange.cli.filing import run_check_status

    sys.exit(run_check_status(file, trust, listed, as_json=as_json))


@authority_app.command("overview")
@connecting
def authority_overview(
    organisation: ForWhom = None,
    *,
    to: Connection,
) -> None:
    """Filings by state, chemistry group and maker, the time at each step, the spread of results."""
    from exchange.cli.filing import run_overview

    sys.exit(run_overview(to, organisation))


@authority_app.command("filings")
@connecting
def authority_filings(
    *,
    to: Connection,
    state: State = None,
    maker: Annotated[str | None, typer.Option(help="Those of this maker alone: its URI.")] = None,
    chemistry: Annotated[str | None, typer.Option(help="Those of this chemistry group alone: LFP.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    organisation: ForWhom = None,
) -> None:
    """List all filings."""
    from exchange.cli.filing import run_list

    filters = {"state": state, "maker": maker, "chemistry_group": chemistry}
    sys.exit(
        run_list(
            to,
            "authority",
            organisation,
            limit,
            filters,
        )
    )


@authority_app.command("coverage")
@connecting
def authority_coverage(
    organisation: ForWhom = None,
    *,
    to: Connection,
) -> None:
    """What the trial still lacks, maker by maker, and what is on sale without a filing."""
    from exchange.cli.filing import run_coverage

    sys.exit(run_coverage(to, organisation))


@authority_app.command("remarks")
@connecting
def authority_remarks(
    *,
    to: Connection,
    open_only: Annotated[bool, typer.Option("--open", help="Those without an answer alone.")] = False,
    organisation: ForWhom = None,
) -> None:
    """The remarks of reviews with their answers."""
    from exchange.cli.filing import run_remarks

    sys.exit(
        run_remarks(
            to,
            organisation,
            open_only=open_only,
        )
    )


@authority_app.command("summary")
@connecting
def authority_summary(
    organisation: ForWhom = None,
    *,
    to: Connection,
) -> None:
    """The trial's summary: Markdown for people, data with --json."""
    from exchange.cli.filing import run_summary

    sys.exit(run_summary(to, organisation))

"""The commands of ``packtrace engagement`` and their options; what they do is in `exchange.cli.engagement`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import ForWhom

engagement_app = typer.Typer(no_args_is_help=True, help="Verification engagements: from acceptance to the opinion.")

EngagementId = Annotated[
    str, typer.Argument(metavar="ENGAGEMENT", help="Id: the leaf hash of the filing's step submit.")
]
StepName = Annotated[
    str,
    typer.Argument(
        metavar="STEP",
        help="accept, decline, plan, sample, visit, examine, find, answer, close, assess, review, conclude.",
    ),
]


@engagement_app.command("list")
@connecting
def engagement_list(
    *,
    to: Connection,
    box: Annotated[
        Literal["verifier", "filer"], typer.Option(help="Those you verify in, or your filings'.")
    ] = "verifier",
    organisation: ForWhom = None,
) -> None:
    """List engagements."""
    from exchange.cli.engagement import run_list

    sys.exit(run_list(to, box, organisation))


@engagement_app.command("show")
@connecting
def engagement_show(
    engagement: EngagementId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Show an engagement as far as you are to see it."""
    from exchange.cli.engagement import run_show

    sys.exit(run_show(to, engagement, organisation))


@engagement_app.command("statements")
@connecting
def engagement_statements(
    engagement: EngagementId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """List the signed statements that you may read; with --json whole, to check them offline."""
    from exchange.cli.engagement import run_statements

    sys.exit(run_statements(to, engagement, organisation))


@engagement_app.command("lines")
@connecting
def engagement_lines(
    engagement: EngagementId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """The lines of the result that the verifier sees. Exit 0 all recalculate, 1 one doesn't."""
    from exchange.cli.engagement import run_lines

    sys.exit(run_lines(to, engagement, organisation))


@engagement_app.command("line")
@connecting
def engagement_line(
    engagement: EngagementId,
    number: Annotated[int, typer.Argument(min=0, metavar="N", help="The N of contributions/N.")],
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """A line side by side: stated, evidence, factor, recalculation. Exit 0 it agrees, 1 it doesn't."""
    from exchange.cli.engagement import run_line

    sys.exit(
        run_line(
            to,
            engagement,
            number,
            organisation,
        )
    )


@engagement_app.command("weighing")
@connecting
def engagement_weighing(
    engagement: EngagementId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """What was found against materiality, and which opinions that allows."""
    from exchange.cli.engagement import run_weighing

    sys.exit(run_weighing(to, engagement, organisation))


@engagement_app.command("findings")
@connecting
def engagement_findings(
    organisation: ForWhom = None,
    *,
    to: Connection,
) -> None:
    """The findings that concern your data."""
    from exchange.cli.engagement import run_findings

    sys.exit(run_findings(to, organisation))


@engagement_app.command("draft")
@connecting
def engagement_draft(
    step: StepName,
    engagement: EngagementId,
    *,
    to: Connection,
    organisation: ForWhom = None,
) -> None:
    """Print kind and claims of a step, as far as the exchange knows them."""
    from exchange.cli.engagement import run_draft

    sys.exit(
        run_draft(
            to,
            step,
            engagement,
            organisation,
        )
    )


@engagement_app.command("step")
@connecting
def engagement_step(
    step: StepName,
    engagement: EngagementId,
    key: Annotated[str, typer.Option(help="Your key: file:PATH.")],
    *,
    to: Connection,
    claims: Annotated[
        Path | None, typer.Option(help="JSON file with the claims that the exchange doesn't know.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign without asking.")] = False,
    passphrase_fd: Annotated[
        int | None, typer.Option(help="File descriptor to read the key's passphrase from.")
    ] = None,
) -> None:
    """Take a step: draft it, show it, sign it with your key, hand it in. Exit 0 taken, 1 refused."""
    from exchange.cli.engagement import run_step
    from exchange.cli.filing import Signing

    sys.exit(run_step(to, step, engagement, claims=claims, signing=Signing(key, passphrase_fd, yes)))


@engagement_app.command("ask")
@connecting
def engagement_ask(
    engagement: EngagementId,
    leaf_hash: Annotated[str, typer.Argument(metavar="LEAF_HASH", help="An input that another signed: see lines.")],
    *,
    to: Connection,
    days: Annotated[int, typer.Option(min=1, max=700, help="Days until the deadline.")] = 14,
    period: Annotated[tuple[str, str] | None, typer.Option(help="First and last day, where they aren't known.")] = None,
    organisation: ForWhom = None,
) -> None:
    """Ask the owner of an input for the recipe behind it; the filer sees only whether it was given."""
    from exchange.cli.engagement import run_ask

    sys.exit(run_ask(to, engagement, leaf_hash, days=days, period=period, organisation=organisation))


@engagement_app.command("accredit")
@connecting
def engagement_accredit(
    verifier: Annotated[str, typer.Argument(metavar="VERIFIER", help="The verifier's URI.")],
    file: Annotated[Path, typer.Option(help="JSON file: the list of its accreditations.")],
    *,
    to: Connection,
) -> None:
    """State in the ledger what a verifier is accredited for. For the operator."""
    from exchange.cli.engagement import run_accredit

    sys.exit(run_accredit(to, verifier, file))

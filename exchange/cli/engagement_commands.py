"""The commands of ``packtrace engagement`` and their options; what they do is in `exchange.cli.engagement`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.filing_commands import For, TokenFile
from exchange.cli.options import ClientId, Data, Email, Json, SecretFile, Server

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
def engagement_list(
    server: Server,
    *,
    box: Annotated[
        Literal["verifier", "filer"], typer.Option(help="Those you verify in, or your filings'.")
    ] = "verifier",
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List engagements."""
    from exchange.cli.engagement import run_list
    from exchange.cli.request import Connection

    sys.exit(run_list(Connection(server, client_id, secret_file, email, token_file, data, as_json), box, organisation))


@engagement_app.command("show")
def engagement_show(
    engagement: EngagementId,
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
    """Show an engagement as far as you are to see it."""
    from exchange.cli.engagement import run_show
    from exchange.cli.request import Connection

    sys.exit(
        run_show(Connection(server, client_id, secret_file, email, token_file, data, as_json), engagement, organisation)
    )


@engagement_app.command("statements")
def engagement_statements(
    engagement: EngagementId,
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
    """List the signed statements that you may read; with --json whole, to check them offline."""
    from exchange.cli.engagement import run_statements
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_statements(to, engagement, organisation))


@engagement_app.command("lines")
def engagement_lines(
    engagement: EngagementId,
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
    """The lines of the result that the verifier sees. Exit 0 all recalculate, 1 one doesn't."""
    from exchange.cli.engagement import run_lines
    from exchange.cli.request import Connection

    sys.exit(
        run_lines(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), engagement, organisation
        )
    )


@engagement_app.command("line")
def engagement_line(
    engagement: EngagementId,
    number: Annotated[int, typer.Argument(min=0, metavar="N", help="The N of contributions/N.")],
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
    """A line side by side: stated, evidence, factor, recalculation. Exit 0 it agrees, 1 it doesn't."""
    from exchange.cli.engagement import run_line
    from exchange.cli.request import Connection

    sys.exit(
        run_line(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            engagement,
            number,
            organisation,
        )
    )


@engagement_app.command("weighing")
def engagement_weighing(
    engagement: EngagementId,
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
    """What was found against materiality, and which opinions that allows."""
    from exchange.cli.engagement import run_weighing
    from exchange.cli.request import Connection

    sys.exit(
        run_weighing(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), engagement, organisation
        )
    )


@engagement_app.command("findings")
def engagement_findings(
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
    """The findings that concern your data."""
    from exchange.cli.engagement import run_findings
    from exchange.cli.request import Connection

    sys.exit(run_findings(Connection(server, client_id, secret_file, email, token_file, data, as_json), organisation))


@engagement_app.command("draft")
def engagement_draft(
    step: StepName,
    engagement: EngagementId,
    server: Server,
    *,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = True,
) -> None:
    """Print kind and claims of a step, as far as the exchange knows them."""
    from exchange.cli.engagement import run_draft
    from exchange.cli.request import Connection

    sys.exit(
        run_draft(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            step,
            engagement,
            organisation,
        )
    )


@engagement_app.command("step")
def engagement_step(
    step: StepName,
    engagement: EngagementId,
    server: Server,
    key: Annotated[str, typer.Option(help="Your key: file:PATH.")],
    *,
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
    from exchange.cli.engagement import run_step
    from exchange.cli.filing import Signing
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_step(to, step, engagement, claims=claims, signing=Signing(key, passphrase_fd, yes)))


@engagement_app.command("ask")
def engagement_ask(
    engagement: EngagementId,
    leaf_hash: Annotated[str, typer.Argument(metavar="LEAF_HASH", help="An input that another signed: see lines.")],
    server: Server,
    *,
    days: Annotated[int, typer.Option(min=1, max=700, help="Days until the deadline.")] = 14,
    period: Annotated[tuple[str, str] | None, typer.Option(help="First and last day, where they aren't known.")] = None,
    organisation: For = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Ask the owner of an input for the recipe behind it; the filer sees only whether it was given."""
    from exchange.cli.engagement import run_ask
    from exchange.cli.request import Connection

    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_ask(to, engagement, leaf_hash, days=days, period=period, organisation=organisation))


@engagement_app.command("accredit")
def engagement_accredit(
    verifier: Annotated[str, typer.Argument(metavar="VERIFIER", help="The verifier's URI.")],
    server: Server,
    file: Annotated[Path, typer.Option(help="JSON file: the list of its accreditations.")],
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """State in the ledger what a verifier is accredited for. For the operator."""
    from exchange.cli.engagement import run_accredit
    from exchange.cli.request import Connection

    sys.exit(run_accredit(Connection(server, client_id, secret_file, email, token_file, data, as_json), verifier, file))

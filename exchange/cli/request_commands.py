"""The commands of ``packtrace request`` and their options; what they do is in `exchange.cli.request`, imported when one runs."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from exchange.cli.connection import Connection, connecting
from exchange.cli.options import ForWhom

request_app = typer.Typer(no_args_is_help=True, help="Data requests: ask, answer, and see who owes what.")

RequestId = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request.")]
Asked = Annotated[str, typer.Option("--to", help="URI of the organisation that is asked.")]
OneProduct = Annotated[str | None, typer.Option("--product", help="The supplier's product URI; or --part.")]
Part = Annotated[str | None, typer.Option(help="Your own part number, mapped to a product of the supplier's.")]
InPeriod = Annotated[str | None, typer.Option("--period", help="First and last day: 2025-01-01/2025-12-31.")]
WantedKinds = Annotated[
    list[str] | None,
    typer.Option("--wanted", help="activity-data or product-footprint; both may be given (default: the footprint)."),
]
RuleSets = Annotated[list[str] | None, typer.Option("--rules", help="Rule set of the footprint; several may be given.")]
Deadline = Annotated[str | None, typer.Option(help="Until when: 2026-03-31T12:00:00Z.")]
NeededFor = Annotated[str | None, typer.Option(help="Your own product that it is needed for; nobody else sees it.")]
Verifier = Annotated[str | None, typer.Option(help="Verifier who shall be granted sight too, for verification.")]
Message = Annotated[str | None, typer.Option(help="A message to the organisation that is asked.")]
OwnId = Annotated[str | None, typer.Option("--id", help="An id of your own: sent again, the request is found.")]


@request_app.command("create")
@connecting
def request_create(
    asked: Asked,
    *,
    to: Connection,
    product: OneProduct = None,
    part: Part = None,
    period: InPeriod = None,
    wanted: WantedKinds = None,
    rules: RuleSets = None,
    deadline: Deadline = None,
    needed_for: NeededFor = None,
    verifier: Verifier = None,
    message: Message = None,
    own_id: OwnId = None,
    organisation: ForWhom = None,
) -> None:
    """Ask an organisation for signed data about a product of its own. Exit 0 asked (or asked before), 1 refused."""
    from exchange.cli.request import run_create, wish

    said = {"asked": asked, "product": product, "part": part, "deadline": deadline, "needed_for": needed_for}
    said |= {"verifier": verifier, "message": message, "id": own_id, "organisation": organisation}
    sys.exit(run_create(to, lambda: wish(period, wanted or [], rules or [], **said)))


@request_app.command("delegate")
@connecting
def request_delegate(
    request: RequestId,
    asked: Asked,
    *,
    to: Connection,
    product: OneProduct = None,
    part: Part = None,
    period: InPeriod = None,
    wanted: WantedKinds = None,
    rules: RuleSets = None,
    deadline: Deadline = None,
    message: Message = None,
    own_id: OwnId = None,
) -> None:
    """Pass a request on to your own supplier; what isn't given is as in that request. Its asker isn't told to whom."""
    from exchange.cli.request import run_delegate, wish

    said = {"asked": asked, "product": product, "part": part, "deadline": deadline, "message": message, "id": own_id}
    sys.exit(run_delegate(to, request, lambda: wish(period, wanted or [], rules or [], **said)))


@request_app.command("list")
@connecting
def request_list(
    *,
    to: Connection,
    box: Annotated[Literal["inbox", "outbox"], typer.Option(help="What you are asked, or what you ask.")] = "inbox",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    organisation: ForWhom = None,
) -> None:
    """List data requests, newest first."""
    from exchange.cli.request import run_list

    sys.exit(run_list(to, box, organisation, limit))


@request_app.command("show")
@connecting
def request_show(
    request: RequestId,
    *,
    to: Connection,
) -> None:
    """Show a request with its answer."""
    from exchange.cli.request import run_show

    sys.exit(run_show(to, request))


@request_app.command("answer")
@connecting
def request_answer(
    request: RequestId,
    statement: Annotated[
        list[str], typer.Option(help="LEAFHASH:PATH,PATH of a statement of yours; those paths are granted. Repeatable.")
    ],
    *,
    to: Connection,
    verification: Annotated[
        list[str] | None, typer.Option(help="LEAFHASH:PATH,PATH for the verifier that was asked for.")
    ] = None,
) -> None:
    """Answer by naming statements: what is named of them is granted, and no more. Exit 0 answered, 1 refused."""
    from exchange.cli.request import run_answer

    sys.exit(
        run_answer(
            to,
            request,
            statement,
            verification or [],
        )
    )


@request_app.command("decline")
@connecting
def request_decline(
    request: RequestId,
    reason: Annotated[str, typer.Option(help="Why; the asker is shown it.")],
    *,
    to: Connection,
) -> None:
    """Decline a request."""
    from exchange.cli.request import run_decline

    sys.exit(run_decline(to, request, reason))


@request_app.command("remind")
@connecting
def request_remind(
    request: RequestId,
    *,
    to: Connection,
) -> None:
    """Remind the organisation that was asked, once a day at most."""
    from exchange.cli.request import run_remind

    sys.exit(run_remind(to, request))


@request_app.command("board")
@connecting
def request_board(
    *,
    to: Connection,
    side: Annotated[Literal["asker", "asked"], typer.Option(help="What you wait for, or what you owe.")] = "asker",
    needed_for: NeededFor = None,
    organisation: ForWhom = None,
) -> None:
    """Show who owes what, by deadline."""
    from exchange.cli.request import run_board

    sys.exit(run_board(to, side, organisation, needed_for))

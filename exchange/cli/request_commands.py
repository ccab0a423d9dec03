"""The commands of ``packtrace request`` and their options; what they do is in `exchange.cli.request`, imported when one runs."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from exchange.cli.options import ClientId, Data, Email, ForWhom, Json, SecretFile, Server, TokenFile

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
def request_create(
    server: Server,
    asked: Asked,
    *,
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
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Ask an organisation for signed data about a product of its own. Exit 0 asked (or asked before), 1 refused."""
    from exchange.cli.request import Connection, run_create, wish

    said = {"asked": asked, "product": product, "part": part, "deadline": deadline, "needed_for": needed_for}
    said |= {"verifier": verifier, "message": message, "id": own_id, "organisation": organisation}
    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_create(to, lambda: wish(period, wanted or [], rules or [], **said)))


@request_app.command("delegate")
def request_delegate(
    request: RequestId,
    server: Server,
    asked: Asked,
    *,
    product: OneProduct = None,
    part: Part = None,
    period: InPeriod = None,
    wanted: WantedKinds = None,
    rules: RuleSets = None,
    deadline: Deadline = None,
    message: Message = None,
    own_id: OwnId = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Pass a request on to your own supplier; what isn't given is as in that request. Its asker isn't told to whom."""
    from exchange.cli.request import Connection, run_delegate, wish

    said = {"asked": asked, "product": product, "part": part, "deadline": deadline, "message": message, "id": own_id}
    to = Connection(server, client_id, secret_file, email, token_file, data, as_json)
    sys.exit(run_delegate(to, request, lambda: wish(period, wanted or [], rules or [], **said)))


@request_app.command("list")
def request_list(
    server: Server,
    *,
    box: Annotated[Literal["inbox", "outbox"], typer.Option(help="What you are asked, or what you ask.")] = "inbox",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    organisation: ForWhom = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List data requests, newest first."""
    from exchange.cli.request import Connection, run_list

    sys.exit(
        run_list(Connection(server, client_id, secret_file, email, token_file, data, as_json), box, organisation, limit)
    )


@request_app.command("show")
def request_show(
    request: RequestId,
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show a request with its answer."""
    from exchange.cli.request import Connection, run_show

    sys.exit(run_show(Connection(server, client_id, secret_file, email, token_file, data, as_json), request))


@request_app.command("answer")
def request_answer(
    request: RequestId,
    server: Server,
    statement: Annotated[
        list[str], typer.Option(help="LEAFHASH:PATH,PATH of a statement of yours; those paths are granted. Repeatable.")
    ],
    *,
    verification: Annotated[
        list[str] | None, typer.Option(help="LEAFHASH:PATH,PATH for the verifier that was asked for.")
    ] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Answer by naming statements: what is named of them is granted, and no more. Exit 0 answered, 1 refused."""
    from exchange.cli.request import Connection, run_answer

    sys.exit(
        run_answer(
            Connection(server, client_id, secret_file, email, token_file, data, as_json),
            request,
            statement,
            verification or [],
        )
    )


@request_app.command("decline")
def request_decline(
    request: RequestId,
    server: Server,
    reason: Annotated[str, typer.Option(help="Why; the asker is shown it.")],
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Decline a request."""
    from exchange.cli.request import Connection, run_decline

    sys.exit(run_decline(Connection(server, client_id, secret_file, email, token_file, data, as_json), request, reason))


@request_app.command("remind")
def request_remind(
    request: RequestId,
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Remind the organisation that was asked, once a day at most."""
    from exchange.cli.request import Connection, run_remind

    sys.exit(run_remind(Connection(server, client_id, secret_file, email, token_file, data, as_json), request))


@request_app.command("board")
def request_board(
    server: Server,
    *,
    side: Annotated[Literal["asker", "asked"], typer.Option(help="What you wait for, or what you owe.")] = "asker",
    needed_for: NeededFor = None,
    organisation: ForWhom = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    token_file: TokenFile = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show who owes what, by deadline."""
    from exchange.cli.request import Connection, run_board

    sys.exit(
        run_board(
            Connection(server, client_id, secret_file, email, token_file, data, as_json), side, organisation, needed_for
        )
    )

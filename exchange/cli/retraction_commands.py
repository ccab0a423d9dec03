"""``packtrace statement supersede|withdraw`` and their options; what they do is in `exchange.cli.retraction`, imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.options import ClientId, Data, Email, Json, Passphrase, SecretFile, Server, Yes

retraction_app = typer.Typer()

Target = Annotated[
    str, typer.Argument(metavar="STATEMENT", help="The statement: its leaf hash, its file, or a receipt (JSON).")
]
Key = Annotated[str, typer.Option(help="Your key: file:PATH.")]
Why = Annotated[str, typer.Option("--reason", help="Why; hidden, for those that you grant it to.")]
Out = Annotated[
    Path | None, typer.Option(help="File for what is signed (default: its kind and the leaf hash's first digits).")
]


@retraction_app.command("withdraw")
def statement_withdraw(
    target: Target,
    server: Server,
    key: Key,
    reason: Why,
    *,
    out: Out = None,
    yes: Yes = False,
    passphrase_fd: Passphrase = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Sign that a statement of yours counts no more, and hand that in. Nothing takes it back. Exit 0 admitted, 1 refused."""
    from exchange.cli.partner import Login
    from exchange.cli.retraction import Order, run

    order = Order(target, None, key, reason, out, passphrase_fd, yes)
    sys.exit(run(Login(server, client_id, secret_file, email, data), order, as_json=as_json))


@retraction_app.command("supersede")
def statement_supersede(
    target: Target,
    server: Server,
    key: Key,
    reason: Why,
    replacement: Annotated[
        str, typer.Option("--by", help="The statement in its place, admitted before: likewise. Same kind and product.")
    ],
    *,
    out: Out = None,
    yes: Yes = False,
    passphrase_fd: Passphrase = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Sign that another statement of yours takes a statement's place, and hand that in. Exit 0 admitted, 1 refused."""
    from exchange.cli.partner import Login
    from exchange.cli.retraction import Order, run

    order = Order(target, replacement, key, reason, out, passphrase_fd, yes)
    sys.exit(run(Login(server, client_id, secret_file, email, data), order, as_json=as_json))

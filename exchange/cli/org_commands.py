"""The commands of ``packtrace org`` and their options; what they do is in `exchange.cli.partner`, imported when one runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from exchange.cli.options import ClientId, Data, Email, Json, Organisation, Passphrase, SecretFile, Server

org_app = typer.Typer(no_args_is_help=True, help="Your organisation at an exchange: members, API clients.")


@org_app.command("register")
def org_register(
    organisation: Organisation,
    server: Server,
    *,
    name: Annotated[str, typer.Option(help="Its name for people.")],
    country: Annotated[str, typer.Option(help="Its country (ISO 3166-1, two letters).")],
    identifier: Annotated[list[str], typer.Option(help="SCHEME=VALUE, as uscc=... or lei=...; several.")],
    role: Annotated[list[str], typer.Option(help="Role that it asks for, as supplier; several.")],
    admin: Annotated[str, typer.Option(help="Name of its first member.")],
    email: Annotated[str, typer.Option(help="That member's e-mail address.")],
    key: Annotated[Path, typer.Option(help="Your key file.")],
    passphrase_fd: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Apply to join an exchange. The password is asked on the terminal."""
    from exchange.cli.partner import Joining, run_register

    joining = Joining(organisation, name, country, tuple(identifier), tuple(role), admin, email, key, passphrase_fd)
    sys.exit(run_register(server, joining, as_json=as_json))


@org_app.command("join")
def org_join(
    server: Server,
    *,
    name: Annotated[str, typer.Option(help="Your name, as your colleagues see it.")],
    invitation_file: Annotated[
        Path | None, typer.Option(help="File of the invitation's secret; without it, it is asked.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File of your new password; without it, it is asked, twice.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Join an organisation by its invitation, with a password of your own."""
    from exchange.cli.partner import run_join

    sys.exit(run_join(server, name, invitation_file, password_file, as_json=as_json))


@org_app.command("show")
def org_show(
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Show your organisation as the exchange knows it, and what you may do there."""
    from exchange.cli.partner import Login, run_show

    sys.exit(run_show(Login(server, client_id, secret_file, email, data), as_json=as_json))


@org_app.command("certificate")
def org_certificate(
    key: Annotated[Path, typer.Argument(help="Your key file; the certificate is written beside it, as PATH.crt.")],
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    passphrase_fd: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Fetch the certificate of your key, once the operator approved your organisation."""
    from exchange.cli.partner import Login, run_certificate

    sys.exit(run_certificate(Login(server, client_id, secret_file, email), key, passphrase_fd, as_json=as_json))


@org_app.command("applications")
def org_applications(server: Server, data: Data = None, as_json: Json = False) -> None:
    """List the applications to join that wait. For the operator."""
    from exchange.cli.partner import Login, run_applications

    sys.exit(run_applications(Login(server, data=data), as_json=as_json))


@org_app.command("decide")
def org_decide(
    application: Annotated[str, typer.Argument(metavar="APPLICATION", help="Id of the application.")],
    server: Server,
    *,
    approve: Annotated[bool, typer.Option("--approve/--refuse", help="Let it in, or keep it out.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Approve or refuse an application to join; who is approved is enrolled within seconds. For the operator."""
    from exchange.cli.partner import Login, run_decide

    sys.exit(run_decide(Login(server, data=data), application, approve=approve, reason=reason, as_json=as_json))


@org_app.command("members")
def org_members(
    server: Server,
    *,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    as_json: Json = False,
) -> None:
    """List your organisation's members."""
    from exchange.cli.partner import Login, run_members

    sys.exit(run_members(Login(server, client_id, secret_file, email), as_json=as_json))


@org_app.command("invite")
def org_invite(
    invited: Annotated[str, typer.Argument(metavar="ADDRESS", help="E-mail address of who is invited.")],
    server: Server,
    *,
    role: Annotated[Literal["admin", "signatory", "contributor", "viewer"], typer.Option(help="As what.")],
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    as_json: Json = False,
) -> None:
    """Invite somebody to your organisation; hand the printed secret to that person."""
    from exchange.cli.partner import Login, run_invite

    sys.exit(run_invite(Login(server, client_id, secret_file, email), invited, role, as_json=as_json))


@org_app.command("clients")
def org_clients(
    server: Server,
    *,
    new: Annotated[str | None, typer.Option(help="Make one of this name; its secret is printed this once.")] = None,
    scope: Annotated[list[str] | None, typer.Option(help="Scope of the new one; several.")] = None,
    end: Annotated[str | None, typer.Option(metavar="ID", help="End one.")] = None,
    client_id: ClientId = None,
    secret_file: SecretFile = None,
    email: Email = None,
    as_json: Json = False,
) -> None:
    """List your organisation's API clients, make one, or end one."""
    from exchange.cli.partner import Login, run_clients

    sys.exit(run_clients(Login(server, client_id, secret_file, email), new, scope or [], end, as_json=as_json))

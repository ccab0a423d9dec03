"""``packtrace push|pull|org``: a company's side of an exchange, as an API client, a member, or with the data folder's token."""

from __future__ import annotations

import base64
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.guard import guarded
from exchange.cli.output import DONE, REJECTED, USAGE, fail, interrupted, say, say_json, tell

if TYPE_CHECKING:
    from exchange.partner import Item, Outcome, Partner

_EVERY = 500


@dataclass(frozen=True, slots=True)
class Login:
    """At which exchange, and as whom: an API client, a member by e-mail address, or else whose token is in a file or the data folder."""

    server: str
    client_id: str | None = None
    secret_file: Path | None = None
    email: str | None = None
    data: Path | None = None
    token_file: Path | None = None


def run_push(
    files: list[str], login: Login, journal: Path | None, *, dry_run: bool, sealed: bool = False, as_json: bool
) -> int:
    """Hand in statements; print what became of them. Exit code 1 where one is refused."""

    def command(partner: Partner) -> int:
        seen: list[dict[str, Any]] = []

        def told(outcome: Outcome) -> None:
            if as_json:
                seen.append({"name": outcome.name, **outcome.verdict})
            else:
                _print(outcome, dry_run=dry_run)
            if (count := len(seen)) and count % _EVERY == 0:
                tell(f"{count} statements ...")

        pushed = partner.push(_items(files), journal=journal, dry_run=dry_run, sealed=sealed, told=told)
        counts = {"accepted": pushed.accepted, "existed": pushed.existed, "skipped": pushed.skipped}
        if as_json:
            say_json({**counts, "refused": len(pushed.refused), "dry_run": dry_run, "statements": seen})
        else:
            known = f" ({pushed.existed} there before)" if pushed.existed else ""
            skipped = f", {pushed.skipped} in the journal already" if pushed.skipped else ""
            done = "in order, nothing written" if dry_run else "admitted"
            tell(f"{pushed.accepted} {done}{known}{skipped}, {len(pushed.refused)} refused")
        return REJECTED if pushed.refused else DONE

    return connected(login, command)


def run_pull(file: Path, login: Login, product: str | None, reader: str | None, *, as_json: bool) -> int:
    """List the newest results, and write their evidence file."""

    def command(partner: Partner) -> int:
        found = partner.pull(file, reader or partner.call("GET", "me")["organisation"], product)
        if as_json:
            say_json({"results": found, "file": str(file) if found else None})
            return DONE
        for one in found:
            say(f"{one['product']}  {one['rule_set']}  {one['headline']}{'' if one['complete'] else '  partial'}")
        say(f"evidence of {len(found)} results: {file}" if found else "no results yet: nothing was written")
        return DONE

    return connected(login, command)


@dataclass(frozen=True, slots=True)
class Joining:
    """What an organisation applies with; the key file is its own (`packtrace key new`)."""

    organisation: str
    name: str
    country: str
    identifiers: tuple[str, ...]
    roles: tuple[str, ...]
    admin: str
    email: str
    key: Path
    passphrase_fd: int | None


def run_register(server: str, joining: Joining, *, as_json: bool) -> int:
    """Apply to join; the password is asked on the terminal."""

    def command(partner: Partner) -> int:
        from exchange.cli.key import passphrase
        from exchange.errors import UsageError
        from signer import proof_of_possession
        from signer.key_access import open_key

        pairs = [one.partition("=") for one in joining.identifiers]
        if not all(scheme and value for scheme, _, value in pairs):
            raise UsageError("not an identifier", where="--identifier", remedy="write it as SCHEME=VALUE, as uscc=...")
        pair = open_key(joining.key, lambda: passphrase(joining.passphrase_fd))
        application = {
            "uri": joining.organisation,
            "name": joining.name,
            "country": joining.country,
            "identifiers": {scheme: value for scheme, _, value in pairs},
            "roles": list(joining.roles),
            "csr": base64.b64encode(pair.csr(joining.organisation)).decode(),
            "possession": proof_of_possession(pair, partner.log()["origin"], joining.organisation),
            "admin": joining.admin,
            "email": joining.email,
            "password": _new_password(),
        }
        found = partner.call("POST", "registrations", application)
        _answer(found, f"application {found['id']}: the operator decides; then log in as {joining.email}", as_json)
        return DONE

    return _with(server, None, command)


def run_join(server: str, name: str, invitation_file: Path | None, password_file: Path | None, *, as_json: bool) -> int:
    """Join an organisation by an invitation; its secret and the new password are read from files, else asked on the terminal."""

    def command(partner: Partner) -> int:
        secret = _password("Invitation: ") if invitation_file is None else _secret_in(invitation_file)
        password = _new_password() if password_file is None else _secret_in(password_file)
        found = partner.call("POST", "members", {"secret": secret.strip(), "name": name, "password": password})
        _answer(found, f"joined as {found['role']}: log in as {found['email']}", as_json)
        return DONE

    return _with(server, None, command)


def run_show(login: Login, *, as_json: bool) -> int:
    """Show who asks, and the organisation's sites."""

    def command(partner: Partner) -> int:
        found = {**partner.call("GET", "me"), "sites": partner.call("GET", "sites")}
        lines = [f"{found['organisation']}  as {found['name']}", f"may: {', '.join(found['scopes'])}"]
        lines += [f"site {one['site']}  {one['name']}  {one['country']}" for one in found["sites"]]
        _answer(found, "\n".join(lines), as_json)
        return DONE

    return connected(login, command)


def run_certificate(login: Login, key: Path, passphrase_fd: int | None, *, as_json: bool) -> int:
    """Write the certificate of a key beside it."""

    def command(partner: Partner) -> int:
        from exchange.cli.files import check_new, write_new
        from exchange.cli.key import passphrase
        from exchange.errors import NotFoundError
        from signer.key_access import open_key

        file = key.with_name(f"{key.name}.crt")
        check_new(file)
        found = partner.call("GET", "me")["certificate"]
        if found is None:
            raise NotFoundError("no key is enrolled", where="certificate", remedy="log in as your organisation")
        certificate = base64.b64decode(found)
        pair = open_key(key, lambda: passphrase(passphrase_fd)).with_certificate(certificate)
        write_new(file, certificate, mode=0o644)
        _answer(
            {"file": str(file), "thumbprint": pair.thumbprint}, f"certificate {file}, of key {pair.thumbprint}", as_json
        )
        return DONE

    return connected(login, command)


def run_applications(login: Login, *, as_json: bool) -> int:
    """List the applications that wait for the operator."""

    def command(partner: Partner) -> int:
        found: list[dict[str, Any]] = []
        while page := partner.call("GET", f"registrations?after={found[-1]['id'] if found else ''}"):
            found += page
        lines = [
            f"{one['id']}  {one['uri']}  {one['name']}  {one['country']}  asks for {' '.join(one['roles'])}, "
            f"{' '.join(f'{scheme}={value}' for scheme, value in one['identifiers'].items())}, key {one['thumbprint']}"
            for one in found
        ]
        _answer({"applications": found}, "\n".join(lines) or "no applications wait", as_json)
        return DONE

    return connected(login, command)


def run_decide(login: Login, application: str, *, approve: bool, reason: str, as_json: bool) -> int:
    """Decide about an application."""

    def command(partner: Partner) -> int:
        found = partner.call("POST", f"registrations/{application}/decision", {"approve": approve, "reason": reason})
        _answer(found, f"application {application}: {found['state']}", as_json)
        return DONE

    return connected(login, command)


def run_members(login: Login, *, as_json: bool) -> int:
    """List the organisation's members."""

    def command(partner: Partner) -> int:
        found = partner.call("GET", "members")
        lines = [
            f"{one['id']}  {one['email']}  {one['name']}  {one['role']}{'' if one['active'] else '  disabled'}"
            for one in found
        ]
        _answer({"members": found}, "\n".join(lines), as_json)
        return DONE

    return connected(login, command)


def run_invite(login: Login, email: str, role: str, *, as_json: bool) -> int:
    """Invite somebody; the secret is for that person."""

    def command(partner: Partner) -> int:
        found = partner.call("POST", "invitations", {"email": email, "role": role})
        _answer(found, f"invitation of {email}, for seven days: {found['secret']}", as_json)
        return DONE

    return connected(login, command)


def run_clients(login: Login, new: str | None, scopes: list[str], end: str | None, *, as_json: bool) -> int:
    """List the API clients; make one, or end one, before."""

    def command(partner: Partner) -> int:
        if end is not None:
            partner.call("DELETE", f"clients/{end}")
        if new is not None:
            found = partner.call("POST", "clients", {"name": new, "scopes": scopes})
            _answer(found, f"client {found['id']}, its secret, shown this once: {found['secret']}", as_json)
            return DONE
        clients = partner.call("GET", "clients")
        lines = [
            f"{one['id']}  {one['name']}  {','.join(one['scopes'])}{'  ended' if one['revoked_at'] else ''}"
            for one in clients
        ]
        _answer({"clients": clients}, "\n".join(lines), as_json)
        return DONE

    return connected(login, command)


def connected(login: Login, command: Callable[[Partner], int]) -> int:
    """Run a command as whom `login` says."""
    if login.client_id is None and login.email is None:
        from exchange.cli.server_commands import run_with_settings

        def with_token(settings: Any) -> int:
            return _with(
                login.server, (login.token_file or settings.data / "token").read_text("ascii").strip(), command
            )

        return run_with_settings(login.data, None, with_token)

    def logged_in() -> int:
        from exchange.partner import ClientCredentials, MemberLogin, Partner

        if login.client_id is not None:
            secret = None if login.secret_file is None else login.secret_file.read_text("utf-8").strip()
            with Partner(login.server, ClientCredentials(login.client_id, secret)) as partner:
                return command(partner)
        with Partner(login.server, MemberLogin(str(login.email), _password("Password: "))) as partner:
            try:
                return command(partner)
            finally:
                partner.call("DELETE", "sessions")

    return _kept(logged_in)


def _with(server: str, token: str | None, command: Callable[[Partner], int]) -> int:
    """Run a command with a token, or as nobody that is known; it tries once."""

    def run() -> int:
        import httpx2

        from exchange.partner import Partner

        with Partner(server, httpx2.Auth() if token is None else token, patience=0) as partner:
            return command(partner)

    return _kept(run)


def _kept(command: Callable[[], int]) -> int:
    try:
        return guarded(command)
    except KeyboardInterrupt:
        return interrupted("what was admitted stays; run it again to go on")
    except ModuleNotFoundError as error:
        missing = f"this command needs the server's half of the install (at {error.name})"
        return fail(f"{missing}; install packtrace[server]", USAGE)


def _items(files: list[str]) -> Iterator[Item]:
    from exchange.partner import read_files, read_folder, read_lines

    found = []
    for name in files:
        path = Path(name)
        if name == "-":
            found.append(read_lines(sys.stdin))
        elif path.is_dir():
            found.append(read_folder(path))
        else:
            found.append(read_files([path]))
    return chain.from_iterable(found)


def _print(outcome: Outcome, *, dry_run: bool) -> None:
    verdict = outcome.verdict
    if not verdict["accepted"]:
        tell(f"{outcome.name}: {verdict['detail']} (at {verdict['where']}); {verdict['remedy']}")
        return
    if dry_run and not verdict["existed"]:
        say(f"{outcome.name}: would be admitted, leaf hash {verdict['leaf_hash']}")
    else:
        known = "was there before" if verdict["existed"] else "is admitted"
        say(f"{outcome.name}: entry {verdict['index']} {known}, leaf hash {verdict['leaf_hash']}")
    for finding in verdict.get("findings", ()):
        say(f"  {finding['level']}: {finding['what']} (at {finding['where']}); {finding['remedy']}")


def _answer(members: dict[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        say_json(members)
    elif text:
        say(text)


def _secret_in(file: Path) -> str:
    """Read the one line of a file. Raises UsageError, OSError."""
    from exchange.errors import UsageError

    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        lines = []
    if len(lines) != 1:
        raise UsageError("not a file of one line of text", where=str(file), remedy="write the secret alone into it")
    return lines[0]


def _password(prompt: str) -> str:
    """Ask for a password without echo: on the terminal alone, since arguments and pipes are seen by others or kept."""
    from exchange.errors import UsageError

    if not os.isatty(0):
        raise UsageError("a password is asked on a terminal", where="password", remedy="run this in a terminal")
    return getpass.getpass(prompt)


def _new_password() -> str:
    from exchange.errors import UsageError

    first = _password("New password: ")
    if first != _password("Again: "):
        raise UsageError("the two passwords differ", where="password", remedy="type the same twice")
    return first

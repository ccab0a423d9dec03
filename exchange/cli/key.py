"""``packtrace key``: an organisation's own key, on its own machine. Needs the base install only, and no network."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.files import check_new, write_new
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, say, say_json, tell

if TYPE_CHECKING:
    from signer import Algorithm, KeyPair

# A scheme, and something in printable ASCII behind it that isn't slashes alone.
_ORGANISATION = re.compile(r"[a-z][a-z0-9+.-]*:(//)?[!-.0-~][!-~]{0,499}")


def run_new(path: Path, organisation: str, algorithm: Algorithm, passphrase_fd: int | None) -> int:
    """Make a key and the request for its certificate."""

    def command() -> int:
        from signer import KeyExistsError, KeyPair
        from signer.key_access import create_key

        _check_organisation(organisation)
        request = path.with_name(f"{path.name}.csr")
        if os.path.lexists(path):
            remedy = "choose another name, or move it away; a lost key can't be made again"
            raise KeyExistsError("there is a file of that name", where=str(path), remedy=remedy)
        check_new(request)
        pair = KeyPair.generate(algorithm)
        create_key(path, pair, passphrase(passphrase_fd, new=True))
        write_new(request, _pem(pair, organisation), mode=0o644)
        say(f"key {path}: {algorithm}, thumbprint {pair.thumbprint}")
        say(f"request {request}: send it to the operator of the ledger, and save the certificate as {path}.crt")
        tell("keep the key and its passphrase to yourself, each with a copy elsewhere; nobody can make them again")
        return DONE

    return guarded(command)


def run_csr(path: Path, organisation: str, audience: str | None, out: Path | None, passphrase_fd: int | None) -> int:
    """Make the request for a certificate again, and the proof of possession that enrolment in a ledger asks for."""

    def command() -> int:
        from signer import proof_of_possession
        from signer.key_access import open_key

        _check_organisation(organisation)
        if out is not None:
            check_new(out)
        pair = open_key(path, lambda: passphrase(passphrase_fd))
        request = _pem(pair, organisation)
        possession = None if audience is None else proof_of_possession(pair, audience, organisation)
        if out is None:
            say(request.decode("ascii").rstrip("\n"))
        else:
            write_new(out, request, mode=0o644)
            say(f"request {out}")
        if possession is not None:
            say(f"proof of possession for {audience}: {possession}")
        return DONE

    return guarded(command)


def run_show(path: Path, passphrase_fd: int | None, *, as_json: bool) -> int:
    """Show what is public about a key."""

    def command() -> int:
        from signer import read_leaf
        from signer.key_access import open_key

        pair = open_key(path, lambda: passphrase(passphrase_fd))
        leaf = read_leaf(pair.certificate) if pair.certificate else None
        shown = {"algorithm": pair.algorithm, "thumbprint": pair.thumbprint}
        if leaf is not None:
            shown |= {"organisation": leaf.organisation, "certificate_sha256": leaf.digest}
            shown |= {"not_before": _time(leaf.not_before), "not_after": _time(leaf.not_after)}
        if as_json:
            say_json(shown if leaf is not None else {**shown, "organisation": None})
        else:
            for name, value in shown.items():
                say(f"{name:18} {value}")
            if leaf is None:
                say(f"no certificate yet; it belongs into {path}.crt")
        return DONE

    return guarded(command)


def passphrase(descriptor: int | None, *, new: bool = False) -> str:
    """The passphrase from descriptor, environment or terminal. Raises PassphraseError."""
    from signer.key_access import prompt, read_passphrase

    ask = prompt if sys.stdin is not None and sys.stdin.isatty() else None
    return read_passphrase(descriptor=descriptor, environment=os.environ, ask=ask, new=new)


def _check_organisation(organisation: str) -> None:
    from exchange.errors import StatementError, UsageError
    from exchange.kinds import check_spelling

    if not _ORGANISATION.fullmatch(organisation):
        remedy = "name your organisation by a URI such as https://you.example"
        raise UsageError("not a URI in ASCII", where="--organisation", remedy=remedy)
    try:
        # As enrolment will: a key whose request is refused there would be made for nothing.
        check_spelling(organisation)
    except StatementError as error:
        raise UsageError(error.what, where="--organisation", remedy=error.remedy) from None


def _pem(pair: KeyPair, organisation: str) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_der_x509_csr

    return load_der_x509_csr(pair.csr(organisation)).public_bytes(Encoding.PEM)


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

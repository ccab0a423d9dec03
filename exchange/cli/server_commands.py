"""The commands that need the server's half of the install."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Any

from exchange.cli.output import DONE, REJECTED, USAGE, fail, program, say, say_json, tell

if TYPE_CHECKING:
    from exchange.server import Running
    from exchange.settings import Settings


def run_demo(data: Path | None, port: int | None, *, leave: bool, as_json: bool) -> int:
    """Play the demo; serve its pages until interrupted unless `leave`."""

    def command(settings: Settings) -> int:
        from exchange.server import serving

        with serving(settings) as running:
            code = _demo(running, settings, leave=leave, as_json=as_json)
            if not leave:
                _wait(f"serving {running.page} until Ctrl-C")
            return code

    return run_with_settings(data, port, command)


def run_serve(data: Path | None, port: int | None) -> int:
    """Serve until interrupted."""

    def command(settings: Settings) -> int:
        from exchange.server import serving

        with serving(settings) as running:
            say(running.page)
            _wait("serving until Ctrl-C")
        return DONE

    return run_with_settings(data, port, command)


def run_push(file: Path, server: str, data: Path | None, *, as_json: bool) -> int:
    """Submit a statement and print its receipt."""

    def command(settings: Settings) -> int:
        from exchange.client import Client
        from signer import split_presentation

        statement = file.read_text("ascii").strip()
        bearer = (settings.data / "token").read_text("ascii").strip()
        with Client(server, bearer) as client:
            receipt = client.submit(*split_presentation(statement))
        known = "was there before" if receipt.existed else "is admitted"
        members = {**receipt.citation, "existed": receipt.existed}
        answer(members, f"entry {receipt.index} {known}, leaf hash {receipt.leaf_hash}", as_json=as_json)
        return DONE

    return run_with_settings(data, None, command)


def _demo(running: Running, settings: Settings, *, leave: bool, as_json: bool) -> int:
    from exchange.client import Client
    from exchange.demo import play, print_summary, summary, tables_folder
    from exchange.demo.company import Desk
    from exchange.installation import kept_secret, new_secret, write_private
    from exchange.services import utc_now
    from exchange.trust import TrustFile
    from exchange.verification import verify_evidence

    installation = running.services.installation
    folder = settings.data / "demo" / installation.trust_file.origin.replace("/", "-")
    secret = kept_secret(settings.data / "passphrase", new_secret)
    with Client(running.address, installation.token) as client:
        desk = Desk(client, installation.trust_file.origin, folder, secret, utc_now, new_secret)
        played = play(desk, tables_folder(), tell)
        results = [digest for pack in played.packs for digest, _found in pack.results.values()]
        evidence = folder / "evidence.packtrace"
        write_private(evidence, client.evidence(played.reader, results), mode=0o644)
    tell("evidence exported; verifying it offline ...")
    trust = settings.data / "trust"
    verdict = verify_evidence(evidence.read_bytes(), TrustFile.read(trust.read_bytes()))
    if as_json:
        say_json(summary(played, verdict, evidence_file=str(evidence), page=running.page))
    else:
        commands = {
            "verify it yourself": f"{program()} verify {evidence} --trust {trust}",
            "audit the ledger": f"{program()} ledger audit --data {settings.data}",
            "see the pages": f"{program()} serve --data {settings.data}" if leave else running.page,
        }
        print_summary(played, verdict, commands, say)
    return verdict.exit_code


def run_with_settings(data: Path | None, port: int | None, command: Callable[[Settings], int]) -> int:
    """Run a command with its settings; an error of ours becomes one line and an exit code."""
    try:
        from pydantic import ValidationError
        from sqlalchemy.exc import SQLAlchemyError

        from exchange.errors import ExchangeError, SetupError, UsageError
        from exchange.settings import Settings
        from ledger import LedgerError
        from signer import SignerError
    except ModuleNotFoundError as error:
        missing = f"this command needs the server's half of the install (at {error.name})"
        return fail(f"{missing}; install packtrace[server]", USAGE)
    given: dict[str, Any] = {name: value for name, value in (("data", data), ("port", port)) if value is not None}
    code = USAGE
    try:
        return command(Settings(**given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "PACKTRACE_" + "_".join(str(step) for step in first["loc"]).upper()
        trouble = f"{first['msg'].removeprefix('Value error, ')} (at {name}); correct the setting"
    except (SetupError, UsageError) as error:
        trouble = str(error)
    except (ExchangeError, SignerError, LedgerError) as error:
        code, trouble = REJECTED, str(error)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        trouble = (
            f"the database can't be used: {reason} (at PACKTRACE_DATABASE_URL); check that it runs and may be written"
        )
    except TOMLDecodeError as error:
        trouble = f"not TOML: {error} (at packtrace.toml); correct the file"
    except OSError as error:
        trouble = f"{error.strerror} (at {error.filename or data}); name a file or folder that this command can use"
    except UnicodeDecodeError:
        trouble = "the file is not text (at its bytes); name a signed statement or a folder of this program"
    except KeyboardInterrupt:
        return DONE
    return fail(trouble, code)


def answer(members: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Write a result, as members or as text."""
    if as_json:
        say_json(members)
    else:
        say(text)


def _wait(told: str) -> None:
    """Say what runs and wait for Ctrl-C, or for a service manager's SIGTERM, which ends the server as gently."""
    with_no_end = threading.Event()
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        tell(told)
        with_no_end.wait()
    except KeyboardInterrupt:
        tell("stopping")

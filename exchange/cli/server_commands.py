"""The commands that need the server's half of the install."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import TYPE_CHECKING, Any

from exchange.cli.output import DONE, REJECTED, USAGE, fail, interrupted, program, say, say_json, tell

if TYPE_CHECKING:
    from pydantic import ValidationError
    from sqlalchemy import Engine

    from exchange.demo import Played
    from exchange.server import Running
    from exchange.settings import Settings
    from ledger import WitnessPolicy


def run_demo(data: Path | None, port: int | None, *, leave: bool, as_json: bool) -> int:
    """Play the demo; serve its pages until interrupted unless `leave`."""

    def command(settings: Settings) -> int:
        with _serving(settings) as running:
            code = _demo(running, settings, leave=leave, as_json=as_json)
            if not leave:
                _wait(f"serving {running.page} until Ctrl-C")
            return code

    return run_with_settings(data, port, command)


def run_serve(data: Path | None, port: int | None) -> int:
    """Serve until interrupted; a worker or calculator works and listens nowhere."""

    def command(settings: Settings) -> int:
        from exchange.server import refuse_default_secrets, working

        refuse_default_secrets(settings)
        if settings.process in {"worker", "calculator"}:
            with working(settings) as services:
                say(f"working for {services.installation.trust_file.origin}")
                tell(witnessing(services.witness_policy, services.installation.engine))
                _wait("working until Ctrl-C")
            return DONE
        with _serving(settings) as running:
            say(running.page)
            tell(witnessing(running.services.witness_policy, running.services.installation.engine))
            _wait("serving until Ctrl-C")
        return DONE

    return run_with_settings(data, port, command)


@contextmanager
def _serving(settings: Settings) -> Iterator[Running]:
    """Serve while the block runs; say so where the port is another than the one asked for."""
    from exchange.server import serving

    with serving(settings) as running:
        if settings.port not in (0, running.port):
            tell(
                f"port {settings.port} can't be had, something else may be using it; port {running.port} is used instead"
            )
        yield running


def _demo(running: Running, settings: Settings, *, leave: bool, as_json: bool) -> int:
    from exchange.demo import print_summary, summary
    from exchange.trust import TrustFile
    from exchange.verification import verify_evidence

    played, evidence = _play(running, settings)
    tell("evidence exported; verifying it offline ...")
    trust = settings.data / "trust"
    with evidence.open("rb") as file:
        verdict = verify_evidence(file, TrustFile.read(trust.read_bytes()))
    serve = _command("serve", "--data", settings.data)
    if as_json:
        page = None if leave else running.page
        say_json(summary(played, verdict, evidence_file=str(evidence), page=page, serve=serve))
    else:
        commands = {
            "verify it yourself": _command("verify", evidence, "--trust", trust),
            "audit the ledger": _command("ledger", "audit", "--data", settings.data),
            "see the pages": serve if leave else running.page,
        }
        print_summary(played, verdict, commands, say)
    return verdict.exit_code


def _play(running: Running, settings: Settings) -> tuple[Played, Path]:
    """Play the demo's story; return it with the evidence file. Of two at once the second waits, and finds all there."""
    from exchange.client import Client
    from exchange.demo import play, tables_folder
    from exchange.demo.company import Desk
    from exchange.installation import alone, kept_secret, make_private_folder, new_secret
    from exchange.services import utc_now

    installation = running.services.installation
    origin = installation.trust_file.origin
    folder = settings.data / "demo" / origin.replace("/", "-")
    given = settings.passphrase
    secret = given.get_secret_value() if given else kept_secret(settings.data / "passphrase", new_secret)
    make_private_folder(folder)
    waiting = "another demo is at work in this data folder; waiting for it"
    with alone(folder, lambda: tell(waiting)), Client(running.address, installation.token) as client:
        played = play(Desk(client, origin, folder, secret, utc_now, new_secret), tables_folder(), tell)
        results = [digest for pack in played.packs for digest, _found in pack.results.values()]
        evidence = folder / "evidence.packtrace"
        client.evidence(played.reader, results, evidence)
    return played, evidence


def _command(*words: object) -> str:
    """Return a command of this program, as a shell takes it."""
    return f"{program()} {shlex.join(map(str, words))}"


def run_with_settings(data: Path | None, port: int | None, command: Callable[[Settings], int]) -> int:
    """Run a command with its settings; an error of ours, or Ctrl-C, becomes one line and an exit code."""
    try:
        return _guarded(data, port, command)
    except KeyboardInterrupt:
        return interrupted("what was done stays done; run it again to go on")


def _guarded(data: Path | None, port: int | None, command: Callable[[Settings], int]) -> int:
    try:
        from pydantic import ValidationError
        from sqlalchemy.exc import SQLAlchemyError

        from exchange.database import place
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
        settings = Settings(**given)
        return command(settings)
    except ValidationError as error:
        trouble = _bad_setting(error, Settings)
    except (SetupError, UsageError) as error:
        trouble = str(error)
    except (ExchangeError, SignerError, LedgerError) as error:
        code, trouble = REJECTED, str(error)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).splitlines()[0]
        trouble = (
            f"the database can't be used: {reason} (at {place(settings.url)}); check that it runs and may be written"
        )
    except TOMLDecodeError as error:
        trouble = f"not TOML: {error} (at packtrace.toml); correct the file"
    except OSError as error:
        trouble = f"{error.strerror} (at {error.filename or data}); name a file or folder that this command can use"
    except UnicodeDecodeError:
        trouble = "the file is not text (at its bytes); name a signed statement or a folder of this program"
    return fail(trouble, code)


def _bad_setting(error: ValidationError, settings: type[Settings]) -> str:
    """Say in one line what is wrong with a setting; for an unknown name, which one is near."""
    from bom_graph import first_defect
    from exchange.settings import PREFIX

    steps, what = first_defect(error)
    name = "_".join(steps)
    if name in settings.model_fields:
        return f"{what} (at {PREFIX}{name.upper()}); correct the setting"
    near = get_close_matches(name, settings.model_fields, n=1, cutoff=0)[0]
    place = f"{PREFIX}{name.upper()}, or {name} in packtrace.toml"
    return f"there is no such setting (at {place}); unset it, or use the nearest: {PREFIX}{near.upper()}"


def witnessing(policy: WitnessPolicy, engine: Engine) -> str:
    """How far the log is witnessed, or that it isn't, in a sentence."""
    from exchange.cosigning import describe_witnesses
    from ledger.store import snapshot

    with snapshot(engine) as connection:
        return describe_witnesses(connection, policy)


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

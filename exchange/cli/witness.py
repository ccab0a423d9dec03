"""``packtrace ledger witness`` and ``packtrace ledger policy``: both ends of witnessing."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.output import DONE, say, say_json, tell
from exchange.cli.server_commands import run_with_settings

if TYPE_CHECKING:
    from exchange.settings import Settings
    from ledger import LogKey


def run_witness(folder: Path, policy: Path, name: str | None, host: str, port: int) -> int:
    """Serve a witness until it is interrupted; its first line is the one for the policies of those who use it."""

    def command(_settings: Settings) -> int:
        from exchange.installation import new_secret
        from exchange.server import bind
        from exchange.witness import open_witness, serve_witness
        from signer.key_access import PASSPHRASE_VARIABLE

        logs = _logs(policy)
        passphrase = os.environ.get(PASSPHRASE_VARIABLE)
        witness = open_witness(folder, logs, name=name, passphrase=passphrase, clock=time.time, random=new_secret)
        listener = bind(host, port, or_free=False)
        at, number = listener.getsockname()[:2]
        shown = f"[{at}]" if ":" in at else at
        say(f"witness NAME {witness.signer.witness_key} http://{shown}:{number}")
        for origin in dict.fromkeys(log.name for log in logs):
            tell(f"follows {origin}")
        tell("witnessing until Ctrl-C")
        # The server ends gently at either signal and raises it again.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            serve_witness(witness, listener)
        tell("stopping")
        return DONE

    return run_with_settings(None, None, command)


def _logs(policy: Path) -> list[LogKey]:
    """The keys on the log lines of a policy. Raises UsageError, OSError."""
    from exchange.errors import UsageError
    from ledger import LedgerError, WitnessPolicy

    remedy = "name each log on a log line; see docs/formats/policy.md"
    try:
        found = [log.key for log in WitnessPolicy.parse(policy.read_bytes()).logs]
    except LedgerError as error:
        raise UsageError(f"{error.what} ({error.where})", where=str(policy), remedy=remedy) from None
    if not found:
        raise UsageError("there is no log to witness", where=str(policy), remedy=remedy)
    return found


def run_policy(data: Path | None, *, as_json: bool) -> int:
    """Print the policy of the log in the data folder."""

    def command(settings: Settings) -> int:
        from exchange.cosigning import load_policy
        from exchange.trust import TrustFile

        path = settings.data / "trust"
        keys = TrustFile.read(path.read_bytes(), where=str(path)).keys
        policy = load_policy(settings.witness_policy, *keys)
        text = policy.document().decode("utf-8", "backslashreplace")
        own = [one.name for one in policy.witnesses if one.is_own_of(*keys)]
        if as_json:
            say_json({"policy": text, "digest": policy.digest, "quorum": policy.quorum, "self_witnessed": own})
            return DONE
        for name in own:
            say(f"# {name}: self-witnessed, never counts")
        say(text.removesuffix("\n"))
        return DONE

    return run_with_settings(data, None, command)

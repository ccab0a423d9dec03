"""``packtrace verify``: needs the base install only, and no network."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING

from exchange.cli.anchors import read_trust
from exchange.cli.files import read_up_to
from exchange.cli.guard import guarded
from exchange.cli.output import say, say_json, tell
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.trust import TrustFile
    from exchange.verification import Verdict
    from ledger import WitnessPolicy


@dataclass(frozen=True, slots=True)
class Check:
    """An evidence file, and what it is checked against; `key` opens it where it is encrypted."""

    file: Path
    trust: Path | None
    policy: Path | None = None
    key: Path | None = None
    passphrase_fd: int | None = None


def run(check: Check, *, as_json: bool) -> int:
    """Verify an evidence file and print the verdict; return the exit code."""

    def command() -> int:
        verdict = checked(check, quiet=as_json)
        _print(verdict, as_json=as_json)
        return verdict.exit_code

    return guarded(command)


def checked(check: Check, *, quiet: bool) -> Verdict:
    """Return the verdict on an evidence file. Raises UsageError where nothing can be said about it, OSError."""
    from exchange.errors import EvidenceError, UsageError
    from exchange.verification import verify_evidence
    from ledger import LedgerError

    try:
        anchors = None if check.trust is None else read_trust(check.trust)
        required = None if check.policy is None else _policy(check.policy, anchors)
    except EvidenceError as error:
        # Without anchors nothing is said about the evidence: that isn't a rejection.
        raise UsageError(error.what, where=error.where, remedy=error.remedy) from None
    except LedgerError as error:
        raise UsageError(error.what, where=f"{check.policy}: {error.where}", remedy=error.remedy) from None
    progress = None if quiet else lambda number, name: tell(f"step {number}: {name} ...")
    # Nearly all that a check makes is needed to its end: to look for circles in it again and again takes a sixth of the time.
    gc.disable()
    try:
        with _opened(check) as stream:
            return verify_evidence(stream, anchors, progress, required, at=datetime.now(UTC))
    finally:
        gc.enable()


@contextmanager
def _opened(check: Check) -> Iterator[IO[bytes]]:
    """The evidence file open for reading; an encrypted one decrypted into a file that has no name and goes with this process."""
    from exchange.errors import StatementError, UsageError
    from exchange.evidence_file import READ_AHEAD

    with check.file.open("rb", buffering=READ_AHEAD) as file:
        start = file.read(4)
        if start.startswith(b"PK"):
            yield file
            return
        if not start.startswith(b"eyJ"):
            remedy = "name a file that `packtrace bundle` or `packtrace pull` wrote"
            raise UsageError("it is no evidence file", where=str(check.file), remedy=remedy)

        if check.key is None:
            remedy = "name your key with --key"
            raise UsageError("the file is encrypted to its reader", where=str(check.file), remedy=remedy)
        try:
            from exchange.sealing import open_file
        except ModuleNotFoundError as error:
            remedy = "install packtrace[server]"
            what = "to open an encrypted file needs the server's half of the install"
            raise UsageError(what, where=str(error.name), remedy=remedy) from None
        from exchange.cli.key import passphrase
        from signer.key_access import open_key

        key = open_key(check.key, lambda: passphrase(check.passphrase_fd))
        file.seek(0)
        with tempfile.TemporaryFile() as opened:
            try:
                open_file(file, key, opened)
            except StatementError as error:
                # Nothing was said about the evidence inside: that isn't a rejection.
                raise UsageError(error.what, where=f"{check.file}: {error.where}", remedy=error.remedy) from None
            yield opened


def _policy(path: Path, anchors: TrustFile | None) -> WitnessPolicy:
    """The witness policy in a file, which has to be for the log of the anchors."""
    from ledger import MAX_POLICY, WitnessPolicy

    policy = WitnessPolicy.parse(read_up_to(path, MAX_POLICY))
    return policy if anchors is None else policy.for_log(*anchors.keys)


def _print(verdict: Verdict, *, as_json: bool) -> None:
    from exchange.report import by_factor, data_period, name_of, of_when, sealed_lines

    if as_json:
        members = asdict(replace(verdict, results={}))
        members["results"] = [
            {
                "digest": name,
                "model": r["model"],
                "product": r["demand"]["product"],
                "flow": r["demand"]["flow"],
                "rule_set": r["rule_set"]["id"],
                "headline": r["headline"],
                "heading": r["heading"],
                "ledger_size": r["snapshot"]["size"],
                "data_period": data_period(r),
                "sealed": r["sealed"],
            }
            for name, r in verdict.results.items()
        ]
        say_json({"verdict": verdict.code, "exit_code": verdict.exit_code, **members})
        return
    for step in verdict.steps:
        say(shown(f"ok {step.number}. {step.name}: {step.evidence}"))
    for name, found in verdict.results.items():
        sealed = sum(float(branch["percent"]) for branch in found["sealed"])
        note = f", sealed {sealed:.1f} %" if found["sealed"] else ""
        headline = found["headline"]
        figure = f"{headline['printed']} {headline['unit']} ({found['heading']}{note})"
        say(shown(f"   {name_of(found)} under {found['rule_set']['id']}: {figure}"))
        say(shown(f"      {of_when(found)}"))
        if found["demand"]["flow"] is not None:
            say(shown(f"      {by_factor(found)}"))
        said = {one.entry: one.verification for one in verdict.sealed if one.digest == name}
        for line in sealed_lines(found, said):
            say(shown(f"      {line}"))
    print_limits(verdict)


def print_limits(verdict: Verdict) -> None:
    """Print what verification can't show, and the verdict."""
    for limit in verdict.limits:
        say(shown(f"   note: {limit}"))
    failed = f" in step {verdict.failed}" if verdict.failed else ""
    place = f" (at {verdict.where}{failed}); {verdict.remedy}" if verdict.where else ""
    say(shown(f"{verdict.text}{place}"))

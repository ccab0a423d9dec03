"""``packtrace verify``: needs the base install only, and no network."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.anchors import read_trust
from exchange.cli.files import read_up_to
from exchange.cli.output import USAGE, fail, say, say_json, tell
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.trust import TrustFile
    from exchange.verification import Verdict
    from ledger import WitnessPolicy


def run(file: Path, trust: Path | None, policy: Path | None = None, *, as_json: bool) -> int:
    """Verify `file` and print the verdict; return the exit code."""
    from exchange.errors import EvidenceError
    from exchange.verification import verify_evidence
    from ledger import LedgerError

    try:
        anchors = None if trust is None else read_trust(trust)
        required = None if policy is None else _policy(policy, anchors)
        stream = file.open("rb")
    except OSError as error:
        return fail(f"{error.strerror} (at {error.filename}); name a file that can be read", USAGE)
    except EvidenceError as error:
        # Without anchors nothing is said about the evidence: that isn't a rejection.
        return fail(error, USAGE)
    except LedgerError as error:
        return fail(f"{error.what} (at {policy}: {error.where}); {error.remedy}", USAGE)
    progress = None if as_json else lambda number, name: tell(f"step {number}: {name} ...")
    with stream:
        verdict = verify_evidence(stream, anchors, progress, required, at=datetime.now(UTC))
    _print(verdict, as_json=as_json)
    return verdict.exit_code


def _policy(path: Path, anchors: TrustFile | None) -> WitnessPolicy:
    """The witness policy in a file, which has to be for the log of the anchors."""
    from ledger import MAX_POLICY, WitnessPolicy

    policy = WitnessPolicy.parse(read_up_to(path, MAX_POLICY))
    return policy if anchors is None else policy.for_log(*anchors.keys)


def _print(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        members = asdict(verdict)
        members["results"] = [
            {
                "model": r["model"],
                "product": r["demand"]["product"],
                "rule_set": r["rule_set"]["id"],
                "headline": r["headline"],
                "heading": r["heading"],
                "sealed": r["sealed"],
            }
            for r in verdict.results
        ]
        say_json({"verdict": verdict.code, "exit_code": verdict.exit_code, **members})
        return
    from exchange.report import name_of, sealed_lines

    for step in verdict.steps:
        say(shown(f"ok {step.number}. {step.name}: {step.evidence}"))
    for found in verdict.results:
        sealed = sum(float(branch["percent"]) for branch in found["sealed"])
        note = f", sealed {sealed:.1f} % (unverified)" if found["sealed"] else ""
        headline = found["headline"]
        figure = f"{headline['printed']} {headline['unit']} ({found['heading']}{note})"
        say(shown(f"   {name_of(found)} under {found['rule_set']['id']}: {figure}"))
        for line in sealed_lines(found):
            say(shown(f"      {line}"))
    for limit in verdict.limits:
        say(shown(f"   note: {limit}"))
    failed = f" in step {verdict.failed}" if verdict.failed else ""
    place = f" (at {verdict.where}{failed}); {verdict.remedy}" if verdict.where else ""
    say(shown(f"{verdict.text}{place}"))

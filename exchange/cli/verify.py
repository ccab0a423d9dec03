"""``packtrace verify``: needs the base install only, and no network."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.output import REJECTED, USAGE, fail, say, say_json, tell

if TYPE_CHECKING:
    from exchange.trust import TrustFile
    from exchange.verification import Verdict


def run(file: Path, trust: Path | None, *, as_json: bool) -> int:
    """Verify `file` and print the verdict; return the exit code."""
    from exchange.errors import EvidenceError
    from exchange.verification import verify_evidence

    try:
        anchors = None if trust is None else _trust(trust)
        data = file.read_bytes()
    except OSError as error:
        return fail(f"{error.strerror} (at {error.filename}); name a file that can be read", USAGE)
    except EvidenceError as error:
        return fail(error, REJECTED)
    verdict = verify_evidence(
        data, anchors, None if as_json else lambda number, name: tell(f"step {number}: {name} ...")
    )
    _print(verdict, as_json=as_json)
    return verdict.exit_code


def _trust(path: Path) -> TrustFile:
    from exchange.trust import TrustFile

    return TrustFile.read(path.read_bytes(), where=str(path))


def _print(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        members = asdict(verdict)
        members["results"] = [
            {"model": r["model"], "rule_set": r["rule_set"]["id"], "headline": r["headline"], "heading": r["heading"]}
            for r in verdict.results
        ]
        say_json({"verdict": verdict.code, "exit_code": verdict.exit_code, **members})
        return
    for step in verdict.steps:
        say(f"ok {step.number}. {step.name}: {step.evidence}")
    for found in verdict.results:
        name = found["model"] or found["demand"]["product"]
        sealed = sum(float(branch["percent"]) for branch in found["sealed"])
        note = f", sealed {sealed:.1f} % (unverified)" if sealed else ""
        headline = found["headline"]
        say(
            f"   {name} under {found['rule_set']['id']}: {headline['printed']} {headline['unit']} ({found['heading']}{note})"
        )
    for limit in verdict.limits:
        say(f"   note: {limit}")
    place = f" (at {verdict.where}); {verdict.remedy}" if verdict.where else ""
    say(f"{verdict.text}{place}")

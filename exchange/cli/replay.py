"""``packtrace replay`` and ``packtrace bundle``: one result computed again, and the file that it takes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.cli.files import check_new
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, UNDECIDABLE, USAGE, fail, say, say_json, tell
from exchange.cli.verify import Check, checked, print_limits
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.cli.partner import Login
    from exchange.partner import Partner
    from exchange.verification import Replay, Verdict


@dataclass(frozen=True, slots=True)
class Source:
    """Where a result's evidence comes from: a file, or an exchange and as whom."""

    evidence: Path | None
    server: str | None
    reader: str | None
    client_id: str | None
    secret_file: Path | None
    email: str | None
    data: Path | None


def run_replay(
    result: str, source: Source, trust: Path | None, key: Path | None, passphrase_fd: int | None, *, as_json: bool
) -> int:
    """Compute a result again; print how well it agrees; return the exit code."""
    if (source.evidence is None) == (source.server is None):
        return fail("name where the result's evidence is: either --evidence FILE or --server ADDRESS", USAGE)

    def replayed(file: Path) -> int:
        verdict = checked(Check(file, trust, None, key, passphrase_fd), quiet=as_json)
        return _print(result, verdict, as_json=as_json)

    if source.evidence is not None:
        path = source.evidence
        return guarded(lambda: replayed(path))
    return _fetched(result, source, replayed)


@dataclass(frozen=True, slots=True)
class Bundle:
    """Which results go into which file, for whom (yourself unless stated), and how."""

    results: Sequence[str]
    out: Path
    reader: str | None
    encrypt: bool
    attachments: bool


def run_bundle(wanted: Bundle, login: Login, *, as_json: bool) -> int:
    """Fetch the evidence file of results into a new file."""
    from exchange.cli.partner import connected

    def command(partner: Partner) -> int:
        check_new(wanted.out)
        whom = wanted.reader or partner.call("GET", "me")["organisation"]
        partner.evidence(whom, wanted.results, wanted.out, seal=wanted.encrypt, attachments=wanted.attachments)
        size, results = wanted.out.stat().st_size, list(dict.fromkeys(wanted.results))
        if as_json:
            found = {"file": str(wanted.out), "reader": whom, "results": results, "bytes": size}
            say_json({**found, "encrypted": wanted.encrypt})
        else:
            key = ", encrypted to its key" if wanted.encrypt else ""
            say(shown(f"{wanted.out}: {len(results)} results for {whom}, {size:,} bytes{key}"))
            tell("what was handed out can't be taken back")
        return DONE

    return connected(login, command)


def _fetched(result: str, source: Source, then: Callable[[Path], int]) -> int:
    from exchange.cli.partner import Login, connected
    from exchange.client import AnswerError

    login = Login(str(source.server), source.client_id, source.secret_file, source.email, source.data)

    def command(partner: Partner) -> int:
        whom = source.reader or partner.call("GET", "me")["organisation"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "evidence.packtrace"
            try:
                partner.evidence(whom, [result], file)
            except AnswerError as error:
                if error.problem.get("code") != "erased":
                    raise
                return fail(error, UNDECIDABLE)
            return then(file)

    return connected(login, command)


def _print(result: str, verdict: Verdict, *, as_json: bool) -> int:
    found = next((one for one in verdict.replays if one.digest == result), None)
    if verdict.replays and found is None:
        return fail(f"there is no result {result} in this file; take the digest from the list of results", USAGE)
    if as_json:
        agreement = None if found is None else _as_json(found)
        said = {"result": result, "verdict": verdict.code, "exit_code": verdict.exit_code, "text": verdict.text}
        say_json({**said, "where": verdict.where, "replay": agreement, "limits": list(verdict.limits)})
        return verdict.exit_code
    if found is not None:
        how = "to the last byte" if found.is_identical else f"the largest difference is {found.largest_difference:.1e}"
        say(f"result {result}: computed again, {found.figures} values agree within 1e-9; {how}")
    print_limits(verdict)
    return verdict.exit_code


def _as_json(found: Replay) -> dict[str, object]:
    return {
        "values": found.figures,
        "largest_difference": found.largest_difference,
        "identical": found.is_identical,
    }

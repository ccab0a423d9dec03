"""A stream of statements, verified on all cores: in order, each by itself, with the memory of a few."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.cli import statement_stream
from exchange.cli.statement_stream import run_verify_all, verdicts
from exchange.kinds import ACTIVITY_DATA
from exchange.trust import TrustFile
from signer import join_presentation
from tests.exchange.dossier import LITHIUM, Dossier, salt_claims, small_dossier


@pytest.fixture(scope="module")
def made() -> Dossier:
    dossier = small_dossier()
    for number in range(9):
        dossier.simulator.state(LITHIUM, ACTIVITY_DATA, salt_claims(f"{LITHIUM}/{number}"))
    return dossier


def lines(made: Dossier) -> list[str]:
    """All statements of the log; the third is changed, and the fifth is none."""
    found = [join_presentation(one.token, one.disclosures) for one in made.simulator.issued]
    found[2] = found[2].replace(".", ".A", 1)
    found[4] = "kg CO2e"
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_line_has_its_verdict_in_order(
    jobs: int, made: Dossier, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_stream, "_CHUNK", 2)
    file, trust = tmp_path / "statements", tmp_path / "trust"
    file.write_text("\n\n".join(lines(made)) + "\n")
    trust.write_bytes(made.trust().document())
    assert run_verify_all(str(file), trust, jobs) == 1
    said = capsys.readouterr()
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [one["line"] for one in found] == list(range(1, 2 * len(lines(made)), 2))
    assert [one["verdict"] for one in found] == [
        "rejected" if number in {2, 4} else "verified" for number in range(len(found))
    ]
    assert found[4]["where"].startswith("line 9") or found[4]["where"]
    assert f"{len(found) - 2} verified, 2 rejected, 0 not decidable" in said.err


def test_a_file_that_is_not_there_is_exit_2(made: Dossier, tmp_path: Path) -> None:
    trust = tmp_path / "trust"
    trust.write_bytes(made.trust().document())
    assert run_verify_all(str(tmp_path / "none"), trust, 1) == 2


def test_a_line_without_end_is_refused_and_the_next_one_read(
    made: Dossier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = lines(made)[0]
    monkeypatch.setattr(statement_stream, "MAX_STATEMENT_BYTES", len(good) + 10)
    monkeypatch.setattr("exchange.cli.statement.MAX_STATEMENT_BYTES", len(good) + 10)
    file, trust = tmp_path / "statements", tmp_path / "trust"
    file.write_text(f"{'A' * (5 * len(good))}\n{good}\n")
    trust.write_bytes(made.trust().document())
    assert run_verify_all(str(file), trust, 1) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["line"], one["verdict"]) for one in found] == [(1, "rejected"), (2, "verified")]


def test_memory_doesnt_grow_with_the_stream(made: Dossier) -> None:
    one = lines(made)[3].encode() + b"\n"
    anchors: TrustFile = made.trust()

    def peak(count: int) -> int:
        def stream() -> Iterator[tuple[int, bytes]]:
            yield from ((number, one) for number in range(count))

        tracemalloc.start()
        for _ in verdicts(stream(), anchors, 1):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)
    # Tokens that were kept would be three megabytes more.
    assert len(one) > 3500
    assert peak(1200) < peak(400) + 1_000_000

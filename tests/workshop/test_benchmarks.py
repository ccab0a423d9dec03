"""The bench runner: honest ratios, one JSON object a line, and a group's failure stays its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from types import ModuleType

import pytest

from benchmarks import measure, run
from benchmarks.measure import Row, compare

ROW = Row("verify", 2000.0, 1000.0, "other", 2.0, ">=0.6", "per second")


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> dict[str, Iterator[Row]]:
    """The runner with these groups alone; a test adds iterators of rows."""
    present: dict[str, Iterator[Row]] = {}

    def find(name: str) -> object:
        return present.get(name.removeprefix("benchmarks.bench_"))

    def load(name: str) -> ModuleType:
        module = ModuleType(name)
        vars(module)["rows"] = lambda: present[name.removeprefix("benchmarks.bench_")]
        return module

    monkeypatch.setattr(run, "find_spec", find)
    monkeypatch.setattr(run, "import_module", load)
    return present


def failing() -> Iterator[Row]:
    yield ROW
    raise RuntimeError("no reference here")


def test_twice_the_work_is_half_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that the work itself moves: a real one would let the machine's load decide."""
    now = 0

    def work(nanoseconds: int) -> None:
        nonlocal now
        now += nanoseconds

    monkeypatch.setattr("benchmarks.measure.time.perf_counter_ns", lambda: now)
    ours, reference = partial(work, 2000), partial(work, 4000)
    row = compare("sum", ours, reference, reference_name="twice", goal=">=1", operations=10)
    assert row.ratio == pytest.approx(2)
    assert row.ours == pytest.approx(5e6)
    assert row.reference == pytest.approx(2.5e6)


def test_operations_scale_the_rates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "calibrate", lambda _: 5)
    monkeypatch.setattr(measure, "seconds", lambda *_: 0.5)
    row = compare("x", int, int, reference_name="y", goal="", operations=100)
    assert (row.ours, row.reference, row.ratio) == (1000, 1000, 1)


@pytest.mark.parametrize(("milliseconds", "verdict"), [(0.05, "yes"), (0.11, "no")])
def test_a_limit_is_met_below_it(milliseconds: float, verdict: str) -> None:
    row = measure.limit("proof", milliseconds, 0.1)
    assert row.ratio == pytest.approx(milliseconds / 0.1)
    assert run.met(row) == verdict


def test_json_lines_have_the_fields_of_a_row(
    groups: dict[str, Iterator[Row]], capsys: pytest.CaptureFixture[str]
) -> None:
    groups["ledger"] = iter([ROW, ROW])
    assert run.main({"JSON": "1"}) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 2
    assert set(lines[0]) == {field.name for field in fields(Row)}


def test_table_shows_whether_the_goal_is_met(
    groups: dict[str, Iterator[Row]], capsys: pytest.CaptureFixture[str]
) -> None:
    groups["signer"] = iter([ROW])
    assert run.main({"ONLY": "signer"}) == 0
    shown = " ".join(capsys.readouterr().out.splitlines()[1].split())
    assert shown == "verify 2,000 per second 1,000 (other) 2 >=0.6 yes"


def test_group_that_raises_does_not_stop_the_others(
    groups: dict[str, Iterator[Row]], capsys: pytest.CaptureFixture[str]
) -> None:
    groups["signer"] = failing()
    groups["auditor"] = iter([ROW])
    assert run.main({"JSON": "1"}) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2
    assert "no reference here" in captured.err
    assert "engine: no benchmarks yet" in captured.err


@pytest.mark.parametrize(
    ("ratio", "goal", "verdict"),
    [(0.6, ">=0.6", "yes"), (0.59, ">=0.6", "no"), (2.0, "<=1", "no"), (1.0, "none", "-"), (1.0, ">=fast", "-")],
)
def test_goal_is_read_as_a_bound_on_the_ratio(ratio: float, goal: str, verdict: str) -> None:
    assert run.met(Row("x", 1, 1, "y", ratio, goal, "per second")) == verdict


def test_unknown_group_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main({"ONLY": "singer"}) == 2
    assert "signer" in capsys.readouterr().err

"""The README's transcript is what the demo prints: figure by figure."""

from __future__ import annotations

import re
from pathlib import Path

from tests.flow.process import ROOT, packtrace


def test_every_line_of_the_transcript_is_printed_by_the_demo(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    transcript = re.search(r"```text\n(.*?)```", readme, re.DOTALL)
    assert transcript is not None
    run = packtrace("demo", "--exit", "--data", str(tmp_path / "data"), port="0")
    assert run.returncode == 0, run.stderr
    printed = run.stdout.splitlines()
    lines = [line for line in transcript[1].splitlines() if line not in ("", "...")]
    assert [line for line in lines if line not in printed] == []
    assert len(lines) > 20

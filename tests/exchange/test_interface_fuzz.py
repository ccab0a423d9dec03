"""The interface keeps to its own description: schemathesis makes requests from the OpenAPI document, good and bad ones."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.server import serving
from exchange.settings import Settings

#: What is in form may still be refused (400): no schema says which tokens, requests and keys were signed by whom.
LEFT_OUT = "positive_data_acceptance"


@pytest.mark.long
def test_answers_are_as_described(tmp_path: Path) -> None:
    with serving(Settings(data=tmp_path / "data", port=0)) as running:
        order = [
            *("run", f"{running.address}/api/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {running.services.installation.token}"),
            # Its lines are a body that schemathesis can't write; tests/exchange/test_stream.py does.
            *("--exclude-path", "/api/v1/statements/stream"),
            *("--max-examples", "10", "--seed", "1", "--exclude-checks", LEFT_OUT, "--no-color"),
        ]
        run = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", *order],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", run.stdout)
    assert tested is not None
    assert int(tested[1]) > 40, run.stdout

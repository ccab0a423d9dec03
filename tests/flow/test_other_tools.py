"""The commands of docs/formats/tiles.md that check a log with other people's tools, run as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flow.world import Exchange, salt
from tests.ledger.go_verifier import go_verifier

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/formats/tiles.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.partition("## Check it with tools we did not write")[2], re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an exchange's `.packtrace`, and `packtrace` as a command."""
    exchange = Exchange.open(tmp_path / ".packtrace", f"sqlite:///{tmp_path / '.packtrace/exchange.sqlite'}")
    salt(exchange.member("maker"))
    exchange.publish()
    exchange.close()
    command = tmp_path / "bin/packtrace"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from exchange.cli import main; main()" "$@"\n')
    command.chmod(0o755)
    return tmp_path


def run(folder: Path, block: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PACKTRACE_")}
    environment |= {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "SOURCE": str(ROOT)}
    command = ["sh", "-eu", "-c", block]
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, timeout=300, check=False
    )


def test_openssl_verifies_the_checkpoint_of_an_exchange(folder: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: what it says of our checkpoints is not known here")
    key, openssl, _go = BLOCKS
    done = run(folder, key + openssl)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout
    checkpoint = folder / ".packtrace/log/checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace("\n", "0\n", 1))
    assert run(folder, openssl).returncode != 0


@pytest.mark.long
def test_go_verifies_the_log_of_an_exchange(folder: Path) -> None:
    go_verifier()
    key, _openssl, go = BLOCKS
    done = run(folder, key + go)
    assert done.returncode == 0, done.stderr
    size, root = (folder / ".packtrace/log/checkpoint").read_text().split("\n")[1:3]
    said = done.stdout.splitlines()[-1]
    assert said.startswith(f"size {size} root {root} ")
    assert " proofs 1 " in said

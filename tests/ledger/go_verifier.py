"""A program of ours on the code of the Go checksum database (go/verify.go), compiled once into the cache folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cache import kept

SOURCE = Path(__file__).parent / "go" / "verify.go"
#: Where Debian's golang-golang-x-mod-dev puts the packages. Their modules can't be fetched everywhere.
GOPATH = Path("/usr/share/gocode")


class GoVerifier:
    """Checks a case: a published log with keys, proofs and older checkpoints (layout: go/verify.go)."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def verify(self, case: Path) -> str:
        """What the program says of a sound case."""
        done = self.run(case)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, case: Path) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([self._program, case], text=True, capture_output=True, timeout=120, check=False)


def go_verifier() -> GoVerifier:
    """The compiled program; skips the test where Go or x/mod is not installed."""
    go = shutil.which("go")
    if go is None or not (GOPATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip(
            "golang or golang-golang-x-mod-dev is not installed: what Go's tlog says of our logs is not known here"
        )

    def compile_into(folder: Path) -> None:
        command = [go, "build", "-o", str(folder / "verify"), str(SOURCE)]
        environment = os.environ | {"GO111MODULE": "off", "GOFLAGS": "", "GOPATH": str(GOPATH)}
        done = subprocess.run(command, env=environment, text=True, capture_output=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr

    version = subprocess.run([go, "version"], capture_output=True, timeout=60, check=True).stdout
    return GoVerifier(kept("go", version + SOURCE.read_bytes(), compile_into) / "verify")

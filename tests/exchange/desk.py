"""A supplier's desk for the tests of the command line: a folder, a passphrase, commands, and a ledger on the other side."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_csr
from typer.testing import CliRunner

from exchange.cli.main import command_line
from exchange.evidence import Entry
from exchange.trust import TrustFile
from ledger import NoteSigner
from signer import split_presentation
from signer.keystore import load_key
from tests.simulator import ORIGIN, Simulator

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "attest"
SECRET = "correct horse 电池 staple"
CATHODES = "https://cathodes.example"
_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from exchange.cli import main
main()
"""


@dataclass(frozen=True)
class Ran:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line of the error."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert "Traceback" not in self.err
        return line

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Desk:
    """One supplier's folder, and the simulated ledger."""

    folder: Path
    ledger: Simulator = field(default_factory=Simulator)

    def run(self, *arguments: object, env: Mapping[str, str | None] | None = None, typed: str | None = None) -> Ran:
        """Run a command in this process; the passphrase is in the environment unless `env` says otherwise."""
        given = {"PACKTRACE_PASSPHRASE": SECRET, **(env or {})}
        words = [str(one) for one in arguments]
        result = CliRunner().invoke(command_line(words), words, env=given, input=typed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert SECRET not in result.output
        return Ran(result.exit_code, result.stdout, result.stderr)

    def certify(self, key: Path, organisation: str = CATHODES, *, days: tuple[float, float] = (-1, 365)) -> Path:
        """Let the authority answer the request beside `key`; return where the certificate was saved."""
        request = load_pem_x509_csr(key.with_name(f"{key.name}.csr").read_bytes())
        start, end = (datetime.now(UTC) + timedelta(days=number) for number in days)
        leaf = self.ledger.authority.issue(request.public_bytes(Encoding.DER), organisation, start, end)
        saved = key.with_name(f"{key.name}.crt")
        saved.write_bytes(load_der_x509_certificate(leaf).public_bytes(Encoding.PEM))
        return saved

    def key(self, name: str = "key", organisation: str = CATHODES, *, days: tuple[float, float] = (-1, 365)) -> Path:
        """A certified key made with the command line."""
        path = self.folder / name
        assert self.run("key", "new", path, "--organisation", organisation).code == 0
        self.certify(path, organisation, days=days)
        return path

    def join(self, key: Path, organisation: str = CATHODES, role: str = "supplier") -> None:
        """Let the operator enrol the key and grant the role."""
        self.ledger.keys[organisation] = load_key(key, SECRET)
        self.ledger.join(organisation, role)

    def attest(self, form: Path, key: Path, out: str = "statement", *more: str) -> Path:
        """Sign a form, having to succeed; return the statement's file."""
        target = self.folder / out
        ran = self.run("attest", form, "--key", f"file:{key}", "--audience", ORIGIN, "--out", target, "--yes", *more)
        assert ran.code == 0, ran.err
        return target

    def admit(self, statement: Path) -> Entry:
        """Let the ledger take the statement in, now."""
        token, disclosures = split_presentation(statement.read_text("ascii"))
        index = len(self.ledger.entries)
        entry = self.ledger.admission.admit(index, token, disclosures, at=datetime.now(UTC))
        self.ledger.entries.append(entry)
        return entry

    def trust(self) -> Path:
        """The ledger's trust file."""
        authority = load_der_x509_certificate(self.ledger.authority.certificate).public_bytes(Encoding.PEM)
        path = self.folder / "trust"
        anchors = TrustFile(
            origin=ORIGIN,
            log_key=str(NoteSigner(ORIGIN, bytes(32)).log_key),
            authorities=(authority.decode(),),
            rule_sets=frozenset(),
            factor_releases=frozenset(),
            policies=frozenset(),
        )
        path.write_bytes(anchors.document())
        return path

    def form(self, text: str, name: str = "form.yaml") -> Path:
        """A form of this text."""
        path = self.folder / name
        path.write_text(text, "utf-8")
        return path

    def on_terminal(self, answers: Mapping[str, str], *arguments: object) -> tuple[int, str]:
        """Run a command on a terminal of its own, answering what it asks; return exit code and all that the terminal showed."""
        ours, theirs = pty.openpty()
        environment = {name: value for name, value in os.environ.items() if name != "PACKTRACE_PASSPHRASE"}
        command = [sys.executable, "-c", _TERMINAL, *map(str, arguments)]
        process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, cwd=ROOT, env=environment
        )
        os.close(theirs)
        shown, waiting = "", dict(answers)
        while part := _read(ours):
            shown += part.decode("utf-8", "replace")
            for question in [question for question in waiting if question in shown]:
                os.write(ours, f"{waiting.pop(question)}\n".encode())
        os.close(ours)
        assert not waiting, shown
        return process.wait(60), shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # the other side is closed
        return b""

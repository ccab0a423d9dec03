"""A served exchange with its background work, organisations without accounts, and the commands as the operator's machine runs them."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from typer.testing import CliRunner, Result

from exchange.cli.main import command_line
from exchange.client import Client
from exchange.kinds import Kind
from exchange.server import Running, serving
from exchange.settings import Settings
from signer import KeyPair, issue, join_presentation, new_jti, proof_of_possession
from signer.keystore import save_key

PASSPHRASE = "four words, all of them here"


@dataclass
class Stand:
    """The exchange, its data folder, a client with the operator's token, and each organisation's key."""

    running: Running
    data: Path
    folder: Path
    client: Client
    keys: dict[str, KeyPair] = field(default_factory=dict)

    def join(self, uri: str, *roles: str) -> str:
        """Enrol an organisation, a supplier unless told otherwise; its key is in a file too."""
        key, origin = KeyPair.generate("ES256"), self.client.log()["origin"]
        enrolled = self.client.enrol(
            uri, uri, key.csr(uri), proof_of_possession(key, origin, uri), list(roles) or ["supplier"]
        )
        self.keys[uri] = key.with_certificate(enrolled.certificate)
        file = self.key_file(uri)
        save_key(file, key, PASSPHRASE)
        pem = load_der_x509_certificate(enrolled.certificate).public_bytes(Encoding.PEM)
        file.with_name(f"{file.name}.crt").write_bytes(pem)
        return uri

    def key_file(self, uri: str) -> Path:
        """The file of an organisation's key."""
        return self.folder / uri.removeprefix("https://")

    def sign(self, uri: str, kind: Kind, claims: Mapping[str, Any]) -> str:
        """A statement with its disclosures."""
        now = datetime.now(UTC)
        issued = issue(
            self.keys[uri],
            kind.profile,
            issuer=uri,
            audience=self.client.log()["origin"],
            jti=new_jti(now, random.randbytes),
            issued_at=now,
            claims=claims,
            random=random.randbytes,
        )
        return join_presentation(issued.token, issued.disclosures)

    def state(self, uri: str, kind: Kind, claims: Mapping[str, Any]) -> dict[str, Any]:
        """Have a statement admitted; its citation."""
        token, *disclosures = self.sign(uri, kind, claims).rstrip("~").split("~")
        return self.client.submit(token, disclosures).citation

    def run(self, *words: object, typed: str | None = None) -> Result:
        """Run a command against this exchange."""
        given = [*map(str, words), "--server", self.running.address, "--data", str(self.data)]
        return CliRunner().invoke(command_line(given), given, input=typed, env={"PACKTRACE_PASSPHRASE": PASSPHRASE})

    def found(self, *words: object, code: int = 0) -> Any:
        """What a command answers in JSON."""
        ran = self.run(*words, "--json")
        assert ran.exit_code == code, ran.output
        return json.loads(ran.stdout)


@contextmanager
def standing(folder: Path) -> Iterator[Stand]:
    """Serve while the block runs."""
    data = folder / "data"
    with (
        serving(Settings(data=data, port=0)) as running,
        Client(running.address, running.services.installation.token) as client,
    ):
        yield Stand(running, data, folder, client)


def until(what: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.1)
    return found

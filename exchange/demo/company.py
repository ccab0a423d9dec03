"""A company of the demo: its own key, its own signatures, and an outbox that makes a cut-short run resumable.

The demo's machine plays every company, so their keys are in its data folder; in service the exchange never holds a company's key. A
statement is written to the outbox before it is sent, so that a second run sends the very same bytes and finds its entry there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from exchange.client import Client, Receipt
from exchange.installation import make_private_folder, write_private
from exchange.kinds import Kind
from signer import KeyPair, issue, join_presentation, new_jti, proof_of_possession, read_unverified, split_presentation
from signer.keystore import load_key, save_key

FULL = ("full",)


@dataclass(frozen=True, slots=True)
class Desk:
    """What every company of the demo works with: the client, the log's name, a folder, a passphrase, a clock, randomness."""

    client: Client
    origin: str
    folder: Path
    passphrase: str
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Company:
    """An enrolled company."""

    uri: str
    name: str
    key: KeyPair
    desk: Desk
    joined_before: bool

    @classmethod
    def join(cls, desk: Desk, slug: str, name: str, role: str) -> Company:
        """Make the company's key on first use, and have it certified and enrolled."""
        uri = f"https://{slug}.example"
        path = desk.folder / "keys" / slug
        make_private_folder(path.parent)
        if not path.is_file():
            save_key(path, KeyPair.generate("ES256"), desk.passphrase)
        key = load_key(path, desk.passphrase)
        possession = proof_of_possession(key, desk.origin, uri)
        enrolled = desk.client.enrol(uri, name, key.csr(uri), possession, [role])
        return cls(uri, name, key.with_certificate(enrolled.certificate), desk, enrolled.existed)

    def product(self, name: str) -> str:
        """The URI of a product of this company."""
        return f"{self.uri}/products/{name}"

    def state(self, label: str, kind: Kind, claims: Mapping[str, Any]) -> tuple[Receipt, bool]:
        """Sign a statement once and submit it; return its receipt, and whether it says `claims`, which a later run may have changed."""
        path = self.desk.folder / "statements" / f"{label}.sd-jwt"
        make_private_folder(path.parent)
        if not path.is_file():
            now = self.desk.clock()
            issued = issue(
                self.key,
                kind.profile,
                issuer=self.uri,
                audience=self.desk.origin,
                jti=new_jti(now, self.desk.random),
                issued_at=now,
                claims=dict(claims),
                random=self.desk.random,
            )
            write_private(path, join_presentation(issued.token, issued.disclosures).encode())
        token, disclosures = split_presentation(path.read_text("ascii"))
        says = _same_claims(read_unverified(token, disclosures).disclosed, claims, kind)
        return self.desk.client.submit(token, disclosures), says

    def grant(self, receipt: Receipt, readers: Sequence[Company], purpose: str = "customer") -> None:
        """Let `readers` see all of a statement."""
        for reader in readers:
            self.desk.client.grant(self.uri, reader.uri, FULL, purpose, leaf_hash=receipt.leaf_hash)


def _same_claims(signed: Mapping[str, Any], claims: Mapping[str, Any], kind: Kind) -> bool:
    """Whether signed claims are `claims`, but for what signing adds (the order and the ids of lines) and a result's digest.

    A result is computed afresh by each run, of a log that has grown.
    """
    return _plain(signed, kind) == _plain(claims, kind)


def _plain(claims: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    plain = {name: value for name, value in claims.items() if name != "result_digest"}
    for name in kind.profile.lists & plain.keys():
        lines = ({key: value for key, value in line.items() if key != "id"} for line in plain[name])
        plain[name] = sorted(json.dumps(line, sort_keys=True) for line in lines)
    return plain

"""An in-memory supply chain with a clock: organisations with keys, one log, everything through the real signing and admission."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from exchange.admission import Admission
from exchange.evidence import Entry, Evidence
from exchange.kinds import KEY_EVENTS, ROLE_GRANT, Kind, Policy, load_policy
from signer import (
    CertificateAuthority,
    Issued,
    KeyPair,
    Trust,
    disclose,
    enrolment_claims,
    issue,
    new_jti,
    proof_of_possession,
)

ORIGIN = "log.packtrace.example/test"
OPERATOR = "https://operator.example"
START = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)


class Simulator:
    """A log and its organisations. Time moves a second with each statement; randomness comes from a seed."""

    def __init__(self, *, seed: int = 1, policy: Policy | None = None) -> None:
        self._random = random.Random(seed)
        self.now = START
        self._ca_key = KeyPair.generate("ES256")
        self.authority = CertificateAuthority.create(
            "Test CA", self._ca_key, START - timedelta(days=1), START + timedelta(days=3650)
        )
        self.trust = Trust(authorities=(self.authority.certificate,), pinned={}, origin=ORIGIN)
        self.policy = policy or load_policy()
        self.admission = Admission(self.trust, self.policy)
        self.keys: dict[str, KeyPair] = {}
        self.issued: list[Issued] = []
        self.entries: list[Entry] = []
        self._enrol(OPERATOR)

    def random(self, count: int) -> bytes:
        """Random bytes from the seed."""
        return self._random.randbytes(count)

    def key(self, organisation: str) -> KeyPair:
        """A key with a certificate for `organisation`, made on first use and not enrolled by it."""
        if organisation not in self.keys:
            pair = KeyPair.generate("ES256")
            leaf = self.authority.issue(
                pair.csr(organisation), organisation, START - timedelta(hours=1), START + timedelta(days=365)
            )
            self.keys[organisation] = pair.with_certificate(leaf)
        return self.keys[organisation]

    def join(self, organisation: str, *roles: str) -> str:
        """Enrol `organisation` and grant it `roles`."""
        self._enrol(organisation)
        self.state(OPERATOR, ROLE_GRANT, {"organisation": organisation, "roles": list(roles)})
        return organisation

    def sign(self, issuer: str, kind: Kind, claims: Mapping[str, Any]) -> Issued:
        """Sign a statement without admitting it."""
        self.now += timedelta(seconds=1)
        return issue(
            self.key(issuer),
            kind.profile,
            issuer=issuer,
            audience=ORIGIN,
            jti=new_jti(self.now, self.random),
            issued_at=self.now,
            claims=dict(claims),
            random=self.random,
        )

    def state(self, issuer: str, kind: Kind, claims: Mapping[str, Any]) -> Entry:
        """Sign a statement and admit it with all its disclosures."""
        issued = self.sign(issuer, kind, claims)
        entry = self.admission.admit(len(self.entries), issued.token, issued.disclosures, at=self.now)
        self.issued.append(issued)
        self.entries.append(entry)
        return entry

    def cite(self, entry: Entry) -> dict[str, Any]:
        """The citation of an entry."""
        return {"origin": ORIGIN, "index": entry.index, "leaf_hash": entry.leaf_hash}

    def evidence(self, *, sealed: Mapping[int, tuple[str, ...]] | None = None) -> Evidence:
        """What a reader holds who was given everything, but of the entries in `sealed` only those paths."""
        sealed = sealed or {}
        reading = Admission(self.trust, self.policy)
        entries = []
        for index, issued in enumerate(self.issued):
            given = issued.disclosures
            if index in sealed:
                given = disclose(issued.token, issued.disclosures, sealed[index])
            entries.append(reading.admit(index, issued.token, given, at=None))
        return Evidence(ORIGIN, len(entries), entries)

    def _enrol(self, organisation: str) -> None:
        pair = self.key(organisation)
        possession = proof_of_possession(pair, ORIGIN, organisation)
        self.state(OPERATOR, KEY_EVENTS, enrolment_claims(pair.certificate, possession))

"""A log's key events, for the tests of the register and of verdicts."""

import dataclasses
from collections.abc import Sequence

from signer import (
    JSON,
    KEY_EVENT,
    KeyPair,
    KeyRegister,
    Statement,
    compromise_claims,
    enrolment_claims,
    proof_of_possession,
    replacement_claims,
    revocation_claims,
)
from tests.signer.world import MAKER, OPERATOR, ORIGIN, World

OTHER = "https://other.example"


def enrolment(
    key_pair: KeyPair, organisation: str = MAKER, origin: str = ORIGIN, chain: Sequence[bytes] = ()
) -> dict[str, JSON]:
    return enrolment_claims(key_pair.certificate, proof_of_possession(key_pair, origin, organisation), chain)


def replacement(key_pair: KeyPair, old: KeyPair, organisation: str = MAKER) -> dict[str, JSON]:
    possession = proof_of_possession(key_pair, ORIGIN, organisation)
    return replacement_claims(key_pair.certificate, possession, old.thumbprint)


@dataclasses.dataclass
class Log:
    """A log with an operator's key and a register that follows it."""

    world: World
    operator: KeyPair
    register: KeyRegister

    def event(self, signer: KeyPair, claims: dict[str, JSON], issuer: str = OPERATOR) -> Statement:
        issued = self.world.issue(signer, claims, KEY_EVENT, issuer)
        return self.world.verify(issued.token, profile=KEY_EVENT)

    def take(self, index: int, signer: KeyPair, claims: dict[str, JSON], issuer: str = OPERATOR) -> Statement:
        """Sign an event and let the register take it."""
        event = self.event(signer, claims, issuer)
        self.register = self.register.apply(index, event)
        return event

    def enrol(self, index: int, key_pair: KeyPair, organisation: str = MAKER) -> None:
        self.take(index, self.operator, enrolment(key_pair, organisation))

    def revoke(self, index: int, key_pair: KeyPair, organisation: str = MAKER) -> None:
        self.take(index, self.operator, revocation_claims(organisation, key_pair.thumbprint, "lost"))

    def replace(self, index: int, old: KeyPair, new: KeyPair, organisation: str = MAKER) -> Statement:
        return self.take(index, old, replacement(new, old, organisation), organisation)

    def compromise(
        self, index: int, key_pair: KeyPair, since: int, signer: KeyPair | None = None, organisation: str = MAKER
    ) -> Statement:
        """`signer` declares the key compromised; without one the key does so itself."""
        claims = compromise_claims(organisation, key_pair.thumbprint, since, "laptop stolen")
        return self.take(index, signer or key_pair, claims, organisation)

    def statement(self, key_pair: KeyPair, organisation: str = MAKER) -> Statement:
        return self.world.verify(self.world.issue(key_pair, issuer=organisation).token)

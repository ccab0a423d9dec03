"""What verification says: the steps that passed, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from exchange.report import Document

Progress = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Step:
    """A step that passed: what was checked, and on what evidence."""

    number: int
    name: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Replay:
    """A result computed again: how many figures it states, the largest relative difference, and whether every byte is the same."""

    digest: str
    figures: int
    largest_difference: float
    is_identical: bool


@dataclass(frozen=True, slots=True)
class SealedBranch:
    """A signed footprint whose inputs are sealed, in the result with `digest`, and who verified it: ``unverified`` where nobody did.

    `percent` is its share of absolute emissions. `is_verified`: by an opinion that counts, unmodified or modified.
    """

    digest: str
    product: str
    signer: str
    entry: int
    percent: float
    verification: str
    is_verified: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found. `code` is one of verified, verified_except_sealed, trust_on_first_use, not_decidable, rejected.

    `failed` names the step that was not passed. `policy` is the digest (hex SHA-256) of the policy by which signers were judged; None where
    it came to none. `results` are those computed again, by the digests of the file's, in the report's order. `witnesses` says which
    witnesses of the required policies cosigned the checkpoint, and when.
    """

    code: str
    text: str
    steps: tuple[Step, ...] = ()
    results: Mapping[str, Document] = field(default_factory=dict, repr=False)
    limits: tuple[str, ...] = ()
    where: str | None = None
    remedy: str | None = None
    failed: str | None = None
    policy: str | None = None
    witnesses: tuple[str, ...] = ()
    replays: tuple[Replay, ...] = ()
    sealed: tuple[SealedBranch, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 verified, 1 rejected, 3 not decidable or trust on first use."""
        return {"verified": 0, "verified_except_sealed": 0, "rejected": 1}.get(self.code, 3)

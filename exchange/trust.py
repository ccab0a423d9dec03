"""The trust file: what a verifier believes before opening any evidence. Nothing inside an evidence file can add to it.

It names the log (origin and key), the certificate authorities, and the digests of the rule sets, factor releases and policies that are
accepted. How a verifier gets the first one safely: compare its fingerprint over two independent channels.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import cached_property
from typing import Annotated, Any, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bom_graph import why_unreadable
from exchange.errors import EvidenceError
from ledger import MAX_POLICY, LedgerError, LogKey, WitnessPolicy
from signer import Trust

MAX_TRUST_BYTES = 1024 * 1024
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class TrustFile(BaseModel):
    """Anchors of one log. `authorities` are PEM certificates; digests are hex SHA-256 of the published files.

    `pinned` are authorities of one organisation, by its URI, which speak for that organisation only; `intermediates` lead to either.
    `witness_policy` is the text of a tlog-policy, which the checkpoint of an evidence file has to satisfy; empty: none has to.
    `other_log_keys` are the log's keys beside the first: while one key follows another, both sign. `predecessor` is the last checkpoint,
    a signed note, of the log that this one succeeded after its loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["urn:packtrace:trust-file:1"] = "urn:packtrace:trust-file:1"
    origin: Annotated[str, Field(min_length=1, max_length=500)]
    log_key: str
    authorities: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)]
    rule_sets: frozenset[Digest]
    factor_releases: frozenset[Digest]
    policies: frozenset[Digest]
    intermediates: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    pinned: Annotated[dict[str, tuple[str, ...]], Field(max_length=4096)] = Field(default_factory=dict)
    witness_policy: Annotated[str, Field(max_length=MAX_POLICY)] = ""
    other_log_keys: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    predecessor: Annotated[str, Field(max_length=100_000)] = ""

    @classmethod
    def read(cls, data: bytes, *, where: str = "trust file") -> TrustFile:
        """Return the trust file in `data`; EvidenceError for anything else."""
        try:
            if len(data) > MAX_TRUST_BYTES:
                raise ValueError(f"larger than {MAX_TRUST_BYTES} bytes")
            members = json.loads(data.decode(), object_pairs_hook=_members)
            if not isinstance(members, dict) or "format" not in members:
                raise ValueError("no format is named")
            found = cls.model_validate(members)
            if any(key.name != found.origin for key in found.keys):
                raise ValueError("the log key's name is not the origin")
            if len(set(found.keys)) != len(found.keys):
                raise ValueError("a log key is named twice")
            if found.policy is not None and not found.policy.is_attainable(*found.keys):
                raise ValueError("the witness policy asks for the log's own witness, which never counts")
            if found.predecessor and not _is_another_log(found.predecessor, found.origin):
                raise ValueError("the predecessor is not a checkpoint of another log")
            if not found.signers.authorities:
                raise ValueError("no authority is named")
        except (ValueError, TypeError, RecursionError, LedgerError, x509.InvalidVersion, UnsupportedAlgorithm) as error:
            raise EvidenceError(
                f"the trust file can't be read: {why_unreadable(error)}",
                where=where,
                remedy="fetch it again and compare its fingerprint",
            ) from None
        return found

    def document(self) -> bytes:
        """Return the file's bytes: the same anchors give the same bytes."""
        members = self.model_dump(mode="json")
        for name in ("rule_sets", "factor_releases", "policies"):
            members[name] = sorted(members[name])
        for name in ("intermediates", "pinned", "witness_policy", "other_log_keys", "predecessor"):
            # A file from before these members has the same bytes, and so the same fingerprint.
            if not members[name]:
                del members[name]
        return (json.dumps(members, indent=1, sort_keys=True) + "\n").encode()

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the file, in groups of eight, to read out over another channel."""
        text = hashlib.sha256(self.document()).hexdigest()
        return " ".join(text[n : n + 8] for n in range(0, len(text), 8))

    @cached_property
    def key(self) -> LogKey:
        """The log's first public key."""
        return LogKey.parse(self.log_key)

    @cached_property
    def keys(self) -> tuple[LogKey, ...]:
        """The log's public keys: one, or while a key follows another, both."""
        return (self.key, *(LogKey.parse(key) for key in self.other_log_keys))

    @cached_property
    def policy(self) -> WitnessPolicy | None:
        """The witness policy for this log; None where the file asks for none."""
        return WitnessPolicy.parse(self.witness_policy.encode()).for_log(*self.keys) if self.witness_policy else None

    @cached_property
    def signers(self) -> Trust:
        """The anchors of statement signatures."""
        pinned = {organisation: _ders(texts) for organisation, texts in self.pinned.items()}
        return Trust(_ders(self.authorities), pinned, self.origin, _ders(self.intermediates))


def _is_another_log(note: str, origin: str) -> bool:
    """Whether this has the form of a checkpoint of a log other than `origin`. Its signature is not for this file to check."""
    parts = re.fullmatch(r"([^\n]+)\n[0-9]{1,19}\n[^\n]+\n\n(?:\u2014 [^\n]+\n)+", note)
    return parts is not None and parts[1] != origin


def _ders(texts: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(x509.load_pem_x509_certificate(text.encode()).public_bytes(Encoding.DER) for text in texts)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a member that occurs twice: two readers would trust two things."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member occurs twice")
    return found

"""The trust file: what a verifier believes before opening any evidence. Nothing inside an evidence file can add to it.

It names the log (origin and key), the certificate authorities, and the digests of the rule sets, factor releases and policies that are
accepted, or who may publish them. How a verifier gets the first one safely: compare its fingerprint over two independent channels. How a
later one follows it: `exchange.trust_succession`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bom_graph import why_unreadable
from exchange.errors import EvidenceError, UndecidableError
from exchange.evidence import Entry, Evidence
from exchange.kinds import FACTOR_RELEASE, POLICY_RELEASE, RULE_SET_RELEASE
from ledger import MAX_POLICY, LedgerError, LogKey, WitnessPolicy
from signer import Trust

MAX_TRUST_BYTES = 1024 * 1024
MAX_SNAPSHOT_DAYS = 36_500
MAX_VERSION = 2**53 - 1  # every reader of JSON has it as a whole number
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
#: As a certificate names it: a scheme and printable ASCII. What breaks a line or controls a screen is in none.
Organisation = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$", max_length=512)]
#: What a publisher may vouch for, by the member that lists its digests, and the kind of statement that does.
Published: TypeAlias = Literal["rule_sets", "factor_releases", "policies"]
RELEASES: Mapping[Published, str] = MappingProxyType(
    {"rule_sets": RULE_SET_RELEASE.vct, "factor_releases": FACTOR_RELEASE.vct, "policies": POLICY_RELEASE.vct}
)
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: Members that a file from before them lacks: left out while they say nothing, so that it keeps its bytes and its fingerprint.
_OPTIONAL = (
    "intermediates",
    "pinned",
    "witness_policy",
    "other_log_keys",
    "predecessor",
    "version",
    "expires",
    "time_authorities",
    "publishers",
    "max_snapshot_days",
    "next_keys",
    "next_threshold",
)


class TrustFile(BaseModel):
    """Anchors of one log. `authorities` are PEM certificates; digests are hex SHA-256 of the published files.

    `pinned` are authorities of one organisation, by its URI, which speak for that organisation only; `intermediates` lead to either.
    `witness_policy` is the text of a tlog-policy, which the checkpoint of an evidence file has to satisfy; empty: none has to.
    `other_log_keys` are the log's keys beside the first: while one key follows another, both sign. `predecessor` is the last checkpoint,
    a signed note, of the log that this one succeeded after its loss.

    `version` rises by one from file to file; 0: the file has none, and follows no other. From `expires` on (UTC) nothing is decided by the
    file; empty: no end. `time_authorities` are PEM roots of RFC 3161 timestamping authorities. `publishers` are organisation URIs whose
    signed releases in the evidence stand for a digest here. The newest status snapshot of an evidence file may be `max_snapshot_days` days
    older than its checkpoint; 0: any age, or none is needed. The next version is signed by `next_threshold` of `next_keys`, which are
    C2SP verifier keys.
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
    pinned: Annotated[dict[Organisation, tuple[str, ...]], Field(max_length=4096)] = Field(default_factory=dict)
    witness_policy: Annotated[str, Field(max_length=MAX_POLICY)] = ""
    other_log_keys: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    predecessor: Annotated[str, Field(max_length=100_000)] = ""
    version: Annotated[int, Field(ge=0, le=MAX_VERSION, strict=True)] = 0
    expires: Annotated[str, Field(max_length=20)] = ""
    time_authorities: Annotated[tuple[str, ...], Field(max_length=64)] = ()
    publishers: dict[Published, Annotated[frozenset[Organisation], Field(min_length=1, max_length=64)]] = Field(
        default_factory=dict
    )
    max_snapshot_days: Annotated[int, Field(ge=0, le=MAX_SNAPSHOT_DAYS, strict=True)] = 0
    next_keys: Annotated[tuple[str, ...], Field(max_length=16)] = ()
    next_threshold: Annotated[int, Field(ge=0, le=16, strict=True)] = 0

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
            _check(found)
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
        members["publishers"] = {name: sorted(uris) for name, uris in members["publishers"].items()}
        for name in _OPTIONAL:
            if not members[name]:
                del members[name]
        return (json.dumps(members, indent=1, sort_keys=True) + "\n").encode()

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of the file, in groups of eight, to read out over another channel."""
        return " ".join(self.digest[n : n + 8] for n in range(0, len(self.digest), 8))

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the file."""
        return hashlib.sha256(self.document()).hexdigest()

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

    @cached_property
    def timestamp_roots(self) -> tuple[bytes, ...]:
        """The roots (DER) of the timestamping authorities."""
        return _ders(self.time_authorities)

    @cached_property
    def signing_next(self) -> tuple[LogKey, ...]:
        """The keys that may sign the next version."""
        return tuple(LogKey.parse(key) for key in self.next_keys)

    @cached_property
    def expiry(self) -> datetime | None:
        """The time from which on nothing is decided by this file; None where it has no end."""
        return datetime.strptime(self.expires, _TIME).replace(tzinfo=UTC) if self.expires else None

    def check_current(self, at: datetime) -> None:
        """Check that the file has not expired at `at` (aware). Raises UndecidableError."""
        if self.expiry is not None and at >= self.expiry:
            raise UndecidableError(
                f"the trust file expired at {self.expires}",
                where="trust file",
                remedy="get its next version from its publisher and take it with `packtrace trust accept`",
            )

    def release_for(self, kind: Published, digest: str, evidence: Evidence) -> Entry | None:
        """The newest release statement in `evidence` that stands for a file of this `kind` with this digest (hex); None where none does.

        It is by one of the file's publishers of that kind, and its issuer hasn't taken it back. That its signer had the role was checked
        when the entry was admitted. A policy may vouch for itself in this way: what it can't change is whose key signed the release.
        """
        found = [
            entry
            for entry in evidence.values()
            if entry.statement.vct == RELEASES[kind]
            and entry.statement.issuer in self.publishers.get(kind, ())
            and entry.statement.claims.get("digest") == digest
            and entry.leaf_hash not in evidence.retracted
        ]
        return max(found, key=lambda entry: entry.index, default=None)


def _check(trust: TrustFile) -> None:
    """Check what one member says of another. Raises ValueError, LedgerError or what reading a certificate raises."""
    if any(key.name != trust.origin for key in trust.keys):
        raise ValueError("the log key's name is not the origin")
    if len(set(trust.keys)) != len(trust.keys):
        raise ValueError("a log key is named twice")
    if trust.policy is not None and not trust.policy.is_attainable(*trust.keys):
        raise ValueError("the witness policy asks for the log's own witness, which never counts")
    if trust.predecessor and not _is_another_log(trust.predecessor, trust.origin):
        raise ValueError("the predecessor is not a checkpoint of another log")
    if not trust.signers.authorities:
        raise ValueError("no authority is named")
    if trust.expires and (trust.expiry is None or f"{trust.expiry:{_TIME}}" != trust.expires):
        raise ValueError("expires is not a time in UTC such as 2027-12-31T00:00:00Z")
    _ders(trust.time_authorities)
    _check_next(trust)


def _check_next(trust: TrustFile) -> None:
    if trust.next_keys and not trust.version:
        raise ValueError("a file that names who signs the next version has a version")
    if not bool(trust.next_keys) <= trust.next_threshold <= len(trust.next_keys):
        raise ValueError("next_threshold is not from 1 to the number of next_keys")
    publics = [key.public_key for key in trust.signing_next]
    if len(set(publics)) != len(publics):
        raise ValueError("a key is twice among the next_keys: it would count as two")
    if any(key.public_key in publics for key in trust.keys):
        raise ValueError("a key of the log is among the next_keys: it lies where the log runs")


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

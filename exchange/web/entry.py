"""A ledger entry as anyone may see it: where it stands, who signed it when, and its open claims. Disclosures are not part of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exchange.web.figures import host
from ledger.store import Entry
from signer import peek

_MEANINGS = {
    "alg": "algorithm of the signature",
    "typ": "form of the token",
    "kid": "thumbprint of the issuer's key (RFC 7638)",
    "x5c": "certificate of the issuer's key (DER, base64)",
    "iss": "issuer",
    "aud": "log that it was signed for",
    "jti": "the issuer's number for it",
    "iat": "issued at, as claimed (seconds since 1970)",
    "vct": "kind",
    "_sd_alg": "digest algorithm of the disclosures",
    "_sd": "digests of disclosures and of decoys; nobody can tell them apart from outside",
    "contents_digest": "which of the digests is of the disclosure that names what there is",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """An open claim: its name, what it means, its value as text."""

    name: str
    meaning: str
    value: str
    long: bool


@dataclass(frozen=True, slots=True)
class EntryView:
    """What the page of an entry shows. `previous`, `following`, `proof` are links, empty where there is nothing to link to."""

    index: int
    leaf_hash: str
    chain: str
    kind: str
    issuer: str
    issuer_name: str
    issued_at: str
    thumbprint: str
    header: tuple[Claim, ...]
    claims: tuple[Claim, ...]
    token: str
    previous: str
    following: str
    proof: str


def entry_view(found: Entry, *, size: int, published: int) -> EntryView:
    """Return the page of an entry of a log with `size` entries, of which `published` are under a checkpoint."""
    token = found.data.decode("ascii")
    header, payload = (_decoded(part) for part in token.split(".")[:2])
    seen = peek(token)
    return EntryView(
        index=found.index,
        leaf_hash=found.leaf_hash.hex(),
        chain=found.chain.hex(),
        kind=_kind(seen.vct),
        issuer=seen.issuer,
        issuer_name=host(seen.issuer),
        issued_at=f"{seen.issued_at:%Y-%m-%d %H:%M:%S} UTC",
        thumbprint=seen.thumbprint,
        header=_claims(header),
        claims=_claims(payload),
        token=token,
        previous=f"/entries/{found.index - 1}" if found.index > 0 else "",
        following=f"/entries/{found.index + 1}" if found.index + 1 < size else "",
        proof=f"/api/v1/proofs/inclusion?index={found.index}" if found.index < published else "",
    )


def _kind(vct: str) -> str:
    """Return the kind's name from its type, ``urn:packtrace:<kind>:<major>``."""
    return vct.removeprefix("urn:packtrace:").rpartition(":")[0].replace("-", " ") or vct


def _claims(members: Mapping[str, Any]) -> tuple[Claim, ...]:
    return tuple(
        Claim(name, _MEANINGS.get(name, ""), _text(value), isinstance(value, list | dict))
        for name, value in members.items()
    )


def _text(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def _decoded(part: str) -> dict[str, Any]:
    # No check here: what stands in the ledger was parsed strictly at its admission.
    members: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return members

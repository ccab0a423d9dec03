"""Sealed branches of results, and who verified them: a verification-statement whose open `target` is the sealed footprint's entry."""

from __future__ import annotations

from datetime import date

from bom_graph import Citation
from exchange.evidence import Entry, Evidence
from exchange.kinds import PRODUCT_FOOTPRINT, VERIFICATION_STATEMENT
from exchange.kinds.filing import VerificationStatement
from exchange.report import Document, digest
from exchange.verification.verdict import SealedBranch
from signer import read_citation

UNVERIFIED = "unverified"


def sealed_branches(results: list[Document], evidence: Evidence) -> list[SealedBranch]:
    """Return each sealed branch of `results`, with who verified its footprint and to what end, as far as this reader may see it.

    A verification counts by a verifier that isn't the footprint's signer, and that nobody took back.
    """
    attested: dict[int, list[Entry]] = {}
    for entry in evidence.values():
        if entry.statement.vct == VERIFICATION_STATEMENT.vct and entry.leaf_hash not in evidence.retracted:
            cited = read_citation(entry.statement.claims["target"], "target")
            target = Citation(origin=cited.origin, index=cited.index, leaf_hash=cited.leaf_hash)
            if (about := _footprint(target, evidence)) is not None and about.statement.issuer != entry.statement.issuer:
                attested.setdefault(about.index, []).append(entry)
    return [
        SealedBranch(
            digest=digest(found),
            product=str(branch["product"]),
            signer=str(branch["signer"]),
            entry=int(branch["entry"]),
            percent=float(branch["percent"]),
            verification="; ".join(map(_said, attested.get(int(branch["entry"]), ()))) or UNVERIFIED,
        )
        for found in results
        for branch in found["sealed"]
    ]


def _footprint(target: Citation, evidence: Evidence) -> Entry | None:
    entry = evidence.cited(target)
    return entry if entry is not None and entry.statement.vct == PRODUCT_FOOTPRINT.vct else None


def _said(entry: Entry) -> str:
    record = entry.record
    by = f"{entry.statement.issuer} at entry {entry.index}"
    if not isinstance(record, VerificationStatement) or not isinstance(record.opinion, str):
        return f"{UNVERIFIED}: the opinion by {by} isn't disclosed"
    until = f", to {record.expires}" if isinstance(record.expires, date) else ""
    return f"opinion {record.opinion} by {by}{until}"

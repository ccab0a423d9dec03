"""Sealed branches of results, and who verified them: a verification-statement whose open `target` is the sealed footprint's entry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from bom_graph import Citation, ProductFootprint, Sealed
from exchange.evidence import Entry, Evidence
from exchange.kinds import VERIFICATION_STATEMENT
from exchange.kinds.filing import VerificationStatement
from exchange.report import Document
from exchange.verification.verdict import SealedBranch
from signer import read_citation

UNVERIFIED = "unverified"


def sealed_branches(results: Mapping[str, Document], evidence: Evidence, at: datetime | None) -> list[SealedBranch]:
    """Return each sealed branch of `results` (by digest), with who verified its footprint and to what end.

    As far as this reader may see it. An opinion counts by a verifier that isn't the footprint's signer, that nobody took back, on this very
    footprint, and until its last day (`at`, aware, is now): all of this as far as it is disclosed, and not by what isn't.
    """
    opinions: dict[int, list[tuple[str, bool]]] = {}
    for entry in evidence.values():
        if entry.statement.vct == VERIFICATION_STATEMENT.vct and entry.leaf_hash not in evidence.retracted:
            cited = read_citation(entry.statement.claims["target"], "target")
            about = evidence.cited(Citation(origin=cited.origin, index=cited.index, leaf_hash=cited.leaf_hash))
            if about is not None and about.statement.issuer != entry.statement.issuer:
                opinions.setdefault(about.index, []).append(_said(entry, about, at))
    return [
        SealedBranch(
            digest=name,
            product=str(branch["product"]),
            signer=str(branch["signer"]),
            entry=int(branch["entry"]),
            percent=float(branch["percent"]),
            verification="; ".join(said for said, _counts in opinions.get(int(branch["entry"]), ())) or UNVERIFIED,
            is_verified=any(counts for _said_so, counts in opinions.get(int(branch["entry"]), ())),
        )
        for name, found in results.items()
        for branch in found["sealed"]
    ]


def _said(entry: Entry, about: Entry, at: datetime | None) -> tuple[str, bool]:
    """What an opinion comes to, and whether it counts."""
    record, footprint = entry.record, about.record
    by = f"{entry.statement.issuer} at entry {entry.index}"
    # Of what is disclosed without its contents another reader may have been shown another opinion.
    is_told = entry.statement.contents is not None
    if not is_told or not isinstance(record, VerificationStatement) or not isinstance(record.opinion, str):
        return f"{UNVERIFIED}: the opinion by {by} isn't disclosed", False
    named = footprint.result_digest if isinstance(footprint, ProductFootprint) else None
    # What is sealed is equal to whatever else is sealed: nothing that is compared may be.
    compared = {
        f"the result that the opinion by {by} is on": record.result,
        f"the result that this footprint names, which the opinion by {by} would be on,": named,
        f"the product that the opinion by {by} is about": record.sub,
        f"the end of the opinion by {by}": record.expires,
    }
    if (hidden := next((what for what, value in compared.items() if isinstance(value, Sealed)), None)) is not None:
        return f"{UNVERIFIED}: {hidden} isn't disclosed", False
    if named is None or record.result != named:
        return f"{UNVERIFIED}: the opinion by {by} isn't on the result that this footprint names", False
    if about.record is None or record.sub != about.record.sub:
        return f"{UNVERIFIED}: the opinion by {by} is about another product", False
    if not isinstance(record.expires, date) or (at is not None and record.expires < at.date()):
        return f"{UNVERIFIED}: the opinion by {by} counted to {record.expires}", False
    return f"opinion {record.opinion} by {by}, to {record.expires}", record.opinion in ("unmodified", "modified")

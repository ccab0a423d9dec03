"""Which stored results something newer makes stale, why, and by how much: each is computed again from what its reader sees today."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bom_graph import BomGraphError, Waterfall
from exchange.assembly import RefusedError
from exchange.errors import UsageError
from exchange.evidence import Evidence
from exchange.explaining import difference
from exchange.report import Document, first_difference


@dataclass(frozen=True, slots=True)
class StaleResult:
    """A stored result that its reader would get otherwise today.

    `after` is today's document, None where it is refused, and `refused` says why; `waterfall` leads from one to the other, None where
    there is no other figure to lead to, or none in the same unit.
    """

    digest: str
    before: Document
    after: Document | None
    reasons: tuple[str, ...]
    refused: str | None = None
    waterfall: Waterfall | None = None


def judge(
    digest: str, before: Document, evidence: Evidence, compute_again: Callable[[], Document]
) -> StaleResult | None:
    """Return how a stored result is stale, or None where it would come out the same; `compute_again` computes it as of today."""
    try:
        after = compute_again()
    except (RefusedError, BomGraphError) as error:
        return StaleResult(digest, before, None, ("today it is refused",), str(error))
    if first_difference(weighty(before), weighty(after)) is None:
        return None
    try:
        moved = difference(before, after)
    except UsageError:
        # Stored before results held their links, or in another unit than today's.
        moved = None
    return StaleResult(digest, before, after, tuple(_reasons(before, after, evidence)), None, moved)


def weighty(found: Mapping[str, Any]) -> Document:
    """Return a result without what alone makes nothing stale: the ledger's size, notes, and entries that only a note speaks of."""
    kept = {name: value for name, value in found.items() if name not in ("snapshot", "inputs")}
    return kept | {"findings": [finding for finding in found["findings"] if finding["level"] != "note"]}


def _reasons(before: Document, after: Document, evidence: Evidence) -> Iterator[str]:
    if before["engine"] != after["engine"]:
        yield f"the engine is {after['engine']}, it was {before['engine']}"
    for member, called in (("rule_set", "rule set"), ("policy", "policy")):
        if before[member] != after[member]:
            yield f"another {called} is in use: {_version(after[member])}, it was {_version(before[member])}"
    old, new = ({one["id"]: one for one in found["releases"]} for found in (before, after))
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            yield f"factor release {name}: {_version(new.get(name))}, it was {_version(old.get(name))}"
    yield from _newer_entries(before, after, evidence)


def _version(named: Any) -> str:
    if named is None:
        return "none"
    if isinstance(named, str):
        return f"{named[:12]}..."
    return f"{named['version']} ({named['digest'][:12]}...)"


def _newer_entries(before: Document, after: Document, evidence: Evidence) -> Iterator[str]:
    """What changed among the entries: a newer statement of the same kind about the same product, one more, one less, another grant."""
    old, new = ({one["index"]: one for one in found["inputs"]} for found in (before, after))
    by_subject = {_subject(evidence, one["leaf_hash"]): index for index, one in new.items() if index not in old}
    # What was published is told by the release.
    replaced = {one["entry"] for one in after["releases"] if "entry" in one}
    published = {one["entry"] for one in before["releases"] if "entry" in one}
    for index, one in old.items():
        if index in published:
            continue
        subject = _subject(evidence, one["leaf_hash"])
        if subject is not None and subject in by_subject:
            replaced.add(by_subject[subject])
            yield f"entry {index}, {subject[1]} of {subject[0]}, has a newer one: entry {by_subject[subject]}"
        elif one["leaf_hash"] in evidence.retracted:
            yield f"entry {index} was taken back by entry {evidence.retracted[one['leaf_hash']].index}"
        elif index not in new:
            yield f"entry {index} isn't used any more"
        elif one["disclosures"] != new[index]["disclosures"]:
            yield f"entry {index}: other parts of it may be read today"
    yield from (f"entry {index} is new" for index in new if index not in old and index not in replaced)


def _subject(evidence: Evidence, leaf_hash: str) -> tuple[str, str] | None:
    """Product and kind of an entry, as far as the reader can tell."""
    entry = evidence.get(leaf_hash)
    if entry is None or entry.record is None or not isinstance(entry.record.sub, str):
        return None
    return entry.record.sub, entry.statement.vct.split(":")[2]

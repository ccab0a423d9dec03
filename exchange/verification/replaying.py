"""Replay: a stored result computed again from exactly the entries and disclosures that it names, as of the ledger's size that it names.

Two results agree when all figures differ by at most 1e-9, relatively, and everything else is equal. What can't be computed again because it
was erased, or is another engine version's, is neither right nor wrong: UndecidableError.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bom_graph import FactorRelease, RuleSet, stored
from exchange.admission import Admission
from exchange.assembly import ENGINE, Demand, RefusedError, compute
from exchange.errors import RejectedError, UndecidableError
from exchange.evidence import Entry, Evidence
from exchange.kinds import Policy
from exchange.report import Document, document, document_bytes, first_difference
from exchange.verification.left_out import Asked
from exchange.verification.verdict import Replay

_REMEDY = "do not rely on it; ask its maker for the file again and report the place"


@dataclass(frozen=True, slots=True)
class Rules:
    """The accepted rule sets and factor releases by digest, and the policy."""

    rule_sets: Mapping[str, RuleSet]
    releases: Mapping[str, FactorRelease]
    policy: Policy


@dataclass(frozen=True, slots=True)
class Held:
    """The verified entries of a file, the disclosures of each by digest (by leaf hash), and what was taken back."""

    evidence: Evidence
    admission: Admission
    disclosures: Mapping[str, Mapping[str, str]]
    retractions: Sequence[Entry]


def read_result(data: bytes, name: str) -> Document:
    """Return the result document in the file `name`; of another engine version it raises UndecidableError.

    That it is in its one written form is for `replay` to say.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise _not_written_so(name) from None
    if not isinstance(found, dict):
        raise _not_written_so(name)
    if name != (due := f"results/{hashlib.sha256(data).hexdigest()}.json"):
        raise RejectedError(f"the file's name is not that of its content, {due}", where=name, remedy=_REMEDY)
    if not isinstance(found.get("engine"), str):
        raise RejectedError("the result doesn't name its engine", where=name, remedy=_REMEDY)
    if found["engine"] != ENGINE:
        what = f"the result was computed by {found['engine']!r}, this is {ENGINE}"
        raise UndecidableError(what, where=name, remedy="use that version")
    read: Document = found
    return read


def replay(name: str, stated: Document, data: bytes, held: Held, rules: Rules) -> tuple[Document, Replay, Asked]:
    """Return the result in the file `name` (bytes `data`) computed again, how well it agrees, and what it was computed from.

    Raises RejectedError at the place where it doesn't, UndecidableError where something was erased that it rests on.
    """
    try:
        again, asked = _recompute(name, stated, held, rules)
    except RejectedError:
        _check_written_so(name, stated, data)
        raise
    digest = hashlib.sha256(data).hexdigest()
    if document_bytes(again) == data:
        return again, Replay(digest, _count(again), 0.0, is_identical=True), asked
    _check_written_so(name, stated, data)
    if place := first_difference(stated, again):
        raise RejectedError("the figure is not what the entries give", where=f"{name}{place}", remedy=_REMEDY)
    largest, figures = 0.0, 0
    for figure, recomputed in zip(_leaves(stated), _leaves(again), strict=True):
        figures += 1
        if figure != recomputed:
            a, b = float(figure), float(recomputed)
            if stored(a) != figure:
                raise RejectedError(f"a figure in another form: {figure!r}", where=name, remedy=_REMEDY)
            largest = max(largest, abs(a - b) / max(abs(a), abs(b)))
    return again, Replay(digest, figures, largest, is_identical=False), asked


def _recompute(name: str, stated: Document, held: Held, rules: Rules) -> tuple[Document, Asked]:
    evidence = held.evidence
    try:
        product, flow = stated["demand"]["product"], stated["demand"]["flow"]
        demand = Demand(_string(product), None if flow is None else _string(flow))
        rule_set = rules.rule_sets[stated["rule_set"]["digest"]]
        used = [rules.releases[release["digest"]] for release in stated["releases"]]
        _check_releases(name, stated, rule_set, used, evidence)
        _check_erased(name, stated, held)
        named = [_narrow(held, evidence[item["leaf_hash"]], item["disclosures"]) for item in stated["inputs"]]
        size = stated["snapshot"]["size"]
        if type(size) is not int:
            raise TypeError("the size of the ledger")
        # What was taken back before the result counts in none, whether the result says so or not.
        known = {entry.index for entry in named}
        named += [entry for entry in held.retractions if entry.index < size and entry.index not in known]
    except (KeyError, TypeError) as error:
        what = f"the result names something that is not in the file: {error}"
        raise RejectedError(what, where=name, remedy=_REMEDY) from None
    if not 0 < size <= evidence.size:
        raise RejectedError("the result is of a larger ledger than the checkpoint", where=name, remedy=_REMEDY)
    if any(entry.index >= size for entry in named):
        raise RejectedError("the result rests on entries that came after it", where=name, remedy=_REMEDY)
    try:
        asked = Asked(evidence.origin, size, named)
        return document(compute(asked, demand, rule_set, used, rules.policy)), asked
    except RefusedError as error:
        raise RejectedError(f"the rule set refuses this result: {error}", where=name, remedy=_REMEDY) from None
    except ArithmeticError:
        raise RejectedError("the amounts are beyond what can be calculated", where=name, remedy=_REMEDY) from None


def _check_releases(
    name: str, stated: Document, rule_set: RuleSet, used: Sequence[FactorRelease], evidence: Evidence
) -> None:
    """A result is made with the factor releases of its rule set, all in their order, none of which was withdrawn before it."""
    if tuple(release.id for release in used) != tuple(rule_set.factor_releases):
        what = (
            f"the factor releases aren't those of its rule set, in their order: {', '.join(rule_set.factor_releases)}"
        )
        raise RejectedError(what, where=f"{name}/releases", remedy=_REMEDY)
    for release in used:
        by = [evidence.retracted.get(entry.leaf_hash) for entry in evidence.releases.get(release.digest, ())]
        gone = [one.index for one in by if one is not None and one.index < stated["snapshot"]["size"]]
        if by and len(gone) == len(by):
            what = f"the factor release {release.id} {release.version} was withdrawn by entry {min(gone)}, before the result"
            raise RejectedError(what, where=f"{name}/releases", remedy=_REMEDY)


def _check_erased(name: str, stated: Document, held: Held) -> None:
    """Without what was erased nobody can compute the result again, which makes it neither right nor wrong."""
    for item in stated["inputs"]:
        erasure = held.evidence.erased.get(item["leaf_hash"])
        there = held.disclosures.get(item["leaf_hash"], {})
        if erasure is not None and not there.keys() >= set(item["disclosures"]):
            raise UndecidableError(
                f"inputs erased at {erasure.index}",
                where=name,
                remedy="ask whoever held the disclosures before, or for a result of what is left",
            )


def _narrow(held: Held, entry: Entry, digests: list[str]) -> Entry:
    """Return `entry` as it is seen with the disclosures `digests` alone; KeyError where the file lacks one of them."""
    there = held.disclosures[entry.leaf_hash]
    given = [there[digest] for digest in dict.fromkeys(digests)]
    return entry if len(given) == len(there) else held.admission.seen_with(entry, given)


def _check_written_so(name: str, stated: Document, data: bytes) -> None:
    """Refuse a result document that isn't in its one written form: no member twice, no free white space."""
    try:
        is_written_so = document_bytes(stated) == data
    except (ValueError, RecursionError):
        is_written_so = False
    if not is_written_so:
        raise _not_written_so(name)


def _not_written_so(name: str) -> RejectedError:
    return RejectedError("not a result document in its one written form", where=name, remedy=_REMEDY)


def _count(value: Any) -> int:
    """How many `_leaves` there are."""
    inside = value.values() if isinstance(value, dict) else value
    return sum([_count(one) if isinstance(one, dict | list) else 1 for one in inside])


def _leaves(value: Any) -> Iterator[Any]:
    """What is neither an object nor a list inside `value`, members by name."""
    if isinstance(value, dict | list):
        for inner in [value[name] for name in sorted(value)] if isinstance(value, dict) else value:
            yield from _leaves(inner)
    else:
        yield value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("something that is no text")
    return value

"""Citations: what a statement rests on, and the chain of cited statements, from a signer to theirs, down to the mine.

A citation is `{origin, index, leaf_hash}`, where leaf_hash is SHA-256(0x00 || issuer-signed token) in hexadecimal (the leaf
of RFC 9162, section 2.1.1). It stands as member `citation` in a line of any of a kind's lists, or is a line of the list
`citations`. The rules kept here:

1. A citation points to a smaller index of its own log, or into the log that is named as its predecessor, below the last
   size of that one. So no chain has a cycle, and every walk ends.
2. The cited token has the cited leaf hash, was made for the cited log, and is the entry at the cited index.

Chains are walked with a list of what is left to visit, never by recursion: their depth is up to others.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from signer.errors import (
    CitationMismatchError,
    CitationNotEarlierError,
    CitationOutOfBoundsError,
    CitationToUnknownLogError,
    MalformedCitationError,
)
from signer.jws import leaf_bytes
from signer.statements import Statement
from signer.strict_json import JSON

_LEAF_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_ORIGIN = 500
_MAX_INDEX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Citation:
    """A pointer to a log's entry; `leaf_hash` is 64 hexadecimal digits in lower case."""

    origin: str
    index: int
    leaf_hash: str


@dataclass(frozen=True, slots=True)
class CitableLog:
    """A log by its origin. `size` is its last size once it is closed; `predecessor` the log that its entry 0 names."""

    origin: str
    size: int | None = None
    predecessor: CitableLog | None = None


class CitedEntry(Protocol):
    """What a resolver returns: the verified statement, and the index at which it found it."""

    @property
    def index(self) -> int: ...

    @property
    def statement(self) -> Statement: ...


#: From a citation to the entry, or None where it is not at hand.
Resolver = Callable[[Citation], CitedEntry | None]
#: `verified`: the signature, and every list that may cite. `sealed`: the signature; more citations may be hidden.
State = Literal["verified", "sealed", "not at hand"]


@dataclass(frozen=True, slots=True)
class CitedNode:
    """One entry of a chain: who signed it (URI, key thumbprint), its kind, and what it cites, by claim path."""

    citation: Citation
    state: State
    issuer: str | None = None
    thumbprint: str | None = None
    vct: str | None = None
    cites: tuple[tuple[str, Citation], ...] = ()


class Branch(NamedTuple):
    """A place in the tree. `path` is the claim that cites it, empty for the start; `repeated`: shown before, not again."""

    depth: int
    path: str
    node: CitedNode
    repeated: bool


@dataclass(frozen=True, slots=True)
class CitationTree:
    """The entries that `start` rests on, each once."""

    start: Citation
    nodes: Mapping[Citation, CitedNode]

    def branches(self) -> Iterator[Branch]:
        """The tree from the start downwards; what hangs below a shared entry comes with its first place only."""
        shown: set[Citation] = set()
        waiting = [(0, "", self.start)]
        while waiting:
            depth, path, citation = waiting.pop()
            node = self.nodes[citation]
            repeated = citation in shown
            yield Branch(depth, path, node, repeated)
            shown.add(citation)
            if not repeated:
                waiting.extend((depth + 1, inner, cited) for inner, cited in reversed(node.cites))


def citation_hash(token: str) -> str:
    """The leaf hash by which others cite `token`. Raises MalformedTokenError."""
    return hashlib.sha256(b"\x00" + leaf_bytes(token)).hexdigest()


def read_citation(value: JSON, where: str) -> Citation:
    """The citation that `value` spells; further members are left to others. Raises MalformedCitationError."""
    if not isinstance(value, Mapping):
        raise _malformed("not {origin, index, leaf_hash}", where)
    origin, index, digest = (value.get(name) for name in ("origin", "index", "leaf_hash"))
    if not isinstance(origin, str) or not 0 < len(origin) <= _MAX_ORIGIN:
        raise _malformed(f"origin is not a text of 1 to {_MAX_ORIGIN} characters", where)
    # bool is a kind of int in Python.
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= _MAX_INDEX:
        raise _malformed("index is no whole number from 0", where)
    if not isinstance(digest, str) or not _LEAF_HASH.fullmatch(digest):
        raise _malformed("leaf_hash is not 64 hexadecimal digits in lower case", where)
    return Citation(origin, index, digest)


def citations_of(claims: Mapping[str, JSON], lists: Collection[str]) -> Iterator[tuple[str, Citation]]:
    """Claim path and citation of each disclosed line of the kind's `lists`. Raises MalformedCitationError."""
    for name in sorted(lists):
        lines = claims.get(name)
        for line in lines if isinstance(lines, list | tuple) else ():
            if not isinstance(line, Mapping):
                continue
            path = f"{name}/{line.get('id')}"
            if name == "citations":
                yield path, read_citation(line, path)
            elif line.get("citation") is not None:
                yield f"{path}/citation", read_citation(line["citation"], f"{path}/citation")


def check_citation(citation: Citation, *, log: CitableLog, index: int, where: str) -> CitableLog:
    """The log that the citation points into, once an entry at `index` of `log` may cite so (rule 1).

    Raises CitationNotEarlierError, CitationToUnknownLogError or CitationOutOfBoundsError.
    """
    if citation.origin == log.origin:
        if citation.index >= index:
            what = f"entry {index} cites entry {citation.index}, which isn't before it"
            remedy = "cite an entry that the ledger holds already"
            raise CitationNotEarlierError(what, where=where, remedy=remedy)
        return log
    before = log.predecessor
    if before is None or citation.origin != before.origin:
        remedy = f"cite entries of {log.origin}" + (f" or its predecessor {before.origin}" if before else "")
        what = f"the citation is to another log, {citation.origin}"
        raise CitationToUnknownLogError(what, where=where, remedy=remedy)
    if before.size is not None and citation.index >= before.size:
        what = f"{before.origin} ended with {before.size} entries; entry {citation.index} is cited"
        raise CitationOutOfBoundsError(what, where=where, remedy="cite an entry below its last size")
    return before


def check_cited(citation: Citation, *, index: int, leaf_hash: str, where: str) -> None:
    """Raises CitationMismatchError unless the entry with `leaf_hash` (hex) at `index` is the cited one (rule 2)."""
    if (citation.index, citation.leaf_hash) != (index, leaf_hash):
        what = f"entry {citation.index} doesn't have the cited leaf hash"
        raise CitationMismatchError(what, where=where, remedy="cite index and leaf hash from one receipt")


def trace_citations(
    start: Citation, resolve: Resolver, *, lists: Callable[[str], Collection[str]], log: CitableLog
) -> CitationTree:
    """The tree of what the entry `start` rests on, as far as `resolve` has it at hand, in constant stack depth.

    `lists` gives, for a kind's `vct`, the names of its lists. Raises a CitationError that names the citing entry and its
    claim path; there is no partial tree.
    """
    nodes: dict[Citation, CitedNode] = {}
    known = _Known()
    waiting = [(start, check_citation(start, log=log, index=start.index + 1, where="start"), "start")]
    while waiting:
        citation, within, where = waiting.pop()
        if citation in nodes:
            continue
        known.add(citation, where)
        node = _node(citation, resolve(citation), lists, where)
        nodes[citation] = node
        for path, cited in node.cites:
            place = f"entry {citation.index} of {citation.origin}: {path}"
            waiting.append((cited, check_citation(cited, log=within, index=citation.index, where=place), place))
    return CitationTree(start, nodes)


class _Known:
    """Index and leaf hash belong together in a log, also for entries that are not at hand."""

    def __init__(self) -> None:
        self._hashes: dict[tuple[str, int], str] = {}
        self._indices: dict[tuple[str, str], int] = {}

    def add(self, citation: Citation, where: str) -> None:
        digest = self._hashes.setdefault((citation.origin, citation.index), citation.leaf_hash)
        index = self._indices.setdefault((citation.origin, citation.leaf_hash), citation.index)
        check_cited(citation, index=index, leaf_hash=digest, where=where)


def _node(
    citation: Citation, found: CitedEntry | None, lists: Callable[[str], Collection[str]], where: str
) -> CitedNode:
    if found is None:
        return CitedNode(citation, "not at hand")
    statement = found.statement
    check_cited(citation, index=found.index, leaf_hash=citation_hash(statement.token), where=where)
    if statement.audience != citation.origin:
        remedy = "cite it in the log that it was made for"
        raise CitationMismatchError("the cited statement was made for another ledger", where=where, remedy=remedy)
    names = lists(statement.vct)
    state: State = "verified" if _is_whole(statement, names) else "sealed"
    cites = tuple(_placed(citation, statement, names))
    return CitedNode(citation, state, statement.issuer, statement.certificate.thumbprint, statement.vct, cites)


def _placed(citation: Citation, statement: Statement, lists: Collection[str]) -> Iterator[tuple[str, Citation]]:
    try:
        yield from citations_of(statement.claims, lists)
    except MalformedCitationError as error:
        where = f"entry {citation.index} of {citation.origin}: {error.where}"
        raise MalformedCitationError(error.what, where=where, remedy=error.remedy) from None


def _is_whole(statement: Statement, lists: Collection[str]) -> bool:
    """Whether every list that may cite is disclosed with all its lines, or known to be absent."""
    if not lists:
        return True
    match statement.contents:
        case {"lists": Mapping() as counts}:
            given = {name: statement.claims.get(name) for name in counts if name in lists}
            return all(isinstance(lines, list) and len(lines) == counts[name] for name, lines in given.items())
        case _:
            return False


def _malformed(what: str, where: str) -> MalformedCitationError:
    return MalformedCitationError(what, where=where, remedy="cite as the receipt says: origin, index, leaf_hash")

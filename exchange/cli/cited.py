"""The tree of statements that a statement rests on, from the files that somebody was sent beside it.

Files are found by the cited leaf hash, so they may have any name, and be too many. Checked here: each citation leads to the
very statement that it names, and that one verifies. Not known here: whether the ledger holds it at the cited index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.errors import UsageError

if TYPE_CHECKING:
    from signer import Branch, Citation, Statement

SUFFIX = ".sd-jwt"
MAX_FILES = 10_000

#: Token and disclosures of a file.
Read = Callable[[Path], tuple[str, tuple[str, ...]]]
#: The same by leaf hash.
Given = dict[str, tuple[str, tuple[str, ...]]]
#: The verified statement of a token and its disclosures.
Check = Callable[[str, tuple[str, ...]], "Statement"]


@dataclass(frozen=True)
class _Found:
    index: int
    statement: Statement


def read_folder(folder: Path, read: Read) -> Given:
    """Token and disclosures by leaf hash; files of one token count together. Verifies nothing yet.

    Raises UsageError, OSError, or what `read` raises.
    """
    from signer import citation_hash

    paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and path.is_file())
    if len(paths) > MAX_FILES:
        raise UsageError(f"more than {MAX_FILES} statements", where=str(folder), remedy="keep the cited ones only")
    found: Given = {}
    for path in paths:
        token, disclosures = read(path)
        leaf = citation_hash(token)
        # What any of them discloses, each once.
        found[leaf] = token, tuple(dict.fromkeys((*found.get(leaf, ("", ()))[1], *disclosures)))
    return found


def cited_branches(statement: Statement, given: Given, check: Check, *, origin: str) -> list[Branch]:
    """What `statement` cites, as a tree read downwards, without the statement itself.

    Raises a CitationError, or what `check` raises for a cited statement, each naming the citation.
    """
    from bom_graph import BomGraphError
    from exchange.errors import ExchangeError
    from exchange.kinds import kind_of
    from signer import CitableLog, Citation, SignerError, citation_hash, citations_of, trace_citations

    def lists(vct: str) -> frozenset[str]:
        return kind_of(vct).profile.lists

    # Its own index isn't in the file: some index after all that it cites in its log.
    cited = [one.index for _, one in citations_of(statement.claims, lists(statement.vct)) if one.origin == origin]
    start = Citation(origin, max(cited, default=-1) + 1, citation_hash(statement.token))

    def resolve(citation: Citation) -> _Found | None:
        if citation == start:
            return _Found(start.index, statement)
        if citation.leaf_hash not in given:
            return None
        try:
            return _Found(citation.index, check(*given[citation.leaf_hash]))
        except (SignerError, ExchangeError, BomGraphError) as error:
            where = f"entry {citation.index} of {citation.origin}: {error.where}"
            raise type(error)(error.what, where=where, remedy=error.remedy) from error

    tree = trace_citations(start, resolve, lists=lists, log=CitableLog(origin))
    return list(tree.branches())[1:]


def members_of(branch: Branch) -> dict[str, Any]:
    """A branch for a program to read; `kind`, `issuer` and `thumbprint` are null for what isn't at hand."""
    node = branch.node
    return {
        "depth": branch.depth,
        "path": branch.path,
        "origin": node.citation.origin,
        "index": node.citation.index,
        "leaf_hash": node.citation.leaf_hash,
        "state": node.state,
        "issuer": node.issuer,
        "kind": node.vct,
        "thumbprint": node.thumbprint,
        "repeated": branch.repeated,
    }


def lines_of(branches: Sequence[dict[str, Any]]) -> list[str]:
    """The tree in words, a line for each citation, below the statement that makes it."""
    if not branches:
        return ["cites: nothing that is disclosed"]
    lines = ["cites:"]
    for one in branches:
        said = f"{one['state']}, {one['issuer']}, {one['kind']}" if one["issuer"] else one["state"]
        again = " (as above)" if one["repeated"] else ""
        lines.append(f"{'  ' * one['depth']}{one['path']}: entry {one['index']} of {one['origin']}: {said}{again}")
    return lines

"""Supersession and withdrawal: an issuer says that a statement of its own counts no more.

`target` stands in the open, so that whoever holds the statement can see that it is gone. The reason is hidden, and so is the citation of
the statement that takes the place of a superseded one.
"""

from __future__ import annotations

from dataclasses import dataclass

from signer.citations import Citation, read_citation
from signer.errors import BadClaimError, CitationToUnknownLogError, MissingClaimError
from signer.statements import Profile, Statement

_TARGET = frozenset({"target"})
SUPERSESSION = Profile("urn:packtrace:supersession:1", open_claims=_TARGET, selective=True, lists=frozenset())
WITHDRAWAL = Profile("urn:packtrace:withdrawal:1", open_claims=_TARGET, selective=True, lists=frozenset())
#: The types by which a statement is taken back.
RETRACTIONS = frozenset({SUPERSESSION.vct, WITHDRAWAL.vct})


@dataclass(frozen=True, slots=True)
class Retraction:
    """What takes a statement back: which, why, and what takes its place; None for what wasn't disclosed, or isn't there."""

    target: Citation
    reason: str | None
    replacement: Citation | None


def read_retraction(statement: Statement) -> Retraction:
    """Return what a statement of a type in RETRACTIONS says, as far as it was disclosed.

    Raises MissingClaimError, BadClaimError, MalformedCitationError, or CitationToUnknownLogError for a statement of another log.
    """
    claims, contents = statement.claims, statement.contents
    named = contents["claims"] if contents is not None else None
    needed = {"target", "reason"} | ({"replacement"} if statement.vct == SUPERSESSION.vct else set())
    there = claims.keys() | (set(named) if isinstance(named, list | tuple) else needed)
    if missing := needed - there or {"target"} - claims.keys():
        raise MissingClaimError(f"missing: {', '.join(sorted(missing))}", where="payload", remedy="add the claim")
    target = _citation(statement, "target")
    reason = claims.get("reason")
    if reason is not None and (not isinstance(reason, str) or not reason.strip()):
        raise BadClaimError("not text", where="reason", remedy="say why in a text that is not empty")
    replacement = None
    if statement.vct == SUPERSESSION.vct and "replacement" in claims:
        replacement = _citation(statement, "replacement")
        if replacement == target:
            raise BadClaimError("the statement itself", where="replacement", remedy="cite the one in its place")
    return Retraction(target, reason, replacement)


def _citation(statement: Statement, name: str) -> Citation:
    found = read_citation(statement.claims[name], name)
    if found.origin != statement.audience:
        what = f"a statement of another log, {found.origin}"
        raise CitationToUnknownLogError(what, where=name, remedy=f"cite an entry of {statement.audience}")
    return found

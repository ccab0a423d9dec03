"""Which factor releases a result is computed with: those that the rule set names, in its order, each in the version that counts.

A reviewed version that was published takes the place of the one that came with the software. Whoever wants another one names it by its
digest; one that was withdrawn is computed with no more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from bom_graph import FactorRelease, Finding, RuleSet
from exchange.assembly import RefusedError
from exchange.identity import StatedRelease, accepted_releases, read_release, releases_in_use, stated_release

_GATE = "factor_release"


def releases_for(
    connection: Connection,
    rule_set: RuleSet,
    size: int,
    named: Collection[str] = (),
    instead: Mapping[str, FactorRelease] | None = None,
) -> Sequence[FactorRelease]:
    """Return the releases for a result under `rule_set` of a ledger of `size` entries, in the rule set's order.

    `named` are digests of versions that are wanted instead of those that count; `instead`, by id, releases that aren't published.
    Raises RefusedError where the rule set's release has no version left, and for a named one that is unknown, withdrawn, not the rule
    set's, or of an id that is named twice.
    """
    counting, given = releases_in_use(connection, size), instead or {}
    wanted: dict[str, StatedRelease] = {}
    findings: list[Finding] = []
    for digest in dict.fromkeys(named):
        found = stated_release(connection, digest)
        if (why := _why_not(connection, rule_set, size, found, wanted)) is not None:
            findings.append(_refusal(digest if found is None else f"{found.id} {found.version}", *why))
        elif found is not None:
            wanted[found.id] = found
    missing = set(rule_set.factor_releases) - counting.keys() - wanted.keys() - given.keys()
    findings += [
        _refusal(
            name,
            f"rule set {rule_set.id} asks for factor release {name}, of which no version counts: it was withdrawn",
            "wait until its maintainer publishes another version",
        )
        for name in sorted(missing)
    ]
    if findings:
        raise RefusedError(findings)
    chosen = counting | wanted
    return [given.get(name) or read_release(connection, chosen[name].digest) for name in rule_set.factor_releases]


def overtaken(connection: Connection, releases: Sequence[Mapping[str, str]], size: int) -> Iterator[StatedRelease]:
    """Yield what counts at a ledger of `size` entries in the place of releases that a result names."""
    counting = releases_in_use(connection, size)
    for named in releases:
        if (found := counting.get(named["id"])) is not None and found.digest != named["digest"]:
            yield found


def _why_not(
    connection: Connection,
    rule_set: RuleSet,
    size: int,
    found: StatedRelease | None,
    wanted: Collection[str],
) -> tuple[str, str] | None:
    """Why a named release can't be computed with, and what to do; None where it can."""
    if found is None or found.index >= size:
        return "no factor release with this digest was published here", "take its digest from `packtrace factor list`"
    if found.id not in rule_set.factor_releases:
        allowed = ", ".join(rule_set.factor_releases)
        return f"rule set {rule_set.id} does not allow factor release {found.id}", f"use {allowed}"
    if found.digest not in accepted_releases(connection, size):
        return "it was withdrawn: nothing new is computed with it", "name another version, or none"
    if found.id in wanted:
        return "another version of it is named too", "name one of them"
    return None


def _refusal(where: str, what: str, remedy: str) -> Finding:
    return Finding(_GATE, "hard", where, what, remedy, refuses=True)

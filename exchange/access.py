"""Who may do and see what: the one place that decides. Deny by default.

A `Principal` is who asks: a member of an organisation, one of its API clients, or the holder of the data folder's token, who is the
operator on its own machine. What a principal may do is a set of scopes; for whom, `exchange.identity.Accounts.check_speaks_for` says;
what a reader may see of a statement, `visible_paths`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

from exchange.errors import RightsError

FULL = "full"
#: Behind a path: the files too that are named as evidence there. Neither a line nor ``full`` opens them by itself.
ATTACHED = "+evidence"
#: The names of a statement's claims, and how many lines its lists have: what tells a reader that nothing is missing.
CONTENTS = "contents"
Purpose = Literal["customer", "verification", "authority"]
#: To whom a reader may pass on what it was granted.
Onward = Literal["none", "verifier", "any"]

Scope = Literal[
    "data:read",
    "statements:write",
    "grants:write",
    "footprints:write",
    "requests:write",
    "organisation:write",
    "operator",
]
#: What each scope allows; shown where clients are made.
SCOPES: Mapping[Scope, str] = {
    "data:read": "read what the organisation owns and was granted",
    "statements:write": "hand in statements that the organisation signed",
    "grants:write": "grant others, and withdraw",
    "footprints:write": "calculate, accept and export results",
    "requests:write": "ask for data, and answer",
    "organisation:write": "members, invitations, API clients, sites",
    "operator": "approve organisations and grant roles",
}
MemberRole = Literal["admin", "contributor", "signatory", "viewer"]
#: What members may do by their role. A signatory answers for the organisation: it hands in statements, and decides who sees what.
MEMBER_SCOPES: Mapping[MemberRole, frozenset[Scope]] = {
    "admin": frozenset(get_args(Scope)) - {"operator"},
    "signatory": frozenset({"data:read", "statements:write", "grants:write", "footprints:write", "requests:write"}),
    "contributor": frozenset({"data:read", "footprints:write", "requests:write"}),
    "viewer": frozenset({"data:read"}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: `name` (``member:<id>``, ``client:<id>`` or ``operator:token``) of `organisation` (URI), with its scopes.

    `stands_in` is the operator on its own machine, who may act for organisations that have no accounts, and is recorded as having done so.
    """

    organisation: str
    name: str
    scopes: frozenset[Scope]
    stands_in: bool = False

    @classmethod
    def standing_in(cls, operator: str) -> Principal:
        """Return the holder of the data folder's token: the operator (URI) on its own machine, with every scope."""
        return cls(operator, "operator:token", frozenset(SCOPES), stands_in=True)

    def require(self, scope: Scope) -> None:
        """Check that the principal has `scope`; RightsError otherwise."""
        if scope not in self.scopes:
            raise RightsError(
                f"this needs the scope {scope}",
                where="scope",
                # No admin can give the operator's scope: it comes with the data folder's token alone.
                remedy="ask the operator of this exchange to do it"
                if scope == "operator"
                else "ask an admin of your organisation for it",
            )

    def recorded_as(self, organisation: str) -> str:
        """Return what the record of an act for `organisation` says of who did it."""
        return self.name if organisation == self.organisation else f"the operator for {organisation}"


@dataclass(frozen=True, slots=True)
class Grant:
    """The owner lets `reader` see `paths` (claim paths, or ``full``) of the statement with this leaf hash (hex).

    It counts until it is withdrawn, and to the end of the day `until` (UTC) where it has one.
    """

    owner: str
    reader: str
    leaf_hash: str
    paths: frozenset[str]
    purpose: Purpose = "customer"
    until: date | None = None
    withdrawn: bool = False

    def counts_on(self, day: date) -> bool:
        """Whether the grant opens anything on `day` (UTC)."""
        return not self.withdrawn and (self.until is None or day <= self.until)


def opened(paths: Collection[str], purpose: Purpose) -> frozenset[str]:
    """Return what a grant of `paths` opens: for verification the contents too, without which nobody can tell that nothing is missing."""
    plain = frozenset(path.removesuffix(ATTACHED) for path in paths)
    return plain | ({CONTENTS} if purpose == "verification" else frozenset())


def attached(paths: Collection[str]) -> frozenset[str]:
    """Return those of the granted `paths` whose files are granted too, without the suffix that says so."""
    return frozenset(path.removesuffix(ATTACHED) for path in paths if path.endswith(ATTACHED))


def covers(held: Collection[str], path: str) -> bool:
    """Whether who may see the paths `held` may see `path`: a list's name is all of its lines."""
    return FULL in held or path in held or path.partition("/")[0] in held


def visible_paths(reader: str, issuer: str, leaf_hash: str, grants: Collection[Grant], day: date) -> frozenset[str]:
    """Return the claim paths of a statement that `reader` may see on `day`: its issuer all, others what the issuer granted them."""
    if reader == issuer:
        return frozenset({FULL})
    granted = [opened(one.paths, one.purpose) for one in _counting(reader, issuer, leaf_hash, grants, day)]
    paths = frozenset().union(*granted)
    return frozenset({FULL}) if FULL in paths else paths


def visible_attachments(
    reader: str, issuer: str, leaf_hash: str, grants: Collection[Grant], day: date
) -> frozenset[str]:
    """Return the claim paths of a statement at which `reader` may have the files that are named as evidence."""
    if reader == issuer:
        return frozenset({FULL})
    return frozenset().union(
        *(attached(one.paths) for one in _counting(reader, issuer, leaf_hash, grants, day)),
    )


def _counting(reader: str, issuer: str, leaf_hash: str, grants: Collection[Grant], day: date) -> Iterator[Grant]:
    for grant in grants:
        aimed = grant.reader == reader and grant.owner == issuer and grant.leaf_hash == leaf_hash
        if aimed and grant.counts_on(day):
            yield grant

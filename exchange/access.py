"""Who may see what of a statement: the one place that decides. Deny by default.

Until there are accounts, the holder of the operator's token acts for every organisation; what a *reader* sees is decided here all the same.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

FULL = "full"


@dataclass(frozen=True, slots=True)
class Grant:
    """The owner lets `reader` see `paths` (claim paths, or ``full``) of the statement with this leaf hash (hex)."""

    owner: str
    reader: str
    leaf_hash: str
    paths: frozenset[str]


def visible_paths(reader: str, issuer: str, leaf_hash: str, grants: Collection[Grant]) -> frozenset[str]:
    """Return the claim paths that `reader` may see of a statement: its issuer all, others what the issuer granted them."""
    if reader == issuer:
        return frozenset({FULL})
    granted = [
        grant.paths
        for grant in grants
        if grant.reader == reader and grant.owner == issuer and grant.leaf_hash == leaf_hash
    ]
    paths = frozenset().union(*granted)
    return frozenset({FULL}) if FULL in paths else paths

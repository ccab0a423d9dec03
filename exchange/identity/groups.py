"""Corporate groups: which organisations are one, by the name that each stated when it registered."""

from __future__ import annotations

from sqlmodel import Session

from bom_graph import name_key
from exchange.identity.tables import OrganisationRow


def corporate_group(session: Session, organisation: str) -> str:
    """Return what the corporate group of an organisation is compared by: two organisations are of one group where it is the same.

    The name that it stated, in the spelling that names are compared by; without one, or for whom nobody knows, that of its own URI, so that
    who names another's URI as its group is of one group with it.
    """
    row = session.get(OrganisationRow, organisation)
    stated = "" if row is None or row.corporate_group is None else name_key(row.corporate_group)
    return stated or name_key(organisation)

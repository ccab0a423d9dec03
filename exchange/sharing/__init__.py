"""Sharing: grants by the owner, the evidence that one reader may hold by them, and the log of who took what."""

from exchange.sharing.access_log import Access, AccessLog, Copies
from exchange.sharing.endings import Endings
from exchange.sharing.granted import day_of, granted_to, grants_of, paths_seen
from exchange.sharing.grants import Direction, ExportRecord, Grants, Recorded, Terms, Withdrawn
from exchange.sharing.readers import Sharing, disclosed_to
from exchange.sharing.tables import AccessRow, ExportRecordRow, GrantRow, GrantsToldRow
from exchange.sharing.verified import held_disclosures

__all__ = [
    "Access",
    "AccessLog",
    "AccessRow",
    "Copies",
    "Direction",
    "Endings",
    "ExportRecord",
    "ExportRecordRow",
    "GrantRow",
    "Grants",
    "GrantsToldRow",
    "Recorded",
    "Sharing",
    "Terms",
    "Withdrawn",
    "day_of",
    "disclosed_to",
    "granted_to",
    "grants_of",
    "held_disclosures",
    "paths_seen",
]

"""Sharing: grants by the owner, the evidence that one reader may hold by them, and the log of who took what."""

from exchange.sharing.access_log import Access, AccessLog, Copies
from exchange.sharing.attachments import Attachment, Attachments, Fetched, NamedFile
from exchange.sharing.endings import Endings
from exchange.sharing.granted import day_of, granted_to, grants_of, paths_seen
from exchange.sharing.grants import Direction, ExportRecord, Grants, Recorded, Terms, Withdrawn
from exchange.sharing.readers import Sharing, disclosed_to
from exchange.sharing.stored import forget_evidence
from exchange.sharing.tables import AccessRow, AttachmentRow, ExportRecordRow, GrantRow, GrantsToldRow
from exchange.sharing.verified import held_by_statement, held_disclosures

__all__ = [
    "Access",
    "AccessLog",
    "AccessRow",
    "Attachment",
    "AttachmentRow",
    "Attachments",
    "Copies",
    "Direction",
    "Endings",
    "ExportRecord",
    "ExportRecordRow",
    "Fetched",
    "GrantRow",
    "Grants",
    "GrantsToldRow",
    "NamedFile",
    "Recorded",
    "Sharing",
    "Terms",
    "Withdrawn",
    "day_of",
    "disclosed_to",
    "forget_evidence",
    "granted_to",
    "grants_of",
    "held_by_statement",
    "held_disclosures",
    "paths_seen",
]

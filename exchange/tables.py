"""Every table of the exchange's domains, gathered for migrations; nothing else imports this."""

from sqlmodel import SQLModel

from exchange.calculation.tables import (
    CandidateRow,
    CurrentRow,
    ExportRow,
    JobItemRow,
    JobRow,
    RestsOnRow,
    ResultRow,
    StaleRow,
    WatchRow,
)
from exchange.events import DeliveryRow, EventRow, SubscriptionRow
from exchange.identity.tables import (
    ClientRow,
    IdentifierRow,
    InvitationRow,
    MemberRow,
    OrganisationRow,
    RegistrationRow,
    ReleaseRow,
    SessionRow,
    SiteRow,
)
from exchange.intake.tables import DisclosureRow, ProductLinkRow, RetiredCertificateRow, StatementRow, SupersededRow
from exchange.lease import LeaseRow
from exchange.sharing.tables import GrantRow
from ledger.store import metadata as ledger_metadata

#: What migrations compare the database with.
METADATA = [ledger_metadata, SQLModel.metadata]

__all__ = [
    "METADATA",
    "CandidateRow",
    "ClientRow",
    "CurrentRow",
    "DeliveryRow",
    "DisclosureRow",
    "EventRow",
    "ExportRow",
    "GrantRow",
    "IdentifierRow",
    "InvitationRow",
    "JobItemRow",
    "JobRow",
    "LeaseRow",
    "MemberRow",
    "OrganisationRow",
    "ProductLinkRow",
    "RegistrationRow",
    "ReleaseRow",
    "RestsOnRow",
    "ResultRow",
    "RetiredCertificateRow",
    "SessionRow",
    "SiteRow",
    "StaleRow",
    "StatementRow",
    "SubscriptionRow",
    "SupersededRow",
    "WatchRow",
]

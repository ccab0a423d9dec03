"""Every table of the exchange's domains, gathered for migrations; nothing else imports this."""

from sqlmodel import SQLModel

from exchange.calculation.tables import ExportRow, ResultRow
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
from exchange.intake.tables import DisclosureRow, ProductLinkRow, RetiredCertificateRow, StatementRow
from exchange.lease import LeaseRow
from exchange.sharing.tables import AccessRow, ExportRecordRow, GrantRow
from ledger.store import metadata as ledger_metadata

#: What migrations compare the database with.
METADATA = [ledger_metadata, SQLModel.metadata]

__all__ = [
    "METADATA",
    "AccessRow",
    "ClientRow",
    "DeliveryRow",
    "DisclosureRow",
    "EventRow",
    "ExportRecordRow",
    "ExportRow",
    "GrantRow",
    "IdentifierRow",
    "InvitationRow",
    "LeaseRow",
    "MemberRow",
    "OrganisationRow",
    "ProductLinkRow",
    "RegistrationRow",
    "ReleaseRow",
    "ResultRow",
    "RetiredCertificateRow",
    "SessionRow",
    "SiteRow",
    "StatementRow",
    "SubscriptionRow",
]

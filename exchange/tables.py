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
from exchange.requests.tables import AnswerRow, PartRow, ProductRow, RequestRow
from exchange.sharing.tables import GrantRow
from ledger.store import metadata as ledger_metadata

#: What migrations compare the database with.
METADATA = [ledger_metadata, SQLModel.metadata]

__all__ = [
    "METADATA",
    "AnswerRow",
    "ClientRow",
    "DeliveryRow",
    "DisclosureRow",
    "EventRow",
    "ExportRow",
    "GrantRow",
    "IdentifierRow",
    "InvitationRow",
    "LeaseRow",
    "MemberRow",
    "OrganisationRow",
    "PartRow",
    "ProductLinkRow",
    "ProductRow",
    "RegistrationRow",
    "ReleaseRow",
    "RequestRow",
    "ResultRow",
    "RetiredCertificateRow",
    "SessionRow",
    "SiteRow",
    "StatementRow",
    "SubscriptionRow",
]

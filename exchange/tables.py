"""Every table of the exchange's domains, gathered for migrations; nothing else imports this."""

from sqlmodel import SQLModel

from exchange.calculation.tables import ExportRow, ResultRow
from exchange.events import DeliveryRow, EventRow, SubscriptionRow
from exchange.identity.tables import OrganisationRow, ReleaseRow
from exchange.intake.tables import DisclosureRow, ProductLinkRow, RetiredCertificateRow, StatementRow
from exchange.lease import LeaseRow
from exchange.sharing.tables import GrantRow
from ledger.store import metadata as ledger_metadata

#: What migrations compare the database with.
METADATA = [ledger_metadata, SQLModel.metadata]

__all__ = [
    "METADATA",
    "DeliveryRow",
    "DisclosureRow",
    "EventRow",
    "ExportRow",
    "GrantRow",
    "LeaseRow",
    "OrganisationRow",
    "ProductLinkRow",
    "ReleaseRow",
    "ResultRow",
    "RetiredCertificateRow",
    "StatementRow",
    "SubscriptionRow",
]

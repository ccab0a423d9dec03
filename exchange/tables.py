"""Every table of the exchange's domains, gathered for migrations; nothing else imports this."""

from sqlmodel import SQLModel

from exchange.calculation.tables import (
    CandidateRow,
    CurrentRow,
    ExportRow,
    JobItemRow,
    JobRow,
    RestsOnRow,
    ResultInputRow,
    ResultRow,
    StaleRow,
    WatchRow,
)
from exchange.cases import CasePartyRow, CaseRow, CaseWatchRow, TradeRow
from exchange.engagement.tables import EngagementRow, EngagementStepRow, FindingRow, SightRow
from exchange.events import DeliveryRow, EventRow, SubscriptionRow, WebhookKeyRow
from exchange.filing.tables import FilingRemarkRow, FilingRow, FilingStepRow, ModelRow, PublicationRow
from exchange.governance.tables import EditionRow, FactorRemarkRow, ProposalRow, ReviewRow
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
from exchange.intake.tables import (
    AttestedRow,
    EvidenceRow,
    ProductLinkRow,
    RetiredCertificateRow,
    StatementRow,
    SupersededRow,
)
from exchange.lease import LeaseRow
from exchange.orders import OrderRow
from exchange.published import PublishedRow
from exchange.requests.tables import AnswerRow, PartRow, ProductRow, RequestRow
from exchange.sharing.tables import AccessRow, AttachmentRow, ExportRecordRow, GrantRow, GrantsToldRow
from exchange.vault import DataKeyRow, ErasureRow, HoldRow, MasterKeyRow, PlainRow, SealedPartRow, SealedRow
from ledger.store import metadata as ledger_metadata

#: What migrations compare the database with.
METADATA = [ledger_metadata, SQLModel.metadata]

__all__ = [
    "METADATA",
    "AccessRow",
    "AnswerRow",
    "AttachmentRow",
    "AttestedRow",
    "CandidateRow",
    "CasePartyRow",
    "CaseRow",
    "CaseWatchRow",
    "ClientRow",
    "CurrentRow",
    "DataKeyRow",
    "DeliveryRow",
    "EditionRow",
    "EngagementRow",
    "EngagementStepRow",
    "ErasureRow",
    "EventRow",
    "EvidenceRow",
    "ExportRecordRow",
    "ExportRow",
    "FactorRemarkRow",
    "FilingRemarkRow",
    "FilingRow",
    "FilingStepRow",
    "FindingRow",
    "GrantRow",
    "GrantsToldRow",
    "HoldRow",
    "IdentifierRow",
    "InvitationRow",
    "JobItemRow",
    "JobRow",
    "LeaseRow",
    "MasterKeyRow",
    "MemberRow",
    "ModelRow",
    "OrderRow",
    "OrganisationRow",
    "PartRow",
    "PlainRow",
    "ProductLinkRow",
    "ProductRow",
    "ProposalRow",
    "PublicationRow",
    "PublishedRow",
    "RegistrationRow",
    "ReleaseRow",
    "RequestRow",
    "RestsOnRow",
    "ResultInputRow",
    "ResultRow",
    "RetiredCertificateRow",
    "ReviewRow",
    "SealedPartRow",
    "SealedRow",
    "SessionRow",
    "SightRow",
    "SiteRow",
    "StaleRow",
    "StatementRow",
    "SubscriptionRow",
    "SupersededRow",
    "TradeRow",
    "WatchRow",
    "WebhookKeyRow",
]

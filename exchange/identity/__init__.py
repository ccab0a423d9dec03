"""Identity: which organisations there are. Keys and roles are entries of the ledger; here they are made and submitted."""

from exchange.identity.enrolment import Application, Enrolled, Operator
from exchange.identity.tables import OrganisationRow, ReleaseRow

__all__ = ["Application", "Enrolled", "Operator", "OrganisationRow", "ReleaseRow"]

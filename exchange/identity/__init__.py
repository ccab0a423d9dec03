"""Identity: which organisations there are, and who acts for them. Keys and roles are entries of the ledger, made and submitted here."""

from exchange.identity.accounts import Accounts, Member, roles_today, sees_entries, spoken_for
from exchange.identity.clients import ApiClient, ApiClients, check_scopes
from exchange.identity.directory import Directory, Organisation
from exchange.identity.enrolment import Application, Enrolled, Operator
from exchange.identity.groups import corporate_group
from exchange.identity.registration import Registration, Registrations, Site
from exchange.identity.releases import (
    BackgroundInUse,
    StatedRelease,
    accepted_releases,
    read_release,
    release_file,
    releases_in_use,
    stated_release,
)
from exchange.identity.snapshotting import Snapshots, recomputed_snapshots
from exchange.identity.tables import OrganisationRow, ReleaseRow

__all__ = [
    "Accounts",
    "ApiClient",
    "ApiClients",
    "Application",
    "BackgroundInUse",
    "Directory",
    "Enrolled",
    "Member",
    "Operator",
    "Organisation",
    "OrganisationRow",
    "Registration",
    "Registrations",
    "ReleaseRow",
    "Site",
    "Snapshots",
    "StatedRelease",
    "accepted_releases",
    "check_scopes",
    "corporate_group",
    "read_release",
    "recomputed_snapshots",
    "release_file",
    "releases_in_use",
    "roles_today",
    "sees_entries",
    "spoken_for",
    "stated_release",
]

"""How the audit names what it finds."""

from ledger.errors import AuditError


def difference(what: str, where: str) -> AuditError:
    """The error for the first place where the log is not what it must be."""
    return AuditError(
        what, where=where, remedy="keep the database and the folder as they are and compare with older copies"
    )

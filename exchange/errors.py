"""What the exchange raises, grouped by who has to act. Every error says what, where and what to do."""

from __future__ import annotations

from typing import ClassVar


class ExchangeError(Exception):
    """Base of every error of the exchange."""

    code: ClassVar[str] = "exchange_error"

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(f"{what} (at {where}); {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


class StatementError(ExchangeError):
    """The sender has to correct the statement: its kind, its claims or its disclosures."""

    code = "statement"


class RightsError(ExchangeError):
    """The sender may not do this: role, ownership, or no grant."""

    code = "rights"


class RequestError(ExchangeError):
    """The sender has to correct what it asks another organisation for, or what it answers with."""

    code = "data_request"


class FormError(ExchangeError):
    """The supplier has to correct the form that was to be signed; `where` names file, line and claim path."""

    code = "form"


class JtiReusedError(ExchangeError):
    """The issuer used a `jti` again for other content."""

    code = "jti_reused"


class DoubleClaimError(ExchangeError):
    """The sender retires certificates that were retired already."""

    code = "double_claim"


class AttachmentError(ExchangeError):
    """The sender has to send another file, or sign a statement that names this one; to a reader: it isn't the file that was named."""

    code = "attachment"


class GrantError(ExchangeError):
    """The owner has to state the grant otherwise: its end, its kind, or why it leaves the country."""

    code = "grant"


class ConflictError(ExchangeError):
    """The sender asks for what is taken already, or what somebody decided meanwhile."""

    code = "conflict"


class CredentialsError(ExchangeError):
    """The sender isn't who it says, or its log-in, invitation or token has ended."""

    code = "unauthenticated"


class TooManyError(ExchangeError):
    """The sender has to wait: it asked too often."""

    code = "too_many"


class WaitingError(ExchangeError):
    """The sender has to wait: what it asked for is ordered, and the process that can do it has not come to it yet."""

    code = "waiting"


class MediaTypeError(ExchangeError):
    """The sender has to say in Content-Type what it sends, or send what it says."""

    code = "media_type"


class NotFoundError(ExchangeError):
    """What was asked for doesn't exist, or may not be seen by this reader."""

    code = "not_found"


class ErasedError(ExchangeError):
    """What was asked for is gone for good: what it rests on was erased by an entry of the ledger."""

    code = "erased"


class FilingError(ExchangeError):
    """A party to a filing has to correct what it states in this step."""

    code = "filing"


class StepError(FilingError):
    """A party to a filing has to take another step first: the filing isn't where this one begins."""

    code = "filing_step"


class StaleError(FilingError):
    """A party to a filing signed on what has changed meanwhile, or what a result was made from counts no more."""

    code = "stale"


class EngagementError(ExchangeError):
    """A party to a verification engagement has to correct what it states in this step."""

    code = "engagement"


class IndependenceError(EngagementError):
    """The filer has to engage another verifier: this one isn't independent."""

    code = "independence"


class AccreditationError(EngagementError):
    """The verifier has to be accredited for this: its accreditation is unknown, lapsed or out of scope."""

    code = "accreditation"


class HeldError(ExchangeError):
    """The sender has to wait: the statement is under verification, filed, or kept for another stated reason."""

    code = "held"


class DamagedError(ExchangeError):
    """The operator has to mend the database: stored bytes are not what their digest says. Nothing of them is served."""

    code = "damaged"


class NoWitnessesError(ExchangeError):
    """The sender has to wait for less: nobody witnesses this log."""

    code = "no_witnesses"


class EvidenceError(ExchangeError):
    """An evidence or trust file can't be read, or contradicts itself."""

    code = "evidence"


class RejectedError(ExchangeError):
    """Verification found something false; `where` names the place in the evidence."""

    code = "rejected"


class UndecidableError(ExchangeError):
    """Verification can't decide with what it was given; `what` says what is missing."""

    code = "not_decidable"


class UsageError(ExchangeError):
    """The caller of a command has to call it otherwise."""

    code = "usage"


class SetupError(ExchangeError):
    """The operator has to correct the settings or the data folder."""

    code = "setup"

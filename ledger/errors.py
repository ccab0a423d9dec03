"""Everything that ledger raises, grouped by who has to act."""

from typing import ClassVar


class LedgerError(Exception):
    """Base of all errors of this package: what is wrong, where, and what helps."""

    code: ClassVar[str] = "ledger"

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} (at {self.where}); {self.remedy}"


# The sender of the evidence has to act: what was handed over cannot be believed.


class BadNoteError(LedgerError):
    """A signed note breaks C2SP signed-note, or no trusted key signed it."""

    code = "bad_note"


class UnknownSignerError(BadNoteError):
    """A note is well formed, and none of the trusted keys has signed it."""

    code = "unknown_signer"


class BadSignatureError(LedgerError):
    """A trusted key's signature does not verify; the whole note is refused."""

    code = "bad_signature"


class BadCheckpointError(LedgerError):
    """The text of a note is no checkpoint of the form that C2SP tlog-checkpoint gives, without extensions."""

    code = "bad_checkpoint"


class WrongOriginError(LedgerError):
    """A checkpoint speaks for another log than the key it was opened with."""

    code = "wrong_origin"


class BadProofError(LedgerError):
    """An inclusion or consistency proof does not lead to the root, or has the wrong length."""

    code = "bad_proof"


class BadProofFileError(LedgerError):
    """A file breaks C2SP tlog-proof."""

    code = "bad_proof_file"


class BadBundleError(LedgerError):
    """An entry bundle is cut, has bytes left over, or holds an entry that no log takes."""

    code = "bad_bundle"


class BadTilePathError(LedgerError):
    """A path names no tile and no entry bundle of C2SP tlog-tiles."""

    code = "bad_tile_path"


class PublishedFileError(LedgerError):
    """A file that a published log must have is missing, cut or too long."""

    code = "published_file"


class AuditError(LedgerError):
    """The log is not what its entries and checkpoints say; `where` names the first difference."""

    code = "audit_difference"


# The caller has to act: the request is wrong.


class BadKeyError(LedgerError):
    """A verifier key, key name or private key has the wrong form."""

    code = "bad_key"


class EntryRefusedError(LedgerError):
    """An entry is empty or longer than a bundle can carry."""

    code = "entry_refused"


class EntryUnknownError(LedgerError):
    """The log has no entry with this index or leaf hash."""

    code = "entry_unknown"


class OutOfRangeError(LedgerError):
    """An index, size, level or width lies outside what the tree or the format has."""

    code = "out_of_range"


class UnpublishedSizeError(LedgerError):
    """No checkpoint of this size was signed, or it does not cover the entry."""

    code = "unpublished_size"


class BadRequestError(LedgerError):
    """A request to a witness breaks C2SP tlog-witness."""

    code = "bad_request"


class UnknownLogError(LedgerError):
    """A witness does not follow the log of this origin."""

    code = "unknown_log"


class SizeConflictError(LedgerError):
    """A request to a witness proves from another size than that of the last checkpoint it cosigned, `size`."""

    code = "size_conflict"

    def __init__(self, size: int) -> None:
        super().__init__(
            f"the last checkpoint cosigned here is of size {size}",
            where="old size",
            remedy="send the proof from that size",
        )
        self.size = size


class NoLogError(LedgerError):
    """The database has no log yet."""

    code = "no_log"


class LogExistsError(LedgerError):
    """The database already has a log; its origin is never replaced."""

    code = "log_exists"


class NotWritingError(LedgerError):
    """A write was tried outside a transaction that `ledger.store.begin` opened."""

    code = "not_writing"


class BadPolicyError(LedgerError):
    """A witness policy breaks C2SP tlog-policy; `where` names the line."""

    code = "bad_policy"


# Try again later.


class PublicationBusyError(LedgerError):
    """Another process signs or publishes, or an audit holds the folder."""

    code = "publication_busy"


class DatabaseBusyError(LedgerError):
    """The database had no turn to give within its time: others are writing, or all its connections are taken."""

    code = "database_busy"


class QueueFullError(LedgerError):
    """More submissions wait for their commit than the queue takes; nothing was done."""

    code = "queue_full"


class NotCommittedError(LedgerError):
    """The database gave up the transaction before its commit, by a lost connection for instance; nothing was written."""

    code = "not_committed"


class CommitUncertainError(LedgerError):
    """The commit itself failed: what it held is stored, whole, or not at all. The same bytes sent again will tell."""

    code = "commit_uncertain"


# The operator has to act: nothing more is signed until somebody has looked.


class LogBehindError(LedgerError):
    """The database lacks entries that a published checkpoint commits to: it was lost or restored."""

    code = "log_behind"


class LogInconsistentError(LedgerError):
    """Stored nodes, head and checkpoints contradict each other or what was published."""

    code = "log_inconsistent"


class DurableWriteError(LedgerError):
    """A write, fsync or rename failed; the process must end, as a repeated fsync proves nothing."""

    code = "durable_write_failed"

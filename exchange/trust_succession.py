"""How one trust file follows another, so that a verifier compares a fingerprint once and never again.

The core of TUF's root rotation (The Update Framework 1.0, section 5.3): a file names the keys that sign the next one, and how many of them
have to; the next one is signed by them, and by as many of the keys that it names itself, so that nobody names keys that can't sign.
Versions rise by one and none is left out: a key that version 4 takes away signs nothing for who has come to version 4.

The signature is a note apart from the file (C2SP signed-note), over four lines: format, origin, version, SHA-256 of the file. A checkpoint
has three lines, the second a number, so that neither passes for the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from exchange.errors import RejectedError, UndecidableError
from exchange.trust import TrustFile
from ledger import (
    LedgerError,
    LogKey,
    NoteSigner,
    UnknownSignerError,
    add_lines,
    note_text,
    open_checkpoint,
    open_note,
    sign_note,
)

_AGAIN = "fetch file and signature again; if they stay so, ask the publisher over another channel"


def signed_text(trust: TrustFile) -> str:
    """Return what is signed of a trust file: four lines."""
    return f"{trust.format}\n{trust.origin}\n{trust.version}\n{trust.digest}\n"


def sign(trust: TrustFile, signer: NoteSigner, note: str = "") -> str:
    """Return the signed note over `trust`: with the signatures of it in `note`, if there are any. Raises RejectedError, LedgerError."""
    text = signed_text(trust)
    if not note:
        return sign_note(text, [signer])
    _check_text(trust, note)
    return add_lines(note, [signer.sign(text)])


def check_successor(old: TrustFile, new: TrustFile, note: str) -> tuple[LogKey, ...]:
    """Check that `new`, with the signatures in `note`, rightfully follows `old`; return the keys that signed.

    That a file has expired doesn't matter here: a verifier that comes late takes every version in its turn. Raises RejectedError, and
    UndecidableError where versions between the two are missing.
    """
    # 1. The version is the next one.
    _check_version(old, new)
    # 2. It is about the same log, or about the one that followed it.
    if new.origin != old.origin:
        _check_log(old, new)
    # 3. Enough of the keys that the old file names, and of those that it names itself, signed this very file.
    _check_text(new, note)
    signed = _signers(note, (*old.signing_next, *new.signing_next))
    _check_quorum(old, signed, "the version before")
    if new.next_keys:
        _check_quorum(new, signed, "the file itself")
    return signed


def check_newer(old: TrustFile, new: TrustFile, *, where: str = "version") -> None:
    """Check that `new` has a higher version than `old`, the file that is held. Raises RejectedError."""
    if new.version <= old.version:
        offered = f"version {new.version}" if new.version else "a file without a version"
        raise RejectedError(
            f"{offered} was offered and version {old.version} is held: trust doesn't go back, else keys and rules that were taken away "
            "since would count again",
            where=where,
            remedy=f"go on with version {old.version}; if somebody sent this one as new, tell the publisher",
        )


def _check_version(old: TrustFile, new: TrustFile) -> None:
    check_newer(old, new)
    if not old.next_keys:
        raise RejectedError(
            "the version before names nobody who may sign the next one",
            where="next_keys",
            remedy="compare the new file's fingerprint over two independent channels, as for a first one",
        )
    if new.version > old.version + 1:
        between = f"version {old.version + 1}"
        if new.version > old.version + 2:
            between = f"versions {old.version + 1} to {new.version - 1}"
        raise UndecidableError(
            f"{between} is missing", where="version", remedy="get every version and take them in order"
        )


def _check_log(old: TrustFile, new: TrustFile) -> None:
    """Check that the log of `new` succeeded that of `old`, by the old log's own last checkpoint."""
    try:
        open_checkpoint(new.predecessor, *old.keys)
    except LedgerError as error:
        raise RejectedError(
            f"it is about another log, and names no last checkpoint of {old.origin}: {error.what}",
            where="origin",
            remedy=_AGAIN,
        ) from None


def _check_text(trust: TrustFile, note: str) -> None:
    try:
        found = note_text(note)
    except LedgerError as error:
        raise RejectedError(
            f"the signature is no signed note: {error.what}", where="signature", remedy=_AGAIN
        ) from None
    if found != signed_text(trust):
        raise RejectedError("the signature is over another trust file", where="signature", remedy=_AGAIN)


def _signers(note: str, keys: Sequence[LogKey]) -> tuple[LogKey, ...]:
    try:
        return tuple(key for key in open_note(note, set(keys)).signers if isinstance(key, LogKey))
    except UnknownSignerError:
        return ()
    except LedgerError as error:
        raise RejectedError(error.what, where="signature", remedy=_AGAIN) from None


def _check_quorum(named_by: TrustFile, signed: Sequence[LogKey], which: str) -> None:
    """Check that enough of the keys that a file names are among those that signed. Keys count, not names."""
    due = {key.public_key for key in named_by.signing_next}
    count = len(due & {key.public_key for key in signed})
    if count < named_by.next_threshold:
        raise RejectedError(
            f"signed by {count} of the {named_by.next_threshold} keys that are needed of those that {which} names",
            where="signature",
            remedy=_AGAIN,
        )

"""Disclosures handed over beside the exchange: a statement encrypted to one reader's enrolled ES256 key. Pure.

It says nothing of who sealed it, and needs not: whoever opens it verifies the statement inside against its own trust file. Whoever
steals the reader's key later reads what was sealed to it. Form: docs/formats/handover.md.
"""

from __future__ import annotations

from exchange.errors import StatementError
from exchange.sealing import MAX_CONTENT, open_with, seal_to
from signer import KeyPair, split_presentation

TYPE = "packtrace-handover+jwe"
MAX_BYTES = MAX_CONTENT


def seal_for(statement: str, certificate: bytes) -> str:
    """Return `statement` (``<JWT>~<disclosure>~...~``) encrypted to the key of `certificate` (DER).

    Raises StatementError where nothing is disclosed, or the key isn't ES256.
    """
    _token, disclosures = split_presentation(statement)
    if not disclosures:
        raise StatementError(
            "the statement has no disclosures: there is nothing to hand over",
            where="statement",
            remedy="seal the file that was signed, with its disclosures",
        )
    return seal_to(certificate, statement.encode("ascii"), TYPE)


def open_sealed(sealed: str, key: KeyPair) -> str:
    """Return the statement that was sealed to `key`. Raises StatementError for another key's, or anything that was changed."""
    return open_with(key, sealed, TYPE).decode("ascii", "replace")

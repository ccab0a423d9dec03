"""Identifiers of organisations, in the one spelling of their scheme: two can't look like one, nor one like two."""

from __future__ import annotations

import re
import unicodedata

from stdnum import lei
from stdnum.cn import uscc
from stdnum.exceptions import ValidationError

from exchange.errors import StatementError

_CHECKED = {"uscc": uscc.validate, "lei": lei.validate}
_CHARACTERS = {"uscc": 18, "lei": 20}
_SCHEME = re.compile(r"[a-z][a-z0-9-]{0,31}")


def spelled(scheme: str, value: str) -> str:
    """Return an identifier as it is kept; StatementError, naming the scheme, where it is none.

    ``uscc``: unified social credit code (GB 32100), 18 characters, check character by modulus 31. ``lei``: legal entity identifier
    (ISO 17442), 20 characters, check digits by ISO 7064 MOD 97-10. Any other scheme is free text of printable characters.
    """
    where = f"identifiers/{scheme}"
    if _SCHEME.fullmatch(scheme) is None:
        raise StatementError(
            "the scheme's name isn't lower-case letters, digits and hyphens",
            where="identifiers",
            remedy="use uscc, lei, or a name such as duns",
        )
    if scheme not in _CHECKED:
        free = unicodedata.normalize("NFKC", value).strip()
        if not free or len(free) > 128 or not free.isprintable():
            raise StatementError("not one line of 1 to 128 characters", where=where, remedy="give the identifier")
        return free
    try:
        found: str = _CHECKED[scheme](value)
    except ValidationError:
        found = ""
    if len(found) != _CHARACTERS[scheme]:
        raise StatementError(
            f"{value[:40]!r} is no {scheme.upper()}: its length, characters or check digit are wrong",
            where=where,
            remedy="compare it with the certificate it stands on",
        )
    return found

"""base64url without padding (RFC 7515, section 2), decoded only from its one canonical spelling.

Token bytes are what the ledger hashes, so two spellings of the same bytes would be two entries for one statement.
"""

import binascii

from signer.errors import BadBase64Error

_TO_URL = bytes.maketrans(b"+/", b"-_")
# The standard alphabet's own two characters become one that is in neither.
_FROM_URL = bytes.maketrans(b"-_+/", b"+/!!")


def encode(data: bytes) -> str:
    """The canonical spelling of `data`."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


def decode(text: str, where: str) -> bytes:
    """The bytes that `text` spells; raises BadBase64Error for any spelling but the one `encode` gives."""
    try:
        spelling = text.encode("ascii").translate(_FROM_URL)
        data = binascii.a2b_base64(spelling + b"==")
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _not_canonical("base64url", where) from error
    # The decoder skips foreign characters and ignores spare bits; comparing the spelling catches both.
    if binascii.b2a_base64(data, newline=False).rstrip(b"=") != spelling:
        raise _not_canonical("base64url", where)
    return data


def decode_padded(text: str, where: str) -> bytes:
    """The bytes of ordinary padded base64 (RFC 4648, section 4), as `x5c` uses it; raises BadBase64Error."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"))
    except (UnicodeEncodeError, binascii.Error) as error:
        raise _not_canonical("base64", where) from error
    if encode_padded(data) != text:
        raise _not_canonical("base64", where)
    return data


def encode_padded(data: bytes) -> str:
    """The canonical padded base64 spelling of `data`."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _not_canonical(encoding: str, where: str) -> BadBase64Error:
    return BadBase64Error(f"not canonical {encoding}", where=where, remedy="encode the bytes again")

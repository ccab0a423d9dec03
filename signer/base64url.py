"""base64url without padding (RFC 7515, section 2), decoded only from its one canonical spelling.

Token bytes are what the ledger hashes, so two spellings of the same bytes would be two entries for one statement.
"""

import binascii
from collections.abc import Sequence

from signer.errors import BadBase64Error

_TO_URL = bytes.maketrans(b"+/", b"-_")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

# By what is left of a length divided by four: the padding that was left out, and the last characters that leave no bit
# unused. No bytes are spelt with a single character left.
_PADDING = ("", "", "==", "=")
_LAST = (ALPHABET, "", "AQgw", "AEIMQUYcgkosw048")


def encode(data: bytes) -> str:
    """The canonical spelling of `data`."""
    return binascii.b2a_base64(data, newline=False).rstrip(b"=").translate(_TO_URL).decode("ascii")


def encode_each(pieces: Sequence[bytes], size: int) -> list[str]:
    """The spelling of each of many short pieces of `size` bytes, at a third of the cost of one by one.

    Zeros after a piece up to a multiple of three bytes make it a whole number of characters, the first of which spell
    the piece alone.
    """
    zeros = -size % 3
    spelt = encode(bytes(zeros).join([*pieces, b""]))
    step = (size + zeros) // 3 * 4
    length = step - zeros
    return [spelt[start : start + length] for start in range(0, len(spelt), step)]


def decode(text: str, where: str) -> bytes:
    """The bytes that `text` spells; raises BadBase64Error for any spelling but the one `encode` gives."""
    rest = len(text) % 4
    # What the strict decoder of the standard alphabet would take: that alphabet, padding, spare bits.
    if "+" in text or "/" in text or "=" in text or text[-1:] not in _LAST[rest]:
        raise _not_canonical("base64url", where)
    try:
        return binascii.a2b_base64(text.replace("-", "+").replace("_", "/") + _PADDING[rest], strict_mode=True)
    except ValueError as error:
        raise _not_canonical("base64url", where) from error


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

"""The two spellings that all text formats of the log share: canonical base64 and canonical decimals."""

import base64
import binascii

from ledger.tree import MAX_SIZE


def encode_base64(data: bytes) -> str:
    """Standard alphabet with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """The bytes of a canonical base64 text; ValueError when another text has the same bytes, or none."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    if encode_base64(data) != text:
        raise ValueError("not canonical base64")
    return data


def decode_decimal(text: str) -> int:
    """A number from 0 to 2^63 - 1 in ASCII digits without leading zeros; ValueError otherwise."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or (text[0] == "0" and text != "0"):
        raise ValueError("not a canonical decimal number")
    if (number := int(text)) > MAX_SIZE:
        raise ValueError("number above 2^63 - 1")
    return number

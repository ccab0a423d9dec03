"""The hash chain over the entries, an index of its own beside the tree.

`chain_0 = SHA-256(origin)`, `chain_n = SHA-256(chain_{n-1} || leaf_hash_n)`: entry n (counted from one) carries
chain_n, so the value at the head commits to every entry and to their order.
"""

from hashlib import sha256
from typing import Final

from ledger.errors import BadKeyError
from ledger.notes import require_key_name

MAX_ORIGIN: Final = 200


def require_origin(origin: str) -> str:
    """The name of a new log: a key name, of at most 200 characters. Raises BadKeyError."""
    if len(origin) > MAX_ORIGIN:
        raise BadKeyError(
            f"a log's name has more than {MAX_ORIGIN} characters", where="origin", remedy="give a shorter one"
        )
    return require_key_name(origin)


def chain_start(origin: str) -> bytes:
    """The value before the first entry: SHA-256 of the origin in UTF-8. Raises BadKeyError."""
    return sha256(require_key_name(origin).encode()).digest()


def chain_next(previous: bytes, leaf_hash: bytes) -> bytes:
    """The value after one more entry."""
    return sha256(previous + leaf_hash).digest()

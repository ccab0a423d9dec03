"""Long contents, encrypted as they come: in parts under one data key, so that memory stays flat whatever their size.

Each part is bound to what the content is (`subject`), to its data key, its number and how many there are: none opens in another's place,
and one that is missing is missed. Until all is there and checked, the parts lie in a file without a name, as ciphertext under a key that is
stored nowhere; then they go into the database in one transaction, with the key.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from sqlalchemy import Connection, delete, insert, select
from sqlmodel import col

from exchange.errors import DamagedError
from exchange.vault.sealing import Vault, decrypted
from exchange.vault.tables import DataKeyRow, SealedPartRow

PART_BYTES = 256 * 1024
_ADDED = 28  # bytes that a part's ciphertext is longer by: nonce and tag
_REMEDY = "let its owner send it again, or restore it from a backup; find out who wrote to the database"


def _count(size: int) -> int:
    return max(1, -(-size // PART_BYTES))


def _place(subject: str, key: str, number: int, size: int) -> tuple[str, ...]:
    return ("parts", subject, key, str(number), str(size))


class PartsWriter:
    """Takes a content of `size` bytes piece by piece; `keep` stores it. What isn't kept is gone when it is closed."""

    def __init__(self, vault: Vault, subject: str, size: int) -> None:
        self._vault = vault
        self._subject = subject
        self._size = size
        self._key, self._secret = vault.fresh_key()
        self._number = 0
        self._waiting = bytearray()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does

    def close(self) -> None:
        """Let go of what isn't kept."""
        self._file.close()

    def write(self, piece: bytes) -> None:
        """Take the next piece."""
        self._waiting += piece
        while len(self._waiting) >= PART_BYTES:
            self._seal(PART_BYTES)

    def keep(self, connection: Connection) -> str:
        """Store all parts and their data key in the caller's transaction; return the key's id. To be called once, when all came."""
        if self._waiting:
            self._seal(len(self._waiting))
        if self._number != _count(self._size):
            raise AssertionError("kept once, with as many bytes as were announced")
        self._vault.keep_key(connection, self._key, self._secret)
        self._file.seek(0)
        for number in range(self._number):
            data = self._file.read(min(PART_BYTES, self._size - number * PART_BYTES) + _ADDED)
            connection.execute(insert(SealedPartRow), {"key": self._key, "number": number, "data": data})
        return self._key

    def _seal(self, length: int) -> None:
        place = _place(self._subject, self._key, self._number, self._size)
        self._file.write(self._vault.encrypted(self._secret, bytes(self._waiting[:length]), *place))
        del self._waiting[:length]
        self._number += 1


@dataclass(frozen=True, slots=True)
class Parts:
    """A stored content, to be read part by part."""

    vault: Vault = field(repr=False)
    subject: str
    key: str
    size: int

    def read(self, look: Callable[[], AbstractContextManager[Connection]]) -> Iterator[bytes]:
        """Yield the parts in order, each read in a `look` at the database of its own, so that no slow reader keeps one open.

        Raises DamagedError naming the part that is missing or doesn't open.
        """
        secret: bytes | None = None
        for number in range(_count(self.size)):
            where = f"exchange_sealed_part, {self.key}, number {number}"
            with look() as connection:
                if secret is None:
                    secret = self.vault.key(connection, self.key, where)
                query = select(col(SealedPartRow.data)).where(
                    col(SealedPartRow.key) == self.key, col(SealedPartRow.number) == number
                )
                data = connection.scalar(query)
            if secret is None or data is None:
                raise DamagedError("a part or its data key is missing", where=where, remedy=_REMEDY)
            try:
                yield decrypted(secret, bytes(data), *_place(self.subject, self.key, number, self.size))
            except InvalidTag:
                what = "this part doesn't open: it was changed or moved in the database"
                raise DamagedError(what, where=where, remedy=_REMEDY) from None


def erase_parts(connection: Connection, key: str) -> None:
    """Delete a content with its data key."""
    connection.execute(delete(DataKeyRow).where(col(DataKeyRow.id) == key))
    connection.execute(delete(SealedPartRow).where(col(SealedPartRow.key) == key))

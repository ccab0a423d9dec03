"""Encryption at rest: AES-256-GCM, a data key per statement or result, wrapped by a master key.

One ciphertext holds all disclosures of a statement, since they are stored, erased and read back as one set, and each is held against its
digest in the signed token whenever it is read. So what is bound to the ciphertext as additional data is the digest of the whole set,
beside leaf hash and data key id; to a wrapped key, its own id and that of its master key. A row that was moved, mixed or changed doesn't
open: DamagedError names it. Against stolen disks and copies, not against the operator, who has the master key.

Look-ups that need equality alone (which product, which series of certificates) go by a keyed digest, `blind`; its key is wrapped as well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Executable, LargeBinary, Row, String, bindparam, delete, insert, select
from sqlmodel import col

from exchange.errors import DamagedError, SetupError
from exchange.vault.tables import DataKeyRow, MasterKeyRow, SealedRow

What = Literal["disclosures", "result", "findings"]
_NONCE, _KEY = 12, 32
#: The data key of `blind` and `hide`.
_INDEX = "index"
_REMEDIES: Mapping[str, str] = {
    "disclosures": "let its issuer send the statement again with all its disclosures, or restore that row from a backup",
    "result": "restore that row from a backup, or delete it and compute the footprint again",
    "findings": "restore that row from a backup, or ask for that calculation again",
}
_MOST_AT_ONCE = 500

# Built once: every statement asks them. Nothing is inserted where the master key isn't the current one any more.
_ADD_KEY: Executable = insert(DataKeyRow).from_select(
    ["id", "master", "wrapped"],
    select(
        bindparam("key", type_=String), bindparam("under", type_=String), bindparam("wrapping", type_=LargeBinary)
    ).where(col(MasterKeyRow.id) == bindparam("under"), col(MasterKeyRow.current)),
)
_COUNTED = {"preserve_rowcount": True}
_ADD_SEALED = insert(SealedRow)
_SEALED = (
    select(
        *(col(SealedRow.subject), col(SealedRow.key), col(SealedRow.digest), col(SealedRow.data)),
        *(col(DataKeyRow.master), col(DataKeyRow.wrapped)),
    )
    .outerjoin(DataKeyRow, col(DataKeyRow.id) == col(SealedRow.key))
    .where(col(SealedRow.what) == bindparam("of"))
)
_FIND: Executable = _SEALED.where(col(SealedRow.subject) == bindparam("about"))
_FIND_ALL: Executable = _SEALED.where(col(SealedRow.subject).in_(bindparam("about", expanding=True)))


class Vault:
    """Seals and opens; several threads may ask. `load` returns the master keys by id, and is called again where one is missing."""

    def __init__(self, load: Callable[[], Mapping[str, bytes]], random: Callable[[int], bytes]) -> None:
        self._load = load
        self._random = random
        self._masters: dict[str, AESGCM] = {}
        self._current = ""
        self._index_key = b""
        self._index = AESGCM(bytes(_KEY))

    @classmethod
    def closed(cls) -> Vault:
        """Return the vault of a process that holds no master key. It erases; what needs the key raises SetupError."""
        return cls(dict, _no_random)

    @property
    def is_open(self) -> bool:
        """Whether this process holds the master key."""
        return bool(self._index_key)

    def attach(self, connection: Connection) -> None:
        """Take up the keys that the database names. Raises SetupError where a master key is missing, DamagedError for a bad index key."""
        self._refresh(connection)
        for name in connection.scalars(select(col(MasterKeyRow.id))):
            self._master(name)
        row = connection.execute(select(DataKeyRow).where(col(DataKeyRow.id) == _INDEX)).one_or_none()
        if row is None:
            self._index_key = self._random(_KEY)
            self._add_keys(connection, {_INDEX: self._index_key})
        else:
            self._index_key = self._unwrapped(_INDEX, row.master, bytes(row.wrapped), f"exchange_data_key, id {_INDEX}")
        self._index = AESGCM(self._index_key)

    def seal(self, connection: Connection, what: What, subject: str, data: bytes) -> None:
        """Store `data` encrypted under a data key of its own."""
        self.seal_all(connection, what, {subject: data})

    def seal_all(self, connection: Connection, what: What, contents: Mapping[str, bytes]) -> None:
        """Store what is said of each subject, each encrypted under a data key of its own."""
        if not contents:
            return
        self._require_open()
        secrets = {self._random(16).hex(): self._random(_KEY) for _ in contents}
        rows = []
        for (subject, data), (key, secret) in zip(contents.items(), secrets.items(), strict=True):
            digest = hashlib.sha256(data).hexdigest()
            sealed = self._encrypted(AESGCM(secret), data, _bound(what, subject, digest, key))
            rows.append({"what": what, "subject": subject, "key": key, "digest": digest, "data": sealed})
        self._add_keys(connection, secrets)
        connection.execute(_ADD_SEALED, rows)

    def open_(self, connection: Connection, what: What, subject: str) -> bytes | None:
        """Return what was sealed; None where nothing is. Raises DamagedError naming the row."""
        row = connection.execute(_FIND, {"of": what, "about": subject}).one_or_none()
        return None if row is None else self._opened(what, row)

    def open_all(self, connection: Connection, what: What, subjects: Sequence[str]) -> dict[str, bytes]:
        """Return what was sealed, by subject, without those of which nothing was. Raises DamagedError naming the row."""
        found = {}
        for start in range(0, len(subjects), _MOST_AT_ONCE):
            some = subjects[start : start + _MOST_AT_ONCE]
            for row in connection.execute(_FIND_ALL, {"of": what, "about": some}):
                found[row.subject] = self._opened(what, row)
        return found

    def _opened(self, what: What, row: Row[Any]) -> bytes:
        self._require_open()
        where = f"exchange_sealed, {what} {row.subject}"
        if row.wrapped is None:
            raise _damaged(what, "the data key of this row is missing", where)
        secret = self._unwrapped(row.key, row.master, bytes(row.wrapped), where)
        try:
            return _decrypted(AESGCM(secret), bytes(row.data), _bound(what, row.subject, row.digest, row.key))
        except InvalidTag:
            raise _damaged(what, "this row doesn't open: it was changed or moved in the database", where) from None

    def erase(self, connection: Connection, what: What, subjects: Collection[str]) -> None:
        """Delete data keys and ciphertexts of what was sealed."""
        names = sorted(subjects)
        for start in range(0, len(names), _MOST_AT_ONCE):
            these = (col(SealedRow.what) == what, col(SealedRow.subject).in_(names[start : start + _MOST_AT_ONCE]))
            keys = connection.scalars(select(col(SealedRow.key)).where(*these)).all()
            connection.execute(delete(DataKeyRow).where(col(DataKeyRow.id).in_(keys)))
            connection.execute(delete(SealedRow).where(*these))

    def erase_all(self, connection: Connection, what: What) -> None:
        """Delete data keys and ciphertexts of everything of one sort."""
        while subjects := connection.scalars(
            select(col(SealedRow.subject)).where(col(SealedRow.what) == what).limit(_MOST_AT_ONCE)
        ).all():
            self.erase(connection, what, subjects)

    def blind(self, text: str) -> str:
        """Return a digest (hex) of `text` by which it can be found, and told by nobody without the key."""
        self._require_open()
        return hmac.digest(self._index_key, text.encode(), "sha256").hex()

    def hide(self, text: str, *place: str) -> bytes:
        """Return `text` encrypted for the row at `place`, for look-ups that have to open many rows."""
        self._require_open()
        return self._encrypted(self._index, text.encode(), _bound(*place))

    def shown(self, hidden: bytes, *place: str) -> str:
        """Return what `hide` encrypted for the row at `place`. Raises DamagedError."""
        self._require_open()
        try:
            return _decrypted(self._index, hidden, _bound(*place)).decode()
        except InvalidTag:
            raise DamagedError(
                "this row doesn't open: it was changed or moved in the database",
                where=", ".join(place),
                remedy="restore that row from a backup; find out who wrote to the database",
            ) from None

    def rewrapped(self, key: str, master: str, wrapped: bytes) -> tuple[str, bytes]:
        """Return the current master key's id, and a data key wrapped by it that `master` wrapped. Raises DamagedError."""
        secret = self._unwrapped(key, master, wrapped, f"exchange_data_key, id {key}")
        return self._current, self._encrypted(self._master(self._current), secret, _bound(key, self._current))

    def fresh_key(self) -> tuple[str, bytes]:
        """Return id and secret of another data key, which `keep_key` stores or nobody does."""
        self._require_open()
        return self._random(16).hex(), self._random(_KEY)

    def keep_key(self, connection: Connection, key: str, secret: bytes) -> None:
        """Store a data key, wrapped."""
        self._add_keys(connection, {key: secret})

    def key(self, connection: Connection, key: str, where: str) -> bytes | None:
        """Return a stored data key; None where there is none. Raises DamagedError naming `where`."""
        row = connection.execute(select(DataKeyRow).where(col(DataKeyRow.id) == key)).one_or_none()
        if row is None:
            return None
        self._require_open()
        return self._unwrapped(key, row.master, bytes(row.wrapped), where)

    def encrypted(self, secret: bytes, data: bytes, *place: str) -> bytes:
        """Return `data` encrypted under a data key for its `place`."""
        return self._encrypted(AESGCM(secret), data, _bound(*place))

    def _require_open(self) -> None:
        if not self.is_open:
            raise SetupError(
                "this process holds no master key, so it can neither encrypt nor read what rests encrypted",
                where="keys/vault.*",
                remedy="do this in a process that has the key: one that takes in or serves disclosures",
            )

    def _add_keys(self, connection: Connection, secrets: Mapping[str, bytes]) -> None:
        for _attempt in range(2):
            under = self._current
            master = self._master(under)
            rows = [
                {"key": key, "under": under, "wrapping": self._encrypted(master, secret, _bound(key, under))}
                for key, secret in secrets.items()
            ]
            if connection.execute(_ADD_KEY, rows, execution_options=_COUNTED).rowcount == len(rows):
                return
            # A rotation may have come between two of the rows.
            connection.execute(delete(DataKeyRow).where(col(DataKeyRow.id).in_(secrets)))
            self._refresh(connection)
        raise SetupError(
            "another master key has become the current one twice in a moment",
            where="exchange_master_key",
            remedy="try again",
        )

    def _refresh(self, connection: Connection) -> None:
        current = select(col(MasterKeyRow.id)).where(col(MasterKeyRow.current))
        self._current = connection.scalars(current).one()

    def _master(self, name: str) -> AESGCM:
        if name not in self._masters:
            # The one that a rotation has ended meanwhile stays in memory: who is told at its next write that it isn't current has it.
            self._masters = self._masters | {found: AESGCM(secret) for found, secret in self._load().items()}
        try:
            return self._masters[name]
        except KeyError:
            raise SetupError(
                "a master key is missing that encrypts what is in the database",
                where=f"keys/vault.{name}",
                remedy="use this database's own data folder, or restore this file from a backup: without it what it encrypts is lost",
            ) from None

    def _unwrapped(self, key: str, master: str, wrapped: bytes, where: str) -> bytes:
        try:
            return _decrypted(self._master(master), wrapped, _bound(key, master))
        except InvalidTag:
            raise DamagedError(
                "its data key doesn't open: it was changed or moved in the database",
                where=where,
                remedy="restore the row of exchange_data_key from a backup; find out who wrote to the database",
            ) from None

    def _encrypted(self, cipher: AESGCM, data: bytes, bound: bytes) -> bytes:
        nonce = self._random(_NONCE)
        return nonce + cipher.encrypt(nonce, data, bound)


def decrypted(secret: bytes, data: bytes, *place: str) -> bytes:
    """Return what `Vault.encrypted` encrypted for `place`. Raises InvalidTag."""
    return _decrypted(AESGCM(secret), data, _bound(*place))


def _no_random(_count: int) -> bytes:
    raise SetupError("a closed vault makes no keys", where="keys/vault.*", remedy="open the vault")


def _decrypted(cipher: AESGCM, data: bytes, bound: bytes) -> bytes:
    if len(data) < _NONCE:
        raise InvalidTag
    # A view, since what rests encrypted may be large.
    return cipher.decrypt(data[:_NONCE], memoryview(data)[_NONCE:], bound)


def _bound(*parts: str) -> bytes:
    """The additional data: names in order, so written that no two lists of names read the same."""
    return json.dumps(("packtrace vault 1", *parts)).encode()


def _damaged(what: What, said: str, where: str) -> DamagedError:
    return DamagedError(said, where=where, remedy=f"{_REMEDIES[what]}; find out who wrote to the database")

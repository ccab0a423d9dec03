"""Master keys in files: `vault.<id>` in the folder of keys, each encrypted under the passphrase like its neighbours.

A file of `signer.keystore` holds an Ed25519 key, whose 32 secret bytes are what counts here: the master key is derived from them, and
its id from the public half, so that a file under another's name is found at the start. A file that ends with ``.ended`` belongs to a
rotation that is about to remove it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from exchange.errors import SetupError
from signer import KeyFileUnreadableError, KeyPair, SignerError
from signer.keystore import load_key, save_key

MASTER = "vault."
ENDED = ".ended"


def make_master(folder: Path, passphrase: str) -> str:
    """Make another master key in the folder of keys; return its id."""
    pair = KeyPair.generate("Ed25519")
    name, _secret = _derived(pair)
    save_key(folder / f"{MASTER}{name}", pair, passphrase)
    return name


def load_masters(folder: Path, passphrase: str) -> dict[str, bytes]:
    """Return every master key of the folder by id. Raises SetupError for a file that is another's or can't be opened."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.glob(f"{MASTER}*")):
        try:
            name, secret = _derived(load_key(path, passphrase))
        except KeyFileUnreadableError as error:
            remedy = "give the passphrase of the first start, or restore the file"
            raise SetupError(error.what, where=error.where, remedy=remedy) from error
        except SignerError as error:
            raise SetupError(error.what, where=error.where, remedy=error.remedy) from error
        if name != path.name.removeprefix(MASTER).removesuffix(ENDED):
            raise SetupError(
                f"this file holds the master key {name}, not the one of its name",
                where=str(path),
                remedy="restore the file of that name from a backup",
            )
        found[name] = secret
    return found


def _derived(pair: KeyPair) -> tuple[str, bytes]:
    key = pair.private_key
    if not isinstance(key, Ed25519PrivateKey):
        raise SignerError("not a master key", where=MASTER, remedy="restore the file from a backup")
    name = hashlib.sha256(b"packtrace vault key id\0" + key.public_key().public_bytes_raw()).hexdigest()[:16]
    derive = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"packtrace vault master key")
    return name, derive.derive(key.private_bytes_raw())
